//! The log as everybody sees it: append, read, and commit as a member of a group.
//!
//! Three implementations keep these promises and one conformance suite (`tests/it/log.rs`) holds
//! them to it: [`MemoryLog`] here, `DiskLog` and `KafkaLog` in `milepost`. Records of one
//! partition have one order; offsets rise but may have gaps (Kafka's transaction markers,
//! compaction), so compare them, never count.
//!
//! What both logs of one process share: [`group`] hands partitions to members, [`local`] reads
//! and commits over a store.
//!
//! [`Log::append`] queues at the call and answers by a plain future. Readers and members block
//! their own thread, since Kafka's transactions have no other form; the caller owns that thread.

pub mod group;
pub mod local;
mod memory;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

pub use memory::{MemoryLog, check_size};

use crate::time::Timestamp;

/// Where the time of day comes from. `milepost` passes the wall clock, a simulation its own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Every topic there is. Names are `milepost.fleet.<entity>.v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Which device belongs to whom; key device, compacted.
    Devices,
    /// All that happens to a vehicle, in one order; key vehicle.
    Inputs,
    /// All that it means; key vehicle.
    Outputs,
    /// Checkpoints `{view, private}`; key vehicle, compacted.
    States,
    /// All states and the marker of a partition, once a day; key vehicle.
    Snapshots,
    /// Parts of worlds under their content hash.
    Worlds,
    /// What a device is to be told; key device.
    Commands,
    /// What could not be understood: reason and original bytes.
    DeadLetters,
}

/// How long a topic keeps its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// The newest record of each key, for ever; a tombstone removes the key.
    Compacted,
    /// This many days.
    Days(u32),
}

impl Topic {
    /// All topics, in the order of the design's table.
    pub const ALL: [Self; 8] = [
        Self::Devices,
        Self::Inputs,
        Self::Outputs,
        Self::States,
        Self::Snapshots,
        Self::Worlds,
        Self::Commands,
        Self::DeadLetters,
    ];

    /// The short name: `inputs`.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
            Self::States => "states",
            Self::Snapshots => "snapshots",
            Self::Worlds => "worlds",
            Self::Commands => "commands",
            Self::DeadLetters => "dead-letters",
        }
    }

    /// The topic of a short name.
    pub fn from_short(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.short() == name)
    }

    /// The full name on Kafka: `milepost.fleet.inputs.v1`.
    pub fn name(self) -> String {
        format!("milepost.fleet.{}.v1", self.short())
    }

    /// How long its records stay.
    pub const fn retention(self) -> Retention {
        match self {
            Self::Devices | Self::States => Retention::Compacted,
            Self::Inputs | Self::Outputs => Retention::Days(7),
            Self::Snapshots | Self::Worlds => Retention::Days(8),
            Self::Commands => Retention::Days(1),
            Self::DeadLetters => Retention::Days(30),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// Name and value of a record header; names are constants (`kind`, `reason`, `source`).
pub type Header = (&'static str, Bytes);

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Where to.
    pub topic: Topic,
    /// `None`: [`crate::id::partition_of`] the key.
    pub partition: Option<u32>,
    /// What it is about; orders and compacts.
    pub key: Bytes,
    /// `None` is a tombstone: removes the key from a compacted topic.
    pub value: Option<Bytes>,
    /// A few, for consumers that filter without decoding.
    pub headers: Vec<Header>,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it lies.
    pub topic: Topic,
    /// Where in the topic.
    pub partition: u32,
    /// Its place; rises within a partition, may skip numbers.
    pub offset: u64,
    /// When the log took it (`LogAppendTime`, the log's own clock).
    pub appended_at: Timestamp,
    /// What it is about.
    pub key: Bytes,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Name and value, as written.
    pub headers: Vec<(String, Bytes)>,
}

/// First stored offset and the next one to be written (on Kafka: the last stable offset).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Offset of the oldest record still there; equals `end` when empty.
    pub start: u64,
    /// Offset that the next committed record will have at least.
    pub end: u64,
}

/// What went wrong with the log, by what the caller can do about it.
#[derive(Debug, Error)]
pub enum LogError {
    /// The log takes nothing more for now: queue bound or free disk below its limit. Retry.
    #[error("log is full: {0}")]
    Full(String),
    /// Broker or disk does not answer. Retry; nothing is known of what was in flight.
    #[error("log is unavailable: {0}")]
    Unavailable(String),
    /// Another owner has taken over; this member's uncommitted work is void. Poll again.
    #[error("another owner has taken over: {0}")]
    Fenced(String),
    /// Records below `start` are gone by retention.
    #[error("offset `{wanted}` of {topic}/{partition} is below the log's start `{start}`")]
    OffsetGone {
        /// Which topic.
        topic: Topic,
        /// Which partition.
        partition: u32,
        /// The offset asked for.
        wanted: u64,
        /// The oldest there is.
        start: u64,
    },
    /// The record can never be taken: too large.
    #[error("record of `{bytes}` bytes is larger than `{limit}`")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The log's limit.
        limit: usize,
    },
    /// The stored bytes are not what this version writes.
    #[error("log is damaged or foreign: {0}")]
    Corrupt(String),
}

impl LogError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Unavailable(_) | Self::Fenced(_))
    }
}

/// The answer to an append: offsets in the order of the records, once all are durable.
pub type Appending = Pin<Box<dyn Future<Output = Result<Vec<u64>, LogError>> + Send>>;

/// Largest record, key and value together, that any log takes.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// A partitioned, durable log.
pub trait Log: Send + Sync {
    /// How many partitions a topic has; fixed when the log is created.
    fn partitions(&self, topic: Topic) -> u32;

    /// Queues the records in the order of calls and answers when they are durable. Records of
    /// one call for one partition stay together in order. A dropped future takes nothing back.
    fn append(&self, records: Vec<NewRecord>) -> Appending;

    /// Start and end of a partition.
    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError>;

    /// First offset whose append time is not before `time`; `None` when there is none.
    fn offset_at(
        &self,
        topic: Topic,
        partition: u32,
        time: Timestamp,
    ) -> Result<Option<u64>, LogError>;

    /// The offset a group will go on from, or `None` before its first commit.
    fn committed(&self, group: &str, topic: Topic, partition: u32)
    -> Result<Option<u64>, LogError>;

    /// Reads without a group, committed records only, from the given (partition, offset) pairs.
    fn reader(&self, topic: Topic, from: &[(u32, u64)]) -> Result<Box<dyn Reader>, LogError>;

    /// Joins `group` on `topic` as `owner` (stable over restarts; one live member each).
    fn member(&self, group: &str, topic: Topic, owner: &str) -> Result<Box<dyn Member>, LogError>;
}

/// Reads chosen partitions in order.
pub trait Reader: Send {
    /// Up to about `max_bytes` of records, waiting at most `wait` for the first. Empty: none came.
    fn poll(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<Record>, LogError>;

    /// The offset this reader goes on from; past gaps, so `position >= end` means caught up.
    fn position(&self, partition: u32) -> Option<u64>;
}

/// What a member's poll brought.
#[derive(Debug)]
pub enum Polled {
    /// Records of owned partitions, each partition in order, from the committed offset on.
    Records(Vec<Record>),
    /// These partitions are ours from now on; their records follow from the committed offset.
    Assigned(Vec<u32>),
    /// These partitions go to somebody else with the next poll. Unless `lost`, what was stepped
    /// may still be committed before it.
    Revoked {
        /// Which.
        partitions: Vec<u32>,
        /// Whether they have gone already.
        lost: bool,
    },
}

/// Outputs and input offsets that become visible together or not at all.
#[derive(Debug, Default)]
pub struct Commit {
    /// Records to write.
    pub records: Vec<NewRecord>,
    /// For each partition of the group's topic the next offset to be read.
    pub offsets: Vec<(u32, u64)>,
}

/// One member of a group: owns partitions, reads them, commits.
pub trait Member: Send {
    /// Waits at most `wait`; `Records` of at most about `max_bytes` (empty when none came).
    fn poll(&mut self, max_bytes: usize, wait: Duration) -> Result<Polled, LogError>;

    /// Writes outputs and offsets in one transaction and returns when it is durable. After an
    /// error nothing of it is visible: [`Member::rewind`] and step again, or, when fenced, poll.
    fn commit(&mut self, commit: Commit) -> Result<(), LogError>;

    /// Goes back to the committed offsets of all owned partitions, which it returns
    /// (`None`: never committed, reads from the start).
    fn rewind(&mut self) -> Result<Vec<(u32, Option<u64>)>, LogError>;

    /// Leaves the group in good order so that others take over at once.
    fn leave(&mut self) -> Result<(), LogError>;
}

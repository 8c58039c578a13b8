//! The log on Apache Kafka, or any broker that speaks its protocol.
//!
//! Distribution is Kafka's: consumer groups place partitions, transactions make outputs and
//! offsets one commit, compacted topics keep state. [`append`] is the gateway's and api's plain
//! producer, [`read`] reads committed records, [`member`] is one member of a group with its
//! transactions, [`topics`] makes and checks the topics, [`properties`] holds every setting with
//! its reason.

mod append;
mod member;
mod properties;
mod read;
pub mod topics;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use ingest::log::{Appending, Bounds, Log, LogError, Member, NewRecord, Reader, Topic};
use ingest::time::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::clock;
use append::Appender;
use member::KafkaMember;
pub use properties::Properties;
use read::{Idle, KafkaReader};

/// How long a question to the broker may take.
const ASK_LIMIT: Duration = Duration::from_secs(15);
/// Pause before a question is asked again.
const ASK_PAUSE: Duration = Duration::from_millis(50);
/// Consumers kept for questions about groups; a process asks about a handful.
const ASKERS_MAX: usize = 16;

/// A connection to a Kafka cluster.
pub struct KafkaLog {
    properties: Properties,
    partitions: BTreeMap<Topic, u32>,
    appender: Appender,
    idle: Idle,
    /// By group: a consumer that only asks.
    askers: Mutex<BTreeMap<String, BaseConsumer>>,
}

impl fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaLog")
            .field("brokers", &self.properties.brokers())
            .finish_non_exhaustive()
    }
}

impl KafkaLog {
    /// Connects, and checks that every topic is as [`topics::check`] wants it.
    ///
    /// # Errors
    /// `Unavailable` when no broker answers, `Corrupt` when a topic is missing or not as it
    /// should be.
    pub fn connect(brokers: &str, extra: &BTreeMap<String, String>) -> Result<Self, LogError> {
        let properties = Properties::new(brokers, extra);
        let partitions = topics::check(&properties)?;
        let appender = Appender::new(&properties)?;
        Ok(Self {
            properties,
            partitions,
            appender,
            idle: Idle::default(),
            askers: Mutex::default(),
        })
    }

    /// Asks the broker through the consumer of `group`.
    fn ask<T>(
        &self,
        group: &str,
        question: impl Fn(&BaseConsumer) -> Result<T, KafkaError>,
    ) -> Result<T, LogError> {
        let mut askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        if !askers.contains_key(group) {
            if askers.len() >= ASKERS_MAX {
                askers.pop_first();
            }
            let asker = self.properties.asker(group).create().map_err(unavailable)?;
            askers.insert(group.to_owned(), asker);
        }
        patiently(|| question(&askers[group]))
    }
}

/// Asks again while leadership of a partition moves or a topic is new, for at most [`ASK_LIMIT`].
fn patiently<T>(question: impl Fn() -> Result<T, KafkaError>) -> Result<T, LogError> {
    within(ASK_LIMIT, question)
}

/// The same for at most `limit`.
fn within<T>(limit: Duration, question: impl Fn() -> Result<T, KafkaError>) -> Result<T, LogError> {
    let until = clock::monotonic() + limit;
    loop {
        match question() {
            Err(error) if is_passing(&error) && clock::monotonic() < until => {
                std::thread::sleep(ASK_PAUSE);
            }
            answer => return answer.map_err(unavailable),
        }
    }
}

fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
        )
    )
}

/// An error that says nothing of what was in flight.
fn unavailable(error: impl fmt::Display) -> LogError {
    LogError::Unavailable(error.to_string())
}

fn number(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

impl Log for KafkaLog {
    fn partitions(&self, topic: Topic) -> u32 {
        self.partitions.get(&topic).copied().unwrap_or(1)
    }

    fn append(&self, records: Vec<NewRecord>) -> Appending {
        self.appender.append(&records, |topic| self.partitions(topic))
    }

    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        // The end that a reader of committed records sees: the last stable offset.
        let name = topic.name();
        let (start, end) = self.ask(READERS, |consumer| {
            consumer.fetch_watermarks(&name, partition.cast_signed(), ASK_LIMIT)
        })?;
        Ok(Bounds { start: number(start), end: number(end) })
    }

    fn offset_at(
        &self,
        topic: Topic,
        partition: u32,
        time: Timestamp,
    ) -> Result<Option<u64>, LogError> {
        // Kafka keeps milliseconds: the first one not before `time`.
        let millis = time.micros().div_euclid(1000) + i64::from(time.micros() % 1000 != 0);
        let mut wanted = TopicPartitionList::new();
        wanted
            .add_partition_offset(&topic.name(), partition.cast_signed(), Offset::Offset(millis))
            .map_err(unavailable)?;
        let found = self.ask(READERS, |c| c.offsets_for_times(wanted.clone(), ASK_LIMIT))?;
        let found = found.elements().first().map(|e| (e.error(), e.offset()));
        match found {
            Some((Err(error), _)) => Err(unavailable(error)),
            Some((Ok(()), Offset::Offset(offset))) => Ok(Some(number(offset))),
            Some(_) | None => Ok(None),
        }
    }

    fn committed(
        &self,
        group: &str,
        topic: Topic,
        partition: u32,
    ) -> Result<Option<u64>, LogError> {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition(&topic.name(), partition.cast_signed());
        let found = self.ask(group, |c| c.committed_offsets(wanted.clone(), ASK_LIMIT))?;
        let offset = found
            .elements()
            .first()
            .map(rdkafka::topic_partition_list::TopicPartitionListElem::offset);
        Ok(match offset {
            Some(Offset::Offset(offset)) => Some(number(offset)),
            _ => None,
        })
    }

    fn reader(&self, topic: Topic, from: &[(u32, u64)]) -> Result<Box<dyn Reader>, LogError> {
        for (partition, _) in from {
            ingest::log::local::check_partition(topic, *partition, self.partitions(topic))?;
        }
        Ok(Box::new(KafkaReader::new((&self.properties, &self.idle), topic, from)?))
    }

    fn member(&self, group: &str, topic: Topic, owner: &str) -> Result<Box<dyn Member>, LogError> {
        Ok(Box::new(KafkaMember::join(
            &self.properties,
            self.partitions.clone(),
            member::Seat { group: group.to_owned(), topic, owner: owner.to_owned() },
        )?))
    }
}

/// The group name under which questions without a group are asked; it never commits.
const READERS: &str = "milepost-readers";

/// The brokers of `kafka://HOST:PORT[,HOST:PORT…]`.
///
/// # Errors
/// When the text is something else.
pub fn brokers(log: &str) -> anyhow::Result<&str> {
    let named = log.strip_prefix("kafka://").filter(|b| !b.is_empty());
    named.with_context(|| format!("log `{log}` is not kafka://HOST:PORT[,HOST:PORT…]"))
}

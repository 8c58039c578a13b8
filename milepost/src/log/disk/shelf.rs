//! What the writing process knows of its log: ends, offsets of groups, and the newest rows, from
//! which readers that keep up are served without touching the file.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, mpsc};

use ingest::log::local::{Cursor, Signal, Store, check_partition};
use ingest::log::{Bounds, Commit, LogError, NewRecord, Record, Topic, check_size};
use ingest::time::Timestamp;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::batch::{Batch, Head, PARTITIONS, PerPartition};
use super::lock;
use super::queue::{Answer, GroupOffsets, Outcome, QUEUE_BYTES_MAX, Queue, Request};
use super::read::{self, Connections, Extent, serve};
use super::schema::{refused, topic_of};

/// Encoded bytes of the newest rows kept in memory: of inputs and outputs, 3 s at 20,000 records
/// a second.
const TAIL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The same for each of the quieter topics.
const QUIET_TAIL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Rows handed to one poll of a reader.
const LOOK_ROWS_MAX: usize = 512;
/// A commit larger than this is refused whole; a row must stay far below SQLite's 1 GB.
const COMMIT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// How much the disk still takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Intake {
    /// All.
    Open = 0,
    /// Commits of members, so that what was accepted is still worked off; no appends.
    Draining = 1,
    /// Nothing.
    Shut = 2,
}

/// Shared by the log, its readers and members, and the writer.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) queue: Queue,
    pub(super) connections: Connections,
    signal: Signal,
    intake: AtomicU8,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In the order of `Topic`.
    topics: Vec<Shelved>,
    committed: BTreeMap<(String, Topic, u32), u64>,
}

#[derive(Debug)]
struct Shelved {
    extent: Extent,
    tail: VecDeque<Arc<Batch>>,
    tail_bytes: usize,
}

impl Shelved {
    /// Offsets from here on are in memory.
    fn tail_starts(&self) -> PerPartition<u64> {
        self.tail.front().map_or(self.extent.ends, |row| row.heads.map(|h| h.first))
    }
}

impl Shelf {
    /// As the file stands; `writer` is its connection.
    pub(super) fn load(connections: Connections, writer: &Connection) -> Result<Self, LogError> {
        let signal = Signal::new(PARTITIONS);
        let mut topics = Vec::with_capacity(Topic::ALL.len());
        for topic in Topic::ALL {
            let extent = read::extent(writer, topic)?;
            signal.advance((0..PARTITIONS).map(|p| (topic, p, extent.ends[p as usize])));
            topics.push(Shelved { extent, tail: VecDeque::new(), tail_bytes: 0 });
        }
        let state = Mutex::new(State { topics, committed: load_committed(writer)? });
        let intake = AtomicU8::new(Intake::Open as u8);
        Ok(Self { queue: Queue::default(), connections, signal, intake, state })
    }

    /// Queues an append.
    pub(super) fn append(&self, records: Vec<NewRecord>) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        let answer = Answer::Future(sender);
        match check(&records, QUEUE_BYTES_MAX) {
            Err(error) => answer.give(Err(error)),
            Ok(_) if records.is_empty() => answer.give(Ok(Vec::new())),
            Ok(_) if self.intake() > Intake::Open => answer.give(Err(no_space())),
            Ok(bytes) => self.queue.push(Request { records, offsets: None, bytes, answer }),
        }
        receiver
    }

    fn intake(&self) -> Intake {
        match self.intake.load(Ordering::Relaxed) {
            0 => Intake::Open,
            1 => Intake::Draining,
            _ => Intake::Shut,
        }
    }

    pub(super) fn set_intake(&self, intake: Intake) {
        self.intake.store(intake as u8, Ordering::Relaxed);
    }

    /// What is known of a topic.
    pub(super) fn extent(&self, topic: Topic) -> Extent {
        lock(&self.state).topics[topic as usize].extent
    }

    /// Newest append time of any topic.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let state = lock(&self.state);
        state.topics.iter().filter_map(|t| t.extent.times).map(|(_, newest)| newest).max()
    }

    /// Shows what has become durable: rows to readers, offsets to groups.
    pub(super) fn publish(&self, rows: Vec<(Topic, Batch)>, offsets: Vec<GroupOffsets>) {
        let mut ends = Vec::new();
        let mut state = lock(&self.state);
        for GroupOffsets { group, topic, offsets } in offsets {
            for (partition, offset) in offsets {
                state.committed.insert((group.clone(), topic, partition), offset);
            }
        }
        for (topic, row) in rows {
            let wrote = row.heads.iter().zip(0..).filter(|(head, _)| head.count > 0);
            ends.extend(wrote.map(|(head, partition)| (topic, partition, head.end())));
            let shelved = &mut state.topics[topic as usize];
            let oldest = shelved.extent.times.map_or(row.at, |(oldest, _)| oldest);
            shelved.extent.times = Some((oldest, row.at));
            shelved.extent.ends = row.heads.map(Head::end);
            shelved.extent.next_id = row.id + 1;
            shelved.tail_bytes += row.data.len() + size_of::<Batch>();
            shelved.tail.push_back(Arc::new(row));
            let most = match topic {
                Topic::Inputs | Topic::Outputs => TAIL_BYTES_MAX,
                _ => QUIET_TAIL_BYTES_MAX,
            };
            while shelved.tail_bytes > most {
                let Some(gone) = shelved.tail.pop_front() else { break };
                shelved.tail_bytes -= gone.data.len() + size_of::<Batch>();
            }
        }
        self.signal.advance(ends);
        drop(state);
    }

    /// Rows up to an id are gone by retention; the file now begins at `extent`.
    pub(super) fn retired(&self, topic: Topic, upto: i64, extent: &Extent) {
        let mut state = lock(&self.state);
        let shelved = &mut state.topics[topic as usize];
        shelved.extent = *extent;
        while shelved.tail.front().is_some_and(|row| row.id <= upto) {
            if let Some(gone) = shelved.tail.pop_front() {
                shelved.tail_bytes -= gone.data.len() + size_of::<Batch>();
            }
        }
    }

    /// First offset whose append time is not before `time`.
    pub(super) fn offset_at(
        &self,
        topic: Topic,
        partition: u32,
        time: Timestamp,
    ) -> Result<Option<u64>, LogError> {
        check_partition(topic, partition, PARTITIONS)?;
        self.connections.with(|c| read::offset_at(c, (topic, partition), time))
    }

    /// Serves cursors from memory; says where memory begins and the log ends.
    fn read_tail(
        &self,
        topic: Topic,
        cursors: &mut [Cursor],
        (room, out): (&mut usize, &mut Vec<Record>),
    ) -> Result<Lagging, LogError> {
        let state = lock(&self.state);
        let shelved = &state.topics[topic as usize];
        let (starts, ends) = (shelved.tail_starts(), shelved.extent.ends);
        let mut from = shelved.tail.len();
        let mut behind = false;
        for cursor in cursors.iter() {
            let partition = cursor.partition as usize;
            let (wanted, start) = (cursor.offset, shelved.extent.starts[partition]);
            if wanted < start {
                let partition = cursor.partition;
                return Err(LogError::OffsetGone { topic, partition, wanted, start });
            }
            if wanted >= ends[partition] {
                continue;
            }
            if wanted < starts[partition] {
                behind = true;
            } else {
                let row = shelved.tail.partition_point(|r| r.heads[partition].end() <= wanted);
                from = from.min(row);
            }
        }
        let mut found = 0;
        let mut rows = Vec::new();
        for row in shelved.tail.range(from..) {
            let wanted = |c: &Cursor| row.heads[c.partition as usize].bytes as usize;
            let bytes: usize = cursors.iter().map(wanted).sum();
            if bytes > 0 {
                found += bytes;
                rows.push(Arc::clone(row));
            }
            if found > *room || rows.len() == LOOK_ROWS_MAX {
                break;
            }
        }
        drop(state);
        let most = if behind { room.div_ceil(2) } else { *room };
        let mut left = most;
        for row in &rows {
            let near = cursors.iter_mut().filter(|c| c.offset >= starts[c.partition as usize]);
            serve(row, topic, near, (&mut left, out))?;
        }
        *room -= most - left;
        Ok(Lagging { behind, starts, ends })
    }
}

/// Whether some cursor is behind the tail, where the tail begins and where the log ends.
struct Lagging {
    behind: bool,
    starts: PerPartition<u64>,
    ends: PerPartition<u64>,
}

impl Store for Shelf {
    fn partitions(&self) -> u32 {
        PARTITIONS
    }

    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        check_partition(topic, partition, PARTITIONS)?;
        Ok(read::bounds(&self.extent(topic), partition))
    }

    fn committed(
        &self,
        group: &str,
        topic: Topic,
        partition: u32,
    ) -> Result<Option<u64>, LogError> {
        let place = (group.to_owned(), topic, partition);
        Ok(lock(&self.state).committed.get(&place).copied())
    }

    fn read(
        &self,
        topic: Topic,
        cursors: &mut [Cursor],
        max_bytes: usize,
        out: &mut Vec<Record>,
    ) -> Result<(), LogError> {
        let mut room = max_bytes.max(1);
        let Lagging { behind, starts, ends } = self.read_tail(topic, cursors, (&mut room, out))?;
        if !behind || room == 0 {
            return Ok(());
        }
        let far = |c: &&mut Cursor| {
            let partition = c.partition as usize;
            c.offset < starts[partition] && c.offset < ends[partition]
        };
        let mut far: Vec<&mut Cursor> = cursors.iter_mut().filter(far).collect();
        self.connections.with(|c| read::read(c, (topic, &ends), &mut far, &mut room, out))
    }

    fn write(&self, group: &str, topic: Topic, commit: Commit) -> Result<(), LogError> {
        let Commit { records, offsets } = commit;
        let bytes = check(&records, COMMIT_BYTES_MAX)?;
        for (partition, _) in &offsets {
            check_partition(topic, *partition, PARTITIONS)?;
        }
        if records.is_empty() && offsets.is_empty() {
            return Ok(());
        }
        if self.intake() > Intake::Draining {
            return Err(no_space());
        }
        let offsets = Some(GroupOffsets { group: group.to_owned(), topic, offsets });
        let (sender, receiver) = mpsc::sync_channel(1);
        self.queue.push(Request { records, offsets, bytes, answer: Answer::Thread(sender) });
        match receiver.recv() {
            Ok(outcome) => outcome.map(|_| ()),
            Err(mpsc::RecvError) => Err(LogError::Unavailable("the writer has ended".to_owned())),
        }
    }

    fn signal(&self) -> &Signal {
        &self.signal
    }
}

fn no_space() -> LogError {
    LogError::Full("too little free disk".to_owned())
}

/// Size of records that a log may take.
fn check(records: &[NewRecord], limit: usize) -> Result<usize, LogError> {
    let mut bytes = 0;
    for record in records {
        check_size(record)?;
        if let Some(partition) = record.partition {
            check_partition(record.topic, partition, PARTITIONS)?;
        }
        let headers: usize = record.headers.iter().map(|(n, v)| n.len() + v.len()).sum();
        bytes += record.key.len() + record.value.as_ref().map_or(0, bytes::Bytes::len) + headers;
    }
    if bytes > limit {
        return Err(LogError::TooLarge { bytes, limit });
    }
    Ok(bytes)
}

fn load_committed(writer: &Connection) -> Result<BTreeMap<(String, Topic, u32), u64>, LogError> {
    let sql = "SELECT member_group, topic, partition, next FROM committed";
    let mut statement = writer.prepare(sql).map_err(|e| refused(&e))?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, u32>(2)?, row.get::<_, i64>(3)?))
    };
    let mut committed = BTreeMap::new();
    for row in statement.query_map([], row).map_err(|e| refused(&e))? {
        let (group, topic, partition, next) = row.map_err(|e| refused(&e))?;
        if let Some(topic) = topic_of(topic) {
            committed.insert((group, topic, partition), next as u64);
        }
    }
    Ok(committed)
}

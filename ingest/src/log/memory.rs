//! The log in memory: tests and in-process simulation.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::group::{Groups, lock};
use super::local::{Cursor, LocalMember, LocalReader, Signal, Store, check_partition};
use super::{
    Appending, Bounds, Clock, Commit, Log, LogError, Member, NewRecord, RECORD_BYTES_MAX, Reader,
    Record, Retention, Topic,
};
use crate::id::partition_of;
use crate::time::Timestamp;

/// A log that lives as long as its last clone. Appends are taken at once; blocking calls given a
/// wait of zero never block, so a simulation may drive everything from one thread.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    shelf: Arc<Shelf>,
}

impl MemoryLog {
    /// An empty log; every topic has this many partitions (at least 1). `clock` gives the append
    /// times, which never go backwards.
    pub fn new(partitions: u32, clock: Clock) -> Self {
        let partitions = partitions.max(1);
        let topic = |topic: Topic| {
            (0..partitions).map(|_| Partition::new(topic.retention())).collect::<Vec<_>>()
        };
        let state = State {
            topics: Topic::ALL.into_iter().map(topic).collect(),
            offsets: BTreeMap::new(),
            now: Timestamp::from_micros(i64::MIN),
        };
        let (state, groups) = (Mutex::new(state), Groups::default());
        let signal = Signal::new(partitions);
        Self { shelf: Arc::new(Shelf { state, clock, partitions, groups, signal }) }
    }

    /// Treats a member as silent for too long, as a broker does after the session timeout: its
    /// partitions go to others at once. `false`: no such member.
    pub fn expire_member(&self, group: &str, topic: Topic, owner: &str) -> bool {
        let group = self.shelf.groups.group(group, topic, self.shelf.partitions);
        let expired = lock(&group).expire(owner);
        self.shelf.signal.regroup();
        expired
    }
}

impl Log for MemoryLog {
    fn partitions(&self, _: Topic) -> u32 {
        self.shelf.partitions
    }

    fn append(&self, records: Vec<NewRecord>) -> Appending {
        let answer = self.shelf.put(records, None);
        Box::pin(std::future::ready(answer))
    }

    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        self.shelf.bounds(topic, partition)
    }

    fn offset_at(
        &self,
        topic: Topic,
        partition: u32,
        time: Timestamp,
    ) -> Result<Option<u64>, LogError> {
        check_partition(topic, partition, self.shelf.partitions)?;
        Ok(lock(&self.shelf.state).partition(topic, partition).offset_at(time))
    }

    fn committed(
        &self,
        group: &str,
        topic: Topic,
        partition: u32,
    ) -> Result<Option<u64>, LogError> {
        self.shelf.committed(group, topic, partition)
    }

    fn reader(&self, topic: Topic, from: &[(u32, u64)]) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(LocalReader::new(Arc::clone(&self.shelf), topic, from)?))
    }

    fn member(&self, group: &str, topic: Topic, owner: &str) -> Result<Box<dyn Member>, LogError> {
        let shelf = Arc::clone(&self.shelf);
        Ok(Box::new(LocalMember::join(shelf, &self.shelf.groups, group, topic, owner)))
    }
}

struct Shelf {
    state: Mutex<State>,
    clock: Clock,
    partitions: u32,
    groups: Groups,
    signal: Signal,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("partitions", &self.partitions).finish_non_exhaustive()
    }
}

/// A group's name and topic, and the offsets it commits.
type Offsets<'a> = (&'a str, Topic, &'a [(u32, u64)]);

impl Shelf {
    /// Takes all records and offsets or none.
    fn put(
        &self,
        records: Vec<NewRecord>,
        offsets: Option<Offsets<'_>>,
    ) -> Result<Vec<u64>, LogError> {
        for record in &records {
            check_size(record)?;
            if let Some(partition) = record.partition {
                check_partition(record.topic, partition, self.partitions)?;
            }
        }
        let mut state = lock(&self.state);
        let now = (self.clock)().max(state.now);
        state.now = now;
        let mut answer = Vec::with_capacity(records.len());
        let mut ends = Vec::with_capacity(records.len());
        for record in records {
            let number =
                record.partition.unwrap_or_else(|| partition_of(&record.key, self.partitions));
            let topic = record.topic;
            let partition = state.partition(topic, number);
            answer.push(partition.push(record, number, now));
            ends.push((topic, number, partition.end));
        }
        if let Some((group, topic, offsets)) = offsets {
            for (partition, offset) in offsets {
                state.offsets.insert((group.to_owned(), topic, *partition), *offset);
            }
        }
        // While the state is still locked, so that ends never go backwards.
        self.signal.advance(ends);
        drop(state);
        Ok(answer)
    }
}

impl Store for Shelf {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        check_partition(topic, partition, self.partitions)?;
        let mut state = lock(&self.state);
        let partition = state.partition(topic, partition);
        Ok(Bounds { start: partition.start, end: partition.end })
    }

    fn committed(
        &self,
        group: &str,
        topic: Topic,
        partition: u32,
    ) -> Result<Option<u64>, LogError> {
        let state = lock(&self.state);
        Ok(state.offsets.get(&(group.to_owned(), topic, partition)).copied())
    }

    fn read(
        &self,
        topic: Topic,
        cursors: &mut [Cursor],
        max_bytes: usize,
        out: &mut Vec<Record>,
    ) -> Result<(), LogError> {
        let mut state = lock(&self.state);
        let mut room = max_bytes.max(1);
        for cursor in cursors {
            let (partition, wanted) = (cursor.partition, cursor.offset);
            let stored = state.partition(topic, partition);
            if wanted < stored.start {
                let start = stored.start;
                return Err(LogError::OffsetGone { topic, partition, wanted, start });
            }
            stored.read(cursor, &mut room, out);
            if room == 0 {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, group: &str, topic: Topic, commit: Commit) -> Result<(), LogError> {
        self.put(commit.records, Some((group, topic, &commit.offsets))).map(|_| ())
    }

    fn signal(&self) -> &Signal {
        &self.signal
    }
}

struct State {
    /// By topic, by partition.
    topics: Vec<Vec<Partition>>,
    offsets: BTreeMap<(String, Topic, u32), u64>,
    now: Timestamp,
}

impl State {
    fn partition(&mut self, topic: Topic, partition: u32) -> &mut Partition {
        &mut self.topics[topic as usize][partition as usize]
    }
}

struct Partition {
    retention: Retention,
    /// By offset; of a compacted topic only the newest of each key.
    records: BTreeMap<u64, Record>,
    start: u64,
    end: u64,
    /// Compacted topics: the newest offset of each key.
    newest: HashMap<Bytes, u64>,
}

impl Partition {
    fn new(retention: Retention) -> Self {
        Self { retention, records: BTreeMap::new(), start: 0, end: 0, newest: HashMap::new() }
    }

    /// The offset given to it.
    fn push(&mut self, new: NewRecord, partition: u32, now: Timestamp) -> u64 {
        let offset = self.end;
        self.end += 1;
        match self.retention {
            Retention::Compacted => {
                if let Some(superseded) = self.newest.insert(new.key.clone(), offset) {
                    self.records.remove(&superseded);
                }
            }
            Retention::Days(days) => self.retire(now.plus_seconds(-86_400.0 * f64::from(days))),
        }
        let headers = new.headers.into_iter().map(|(name, value)| (name.to_owned(), value));
        let record = Record {
            topic: new.topic,
            partition,
            offset,
            appended_at: now,
            key: new.key,
            value: new.value,
            headers: headers.collect(),
        };
        self.records.insert(offset, record);
        offset
    }

    /// Drops what was appended before `oldest`.
    fn retire(&mut self, oldest: Timestamp) {
        while let Some(first) = self.records.first_entry()
            && first.get().appended_at < oldest
        {
            self.start = first.key() + 1;
            first.remove();
        }
    }

    fn read(&self, cursor: &mut Cursor, room: &mut usize, out: &mut Vec<Record>) {
        for (offset, record) in self.records.range(cursor.offset..) {
            if *room == 0 {
                return;
            }
            *room =
                room.saturating_sub(record.key.len() + record.value.as_ref().map_or(0, Bytes::len));
            cursor.offset = offset + 1;
            out.push(record.clone());
        }
        if *room > 0 {
            cursor.offset = cursor.offset.max(self.end);
        }
    }

    fn offset_at(&self, time: Timestamp) -> Option<u64> {
        // Append times never go backwards, so this could be a binary search if a map had one;
        // it is asked for once per replay.
        self.records.iter().find(|(_, r)| r.appended_at >= time).map(|(offset, _)| *offset)
    }
}

/// Refuses a record that no log takes.
pub fn check_size(record: &NewRecord) -> Result<(), LogError> {
    let bytes = record.key.len() + record.value.as_ref().map_or(0, Bytes::len);
    if bytes > RECORD_BYTES_MAX {
        return Err(LogError::TooLarge { bytes, limit: RECORD_BYTES_MAX });
    }
    Ok(())
}

#[cfg(test)]
mod tests;

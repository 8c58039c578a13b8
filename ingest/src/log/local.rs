//! Readers and members of a log that lives in this process, over whatever stores its records.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::group::{Change, Group, Groups, lock};
use super::{Bounds, Commit, LogError, Member, Polled, Reader, Record, Topic};

/// A place in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Which partition.
    pub partition: u32,
    /// The offset to go on from.
    pub offset: u64,
    /// Where the store found the last record, so that it need not search; 0 = nothing known.
    pub hint: u64,
}

impl Cursor {
    /// At this offset, nothing known.
    pub const fn new(partition: u32, offset: u64) -> Self {
        Self { partition, offset, hint: 0 }
    }
}

/// What keeps the records of a log inside this process.
pub trait Store: Send + Sync {
    /// How many partitions each topic has.
    fn partitions(&self) -> u32;
    /// Start and end of a partition.
    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError>;
    /// The offset committed by a group.
    fn committed(&self, group: &str, topic: Topic, partition: u32)
    -> Result<Option<u64>, LogError>;
    /// Appends up to about `max_bytes` to `out`, moving the cursors past what was read or
    /// skipped. Never waits for records to come.
    fn read(
        &self,
        topic: Topic,
        cursors: &mut [Cursor],
        max_bytes: usize,
        out: &mut Vec<Record>,
    ) -> Result<(), LogError>;
    /// Writes records and a group's offsets in one transaction; returns when durable.
    fn write(&self, group: &str, topic: Topic, commit: Commit) -> Result<(), LogError>;
    /// Wakes whoever waits for records or partitions.
    fn signal(&self) -> &Signal;
    /// Waits until a cursor has something to read, the groups have changed, or time is up.
    fn wait(&self, topic: Topic, cursors: &[Cursor], groups: u64, wait: Duration) {
        self.signal().wait(topic, cursors, groups, wait);
    }
}

/// Ends of all partitions and a count of group changes, to wait on.
#[derive(Debug)]
pub struct Signal {
    state: Mutex<Ends>,
    changed: Condvar,
    partitions: u32,
}

#[derive(Debug)]
struct Ends {
    ends: Vec<u64>,
    groups: u64,
}

impl Signal {
    /// All partitions empty.
    pub fn new(partitions: u32) -> Self {
        let ends = vec![0; Topic::ALL.len() * partitions as usize];
        Self { state: Mutex::new(Ends { ends, groups: 0 }), changed: Condvar::new(), partitions }
    }

    /// These partitions now end there.
    pub fn advance(&self, ends: impl IntoIterator<Item = (Topic, u32, u64)>) {
        let mut state = lock(&self.state);
        for (topic, partition, end) in ends {
            let place = self.place(topic, partition);
            state.ends[place] = end;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Owners of partitions may have changed.
    pub fn regroup(&self) {
        lock(&self.state).groups += 1;
        self.changed.notify_all();
    }

    /// How often groups have changed so far.
    pub fn groups(&self) -> u64 {
        lock(&self.state).groups
    }

    fn wait(&self, topic: Topic, cursors: &[Cursor], groups: u64, wait: Duration) {
        let state = lock(&self.state);
        let idle = |state: &mut Ends| {
            state.groups == groups
                && cursors.iter().all(|c| state.ends[self.place(topic, c.partition)] <= c.offset)
        };
        let waited = self.changed.wait_timeout_while(state, wait, idle);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn place(&self, topic: Topic, partition: u32) -> usize {
        topic as usize * self.partitions as usize + partition as usize
    }
}

/// Reads chosen partitions of a [`Store`].
#[derive(Debug)]
pub struct LocalReader<S> {
    store: Arc<S>,
    topic: Topic,
    cursors: Vec<Cursor>,
}

impl<S: Store> LocalReader<S> {
    /// From these (partition, offset) pairs. An offset below the start is an error.
    pub fn new(store: Arc<S>, topic: Topic, from: &[(u32, u64)]) -> Result<Self, LogError> {
        for &(partition, wanted) in from {
            check_partition(topic, partition, store.partitions())?;
            let start = store.bounds(topic, partition)?.start;
            if wanted < start {
                return Err(LogError::OffsetGone { topic, partition, wanted, start });
            }
        }
        let cursors = from.iter().map(|(p, o)| Cursor::new(*p, *o)).collect();
        Ok(Self { store, topic, cursors })
    }
}

impl<S: Store> Reader for LocalReader<S> {
    fn poll(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<Record>, LogError> {
        let mut out = Vec::new();
        let groups = self.store.signal().groups();
        turn(&mut self.cursors);
        self.store.read(self.topic, &mut self.cursors, max_bytes, &mut out)?;
        if out.is_empty() && !wait.is_zero() {
            self.store.wait(self.topic, &self.cursors, groups, wait);
            self.store.read(self.topic, &mut self.cursors, max_bytes, &mut out)?;
        }
        Ok(out)
    }

    fn position(&self, partition: u32) -> Option<u64> {
        self.cursors.iter().find(|c| c.partition == partition).map(|c| c.offset)
    }
}

/// A member of a group on a [`Store`]; dropping it gives its partitions back at once.
#[derive(Debug)]
pub struct LocalMember<S: Store> {
    store: Arc<S>,
    group: Arc<Mutex<Group>>,
    name: String,
    topic: Topic,
    number: u64,
    cursors: Vec<Cursor>,
}

impl<S: Store> LocalMember<S> {
    /// Joins.
    pub fn join(store: Arc<S>, groups: &Groups, name: &str, topic: Topic, owner: &str) -> Self {
        let group = groups.group(name, topic, store.partitions());
        let number = lock(&group).join(owner);
        store.signal().regroup();
        Self { store, group, name: name.to_owned(), topic, number, cursors: Vec::new() }
    }

    /// Works on the group and wakes the others when partitions may have moved.
    fn grouped<T>(&self, work: impl FnOnce(&mut Group, u64) -> T) -> T {
        let mut group = lock(&self.group);
        let before = group.moves();
        let answer = work(&mut group, self.number);
        let moved = group.moves() != before;
        drop(group);
        if moved {
            self.store.signal().regroup();
        }
        answer
    }

    /// The next change of ownership, taken up.
    fn change(&mut self) -> Result<Option<Polled>, LogError> {
        match self.grouped(Group::next_change) {
            Ok(None) => Ok(None),
            Ok(Some(Change::Assigned(partitions))) => {
                if let Err(error) = self.take_up(&partitions) {
                    self.grouped(|group, number| group.tell_again(number, &partitions));
                    return Err(error);
                }
                Ok(Some(Polled::Assigned(partitions)))
            }
            Ok(Some(Change::Revoked { partitions, lost })) => {
                self.cursors.retain(|c| !partitions.contains(&c.partition));
                Ok(Some(Polled::Revoked { partitions, lost }))
            }
            Err(error) => {
                self.cursors.clear();
                Err(error)
            }
        }
    }

    fn take_up(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        let mut taken = Vec::with_capacity(partitions.len());
        for partition in partitions {
            taken.push(Cursor::new(*partition, self.begin(*partition)?));
        }
        self.cursors.extend(taken);
        Ok(())
    }

    fn begin(&self, partition: u32) -> Result<u64, LogError> {
        match self.store.committed(&self.name, self.topic, partition)? {
            Some(offset) => Ok(offset),
            None => Ok(self.store.bounds(self.topic, partition)?.start),
        }
    }

    fn read(&mut self, max_bytes: usize, out: &mut Vec<Record>) -> Result<(), LogError> {
        self.store.read(self.topic, &mut self.cursors, max_bytes, out)
    }
}

impl<S: Store> Member for LocalMember<S> {
    fn poll(&mut self, max_bytes: usize, wait: Duration) -> Result<Polled, LogError> {
        // A hand-over of our own in `change` counts too: then the wait ends at once, empty, once.
        let seen = self.store.signal().groups();
        if let Some(change) = self.change()? {
            return Ok(change);
        }
        let mut out = Vec::new();
        turn(&mut self.cursors);
        self.read(max_bytes, &mut out)?;
        if out.is_empty() && !wait.is_zero() {
            self.store.wait(self.topic, &self.cursors, seen, wait);
            if let Some(change) = self.change()? {
                return Ok(change);
            }
            self.read(max_bytes, &mut out)?;
        }
        Ok(Polled::Records(out))
    }

    fn commit(&mut self, commit: Commit) -> Result<(), LogError> {
        let partitions = commit.offsets.iter().map(|(partition, _)| *partition);
        self.grouped(|group, number| group.begin_commit(number, partitions))?;
        let written = self.store.write(&self.name, self.topic, commit);
        self.grouped(Group::end_commit);
        written
    }

    fn rewind(&mut self) -> Result<Vec<(u32, Option<u64>)>, LogError> {
        let held = self.grouped(|group, number| group.held(number))?;
        let mut answer = Vec::with_capacity(held.len());
        self.cursors.clear();
        for partition in held {
            let committed = self.store.committed(&self.name, self.topic, partition)?;
            let offset = match committed {
                Some(offset) => offset,
                None => self.store.bounds(self.topic, partition)?.start,
            };
            self.cursors.push(Cursor::new(partition, offset));
            answer.push((partition, committed));
        }
        Ok(answer)
    }

    fn leave(&mut self) -> Result<(), LogError> {
        self.cursors.clear();
        self.grouped(Group::leave);
        Ok(())
    }
}

impl<S: Store> Drop for LocalMember<S> {
    fn drop(&mut self) {
        self.grouped(Group::forget);
    }
}

/// Another partition comes first each time, so that a full one starves nobody.
fn turn(cursors: &mut [Cursor]) {
    if cursors.len() > 1 {
        cursors.rotate_left(1);
    }
}

/// Refuses a partition that the log does not have.
pub fn check_partition(topic: Topic, partition: u32, partitions: u32) -> Result<(), LogError> {
    if partition < partitions {
        return Ok(());
    }
    Err(LogError::Corrupt(format!(
        "partition `{partition}` of {topic}: expected one below `{partitions}`"
    )))
}

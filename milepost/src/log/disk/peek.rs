//! A log that another process writes, read from its file.

use std::sync::Arc;
use std::time::Duration;

use ingest::log::local::{Cursor, LocalReader, Signal, Store, check_partition};
use ingest::log::{
    Appending, Bounds, Commit, Log, LogError, Member, NewRecord, Reader, Record, Topic,
};
use ingest::time::Timestamp;

use super::batch::PARTITIONS;
use super::read::{self, Connections};
use crate::clock::monotonic;

/// How often a waiting reader looks at the file.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Reads beside the writing process; appends and members are refused.
#[derive(Debug)]
pub struct DiskReading {
    file: Arc<File>,
}

impl DiskReading {
    pub(super) fn new(connections: Connections) -> Self {
        Self { file: Arc::new(File { connections, signal: Signal::new(PARTITIONS) }) }
    }
}

impl Log for DiskReading {
    fn partitions(&self, _: Topic) -> u32 {
        PARTITIONS
    }

    fn append(&self, _: Vec<NewRecord>) -> Appending {
        Box::pin(std::future::ready(Err(only_reads())))
    }

    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        self.file.bounds(topic, partition)
    }

    fn offset_at(
        &self,
        topic: Topic,
        partition: u32,
        time: Timestamp,
    ) -> Result<Option<u64>, LogError> {
        check_partition(topic, partition, PARTITIONS)?;
        self.file.connections.with(|c| read::offset_at(c, (topic, partition), time))
    }

    fn committed(
        &self,
        group: &str,
        topic: Topic,
        partition: u32,
    ) -> Result<Option<u64>, LogError> {
        self.file.committed(group, topic, partition)
    }

    fn reader(&self, topic: Topic, from: &[(u32, u64)]) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(LocalReader::new(Arc::clone(&self.file), topic, from)?))
    }

    fn member(&self, _: &str, _: Topic, _: &str) -> Result<Box<dyn Member>, LogError> {
        Err(only_reads())
    }
}

fn only_reads() -> LogError {
    LogError::Unavailable("this process only reads the log; another one writes it".to_owned())
}

#[derive(Debug)]
struct File {
    connections: Connections,
    /// Nobody signals across processes; there only because a store has one.
    signal: Signal,
}

impl Store for File {
    fn partitions(&self) -> u32 {
        PARTITIONS
    }

    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        check_partition(topic, partition, PARTITIONS)?;
        let extent = self.connections.with(|c| read::extent(c, topic))?;
        Ok(read::bounds(&extent, partition))
    }

    fn committed(
        &self,
        group: &str,
        topic: Topic,
        partition: u32,
    ) -> Result<Option<u64>, LogError> {
        check_partition(topic, partition, PARTITIONS)?;
        self.connections.with(|c| read::committed(c, group, (topic, partition)))
    }

    fn read(
        &self,
        topic: Topic,
        cursors: &mut [Cursor],
        max_bytes: usize,
        out: &mut Vec<Record>,
    ) -> Result<(), LogError> {
        let mut room = max_bytes.max(1);
        self.connections.with(|connection| {
            let extent = read::extent(connection, topic)?;
            let mut open = Vec::with_capacity(cursors.len());
            for cursor in cursors {
                let (partition, wanted) = (cursor.partition, cursor.offset);
                let Bounds { start, end } = read::bounds(&extent, partition);
                if wanted < start {
                    return Err(LogError::OffsetGone { topic, partition, wanted, start });
                }
                if wanted < end {
                    open.push(cursor);
                }
            }
            if open.is_empty() {
                return Ok(());
            }
            read::read(connection, (topic, &extent.ends), &mut open, &mut room, out)
        })
    }

    fn write(&self, _: &str, _: Topic, _: Commit) -> Result<(), LogError> {
        Err(only_reads())
    }

    fn signal(&self) -> &Signal {
        &self.signal
    }

    fn wait(&self, topic: Topic, cursors: &[Cursor], _: u64, wait: Duration) {
        let began = monotonic();
        loop {
            let Some(rest) = wait.checked_sub(monotonic().duration_since(began)) else { return };
            std::thread::sleep(rest.min(LOOK_EVERY));
            // What goes wrong here goes wrong again in the read that follows, which tells it.
            let Ok(extent) = self.connections.with(|c| read::extent(c, topic)) else { return };
            if cursors.iter().any(|c| c.offset < extent.ends[c.partition as usize]) {
                return;
            }
        }
    }
}

//! What the checks need besides a log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ingest::log::{Appending, Log, LogError, Member, NewRecord, Polled, Record, Topic};

/// A log under test.
pub(crate) trait Harness {
    /// The log.
    fn log(&self) -> Arc<dyn Log>;

    /// Ends the process that holds the log, as far as can be, and opens it again. `false`: it
    /// lives in memory only. Readers and members of before are dropped first by the check.
    fn restart(&mut self) -> bool;

    /// Moves the clock of append times on. `false`: it is not ours to move.
    fn advance(&mut self, seconds: f64) -> bool;

    /// Makes a member silent for longer than its session. `false`: this log cannot see silence.
    fn silence(&mut self, group: &str, topic: Topic, owner: &str) -> bool;

    /// How often a check polls, each waiting `POLL`, before it gives up.
    fn patience(&self) -> usize {
        200
    }
}

/// What a poll waits.
pub(crate) const POLL: Duration = Duration::from_millis(100);
/// A poll's bound where it does not matter.
pub(crate) const PLENTY: usize = 16 * 1024 * 1024;

/// The answer of an append.
pub(crate) fn wait(appending: Appending) -> Result<Vec<u64>, LogError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(appending)
}

/// A record with a header, in a named partition.
pub(crate) fn record(topic: Topic, partition: u32, key: &str, value: &str) -> NewRecord {
    NewRecord {
        topic,
        partition: Some(partition),
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: vec![("kind", Bytes::from_static(b"test"))],
    }
}

/// Appends and waits.
#[track_caller]
pub(crate) fn put(log: &dyn Log, records: Vec<NewRecord>) -> Vec<u64> {
    wait(log.append(records)).unwrap()
}

/// Where all partitions end.
pub(crate) fn ends(log: &dyn Log, topic: Topic) -> Vec<(u32, u64)> {
    (0..log.partitions(topic)).map(|p| (p, log.bounds(topic, p).unwrap().end)).collect()
}

/// All records from these offsets to the ends of their partitions.
#[track_caller]
pub(crate) fn read(harness: &dyn Harness, topic: Topic, from: &[(u32, u64)]) -> Vec<Record> {
    let log = harness.log();
    let ends: Vec<(u32, u64)> =
        from.iter().map(|(p, _)| (*p, log.bounds(topic, *p).unwrap().end)).collect();
    let mut reader = log.reader(topic, from).unwrap();
    let mut out = Vec::new();
    for _ in 0..harness.patience() {
        out.extend(reader.poll(PLENTY, POLL).unwrap());
        if ends.iter().all(|(p, end)| reader.position(*p).unwrap() >= *end) {
            return out;
        }
    }
    panic!("reader of {topic} never reached {ends:?}, it stands before {:?}", out.last());
}

/// Key and value of a record, as text.
pub(crate) fn text(record: &Record) -> (String, Option<String>) {
    let text = |b: &Bytes| String::from_utf8(b.to_vec()).unwrap();
    (text(&record.key), record.value.as_ref().map(text))
}

/// Values only.
pub(crate) fn values(records: &[Record]) -> Vec<String> {
    records.iter().map(|r| text(r).1.unwrap_or_default()).collect()
}

/// Polls until the member is assigned something.
#[track_caller]
pub(crate) fn assigned(harness: &dyn Harness, member: &mut dyn Member) -> Vec<u32> {
    for _ in 0..harness.patience() {
        if let Polled::Assigned(partitions) = member.poll(PLENTY, POLL).unwrap() {
            return partitions;
        }
    }
    panic!("member was never assigned a partition");
}

/// Polls until the member has so many records; assignments on the way are taken.
#[track_caller]
pub(crate) fn polled(harness: &dyn Harness, member: &mut dyn Member, count: usize) -> Vec<Record> {
    let mut out = Vec::new();
    for _ in 0..harness.patience() {
        if let Polled::Records(records) = member.poll(PLENTY, POLL).unwrap() {
            out.extend(records);
        }
        if out.len() >= count {
            return out;
        }
    }
    panic!("member got `{}` records, expected `{count}`", out.len());
}

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;
use crate::log::Polled;

fn log_at(time: &Arc<AtomicI64>, partitions: u32) -> MemoryLog {
    let time = Arc::clone(time);
    let clock = move || Timestamp::from_seconds(time.load(Ordering::Relaxed));
    MemoryLog::new(partitions, Arc::new(clock))
}

fn log(partitions: u32) -> MemoryLog {
    log_at(&Arc::new(AtomicI64::new(1_000_000)), partitions)
}

fn record(topic: Topic, partition: u32, key: &str, value: &str) -> NewRecord {
    NewRecord {
        topic,
        partition: Some(partition),
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: (!value.is_empty()).then(|| Bytes::copy_from_slice(value.as_bytes())),
        headers: vec![("kind", Bytes::from_static(b"x"))],
    }
}

#[track_caller]
fn put(log: &MemoryLog, records: Vec<NewRecord>) -> Vec<u64> {
    let mut appending = log.append(records);
    match appending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.unwrap(),
        Poll::Pending => panic!("memory answers at once"),
    }
}

fn read(log: &MemoryLog, topic: Topic, from: &[(u32, u64)]) -> Vec<String> {
    let mut reader = log.reader(topic, from).unwrap();
    let records = reader.poll(usize::MAX, Duration::ZERO).unwrap();
    let text = |b: Option<Bytes>| String::from_utf8(b.unwrap_or_default().to_vec()).unwrap();
    let line =
        |r: Record| format!("{}/{} {}={}", r.partition, r.offset, text(Some(r.key)), text(r.value));
    records.into_iter().map(line).collect()
}

fn values(polled: Polled) -> Vec<u64> {
    match polled {
        Polled::Records(records) => records.iter().map(|r| r.offset).collect(),
        other => panic!("expected records, got {other:?}"),
    }
}

#[test]
fn records_come_back_in_order() {
    let log = log(2);
    let new = |p, v| record(Topic::Inputs, p, "k", v);
    assert_eq!(put(&log, vec![new(0, "a"), new(1, "b"), new(0, "c")]), [0, 0, 1]);
    assert_eq!(read(&log, Topic::Inputs, &[(0, 0)]), ["0/0 k=a", "0/1 k=c"]);
    assert_eq!(read(&log, Topic::Inputs, &[(0, 1)]), ["0/1 k=c"]);
    assert_eq!(log.bounds(Topic::Inputs, 0).unwrap(), Bounds { start: 0, end: 2 });
    assert!(log.bounds(Topic::Inputs, 2).is_err());
}

#[test]
fn a_key_finds_its_partition_and_a_giant_is_refused() {
    let log = log(16);
    let mut new = record(Topic::Inputs, 0, "acme/van-17", "x");
    new.partition = None;
    let at = partition_of(b"acme/van-17", 16);
    put(&log, vec![new.clone()]);
    assert_eq!(read(&log, Topic::Inputs, &[(at, 0)]).len(), 1);
    new.value = Some(Bytes::from(vec![0; RECORD_BYTES_MAX]));
    let mut refused = log.append(vec![record(Topic::Inputs, 3, "a", "b"), new]);
    let answer = refused.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(answer, Poll::Ready(Err(LogError::TooLarge { .. }))));
    assert_eq!(log.bounds(Topic::Inputs, 3).unwrap().end, 0);
}

#[test]
fn compacted_topics_keep_the_newest_of_each_key() {
    let log = log(1);
    let new = |k, v| record(Topic::States, 0, k, v);
    put(&log, vec![new("a", "1"), new("b", "1"), new("a", "2"), new("b", "")]);
    assert_eq!(read(&log, Topic::States, &[(0, 0)]), ["0/2 a=2", "0/3 b="]);
    let mut reader = log.reader(Topic::States, &[(0, 0)]).unwrap();
    assert_eq!(reader.poll(1, Duration::ZERO).unwrap().len(), 1);
    assert_eq!(reader.position(0), Some(3));
}

#[test]
fn old_records_go_and_readers_are_told() {
    let time = Arc::new(AtomicI64::new(0));
    let log = log_at(&time, 1);
    put(&log, vec![record(Topic::Commands, 0, "d", "old")]);
    time.store(86_400 + 1, Ordering::Relaxed);
    put(&log, vec![record(Topic::Commands, 0, "d", "new")]);
    assert_eq!(log.bounds(Topic::Commands, 0).unwrap(), Bounds { start: 1, end: 2 });
    assert!(matches!(
        log.reader(Topic::Commands, &[(0, 0)]).err(),
        Some(LogError::OffsetGone { wanted: 0, start: 1, .. })
    ));
    let at = |s| log.offset_at(Topic::Commands, 0, Timestamp::from_seconds(s)).unwrap();
    assert_eq!((at(5), at(86_401), at(86_402)), (Some(1), Some(1), None));
    time.store(5, Ordering::Relaxed);
    put(&log, vec![record(Topic::Commands, 0, "d", "clock went back")]);
    assert_eq!((at(86_401), at(86_402)), (Some(1), None));
}

#[test]
fn a_member_commits_outputs_and_offsets_together_or_not_at_all() {
    let log = log(2);
    put(&log, vec![record(Topic::Inputs, 0, "k", "1"), record(Topic::Inputs, 0, "k", "2")]);
    let mut member = log.member("engine", Topic::Inputs, "a").unwrap();
    assert!(matches!(member.poll(9, Duration::ZERO).unwrap(), Polled::Assigned(p) if p == [0, 1]));
    assert_eq!(values(member.poll(1, Duration::ZERO).unwrap()), [0]);
    let commit =
        |n, to| Commit { records: vec![record(Topic::Outputs, 0, "k", n)], offsets: vec![(0, to)] };
    member.commit(commit("out", 1)).unwrap();
    assert_eq!(log.committed("engine", Topic::Inputs, 0).unwrap(), Some(1));
    assert_eq!(values(member.poll(9, Duration::ZERO).unwrap()), [1]);
    let mut again = log.member("engine", Topic::Inputs, "a").unwrap();
    assert!(matches!(member.commit(commit("void", 2)), Err(LogError::Fenced(_))));
    assert_eq!(read(&log, Topic::Outputs, &[(0, 0)]), ["0/0 k=out"]);
    assert!(matches!(member.poll(9, Duration::ZERO).unwrap(), Polled::Revoked { lost: true, .. }));
    assert!(matches!(member.poll(9, Duration::ZERO), Err(LogError::Fenced(_))));
    assert!(matches!(again.poll(9, Duration::ZERO).unwrap(), Polled::Assigned(_)));
    assert_eq!(values(again.poll(9, Duration::ZERO).unwrap()), [1]);
    assert_eq!(again.rewind().unwrap(), [(0, Some(1)), (1, None)]);
    assert_eq!(values(again.poll(9, Duration::ZERO).unwrap()), [1]);
}

#[test]
fn a_waiting_poll_wakes_for_records_and_for_partitions() {
    let log = log(1);
    let mut reader = log.reader(Topic::Inputs, &[(0, 0)]).unwrap();
    let mut first = log.member("g", Topic::Inputs, "a").unwrap();
    let mut second = log.member("g", Topic::Inputs, "b").unwrap();
    assert!(matches!(first.poll(1, Duration::ZERO).unwrap(), Polled::Assigned(_)));
    let long = Duration::from_mins(1);
    let waits = std::thread::spawn(move || reader.poll(1, long).unwrap().len());
    let joins = std::thread::spawn(move || {
        loop {
            match second.poll(1, long).unwrap() {
                Polled::Assigned(partitions) => return partitions,
                Polled::Records(_) | Polled::Revoked { .. } => {}
            }
        }
    });
    put(&log, vec![record(Topic::Inputs, 0, "k", "v")]);
    first.leave().unwrap();
    assert_eq!(waits.join().unwrap(), 1);
    assert_eq!(joins.join().unwrap(), [0]);
}

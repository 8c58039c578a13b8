//! `log dump` and `backup` beside a writing process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use ingest::log::{Log, NewRecord, Topic};
use ingest::record::{Envelope, Kind};
use ingest::time::Timestamp;
use milepost::commands::backup::backup;
use milepost::commands::log::{Selection, digest_of, dump};
use milepost::log::disk::{DiskLog, LOG_FILE, copy};
use serde_json::Value;

use super::disk::Dir;
use super::harness::{Harness, put, read, record, values};
use super::memory::TestClock;

const ALL: Selection = Selection { topic: Topic::Inputs, kind: None, from: None, to: None };

/// A tick, or bytes that are no record.
fn tick(partition: u32, payload: &'static [u8]) -> NewRecord {
    let envelope = Envelope {
        kind: Kind::Tick,
        pid: None,
        received_at: Timestamp::from_seconds(1_700_000_000),
        seq: 0,
        by: None,
        payload: Bytes::from_static(payload),
    };
    let value = Some(envelope.encode());
    NewRecord { value, ..record(Topic::Inputs, partition, "~tick", "") }
}

#[track_caller]
fn lines(log: &dyn Log, selection: &Selection) -> Vec<String> {
    let mut out = Vec::new();
    dump(log, selection, &mut out).unwrap().unwrap();
    String::from_utf8(out).unwrap().lines().map(ToOwned::to_owned).collect()
}

#[test]
fn a_dump_says_what_is_stored_while_it_is_written() {
    let (dir, clock) = (Dir::new(), TestClock::new());
    let log = dir.open(&clock);
    put(&log, vec![tick(1, b""), record(Topic::Inputs, 0, "odd", "\u{1}x")]);
    clock.advance(60.0);
    put(&log, vec![tick(0, b"\x08\x01")]);
    let reading = DiskLog::open_reading(dir.path()).unwrap();
    let expected = [
        r#"{"appended_at":"2023-11-14T22:13:20.000Z","bytes":"0178","key":"odd","offset":0,"partition":0,"topic":"inputs","undecodable":"#,
        r#"{"appended_at":"2023-11-14T22:14:20.000Z","key":"~tick","kind":"tick","offset":1,"partition":0,"received_at":"2023-11-14T22:13:20.000Z","resumed":true,"topic":"inputs"}"#,
        r#"{"appended_at":"2023-11-14T22:13:20.000Z","key":"~tick","kind":"tick","offset":0,"partition":1,"received_at":"2023-11-14T22:13:20.000Z","resumed":false,"topic":"inputs"}"#,
    ];
    let found = lines(&reading, &ALL);
    assert_eq!(found.len(), 3);
    for (line, expected) in found.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    let late = clock.clock()();
    let only = |from, to| lines(&reading, &Selection { from, to, ..ALL });
    assert_eq!(only(Some(late), None), found[1..2]);
    assert_eq!(only(None, Some(late)), [&found[..1], &found[2..]].concat());
    let ticks = Selection { kind: Some("tick".to_owned()), ..ALL };
    assert_eq!(lines(&reading, &ticks), found[1..]);
    let empty = digest_of(&reading, &Selection { topic: Topic::Outputs, ..ALL }).unwrap();
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(empty, serde_json::json!({"outputs": 0, "digest": nothing}));
}

#[test]
fn a_backup_of_a_running_log_is_a_log() {
    let (dir, clock) = (Dir::new(), TestClock::new());
    let log = Arc::new(dir.open(&clock));
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (log, stop) = (Arc::clone(&log), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) || count < 50 {
                put(&*log, vec![record(Topic::Inputs, 0, "k", &count.to_string())]);
                put(&*log, vec![record(Topic::States, 0, "k", &count.to_string())]);
                count += 1;
            }
            count
        })
    };
    while log.bounds(Topic::Inputs, 0).unwrap().end < 20 {
        std::thread::yield_now();
    }
    let out = Dir::new();
    let said: Value = backup(dir.path(), out.path()).unwrap();
    assert_eq!(said["files"][0]["name"], LOG_FILE);
    stop.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    // The copy is a data directory like any other: it opens, and goes on.
    let harness = super::disk::Disk::at(out, clock);
    let inputs = read(&harness, Topic::Inputs, &[(0, 0)]);
    assert!((20..=written).contains(&inputs.len()), "{} of {written}", inputs.len());
    assert!(values(&inputs).iter().zip(0..).all(|(value, n)| *value == n.to_string()));
    let states = values(&read(&harness, Topic::States, &[(0, 0)]));
    let newest: usize = states[0].parse().unwrap();
    assert!([inputs.len() - 1, inputs.len().saturating_sub(2)].contains(&newest));
    let next = put(&*harness.log(), vec![record(Topic::Inputs, 0, "k", "on")]);
    assert_eq!(next, [inputs.len() as u64]);
}

#[test]
fn a_backup_overwrites_nothing_and_says_what_is_missing() {
    let (dir, clock) = (Dir::new(), TestClock::new());
    drop(dir.open(&clock));
    let out = Dir::new();
    backup(dir.path(), out.path()).unwrap();
    let again = backup(dir.path(), out.path()).unwrap_err().to_string();
    assert!(again.contains("is not empty"), "{again}");
    assert!(copy(&dir.path().join(LOG_FILE), &out.path().join(LOG_FILE)).is_err());
    let none = backup(out.path().parent().unwrap(), dir.path()).unwrap_err().to_string();
    assert!(none.contains("holds no log"), "{none}");
}

//! Order, durability, and what a reader sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ingest::id::partition_of;
use ingest::log::{LogError, NewRecord, RECORD_BYTES_MAX, Topic};
use ingest::time::Timestamp;

use super::harness::{Harness, PLENTY, POLL, ends, put, read, record, text, values, wait};

pub(crate) fn records_of_a_partition_have_one_order(harness: &mut dyn Harness) {
    let log = harness.log();
    let from = ends(&*log, Topic::Inputs);
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                let appends: Vec<_> = (0..100)
                    .map(|n| {
                        let partition = n % 3;
                        let key = format!("w{writer}");
                        log.append(vec![record(Topic::Inputs, partition, &key, &format!("{n:03}"))])
                    })
                    .collect();
                appends.into_iter().map(|a| wait(a).unwrap()[0]).collect::<Vec<u64>>()
            })
        })
        .collect();
    let acknowledged: Vec<Vec<u64>> = writers.into_iter().map(|w| w.join().unwrap()).collect();
    let records = read(harness, Topic::Inputs, &from);
    assert_eq!(records.len(), 400);
    let mut last = BTreeMap::new();
    let mut said = BTreeMap::new();
    for record in &records {
        let before = last.insert(record.partition, record.offset);
        assert!(before.is_none_or(|b| b < record.offset), "offsets of {} fall", record.partition);
        let (writer, value) = text(record);
        let number: usize = value.unwrap().parse().unwrap();
        let before = said.insert((writer.clone(), record.partition), number);
        assert!(before.is_none_or(|b| b < number), "records of {writer} changed places");
        let writer: usize = writer.trim_start_matches('w').parse().unwrap();
        assert_eq!(acknowledged[writer][number], record.offset);
    }
}

pub(crate) fn records_of_one_call_stay_together(harness: &mut dyn Harness) {
    let log = harness.log();
    let from = ends(&*log, Topic::Inputs);
    let call = |name: &str| {
        let name = name.to_owned();
        (0..50).map(move |n| record(Topic::Inputs, n % 2, &name, &n.to_string())).collect()
    };
    let appends: Vec<_> = ["a", "b", "c"].iter().map(|name| log.append(call(name))).collect();
    for append in appends {
        assert_eq!(wait(append).unwrap().len(), 50);
    }
    for partition in [0, 1] {
        let records = read(harness, Topic::Inputs, &[from[partition]]);
        let lines: Vec<String> = records.iter().map(|r| text(r).0).collect();
        assert_eq!(lines.concat(), ["a", "b", "c"].map(|n| n.repeat(25)).concat());
    }
}

pub(crate) fn a_record_comes_back_as_it_was_written(harness: &mut dyn Harness) {
    let log = harness.log();
    let from = ends(&*log, Topic::DeadLetters);
    let new = |value: Option<&[u8]>, headers: Vec<(&'static str, Bytes)>| NewRecord {
        topic: Topic::DeadLetters,
        partition: Some(5),
        key: Bytes::from_static(&[0, 255, 10]),
        value: value.map(Bytes::copy_from_slice),
        headers,
    };
    let headers = vec![("kind", Bytes::from_static(b"x")), ("source", Bytes::from_static(&[0, 7]))];
    let written = vec![
        new(Some(&[]), vec![]),
        new(None, headers.clone()),
        new(Some(&vec![9; RECORD_BYTES_MAX - 3]), headers),
    ];
    let offsets = put(&*log, written.clone());
    let found = read(harness, Topic::DeadLetters, &from);
    assert_eq!(found.iter().map(|r| r.offset).collect::<Vec<_>>(), offsets);
    for (new, stored) in written.iter().zip(&found) {
        assert_eq!((stored.topic, stored.partition), (Topic::DeadLetters, 5));
        assert_eq!((&stored.key, &stored.value), (&new.key, &new.value));
        let headers: Vec<_> =
            new.headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        assert_eq!(stored.headers, headers);
        assert!(stored.appended_at > Timestamp::from_seconds(0));
    }
    assert!(found.is_sorted_by_key(|r| r.appended_at));
}

pub(crate) fn a_key_finds_its_partition_unless_one_is_named(harness: &mut dyn Harness) {
    let log = harness.log();
    let partitions = log.partitions(Topic::Inputs);
    let from = ends(&*log, Topic::Inputs);
    let keyed = |n: u32| {
        let key = format!("acme/van-{n}");
        NewRecord { partition: None, ..record(Topic::Inputs, 0, &key, "by key") }
    };
    put(&*log, (0..40).map(keyed).collect());
    put(&*log, (0..partitions).map(|p| record(Topic::Inputs, p, "same", "named")).collect());
    for record in read(harness, Topic::Inputs, &from) {
        match text(&record) {
            (_, Some(value)) if value == "by key" => {
                assert_eq!(record.partition, partition_of(&record.key, partitions));
            }
            _ => assert_eq!(&record.key[..], b"same"),
        }
    }
    for (partition, start) in from {
        let named = read(harness, Topic::Inputs, &[(partition, start)]);
        assert_eq!(values(&named).iter().filter(|v| *v == "named").count(), 1);
    }
}

pub(crate) fn a_dropped_future_takes_nothing_back(harness: &mut dyn Harness) {
    let log = harness.log();
    let from = ends(&*log, Topic::Inputs);
    for n in 0..20 {
        drop(log.append(vec![record(Topic::Inputs, 1, "k", &n.to_string())]));
    }
    put(&*log, vec![record(Topic::Inputs, 1, "k", "last")]);
    let records = read(harness, Topic::Inputs, &[from[1]]);
    assert_eq!(records.len(), 21);
    assert_eq!(values(&records)[20], "last");
}

pub(crate) fn what_can_never_be_taken_is_refused_whole(harness: &mut dyn Harness) {
    let log = harness.log();
    let before = ends(&*log, Topic::Inputs);
    let giant = NewRecord {
        value: Some(Bytes::from(vec![0; RECORD_BYTES_MAX])),
        ..record(Topic::Inputs, 0, "giant", "")
    };
    let answer = wait(log.append(vec![record(Topic::Inputs, 0, "small", "x"), giant]));
    assert!(matches!(answer, Err(LogError::TooLarge { limit: RECORD_BYTES_MAX, .. })));
    let beyond = log.partitions(Topic::Inputs);
    assert!(wait(log.append(vec![record(Topic::Inputs, beyond, "k", "x")])).is_err());
    assert!(log.bounds(Topic::Inputs, beyond).is_err());
    assert!(log.reader(Topic::Inputs, &[(beyond, 0)]).is_err());
    assert_eq!(wait(log.append(Vec::new())).unwrap(), [0; 0]);
    assert_eq!(ends(&*log, Topic::Inputs), before);
}

pub(crate) fn reads_stop_near_their_bound_and_go_on_where_they_stopped(harness: &mut dyn Harness) {
    let log = harness.log();
    let from = ends(&*log, Topic::Inputs);
    let value = "x".repeat(999);
    for _ in 0..10 {
        put(&*log, (0..40).map(|n| record(Topic::Inputs, n % 4, "k", &value)).collect());
    }
    let mut reader = log.reader(Topic::Inputs, &from[..4]).unwrap();
    let mut next: BTreeMap<u32, u64> = from[..4].iter().copied().collect();
    let mut count = 0;
    for _ in 0..1_000 {
        let records = reader.poll(5_000, POLL).unwrap();
        assert!(records.len() <= 8, "asked for 5,000 bytes, got {} records", records.len());
        for record in &records {
            assert!(record.offset >= next[&record.partition]);
            next.insert(record.partition, record.offset + 1);
        }
        for (partition, next) in &next {
            assert!(reader.position(*partition).unwrap() >= *next);
        }
        count += records.len();
        if count == 400 {
            break;
        }
    }
    assert_eq!(count, 400);
    assert_eq!(reader.position(4), None);
}

pub(crate) fn a_waiting_reader_wakes(harness: &mut dyn Harness) {
    let log = harness.log();
    let from = ends(&*log, Topic::Inputs);
    let mut reader = log.reader(Topic::Inputs, &from).unwrap();
    let patience = harness.patience();
    let waits = std::thread::spawn(move || {
        let mut polls = (0..patience).map(|_| reader.poll(PLENTY, POLL * 10).unwrap());
        polls.find(|records| !records.is_empty()).map(|records| values(&records))
    });
    put(&*log, vec![record(Topic::Inputs, 2, "k", "awake")]);
    assert_eq!(waits.join().unwrap().unwrap(), ["awake"]);
}

pub(crate) fn what_was_acknowledged_is_there_after_a_restart(harness: &mut dyn Harness) {
    let log = harness.log();
    let from = ends(&*log, Topic::Inputs);
    let offsets =
        put(&*log, (0..100).map(|n| record(Topic::Inputs, 3, "k", &n.to_string())).collect());
    let before = read(harness, Topic::Inputs, &[from[3]]);
    let bounds = log.bounds(Topic::Inputs, 3).unwrap();
    drop(log);
    harness.restart();
    assert_eq!(read(harness, Topic::Inputs, &[from[3]]), before);
    let log = harness.log();
    assert_eq!(log.bounds(Topic::Inputs, 3).unwrap(), bounds);
    let after = put(&*log, vec![record(Topic::Inputs, 3, "k", "next")]);
    assert!(after[0] > offsets[99]);
    assert_eq!(read(harness, Topic::Inputs, &[from[3]]).len(), 101);
}

pub(crate) fn offsets_are_found_by_time(harness: &mut dyn Harness) {
    let log = harness.log();
    let topic = Topic::Outputs;
    let put_one = |value: &str| put(&*log, vec![record(topic, 6, "k", value)])[0];
    let first = put_one("first");
    // Logs whose clock is not ours to move still tell these two apart by their real times.
    if !harness.advance(10.0) {
        std::thread::sleep(POLL);
    }
    let second = put_one("second");
    let other = put(&*log, vec![record(topic, 7, "k", "elsewhere")])[0];
    let records = read(harness, topic, &[(6, first)]);
    let (early, late) = (records[0].appended_at, records[1].appended_at);
    assert!(early < late);
    let at = |partition, time| log.offset_at(topic, partition, time).unwrap();
    assert_eq!(at(6, early), Some(first));
    assert_eq!(at(6, late), Some(second));
    assert_eq!(at(6, late.plus_seconds(3600.0)), None);
    assert_eq!(at(7, late), Some(other));
    assert_eq!(at(8, late), None);
}

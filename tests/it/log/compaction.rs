//! Compacted topics.

use std::collections::BTreeMap;

use ingest::log::{NewRecord, Topic};

use super::harness::{Harness, POLL, put, read, record, text, values};

/// What a fold over all records says each key's value is.
fn fold(harness: &dyn Harness, partition: u32) -> BTreeMap<String, String> {
    let start = harness.log().bounds(Topic::Devices, partition).unwrap().start;
    let mut last = None;
    let mut folded = BTreeMap::new();
    for record in read(harness, Topic::Devices, &[(partition, start)]) {
        assert!(last.is_none_or(|l| l < record.offset));
        last = Some(record.offset);
        match text(&record) {
            (key, Some(value)) => drop(folded.insert(key, value)),
            (key, None) => drop(folded.remove(&key)),
        }
    }
    folded
}

pub(crate) fn only_the_newest_of_each_key_is_needed(harness: &mut dyn Harness) {
    let log = harness.log();
    let new = |key: &str, value: &str| record(Topic::Devices, 2, key, value);
    let tombstone = |key: &str| NewRecord { value: None, ..new(key, "") };
    put(&*log, vec![new("a", "1"), new("b", "1"), new("c", "1"), new("a", "2")]);
    let end = log.bounds(Topic::Devices, 2).unwrap().end;
    let mut live = log.reader(Topic::Devices, &[(2, end)]).unwrap();
    put(&*log, vec![new("b", "2"), tombstone("c"), new("d", "1")]);
    put(&*log, vec![tombstone("a")]);
    let mut heard = Vec::new();
    for _ in 0..harness.patience() {
        heard.extend(live.poll(1 << 20, POLL).unwrap());
        if heard.len() == 4 {
            break;
        }
    }
    assert_eq!(values(&heard), ["2", "", "1", ""]);
    let expected = BTreeMap::from([("b", "2"), ("d", "1")].map(|(k, v)| (k.into(), v.into())));
    assert_eq!(fold(harness, 2), expected);
    drop((live, log));
    harness.restart();
    assert_eq!(fold(harness, 2), expected);
    let log = harness.log();
    put(&*log, vec![new("a", "3")]);
    assert_eq!(fold(harness, 2).get("a").map(String::as_str), Some("3"));
}

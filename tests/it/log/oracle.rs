//! The log in memory is the oracle of the log on disk: the same calls, the same answers.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ingest::log::{Commit, Log, Member, MemoryLog, NewRecord, Polled, Record, Topic};
use ingest::time::Timestamp;

use super::disk::Dir;
use super::harness::put;
use super::memory::TestClock;

/// A small seeded generator (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn records(&mut self) -> Vec<NewRecord> {
        (0..self.below(6)).map(|_| self.record()).collect()
    }

    fn record(&mut self) -> NewRecord {
        let topics =
            [Topic::Inputs, Topic::Outputs, Topic::States, Topic::Devices, Topic::Commands];
        let topic = topics[self.below(5) as usize];
        let length = self.below(400) as usize;
        let headers = (0..self.below(3)).map(|n| ("name", Bytes::from(vec![n as u8; 3])));
        NewRecord {
            topic,
            partition: (self.below(2) == 0).then(|| self.below(16) as u32),
            key: Bytes::from(format!("key-{}", self.below(12))),
            value: (self.below(8) > 0).then(|| Bytes::from(vec![self.below(256) as u8; length])),
            headers: headers.collect(),
        }
    }
}

/// Reads everything in pieces of about this size; the newest of each key where compacted.
fn everything(log: &dyn Log, topic: Topic, from: &[(u32, u64)], piece: usize) -> Vec<Record> {
    let mut reader = log.reader(topic, from).unwrap();
    let mut all: BTreeMap<(u32, u64), Record> = BTreeMap::new();
    let behind = |reader: &dyn ingest::log::Reader| {
        from.iter().any(|(p, _)| reader.position(*p) < Some(log.bounds(topic, *p).unwrap().end))
    };
    while behind(&*reader) {
        for record in reader.poll(piece, Duration::ZERO).unwrap() {
            assert!(all.insert((record.partition, record.offset), record).is_none(), "twice");
        }
    }
    if matches!(topic, Topic::States | Topic::Devices) {
        let mut newest = BTreeMap::new();
        for (place, record) in &all {
            newest.insert((place.0, record.key.clone()), place.1);
        }
        all.retain(|place, record| newest[&(place.0, record.key.clone())] == place.1);
    }
    all.into_values().collect()
}

#[track_caller]
fn compare(oracle: &dyn Log, log: &dyn Log, random: &mut Random, now: Timestamp) {
    for topic in [Topic::Inputs, Topic::Outputs, Topic::States, Topic::Devices, Topic::Commands] {
        let mut from = Vec::new();
        for partition in 0..16 {
            let bounds = log.bounds(topic, partition).unwrap();
            assert_eq!(bounds, oracle.bounds(topic, partition).unwrap());
            from.push((partition, random.below(bounds.end + 1)));
            let time = now.plus_seconds(-(random.below(100) as f64));
            if !matches!(topic, Topic::States | Topic::Devices) {
                let at = |log: &dyn Log| log.offset_at(topic, partition, time).unwrap();
                assert_eq!(at(log), at(oracle), "{topic}/{partition} at {time}");
            }
            let committed = |log: &dyn Log| log.committed("g", Topic::Inputs, partition).unwrap();
            assert_eq!(committed(log), committed(oracle));
        }
        let piece = 1 + random.below(5_000) as usize;
        let (found, expected) =
            (everything(log, topic, &from, piece), everything(oracle, topic, &from, piece));
        assert_eq!(found, expected, "{topic} from {from:?} in pieces of {piece}");
    }
}

/// Reads on as a member of the log on disk, which must miss nothing; commits with both.
fn step(
    (oracle, member): (&mut Box<dyn Member>, &mut Box<dyn Member>),
    next: &mut BTreeMap<u32, u64>,
    random: &mut Random,
) {
    let bytes = 1 + random.below(2_000) as usize;
    let records = random.records();
    let Polled::Records(inputs) = member.poll(bytes, Duration::ZERO).unwrap() else { return };
    for input in inputs {
        let expected = next.insert(input.partition, input.offset + 1).unwrap_or(0);
        assert_eq!(input.offset, expected, "inputs/{}", input.partition);
    }
    let offsets: Vec<(u32, u64)> = next.iter().map(|(p, o)| (*p, *o)).collect();
    for member in [oracle, member] {
        member.commit(Commit { records: records.clone(), offsets: offsets.clone() }).unwrap();
    }
}

#[test]
fn disk_and_memory_give_the_same_answers() {
    for seed in 0..3 {
        let mut random = Random(seed);
        let (dir, clock) = (Dir::new(), TestClock::new());
        let oracle = MemoryLog::new(16, clock.clock());
        let mut log = dir.open(&clock);
        let mut next = BTreeMap::new();
        for _ in 0..3 {
            let join = |log: &dyn Log| {
                let mut member = log.member("g", Topic::Inputs, "o").unwrap();
                while !matches!(member.poll(1, Duration::ZERO).unwrap(), Polled::Assigned(_)) {}
                member
            };
            let (mut shadow, mut member) = (join(&oracle), join(&log));
            for _ in 0..80 {
                clock.advance(random.below(3) as f64);
                if random.below(3) == 0 {
                    step((&mut shadow, &mut member), &mut next, &mut random);
                } else {
                    let records = random.records();
                    assert_eq!(put(&log, records.clone()), put(&oracle, records));
                }
            }
            compare(&oracle, &log, &mut random, clock.clock()());
            drop((member, log));
            log = dir.open(&clock);
            compare(&oracle, &log, &mut random, clock.clock()());
        }
    }
}

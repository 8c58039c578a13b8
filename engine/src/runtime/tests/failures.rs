//! Poison, panics, a log that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ingest::log::{
    Appending, Bounds, Commit, Log, LogError, Member, MemoryLog, NewRecord, Polled, Reader, Topic,
};
use ingest::time::Timestamp;

use super::scene::{Scene, settle, try_settle};
use super::toy::{PANICS, WAKES_BADLY};
use crate::record::{Killed, MarkerRecord};

fn raw(scene: &Scene, key: &'static str, value: Option<&'static [u8]>) {
    scene.append(NewRecord {
        topic: Topic::Inputs,
        partition: Some(0),
        key: Bytes::from_static(key.as_bytes()),
        value: value.map(Bytes::from_static),
        headers: Vec::new(),
    });
}

#[test]
fn what_cannot_be_understood_is_dead_lettered_once() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    settle(&mut shard);
    raw(&scene, "acme/van", Some(b"\xff\xff\xff garbage"));
    raw(&scene, "acme/van", Some(b""));
    raw(&scene, "acme/van", None);
    scene.put("no key of ours", &super::scene::fix("van", 1, 1.0, 8.0), Some(0));
    scene.fix("van", 2, 2.0);
    settle(&mut shard);
    drop(shard);
    settle(&mut scene.shard());
    assert_eq!(scene.said(), ["van 1 position"]);
    assert_eq!(scene.letters().len(), 4);
    assert!(scene.letters()[2].contains("without a value"), "{:?}", scene.letters());
}

#[test]
fn an_input_that_panics_is_left_out_and_the_rest_stepped() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    settle(&mut shard);
    scene.fix("bus", 1, 1.0);
    scene.fix("van", 1, 1.0);
    scene.fix_at_speed("van", 2, 2.0, PANICS);
    scene.fix("van", 3, 3.0);
    scene.fix("bus", 2, 3.0);
    settle(&mut shard);
    let said = ["bus 1 position", "van 1 position", "van 2 position", "bus 2 position"];
    assert_eq!(scene.said(), said);
    assert_eq!(scene.letters().len(), 1);
    assert!(scene.letters()[0].contains("panic: input of acme/van"), "{:?}", scene.letters());
    drop(shard);
    // Recovery meets it again, and so does whoever steps the same inputs.
    let mut shard = scene.shard();
    settle(&mut shard);
    assert_eq!(scene.letters().len(), 1);
    assert_eq!(shard.trouble(), None);
    assert_eq!(scene.digest(), scene.replayed());
}

#[test]
fn a_wake_up_that_panics_is_cleared_and_the_record_behind_it_kept() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    settle(&mut shard);
    scene.fix("bus", 1, 0.0);
    scene.fix_at_speed("van", 1, 1.0, WAKES_BADLY);
    scene.turn_to(300.0);
    scene.fix("bus", 2, 300.0);
    scene.fix("van", 2, 300.0);
    settle(&mut shard);
    let said = scene.said();
    assert_eq!(
        said[2..],
        ["bus 2 no_signal", "bus 3 signal_back", "bus 4 position", "van 2 position"]
    );
    assert_eq!(scene.letters().len(), 1);
    assert!(scene.letters()[0].contains("panic: wake-up of acme/van"), "{:?}", scene.letters());
    assert_eq!(scene.digest(), scene.replayed());
}

#[test]
fn three_panics_set_a_vehicle_aside_and_many_stop_the_shard() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    settle(&mut shard);
    for n in 0..3 {
        scene.fix_at_speed("van", n, 1.0, PANICS);
    }
    scene.fix("van", 4, 2.0);
    scene.fix("bus", 1, 2.0);
    settle(&mut shard);
    assert_eq!(scene.said(), ["van 1 set_aside", "bus 1 position"]);
    assert_eq!(scene.letters().len(), 4);
    drop(shard);
    let mut shard = scene.shard();
    scene.fix("van", 5, 3.0);
    settle(&mut shard);
    assert_eq!(scene.letters().len(), 5);
    for n in 0..3 {
        scene.fix_at_speed("bus", n + 10, 1.0, PANICS);
    }
    let error = try_settle(&mut shard).unwrap_err();
    assert!(error.to_string().contains("`2` of `2` vehicles"), "{error}");
}

#[test]
fn after_three_dead_starts_the_input_that_kills_is_found() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    scene.fix("van", 1, 1.0);
    settle(&mut shard);
    shard.drain(Duration::from_secs(1)).unwrap();
    let committed = scene.log.bounds(Topic::Inputs, 0).unwrap().end;
    scene.fix("van", 2, 2.0);
    scene.fix("van", 3, 3.0);
    scene.fix("van", 4, 4.0);
    // Three processes took the partition here and died; the fourth went step by step and died
    // at the second input.
    let last = scene.markers().pop().unwrap();
    let trying = Some(Killed { offset: committed + 1, woken: None });
    let marker = MarkerRecord { starts: 4, started_from: committed, trying, ..last };
    scene.append(marker.envelope().into_record(Topic::States, Bytes::from_static(b"#")));
    let mut shard = scene.shard();
    settle(&mut shard);
    assert_eq!(scene.said(), ["van 1 position", "van 2 position", "van 3 position"]);
    assert!(scene.letters()[0].contains("kills: input of acme/van"), "{:?}", scene.letters());
    let trying = scene.markers().iter().filter(|m| m.trying.is_some()).count();
    assert!(trying <= 1);
    drop(shard);
    let mut shard = scene.shard();
    settle(&mut shard);
    assert_eq!(scene.letters().len(), 1);
    assert_eq!(scene.said().len(), 3);
}

/// A log whose appends fail as told, and its commits: before or after the log has taken them.
struct Failing {
    log: MemoryLog,
    appends: Arc<AtomicU32>,
    before: Arc<AtomicU32>,
    after: Arc<AtomicU32>,
}

struct FailingMember {
    member: Box<dyn Member>,
    before: Arc<AtomicU32>,
    after: Arc<AtomicU32>,
}

fn takes_one(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
}

impl Member for FailingMember {
    fn poll(&mut self, max_bytes: usize, wait: Duration) -> Result<Polled, LogError> {
        self.member.poll(max_bytes, wait)
    }
    fn commit(&mut self, commit: Commit) -> Result<(), LogError> {
        if takes_one(&self.before) {
            return Err(LogError::Full("no room".to_owned()));
        }
        self.member.commit(commit)?;
        if takes_one(&self.after) {
            return Err(LogError::Unavailable("no answer".to_owned()));
        }
        Ok(())
    }
    fn rewind(&mut self) -> Result<Vec<(u32, Option<u64>)>, LogError> {
        self.member.rewind()
    }
    fn leave(&mut self) -> Result<(), LogError> {
        self.member.leave()
    }
}

impl Log for Failing {
    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        if takes_one(&self.appends) {
            return Box::pin(async { Err(LogError::Full("no room".to_owned())) });
        }
        self.log.append(records)
    }
    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        self.log.bounds(topic, partition)
    }
    fn offset_at(
        &self,
        topic: Topic,
        partition: u32,
        time: Timestamp,
    ) -> Result<Option<u64>, LogError> {
        self.log.offset_at(topic, partition, time)
    }
    fn committed(&self, group: &str, topic: Topic, p: u32) -> Result<Option<u64>, LogError> {
        self.log.committed(group, topic, p)
    }
    fn reader(&self, topic: Topic, from: &[(u32, u64)]) -> Result<Box<dyn Reader>, LogError> {
        self.log.reader(topic, from)
    }
    fn member(&self, group: &str, topic: Topic, owner: &str) -> Result<Box<dyn Member>, LogError> {
        let (before, after) = (Arc::clone(&self.before), Arc::clone(&self.after));
        let member = self.log.member(group, topic, owner)?;
        Ok(Box::new(FailingMember { member, before, after }))
    }
}

#[test]
fn a_commit_that_fails_is_made_again_whether_or_not_it_went_through() {
    let mut scene = Scene::new(2);
    let (before, after) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    scene.log = Arc::new(Failing {
        log: scene.memory.clone(),
        appends: Arc::default(),
        before: Arc::clone(&before),
        after: Arc::clone(&after),
    });
    let mut shard = scene.shard();
    settle(&mut shard);
    for round in 0..40_i64 {
        let second = round as f64 * 5.0;
        scene.turn_to(second);
        before.store(u32::from(round % 3 == 0) * 2, Ordering::Relaxed);
        after.store(u32::from(round % 4 == 0), Ordering::Relaxed);
        for vehicle in ["a", "b", "c"] {
            scene.fix(vehicle, round, second);
        }
        for turn in 0..8 {
            shard.turn(Duration::ZERO).unwrap();
            if round % 3 == 0 && turn == 1 {
                assert!(shard.trouble().unwrap().contains("no room"));
            }
            scene.turn_to(second + f64::from(turn) * 0.3);
        }
        assert_eq!(shard.trouble(), None, "round {round}");
    }
    assert_eq!(scene.said().len(), 120);
    assert_eq!(scene.digest(), scene.replayed());
}

#[test]
fn a_log_that_takes_nothing_is_asked_now_and_then_and_told_of_the_pause_at_last() {
    let mut scene = Scene::new(1);
    let mut shard = scene.shard();
    scene.fix("van", 1, 0.0);
    settle(&mut shard);
    drop(shard);
    let refused = Arc::new(AtomicU32::new(u32::MAX));
    scene.log = Arc::new(Failing {
        log: scene.memory.clone(),
        appends: Arc::clone(&refused),
        before: Arc::default(),
        after: Arc::default(),
    });
    scene.turn_to(480.0);
    let mut shard = scene.shard();
    for turn in 0..600 {
        scene.turn_to(480.0 + f64::from(turn) * 0.05);
        shard.turn(Duration::ZERO).unwrap();
    }
    let asked = u32::MAX - refused.swap(0, Ordering::Relaxed);
    assert!((2..=14).contains(&asked), "`{asked}` appends in 30 s");
    scene.turn_to(520.0);
    settle(&mut shard);
    assert_eq!(scene.said(), ["van 1 position"], "whoever owned nothing says nothing of silence");
    for second in 800..803 {
        scene.turn_to(f64::from(second));
        settle(&mut shard);
    }
    assert_eq!(scene.said(), ["van 1 position", "van 2 no_signal"]);
}

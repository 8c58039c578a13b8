//! Crashes, hand-overs, checkpoints.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ingest::log::{NewRecord, Topic};
use ingest::record::Envelope;

use super::scene::{Scene, fix, settle, try_settle};
use super::toy::TALKATIVE;
use crate::model::View;
use crate::record::{StateRecord, WorldRecord};
use crate::runtime::{GROUP, Maps, Shard, Turn};

/// Every second another vehicle sends; some fall silent.
fn drive(scene: &Scene, step: i64) {
    let second = step as f64 * 9.0;
    scene.turn_to(second);
    for vehicle in 0..7_i64 {
        if (step + vehicle) % 3 == 0 && (step / 20 + vehicle) % 2 == 0 {
            scene.fix(&format!("van-{vehicle}"), step, second);
        }
    }
}

fn one_turn(shard: &mut Shard) {
    assert_ne!(shard.turn(Duration::ZERO).unwrap(), Turn::Pause(Duration::ZERO));
}

#[test]
fn a_crash_at_every_commit_loses_and_doubles_nothing() {
    let scene = Scene::new(3);
    let mut shard = scene.shard();
    for step in 0..120 {
        drive(&scene, step);
        for _ in 0..4 {
            one_turn(&mut shard);
        }
        drop(shard);
        shard = scene.shard();
    }
    settle(&mut shard);
    assert!(scene.said().len() > 100);
    assert_eq!(scene.digest(), scene.replayed());
    assert_eq!(scene.metrics.recoveries.get(), 3 * 121);
}

#[test]
fn stepped_but_not_committed_is_stepped_again() {
    let mut scene = Scene::new(2);
    scene.settings.commit_every = Duration::from_secs(20);
    let mut shard = scene.shard();
    for step in 0..120 {
        drive(&scene, step);
        for _ in 0..4 {
            one_turn(&mut shard);
        }
        if step % 7 == 3 {
            drop(shard);
            shard = scene.shard();
        }
    }
    shard.drain(Duration::from_secs(1)).unwrap();
    assert_eq!(scene.digest(), scene.replayed());
}

#[test]
fn one_shard_and_four_say_the_same() {
    let scene = Scene::new(8);
    let mut shards: Vec<_> = (0..4).map(|number| scene.shard_numbered(number)).collect();
    for step in 0..100 {
        drive(&scene, step);
        for shard in &mut shards {
            one_turn(shard);
        }
    }
    shards.iter_mut().for_each(settle);
    assert!(shards.iter().all(|shard| shard.partitions().len() == 2));
    assert_eq!(scene.digest(), scene.replayed());
}

#[test]
fn partitions_move_in_the_middle() {
    let scene = Scene::new(4);
    let mut shards = vec![scene.shard_numbered(0)];
    for step in 0..100 {
        drive(&scene, step);
        match step {
            20 => shards.push(scene.shard_numbered(1)),
            40 => shards.push(scene.shard_numbered(2)),
            // One crashes, one leaves in good order.
            60 => drop(shards.remove(0)),
            80 => shards.remove(0).drain(Duration::from_secs(1)).unwrap(),
            _ => {}
        }
        for _ in 0..3 {
            shards.iter_mut().for_each(one_turn);
        }
    }
    shards.iter_mut().for_each(settle);
    assert_eq!(scene.digest(), scene.replayed());
}

#[test]
fn a_member_out_for_too_long_does_no_harm() {
    let mut scene = Scene::new(2);
    scene.settings.commit_every = Duration::from_secs(10);
    let (mut a, mut b) = (scene.shard_numbered(0), scene.shard_numbered(1));
    for step in 0..100 {
        drive(&scene, step);
        for shard in [&mut a, &mut b] {
            (0..3).for_each(|_| one_turn_or_pause(shard));
        }
        if step % 30 == 10 {
            // It has stepped what it will not be able to commit.
            assert!(scene.memory.expire_member(GROUP, Topic::Inputs, "engine-0"));
        }
    }
    scene.turn_to(2_000.0);
    for shard in [&mut a, &mut b] {
        shard.drain(Duration::from_secs(1)).unwrap();
    }
    assert_eq!(scene.digest(), scene.replayed());
}

fn one_turn_or_pause(shard: &mut Shard) {
    shard.turn(Duration::ZERO).unwrap();
}

#[test]
fn checkpoints_spare_most_of_the_inputs() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    for step in 0..400 {
        drive(&scene, step);
        settle(&mut shard);
    }
    drop(shard);
    let markers = scene.markers();
    let marker = markers.last().unwrap();
    let end = scene.log.bounds(Topic::Inputs, 0).unwrap().end;
    assert!(marker.from > end * 9 / 10, "{} of {end}", marker.from);
    let mut shard = scene.shard();
    settle(&mut shard);
    assert_eq!(scene.digest(), scene.replayed());
}

#[test]
fn draining_leaves_nothing_to_step_again() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    settle(&mut shard);
    (0..50).for_each(|step| drive(&scene, step));
    shard.drain(Duration::from_secs(5)).unwrap();
    let end = scene.log.bounds(Topic::Inputs, 0).unwrap().end;
    // The world that the drain itself appended comes last.
    assert!(scene.markers().last().unwrap().from + 1 >= end);
    assert!(!scene.said().is_empty());
}

#[test]
fn another_version_goes_on_numbering() {
    let mut scene = Scene::new(1);
    let mut shard = scene.shard();
    for step in 0..6 {
        drive(&scene, step);
        settle(&mut shard);
    }
    drop(shard);
    let before = scene.said().len();
    scene.settings.version = "9.9.9".to_owned();
    TALKATIVE.set(true);
    let mut shard = scene.shard();
    settle(&mut shard);
    scene.fix("van-0", 1_000, 60.0);
    settle(&mut shard);
    drop(shard);
    TALKATIVE.set(false);
    assert_eq!(scene.said().len(), before + 2);
    scene.digest();
    assert_eq!(scene.markers().last().unwrap().version, "9.9.9");
    assert!(scene.differences("other") > 0);
    assert_eq!(scene.differences("same"), 0);
}

#[test]
fn a_difference_under_the_same_version_is_fatal_when_strict() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    scene.fix("van-0", 1, 1.0);
    settle(&mut shard);
    drop(shard);
    TALKATIVE.set(true);
    let error = try_settle(&mut scene.shard()).unwrap_err();
    TALKATIVE.set(false);
    assert!(error.to_string().contains("acme/van-0 seq 2 is new"), "{error}");
}

#[test]
fn a_checkpoint_of_another_schema_is_refused_or_keeps_its_seq() {
    let mut scene = Scene::new(1);
    let mut shard = scene.shard();
    scene.fix("van", 1, 1.0);
    settle(&mut shard);
    shard.drain(Duration::from_secs(1)).unwrap();
    let state = StateRecord {
        schema: 77,
        contains: 1,
        view: View { seq: 41, ..View::default() },
        private: Bytes::from_static(b"of tomorrow"),
        steps: 1,
        panics: Vec::new(),
        seen: Vec::new(),
    };
    let key = Bytes::from_static(b"acme/later");
    scene.append(state.envelope().into_record(Topic::States, key));
    let mut shard = scene.shard();
    settle(&mut shard);
    let trouble = shard.trouble().unwrap();
    assert!(trouble.contains("schema `77`") && trouble.contains("lose `1` records"), "{trouble}");
    drop(shard);
    scene.settings.accept_loss = true;
    let mut shard = scene.shard();
    settle(&mut shard);
    for n in 0..120 {
        scene.fix("later", n, 10.0);
    }
    settle(&mut shard);
    assert_eq!(shard.trouble(), None);
    assert_eq!(scene.said().last().unwrap(), "later 161 position");
}

#[test]
fn inputs_gone_from_the_log_are_refused_with_their_number() {
    let mut scene = Scene::new(1);
    let mut shard = scene.shard();
    for n in 0..20 {
        scene.fix("van", n, n as f64);
    }
    settle(&mut shard);
    drop(shard);
    // Nine days later the log keeps none of them.
    scene.turn_to(9.0 * 86_400.0);
    scene.fix("van", 99, 9.0 * 86_400.0);
    let mut shard = scene.shard();
    shard.turn(Duration::ZERO).unwrap();
    let trouble = shard.trouble().unwrap();
    assert!(trouble.contains("gone from the log"), "{trouble}");
    drop(shard);
    scene.settings.accept_loss = true;
    let mut shard = scene.shard();
    settle(&mut shard);
    assert_eq!(shard.trouble(), None);
    let last = scene.said().last().unwrap().clone();
    assert!(last.starts_with("van ") && last.ends_with(" position"), "{last}");
    assert!(scene.metrics.lost.get() > 0);
}

#[test]
fn a_kind_of_a_newer_version_stops_its_partition() {
    let mut scene = Scene::new(1);
    let mut shard = scene.shard();
    settle(&mut shard);
    scene.fix("van", 1, 1.0);
    let mut newer = fix("van", 2, 2.0, 8.0).encode().to_vec();
    // Field 1 of the envelope, the kind, comes first.
    assert_eq!(newer[..2], [0x08, 1]);
    newer[1] = 31;
    let record = NewRecord {
        topic: Topic::Inputs,
        partition: Some(0),
        key: Bytes::from_static(b"acme/van"),
        value: Some(newer.into()),
        headers: Vec::new(),
    };
    scene.append(record);
    scene.fix("van", 3, 3.0);
    settle(&mut shard);
    assert!(shard.trouble().unwrap().contains("kind `31`"), "{:?}", shard.trouble());
    assert_eq!(scene.said(), ["van 1 position"]);
    drop(shard);
    scene.settings.accept_loss = true;
    let mut shard = scene.shard();
    settle(&mut shard);
    assert_eq!(scene.said(), ["van 1 position", "van 2 position"]);
    assert_eq!(scene.letters().len(), 1);
}

#[test]
fn the_first_world_goes_to_every_partition_and_another_map_follows() {
    let mut scene = Scene::new(3);
    let mut shard = scene.shard();
    settle(&mut shard);
    assert_eq!(scene.worlds(), ["0 1 map-a", "1 1 map-a", "2 1 map-a"]);
    scene.fix("van", 1, 1.0);
    settle(&mut shard);
    shard.drain(Duration::from_secs(1)).unwrap();
    let road = || Arc::new(crate::road::Road::default());
    scene.settings.maps = Maps::of(vec![("map-b".to_owned(), road())]);
    scene.turn_to(500.0);
    let mut shard = scene.shard();
    settle(&mut shard);
    assert_eq!(shard.trouble(), None);
    let worlds = ["0 1 map-a", "1 2 map-b", "2 1 map-a", "3 2 map-b", "4 1 map-a", "5 2 map-b"];
    assert_eq!(scene.worlds(), worlds);
    scene.fix("van", 2, 501.0);
    settle(&mut shard);
    drop(shard);
    // What was stepped with it cannot be stepped again without it.
    scene.settings.maps = Maps::of(vec![("map-a".to_owned(), road())]);
    let mut shard = scene.shard();
    settle(&mut shard);
    assert!(shard.trouble().unwrap().contains("map `map-b` is not in --map"));
    drop(shard);
    scene.settings.maps =
        Maps::of(vec![("map-a".to_owned(), road()), ("map-b".to_owned(), road())]);
    let mut shard = scene.shard();
    settle(&mut shard);
    assert_eq!(shard.trouble(), None);
    assert_eq!(scene.worlds().len(), 6);
    assert_eq!(scene.said(), ["van 1 position", "van 2 position"]);
}

#[test]
fn a_world_that_is_not_here_is_waited_for() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    settle(&mut shard);
    let part = scene.world_records()[0].clone();
    let world = WorldRecord { number: 2, map: "map-z".to_owned(), ..part };
    scene.world(0, &world);
    scene.fix("van", 1, 1.0);
    settle(&mut shard);
    assert!(shard.trouble().unwrap().contains("map `map-z`"));
    assert_eq!(scene.said().len(), 0);
    // Ignored: not higher.
    let world = WorldRecord { number: 1, map: "map-y".to_owned(), ..world };
    let other = Scene::new(1);
    let mut shard = other.shard();
    settle(&mut shard);
    other.world(0, &world);
    other.fix("van", 1, 1.0);
    settle(&mut shard);
    assert_eq!(other.said(), ["van 1 position"]);
}

#[test]
fn a_day_ends_with_a_snapshot() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    settle(&mut shard);
    for hour in 0..50_i64 {
        let second = hour as f64 * 3_600.0;
        scene.turn_to(second);
        scene.fix("van", hour, second);
        scene.fix("bus", hour, second);
        settle(&mut shard);
    }
    let mut kinds = Vec::new();
    scene.each(Topic::Snapshots, |_, envelope: Envelope| kinds.push(envelope.kind.name()));
    let day = ["state", "state", "marker"];
    assert_eq!(kinds, [day, day].concat());
}

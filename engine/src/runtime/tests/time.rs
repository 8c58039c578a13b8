//! Partition time, wake-ups, ticks, resends.

use super::scene::{Scene, settle};
use crate::model::Deed;

#[test]
fn a_fix_becomes_one_position_and_a_resend_none() {
    let scene = Scene::new(4);
    let mut shard = scene.shard();
    settle(&mut shard);
    scene.fix("van", 1, 1.0);
    scene.fix("van", 2, 2.0);
    scene.fix("van", 1, 3.0);
    settle(&mut shard);
    scene.fix("van", 2, 4.0);
    settle(&mut shard);
    assert_eq!(scene.said(), ["van 1 position", "van 2 position"]);
    assert_eq!(scene.metrics.duplicates.get(), 2);
    assert_eq!(shard.trouble(), None);
}

#[test]
fn a_resend_is_known_after_a_restart() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    scene.fix("van", 1, 1.0);
    settle(&mut shard);
    shard.drain(std::time::Duration::ZERO).unwrap();
    let mut shard = scene.shard();
    scene.fix("van", 1, 3.0);
    settle(&mut shard);
    assert_eq!(scene.said(), ["van 1 position"]);
}

#[test]
fn a_record_wakes_whoever_is_due_before_it_is_stepped() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    for (vehicle, second) in [("c", 0.5), ("b", 1.0), ("a", 1.0)] {
        scene.turn_to(second);
        scene.fix(vehicle, 1, second);
    }
    scene.turn_to(130.0);
    scene.fix("b", 2, 130.0);
    settle(&mut shard);
    let silent = ["c 2 no_signal", "a 2 no_signal", "b 2 no_signal"];
    assert_eq!(scene.said()[3..6], silent);
    assert_eq!(scene.said()[6..], ["b 3 signal_back", "b 4 position"]);
}

#[test]
fn a_tick_is_appended_only_when_nothing_else_moves_the_time() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    settle(&mut shard);
    scene.fix("van", 1, 0.0);
    settle(&mut shard);
    for second in [30.0, 60.0, 90.0, 119.0, 120.5] {
        scene.turn_to(second);
        settle(&mut shard);
    }
    assert_eq!(scene.metrics.ticks.get(), 0);
    scene.turn_to(121.5);
    settle(&mut shard);
    settle(&mut shard);
    assert_eq!(scene.metrics.ticks.get(), 1);
    assert_eq!(scene.said(), ["van 1 position", "van 2 no_signal"]);
}

#[test]
fn runs_with_many_and_with_no_ticks_say_the_same() {
    let run = |ticks: bool| {
        let scene = Scene::new(2);
        let mut shard = scene.shard();
        for step in 0..200 {
            let second = f64::from(step) * 7.0;
            scene.turn_to(second);
            let vehicle = ["a", "b", "c", "d"][step as usize % 4];
            if step % 40 < 12 {
                scene.fix(vehicle, i64::from(step), second);
            }
            if ticks {
                (0..2).for_each(|partition| scene.tick(partition, second, false));
            }
            if ticks || step % 40 < 12 {
                settle(&mut shard);
            }
        }
        scene.turn_to(2_000.0);
        (0..2).for_each(|partition| scene.tick(partition, 2_000.0, false));
        settle(&mut shard);
        assert!(scene.said().iter().any(|line| line.ends_with("no_signal")));
        scene.digest()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_fast_gateway_clock_does_not_move_the_time() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    scene.fix("slow", 1, 0.0);
    scene.turn_to(10.0);
    scene.fix("fast", 1, 4_000.0);
    settle(&mut shard);
    assert_eq!(scene.said(), ["slow 1 position", "fast 1 position"]);
    assert_eq!(scene.metrics.clocks_ahead.get(), 1);
    scene.turn_to(15.0);
    scene.fix("ahead", 1, 70.0);
    scene.fix("slow", 2, 15.0);
    settle(&mut shard);
    assert_eq!(scene.metrics.clocks_ahead.get(), 1);
    assert_eq!(scene.said()[2..], ["ahead 1 position", "slow 2 position"]);
}

#[test]
fn our_silence_is_not_the_vehicles() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    scene.fix("van", 1, 0.0);
    settle(&mut shard);
    drop(shard);
    // Eight minutes later.
    scene.turn_to(480.0);
    let mut shard = scene.shard();
    settle(&mut shard);
    scene.turn_to(490.0);
    scene.fix("van", 2, 490.0);
    settle(&mut shard);
    assert_eq!(scene.said(), ["van 1 position", "van 2 position"]);
    assert_eq!(scene.replayed(), scene.digest());
}

#[test]
fn a_late_wake_up_is_overdue_only_when_nobody_owned_the_partition() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    scene.act("a", Deed::Skipped, 1, 0.0);
    settle(&mut shard);
    scene.turn_to(300.0);
    // Late, but there was an owner: a busy log, not an outage.
    scene.tick(0, 300.0, false);
    scene.act("b", Deed::Skipped, 2, 300.0);
    scene.turn_to(350.0);
    scene.act("c", Deed::Skipped, 3, 350.0);
    settle(&mut shard);
    drop(shard);
    scene.turn_to(460.0);
    let mut shard = scene.shard();
    settle(&mut shard);
    assert_eq!(scene.said(), ["a 1 no_signal", "b 1 no_signal overdue", "c 1 no_signal"]);
}

#[test]
fn a_deleted_vehicle_goes_on_numbering_when_it_is_put_again() {
    let scene = Scene::new(1);
    let mut shard = scene.shard();
    scene.fix("van", 1, 1.0);
    scene.act("van", Deed::Retire, 1, 2.0);
    settle(&mut shard);
    shard.drain(std::time::Duration::ZERO).unwrap();
    let mut shard = scene.shard();
    scene.act("van", Deed::Retire, 1, 3.0);
    scene.fix("van", 2, 4.0);
    settle(&mut shard);
    assert_eq!(scene.said(), ["van 1 position", "van 2 position"]);
    scene.digest();
}

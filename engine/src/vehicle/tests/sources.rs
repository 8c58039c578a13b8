//! Devices and silence: history, change-over, assignment, no signal.

use super::town::{Van, at, place, route, stop};
use crate::model::{Body, Deed, EventKind, Input};

/// One letter a position: f for a fix that counts, b for backfill.
fn positions(van: &Van) -> String {
    let letter = |body: &Body| match body {
        Body::Position(p) => Some(if p.backfill { 'b' } else { 'f' }),
        _ => None,
    };
    van.said.iter().filter_map(|(_, o)| letter(&o.body)).collect()
}

#[test]
fn every_fix_is_said_and_late_ones_change_nothing() {
    let mut van = Van::new();
    for (time, now) in [(10, 10), (20, 20), (15, 21), (30, 30)] {
        van.hear("d1", time, now, (place(time as f64 * 10.0, 0.0), 8.0));
    }
    van.hear("stranger", 40, 40, (place(0.0, 0.0), 8.0));
    assert_eq!(positions(&van), "ffbfb");
    let last = van.vehicle.view().last.clone().unwrap();
    assert_eq!((last.time, last.device.as_str()), (at(30), "d1"));
    van.check();
}

#[test]
fn two_sources_with_different_clocks_give_one_track() {
    let mut van = Van::new();
    van.assign("d2", Some("van-1"), -90);
    // The phone's clock is 20 s behind.
    for t in (0..300).step_by(10) {
        if t < 120 {
            van.hear("d1", t, t, (place(t as f64 * 5.0, 0.0), 5.0));
        }
        van.hear("d2", t - 20, t + 1, (place(t as f64 * 5.0, 0.0), 5.0));
    }
    let told = van.told(&[EventKind::SourceChanged]);
    assert_eq!(told, ["171 source_changed"]);
    let times: Vec<_> = van
        .said
        .iter()
        .filter_map(|(_, o)| match &o.body {
            Body::Position(p) if !p.backfill => Some(p.input.time),
            _ => None,
        })
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    van.check();
}

#[test]
fn silence_is_said_once_and_ends_once() {
    let mut van = Van::new();
    for t in (0..100).step_by(10) {
        van.fix(t, t as f64, 0.0, 1.0);
    }
    van.wake_until(at(1000));
    assert_eq!(van.told(&[]), ["210 no_signal"]);
    van.fix(1000, 0.0, 0.0, 1.0);
    van.fix(1010, 0.0, 0.0, 1.0);
    assert_eq!(van.told(&[]), ["210 no_signal", "1000 signal_back"]);
    van.check();
}

#[test]
fn our_outage_is_not_its_silence() {
    let mut van = Van::new();
    for t in (0..100).step_by(10) {
        van.fix(t, t as f64, 0.0, 1.0);
    }
    // Eight silent minutes; the new owner says so before it wakes anybody.
    van.step_only(Input::Resumed, at(570));
    van.step(Input::Resumed, at(570));
    van.wake_until(at(580));
    van.fix(581, 0.0, 0.0, 1.0);
    assert_eq!(van.told(&[]), Vec::<String>::new());
    van.check();
}

#[test]
fn an_overdue_silence_says_so() {
    let mut van = Van::new();
    van.fix(0, 0.0, 0.0, 1.0);
    let due = van.vehicle.wake_at().unwrap();
    van.step_only(Input::Wake { overdue: true }, due);
    let (_, event) = van.events().next().unwrap();
    assert!(event.overdue && event.kind == EventKind::NoSignal);
}

#[test]
fn a_device_that_leaves_leaves_no_alarm() {
    let mut van = Van::new();
    van.fix(0, 0.0, 0.0, 1.0);
    van.assign("d1", Some("van-2"), 60);
    // Appended before, arrives after: still ours. Later ones are not.
    van.hear("d1", 50, 61, (place(0.0, 0.0), 1.0));
    van.hear("d1", 70, 71, (place(0.0, 0.0), 1.0));
    van.wake_until(at(3000));
    assert_eq!(positions(&van), "ffb");
    assert_eq!(van.told(&[]), Vec::<String>::new());
    assert_eq!(van.vehicle.wake_at(), None);
}

#[test]
fn a_deleted_vehicle_comes_back_with_its_numbers() {
    let mut van = Van::new();
    van.plan(route("r1", 1, vec![stop("s1", (450.0, 300.0), None)]), 0);
    van.fix(10, 0.0, 0.0, 1.0);
    van.act("r1", None, Deed::Retire, 20);
    let seq = van.vehicle.view().seq;
    assert!(van.vehicle.private().is_empty());
    assert_eq!(van.vehicle.wake_at(), None);
    assert_eq!(van.vehicle.view().route, None);
    van.fix(30, 0.0, 0.0, 1.0);
    assert_eq!(positions(&van), "fb", "nobody's device");
    van.assign("d1", Some("van-1"), 40);
    van.plan(route("r1", 1, vec![stop("s1", (450.0, 300.0), None)]), 50);
    van.fix(60, 0.0, 0.0, 1.0);
    assert_eq!(positions(&van), "fbf");
    assert!(van.vehicle.view().seq > seq + 2);
    assert!(van.said.iter().enumerate().all(|(i, (_, o))| o.seq == i as u64 + 1));
}

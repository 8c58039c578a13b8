//! Plans: versions, activation, changes, transfers, withdrawal; and what people do.

use super::town::{Van, at, route, stop, stop_id};
use crate::model::{Deed, EventKind, StopState};

fn three(version: u64) -> crate::model::Route {
    let stops = vec![
        stop("s1", (450.0, 300.0), None),
        stop("s2", (950.0, 300.0), None),
        stop("s3", (950.0, 850.0), None),
    ];
    route("r1", version, stops)
}

fn states(van: &Van) -> Vec<(String, StopState)> {
    van.vehicle.view().stops.iter().map(|s| (s.eta.stop.to_string(), s.eta.state)).collect()
}

#[test]
fn a_route_begins_with_its_shift() {
    let mut van = Van::new();
    van.plan(three(1), -3600);
    assert_eq!(van.vehicle.view().route, None);
    assert_eq!(van.vehicle.wake_at(), Some(at(0)));
    van.wake_until(at(0));
    let view = van.vehicle.view();
    assert_eq!(view.stops.len(), 3);
    assert!(view.stops.iter().all(|s| s.eta.times.is_some() && s.eta.moved_s == 0));
    assert_eq!(view.stops[0].eta.state, StopState::Next);
    // From the depot 750 m at 25 km/h, 1.4 times slower.
    let first = view.stops[0].eta.times.unwrap().p50.seconds_since(at(0));
    assert!((130.0..200.0).contains(&first), "{first}");
    let p50 = |i: usize| van.vehicle.view().stops[i].eta.times.unwrap().p50;
    assert!(p50(1).seconds_since(p50(0)) > 200.0);
    van.check();
}

#[test]
fn an_old_version_is_refused() {
    let mut van = Van::new();
    van.plan(three(2), 0);
    van.plan(three(2), 1);
    van.plan(three(1), 2);
    let told = van.told(&[EventKind::PlanRefused]);
    assert_eq!(told, ["1 plan_refused", "2 plan_refused"]);
    let cause = van.events().find_map(|(_, e)| e.cause.clone()).unwrap();
    assert_eq!(cause, "version `2` is not above `2`");
    van.check();
}

#[test]
fn a_device_without_a_vehicle_has_no_plan() {
    let mut van = Van::named("~d9");
    van.hear("d9", 10, 10, (super::town::place(0.0, 0.0), 5.0));
    van.plan(three(1), 20);
    assert_eq!(van.kinds(), ["plan_refused"]);
    let last = van.vehicle.view().last.clone().unwrap();
    assert_eq!(last.device.as_str(), "d9");
}

#[test]
fn a_new_version_keeps_what_happened() {
    let mut van = Van::new();
    van.plan(three(1), 0);
    van.act("r1", Some("s1"), Deed::Completed, 100);
    let mut changed = three(2);
    changed.stops.swap(1, 2);
    changed.stops.push(stop("s4", (200.0, 850.0), None));
    van.plan(changed, 200);
    let expected = [
        ("s1".to_owned(), StopState::Completed),
        ("s3".to_owned(), StopState::Next),
        ("s2".to_owned(), StopState::Later),
        ("s4".to_owned(), StopState::Later),
    ];
    assert_eq!(states(&van), expected);
    let moved = &van.vehicle.view().stops[2].eta;
    assert!(moved.moved_s > 60 && moved.causes.len() == 1, "{moved:?}");
    assert_eq!(moved.causes[0].kind.name(), "plan");
    assert_eq!(van.vehicle.view().route.as_ref().unwrap().1, 2);
    van.check();
}

#[test]
fn a_finished_stop_is_moved_too_late() {
    let mut van = Van::new();
    van.plan(three(1), 0);
    van.act("r1", Some("s1"), Deed::Completed, 100);
    let mut changed = three(2);
    changed.moved_away = vec![stop_id("s1"), stop_id("s2")];
    changed.stops.retain(|s| s.id == stop_id("s3"));
    van.plan(changed, 200);
    assert_eq!(van.told(&[EventKind::MovedTooLate]), ["200 moved_too_late s1"]);
    let expected = [("s1".to_owned(), StopState::Completed), ("s3".to_owned(), StopState::Next)];
    assert_eq!(states(&van), expected);
    van.check();
}

#[test]
fn an_empty_plan_withdraws_the_route() {
    let mut van = Van::new();
    van.plan(three(1), 0);
    let mut none = three(2);
    none.stops.clear();
    van.plan(none, 100);
    assert_eq!(van.vehicle.view().route, None);
    assert!(van.vehicle.view().stops.is_empty());
    van.plan(three(2), 110);
    assert_eq!(van.told(&[EventKind::PlanRefused]), ["110 plan_refused"]);
    van.plan(three(3), 120);
    assert_eq!(van.vehicle.view().stops.len(), 3);
    van.check();
}

#[test]
fn one_route_is_active_at_a_time() {
    let mut van = Van::new();
    van.plan(three(1), 0);
    let mut second = three(1);
    second.id = super::town::route_id("r2");
    second.shift.from = at(1000);
    van.plan(second, 10);
    let active = |van: &Van| van.vehicle.view().route.clone().unwrap().0.to_string();
    van.wake_until(at(2000));
    assert_eq!(active(&van), "r1", "work is left of it");
    for stop in ["s1", "s2"] {
        van.act("r1", Some(stop), Deed::Completed, 2100);
    }
    van.act("r1", Some("s3"), Deed::Failed { reason: "nobody home".to_owned() }, 2200);
    assert_eq!(active(&van), "r2");
    van.act("r1", None, Deed::Activate, 2300);
    assert_eq!(active(&van), "r1");
    van.wake_until(at(9000));
    assert_eq!(active(&van), "r1", "what a person put aside stays there");
    van.act("r2", None, Deed::Activate, 9100);
    assert_eq!(active(&van), "r2");
    van.act("r2", None, Deed::Finish, 9200);
    let told = van.told(&[EventKind::Completed, EventKind::Failed, EventKind::Skipped]);
    assert_eq!(told.len(), 6, "{told:?}");
    assert_eq!(told[2], "2200 failed s3");
    van.check();
}

#[test]
fn deeds_are_said_once() {
    let mut van = Van::new();
    van.plan(three(1), 0);
    van.act("r1", Some("s1"), Deed::Arrived, 50);
    van.act("r1", Some("s1"), Deed::Arrived, 60);
    van.act("r1", Some("s1"), Deed::Completed, 100);
    van.act("r1", Some("s1"), Deed::Completed, 101);
    van.act("r1", Some("s9"), Deed::Completed, 102);
    van.act("r9", Some("s1"), Deed::Completed, 103);
    van.act("r1", Some("s2"), Deed::Skipped, 104);
    let told = van.told(&[EventKind::Arrived, EventKind::Completed, EventKind::Skipped]);
    assert_eq!(told, ["50 arrived s1", "100 completed s1", "104 skipped s2"]);
    assert!(van.events().filter(|(_, e)| e.stop.is_some()).all(|(_, e)| e.order.is_some()));
    van.check();
}

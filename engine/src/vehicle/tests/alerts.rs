//! Alerts against the truth.

use super::town::{Driver, Van, at, kerb, place, route, stop};
use crate::model::{EventKind, Status};

#[test]
fn a_queue_is_felt_at_once_and_the_window_warned_of() {
    let mut van = Van::new();
    // 3.9 km away, half of it in a queue; the window closes in 20 minutes.
    let stops = vec![stop("s1", (1950.0, 1900.0), Some((0, 1300)))];
    van.plan(route("r1", 1, stops.clone()), 0);
    let mut driver = Driver::new(&van, (0.0, 0.0), 5, 2);
    driver.pace = |t, _| if (200..1200).contains(&t) { 9.0 } else { 1.3 };
    let truth = driver.visit(&mut van, &stops[0], 60);
    assert!(truth.arrived > 1400, "{truth:?}");
    let told = van.told(&[EventKind::PredictedLate, EventKind::BackOnTime]);
    assert_eq!(told.len(), 1, "{told:?}");
    let (second, event) = van.events().find(|(_, e)| e.kind == EventKind::PredictedLate).unwrap();
    assert!((200..700).contains(&second), "{told:?}");
    assert!(event.probability.unwrap() >= 0.7 && event.expected_late_s.unwrap() > 0);
    assert!(event.cause.as_ref().unwrap().starts_with("slow traffic"), "{event:?}");
    assert!(van.vehicle.view().open.is_empty(), "reached: decided");
    van.check();
}

#[test]
fn soon_is_said_once() {
    let mut van = Van::new();
    let stops = vec![stop("s1", (1950.0, 1900.0), None), stop("s2", (1850.0, 1900.0), None)];
    van.plan(route("r1", 1, stops.clone()), 0);
    let mut driver = Driver::new(&van, (0.0, 0.0), 5, 2);
    let truth: Vec<_> = stops.iter().map(|s| driver.visit(&mut van, s, 60)).collect();
    let told = van.told(&[EventKind::ArrivingSoon]);
    assert_eq!(told.len(), 2, "{told:?}");
    let (second, _) = van.events().find(|(_, e)| e.kind == EventKind::ArrivingSoon).unwrap();
    assert!((truth[0].arrived - second - 600).abs() < 90, "{told:?} {truth:?}");
}

#[test]
fn a_long_stop_is_said_once() {
    let mut van = Van::new();
    let stops = vec![stop("s1", (1950.0, 1900.0), None)];
    van.plan(route("r1", 1, stops.clone()), 0);
    let mut driver = Driver::new(&van, (0.0, 0.0), 10, 2);
    driver.stand(&mut van, 900);
    let road = std::sync::Arc::clone(&van.world.road);
    driver.go(&mut van, kerb(&road, place(950.0, 600.0)));
    let stood = driver.now;
    driver.stand(&mut van, 1500);
    let moved = driver.now;
    driver.visit(&mut van, &stops[0], 60);
    let told = van.told(&[EventKind::LongStop, EventKind::MovingAgain]);
    assert_eq!(told.len(), 2, "not at the depot: {told:?}");
    let seconds: Vec<i64> =
        told.iter().map(|t| t.split_once(' ').unwrap().0.parse().unwrap()).collect();
    assert!((seconds[0] - stood - 600).abs() <= 30, "{told:?} {stood}");
    assert!((seconds[1] - moved).abs() <= 30, "{told:?} {moved}");
    van.check();
}

#[test]
fn silence_outranks_and_arrivals_slip() {
    let mut van = Van::new();
    let stops = vec![stop("s1", (1950.0, 1900.0), Some((0, 1500)))];
    van.plan(route("r1", 1, stops), 0);
    let mut driver = Driver::new(&van, (0.0, 0.0), 5, 2);
    let road = std::sync::Arc::clone(&van.world.road);
    driver.go(&mut van, kerb(&road, place(950.0, 600.0)));
    let before = van.vehicle.view().stops[0].eta.times.unwrap().p50;
    van.wake_until(at(driver.now + 1800));
    assert_eq!(van.vehicle.view().status(), Status::NoSignal);
    let line = &van.vehicle.view().stops[0].eta;
    assert!(line.times.unwrap().p50 > before);
    assert_eq!(line.causes[0].kind.name(), "signal", "{line:?}");
    assert_eq!(van.told(&[EventKind::PredictedLate]).len(), 1);
    van.check();
}

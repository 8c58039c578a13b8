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
fn a_detour_is_off_route_once() {
    let mut van = Van::new();
    let stops = vec![stop("s1", (1950.0, 1000.0), None)];
    van.plan(route("r1", 1, stops.clone()), 0);
    let mut driver = Driver::new(&van, (0.0, 1000.0), 5, 2);
    let road = std::sync::Arc::clone(&van.world.road);
    driver.stand(&mut van, 10);
    driver.go(&mut van, kerb(&road, place(850.0, 1000.0)));
    let left = driver.now;
    driver.go(&mut van, kerb(&road, place(100.0, 1000.0)));
    let back = driver.now;
    driver.visit(&mut van, &stops[0], 60);
    let told = van.told(&[EventKind::OffRoute, EventKind::BackOnRoute]);
    assert_eq!(told.len(), 2, "{told:?} left {left}, back {back}");
    let seconds: Vec<i64> =
        told.iter().map(|t| t.split_once(' ').unwrap().0.parse().unwrap()).collect();
    // Half a minute after it turned round a minute has been lost.
    assert!((seconds[0] - left - 30).abs() <= 60, "{told:?} left {left}");
    // Two minutes on one way, or he is only on his way round the next block.
    assert!((0..=180).contains(&(seconds[1] - back)), "{told:?} back {back}");
    van.check();
}

#[test]
fn another_quick_way_is_fine() {
    let mut van = Van::new();
    let stops = vec![stop("s1", (1500.0, 1550.0), None)];
    van.plan(route("r1", 1, stops.clone()), 0);
    let mut driver = Driver::new(&van, (0.0, 0.0), 5, 2);
    let road = std::sync::Arc::clone(&van.world.road);
    // Zigzag, as the crow flies nearly as short as along the edges of the grid.
    for (x, y) in [(450.0, 300.0), (800.0, 650.0), (1150.0, 900.0)] {
        driver.go(&mut van, driver.onward(&road, place(x, y), stops[0].position));
    }
    driver.visit(&mut van, &stops[0], 60);
    assert!(van.told(&[EventKind::OffRoute]).is_empty(), "{:?}", van.told(&[]));
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

#[test]
fn a_better_order_is_proposed_and_taken() {
    let mut van = Van::new();
    // Far away first, with the tight window last although it lies on the way.
    let stops = vec![
        stop("far", (1950.0, 1900.0), None),
        stop("b", (250.0, 500.0), None),
        stop("tight", (150.0, 300.0), Some((0, 1200))),
    ];
    van.plan(route("r1", 1, stops.clone()), 0);
    let mut driver = Driver::new(&van, (0.0, 0.0), 5, 2);
    let road = std::sync::Arc::clone(&van.world.road);
    driver.stand(&mut van, 30);
    driver.go(&mut van, driver.onward(&road, place(250.0, 100.0), stops[0].position));
    driver.stand(&mut van, 120);
    let told = van.told(&[EventKind::RerouteProposed]);
    assert_eq!(told.len(), 1, "{:?}", van.told(&[]));
    let proposal = van.vehicle.view().proposal.clone().unwrap();
    assert!(proposal.gain_s >= 120 && !proposal.edges.is_empty(), "{proposal:?}");
    let order: Vec<&str> = proposal.stops.iter().map(ingest::id::StopId::as_str).collect();
    assert_eq!(order, ["tight", "b", "far"]);
    van.act("r1", None, crate::model::Deed::RefuseReroute(ingest::record::Pid(1)), driver.now);
    assert!(van.vehicle.view().proposal.is_some(), "another one was refused");
    van.act("r1", None, crate::model::Deed::AcceptReroute(proposal.id), driver.now);
    let stops: Vec<&str> = van.vehicle.view().stops.iter().map(|s| s.eta.stop.as_str()).collect();
    assert_eq!(stops, ["tight", "b", "far"]);
    assert!(van.vehicle.view().proposal.is_none());
    let late = |van: &Van| van.vehicle.view().stops.iter().any(|s| s.eta.miss > Some(0.5));
    assert!(!late(&van), "the gain is real: {:?}", van.vehicle.view().stops);
    van.check();
}

#[test]
fn an_unanswered_proposal_is_void_when_a_stop_is_reached() {
    let mut van = Van::new();
    let stops =
        vec![stop("far", (1950.0, 1900.0), None), stop("tight", (150.0, 300.0), Some((0, 1100)))];
    van.plan(route("r1", 1, stops.clone()), 0);
    let mut driver = Driver::new(&van, (0.0, 0.0), 5, 2);
    driver.stand(&mut van, 30);
    driver.visit(&mut van, &stops[0], 60);
    let told = van.told(&[EventKind::RerouteProposed, EventKind::RerouteRefused]);
    assert!(told.len() >= 2 && told.len().is_multiple_of(2), "{told:?}");
    assert!(van.vehicle.view().proposal.is_none());
    van.check();
}

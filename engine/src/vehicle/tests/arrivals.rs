//! Arrivals and departures against the truth.

use super::town::{Dice, Driver, START, Truth, Van, route, stop};
use crate::model::{EventKind, Stop};

/// Times of arrival or departure as said, by stop.
fn found(van: &Van, kind: EventKind, stop: &Stop) -> Vec<i64> {
    van.events()
        .filter(|(_, e)| e.kind == kind && e.stop.as_ref() == Some(&stop.id))
        .map(|(_, e)| e.at.millis() / 1000 - START)
        .collect()
}

/// Stops at random doors near the streets, some of them close to one another.
fn scattered(dice: &mut Dice, n: usize) -> Vec<Stop> {
    let mut stops: Vec<Stop> = Vec::new();
    for i in 0..n {
        let x = (dice.uniform() * 20.0).floor() * 100.0 + 20.0 + dice.uniform() * 60.0;
        let y = (dice.uniform() * 20.0).floor() * 100.0 + (dice.uniform() - 0.5) * 24.0;
        stops.push(stop(&format!("s{i}"), (x, y), None));
    }
    stops
}

#[test]
fn every_visit_is_found_in_time() {
    let (mut errors, mut missed, mut wrong) = (Vec::new(), Vec::new(), 0);
    for (seed, every) in [(1, 1), (2, 5), (3, 10), (4, 15), (5, 15), (6, 2)] {
        let mut van = Van::new();
        let mut dice = Dice(seed);
        let stops = scattered(&mut dice, 12);
        van.plan(route("r1", 1, stops.clone()), 0);
        let mut driver = Driver::new(&van, (0.0, 0.0), every, seed);
        driver.stand(&mut van, 60);
        // One in six is visited before its turn.
        let mut order: Vec<usize> = (0..stops.len()).collect();
        order.swap(4, 5);
        let truth: Vec<Truth> = order
            .iter()
            .map(|i| {
                let least = if (4..6).contains(i) { 90 } else { 35 };
                let service = least + (dice.uniform() * 200.0) as i64;
                driver.visit(&mut van, &stops[*i], service)
            })
            .collect();
        driver.go(
            &mut van,
            super::town::kerb(&super::town::world().road, super::town::place(0.0, 0.0)),
        );
        for t in &truth {
            let stop = stops.iter().find(|s| s.id == t.stop).unwrap();
            let arrived = found(&van, EventKind::Arrived, stop);
            let departed = found(&van, EventKind::Departed, stop);
            if let ([a, again @ ..], [d, ..]) = (&*arrived, &*departed) {
                wrong += again.len();
                errors.push((a - t.arrived).abs());
                errors.push((d - t.departed).abs());
            } else {
                missed.push(format!("every {every} s {t:?}: said {arrived:?} to {departed:?}"));
            }
        }
        van.check();
    }
    errors.sort_unstable();
    let p90 = errors[errors.len() * 9 / 10];
    assert!(missed.is_empty() && wrong == 0 && p90 <= 15, "{missed:?} {wrong} {p90}");
}

#[test]
fn passing_by_is_no_visit() {
    let mut van = Van::new();
    let stops = vec![stop("far", (1950.0, 0.0), None), stop("near", (950.0, 5.0), None)];
    van.plan(route("r1", 1, stops.clone()), 0);
    let mut driver = Driver::new(&van, (0.0, 0.0), 5, 9);
    // A light right before the door of the later stop, slow traffic beside it.
    driver.pace = |_, _| 3.0;
    let road = std::sync::Arc::clone(&van.world.road);
    driver.go(&mut van, super::town::kerb(&road, super::town::place(940.0, 0.0)));
    driver.stand(&mut van, 15);
    driver.visit(&mut van, &stops[0], 90);
    driver.visit(&mut van, &stops[1], 90);
    let told = van.told(&[EventKind::Arrived]);
    let stops: Vec<&str> = told.iter().map(|t| t.rsplit_once(' ').unwrap().1).collect();
    assert_eq!(stops, ["far", "near"]);
    van.check();
}

/// A halt of so many seconds at the door of the last of eight stops, before the first: how often
/// that stop is said to be reached until all have been.
#[track_caller]
fn check_halt_at_the_last_door(seconds: i64, before_the_others: bool) {
    let mut van = Van::new();
    let stops: Vec<Stop> = (0..8)
        .map(|i| stop(&format!("s{i}"), (1850.0 - 200.0 * f64::from(i), 8.0), None))
        .collect();
    van.plan(route("r1", 1, stops.clone()), 0);
    let mut driver = Driver::new(&van, (0.0, 0.0), 5, 11);
    let last = driver.visit(&mut van, &stops[7], seconds);
    let others = stops[..7].iter().map(|s| driver.visit(&mut van, s, 60).arrived).max().unwrap();
    if !before_the_others {
        driver.visit(&mut van, &stops[7], 60);
    }
    driver.stand(&mut van, 60);
    let said = found(&van, EventKind::Arrived, &stops[7]);
    assert_eq!(said.len(), 1, "{said:?}, {last:?}");
    assert_eq!(said[0] < others, before_the_others, "{said:?}, {last:?}");
    van.check();
}

#[test]
fn a_red_light_at_a_much_later_door_is_no_visit_but_a_longer_halt_is() {
    check_halt_at_the_last_door(60, false);
    check_halt_at_the_last_door(110, true);
}

#[test]
fn a_door_between_two_streets_may_be_served_from_either() {
    let road = super::town::world().road;
    let places = |x, y| {
        let mut near = Vec::new();
        let all = super::super::journey::places(&road, &mut near, super::town::place(x, y));
        let mut ways: Vec<i64> = all.iter().flatten().map(|p| road.osm(p.edge).0).collect();
        ways.sort_unstable();
        ways
    };
    assert_eq!(places(50.0, 3.0), [1000, 1000], "both directions of the one street near");
    assert_eq!(
        places(3.0, 18.0),
        [1000, 1000, 2000, 2000],
        "the corner's other street is near, too"
    );
    assert_eq!(places(3.0, 25.0), [2000, 2000], "there is no parking on the other street");
}

#[test]
fn neighbours_are_two_visits() {
    let mut van = Van::new();
    let stops = vec![stop("a", (540.0, 0.0), None), stop("b", (585.0, 0.0), None)];
    van.plan(route("r1", 1, stops.clone()), 0);
    let mut driver = Driver::new(&van, (0.0, 0.0), 5, 3);
    let truth: Vec<Truth> = stops.iter().map(|s| driver.visit(&mut van, s, 100)).collect();
    driver.go(
        &mut van,
        super::town::kerb(&super::town::world().road, super::town::place(1500.0, 0.0)),
    );
    for (t, s) in truth.iter().zip(&stops) {
        let (a, d) = (found(&van, EventKind::Arrived, s), found(&van, EventKind::Departed, s));
        assert!(a.len() == 1 && (a[0] - t.arrived).abs() <= 15, "{t:?} {a:?}");
        assert!(d.len() == 1 && (d[0] - t.departed).abs() <= 15, "{t:?} {d:?}");
    }
    van.check();
}

//! What a driver would say of the matched path.

use super::*;

#[track_caller]
fn check(drawing: &str, digits: &str, seconds: f64, expected: &str) {
    let town = town(drawing);
    assert_eq!(town.drive(&town.fixes(digits, seconds)).path, expected);
}

const STREET: &str = "A--1--B--2--C--3--D--4--E";

#[test]
fn a_street_is_driven_in_order() {
    check(STREET, "1234", 6.0, "AB BC CD DE");
    check(STREET, "4321", 6.0, "ED DC CB BA");
}

#[test]
fn of_two_parallel_streets_the_nearer_is_taken() {
    let drawing = "\
A------------------------B
|  1    2    3    4    5 |
|                        |
C------------------------D";
    check(drawing, "12345", 5.0, "AB");
}

#[test]
fn a_one_way_street_is_not_driven_against() {
    // As near to the carriageway that leads the other way.
    let drawing = "\
A----<----<----B
| 1   2   3   4|
C---->---->----D";
    check(drawing, "1234", 4.0, "CD");
}

#[test]
fn a_vehicle_turns_round_in_the_street() {
    let drawing = "A------1------2------3------4------B";
    let town = town(drawing);
    let driven = town.drive(&town.fixes("1234321", 7.0));
    assert_eq!(driven.path, "AB BA");
    let turned = driven.passed[1].from_m;
    assert!((turned - 70.0).abs() < 20.0, "turned {turned} m from the end of 350 m, at place 4");
}

#[test]
fn a_dead_end_is_driven_to_its_end_and_back() {
    let drawing = "\
A--1--B--2--C
      |
      3
      |
      4
      |
      5
      D";
    check(drawing, "1345555432", 6.0, "AB BD DB BC");
}

#[test]
fn a_gap_is_bridged_by_the_road() {
    let drawing = "\
A--1--B-----C
            |
            |
            |
            D--2--E--3--F";
    check(drawing, "123", 40.0, "AB BC CD DE EF");
}

#[test]
fn a_gap_of_kilometres_is_bridged_by_one_route() {
    let long = format!("A--1--B{}C--2--D--3--E", "-".repeat(199));
    let longer = long.replace("C--2", &format!("F{}C--2", "-".repeat(199)));
    check(&longer, "123", 400.0, "AB BF FC CD DE");
}

#[test]
fn a_fix_from_nowhere_is_left_out() {
    let town = town(STREET);
    let mut fixes = town.fixes("1234", 6.0);
    fixes[1].position = moved(fixes[1].position, 4_000.0, 9_000.0);
    let driven = town.drive(&fixes);
    assert_eq!(driven.path, "AB BC CD DE");
    assert_eq!(driven.provisional[1], "off");
}

#[test]
fn a_vehicle_that_really_jumped_starts_a_new_piece() {
    let town = town(STREET);
    let mut fixes = town.fixes("12344444", 6.0);
    for (k, fix) in fixes.iter_mut().enumerate().take(3) {
        fix.position = moved(fix.position, 0.0, 20_000.0 + k as f64);
    }
    let driven = town.drive(&fixes);
    assert_eq!(driven.provisional[..5], ["off"; 5]);
    assert!(
        driven.provisional[5..].iter().all(|e| e == "DE" || e == "ED"),
        "{:?}",
        driven.provisional
    );
}

/// A receiver at rest: errors that wander up to 12 m and come back, the same on every machine.
fn wander(k: usize) -> (f64, f64) {
    let k = k as f64;
    (7.0 * libm::sin(k / 17.0) + 3.0 * libm::sin(k / 5.3), 8.0 * libm::cos(k / 23.0))
}

#[test]
fn a_vehicle_that_waits_at_a_crossing_makes_no_side_trips() {
    let drawing = "\
      F     H
      |     |
A--1--B--2--C--3--D
      |     |
      G     I";
    for speed in [Some(0.0), None] {
        let town = town(drawing);
        let mut fixes = town.fixes("12", 8.0);
        let (stop, start) = (fixes[1].position, fixes[1].time);
        for k in 1..600 {
            let (east, north) = wander(k);
            let mut wait = fix(moved(stop, east + 30.0, north), start.plus_seconds(k as f64));
            wait.speed_mps = speed;
            fixes.push(wait);
        }
        let last = fixes.last().unwrap().time;
        fixes.push(fix(town.places[&'3'], last.plus_seconds(8.0)));
        assert_eq!(town.drive(&fixes).path, "AB BC CD", "speed {speed:?}");
    }
}

#[test]
fn a_vehicle_that_creeps_at_a_fork_is_not_decided_by_its_noise() {
    let drawing = "\
A--1--2--B----------3-----C
         |
         D----------4-----E";
    for (to, path) in [("3", "AB BC"), ("4", "AB BD DE")] {
        let town = town(drawing);
        let mut fixes = town.fixes("12", 8.0);
        let (stop, start) = (fixes[1].position, fixes[1].time);
        for k in 1..60 {
            let (east, north) = wander(k);
            let mut wait = fix(moved(stop, east + 30.0, north), start.plus_seconds(k as f64));
            wait.speed_mps = Some(if k % 4 == 0 { 0.9 } else { 0.0 });
            fixes.push(wait);
        }
        let last = fixes.last().unwrap().time;
        let digit = to.chars().next().unwrap();
        fixes.push(fix(town.places[&digit], last.plus_seconds(14.0)));
        assert_eq!(town.drive(&fixes).path, path);
    }
}

#[test]
fn a_yard_beside_the_road_is_no_break() {
    let drawing = "\
A--1--B----2---C----3--D



           4  5

           6  7";
    let town = town(drawing);
    let driven = town.drive(&town.fixes("12456767542 3".replace(' ', "").as_str(), 15.0));
    assert_eq!(driven.path, "AB BC CD");
    assert_eq!(driven.provisional[4..7], ["off"; 3]);
}

#[test]
fn edges_are_entered_when_the_distance_says() {
    let town = town("A-1---B-----C-----D---2-E");
    let driven = town.drive(&town.fixes("12", 20.0));
    let start = Timestamp::from_seconds(1_700_000_000);
    let after: Vec<f64> = driven.passed.iter().map(|p| p.entered.seconds_since(start)).collect();
    // 200 m in 20 s: B after 40 m, C after 100 m, D after 160 m.
    for (got, expected) in after.iter().zip([0.0, 4.0, 10.0, 16.0]) {
        assert!((got - expected).abs() < 0.6, "{after:?}");
    }
}

#[test]
fn confidence_is_shared_between_places_that_look_alike() {
    let drawing = "\
A------------------------B
   1    2    3    4    5
C------------------------D";
    let town = town(drawing);
    let driven = town.drive(&town.fixes("12345", 5.0));
    let last = *driven.confidence.last().unwrap();
    assert!((0.4..0.55).contains(&last), "{last}");
    let sure = town.drive(&fixes_north(&town));
    assert!(*sure.confidence.last().unwrap() > 0.95);
}

fn fixes_north(town: &Town) -> Vec<Observation> {
    let mut fixes = town.fixes("12345", 5.0);
    for fix in &mut fixes {
        fix.position = moved(fix.position, 0.0, 18.0);
    }
    fixes
}

#[test]
fn heading_tells_the_direction_of_a_single_fix() {
    let town = town(STREET);
    let mut fixes = town.fixes("2", 1.0);
    fixes[0].speed_mps = Some(9.0);
    fixes[0].heading = Some(268.0);
    assert_eq!(town.drive(&fixes).path, "CB");
}

#[test]
fn a_fix_out_of_order_changes_nothing() {
    let town = town(STREET);
    let mut fixes = town.fixes("1234", 6.0);
    fixes.insert(3, fixes[0]);
    assert_eq!(town.drive(&fixes).path, "AB BC CD DE");
}

#[test]
fn nothing_near_is_off_the_road_and_no_error() {
    let town = town(STREET);
    let mut fixes = town.fixes("1234", 6.0);
    for fix in &mut fixes {
        fix.position = moved(fix.position, 0.0, 5_000.0);
    }
    let driven = town.drive(&fixes);
    assert_eq!((driven.path.as_str(), driven.provisional), ("", vec!["off".to_owned(); 4]));
    let nowhere = Road::default();
    let (mut scratch, mut out) = (Scratch::new(), Observed::default());
    Track::new().observe(&nowhere, &fixes[0], &mut scratch, &mut out);
    assert_eq!(out.matched, None);
}

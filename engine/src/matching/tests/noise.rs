//! Noise that must not become a path: poor fixes, drift, crossings without a junction, long gaps.

use super::*;

const LADDER: &str = "\
A-----B-----C-----D-----E
|     |     |     |     |
|     |     |     |     |
F--1--G--2--H--3--I--4--J";

/// Fixes every second along the lower street at 10 m/s, each moved by what `error` says.
fn along(town: &Town, seconds: usize, error: impl Fn(usize) -> (f64, f64)) -> Vec<Observation> {
    let start = town.fixes("1", 1.0)[0];
    let step = |k: usize| {
        let (east, north) = error(k);
        let position = moved(start.position, 10.0 * k as f64 + east, north);
        Observation { position, time: start.time.plus_seconds(k as f64), ..start }
    };
    (0..seconds).map(step).collect()
}

#[test]
fn a_drift_is_one_error_however_often_it_is_reported() {
    // For eight seconds the fixes lie nearer to the other street, 60 m away.
    let town = town(LADDER);
    let drift = |k: usize| {
        let from_middle = (k as f64 - 9.0) / 4.0;
        (0.0, 34.0 * libm::exp(-0.5 * from_middle * from_middle))
    };
    let mut fixes = along(&town, 19, drift);
    for fix in &mut fixes {
        fix.accuracy_m = Some(15.0);
    }
    assert_eq!(town.drive(&fixes).path, "FG GH HI IJ");
}

#[test]
fn a_fix_counts_as_much_as_its_own_accuracy_says() {
    let town = town(LADDER);
    let mut fixes = town.fixes("1234", 12.0);
    // On the other street, but so says a receiver that knows it is lost.
    fixes[1].position = moved(fixes[1].position, 0.0, 60.0);
    fixes[1].accuracy_m = Some(80.0);
    assert_eq!(town.drive(&fixes).path, "FG GH HI IJ");
    fixes[1].accuracy_m = Some(4.0);
    fixes[2].position = moved(fixes[2].position, 0.0, 60.0);
    fixes[2].accuracy_m = Some(4.0);
    assert_ne!(town.drive(&fixes).path, "FG GH HI IJ");
}

#[test]
fn a_road_above_is_not_turned_into() {
    // CD passes over AB: no junction, and the fixes at the crossing are as near to either.
    let drawing = "\
             C
             |
A--1--2--3--4-5--6--7--8--B
             |
             D";
    let town = town(drawing);
    assert_eq!(town.drive(&town.fixes("12345678", 3.0)).path, "AB");
}

#[test]
fn a_tunnel_without_fixes_is_driven_through() {
    // The street above the tunnel is as near, but leads elsewhere.
    let drawing = "\
A--1--2--B---------------------------------C--3--4--D
         |                                 |
         E                                 F";
    let town = town(drawing);
    let mut fixes = town.fixes("1234", 3.0);
    for fix in &mut fixes[2..] {
        fix.time = fix.time.plus_seconds(28.0);
    }
    let driven = town.drive(&fixes);
    assert_eq!(driven.path, "AB BC CD");
    assert!(driven.passed.iter().skip(1).all(|p| p.joined));
}

#[test]
fn between_fixes_far_apart_the_quick_way_was_taken() {
    // By the village 400 m, by the main road 440 m, at three times the speed.
    let mut builder = RoadBuilder::new();
    let plane = Plane::new(ORIGIN);
    let at = |x: f64, y: f64| {
        let p = plane.to_position(x, y);
        Position::new(p.lng, p.lat).unwrap()
    };
    for (node, x, y) in [(1, -300.0, 0.0), (2, 0.0, 0.0), (3, 400.0, 0.0), (4, 700.0, 0.0)] {
        builder.node(node, at(x, y));
    }
    let fast = Attributes { speed_mps: 20.0, ..Attributes::default() };
    let slow = Attributes { speed_mps: 6.0, ..Attributes::default() };
    builder.edge(10, (1, 2), &[], &fast);
    builder.edge(11, (2, 3), &[at(200.0, 92.0)], &fast);
    builder.edge(12, (3, 4), &[], &fast);
    builder.edge(20, (2, 3), &[], &slow);
    let road = builder.finish().unwrap();
    let start = Timestamp::from_seconds(1_700_000_000);
    let (mut track, mut scratch, mut out) = (Track::new(), Scratch::new(), Observed::default());
    let mut ways = Vec::new();
    for (x, after_s) in [(-200.0, 0.0), (600.0, 55.0), (690.0, 60.0)] {
        let fix = fix(at(x, 3.0), start.plus_seconds(after_s));
        track.observe(&road, &fix, &mut scratch, &mut out);
        ways.extend(out.committed.iter().map(|p| road.osm(p.edge).0));
    }
    track.flush(&road, &mut scratch, &mut out);
    ways.extend(out.committed.iter().map(|p| road.osm(p.edge).0));
    assert_eq!(ways, [10, 11, 12]);
}

#[test]
fn without_an_accuracy_the_spread_is_learnt() {
    // Errors of 40 m and less that change sign every fix, beside a parallel street.
    let town = town(LADDER);
    for noise in [3.0, 40.0] {
        let sign = |k: usize| if k.is_multiple_of(2) { noise } else { -noise };
        let mut fixes = along(&town, 19, |k| (0.0, sign(k)));
        for fix in &mut fixes {
            fix.accuracy_m = None;
            fix.speed_mps = Some(10.0);
            fix.heading = Some(90.0);
        }
        assert_eq!(town.drive(&fixes).path, "FG GH HI IJ", "{noise} m");
    }
}

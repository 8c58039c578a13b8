use engine::road::{Attributes, Class, RoadBuilder};
use ingest::units::Position;

use super::journey::Trouble;
use super::*;

/// A grid of two-way streets, 170 m apart, every fourth one wide and quick.
pub(crate) fn grid(lines: i64) -> Road {
    let mut builder = RoadBuilder::new();
    let plane = plane::Plane::new(Position { lng: -20.0, lat: 44.5 });
    let id = |x: i64, y: i64| 1 + x * lines + y;
    for x in 0..lines {
        for y in 0..lines {
            builder.node(id(x, y), plane.to_position(x as f64 * 170.0, y as f64 * 170.0));
        }
    }
    let wide = Attributes { class: Class::Secondary, speed_mps: 14.0, ..Attributes::default() };
    let narrow = Attributes { class: Class::Residential, speed_mps: 8.0, ..Attributes::default() };
    for x in 0..lines {
        for y in 0..lines {
            let kind = |line: i64| if line % 4 == 0 { &wide } else { &narrow };
            if x + 1 < lines {
                builder.edge(1 + y, (id(x, y), id(x + 1, y)), &[], kind(y));
            }
            if y + 1 < lines {
                builder.edge(1001 + x, (id(x, y), id(x, y + 1)), &[], kind(x));
            }
        }
    }
    builder.finish().expect("every node was given")
}

pub(crate) fn settings(vehicles: u32, minutes: f64) -> FleetSettings {
    FleetSettings {
        seed: 1,
        vehicles,
        minutes,
        start: Timestamp::parse("2026-11-20T08:00:00Z").expect("a time"),
        tenant: TenantId::new("demo").expect("an id"),
        protocols: vec!["teltonika".into(), "osmand".into(), "t55".into()],
        rates: Rates::default(),
        jam: None,
    }
}

#[test]
fn device_ids_have_a_valid_check_digit() {
    for number in 0..50 {
        let id = device_id(1, number);
        let weigh = |(i, b): (usize, u8)| u32::from(b - b'0') * if i % 2 == 1 { 2 } else { 1 };
        let sum: u32 =
            id.as_str().bytes().rev().enumerate().map(weigh).map(|d| d / 10 + d % 10).sum();
        assert_eq!((id.as_str().len(), sum % 10), (15, 0));
    }
}

#[test]
fn a_day_is_driven_in_order_and_without_jumps() {
    let road = grid(40);
    let fleet = Fleet::new(&road, &settings(12, 240.0)).expect("a fleet");
    for van in &fleet.vans {
        assert!(van.shift.visits.len() >= shift::STOPS_MIN);
        let mut before = van.shift.departs_s;
        for (planned, visit) in van.shift.visits.iter().zip(&van.journey.visits) {
            assert!(before < visit.arrived_s && visit.arrived_s <= visit.service_s);
            assert!(visit.service_s < visit.departed_s);
            let there = van.journey.at(&road, visit.arrived_s + 0.5);
            assert_eq!(there.place.edge, planned.place.edge);
            assert!((there.place.offset_m - planned.place.offset_m).abs() < 0.01);
            assert!(plane::distance_m(there.position, planned.door) < 20.0);
            before = visit.departed_s;
        }
        let mut last = van.journey.at(&road, 0.0);
        for second in 1..(van.journey.end_s as u32) {
            let now = van.journey.at(&road, f64::from(second));
            let step = now.along_m - last.along_m;
            assert!((0.0..35.0).contains(&step), "{step} m in a second");
            assert!(plane::distance_m(last.position, now.position) < step + 0.5);
            last = now;
        }
    }
}

#[test]
fn the_same_seed_drives_the_same_day() {
    let road = grid(30);
    let day = |seed| {
        let settings = FleetSettings { seed, ..settings(4, 60.0) };
        let fleet = Fleet::new(&road, &settings).expect("a fleet");
        fleet.vans.iter().flat_map(|v| v.journey.visits.clone()).collect::<Vec<_>>()
    };
    assert_eq!(day(3), day(3));
    assert_ne!(day(3), day(4));
}

/// Windows missed and driving time over planned, of a whole fleet.
fn promises(fleet: &Fleet) -> (usize, usize) {
    let pairs = |van: &'_ Van| {
        let planned = van.shift.visits.clone();
        planned.into_iter().zip(van.journey.visits.clone()).collect::<Vec<_>>()
    };
    let visits: Vec<_> = fleet.vans.iter().flat_map(pairs).collect();
    let late = |(planned, visit): &&(shift::PlannedVisit, journey::Visit)| {
        planned.window.is_some_and(|w| visit.service_s > w.1)
    };
    (visits.iter().filter(late).count(), visits.len())
}

#[test]
fn few_promises_are_broken_but_in_a_jam() {
    let road = grid(60);
    let calm = Fleet::new(&road, &settings(40, 480.0)).expect("a fleet");
    let jam = Some((JamPlace::Auto, 120.0));
    let jammed = Fleet::new(&road, &FleetSettings { jam, ..settings(40, 480.0) }).expect("a fleet");
    let (few, all) = promises(&calm);
    let (many, _) = promises(&jammed);
    assert!(few * 25 < all, "{few} of {all}");
    assert!(many > few + 20, "{few} and {many} of {all}");
}

#[test]
fn what_goes_wrong_is_known() {
    let road = grid(50);
    let rates = Rates { off_route: 1.0, long_stop: 1.0, no_signal: 0.5 };
    let fleet = Fleet::new(&road, &FleetSettings { rates, ..settings(20, 240.0) }).expect("fleet");
    let mut counts = std::collections::BTreeMap::new();
    for van in &fleet.vans {
        for deviation in &van.journey.deviations {
            *counts.entry(deviation.kind).or_insert(0) += 1;
            let (from, to) = (deviation.from_s, deviation.to_s);
            assert!(from < to);
            let moved = van.journey.motion(to - 1.0).0 - van.journey.motion(from + 1.0).0;
            match deviation.kind {
                Trouble::LongStop => assert!(moved.abs() < 0.01 && to - from >= 900.0),
                Trouble::OffRoute => assert!(moved > 300.0),
                Trouble::NoSignal => assert!(van.journey.is_silent(f64::midpoint(from, to))),
            }
        }
    }
    assert_eq!(counts.len(), 3, "{counts:?}");
}

#[test]
fn the_planner_knows_his_town() {
    let road = crate::town::tests::imported(1);
    let settings = FleetSettings { rates: Rates::NONE, ..settings(30, 480.0) };
    let fleet = Fleet::new(&road, &settings).expect("a fleet");
    let (mut free, mut driven, mut planned, mut served) = (0.0, 0.0, 0.0, 0.0);
    for van in &fleet.vans {
        let (mut from, mut left) = (van.shift.depot.offset_m, van.shift.departs_s);
        for (visit, real) in van.shift.visits.iter().zip(&van.journey.visits) {
            free += van.journey.free_between(&road, from, real.along_m);
            driven += real.arrived_s - left;
            planned += visit.service_s;
            served += real.departed_s - real.service_s;
            (from, left) = (real.along_m, real.departed_s);
        }
    }
    let (travel, service) = (driven / free, served / planned);
    assert!((travel / shift::PLANNED_TRAVEL - 1.0).abs() < 0.08, "travel {travel}");
    assert!((service / shift::PLANNED_SERVICE - 1.0).abs() < 0.08, "service {service}");
    let (late, all) = promises(&fleet);
    assert!(late * 33 < all, "{late} of {all} promises broken on a calm day");
}

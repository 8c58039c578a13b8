//! What edges take, from what vehicles say.

use bytes::Bytes;
use ingest::id::RouteId;
use ingest::time::Timestamp;

use super::*;
use crate::model::{Body, Event, EventKind, PathEdge, PathOutput};
use crate::road::EdgeId;
use crate::road::tests::grid;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

/// Drives row 1 of the grid eastward from a second on, so many seconds an edge.
fn path(from: i64, each: i64) -> Body {
    let edge = |n: i64| PathEdge {
        way: 1001,
        from_node: 100 + n,
        to_node: 101 + n,
        entered: at(from + n * each),
    };
    let route = RouteId::new("r").ok();
    Body::Path(PathOutput { route, edges: (0..9).map(edge).collect(), gap: true })
}

struct Street {
    road: Road,
    speeds: Speeds,
}

impl Street {
    fn new() -> Self {
        Self { road: grid(10).finish().unwrap(), speeds: Speeds::default() }
    }

    fn says(&mut self, vehicle: &str, body: &Body) {
        self.speeds.take(&self.road, &Bytes::copy_from_slice(vehicle.as_bytes()), body);
    }

    /// Columns of the slow edges of row 1, and their levels.
    fn slow(&mut self, now: i64) -> Vec<(i64, u8)> {
        let slow = self.speeds.slow(at(now), 100);
        let column = |(edge, level): (EdgeId, u8)| (self.road.osm(edge).1 - 100, level);
        slow.into_iter().map(column).collect()
    }
}

#[test]
fn an_edge_is_slow_when_two_vehicles_say_so_and_until_it_fades() {
    let mut street = Street::new();
    // An edge takes 14.4 s at free flow, 20 s at the usual pace.
    street.says("a", &path(0, 120));
    assert!(street.slow(1_000).is_empty(), "one is no jam");
    street.says("b", &path(20, 120));
    let slow = street.slow(1_100);
    assert_eq!(slow.len(), 8, "all but the last, which nobody has left: {slow:?}");
    assert!(slow.iter().all(|&(_, level)| (3..=8).contains(&level)), "{slow:?}");
    assert_eq!(street.slow(1_101), slow, "the same while nothing happens");
    assert!(street.slow(1_100 + 3_600).is_empty());
}

#[test]
fn who_drives_as_usual_or_visits_somebody_slows_nothing() {
    let mut street = Street::new();
    for vehicle in ["a", "b", "c"] {
        street.says(vehicle, &path(0, 20));
    }
    assert!(street.slow(200).is_empty());
    let event = |kind, s| Body::Event(Box::new(Event::new(kind, at(s))));
    for vehicle in ["d", "e", "f"] {
        // Ten minutes at a door in the middle of the row.
        street.says(vehicle, &event(EventKind::Arrived, 300));
        street.says(vehicle, &event(EventKind::Departed, 900));
        street.says(vehicle, &path(200, 100));
    }
    assert_eq!(street.slow(1_200), []);
}

#[test]
fn no_more_are_told_than_asked_for_and_the_map_may_not_know_them() {
    let mut street = Street::new();
    for vehicle in ["a", "b"] {
        street.says(vehicle, &path(0, 120));
        let edge = |n| PathEdge { way: 7, from_node: n, to_node: n + 1, entered: at(n * 99) };
        let edges = (0..9).map(edge).collect();
        street.says(vehicle, &Body::Path(PathOutput { route: None, edges, gap: false }));
    }
    assert_eq!(street.speeds.slow(at(1_100), 3).len(), 3);
}

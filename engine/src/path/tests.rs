//! Ways in small towns.

use super::*;
use crate::road::tests::grid;
use crate::road::{Access, Place, Profile, Restriction, Road, Via};

const TURNS: Turns = Turns { corner_s: 4.0, back_s: 60.0 };

/// At most so many seconds.
fn within(limit_s: f64) -> Bounds {
    Bounds { limit_s, beam_s: f64::INFINITY, limit_m: f64::INFINITY }
}

fn place(road: &Road, way: i64, from: i64, to: i64, offset_m: f64) -> Place {
    Place { edge: road.edge_of(way, from, to).unwrap(), offset_m }
}

#[test]
fn a_way_along_the_same_edge_is_its_piece() {
    let road = grid(3).finish().unwrap();
    let (from, to) = (place(&road, 1001, 100, 101, 20.0), place(&road, 1001, 100, 101, 70.0));
    let path = Router::new().route(&road, from, to, Profile::Van).unwrap();
    assert!((path.metres - 50.0).abs() < 1e-6);
    assert_eq!(path.edges, [from.edge]);
}

#[test]
fn a_target_behind_needs_a_way_round() {
    let road = grid(3).finish().unwrap();
    let (from, to) = (place(&road, 1001, 100, 101, 70.0), place(&road, 1001, 100, 101, 20.0));
    let mut router = Router::new();
    let path = router.route(&road, from, to, Profile::Van).unwrap();
    assert_eq!(path.edges.first(), path.edges.last());
    assert!((path.metres - 350.0).abs() < 0.5, "round the block: {path:?}");
    let mut out = Vec::new();
    let around = (road.point_at(to).0, 0.0);
    let bounds = within(1000.0);
    router.reach_from_all(&road, TURNS, &[(from, 5.0)], (&[to], &[0.0]), around, bounds, &mut out);
    let joined = out[0].unwrap();
    assert_eq!((joined.start, joined.reached.turn_backs), (0, 0));
    assert!((joined.reached.metres - 350.0).abs() < 0.5 && joined.cost > 5.0);
    let bounds = within(joined.cost - 0.1);
    router.reach_from_all(&road, TURNS, &[(from, 5.0)], (&[to], &[0.0]), around, bounds, &mut out);
    assert_eq!(out, [None]);
    let bounds = Bounds { limit_m: 340.0, ..within(1000.0) };
    router.reach_from_all(&road, TURNS, &[(from, 5.0)], (&[to], &[0.0]), around, bounds, &mut out);
    let short = out[0].unwrap().reached;
    assert_eq!(short.turn_backs, 2, "350 m round the block are too long: {short:?}");
    let bounds = Bounds { limit_m: 351.0, ..bounds };
    router.reach_from_all(&road, TURNS, &[(from, 5.0)], (&[to], &[0.0]), around, bounds, &mut out);
    assert_eq!(out, [Some(joined)]);
}

#[test]
fn of_ways_as_long_the_one_with_the_fewest_corners_is_liked_best() {
    let road = grid(4).finish().unwrap();
    let (from, to) = (place(&road, 1000, 0, 1, 20.0), place(&road, 2003, 203, 303, 70.0));
    let (mut router, mut out, mut edges) = (Router::new(), Vec::new(), Vec::new());
    let around = (road.point_at(to).0, 0.0);
    let bounds = within(1000.0);
    router.reach_from_all(&road, TURNS, &[(from, 0.0)], (&[to], &[0.0]), around, bounds, &mut out);
    router.edges_to(&road, 0, &mut edges);
    let ways: Vec<i64> = edges.iter().map(|edge| road.osm(*edge).0).collect();
    assert_eq!(ways, [1000, 1000, 1000, 2003, 2003, 2003]);
    let driven_s: f64 = edges[1..5].iter().map(|edge| weighed_s(&road, *edge)).sum();
    let ends_s = 0.8 * weighed_s(&road, from.edge) + 0.7 * weighed_s(&road, to.edge);
    assert!((out[0].unwrap().cost - driven_s - ends_s - TURNS.corner_s).abs() < 0.01);
}

#[test]
fn a_ban_over_a_via_way_holds_only_for_who_came_that_way() {
    let mut builder = grid(4);
    // East along row 1, north along column 2, then west along row 2: not after row 1.
    builder.restriction(Restriction {
        from: vec![1001],
        via: Via::Ways(vec![2002]),
        to: vec![1002],
        only: false,
        turn_back: false,
        binds: Access::MOTOR,
    });
    let road = builder.finish().unwrap();
    let mut router = Router::new();
    let to = place(&road, 1002, 202, 201, 50.0);
    let free = router.route(&road, place(&road, 2002, 2, 102, 50.0), to, Profile::Van).unwrap();
    assert_eq!(free.edges.len(), 3);
    let from = place(&road, 1001, 101, 102, 50.0);
    let bound = router.route(&road, from, to, Profile::Van).unwrap();
    assert!(bound.edges.len() > 3, "{bound:?}");
    let bike = router.route(&road, from, to, Profile::Bike).unwrap();
    assert_eq!(bike.edges.len(), 3, "it binds motors only");
}

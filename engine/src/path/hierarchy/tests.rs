//! The hierarchy against Dijkstra's algorithm: random towns, and every extract there is.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::path::Router;
use crate::path::oracle::{Drawn, PAST, place, town};
use crate::road::import;

/// Pairs asked on each extract, before and after a change; the bench asks 100,000.
const PAIRS: usize = 36;

fn snapshot(road: &Road, profile: Profile) -> Snapshot {
    let hierarchy = Arc::new(Hierarchy::new(road).unwrap());
    Snapshot::free_flow(&hierarchy, road, profile)
}

/// Every way between the places costs what Dijkstra's algorithm finds, and holds together.
#[track_caller]
fn check(road: &Road, snapshot: &Snapshot, places: &[Place]) {
    let (mut router, mut matrix) = (Router::new(), Matrix::new());
    let (mut least, mut costs, mut to_one) = (Vec::new(), Vec::new(), Vec::new());
    matrix.costs(road, snapshot, (places, places), &mut costs);
    for (row, &from) in places.iter().enumerate() {
        router.search_in(road, snapshot, (from, places), &mut least);
        matrix.to_one(road, snapshot, (places, from), &mut to_one);
        for (column, &to) in places.iter().enumerate() {
            let least = least[column];
            assert_eq!(router.cost_in(road, snapshot, (from, to)), least, "{from:?} {to:?}");
            let cell = costs[row * places.len() + column];
            assert_eq!(Some(cell).filter(|cost| cost.is_finite()), least, "{from:?} {to:?}");
            assert_eq!(to_one[column].to_bits(), costs[column * places.len() + row].to_bits());
            let path = router.route_in(road, snapshot, (from, to));
            assert_eq!(path.is_some(), least.is_some());
            if let Some(path) = path {
                assert_eq!(snapshot.cost_of(road, (from, to), &path.edges), least, "{path:?}");
            }
        }
    }
}

/// A live metric after some changes is, bit for bit, the one customised with them at once.
#[track_caller]
fn check_same(road: &Road, live: &Live, seconds: &[f64]) {
    let live = live.snapshot();
    let whole = live.customised(road, |edge| seconds[edge.0 as usize]);
    let (a, b) = (&live.metric, &whole.metric);
    let bits = |weights: &customise::Weights| -> Vec<u64> {
        weights.weight.iter().map(|weight| weight.to_bits()).collect()
    };
    assert_eq!(a.whole, b.whole);
    assert!(bits(&a.shortcuts.out) == bits(&b.shortcuts.out));
    assert!(bits(&a.shortcuts.into) == bits(&b.shortcuts.into));
    assert!(a.shortcuts.out.parts == b.shortcuts.out.parts);
    assert!(a.shortcuts.into.parts == b.shortcuts.into.parts);
}

fn free_s(road: &Road, profile: Profile) -> Vec<f64> {
    let edges = (0..road.edges() as u32).map(EdgeId);
    edges.map(|edge| road.seconds(edge, profile).unwrap_or(f64::INFINITY)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_towns_at_free_flow_and_after_changes(
        streets in proptest::collection::vec(any::<Drawn>(), 24),
        rules in proptest::collection::vec((any::<usize>(), any::<usize>(), 0_u8..32), 0..14),
        barrier in proptest::option::weighted(0.3, 0_i64..16),
        asked in proptest::collection::vec((any::<usize>(), 0.0_f64..1.0), 5),
        truck in any::<bool>(),
        changes in proptest::collection::vec((any::<usize>(), 0_u8..8), 0..6),
        again in proptest::collection::vec((any::<usize>(), 0_u8..8), 0..6),
    ) {
        let town = town(&streets, &rules, barrier);
        let road = &town.road;
        prop_assume!(road.edges() > 0);
        let places: Vec<Place> = asked.into_iter().map(|draw| place(road, draw)).collect();
        let profile = if truck { Profile::Truck } else { Profile::Van };
        let free = snapshot(road, profile);
        check(road, &free, &places);
        let mut live = Live::new(free);
        let mut seconds = free_s(road, profile);
        for changes in [&changes, &again, &changes] {
            let set = |&(edge, slower): &(usize, u8)| {
                let edge = EdgeId((edge % road.edges()) as u32);
                let factor = if slower == 7 { f64::INFINITY } else { 0.5 + f64::from(slower) };
                (edge, road.free_s(edge) * factor)
            };
            let changes: Vec<(EdgeId, f64)> = changes.iter().map(set).collect();
            live.change(road, &changes);
            for (edge, s) in changes {
                seconds[edge.0 as usize] = s;
            }
            check_same(road, &live, &seconds);
        }
        check(road, &live.snapshot(), &places);
    }

    /// The oracle of the search, which reads every restriction in its own words.
    #[test]
    fn random_towns_keep_every_restriction(
        streets in proptest::collection::vec(any::<Drawn>(), 24),
        rules in proptest::collection::vec((any::<usize>(), any::<usize>(), 0_u8..32), 0..14),
        barrier in proptest::option::weighted(0.3, 0_i64..16),
        asked in proptest::collection::vec(((any::<usize>(), 0.0_f64..1.0), (any::<usize>(), 0.0_f64..1.0)), 6),
    ) {
        let town = town(&streets, &rules, barrier);
        let road = &town.road;
        prop_assume!(road.edges() > 0);
        let free = snapshot(road, Profile::Van);
        let mut router = Router::new();
        for (from, to) in asked {
            let (from, to) = (place(road, from), place(road, to));
            let least = town.least_s(from, to);
            let found = router.cost_in(road, &free, (from, to));
            prop_assert_eq!(least.is_some(), found.is_some());
            let (Some(least), Some(found)) = (least, found) else { continue };
            prop_assert!((least - found).abs() < 1e-3, "{} {}", least, found);
            let edges = router.route_in(road, &free, (from, to)).unwrap().edges;
            for end in 1..edges.len() {
                prop_assert!(town.allows(&edges[end.saturating_sub(PAST)..end], edges[end]));
            }
        }
    }

    /// Whatever order a map holds, ways stay right.
    #[test]
    fn any_order_gives_the_same_costs(
        streets in proptest::collection::vec(any::<Drawn>(), 24),
        order in proptest::collection::vec(0_u32..60, 0..60),
        asked in proptest::collection::vec((any::<usize>(), 0.0_f64..1.0), 4),
    ) {
        let town = town(&streets, &[], None);
        let road = &town.road;
        prop_assume!(road.edges() > 0);
        let places: Vec<Place> = asked.into_iter().map(|draw| place(road, draw)).collect();
        let hierarchy = Arc::new(Hierarchy::in_order(road, order.into_iter()).unwrap());
        check(road, &Snapshot::free_flow(&hierarchy, road, Profile::Van), &places);
    }
}

#[test]
fn a_hierarchy_without_bounds_is_given_up() {
    let road = crate::road::tests::grid(20).finish().unwrap();
    // Every other street first: what is left is joined many times over.
    let order = (0..road.edges() as u32).map(|edge| edge * 611 % road.edges() as u32);
    let graph = Graph::new(&road, Access::MOTOR);
    let states = in_order(&road, &graph, order);
    let (_, arcs) = numbered(&road, &graph, &states);
    let good = Hierarchy::new(&road).unwrap().arcs();
    assert!(Topology::new(&arcs, good * 2).is_none(), "{good} arcs in a good order");
}

#[test]
fn a_damaged_map_gives_wrong_ways_at_worst() {
    let mut builder = crate::road::tests::grid(4);
    builder.restriction(crate::road::Restriction {
        from: vec![1001],
        via: crate::road::Via::Ways(vec![2002]),
        to: vec![1002],
        only: false,
        turn_back: false,
        binds: Access::MOTOR,
    });
    let image = builder.image().unwrap();
    let (mut router, mut matrix, mut out) = (Router::new(), Matrix::new(), Vec::new());
    for at in (800..image.len()).step_by(7) {
        let mut damaged = image.clone();
        damaged[at] ^= 0xff;
        let Ok(road) = Road::from_image(damaged) else { continue };
        let Some(hierarchy) = Hierarchy::new(&road) else { continue };
        let free = Snapshot::free_flow(&Arc::new(hierarchy), &road, Profile::Van);
        let place = |edge| Place { edge: EdgeId(edge), offset_m: 1.0 };
        let places: Vec<Place> = [0, 20, 33, 900].map(place).to_vec();
        for (&from, &to) in places.iter().flat_map(|a| places.iter().map(move |b| (a, b))) {
            router.route_in(&road, &free, (from, to));
        }
        matrix.costs(&road, &free, (&places, &places), &mut out);
        matrix.to_one(&road, &free, (&places, places[1]), &mut out);
    }
}

#[test]
fn a_query_holds_the_weights_it_began_with() {
    let road = crate::road::tests::grid(6).finish().unwrap();
    let mut live = Live::new(snapshot(&road, Profile::Van));
    let mut router = Router::new();
    let at = |way, from, to| Place { edge: road.edge_of(way, from, to).unwrap(), offset_m: 50.0 };
    let ends = (at(1000, 0, 1), at(1000, 4, 5));
    let before = live.snapshot();
    let straight = router.route_in(&road, &before, ends).unwrap();
    let closed = road.edge_of(1000, 2, 3).unwrap();
    live.change(&road, &[(closed, f64::INFINITY)]);
    let round = router.route_in(&road, &live.snapshot(), ends).unwrap();
    assert!(!round.edges.contains(&closed) && round.seconds > straight.seconds);
    assert_eq!(router.route_in(&road, &before, ends).unwrap(), straight);
    live.change(&road, &[(closed, road.free_s(closed))]);
    assert_eq!(router.route_in(&road, &live.snapshot(), ends).unwrap(), straight);
}

/// A small generator with a fixed seed (splitmix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn edge(&mut self, road: &Road, profile: Profile) -> EdgeId {
        loop {
            let edge = EdgeId(self.next(road.edges()) as u32);
            if road.seconds(edge, profile).is_some() {
                return edge;
            }
        }
    }
}

fn extract(name: &str) -> Option<Road> {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into();
    let shared = std::env::var_os("MILEPOST_SHARED").map_or_else(beside, PathBuf::from);
    let source = shared.join("data/osm").join(name);
    if !source.exists() {
        eprintln!("skipped: no shared data");
        return None;
    }
    Some(Road::from_image(import::import(&source).unwrap()).unwrap())
}

fn check_extract(name: &str, profile: Profile) {
    let Some(road) = extract(name) else { return };
    let mut draw = Draw(3);
    let mut places = Vec::new();
    for _ in 0..PAIRS.isqrt() {
        let edge = draw.edge(&road, profile);
        places.push(Place { edge, offset_m: road.length_m(edge) * 0.4 });
    }
    let free = snapshot(&road, profile);
    check(&road, &free, &places);
    let (mut live, mut seconds) = (Live::new(free), free_s(&road, profile));
    for round in 0..2 {
        let mut changes = Vec::new();
        for _ in 0..300 {
            let edge = draw.edge(&road, profile);
            changes.push((edge, seconds[edge.0 as usize] * (1 + draw.next(4) + round) as f64));
            seconds[edge.0 as usize] = changes[changes.len() - 1].1;
        }
        live.change(&road, &changes);
    }
    check_same(&road, &live, &seconds);
    check(&road, &live.snapshot(), &places);
}

#[test]
fn monaco_and_baltimore() {
    check_extract("monaco.osm.pbf", Profile::Van);
    check_extract("baltimore.osm.pbf", Profile::Car);
}

#[test]
fn heidelberg_and_liechtenstein() {
    check_extract("heidelberg.osm.pbf", Profile::Truck);
    check_extract("liechtenstein.osm.pbf", Profile::Van);
}

#[test]
fn portland_and_porto() {
    check_extract("portland.osm.pbf", Profile::Van);
    check_extract("porto.osm.pbf", Profile::Van);
}

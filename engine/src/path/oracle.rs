//! The slow obvious router that the fast one is compared with, on random towns.
//!
//! It knows nothing of states or tables: a label is the whole recent past as edges, and every
//! restriction is read in its own words at every step.

use std::collections::BTreeSet;

use ingest::units::Position;
use proptest::prelude::*;

use super::*;
use crate::road::plane::Plane;
use crate::road::{
    Access, Attributes, EdgeId, Place, Profile, Restriction, Road, RoadBuilder, Via,
};

/// Edges of the past that a restriction can look at: from, and two via ways.
pub(super) const PAST: usize = 3;

/// A town in which every street is a way of its own, numbered `tail * 100 + head` at building.
pub(super) struct Town {
    pub(super) road: Road,
    restrictions: Vec<Restriction>,
    barriers: Vec<i64>,
}

impl Town {
    fn way(&self, edge: EdgeId) -> i64 {
        self.road.osm(edge).0
    }

    /// Whether a van with this past (last edge last) may go on to `to`.
    pub(super) fn allows(&self, past: &[EdgeId], to: EdgeId) -> bool {
        let last = past[past.len() - 1];
        let node = self.road.osm(last).2;
        let back = self.road.reverse(last) == Some(to);
        if self.barriers.contains(&node) && !back {
            return false;
        }
        let binds = |r: &&Restriction| r.binds.has(Profile::Van);
        self.restrictions.iter().filter(binds).all(|restriction| {
            let mut ways = restriction.from.clone();
            match &restriction.via {
                Via::Node(via) if *via != node => return true,
                Via::Node(_) => {}
                Via::Ways(via) => ways.extend(via),
            }
            ways.extend(&restriction.to);
            // How much of it the past has done, if its end is a beginning of the restriction.
            (1..ways.len()).filter(|&done| done <= past.len()).all(|done| {
                let begun = past[past.len() - done..].iter().map(|&edge| self.way(edge));
                if !begun.eq(ways[..done].iter().copied()) {
                    return true;
                }
                let whole = done + 1 == ways.len();
                if restriction.only {
                    // Bound from the first via way on; with a via node, from the start.
                    let bound = done > 1 || ways.len() == 2;
                    !bound || self.way(to) == ways[done]
                } else {
                    !whole || self.way(to) != ways[done]
                }
            })
        })
    }

    /// What the router minimises, told apart edge by edge.
    fn turn_s(&self, from: EdgeId, to: EdgeId) -> f64 {
        let business = |edge| self.road.is_destination_only(edge, Profile::Van);
        let back = self.road.reverse(from) == Some(to);
        let enters = business(to) && !business(from);
        (if back { Profile::Van.turn_back_s() } else { 0.0 })
            + if enters { DESTINATION_S } else { 0.0 }
    }

    fn cost_s(&self, from: Place, to: Place, edges: &[EdgeId]) -> f64 {
        let whole = |edge| self.road.free_s(edge);
        let share = |place: Place| place.offset_m / self.road.length_m(place.edge);
        let turns: f64 = edges.windows(2).map(|pair| self.turn_s(pair[0], pair[1])).sum();
        let drive: f64 = edges.iter().map(|&edge| whole(edge)).sum();
        drive + turns - whole(from.edge) * share(from) - whole(to.edge) * (1.0 - share(to))
    }

    /// Least cost by trying everything in order of cost.
    pub(super) fn least_s(&self, from: Place, to: Place) -> Option<f64> {
        let share = |place: Place| place.offset_m / self.road.length_m(place.edge);
        if from.edge == to.edge && to.offset_m >= from.offset_m {
            return Some(self.road.free_s(from.edge) * (share(to) - share(from)));
        }
        let mut best = f64::INFINITY;
        let mut settled = BTreeSet::new();
        let mut open = BTreeSet::new();
        let start = self.road.free_s(from.edge) * (1.0 - share(from));
        open.insert((start.to_bits(), vec![from.edge]));
        while let Some((bits, past)) = open.pop_first() {
            let so_far = f64::from_bits(bits);
            if so_far >= best {
                break;
            }
            if !settled.insert(past.clone()) {
                continue;
            }
            let last = past[past.len() - 1];
            for next in self.road.outgoing(self.road.head(last)) {
                let usable = self.road.access(next).has(Profile::Van);
                if !usable || !self.allows(&past, next) {
                    continue;
                }
                let at_tail = so_far + self.turn_s(last, next);
                if next == to.edge {
                    best = best.min(at_tail + self.road.free_s(next) * share(to));
                }
                let mut longer = past.clone();
                longer.push(next);
                let recent = longer.split_off(longer.len().saturating_sub(PAST));
                let cost = at_tail + self.road.free_s(next);
                open.insert((cost.to_bits(), recent));
            }
        }
        best.is_finite().then_some(best)
    }
}

/// A street of the grid: what is drawn for it.
pub(super) type Drawn = (u8, u8, bool);

/// A grid of 4 × 4 junctions whose streets are drawn: missing, one-way, two-way, fast, private.
pub(super) fn town(streets: &[Drawn], rules: &[(usize, usize, u8)], barrier: Option<i64>) -> Town {
    let plane = Plane::new(Position { lng: 8.68, lat: 49.41 });
    let mut builder = RoadBuilder::new();
    for node in 0..16_i64 {
        let (x, y) = ((node % 4) as f64 * 90.0, (node / 4) as f64 * 110.0);
        builder.node(node, plane.to_position(x + y * 0.2, y));
    }
    let ends = (0..16_i64).flat_map(|node| {
        let east = (node % 4 < 3).then_some((node, node + 1));
        east.into_iter().chain((node < 12).then_some((node, node + 4)))
    });
    for ((from, to), &(kind, speed, private)) in ends.zip(streets) {
        let van = |may: bool| if may { Access::ALL } else { Access::NONE };
        let attributes = Attributes {
            speed_mps: 3.0 + f64::from(speed % 8) * 3.0,
            along: van(kind % 8 != 0 && kind % 8 != 1),
            against: van(kind % 8 > 2 || kind % 8 == 1),
            destination: private && kind % 4 == 3,
            ..Attributes::default()
        };
        builder.edge(from * 100 + to, (from, to), &[], &attributes);
    }
    let bare = builder_road(&builder);
    let restrictions = rules.iter().filter_map(|&rule| restriction(&bare, rule)).collect();
    let mut town = Town { road: bare, restrictions, barriers: barrier.into_iter().collect() };
    for restriction in &town.restrictions {
        builder.restriction(restriction.clone());
    }
    if let Some(node) = barrier {
        builder.barrier(node, Access::MOTOR);
    }
    town.road = builder.finish().unwrap();
    town
}

fn builder_road(builder: &RoadBuilder) -> Road {
    builder.clone().finish().unwrap()
}

/// A restriction along a walk through the town that begins at a drawn edge.
fn restriction(road: &Road, (start, steps, kind): (usize, usize, u8)) -> Option<Restriction> {
    let mut walk = vec![EdgeId((start % road.edges().max(1)) as u32)];
    for step in 0..=usize::from(kind % 3) {
        let last = *walk.last()?;
        let onward: Vec<EdgeId> = road
            .outgoing(road.head(last))
            .filter(|&to| road.reverse(last) != Some(to) && !walk.contains(&to))
            .collect();
        walk.push(*onward.get((steps >> (2 * step)) % onward.len().max(1))?);
    }
    let ways: Vec<i64> = walk.iter().map(|&edge| road.osm(edge).0).collect();
    let unique: BTreeSet<_> = ways.iter().collect();
    if unique.len() != ways.len() {
        return None;
    }
    let last = ways.len() - 1;
    let via =
        if last == 1 { Via::Node(road.osm(walk[0]).2) } else { Via::Ways(ways[1..last].to_vec()) };
    Some(Restriction {
        from: vec![ways[0]],
        via,
        to: vec![ways[last]],
        only: kind & 4 != 0,
        turn_back: false,
        binds: if kind & 0x18 == 0x18 { Profile::Truck.into() } else { Access::MOTOR },
    })
}

pub(super) fn place(road: &Road, draw: (usize, f64)) -> Place {
    let edge = EdgeId((draw.0 % road.edges()) as u32);
    Place { edge, offset_m: road.length_m(edge) * draw.1 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The router's way costs what the oracle's costs, and keeps every restriction.
    #[test]
    fn no_way_is_quicker_and_none_is_forbidden(
        streets in proptest::collection::vec(any::<Drawn>(), 24),
        rules in proptest::collection::vec((any::<usize>(), any::<usize>(), 0_u8..32), 0..14),
        barrier in proptest::option::weighted(0.3, 0_i64..16),
        asked in proptest::collection::vec(((any::<usize>(), 0.0_f64..1.0), (any::<usize>(), 0.0_f64..1.0)), 6),
    ) {
        let town = town(&streets, &rules, barrier);
        let road = &town.road;
        prop_assume!(road.edges() > 0);
        let mut router = Router::new();
        let mut times = Vec::new();
        for (from, to) in asked {
            let (from, to) = (place(road, from), place(road, to));
            let least = town.least_s(from, to);
            let found = router.route(road, from, to, Profile::Van);
            prop_assert_eq!(least.is_some(), found.is_some());
            let (Some(least), Some(found)) = (least, found) else { continue };
            let cost = town.cost_s(from, to, &found.edges);
            prop_assert!((cost - least).abs() < 1e-6, "{} for {} of {:?}", cost, least, found);
            for end in 1..found.edges.len() {
                let past = &found.edges[end.saturating_sub(PAST)..end];
                prop_assert!(town.allows(past, found.edges[end]), "{:?}", found);
            }
            let unhindered = found.edges.windows(2).all(|pair| {
                town.turn_s(pair[0], pair[1]) < DESTINATION_S
            });
            prop_assert!(!unhindered || (found.seconds - least).abs() < 1e-6);
            router.times(road, from, &[from, to], (Profile::Van, f64::INFINITY), &mut times);
            prop_assert!((times[1].unwrap() - found.seconds).abs() < 1e-6 || !unhindered);
        }
    }

    /// The nearest of some places is the one the oracle finds nearest, wherever they lie.
    #[test]
    fn the_nearest_of_some_places_is_reached(
        streets in proptest::collection::vec(any::<Drawn>(), 24),
        rules in proptest::collection::vec((any::<usize>(), any::<usize>(), 0_u8..32), 0..14),
        from in (any::<usize>(), 0.0_f64..1.0),
        to in proptest::collection::vec((any::<usize>(), 0.0_f64..1.0), 0..5),
    ) {
        let town = town(&streets, &rules, None);
        let road = &town.road;
        prop_assume!(road.edges() > 0);
        let from = place(road, from);
        let to: Vec<Place> = to.into_iter().map(|draw| place(road, draw)).collect();
        let (mut router, mut times) = (Router::new(), Vec::new());
        router.times(road, from, &to, (Profile::Van, f64::INFINITY), &mut times);
        for (index, (time, to)) in times.iter().zip(&to).enumerate() {
            let least = town.least_s(from, *to);
            prop_assert_eq!(time.is_some(), least.is_some());
            let mut edges = Vec::new();
            router.edges_to(road, index, &mut edges);
            if let Some(least) = least {
                let cost = town.cost_s(from, *to, &edges);
                prop_assert!((cost - least).abs() < 1e-6, "{} for {} of {:?}", cost, least, edges);
            }
        }
        let found = router.route_to_nearest(road, from, &to, Profile::Van);
        let least = to.iter().filter_map(|place| town.least_s(from, *place)).reduce(f64::min);
        prop_assert_eq!(least.is_some(), found.is_some());
        if let (Some(least), Some((nearest, path))) = (least, found) {
            let cost = town.cost_s(from, to[nearest], &path.edges);
            prop_assert!((cost - least).abs() < 1e-6, "{} for {} of {:?}", cost, least, path);
        }
    }

    /// A search from several starts finds for every target what the best single start finds.
    #[test]
    fn several_starts_are_as_good_as_the_best_of_them(
        streets in proptest::collection::vec(any::<Drawn>(), 24),
        rules in proptest::collection::vec((any::<usize>(), any::<usize>(), 0_u8..32), 0..10),
        draws in proptest::collection::vec((any::<usize>(), 0.0_f64..1.0, 0.0_f64..30.0), 1..5),
        limit in 0.0_f64..200.0,
    ) {
        let town = town(&streets, &rules, None);
        let road = &town.road;
        prop_assume!(road.edges() > 0);
        let mut starts: Vec<(Place, f64)> =
            draws.into_iter().map(|(n, at, cost)| (place(road, (n, at)), cost)).collect();
        starts.sort_by_key(|start| start.0.edge);
        starts.dedup_by_key(|start| start.0.edge);
        let targets: Vec<Place> =
            (0..road.edges()).map(|edge| place(road, (edge, 0.37))).collect();
        let handicaps = vec![0.0; targets.len()];
        let (mut router, mut all, mut one) = (Router::new(), Vec::new(), Vec::new());
        let turns = Turns { corner_s: 4.0, back_s: 9.0 };
        let mut reach = |starts: &[(Place, f64)], (limit_s, beam_s, limit_m), out: &mut Vec<_>| {
            let bounds = Bounds { limit_s, beam_s, limit_m };
            let around = (road.point_at(targets[0]).0, 1e6);
            router.reach_from_all(road, turns, starts, (&targets, &handicaps), around, bounds, out);
        };
        let mut least = vec![f64::INFINITY; targets.len()];
        for start in &starts {
            reach(&[*start], (f64::INFINITY, f64::INFINITY, f64::INFINITY), &mut one);
            for (least, joined) in least.iter_mut().zip(&one) {
                *least = joined.map_or(f64::INFINITY, |j| j.cost).min(*least);
            }
        }
        reach(&starts, (limit, f64::INFINITY, f64::INFINITY), &mut all);
        for (joined, least) in all.iter().zip(&least) {
            prop_assert_eq!(joined.is_some(), *least <= limit);
            prop_assert!(joined.is_none_or(|j| (j.cost - least).abs() < 1e-6));
        }
        reach(&starts, (f64::INFINITY, 20.0, f64::INFINITY), &mut all);
        let best = least.iter().copied().fold(f64::INFINITY, f64::min);
        for (joined, least) in all.iter().zip(&least) {
            let dear = *least > best + 20.0 - 1e-6 || least.is_infinite();
            prop_assert!(joined.is_some() || dear, "{} of {}", least, best);
        }
        reach(&starts, (f64::INFINITY, f64::INFINITY, f64::INFINITY), &mut one);
        reach(&starts, (f64::INFINITY, f64::INFINITY, 10.0 * limit), &mut all);
        for (joined, free) in all.iter().zip(&one) {
            // A way that is short enough is found; where the cheapest is not, so may another be.
            let short = free.is_some_and(|free| free.reached.metres <= 10.0 * limit);
            prop_assert!(!short || joined == free, "{:?} instead of {:?}", joined, free);
        }
    }
}

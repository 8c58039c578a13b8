//! Transition: whether a vehicle can have come from one place to another, and at what price.

use ingest::units::Position;

use crate::matching::candidate::{Candidate, Metres, Seen, apart_m};
use crate::matching::emission::{bent, unbent};
use crate::matching::far::{self, FAR_S};
use crate::path::{Bounds, Joined, Router, Turns};
use crate::road::plane::distance_m;
use crate::road::record::EdgeRecord;
use crate::road::{EdgeId, NodeId, Place, Profile, Road};

/// Price of turning round in the street, as the logarithm of its rarity: one in 3,000 fixes.
pub(super) const TURN_COST: f64 = 8.0;
/// Scale of metres driven beyond the straight line, at rest and per straight metre. Newson &
/// Krumm's beta, which they too let grow with the interval.
const DETOUR_M: (f64, f64) = (6.0, 0.12);
/// Beyond this many standard deviations a difference of distances costs linearly.
const LINEAR_FROM: f64 = 2.5;
/// Free-flow seconds may exceed the elapsed ones by this factor and these seconds at no price.
const LATE: (f64, f64) = (1.2, 4.0);
/// Price per second beyond, over the elapsed time's own scale.
const LATE_SCALE_S: (f64, f64) = (3.0, 0.15);

/// What a search over a short time weighs turns as: metres tell, and thirty of them turning back,
/// so that short noise does not look like a turn and a real one stays possible.
pub(super) const TURNS: Turns = Turns { corner_s: 0.0, back_s: 2.5 };

/// No street that is searched is weighed as more seconds a metre.
pub(super) const SLOWEST_S_PER_M: f64 = 0.16;

/// Between two places on the way: metres, negative when the second lies behind the first on its
/// own edge; free-flow seconds; whether the vehicle turned round in the street.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moved {
    pub(super) metres: f64,
    pub(super) seconds: f64,
    pub(super) turned: bool,
    /// Turns back on a longer way.
    pub(super) turn_backs: u32,
}

/// Where a hypothesis stands, with what each of its transitions needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct From {
    pub(super) place: Place,
    pub(super) edge: EdgeRecord,
    pub(super) length_m: f64,
    /// Where that is on the fix's plane, metres.
    pub(super) at: Metres,
    /// And where its edge ends.
    pub(super) head_at: Metres,
    pub(super) variance: f64,
    /// Standard deviation of the metres travelled less those from here to a candidate, metres.
    pub(super) deviation_m: f64,
}

impl From {
    /// A hypothesis at a place whose offset has this variance.
    pub(super) fn new(road: &Road, seen: &Seen, (place, variance): (Place, f64)) -> Self {
        let edge = road.edge(place.edge);
        let length_m = edge.length_m();
        let place = Place { offset_m: place.offset_m.min(length_m), ..place };
        let (travelled_spread, weight) =
            (seen.travelled.1, if seen.by_speed { seen.weight } else { 1.0 });
        let noise = seen.sigma_m * seen.sigma_m / weight;
        Self {
            place,
            edge,
            length_m,
            at: seen.plane.to_metres(road.step_at(&edge, place.offset_m).0),
            head_at: seen.plane.e7_to_metres(road.node_e7(edge.head)),
            variance,
            deviation_m: (travelled_spread * travelled_spread + variance + noise).sqrt(),
        }
    }
}

/// A hypothesis by its number in [`Routed::froms`], a candidate, and what a way from one to the
/// other scores at least.
pub(super) type Pair = (usize, usize, f64);

/// Buffers of the router's questions, reused.
#[derive(Debug, Default)]
pub(super) struct Routed {
    pub(super) pairs: Vec<Pair>,
    pub(super) asked: Vec<usize>,
    pub(super) froms: Vec<(usize, From)>,
    pub(super) starts: Vec<(Place, f64)>,
    pub(super) targets: Vec<Place>,
    pub(super) handicaps: Vec<f64>,
    pub(super) reached: Vec<Option<Joined>>,
}

impl Routed {
    /// The ways from `from` to `targets`, all of them around `at`, of at most `limit_m` metres.
    pub(super) fn ask(
        &mut self,
        (road, router): (&Road, &mut Router),
        from: Place,
        around: (Position, f64),
        (limit_m, turns): (f64, Turns),
    ) {
        self.reached.clear();
        if self.targets.is_empty() {
            return;
        }
        self.handicaps.clear();
        self.handicaps.resize(self.targets.len(), 0.0);
        router.reach_from_all(
            road,
            turns,
            &[(from, 0.0)],
            (&self.targets, &self.handicaps),
            around,
            Bounds { limit_s: limit_m * SLOWEST_S_PER_M, beam_s: f64::INFINITY, limit_m },
            &mut self.reached,
        );
        for joined in &mut self.reached {
            *joined = joined.filter(|j| j.reached.metres <= limit_m);
        }
    }
}

/// The same edge, the next edge, or the same street the other way: no search needed.
pub(super) fn direct(road: &Road, from: &From, to: &Candidate) -> Option<Moved> {
    let at = from.place.offset_m;
    if to.edge == from.place.edge {
        let metres = to.offset_m - at;
        return Some(Moved { metres, seconds: 0.0, turned: false, turn_backs: 0 });
    }
    if to.reverse == Some(from.place.edge) {
        // Ahead: it drove on and turned there. Behind: it turned at once and drove back.
        let metres = (to.length_m - to.offset_m - at).abs();
        return Some(Moved { metres, seconds: 0.0, turned: true, turn_backs: 0 });
    }
    let state = from.place.edge.0;
    let next = to.tail == NodeId(from.edge.head)
        && road.turn_from(&from.edge, state, to.edge, Profile::Van).is_some();
    next.then_some(Moved {
        metres: from.length_m - at + to.offset_m,
        seconds: 0.0,
        turned: false,
        turn_backs: 0,
    })
}

/// The least metres a path to `to` can have, if they are no more than `limit_m`.
pub(super) fn bound_m(from: &From, to: &Candidate, limit_m: f64) -> Option<f64> {
    let on_edges = from.length_m - from.place.offset_m + to.offset_m;
    let (x, y) = (to.tail_at.0 - from.head_at.0, to.tail_at.1 - from.head_at.1);
    let (left, square) = (limit_m - on_edges, x * x + y * y);
    // Most are too far, which takes no root to tell.
    (left >= 0.0 && square <= left * left).then(|| on_edges + square.sqrt())
}

/// How far a search goes before it gives up, metres.
pub(super) fn limit_m(seen: &Seen) -> f64 {
    let (travelled, spread) = seen.travelled;
    let by_distance = (travelled + 3.5 * spread).max(1.5 * seen.straight_m);
    by_distance + 5.0 * seen.sigma_m + 40.0
}

/// Price of having moved so: negative logarithm, up to a constant.
pub(super) fn cost(seen: &Seen, from: &From, to: &Candidate, moved: &Moved) -> f64 {
    let mut cost = bent((moved.metres - seen.travelled.0) / from.deviation_m, LINEAR_FROM);
    cost += TURN_COST * f64::from(moved.turn_backs);
    if moved.turned {
        return cost + TURN_COST;
    }
    if to.edge == from.place.edge {
        return cost;
    }
    cost += detour(from, to, moved.metres);
    let late = moved.seconds - LATE.0 * seen.elapsed_s - LATE.1;
    if late > 0.0 {
        cost += late / (LATE_SCALE_S.0 + LATE_SCALE_S.1 * seen.elapsed_s);
    }
    cost
}

/// The least [`cost`] of a way to another edge that has at least so many metres.
pub(super) fn least_cost(seen: &Seen, from: &From, to: &Candidate, metres: f64) -> f64 {
    let further = (metres - seen.travelled.0).max(0.0);
    bent(further / from.deviation_m, LINEAR_FROM) + detour(from, to, metres)
}

/// No way to another edge that has more metres is priced less.
pub(super) fn most_m(seen: &Seen, from: &From, to: &Candidate, price: f64) -> f64 {
    let by_distance = seen.travelled.0 + from.deviation_m * unbent(price, LINEAR_FROM);
    let straight = apart_m(from.at, to.at);
    let by_detour = straight + price * (DETOUR_M.0 + DETOUR_M.1 * straight);
    by_distance.min(by_detour)
}

/// Price of the metres beyond the straight line.
fn detour(from: &From, to: &Candidate, metres: f64) -> f64 {
    let straight = apart_m(from.at, to.at);
    (metres - straight).max(0.0) / (DETOUR_M.0 + DETOUR_M.1 * straight)
}

/// The edges from `from`'s edge (left out) to `to`'s (included) into `out`, as [`direct`] or the
/// router had them for a step of so many seconds; returns the metres between, `None` when no path is known.
pub(super) fn path_between(
    road: &Road,
    router: &mut Router,
    routed: &mut Routed,
    (from, to, elapsed_s): (Place, Place, f64),
    out: &mut Vec<EdgeId>,
) -> Option<f64> {
    out.clear();
    if from.edge == to.edge {
        return Some((to.offset_m - from.offset_m).max(0.0));
    }
    out.push(to.edge);
    let length = road.length_m(from.edge);
    if road.reverse(from.edge) == Some(to.edge) {
        return Some((road.length_m(to.edge) - to.offset_m - from.offset_m).abs());
    }
    if road.tail(to.edge) == road.head(from.edge) && road.turn_allowed(from.edge, to.edge) {
        return Some(length - from.offset_m + to.offset_m);
    }
    out.clear();
    routed.targets.clear();
    routed.targets.push(to);
    let (start, end) = (road.position_at(from), road.position_at(to));
    if distance_m(start, end) < super::online::BRIDGE_M {
        let turns = if elapsed_s < FAR_S { TURNS } else { far::TURNS };
        let limit_m = super::online::BRIDGE_M * 2.0;
        routed.ask((road, &mut *router), from, (end, 0.0), (limit_m, turns));
        if let Some(Some(joined)) = routed.reached.first() {
            router.edges_to(road, 0, out);
            if out.first() == Some(&from.edge) {
                out.remove(0);
            }
            return Some(joined.reached.metres);
        }
    }
    let path = router.route(road, from, to, Profile::Van)?;
    out.clear();
    out.extend(path.edges.iter().skip(1));
    Some(path.metres)
}

//! Candidates: the places on nearby edges that a fix may belong to.

use ingest::time::Timestamp;
use ingest::units::Position;

use crate::matching::emission;
use crate::road::plane::Plane;
use crate::road::{EdgeId, Near, NodeId, Place, Profile, Road};

/// Most edges looked at for a fix of ordinary accuracy: both directions of eight streets.
const NEAR_LEAST: usize = 16;
/// Most edges looked at for the worst accuracy.
const NEAR_MOST: usize = 40;
/// Most edges whose price is worked out.
const NEAR_READ: usize = 400;
/// Search radius in standard deviations; beyond lies one fix in a thousand.
const RADIUS_SIGMAS: f64 = 3.5;
/// Added to the radius, metres: a road's drawn line is this far from where it is driven.
const RADIUS_ROAD_M: f64 = 12.0;
/// Bounds of the search radius, metres.
const RADIUS_M: (f64, f64) = (30.0, 180.0);

/// Metres east and north of a fix.
pub(super) type Metres = (f64, f64);

/// Metres between two places on one plane.
pub(super) fn apart_m(a: Metres, b: Metres) -> f64 {
    let (x, y) = (b.0 - a.0, b.1 - a.1);
    (x * x + y * y).sqrt()
}

/// A fix as the model sees it: its own errors and what moved since the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) position: Position,
    pub(super) time: Timestamp,
    pub(super) speed_mps: Option<f64>,
    pub(super) heading: Option<f64>,
    /// Standard deviation of one axis, metres.
    pub(super) sigma_m: f64,
    /// The same for a search: what its multiples do not hold is unlikely.
    pub(super) reach_m: f64,
    /// How much of an independent observation it is, 0 to 1.
    pub(super) weight: f64,
    /// Seconds since the last accepted fix.
    pub(super) elapsed_s: f64,
    /// Straight metres from the last accepted fix.
    pub(super) straight_m: f64,
    /// Metres travelled since then and their standard deviation.
    pub(super) travelled: (f64, f64),
    /// Whether `travelled` comes from reported speeds, so independent of the positions.
    pub(super) by_speed: bool,
    /// A plane around the fix.
    pub(super) plane: Plane,
    /// Where the last accepted fix was on it.
    pub(super) before_at: Metres,
}

/// A place that a fix may belong to, and the price of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) edge: EdgeId,
    pub(super) offset_m: f64,
    pub(super) length_m: f64,
    pub(super) tail: NodeId,
    pub(super) reverse: Option<EdgeId>,
    /// Where it is on the fix's plane, and where its edge begins.
    pub(super) at: Metres,
    pub(super) tail_at: Metres,
    pub(super) distance_m: f64,
    /// Negative logarithm of the emission probability, up to a constant.
    pub(super) cost: f64,
    /// The part of it that does not come from the distance.
    pub(super) beside: f64,
}

impl Candidate {
    pub(super) fn place(&self) -> Place {
        Place { edge: self.edge, offset_m: self.offset_m }
    }
}

/// Fills `out` with the places near a fix: nearest first, or, where there are more than are
/// looked at, likeliest first.
pub(super) fn collect(road: &Road, seen: &Seen, near: &mut Vec<Near>, out: &mut Vec<Candidate>) {
    let radius = (RADIUS_SIGMAS * seen.reach_m + RADIUS_ROAD_M).clamp(RADIUS_M.0, RADIUS_M.1);
    let max = ((seen.reach_m * 1.6) as usize).clamp(NEAR_LEAST, NEAR_MOST);
    road.near_on(&seen.plane, radius, Profile::Van.into(), near);
    near.truncate(NEAR_READ);
    out.clear();
    out.extend(near.iter().map(|n| {
        let edge = road.edge(n.place.edge);
        let beside = emission::beside(&edge, seen, n);
        Candidate {
            edge: n.place.edge,
            offset_m: n.place.offset_m,
            length_m: edge.length_m(),
            tail: NodeId(edge.tail),
            reverse: road.reverse_of(&edge),
            at: seen.plane.to_metres(n.position),
            tail_at: seen.plane.e7_to_metres(road.node_e7(edge.tail)),
            distance_m: n.distance_m,
            cost: emission::by_distance(seen, n) + beside,
            beside,
        }
    }));
    if out.len() > max {
        out.sort_unstable_by(|a, b| a.cost.total_cmp(&b.cost).then(a.edge.cmp(&b.edge)));
        out.truncate(max);
    }
}

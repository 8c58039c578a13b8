//! What an edge and a turn cost a search.

use ingest::units::Position;

use crate::road::plane::{METRES_PER_DEGREE, shorter_way};
use crate::road::record::{AGAINST, EdgeRecord};
use crate::road::{Class, EdgeId, Link, Place, Profile, Road};

use super::{BOARDING_S, DESTINATION_S};

/// Seconds are compared in whole steps of this, a power of two: sums of less than 272 years are
/// exact in any order, so all algorithms find the same least cost.
pub(super) const TICK_S: f64 = 1.0 / 1_048_576.0;

/// Seconds as they are compared: the next whole step, so never less than the straight line.
pub(super) fn compared(seconds: f64) -> f64 {
    (seconds / TICK_S).ceil() * TICK_S
}

/// What a search minimises. Costs are finite and not negative.
pub(super) trait Cost {
    /// Who drives.
    fn profile(&self) -> Profile;
    /// The whole edge from tail to head.
    fn edge(&self, edge: EdgeId, record: &EdgeRecord) -> f64;
    /// A share of an edge that costs `whole`.
    fn piece(&self, whole: f64, share: f64) -> f64 {
        whole * share
    }
    /// Going over from one edge to the next.
    fn turn(&self, from: &EdgeRecord, to: &EdgeRecord) -> f64;
    /// At most what is left from a node to the goal; consistent along edges.
    fn bound(&self, road: &Road, node: u32) -> f64;
}

/// Seconds at free flow, with what discourages a way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds {
    profile: Profile,
    goal: Option<Goal>,
}

/// Where a search goes, and seconds per 1e-7 degree at the fastest speed on the map.
#[derive(Debug, Clone, Copy)]
struct Goal {
    lng: i32,
    lat: i32,
    per_lng: f64,
    per_lat: f64,
    /// Other places it goes to lie at most so many seconds of straight line away.
    spread_s: f64,
}

impl Goal {
    /// Seconds of straight line to here from a node's position, 1e-7 degrees.
    fn away_s(&self, (lng, lat): (i32, i32)) -> f64 {
        let east = (i64::from(lng) - i64::from(self.lng)).unsigned_abs();
        let east = east.min(3_600_000_000_u64.saturating_sub(east)) as f64 * self.per_lng;
        let north = (f64::from(lat) - f64::from(self.lat)) * self.per_lat;
        (east * east + north * north).sqrt()
    }
}

impl Seconds {
    /// In every direction.
    pub(super) fn anywhere(profile: Profile) -> Self {
        Self { profile, goal: None }
    }

    /// Towards the nearest of some places, which lie close together.
    pub(super) fn towards(road: &Road, to: &[Place], profile: Profile) -> Self {
        let tail = |place: &Place| road.node_e7(road.edge(place.edge).tail);
        let Some((lng, lat)) = to.first().map(tail) else { return Self::anywhere(profile) };
        let summary = road.summary();
        // A hair less than the true bound, for what rounding may add.
        let pace = (1.0 - 1e-9) * 1e-7 / summary.fastest_mps(profile);
        let per_lng = summary.least_metres_per_lng() * pace;
        let per_lat = METRES_PER_DEGREE * pace;
        let mut goal = Goal { lng, lat, per_lng, per_lat, spread_s: 0.0 };
        goal.spread_s = to.iter().map(|place| goal.away_s(tail(place))).fold(0.0, f64::max);
        Self { profile, goal: Some(goal) }
    }

    /// Seconds that really pass between two edges: turning round, boarding.
    pub(super) fn between(self, from: &EdgeRecord, to: &EdgeRecord) -> f64 {
        let mut seconds = 0.0;
        if from.turns_back(to) {
            seconds += self.profile.turn_back_s();
        }
        if to.class() == Class::Ferry && from.class() != Class::Ferry {
            seconds += BOARDING_S;
        }
        seconds
    }
}

impl Cost for Seconds {
    fn profile(&self) -> Profile {
        self.profile
    }

    fn edge(&self, _edge: EdgeId, record: &EdgeRecord) -> f64 {
        compared(record.seconds(self.profile))
    }

    fn piece(&self, whole: f64, share: f64) -> f64 {
        (whole * share / TICK_S).round() * TICK_S
    }

    fn turn(&self, from: &EdgeRecord, to: &EdgeRecord) -> f64 {
        let enters =
            to.is_destination_only(self.profile) && !from.is_destination_only(self.profile);
        self.between(from, to) + if enters { DESTINATION_S } else { 0.0 }
    }

    fn bound(&self, road: &Road, node: u32) -> f64 {
        let Some(goal) = self.goal else { return 0.0 };
        (goal.away_s(road.node_e7(node)) - goal.spread_s).max(0.0)
    }
}

/// What drivers weigh when they choose a short way: seconds at free flow and metres mixed, so
/// that a quick way is liked and a detour on quick roads is not liked too much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habit<'a> {
    road: &'a Road,
    turns: Turns,
    goal: Position,
    per_lng: f64,
    radius_m: f64,
    /// The least cost of a metre anywhere.
    pace: f64,
}

/// The share of metres in [`Habit`].
const HABIT_METRES: f64 = 0.5;
/// Seconds that a metre counts as in that share: the pace of a town's streets.
const HABIT_S_PER_M: f64 = 1.0 / 12.0;

/// Straight on into another road counts as this share of a corner: a junction is crossed.
const STRAIGHT_SHARE: f64 = 0.2;

/// Seconds that turns are weighed as, in [`super::Router::reach_from_all`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turns {
    /// A right angle into another road; less for less, a fifth straight on.
    pub corner_s: f64,
    /// Turning back in the street.
    pub back_s: f64,
}

impl<'a> Habit<'a> {
    /// Towards all that lies within `radius_m` of `goal`.
    pub(super) fn towards(road: &'a Road, (goal, radius_m): (Position, f64), turns: Turns) -> Self {
        let fastest = road.summary().fastest_mps(Profile::Van);
        let pace = HABIT_METRES * HABIT_S_PER_M + (1.0 - HABIT_METRES) / fastest;
        let per_lng = METRES_PER_DEGREE * libm::cos(goal.lat.to_radians());
        Self { road, turns, goal, per_lng, radius_m, pace }
    }

    /// What an edge is weighed as, from tail to head.
    pub(super) fn edge(link: &Link) -> f64 {
        mixed(link.length_m, link.van_s)
    }

    /// What going over from one edge to the next is.
    pub(super) fn turn(&self, from: &Link, to: &Link) -> f64 {
        if from.street ^ to.street == AGAINST {
            self.turns.back_s
        } else if from.same_way(to) || self.turns.corner_s == 0.0 {
            0.0
        } else {
            let bend = 1.0 - self.road.straight_on(from.street, to.street);
            self.turns.corner_s * bend.clamp(STRAIGHT_SHARE, 1.0)
        }
    }

    /// At most what is left from a place to the goal, consistent along edges; and the metres of
    /// straight line that this stands for at least.
    pub(super) fn bound(&self, (lng, lat): (i32, i32)) -> (f64, f64) {
        let at = Position::from_e7(lng, lat);
        let x = shorter_way(at.lng - self.goal.lng) * self.per_lng;
        let y = (at.lat - self.goal.lat) * METRES_PER_DEGREE;
        // A hair less, for the plane is not exact.
        let away = ((x * x + y * y).sqrt() * 0.999 - self.radius_m).max(0.0);
        (away * self.pace, away)
    }
}

/// Seconds that drivers weigh the whole edge as, in [`super::Router::reach_from_all`].
pub fn weighed_s(road: &Road, edge: EdgeId) -> f64 {
    let record = road.edge(edge);
    mixed(record.length_m(), record.seconds(Profile::Van))
}

fn mixed(metres: f64, seconds: f64) -> f64 {
    HABIT_METRES * (metres * HABIT_S_PER_M) + (1.0 - HABIT_METRES) * seconds
}

//! Driving times between the places an order of stops is made of.

use crate::path::{Router, Traffic};
use crate::road::{Place, Road};

use super::order::REORDER_MAX;

/// What a leg counts that cannot be driven, or takes longer: a day. Finite, so that of two
/// orders with such a leg the better one still wins.
const UNREACHABLE_S: f64 = 86_400.0;

/// Driving seconds among the vehicle, the next [`REORDER_MAX`] stops and the one after them,
/// and along the stops behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Legs {
    stops: usize,
    /// Row: vehicle, then each stop that may be reordered. Column: each of those stops, then
    /// the first of the rest.
    between: Vec<f64>,
    /// From each stop of the rest to the next.
    rest: Vec<f64>,
}

impl Legs {
    /// Asks `seconds(from, to)` for each leg needed; 0 is the vehicle, `i + 1` is stop `i` of
    /// `stops` remaining ones. What is not finite, negative or beyond a day counts as a day.
    pub fn from_fn(stops: usize, mut seconds: impl FnMut(usize, usize) -> f64) -> Self {
        let free = stops.min(REORDER_MAX);
        let mut between = Vec::with_capacity((free + 1) * (free + 1));
        for from in 0..=free {
            for to in 1..=free + 1 {
                let needed = from != to && to <= stops;
                between.push(if needed { sane(seconds(from, to)) } else { 0.0 });
            }
        }
        let rest = (free + 1..stops).map(|from| sane(seconds(from, from + 1))).collect();
        Self { stops, between, rest }
    }

    /// The legs of a van on the road as it is now, each multiplied by `factor` (1 for free flow,
    /// more on a slow day). `here` is the vehicle, `stops` the remaining stops in present order.
    pub fn on_road(
        (road, traffic, router): (&Road, &Traffic, &mut Router),
        here: Place,
        stops: &[Place],
        factor: f64,
    ) -> Self {
        let free = stops.len().min(REORDER_MAX);
        let mut rows: Vec<Vec<Option<f64>>> = Vec::with_capacity(stops.len());
        let mut row = Vec::new();
        for from in 0..stops.len() {
            let at = if from == 0 { here } else { stops[from - 1] };
            let targets = if from <= free {
                &stops[..(free + 1).min(stops.len())]
            } else {
                &stops[from..=from]
            };
            router.times_under(road, traffic, (at, targets), UNREACHABLE_S, &mut row);
            rows.push(row.clone());
        }
        if free == stops.len() && free > 0 {
            let ends = (stops[free - 1], stops);
            router.times_under(road, traffic, ends, UNREACHABLE_S, &mut row);
            rows.push(row.clone());
        }
        Self::from_fn(stops.len(), |from, to| {
            let column = if from <= free { to - 1 } else { 0 };
            let known = rows.get(from).and_then(|row| row.get(column)).copied().flatten();
            known.map_or(UNREACHABLE_S, |seconds| seconds * factor)
        })
    }

    /// How many stops remain.
    pub fn stops(&self) -> usize {
        self.stops
    }

    /// How many of them may change places.
    pub(super) fn free(&self) -> usize {
        self.stops.min(REORDER_MAX)
    }

    /// From the vehicle (0) or stop `from - 1` to stop `to`, which may be the first of the rest.
    pub(super) fn between(&self, from: usize, to: usize) -> f64 {
        self.between[from * (self.free() + 1) + to]
    }

    /// From stop `from` of the rest (counted from the first stop) to the next.
    pub(super) fn onward(&self, from: usize) -> f64 {
        self.rest[from - self.free()]
    }
}

fn sane(seconds: f64) -> f64 {
    if (0.0..=UNREACHABLE_S).contains(&seconds) { seconds } else { UNREACHABLE_S }
}

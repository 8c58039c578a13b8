//! How much a way bends where one edge goes over into the next.

use super::record::{AGAINST, EdgeRecord};
use super::{Road, plane};

/// A street's direction at its end is that to the first point so many metres away,
const DIRECTION_M: f64 = 10.0;
/// or to the last of so many points.
const DIRECTION_POINTS: usize = 6;

impl Road {
    /// The cosine of the change of direction where one edge goes over into the next: 1 straight
    /// on, 0 round a corner, -1 back.
    pub(crate) fn straight_on(&self, from: &EdgeRecord, to: &EdgeRecord) -> f64 {
        let (x, y) = self.direction_at_end(from.street ^ AGAINST);
        let (u, v) = self.direction_at_end(to.street);
        // Both lead away from the junction.
        let lengths = ((x * x + y * y) * (u * u + v * v)).sqrt();
        if lengths > 0.0 { -(x * u + y * v) / lengths } else { 1.0 }
    }

    /// From the first point of a street, or the last where the top bit is set, to another some
    /// way along it: metres east and north.
    fn direction_at_end(&self, street: u32) -> (f64, f64) {
        let points = self.street(street & !AGAINST).1;
        let (first, last) = (points.start, points.end.saturating_sub(1));
        let against = street & AGAINST != 0;
        let nth = |step: usize| self.point(if against { last - step } else { first + step });
        let (start, mut away) = (nth(0), (0.0, 0.0));
        for step in 1..=last.saturating_sub(first).min(DIRECTION_POINTS) {
            away = plane::span(start, nth(step));
            if away.0 * away.0 + away.1 * away.1 > DIRECTION_M * DIRECTION_M {
                break;
            }
        }
        away
    }
}

//! What if: the rest of a day driven in another order from some moment on.

use engine::road::Place;

use super::Van;
use super::journey::{Driver, Journey};
use super::shift::quickest;

/// How the rest of a day went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Sum over the stops of the time that service began after its window closed, seconds.
    pub late_s: f64,
    /// When the last stop was left, seconds since the simulation's start.
    pub end_s: f64,
}

impl Outcome {
    /// Seconds of lateness and work that this outcome saves against another.
    pub fn gain_over(&self, other: &Self) -> f64 {
        other.late_s + other.end_s - self.late_s - self.end_s
    }
}

/// How late a service that begins then is for a stop, seconds.
fn late_s(window: Option<(f64, f64)>, service_s: f64) -> f64 {
    window.map_or(0.0, |w| (service_s - w.1).max(0.0))
}

/// The rest of the day as it really was, from the first stop not yet reached at that time.
pub fn as_driven(van: &Van, at_s: f64) -> Option<Outcome> {
    let pairs = van.shift.visits.iter().zip(&van.journey.visits);
    let rest = pairs.filter(|(_, visit)| visit.arrived_s > at_s);
    let late = rest.map(|(planned, visit)| late_s(planned.window, visit.service_s)).sum();
    van.journey.visits.last().map(|last| Outcome { late_s: late, end_s: last.departed_s })
}

impl Driver<'_> {
    /// The rest of the day with these stops (indices into the route) in this order, from where
    /// the vehicle truly is, each leg by the quickest way, through the same traffic, and with
    /// the same time at each door. `None` where no way leads.
    pub fn redrive(&mut self, van: &Van, at_s: f64, order: &[usize]) -> Option<Outcome> {
        let visits = &van.journey.visits;
        let standing = visits.iter().find(|v| v.arrived_s <= at_s && v.departed_s > at_s);
        let mut now = standing.map_or(at_s, |v| v.departed_s);
        let mut from: Place = van.journey.at(self.road, now).place;
        let mut journey = Journey::starting(self.road, from, now);
        let mut late = 0.0;
        for stop in order {
            let (planned, visit) = (van.shift.visits.get(*stop)?, visits.get(*stop)?);
            let (place, path) = quickest(self.road, self.router, from, planned.place)?;
            now = self.drive_path(&mut journey, &path, place, now);
            let service_s = planned.window.map_or(now, |w| w.0.max(now));
            late += late_s(planned.window, service_s);
            now = service_s + (visit.departed_s - visit.service_s);
            from = place;
        }
        Some(Outcome { late_s: late, end_s: now })
    }
}

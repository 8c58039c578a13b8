//! Arrivals found, missed and made up.

use serde::Serialize;

use super::{Seen, Truth, quantile, tenths};

/// An arrival this far from the truth, seconds, is another one.
const SAME_S: f64 = 300.0;
/// An arrival is expected to be said within this time of a run's end, seconds.
const SETTLE_S: f64 = 60.0;

/// How arrivals were found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arrivals {
    /// True arrivals up to a minute before the end.
    pub truth: usize,
    /// Those of them that were reported.
    pub found: usize,
    /// Reports that are no true arrival.
    #[serde(rename = "false")]
    pub wrong: usize,
    /// How far off the found ones are.
    pub error_s: Spread,
}

/// Absolute errors, seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    /// Half are smaller.
    pub p50: Option<f64>,
    /// Nine of ten are smaller.
    pub p90: Option<f64>,
}

/// Matches reports with the truth by vehicle and stop; the first report of a stop counts, each
/// further one is false.
pub(super) fn compare(truth: Truth<'_>, seen: &Seen) -> Arrivals {
    let mut errors = Vec::new();
    let (mut expected, mut found, mut wrong) = (0, 0, 0);
    for van in &truth.fleet.vans {
        let mut said: Vec<_> = seen.arrivals.iter().filter(|a| a.van == van.number).collect();
        said.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let mut reported = vec![None; van.journey.visits.len()];
        for arrival in said {
            match reported.get_mut(arrival.stop) {
                Some(slot @ None) => *slot = Some(arrival.at_s),
                _ => wrong += 1,
            }
        }
        for (visit, reported) in van.journey.visits.iter().zip(reported) {
            let due = visit.arrived_s <= truth.end_s - SETTLE_S;
            expected += usize::from(due);
            match reported.map(|at_s| (at_s - visit.arrived_s).abs()) {
                Some(error) if error <= SAME_S => {
                    found += usize::from(due);
                    errors.push(error);
                }
                Some(_) => wrong += 1,
                None => {}
            }
        }
    }
    let mut share = |share| quantile(&mut errors, share).map(tenths);
    let error_s = Spread { p50: share(0.5), p90: share(0.9) };
    Arrivals { truth: expected, found, wrong, error_s }
}

//! What was said, held against what was true (contract §5).
//!
//! [`seen`] is what the system said, in seconds of the simulation; [`arrival`], [`eta`],
//! [`alert`] and [`reroute`] compare it with the fleet's journeys. Nothing here is known to the system that is
//! scored, and nothing the system knows is asked of it twice.

pub mod alert;
pub mod arrival;
pub mod eta;
pub mod reroute;
pub mod seen;

use std::collections::BTreeMap;

use engine::road::Road;
use serde::Serialize;

use crate::drive::Fleet;
use crate::ledger::Ledger;
pub use seen::Seen;

/// The result, as `--score` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct Score {
    /// Arrivals found.
    pub arrivals: arrival::Arrivals,
    /// Errors of predictions by predicted horizon.
    pub eta: Vec<eta::Bucket>,
    /// Exceptions by kind.
    pub alerts: BTreeMap<&'static str, alert::Alerts>,
    /// Reroute proposals and what they are worth when driven.
    pub reroutes: reroute::Reroutes,
    /// Fixes that were sent.
    pub sent: usize,
    /// Fixes that were answered.
    pub acked: usize,
    /// Answered fixes that the outputs do not hold.
    pub lost: usize,
    /// Fixes that the outputs hold more than once.
    pub doubled: usize,
}

/// What a run is scored by.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// The map.
    pub road: &'a Road,
    /// The fleet and its journeys.
    pub fleet: &'a Fleet,
    /// Seconds from the start to the last fix.
    pub end_s: f64,
    /// Seconds between two fixes.
    pub interval_s: f64,
}

impl Score {
    /// Compares.
    pub fn of(truth: Truth<'_>, seen: &Seen, ledger: &Ledger) -> Self {
        let count = |pid| seen.positions.get(pid).copied().unwrap_or(0);
        Self {
            arrivals: arrival::compare(truth, seen),
            eta: eta::compare(truth, seen),
            alerts: alert::compare(truth, seen),
            reroutes: reroute::compare(truth, seen),
            sent: ledger.sent().len(),
            acked: ledger.acked().len(),
            lost: ledger.acked().iter().filter(|pid| count(pid) == 0).count(),
            doubled: ledger.sent().keys().filter(|pid| count(pid) > 1).count(),
        }
    }
}

/// The value below which a share of the values lies; `None` of none. Sorts them.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    values.get(libm::round(share * last as f64) as usize).copied()
}

/// One decimal, as people read seconds.
pub(crate) fn tenths(value: f64) -> f64 {
    libm::round(value * 10.0) / 10.0
}

#[cfg(test)]
mod tests;

//! Reroute proposals, driven: was the gain real?

use engine::path::Router;
use serde::Serialize;

use super::seen::Proposed;
use super::{Seen, Truth, quantile, tenths};
use crate::chance::{Chance, For};
use crate::drive::alternative::{Outcome, as_driven};
use crate::drive::ground::Ground;
use crate::drive::journey::Driver;

/// Proposals that are driven at most; more say nothing new.
const DRIVEN_MAX: usize = 500;
/// Each is driven with this many lucks at junctions.
const LUCKS: u32 = 3;

/// What proposals were worth.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Reroutes {
    /// How many were made.
    pub proposed: usize,
    /// How many of them could be driven in this world beside what the driver did.
    pub driven: usize,
    /// Those that really saved lateness and time.
    pub better: usize,
    /// Median of what was really saved, seconds.
    pub gain_s: Option<f64>,
    /// Median of what had been promised, seconds.
    pub promised_s: Option<f64>,
}

/// Drives each proposal from where its vehicle was, against what the driver did instead.
pub(super) fn compare(truth: Truth<'_>, seen: &Seen) -> Reroutes {
    let mut sum = Reroutes { proposed: seen.proposals.len(), ..Reroutes::default() };
    let Ok(ground) = Ground::new(truth.road) else { return sum };
    let mut router = Router::new();
    let (mut gains, mut promised) = (Vec::new(), Vec::new());
    for proposed in seen.proposals.iter().take(DRIVEN_MAX) {
        let gain = driven(truth, &ground, &mut router, proposed);
        if let (Some(gain), Some(proposal)) = (gain, &proposed.proposal) {
            gains.push(gain);
            promised.push(proposal.gain_s as f64);
        }
    }
    sum.driven = gains.len();
    sum.better = gains.iter().filter(|gain| **gain > 0.0).count();
    sum.gain_s = quantile(&mut gains, 0.5).map(tenths);
    sum.promised_s = quantile(&mut promised, 0.5).map(tenths);
    sum
}

fn driven(
    truth: Truth<'_>,
    ground: &Ground,
    router: &mut Router,
    proposed: &Proposed,
) -> Option<f64> {
    let van = truth.fleet.vans.get(proposed.van as usize)?;
    let index = |id: &ingest::id::StopId| van.shift.visits.iter().position(|v| v.stop == *id);
    let order: Vec<usize> =
        proposed.proposal.as_ref()?.stops.iter().map(index).collect::<Option<_>>()?;
    let left = van.journey.visits.iter().filter(|v| v.arrived_s > proposed.at_s).count();
    // A vehicle that reached a stop in the meantime cannot be compared.
    if order.len() != left {
        return None;
    }
    let base = as_driven(van, proposed.at_s)?;
    let mut sum = 0.0;
    for luck in 0..LUCKS {
        let mut driver = Driver {
            road: truth.road,
            ground,
            router,
            traffic: &truth.fleet.traffic,
            chance: Chance::new(u64::from(luck), For::Vehicle(van.number)),
        };
        let outcome: Outcome = driver.redrive(van, proposed.at_s, &order)?;
        sum += outcome.gain_over(&base);
    }
    Some(sum / f64::from(LUCKS))
}

//! Exceptions raised in time, late, twice, and for nothing.

use std::collections::BTreeMap;

use engine::alert::Policy;
use engine::model::EventKind;
use serde::Serialize;

use super::seen::Raised;
use super::{Seen, Truth};
use crate::drive::Van;
use crate::drive::journey::Trouble;

/// A window that will be missed is to be foreseen this long before it closes, seconds.
const AHEAD_S: f64 = 600.0;
/// It counts when it closes at least this long after the jam (or the day) began, seconds.
const FORESEEABLE_S: f64 = 1_200.0;
/// Anything else is to be said within this time of the truth, seconds.
const WITHIN_S: f64 = 60.0;
/// What is said this long before a deviation or after it, seconds, is about something else.
const ABOUT_S: f64 = 180.0;

/// How one kind was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Alerts {
    /// True cases that were decided before the end; of missed windows those that close at least
    /// 20 minutes after the jam, or else the day, began.
    pub truth: usize,
    /// How often it was raised.
    pub raised: usize,
    /// Raised without a true case.
    #[serde(rename = "false")]
    pub wrong: usize,
    /// True cases raised in time: a missed window 10 minutes before it closes, the others within
    /// 60 seconds.
    pub in_time: usize,
    /// Raised again for a case that was raised before.
    pub again: usize,
}

/// Every kind that has a truth.
pub(super) fn compare(truth: Truth<'_>, seen: &Seen) -> BTreeMap<&'static str, Alerts> {
    let of = |kind| seen.raised.iter().filter(move |r| r.kind == kind).collect::<Vec<_>>();
    let mut all = BTreeMap::new();
    let late = EventKind::PredictedLate;
    all.insert(late.name(), late_windows(truth, &of(late)));
    let kinds = [
        (EventKind::OffRoute, Trouble::OffRoute),
        (EventKind::LongStop, Trouble::LongStop),
        (EventKind::NoSignal, Trouble::NoSignal),
    ];
    for (kind, trouble) in kinds {
        all.insert(kind.name(), deviations(truth, trouble, &of(kind)));
    }
    all
}

fn late_windows(truth: Truth<'_>, raised: &[&Raised]) -> Alerts {
    let began = truth.fleet.traffic.jam.map_or(0.0, |jam| jam.from_s);
    let mut sum = Alerts { raised: raised.len(), ..Alerts::default() };
    for van in &truth.fleet.vans {
        for (k, (planned, visit)) in van.shift.visits.iter().zip(&van.journey.visits).enumerate() {
            let said: Vec<f64> = raised
                .iter()
                .filter(|r| r.van == van.number && r.stop == Some(k))
                .map(|r| r.at_s)
                .collect();
            sum.again += said.len().saturating_sub(1);
            let missed = planned.window.filter(|window| visit.service_s > window.1);
            let Some((_, closes)) = missed else {
                sum.wrong += said.len();
                continue;
            };
            if closes <= truth.end_s && closes >= began + FORESEEABLE_S {
                sum.truth += 1;
                sum.in_time += usize::from(said.iter().any(|at| *at <= closes - AHEAD_S));
            }
        }
    }
    sum
}

fn deviations(truth: Truth<'_>, trouble: Trouble, raised: &[&Raised]) -> Alerts {
    let mut sum = Alerts { raised: raised.len(), ..Alerts::default() };
    for van in &truth.fleet.vans {
        let mut said: Vec<f64> =
            raised.iter().filter(|r| r.van == van.number).map(|r| r.at_s).collect();
        for deviation in van.journey.deviations.iter().filter(|d| d.kind == trouble) {
            let due = due_s(truth, van, trouble, deviation.from_s);
            let about =
                |at: &f64| *at >= deviation.from_s - ABOUT_S && *at <= deviation.to_s + ABOUT_S;
            let mine: Vec<f64> = said.iter().copied().filter(about).collect();
            said.retain(|at| !about(at));
            sum.again += mine.len().saturating_sub(1);
            if due <= truth.end_s - WITHIN_S && due <= deviation.to_s {
                sum.truth += 1;
                let in_time = |at: &f64| (at - due).abs() <= WITHIN_S;
                sum.in_time += usize::from(mine.first().is_some_and(in_time));
            }
        }
        sum.wrong += said.len();
    }
    sum
}

/// When a rule with the policy's thresholds has to speak.
fn due_s(truth: Truth<'_>, van: &Van, trouble: Trouble, from_s: f64) -> f64 {
    let policy = Policy::default();
    match trouble {
        Trouble::OffRoute => from_s,
        Trouble::LongStop => from_s + policy.long_stop_s,
        Trouble::NoSignal => {
            // The last fix before it fell silent.
            let phase = libm::floor(f64::from(van.number) % truth.interval_s);
            let last = libm::floor((from_s - phase) / truth.interval_s) * truth.interval_s + phase;
            last + policy.no_signal_s.max(policy.no_signal_intervals * truth.interval_s)
        }
    }
}

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

/// So many single cases of a kind are told.
const CASES_MAX: usize = 100;

/// How one kind was raised.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
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
    /// What was not as it should be, one by one: the first hundred.
    pub cases: Vec<Case>,
}

/// Something that was not raised in time, or raised without need.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Case {
    /// Number of the vehicle.
    pub van: u32,
    /// When it was raised or should have been, seconds since the start.
    pub at_s: f64,
    /// What was wrong about it.
    pub what: Fault,
}

/// How an exception can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Never raised, or not in time.
    Missed,
    /// Nothing of the kind was true.
    False,
    /// It had been raised.
    Again,
}

impl Alerts {
    /// What was said of one true case: the first is enough.
    fn repeat(&mut self, van: u32, said: &[f64]) {
        for &at_s in said.iter().skip(1) {
            self.again += 1;
            self.note(van, at_s, Fault::Again);
        }
    }

    /// A true case, which was to be raised by or about then.
    fn expect(&mut self, van: u32, due_s: f64, in_time: bool) {
        self.truth += 1;
        self.in_time += usize::from(in_time);
        if !in_time {
            self.note(van, due_s, Fault::Missed);
        }
    }

    /// What was said of nothing.
    fn reject(&mut self, van: u32, said: &[f64]) {
        for &at_s in said {
            self.wrong += 1;
            self.note(van, at_s, Fault::False);
        }
    }

    fn note(&mut self, van: u32, at_s: f64, what: Fault) {
        if self.cases.len() < CASES_MAX {
            self.cases.push(Case { van, at_s, what });
        }
    }
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
            sum.repeat(van.number, &said);
            let missed = planned.window.filter(|window| visit.service_s > window.1);
            let Some((_, closes)) = missed else {
                sum.reject(van.number, &said);
                continue;
            };
            if closes <= truth.end_s && closes >= began + FORESEEABLE_S {
                let due = closes - AHEAD_S;
                sum.expect(van.number, due, said.iter().any(|at| *at <= due));
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
            sum.repeat(van.number, &mine);
            if due <= truth.end_s - WITHIN_S && due <= deviation.to_s {
                let in_time = |at: &f64| (at - due).abs() <= WITHIN_S;
                sum.expect(van.number, due, mine.first().is_some_and(in_time));
            }
        }
        sum.reject(van.number, &said);
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

//! What is said of a prediction: arrivals that moved, windows that will be missed, and why.

use ingest::time::Timestamp;

use crate::alert::Turn;
use crate::eta::pace::Local;
use crate::eta::predict::Arrival;
use crate::eta::quantile::Z90;
use crate::eta::travel::Stretch;
use crate::model::output::EtaTimes;
use crate::model::view::{MISS_AT_RISK, MISS_LATE};
use crate::model::{
    Body, Cause, CauseKind, EtaOutput, Event, EventKind, PlannedStop, Route, Stop, StopEta,
    StopState,
};

use super::forecast::Occasion;
use super::motion::Seen;
use super::plan::{Plan, Said};
use super::state::Step;

/// A median that moved by more than this is said, seconds.
const MOVED_S: i64 = 60;
/// A stop keeps its status until the probability is this far beyond the limit.
const STATUS_MARGIN: f64 = 0.04;
/// Less than this explains no lateness, seconds.
const EXPLAINS_S: f64 = 60.0;

impl Step<'_> {
    /// Says the stops whose arrival moved or whose state or status changed; all for a plan.
    pub(super) fn say_arrivals(
        &mut self,
        anchor: Timestamp,
        arrivals: &[Arrival],
        occasion: Occasion,
    ) {
        let Some(plan) = self.state.plans.active() else { return };
        let (route, version) = (plan.route.id.clone(), plan.route.version);
        let whole = occasion == Occasion::Plan;
        let planned = if whole { planned(&plan.route) } else { Vec::new() };
        let (mut lines, mut said) = (Vec::new(), Vec::new());
        let mut open = arrivals.iter();
        for i in 0..plan.visits.len() {
            let arrival = if plan.is_open(i) { open.next() } else { None };
            if let Some((line, now_said)) = self.line(plan, (i, anchor), arrival, whole) {
                lines.push(line);
                said.push((i, now_said));
            }
        }
        if let Some(plan) = self.state.plans.active_mut() {
            for (i, said) in said {
                plan.visits[i].said = Some(said);
            }
        }
        if whole || !lines.is_empty() {
            let eta = EtaOutput { route, version, whole, stops: lines, planned };
            self.say.body(Body::Eta(eta));
        }
    }

    /// The line of stop `i`, if there is anything to say.
    fn line(
        &self,
        plan: &Plan,
        (i, anchor): (usize, Timestamp),
        arrival: Option<&Arrival>,
        whole: bool,
    ) -> Option<(StopEta, Said)> {
        let (stop, visit) = (&plan.route.stops[i], &plan.visits[i]);
        let seconds = |after: f64| anchor.plus_seconds(after);
        let miss = arrival.zip(stop.window).map(|(a, w)| {
            let missed = 1.0 - a.time.below(w.to.seconds_since(anchor));
            (missed * 100.0).round_ties_even() as u8
        });
        let before = visit.said;
        let unchanged = before.is_some_and(|b| {
            b.state == visit.state
                && b.p50_s.is_some() == arrival.is_some()
                && !status_changed(b.miss, miss)
        });
        let stays = unchanged
            && before.and_then(|b| b.p50_s).zip(arrival).is_none_or(|(b, a)| stays(a, anchor, b));
        if !whole && stays {
            return None;
        }
        let median = arrival.map(|a| seconds(a.time.quantile(0.5, 0.0)));
        let p50_s = median.map(|t| (t.micros() + 500_000).div_euclid(1_000_000));
        let moved_s = before.and_then(|b| b.p50_s).zip(p50_s).map_or(0, |(b, p)| p - b);
        if !whole && unchanged && moved_s.abs() <= MOVED_S {
            return None;
        }
        let ledger = arrival.map(|a| self.ledger(anchor, a)).unwrap_or_default();
        let said = Said { state: visit.state, p50_s, miss, ledger };
        let causes = match before {
            _ if moved_s == 0 => Vec::new(),
            None => Vec::new(),
            Some(_) if whole => {
                vec![Cause { kind: CauseKind::Plan, seconds: moved_s, stop: None }]
            }
            Some(b) => {
                let last = self.state.journey.last_stop.as_ref();
                ledger.causes(&b.ledger, moved_s, last)
            }
        };
        let times = arrival.zip(p50_s).map(|(a, p50_s)| {
            let (p10, p90) = (a.time.quantile(0.1, -Z90), a.time.quantile(0.9, Z90));
            let p10_s = seconds(p10).micros().div_euclid(1_000_000).min(p50_s);
            let p90_s = (seconds(p90).micros() + 999_999).div_euclid(1_000_000).max(p50_s);
            EtaTimes {
                p10: Timestamp::from_seconds(p10_s),
                p50: Timestamp::from_seconds(p50_s),
                p90: Timestamp::from_seconds(p90_s),
            }
        });
        let line = StopEta {
            stop: stop.id.clone(),
            order: stop.order.clone(),
            state: visit.state,
            times,
            metres: arrival.map(|a| a.metres.round_ties_even()),
            miss: miss.map(|m| f64::from(m) / 100.0),
            moved_s,
            causes,
        };
        Some((line, said))
    }

    /// Tells the rules of windows and of arriving soon what is expected.
    pub(super) fn watch_windows(&mut self, anchor: Timestamp, arrivals: &[Arrival]) {
        let mut open = std::mem::take(&mut self.scratch.open);
        open.clear();
        open.extend(self.state.plans.active().into_iter().flat_map(Plan::open));
        for (i, arrival) in open.iter().zip(arrivals) {
            self.watch_soon(*i, anchor, arrival);
            self.watch_window(*i, anchor, arrival);
        }
        self.scratch.open = open;
    }

    fn watch_soon(&mut self, i: usize, anchor: Timestamp, arrival: &Arrival) {
        let Some(plan) = self.state.plans.active_mut() else { return };
        let visit = &mut plan.visits[i];
        if visit.state != StopState::Next || visit.soon.told {
            return;
        }
        let until = self.now.plus_seconds(self.world.policy.soon_s).seconds_since(anchor);
        if visit.soon.look(arrival.time.below(until) >= 0.5) {
            self.stop_event(i, Event::new(EventKind::ArrivingSoon, self.now));
        }
    }

    fn watch_window(&mut self, i: usize, anchor: Timestamp, arrival: &Arrival) {
        let now = self.now;
        let Some(plan) = self.state.plans.active_mut() else { return };
        let Some(window) = plan.route.stops[i].window else { return };
        let closes_s = window.to.seconds_since(anchor);
        let miss = 1.0 - arrival.time.below(closes_s);
        match plan.visits[i].late.look(&self.world.policy, (miss, closes_s), now) {
            Some(Turn::Raise) => {
                let expected = arrival.time.excess(closes_s) / miss.max(1e-6);
                let event = Event {
                    expected_late_s: Some(expected.round_ties_even() as i64),
                    probability: Some((miss * 100.0).round_ties_even() / 100.0),
                    cause: Some(self.explain()),
                    ..Event::new(EventKind::PredictedLate, now)
                };
                self.stop_event(i, event);
            }
            Some(Turn::Clear) => self.stop_event(i, Event::new(EventKind::BackOnTime, now)),
            None => {}
        }
    }

    /// Why the vehicle is behind, in words for people; the largest measured cause.
    fn explain(&self) -> String {
        let minutes = |seconds: f64| (seconds / 60.0).round_ties_even() as i64;
        let journey = &self.state.journey;
        let usual = self.world.model.travel_ratio;
        let mut causes: Vec<(f64, String)> = Vec::new();
        if let (Some(at), Some(plan)) = (journey.at, self.state.plans.active()) {
            let stop = &plan.route.stops[at.stop];
            let began = stop.window.map_or(at.arrived, |w| w.from.max(at.arrived));
            let here = self.heard_at().unwrap_or(self.now).seconds_since(began);
            let text = format!(
                "stop {} takes {} min, planned {}",
                stop.id,
                minutes(here),
                minutes(stop.service_s)
            );
            causes.push((here - stop.service_s, text));
        }
        let slow = match self.slow_street_name() {
            Some(street) => format!("slow traffic on {street}"),
            None => "slow traffic".to_owned(),
        };
        let spent = &journey.spent;
        let far = Stretch { free_s: 600.0, metres: 5000.0, ..Stretch::default() };
        let ahead = self.state.driving.extra_s(&self.world.model, 0.0, far, Local::default());
        causes.push((spent.driven - spent.driven_free * usual + ahead.max(0.0), slow));
        causes.push((spent.dwell, "visits take longer than planned".to_owned()));
        let idle = format!("stood {} min without a stop", minutes(spent.idle));
        causes.push((if journey.at_depot { 0.0 } else { spent.idle }, idle));
        if journey.at_depot {
            causes.push((spent.idle, "has not left the depot".to_owned()));
        }
        if self.state.off_route.raised {
            causes.push((EXPLAINS_S * 5.0, "off route".to_owned()));
        }
        if self.state.silence.raised {
            causes.push((f64::INFINITY, "no signal".to_owned()));
        }
        let largest = causes.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
        let measured = largest.filter(|(seconds, _)| *seconds >= EXPLAINS_S);
        measured.map_or_else(|| "cause not known".to_owned(), |(_, text)| text)
    }

    /// Long stop: the vehicle stands where it has nothing to do.
    pub(super) fn watch_standing(&mut self, seen: &Seen) {
        let journey = &self.state.journey;
        let working = self.state.plans.active().is_some_and(|p| p.open().next().is_some());
        let idle = working && journey.at.is_none() && !journey.at_depot;
        let standing = self.state.motion.halt.filter(|_| idle).map(|h| h.since);
        match self.state.long_stop.look(&self.world.policy, standing, seen.time) {
            Some(Turn::Raise) => self.event(EventKind::LongStop, self.now),
            Some(Turn::Clear) => self.event(EventKind::MovingAgain, self.now),
            None => {}
        }
    }
}

/// Whether the median is still where it was said to be, without finding it.
fn stays(arrival: &Arrival, anchor: Timestamp, said_p50_s: i64) -> bool {
    let said = Timestamp::from_seconds(said_p50_s).seconds_since(anchor);
    let margin = MOVED_S as f64 + 0.5;
    arrival.time.below(said - margin) <= 0.5 && arrival.time.below(said + margin) >= 0.5
}

/// Whether a probability (hundredths) is clearly in another class than before.
fn status_changed(before: Option<u8>, after: Option<u8>) -> bool {
    let class = |miss: f64| u8::from(miss >= MISS_AT_RISK) + u8::from(miss >= MISS_LATE);
    match (before.map(f64::from), after.map(f64::from)) {
        (Some(b), Some(a)) => {
            let (b, a) = (b / 100.0, a / 100.0);
            class(a - STATUS_MARGIN) > class(b) || class(a + STATUS_MARGIN) < class(b)
        }
        (b, a) => b.is_some() != a.is_some(),
    }
}

/// The stops as promised, for those who judge the day later.
fn planned(route: &Route) -> Vec<PlannedStop> {
    let stop = |stop: &Stop| PlannedStop {
        position: stop.position,
        window: stop.window,
        service_s: stop.service_s,
    };
    route.stops.iter().map(stop).collect()
}

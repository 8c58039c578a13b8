//! The arrivals of all open stops: when they are predicted anew, and what of it is said.

use ingest::time::Timestamp;

use crate::eta::Ledger;
use crate::eta::dwell::planned_s;
use crate::eta::predict::{Ahead, Arrival, Basis, Doing, predict};
use crate::model::StopState;

use super::journey::straight;
use super::plan::Plan;
use super::state::Step;

/// Arrivals are predicted anew this often while fixes come, seconds…
const EVERY_S: f64 = 10.0;
/// …and in silence, at first.
const SILENT_EVERY_S: f64 = 60.0;
/// Silence longer than this is one, seconds.
const SILENT_S: f64 = 45.0;
/// After this much of it nothing new is learned from more, seconds.
const SILENT_MAX_S: f64 = 7200.0;

/// Why arrivals are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// They may have moved.
    Progress,
    /// The plan is new or has changed: every stop is said.
    Plan,
}

impl Step<'_> {
    /// Predicts when the last prediction is old, or something has happened since.
    pub(super) fn forecast_when_due(&mut self, at: Timestamp) {
        let before = self.state.journey.predicted_at;
        if before.is_none_or(|b| at.seconds_since(b) >= EVERY_S) {
            self.forecast(Occasion::Progress);
        }
    }

    /// Predicts the arrival at every open stop and says what is worth saying.
    pub(super) fn forecast(&mut self, occasion: Occasion) {
        if self.state.plans.active().is_none() {
            self.state.look_at = None;
            return;
        }
        self.legs();
        self.number();
        let (anchor, silent_s) = self.anchor();
        let arrivals = self.arrivals(anchor, silent_s);
        self.say_arrivals(anchor, &arrivals, occasion);
        self.watch_windows(anchor, &arrivals);
        self.state.journey.predicted_at = Some(anchor);
        let open = !arrivals.is_empty();
        let leaves_s = arrivals.first().map_or(0.0, |a| a.parts.here + a.parts.waiting);
        self.scratch.arrivals = arrivals;
        if occasion == Occasion::Progress && silent_s <= 0.0 {
            self.reroute(anchor, leaves_s);
        }
        self.look_again(open, silent_s);
    }

    /// Which stop is next.
    fn number(&mut self) {
        let at = self.state.journey.at.map(|a| a.stop);
        let Some(plan) = self.state.plans.active_mut() else { return };
        let busy = at.is_some_and(|i| plan.visits[i].state == StopState::Arrived);
        let next = plan.open().next().filter(|_| !busy);
        for (i, visit) in plan.visits.iter_mut().enumerate() {
            if visit.is_open() {
                visit.state = if Some(i) == next { StopState::Next } else { StopState::Later };
            }
        }
    }

    /// The moment the prediction starts from, and for how long nothing was heard before it.
    fn anchor(&self) -> (Timestamp, f64) {
        match self.heard_at() {
            None => (self.now.max(self.state.journey.began), 0.0),
            Some(heard) => {
                let silent = self.now.seconds_since(heard);
                if silent > SILENT_S && !self.spoken_now() {
                    (self.now, silent)
                } else {
                    (heard.max(self.state.journey.began), 0.0)
                }
            }
        }
    }

    /// A fix is being stepped: a backlog's are old, and yet the vehicle is heard.
    fn spoken_now(&self) -> bool {
        self.state.silence.heard.is_some_and(|h| h >= self.now)
    }

    fn arrivals(&mut self, anchor: Timestamp, silent_s: f64) -> Vec<Arrival> {
        let mut ahead = std::mem::take(&mut self.scratch.ahead);
        let mut arrivals = std::mem::take(&mut self.scratch.arrivals);
        ahead.clear();
        let Some(plan) = self.state.plans.active() else { return arrivals };
        let journey = &self.state.journey;
        let driving = &self.state.driving;
        let field = &mut self.scratch.field;
        field.read(&driving.spots, driving.ratio(&self.world.model), anchor);
        let mut from = journey.at.map_or_else(
            || self.state.motion.last.map_or(plan.route.depot, |l| l.position),
            |at| at.middle,
        );
        for i in plan.open() {
            let (stop, leg) = (&plan.route.stops[i], plan.visits[i].leg);
            let mut drive = leg.map(|l| l.drive).unwrap_or_default();
            if ahead.is_empty() && journey.at.is_none() && !journey.at_depot {
                let here = self.state.motion.last.map_or(plan.route.depot, |l| l.position);
                let way = journey.way.as_ref().map(|w| w.left);
                drive = way.unwrap_or_else(|| straight(here, stop.position));
            }
            let opens_s = stop.window.map_or(-1.0, |w| w.from.seconds_since(anchor));
            let local = field.between(from, stop.position);
            from = stop.position;
            ahead.push(Ahead { drive, service_s: stop.service_s, local, opens_s });
        }
        let basis = Basis {
            model: &self.world.model,
            driving: &self.state.driving,
            visits: &self.state.visits,
        };
        predict(basis, self.doing(anchor, silent_s), &ahead, &mut arrivals);
        self.scratch.ahead = ahead;
        arrivals
    }

    fn doing(&self, anchor: Timestamp, silent_s: f64) -> Doing {
        let plan = self.state.plans.active();
        let (Some(at), Some(plan)) = (self.state.journey.at, plan) else {
            let silent_s = if self.state.journey.at_depot { 0.0 } else { silent_s };
            return Doing::Driving { silent_s };
        };
        if at.leaving.is_some() || plan.visits[at.stop].state != StopState::Arrived {
            return Doing::Leaving;
        }
        let stop = &plan.route.stops[at.stop];
        let began = stop.window.map_or(at.arrived, |w| w.from.max(at.arrived));
        let planned_s = planned_s(&self.world.model, stop.service_s);
        Doing::Serving { planned_s, elapsed_s: anchor.seconds_since(began) }
    }

    /// What an arrival is made of, since the route became active.
    pub(super) fn ledger(&self, anchor: Timestamp, arrival: &Arrival) -> Ledger {
        let (spent, parts) = (&self.state.journey.spent, &arrival.parts);
        let usual = self.world.model.travel_ratio;
        let (mut planned, mut dwell, mut waited) = (spent.planned, spent.dwell, spent.waited);
        if let (Some(at), Some(plan)) = (self.state.journey.at, self.state.plans.active()) {
            let stop = &plan.route.stops[at.stop];
            let began = stop.window.map_or(at.arrived, |w| w.from.max(at.arrived));
            let began = began.min(anchor.max(at.arrived));
            let here = planned_s(&self.world.model, stop.service_s);
            planned += here;
            waited += began.seconds_since(at.arrived);
            dwell += anchor.seconds_since(began) + parts.here - here;
        } else {
            dwell += parts.here;
        }
        let whole = |seconds: f64| seconds.round_ties_even() as i64;
        Ledger {
            plan: whole(planned + parts.plan),
            travel: whole(spent.driven_free * usual + parts.travel),
            traffic: whole(spent.driven - spent.driven_free * usual + parts.traffic),
            dwell: whole(dwell),
            dwell_ahead: whole(parts.dwell_ahead + spent.idle),
            waiting: whole(waited + parts.waiting),
            signal: whole(parts.signal),
        }
    }

    /// When to predict again should nothing be heard.
    fn look_again(&mut self, open: bool, silent_s: f64) {
        let (now, policy) = (self.now, &self.world.policy);
        let plan = self.state.plans.active().filter(|_| open);
        let holds = plan.into_iter().flat_map(Plan::stops).filter_map(|(stop, visit)| {
            let closes_s = stop.window.map_or(0.0, |w| w.to.seconds_since(now));
            visit.late.due(policy, closes_s)
        });
        let hold = holds.filter(|due| *due > now).min();
        let pause = (silent_s / 4.0).max(SILENT_EVERY_S);
        let silent = (open && silent_s < SILENT_MAX_S).then(|| now.plus_seconds(pause));
        self.state.look_at = match (hold, silent) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

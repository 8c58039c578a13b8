//! Arrived, departed: which halts are visits.
//!
//! A vehicle that has reached a stop stands at its door for a while; one that passes by does not
//! stand, and one at a light stands shortly. So a halt counts as a visit when it lasts long
//! enough for its distance and for how expected the stop is. It has left when it is well away
//! from where it stood, or stands elsewhere, or has been away for a while.

use ingest::time::Timestamp;
use ingest::units::Position;

use crate::alert::Turn;
use crate::eta::dwell::planned_s;
use crate::model::{Event, EventKind, StopState};
use crate::road::plane::distance_m;
use crate::road::{Near, Road};

use super::motion::{Halt, Moved, Seen};
use super::state::{AtStop, Step};

/// Right at the door, beside it, and farther away up to the policy's `arrive_m`: metres.
const DOOR_M: [f64; 2] = [15.0, 30.0];
/// How long a halt must last to be a visit of an expected stop (the first open one, and the one
/// after the last visit), seconds, at each of the three.
/// One in eight stands at a light for more than 20 s, one in sixty for more than 40 s.
const NEXT_S: [f64; 3] = [12.0, 25.0, 45.0];
/// The same for another stop: drivers swap those that come soon, so it is believed early of the next
/// few open ones, …
const SOON_S: [f64; 3] = [45.0, 75.0, 120.0];
const SOON: usize = 4;
/// …and of any later one only when it stands for longer than a light is red: with 50 stops to come,
/// every junction is near somebody's door. Of 26 visits made up on three simulated days 22 were
/// halts of 28 to 62 s at such a light, 7 to 40 stops ahead.
const LATER_S: [f64; 3] = [75.0, 90.0, 150.0];
/// A shorter halt at the door of the next stop, seconds, was a visit after all if the vehicle
/// then goes on without another one.
const BRIEF_S: f64 = 6.0;
/// Streets near a door where one may stand for it, metres, and how many are looked at.
const KERB_M: f64 = 30.0;
const KERBS_MAX: usize = 8;
/// Of two stops nearby the next one is meant, unless the other is nearer by this much, metres.
const NEXT_BONUS_M: f64 = 15.0;
/// Farther from where it stood than this it is on its way, metres; nearer, it manoeuvres.
const MOVED_M: f64 = 30.0;
/// Away for this long, seconds, it has left, however near it is.
const AWAY_S: f64 = 40.0;

impl Step<'_> {
    /// Looks at the vehicle after its next fix: has it left the stop it was at, has it reached
    /// another?
    pub(super) fn presence(&mut self, seen: &Seen, moved: &Moved) {
        let halt = self.state.motion.halt;
        if let Some(at) = self.state.journey.at {
            self.stay_or_leave(at, seen, halt);
        }
        if self.state.journey.at.is_some() {
            return;
        }
        if let Some((stop, halt)) = halt.and_then(|h| self.visited(&h)) {
            self.arrive(stop, halt.since, halt.middle, None);
        } else if let Some((stop, halt)) = moved.ended.and_then(|h| self.visited(&h)) {
            // Only now it is certain how long it stood. It may go on to the door yet: some stand at
            // a light first.
            self.arrive(stop, halt.since, halt.middle, None);
            self.set_leaving(Some(halt.last));
            self.state.journey.at.inspect(|at| self.stay_or_leave(*at, seen, None));
        } else {
            self.brief(seen, moved);
        }
    }

    /// A halt too short to be told from a light: once the vehicle has gone on past the door, it
    /// was the visit.
    fn brief(&mut self, seen: &Seen, moved: &Moved) {
        if let Some(halt) = moved.ended.filter(|h| h.seconds() >= BRIEF_S)
            && let Some((stop, distance)) = self.nearest(halt.middle)
            && self.is_expected(stop)
            && distance <= DOOR_M[1]
        {
            self.state.journey.brief = Some((stop, halt));
        }
        let Some((stop, halt)) = self.state.journey.brief else { return };
        let Some(plan) = self.state.plans.active() else { return };
        if !plan.is_open(stop) || self.state.motion.halt.is_some() {
            return;
        }
        let away = distance_m(plan.route.stops[stop].position, seen.position);
        let ahead = self.state.journey.way.as_ref().map_or(f64::INFINITY, |w| w.left.metres);
        // Before the door it is still on the path to it, and near its end.
        let passed = self.state.journey.astray > 0 || ahead > 2.0 * away;
        if away > self.world.policy.depart_m && passed {
            self.arrive(stop, halt.since, halt.middle, None);
            self.depart(halt.last);
        }
    }

    fn stay_or_leave(&mut self, at: AtStop, seen: &Seen, halt: Option<Halt>) {
        let (leave, depart_m) = (at.leaving, self.world.policy.depart_m);
        let from_middle = distance_m(at.middle, seen.position);
        let moved = halt.filter(|h| distance_m(at.middle, h.middle) > MOVED_M);
        let elsewhere = moved.is_some_and(|h| self.visited(&h).is_some());
        if let Some(halt) = halt
            && !elsewhere
            && distance_m(at.middle, halt.middle) <= depart_m
        {
            // It stands, perhaps after some manoeuvring.
            self.set_leaving(None);
            return;
        }
        if halt.is_none() && from_middle <= MOVED_M && leave.is_none() {
            return;
        }
        let speed = seen.speed_mps.unwrap_or(0.0).max(3.0);
        let since = leave.unwrap_or_else(|| {
            let earliest = self.state.motion.halt.map_or(at.arrived, |h| h.since);
            seen.time.plus_seconds(-from_middle / speed).max(earliest.min(seen.time))
        });
        let away = seen.time.seconds_since(since) >= AWAY_S && from_middle > MOVED_M;
        if elsewhere || from_middle > depart_m || away {
            self.depart(since.max(at.arrived));
        } else {
            self.set_leaving(Some(since));
        }
    }

    fn set_leaving(&mut self, leaving: Option<Timestamp>) {
        if let Some(at) = &mut self.state.journey.at {
            at.leaving = leaving;
        }
    }

    /// The stop that a halt is a visit of, if it is one.
    pub(super) fn visited(&mut self, halt: &Halt) -> Option<(usize, Halt)> {
        let (stop, distance) = self.nearest(halt.middle)?;
        let needed = self.needed_s(stop);
        let near = DOOR_M.iter().filter(|d| distance > **d).count();
        (halt.seconds() >= needed[near]).then_some((stop, *halt))
    }

    /// How long a halt must last to be a visit of a stop, at each distance.
    fn needed_s(&self, stop: usize) -> [f64; 3] {
        if self.is_expected(stop) {
            return NEXT_S;
        }
        let soon =
            self.state.plans.active().is_some_and(|p| p.open().take(SOON).any(|i| i == stop));
        if soon { SOON_S } else { LATER_S }
    }

    fn is_expected(&self, stop: usize) -> bool {
        let Some(plan) = self.state.plans.active() else { return false };
        let last = self.state.journey.last_stop.as_ref().and_then(|s| plan.index(s));
        let after = last.and_then(|l| plan.open().find(|i| *i > l));
        plan.open().next() == Some(stop) || after == Some(stop)
    }

    /// Whether a halt may become a visit.
    pub(super) fn may_visit(&mut self, halt: &Halt) -> bool {
        self.nearest(halt.middle).is_some()
    }

    /// The open stop within reach, and how far it is.
    fn nearest(&mut self, at: Position) -> Option<(usize, f64)> {
        let plan = self.state.plans.active()?;
        let next = plan.open().next();
        let reach_m = self.world.policy.arrive_m;
        let mut best: Option<(usize, f64, f64)> = None;
        for i in plan.open() {
            let door = plan.route.stops[i].position;
            let distance = kerb_m(&self.world.road, &mut self.scratch.near, (door, at), reach_m);
            let felt = if Some(i) == next { distance - NEXT_BONUS_M } else { distance };
            if distance <= reach_m && best.is_none_or(|(_, _, b)| felt < b) {
                best = Some((i, distance, felt));
            }
        }
        best.map(|(i, distance, _)| (i, distance))
    }

    /// The vehicle is at a stop since `since`.
    pub(super) fn arrive(
        &mut self,
        stop: usize,
        since: Timestamp,
        middle: Position,
        by: Option<String>,
    ) {
        if let Some(at) = self.state.journey.at {
            self.depart(since.max(at.arrived));
        }
        let Some(plan) = self.state.plans.active_mut() else { return };
        let visit = &mut plan.visits[stop];
        visit.state = StopState::Arrived;
        visit.arrived = Some(since);
        let id = plan.route.stops[stop].id.clone();
        let in_time = plan.route.stops[stop].window.is_none_or(|w| since <= w.to);
        let was_late = std::mem::take(&mut visit.late).raised;
        let journey = &mut self.state.journey;
        journey.at = Some(AtStop { stop, middle, arrived: since, leaving: None });
        journey.last_stop = Some(id);
        journey.way = None;
        journey.way_left = None;
        journey.brief = None;
        journey.pending_s = 0.0;
        journey.stuck_s = 0.0;
        journey.at_depot = false;
        journey.predicted_at = None;
        self.void_proposal("a stop was reached");
        if was_late && in_time {
            self.stop_event(stop, Event::new(EventKind::BackOnTime, self.now));
        }
        if self.state.off_route.over() == Some(Turn::Clear) {
            self.event(EventKind::BackOnRoute, self.now);
        }
        self.stop_event(stop, Event { by, ..Event::new(EventKind::Arrived, since) });
    }

    /// The vehicle has left the stop it was at, at `left`.
    pub(super) fn depart(&mut self, left: Timestamp) {
        let Some(at) = self.state.journey.at.take() else { return };
        let model = &*self.world.model;
        let Some(plan) = self.state.plans.active_mut() else { return };
        let visit = &mut plan.visits[at.stop];
        visit.departed = Some(left);
        let reached = visit.state == StopState::Arrived;
        if reached {
            visit.state = StopState::Departed;
        }
        let stop = &plan.route.stops[at.stop];
        let planned = planned_s(model, stop.service_s);
        let began = stop.window.map_or(at.arrived, |w| w.from.max(at.arrived)).min(left);
        let served = left.seconds_since(began);
        if matches!(visit.state, StopState::Departed | StopState::Completed) {
            self.state.visits.saw(served, planned);
        }
        let journey = &mut self.state.journey;
        journey.spent.waited += began.seconds_since(at.arrived);
        journey.spent.planned += planned;
        journey.spent.dwell += served - planned;
        journey.predicted_at = None;
        journey.on_way_at = None;
        let away = self.state.motion.last.map_or(0.0, |l| l.time.seconds_since(left)).max(0.0);
        self.state.driving.rested(left.seconds_since(at.arrived));
        self.state.journey.spent.driven += away;
        self.state.journey.spent.driven_free += away / self.state.driving.ratio(model);
        self.stop_event(at.stop, Event::new(EventKind::Departed, left));
    }
}

/// Metres from a halt to a door, or to the nearest point of a street where one stands for it.
fn kerb_m(road: &Road, near: &mut Vec<Near>, (door, at): (Position, Position), reach: f64) -> f64 {
    let direct = distance_m(at, door);
    if direct > reach + KERB_M {
        return direct;
    }
    road.near(door, KERB_M, KERBS_MAX, near);
    near.iter().map(|n| distance_m(at, n.position)).fold(direct, f64::min)
}

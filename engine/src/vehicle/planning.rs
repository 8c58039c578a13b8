//! Plans come, change, begin and end; people act on them.

use ingest::id::RouteId;
use ingest::time::Timestamp;

use crate::alert::{LongStop, Turn};
use crate::model::{Action, Body, Deed, EtaOutput, Event, EventKind, Proposal, Route, StopState};

use super::forecast::Occasion;
use super::plan::{PLANS_MAX, Phase, Plan};
use super::state::{AtStop, Journey, Step};

impl Step<'_> {
    /// A whole route.
    pub(super) fn plan(&mut self, route: Route, by: Option<String>) {
        if let Err(why) = self.acceptable(&route) {
            self.say.event(Event {
                route: Some(route.id.clone()),
                cause: Some(why),
                by,
                ..Event::new(EventKind::PlanRefused, self.now)
            });
            return;
        }
        let id = route.id.clone();
        if route.stops.is_empty() {
            self.withdraw(route, by.as_ref());
        } else if let Some(plan) = self.state.plans.get_mut(&id) {
            let active = plan.phase == Phase::Active;
            let at = self.state.journey.at.filter(|_| active);
            let at = at.map(|a| (a, plan.route.stops[a.stop].id.clone()));
            let kept = plan.renew(route);
            if matches!(plan.phase, Phase::Withdrawn | Phase::Over) && plan.open().next().is_some()
            {
                plan.phase = Phase::Waiting;
            }
            let at = at.and_then(|(a, id)| plan.index(&id).map(|stop| AtStop { stop, ..a }));
            self.say_too_late(&id, kept, by.as_ref());
            if active {
                self.changed(at);
            }
        } else {
            self.state.plans.add(route);
        }
        self.activate_due();
    }

    /// Why a plan cannot be taken over.
    fn acceptable(&mut self, route: &Route) -> Result<(), String> {
        if self.key.vehicle.is_unassigned() {
            return Err("a device without a vehicle has no plan".to_owned());
        }
        if let Some(plan) = self.state.plans.get_mut(&route.id) {
            let known = plan.route.version;
            if route.version <= known {
                return Err(format!("version `{}` is not above `{known}`", route.version));
            }
            return Ok(());
        }
        let busy = |p: &Plan| !matches!(p.phase, Phase::Over | Phase::Withdrawn);
        if self.state.plans.0.iter().filter(|p| busy(p)).count() >= PLANS_MAX {
            return Err(format!("more than `{PLANS_MAX}` routes wait for this vehicle"));
        }
        Ok(())
    }

    fn say_too_late(
        &mut self,
        route: &RouteId,
        kept: Vec<ingest::id::StopId>,
        by: Option<&String>,
    ) {
        for stop in kept {
            let order = self
                .state
                .plans
                .get_mut(route)
                .and_then(|p| p.index(&stop).map(|i| p.route.stops[i].order.clone()));
            self.say.event(Event {
                route: Some(route.clone()),
                stop: Some(stop),
                order,
                by: by.cloned(),
                ..Event::new(EventKind::MovedTooLate, self.now)
            });
        }
    }

    fn withdraw(&mut self, route: Route, by: Option<&String>) {
        let id = route.id.clone();
        let active = self.state.plans.active().is_some_and(|p| p.route.id == id);
        let version = route.version;
        if self.state.plans.get_mut(&id).is_none() && !self.state.plans.add(route.clone()) {
            return;
        }
        let Some(plan) = self.state.plans.get_mut(&id) else { return };
        let moved = |s: &crate::model::Stop| route.moved_away.contains(&s.id);
        let finished = plan.stops().filter(|(s, v)| !v.is_open() && moved(s));
        let kept: Vec<_> = finished.map(|(s, _)| s.id.clone()).collect();
        self.say_too_late(&id, kept, by);
        if active {
            self.end_rules();
        }
        if let Some(plan) = self.state.plans.get_mut(&id) {
            *plan = Plan { phase: Phase::Withdrawn, ..Plan::new(route) };
        }
        if active {
            self.state.journey = Journey::default();
            self.say.body(Body::Eta(EtaOutput::withdrawn(id, version)));
        }
    }

    /// The active route's stops are others than before.
    pub(super) fn changed(&mut self, at: Option<AtStop>) {
        self.void_proposal("the plan changed");
        let journey = &mut self.state.journey;
        journey.at = at;
        journey.way = None;
        journey.way_left = None;
        journey.astray = 0;
        journey.on_way_at = None;
        if self.state.off_route.over() == Some(Turn::Clear) {
            self.event(EventKind::BackOnRoute, self.now);
        }
        self.resume_way();
        self.forecast(Occasion::Plan);
    }

    /// Makes the route the active one whose shift has begun, if there is room for it.
    pub(super) fn activate_due(&mut self) {
        if self.state.plans.is_free(self.now)
            && let Some(id) = self.state.plans.due(self.now)
        {
            self.activate(&id);
        }
    }

    fn activate(&mut self, id: &RouteId) {
        let now = self.now;
        self.end_rules();
        if let Some(old) = self.state.plans.active_mut() {
            let done = old.open().next().is_none() || now >= old.route.shift.to;
            old.phase = if done { Phase::Over } else { Phase::Aside };
        }
        let Some(plan) = self.state.plans.get_mut(id) else { return };
        plan.phase = Phase::Active;
        for visit in &mut plan.visits {
            visit.said = None;
            visit.leg = None;
        }
        let depot = plan.route.depot;
        let here = self.state.motion.last.map_or(depot, |l| l.position);
        let at_depot = crate::road::plane::distance_m(depot, here) <= super::journey::DEPOT_M;
        self.state.journey = Journey { began: now, at_depot, ..Journey::default() };
        self.resume_way();
        self.forecast(Occasion::Plan);
    }

    /// Starts the path from where the vehicle is known to be.
    fn resume_way(&mut self) {
        let journey = &self.state.journey;
        if journey.at.is_none()
            && !journey.at_depot
            && let Some(place) = self.state.place
        {
            self.find_way(place);
            self.state.journey.on_way_at = self.heard_at();
        }
    }

    /// Ends what is raised about the route that ends.
    fn end_rules(&mut self) {
        self.void_proposal("the route ended");
        if self.state.off_route.over() == Some(Turn::Clear) {
            self.event(EventKind::BackOnRoute, self.now);
        }
        if std::mem::take(&mut self.state.long_stop) != LongStop::default() {
            self.event(EventKind::MovingAgain, self.now);
        }
    }

    /// A person did something.
    pub(super) fn action(&mut self, action: Action) {
        let Action { by, route, stop, deed, received_at, .. } = action;
        match deed {
            Deed::Retire => return self.retire(),
            Deed::AcceptReroute(id) => return self.answer(id, true, by),
            Deed::RefuseReroute(id) => return self.answer(id, false, by),
            _ => {}
        }
        let Some(id) = route else { return };
        let Some(plan) = self.state.plans.get_mut(&id) else { return };
        match (deed, stop.and_then(|s| plan.index(&s))) {
            (Deed::Activate, _) => {
                if plan.phase != Phase::Active && plan.phase != Phase::Withdrawn {
                    self.activate(&id);
                }
            }
            (Deed::Finish, _) => self.finish(&id, by.as_ref()),
            (deed, Some(i)) => self.visit_deed(&id, (i, deed), received_at, by),
            (_, None) => {}
        }
        self.activate_due();
    }

    /// Arrived, completed, failed or skipped. Said again it changes nothing.
    fn visit_deed(
        &mut self,
        route: &RouteId,
        (i, deed): (usize, Deed),
        at: Timestamp,
        by: Option<String>,
    ) {
        let Some(plan) = self.state.plans.get_mut(route) else { return };
        let active = plan.phase == Phase::Active;
        let middle = plan.route.stops[i].position;
        let visit = &mut plan.visits[i];
        let (state, kind, cause) = match deed {
            Deed::Completed => (StopState::Completed, EventKind::Completed, None),
            Deed::Failed { reason } => {
                let cause = (!reason.is_empty()).then_some(reason);
                (StopState::Failed, EventKind::Failed, cause)
            }
            Deed::Skipped => (StopState::Skipped, EventKind::Skipped, None),
            Deed::Arrived => {
                if active && visit.is_open() {
                    self.arrive(i, at.min(self.now), middle, by);
                    self.forecast(Occasion::Progress);
                }
                return;
            }
            _ => return,
        };
        if visit.state == state {
            return;
        }
        let was_open = visit.is_open();
        visit.state = state;
        let raised = std::mem::take(&mut visit.late).raised;
        let in_time = plan.route.stops[i].window.is_none_or(|w| at <= w.to);
        let (id, order) = (plan.route.stops[i].id.clone(), plan.route.stops[i].order.clone());
        let event = Event {
            route: Some(route.clone()),
            stop: Some(id),
            order: Some(order),
            ..Event::new(kind, at)
        };
        if raised && in_time && kind == EventKind::Completed {
            self.say.event(Event { kind: EventKind::BackOnTime, at: self.now, ..event.clone() });
        }
        self.say.event(Event { cause, by, ..event });
        if !active {
            return;
        }
        if was_open {
            // The next stop is another one now.
            self.void_proposal("a stop is done");
            self.state.journey.way = None;
            self.state.journey.way_left = None;
            self.state.journey.on_way_at = None;
            self.resume_way();
        }
        self.forecast(Occasion::Progress);
    }

    fn finish(&mut self, id: &RouteId, by: Option<&String>) {
        let Some(plan) = self.state.plans.get_mut(id) else { return };
        if plan.phase == Phase::Withdrawn || plan.phase == Phase::Over {
            return;
        }
        let active = plan.phase == Phase::Active;
        let open: Vec<usize> = plan.open().collect();
        for i in open {
            let Some(plan) = self.state.plans.get_mut(id) else { return };
            let visit = &mut plan.visits[i];
            visit.state = StopState::Skipped;
            visit.late = crate::alert::Late::default();
            let stop = &plan.route.stops[i];
            let (stop, order) = (Some(stop.id.clone()), Some(stop.order.clone()));
            let event = Event::new(EventKind::Skipped, self.now);
            self.say.event(Event {
                route: Some(id.clone()),
                stop,
                order,
                by: by.cloned(),
                ..event
            });
        }
        if active {
            if let Some(at) = self.state.journey.at {
                self.depart(self.now.max(at.arrived));
            }
            self.forecast(Occasion::Progress);
            self.end_rules();
            self.state.journey = Journey::default();
            self.state.look_at = None;
        }
        if let Some(plan) = self.state.plans.get_mut(id) {
            plan.phase = Phase::Over;
        }
    }

    /// The vehicle leaves the fleet: nothing stays but its seq.
    fn retire(&mut self) {
        self.end_rules();
        if std::mem::take(&mut self.state.silence.raised) {
            self.event(EventKind::SignalBack, self.now);
        }
        if let Some((route, version)) = self.say.view.route.clone() {
            self.say.body(Body::Eta(EtaOutput::withdrawn(route, version)));
        }
        *self.state = super::state::State::default();
        let seq = self.say.view.seq;
        *self.say.view = crate::model::View { seq, ..Default::default() };
    }

    /// A person answers a proposal; one that is no longer open stays unanswered.
    fn answer(&mut self, id: ingest::record::Pid, accept: bool, by: Option<String>) {
        let open = self.say.view.proposal.as_ref().filter(|p| p.id == id).cloned();
        let Some(proposal) = open else { return };
        let kind = if accept { EventKind::RerouteAccepted } else { EventKind::RerouteRefused };
        let route = self.active_route();
        let proposal_said = Some(proposal.clone());
        let event = Event::new(kind, self.now);
        self.say.event(Event { route, by, proposal: proposal_said, ..event });
        let offers = &mut self.state.offers;
        offers.refused = if accept { 0 } else { offers.refused + 1 };
        if accept {
            self.take(&proposal);
        }
    }

    /// Drives as proposed from now on.
    fn take(&mut self, proposal: &Proposal) {
        let Some(plan) = self.state.plans.active_mut() else { return };
        let at = self.state.journey.at;
        let at_id = at.map(|a| plan.route.stops[a.stop].id.clone());
        if !plan.reorder(&proposal.stops) {
            return;
        }
        let at = at.zip(at_id).and_then(|(a, id)| plan.index(&id).map(|stop| AtStop { stop, ..a }));
        self.changed(at);
    }

    /// The open proposal no longer fits.
    pub(super) fn void_proposal(&mut self, why: &str) {
        let Some(proposal) = self.say.view.proposal.clone() else { return };
        let route = self.active_route();
        let event = Event::new(EventKind::RerouteRefused, self.now);
        let cause = Some(why.to_owned());
        self.say.event(Event { route, cause, proposal: Some(proposal), ..event });
    }
}

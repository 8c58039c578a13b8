//! Proposals: a better order of the next stops, or the best path for somebody who left his.

use ingest::record::Pid;
use ingest::time::Timestamp;

use crate::alert::Offers;
use crate::alert::reroute::{Search, Wrong};
use crate::eta::dwell::planned_s;
use crate::model::output::PROPOSAL_EDGES_MAX;
use crate::model::{Event, EventKind, Proposal};
use crate::plan::{Legs, Visit, Weights, improve};
use crate::road::Place;

use super::state::Step;

/// Stops ahead that are looked at; the eight next ones may change places.
const STOPS_MAX: usize = 10;
/// Who is this near to his next stop, seconds, is not sent elsewhere.
const FROZEN_S: f64 = 90.0;

impl Step<'_> {
    /// Looks for a better way when something is wrong, and takes back what is out of date.
    pub(super) fn reroute(&mut self, anchor: Timestamp, leaves_s: f64) {
        let policy = &*self.world.policy;
        if self.say.view.proposal.is_some() {
            let said = self.state.offers.last;
            if said.is_some_and(|s| self.now.seconds_since(s) >= policy.reroute_pause_s) {
                self.void_proposal("out of date");
            }
            return;
        }
        let wrong = self.wrong();
        if !self.state.offers.may(policy, wrong, self.now) {
            return;
        }
        self.state.offers.searched = Some(Search { at: self.now, wrong });
        let found = self.better_order(anchor, leaves_s).or_else(|| self.better_path());
        let Some((proposal, cause)) = found else { return };
        self.state.offers.last = Some(self.now);
        let route = self.active_route();
        let event = Event::new(EventKind::RerouteProposed, self.now);
        self.say.event(Event { route, cause: Some(cause), proposal: Some(proposal), ..event });
    }

    /// What a better way would be for.
    fn wrong(&self) -> Wrong {
        let Some(plan) = self.state.plans.active() else { return Wrong::default() };
        let (mut late, mut open) = (0, 0);
        for i in plan.open() {
            open += 1;
            late += u32::from(plan.visits[i].late.raised);
        }
        Wrong { late, open, astray: self.state.off_route.raised }
    }

    /// The way back from a proposal that led nowhere new: the vehicle is on its path again.
    pub(super) fn void_path_proposal(&mut self) {
        let Some(proposal) = &self.say.view.proposal else { return };
        let Some(plan) = self.state.plans.active() else { return };
        if plan.open().map(|i| &plan.route.stops[i].id).eq(&proposal.stops) {
            self.void_proposal("back on route");
        }
    }

    /// Where the next drive begins.
    pub(super) fn start(&mut self) -> Option<Place> {
        let at = self.state.journey.at;
        let Some(at) = at else {
            let way = self.state.journey.way.as_ref();
            let ratio = self.state.driving.ratio(&self.world.model);
            let near = way.is_some_and(|w| w.left.free_s * ratio < FROZEN_S);
            return self.state.place.filter(|_| !near);
        };
        let known = self.state.plans.active().and_then(|p| p.visits[at.stop].leg?.to);
        known.or_else(|| self.places(at.middle)[0])
    }

    fn better_order(&mut self, anchor: Timestamp, leaves_s: f64) -> Option<(Proposal, String)> {
        let here = self.start()?;
        let plan = self.state.plans.active()?;
        let (model, policy) = (&*self.world.model, &*self.world.policy);
        let open: Vec<usize> = plan.open().collect();
        let next = &open[..open.len().min(STOPS_MAX)];
        let places: Option<Vec<Place>> = next.iter().map(|i| plan.visits[*i].leg?.to).collect();
        let begins = anchor.plus_seconds(leaves_s);
        let visit = |i: &usize| {
            let stop = &plan.route.stops[*i];
            let seconds = |t: Timestamp| t.seconds_since(begins);
            let planned = planned_s(model, stop.service_s);
            Visit {
                window: stop.window.map(|w| (seconds(w.from), seconds(w.to))),
                service_s: planned * self.state.visits.ratio(model),
            }
        };
        let visits: Vec<Visit> = next.iter().map(visit).collect();
        let ratio = self.state.driving.ratio(model);
        let (road, traffic) = (&*self.world.road, self.traffic());
        let roads = (road, traffic, &mut self.scratch.router);
        let legs = Legs::on_road(roads, here, &places?, ratio);
        let better = improve(&legs, &visits, Weights::default())?;
        let left_s: f64 =
            next.iter().filter_map(|i| plan.visits[*i].leg).map(|l| l.drive.free_s).sum();
        if !Offers::is_worth(policy, better.gain_s, left_s * ratio) {
            return None;
        }
        let mut order: Vec<usize> = better.order.iter().map(|k| next[*k]).collect();
        order.extend(&open[next.len()..]);
        let cause = format!("another order saves {} min", minutes(better.gain_s));
        Some((self.proposal(here, &order, better.gain_s)?, cause))
    }

    /// The best path from where the vehicle has strayed to, against going back to where it left.
    fn better_path(&mut self) -> Option<(Proposal, String)> {
        let left = self.state.off_route.left.filter(|_| self.state.off_route.raised)?;
        let (here, back) = (self.state.place?, self.state.journey.on_way_left?);
        let best_s = self.state.journey.way.as_ref()?.left.quiet_s();
        let (road, traffic) = (&*self.world.road, self.traffic());
        let back = self.scratch.router.route_under(road, traffic, (here, back))?;
        let returning = back.path.seconds - back.slow_s + left.to_drive_s;
        let ratio = self.state.driving.ratio(&self.world.model);
        let gain_s = (returning - best_s) * ratio;
        if !Offers::is_worth(&self.world.policy, gain_s, returning * ratio) {
            return None;
        }
        let order: Vec<usize> = self.state.plans.active()?.open().collect();
        let cause = format!("another path saves {} min", minutes(gain_s));
        Some((self.proposal(here, &order, gain_s)?, cause))
    }

    pub(super) fn proposal(
        &mut self,
        here: Place,
        order: &[usize],
        gain_s: f64,
    ) -> Option<Proposal> {
        let plan = self.state.plans.active()?;
        let to = plan.visits[*order.first()?].leg?.to?;
        let (road, traffic) = (&*self.world.road, self.traffic());
        let path = self.scratch.router.route_under(road, traffic, (here, to))?.path;
        let seq = (self.say.view.seq + 1).to_be_bytes();
        let version = plan.route.version.to_be_bytes();
        let id = Pid::of_parts(&[
            self.key.tenant.as_str().as_bytes(),
            self.key.vehicle.as_str().as_bytes(),
            plan.route.id.as_str().as_bytes(),
            &version,
            &seq,
        ]);
        let edges = path.edges.iter().take(PROPOSAL_EDGES_MAX);
        let ratio = self.state.driving.ratio(&self.world.model);
        Some(Proposal {
            id,
            stops: order.iter().map(|i| plan.route.stops[*i].id.clone()).collect(),
            gain_s: gain_s.round_ties_even() as i64,
            seconds: (path.seconds * ratio).round_ties_even() as i64,
            metres: path.metres.round_ties_even(),
            edges: edges.map(|e| self.world.road.osm(*e)).collect(),
        })
    }
}

pub(super) fn minutes(seconds: f64) -> i64 {
    (seconds / 60.0).round_ties_even() as i64
}

//! The roads have changed: whom that concerns, what he is told, when he will be where.
//!
//! Drives between later stops are found anew where they may have changed. The path being driven
//! is kept as long as it can be driven, with what it takes now, and a better one is proposed; one
//! that leads to a closed road is given up at once.

use crate::alert::Offers;
use crate::model::{Changed, Event, EventKind};
use crate::path::Driven;
use crate::road::{EdgeId, Place, Profile};

use super::forecast::Occasion;
use super::plan::Leg;
use super::reroute::minutes;
use super::state::{State, Step};
use super::way::{Barrier, Way};

impl State {
    pub(super) fn heeds(&self, changed: &Changed) -> bool {
        let Some(plan) = self.plans.active().filter(|_| !changed.edges.is_empty()) else {
            return false;
        };
        let ways = [&self.journey.way, &self.journey.way_left];
        ways.into_iter().flatten().any(|way| way.meets(changed))
            || plan.open().filter_map(|i| plan.visits[i].leg).any(|leg| leg.meets(changed))
    }
}

impl Leg {
    fn meets(&self, changed: &Changed) -> bool {
        self.cells & changed.cells != 0
    }
}

impl Step<'_> {
    /// Some roads take something else than before, or were closed or opened.
    pub(super) fn roads_changed(&mut self, changed: &Changed) {
        let driving = self.state.journey.at.is_none();
        let Some(plan) = self.state.plans.active_mut() else { return };
        let open: Vec<usize> = plan.open().collect();
        // The drive to the next stop is the path's; its places to stand stay.
        for &i in open.iter().skip(usize::from(driving)) {
            let leg = &mut plan.visits[i].leg;
            *leg = leg.filter(|leg| !leg.meets(changed));
        }
        self.legs();
        let roads = (&*self.world.road, self.traffic());
        let journey = &mut self.state.journey;
        for way in [&mut journey.way, &mut journey.way_left].into_iter().flatten() {
            way.reckon(roads);
        }
        self.offer_path(changed);
        self.forecast(Occasion::Progress);
    }

    /// Gives up a path that leads to a closed road; proposes one that is clearly better.
    fn offer_path(&mut self, changed: &Changed) {
        let Some((here, mut way)) = self.expected() else { return };
        if !way.meets(changed) {
            return;
        }
        let (road, traffic) = (&*self.world.road, self.traffic());
        let kerbs: Vec<Place> = self.next_leg().iter().flat_map(Leg::kerbs).collect();
        let found = self.scratch.router.nearest_under(road, traffic, (here, &kerbs[..]));
        let Some((nearest, best)) = found else { return };
        let best_s = best.path.seconds;
        let ratio = self.state.driving.ratio(&self.world.model);
        let barrier = way.closed_at((road, traffic));
        if let Some(barrier) = barrier.filter(|b| !best.path.edges.contains(&b.edge)) {
            let gain_s = (self.round_s(barrier, &kerbs) - best_s).max(0.0) * ratio;
            let cause = format!("{} is closed", self.street(barrier.edge));
            self.adopt(best, kerbs[nearest]);
            self.offer(here, gain_s, cause);
            return;
        }
        let gain_s = (way.left.free_s - best_s) * ratio;
        let policy = &self.world.policy;
        if Offers::is_worth(policy, gain_s, way.left.free_s * ratio)
            && self.state.offers.paused(policy, self.now)
        {
            let cause = format!("another path saves {} min", minutes(gain_s));
            self.offer(here, gain_s, cause);
        }
    }

    /// Where the vehicle is and how it would go on: along its path, or while it stands at a stop
    /// or the depot as one goes there on a quiet day.
    fn expected(&mut self) -> Option<(Place, Way)> {
        let journey = &self.state.journey;
        if let (Some(way), Some(place)) = (&journey.way, self.state.place) {
            return Some((place, way.clone()));
        }
        let here = self.start()?;
        let kerbs: Vec<Place> = self.next_leg().iter().flat_map(Leg::kerbs).collect();
        let (road, router) = (&*self.world.road, &mut self.scratch.router);
        let (nearest, path) = router.route_to_nearest(road, here, &kerbs, Profile::Van)?;
        let cells = crate::path::traffic::cells(road, &path.edges);
        Some((here, Way::new(Driven { path, slow_s: 0.0, cells }, kerbs[nearest])))
    }

    /// Seconds for somebody who drives up to a closed road and only then goes round.
    fn round_s(&mut self, barrier: Barrier, kerbs: &[Place]) -> f64 {
        let (road, traffic) = (&*self.world.road, self.traffic());
        let round = self.scratch.router.nearest_under(road, traffic, (barrier.before, kerbs));
        barrier.seconds + round.map_or(0.0, |(_, driven)| driven.path.seconds)
    }

    /// Drives another way from now on, where it was driving.
    fn adopt(&mut self, found: Driven, target: Place) {
        let journey = &mut self.state.journey;
        if journey.way.is_some() {
            journey.way = Some(Way::new(found, target));
            journey.kept_s = 0.0;
            journey.astray = 0;
        }
    }

    fn offer(&mut self, here: Place, gain_s: f64, cause: String) {
        self.void_proposal("the roads have changed");
        let order: Vec<usize> =
            self.state.plans.active().map_or(Vec::new(), |p| p.open().collect());
        let Some(proposal) = self.proposal(here, &order, gain_s) else { return };
        self.state.offers.last = Some(self.now);
        let route = self.active_route();
        let event = Event::new(EventKind::RerouteProposed, self.now);
        self.say.event(Event { route, cause: Some(cause), proposal: Some(proposal), ..event });
    }

    fn street(&self, edge: EdgeId) -> &str {
        let name = self.world.road.name(edge);
        if name.is_empty() { "a road ahead" } else { name }
    }
}

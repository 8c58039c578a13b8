//! The active route on the road: drives between stops, the path to the next one, what driving
//! has taken so far.

use ingest::units::Position;

use crate::alert::Turn;
use crate::eta::travel::Stretch;
use crate::model::EventKind;
use crate::road::plane::distance_m;
use crate::road::{Place, Profile};

use super::motion::{Moved, Seen};
use super::plan::Leg;
use super::state::Step;
use super::way::Way;

/// A door is looked for on roads at most this far away, metres.
pub(super) const DOOR_ROAD_M: f64 = 300.0;
/// Roads near a door that are looked at.
const DOOR_ROADS_MAX: usize = 8;
/// The two directions of one street are equally far, metres.
const SAME_STREET_M: f64 = 0.5;
/// Where no road is known: metres driven per metre of straight line, and how fast, m/s.
const DETOUR: f64 = 1.35;
const STRAIGHT_MPS: f64 = 9.0;
/// Drives found anew in one step; those beyond are estimated and found in later steps.
const LEGS_PER_STEP_MAX: usize = 48;
/// A drive whose beginning is only estimated; no stop has this number.
const ESTIMATED: u32 = u32::MAX;
/// Within this of the depot a vehicle has not left it yet, metres.
pub(super) const DEPOT_M: f64 = 150.0;
/// So many fixes in a row beside the path mean that it has been left.
const ASTRAY_FIXES: u32 = 2;
/// Standing longer than this, seconds, is a break, not traffic.
const BREAK_S: f64 = 300.0;
/// Silence longer than this, seconds, says nothing about traffic.
const UNSEEN_S: f64 = 180.0;
/// What was lost in a street is forgotten over this time, seconds.
const SLOW_FADES_S: f64 = 900.0;
/// Less than this lost in a street, seconds, does not stand out.
const SLOW_WORTH_S: f64 = 60.0;

impl Step<'_> {
    /// The vehicle was seen: motion, visits, progress, rules, arrivals.
    pub(super) fn drive(&mut self, seen: Seen) {
        let moved = self.state.motion.observe(seen);
        let Some(plan) = self.state.plans.active() else { return };
        if self.state.journey.at_depot {
            self.state.journey.at_depot = distance_m(plan.route.depot, seen.position) <= DEPOT_M;
        }
        self.presence(&seen, &moved);
        self.progress(&seen, &moved);
        self.watch_standing(&seen);
        self.forecast_when_due(seen.time);
        if self.state.plans.0.len() > 1 {
            self.activate_due();
        }
    }

    fn progress(&mut self, seen: &Seen, moved: &Moved) {
        if self.state.journey.at.is_some() {
            return;
        }
        if self.state.journey.at_depot {
            self.state.journey.spent.idle += moved.seconds;
            return;
        }
        let covered = self.follow(seen, moved);
        self.account(moved.seconds, covered);
        let Some(way) = &self.state.journey.way else { return };
        self.state.off_route.drove(moved.metres, covered);
        let turn = self.state.off_route.look(&self.world.policy, way.left.free_s, seen.time);
        match turn {
            Some(Turn::Raise) => {
                self.event(EventKind::OffRoute, self.now);
                self.state.journey.predicted_at = None;
            }
            Some(Turn::Clear) => self.event(EventKind::BackOnRoute, self.now),
            None => {}
        }
    }

    /// Follows the path to the next stop, or finds one; how many free-flow seconds of road the
    /// vehicle has covered since the fix before.
    fn follow(&mut self, seen: &Seen, moved: &Moved) -> f64 {
        let unknown = moved.seconds / self.state.driving.ratio(&self.world.model);
        let Some(place) = self.state.place else {
            return if self.state.motion.halt.is_some() { 0.0 } else { unknown };
        };
        let road = &*self.world.road;
        let journey = &mut self.state.journey;
        if let Some(way) = &mut journey.way {
            let before = way.left.free_s;
            if way.follow(road, place) {
                let covered = before - way.left.free_s;
                journey.astray = 0;
                journey.on_way_at = Some(seen.time);
                return covered;
            }
            journey.astray += 1;
            if journey.astray < ASTRAY_FIXES {
                return unknown;
            }
        }
        let (since, before) = (journey.on_way_at, journey.way.as_ref().map(|w| w.left.free_s));
        self.find_way(place);
        let journey = &mut self.state.journey;
        journey.astray = 0;
        if let (Some(since), Some(before), Some(way)) = (since, before, &journey.way) {
            self.state.off_route.stray(seen.time, since, before, way.left.free_s);
        }
        self.state.journey.on_way_at = Some(seen.time);
        unknown
    }

    /// Finds the path from here to the next stop.
    pub(super) fn find_way(&mut self, from: Place) {
        self.legs();
        let plan = self.state.plans.active();
        let to = plan.and_then(|p| p.visits[p.open().next()?].leg?.to);
        self.state.journey.way = to.and_then(|to| {
            let path = self.scratch.router.route(&self.world.road, from, to, Profile::Van)?;
            let whole = Stretch { free_s: path.seconds, metres: path.metres };
            Some(Way::new(path.edges, to, whole))
        });
    }

    /// Books the time since the fix before.
    fn account(&mut self, seconds: f64, covered: f64) {
        let standing = self.state.motion.halt;
        if standing.is_some_and(|h| self.may_visit(&h)) {
            // Perhaps a visit: booked when that is known.
            self.state.journey.pending_s += seconds;
            return;
        }
        let journey = &mut self.state.journey;
        let pending = std::mem::take(&mut journey.pending_s);
        journey.stuck_s = if standing.is_some() { journey.stuck_s + seconds } else { 0.0 };
        if journey.stuck_s > BREAK_S {
            journey.spent.idle += seconds;
            return;
        }
        journey.spent.driven += pending + seconds;
        journey.spent.driven_free += covered;
        if seconds <= UNSEEN_S {
            let lost = seconds - covered * self.state.driving.ratio(&self.world.model);
            self.state.driving.saw(pending + seconds, covered);
            self.slow_street(seconds, pending + lost);
        }
    }

    /// Remembers the street that cost most of late.
    fn slow_street(&mut self, seconds: f64, lost: f64) {
        let Some(place) = self.state.place else { return };
        let name = self.world.road.name(place.edge);
        let slow = &mut self.state.journey.slow;
        match slow {
            Some((where_, sum)) if self.world.road.name(where_.edge) == name => {
                *sum = (*sum + lost).max(0.0);
            }
            Some((_, sum)) if *sum >= SLOW_WORTH_S => *sum *= libm::exp(-seconds / SLOW_FADES_S),
            _ if !name.is_empty() => *slow = Some((place, lost.max(0.0))),
            _ => {}
        }
    }

    /// The street where most time was lost of late, if it stands out.
    pub(super) fn slow_street_name(&self) -> Option<&str> {
        let (place, lost) = self.state.journey.slow?;
        let name = self.world.road.name(place.edge);
        (lost >= SLOW_WORTH_S && !name.is_empty()).then_some(name)
    }

    /// Makes sure that every open stop has the drive from the one before it.
    pub(super) fn legs(&mut self) {
        let at = self.state.journey.at.map(|a| a.stop as u32);
        let Some(plan) = self.state.plans.active() else { return };
        let mut open = std::mem::take(&mut self.scratch.open);
        open.clear();
        open.extend(plan.open());
        let (mut from, mut budget) = (at, LEGS_PER_STEP_MAX);
        for (nth, i) in open.iter().enumerate() {
            let Some(plan) = self.state.plans.active() else { break };
            let known = plan.visits[*i].leg;
            let driving = nth == 0 && at.is_none();
            let fits = known
                .is_some_and(|leg| leg.from == from || (driving && leg.from != Some(ESTIMATED)));
            if !fits {
                let leg = self.leg(from, *i, budget > 0);
                budget = budget.saturating_sub(1);
                if let Some(plan) = self.state.plans.active_mut() {
                    plan.visits[*i].leg = Some(leg);
                }
            }
            from = Some(*i as u32);
        }
        self.scratch.open = open;
    }

    /// The drive to stop `i` from another stop or the depot.
    fn leg(&mut self, from: Option<u32>, i: usize, exact: bool) -> Leg {
        let Some(plan) = self.state.plans.active() else {
            return Leg { from, to: None, drive: Stretch::default() };
        };
        let door = plan.route.stops[i].position;
        let before = from.and_then(|f| plan.route.stops.get(f as usize));
        let start = before.map_or(plan.route.depot, |s| s.position);
        let kerb = from.and_then(|f| plan.visits.get(f as usize)?.leg?.to);
        let straight = straight(start, door);
        if !exact {
            return Leg { from: Some(ESTIMATED), to: None, drive: straight };
        }
        let [first, second] = self.places(door);
        let Some(start) = kerb.or_else(|| self.places(start)[0]) else {
            return Leg { from, to: first, drive: straight };
        };
        let mut best: Option<(Place, Stretch)> = None;
        for to in [first, second].into_iter().flatten() {
            let path = self.scratch.router.route(&self.world.road, start, to, Profile::Van);
            if let Some(path) = path
                && best.is_none_or(|(_, b)| path.seconds < b.free_s)
            {
                best = Some((to, Stretch { free_s: path.seconds, metres: path.metres }));
            }
        }
        let (to, drive) = best.map_or((first, straight), |(to, drive)| (Some(to), drive));
        Leg { from, to, drive }
    }

    /// Where on the road one stops for a door: the nearest street, each of its directions.
    pub(super) fn places(&mut self, door: Position) -> [Option<Place>; 2] {
        let road = &*self.world.road;
        road.near(door, DOOR_ROAD_M, DOOR_ROADS_MAX, &mut self.scratch.near);
        let mut usable =
            self.scratch.near.iter().filter(|n| road.seconds(n.place.edge, Profile::Van).is_some());
        let Some(first) = usable.next() else { return [None; 2] };
        let second = usable.find(|n| {
            Some(n.place.edge) == road.reverse(first.place.edge)
                && n.distance_m - first.distance_m <= SAME_STREET_M
        });
        [Some(first.place), second.map(|n| n.place)]
    }
}

/// A drive of which only its ends are known.
pub(super) fn straight(from: Position, to: Position) -> Stretch {
    let metres = DETOUR * distance_m(from, to);
    Stretch { free_s: metres / STRAIGHT_MPS, metres }
}

//! The active route on the road: drives between stops, the path to the next one, what driving
//! has taken so far.

use ingest::units::Position;

use crate::alert::Turn;
use crate::alert::off_route::{PLACES_APART_S, PLACES_MAX};
use crate::eta::travel::Stretch;
use crate::model::EventKind;
use crate::road::plane::distance_m;
use crate::road::{Near, Place, Profile, Road};

use super::motion::{Moved, Seen};
use super::plan::{KERBS_MAX, Leg};
use super::state::Step;
use super::way::Way;

/// A door is looked for on roads at most this far away, metres.
pub(super) const DOOR_ROAD_M: f64 = 300.0;
/// Roads near a door that are looked at.
const DOOR_ROADS_MAX: usize = 8;
/// The two directions of one street are equally far, metres.
const SAME_STREET_M: f64 = 0.5;
/// A door on a corner may be served from either street: from one that is farther by no more than
/// this, metres, …
const OTHER_STREET_M: f64 = 12.0;
/// …or from any this near: one parks on either side of a street whose directions lie apart.
const PARKS_M: f64 = 20.0;
/// Where no road is known: metres driven per metre of straight line, and how fast, m/s.
const DETOUR: f64 = 1.35;
const STRAIGHT_MPS: f64 = 9.0;
/// Drives found anew in one step; those beyond are estimated and found in later steps.
const LEGS_PER_STEP_MAX: usize = 48;
/// A drive whose beginning is only estimated; no stop has this number.
const ESTIMATED: u32 = u32::MAX;
/// Within this of the depot a vehicle has not left it yet, metres.
pub(super) const DEPOT_M: f64 = 150.0;
/// Within this of the next stop nobody is off route, metres.
const NEAR_M: f64 = 200.0;
/// Within this of the way it seems to have left nobody is off route, metres: a slip road runs beside
/// its motorway for longer than that in a queue, and either may be matched.
const BESIDE_M: f64 = 30.0;
/// Streets around it that are looked at for that.
const BESIDE_ROADS_MAX: usize = 16;
/// So many fixes in a row beside the path mean that it has been left.
const ASTRAY_FIXES: u32 = 2;
/// A path has been followed when so much of it was driven, seconds at free flow.
const KEPT_S: f64 = 8.0;
/// Standing longer than this, seconds, is no light.
const STAND_S: f64 = 60.0;
/// Who left his way is not looked for places farther than this, seconds as the roads are now.
const BUSY_LIMIT_S: f64 = 3_600.0;
/// Standing longer than this, seconds, is a break, not traffic.
const BREAK_S: f64 = 300.0;
/// Silence longer than this, seconds, says nothing about traffic.
const UNSEEN_S: f64 = 180.0;
/// What was lost in a street is forgotten over this time, seconds.
const SLOW_FADES_S: f64 = 900.0;
/// Less than this lost in a street, seconds, does not stand out.
const SLOW_WORTH_S: f64 = 60.0;
/// A match less sure than this is no reason to say that a vehicle left its way.
const SURE: f64 = 0.8;

impl Step<'_> {
    /// The vehicle was seen: motion, visits, progress, rules, arrivals. `confidence`: how sure its
    /// match is, 0 to 1.
    pub(super) fn drive(&mut self, seen: Seen, confidence: f64) {
        let moved = self.state.motion.observe(seen);
        let Some(plan) = self.state.plans.active() else { return };
        if self.state.journey.at_depot {
            self.state.journey.at_depot = distance_m(plan.route.depot, seen.position) <= DEPOT_M;
        }
        self.presence(&seen, &moved);
        self.progress(&seen, &moved, confidence);
        self.watch_standing(&seen);
        self.forecast_when_due(seen.time);
        if self.state.plans.0.len() > 1 {
            self.activate_due();
        }
    }

    fn progress(&mut self, seen: &Seen, moved: &Moved, confidence: f64) {
        if self.state.journey.at.is_some() {
            return;
        }
        if self.state.journey.at_depot {
            self.state.journey.spent.idle += moved.seconds;
            return;
        }
        let crossed = self.crossed(moved);
        let covered = self.follow(seen, crossed);
        self.account(moved.seconds, covered);
        let Some(way) = &self.state.journey.way else { return };
        // A driver need not know of traffic: what he does is judged as on a quiet day, too.
        let to_drive_s = way.left.quiet_s();
        // Along a path found from a wrong match more is covered than can have been driven.
        if self.state.off_route.left.is_some() || self.state.journey.astray > 0 {
            let busy = covered.min(crossed);
            self.state.off_route.drove(moved.metres, (busy * self.quiet_share(), busy));
        }
        if self.is_near_next(seen.position) || self.is_beside_left_way(seen.position) {
            return;
        }
        // Who crawls past a junction seems to turn for a while.
        if confidence < SURE && !self.state.off_route.raised {
            return;
        }
        let farther_s = self.farther_s(to_drive_s);
        let left = (to_drive_s, farther_s, self.busy_places_s());
        let turn = self.state.off_route.look(&self.world.policy, left, seen.time);
        match turn {
            Some(Turn::Raise) => {
                self.event(EventKind::OffRoute, self.now);
                self.state.journey.predicted_at = None;
            }
            Some(Turn::Clear) => {
                self.event(EventKind::BackOnRoute, self.now);
                self.void_path_proposal();
            }
            None => {}
        }
    }

    /// So near to the next stop that any way there will do.
    fn is_near_next(&self, here: Position) -> bool {
        let plan = self.state.plans.active();
        let next = plan.and_then(|p| p.route.stops.get(p.open().next()?));
        next.is_some_and(|s| distance_m(s.position, here) <= NEAR_M)
    }

    /// So near to what was ahead on the way it seems to have left that it may still be on it.
    fn is_beside_left_way(&mut self, here: Position) -> bool {
        let astray = self.state.off_route.left.is_some() && !self.state.off_route.raised;
        let Some(way) = self.state.journey.way_left.as_ref().filter(|_| astray) else {
            return false;
        };
        let near = &mut self.scratch.near;
        self.world.road.near(here, BESIDE_M, BESIDE_ROADS_MAX, near);
        near.iter().any(|n| way.is_ahead(n.place.edge))
    }

    /// Follows the path to the next stop, or finds one; how many seconds of road, by what it takes
    /// now, the vehicle has covered since the fix before.
    fn follow(&mut self, seen: &Seen, crossed: f64) -> f64 {
        let roads = (&*self.world.road, self.traffic());
        let Some(place) = self.state.place else { return crossed };
        let journey = &mut self.state.journey;
        if let Some(way) = &mut journey.way {
            let before = way.left.free_s;
            if way.follow(roads, place) {
                let covered = before - way.left.free_s;
                journey.astray = 0;
                journey.kept_s += covered.max(0.0);
                self.state.off_route.kept();
                let journey = &mut self.state.journey;
                journey.on_way_at = Some(seen.time);
                journey.on_way = Some(place);
                return covered;
            }
            if let Some(covered) = self.rejoin(seen, place) {
                return covered;
            }
            // Who waits at a junction is matched to any of its streets.
            if self.state.motion.halt.is_some() {
                return crossed;
            }
            self.state.journey.astray += 1;
            if self.state.journey.astray < ASTRAY_FIXES {
                return crossed;
            }
        }
        self.leave_way(seen, place);
        crossed
    }

    /// Finds another path, and remembers where the vehicle left the one it was expected on. Who
    /// has not followed a path at all yet cannot have left it: it was found from a wrong match.
    fn leave_way(&mut self, seen: &Seen, place: Place) {
        let journey = &mut self.state.journey;
        let settled = self.state.off_route.left.is_some() || journey.kept_s >= KEPT_S;
        if self.state.off_route.left.is_none() {
            journey.way_left = journey.way.take().filter(|_| settled);
        }
        let since = journey.on_way_at.filter(|_| settled);
        let way = journey.way.as_ref().or(journey.way_left.as_ref());
        let before = way.map(|w| w.left.quiet_s());
        self.find_way(place);
        let journey = &mut self.state.journey;
        journey.astray = 0;
        let (on_way, best) = (journey.on_way, journey.way.as_ref().map(|w| w.left.quiet_s()));
        if let (Some(since), Some(before), Some(best)) = (since, before, best) {
            let first = self.state.off_route.left.is_none();
            self.state.off_route.stray(seen.time, since, before, best);
            if let Some(place) = on_way.filter(|_| first) {
                self.state.journey.on_way_left = on_way;
                let to_places_s = self.kerbs_within(place, before + PLACES_APART_S);
                let busy_s = self.kerbs_now(place);
                if let Some(left) = &mut self.state.off_route.left {
                    left.to_places_s = to_places_s;
                    left.busy.to_places_s = busy_s;
                }
            }
        }
        self.state.journey.on_way_at = Some(seen.time);
        self.state.journey.on_way = Some(place);
    }

    /// Seconds of road that a vehicle has driven since the fix before, by its own distance and by
    /// what the road takes now.
    fn crossed(&self, moved: &Moved) -> f64 {
        let road = &*self.world.road;
        match (self.state.motion.halt, self.state.place) {
            (Some(_), _) => 0.0,
            (None, Some(p)) => {
                let edge_s = self.traffic().seconds(road, p.edge);
                moved.metres * edge_s / road.length_m(p.edge).max(1.0)
            }
            (None, None) => moved.seconds / self.state.driving.ratio(&self.world.model),
        }
    }

    /// Which part of what the road takes now it takes at free flow.
    fn quiet_share(&self) -> f64 {
        let road = &*self.world.road;
        let share = |p: Place| road.free_s(p.edge) / self.traffic().seconds(road, p.edge).max(0.01);
        self.state.place.map_or(1.0, share).min(1.0)
    }

    /// Goes on along the way it seemed to have left, when it is found there: the fixes between
    /// were matched wrongly, or he knew a way round the corner.
    fn rejoin(&mut self, seen: &Seen, place: Place) -> Option<f64> {
        let roads = (&*self.world.road, self.traffic());
        let journey = &mut self.state.journey;
        if self.state.off_route.raised {
            journey.way_left = None;
        }
        let mut way = journey.way_left.take()?;
        let before = way.left.free_s;
        if !way.follow(roads, place) {
            journey.way_left = Some(way);
            return None;
        }
        let covered = before - way.left.free_s;
        journey.way = Some(way);
        journey.astray = 0;
        journey.on_way_at = Some(seen.time);
        journey.on_way = Some(place);
        self.state.off_route.rejoin();
        Some(covered)
    }

    /// Finds the path from here to the next stop.
    pub(super) fn find_way(&mut self, from: Place) {
        self.legs();
        let kerbs: Vec<Place> = self.next_leg().iter().flat_map(Leg::kerbs).collect();
        let (road, traffic) = (&*self.world.road, self.traffic());
        let found = self.scratch.router.nearest_under(road, traffic, (from, &kerbs[..]));
        let way = found.map(|(nearest, driven)| Way::new(driven, kerbs[nearest]));
        self.state.journey.way = way;
        self.state.journey.kept_s = 0.0;
    }

    pub(super) fn next_leg(&self) -> Option<Leg> {
        let plan = self.state.plans.active()?;
        plan.visits[plan.open().next()?].leg
    }

    /// How much farther the next stop has become since the vehicle left its way, for the place to
    /// stand there that it may still be driving to: seconds at free flow. Who waits at a junction is
    /// matched to any of its streets, so then it is reckoned from where its way begins.
    fn farther_s(&mut self, to_drive_s: f64) -> f64 {
        let astray = self.state.off_route.left.is_some() && !self.state.off_route.raised;
        let waits = self.state.motion.halt.is_some();
        let place = if waits { self.state.journey.on_way } else { self.state.place };
        let Some(place) = place.filter(|_| astray) else { return 0.0 };
        let to_places_s = self.kerbs_within(place, self.state.off_route.farthest_s());
        self.state.off_route.farther_s(to_drive_s, to_places_s)
    }

    /// Seconds as the roads are now to each place where one may stand for the next stop, while the
    /// vehicle seems to have left its way; infinite where there is no traffic, which needs no other
    /// measure.
    fn busy_places_s(&mut self) -> [f64; PLACES_MAX] {
        let astray = self.state.off_route.left.is_some() && !self.state.off_route.raised;
        let place = self.state.place.filter(|_| astray);
        place.map_or([f64::INFINITY; PLACES_MAX], |place| self.kerbs_now(place))
    }

    fn kerbs_now(&mut self, from: Place) -> [f64; PLACES_MAX] {
        let (road, traffic) = (&*self.world.road, self.traffic());
        if traffic.is_free() {
            return [f64::INFINITY; PLACES_MAX];
        }
        let kerbs: Vec<Place> = self.next_leg().iter().flat_map(Leg::kerbs).collect();
        let (scratch, ends) = (&mut *self.scratch, (from, &kerbs[..]));
        scratch.router.times_under(road, traffic, ends, BUSY_LIMIT_S, &mut scratch.times);
        self.known_times()
    }

    fn known_times(&self) -> [f64; PLACES_MAX] {
        let times = &self.scratch.times;
        std::array::from_fn(|i| times.get(i).copied().flatten().unwrap_or(f64::INFINITY))
    }

    /// Seconds at free flow to each place where one may stand for the next stop, infinite beyond
    /// `limit_s`.
    fn kerbs_within(&mut self, from: Place, limit_s: f64) -> [f64; PLACES_MAX] {
        let kerbs: Vec<Place> = self.next_leg().iter().flat_map(Leg::kerbs).collect();
        let scratch = &mut *self.scratch;
        let limit = (Profile::Van, limit_s);
        scratch.router.times(&self.world.road, from, &kerbs, limit, &mut scratch.times);
        self.known_times()
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
        if journey.stuck_s > STAND_S {
            self.state.driving.stood(seconds);
        } else if seconds <= UNSEEN_S {
            let lost = seconds - covered * self.state.driving.ratio(&self.world.model);
            let Some(last) = self.state.motion.last else { return };
            let driven = (pending + seconds, covered);
            self.state.driving.saw(&self.world.model, driven, (last.position, last.time));
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
            return Leg::nowhere(from, Stretch::default());
        };
        let door = plan.route.stops[i].position;
        let before = from.and_then(|f| plan.route.stops.get(f as usize));
        let start = before.map_or(plan.route.depot, |s| s.position);
        let kerb = from.and_then(|f| plan.visits.get(f as usize)?.leg?.to);
        let straight = straight(start, door);
        if !exact {
            return Leg::nowhere(Some(ESTIMATED), straight);
        }
        let [first, second, others @ ..] = self.places(door);
        let Some(start) = kerb.or_else(|| self.places(start)[0]) else {
            let or_to = [second, others[0], others[1]];
            return Leg { to: first, or_to, ..Leg::nowhere(from, straight) };
        };
        let sides: Vec<Place> = [first, second].into_iter().flatten().collect();
        let (road, traffic) = (&*self.world.road, self.traffic());
        let found = self.scratch.router.nearest_under(road, traffic, (start, &sides[..]));
        let (to, drive, cells) = found.map_or((first, straight, 0), |(nearest, driven)| {
            let (free_s, metres) = (driven.path.seconds, driven.path.metres);
            let drive = Stretch { free_s, slow_s: driven.slow_s, metres };
            (Some(sides[nearest]), drive, driven.cells)
        });
        let other = if to == first { second } else { first };
        Leg { from, to, or_to: [other, others[0], others[1]], drive, cells }
    }

    /// Where on the road one stops for a door.
    pub(super) fn places(&mut self, door: Position) -> [Option<Place>; KERBS_MAX] {
        places(&self.world.road, &mut self.scratch.near, door)
    }
}

/// Where on the road one stops for a door: the nearest street, in the first place and its other
/// direction in the second, then those that are near, too, or hardly farther.
pub(super) fn places(
    road: &Road,
    near: &mut Vec<Near>,
    door: Position,
) -> [Option<Place>; KERBS_MAX] {
    road.near(door, DOOR_ROAD_M, DOOR_ROADS_MAX, near);
    let mut places = [None; KERBS_MAX];
    let usable = near.iter().filter(|n| road.seconds(n.place.edge, Profile::Van).is_some());
    let (mut nearest, mut others): (Option<&Near>, usize) = (None, 2);
    for near in usable {
        let Some(first) = nearest else {
            (nearest, places[0]) = (Some(near), Some(near.place));
            continue;
        };
        let farther_m = near.distance_m - first.distance_m;
        let either = farther_m <= OTHER_STREET_M || near.distance_m <= PARKS_M;
        if Some(near.place.edge) == road.reverse(first.place.edge) && farther_m <= SAME_STREET_M {
            places[1] = Some(near.place);
        } else if either && others < KERBS_MAX {
            places[others] = Some(near.place);
            others += 1;
        }
    }
    places
}

/// A drive of which only its ends are known.
pub(super) fn straight(from: Position, to: Position) -> Stretch {
    let metres = DETOUR * distance_m(from, to);
    Stretch { free_s: metres / STRAIGHT_MPS, metres, ..Stretch::default() }
}

//! One vehicle's route as a planner makes it: stops, the way between them, promises.

use engine::model::route::Window;
use engine::model::{Route, Stop};
use engine::path::Router;
use engine::road::{EdgeId, Place, Profile, Road, plane};
use ingest::id::{BadId, OrderId, RouteId, StopId};
use ingest::time::Timestamp;
use ingest::units::Position;

use super::ground::Ground;
use super::{FleetError, FleetSettings};
use crate::chance::{Chance, For};

/// Fewest stops of a route.
pub const STOPS_MIN: usize = 8;
/// Most stops that are planned for one route.
pub const STOPS_MAX: usize = 80;
/// Stops of one route are at least this far apart, metres: nearer ones are one halt.
const APART_M: f64 = 200.0;
/// A territory reaches this far from its depot, metres.
const TERRITORY_M: f64 = 2_600.0;
/// Driving time ÷ free flow that the planner reckons with: he knows his town on an average day.
/// Measured over the synthetic town; a test holds it to within 8 %.
pub const PLANNED_TRAVEL: f64 = 1.5;
/// Service time ÷ planned service that he reckons with (mean of the log-normal below).
pub const PLANNED_SERVICE: f64 = 1.12;
/// Tries to find a next stop before a route stays shorter.
const TRIES_MAX: usize = 60;

/// One planned visit.
#[derive(Debug, Clone)]
pub struct PlannedVisit {
    /// Its stop's id.
    pub stop: StopId,
    /// The order.
    pub order: OrderId,
    /// Where the van stands.
    pub place: Place,
    /// The door, beside the street.
    pub door: Position,
    /// The way there from the visit before, from its edge to this one's, both included.
    pub path: Vec<EdgeId>,
    /// Expected arrival, seconds since the simulation's start.
    pub planned_s: f64,
    /// Planned service, seconds.
    pub service_s: f64,
    /// Earliest and latest service start, seconds since the start; most stops have one.
    pub window: Option<(f64, f64)>,
}

/// A vehicle's route.
#[derive(Debug, Clone)]
pub struct Shift {
    /// The route's id.
    pub route: RouteId,
    /// Where the vehicle begins.
    pub depot: Place,
    /// The same on the ground.
    pub depot_door: Position,
    /// When it begins to work and when the planner expects it back, seconds since the start.
    pub span: (f64, f64),
    /// When it leaves the depot, seconds since the start.
    pub departs_s: f64,
    /// In driving order.
    pub visits: Vec<PlannedVisit>,
}

impl Shift {
    /// As the plan record has it.
    pub fn to_route(&self, start: Timestamp, version: u64) -> Route {
        let window = |(from, to): (f64, f64)| Window {
            from: start.plus_seconds(from),
            to: start.plus_seconds(to),
        };
        let stop = |visit: &PlannedVisit| Stop {
            id: visit.stop.clone(),
            order: visit.order.clone(),
            position: visit.door,
            window: visit.window.map(window),
            service_s: visit.service_s,
        };
        Route {
            id: self.route.clone(),
            version,
            depot: self.depot_door,
            shift: window(self.span),
            time_zone: "UTC".into(),
            stops: self.visits.iter().map(stop).collect(),
            transfer: None,
            moved_away: Vec::new(),
        }
    }
}

/// Plans routes on one map.
#[derive(Debug)]
pub struct Planner<'a> {
    /// The map.
    pub road: &'a Road,
    /// Its drivable part.
    pub ground: &'a Ground,
    /// Working memory.
    pub router: &'a mut Router,
}

impl Planner<'_> {
    /// The route of vehicle `number` from its depot.
    pub fn plan(
        &mut self,
        settings: &FleetSettings,
        number: u32,
        depot: Place,
    ) -> Result<Shift, FleetError> {
        let mut chance = Chance::new(settings.seed, For::Vehicle(number));
        let departs_s = chance.between(15.0, 150.0_f64.min(settings.minutes * 15.0).max(20.0));
        let (depot_door, _) = self.road.point_at(depot);
        let begins = settings.start.micros() / 1_000_000;
        let name = |kind: &str, k: usize| format!("{kind}-{begins}-{}-{k}", number + 1);
        let mut shift = Shift {
            route: made(RouteId::new(&format!("r-{begins}-{}", number + 1))),
            depot,
            depot_door,
            span: (0.0, 0.0),
            departs_s,
            visits: Vec::new(),
        };
        let (mut at_s, mut from) = (departs_s, depot);
        let until_s = settings.minutes * 60.0;
        while shift.visits.len() < STOPS_MIN || (at_s < until_s && shift.visits.len() < STOPS_MAX) {
            let Some((place, path)) = self.next_stop(&shift, from, &mut chance) else { break };
            let k = shift.visits.len() + 1;
            let free: f64 = free_seconds(self.road, &path, from, place);
            at_s += free * PLANNED_TRAVEL;
            let service_s = [60.0, 90.0, 120.0, 180.0, 240.0][chance.below(5)];
            let window = promise(at_s, &mut chance);
            at_s = at_s.max(window.map_or(at_s, |w| w.0));
            let door = beside(self.road, place, &mut chance);
            shift.visits.push(PlannedVisit {
                stop: made(StopId::new(&format!("s{k}"))),
                order: made(OrderId::new(&name("o", k))),
                place,
                door,
                path,
                planned_s: at_s,
                service_s,
                window,
            });
            at_s += service_s * PLANNED_SERVICE;
            from = place;
        }
        if shift.visits.len() < STOPS_MIN {
            return Err(FleetError::NoRoute(STOPS_MIN, number));
        }
        // Late days are worked to their end: the shift leaves half as much again.
        shift.span = (0.0, libm::ceil((at_s * 1.5).max(until_s) / 900.0) * 900.0);
        Ok(shift)
    }

    /// The nearest of a few places of the territory that are far enough from all stops so far.
    fn next_stop(
        &mut self,
        shift: &Shift,
        from: Place,
        chance: &mut Chance,
    ) -> Option<(Place, Vec<EdgeId>)> {
        let here = self.road.point_at(from).0;
        for _ in 0..TRIES_MAX {
            let mut best: Option<(f64, Place)> = None;
            for _ in 0..3 {
                let ring = (0.0, TERRITORY_M);
                let Some(place) = self.ground.around(shift.depot_door, ring, chance) else {
                    continue;
                };
                let at = self.road.point_at(place).0;
                let free = |door: Position| plane::distance_m(at, door) >= APART_M;
                if !free(shift.depot_door) || !shift.visits.iter().all(|v| free(v.door)) {
                    continue;
                }
                let distance = plane::distance_m(here, at);
                if best.is_none_or(|(d, _)| distance < d) {
                    best = Some((distance, place));
                }
            }
            let Some((_, place)) = best else { continue };
            if let Some(found) = quickest(self.road, self.router, from, place) {
                return Some(found);
            }
        }
        None
    }
}

/// A promise around an expected arrival: most stops have a window of an hour and a half or two,
/// on the quarter of an hour.
fn promise(at_s: f64, chance: &mut Chance) -> Option<(f64, f64)> {
    let (wanted, width) = (chance.happens(0.85), chance.happens(0.6));
    let before = chance.between(1_500.0, 2_700.0);
    let from = libm::floor((at_s - before).max(0.0) / 900.0) * 900.0;
    wanted.then_some((from, from + if width { 7_200.0 } else { 5_400.0 }))
}

/// The door: 8 to 18 metres to the side of the street.
fn beside(road: &Road, place: Place, chance: &mut Chance) -> Position {
    let (at, heading) = road.point_at(place);
    let (side, off) = (chance.happens(0.7), chance.between(8.0, 18.0));
    let right = (heading + if side { 90.0 } else { -90.0 }).to_radians();
    let spot = plane::Plane::new(at).to_position(off * libm::sin(right), off * libm::cos(right));
    Position::new(spot.lng, spot.lat).unwrap_or(at)
}

/// The quickest way to a place on either side of its street, and the side: a driver stops on
/// whichever he comes along. `None` where no way leads.
pub fn quickest(
    road: &Road,
    router: &mut Router,
    from: Place,
    to: Place,
) -> Option<(Place, Vec<EdgeId>)> {
    let other = road.reverse(to.edge).map(|edge| {
        let offset_m = (road.length_m(to.edge) - to.offset_m).clamp(0.0, road.length_m(edge));
        Place { edge, offset_m }
    });
    let mut best: Option<(f64, Place, Vec<EdgeId>)> = None;
    for side in std::iter::once(to).chain(other) {
        let Some(path) = router.route(road, from, side, Profile::Van) else { continue };
        if best.as_ref().is_none_or(|(seconds, ..)| path.seconds < *seconds) {
            best = Some((path.seconds, side, path.edges));
        }
    }
    best.map(|(_, side, edges)| (side, edges))
}

/// Free-flow seconds of a path between two places on its first and last edge.
pub fn free_seconds(road: &Road, path: &[EdgeId], from: Place, to: Place) -> f64 {
    let pace = |edge: EdgeId| road.free_s(edge) / road.length_m(edge);
    let whole: f64 = path.iter().map(|edge| road.free_s(*edge)).sum();
    let before = from.offset_m * pace(from.edge);
    let after = (road.length_m(to.edge) - to.offset_m) * pace(to.edge);
    (whole - before - after).max(0.0)
}

#[expect(clippy::expect_used, reason = "letters, digits and hyphens make an id")]
fn made<T>(id: Result<T, BadId>) -> T {
    id.expect("a plain id")
}

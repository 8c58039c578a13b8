//! The whole truth of one vehicle's day.

use engine::path::Router;
use engine::road::{EdgeId, Place, Profile, Road, plane};
use ingest::units::Position;

use super::ground::Ground;
use super::motion::{self, Knot, Stretch};
use super::shift::{PlannedVisit, Shift, free_seconds};
use crate::chance::Chance;
use crate::traffic::Traffic;

/// Median service ÷ planned; with the spread below the mean is 1.12 (notes on ETA §2.2).
const SERVICE_MEDIAN: f64 = 0.92;
/// Spread of one visit, standard deviation of the logarithm (Amazon's GOAL labels).
const SERVICE_SD: f64 = 0.63;
/// Spread of drivers and days, standard deviation of the logarithm.
const DRIVER_SD: f64 = 0.09;
/// Shortest and longest service, seconds.
const SERVICE_S: (f64, f64) = (15.0, 1_500.0);
/// A detour is at least this much longer than the planned way, seconds at free flow.
const DETOUR_S: f64 = 240.0;
/// Off every quick way: at least this much longer, seconds at free flow…
const OFF_ROUTE_S: f64 = 60.0;
/// …and this far from what is left of the planned one, metres.
const OFF_ROUTE_M: f64 = 60.0;
/// Places along a street that are looked at for it, metres apart.
const LOOK_M: f64 = 10.0;
/// A break keeps this far from all stops, metres.
const BREAK_APART_M: f64 = 200.0;

/// How often something goes wrong, per vehicle and hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Leaves the way to the next stop.
    pub off_route: f64,
    /// Stands for a quarter of an hour or more where no stop is.
    pub long_stop: f64,
    /// Its device falls silent for five minutes or more; what it measures it sends afterwards.
    pub no_signal: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self { off_route: 0.03, long_stop: 0.02, no_signal: 0.03 }
    }
}

impl Rates {
    /// Nothing goes wrong.
    pub const NONE: Self = Self { off_route: 0.0, long_stop: 0.0, no_signal: 0.0 };
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Left the way to the next stop; true from the moment no quick way leads on.
    OffRoute,
    /// Stood where no stop is; true from the moment it stands.
    LongStop,
    /// Fell silent; true from the last moment that was heard.
    NoSignal,
}

/// Something that went wrong, seconds since the simulation's start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviation {
    /// What.
    pub kind: Trouble,
    /// From when.
    pub from_s: f64,
    /// Until when.
    pub to_s: f64,
}

/// One visit as it really was, seconds since the simulation's start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Visit {
    /// Stands at the stop.
    pub arrived_s: f64,
    /// Service begins: at once, or when the window opens.
    pub service_s: f64,
    /// Leaves.
    pub departed_s: f64,
    /// Where the stop is, metres along the journey.
    pub along_m: f64,
}

/// Where a vehicle is at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// On the road.
    pub place: Place,
    /// On the ground.
    pub position: Position,
    /// Degrees clockwise from north.
    pub heading: f64,
    /// Metres a second.
    pub mps: f64,
    /// Metres along the journey.
    pub along_m: f64,
}

/// A vehicle's day.
#[derive(Debug, Clone, Default)]
pub struct Journey {
    edges: Vec<EdgeId>,
    /// Metres along the journey at the tail of each edge.
    starts: Vec<f64>,
    /// Free-flow seconds at the tail of each edge.
    free: Vec<f64>,
    knots: Vec<Knot>,
    /// One a planned visit, in order.
    pub visits: Vec<Visit>,
    /// By time.
    pub deviations: Vec<Deviation>,
    /// When it stands at the depot again, seconds since the start.
    pub end_s: f64,
}

impl Journey {
    /// Stands at a place from a moment on.
    pub fn starting(road: &Road, place: Place, at_s: f64) -> Self {
        let mut journey = Self::default();
        journey.push_edge(road, place.edge);
        let along_m = place.offset_m;
        journey.knots.push(Knot { at_s, along_m, mps: 0.0, accel: 0.0 });
        journey
    }

    /// Where it is. Before the first moment it stands at the depot, after the last one too.
    pub fn at(&self, road: &Road, at_s: f64) -> Moment {
        let (along_m, mps) = self.motion(at_s);
        let place = self.place(road, along_m);
        let (position, heading) = road.point_at(place);
        Moment { place, position, heading, mps, along_m }
    }

    /// Metres along the journey and speed.
    pub fn motion(&self, at_s: f64) -> (f64, f64) {
        let next = self.knots.partition_point(|k| k.at_s <= at_s);
        let Some(knot) = next.checked_sub(1).and_then(|k| self.knots.get(k)) else {
            return (self.knots.first().map_or(0.0, |k| k.along_m), 0.0);
        };
        let dt = at_s - knot.at_s;
        let (v, a) = (f64::from(knot.mps), f64::from(knot.accel));
        let limit = self.knots.get(next).map_or(knot.along_m, |k| k.along_m);
        ((knot.along_m + v * dt + a * dt * dt / 2.0).min(limit), (v + a * dt).max(0.0))
    }

    /// Free-flow seconds between two places of the journey, along its edges.
    pub fn free_between(&self, road: &Road, from_m: f64, to_m: f64) -> f64 {
        let until = |along: f64| {
            let k = self.starts.partition_point(|s| *s <= along).saturating_sub(1);
            let edge = self.edges[k];
            self.free[k] + (along - self.starts[k]) * road.free_s(edge) / road.length_m(edge)
        };
        until(to_m) - until(from_m)
    }

    /// When it first is that far along; its end where it never is.
    pub fn when(&self, along_m: f64) -> f64 {
        let (mut before, mut after) = (0.0, self.end_s);
        for _ in 0..50 {
            let middle = f64::midpoint(before, after);
            if self.motion(middle).0 < along_m {
                before = middle;
            } else {
                after = middle;
            }
        }
        after
    }

    /// Whether its device is silent at that time.
    pub fn is_silent(&self, at_s: f64) -> bool {
        let silent = |d: &&Deviation| d.kind == Trouble::NoSignal;
        self.deviations.iter().filter(silent).any(|d| at_s >= d.from_s && at_s < d.to_s)
    }

    fn place(&self, road: &Road, along_m: f64) -> Place {
        let k = self.starts.partition_point(|s| *s <= along_m).saturating_sub(1);
        let edge = self.edges[k];
        Place { edge, offset_m: (along_m - self.starts[k]).clamp(0.0, road.length_m(edge)) }
    }

    fn reach(&self) -> f64 {
        self.knots.last().map_or(0.0, |k| k.along_m)
    }

    fn push_edge(&mut self, road: &Road, edge: EdgeId) {
        let (start, free) = match (self.edges.last(), self.starts.last(), self.free.last()) {
            (Some(e), Some(s), Some(f)) => (s + road.length_m(*e), f + road.free_s(*e)),
            _ => (0.0, 0.0),
        };
        self.edges.push(edge);
        self.starts.push(start);
        self.free.push(free);
    }

    fn stand(&mut self, at_s: f64) {
        let along_m = self.reach();
        self.knots.push(Knot { at_s, along_m, mps: 0.0, accel: 0.0 });
    }
}

/// Drives shifts.
#[derive(Debug)]
pub struct Driver<'a> {
    /// The map.
    pub road: &'a Road,
    /// Its drivable part.
    pub ground: &'a Ground,
    /// Working memory.
    pub router: &'a mut Router,
    /// The day's traffic.
    pub traffic: &'a Traffic,
    /// The driver's own luck.
    pub chance: Chance,
}

impl Driver<'_> {
    /// The journey of a shift, to its end and back to the depot.
    pub fn drive(&mut self, shift: &Shift, rates: &Rates) -> Journey {
        let mut journey = Journey::starting(self.road, shift.depot, 0.0);
        let driver = self.chance.log_normal(1.0, DRIVER_SD);
        let (mut now, mut from) = (shift.departs_s, shift.depot);
        for (k, visit) in shift.visits.iter().enumerate() {
            let before = k.checked_sub(1).map_or(0.0, |b| shift.visits[b].planned_s);
            let hours = (visit.planned_s - before) / 3600.0;
            let luck = [self.chance.unit(), self.chance.unit()];
            let service = self.chance.log_normal(SERVICE_MEDIAN * driver, SERVICE_SD);
            now = if luck[0] < rates.off_route * hours {
                self.drive_detour(&mut journey, (from, now), visit)
            } else if luck[1] < rates.long_stop * hours {
                self.drive_with_break(&mut journey, (from, now), (visit, shift))
            } else {
                self.drive_path(&mut journey, &visit.path, visit.place, now)
            };
            let opens = visit.window.map_or(now, |w| w.0.max(now));
            let done = opens + (visit.service_s * service).clamp(SERVICE_S.0, SERVICE_S.1);
            let along_m = journey.reach();
            journey.visits.push(Visit {
                arrived_s: now,
                service_s: opens,
                departed_s: done,
                along_m,
            });
            (now, from) = (done, visit.place);
        }
        if let Some(home) = self.router.route(self.road, from, shift.depot, Profile::Van) {
            now = self.drive_path(&mut journey, &home.edges, shift.depot, now);
        }
        journey.end_s = now;
        self.fall_silent(&mut journey, rates, shift.departs_s);
        journey.deviations.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
        journey
    }

    /// Along a path that begins on the journey's last edge, to a place on its own last edge.
    pub(super) fn drive_path(
        &mut self,
        journey: &mut Journey,
        path: &[EdgeId],
        to: Place,
        at_s: f64,
    ) -> f64 {
        for edge in path.iter().skip(1) {
            journey.push_edge(self.road, *edge);
        }
        let to_m = journey.starts.last().copied().unwrap_or_default() + to.offset_m;
        self.drive_to(journey, to_m, at_s)
    }

    /// To a point further along edges that the journey already has.
    fn drive_to(&mut self, journey: &mut Journey, to_m: f64, at_s: f64) -> f64 {
        let from_m = journey.reach();
        journey.stand(at_s);
        let stretch = Stretch { edges: &journey.edges, starts: &journey.starts, from_m, to_m };
        let job = (stretch, at_s);
        motion::drive(self.road, self.traffic, &mut self.chance, job, &mut journey.knots)
    }

    /// Stands somewhere on the way for a quarter of an hour or more.
    fn drive_with_break(
        &mut self,
        journey: &mut Journey,
        (_, at_s): (Place, f64),
        (visit, shift): (&PlannedVisit, &Shift),
    ) -> f64 {
        let from_m = journey.reach();
        for edge in visit.path.iter().skip(1) {
            journey.push_edge(self.road, *edge);
        }
        let to_m = journey.starts.last().copied().unwrap_or_default() + visit.place.offset_m;
        let share = self.chance.between(0.35, 0.65);
        let length_s = self.chance.between(960.0, 1_800.0);
        let at_m = from_m + (to_m - from_m) * share;
        let position = self.road.point_at(journey.place(self.road, at_m)).0;
        let apart = |door: Position| plane::distance_m(position, door) > BREAK_APART_M;
        if !shift.visits.iter().all(|v| apart(v.door)) || !apart(shift.depot_door) {
            return self.drive_to(journey, to_m, at_s);
        }
        let stands_s = self.drive_to(journey, at_m, at_s);
        let (from_s, to_s) = (stands_s, stands_s + length_s);
        journey.deviations.push(Deviation { kind: Trouble::LongStop, from_s, to_s });
        self.drive_to(journey, to_m, to_s)
    }

    /// Leaves the way for some other place and only then goes to the stop.
    fn drive_detour(
        &mut self,
        journey: &mut Journey,
        (from, at_s): (Place, f64),
        visit: &PlannedVisit,
    ) -> f64 {
        let Some((path, branch)) = self.detour(visit, from) else {
            return self.drive_path(journey, &visit.path, visit.place, at_s);
        };
        let first = journey.edges.len() - 1;
        let arrived = self.drive_path(journey, &path, visit.place, at_s);
        // `when` searches up to the end, which is here for now.
        journey.end_s = arrived;
        if let Some(along_m) = self.lost_at(journey, first + branch, (visit, branch)) {
            let from_s = journey.when(along_m);
            let deviation = Deviation { kind: Trouble::OffRoute, from_s, to_s: arrived };
            journey.deviations.push(deviation);
        }
        arrived
    }

    /// A path to the visit with a detour, and the index of the edge it leaves the way from.
    fn detour(&mut self, visit: &PlannedVisit, from: Place) -> Option<(Vec<EdgeId>, usize)> {
        let planned = free_seconds(self.road, &visit.path, from, visit.place);
        if visit.path.len() < 6 || planned < 60.0 {
            return None;
        }
        let branch = visit.path.len() * 2 / 5;
        let leaves = Place { edge: visit.path[branch], offset_m: 0.0 };
        let at = self.road.point_at(leaves).0;
        for _ in 0..16 {
            let target = self.ground.around(at, (900.0, 2_200.0), &mut self.chance);
            let Some(target) = target else { continue };
            let out = self.router.route(self.road, leaves, target, Profile::Van);
            let back = self.router.route(self.road, target, visit.place, Profile::Van);
            let (Some(out), Some(back)) = (out, back) else { continue };
            let left = free_seconds(self.road, &visit.path[branch..], leaves, visit.place);
            if out.seconds + back.seconds - left >= DETOUR_S {
                let mut path = visit.path[..branch].to_vec();
                path.extend(&out.edges);
                path.extend(back.edges.iter().skip(1));
                return Some((path, branch));
            }
        }
        None
    }

    /// Metres along the journey at which no quick way leads to the visit any more: from the first
    /// place far enough from what was left of the planned way, on a street whose end is already
    /// too far out. Nobody turns in the middle of a street, so it is lost from there on, not from
    /// its end. Who turns round and drives back where he came from has left the way, too.
    fn lost_at(
        &mut self,
        journey: &Journey,
        branch: usize,
        (visit, planned_branch): (&PlannedVisit, usize),
    ) -> Option<f64> {
        let mut shape = Vec::new();
        let mut way = Vec::new();
        for edge in &visit.path[planned_branch..] {
            self.road.shape(*edge, &mut shape);
            way.extend_from_slice(&shape);
        }
        let direct = {
            let from = Place { edge: journey.edges[branch], offset_m: 0.0 };
            self.router.route(self.road, from, visit.place, Profile::Van)?.seconds
        };
        let mut driven = 0.0;
        for k in branch..journey.edges.len() {
            let edge = journey.edges[k];
            let length = self.road.length_m(edge);
            let end = Place { edge, offset_m: length };
            driven += self.road.free_s(edge);
            let left = self.router.route(self.road, end, visit.place, Profile::Van);
            if left.is_some_and(|left| driven + left.seconds - direct <= OFF_ROUTE_S) {
                continue;
            }
            let steps = libm::ceil(length / LOOK_M) as u32;
            let offsets = (0..=steps).map(|step| (f64::from(step) * LOOK_M).min(length));
            let apart =
                offsets.map(|offset_m| (offset_m, self.road.point_at(Place { edge, offset_m }).0));
            let lost = apart.into_iter().find(|(_, at)| distance_to_line(*at, &way) > OFF_ROUTE_M);
            if let Some((offset_m, _)) = lost {
                return Some(journey.starts[k] + offset_m);
            }
        }
        None
    }

    /// Draws when the device is silent, apart from what else goes wrong.
    fn fall_silent(&mut self, journey: &mut Journey, rates: &Rates, from_s: f64) {
        let last = journey.visits.last().map_or(0.0, |v| v.departed_s);
        let mut hour = from_s + 60.0;
        while hour < last {
            let hours = ((last - hour) / 3600.0).min(1.0);
            let begin = hour + self.chance.unit() * 3600.0 * hours;
            let length = self.chance.between(330.0, 840.0);
            let happens = self.chance.happens(rates.no_signal * hours);
            let apart = |d: &Deviation| d.to_s + 900.0 < begin || begin + length + 900.0 < d.from_s;
            if happens && begin + length < last && journey.deviations.iter().all(apart) {
                let kind = Trouble::NoSignal;
                journey.deviations.push(Deviation { kind, from_s: begin, to_s: begin + length });
            }
            hour += 3600.0;
        }
    }
}

/// Metres from a position to the nearest point of a line.
fn distance_to_line(at: Position, line: &[Position]) -> f64 {
    let plane = plane::Plane::new(at);
    let points: Vec<(f64, f64)> = line.iter().map(|p| plane.to_metres(*p)).collect();
    let to_segment = |pair: &[(f64, f64)]| {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        let (dx, dy) = (bx - ax, by - ay);
        let square = dx * dx + dy * dy;
        let share =
            if square > 0.0 { (-(ax * dx + ay * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
        let (x, y) = (ax + dx * share, ay + dy * share);
        (x * x + y * y).sqrt()
    };
    points.windows(2).map(to_segment).fold(f64::INFINITY, f64::min)
}

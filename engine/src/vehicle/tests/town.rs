//! A grid of streets, a van on it, and the truth.

use std::sync::Arc;

use ingest::fix::{Fix, Measured, Report};
use ingest::id::{DeviceId, OrderId, RouteId, StopId, TenantId, VehicleId, VehicleKey};
use ingest::record::{DeviceInput, Pid};
use ingest::time::Timestamp;
use ingest::units::Position;

use crate::alert::Policy;
use crate::eta::EtaModel;
use crate::model::{
    Action, Assignment, Body, Deed, Event, EventKind, Input, Output, Route, Stop, Window,
};
use crate::path::Router;
use crate::road::plane::Plane;
use crate::road::{EdgeId, Place, Profile, Road};
use crate::vehicle::{Scratch, Vehicle};
use crate::world::World;

/// Streets each way; 100 m apart, 25 km/h, named `Row 0`… eastward.
const SIDE: i64 = 21;
/// Second 0 of every story: 2026-11-20T08:00:00Z.
pub(super) const START: i64 = 1_795_161_600;

pub(super) fn at(s: i64) -> Timestamp {
    Timestamp::from_seconds(START + s)
}
pub(super) fn route_id(text: &str) -> RouteId {
    RouteId::new(text).unwrap()
}
pub(super) fn stop_id(text: &str) -> StopId {
    StopId::new(text).unwrap()
}

pub(super) fn world() -> World {
    thread_local! {
        static ROAD: Arc<Road> =
            Arc::new(crate::road::tests::grid(SIDE).finish().expect("a grid is a road"));
    }
    World {
        number: 1,
        road: ROAD.with(Arc::clone),
        model: Arc::new(EtaModel::default()),
        policy: Arc::new(Policy::default()),
        conditions: Arc::default(),
    }
}

/// Metres east and north of the grid's corner.
pub(super) fn place(x: f64, y: f64) -> Position {
    let at = Plane::new(Position { lng: -8.61, lat: 41.15 }).to_position(x, y);
    let (lng, lat) = at.to_e7();
    Position::from_e7(lng, lat)
}

/// A stop at (x, y) with a window from and to these seconds.
pub(super) fn stop(id: &str, (x, y): (f64, f64), window: Option<(i64, i64)>) -> Stop {
    Stop {
        id: stop_id(id),
        order: OrderId::new(&format!("o-{id}")).unwrap(),
        position: place(x, y),
        window: window.map(|(from, to)| Window { from: at(from), to: at(to) }),
        service_s: 120.0,
    }
}

pub(super) fn route(id: &str, version: u64, stops: Vec<Stop>) -> Route {
    Route {
        id: route_id(id),
        version,
        depot: place(0.0, 0.0),
        shift: Window { from: at(0), to: at(36_000) },
        time_zone: "Europe/Lisbon".to_owned(),
        stops,
        transfer: None,
        moved_away: Vec::new(),
    }
}

/// Numbers that look random, the same everywhere: standard normal.
#[derive(Debug, Clone)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
    pub(super) fn normal(&mut self) -> f64 {
        let (a, b) = (self.uniform(), self.uniform());
        (-2.0 * libm::log(a)).sqrt() * libm::cos(2.0 * std::f64::consts::PI * b)
    }
}

/// A vehicle and everything it has been told and has said.
#[derive(Debug)]
pub(super) struct Van {
    pub(super) world: World,
    pub(super) vehicle: Vehicle,
    pub(super) scratch: Scratch,
    pub(super) said: Vec<(Timestamp, Output)>,
    pub(super) pid: u128,
}

impl Van {
    pub(super) fn named(name: &str) -> Self {
        let tenant = TenantId::new("acme").unwrap();
        let key = VehicleKey { tenant, vehicle: VehicleId::new(name).unwrap() };
        Self {
            world: world(),
            vehicle: Vehicle::new(key),
            scratch: Scratch::default(),
            said: Vec::new(),
            pid: 0,
        }
    }

    /// With the device `d1`.
    pub(super) fn new() -> Self {
        let mut van = Self::named("van-1");
        van.assign("d1", Some("van-1"), -100);
        van
    }

    /// Steps an input at a second, waking the vehicle before as the shard does.
    pub(super) fn step(&mut self, input: Input, now: Timestamp) {
        self.wake_until(now);
        self.step_only(input, now);
    }

    pub(super) fn wake_until(&mut self, now: Timestamp) {
        while let Some(due) = self.vehicle.wake_at().filter(|due| *due <= now) {
            self.step_only(Input::Wake { overdue: false }, due);
            assert!(self.vehicle.wake_at().is_none_or(|next| next > due), "strictly later");
        }
    }

    pub(super) fn step_only(&mut self, input: Input, now: Timestamp) {
        let mut out = Vec::new();
        self.vehicle.step(&self.world, input, now, &mut self.scratch, &mut out);
        self.said.extend(out.into_iter().map(|o| (now, o)));
    }

    pub(super) fn assign(&mut self, device: &str, vehicle: Option<&str>, s: i64) {
        self.pid += 1;
        let change = Assignment {
            pid: Pid(self.pid),
            received_at: at(s),
            device: DeviceId::new(device).unwrap(),
            vehicle: vehicle.map(|v| VehicleId::new(v).unwrap()),
            from: at(s),
        };
        self.step(Input::Assignment(change), at(s));
    }

    pub(super) fn plan(&mut self, route: Route, s: i64) {
        self.pid += 1;
        let by = Some("ana".to_owned());
        let (pid, received_at) = (Pid(self.pid), at(s));
        self.step(Input::Plan { pid, received_at, by, route: Box::new(route) }, at(s));
    }

    pub(super) fn act(&mut self, route: &str, stop: Option<&str>, deed: Deed, s: i64) {
        self.pid += 1;
        let action = Action {
            pid: Pid(self.pid),
            received_at: at(s),
            by: Some("joe".to_owned()),
            route: Some(route_id(route)),
            stop: stop.map(stop_id),
            deed,
        };
        self.step(Input::Action(action), at(s));
    }

    /// A fix of a device at a time, heard at another.
    pub(super) fn hear(&mut self, device: &str, time: i64, now: i64, seen: (Position, f64)) {
        let (position, speed) = seen;
        let mut report = Report::of(DeviceId::new(device).unwrap());
        report.time = Some(at(time));
        report.fix = Some(
            Fix::new(Measured {
                lng: position.lng,
                lat: position.lat,
                valid: true,
                speed: Some(speed),
                ..Measured::default()
            })
            .unwrap(),
        );
        let tenant = TenantId::new("acme").unwrap();
        let input = DeviceInput::new(&tenant, "test", report, at(now));
        self.step(Input::Device(Box::new(input)), at(now));
    }

    pub(super) fn fix(&mut self, s: i64, x: f64, y: f64, speed: f64) {
        self.hear("d1", s, s, (place(x, y), speed));
    }

    pub(super) fn events(&self) -> impl Iterator<Item = (i64, &Event)> {
        self.said.iter().filter_map(|(now, o)| match &o.body {
            Body::Event(event) => Some((now.millis() / 1000 - START, &**event)),
            _ => None,
        })
    }

    /// Events as `second kind [stop]`, those of `kinds` only; all where it is empty.
    pub(super) fn told(&self, kinds: &[EventKind]) -> Vec<String> {
        self.events()
            .filter(|(_, e)| kinds.is_empty() || kinds.contains(&e.kind))
            .map(|(s, e)| {
                let stop = e.stop.as_ref().map_or(String::new(), |s| format!(" {s}"));
                format!("{s} {}{stop}", e.kind.name())
            })
            .collect()
    }

    /// The same without the second.
    pub(super) fn kinds(&self) -> Vec<String> {
        let told = self.told(&[]);
        told.iter().map(|t| t.split_once(' ').unwrap().1.to_owned()).collect()
    }

    /// Seqs rise by one, and the outputs' fold is the vehicle's own view.
    pub(super) fn check(&self) {
        let mut view = crate::model::View::default();
        for (i, (_, output)) in self.said.iter().enumerate() {
            assert_eq!(output.seq, i as u64 + 1);
            view.apply(output);
            if let Body::Eta(eta) = &output.body {
                for line in &eta.stops {
                    let sum: i64 = line.causes.iter().map(|c| c.seconds).sum();
                    assert_eq!(sum, line.moved_s, "{line:?}");
                    let ordered = line.times.is_none_or(|t| t.p10 <= t.p50 && t.p50 <= t.p90);
                    assert!(ordered, "{line:?}");
                }
            }
        }
        assert_eq!(view, *self.vehicle.view());
    }
}

/// What was true of a visit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Truth {
    pub(super) stop: StopId,
    pub(super) arrived: i64,
    pub(super) departed: i64,
}

/// A driver: where the van truly is, and how it is driven.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) now: i64,
    pub(super) here: Place,
    /// Seconds between fixes.
    pub(super) every: i64,
    /// Driving time ÷ free flow at a second and on an edge.
    pub(super) pace: fn(i64, EdgeId) -> f64,
    pub(super) noise_m: f64,
    pub(super) dice: Dice,
    drift: (f64, f64),
    router: Router,
}

impl Driver {
    /// At a place of the grid, at second 0.
    pub(super) fn new(van: &Van, (x, y): (f64, f64), every: i64, seed: u64) -> Self {
        Self {
            now: 0,
            here: kerb(&van.world.road, place(x, y)),
            every,
            pace: |_, _| 1.4,
            noise_m: 6.0,
            dice: Dice(seed),
            drift: (0.0, 0.0),
            router: Router::new(),
        }
    }

    /// A second passes.
    pub(super) fn tick(&mut self, van: &mut Van, speed: f64) {
        self.now += 1;
        let keep = 0.98;
        let jolt = self.noise_m * (1.0_f64 - keep * keep).sqrt();
        self.drift.0 = keep * self.drift.0 + jolt * self.dice.normal();
        self.drift.1 = keep * self.drift.1 + jolt * self.dice.normal();
        if self.now % self.every != 0 {
            return;
        }
        let truth = van.world.road.point_at(self.here).0;
        let (a, b) = (self.dice.normal(), self.dice.normal());
        let plane = Plane::new(truth);
        let seen = plane.to_position(self.drift.0 + a, self.drift.1 + b);
        let speed = (speed + 0.2 * self.dice.normal()).max(0.0);
        van.hear("d1", self.now, self.now, (seen, speed));
    }

    pub(super) fn stand(&mut self, van: &mut Van, seconds: i64) {
        for _ in 0..seconds {
            self.tick(van, 0.0);
        }
    }

    /// Drives the quickest way to a place.
    pub(super) fn go(&mut self, van: &mut Van, to: Place) {
        let road = Arc::clone(&van.world.road);
        let path = self.router.route(&road, self.here, to, Profile::Van).expect("a way");
        let mut offset = self.here.offset_m;
        for (i, edge) in path.edges.iter().enumerate() {
            let length = road.length_m(*edge);
            let end = if i + 1 == path.edges.len() { to.offset_m } else { length };
            while offset < end {
                let speed = length / road.free_s(*edge) / (self.pace)(self.now, *edge);
                offset += speed;
                self.here = Place { edge: *edge, offset_m: offset.min(end) };
                self.tick(van, speed);
            }
            offset = 0.0;
        }
    }

    /// The side of the street on which one passes a place on the way to another without turning.
    pub(super) fn onward(&self, road: &Road, via: Position, to: Position) -> Place {
        let mut near = Vec::new();
        road.near(via, 300.0, 2, &mut near);
        let mut router = Router::new();
        let mut seconds = |from: Place, to: Place| {
            router.route(road, from, to, Profile::Van).expect("a way").seconds
        };
        let to = kerb(road, to);
        let mut cost = |p: Place| seconds(self.here, p) + seconds(p, to);
        let (a, b) = (near[0].place, near[1].place);
        if cost(a) <= cost(b) { a } else { b }
    }

    /// Drives to a stop and serves it for so long, waiting for its window.
    pub(super) fn visit(&mut self, van: &mut Van, stop: &Stop, service_s: i64) -> Truth {
        self.go(van, kerb(&Arc::clone(&van.world.road), stop.position));
        let arrived = self.now;
        let opens = stop.window.map_or(0, |w| w.from.millis() / 1000 - START);
        self.stand(van, (opens - self.now).max(0) + service_s);
        Truth { stop: stop.id.clone(), arrived, departed: self.now }
    }
}

/// The nearest place on the road.
pub(super) fn kerb(road: &Road, door: Position) -> Place {
    let mut near = Vec::new();
    road.near(door, 300.0, 1, &mut near);
    near[0].place
}

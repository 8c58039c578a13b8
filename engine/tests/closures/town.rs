//! A grid of streets, vans that drive east along its rows, and what was said of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use engine::model::{Assignment, Body, Event, EventKind, Route, Stop, Window};
use engine::record::input::{assignment_envelope, plan_envelope};
use engine::record::{
    ClosureRecord, Digest, InputRecord, TrafficPart, canonical, output_from_envelope,
};
use engine::road::plane::Plane;
use engine::road::{Attributes, Road, RoadBuilder};
use engine::runtime::{Aggregator, Maps, Metrics, Settings, Shard, Span, Turn, replay};
use engine::world::{Closure, Shape};
use ingest::fix::{Fix, Measured, Report};
use ingest::id::{ClosureId, DeviceId, OrderId, RouteId, StopId, TenantId, VehicleId, VehicleKey};
use ingest::log::{Clock, Log, MemoryLog, NewRecord, Record, Topic};
use ingest::record::{DeviceInput, Envelope, Kind, Pid};
use ingest::time::Timestamp;
use ingest::units::Position;

/// 2026-11-20T08:00:00Z.
const START: i64 = 1_795_161_600;
/// Metres of the block east of column 9, from south of row 0 to north of row 10.
pub(crate) const WALL: [(f64, f64); 4] =
    [(940.0, -20.0), (960.0, -20.0), (960.0, 1_020.0), (940.0, 1_020.0)];

/// Metres east and north of the grid's corner.
pub(crate) fn place(x: f64, y: f64) -> Position {
    Plane::new(Position { lng: -8.61, lat: 41.15 }).to_position(x, y)
}

/// Junctions 100 m apart; node `row * 100 + column`, way 1000 + row eastward.
pub(crate) fn grid(side: i64) -> Road {
    let mut builder = RoadBuilder::new();
    let nodes = (0..side).flat_map(|row| (0..side).map(move |column| (row, column)));
    for (row, column) in nodes.clone() {
        let (lng, lat) = place(column as f64 * 100.0, row as f64 * 100.0).to_e7();
        builder.node(row * 100 + column, Position::from_e7(lng, lat));
    }
    for (row, column) in nodes {
        let here = row * 100 + column;
        let name = format!("Row {row}");
        let named = Attributes { name: &name, ..Attributes::default() };
        if column + 1 < side {
            builder.edge(1000 + row, (here, here + 1), &[], &named);
        }
        if row + 1 < side {
            builder.edge(2000 + column, (here, here + 100), &[], &Attributes::default());
        }
    }
    builder.finish().unwrap()
}

struct Van {
    key: String,
    row: f64,
    x: f64,
    holds: bool,
}

pub(crate) struct Town {
    name: String,
    road: Arc<Road>,
    time: Arc<AtomicI64>,
    log: Arc<dyn Log>,
    settings: Settings,
    shard: Option<(Shard, Aggregator)>,
    vans: Vec<Van>,
    pids: u128,
}

impl Town {
    pub(crate) fn new(name: &str, side: i64) -> Self {
        let road = Arc::new(grid(side));
        let time = Arc::new(AtomicI64::new(START * 1_000_000));
        let shared = Arc::clone(&time);
        let clock: Clock = Arc::new(move || Timestamp::from_micros(shared.load(Ordering::Relaxed)));
        let log: Arc<dyn Log> = Arc::new(MemoryLog::new(3, clock));
        let maps = Maps::of(vec![(road.hash().to_owned(), Arc::clone(&road))]);
        let settings =
            Settings { maps, commit_every: Duration::ZERO, strict: true, ..Settings::default() };
        let (shard, vans, pids) = (None, Vec::new(), 0);
        let name = name.to_owned();
        let mut town = Self { name, road, time, log, settings, shard, vans, pids };
        town.restart();
        town
    }

    /// Another process takes over; the one before has gone without a word.
    pub(crate) fn restart(&mut self) {
        self.shard = None;
        let shared = Arc::clone(&self.time);
        let clock: Clock = Arc::new(move || Timestamp::from_micros(shared.load(Ordering::Relaxed)));
        let settings = Arc::new(self.settings.clone());
        let shard = Shard::join(&self.log, 0, &settings, clock, &Metrics::default()).unwrap();
        let aggregator = shard.aggregator();
        self.shard = Some((shard, aggregator));
        self.settle();
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.time.load(Ordering::Relaxed) / 1_000_000 - START
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(START + self.seconds())
    }

    fn append(&self, topic: Topic, key: &str, envelope: &Envelope) {
        self.send(envelope.into_record(topic, key.to_owned().into()));
    }

    fn send(&self, record: NewRecord) {
        let mut appending = self.log.append(vec![record]);
        match appending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => drop(answer.unwrap()),
            Poll::Pending => panic!("memory answers at once"),
        }
    }

    fn pid(&mut self) -> Pid {
        self.pids += 1;
        Pid(self.pids)
    }

    /// A van at the western end of a row, with one stop on it at column 18.
    pub(crate) fn sets_out(&mut self, key: &str, row: i64) {
        let VehicleKey { vehicle, .. } = VehicleKey::parse(key.as_bytes()).unwrap();
        let change = Assignment {
            pid: self.pid(),
            received_at: self.now(),
            device: DeviceId::new(&format!("d-{vehicle}")).unwrap(),
            vehicle: Some(VehicleId::new(vehicle.as_str()).unwrap()),
            from: self.now(),
        };
        self.append(Topic::Inputs, key, &assignment_envelope(&change, None));
        let (x, y) = (100.0, row as f64 * 100.0);
        let stop = Stop {
            id: StopId::new(&format!("s-{vehicle}")).unwrap(),
            order: OrderId::new(&format!("o-{vehicle}")).unwrap(),
            position: place(1_850.0, y),
            window: None,
            service_s: 120.0,
        };
        let route = Route {
            id: RouteId::new(&format!("r-{vehicle}")).unwrap(),
            version: 1,
            depot: place(x - 90.0, y + 300.0),
            shift: Window { from: self.now(), to: self.now().plus_seconds(36_000.0) },
            time_zone: "Europe/Lisbon".to_owned(),
            stops: vec![stop],
            transfer: None,
            moved_away: Vec::new(),
        };
        let plan = plan_envelope(&route, self.pid(), self.now(), Some("ana"));
        self.append(Topic::Inputs, key, &plan);
        self.vans.push(Van { key: key.to_owned(), row: y, x, holds: false });
        self.settle();
    }

    /// The van stays where it is from now on.
    pub(crate) fn hold(&mut self, key: &str) {
        self.vans.iter_mut().filter(|van| van.key == key).for_each(|van| van.holds = true);
    }

    pub(crate) fn drive(&mut self, seconds: i64) {
        self.pass(seconds, 5.0);
    }

    pub(crate) fn creep(&mut self, seconds: i64) {
        self.pass(seconds, 0.9);
    }

    pub(crate) fn stand(&mut self, seconds: i64) {
        self.pass(seconds, 0.0);
    }

    /// A fix of each van every five seconds.
    fn pass(&mut self, seconds: i64, mps: f64) {
        for _ in 0..seconds {
            self.time.fetch_add(1_000_000, Ordering::Relaxed);
            let mut fixes = Vec::new();
            for van in &mut self.vans {
                let mps = if van.holds { 0.0 } else { mps };
                van.x += mps;
                fixes.push((van.key.clone(), place(van.x, van.row), mps));
            }
            if self.seconds() % 5 == 0 {
                for (key, at, mps) in fixes {
                    self.fix(&key, at, mps);
                }
            }
            self.settle();
        }
    }

    fn fix(&self, key: &str, at: Position, speed: f64) {
        let VehicleKey { tenant, vehicle } = VehicleKey::parse(key.as_bytes()).unwrap();
        let mut report = Report::of(DeviceId::new(&format!("d-{vehicle}")).unwrap());
        report.time = Some(self.now());
        let measured = Measured {
            lng: at.lng,
            lat: at.lat,
            valid: true,
            speed: Some(speed),
            heading: Some(90.0),
            ..Measured::default()
        };
        report.fix = Some(Fix::new(measured).unwrap());
        let input = DeviceInput::new(&tenant, "test", report, self.now());
        self.append(Topic::Inputs, key, &input.envelope());
    }

    fn closure(&self, tenant: &str, id: &str, shape: Shape) -> Closure {
        Closure {
            tenant: TenantId::new(tenant).unwrap(),
            id: ClosureId::new(id).unwrap(),
            from: self.now(),
            until: None,
            shape,
            reason: None,
        }
    }

    /// As the api writes it; from and until in seconds.
    pub(crate) fn close(&mut self, tenant: &str, id: &str, shape: Shape, span: Option<(i64, i64)>) {
        let mut closure = self.closure(tenant, id, shape);
        if let Some((from, until)) = span {
            closure.from = Timestamp::from_seconds(START + from);
            closure.until = Some(Timestamp::from_seconds(START + until));
        }
        let record = ClosureRecord { version: 1, removed: false, closure };
        let envelope = record.envelope(Some("ana"), self.now());
        self.send(envelope.into_record(Topic::Worlds, record.key()));
    }

    pub(crate) fn open(&mut self, tenant: &str, id: &str) {
        let closure = self.closure(tenant, id, Shape::Way(1));
        let record = ClosureRecord { version: 2, removed: true, closure };
        let envelope = record.envelope(Some("ana"), self.now());
        self.send(envelope.into_record(Topic::Worlds, record.key()));
    }

    /// Turns until nothing comes any more.
    pub(crate) fn settle(&mut self) {
        let Some((shard, aggregator)) = &mut self.shard else { return };
        let mut idle = 0;
        for _ in 0..10_000 {
            aggregator.turn().unwrap();
            idle = if shard.turn(Duration::ZERO).unwrap() == Turn::Idle { idle + 1 } else { 0 };
            // A World takes some turns of its own.
            if idle > 6 {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    fn records(&self, topic: Topic) -> Vec<Record> {
        let all: Vec<(u32, u64)> = (0..self.log.partitions(topic)).map(|p| (p, 0)).collect();
        let mut reader = self.log.reader(topic, &all).unwrap();
        let mut records = Vec::new();
        loop {
            let more = reader.poll(1 << 24, Duration::ZERO).unwrap();
            if more.is_empty() {
                return records;
            }
            records.extend(more);
        }
    }

    /// What each vehicle said, with the World it was in.
    fn said(&self) -> Vec<(String, Body)> {
        let said = |record: Record| {
            let key = String::from_utf8_lossy(&record.key).into_owned();
            let envelope = Envelope::decode(record.value.unwrap()).unwrap();
            (key, output_from_envelope(&envelope).unwrap().body)
        };
        self.records(Topic::Outputs).into_iter().map(said).collect()
    }

    pub(crate) fn events(&self, kind: EventKind) -> Vec<(String, Event)> {
        let event = |(key, body)| match body {
            Body::Event(event) if event.kind == kind => Some((key, *event)),
            _ => None,
        };
        self.said().into_iter().filter_map(event).collect()
    }

    /// The median last said of a stop, seconds after the start.
    pub(crate) fn p50(&self, key: &str, stop: &str) -> i64 {
        let eta = |(said, body): (String, Body)| match body {
            Body::Eta(eta) if said == key => {
                let line = eta.stops.into_iter().find(|line| line.stop.as_str() == stop)?;
                line.times.map(|times| times.p50.micros() / 1_000_000 - START)
            }
            _ => None,
        };
        self.said().into_iter().filter_map(eta).next_back().unwrap()
    }

    /// Arrivals said of a vehicle at or after the moment of the newest World's change.
    pub(crate) fn etas_since_world(&self, key: &str) -> usize {
        let since = self.now();
        let fresh = self.records(Topic::Outputs).into_iter().filter(|record| {
            let envelope = Envelope::decode(record.value.clone().unwrap()).unwrap();
            record.key == key.as_bytes()
                && record.appended_at >= since
                && envelope.kind == Kind::Eta
        });
        fresh.count()
    }

    /// How many Worlds partition 0 has come to.
    pub(crate) fn worlds(&self) -> u64 {
        self.world().map_or(0, |world| world.number)
    }

    fn world(&self) -> Option<engine::record::WorldRecord> {
        let worlds = self.records(Topic::Inputs).into_iter().filter_map(|record| {
            let envelope = Envelope::decode(record.value?).ok()?;
            match InputRecord::from_envelope(&envelope).ok()? {
                InputRecord::World(world) => Some(world),
                _ => None,
            }
        });
        worlds.max_by_key(|world| world.number)
    }

    fn part(&self) -> TrafficPart {
        let Some(world) = self.world() else { return TrafficPart::default() };
        let part = self
            .records(Topic::Worlds)
            .into_iter()
            .find(|record| !world.traffic.is_empty() && record.key == world.traffic.as_bytes());
        part.map_or_else(TrafficPart::default, |record| {
            let envelope = Envelope::decode(record.value.unwrap()).unwrap();
            TrafficPart::from_payload(&envelope.payload).unwrap()
        })
    }

    /// Ways with slow edges, and their levels.
    pub(crate) fn slow(&self) -> Vec<(i64, u8)> {
        let slow = self.part().edges.slow;
        slow.into_iter().map(|(edge, level)| (self.road.osm(edge).0, level)).collect()
    }

    pub(crate) fn closed(&self) -> BTreeMap<TenantId, usize> {
        let closed = self.part().edges.closed;
        closed.into_iter().map(|(tenant, edges)| (tenant, edges.len())).collect()
    }

    /// The same inputs give the same outputs, on one thread and on three.
    pub(crate) fn check(&self) {
        let mut digest = Digest::default();
        for record in self.records(Topic::Outputs) {
            let key = String::from_utf8_lossy(&record.key).into_owned();
            let envelope = Envelope::decode(record.value.unwrap()).unwrap();
            digest.add(&key, &canonical::output(&key, &envelope).unwrap());
        }
        let digest = digest.hex();
        for shards in [1, 3] {
            let name = format!("milepost-closures-{}-{}", std::process::id(), self.name);
            let out = std::env::temp_dir().join(name);
            let run = replay(&self.log, &self.settings, Span::default(), shards, &out).unwrap();
            std::fs::remove_dir_all(&out).unwrap();
            assert_eq!(run.digest, digest, "on {shards} threads");
        }
    }
}

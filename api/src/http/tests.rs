//! The api as a client sees it, over a real socket and a log in memory.

use std::sync::Arc;
use std::time::Duration;

use engine::model::{Body as Said, Event, EventKind, Output, PositionOutput};
use engine::record::output_envelope;
use engine::road::Road;
use ingest::fix::{Fix, Measured, Report};
use ingest::id::{DeviceId, TenantId, VehicleKey};
use ingest::log::{Clock, Log, MemoryLog, Topic};
use ingest::record::DeviceInput;
use ingest::time::Timestamp;
use serde_json::{Value, json};

use crate::store::keys::{self, Role};
use crate::{Api, Metrics, Settings};

mod access;
mod closures;
mod customers;
mod desk;
mod flow;
mod load;
mod mail;
mod mailbox;
mod map;
mod messages;
mod people;
mod receiver;
mod reports;
mod resources;
mod sql;
mod streams;

/// 2026-11-20T08:00:00Z.
const START: i64 = 1_795_161_600;

/// A running api with a log, a client and a directory of its own.
struct World {
    api: Option<Api>,
    log: Arc<MemoryLog>,
    data: std::path::PathBuf,
    key: String,
    open: Option<TenantId>,
    road: Option<Arc<Road>>,
    messages: crate::message::Settings,
    archive: Option<crate::ArchiveSettings>,
    /// Seconds that the clock is ahead of where it would be.
    ahead: Arc<std::sync::atomic::AtomicI64>,
    runtime: tokio::runtime::Runtime,
}

fn clock() -> Clock {
    let started = tokio::time::Instant::now();
    Arc::new(move || Timestamp::from_seconds(START).plus(started.elapsed()))
}

impl World {
    /// A fresh one; its key is an admin of `acme`.
    fn new(name: &str) -> Self {
        Self::with(name, None)
    }

    fn with(name: &str, open: Option<TenantId>) -> Self {
        let data = std::env::temp_dir().join(format!("milepost-api-{}-{name}", std::process::id()));
        drop(std::fs::remove_dir_all(&data));
        let log = Arc::new(MemoryLog::new(4, clock()));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut world = Self {
            api: None,
            log,
            data,
            key: String::new(),
            open,
            road: None,
            runtime,
            messages: crate::message::Settings::default(),
            archive: None,
            ahead: Arc::default(),
        };
        world.start();
        world.key = world.key_of("acme", Role::Admin);
        world
    }

    fn start(&mut self) {
        self.start_on(Arc::clone(&self.log) as _);
    }

    fn start_on(&mut self, log: Arc<dyn Log>) {
        let settings = Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            data: self.data.clone(),
            open: self.open.clone(),
            road: self.road.clone(),
            secure: false,
            messages: self.messages.clone(),
            metrics: Metrics::default(),
            archive: self.archive.clone(),
        };
        let api = self.runtime.block_on(Api::start(settings, log, self.clock())).unwrap();
        while api.ready().is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.api = Some(api);
    }

    /// The time of day, which a test may put forward.
    fn clock(&self) -> Clock {
        let (clock, ahead) = (clock(), Arc::clone(&self.ahead));
        Arc::new(move || {
            let ahead = ahead.load(std::sync::atomic::Ordering::Relaxed);
            clock().plus_seconds(ahead as f64)
        })
    }

    fn stop(&mut self) {
        if let Some(api) = self.api.take() {
            self.runtime.block_on(api.stop());
        }
    }

    fn key_of(&self, tenant: &str, role: Role) -> String {
        let tenant = TenantId::new(tenant).unwrap();
        let store = &self.api.as_ref().unwrap().app.store;
        let now = Timestamp::from_seconds(START);
        let made = store.write(move |c| keys::create(c, &tenant, role, now));
        self.runtime.block_on(made).unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api.as_ref().unwrap().listening())
    }

    /// Status and JSON of a request with a key.
    fn ask_as(&self, key: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.ask_with(&[("Authorization", &format!("Bearer {key}"))], method, path, body)
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.ask_as(&self.key, method, path, body)
    }

    fn ask_with(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let (status, text, _) = self.raw(headers, method, path, body);
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Status, text and `ETag`.
    fn raw(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, String, Option<String>) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = ureq::http::Request::builder().method(method).uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let bytes = body.map(|b| serde_json::to_vec(b).unwrap()).unwrap_or_default();
        let mut response = agent.run(request.body(bytes).unwrap()).unwrap();
        let etag = response.headers().get("etag").map(|v| v.to_str().unwrap().to_owned());
        let text = response.body_mut().read_to_string().unwrap_or_default();
        (response.status().as_u16(), text, etag)
    }

    /// Appends outputs of a vehicle as an engine would.
    fn say(&self, key: &str, outputs: &[Output]) {
        let now = Timestamp::from_seconds(START);
        let records = outputs.iter().map(|output| {
            let key = key.to_owned();
            output_envelope(output, now).into_record(Topic::Outputs, key.into())
        });
        self.runtime.block_on(self.log.append(records.collect())).unwrap();
    }

    /// Asks again until the answer fits; the live view follows within a moment.
    #[track_caller]
    fn until(&self, path: &str, fits: impl Fn(u16, &Value) -> bool) -> Value {
        for _ in 0..400 {
            let (status, json) = self.ask("GET", path, None);
            if fits(status, &json) {
                return json;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{path} never fitted: {:?}", self.ask("GET", path, None));
    }

    /// Records of a topic, as they lie in partition order.
    fn records(&self, topic: Topic) -> Vec<ingest::log::Record> {
        let all: Vec<(u32, u64)> = (0..4).map(|p| (p, 0)).collect();
        let mut reader = self.log.reader(topic, &all).unwrap();
        reader.poll(1 << 24, Duration::ZERO).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
        drop(std::fs::remove_dir_all(&self.data));
    }
}

/// A position output: `seq` seconds after the start, going east.
fn position(vehicle: &str, seq: u64) -> Output {
    let key = VehicleKey::parse(vehicle.as_bytes()).unwrap();
    let measured = Measured {
        lng: -8.61 + seq as f64 * 1e-4,
        lat: 41.15,
        valid: true,
        speed: Some(8.4),
        heading: Some(91.0),
        ..Measured::default()
    };
    let time = Timestamp::from_seconds(START + seq as i64);
    let device = DeviceId::new(&format!("dev-{}", key.vehicle)).unwrap();
    let report =
        Report { time: Some(time), fix: Some(Fix::new(measured).unwrap()), ..Report::of(device) };
    let input = DeviceInput::new(&key.tenant, "osmand", report, time);
    let output = PositionOutput { input, matched: None, backfill: false, route: None, world: 1 };
    Output { seq, body: Said::Position(Box::new(output)) }
}

fn event(seq: u64, kind: EventKind) -> Output {
    let at = Timestamp::from_seconds(START + seq as i64);
    Output { seq, body: Said::Event(Box::new(Event::new(kind, at))) }
}

/// A plan of two stops for a vehicle.
fn plan(vehicle: &str) -> Value {
    json!({
        "vehicle": vehicle, "depot": {"lat": 41.15, "lng": -8.61},
        "shift": {"start": "2026-11-20T08:00:00Z", "end": "2026-11-20T16:00:00Z"},
        "time_zone": "Europe/Lisbon",
        "stops": [
            {"id": "s1", "order": "o-1", "lat": 41.151, "lng": -8.611, "service_s": 120,
             "window": {"from": "2026-11-20T09:00:00Z", "to": "2026-11-20T10:00:00Z"},
             "name": "Rua 1"},
            {"id": "s2", "order": "o-2", "lat": 41.152, "lng": -8.612},
        ],
    })
}

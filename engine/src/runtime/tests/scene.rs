//! A log in memory with a clock to turn, vehicles that send, and what came out of it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use ingest::attribute::Attributes;
use ingest::fix::{Fix, Measured, Report};
use ingest::id::{DeviceId, TenantId};
use ingest::log::{Clock, Log, MemoryLog, NewRecord, Topic};
use ingest::record::{DeadLetter, DeviceInput, Envelope, Kind, Pid};
use ingest::time::Timestamp;

use super::super::metrics::Why;
use super::super::scan::scan;
use super::super::{EngineError, Maps, Metrics, Settings, Shard, Span, Turn, replay};
use crate::model::{Action, Deed};
use crate::record::input::{action_envelope, tick_envelope, world_envelope};
use crate::record::{Digest, InputRecord, MarkerRecord, TickRecord, WorldRecord, canonical};
use crate::road::Road;

/// When every scene begins, seconds.
pub(super) const START: i64 = 1_800_000_000;

/// Seconds after the beginning.
pub(super) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_seconds(START).plus_seconds(seconds)
}

pub(super) struct Scene {
    time: Arc<AtomicI64>,
    pub(super) log: Arc<dyn Log>,
    pub(super) memory: MemoryLog,
    pub(super) settings: Settings,
    pub(super) metrics: Metrics,
}

impl Scene {
    /// With one map and this many partitions; every turn commits.
    pub(super) fn new(partitions: u32) -> Self {
        let time = Arc::new(AtomicI64::new(START * 1_000_000));
        let shared = Arc::clone(&time);
        let clock: Clock = Arc::new(move || Timestamp::from_micros(shared.load(Ordering::Relaxed)));
        let memory = MemoryLog::new(partitions, clock);
        let settings = Settings {
            maps: Maps::of(vec![("map-a".to_owned(), Arc::new(Road::default()))]),
            commit_every: Duration::ZERO,
            strict: true,
            ..Settings::default()
        };
        let log = Arc::new(memory.clone());
        Self { time, log, memory, settings, metrics: Metrics::default() }
    }

    pub(super) fn clock(&self) -> Clock {
        let shared = Arc::clone(&self.time);
        Arc::new(move || Timestamp::from_micros(shared.load(Ordering::Relaxed)))
    }

    /// Turns the clock to so many seconds after the beginning.
    pub(super) fn turn_to(&self, seconds: f64) {
        self.time.store(at(seconds).micros(), Ordering::Relaxed);
    }

    pub(super) fn shard(&self) -> Shard {
        self.shard_numbered(0)
    }

    pub(super) fn shard_numbered(&self, number: usize) -> Shard {
        let settings = Arc::new(self.settings.clone());
        Shard::join(&self.log, number, &settings, self.clock(), &self.metrics).unwrap()
    }

    /// Appends to `inputs`; by partition, or by key where that is `None`.
    pub(super) fn put(&self, key: &str, envelope: &Envelope, partition: Option<u32>) {
        let mut record =
            envelope.into_record(Topic::Inputs, Bytes::copy_from_slice(key.as_bytes()));
        record.partition = partition;
        self.append(record);
    }

    pub(super) fn append(&self, record: NewRecord) {
        let mut appending = self.log.append(vec![record]);
        match appending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => drop(answer.unwrap()),
            Poll::Pending => panic!("memory answers at once"),
        }
    }

    /// The vehicle's device sends its `n`-th fix, received at this second.
    pub(super) fn fix(&self, vehicle: &str, n: i64, received: f64) {
        self.fix_at_speed(vehicle, n, received, 8.0);
    }

    pub(super) fn fix_at_speed(&self, vehicle: &str, n: i64, received: f64, speed: f64) {
        self.put(&format!("acme/{vehicle}"), &fix(vehicle, n, received, speed), None);
    }

    /// A person does something; `pid` is its identity.
    pub(super) fn act(&self, vehicle: &str, deed: Deed, pid: u128, received: f64) {
        let (route, stop, by) = (None, None, Some("ana".to_owned()));
        let received_at = at(received);
        let action = Action { pid: Pid(pid), received_at, by, route, stop, deed };
        self.put(&format!("acme/{vehicle}"), &action_envelope(&action), None);
    }

    pub(super) fn tick(&self, partition: u32, seconds: f64, resumed: bool) {
        self.put("", &tick_envelope(TickRecord { resumed }, at(seconds)), Some(partition));
    }

    pub(super) fn world(&self, partition: u32, world: &WorldRecord) {
        self.put("", &world_envelope(world, at(0.0)), Some(partition));
    }

    /// Every output as `vehicle seq kind…`, by partition in order.
    pub(super) fn said(&self) -> Vec<String> {
        let mut said = Vec::new();
        self.each(Topic::Outputs, |key, envelope| {
            let line = canonical::output(&String::from_utf8_lossy(&key), &envelope).unwrap();
            let json: serde_json::Value = serde_json::from_str(&line).unwrap();
            let what = json["type"].as_str().unwrap_or("position").to_owned();
            let overdue = if json["overdue"] == true { " overdue" } else { "" };
            let name = String::from_utf8_lossy(&key).replace("acme/", "");
            said.push(format!("{name} {} {what}{overdue}", envelope.seq));
        });
        said
    }

    /// Digest over all outputs; fails on a gap or double in any vehicle's numbers.
    pub(super) fn digest(&self) -> String {
        let mut digest = Digest::default();
        let mut last = std::collections::BTreeMap::new();
        self.each(Topic::Outputs, |key, envelope| {
            let before = last.insert(key.clone(), envelope.seq).unwrap_or(0);
            assert_eq!(envelope.seq, before + 1, "numbers of {key:?}");
            let key = String::from_utf8_lossy(&key).into_owned();
            digest.add(&key, &canonical::output(&key, &envelope).unwrap());
        });
        digest.hex()
    }

    /// Reasons and sources of all dead letters.
    pub(super) fn letters(&self) -> Vec<String> {
        let mut letters = Vec::new();
        self.each(Topic::DeadLetters, |_, envelope| {
            let letter = DeadLetter::from_envelope(&envelope).unwrap();
            letters.push(format!("{}: {}", letter.source, letter.reason));
        });
        letters
    }

    /// Every marker on the log, oldest first.
    pub(super) fn markers(&self) -> Vec<MarkerRecord> {
        let mut markers = Vec::new();
        self.each(Topic::States, |_, envelope| {
            markers.extend(
                MarkerRecord::from_envelope(&envelope)
                    .ok()
                    .filter(|_| envelope.kind == Kind::Marker),
            );
        });
        markers
    }

    /// Every World of `inputs`.
    pub(super) fn world_records(&self) -> Vec<WorldRecord> {
        let mut worlds = Vec::new();
        self.each(Topic::Inputs, |_, envelope| {
            if let Ok(InputRecord::World(world)) = InputRecord::from_envelope(&envelope) {
                worlds.push(world);
            }
        });
        worlds
    }

    /// The same as `place number map`; the place counts them, one a partition.
    pub(super) fn worlds(&self) -> Vec<String> {
        let line = |(n, w): (usize, WorldRecord)| format!("{n} {} {}", w.number, w.map);
        self.world_records().into_iter().enumerate().map(line).collect()
    }

    /// Outputs that came out otherwise in recovery, by version.
    pub(super) fn differences(&self, reason: &'static str) -> u64 {
        self.metrics.differences.get_or_create(&Why { reason }).get()
    }

    pub(super) fn each(&self, topic: Topic, mut visit: impl FnMut(Bytes, Envelope)) {
        for partition in 0..self.log.partitions(topic) {
            let bounds = self.log.bounds(topic, partition).unwrap();
            scan::<()>(&*self.log, (topic, partition), bounds.start..bounds.end, |record| {
                visit(record.key, Envelope::decode(record.value.unwrap()).unwrap());
                ControlFlow::Continue(())
            })
            .unwrap();
        }
    }

    /// Digest of what the inputs give when they are stepped from the beginning, on 1 thread and
    /// on 3.
    pub(super) fn replayed(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("milepost-replay-{}-{number}", std::process::id());
        let out = std::env::temp_dir().join(name);
        let run =
            |shards| replay(&self.log, &self.settings, Span::default(), shards, &out).unwrap();
        let one = run(1);
        assert_eq!(run(3), one);
        std::fs::remove_dir_all(&out).unwrap();
        one.digest
    }
}

/// A fix of the device of that name; its own time is `n` seconds after the beginning.
pub(super) fn fix(device: &str, n: i64, received: f64, speed: f64) -> Envelope {
    let measured = Measured {
        lng: -8.61 + n as f64 * 1e-5,
        lat: 41.15,
        valid: true,
        speed: Some(speed),
        heading: None,
        altitude: None,
        accuracy: None,
    };
    let report = Report {
        device: DeviceId::new(device).unwrap(),
        time: Some(at(n as f64)),
        fix: Some(Fix::new(measured).unwrap()),
        attributes: Attributes::default(),
        checksum_ok: None,
    };
    let tenant = TenantId::new("acme").unwrap();
    DeviceInput::new(&tenant, "osmand", report, at(received)).envelope()
}

/// Turns until nothing comes any more.
#[track_caller]
pub(super) fn settle(shard: &mut Shard) {
    try_settle(shard).unwrap();
}

pub(super) fn try_settle(shard: &mut Shard) -> Result<(), EngineError> {
    for _ in 0..10_000 {
        if shard.turn(Duration::ZERO)? == Turn::Idle {
            return Ok(());
        }
    }
    panic!("a shard that never comes to rest");
}

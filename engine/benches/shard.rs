//! CPU of one fix in a shard, by stage: `cargo bench -p engine --bench shard`.
//!
//! 5,000 vehicles send 40 fixes each onto a log in memory with 16 partitions; there are no roads,
//! so `step` is the vehicle without matching. What a shard adds is everything else.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use engine::alert::Policy;
use engine::eta::EtaModel;
use engine::model::{Input, Output};
use engine::record::{InputRecord, output_envelope};
use engine::road::Road;
use engine::runtime::{Maps, Metrics, Settings, Shard, Turn};
use engine::vehicle::{Scratch, Vehicle};
use engine::world::World;
use ingest::attribute::Attributes;
use ingest::fix::{Fix, Measured, Report};
use ingest::id::{DeviceId, TenantId, VehicleKey};
use ingest::log::{Clock, Log, MemoryLog, NewRecord, Topic};
use ingest::record::{DeviceInput, Envelope};
use ingest::time::Timestamp;

const VEHICLES: usize = 5_000;
const ROUNDS: usize = 40;
const START_S: i64 = 1_800_000_000;

/// CPU of this thread so far, microseconds.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or_default();
    nanos as f64 / 1e3
}

fn key(vehicle: usize) -> String {
    format!("acme/van-{vehicle}")
}

fn fix(vehicle: usize, round: usize) -> Option<Envelope> {
    let at = Timestamp::from_seconds(START_S + round as i64);
    let measured = Measured {
        lng: -8.61 + (round + vehicle) as f64 * 1e-5,
        lat: 41.15,
        valid: true,
        speed: Some(8.4),
        heading: Some(91.0),
        altitude: Some(80.0),
        accuracy: Some(6.0),
    };
    let report = Report {
        device: DeviceId::new(&format!("35209308{vehicle:07}")).ok()?,
        time: Some(at),
        fix: Some(Fix::new(measured).ok()?),
        attributes: Attributes::default(),
        checksum_ok: None,
    };
    let tenant = TenantId::new("acme").ok()?;
    Some(DeviceInput::new(&tenant, "teltonika", report, at).envelope())
}

fn inputs() -> Vec<(String, Bytes)> {
    let round = |round| (0..VEHICLES).filter_map(move |v| Some((key(v), fix(v, round)?.encode())));
    (0..ROUNDS).flat_map(round).collect()
}

/// Decoding, stepping and encoding alone, microseconds a fix.
fn stages(inputs: &[(String, Bytes)]) -> [f64; 3] {
    let world = World {
        number: 1,
        road: Arc::new(Road::default()),
        model: Arc::new(EtaModel::default()),
        policy: Arc::new(Policy::default()),
        conditions: Arc::default(),
    };
    let vehicle = |v| VehicleKey::parse(key(v).as_bytes()).ok().map(Vehicle::new);
    let mut vehicles: Vec<Vehicle> = (0..VEHICLES).filter_map(vehicle).collect();
    let (mut scratch, mut outputs) = (Scratch::default(), Vec::<Output>::new());
    let mut spent = [0.0; 3];
    for (round, chunk) in inputs.chunks(VEHICLES).enumerate() {
        let now = Timestamp::from_seconds(START_S + round as i64);
        let began = cpu();
        let decoded: Vec<Input> = chunk.iter().filter_map(|(_, bytes)| decode(bytes)).collect();
        let middle = cpu();
        for (vehicle, input) in vehicles.iter_mut().zip(decoded) {
            vehicle.step(&world, input, now, &mut scratch, &mut outputs);
        }
        let stepped = cpu();
        for (output, (key, _)) in outputs.drain(..).zip(chunk) {
            let key = Bytes::copy_from_slice(key.as_bytes());
            drop(output_envelope(&output, now).into_record(Topic::Outputs, key));
        }
        let ended = cpu();
        spent =
            [spent[0] + middle - began, spent[1] + stepped - middle, spent[2] + ended - stepped];
    }
    spent.map(|us| us / inputs.len() as f64)
}

fn decode(bytes: &Bytes) -> Option<Input> {
    let envelope = Envelope::decode(bytes.clone()).ok()?;
    match InputRecord::from_envelope(&envelope).ok()? {
        InputRecord::Vehicle(input) => Some(input),
        InputRecord::Tick(_) | InputRecord::World(_) => None,
    }
}

/// A whole shard, microseconds a fix: with the log's own work of reading and committing.
fn shard(inputs: &[(String, Bytes)]) -> (f64, u64) {
    let time = Arc::new(AtomicI64::new(START_S * 1_000_000));
    let clock: Clock = {
        let time = Arc::clone(&time);
        Arc::new(move || Timestamp::from_micros(time.load(Ordering::Relaxed)))
    };
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(16, Arc::clone(&clock)));
    let maps = Maps::of(vec![("none".to_owned(), Arc::new(Road::default()))]);
    let settings = Arc::new(Settings { maps, ..Settings::default() });
    let metrics = Metrics::default();
    let Ok(mut shard) = Shard::join(&log, 0, &settings, clock, &metrics) else { return (0.0, 0) };
    let mut spent = 0.0;
    for chunk in inputs.chunks(VEHICLES / 10) {
        let record = |(key, value): &(String, Bytes)| NewRecord {
            topic: Topic::Inputs,
            partition: None,
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: Some(value.clone()),
            headers: Vec::new(),
        };
        let mut appending = log.append(chunk.iter().map(record).collect());
        drop(appending.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        let began = cpu();
        while matches!(shard.turn(Duration::ZERO), Ok(Turn::Worked)) {}
        spent += cpu() - began;
        time.fetch_add(100_000, Ordering::Relaxed);
    }
    (spent / inputs.len() as f64, metrics.inputs.get())
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    let inputs = inputs();
    let [decode, step, encode] = stages(&inputs);
    let (whole, stepped) = shard(&inputs);
    let rest = whole - decode - step - encode;
    println!("{} fixes, {stepped} inputs stepped", inputs.len());
    println!("decode {decode:.2} us, step {step:.2} us, encode {encode:.2} us");
    println!("shard {whole:.2} us: commit, timers, resends, checkpoints {rest:.2} us");
    println!("overhead apart from step {:.2} us", whole - step);
}

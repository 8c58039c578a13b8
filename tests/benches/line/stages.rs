//! What one fix costs, stage by stage.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::{Api, Settings as ApiSettings};
use engine::matching::{Observation, Observed, Scratch, Track};
use engine::model::Assignment;
use engine::record::input::{assignment_envelope, plan_envelope};
use engine::road::Road;
use engine::runtime::{Maps, Metrics, Settings, Shard, Turn};
use ingest::fix::Report;
use ingest::id::{TenantId, VehicleKey};
use ingest::log::{Log, NewRecord, Topic};
use ingest::protocol::{Admission, Decode, Options, Step};
use ingest::record::{DeviceInput, Pid};
use ingest::time::Timestamp;
use ingest::units::{Heading, Metres, MetresPerSecond};
use milepost::log::disk::{DiskLog, Settings as DiskSettings};
use simulator::drive::journey::Rates;
use simulator::drive::{Fleet, FleetSettings, Van};
use simulator::in_process::VirtualClock;
use simulator::noise::Receiver;
use simulator::tracker::{Conversation, Speech, report};

use crate::processor::{here, of, spent};

/// The fleet.
const VEHICLES: u32 = 400;
/// Seconds that are driven, and those at the start that do not count.
const SECONDS: (u32, u32) = (360, 120);
/// Records of one packet, as the tracker sends them.
const BUNDLE: usize = 5;
/// The api may take so long to tell what is on the log, in pauses of a fiftieth of a second.
const TELL_PAUSES: u32 = 1_000;

/// One tracker, and its matcher beside the engine's own.
struct Device {
    receiver: Receiver,
    conversation: Conversation,
    decoder: Box<dyn Decode>,
    waiting: Vec<Report>,
    key: bytes::Bytes,
    track: Track,
}

/// Microseconds spent so far.
#[derive(Default, Clone, Copy)]
struct Sums {
    fixes: f64,
    decode: f64,
    append: f64,
    matching: f64,
    shard: f64,
    commit: f64,
}

/// Measures and prints.
pub(crate) fn print(road: &Arc<Road>, data: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("server")
        .enable_all()
        .build()?;
    let start = Timestamp::parse("2026-11-20T08:00:00Z")?;
    let tenant = TenantId::new("demo")?;
    let fleet = Fleet::new(road, &settings(&tenant, start))?;
    let clock = VirtualClock::new(start);
    std::fs::create_dir_all(data)?;
    let log: Arc<dyn Log> = Arc::new(DiskLog::open(data, DiskSettings::of(data), clock.clock())?);
    let maps = Maps::of(vec![(road.hash().to_owned(), Arc::clone(road))]);
    let engine = Arc::new(Settings { maps, ..Settings::default() });
    let mut shard = Shard::join(&log, 0, &engine, clock.clock(), &Metrics::default())?;
    let api =
        runtime.block_on(Api::start(quiet(data, &tenant), Arc::clone(&log), clock.clock()))?;
    turns(&mut shard)?;
    let planned: Vec<NewRecord> =
        fleet.vans.iter().flat_map(|van| planned(&fleet, van, start)).collect();
    runtime.block_on(log.append(planned))?;
    turns(&mut shard)?;

    let mut devices: Vec<Device> =
        fleet.vans.iter().map(|van| device(&fleet, van)).collect::<Result<_, _>>()?;
    let (mut sums, mut scratch) = (Sums::default(), Scratch::new());
    let (mut skipped, mut told) = (Sums::default(), spent());
    for second in 1..=SECONDS.0 {
        let now = start.plus_seconds(f64::from(second));
        clock.set(now);
        let mut records = Vec::new();
        for (device, van) in devices.iter_mut().zip(&fleet.vans) {
            let at = f64::from(second);
            let fix = device.receiver.measure(&van.journey.at(road, at), at);
            device.waiting.extend(report(&van.device, now, fix));
            if device.waiting.len() == BUNDLE {
                let packet = device.conversation.packet(&device.waiting);
                device.waiting.clear();
                let reports = decode(device, &packet, now, &mut sums)?;
                sums.fixes += reports.len() as f64;
                observe(device, road, &reports, &mut scratch, &mut sums);
                for report in reports {
                    let input = DeviceInput::new(&tenant, "teltonika", report, now);
                    records.push(input.envelope().into_record(Topic::Inputs, device.key.clone()));
                }
            }
        }
        let (before, writer) = (here(), of(&spent(), "log-writer"));
        runtime.block_on(log.append(records))?;
        let (between, written) = (here(), of(&spent(), "log-writer"));
        turns(&mut shard)?;
        sums.append += between - before + written - writer;
        sums.shard += here() - between;
        sums.commit += of(&spent(), "log-writer") - written;
        if second == SECONDS.1 {
            settle(&api)?;
            (skipped, told) = (sums, spent());
        }
    }
    shard.drain(Duration::from_mins(1))?;
    settle(&api)?;
    show(&sums, &skipped, &told);
    runtime.block_on(api.stop());
    Ok(())
}

/// Until the api has told what is on the log.
fn settle(api: &Api) -> anyhow::Result<()> {
    for _ in 0..TELL_PAUSES {
        if api.ready().is_ok() {
            std::thread::sleep(Duration::from_millis(500));
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    api.ready().map_err(anyhow::Error::msg).context("the api does not keep up")
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn show(sums: &Sums, skipped: &Sums, told: &crate::processor::Spent) {
    let fixes = sums.fixes - skipped.fixes;
    let each = |sum: f64| sum / fixes;
    let now = spent();
    let of_thread = |name: &str| each(of(&now, name) - of(told, name));
    let matching = sums.matching - skipped.matching;
    let shard = sums.shard - skipped.shard;
    println!("CPU microseconds a fix ({fixes:.0} fixes, {VEHICLES} vehicles, one thread a stage):");
    let rows = [
        ("decode (teltonika, 5 records a packet)", each(sums.decode - skipped.decode)),
        ("append (encode, durable on disk)", each(sums.append - skipped.append)),
        ("match", each(matching)),
        ("step (read, decide, predict, encode)", each(shard - matching)),
        ("commit (durable on disk)", each(sums.commit - skipped.commit)),
        ("live", of_thread("api-live")),
        ("history", of_thread("api-history")),
    ];
    for (what, each) in rows {
        println!("  {what:<40} {each:7.2}");
    }
    println!("  {:<40} {:7.2}", "all", rows.iter().map(|(_, each)| each).sum::<f64>());
}

fn settings(tenant: &TenantId, start: Timestamp) -> FleetSettings {
    FleetSettings {
        seed: crate::SEED,
        vehicles: VEHICLES,
        minutes: 30.0,
        start,
        tenant: tenant.clone(),
        protocols: vec!["teltonika".to_owned()],
        rates: Rates::default(),
        jam: None,
    }
}

fn device(fleet: &Fleet, van: &Van) -> anyhow::Result<Device> {
    let speech = Speech::named(&van.protocol)?;
    let (conversation, login) = Conversation::open(speech, &van.device, &fleet.tenant, fleet.start);
    let mut decoder = speech.protocol.decoder(speech.transport, &Options::default());
    decoder.feed(&login, fleet.start);
    let mut scratch = Report::of(van.device.clone());
    while let Step::Identify(_) | Step::Reply { .. } = decoder.poll(&mut scratch)? {
        decoder.admit(Admission::Admitted);
    }
    let key = VehicleKey { tenant: fleet.tenant.clone(), vehicle: van.vehicle.clone() };
    Ok(Device {
        receiver: Receiver::new(crate::SEED, van.number),
        conversation,
        decoder,
        waiting: Vec::new(),
        key: key.to_string().into(),
        track: Track::new(),
    })
}

fn decode(
    device: &mut Device,
    packet: &[u8],
    now: Timestamp,
    sums: &mut Sums,
) -> anyhow::Result<Vec<Report>> {
    let mut reports = Vec::with_capacity(BUNDLE);
    let mut scratch = Report::of(ingest::id::DeviceId::new("none")?);
    let began = here();
    device.decoder.feed(packet, now);
    loop {
        match device.decoder.poll(&mut scratch)? {
            Step::NeedBytes | Step::Close => break,
            Step::Identify(_) => device.decoder.admit(Admission::Admitted),
            Step::Report => reports.push(scratch.clone()),
            Step::Reply { .. } => {}
        }
    }
    sums.decode += here() - began;
    Ok(reports)
}

fn observe(
    device: &mut Device,
    road: &Road,
    reports: &[Report],
    scratch: &mut Scratch,
    sums: &mut Sums,
) {
    let mut out = Observed::default();
    let began = here();
    for report in reports {
        let (Some(time), Some(fix)) = (report.time, &report.fix) else { continue };
        let observation = Observation {
            position: fix.position,
            time,
            speed_mps: fix.speed.map(MetresPerSecond::get),
            heading: fix.heading.map(Heading::get),
            accuracy_m: fix.accuracy.map(Metres::get),
        };
        device.track.observe(road, &observation, scratch, &mut out);
    }
    sums.matching += here() - began;
}

/// Turns of the engine until it has nothing to do.
fn turns(shard: &mut Shard) -> anyhow::Result<()> {
    loop {
        match shard.turn(Duration::ZERO)? {
            Turn::Worked => {}
            Turn::Idle => return Ok(()),
            Turn::Pause(pause) => std::thread::sleep(pause),
        }
    }
}

/// The device's assignment and the plan of one vehicle.
fn planned(fleet: &Fleet, van: &Van, now: Timestamp) -> [NewRecord; 2] {
    let key = VehicleKey { tenant: fleet.tenant.clone(), vehicle: van.vehicle.clone() }.to_string();
    let route = van.shift.to_route(fleet.start, 1);
    let pid = |what: &str| Pid::of_parts(&[key.as_bytes(), what.as_bytes()]);
    let assignment = Assignment {
        pid: pid("assignment"),
        received_at: now,
        device: van.device.clone(),
        vehicle: Some(van.vehicle.clone()),
        from: now,
    };
    let plan = plan_envelope(&route, pid("plan"), now, Some("bench"));
    [assignment_envelope(&assignment, Some("bench")), plan]
        .map(|envelope| envelope.into_record(Topic::Inputs, key.clone().into()))
}

/// An api that tells nobody and archives nothing.
fn quiet(data: &Path, tenant: &TenantId) -> ApiSettings {
    ApiSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data: data.to_owned(),
        open: Some(tenant.clone()),
        road: None,
        secure: false,
        messages: api::message::Settings::default(),
        metrics: api::Metrics::default(),
        archive: None,
    }
}

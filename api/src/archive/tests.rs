//! Outputs go in, files come out: once, whatever fails.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deltalake_core::kernel::{DataType, StructField};
use deltalake_core::operations::create::CreateBuilder;
use engine::model::output::EtaTimes;
use engine::model::{
    Body, EtaOutput, Event, EventKind, Matched, Output, PathEdge, PathOutput, PlannedStop,
    PositionOutput, StopEta, StopState, Window,
};
use engine::record::output_envelope;
use ingest::fix::{Fix, Measured, Report};
use ingest::id::{DeviceId, OrderId, RouteId, StopId, TenantId, VehicleId, VehicleKey};
use ingest::log::{Clock, Log, MemoryLog, NewRecord, Topic};
use ingest::record::DeviceInput;
use ingest::time::Timestamp;
use ingest::units::Position;

use super::delta::{Delta, Taken};
use super::schema::Table;
use super::verify::{Found, verify};
use super::{ArchiveError, Archiver, Settings, Store, keep};
use crate::metrics::ArchiveMetrics;

mod failing;

/// Partitions of the logs here.
pub(crate) const PARTITIONS: u32 = 4;
/// 2026-11-30, 08:50 UTC.
pub(crate) const START: i64 = 1_796_028_600;

pub(crate) fn clock() -> Clock {
    let started = tokio::time::Instant::now();
    Arc::new(move || Timestamp::from_seconds(START).plus(started.elapsed()))
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A folder that goes with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("milepost-arc-{}-{name}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Self(path)
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.0.display().to_string(), &BTreeMap::new()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn key(tenant: &str, vehicle: &str) -> VehicleKey {
    VehicleKey { tenant: TenantId::new(tenant).unwrap(), vehicle: VehicleId::new(vehicle).unwrap() }
}

/// A position of a vehicle at so many seconds after [`START`].
pub(crate) fn position(tenant: &str, vehicle: &str, seconds: i64) -> Body {
    let time = Timestamp::from_seconds(START + seconds);
    let fix = Fix::new(Measured {
        lng: -8.611 + seconds as f64 * 1e-4,
        lat: 41.149 + seconds as f64 * 1e-5,
        valid: true,
        speed: Some(8.4),
        heading: Some(91.0),
        ..Measured::default()
    });
    let mut report = Report::of(DeviceId::new(&format!("d-{vehicle}")).unwrap());
    report.time = Some(time);
    report.fix = Some(fix.unwrap());
    let tenant = TenantId::new(tenant).unwrap();
    let input = DeviceInput::new(&tenant, "teltonika", report, time.plus_seconds(0.25));
    let matched = Matched {
        position: Position::from_e7(-86_110_000, 411_490_000),
        way: 42,
        offset_m: 12.25,
        confidence: 0.97,
    };
    Body::Position(Box::new(PositionOutput {
        input,
        matched: Some(matched),
        backfill: false,
        route: Some(RouteId::new("r-1").unwrap()),
        world: 3,
    }))
}

/// A whole route of two stops, as it is said when it is taken over.
pub(crate) fn planned(seconds: i64) -> Body {
    let at = |after: i64| Timestamp::from_seconds(START + seconds + after);
    let stop = |id: &str, after: i64| StopEta {
        stop: StopId::new(id).unwrap(),
        order: OrderId::new(&format!("o-{id}")).unwrap(),
        state: StopState::Later,
        times: Some(EtaTimes { p10: at(after - 60), p50: at(after), p90: at(after + 120) }),
        metres: Some(1_200.0),
        miss: Some(0.08),
        moved_s: 0,
        causes: Vec::new(),
    };
    let plan = |after: i64| PlannedStop {
        position: Position::from_e7(-86_100_000, 411_500_000),
        window: Some(Window { from: at(after - 600), to: at(after + 30) }),
        service_s: 120.0,
    };
    Body::Eta(EtaOutput {
        route: RouteId::new("r-1").unwrap(),
        version: 1,
        whole: true,
        stops: vec![stop("s1", 600), stop("s2", 1_200)],
        planned: vec![plan(600), plan(1_200)],
    })
}

/// An event at one of those stops.
pub(crate) fn event(kind: EventKind, stop: &str, seconds: i64) -> Body {
    let mut event = Event::new(kind, Timestamp::from_seconds(START + seconds));
    event.route = Some(RouteId::new("r-1").unwrap());
    event.stop = Some(StopId::new(stop).unwrap());
    event.order = Some(OrderId::new(&format!("o-{stop}")).unwrap());
    Body::Event(Box::new(event))
}

fn driven(seconds: i64) -> Body {
    let edge = |i: i64| PathEdge {
        way: 100 + i,
        from_node: i,
        to_node: i + 1,
        entered: Timestamp::from_seconds(START + seconds + i),
    };
    Body::Path(PathOutput { route: None, edges: vec![edge(0), edge(1), edge(2)], gap: true })
}

/// Outputs of a vehicle, numbered from `first`.
pub(crate) fn say(log: &dyn Log, tenant: &str, vehicle: &str, first: u64, bodies: Vec<Body>) {
    let record = |(seq, body): (u64, Body)| {
        let now = Timestamp::from_seconds(START + seq as i64);
        NewRecord {
            topic: Topic::Outputs,
            partition: None,
            key: key(tenant, vehicle).to_string().into_bytes().into(),
            value: Some(output_envelope(&Output { seq, body }, now).encode()),
            headers: Vec::new(),
        }
    };
    let records = (first..).zip(bodies).map(record).collect();
    let appended = tokio::runtime::Builder::new_current_thread().build().unwrap();
    appended.block_on(log.append(records)).unwrap();
}

/// A fleet's outputs of every kind; positions over two hours and one far too late.
pub(crate) fn fleet(log: &dyn Log) -> u64 {
    for (n, vehicle) in ["van-1", "van-2", "van-3"].into_iter().enumerate() {
        let mut bodies: Vec<Body> =
            (0..200).map(|i| position("acme", vehicle, i * 6 + n as i64)).collect();
        bodies.push(position("acme", vehicle, -7_200));
        bodies.push(planned(0));
        bodies.push(driven(30));
        bodies.push(event(EventKind::Arrived, "s1", 500));
        say(log, "acme", vehicle, 1, bodies);
    }
    say(log, "other", "van-1", 1, (0..50).map(|i| position("other", "van-1", i)).collect());
    3 * 201 + 50
}

pub(crate) fn settings(store: Store, instance: &str) -> Settings {
    Settings {
        store,
        instance: instance.to_owned(),
        flush_s: 0.02,
        keep: keep::Rules { days: BTreeMap::new(), unlisted_days: 7 },
        derive: None,
        metrics: ArchiveMetrics::default(),
    }
}

fn found(runtime: &tokio::runtime::Runtime, store: &Store) -> Vec<Found> {
    runtime.block_on(verify(store, PARTITIONS, &clock())).unwrap()
}

/// Whether every table contains everything.
fn is_caught_up(log: &dyn Log, found: &[Found]) -> bool {
    let ends = (0..PARTITIONS).map(|p| (p, log.bounds(Topic::Outputs, p).unwrap()));
    let mut written = ends.filter(|(_, bounds)| bounds.end > bounds.start);
    found.len() == Table::ALL.len()
        && written.all(|(p, bounds)| found.iter().all(|f| f.next.get(&p) == Some(&bounds.end)))
}

/// Archives until everything is, then stops.
pub(crate) fn archive(runtime: &tokio::runtime::Runtime, log: &Arc<MemoryLog>, store: &Store) {
    let log: Arc<dyn Log> = Arc::clone(log) as _;
    let started = Archiver::start(Arc::clone(&log), settings(store.clone(), "a"), clock());
    let archiver = runtime.block_on(started).unwrap();
    while !is_caught_up(log.as_ref(), &found(runtime, store)) {
        std::thread::sleep(Duration::from_millis(20));
    }
    archiver.stop();
}

fn assert_once(found: &[Found], positions: u64) {
    for table in found {
        assert!(table.is_good(), "{table:?}");
    }
    let rows: Vec<u64> = found.iter().map(|table| table.rows).collect();
    assert_eq!(rows, [positions, 9, 6, 3]);
}

fn hours(folder: &Path) -> BTreeSet<String> {
    let mut hours = BTreeSet::new();
    for day in std::fs::read_dir(folder.join("positions")).unwrap().flatten() {
        let name = day.file_name().into_string().unwrap();
        if !name.starts_with("day=") {
            continue;
        }
        for hour in std::fs::read_dir(day.path()).unwrap().flatten() {
            hours.insert(format!("{name}/{}", hour.file_name().into_string().unwrap()));
        }
    }
    hours
}

#[test]
fn every_output_is_kept_once_in_the_hour_it_belongs_to() {
    let (folder, runtime) = (Folder::new("once"), runtime());
    let log = Arc::new(MemoryLog::new(PARTITIONS, clock()));
    let positions = fleet(log.as_ref());
    archive(&runtime, &log, &folder.store());
    assert_once(&found(&runtime, &folder.store()), positions);
    let wanted = ["day=2026-11-30/hour=6", "day=2026-11-30/hour=8", "day=2026-11-30/hour=9"];
    assert_eq!(hours(&folder.0), wanted.map(str::to_owned).into());
    // Another start has nothing to do, and what comes later goes on where it ended.
    say(log.as_ref(), "acme", "van-1", 206, vec![position("acme", "van-1", 5_000)]);
    archive(&runtime, &log, &folder.store());
    assert_once(&found(&runtime, &folder.store()), positions + 1);
}

#[test]
fn a_store_that_dies_anywhere_loses_and_doubles_nothing() {
    let runtime = runtime();
    for (i, after) in (0..44).step_by(3).enumerate() {
        let folder = Folder::new(&format!("dies-{after}"));
        let log = Arc::new(MemoryLog::new(PARTITIONS, clock()));
        let positions = fleet(log.as_ref());
        let healthy = folder.store();
        // The last write is done and not answered, or not done.
        let failing = failing::Failing::new(healthy.objects(), after, i % 2 == 0);
        let dying = Store::of(healthy.url().clone(), Arc::new(failing));
        let shared: Arc<dyn Log> = Arc::clone(&log) as _;
        let started = Archiver::start(shared, settings(dying, "a"), clock());
        if let Ok(archiver) = runtime.block_on(started) {
            std::thread::sleep(Duration::from_millis(120));
            archiver.stop();
        }
        archive(&runtime, &log, &healthy);
        assert_once(&found(&runtime, &healthy), positions);
    }
}

#[test]
fn who_lost_a_partition_is_refused() {
    let (folder, runtime) = (Folder::new("taken"), runtime());
    let store = folder.store();
    runtime.block_on(async {
        let clock = clock();
        let open = || Delta::open(&store, Table::Events, PARTITIONS, &clock);
        let (mut one, mut two) = (open().await.unwrap(), open().await.unwrap());
        let taken = |from, last| Taken::from([(2, (from, last))]);
        one.append(&[], &taken(0, 10)).await.unwrap();
        // The other one does not know, and read up to elsewhere.
        let refused = two.append(&[], &taken(0, 12)).await.unwrap_err();
        assert!(matches!(refused, ArchiveError::Taken { partition: 2, .. }), "{refused}");
        // Its own commit, asked again, is done.
        one.append(&[], &taken(0, 10)).await.unwrap();
        two.append(&[], &taken(11, 20)).await.unwrap();
        one.refresh().await.unwrap();
        assert_eq!(one.listing().next.get(&2), Some(&21));
    });
}

#[test]
fn a_column_of_another_type_is_refused() {
    let (folder, runtime) = (Folder::new("otherwise"), runtime());
    let store = folder.store();
    let lat = StructField::new("lat", DataType::DOUBLE, true);
    let table = store.log(Table::Positions).unwrap();
    let made = CreateBuilder::new().with_log_store(table).with_columns([lat]);
    runtime.block_on(async { made.await }).unwrap();
    let clock = clock();
    let opened = Delta::open(&store, Table::Positions, PARTITIONS, &clock);
    let refused = runtime.block_on(opened).unwrap_err().to_string();
    let why = "column `lat` of table `positions` is double, expected decimal(8,6)";
    assert!(refused.starts_with(why), "{refused}");
}

#[test]
fn small_files_are_merged_and_hold_the_same() {
    let (folder, runtime) = (Folder::new("merged"), runtime());
    let (store, log) = (folder.store(), Arc::new(MemoryLog::new(PARTITIONS, clock())));
    for turn in 0..5 {
        let bodies = (0..40).map(|i| position("acme", "van-1", turn + i * 5)).collect();
        say(log.as_ref(), "acme", "van-1", 1 + turn as u64 * 40, bodies);
        archive(&runtime, &log, &store);
    }
    let before = &found(&runtime, &store)[0];
    assert_eq!((before.rows, before.files), (200, 5 + u64::from(before.files > 5)));
    let merged = runtime.block_on(keep::compact(&store, PARTITIONS, &clock())).unwrap();
    assert_eq!(merged, before.files);
    let after = &found(&runtime, &store)[0];
    assert!(after.is_good(), "{after:?}");
    assert_eq!((after.rows, after.files), (200, 1));
    assert_eq!(after.next, before.next);
}

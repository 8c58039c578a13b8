//! A packet sent again because its answer never came, though its records were durable.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use engine::runtime::{Span, replay};
use gateway::Metrics;
use ingest::attribute::{Key, Value};
use ingest::log::{
    Appending, Bounds, Log, LogError, Member, MemoryLog, NewRecord, Reader, Record, Topic,
};
use ingest::protocol::Answer;
use ingest::record::{DeviceInput, Envelope, Kind, Pid, pid};
use ingest::time::Timestamp;
use milepost::commands::log::{Selection, digest_of};
use milepost::log::disk::{DiskLog, Settings};

use crate::line::{
    Tracker, Van, door, engine, engine_settings, eventually, records, stepped, stop, tenant,
    with_roles,
};
use crate::log::disk::Dir;
use crate::log::held::HeldLog;

#[cfg(feature = "kafka")]
mod kafka;

const VANS: usize = 12;
/// What only the other version's decoder finds in a record.
const FOUND_BY_OTHER: Key<'static> = Key::Io(9_999);
/// Field 15 of the envelope, which this version does not know: one byte.
const UNKNOWN_FIELD: [u8; 3] = [15 << 3 | 2, 1, b'x'];

/// What a gateway of another version writes for the same packets: its decoder finds one attribute
/// more and takes a packet's records newest first, its envelope has a field more, and each record
/// a header.
struct OtherVersion(Arc<dyn Log>);

impl OtherVersion {
    fn written(record: NewRecord) -> NewRecord {
        if record.topic != Topic::Inputs {
            return record;
        }
        let envelope = Envelope::decode(record.value.unwrap()).unwrap();
        let mut input = DeviceInput::from_envelope(&envelope).unwrap();
        input.report.attributes.set(FOUND_BY_OTHER, Value::Bool(true));
        assert_eq!(input.pid, pid(&tenant(), &input.report, input.received_at));
        let value = [&input.envelope().encode()[..], &UNKNOWN_FIELD].concat();
        let mut headers = record.headers;
        headers.push(("version", Bytes::from_static(b"other")));
        NewRecord { value: Some(value.into()), headers, ..record }
    }
}

impl Log for OtherVersion {
    fn partitions(&self, topic: Topic) -> u32 {
        self.0.partitions(topic)
    }
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        self.0.append(records.into_iter().rev().map(Self::written).collect())
    }
    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        self.0.bounds(topic, partition)
    }
    fn offset_at(
        &self,
        topic: Topic,
        partition: u32,
        time: Timestamp,
    ) -> Result<Option<u64>, LogError> {
        self.0.offset_at(topic, partition, time)
    }
    fn committed(&self, group: &str, topic: Topic, p: u32) -> Result<Option<u64>, LogError> {
        self.0.committed(group, topic, p)
    }
    fn reader(&self, topic: Topic, from: &[(u32, u64)]) -> Result<Box<dyn Reader>, LogError> {
        self.0.reader(topic, from)
    }
    fn member(&self, group: &str, topic: Topic, owner: &str) -> Result<Box<dyn Member>, LogError> {
        self.0.member(group, topic, owner)
    }
}

/// The vans from this number on, known to the log.
async fn fleet(log: &Arc<dyn Log>, first: usize) -> Vec<Van> {
    let now = milepost::clock::wall()();
    let vans: Vec<_> = (first..first + VANS).map(|n| Van::numbered(n, now)).collect();
    log.append(vans.iter().flat_map(|van| van.known(now)).collect()).await.unwrap();
    vans
}

/// Every van sends a packet of these fixes; its records are durable, and the gateway dies before
/// it has answered.
async fn unanswered(log: &Arc<dyn Log>, vans: &[Van], fixes: Range<i64>) {
    let held = Arc::new(HeldLog::new(Arc::clone(log)));
    let gateway = door(Arc::clone(&held) as Arc<dyn Log>, &Metrics::default()).await;
    held.hold();
    let mut trackers = Vec::new();
    for van in vans {
        let tracker = Tracker::login(gateway.listening()[0].address, &van.device).await;
        tracker.send(&van.fixes(fixes.clone())).await;
        trackers.push(tracker);
    }
    eventually("packets are on the log", || held.durable() == vans.len()).await;
    assert!(trackers.iter().all(Tracker::hears_nothing), "answered before it was durable");
    // Its sessions end with it.
    drop(gateway);
}

/// Every van sends packets of these fixes, one after the other, each answered.
async fn answered(log: Arc<dyn Log>, vans: &[Van], packets: &[Range<i64>]) {
    let gateway = door(log, &Metrics::default()).await;
    for van in vans {
        let tracker = Tracker::login(gateway.listening()[0].address, &van.device).await;
        for fixes in packets {
            tracker.send(&van.fixes(fixes.clone())).await;
            assert_eq!(tracker.answer().await, Answer::Stored);
        }
    }
    gateway.stop().await;
}

/// Every fix is on the log, so often as it was appended, and in the outputs once, the numbers of
/// a vehicle's outputs without a gap. Returns for each van which of its outputs the other version
/// wrote.
#[track_caller]
fn each_once(log: &dyn Log, vans: &[Van], (appended, fixes): (usize, usize)) -> Vec<Vec<bool>> {
    let (given, said) = (records(log, Topic::Inputs), records(log, Topic::Outputs));
    let check = |van: &Van| {
        let given = envelopes(&given, van).filter(|e| e.kind == Kind::Fix);
        let given: Vec<Pid> = given.map(|e| e.pid.unwrap()).collect();
        assert_eq!(given.len(), appended, "inputs of {}", van.key());
        let said: Vec<_> = envelopes(&said, van).collect();
        let numbers: Vec<u64> = said.iter().map(|e| e.seq).collect();
        assert_eq!(numbers, (1..=said.len() as u64).collect::<Vec<_>>(), "{}", van.key());
        let positions: Vec<_> = said.iter().filter(|e| e.kind == Kind::Position).collect();
        assert_eq!(positions.len(), fixes, "positions of {}", van.key());
        let told: BTreeSet<Pid> = positions.iter().map(|e| e.pid.unwrap()).collect();
        assert_eq!(told, given.into_iter().collect(), "{}", van.key());
        assert_eq!(told.len(), fixes, "identities of {}", van.key());
        positions.into_iter().map(is_of_other).collect()
    };
    vans.iter().map(check).collect()
}

fn envelopes(records: &[Record], van: &Van) -> impl Iterator<Item = Envelope> {
    let of_van = records.iter().filter(|r| r.key == van.key());
    of_van.map(|r| Envelope::decode(r.value.clone().unwrap()).unwrap())
}

fn is_of_other(position: &Envelope) -> bool {
    let output = engine::record::output_from_envelope(position).unwrap();
    let engine::model::Body::Position(position) = output.body else { unreachable!() };
    position.input.report.attributes.get(&FOUND_BY_OTHER).is_some()
}

/// A replay of the whole log says what the engines have said.
fn is_replayed(log: &Arc<dyn Log>) {
    let all = Selection { topic: Topic::Outputs, kind: None, from: None, to: None };
    let said = digest_of(&**log, &all).unwrap();
    let dir = Dir::new();
    let again = replay(log, &engine_settings("replay"), Span::default(), 2, dir.path()).unwrap();
    assert_eq!(said["digest"], again.digest);
}

async fn another_version_doubles_nothing(log: Arc<dyn Log>) {
    let vans = fleet(&log, 0).await;
    let engine = engine(&log, "one");
    unanswered(&log, &vans, 0..5).await;
    let other = Arc::new(OtherVersion(Arc::clone(&log))) as Arc<dyn Log>;
    // The same packet, and one that no other gateway has seen.
    answered(other, &vans, &[0..5, 5..8]).await;
    stepped(&*log).await;
    for of_other in each_once(&*log, &vans, (13, 8)) {
        // The first that came is the one that counts.
        assert_eq!(of_other, [false, false, false, false, false, true, true, true]);
    }
    assert_eq!(engine.metrics().duplicates.get(), 5 * VANS as u64);
    stop(engine).await;
    is_replayed(&log);
}

/// Partitions change hands between what was durable and its resend: another engine comes,
/// one is `silenced` where the log can do that, one leaves.
async fn reassignment_doubles_nothing(log: Arc<dyn Log>, silence: Option<&dyn Fn(&str)>) {
    let vans = fleet(&log, VANS).await;
    let first = engine(&log, "first");
    unanswered(&log, &vans, 0..3).await;
    stepped(&*log).await;
    let second = engine(&log, "second");
    let all = u64::from(log.partitions(Topic::Inputs));
    let taken = || second.metrics().recoveries.get();
    eventually("the second takes its share", || taken() >= all / 2).await;
    answered(Arc::clone(&log), &vans, &[0..3, 3..4]).await;
    stepped(&*log).await;
    each_once(&*log, &vans, (7, 4));

    unanswered(&log, &vans, 4..6).await;
    if let Some(silence) = silence {
        stepped(&*log).await;
        // It lives and goes on, and learns only by its next call that it owns nothing.
        silence("first-0");
        eventually("the second takes all", || taken() >= all).await;
    }
    answered(Arc::clone(&log), &vans, &[4..6, 6..7]).await;
    stepped(&*log).await;
    each_once(&*log, &vans, (12, 7));

    unanswered(&log, &vans, 7..10).await;
    stop(first).await;
    answered(Arc::clone(&log), &vans, &[7..10, 10..11]).await;
    stepped(&*log).await;
    each_once(&*log, &vans, (19, 11));
    assert!(second.ready().is_ok(), "{:?}", second.ready());
    stop(second).await;
    is_replayed(&log);
}

fn in_memory() -> MemoryLog {
    MemoryLog::new(16, milepost::clock::wall())
}

fn on_disk(dir: &Dir) -> Arc<dyn Log> {
    // How full this machine's disk is says nothing about the log.
    let settings = Settings { free_share_min: 0.0, ..Settings::of(dir.path()) };
    Arc::new(DiskLog::open(dir.path(), settings, milepost::clock::wall()).unwrap())
}

#[test]
fn by_a_gateway_of_another_version_it_doubles_nothing() {
    with_roles(async {
        another_version_doubles_nothing(Arc::new(in_memory())).await;
        let dir = Dir::new();
        another_version_doubles_nothing(on_disk(&dir)).await;
    });
}

#[test]
fn after_a_reassignment_in_memory_it_doubles_nothing() {
    with_roles(async {
        let log = in_memory();
        let silence = |owner: &str| {
            assert!(log.expire_member(engine::runtime::GROUP, Topic::Inputs, owner));
        };
        reassignment_doubles_nothing(Arc::new(log.clone()), Some(&silence)).await;
    });
}

#[test]
fn after_a_reassignment_on_disk_it_doubles_nothing() {
    with_roles(async {
        let dir = Dir::new();
        reassignment_doubles_nothing(on_disk(&dir), None).await;
    });
}

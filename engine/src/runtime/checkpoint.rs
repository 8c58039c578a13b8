//! When a vehicle's state is written, and from where recovery goes on: the marker.
//!
//! A changed vehicle is written once in 30 s, at a moment its key decides, so that no commit
//! carries more than a few. A marker says from which input on everything must be stepped again.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ingest::log::{NewRecord, Topic};
use ingest::time::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use super::partition::Partition;
use super::slot::Slot;
use super::stepping::SCHEMA;
use crate::record::checkpoint::MARKER_KEY;
use crate::record::{Killed, MarkerRecord, StateRecord, WorldRecord};

/// Length of one phase, microseconds.
const PHASE_MICROS: i64 = 100_000;
/// Phases until every changed vehicle has been written: 30 s.
const PHASES: i64 = 300;
/// States in one commit at most (`notes/log.md` §2.4: 16 shards × 500 cost an append 7 ms).
pub(super) const STATES_MAX: usize = 500;
/// A partition's marker is written this often, seconds, while it changes.
const MARKER_EVERY_S: f64 = 3.0;
/// Places a marker may name; more only when checkpoints lag, then every second one goes.
const POINTS_MAX: usize = 64;
/// One day of partition time.
const DAY_MICROS: i64 = 86_400_000_000;

/// Vehicles changed since their last checkpoint, with the first input that changed them.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// By phase and key.
    changed: BTreeMap<(i64, Bytes), u64>,
    /// All phases up to this one are written; `None`: the first commit begins there.
    swept: Option<i64>,
}

impl Changes {
    /// Notes the first change since the last checkpoint.
    pub(super) fn mark(&mut self, key: &Bytes, changed: &mut Option<u64>, offset: u64) {
        if changed.is_none() {
            *changed = Some(offset);
            let phase = (xxh3_64(key) % PHASES as u64) as i64;
            self.changed.insert((phase, key.clone()), offset);
        }
    }

    fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    /// The first input that a changed vehicle's checkpoint lacks.
    fn oldest(&self) -> Option<u64> {
        self.changed.values().min().copied()
    }

    /// Takes up to `room` vehicles whose moment has come; in the order of keys.
    fn take_due(&mut self, at: Timestamp, room: usize) -> Vec<Bytes> {
        let phase = at.micros().div_euclid(PHASE_MICROS);
        let mut due = Vec::new();
        let swept = self.swept.replace(phase).unwrap_or(phase);
        let first = swept.saturating_add(1).max(phase.saturating_sub(PHASES - 1));
        'phases: for absolute in first..=phase {
            let number = absolute.rem_euclid(PHASES);
            loop {
                let next = self.changed.range((number, Bytes::new())..(number + 1, Bytes::new()));
                let Some(key) = next.map(|(key, _)| key.clone()).next() else { break };
                if due.len() >= room {
                    self.swept = Some(absolute - 1);
                    break 'phases;
                }
                self.changed.remove(&key);
                due.push(key.1);
            }
        }
        due.sort();
        due
    }

    /// Takes up to `room` vehicles whether or not their moment has come; in the order of keys.
    fn take_any(&mut self, room: usize) -> Vec<Bytes> {
        let mut any = Vec::new();
        while any.len() < room
            && let Some(((_, key), _)) = self.changed.pop_first()
        {
            any.push(key);
        }
        any.sort();
        any
    }
}

/// A place that recovery may go on from.
#[derive(Debug, Clone)]
struct Point {
    offset: u64,
    now: Timestamp,
    world: Option<WorldRecord>,
    outputs_from: u64,
}

/// The checkpoints of one partition.
#[derive(Debug)]
pub(super) struct Checkpoints {
    points: VecDeque<Point>,
    /// The newest marker that was put into a commit.
    marker: MarkerRecord,
    marked_at: Option<Timestamp>,
    /// What is left to write of the day's snapshot, its marker last.
    snapshot: VecDeque<NewRecord>,
    /// Partition time of the snapshot that was begun last.
    snapped_at: Option<Timestamp>,
    /// Write all that has changed, whatever its phase. Nothing is stepped meanwhile.
    at_once: bool,
    version: String,
}

impl Checkpoints {
    /// Goes on from the marker that recovery started from, as this engine version.
    pub(super) fn new(marker: MarkerRecord, version: &str) -> Self {
        let point = Point {
            offset: marker.from,
            now: marker.now,
            world: marker.world.clone(),
            outputs_from: marker.outputs_from,
        };
        let points = VecDeque::from([point]);
        Self {
            points,
            snapped_at: marker.snapshot_at,
            marker,
            marked_at: None,
            snapshot: VecDeque::new(),
            at_once: false,
            version: version.to_owned(),
        }
    }

    /// The newest marker, with what is being tried.
    pub(super) fn trying(&self, partition: u32, trying: Killed) -> NewRecord {
        marker_record(&MarkerRecord { trying: Some(trying), ..self.marker.clone() }, partition)
    }

    /// The partition was taken at this offset: how often so far, and the marker that says so.
    pub(super) fn start(&mut self, partition: &Partition) -> (u32, NewRecord) {
        let same = self.marker.starts > 0 && self.marker.started_from == partition.next;
        self.marker.starts = if same { self.marker.starts.saturating_add(1) } else { 1 };
        self.marker.started_from = partition.next;
        self.marker.killed = partition.left_out.killed().cloned().collect();
        self.marker.trying = None;
        (self.marker.starts, marker_record(&self.marker, partition.number))
    }

    /// Whether the next commit should carry a marker; it needs the end of the outputs then.
    pub(super) fn wants_marker(&self, partition: &Partition, at: Timestamp) -> bool {
        let elapsed = self.marked_at.map(|marked| at.seconds_since(marked));
        let old = elapsed.is_none_or(|s| !(0.0..MARKER_EVERY_S).contains(&s));
        self.at_once || (old && partition.next > self.marker.from)
    }

    /// The states, snapshot and marker that the next commit should carry, at most `room` of the
    /// first two. A marker only with the end of the partition's outputs.
    pub(super) fn take(
        &mut self,
        partition: &mut Partition,
        at: Timestamp,
        room: usize,
        outputs_end: Option<u64>,
    ) -> Vec<NewRecord> {
        let mut records = Vec::new();
        let due = if self.at_once {
            partition.changes.take_any(room)
        } else {
            partition.changes.take_due(at, room)
        };
        for key in due {
            if let Some(slot) = partition.slots.get_mut(&key) {
                slot.changed = None;
                let state = slot.state(partition.next);
                records.push(state_record(Topic::States, key, &state, partition.number));
            }
        }
        self.snapshot(partition);
        while records.len() < room
            && let Some(record) = self.snapshot.pop_front()
        {
            records.push(record);
            if self.snapshot.is_empty() {
                self.marker.snapshot_at = self.snapped_at;
            }
        }
        let written = partition.changes.is_empty();
        if let Some(end) = outputs_end.filter(|_| written || !self.at_once) {
            self.at_once = false;
            self.point(partition, end);
            self.mark(partition);
            self.marked_at = Some(at);
            records.push(marker_record(&self.marker, partition.number));
        }
        records
    }

    /// From now on everything that has changed is written at once, as on drain.
    pub(super) fn all_at_once(&mut self) {
        self.at_once = true;
        self.marker.starts = 0;
    }

    /// Whether something is left that [`Checkpoints::all_at_once`] wants written.
    pub(super) fn is_behind(&self) -> bool {
        self.at_once
    }

    fn point(&mut self, partition: &Partition, outputs_from: u64) {
        if self.points.back().is_some_and(|last| last.offset >= partition.next) {
            return;
        }
        if self.points.len() >= POINTS_MAX {
            let mut keep = false;
            self.points.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.points.push_back(Point {
            offset: partition.next,
            now: partition.now,
            world: partition.record.clone(),
            outputs_from,
        });
    }

    fn mark(&mut self, partition: &mut Partition) {
        let oldest = partition.changes.oldest().unwrap_or(partition.next);
        while self.points.get(1).is_some_and(|second| second.offset <= oldest) {
            self.points.pop_front();
        }
        if let Some(point) = self.points.front() {
            self.marker.from = point.offset;
            self.marker.now = point.now;
            self.marker.world.clone_from(&point.world);
            self.marker.outputs_from = point.outputs_from;
        }
        self.marker.schema = SCHEMA;
        self.marker.version.clone_from(&self.version);
        partition.left_out.forget(self.marker.from);
        self.marker.trying = None;
        self.marker.killed = partition.left_out.killed().cloned().collect();
    }

    /// Begins the day's snapshot when a new day of partition time has come.
    fn snapshot(&mut self, partition: &Partition) {
        let day = |t: Timestamp| t.micros().div_euclid(DAY_MICROS);
        if partition.now == Timestamp::default() || !self.snapshot.is_empty() {
            return;
        }
        let last = *self.snapped_at.get_or_insert(partition.now);
        if day(partition.now) <= day(last) {
            return;
        }
        self.snapped_at = Some(partition.now);
        let state = |(key, slot): (&Bytes, &Slot)| {
            state_record(
                Topic::Snapshots,
                key.clone(),
                &slot.state(partition.next),
                partition.number,
            )
        };
        self.snapshot.extend(partition.slots.iter().map(state));
        let marker = MarkerRecord {
            from: partition.next,
            now: partition.now,
            world: partition.record.clone(),
            schema: SCHEMA,
            version: self.version.clone(),
            killed: partition.left_out.killed().cloned().collect(),
            ..self.marker.clone()
        };
        let mut last = marker_record(&marker, partition.number);
        last.topic = Topic::Snapshots;
        self.snapshot.push_back(last);
    }
}

/// A marker before anything was stepped.
pub(super) fn first_marker(from: u64, outputs_from: u64, version: &str) -> MarkerRecord {
    MarkerRecord {
        from,
        now: Timestamp::default(),
        outputs_from,
        world: None,
        schema: SCHEMA,
        version: version.to_owned(),
        snapshot_at: None,
        killed: Vec::new(),
        trying: None,
        starts: 0,
        started_from: 0,
    }
}

fn marker_record(marker: &MarkerRecord, partition: u32) -> NewRecord {
    let key = Bytes::from_static(MARKER_KEY);
    let mut record = marker.envelope().into_record(Topic::States, key);
    record.partition = Some(partition);
    record
}

fn state_record(topic: Topic, key: Bytes, state: &StateRecord, partition: u32) -> NewRecord {
    let mut record = state.envelope().into_record(topic, key);
    record.partition = Some(partition);
    record
}

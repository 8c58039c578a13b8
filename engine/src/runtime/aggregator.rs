//! The one place where what all vehicles show and what dispatchers say becomes the traffic of
//! the next World.
//!
//! It works in the process whose shard owns partition 0 of `inputs`, since that shard alone
//! appends Worlds (`owner`): one election for both, and no two that number Worlds. It reads
//! without a group; whoever takes over begins with the traffic of the World that holds, reads
//! the closures of the last day (they are written again twice a day) and the outputs of the last
//! quarter of an hour, and comes to the same.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ingest::id::{ClosureId, TenantId};
use ingest::log::{Clock, Log, LogError, NewRecord, Reader, Record, Topic};
use ingest::record::{Envelope, Kind};
use ingest::time::Timestamp;
use thiserror::Error;
use tracing::{info, warn};

use super::metrics::Metrics;
use super::worlds::{WorldError, Worlds};
use crate::record::traffic::SLOW_MAX;
use crate::record::{ClosureRecord, TrafficPart, output_from_envelope};
use crate::road::{EdgeId, Road};
use crate::world::Speeds;
use crate::world::conditions::Edges;
use crate::world::speeds::FADES_S;

/// Speeds become a new World at most this often, seconds; closures at once.
const SPEEDS_EVERY_S: f64 = 10.0;
/// Closures are written again after this, seconds: topic `worlds` keeps 8 days.
const RENEW_S: f64 = 43_200.0;
/// They are looked for among the records of this long, seconds: twice that and an hour.
const CLOSURES_WITHIN_S: f64 = 2.0 * RENEW_S + 3_600.0;
/// Closures known at once, of all tenants; the api allows each tenant far fewer.
const KNOWN_MAX: usize = 10_000;
/// Read at once.
const READ_BYTES: usize = 1024 * 1024;
/// Reads of one turn: a backlog is read in several.
const READS_MAX: usize = 16;

/// Why a turn was in vain; the next one begins anew.
#[derive(Debug, Error)]
pub enum AggregatorError {
    /// The log does not answer.
    #[error("reading outputs and closures")]
    Log(#[from] LogError),
    /// The traffic of the present World cannot be had.
    #[error("the present traffic")]
    World(#[from] WorldError),
}

/// Makes traffic of outputs and closures. Driven turn by turn by its thread, or by a simulation.
pub struct Aggregator {
    log: Arc<dyn Log>,
    worlds: Arc<Worlds>,
    clock: Clock,
    metrics: Metrics,
    /// While the World is this process's to make.
    desk: Option<Desk>,
}

impl fmt::Debug for Aggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregator").field("works", &self.desk.is_some()).finish_non_exhaustive()
    }
}

/// One closure as it is on the log.
struct Known {
    version: u64,
    removed: bool,
    from: Timestamp,
    until: Option<Timestamp>,
    edges: Vec<EdgeId>,
    appended_at: Timestamp,
    value: Bytes,
}

/// What is known of one map while this process makes the Worlds.
struct Desk {
    road: Arc<Road>,
    outputs: Box<dyn Reader>,
    parts: Box<dyn Reader>,
    closures: BTreeMap<(TenantId, ClosureId), Known>,
    speeds: Speeds,
    slow: Vec<(EdgeId, u8)>,
    slowed_at: Timestamp,
    said: TrafficPart,
}

impl Aggregator {
    pub(super) fn new(
        log: &Arc<dyn Log>,
        worlds: &Arc<Worlds>,
        clock: Clock,
        metrics: &Metrics,
    ) -> Self {
        let (log, worlds) = (Arc::clone(log), Arc::clone(worlds));
        Self { log, worlds, clock, metrics: metrics.clone(), desk: None }
    }

    /// Reads what is new, without waiting, and says which traffic the next World shall have.
    pub fn turn(&mut self) -> Result<(), AggregatorError> {
        let result = self.work();
        if result.is_err() {
            self.desk = None;
            self.metrics.failed("traffic");
        }
        result
    }

    fn work(&mut self) -> Result<(), AggregatorError> {
        let Some((present, road)) = self.worlds.leads() else {
            if self.desk.take().is_some() {
                self.worlds.want(None, &Arc::default());
            }
            return Ok(());
        };
        let now = (self.clock)();
        let known = self.desk.take().filter(|desk| desk.road.hash() == road.hash());
        let mut desk = if let Some(desk) = known {
            desk
        } else {
            let said = self.worlds.traffic(&present)?;
            let said = if said.map == road.hash() { said } else { TrafficPart::default() };
            info!(map = road.hash(), world = present.number, "making traffic");
            Desk::open(&*self.log, &road, said, now)?
        };
        desk.read(READS_MAX)?;
        self.renew(&mut desk, now);
        desk.forget(now);
        if now.seconds_since(desk.slowed_at) >= SPEEDS_EVERY_S {
            desk.slowed_at = now;
            desk.slow = desk.speeds.slow(now, SLOW_MAX);
        }
        let part = desk.part(now);
        if part.edges != desk.said.edges {
            self.metrics.slow_edges.set(part.edges.slow.len() as i64);
            let closed = part.edges.closed.values().map(Vec::len).sum::<usize>();
            self.metrics.closed_edges.set(closed as i64);
            self.worlds.want(Some(part.clone()), &road);
            desk.said = part;
        }
        self.desk = Some(desk);
        Ok(())
    }

    /// Writes closures again before the log forgets them.
    fn renew(&self, desk: &mut Desk, now: Timestamp) {
        let old = |known: &Known| !known.removed && now.seconds_since(known.appended_at) > RENEW_S;
        let mut records = Vec::new();
        for ((tenant, id), known) in &mut desk.closures {
            if old(known) {
                known.appended_at = now;
                let key = format!("closure/{tenant}/{id}").into();
                let kind = Bytes::from_static(Kind::Closure.name().as_bytes());
                let (value, headers) = (Some(known.value.clone()), vec![("kind", kind)]);
                let topic = Topic::Worlds;
                records.push(NewRecord { topic, partition: None, key, value, headers });
            }
        }
        if !records.is_empty() {
            // Queued at the call; in half a day it is done again.
            drop(self.log.append(records));
        }
    }
}

impl Desk {
    /// Reads all closures before it says anything.
    fn open(
        log: &dyn Log,
        road: &Arc<Road>,
        said: TrafficPart,
        now: Timestamp,
    ) -> Result<Self, LogError> {
        let since = |topic, seconds: f64| {
            let partitions = 0..log.partitions(topic);
            let from = partitions.map(|number| {
                let at = log.offset_at(topic, number, now.plus_seconds(-seconds))?;
                let at = at.map_or_else(|| log.bounds(topic, number).map(|b| b.end), Ok)?;
                Ok((number, at))
            });
            from.collect::<Result<Vec<(u32, u64)>, LogError>>()
        };
        let outputs = log.reader(Topic::Outputs, &since(Topic::Outputs, 1.5 * FADES_S)?)?;
        let from = since(Topic::Worlds, CLOSURES_WITHIN_S)?;
        let mut desk = Self {
            road: Arc::clone(road),
            outputs,
            parts: log.reader(Topic::Worlds, &from)?,
            closures: BTreeMap::new(),
            speeds: Speeds::default(),
            slow: said.edges.slow.clone(),
            slowed_at: now,
            said,
        };
        for (number, _) in from {
            let end = log.bounds(Topic::Worlds, number)?.end;
            let mut empty = 0;
            while desk.parts.position(number).is_some_and(|at| at < end) && empty < READS_MAX {
                let records = desk.parts.poll(READ_BYTES, Duration::from_secs(1))?;
                empty = if records.is_empty() { empty + 1 } else { 0 };
                desk.take(records);
            }
        }
        Ok(desk)
    }

    fn read(&mut self, times: usize) -> Result<(), LogError> {
        for _ in 0..times {
            let records = self.parts.poll(READ_BYTES, Duration::ZERO)?;
            if records.is_empty() {
                break;
            }
            self.take(records);
        }
        for _ in 0..times {
            let records = self.outputs.poll(READ_BYTES, Duration::ZERO)?;
            if records.is_empty() {
                break;
            }
            for record in records {
                self.output(record);
            }
        }
        Ok(())
    }

    fn output(&mut self, record: Record) {
        if !is(&record, &[Kind::Path, Kind::Event]) {
            return;
        }
        let Some(value) = record.value else { return };
        let output = Envelope::decode(value).and_then(|envelope| output_from_envelope(&envelope));
        if let Ok(output) = output {
            self.speeds.take(&self.road, &record.key, &output.body);
        }
    }

    fn take(&mut self, records: Vec<Record>) {
        for record in records {
            let at = record.appended_at;
            let Some(value) = record.value.clone().filter(|_| is(&record, &[Kind::Closure])) else {
                continue;
            };
            let read = Envelope::decode(value.clone());
            match read.and_then(|envelope| ClosureRecord::from_envelope(&envelope)) {
                Ok(closure) => self.closure(closure, at, value),
                Err(error) => warn!(offset = record.offset, %error, "closure not readable"),
            }
        }
    }

    fn closure(&mut self, record: ClosureRecord, appended_at: Timestamp, value: Bytes) {
        let closure = record.closure;
        let edges = closure.shape.edges(&self.road).unwrap_or_else(|error| {
            warn!(tenant = %closure.tenant, id = %closure.id, %error, "closure closes nothing");
            Vec::new()
        });
        let key = (closure.tenant, closure.id);
        let known = self.closures.get(&key);
        let room = known.is_some() || self.closures.len() < KNOWN_MAX;
        if !room {
            warn!("`{KNOWN_MAX}` closures are known, one more is passed over");
        }
        if room && known.is_none_or(|known| known.version <= record.version) {
            let (version, removed) = (record.version, record.removed);
            let (from, until) = (closure.from, closure.until);
            let known = Known { version, removed, from, until, edges, appended_at, value };
            self.closures.insert(key, known);
        }
    }

    /// Forgets what is over, and what was taken back so long ago that nobody will find it set.
    fn forget(&mut self, now: Timestamp) {
        self.closures.retain(|_, known| {
            let age_s = now.seconds_since(known.appended_at);
            let is_over = known.until.is_some_and(|until| until <= now);
            !(is_over || known.removed && age_s > CLOSURES_WITHIN_S)
        });
    }

    /// What holds at a moment.
    fn part(&self, now: Timestamp) -> TrafficPart {
        let mut closed: BTreeMap<TenantId, Vec<EdgeId>> = BTreeMap::new();
        for ((tenant, _), known) in &self.closures {
            if !known.removed && known.from <= now && !known.edges.is_empty() {
                closed.entry(tenant.clone()).or_default().extend(&known.edges);
            }
        }
        for edges in closed.values_mut() {
            edges.sort_unstable();
            edges.dedup();
        }
        let edges = Edges { slow: self.slow.clone(), closed };
        TrafficPart { map: self.road.hash().to_owned(), edges }
    }
}

/// Whether a record is of one of these kinds, by its header.
fn is(record: &Record, kinds: &[Kind]) -> bool {
    let named = |name: &[u8]| kinds.iter().any(|kind| kind.name().as_bytes() == name);
    record.headers.iter().any(|(name, value)| name == "kind" && named(value))
}

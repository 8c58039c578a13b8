//! The past: tracks of the last day, events and predicted arrivals of the last week.
//!
//! A SQLite file of its own, made from `outputs` alone, so that it may be thrown away: it is read
//! again from where the log begins. Events and arrivals are written as they come, under keys that
//! make writing them twice harmless; positions wait in memory ([`points`]) and are written a
//! vehicle's worth at a time, together with the offsets, in one transaction.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use engine::model::{Cause, CauseKind};
use ingest::id::{OrderId, StopId, TenantId, VehicleId};
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::{StoreError, lock, private_file};

pub(crate) mod fill;
mod points;

pub use points::Point;

/// Name of the file under the data directory.
pub const FILE: &str = "history.sqlite";
/// How long positions are kept, seconds.
pub const TRACK_S: f64 = 86_400.0;
/// How long events and arrivals are kept, seconds.
pub const EVENTS_S: f64 = 7.0 * 86_400.0;
/// Most points of one track: a day at one a second, and what was sent late.
pub const TRACK_POINTS_MAX: usize = 100_000;
/// Most predictions of one order that are told; the newest.
pub const ETAS_MAX: usize = 1_000;
/// Version of the tables; a file of another one is made anew.
const VERSION: i64 = 3;

const TABLES: &str = "
CREATE TABLE offsets (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE positions (
    vehicle TEXT NOT NULL, device TEXT NOT NULL, from_us INTEGER NOT NULL,
    to_us INTEGER NOT NULL, points BLOB NOT NULL
);
CREATE INDEX positions_of_vehicle ON positions (vehicle, to_us);
CREATE INDEX positions_by_age ON positions (to_us);
CREATE TABLE events (
    tenant TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
    vehicle TEXT NOT NULL, type TEXT NOT NULL, at_us INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (tenant, partition, offset)
) WITHOUT ROWID;
CREATE INDEX events_by_age ON events (at_us);
CREATE INDEX events_of_type ON events (tenant, type, at_us);
CREATE TABLE etas (
    tenant TEXT NOT NULL, ord TEXT NOT NULL, vehicle TEXT NOT NULL, seq INTEGER NOT NULL,
    at_us INTEGER NOT NULL, route TEXT NOT NULL, state TEXT NOT NULL, p10_us INTEGER,
    p50_us INTEGER, p90_us INTEGER, miss REAL, moved_s INTEGER NOT NULL, causes TEXT NOT NULL,
    PRIMARY KEY (tenant, ord, vehicle, seq)
) WITHOUT ROWID;
CREATE INDEX etas_by_age ON etas (at_us);
";

/// The history of one data directory.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    /// Points that are not in the file yet, by vehicle key and device.
    recent: Mutex<Recent>,
}

/// By vehicle key and device.
type Recent = HashMap<(String, String), Vec<Point>>;

/// An event as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastEvent {
    /// Partition of `outputs`.
    pub partition: u32,
    /// Offset in it.
    pub offset: u64,
    /// When it happened, microseconds.
    pub at_us: i64,
    /// Its JSON, whole.
    pub body: String,
}

/// Which events are wanted.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The next offset of each partition.
    pub after: &'a [u64],
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Only this vehicle's.
    pub vehicle: Option<&'a VehicleId>,
    /// Only of this type.
    pub kind: Option<&'a str>,
    /// At most so many.
    pub limit: usize,
}

/// What was predicted for an order, once.
#[derive(Debug, Clone, PartialEq)]
pub struct PastEta {
    /// When it was said.
    pub at: Timestamp,
    /// On which route.
    pub route: String,
    /// What the stop was doing.
    pub state: String,
    /// The three quantiles, absent once it was reached.
    pub times: Option<[Timestamp; 3]>,
    /// Probability of missing the window.
    pub miss: Option<f64>,
    /// Seconds that it moved since it was said before.
    pub moved_s: i64,
    /// Why; they add up to `moved_s`.
    pub causes: Vec<Cause>,
}

impl History {
    /// Opens the file under `data`, or makes it anew where it is damaged or of another version.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let path = private_file(data, FILE)?;
        if let Err(error) = connect(&path).and_then(|c| make(&c)) {
            tracing::warn!(%error, "the history is made anew");
            for end in ["", "-wal", "-shm"] {
                let side = data.join(format!("{FILE}{end}"));
                if side.exists() {
                    let file = |source| StoreError::File { path: side.clone(), source };
                    std::fs::remove_file(&side).map_err(file)?;
                }
            }
            private_file(data, FILE)?;
            connect(&path).and_then(|c| make(&c))?;
        }
        Ok(Self { path, recent: Mutex::default() })
    }

    /// Points of a vehicle between two times, by time; at most [`TRACK_POINTS_MAX`], the oldest.
    /// Blocks.
    pub fn track(
        &self,
        key: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(String, Point)>, StoreError> {
        let connection = connect(&self.path)?;
        let mut found = Vec::new();
        let wanted = |point: &Point| (from.micros()..=to.micros()).contains(&point.time_us);
        // The lock is held over both, so that no point is missed while it is being written.
        let recent = lock(&self.recent);
        let mut select = connection.prepare(
            "SELECT device, points FROM positions
             WHERE vehicle = ?1 AND to_us >= ?2 AND from_us <= ?3 ORDER BY to_us",
        )?;
        let rows = select.query_map(params![key, from.micros(), to.micros()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        for row in rows {
            let (device, bytes) = row?;
            let points = points::decode(&bytes).filter(wanted);
            found.extend(points.map(|point| (device.clone(), point)));
            if found.len() >= TRACK_POINTS_MAX {
                break;
            }
        }
        for ((_, device), points) in recent.iter().filter(|((vehicle, _), _)| vehicle == key) {
            let points = points.iter().filter(|point| wanted(point));
            found.extend(points.map(|point| (device.clone(), point.clone())));
        }
        drop(recent);
        found.sort_by_key(|(_, point)| (point.time_us, point.seq));
        found.truncate(TRACK_POINTS_MAX);
        Ok(found)
    }

    /// Events of a tenant in order of time; within a vehicle in the order they were said. Blocks.
    pub fn events(
        &self,
        tenant: &TenantId,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<PastEvent>, StoreError> {
        let connection = connect(&self.path)?;
        let mut select = connection.prepare(
            "SELECT offset, at_us, body FROM events
             WHERE tenant = ?1 AND partition = ?2 AND offset >= ?3 AND at_us >= ?4
               AND (?5 IS NULL OR vehicle = ?5) AND (?6 IS NULL OR type = ?6)
             ORDER BY offset LIMIT ?7",
        )?;
        let from = wanted.from.map_or(i64::MIN, Timestamp::micros);
        let vehicle = wanted.vehicle.map(VehicleId::as_str);
        let mut queues = Vec::with_capacity(wanted.after.len());
        for (partition, after) in (0..).zip(wanted.after) {
            let of = params![
                tenant.as_str(),
                partition,
                *after as i64,
                from,
                vehicle,
                wanted.kind,
                wanted.limit as i64
            ];
            let rows = select.query_map(of, |row| {
                let (offset, at_us, body) =
                    (row.get::<_, i64>(0)? as u64, row.get(1)?, row.get(2)?);
                Ok(PastEvent { partition, offset, at_us, body })
            })?;
            let queue: std::collections::VecDeque<PastEvent> =
                rows.collect::<Result<_, rusqlite::Error>>()?;
            queues.push(queue);
        }
        let mut found = Vec::new();
        while found.len() < wanted.limit {
            let heads = queues.iter_mut().filter(|queue| !queue.is_empty());
            let oldest = heads.min_by_key(|queue| queue.front().map(|event| event.at_us));
            match oldest.and_then(std::collections::VecDeque::pop_front) {
                Some(event) => found.push(event),
                None => break,
            }
        }
        Ok(found)
    }

    /// How many events of these types a tenant had since then. Blocks.
    pub fn count(
        &self,
        tenant: &TenantId,
        kinds: &[&str],
        from: Timestamp,
    ) -> Result<u64, StoreError> {
        let connection = connect(&self.path)?;
        let mut select = connection.prepare(
            "SELECT COUNT(*) FROM events WHERE tenant = ?1 AND type = ?2 AND at_us >= ?3",
        )?;
        let mut all = 0;
        for kind in kinds {
            let of = params![tenant.as_str(), kind, from.micros()];
            all += select.query_row(of, |row| row.get::<_, i64>(0))? as u64;
        }
        Ok(all)
    }

    /// What was predicted for an order, oldest first; the newest [`ETAS_MAX`]. Blocks.
    pub fn etas(&self, tenant: &TenantId, order: &OrderId) -> Result<Vec<PastEta>, StoreError> {
        let connection = connect(&self.path)?;
        let mut select = connection.prepare(
            "SELECT at_us, route, state, p10_us, p50_us, p90_us, miss, moved_s, causes FROM etas
             WHERE tenant = ?1 AND ord = ?2 ORDER BY at_us DESC, seq DESC LIMIT ?3",
        )?;
        let time = Timestamp::from_micros;
        let rows =
            select.query_map(params![tenant.as_str(), order.as_str(), ETAS_MAX as i64], |row| {
                let times: [Option<i64>; 3] = [row.get(3)?, row.get(4)?, row.get(5)?];
                let times = match times {
                    [Some(p10), Some(p50), Some(p90)] => Some([p10, p50, p90].map(time)),
                    _ => None,
                };
                let (at, route, state) = (time(row.get(0)?), row.get(1)?, row.get(2)?);
                let (miss, moved_s) = (row.get(6)?, row.get(7)?);
                let causes = causes_of(&row.get::<_, String>(8)?);
                Ok(PastEta { at, route, state, times, miss, moved_s, causes })
            })?;
        let mut found: Vec<PastEta> = rows.collect::<Result<_, rusqlite::Error>>()?;
        found.reverse();
        Ok(found)
    }

    /// By partition the next offset that is not contained; `None`: from the log's start.
    fn offsets(connection: &Connection, partitions: u32) -> Result<Vec<Option<u64>>, StoreError> {
        let mut select = connection.prepare("SELECT next FROM offsets WHERE partition = ?1")?;
        let next = |partition: u32| {
            let next: Option<i64> = select.query_row([partition], |row| row.get(0)).optional()?;
            Ok(next.map(|next| next as u64))
        };
        (0..partitions).map(next).collect()
    }
}

/// Causes as they are written: `kind:seconds` or `kind:seconds:stop`, by spaces; a stop's id has
/// neither in it.
fn causes_text(causes: &[Cause]) -> String {
    let words: Vec<String> = causes
        .iter()
        .map(|cause| match &cause.stop {
            Some(stop) => format!("{}:{}:{stop}", cause.kind.name(), cause.seconds),
            None => format!("{}:{}", cause.kind.name(), cause.seconds),
        })
        .collect();
    words.join(" ")
}

fn causes_of(text: &str) -> Vec<Cause> {
    let cause = |word: &str| {
        let mut parts = word.splitn(3, ':');
        let name = parts.next()?;
        let kind = CauseKind::ALL.into_iter().find(|kind| kind.name() == name)?;
        let seconds = parts.next()?.parse().ok()?;
        let stop = parts.next().and_then(|id| StopId::new(id).ok());
        Some(Cause { kind, seconds, stop })
    };
    text.split(' ').filter_map(cause).collect()
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A power cut may lose the newest transactions, whole; the log still has what they held.
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}

fn make(connection: &Connection) -> Result<(), StoreError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match found {
        VERSION => Ok(()),
        0 => {
            connection.execute_batch(TABLES)?;
            connection.pragma_update(None, "user_version", VERSION)?;
            Ok(())
        }
        found => Err(StoreError::Newer { found, known: VERSION }),
    }
}

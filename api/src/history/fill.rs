//! The thread that writes the history.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::model::{Body, EtaOutput, Event, EventKind, Output};
use engine::record::{canonical, output_from_envelope};
use ingest::id::VehicleKey;
use ingest::log::{Clock, Log, LogError, Reader, Record, Topic};
use ingest::record::Envelope;
use ingest::time::Timestamp;
use rusqlite::{Connection, params};
use tokio::sync::mpsc;

use super::points::{Point, encode};
use super::{EVENTS_S, History, TRACK_S, causes_text, connect};
use crate::metrics::Metrics;
use crate::store::{StoreError, lock};

/// Bytes of one poll.
const POLL_BYTES: usize = 1 << 20;
/// How long a poll waits for the first record.
const POLL_WAIT: Duration = Duration::from_millis(200);
/// Pause after log or file did not answer.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// Points wait in memory for so long, seconds…
const FLUSH_S: f64 = 30.0;
/// …and so many: about 20 MB.
const POINTS_WAITING_MAX: usize = 300_000;
/// How often the oldest rows are let go, seconds.
const RETIRE_S: f64 = 60.0;
/// Rows let go at a time, so that readers never wait long.
const RETIRED_MAX: i64 = 20_000;

/// A stop that was moved away although its first vehicle had finished it.
#[derive(Debug, Clone)]
pub(crate) struct TooLate {
    pub(crate) key: VehicleKey,
    pub(crate) event: Box<Event>,
}

/// What the thread works with.
pub(crate) struct Fill {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) history: Arc<History>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) too_late: mpsc::Sender<TooLate>,
}

/// Why a stretch of filling ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for Ended {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Fill {
    /// Fills until told to stop. What goes wrong is tried again from the last transaction.
    pub(crate) fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            if let Err(error) = self.stretch() {
                tracing::warn!(%error, "the history cannot be filled; trying again");
                self.metrics.tail_errors.inc();
                std::thread::sleep(RETRY_WAIT);
            }
            lock(&self.history.recent).clear();
        }
    }

    fn stretch(&self) -> Result<(), Ended> {
        let connection = connect(&self.history.path)?;
        let mut reader = self.reader(&connection)?;
        let (mut flushed, mut retired) = ((self.clock)(), Timestamp::default());
        while !self.stop.load(Ordering::Relaxed) {
            let records = reader.poll(POLL_BYTES, POLL_WAIT)?;
            if !records.is_empty() {
                self.take(&connection, records)?;
            }
            let now = (self.clock)();
            let waiting: usize = lock(&self.history.recent).values().map(Vec::len).sum();
            if now.seconds_since(flushed) >= FLUSH_S || waiting >= POINTS_WAITING_MAX {
                self.flush(&connection, reader.as_ref())?;
                flushed = now;
            }
            if now.seconds_since(retired) >= RETIRE_S {
                retire(&connection, now)?;
                retired = now;
            }
        }
        self.flush(&connection, reader.as_ref())
    }

    fn reader(&self, connection: &Connection) -> Result<Box<dyn Reader>, Ended> {
        let partitions = self.log.partitions(Topic::Outputs);
        let mut from = Vec::new();
        for (partition, next) in (0..).zip(History::offsets(connection, partitions)?) {
            let start = self.log.bounds(Topic::Outputs, partition)?.start;
            if next.is_some_and(|next| next < start) {
                tracing::error!(partition, start, "outputs were gone before the history read them");
            }
            from.push((partition, next.unwrap_or(start).max(start)));
        }
        Ok(self.log.reader(Topic::Outputs, &from)?)
    }

    /// Events and arrivals into the file, positions into memory.
    fn take(&self, connection: &Connection, records: Vec<Record>) -> Result<(), Ended> {
        let mut points = Vec::new();
        let transaction = connection.unchecked_transaction()?;
        for record in records {
            let Record { partition, offset, key, value: Some(value), .. } = record else {
                continue;
            };
            let decoded = Envelope::decode(value).and_then(|envelope| {
                output_from_envelope(&envelope).map(|output| (output, envelope.received_at))
            });
            // The live view counts and reports what cannot be read.
            let (Ok(key), Ok((output, said_at))) = (VehicleKey::parse(&key), decoded) else {
                continue;
            };
            match &output.body {
                Body::Position(position) => {
                    let device = position.input.report.device.to_string();
                    let point = Point::new(output.seq, position);
                    points.extend(point.map(|point| ((key.to_string(), device), point)));
                }
                Body::Path(_) => {}
                Body::Eta(eta) => insert_etas(connection, &key, (output.seq, said_at), eta)?,
                Body::Event(event) => {
                    insert_event(connection, (partition, offset), &key, &output)?;
                    self.tell_too_late(&key, event);
                }
            }
        }
        transaction.commit()?;
        let mut recent = lock(&self.history.recent);
        for (key, point) in points {
            recent.entry(key).or_default().push(point);
        }
        Ok(())
    }

    fn tell_too_late(&self, key: &VehicleKey, event: &Event) {
        if event.kind == EventKind::MovedTooLate {
            let told = TooLate { key: key.clone(), event: Box::new(event.clone()) };
            if self.too_late.blocking_send(told).is_err() {
                tracing::warn!("a stop moved too late is not taken back: the api is stopping");
            }
        }
    }

    /// Waiting points and the offsets in one transaction.
    fn flush(&self, connection: &Connection, reader: &dyn Reader) -> Result<(), Ended> {
        let mut recent = lock(&self.history.recent);
        let transaction = connection.unchecked_transaction()?;
        let mut insert = connection.prepare(
            "INSERT INTO positions (vehicle, device, from_us, to_us, points)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for ((vehicle, device), points) in recent.iter() {
            let times = points.iter().map(|point| point.time_us);
            let (from, to) = (times.clone().min(), times.max());
            insert.execute(params![vehicle, device, from, to, encode(points)])?;
        }
        drop(insert);
        let mut behind = 0;
        for partition in 0..self.log.partitions(Topic::Outputs) {
            let Some(next) = reader.position(partition) else { continue };
            connection.execute(
                "INSERT OR REPLACE INTO offsets (partition, next) VALUES (?1, ?2)",
                params![partition, next as i64],
            )?;
            let end = self.log.bounds(Topic::Outputs, partition)?.end;
            behind += end.saturating_sub(next) as i64;
        }
        transaction.commit()?;
        recent.clear();
        self.metrics.history_lag.set(behind);
        Ok(())
    }
}

fn insert_event(
    connection: &Connection,
    (partition, offset): (u32, u64),
    key: &VehicleKey,
    output: &Output,
) -> Result<(), Ended> {
    let Body::Event(event) = &output.body else { return Ok(()) };
    let mut json = serde_json::Map::new();
    json.insert("vehicle".to_owned(), key.vehicle.as_str().into());
    json.insert("seq".to_owned(), output.seq.into());
    canonical::event(&mut json, event);
    let mut insert = connection.prepare(
        "INSERT OR IGNORE INTO events (tenant, partition, offset, vehicle, type, at_us, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    insert.execute(params![
        key.tenant.as_str(),
        partition,
        offset as i64,
        key.vehicle.as_str(),
        event.kind.name(),
        event.at.micros(),
        serde_json::Value::Object(json).to_string()
    ])?;
    Ok(())
}

fn insert_etas(
    connection: &Connection,
    key: &VehicleKey,
    (seq, said_at): (u64, Timestamp),
    eta: &EtaOutput,
) -> Result<(), Ended> {
    let mut insert = connection.prepare(
        "INSERT OR IGNORE INTO etas
         (tenant, ord, vehicle, seq, at_us, route, state, p10_us, p50_us, p90_us, miss,
          moved_s, causes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for stop in &eta.stops {
        insert.execute(params![
            key.tenant.as_str(),
            stop.order.as_str(),
            key.vehicle.as_str(),
            seq as i64,
            said_at.micros(),
            eta.route.as_str(),
            stop.state.name(),
            stop.times.map(|t| t.p10.micros()),
            stop.times.map(|t| t.p50.micros()),
            stop.times.map(|t| t.p90.micros()),
            stop.miss,
            stop.moved_s,
            causes_text(&stop.causes)
        ])?;
    }
    Ok(())
}

/// Lets the oldest rows go.
fn retire(connection: &Connection, now: Timestamp) -> Result<(), Ended> {
    let (day, week) = (now.plus_seconds(-TRACK_S).micros(), now.plus_seconds(-EVENTS_S).micros());
    connection.execute(
        "DELETE FROM positions WHERE rowid IN
         (SELECT rowid FROM positions WHERE to_us < ?1 LIMIT ?2)",
        params![day, RETIRED_MAX],
    )?;
    connection.execute(
        "DELETE FROM events WHERE (tenant, partition, offset) IN
         (SELECT tenant, partition, offset FROM events WHERE at_us < ?1 LIMIT ?2)",
        params![week, RETIRED_MAX],
    )?;
    connection.execute(
        "DELETE FROM etas WHERE (tenant, ord, vehicle, seq) IN
         (SELECT tenant, ord, vehicle, seq FROM etas WHERE at_us < ?1 LIMIT ?2)",
        params![week, RETIRED_MAX],
    )?;
    Ok(())
}

//! The one thread that writes: groups what waits into one transaction, shows it when it is
//! durable, answers. WAL checkpoints happen in its commits (a second thread would never let the
//! WAL begin again), retention in small bites between them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ingest::id::partition_of;
use ingest::log::{Clock, LogError, NewRecord, Topic};
use ingest::time::Timestamp;
use rusqlite::{Connection, Statement, params};

use super::Settings;
use super::alarm::Watch;
use super::batch::{Batch, Builder, PARTITIONS, header_bytes, write_heads};
use super::queue::{Answer, GroupOffsets, Outcome, Request};
use super::retention::{PAUSE, Retirement};
use super::schema::{code, is_compacted, refused, table};
use super::shelf::Shelf;
use crate::clock::monotonic;

/// How often an idle writer looks after disk and retention.
const IDLE: Duration = Duration::from_secs(1);
/// What commits may be apart.
const INTERVAL_MIN: Duration = Duration::from_millis(1);
const INTERVAL_MAX: Duration = Duration::from_millis(50);

/// What the thread starts with.
pub(super) struct Start {
    shelf: Arc<Shelf>,
    connection: Connection,
    interval: Duration,
    clock: Clock,
    watch: Watch,
}

impl Start {
    /// Has looked at the disk that holds `file`.
    pub(super) fn new(
        shelf: Arc<Shelf>,
        connection: Connection,
        clock: Clock,
        (settings, file): &(Settings, PathBuf),
    ) -> Self {
        let interval = settings.commit_interval.clamp(INTERVAL_MIN, INTERVAL_MAX);
        let mut watch = Watch::new(Arc::clone(&shelf), settings.clone(), file);
        watch.look(&connection);
        Self { shelf, connection, interval, clock, watch }
    }
}

/// Answers what waits when the writer ends, however it ends.
struct Ending(Arc<Shelf>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}

/// Writes until the queue is closed and empty.
pub(super) fn run(start: Start) {
    let Start { shelf, connection, interval, clock, mut watch } = start;
    let _ending = Ending(Arc::clone(&shelf));
    let mut statements = match Statements::prepare(&connection) {
        Ok(statements) => statements,
        Err(error) => {
            tracing::error!(%error, "log writer cannot start");
            return;
        }
    };
    let mut retirement = Retirement::new(Arc::clone(&shelf));
    let mut now = shelf.newest().unwrap_or(Timestamp::from_micros(i64::MIN));
    let mut began = monotonic();
    loop {
        let pause = if retirement.is_due() { PAUSE } else { IDLE };
        let open = shelf.queue.wait(pause);
        if open {
            wait_turn(&shelf, began, interval);
        }
        let requests = shelf.queue.take();
        now = now.max(clock());
        if !requests.is_empty() {
            began = monotonic();
            let records: usize = requests.iter().map(|r| r.records.len()).sum();
            write(&shelf, &mut statements, requests, now);
            watch.wrote(records, monotonic().duration_since(began));
        } else if !open {
            return;
        }
        retirement.work(&connection, now);
        watch.look(&connection);
    }
}

/// At once when the last commit began long enough ago, otherwise so long after it.
fn wait_turn(shelf: &Shelf, began: Instant, interval: Duration) {
    let since = monotonic().duration_since(began);
    if let Some(rest) = interval.checked_sub(since)
        && !shelf.queue.is_closed()
    {
        std::thread::sleep(rest);
    }
}

/// The statements of a commit, prepared once.
struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    connection: &'c Connection,
    rows: BTreeMap<Topic, Statement<'c>>,
    key: Statement<'c>,
    key_end: Statement<'c>,
    offset: Statement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        let mut rows = BTreeMap::new();
        for topic in Topic::ALL.into_iter().filter(|t| !is_compacted(*t)) {
            let name = table(topic);
            let sql = format!("INSERT INTO {name}(id, at, heads, data) VALUES(?1, ?2, ?3, ?4)");
            rows.insert(topic, connection.prepare(&sql)?);
        }
        let prepare = |sql| connection.prepare(sql);
        Ok(Self {
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            rollback: prepare("ROLLBACK")?,
            connection,
            rows,
            key: prepare(
                "INSERT INTO compact(topic, partition, key, place, at, value, headers) \
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
                 place = excluded.place, at = excluded.at, value = excluded.value, \
                 headers = excluded.headers",
            )?,
            key_end: prepare("REPLACE INTO compact_end(topic, at, heads) VALUES(?1, ?2, ?3)")?,
            offset: prepare(
                "REPLACE INTO committed(member_group, topic, partition, next) \
                 VALUES(?1, ?2, ?3, ?4)",
            )?,
        })
    }

    /// All of it or nothing.
    fn write(&mut self, group: &Group<'_>, offsets: &[GroupOffsets]) -> rusqlite::Result<()> {
        self.begin.execute([])?;
        let written = self.fill(group, offsets).and_then(|()| self.commit.execute([]));
        if written.is_err() && !self.connection.is_autocommit() {
            // The first error is the one to tell.
            drop(self.rollback.execute([]));
        }
        written.map(|_| ())
    }

    fn fill(&mut self, group: &Group<'_>, offsets: &[GroupOffsets]) -> rusqlite::Result<()> {
        for (topic, batch) in &group.rows {
            let (at, heads) = (batch.at.micros(), write_heads(&batch.heads));
            match self.rows.get_mut(topic) {
                Some(insert) => {
                    insert.execute(params![batch.id, at, heads, &batch.data[..]])?;
                }
                None => {
                    self.key_end.execute(params![code(*topic), at, heads])?;
                }
            }
        }
        for ((topic, partition, key), (place, record)) in &group.keys {
            let (value, headers) = (record.value.as_deref(), header_bytes(record));
            let at = group.at.micros();
            let place = *place as i64;
            let key = &key[..];
            self.key.execute(params![topic, partition, key, place, at, value, headers])?;
        }
        for GroupOffsets { group, topic, offsets } in offsets {
            for (partition, next) in offsets {
                self.offset.execute(params![group, code(*topic), partition, *next as i64])?;
            }
        }
        Ok(())
    }
}

/// The newest record of each key in a group, in the order of the table.
type Keys<'r> = BTreeMap<(i64, u32, Bytes), (u64, &'r NewRecord)>;

/// What one transaction writes.
struct Group<'r> {
    at: Timestamp,
    rows: Vec<(Topic, Batch)>,
    keys: Keys<'r>,
    /// By request, the offsets of its records.
    places: Vec<Vec<u64>>,
}

impl<'r> Group<'r> {
    fn of(shelf: &Shelf, requests: &'r [Pending], at: Timestamp) -> Self {
        let mut builders: BTreeMap<Topic, (i64, Builder)> = BTreeMap::new();
        let mut keys = Keys::new();
        let mut places = Vec::with_capacity(requests.len());
        for request in requests {
            let mut given = Vec::with_capacity(request.records.len());
            for record in &request.records {
                let partition =
                    record.partition.unwrap_or_else(|| partition_of(&record.key, PARTITIONS));
                let (_, builder) = builders.entry(record.topic).or_insert_with(|| {
                    let extent = shelf.extent(record.topic);
                    (extent.next_id, Builder::new(&extent.ends))
                });
                let place = builder.push(partition, record);
                if is_compacted(record.topic) {
                    let key = (code(record.topic), partition, record.key.clone());
                    keys.insert(key, (place, record));
                }
                given.push(place);
            }
            places.push(given);
        }
        let rows = builders.into_iter().map(|(t, (id, builder))| (t, builder.finish(id, at)));
        Self { at, rows: rows.collect(), keys, places }
    }
}

/// A request without its offsets.
struct Pending {
    records: Vec<NewRecord>,
    answer: Answer,
}

/// One transaction.
fn write(shelf: &Shelf, statements: &mut Statements<'_>, requests: Vec<Request>, at: Timestamp) {
    let mut offsets = Vec::new();
    let mut pending = Vec::with_capacity(requests.len());
    for Request { records, offsets: of_group, answer, .. } in requests {
        offsets.extend(of_group);
        pending.push(Pending { records, answer });
    }
    let group = Group::of(shelf, &pending, at);
    let written = statements.write(&group, &offsets);
    let Group { rows, places, .. } = group;
    match written {
        Ok(()) => {
            shelf.publish(rows, offsets);
            for (request, given) in pending.into_iter().zip(places) {
                request.answer.give(Ok(given));
            }
        }
        Err(error) => {
            tracing::error!(%error, "log cannot write");
            for request in pending {
                request.answer.give(again(&error));
            }
        }
    }
}

fn again(error: &rusqlite::Error) -> Outcome {
    Err(match refused(error) {
        // A damaged file stays so; all else may pass.
        LogError::Corrupt(text) => LogError::Corrupt(text),
        LogError::Full(text) => LogError::Full(text),
        other => LogError::Unavailable(other.to_string()),
    })
}

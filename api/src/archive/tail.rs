//! What is not archived yet, in memory: so that a query sees a row within two seconds, once.
//!
//! A thread follows `outputs` from where the tables end. A [`View`] is one listing of a table and
//! the pieces beyond it, taken together: a piece's rows below the listing's offsets are left out,
//! so that a row is in the files or in the pieces, never in both and never in neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::arrow::array::{AsArray as _, BooleanArray, RecordBatch};
use datafusion::arrow::compute::{cast, concat_batches, filter_record_batch};
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use ingest::log::{Clock, Log, Reader, Topic};
use ingest::time::Timestamp;
use tokio::runtime::Handle;

use super::ArchiveError;
use super::archiver::open;
use super::delta::{Delta, Listing, Offsets};
use super::file::Hour;
use super::rows::{Batch, Place, Rows, Said};
use super::schema::{TIME, Table};
use super::store::Store;
use crate::metrics::ArchiveMetrics;
use crate::store::lock;

/// Bytes of one poll.
const POLL_BYTES: usize = 1 << 20;
/// How long a poll waits for the first record, and rows wait to be seen.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// Rows of a piece at most before another is begun.
const PIECE_ROWS: usize = 16 * 1024;
/// How often the tables are looked at, seconds.
const REFRESH_S: f64 = 2.0;
/// Pause after log or store did not answer.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// Bytes of all pieces at most. Then nothing more is read until the archive has caught up, and
/// answers say as of when they are.
const TAIL_BYTES_MAX: usize = 512 << 20;

/// Rows in memory, as they are answered.
#[derive(Debug)]
pub(crate) struct Piece {
    rows: RecordBatch,
    /// Where each row comes from.
    places: Vec<Place>,
    /// By partition the first and last offset.
    spans: BTreeMap<u32, (u64, u64)>,
}

impl Piece {
    fn new(table: Table, batch: Batch) -> Result<Self, ArchiveError> {
        let schema = table.answered();
        let columns: Result<Vec<_>, _> = batch
            .rows
            .columns()
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| cast(column, field.data_type()))
            .collect();
        Ok(Self::of(RecordBatch::try_new(schema, columns?)?, batch.places))
    }

    fn of(rows: RecordBatch, places: Vec<Place>) -> Self {
        let mut spans: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for (partition, offset) in &places {
            let span = spans.entry(*partition).or_insert((*offset, *offset));
            *span = (span.0.min(*offset), span.1.max(*offset));
        }
        Self { rows, places, spans }
    }

    fn is_beyond(place: Place, next: &Offsets) -> bool {
        next.get(&place.0).is_none_or(|next| place.1 >= *next)
    }

    /// The rows that a table with these offsets does not contain.
    fn beyond(&self, next: &Offsets) -> Result<Option<RecordBatch>, ArchiveError> {
        if self.spans.iter().all(|(p, (first, _))| Self::is_beyond((*p, *first), next)) {
            return Ok(Some(self.rows.clone()));
        }
        if self.is_stored(next) {
            return Ok(None);
        }
        let wanted: BooleanArray =
            self.places.iter().map(|place| Some(Self::is_beyond(*place, next))).collect();
        Ok(Some(filter_record_batch(&self.rows, &wanted)?))
    }

    fn is_stored(&self, next: &Offsets) -> bool {
        !self.spans.iter().any(|(p, (_, last))| Self::is_beyond((*p, *last), next))
    }
}

/// One table at one moment: files, and what lies beyond them.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) listing: Arc<Listing>,
    pieces: Vec<Arc<Piece>>,
}

impl View {
    /// The rows that the files do not hold.
    pub(crate) fn beyond(&self) -> Result<Vec<RecordBatch>, ArchiveError> {
        let rows = self.pieces.iter().map(|piece| piece.beyond(&self.listing.next));
        rows.filter_map(Result::transpose).collect()
    }

    /// The hours of those rows.
    pub(crate) fn hours_beyond(&self) -> Result<BTreeSet<Hour>, ArchiveError> {
        let mut hours = BTreeSet::new();
        for rows in self.beyond()? {
            let times = rows.column(TIME).as_primitive::<TimestampMicrosecondType>();
            hours.extend(times.values().iter().map(|time| Hour::of(*time)));
        }
        Ok(hours)
    }

    /// Lets go what the files hold by now, and makes few pieces of many.
    fn settle(&mut self, listing: Arc<Listing>) -> Result<(), ArchiveError> {
        self.listing = listing;
        self.pieces.retain(|piece| !piece.is_stored(&self.listing.next));
        let mut settled: Vec<Arc<Piece>> = Vec::new();
        for piece in self.pieces.drain(..) {
            match settled.last_mut() {
                Some(last) if last.places.len() + piece.places.len() <= PIECE_ROWS => {
                    let schema = last.rows.schema();
                    let rows = concat_batches(&schema, [&last.rows, &piece.rows])?;
                    let places = last.places.iter().chain(&piece.places).copied().collect();
                    *last = Arc::new(Piece::of(rows, places));
                }
                _ => settled.push(piece),
            }
        }
        self.pieces = settled;
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.rows.get_array_memory_size()).sum()
    }
}

/// Every table's view; shared by the thread that fills it and those who ask.
#[derive(Debug, Default)]
pub(crate) struct Views {
    tables: [Mutex<View>; Table::ALL.len()],
    /// Everything committed before is seen, microseconds; 0: nothing was read yet.
    as_of: AtomicI64,
}

impl Views {
    /// A table now.
    pub(crate) fn of(&self, table: Table) -> View {
        lock(&self.tables[table as usize]).clone()
    }

    /// Everything committed before this time is seen.
    pub(crate) fn as_of(&self) -> Timestamp {
        Timestamp::from_micros(self.as_of.load(Ordering::Acquire))
    }

    /// Rows of a batch of outputs become visible.
    fn add(&self, rows: &mut Rows) -> Result<(), ArchiveError> {
        for table in Table::ALL {
            let batch = rows.take(table)?;
            if !batch.places.is_empty() {
                let piece = Arc::new(Piece::new(table, batch)?);
                lock(&self.tables[table as usize]).pieces.push(piece);
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.tables.iter().map(|view| lock(view).bytes()).sum()
    }
}

/// What the thread works with.
pub(crate) struct Tail {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) views: Arc<Views>,
    pub(crate) metrics: ArchiveMetrics,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) runtime: Handle,
}

impl Tail {
    /// Follows until told to stop; what goes wrong is tried again.
    pub(crate) fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            if let Err(error) = self.follow() {
                tracing::warn!(%error, "the newest rows cannot be followed; trying again");
                self.metrics.failures.inc();
                std::thread::sleep(RETRY_WAIT);
            }
            for view in &self.views.tables {
                *lock(view) = View::default();
            }
            self.views.as_of.store(0, Ordering::Release);
        }
    }

    fn follow(&self) -> Result<(), ArchiveError> {
        let mut tables =
            self.runtime.block_on(open(&self.store, self.log.as_ref(), &self.clock))?;
        let mut reader = self.beyond(&tables)?;
        let (mut rows, mut refreshed) = (Rows::default(), (self.clock)());
        while !self.stop.load(Ordering::Relaxed) {
            let full = self.views.bytes() > TAIL_BYTES_MAX;
            if full {
                std::thread::sleep(POLL_WAIT);
            } else {
                self.read(reader.as_mut(), &mut rows)?;
            }
            let now = (self.clock)();
            if now.seconds_since(refreshed) >= REFRESH_S {
                refreshed = now;
                for table in &mut tables {
                    self.runtime.block_on(table.refresh())?;
                    lock(&self.views.tables[table.table() as usize]).settle(table.listing())?;
                }
                self.metrics.tail_bytes.set(self.views.bytes() as i64);
            }
        }
        Ok(())
    }

    /// Reads once up to where the log ends now, for a query without a server.
    pub(crate) fn once(&self) -> Result<(), ArchiveError> {
        let (partitions, began) = (self.log.partitions(Topic::Outputs), (self.clock)());
        let mut tables = Vec::new();
        for table in Table::ALL {
            let found = Delta::existing(&self.store, table, partitions, &self.clock);
            tables.extend(self.runtime.block_on(found)?);
        }
        let (mut reader, mut rows) = (self.beyond(&tables)?, Rows::default());
        for partition in 0..partitions {
            let end = self.log.bounds(Topic::Outputs, partition)?.end;
            while reader.position(partition).is_some_and(|next| next < end) {
                self.read(reader.as_mut(), &mut rows)?;
            }
        }
        self.views.as_of.store(began.micros(), Ordering::Release);
        Ok(())
    }

    /// A reader of what lies beyond some of the tables, which are seen as they are.
    fn beyond(&self, tables: &[Delta]) -> Result<Box<dyn Reader>, ArchiveError> {
        let mut from = Vec::new();
        for partition in 0..self.log.partitions(Topic::Outputs) {
            let start = self.log.bounds(Topic::Outputs, partition)?.start;
            let next = |table: &Delta| table.listing().next.get(&partition).copied();
            let next = tables.iter().map(|table| next(table).unwrap_or(start)).min();
            let all = tables.len() == Table::ALL.len();
            from.push((partition, next.filter(|_| all).unwrap_or(start).max(start)));
        }
        for table in tables {
            let view = View { listing: table.listing(), pieces: Vec::new() };
            *lock(&self.views.tables[table.table() as usize]) = view;
        }
        Ok(self.log.reader(Topic::Outputs, &from)?)
    }

    /// One poll, made visible.
    fn read(&self, reader: &mut dyn Reader, rows: &mut Rows) -> Result<(), ArchiveError> {
        let asked = (self.clock)();
        let records = reader.poll(POLL_BYTES, POLL_WAIT)?;
        for record in &records {
            match Said::read(record) {
                Ok(Some(said)) => rows.push((record.partition, record.offset), &said),
                Ok(None) => {}
                Err(_unreadable) => {
                    self.metrics.unreadable.inc();
                }
            }
        }
        self.views.add(rows)?;
        // Nothing came: all that was there when the poll began is seen.
        let seen = records.iter().map(|record| record.appended_at).max().unwrap_or(asked);
        self.views.as_of.store(seen.micros(), Ordering::Release);
        Ok(())
    }
}

//! The role `archive`: owns partitions of `outputs` as a member of a group of its own, turns them
//! into rows, and stores those every [`Settings::flush_s`] seconds or [`FLUSH_ROWS`] rows.
//!
//! Where it goes on is what the tables say ([`super::delta`]); the group's committed offsets only
//! spare it reading twice, and are moved after the tables. It may therefore be killed anywhere:
//! before a commit its files are not listed, between the tables' commits each table knows for
//! itself, after them the group's offsets are behind and the rows are skipped. An archiver that
//! lost a partition without knowing is refused by the table, forgets what it holds and asks again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use ingest::log::{Clock, Commit, Log, LogError, Member, Polled, Record, Topic};
use ingest::time::Timestamp;
use tokio::runtime::Handle;
use tracing::{error, info, warn};
use xxhash_rust::xxh3::xxh3_64;

use super::ArchiveError;
use super::delta::{Delta, Taken};
use super::derived::Derive;
use super::file::{self, NewFile};
use super::keep;
use super::rows::{Rows, Said};
use super::schema::Table;
use super::store::Store;
use crate::metrics::ArchiveMetrics;
use crate::store::lock;

/// Rows that are stored at once: some 20 MB of files, 200 MB while they are made.
pub const FLUSH_ROWS: usize = 250_000;
/// Bytes of one poll.
const POLL_BYTES: usize = 1 << 20;
/// How long a poll waits for the first record.
const POLL_WAIT: Duration = Duration::from_millis(200);
/// Pause after log or store did not answer.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// How often small and old files are looked for, seconds.
const KEEP_EVERY_S: f64 = 30.0;

/// How the archive is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where.
    pub store: Store,
    /// Stable name of this archiver.
    pub instance: String,
    /// Rows wait for so long before they are stored, seconds.
    pub flush_s: f64,
    /// What is merged and let go.
    pub keep: keep::Rules,
    /// What is made of positions and kept beside them.
    pub derive: Option<Arc<dyn Derive>>,
    /// What it counts with.
    pub metrics: ArchiveMetrics,
}

/// A running archiver.
#[derive(Debug)]
pub struct Archiver {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Archiver {
    /// Opens the tables and starts the thread. Needs a tokio runtime of several threads.
    pub async fn start(
        log: Arc<dyn Log>,
        settings: Settings,
        clock: Clock,
    ) -> Result<Self, ArchiveError> {
        let tables = open(&settings.store, log.as_ref(), &clock).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let trouble = Arc::new(Mutex::new(None));
        let mut work = Work {
            group: group(&settings.store),
            log,
            clock,
            settings,
            tables,
            rows: Rows::default(),
            waiting: Vec::new(),
            held: BTreeMap::new(),
            since: None,
            kept_at: Timestamp::default(),
            runtime: Handle::current(),
            trouble: Arc::clone(&trouble),
        };
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("archive".to_owned())
            .spawn(move || work.run(&told))
            .map_err(ArchiveError::Thread)?;
        Ok(Self { stop, thread: Some(thread), trouble })
    }

    /// Why it does not archive now.
    pub fn readiness(&self) -> impl Fn() -> Result<(), String> + Send + Sync + 'static {
        let trouble = Arc::clone(&self.trouble);
        move || lock(&trouble).clone().map_or(Ok(()), Err)
    }

    /// Stores what it holds, leaves the group, ends. Blocks.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the archiver panicked");
        }
    }
}

/// Every table of an archive, made where it is missing.
pub(crate) async fn open(
    store: &Store,
    log: &dyn Log,
    clock: &Clock,
) -> Result<Vec<Delta>, ArchiveError> {
    let partitions = log.partitions(Topic::Outputs);
    let mut tables = Vec::new();
    for table in Table::ALL {
        tables.push(Delta::open(store, table, partitions, clock).await?);
    }
    Ok(tables)
}

/// Archives of different places are filled by groups of their own.
fn group(store: &Store) -> String {
    format!("archive-{:016x}", xxh3_64(store.url().as_str().as_bytes()))
}

/// A partition that this archiver owns.
#[derive(Debug, Clone)]
struct Held {
    /// The next offset to be read.
    next: u64,
    /// By table the next offset that it does not contain.
    stored: [u64; Table::ALL.len()],
    /// The newest offset that was read, if any since the tables were last moved.
    last: Option<u64>,
}

/// Files that are made and not committed yet.
#[derive(Debug)]
struct Waiting {
    table: Table,
    files: Vec<NewFile>,
    taken: Taken,
}

/// What the thread works with.
struct Work {
    group: String,
    log: Arc<dyn Log>,
    clock: Clock,
    settings: Settings,
    tables: Vec<Delta>,
    rows: Rows,
    waiting: Vec<Waiting>,
    held: BTreeMap<u32, Held>,
    /// When the oldest row came.
    since: Option<Timestamp>,
    kept_at: Timestamp,
    runtime: Handle,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Work {
    /// Archives until told to stop; what goes wrong is tried again.
    fn run(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            match self.stretch(stop) {
                Ok(()) => {}
                Err(error) => {
                    warn!(%error, "the archiver begins again");
                    self.settings.metrics.failures.inc();
                    *lock(&self.trouble) = Some(error.to_string());
                    std::thread::sleep(RETRY_WAIT);
                }
            }
            self.forget();
            self.held.clear();
        }
    }

    /// From joining the group to an end.
    fn stretch(&mut self, stop: &AtomicBool) -> Result<(), ArchiveError> {
        let owner = format!("{}-archive", self.settings.instance);
        let mut member = self.log.member(&self.group, Topic::Outputs, &owner)?;
        while !stop.load(Ordering::Relaxed) {
            match member.poll(POLL_BYTES, POLL_WAIT)? {
                Polled::Records(records) => self.take(&records),
                Polled::Assigned(partitions) => self.assigned(&partitions)?,
                Polled::Revoked { partitions, lost } => {
                    self.revoked(&partitions, lost, member.as_mut())?;
                }
            }
            if self.is_due() {
                self.flush(member.as_mut(), stop)?;
            }
            self.keep();
        }
        self.flush(member.as_mut(), stop)?;
        member.leave()?;
        info!("archived up to the end of what was read");
        Ok(())
    }

    /// Outputs as rows; what the tables contain already is left out.
    fn take(&mut self, records: &[Record]) {
        for record in records {
            let Some(held) = self.held.get_mut(&record.partition) else { continue };
            if record.offset < held.next {
                continue;
            }
            held.next = record.offset + 1;
            held.last = Some(record.offset);
            match Said::read(record) {
                Ok(Some(said)) if record.offset >= held.stored[said.table() as usize] => {
                    self.rows.push((record.partition, record.offset), &said);
                }
                Ok(_) => {}
                Err(error) => {
                    let (partition, offset) = (record.partition, record.offset);
                    warn!(%error, partition, offset, "an output cannot be archived");
                    self.settings.metrics.unreadable.inc();
                }
            }
        }
        if self.since.is_none() && self.held.values().any(|held| held.last.is_some()) {
            self.since = Some((self.clock)());
        }
    }

    fn is_due(&self) -> bool {
        let old = |since: Timestamp| (self.clock)().seconds_since(since) >= self.settings.flush_s;
        self.rows.len() >= FLUSH_ROWS || self.since.is_some_and(old)
    }

    /// These partitions are ours: the tables say where they go on.
    fn assigned(&mut self, partitions: &[u32]) -> Result<(), ArchiveError> {
        for table in &mut self.tables {
            self.runtime.block_on(table.refresh())?;
        }
        *lock(&self.trouble) = None;
        for partition in partitions {
            let stored: Vec<Option<u64>> = self
                .tables
                .iter()
                .map(|table| table.listing().next.get(partition).copied())
                .collect();
            let start = self.log.bounds(Topic::Outputs, *partition)?.start;
            let next = stored.iter().map(|next| next.unwrap_or(start)).min().unwrap_or(start);
            if next < start {
                let gone = ArchiveError::Gone { partition: *partition, from: next, start };
                error!(error = %gone, "the archive has a hole");
                self.settings.metrics.lost.inc_by(start - next);
            }
            let mut held = Held { next: next.max(start), stored: [0; 4], last: None };
            for (stored, next) in held.stored.iter_mut().zip(stored) {
                *stored = next.unwrap_or(0);
            }
            let next = held.next;
            self.held.insert(*partition, held);
            let committed = self.log.committed(&self.group, Topic::Outputs, *partition)?;
            if let Some(committed) = committed.filter(|committed| *committed > next) {
                self.catch_up(*partition, (next, committed))?;
            }
        }
        Ok(())
    }

    /// The group's offset is ahead of the tables (an archive that was put back from a copy): what
    /// lies between is read without it.
    fn catch_up(&mut self, partition: u32, (from, to): (u64, u64)) -> Result<(), ArchiveError> {
        let mut reader = self.log.reader(Topic::Outputs, &[(partition, from)])?;
        while reader.position(partition).is_some_and(|next| next < to) {
            let records = reader.poll(POLL_BYTES, POLL_WAIT)?;
            if records.is_empty() {
                break;
            }
            self.take(&records);
            if self.rows.len() >= FLUSH_ROWS {
                self.store(&AtomicBool::new(true))?;
            }
        }
        Ok(())
    }

    fn revoked(
        &mut self,
        partitions: &[u32],
        lost: bool,
        member: &mut dyn Member,
    ) -> Result<(), ArchiveError> {
        if lost {
            self.begin_again(member)?;
        } else {
            self.flush(member, &AtomicBool::new(true))?;
        }
        for partition in partitions {
            self.held.remove(partition);
        }
        Ok(())
    }

    /// Stores what was read, then tells the group how far that was.
    fn flush(&mut self, member: &mut dyn Member, stop: &AtomicBool) -> Result<(), ArchiveError> {
        match self.store(stop) {
            Ok(()) => {}
            Err(taken @ ArchiveError::Taken { .. }) => {
                warn!(error = %taken, "what was read is forgotten");
                return self.begin_again(member);
            }
            Err(error) => return Err(error),
        }
        let offsets = self.held.iter().map(|(partition, held)| (*partition, held.next)).collect();
        match member.commit(Commit { records: Vec::new(), offsets }) {
            Ok(()) => Ok(()),
            // Somebody else reads on from what the tables say.
            Err(LogError::Fenced(_)) => self.begin_again(member),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores what was read. A store that fails is tried again until it takes it or, when the
    /// archiver stops, once: the log still has it all.
    fn store(&mut self, stop: &AtomicBool) -> Result<(), ArchiveError> {
        self.make_files()?;
        loop {
            match self.commit() {
                Ok(()) => break,
                Err(error) if matches!(error, ArchiveError::Taken { .. }) => return Err(error),
                Err(error) => {
                    warn!(%error, "the archive does not take what was read; trying again");
                    self.settings.metrics.failures.inc();
                    *lock(&self.trouble) = Some(error.to_string());
                    if stop.load(Ordering::Relaxed) {
                        return Err(error);
                    }
                    std::thread::sleep(RETRY_WAIT);
                }
            }
        }
        *lock(&self.trouble) = None;
        Ok(())
    }

    /// Rows become files that wait for their commit.
    fn make_files(&mut self) -> Result<(), ArchiveError> {
        self.since = None;
        for table in Table::ALL {
            let batch = self.rows.take(table)?;
            let files = file::files(table, &batch)?;
            let mut taken = Taken::new();
            for (partition, held) in &self.held {
                let stored = held.stored[table as usize];
                taken.extend(
                    held.last.filter(|last| *last >= stored).map(|l| (*partition, (stored, l))),
                );
            }
            if !taken.is_empty() {
                self.waiting.push(Waiting { table, files, taken });
            }
        }
        for held in self.held.values_mut() {
            held.last = None;
        }
        Ok(())
    }

    /// Commits what waits, table by table.
    fn commit(&mut self) -> Result<(), ArchiveError> {
        while let Some(waiting) = self.waiting.first() {
            let table = &mut self.tables[waiting.table as usize];
            self.runtime.block_on(table.append(&waiting.files, &waiting.taken))?;
            for (partition, (_, last)) in &waiting.taken {
                if let Some(held) = self.held.get_mut(partition) {
                    held.stored[waiting.table as usize] = last + 1;
                }
            }
            let rows: u64 = waiting.files.iter().map(|file| file.about.rows).sum();
            self.settings.metrics.stored(waiting.table, rows, waiting.files.len() as u64);
            self.waiting.remove(0);
        }
        Ok(())
    }

    /// Forgets what is not stored and reads it again.
    fn begin_again(&mut self, member: &mut dyn Member) -> Result<(), ArchiveError> {
        self.forget();
        let ours: Vec<u32> = member.rewind()?.into_iter().map(|(partition, _)| partition).collect();
        self.held.clear();
        self.assigned(&ours)
    }

    fn forget(&mut self) {
        self.rows = Rows::default();
        self.waiting.clear();
        self.since = None;
    }

    /// Merges and lets go, one thing at a time. Whoever owns partition 0 does it for all.
    fn keep(&mut self) {
        let now = (self.clock)();
        if !self.held.contains_key(&0) || now.seconds_since(self.kept_at) < KEEP_EVERY_S {
            return;
        }
        self.kept_at = now;
        for table in &mut self.tables {
            let kept = self.runtime.block_on(keep::step(table, &self.settings.keep, now));
            match kept {
                Ok(kept) => self.settings.metrics.kept(&kept),
                Err(error) => {
                    warn!(%error, "small and old files stay for now");
                    self.settings.metrics.failures.inc();
                }
            }
        }
        let positions = self.tables.iter().find(|table| table.table() == Table::Positions);
        if let (Some(derive), Some(positions)) = (&self.settings.derive, positions) {
            let made = self.runtime.block_on(derive.step(positions.listing(), now));
            if let Err(error) = made {
                warn!(%error, "rollups are made later");
                self.settings.metrics.failures.inc();
            }
        }
    }
}

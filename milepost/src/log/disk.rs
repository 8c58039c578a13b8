//! The log on disk: one process, no services. SQLite keeps it (WAL, `synchronous=FULL`), so crash
//! recovery is not our invention, a second process reads while the first writes, and a running log
//! can be copied.
//!
//! - `schema`: the file, its settings, who may open it; `batch`: a row's bytes
//! - `queue`: what waits to be written, bounded; `writer`: the one thread that writes it, one
//!   transaction for all that waits, one row per topic
//! - `shelf`: the newest rows in memory, from which live readers are served; `read`: everything
//!   older, in short transactions; `peek`: the same for a second process
//! - `retention`, `alarm`, `space`: what the writer does besides; `notice`: what it says at start
//! - `copy`: a running log's backup

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ingest::log::group::Groups;
use ingest::log::local::{LocalMember, LocalReader, Store};
use ingest::log::{Appending, Bounds, Clock, Log, LogError, Member, NewRecord, Reader, Topic};
use ingest::time::Timestamp;

mod alarm;
mod batch;
mod copy;
mod notice;
mod peek;
mod queue;
mod read;
mod retention;
mod schema;
mod shelf;
mod space;
mod writer;

pub use batch::PARTITIONS;
pub use copy::copy;
pub use peek::DiskReading;
pub use schema::{LOG_FILE, prepare};
pub use space::{Probe, Space};

use read::Connections;
use shelf::Shelf;

/// Commits begin at least so far apart under load: p99 of append to durable is 5-12 ms and the
/// disk writes 3 bytes for one (at 2 ms 3.5, without a pause 13).
const COMMIT_INTERVAL: Duration = Duration::from_millis(5);
/// Below this share of free disk appends are refused; below half of it commits too.
const FREE_SHARE_MIN: f64 = 0.10;

/// Locks, also after a panic elsewhere: every change leaves the state whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What may be set about a disk log.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Commits begin at least so far apart, 1 to 50 ms; at once when nothing waited.
    pub commit_interval: Duration,
    /// Appends are refused below this share of free disk, 0 to 1; below half of it commits too.
    pub free_share_min: f64,
    /// Looks at the disk.
    pub probe: Probe,
}

impl Settings {
    /// The defaults for a log in `dir`.
    pub fn of(dir: &Path) -> Self {
        let probe = Probe::of(dir);
        Self { commit_interval: COMMIT_INTERVAL, free_share_min: FREE_SHARE_MIN, probe }
    }

    /// Whether a log would take appends now: for who would rather not begin otherwise.
    ///
    /// # Errors
    /// [`LogError::Full`] below the least share of free disk, [`LogError::Unavailable`] when the
    /// disk cannot be asked.
    pub fn check_room(&self) -> Result<(), LogError> {
        let space = self.probe.space().map_err(|e| LogError::Unavailable(e.to_string()))?;
        if space.free_share() >= self.free_share_min {
            return Ok(());
        }
        let [free, total] = [space.free, space.total].map(space::readable);
        let percent = self.free_share_min * 100.0;
        Err(LogError::Full(format!("{free} of {total} is free, expected at least {percent} %")))
    }
}

/// The log of one writing process. Records read from it share the memory of all that was committed
/// with them (at most 4 MB as a rule): whoever keeps one for long copies what it needs. Dropping it writes what waits, then ends the writer.
#[derive(Debug)]
pub struct DiskLog {
    shelf: Arc<Shelf>,
    groups: Groups,
    dir: PathBuf,
    settings: Settings,
    writer: Option<JoinHandle<()>>,
    /// Released last: the next process may write only when our writer has ended.
    _lock: File,
}

impl DiskLog {
    /// Opens the log in `dir`, made when it is new, recovered when its last process was killed.
    /// `clock` gives the append times, which never go backwards.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] when another process writes here or the directory cannot be
    /// used, [`LogError::Corrupt`] when the file is not a log of this version.
    pub fn open(dir: &Path, settings: Settings, clock: Clock) -> Result<Self, LogError> {
        prepare(dir)?;
        let lock = schema::lock_dir(dir)?;
        let connection = schema::open_writer(dir)?;
        let shelf = Arc::new(Shelf::load(Connections::open(dir)?, &connection)?);
        let watched = (settings.clone(), dir.join(LOG_FILE));
        let start = writer::Start::new(Arc::clone(&shelf), connection, clock, &watched);
        let writer = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer::run(start))
            .map_err(|e| LogError::Unavailable(format!("cannot start the log's writer: {e}")))?;
        let (groups, dir, writer) = (Groups::default(), dir.to_owned(), Some(writer));
        Ok(Self { shelf, groups, dir, settings, writer, _lock: lock })
    }

    /// Opens the log in `dir` for reading, also while another process writes it.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] when there is none, [`LogError::Corrupt`] when the file is not a
    /// log of this version.
    pub fn open_reading(dir: &Path) -> Result<DiskReading, LogError> {
        Ok(DiskReading::new(Connections::open(dir)?))
    }

    /// What the log holds and what its retention will need, in one line for people.
    ///
    /// # Errors
    /// When file or disk cannot be asked.
    pub fn notice(&self) -> Result<String, LogError> {
        let space = self.settings.probe.space().map_err(|e| {
            LogError::Unavailable(format!("free space of `{}`: {e}", self.dir.display()))
        })?;
        let extents = Topic::ALL.map(|topic| (topic, self.shelf.extent(topic)));
        let held = self.shelf.connections.with(notice::bytes_held)?;
        Ok(notice::notice(&self.dir, (held, space), &extents))
    }
}

impl Drop for DiskLog {
    fn drop(&mut self) {
        self.shelf.queue.close();
        self.shelf.connections.close();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("log writer has panicked");
        }
    }
}

impl Log for DiskLog {
    fn partitions(&self, _: Topic) -> u32 {
        PARTITIONS
    }

    fn append(&self, records: Vec<NewRecord>) -> Appending {
        let receiver = self.shelf.append(records);
        Box::pin(async move {
            receiver.await.unwrap_or_else(|_| {
                Err(LogError::Unavailable("the log's writer has ended".to_owned()))
            })
        })
    }

    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        self.shelf.bounds(topic, partition)
    }

    fn offset_at(
        &self,
        topic: Topic,
        partition: u32,
        time: Timestamp,
    ) -> Result<Option<u64>, LogError> {
        self.shelf.offset_at(topic, partition, time)
    }

    fn committed(
        &self,
        group: &str,
        topic: Topic,
        partition: u32,
    ) -> Result<Option<u64>, LogError> {
        self.shelf.committed(group, topic, partition)
    }

    fn reader(&self, topic: Topic, from: &[(u32, u64)]) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(LocalReader::new(Arc::clone(&self.shelf), topic, from)?))
    }

    fn member(&self, group: &str, topic: Topic, owner: &str) -> Result<Box<dyn Member>, LogError> {
        let shelf = Arc::clone(&self.shelf);
        Ok(Box::new(LocalMember::join(shelf, &self.groups, group, topic, owner)))
    }
}

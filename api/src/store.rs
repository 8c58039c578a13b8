//! Operations data: tenants, keys, devices, vehicles, routes, answers given. SQLite, one file.
//!
//! Nothing of it is a promise until it is on the log: a plan or an assignment is first reserved
//! here ([`pending`]), then appended, and becomes the resource's state once the log has it. One
//! thread writes and puts what waits into one transaction, so that a thousand small writes cost
//! a few syncs; reads use connections of their own and never wait for it (write-ahead log).

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

pub mod addresses;
pub mod audit;
pub mod care;
pub mod closures;
pub mod costs;
pub mod devices;
pub mod idempotency;
pub mod keys;
pub mod links;
pub mod outbox;
pub mod pending;
pub mod people;
pub mod routes;
pub mod said;
mod schema;
pub mod sessions;
pub mod vehicles;
pub mod webhooks;

/// Name of the file under the data directory.
pub const FILE: &str = "ops.sqlite";
/// Writes that may wait for the writer; more wait at their sender.
const WRITES_WAITING_MAX: usize = 1024;
/// Writes of one transaction: enough to share a sync, few enough that nobody waits long.
const WRITES_TOGETHER_MAX: usize = 256;
/// Idle connections kept for reading.
const READERS_IDLE_MAX: usize = 4;
/// How long a write waits for another process (`keys create`), milliseconds.
const BUSY_MS: u64 = 5_000;

/// Why the store did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// SQLite refused; disk full, file damaged, or another process holds it.
    #[error("operations store: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The directory or file cannot be made or is not private.
    #[error("operations store `{path}`: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Made by a newer version.
    #[error("operations store has schema `{found}`, expected at most `{known}`")]
    Newer {
        /// Of the file.
        found: i64,
        /// Of this version.
        known: i64,
    },
    /// A stored value is not what this version writes.
    #[error("operations store holds a wrong value: {0}")]
    Value(String),
    /// The writer has ended.
    #[error("operations store is closed")]
    Closed,
}

/// Versions of a route or device beside the one in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The highest given out.
    pub reserved: u64,
    /// The highest whose fate is known; below `reserved` while a change is on its way.
    pub settled: u64,
}

impl Versions {
    /// Whether a change is on its way to the log.
    pub fn changing(self) -> bool {
        self.settled < self.reserved
    }

    fn from_row(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let (reserved, settled) = (row.get::<_, i64>(first)?, row.get::<_, i64>(first + 1)?);
        Ok(Self { reserved: reserved as u64, settled: settled as u64 })
    }
}

/// Answers the waiting sender once it is known whether the transaction held.
type Answer = Box<dyn FnOnce(bool) + Send>;
/// Does its work inside the transaction; `false` undoes it alone.
type Run = Box<dyn FnOnce(&Connection) -> (bool, Answer) + Send>;

/// One write.
struct Work {
    run: Run,
    /// Whether a power cut must not undo it.
    durable: bool,
}

/// The operations store of one data directory.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    writes: Mutex<Option<mpsc::Sender<Work>>>,
    idle: Mutex<Vec<Connection>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens or makes the store under `data`: directory 0700, file 0600.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let path = private_file(data, FILE)?;
        let mut connection = connect(&path)?;
        schema::make(&mut connection)?;
        let (sender, receiver) = mpsc::channel(WRITES_WAITING_MAX);
        let file = |source| StoreError::File { path: path.clone(), source };
        let writer = std::thread::Builder::new()
            .name("api-store".into())
            .spawn(move || write_all(&connection, receiver))
            .map_err(file)?;
        Ok(Self {
            path,
            writes: Mutex::new(Some(sender)),
            idle: Mutex::default(),
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Does `work` in a transaction of the writer; answers once it is durable. An error of `work`
    /// undoes what it did and nothing else. A dropped future takes nothing back.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.queue(work, true).await
    }

    /// As [`Store::write`] for what the next start would do again: a power cut, not a crash, may
    /// undo it, and nobody waits for a sync.
    pub async fn write_again<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.queue(work, false).await
    }

    async fn queue<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        durable: bool,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let sender = lock(&self.writes).clone();
        let Some(sender) = sender else { return Err(StoreError::Closed.into()) };
        let (tell, told) = oneshot::channel();
        let run: Run = Box::new(move |connection| {
            let result = work(connection);
            let good = result.is_ok();
            let answer: Answer = Box::new(move |committed| {
                let lost = || Err(StoreError::Closed.into());
                // A sender that no longer waits has lost nothing but the answer.
                drop(tell.send(if committed || !good { result } else { lost() }));
            });
            (good, answer)
        });
        if sender.send(Work { run, durable }).await.is_err() {
            return Err(StoreError::Closed.into());
        }
        told.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Reads on a connection of its own. Blocks: a few point reads at most on an async thread.
    pub fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = lock(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let answer = work(&connection);
        let mut idle = lock(&self.idle);
        if idle.len() < READERS_IDLE_MAX {
            idle.push(connection);
        }
        answer
    }

    /// Writes what waits and ends the writer. Blocks.
    pub fn close(&self) {
        drop(lock(&self.writes).take());
        let writer = lock(&self.writer).take();
        if writer.is_some_and(|w| w.join().is_err()) {
            tracing::error!("the writer of the operations store panicked");
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes `data` (0700) and an empty private file (0600) in it, where they are missing. SQLite
/// gives its own side files the same mode.
pub(crate) fn private_file(data: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let path = data.join(name);
    let file = |source| StoreError::File { path: path.clone(), source };
    if !data.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(file)?;
    }
    std::fs::set_permissions(data, PermissionsExt::from_mode(0o700)).map_err(file)?;
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(file)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).map_err(file)?;
    Ok(path)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(connection)
}

fn write_all(connection: &Connection, mut receiver: mpsc::Receiver<Work>) {
    while let Some(first) = receiver.blocking_recv() {
        let mut works = vec![first];
        while works.len() < WRITES_TOGETHER_MAX
            && let Ok(next) = receiver.try_recv()
        {
            works.push(next);
        }
        write_together(connection, works);
    }
}

/// One transaction; each work in a savepoint of its own.
fn write_together(connection: &Connection, works: Vec<Work>) {
    let sync = if works.iter().any(|work| work.durable) { "FULL" } else { "NORMAL" };
    let begun = connection.execute_batch(&format!("PRAGMA synchronous = {sync}; BEGIN IMMEDIATE"));
    let mut answers = Vec::with_capacity(works.len());
    let mut broken = begun.is_err();
    if let Err(error) = begun {
        tracing::error!(%error, "the operations store takes no writes");
        // Dropping the works tells their senders that the store did not do it.
        return;
    }
    for work in works {
        broken |= connection.execute_batch("SAVEPOINT work").is_err();
        let (good, answer) = (work.run)(connection);
        let end = if good { "RELEASE work" } else { "ROLLBACK TO work; RELEASE work" };
        broken |= connection.execute_batch(end).is_err();
        answers.push(answer);
    }
    let committed = !broken && connection.execute_batch("COMMIT").is_ok();
    if !committed {
        tracing::error!("a transaction of the operations store failed");
        if let Err(error) = connection.execute_batch("ROLLBACK") {
            tracing::error!(%error, "it could not be rolled back either");
        }
    }
    for answer in answers {
        answer(committed);
    }
}

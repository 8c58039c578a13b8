//! SQL over everything that was archived and everything that was not yet, for one tenant at a time.
//!
//! ```text
//! http/sql · reports · the command line
//!         └─> Analytics::ask ─> session (what may be asked) ─> query (how it is run) ─> answer
//!                                   └─ table · fleet · views · functions
//! ```
//!
//! One session policy stands behind every door: the catalogue holds nothing but tables bound to
//! the caller's tenant, statements that are not queries are refused, memory, disk, time and the
//! number of queries are bounded by [`Limits`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use engine::road::Road;
use ingest::id::TenantId;
use ingest::log::{Clock, Log};
use ingest::time::Timestamp;
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::archive::tail::{Tail, Views};
use crate::archive::{ArchiveError, Store, derived};
use crate::live::Live;
use crate::metrics::ArchiveMetrics;
use crate::store::{Store as Operations, StoreError};

pub mod answer;
mod asof;
mod catalogue;
#[cfg(feature = "ballista")]
pub mod cluster;
mod distinct;
mod files;
mod fleet;
pub mod functions;
mod interrupt;
mod late;
mod live;
mod query;
pub(crate) mod report;
pub mod rollups;
mod session;
pub(crate) mod table;
mod track;
pub mod views;

#[cfg(test)]
pub(crate) mod tests;

pub use answer::Format;
pub use query::{Answer, Ask, Progress};

/// How often kept rollups are listed, seconds; hours without are made anew.
const ROLLUPS_EVERY_S: f64 = 60.0;

/// What queries may use.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Memory of all queries together, bytes; what needs more spills to disk or is refused.
    pub memory_bytes: usize,
    /// Disk of all queries together, bytes.
    pub disk_bytes: u64,
    /// Where they spill.
    pub disk: PathBuf,
    /// Longest that a query runs unless it asks for less, seconds.
    pub seconds: f64,
    /// Longest that an export runs that asks for it, seconds.
    pub export_seconds: f64,
    /// Queries that run at a time; others wait [`Limits::WAIT`], then are refused.
    pub queries: usize,
    /// Rows of an answer in JSON unless more are asked for.
    pub rows: u64,
    /// Threads that compute; 0: as many as there are processors.
    pub threads: usize,
}

impl Limits {
    /// How long a query waits for others to end.
    pub const WAIT: Duration = Duration::from_secs(5);

    /// 512 MiB of memory, 4 GiB of disk, 30 seconds, 4 at a time.
    pub fn new(disk: PathBuf) -> Self {
        Self {
            memory_bytes: 512 << 20,
            disk_bytes: 4 << 30,
            disk,
            seconds: 30.0,
            export_seconds: 1_800.0,
            queries: 4,
            rows: 10_000,
            threads: 0,
        }
    }
}

/// Why a query was not answered, by what the caller can do.
#[derive(Debug, Error)]
pub enum QueryError {
    /// It is not a query that may be asked: wrong SQL, unknown names, not a SELECT.
    #[error("{0}")]
    Refused(String),
    /// It needs more memory or disk than there is.
    #[error("the query needs more than it may use: {0}")]
    TooMuch(String),
    /// It takes too long.
    #[error("the query took longer than {0} s")]
    TooLong(f64),
    /// Too many run. Ask again.
    #[error("{0} queries are running, which is all that run at a time")]
    Busy(usize),
    /// Somebody ended it.
    #[error("the query was ended")]
    Ended,
    /// The archive cannot be read. Ask again.
    #[error("the archive does not answer: {0}")]
    Archive(String),
    /// Nothing has been read yet. Ask again.
    #[error("the history is still being read")]
    NotReady,
    /// A defect.
    #[error("{0}")]
    Failed(String),
}

impl From<ArchiveError> for QueryError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Query(error) => error.into(),
            other => Self::Archive(other.to_string()),
        }
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        let text = || error.strip_backtrace();
        match error.find_root() {
            // Files of the archive are read through its store: other files are spilled ones.
            DataFusionError::ResourcesExhausted(_) | DataFusionError::IoError(_) => {
                Self::TooMuch(text())
            }
            DataFusionError::ArrowError(error, _)
                if matches!(error.as_ref(), ArrowError::IoError(..)) =>
            {
                Self::TooMuch(text())
            }
            DataFusionError::ObjectStore(_) | DataFusionError::External(_) => Self::Archive(text()),
            DataFusionError::Internal(_) => Self::Failed(text()),
            // Parser, planner, types, overflow, division by zero: all the asker's.
            _ => Self::Refused(text()),
        }
    }
}

/// What is asked about.
#[derive(Debug)]
enum Tables {
    /// What was archived, what is not yet, and what people said.
    Here(Sources),
    /// Folders of Parquet files, by the names of their tables; and when they were listed.
    Files(Vec<(String, Arc<dyn TableProvider>)>, Timestamp),
    /// What was archived, read by a cluster.
    #[cfg(feature = "ballista")]
    Cluster(cluster::Snapshot),
}

/// Where the tables of a running Milepost come from.
#[derive(Debug)]
pub(crate) struct Sources {
    /// What was archived.
    pub(crate) archive: Store,
    /// What is not archived yet.
    pub(crate) views: Arc<Views>,
    /// What people said.
    pub(crate) operations: Option<Arc<Operations>>,
    /// What is now; known where an API runs.
    pub(crate) live: Option<Arc<Live>>,
}

/// Kept rollups as they were listed last.
#[derive(Debug, Default)]
struct Rollups {
    files: Arc<Vec<derived::File>>,
    listed_at: Timestamp,
}

/// Answers queries.
#[derive(Debug)]
pub struct Analytics {
    limits: Limits,
    tables: Tables,
    /// With every function, and an empty catalogue.
    base: SessionState,
    rollups: tokio::sync::Mutex<Rollups>,
    permits: Arc<Semaphore>,
    running: Mutex<HashMap<(TenantId, String), Arc<query::Running>>>,
    /// Threads that compute, so that a query never holds up a request.
    compute: Option<Runtime>,
    /// A thread that writes answers and ends queries, so that none holds up another's end.
    answers: Option<Runtime>,
}

impl Analytics {
    /// Over a running Milepost; speed limits are the map's.
    pub(crate) fn new(
        limits: Limits,
        sources: Sources,
        road: Option<Arc<Road>>,
    ) -> Result<Self, QueryError> {
        Self::of(limits, Tables::Here(sources), road)
    }

    fn of(limits: Limits, tables: Tables, road: Option<Arc<Road>>) -> Result<Self, QueryError> {
        let spill = session::runtime(&limits)?;
        let threads = |count, name: &str| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(count)
                .thread_name(name)
                .thread_stack_size(session::STACK_BYTES)
                .enable_all()
                .build()
                .map_err(|error| QueryError::Failed(error.to_string()))
        };
        let compute = threads(session::threads(&limits), "analytics")?;
        Ok(Self {
            permits: Arc::new(Semaphore::new(limits.queries)),
            base: session::base(&limits, &spill, road),
            limits,
            tables,
            rollups: tokio::sync::Mutex::default(),
            running: Mutex::default(),
            compute: Some(compute),
            answers: Some(threads(1, "answers")?),
        })
    }

    /// Over an archive and what a log holds beyond it now, without following it. `data` holds the
    /// operations store, if there is one.
    pub async fn once(
        limits: Limits,
        archive: Store,
        (log, clock): (Arc<dyn Log>, Clock),
        data: Option<&Path>,
    ) -> Result<Self, QueryError> {
        let views = Arc::new(Views::default());
        let tail = Tail {
            log,
            store: archive.clone(),
            clock,
            views: Arc::clone(&views),
            metrics: ArchiveMetrics::default(),
            stop: Arc::default(),
            runtime: tokio::runtime::Handle::current(),
        };
        let read = tokio::task::spawn_blocking(move || tail.once()).await;
        read.map_err(|error| QueryError::Failed(error.to_string()))??;
        let failed = |error: StoreError| QueryError::Failed(error.to_string());
        let operations = data.map(Operations::open).transpose().map_err(failed)?;
        let operations = operations.map(Arc::new);
        Self::new(limits, Sources { archive, views, operations, live: None }, None)
    }

    /// Over folders of Parquet files of one's own, each a table, instead of an archive.
    pub async fn over_files(
        limits: Limits,
        folders: &[(String, PathBuf)],
        now: Timestamp,
    ) -> Result<Self, QueryError> {
        let tables = files::tables(folders).await?;
        Self::of(limits, Tables::Files(tables, now), None)
    }

    /// What queries may use.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Files of rollups that may be used, listed now and then.
    async fn kept(&self, archive: &Store) -> Result<Arc<Vec<derived::File>>, ArchiveError> {
        let now = self.as_of();
        let mut kept = self.rollups.lock().await;
        if now.seconds_since(kept.listed_at) >= ROLLUPS_EVERY_S {
            *kept = Rollups { files: Arc::new(derived::list(archive).await?), listed_at: now };
        }
        Ok(Arc::clone(&kept.files))
    }

    fn compute(&self) -> Result<&Runtime, QueryError> {
        self.compute.as_ref().ok_or(QueryError::Ended)
    }

    fn answers(&self) -> Result<&Runtime, QueryError> {
        self.answers.as_ref().ok_or(QueryError::Ended)
    }

    /// Everything committed before this time is seen.
    pub fn as_of(&self) -> Timestamp {
        match &self.tables {
            Tables::Here(sources) => sources.views.as_of(),
            Tables::Files(_, listed) => *listed,
            #[cfg(feature = "ballista")]
            Tables::Cluster(snapshot) => snapshot.taken_at,
        }
    }
}

impl Drop for Analytics {
    fn drop(&mut self) {
        // A runtime may not be waited for where there is another one.
        for threads in [self.compute.take(), self.answers.take()].into_iter().flatten() {
            threads.shutdown_background();
        }
    }
}

//! How a query is run: in its turn, on threads of its own, within its time, as a stream of bytes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::execute_stream;
use futures_util::StreamExt as _;
use ingest::id::TenantId;
use ingest::time::Timestamp;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::answer::{Encoder, Format};
use super::interrupt::interruptible;
use super::session::options;
use super::{Analytics, Limits, QueryError, asof};
use crate::store::lock;

/// Batches, and pieces of an answer, that wait for a slow reader.
const WAITING_MAX: usize = 2;
/// Longest name of a query, bytes.
const ID_LENGTH_MAX: usize = 64;
/// Bytes that a piece of an answer is to have.
const PIECE_BYTES: usize = 1 << 20;
/// Rows of the first piece, before it is known how large rows are.
const FIRST_ROWS: usize = 64;
/// Rows of a piece.
const ROWS_MAX: usize = 8 * 1024;
/// Bytes after which a JSON document ends, marked as cut off.
const DOCUMENT_MAX: u64 = 64 << 20;
/// How long a query that was ended may take to give back what it used, before that is said.
const GRACE: Duration = Duration::from_millis(500);

/// What is asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Name by which it can be looked at and ended; made up by the asker.
    pub id: Option<String>,
    /// One query.
    pub sql: String,
    /// How the answer is to look.
    pub format: Format,
    /// Rows after which it ends, marked as cut off.
    pub rows: Option<u64>,
    /// Longest that it may run, seconds.
    pub seconds: f64,
}

/// How far a query is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Rows answered so far.
    pub rows: u64,
    /// Bytes answered so far.
    pub bytes: u64,
    /// How long it has been running.
    pub seconds: f64,
}

/// A query that runs.
#[derive(Debug)]
pub(super) struct Running {
    began: Instant,
    rows: AtomicU64,
    bytes: AtomicU64,
    /// More rows were there than were asked for.
    cut: AtomicBool,
    end: Notify,
    /// Set when it is over, whether or not its work has seen that.
    over: Arc<AtomicBool>,
    /// Who waits for its columns.
    planned: Mutex<Option<Planned>>,
}

/// Rows on their way.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) schema: SchemaRef,
    /// Everything committed before this time was seen.
    pub(crate) as_of: Timestamp,
    /// Batches in order; an error ends them.
    pub(crate) batches: mpsc::Receiver<Result<RecordBatch, QueryError>>,
    running: Arc<Running>,
}

/// An answer on its way.
#[derive(Debug)]
pub struct Answer {
    /// Of what kind its bytes are.
    pub format: Format,
    /// Everything committed before this time was seen.
    pub as_of: Timestamp,
    /// Pieces in order; an error ends it.
    pub pieces: mpsc::Receiver<Result<Bytes, QueryError>>,
}

/// Takes a query out of the list, and its permit back, when it is over.
struct Listed {
    analytics: Arc<Analytics>,
    key: Option<(TenantId, String)>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Listed {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            lock(&self.analytics.running).remove(key);
        }
    }
}

impl Analytics {
    /// Plans and starts a query, and answers it as bytes.
    pub async fn ask(self: &Arc<Self>, tenant: &TenantId, ask: Ask) -> Result<Answer, QueryError> {
        let format = ask.format;
        let seconds = ask.seconds;
        let Rows { schema, as_of, batches, running } = self.rows(tenant, ask).await?;
        let (sender, pieces) = mpsc::channel(WAITING_MAX);
        let encoder = Encoder::new(format, &schema, as_of)?;
        let writing = Writing { encoder, running, sender, seconds, rows: FIRST_ROWS };
        self.answers()?.spawn(writing.write(batches));
        Ok(Answer { format, as_of, pieces })
    }

    /// Plans and starts a query. What is wrong with its text is said before anything else.
    pub(crate) async fn rows(
        self: &Arc<Self>,
        tenant: &TenantId,
        ask: Ask,
    ) -> Result<Rows, QueryError> {
        let as_of = self.as_of();
        if as_of == Timestamp::default() {
            return Err(QueryError::NotReady);
        }
        let permits = Arc::clone(&self.permits).acquire_owned();
        let Ok(Ok(permit)) = tokio::time::timeout(Limits::WAIT, permits).await else {
            return Err(QueryError::Busy(self.limits.queries));
        };
        let (planned, schema) = oneshot::channel();
        let running = Arc::new(Running {
            began: Instant::now(),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            cut: AtomicBool::new(false),
            end: Notify::new(),
            over: Arc::default(),
            planned: Mutex::new(Some(planned)),
        });
        let key = self.list(tenant, &ask, &running)?;
        let listed = Listed { analytics: Arc::clone(self), key, _permit: permit };
        let (sender, batches) = mpsc::channel(WAITING_MAX);
        let work = work(listed, tenant.clone(), ask.clone(), Arc::clone(&running), sender.clone());
        let work = self.compute()?.spawn(work);
        self.answers()?.spawn(watch(work, ask.seconds, Arc::clone(&running), sender));
        let schema = schema.await.map_err(|_gone| QueryError::Ended)??;
        Ok(Rows { schema, as_of, batches, running })
    }

    fn list(
        &self,
        tenant: &TenantId,
        ask: &Ask,
        running: &Arc<Running>,
    ) -> Result<Option<(TenantId, String)>, QueryError> {
        let Some(id) = ask.id.clone() else { return Ok(None) };
        if id.is_empty() || id.len() > ID_LENGTH_MAX {
            return Err(QueryError::Refused(format!(
                "id has {} characters, expected 1 to {ID_LENGTH_MAX}",
                id.len()
            )));
        }
        let key = (tenant.clone(), id);
        let mut all = lock(&self.running);
        if all.contains_key(&key) {
            return Err(QueryError::Refused(format!("a query `{}` is running", key.1)));
        }
        all.insert(key.clone(), Arc::clone(running));
        Ok(Some(key))
    }

    /// How far a tenant's query is; `None`: there is none of that name.
    pub fn progress(&self, tenant: &TenantId, id: &str) -> Option<Progress> {
        let key = (tenant.clone(), id.to_owned());
        lock(&self.running).get(&key).map(|running| Progress {
            rows: running.rows.load(Ordering::Relaxed),
            bytes: running.bytes.load(Ordering::Relaxed),
            seconds: running.began.elapsed().as_secs_f64(),
        })
    }

    /// Ends a tenant's query; whether there was one.
    pub fn end(&self, tenant: &TenantId, id: &str) -> bool {
        let key = (tenant.clone(), id.to_owned());
        let running = lock(&self.running).get(&key).cloned();
        running.inspect(|running| running.end.notify_one()).is_some()
    }

    /// The columns that a query would answer with; nothing is run.
    pub(crate) async fn describe(
        &self,
        tenant: &TenantId,
        sql: &str,
    ) -> Result<SchemaRef, QueryError> {
        let context = self.session(tenant, sql).await?;
        let frame = asof::frame(&context, sql, options()).await?;
        Ok(Arc::clone(frame.schema().inner()))
    }

    async fn plan(
        &self,
        tenant: &TenantId,
        sql: &str,
        over: &Arc<AtomicBool>,
    ) -> Result<SendableRecordBatchStream, QueryError> {
        let context = self.session(tenant, sql).await?;
        let frame = asof::frame(&context, sql, options()).await?;
        let task = Arc::new(frame.task_ctx());
        let plan = interruptible(frame.create_physical_plan().await?, over)?;
        Ok(execute_stream(plan, task)?)
    }
}

type Batches = mpsc::Sender<Result<RecordBatch, QueryError>>;
type Planned = oneshot::Sender<Result<SchemaRef, QueryError>>;

/// A query from its text to its last batch.
async fn work(
    listed: Listed,
    tenant: TenantId,
    ask: Ask,
    running: Arc<Running>,
    sender: Batches,
) -> Result<(), QueryError> {
    let mut stream = listed.analytics.plan(&tenant, &ask.sql, &running.over).await?;
    if let Some(planned) = lock(&running.planned).take() {
        // Whoever asked may have left; then nobody takes the batches either.
        drop(planned.send(Ok(stream.schema())));
    }
    batches(&mut stream, &running, ask.rows.unwrap_or(u64::MAX), &sender).await?;
    // What it used is free before anybody hears that it is over.
    drop((stream, listed));
    Ok(())
}

/// Sees to it that a query ends in its time, or when somebody ends it or nobody waits for it, and
/// that its error is heard. On other threads than the work: that may not see anything for long.
async fn watch(
    mut work: JoinHandle<Result<(), QueryError>>,
    seconds: f64,
    running: Arc<Running>,
    sender: Batches,
) {
    let until = running.began + Duration::from_secs_f64(seconds);
    let error = tokio::select! {
        done = &mut work => match done {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(broken) => QueryError::Failed(broken.to_string()),
        },
        error = ended(&running, until, seconds, &sender) => {
            running.over.store(true, Ordering::Relaxed);
            work.abort();
            // What it used is free before it is said, unless it does not see that it is over.
            drop(tokio::time::timeout(GRACE, work).await);
            error
        }
    };
    let planned = lock(&running.planned).take();
    match planned {
        // Whoever asked may have left.
        Some(planned) => drop(planned.send(Err(error))),
        None => drop(sender.send(Err(error)).await),
    }
}

/// Why a query ends that is not done.
async fn ended(running: &Running, until: Instant, seconds: f64, sender: &Batches) -> QueryError {
    tokio::select! {
        () = tokio::time::sleep_until(until) => QueryError::TooLong(seconds),
        () = running.end.notified() => QueryError::Ended,
        () = sender.closed() => QueryError::Ended,
    }
}

async fn batches(
    stream: &mut SendableRecordBatchStream,
    running: &Running,
    mut left: u64,
    sender: &Batches,
) -> Result<(), QueryError> {
    while let Some(batch) = stream.next().await {
        let mut batch = batch?;
        let cut = batch.num_rows() as u64 > left;
        if cut {
            batch = batch.slice(0, left as usize);
            running.cut.store(true, Ordering::Relaxed);
        }
        left -= batch.num_rows() as u64;
        running.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        if sender.send(Ok(batch)).await.is_err() || cut {
            break;
        }
    }
    Ok(())
}

/// An answer that is being written, in pieces of a bounded size whatever its rows are like.
struct Writing {
    encoder: Encoder,
    running: Arc<Running>,
    sender: mpsc::Sender<Result<Bytes, QueryError>>,
    seconds: f64,
    /// Rows of the next piece.
    rows: usize,
}

impl Writing {
    async fn write(mut self, mut batches: mpsc::Receiver<Result<RecordBatch, QueryError>>) {
        let mut whole = true;
        while let Some(batch) = batches.recv().await.filter(|_| whole) {
            let written = match batch {
                Ok(batch) => self.rows_of(&batch).await,
                Err(error) => Err(error),
            };
            match written {
                Ok(going_on) => whole = going_on,
                Err(error) => {
                    // Whoever asked may have left.
                    drop(self.sender.send(Err(error)).await);
                    return;
                }
            }
        }
        // Nobody needs what is still to come.
        drop(batches);
        let seconds = self.running.began.elapsed().as_secs_f64();
        let rest = self.encoder.finish(self.running.cut.load(Ordering::Relaxed), seconds);
        drop(self.sender.send(rest).await);
    }

    /// Whether more rows are wanted.
    async fn rows_of(&mut self, batch: &RecordBatch) -> Result<bool, QueryError> {
        let mut at = 0;
        while at < batch.num_rows() {
            if self.running.began.elapsed().as_secs_f64() > self.seconds {
                return Err(QueryError::TooLong(self.seconds));
            }
            let rows = self.rows.min(batch.num_rows() - at);
            let piece = self.encoder.write(&batch.slice(at, rows))?;
            at += rows;
            let fit = PIECE_BYTES * rows / piece.len().max(1);
            self.rows = fit.clamp(1, ROWS_MAX);
            let bytes = self.running.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
            // An empty piece needs no taking.
            if !piece.is_empty() && self.sender.send(Ok(piece)).await.is_err() {
                return Ok(false);
            }
            if self.encoder.is_document() && bytes > DOCUMENT_MAX {
                self.running.cut.store(true, Ordering::Relaxed);
                return Ok(false);
            }
        }
        Ok(true)
    }
}

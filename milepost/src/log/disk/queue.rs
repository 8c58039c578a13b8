//! Appends and commits that wait for the writer.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use ingest::log::{LogError, NewRecord, Topic};
use tokio::sync::oneshot;

use super::lock;

/// Records that may wait: 6 s at 30,000 a second; then whoever appends is told to come back.
pub(super) const QUEUE_RECORDS_MAX: usize = 200_000;
/// Bytes that may wait, keys, values and headers together.
pub(super) const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Records that one transaction takes at most, unless one request alone has more.
const GROUP_RECORDS_MAX: usize = 20_000;
/// Bytes that one transaction takes at most, unless one request alone has more.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What an append or commit came to: the offsets of its records.
pub(super) type Outcome = Result<Vec<u64>, LogError>;

/// Where the outcome goes.
#[derive(Debug)]
pub(super) enum Answer {
    /// To a future; it may have been dropped.
    Future(oneshot::Sender<Outcome>),
    /// To a waiting thread.
    Thread(SyncSender<Outcome>),
}

impl Answer {
    pub(super) fn give(self, outcome: Outcome) {
        // Nobody may be listening any more; the records are durable all the same.
        match self {
            Self::Future(to) => drop(to.send(outcome)),
            Self::Thread(to) => drop(to.send(outcome)),
        }
    }
}

/// Offsets of a group that become durable with the records.
#[derive(Debug)]
pub(super) struct GroupOffsets {
    pub(super) group: String,
    pub(super) topic: Topic,
    pub(super) offsets: Vec<(u32, u64)>,
}

/// Records and offsets that become durable together.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) records: Vec<NewRecord>,
    pub(super) offsets: Option<GroupOffsets>,
    /// Size of the records.
    pub(super) bytes: usize,
    pub(super) answer: Answer,
}

/// First in, first out, bounded.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<Request>,
    records: usize,
    bytes: usize,
    closed: bool,
}

impl Queue {
    /// Takes a request, or answers it with [`LogError::Full`]. Commits are always taken: a member
    /// waits for its answer, so there are never more than members.
    pub(super) fn push(&self, request: Request) {
        let mut waiting = lock(&self.waiting);
        let records = waiting.records + request.records.len();
        let bytes = waiting.bytes + request.bytes;
        let refused = if waiting.closed {
            Some(LogError::Unavailable("the log is closed".to_owned()))
        } else if request.offsets.is_none()
            && (records > QUEUE_RECORDS_MAX || bytes > QUEUE_BYTES_MAX)
        {
            let (waits, size) = (waiting.records, waiting.bytes);
            Some(LogError::Full(format!("`{waits}` records of `{size}` bytes wait to be written")))
        } else {
            None
        };
        if let Some(refused) = refused {
            drop(waiting);
            return request.answer.give(Err(refused));
        }
        (waiting.records, waiting.bytes) = (records, bytes);
        waiting.requests.push_back(request);
        let first = waiting.requests.len() == 1;
        drop(waiting);
        if first {
            self.changed.notify_one();
        }
    }

    /// Waits at most so long for a request. `false`: there is none and none will come.
    pub(super) fn wait(&self, most: Duration) -> bool {
        let waiting = lock(&self.waiting);
        let idle = |w: &mut Waiting| w.requests.is_empty() && !w.closed;
        let (waiting, _) = self
            .changed
            .wait_timeout_while(waiting, most, idle)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        !waiting.requests.is_empty() || !waiting.closed
    }

    /// Whether the writer shall stop once nothing waits.
    pub(super) fn is_closed(&self) -> bool {
        lock(&self.waiting).closed
    }

    /// The requests of the next transaction, in order.
    pub(super) fn take(&self) -> Vec<Request> {
        let mut waiting = lock(&self.waiting);
        let (mut group, mut records, mut bytes) = (Vec::new(), 0, 0);
        while let Some(next) = waiting.requests.front() {
            records += next.records.len();
            bytes += next.bytes;
            let over = records > GROUP_RECORDS_MAX || bytes > GROUP_BYTES_MAX;
            if over && !group.is_empty() {
                break;
            }
            if let Some(next) = waiting.requests.pop_front() {
                waiting.records -= next.records.len();
                waiting.bytes -= next.bytes;
                group.push(next);
            }
        }
        group
    }

    /// Takes nothing more; what waits is still written.
    pub(super) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.changed.notify_all();
    }

    /// Answers all that waits with an error: there is no writer any more.
    pub(super) fn abandon(&self) {
        self.close();
        for request in std::mem::take(&mut lock(&self.waiting).requests) {
            request.answer.give(Err(LogError::Unavailable("the log is closed".to_owned())));
        }
    }
}

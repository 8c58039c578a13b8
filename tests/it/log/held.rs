//! A log whose answers can be held back, for tests of who waits for them.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ingest::log::{Appending, Bounds, Log, LogError, Member, MemoryLog, NewRecord, Reader, Topic};
use ingest::time::Timestamp;
use tokio::sync::watch;

use super::harness::record;
use super::memory::TestClock;

/// Passes everything on to another log at once and in order, but answers appends only after a
/// delay and while nothing holds them: to its callers a log that is slow to make things durable.
/// Its futures need a tokio runtime with time.
pub(crate) struct HeldLog {
    inner: Arc<dyn Log>,
    held: watch::Sender<bool>,
    delay: Mutex<Duration>,
    refusal: Mutex<Option<String>>,
    waiting: Arc<AtomicUsize>,
    durable: Arc<AtomicUsize>,
}

impl fmt::Debug for HeldLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldLog").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

impl HeldLog {
    /// Holds nothing yet.
    pub(crate) fn new(inner: Arc<dyn Log>) -> Self {
        let (held, _) = watch::channel(false);
        let (delay, refusal) = (Mutex::new(Duration::ZERO), Mutex::new(None));
        let (waiting, durable) = (Arc::default(), Arc::default());
        Self { inner, held, delay, refusal, waiting, durable }
    }

    /// From now on no append is answered, also none that waits already.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Answers all that were held.
    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }

    /// Appends made from now on are answered so long after they were made, or later.
    pub(crate) fn delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    /// Appends made from now on fail with this reason and are not passed on; `None`: no longer.
    pub(crate) fn refuse(&self, reason: Option<&str>) {
        *self.refusal.lock().unwrap() = reason.map(ToOwned::to_owned);
    }

    /// Appends that have been made and not answered; a dropped one does not count.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Appends known to have become durable, answered or not: their futures have been polled.
    pub(crate) fn durable(&self) -> usize {
        self.durable.load(Ordering::SeqCst)
    }
}

/// Counts one append while it waits.
struct Waits(Arc<AtomicUsize>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Log for HeldLog {
    fn partitions(&self, topic: Topic) -> u32 {
        self.inner.partitions(topic)
    }

    fn append(&self, records: Vec<NewRecord>) -> Appending {
        if let Some(reason) = self.refusal.lock().unwrap().clone() {
            return Box::pin(std::future::ready(Err(LogError::Unavailable(reason))));
        }
        let durable = self.inner.append(records);
        let (mut held, delay) = (self.held.subscribe(), *self.delay.lock().unwrap());
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let (waits, count) = (Waits(Arc::clone(&self.waiting)), Arc::clone(&self.durable));
        let delay = (!delay.is_zero()).then(|| tokio::time::sleep(delay));
        Box::pin(async move {
            let answer = durable.await;
            count.fetch_add(usize::from(answer.is_ok()), Ordering::SeqCst);
            if let Some(delay) = delay {
                delay.await;
            }
            // The log itself has gone: nothing holds the answer any more.
            drop(held.wait_for(|held| !held).await);
            drop(waits);
            answer
        })
    }

    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        self.inner.bounds(topic, partition)
    }

    fn offset_at(
        &self,
        topic: Topic,
        partition: u32,
        time: Timestamp,
    ) -> Result<Option<u64>, LogError> {
        self.inner.offset_at(topic, partition, time)
    }

    fn committed(
        &self,
        group: &str,
        topic: Topic,
        partition: u32,
    ) -> Result<Option<u64>, LogError> {
        self.inner.committed(group, topic, partition)
    }

    fn reader(&self, topic: Topic, from: &[(u32, u64)]) -> Result<Box<dyn Reader>, LogError> {
        self.inner.reader(topic, from)
    }

    fn member(&self, group: &str, topic: Topic, owner: &str) -> Result<Box<dyn Member>, LogError> {
        self.inner.member(group, topic, owner)
    }
}

#[tokio::test(start_paused = true)]
async fn answers_wait_until_they_are_released() {
    let log = HeldLog::new(Arc::new(MemoryLog::new(1, TestClock::new().clock())));
    let new = || vec![record(Topic::Inputs, 0, "k", "v")];
    log.hold();
    let mut first = log.append(new());
    assert!(tokio::time::timeout(Duration::from_secs(8), &mut first).await.is_err());
    assert_eq!(log.waiting(), 1);
    assert_eq!(log.bounds(Topic::Inputs, 0).unwrap().end, 1);
    log.release();
    assert_eq!(first.await.unwrap(), [0]);
    log.delay(Duration::from_secs(8));
    let mut second = log.append(new());
    assert!(tokio::time::timeout(Duration::from_secs(7), &mut second).await.is_err());
    assert_eq!(second.await.unwrap(), [1]);
    log.refuse(Some("broker is away"));
    assert!(matches!(log.append(new()).await, Err(LogError::Unavailable(_))));
    log.refuse(None);
    log.delay(Duration::ZERO);
    assert_eq!(log.append(new()).await.unwrap(), [2]);
    assert_eq!(log.waiting(), 0);
}

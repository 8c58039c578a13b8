//! Appends to the log and waits until that is durable.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ingest::attribute::{Key, Value};
use ingest::fix::Report;
use ingest::id::{DeviceId, percent_encoded};
use ingest::log::{Appending, Clock, Log, LogError, NewRecord, Topic};
use ingest::protocol::DecodeError;
use ingest::record::{CONFLICT, DeadLetter, DeviceRecord, Heard};
use ingest::time::Timestamp;
use tracing::{trace, warn};

use crate::health::Health;
use crate::limits::{APPENDING_BYTES_MAX, RETRY_FOR};
use crate::metrics::Metrics;

/// First pause before an append is tried again; doubles up to [`RETRY_PAUSE_MAX`].
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between tries, so that the end of a trouble is seen soon.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);

/// The door's side of the log.
pub(crate) struct Publisher {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) clock: Clock,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Metrics,
}

/// A device's record as an input of the vehicle it belonged to at the record's own time.
pub(crate) fn input(
    belongs: &DeviceRecord,
    protocol: &str,
    report: &Report,
    received_at: Timestamp,
) -> NewRecord {
    let heard = Heard::new(&belongs.tenant, protocol, report, received_at);
    let tenant = belongs.tenant.as_str();
    // As `VehicleKey` and `VehicleId::of_unassigned` write it.
    let key = match belongs.vehicle_at(heard.time) {
        Some(vehicle) => [tenant, "/", vehicle.as_str()].concat(),
        None => [tenant, "/~", &percent_encoded(&report.device)].concat(),
    };
    heard.record(key.into_bytes().into())
}

/// The outcome of an append, after all tries.
pub(crate) type Durable = std::pin::Pin<Box<dyn Future<Output = Result<(), LogError>> + Send>>;

impl Publisher {
    /// The report that another address wanted to speak as `device`.
    pub(crate) fn conflict(
        &self,
        belongs: &DeviceRecord,
        protocol: &str,
        device: &DeviceId,
        from: std::net::IpAddr,
    ) -> NewRecord {
        let mut report = Report::of(device.clone());
        report.attributes.set(Key::Other(CONFLICT.into()), Value::from(from.to_string()));
        input(belongs, protocol, &report, (self.clock)())
    }

    /// A bad frame for people to look at.
    pub(crate) fn dead_letter(
        &self,
        protocol: &str,
        connection: &str,
        error: &DecodeError,
    ) -> NewRecord {
        let letter = DeadLetter {
            reason: error.to_string(),
            source: format!("{protocol} {connection}"),
            bytes: error.sample.clone(),
        };
        let key = Bytes::copy_from_slice(connection.as_bytes());
        letter.envelope((self.clock)()).into_record(Topic::DeadLetters, key)
    }

    /// Whether so much is on its way to the log that nobody may add to what he has under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.metrics.appending_bytes.get() > APPENDING_BYTES_MAX
    }

    /// Queues the records at once; the answer comes when they are durable. While the log is full
    /// or away it is tried again for [`RETRY_FOR`].
    pub(crate) fn append(self: &Arc<Self>, records: Vec<NewRecord>) -> Durable {
        trace!(target: ingest::PACKET, records = records.len(), "append");
        let under_way = UnderWay::begin(Arc::clone(self), &records);
        let again = records.clone();
        let first = self.log.append(records);
        Box::pin(under_way.settle(first, again))
    }
}

/// Bytes of records that wait to be durable.
pub(crate) fn bytes_of(records: &[NewRecord]) -> usize {
    records.iter().map(|r| r.value.as_ref().map_or(0, Bytes::len)).sum()
}

/// An append that somebody waits for. Dropped before its end it is counted no more: its
/// connection has gone.
struct UnderWay {
    publisher: Arc<Publisher>,
    bytes: i64,
    began: Timestamp,
    /// The log has not answered this try yet.
    unanswered: bool,
}

impl UnderWay {
    fn begin(publisher: Arc<Publisher>, records: &[NewRecord]) -> Self {
        let (bytes, began) = (bytes_of(records) as i64, (publisher.clock)());
        publisher.metrics.appending_bytes.inc_by(bytes);
        publisher.health.began(began);
        Self { publisher, bytes, began, unanswered: true }
    }

    async fn settle(mut self, first: Appending, again: Vec<NewRecord>) -> Result<(), LogError> {
        let mut answer = first.await;
        let mut pause = RETRY_PAUSE;
        let mut waited = Duration::ZERO;
        loop {
            let now = (self.publisher.clock)();
            self.publisher.health.ended(now, answer.is_ok());
            self.unanswered = false;
            match answer {
                Ok(_) => {
                    self.publisher.metrics.durable(now.seconds_since(self.began));
                    return Ok(());
                }
                Err(error) => {
                    self.publisher.metrics.append_failed();
                    if !error.is_retryable() || waited >= RETRY_FOR {
                        warn!(%error, records = again.len(), "records could not be appended");
                        return Err(error);
                    }
                }
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
            self.publisher.health.began((self.publisher.clock)());
            self.unanswered = true;
            answer = self.publisher.log.append(again.clone()).await;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.publisher.metrics.appending_bytes.dec_by(self.bytes);
        if self.unanswered {
            self.publisher.health.abandoned();
        }
    }
}

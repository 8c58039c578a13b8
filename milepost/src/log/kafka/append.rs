//! Plain appends: an idempotent producer, answered when every record of a call is durable.

use std::sync::{Arc, Mutex, PoisonError};

use ingest::id::partition_of;
use ingest::log::{Appending, LogError, NewRecord, Topic, check_size};
use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use tokio::sync::oneshot;

use super::properties::Properties;
use super::unavailable;

/// Answers the calls whose records the broker has acknowledged.
struct Deliveries;

/// One call's records that are not all acknowledged yet.
struct Call {
    state: Mutex<CallState>,
}

struct CallState {
    open: usize,
    offsets: Vec<u64>,
    failed: Option<LogError>,
    answer: Option<oneshot::Sender<Result<Vec<u64>, LogError>>>,
}

impl Call {
    fn settle(&self, index: usize, outcome: Result<u64, LogError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(offset) => state.offsets[index] = offset,
            Err(error) => state.failed = Some(error),
        }
        state.open -= 1;
        if state.open == 0
            && let Some(answer) = state.answer.take()
        {
            let outcome = match state.failed.take() {
                Some(error) => Err(error),
                None => Ok(std::mem::take(&mut state.offsets)),
            };
            // Nobody waits any more: the records are durable all the same.
            drop(answer.send(outcome));
        }
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<(Arc<Call>, usize)>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivered: Self::DeliveryOpaque) {
        let (call, index) = *delivered;
        let outcome = match result {
            Ok(message) => Ok(super::number(message.offset())),
            Err((error, _)) => Err(unavailable(error)),
        };
        call.settle(index, outcome);
    }
}

/// The producer of one process.
pub(super) struct Appender {
    producer: ThreadedProducer<Deliveries>,
}

impl Appender {
    pub(super) fn new(properties: &Properties) -> Result<Self, LogError> {
        let producer =
            ThreadedProducer::from_config_and_context(&properties.producer(), Deliveries)
                .map_err(unavailable)?;
        Ok(Self { producer })
    }

    pub(super) fn append(
        &self,
        records: &[NewRecord],
        partitions: impl Fn(Topic) -> u32,
    ) -> Appending {
        if let Err(error) = records.iter().try_for_each(check_size) {
            return Box::pin(std::future::ready(Err(error)));
        }
        if records.is_empty() {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        let (answer, answered) = oneshot::channel();
        let call = Arc::new(Call {
            state: Mutex::new(CallState {
                open: records.len(),
                offsets: vec![0; records.len()],
                failed: None,
                answer: Some(answer),
            }),
        });
        for (index, record) in records.iter().enumerate() {
            let opaque = Box::new((Arc::clone(&call), index));
            let name = record.topic.name();
            let message = message(record, &name, partitions(record.topic), opaque);
            if let Err((error, _)) = self.producer.send(message) {
                call.settle(index, Err(refused(&error)));
            }
        }
        Box::pin(async move {
            answered.await.unwrap_or_else(|_gone| Err(unavailable("the producer has ended")))
        })
    }
}

/// Why a record was not even queued.
fn refused(error: &KafkaError) -> LogError {
    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) {
        LogError::Full("the queue to the broker is full".into())
    } else {
        unavailable(error)
    }
}

/// A record as rdkafka sends it, to the partition that murmur2 of its key names.
pub(super) fn message<'a, D: rdkafka::util::IntoOpaque>(
    record: &'a NewRecord,
    topic: &'a str,
    partitions: u32,
    opaque: D,
) -> BaseRecord<'a, [u8], [u8], D> {
    let partition = record.partition.unwrap_or_else(|| partition_of(&record.key, partitions));
    let mut message = BaseRecord::with_opaque_to(topic, opaque)
        .partition(partition.cast_signed())
        .key(record.key.as_ref());
    if let Some(value) = &record.value {
        message = message.payload(value.as_ref());
    }
    if !record.headers.is_empty() {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in &record.headers {
            headers = headers.insert(Header { key, value: Some(value.as_ref()) });
        }
        message = message.headers(headers);
    }
    message
}

//! Reading committed records without a group.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ingest::log::{LogError, Reader, Record, Topic};
use ingest::time::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use super::properties::Properties;
use super::{ASK_LIMIT, number, patiently, unavailable};
use crate::clock;

/// A partition that brought nothing for this long is asked whether only transaction markers lie
/// between it and the end.
const QUIET: Duration = Duration::from_secs(1);

/// Where one partition stands.
#[derive(Debug)]
struct At {
    /// Next offset to be read.
    position: u64,
    /// The end as it was before the fetch under way: once the broker says "end of partition",
    /// nothing below it is unread.
    known_end: u64,
    /// The broker has said "end of partition" since the last record.
    ended: bool,
    quiet_since: Instant,
}

/// Consumers kept for the next reader; recovery reads three stretches of each partition.
const IDLE_MAX: usize = 4;

/// Consumers that nobody reads with now: making one anew costs connections and metadata.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Mutex<Vec<BaseConsumer>>>);

impl Idle {
    fn take(&self, properties: &Properties) -> Result<BaseConsumer, LogError> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            Some(consumer) => Ok(consumer),
            None => properties.reader().create().map_err(unavailable),
        }
    }
    fn give(&self, consumer: BaseConsumer) {
        if consumer.unassign().is_err() {
            return;
        }
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(consumer);
        }
    }
}

/// Reads chosen partitions of a topic.
pub(super) struct KafkaReader {
    /// Always there until it is dropped.
    consumer: Option<BaseConsumer>,
    idle: Idle,
    topic: Topic,
    name: String,
    at: BTreeMap<u32, At>,
}

impl KafkaReader {
    pub(super) fn new(
        (properties, idle): (&Properties, &Idle),
        topic: Topic,
        from: &[(u32, u64)],
    ) -> Result<Self, LogError> {
        let consumer = idle.take(properties)?;
        let name = topic.name();
        let mut at = BTreeMap::new();
        let mut assignment = TopicPartitionList::new();
        for (partition, offset) in from {
            let (start, end) =
                patiently(|| consumer.fetch_watermarks(&name, partition.cast_signed(), ASK_LIMIT))?;
            if *offset < number(start) {
                return Err(LogError::OffsetGone {
                    topic,
                    partition: *partition,
                    wanted: *offset,
                    start: number(start),
                });
            }
            let begin = Offset::Offset(offset.cast_signed());
            assignment
                .add_partition_offset(&name, partition.cast_signed(), begin)
                .map_err(unavailable)?;
            let known_end = number(end);
            let quiet_since = clock::monotonic();
            at.insert(*partition, At { position: *offset, known_end, ended: false, quiet_since });
        }
        consumer.assign(&assignment).map_err(unavailable)?;
        Ok(Self { consumer: Some(consumer), idle: idle.clone(), topic, name, at })
    }

    /// An idle partition whose end lies behind transaction markers: learns the end, and reads
    /// once more from where it stands, so that the next "end of partition" counts for it.
    fn look_behind_markers(&mut self) -> Result<(), LogError> {
        let now = clock::monotonic();
        let quiet = self
            .at
            .iter_mut()
            .find(|(_, at)| at.ended && now.duration_since(at.quiet_since) > QUIET);
        let Some((partition, at)) = quiet else { return Ok(()) };
        at.ended = false;
        at.quiet_since = now;
        let number_of = partition.cast_signed();
        let Some(consumer) = &self.consumer else { return Ok(()) };
        let (_, end) =
            consumer.fetch_watermarks(&self.name, number_of, ASK_LIMIT).map_err(unavailable)?;
        if number(end) > at.position {
            at.known_end = number(end);
            let here = Offset::Offset(at.position.cast_signed());
            consumer.seek(&self.name, number_of, here, ASK_LIMIT).map_err(unavailable)?;
        }
        Ok(())
    }
}

impl Reader for KafkaReader {
    fn poll(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<Record>, LogError> {
        let mut records = Vec::new();
        let mut room = max_bytes.max(1);
        let until = clock::monotonic() + wait;
        loop {
            let left = if records.is_empty() {
                until.saturating_duration_since(clock::monotonic())
            } else {
                Duration::ZERO
            };
            let Some(consumer) = &self.consumer else { return Ok(records) };
            match consumer.poll(left) {
                Some(Ok(message)) => {
                    let record = record(&message, self.topic);
                    if let Some(at) = self.at.get_mut(&record.partition) {
                        at.position = record.offset + 1;
                        at.ended = false;
                        at.quiet_since = clock::monotonic();
                    }
                    room = room.saturating_sub(size(&record));
                    records.push(record);
                    if room == 0 {
                        return Ok(records);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if let Some(at) = self.at.get_mut(&partition.cast_unsigned()) {
                        let further = at.position < at.known_end;
                        at.position = at.position.max(at.known_end);
                        at.ended = true;
                        if further && records.is_empty() {
                            // The caller may have waited for just this.
                            return Ok(records);
                        }
                    }
                }
                Some(Err(error)) => {
                    if !records.is_empty() {
                        return Ok(records);
                    }
                    if is_away(&error) {
                        // Said again and again while no broker answers.
                        std::thread::sleep(left.min(Duration::from_millis(100)));
                        if clock::monotonic() < until {
                            continue;
                        }
                    }
                    return Err(unavailable(error));
                }
                None if records.is_empty() && clock::monotonic() < until => {}
                None => {
                    if records.is_empty() {
                        self.look_behind_markers()?;
                    }
                    return Ok(records);
                }
            }
        }
    }

    fn position(&self, partition: u32) -> Option<u64> {
        self.at.get(&partition).map(|at| at.position)
    }
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            self.idle.give(consumer);
        }
    }
}

/// Errors that come and go with the broker.
pub(super) fn is_away(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::OperationTimedOut
        )
    )
}

/// A message as everybody else knows records.
pub(super) fn record(message: &BorrowedMessage<'_>, topic: Topic) -> Record {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|h| (h.key.to_owned(), Bytes::copy_from_slice(h.value.unwrap_or_default())))
            .collect()
    });
    Record {
        topic,
        partition: message.partition().cast_unsigned(),
        offset: number(message.offset()),
        appended_at: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or(0)),
        key: Bytes::copy_from_slice(message.key().unwrap_or_default()),
        value: message.payload().map(Bytes::copy_from_slice),
        headers,
    }
}

/// What a record counts towards a poll's bound.
pub(super) fn size(record: &Record) -> usize {
    record.key.len() + record.value.as_ref().map_or(0, Bytes::len)
}

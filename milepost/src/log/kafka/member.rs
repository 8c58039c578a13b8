//! One member of a group: owns partitions, reads them, commits outputs and offsets in one
//! transaction.
//!
//! Rebalances are not answered inside librdkafka's callback but by the poll that follows, so that
//! the owner may commit what it has stepped before a partition goes, and so that a new owner can
//! first end the open transaction of the one before it: the committed offsets carry the
//! transactional id of who wrote them, and `init_transactions` under that id fences it. Without
//! that, readers of its outputs would wait for the broker's own timeout (measured: 6.4 s instead
//! of 12 to 21 s).
//!
//! The metadata also carries when its writer joined. A member that finds itself fenced looks there:
//! a later one under its own name means that it has been replaced, and it stays out, or the two
//! would fence each other for ever; otherwise it comes back.
//!
//! Errors never end the process. A transaction that fails is aborted; a fenced producer and a
//! fenced consumer are made anew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ingest::log::{Commit, LogError, Member, Polled, Topic, check_size};
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{info, warn};

use super::properties::Properties;
use super::read::{is_away, record, size};
use super::{ASK_LIMIT, append, number, patiently, unavailable};
use crate::clock;

/// A transaction's records must be acknowledged within this time, else it is aborted.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);
/// A call that says "try again" is tried for this long.
const RETRY_LIMIT: Duration = Duration::from_secs(30);
/// Pause while records are on their way; librdkafka's own flush would take 100 ms at least.
const FLUSH_PAUSE: Duration = Duration::from_micros(500);
/// What an owner that gives a partition away in good order leaves instead of its id.
const RELEASED: &str = "-";

/// What a member joins as.
pub(super) struct Seat {
    pub(super) group: String,
    pub(super) topic: Topic,
    pub(super) owner: String,
}

/// A rebalance as the callback saw it, to be answered by the next poll.
enum Change {
    Assign(Vec<u32>),
    Revoke(Vec<u32>),
}

#[derive(Default)]
struct Rebalances {
    changes: Mutex<VecDeque<Change>>,
    /// The consumer is being closed: nobody polls any more, answer at once.
    closing: AtomicBool,
}

impl ClientContext for Rebalances {}

impl ConsumerContext for Rebalances {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let partitions = list.elements().iter().map(|e| e.partition().cast_unsigned()).collect();
        let assign = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            let answered = if assign {
                consumer.incremental_assign(list)
            } else {
                consumer.incremental_unassign(list)
            };
            if let Err(error) = answered {
                warn!(%error, "a rebalance while closing was not answered");
            }
            return;
        }
        let change = if assign { Change::Assign(partitions) } else { Change::Revoke(partitions) };
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push_back(change);
    }
}

impl Rebalances {
    fn next(&self) -> Option<Change> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
    fn again(&self, change: Change) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push_front(change);
    }
    fn waiting(&self) -> bool {
        !self.changes.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Remembers whether a record of the transaction failed.
#[derive(Default)]
struct Failures {
    failed: Mutex<Option<String>>,
}

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert_with(|| error.to_string());
        }
    }
}

type Transactions = ThreadedProducer<Failures>;

/// One member of a group on one topic.
pub(super) struct KafkaMember {
    properties: Properties,
    partitions: BTreeMap<Topic, u32>,
    seat: Seat,
    name: String,
    /// Our transactional id; stable over restarts, so that a restart fences what died.
    id: String,
    consumer: BaseConsumer<Rebalances>,
    producer: Transactions,
    /// Partitions we own, with the next offset we have committed for them.
    held: BTreeMap<u32, Option<u64>>,
    /// Told that they go; they go with the next poll.
    leaving: Vec<u32>,
    /// The consumer was made anew: these were lost with it.
    lost: Vec<u32>,
    /// When we joined, microseconds; later members of our name replace us.
    joined: i64,
    /// A later member of our name is there: this one is over.
    replaced: bool,
}

impl KafkaMember {
    pub(super) fn join(
        properties: &Properties,
        partitions: BTreeMap<Topic, u32>,
        seat: Seat,
    ) -> Result<Self, LogError> {
        let id = format!("milepost-{}-{}", seat.group, seat.owner);
        let producer = transactions(properties, &id)?;
        let name = seat.topic.name();
        let consumer = consumer(properties, &seat, &name)?;
        Ok(Self {
            properties: properties.clone(),
            partitions,
            seat,
            name,
            id,
            consumer,
            producer,
            held: BTreeMap::new(),
            leaving: Vec::new(),
            lost: Vec::new(),
            joined: clock::now().micros(),
            replaced: false,
        })
    }

    fn list(&self, partitions: impl IntoIterator<Item = u32>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.name, partition.cast_signed());
        }
        list
    }

    /// Gives away what the owner was told goes.
    fn release(&mut self) -> Result<(), LogError> {
        if self.leaving.is_empty() {
            return Ok(());
        }
        let leaving = std::mem::take(&mut self.leaving);
        self.say_released(&leaving);
        let list = self.list(leaving.iter().copied());
        for partition in &leaving {
            self.held.remove(partition);
        }
        self.consumer.incremental_unassign(&list).map_err(unavailable)
    }

    /// Leaves word that these partitions were given up in good order, so that the next owner need
    /// not fence us. A failure only costs it that.
    fn say_released(&mut self, partitions: &[u32]) {
        let offsets: Vec<(u32, u64)> = partitions
            .iter()
            .filter_map(|p| self.held.get(p).copied().flatten().map(|offset| (*p, offset)))
            .collect();
        if offsets.is_empty() || self.consumer.assignment_lost() {
            return;
        }
        if let Err(error) = self.transact(&Commit { records: Vec::new(), offsets }, RELEASED) {
            info!(%error, "partitions were given up without word");
        }
    }

    /// Takes new partitions: ends the transactions of whoever had them, then reads on from the
    /// committed offsets.
    fn take(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        self.fence(partitions)?;
        let stored = self
            .consumer
            .committed_offsets(self.list(partitions.iter().copied()), ASK_LIMIT)
            .map_err(unavailable)?;
        let mut list = TopicPartitionList::new();
        let mut taken = Vec::new();
        for element in stored.elements() {
            element.error().map_err(unavailable)?;
            let partition = element.partition();
            let (committed, from) = match element.offset() {
                Offset::Offset(offset) => (Some(number(offset)), offset),
                _ => (None, self.start(partition)?),
            };
            list.add_partition_offset(&self.name, partition, Offset::Offset(from))
                .map_err(unavailable)?;
            taken.push((partition.cast_unsigned(), committed));
        }
        self.consumer.incremental_assign(&list).map_err(unavailable)?;
        let known = |(p, offset): &(u32, Option<u64>)| offset.map(|o| (*p, o));
        let offsets: Vec<_> = taken.iter().filter_map(known).collect();
        self.held.extend(taken);
        if offsets.is_empty() {
            return Ok(());
        }
        // From here on everybody can see whose they are; while the group still moves that may fail,
        // and the first commit says it then.
        let word = self.word();
        let stamp = Commit { records: Vec::new(), offsets };
        if let Err(error) = self.transact(&stamp, &word) {
            let error = self.undo(&error);
            info!(%error, "partitions were taken without word");
        }
        Ok(())
    }

    /// What we leave with the offsets we commit.
    fn word(&self) -> String {
        format!("{}#{}", self.id, self.joined)
    }

    /// Whether a later member of our own name has left its word.
    fn is_replaced(&self) -> Result<bool, LogError> {
        let all = 0..self.partitions.get(&self.seat.topic).copied().unwrap_or(1);
        let words = self.words(all)?;
        let later = words.iter().filter_map(|w| w.rsplit_once('#')).any(|(id, joined)| {
            id == self.id && joined.parse().is_ok_and(|at: i64| at > self.joined)
        });
        Ok(later)
    }

    /// The words left with the committed offsets, also inside open transactions.
    fn words(&self, partitions: impl IntoIterator<Item = u32>) -> Result<Vec<String>, LogError> {
        let config = self.properties.unstable_asker(&self.seat.group);
        let asker: BaseConsumer = config.create().map_err(unavailable)?;
        let list = self.list(partitions);
        let stored = patiently(|| asker.committed_offsets(list.clone(), ASK_LIMIT))?;
        Ok(stored.elements().iter().map(|e| e.metadata().to_owned()).collect())
    }

    fn start(&self, partition: i32) -> Result<i64, LogError> {
        patiently(|| self.consumer.fetch_watermarks(&self.name, partition, ASK_LIMIT))
            .map(|(start, _)| start)
    }

    fn fence(&self, partitions: &[u32]) -> Result<(), LogError> {
        let words = self.words(partitions.iter().copied())?;
        let owners: BTreeSet<&str> = words
            .iter()
            .filter_map(|word| word.rsplit_once('#').map(|(id, _)| id))
            .filter(|id| *id != self.id)
            .collect();
        for owner in owners {
            info!(%owner, "fencing the previous owner of partitions");
            if let Err(error) = transactions(&self.properties, owner) {
                warn!(%owner, %error, "previous owner was not fenced, its timeout will end it");
            }
        }
        Ok(())
    }

    /// One transaction; on an error it has been begun and is still open.
    fn transact(&mut self, commit: &Commit, word: &str) -> Result<(), KafkaError> {
        *self.failed() = None;
        self.producer.begin_transaction()?;
        let until = clock::monotonic() + FLUSH_LIMIT;
        for record in &commit.records {
            let name = record.topic.name();
            let partitions = self.partitions.get(&record.topic).copied().unwrap_or(1);
            let mut message = append::message(record, &name, partitions, ());
            while let Err((error, back)) = self.producer.send(message) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) || past(until) {
                    return Err(error);
                }
                std::thread::sleep(FLUSH_PAUSE);
                message = back;
            }
        }
        while self.producer.in_flight_count() > 0 {
            if past(until) || self.failed().is_some() {
                return Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut));
            }
            std::thread::sleep(FLUSH_PAUSE);
        }
        if self.failed().is_some() {
            return Err(KafkaError::Flush(RDKafkaErrorCode::MessageTimedOut));
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in &commit.offsets {
            let next = Offset::Offset(offset.cast_signed());
            let number = partition.cast_signed();
            let mut element = offsets.add_partition(&self.name, number);
            element.set_offset(next)?;
            element.set_metadata(word);
        }
        let group = self.consumer.group_metadata().ok_or(KafkaError::Canceled)?;
        retrying(|| self.producer.send_offsets_to_transaction(&offsets, &group, FLUSH_LIMIT))?;
        retrying(|| self.producer.commit_transaction(FLUSH_LIMIT))
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.producer.context().failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a failed transaction: nothing of it shall stay.
    fn undo(&mut self, error: &KafkaError) -> LogError {
        let code = error.rdkafka_error_code();
        let fatal = is_fatal(error) || self.producer.client().fatal_error().is_some();
        let gone = code == Some(RDKafkaErrorCode::FencedInstanceId)
            || self.consumer.client().fatal_error().is_some();
        if (fatal || gone) && self.gives_way() {
            return LogError::Fenced(error.to_string());
        }
        if fatal || retrying(|| self.producer.abort_transaction(FLUSH_LIMIT)).is_err() {
            match transactions(&self.properties, &self.id) {
                Ok(producer) => self.producer = producer,
                Err(e) => warn!(error = %e, "a fenced producer could not be made anew yet"),
            }
        }
        if gone && let Err(e) = self.rejoin() {
            return e;
        }
        if gone {
            return LogError::Fenced(error.to_string());
        }
        // What stays ours is read again from its commit, whatever the caller does next.
        if let Err(e) = self.rewind() {
            warn!(error = %e, "going back to the committed offsets failed");
        }
        if is_moving(code) { LogError::Fenced(error.to_string()) } else { unavailable(error) }
    }

    /// Fenced: is it for good?
    fn gives_way(&mut self) -> bool {
        match self.is_replaced() {
            Ok(replaced) => self.replaced |= replaced,
            Err(error) => warn!(%error, "it is not known who fenced this member"),
        }
        self.replaced
    }

    /// The consumer is dead for good: makes it anew under the same name.
    fn rejoin(&mut self) -> Result<(), LogError> {
        self.lost.extend(std::mem::take(&mut self.held).into_keys());
        self.leaving.clear();
        let fresh = consumer(&self.properties, &self.seat, &self.name)?;
        let old = std::mem::replace(&mut self.consumer, fresh);
        old.context().closing.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Answers a rebalance. `None`: nothing the owner must hear of.
    fn change(&mut self, change: Change) -> Result<Option<Polled>, LogError> {
        match change {
            Change::Assign(partitions) => {
                if let Err(error) = self.take(&partitions) {
                    self.consumer.context().again(Change::Assign(partitions));
                    return Err(error);
                }
                Ok((!partitions.is_empty()).then_some(Polled::Assigned(partitions)))
            }
            Change::Revoke(partitions) => {
                let lost = self.consumer.assignment_lost();
                if lost {
                    for partition in &partitions {
                        self.held.remove(partition);
                    }
                    let list = self.list(partitions.iter().copied());
                    self.consumer.incremental_unassign(&list).map_err(unavailable)?;
                } else {
                    self.leaving.clone_from(&partitions);
                }
                Ok((!partitions.is_empty()).then_some(Polled::Revoked { partitions, lost }))
            }
        }
    }
}

impl Member for KafkaMember {
    fn poll(&mut self, max_bytes: usize, wait: Duration) -> Result<Polled, LogError> {
        if self.replaced {
            return Err(over());
        }
        if !self.lost.is_empty() {
            let partitions = std::mem::take(&mut self.lost);
            return Ok(Polled::Revoked { partitions, lost: true });
        }
        self.release()?;
        let until = clock::monotonic() + wait;
        let mut records = Vec::new();
        let mut room = max_bytes.max(1);
        loop {
            if records.is_empty()
                && let Some(change) = self.consumer.context().next()
                && let Some(polled) = self.change(change)?
            {
                return Ok(polled);
            }
            let left = if records.is_empty() {
                until.saturating_duration_since(clock::monotonic())
            } else {
                Duration::ZERO
            };
            match self.consumer.poll(left) {
                Some(Ok(message)) => {
                    let record = record(&message, self.seat.topic);
                    room = room.saturating_sub(size(&record));
                    records.push(record);
                }
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    if !self.gives_way() {
                        warn!(%code, "the consumer is fenced and joins again");
                        self.rejoin()?;
                    }
                    return Err(LogError::Fenced(code.to_string()));
                }
                Some(Err(error)) if is_away(&error) && records.is_empty() => {
                    std::thread::sleep(left.min(Duration::from_millis(100)));
                    if past(until) {
                        return Err(unavailable(error));
                    }
                    continue;
                }
                Some(Err(error)) if records.is_empty() => return Err(unavailable(error)),
                Some(Err(_)) => return Ok(Polled::Records(records)),
                None => {
                    let told = self.consumer.context().waiting() && records.is_empty();
                    if !told && (!records.is_empty() || past(until)) {
                        return Ok(Polled::Records(records));
                    }
                }
            }
            if room == 0 {
                return Ok(Polled::Records(records));
            }
        }
    }

    fn commit(&mut self, commit: Commit) -> Result<(), LogError> {
        commit.records.iter().try_for_each(check_size)?;
        if self.replaced {
            return Err(over());
        }
        if !self.lost.is_empty() {
            return Err(LogError::Fenced("the group goes on without this member".into()));
        }
        let word = self.word();
        if let Err(error) = self.transact(&commit, &word) {
            return Err(self.undo(&error));
        }
        for (partition, offset) in &commit.offsets {
            self.held.insert(*partition, Some(*offset));
        }
        Ok(())
    }

    fn rewind(&mut self) -> Result<Vec<(u32, Option<u64>)>, LogError> {
        if self.held.is_empty() {
            return Ok(Vec::new());
        }
        let held = self.list(self.held.keys().copied());
        let stored = self.consumer.committed_offsets(held, ASK_LIMIT).map_err(unavailable)?;
        let mut list = TopicPartitionList::new();
        let mut answer = Vec::new();
        for element in stored.elements() {
            element.error().map_err(unavailable)?;
            let partition = element.partition();
            let (committed, from) = match element.offset() {
                Offset::Offset(offset) => (Some(number(offset)), offset),
                _ => (None, self.start(partition)?),
            };
            list.add_partition_offset(&self.name, partition, Offset::Offset(from))
                .map_err(unavailable)?;
            answer.push((partition.cast_unsigned(), committed));
        }
        let sought = self.consumer.seek_partitions(list, ASK_LIMIT).map_err(unavailable)?;
        for element in sought.elements() {
            element.error().map_err(unavailable)?;
        }
        self.held.extend(answer.iter().copied());
        Ok(answer)
    }

    fn leave(&mut self) -> Result<(), LogError> {
        let held: Vec<u32> = self.held.keys().copied().collect();
        self.say_released(&held);
        self.held.clear();
        self.consumer.context().closing.store(true, Ordering::Relaxed);
        self.consumer.unsubscribe();
        Ok(())
    }
}

impl Drop for KafkaMember {
    fn drop(&mut self) {
        self.consumer.context().closing.store(true, Ordering::Relaxed);
    }
}

fn over() -> LogError {
    LogError::Fenced("another process has joined under this member's name".into())
}

fn past(until: Instant) -> bool {
    clock::monotonic() >= until
}

fn is_fatal(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_fatal(),
        _ => matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::Fatal
                    | RDKafkaErrorCode::Fenced
                    | RDKafkaErrorCode::InvalidProducerEpoch
                    | RDKafkaErrorCode::ProducerFenced
            )
        ),
    }
}

/// The group is giving partitions to others, or has done so.
fn is_moving(code: Option<RDKafkaErrorCode>) -> bool {
    matches!(
        code,
        Some(
            RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::RebalanceInProgress
                | RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::InvalidProducerEpoch
                | RDKafkaErrorCode::ProducerFenced
        )
    )
}

/// Calls again while the answer is "try again", for at most [`RETRY_LIMIT`].
fn retrying(mut call: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    let until = clock::monotonic() + RETRY_LIMIT;
    loop {
        match call() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && !past(until) => {}
            answer => return answer,
        }
    }
}

fn transactions(properties: &Properties, id: &str) -> Result<Transactions, LogError> {
    let config = properties.transactions(id);
    let producer = ThreadedProducer::from_config_and_context(&config, Failures::default())
        .map_err(unavailable)?;
    producer.init_transactions(RETRY_LIMIT).map_err(unavailable)?;
    Ok(producer)
}

fn consumer(
    properties: &Properties,
    seat: &Seat,
    topic: &str,
) -> Result<BaseConsumer<Rebalances>, LogError> {
    let config = properties.member(&seat.group, &seat.owner);
    let consumer = BaseConsumer::from_config_and_context(&config, Rebalances::default())
        .map_err(unavailable)?;
    consumer.subscribe(&[topic]).map_err(unavailable)?;
    Ok(consumer)
}

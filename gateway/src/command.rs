//! Orders to devices: from topic `commands` to the connection that a device has, and what came of
//! them back to the topic.
//!
//! Every gateway reads all of `commands` and keeps the orders that are not done, so that no table
//! says who holds which device: the one that has it on a connection tells it, and its result takes
//! the order away everywhere. A gateway that starts reads back as far as an order may wait
//! ([`ORDER_S_MAX`]), so orders for devices that are away outlive it.
//!
//! An order is told at least once and never after its time: a gateway that dies between the bytes
//! and the result is followed by one that tells it again. One at a time is told on a connection; the
//! next follows the device's answer, or [`ANSWER_LIMIT`](crate::limits::ANSWER_LIMIT). What can do
//! harm is refused unless the door was opened for it, and waits until a second person has approved:
//! then it comes once more, with their key. Several gateways may report that the same order has
//! expired or was refused; its id makes them one.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ingest::command::Outcome;
use ingest::id::{DeviceId, percent_decoded, percent_encoded};
use ingest::log::{Log, LogError, NewRecord, Reader, Record, Topic};
use ingest::record::{Envelope, Kind, ORDER_S_MAX, Order, OrderResult};
use ingest::time::Timestamp;
use tracing::{error, warn};

use crate::door::Door;
use crate::limits::{ORDERS_A_DEVICE_MAX, ORDERS_MAX};

/// Bytes of `commands` read at a time.
const POLL_BYTES: usize = 256 * 1024;
/// How long a poll waits, which bounds how long a stop waits.
const POLL_WAIT: Duration = Duration::from_millis(200);
/// Pause after a failed poll.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Orders that wait for their devices.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Whether what can do harm is told at all.
    harmful: bool,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    waiting: HashMap<DeviceId, VecDeque<Order>>,
    count: usize,
}

/// What came of an order, as a record of `commands`.
pub(crate) fn result(
    device: &DeviceId,
    id: String,
    (outcome, words): (Outcome, &str),
    at: Timestamp,
) -> NewRecord {
    let result = OrderResult { id, outcome, at, words: words.to_owned() };
    let key = percent_encoded(device).into_bytes().into();
    result.envelope().into_record(Topic::Commands, key)
}

impl Orders {
    pub(crate) fn new(harmful: bool) -> Self {
        Self { harmful, table: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something waits for this device.
    pub(crate) fn has(&self, device: &DeviceId) -> bool {
        self.lock().waiting.contains_key(device)
    }

    /// Takes in an order, or the end of one. An order that finds no room is returned.
    fn take(&self, device: &DeviceId, envelope: &Envelope) -> Option<Order> {
        let mut table = self.lock();
        match envelope.kind {
            Kind::Order => match Order::from_envelope(envelope) {
                Ok(order) => return table.put(device, order),
                Err(error) => warn!(%device, %error, "order is not decodable"),
            },
            Kind::OrderResult => match OrderResult::from_envelope(envelope) {
                Ok(result) => table.remove(device, |order| order.id == result.id),
                Err(error) => warn!(%device, %error, "result of an order is not decodable"),
            },
            _ => {}
        }
        None
    }

    /// The next order that this device is to be told; `ended` gets what came of those before it.
    pub(crate) fn next(
        &self,
        device: &DeviceId,
        now: Timestamp,
        ended: &mut Vec<NewRecord>,
    ) -> Option<Order> {
        let mut table = self.lock();
        let mut at = 0;
        loop {
            let order = table.waiting.get(device)?.get(at)?;
            match self.end(order, now) {
                Some(end) => {
                    let order = table.remove_at(device, at)?;
                    ended.push(result(device, order.id, end, now));
                }
                None if order.is_agreed() => return table.remove_at(device, at),
                // It waits for a second person; those behind it do not.
                None => at += 1,
            }
        }
    }

    /// Takes away the orders that nobody is to be told any more: what came of them.
    fn sweep(&self, now: Timestamp) -> Vec<NewRecord> {
        let mut table = self.lock();
        let mut ended = Vec::new();
        for (device, orders) in &table.waiting {
            for order in orders {
                if let Some(end) = self.end(order, now) {
                    ended.push(result(device, order.id.clone(), end, now));
                }
            }
        }
        if !ended.is_empty() {
            let devices: Vec<DeviceId> = table.waiting.keys().cloned().collect();
            for device in devices {
                table.remove(&device, |order| self.end(order, now).is_some());
            }
        }
        ended
    }

    /// Why an order is not told any more.
    fn end(&self, order: &Order, now: Timestamp) -> Option<(Outcome, &'static str)> {
        let longest = order.at.plus_seconds(f64::from(ORDER_S_MAX));
        if now >= order.until.min(longest) {
            return Some((Outcome::Expired, "the device did not come in time"));
        }
        let refused = order.command.is_harmful() && !self.harmful;
        refused.then_some((Outcome::Refused, "commands that can do harm are off"))
    }
}

impl Table {
    fn put(&mut self, device: &DeviceId, order: Order) -> Option<Order> {
        if let Some(waiting) = self.waiting.get_mut(device) {
            if let Some(same) = waiting.iter_mut().find(|o| o.id == order.id) {
                if same.approved_by.is_none() {
                    same.approved_by = order.approved_by;
                }
                return None;
            }
            if waiting.len() >= ORDERS_A_DEVICE_MAX {
                return Some(order);
            }
        }
        if self.count >= ORDERS_MAX {
            return Some(order);
        }
        self.waiting.entry(device.clone()).or_default().push_back(order);
        self.count += 1;
        None
    }

    fn remove_at(&mut self, device: &DeviceId, at: usize) -> Option<Order> {
        let orders = self.waiting.get_mut(device)?;
        let order = orders.remove(at);
        if orders.is_empty() {
            self.waiting.remove(device);
        }
        self.count -= usize::from(order.is_some());
        order
    }

    fn remove(&mut self, device: &DeviceId, done: impl Fn(&Order) -> bool) {
        let Some(orders) = self.waiting.get_mut(device) else { return };
        let before = orders.len();
        orders.retain(|order| !done(order));
        self.count -= before - orders.len();
        if orders.is_empty() {
            self.waiting.remove(device);
        }
    }
}

/// Reads `commands` until it is stopped.
#[derive(Debug)]
pub(crate) struct Teller {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Teller {
    /// Reads back as far as an order may wait (blocks), then follows on a thread of its own.
    pub(crate) fn start(log: &dyn Log, door: &Arc<Door>) -> Result<Self, LogError> {
        let now = (door.publisher.clock)();
        let oldest = now.plus_seconds(-f64::from(ORDER_S_MAX));
        let (mut from, mut ends) = (Vec::new(), Vec::new());
        for partition in 0..log.partitions(Topic::Commands) {
            let bounds = log.bounds(Topic::Commands, partition)?;
            let first = log.offset_at(Topic::Commands, partition, oldest)?;
            from.push((partition, first.unwrap_or(bounds.end)));
            ends.push((partition, bounds.end));
        }
        let mut reader = log.reader(Topic::Commands, &from)?;
        let behind = |reader: &dyn Reader| {
            ends.iter().any(|(p, end)| reader.position(*p).is_some_and(|at| at < *end))
        };
        while behind(reader.as_ref()) {
            for record in reader.poll(POLL_BYTES, POLL_WAIT)? {
                door.heard_order(&record);
            }
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, door) = (Arc::clone(&stop), Arc::clone(door));
        let thread = std::thread::Builder::new()
            .name("gateway-commands".into())
            .spawn(move || follow(reader.as_mut(), &door, &stopped))
            .map_err(|e| LogError::Unavailable(format!("no thread to follow commands: {e}")))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends the thread (blocks for at most one poll).
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the teller of orders had panicked");
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn follow(reader: &mut dyn Reader, door: &Door, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match reader.poll(POLL_BYTES, POLL_WAIT) {
            Ok(records) => records.iter().for_each(|record| door.heard_order(record)),
            Err(error) => {
                warn!(%error, "orders can not be read");
                std::thread::sleep(RETRY_PAUSE);
            }
        }
        door.came_of(door.orders.sweep((door.publisher.clock)()));
    }
}

impl Door {
    /// Keeps an order, or forgets one that is done, and wakes the connection of its device.
    fn heard_order(&self, record: &Record) {
        let Some(value) = &record.value else { return };
        let device = percent_decoded(&String::from_utf8_lossy(&record.key));
        let envelope = Envelope::decode(value.clone());
        let (Ok(device), Ok(envelope)) = (device, envelope) else {
            return warn!(offset = record.offset, "order is not decodable");
        };
        if let Some(order) = self.orders.take(&device, &envelope) {
            let now = (self.publisher.clock)();
            let end = (Outcome::Full, "too many orders wait");
            self.came_of(vec![result(&device, order.id, end, now)]);
        } else if envelope.kind == Kind::Order {
            self.speakers.wake(&device);
        }
    }

    /// Tells the log what came of orders; it will be told again where that fails, since the orders
    /// are read again.
    fn came_of(&self, results: Vec<NewRecord>) {
        if !results.is_empty() {
            self.metrics.orders_ended(results.len());
            // Queued at the call.
            drop(self.publisher.log.append(results));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::command::Command;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn order(id: &str, command: Command, approved_by: Option<&str>) -> Envelope {
        let (id, by) = (id.to_owned(), "ana".to_owned());
        let approved_by = approved_by.map(str::to_owned);
        Order { id, command, at: at(0), until: at(60), by, approved_by }.envelope()
    }

    fn outcomes(records: Vec<NewRecord>) -> Vec<(String, Outcome)> {
        let read = |record: NewRecord| {
            let envelope = Envelope::decode(record.value.unwrap()).unwrap();
            let result = OrderResult::from_envelope(&envelope).unwrap();
            (result.id, result.outcome)
        };
        records.into_iter().map(read).collect()
    }

    #[test]
    fn orders_wait_for_their_device_until_they_are_done_or_too_old() {
        let (orders, device) = (Orders::new(false), DeviceId::new("van 1").unwrap());
        for id in ["a", "b", "c"] {
            assert_eq!(orders.take(&device, &order(id, Command::Position, None)), None);
        }
        assert_eq!(orders.take(&device, &order("a", Command::Position, None)), None, "once");
        let mut ended = Vec::new();
        assert_eq!(orders.next(&device, at(1), &mut ended).unwrap().id, "a");
        let words = String::new();
        let done = OrderResult { id: "b".into(), outcome: Outcome::Sent, at: at(2), words };
        assert_eq!(orders.take(&device, &done.envelope()), None, "another door has told it");
        assert!(orders.sweep(at(59)).is_empty());
        assert_eq!(outcomes(orders.sweep(at(60))), [("c".to_owned(), Outcome::Expired)]);
        assert!(!orders.has(&device) && orders.lock().count == 0);
    }

    #[test]
    fn harm_needs_a_second_person_and_an_open_door() {
        let device = DeviceId::new("van 1").unwrap();
        for (harmful, approved, told) in [
            (false, Some("rui"), false),
            (true, None, false),
            (true, Some("ana"), false),
            (true, Some("rui"), true),
        ] {
            let orders = Orders::new(harmful);
            orders.take(&device, &order("x", Command::EngineStop, approved));
            let mut ended = Vec::new();
            assert_eq!(orders.next(&device, at(1), &mut ended).is_some(), told, "{approved:?}");
            let refused = [("x".to_owned(), Outcome::Refused)];
            assert_eq!(outcomes(ended), if harmful { &[][..] } else { &refused[..] });
        }
        let (orders, mut ended) = (Orders::new(true), Vec::new());
        orders.take(&device, &order("x", Command::EngineStop, None));
        orders.take(&device, &order("y", Command::Position, None));
        assert_eq!(orders.next(&device, at(1), &mut ended).unwrap().id, "y", "it holds up none");
        orders.take(&device, &order("x", Command::EngineStop, Some("rui")));
        assert_eq!(orders.next(&device, at(2), &mut ended).unwrap().id, "x", "approved later");
        assert!(orders.next(&device, at(3), &mut ended).is_none() && ended.is_empty());
    }

    #[test]
    fn a_device_has_only_so_many() {
        let (orders, device) = (Orders::new(true), DeviceId::new("van 1").unwrap());
        for n in 0..ORDERS_A_DEVICE_MAX {
            let order = order(&n.to_string(), Command::Position, None);
            assert_eq!(orders.take(&device, &order), None);
        }
        assert!(orders.take(&device, &order("more", Command::Position, None)).is_some());
    }
}

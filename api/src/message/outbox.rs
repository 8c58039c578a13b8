//! The thread that turns events into messages.
//!
//! It follows `outputs` from where the operations store says, beginning at the end on an
//! installation's first start. What a poll brought is decided with reads, then written with the
//! next offsets in one transaction: cut off before, it is decided again; after, it is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::model::{Body, Event};
use engine::record::output_from_envelope;
use ingest::id::{RouteId, TenantId, VehicleKey};
use ingest::log::{LogError, Reader, Record, Topic};
use ingest::record::{Envelope, Kind, Pid};
use ingest::time::Timestamp;
use tokio::runtime::Handle;

use super::people::People;
use super::told::{self, Of};
use super::{Condition, NewMessage, words};
use crate::app::Shared;
use crate::store::addresses::Rules;
use crate::store::routes::RouteRow;
use crate::store::webhooks::WebhookRow;
use crate::store::{StoreError, addresses, outbox, routes, webhooks};

/// Events older than this tell nobody, seconds (10 min).
pub(crate) const OLD_S: f64 = 600.0;
/// Bytes of one poll.
const POLL_BYTES: usize = 1 << 20;
/// How long a poll waits for the first record.
const POLL_WAIT: Duration = Duration::from_millis(200);
/// Pause after log or store did not answer.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// How often the offsets are written while nothing happens, seconds.
const KEEP_S: f64 = 5.0;

/// What the thread works with.
pub(crate) struct Outbox {
    pub(crate) app: Shared,
    pub(crate) stop: Arc<AtomicBool>,
    /// To wait for the store's writer.
    pub(crate) runtime: Handle,
}

/// Why a stretch ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An event with whose it is.
pub(crate) struct Happened {
    pub(crate) key: VehicleKey,
    pub(crate) seq: u64,
    pub(crate) event: Event,
}

/// What was read for the events of one poll, once.
#[derive(Default)]
struct Known {
    tenants: HashMap<TenantId, (Vec<WebhookRow>, Rules)>,
    routes: HashMap<(TenantId, RouteId), Option<RouteRow>>,
}

impl Outbox {
    /// Follows until told to stop. What goes wrong is tried again from the last transaction.
    pub(crate) fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            if let Err(error) = self.stretch() {
                tracing::warn!(%error, "events cannot be told; trying again");
                self.app.metrics.tail_errors.inc();
                std::thread::sleep(RETRY_WAIT);
            }
        }
    }

    fn stretch(&self) -> Result<(), Ended> {
        let mut reader = self.reader()?;
        let mut kept = self.app.now();
        while !self.stop.load(Ordering::Relaxed) {
            let records = reader.poll(POLL_BYTES, POLL_WAIT)?;
            let events: Vec<Happened> = records.into_iter().filter_map(decode).collect();
            let now = self.app.now();
            if events.is_empty() && now.seconds_since(kept) < KEEP_S {
                continue;
            }
            self.take(&events, self.offsets(reader.as_ref()), now)?;
            kept = now;
        }
        self.take(&[], self.offsets(reader.as_ref()), self.app.now())
    }

    /// From the stored offsets; a partition that has none begins at its end, which is written
    /// before anything is read.
    fn reader(&self) -> Result<Box<dyn Reader>, Ended> {
        let stored: HashMap<u32, u64> = self.app.store.read(outbox::offsets)?.into_iter().collect();
        let (mut from, mut begun) = (Vec::new(), Vec::new());
        for partition in 0..self.app.log.partitions(Topic::Outputs) {
            let bounds = self.app.log.bounds(Topic::Outputs, partition)?;
            match stored.get(&partition) {
                None => begun.push((partition, bounds.end)),
                Some(next) if *next < bounds.start => {
                    let start = bounds.start;
                    tracing::error!(partition, start, "events were gone before they were told");
                    from.push((partition, start));
                }
                Some(next) => from.push((partition, *next)),
            }
        }
        if !begun.is_empty() {
            self.write(begun.clone(), Vec::new(), true)?;
        }
        from.extend(begun);
        Ok(self.app.log.reader(Topic::Outputs, &from)?)
    }

    fn offsets(&self, reader: &dyn Reader) -> Vec<(u32, u64)> {
        let partitions = 0..self.app.log.partitions(Topic::Outputs);
        partitions.filter_map(|p| reader.position(p).map(|next| (p, next))).collect()
    }

    /// Decides what is told of events and writes it with the offsets after them.
    fn take(
        &self,
        events: &[Happened],
        offsets: Vec<(u32, u64)>,
        now: Timestamp,
    ) -> Result<(), Ended> {
        let (mut known, mut candidates) = (Known::default(), Vec::new());
        let happened = !events.is_empty();
        for event in events {
            if now.seconds_since(event.event.at) > OLD_S {
                self.app.metrics.messages_old.inc();
                continue;
            }
            self.decide(&mut known, event, now, &mut candidates)?;
        }
        // Offsets alone may be lost: what lies behind them says nothing.
        self.write(offsets, candidates, happened)
    }

    fn write(
        &self,
        offsets: Vec<(u32, u64)>,
        candidates: Vec<(NewMessage, Condition)>,
        durable: bool,
    ) -> Result<(), Ended> {
        let store = &self.app.store;
        let work = move |c: &rusqlite::Connection| outbox::take(c, &offsets, &candidates);
        let taken = self.runtime.block_on(async {
            if durable { store.write(work).await } else { store.write_again(work).await }
        })?;
        let metrics = &self.app.metrics;
        metrics.messages_taken.inc_by(taken.waiting);
        metrics.messages_known.inc_by(taken.known);
        metrics.messages_dead.inc_by(taken.full);
        if taken.waiting > 0 {
            self.app.outbox.notify_one();
        }
        Ok(())
    }

    /// The messages that an event may become.
    fn decide(
        &self,
        known: &mut Known,
        happened: &Happened,
        now: Timestamp,
        candidates: &mut Vec<(NewMessage, Condition)>,
    ) -> Result<(), Ended> {
        let (tenant, event) = (&happened.key.tenant, &happened.event);
        let store = &self.app.store;
        if !known.tenants.contains_key(tenant) {
            let hooks = store.read(|c| webhooks::list(c, tenant))?;
            let rules = store.read(|c| addresses::rules(c, tenant))?;
            known.tenants.insert(tenant.clone(), (hooks, rules));
        }
        let Some((hooks, rules)) = known.tenants.get(tenant) else { return Ok(()) };
        let name = event.kind.name();
        let to_people = words::event(name).is_some() && rules.events.iter().any(|e| e == name);
        let mut wanted = hooks.iter().filter(|hook| hook.wants(name)).peekable();
        if wanted.peek().is_none() && !to_people {
            return Ok(());
        }
        let route = match &event.route {
            Some(id) => {
                let place = (tenant.clone(), id.clone());
                if !known.routes.contains_key(&place) {
                    let row = store.read(|c| routes::find(c, tenant, id))?.map(|(row, _)| row);
                    known.routes.insert(place.clone(), row);
                }
                known.routes.get(&place).and_then(Option::as_ref)
            }
            None => None,
        };
        let seen = self.app.live.vehicle(tenant, &happened.key.vehicle);
        let of = Of { happened, route, seen: seen.as_ref() };
        for hook in wanted {
            candidates.push((told::to_program(&of, hook, now), told::program(event)));
        }
        if to_people {
            let told = People::of(&self.app, &of, (hooks.as_slice(), rules), now)?;
            self.app.metrics.messages_dropped.inc_by(told.dropped());
            candidates.extend(told.letters());
        }
        Ok(())
    }
}

/// An event of a record; what is none, or cannot be read, the live view has counted.
fn decode(record: Record) -> Option<Happened> {
    let envelope = Envelope::decode(record.value?).ok()?;
    if envelope.kind != Kind::Event {
        return None;
    }
    let output = output_from_envelope(&envelope).ok()?;
    let key = VehicleKey::parse(&record.key).ok()?;
    match output.body {
        Body::Event(event) => Some(Happened { key, seq: output.seq, event: *event }),
        _ => None,
    }
}

/// The id of a message: the same whenever it is made again of the same event.
pub(crate) fn id_of(happened: &Happened, destination: &str) -> String {
    let seq = happened.seq.to_le_bytes();
    let key = happened.key.to_string();
    let parts: [&[u8]; 4] = [b"message", destination.as_bytes(), key.as_bytes(), &seq];
    format!("msg_{}", Pid::of_parts(&parts))
}

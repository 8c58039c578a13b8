//! The newest of everything: the fold of `outputs` into one view a vehicle.
//!
//! It starts from the views in `states` and the outputs after their marker, then follows the end
//! of `outputs` ([`tail`]). A view is shared by reference: a reader takes it and lets the lock go,
//! and the writer copies a view only while somebody still reads it. Outputs not above a view's
//! seq are ignored, so nothing here ever goes backwards.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use engine::model::{Body, EventKind, Output, View};
use ingest::id::{TenantId, VehicleId, VehicleKey};
use ingest::record::Pid;
use ingest::time::Timestamp;
use ingest::units::Position;
use tokio::sync::watch;

mod grid;
pub mod ring;
pub mod tail;

use grid::{Cell, Grid, Member};
pub use ring::{Slot, SlotKind};

use ring::Ring;

use crate::view::{AsOf, PositionOut};

/// A vehicle as it is known now.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which one.
    pub vehicle: VehicleId,
    /// Everything about it.
    pub view: Arc<View>,
    /// Number of its newest position that is not backfill.
    pub position_seq: u64,
    /// Number of its newest eta.
    pub eta_seq: u64,
    /// Its position as JSON but for its end ([`AsOf`]), made when somebody first asks and shared
    /// until it changes; absent where no position is known.
    pub(crate) text: Option<Arc<str>>,
}

/// JSON that is made once a change; `None` where there is no position to tell.
type Told = OnceLock<Option<Arc<str>>>;

/// A box in degrees; west may be greater than east across the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Western longitude.
    pub west: f64,
    /// Southern latitude.
    pub south: f64,
    /// Eastern longitude.
    pub east: f64,
    /// Northern latitude.
    pub north: f64,
}

impl Bounds {
    /// Whether a place lies inside or on the edge.
    pub fn contains(&self, at: Position) -> bool {
        let across = self.west > self.east;
        let lng = if across {
            at.lng >= self.west || at.lng <= self.east
        } else {
            at.lng >= self.west && at.lng <= self.east
        };
        lng && at.lat >= self.south && at.lat <= self.north
    }
}

/// The live view of every vehicle of every tenant.
#[derive(Debug)]
pub struct Live {
    fleet: RwLock<Fleet>,
    /// Number of the next slot of the ring; streams wait on it.
    changed: watch::Sender<u64>,
}

/// What the lock holds.
#[derive(Debug)]
pub(crate) struct Fleet {
    tenants: HashMap<TenantId, Tenant>,
    by_key: HashMap<Bytes, u32>,
    vehicles: Vec<Entry>,
    /// What each vehicle says, by its number: apart from all else, so that a look at many of
    /// them touches little memory.
    texts: Vec<Told>,
    pub(crate) ring: Ring,
    as_of: Timestamp,
    caught_up: bool,
}

#[derive(Debug, Default)]
struct Tenant {
    vehicles: BTreeMap<VehicleId, u32>,
    grid: Grid,
    proposals: HashMap<Pid, u32>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: VehicleKey,
    pub(crate) view: Arc<View>,
    cell: Option<Cell>,
    pub(crate) position_seq: u64,
    pub(crate) eta_seq: u64,
    /// Ring numbers of its newest position and eta; older ones are superseded.
    pub(crate) position_slot: u64,
    pub(crate) eta_slot: u64,
}

impl Live {
    /// Knows nothing yet; `partitions` of topic `outputs`, each followed from its offset.
    pub fn new(from: &[u64]) -> Self {
        let fleet = Fleet {
            tenants: HashMap::new(),
            by_key: HashMap::new(),
            vehicles: Vec::new(),
            texts: Vec::new(),
            ring: Ring::new(from),
            as_of: Timestamp::default(),
            caught_up: false,
        };
        Self { fleet: RwLock::new(fleet), changed: watch::Sender::new(0) }
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Fleet> {
        self.fleet.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Fleet> {
        self.fleet.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells streams that there is more.
    pub(crate) fn tell(&self) {
        let next = self.read().ring.next();
        self.changed.send_replace(next);
    }

    /// To wait for more outputs.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Whether everything that was on the log at the start is contained.
    pub fn caught_up(&self) -> bool {
        self.read().caught_up
    }

    /// The moment up to which this view is complete; never goes backwards.
    pub fn as_of(&self) -> Timestamp {
        self.read().as_of
    }

    /// How many vehicles have a view.
    pub fn vehicles(&self) -> usize {
        self.read().vehicles.len()
    }

    /// One vehicle.
    pub fn vehicle(&self, tenant: &TenantId, vehicle: &VehicleId) -> Option<Seen> {
        let fleet = self.read();
        let number = *fleet.tenants.get(tenant)?.vehicles.get(vehicle)?;
        Some(fleet.seen(number))
    }

    /// Vehicles of a tenant after an id, in order of their ids.
    pub fn list(&self, tenant: &TenantId, after: Option<&VehicleId>, limit: usize) -> Vec<Seen> {
        use std::ops::Bound::{Excluded, Unbounded};
        let fleet = self.read();
        let Some(of) = fleet.tenants.get(tenant) else { return Vec::new() };
        let from = after.map_or(Unbounded, Excluded);
        let range = of.vehicles.range::<VehicleId, _>((from, Unbounded));
        range.take(limit).map(|(_, number)| fleet.seen(*number)).collect()
    }

    /// Vehicles whose newest position lies in a box, after an id, in order of their ids.
    pub fn inside(
        &self,
        tenant: &TenantId,
        bounds: Bounds,
        after: Option<&VehicleId>,
        limit: usize,
    ) -> Vec<Seen> {
        let fleet = self.read();
        let Some(of) = fleet.tenants.get(tenant) else { return Vec::new() };
        let mut found: Vec<u32> = Vec::new();
        if !of.grid.inside(bounds, |member| found.push(member.number)) {
            let lies = |number: &u32| {
                let seen = last_seen(&fleet.vehicles[*number as usize].view);
                seen.is_some_and(|(at, _)| bounds.contains(at))
            };
            found.extend(of.vehicles.values().copied().filter(lies));
        }
        let id = |number: &u32| &fleet.vehicles[*number as usize].key.vehicle;
        found.retain(|number| after.is_none_or(|after| id(number) > after));
        found.sort_by(|a, b| id(a).cmp(id(b)));
        found.into_iter().take(limit).map(|number| fleet.seen(number)).collect()
    }

    /// The newest positions inside a box as members of a JSON array, in no order; how many.
    /// What a vehicle says is encoded once a change, whoever asks.
    pub fn tell_inside(&self, tenant: &TenantId, bounds: Bounds, out: &mut String) -> usize {
        let fleet = self.read();
        let Some(of) = fleet.tenants.get(tenant) else { return 0 };
        let (as_of, mut told) = (AsOf::new(fleet.as_of), 0);
        let mut tell = |member: Member| {
            let Some(text) = fleet.text(member.number) else { return };
            if told > 0 {
                out.push(',');
            }
            as_of.tell(text, member.time, out);
            told += 1;
        };
        if !of.grid.inside(bounds, &mut tell) {
            for number in of.vehicles.values() {
                let seen = last_seen(&fleet.vehicles[*number as usize].view);
                if let Some((at, time)) = seen.filter(|(at, _)| bounds.contains(*at)) {
                    tell(Member { number: *number, at, time });
                }
            }
        }
        told
    }

    /// The vehicle to which a reroute is proposed.
    pub fn proposed(&self, tenant: &TenantId, proposal: Pid) -> Option<Seen> {
        let fleet = self.read();
        let number = *fleet.tenants.get(tenant)?.proposals.get(&proposal)?;
        Some(fleet.seen(number))
    }

    /// The vehicle has left the fleet: only its seq stays.
    pub fn forget(&self, tenant: &TenantId, vehicle: &VehicleId) {
        let mut fleet = self.write();
        let number = fleet.tenants.get(tenant).and_then(|of| of.vehicles.get(vehicle)).copied();
        if let Some(number) = number {
            let seq = fleet.vehicles[number as usize].view.seq;
            fleet.set_view(number, View { seq, ..View::default() });
        }
    }
}

impl Fleet {
    pub(crate) fn seen(&self, number: u32) -> Seen {
        let entry = &self.vehicles[number as usize];
        Seen {
            vehicle: entry.key.vehicle.clone(),
            view: Arc::clone(&entry.view),
            position_seq: entry.position_seq,
            eta_seq: entry.eta_seq,
            text: self.text(number).cloned(),
        }
    }

    /// What the vehicle says of its position.
    fn text(&self, number: u32) -> Option<&Arc<str>> {
        let make = || {
            let entry = &self.vehicles[number as usize];
            PositionOut::lasting(&entry.key.vehicle, &entry.view, entry.position_seq)
        };
        self.texts[number as usize].get_or_init(make).as_ref()
    }

    pub(crate) fn entry(&self, number: u32) -> &Entry {
        &self.vehicles[number as usize]
    }

    pub(crate) fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// Everything of a tenant, for the first frames of a stream.
    pub(crate) fn all(&self, tenant: &TenantId) -> Vec<Seen> {
        let of = self.tenants.get(tenant);
        of.map_or_else(Vec::new, |of| of.vehicles.values().map(|n| self.seen(*n)).collect())
    }

    /// The number of a key, made where it is new. `None`: no key of a vehicle.
    fn number(&mut self, key: &Bytes) -> Option<u32> {
        if let Some(number) = self.by_key.get(key) {
            return Some(*number);
        }
        let parsed = VehicleKey::parse(key).ok()?;
        let number = self.vehicles.len() as u32;
        let of = self.tenants.entry(parsed.tenant.clone()).or_default();
        of.vehicles.insert(parsed.vehicle.clone(), number);
        self.vehicles.push(Entry {
            key: parsed,
            view: Arc::default(),
            cell: None,
            position_seq: 0,
            eta_seq: 0,
            position_slot: 0,
            eta_slot: 0,
        });
        self.texts.push(Told::new());
        self.by_key.insert(Bytes::copy_from_slice(key), number);
        Some(number)
    }

    /// Takes over a view from `states`, unless a newer one is known.
    pub(crate) fn load(&mut self, key: &Bytes, view: View) {
        let Some(number) = self.number(key) else { return };
        let entry = &mut self.vehicles[number as usize];
        if view.seq < entry.view.seq {
            return;
        }
        (entry.position_seq, entry.eta_seq) = (view.seq, view.seq);
        self.set_view(number, view);
    }

    fn set_view(&mut self, number: u32, view: View) {
        let entry = &mut self.vehicles[number as usize];
        let Some(of) = self.tenants.get_mut(&entry.key.tenant) else { return };
        if let Some(proposal) = &entry.view.proposal {
            of.proposals.remove(&proposal.id);
        }
        if let Some(proposal) = &view.proposal {
            of.proposals.insert(proposal.id, number);
        }
        of.grid.place(number, &mut entry.cell, last_seen(&view));
        entry.view = Arc::new(view);
        self.texts[number as usize].take();
    }

    /// Takes an output in and gives it a slot of the ring. `event` is its JSON, where it is one.
    /// `false`: the key names no vehicle.
    pub(crate) fn apply(&mut self, at: Place, output: &Output, event: Option<Arc<str>>) -> bool {
        tracing::trace!(target: ingest::PACKET, seq = output.seq, "show");
        let Some(number) = self.number(at.key) else { return false };
        let next = self.ring.next();
        let entry = &mut self.vehicles[number as usize];
        Arc::make_mut(&mut entry.view).apply(output);
        self.texts[number as usize].take();
        let kind = match &output.body {
            Body::Position(position) => {
                let valid = position.input.report.fix.as_ref().is_some_and(|fix| fix.valid);
                if position.backfill || !valid {
                    None
                } else {
                    (entry.position_seq, entry.position_slot) = (output.seq, next);
                    if let Some(of) = self.tenants.get_mut(&entry.key.tenant) {
                        of.grid.place(number, &mut entry.cell, last_seen(&entry.view));
                    }
                    Some(SlotKind::Position)
                }
            }
            Body::Path(_) => None,
            Body::Eta(_) => {
                (entry.eta_seq, entry.eta_slot) = (output.seq, next);
                Some(SlotKind::Eta)
            }
            Body::Event(event) => {
                self.index_proposal(number, event.kind, event.proposal.as_ref().map(|p| p.id));
                Some(SlotKind::Event { seq: output.seq })
            }
        };
        let entry = &self.vehicles[number as usize];
        let place = entry.view.last.as_ref().map(|last| last.position);
        let slot = kind.map(|kind| Slot {
            at: place.filter(|_| kind == SlotKind::Position),
            partition: at.partition,
            offset: at.offset,
            vehicle: number,
            kind,
            event,
        });
        self.ring.push(at.partition, at.offset, slot);
        true
    }

    fn index_proposal(&mut self, number: u32, kind: EventKind, proposal: Option<Pid>) {
        let entry = &self.vehicles[number as usize];
        let Some(of) = self.tenants.get_mut(&entry.key.tenant) else { return };
        match (kind, proposal) {
            (EventKind::RerouteProposed, Some(id)) => {
                // A new proposal replaces the one before, and only one waits at a time.
                of.proposals.retain(|_, other| *other != number);
                of.proposals.insert(id, number);
            }
            (EventKind::RerouteAccepted | EventKind::RerouteRefused, _) => {
                of.proposals.retain(|_, other| *other != number);
            }
            _ => {}
        }
    }

    /// Everything up to this moment is contained.
    pub(crate) fn advance(&mut self, as_of: Timestamp, caught_up: bool) {
        self.as_of = self.as_of.max(as_of);
        self.caught_up |= caught_up;
    }
}

/// Where and when a vehicle was seen last.
fn last_seen(view: &View) -> Option<(Position, Timestamp)> {
    view.last.as_ref().map(|last| (last.position, last.time))
}

/// Where an output lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) key: &'a Bytes,
}

//! The newest of everything: the fold of `outputs` into one view a vehicle.
//!
//! It starts from the views in `states` and the outputs after their marker, then follows the end
//! of `outputs` ([`tail`]). A view is shared by reference: a reader takes it and lets the lock go,
//! and the writer copies a view only while somebody still reads it. Outputs not above a view's
//! seq are ignored, so nothing here ever goes backwards.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use engine::model::view::LastFix;
use engine::model::{Body, EventKind, Output, View};
use ingest::id::{TenantId, VehicleId, VehicleKey};
use ingest::record::Pid;
use ingest::time::Timestamp;
use ingest::units::Position;
use tokio::sync::watch;

mod grid;
pub mod ring;
pub mod tail;

use grid::{Cell, Grid};
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
    /// Its position as JSON, made when somebody first asks and shared until it changes.
    pub(crate) told: Told,
}

/// JSON that is made once; `None` where there is no position to tell.
pub(crate) type Told = Arc<OnceLock<Option<Box<str>>>>;

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
    told: Told,
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
        let lies = |entry: &Entry| {
            entry.view.last.as_ref().is_some_and(|last| bounds.contains(last.position))
        };
        let mut found: Vec<u32> = match of.grid.covering(bounds) {
            Some(numbers) => numbers,
            None => of.vehicles.values().copied().collect(),
        };
        found.retain(|number| lies(&fleet.vehicles[*number as usize]));
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
        let mut tell = |number: u32| {
            let entry = &fleet.vehicles[number as usize];
            let inside = |last: &LastFix| bounds.contains(last.position);
            let Some(last) = entry.view.last.as_ref().filter(|last| inside(last)) else { return };
            if told > 0 {
                out.push(',');
            }
            told += usize::from(as_of.tell(entry.text(), last.time, out));
        };
        match of.grid.covering(bounds) {
            Some(numbers) => numbers.into_iter().for_each(&mut tell),
            None => of.vehicles.values().copied().for_each(&mut tell),
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
    fn seen(&self, number: u32) -> Seen {
        self.vehicles[number as usize].seen()
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
            told: Told::default(),
            position_slot: 0,
            eta_slot: 0,
        });
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
        let at = view.last.as_ref().map(|last| last.position);
        of.grid.place(number, &mut entry.cell, at);
        entry.view = Arc::new(view);
        entry.told = Told::default();
    }

    /// Takes an output in and gives it a slot of the ring. `event` is its JSON, where it is one.
    /// `false`: the key names no vehicle.
    pub(crate) fn apply(&mut self, at: Place, output: &Output, event: Option<Arc<str>>) -> bool {
        tracing::trace!(target: ingest::PACKET, seq = output.seq, "show");
        let Some(number) = self.number(at.key) else { return false };
        let next = self.ring.next();
        let entry = &mut self.vehicles[number as usize];
        Arc::make_mut(&mut entry.view).apply(output);
        entry.forget_told();
        let kind = match &output.body {
            Body::Position(position) => {
                let valid = position.input.report.fix.as_ref().is_some_and(|fix| fix.valid);
                if position.backfill || !valid {
                    None
                } else {
                    (entry.position_seq, entry.position_slot) = (output.seq, next);
                    let place = entry.view.last.as_ref().map(|last| last.position);
                    if let Some(of) = self.tenants.get_mut(&entry.key.tenant) {
                        of.grid.place(number, &mut entry.cell, place);
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
        let slot = kind.map(|kind| Slot {
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

impl Entry {
    /// What was told is no longer so.
    fn forget_told(&mut self) {
        match Arc::get_mut(&mut self.told) {
            Some(told) => drop(told.take()),
            None => self.told = Told::default(),
        }
    }

    fn text(&self) -> Option<&str> {
        let make = || PositionOut::lasting(&self.key.vehicle, &self.view, self.position_seq);
        self.told.get_or_init(make).as_deref()
    }

    /// What a reader takes along.
    pub(crate) fn seen(&self) -> Seen {
        Seen {
            vehicle: self.key.vehicle.clone(),
            view: Arc::clone(&self.view),
            position_seq: self.position_seq,
            eta_seq: self.eta_seq,
            told: Arc::clone(&self.told),
        }
    }
}

impl Seen {
    /// The position as JSON; `None` where none is known.
    pub(crate) fn text(&self) -> Option<&str> {
        let make = || PositionOut::lasting(&self.vehicle, &self.view, self.position_seq);
        self.told.get_or_init(make).as_deref()
    }
}

/// Where an output lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) key: &'a Bytes,
}

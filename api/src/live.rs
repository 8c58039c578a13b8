//! The newest of everything: the fold of `outputs` into one view a vehicle.
//!
//! It starts from the views in `states` and the outputs after their marker, then follows the end
//! of `outputs` ([`tail`]). A view is shared by reference: a reader takes it and lets the lock go,
//! and the writer copies a view only while somebody still reads it. Outputs not above a view's
//! seq are ignored, so nothing here ever goes backwards.
//!
//! Positions are asked for far more often than they change, by people who look at the same
//! vehicles: each is encoded once a change, by the thread that follows, and lies as bytes in its
//! tenant's [`grid`]. An answer or a frame copies them and adds its own moment ([`AsOf`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use engine::model::{Body, EventKind, Output, View};
use ingest::id::{TenantId, VehicleId, VehicleKey};
use ingest::record::Pid;
use ingest::time::Timestamp;
use ingest::units::Position;
use tokio::sync::watch;

pub(crate) mod cell;
mod grid;
pub mod ring;
pub mod tail;

use cell::Said;
use grid::{Grid, Spot};
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
}

/// Vehicles that a look at a box finds at first without more memory; more are found all the same.
const FOUND: usize = 256;

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
    /// Where in its tenant's grid each vehicle is, by its number.
    spots: Vec<Option<Spot>>,
    /// Where a position is encoded on its way into the grid.
    scratch: Vec<u8>,
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
            spots: Vec::new(),
            scratch: Vec::new(),
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

    /// Appends the newest positions inside a box to `out`, as members of a JSON array: those with
    /// the lowest ids after `after`, at most `limit` (1 or more), among them in no order. Their
    /// number, and the highest id where there are more.
    pub fn tell_inside(
        &self,
        tenant: &TenantId,
        bounds: Bounds,
        (after, limit): (Option<&VehicleId>, usize),
        out: &mut Vec<u8>,
    ) -> (usize, Option<VehicleId>) {
        let fleet = self.read();
        let Some(of) = fleet.tenants.get(tenant) else { return (0, None) };
        let mut found = Vec::with_capacity(FOUND);
        of.grid.inside(bounds, &mut found);
        let id = |said: &Said<'_>| &fleet.vehicles[said.number as usize].key.vehicle;
        if let Some(after) = after {
            found.retain(|said| id(said) > after);
        }
        let mut last = None;
        if found.len() > limit {
            let (_, nth, _) = found.select_nth_unstable_by(limit - 1, |a, b| id(a).cmp(id(b)));
            last = Some(id(nth).clone());
            found.truncate(limit);
        }
        let as_of = AsOf::new(fleet.as_of);
        out.reserve(found.iter().map(|said| said.text.len() + AsOf::BYTES_MAX + 1).sum());
        for (n, said) in found.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            as_of.tell(said, out);
        }
        (found.len(), last)
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
        }
    }

    /// What the vehicle says of its position; `None` where none is known.
    pub(crate) fn said(&self, number: u32) -> Option<Said<'_>> {
        let tenant = &self.vehicles[number as usize].key.tenant;
        self.tenants.get(tenant)?.grid.said(self.spots[number as usize]?)
    }

    /// The vehicle's position has changed: it is encoded, and lies where it is.
    fn say(&mut self, number: u32) {
        let entry = &self.vehicles[number as usize];
        let Some(of) = self.tenants.get_mut(&entry.key.tenant) else { return };
        let (id, view, seq) = (&entry.key.vehicle, &entry.view, entry.position_seq);
        let lasting = PositionOut::lasting(id, view, seq, &mut self.scratch);
        let seen = lasting.map(|last| (last.position, last.time, self.scratch.as_slice()));
        of.grid.place(&mut self.spots, number, seen);
    }

    pub(crate) fn entry(&self, number: u32) -> &Entry {
        &self.vehicles[number as usize]
    }

    pub(crate) fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// Everything of a tenant, in order of the vehicles' ids.
    pub(crate) fn all(&self, tenant: &TenantId) -> Vec<Seen> {
        self.numbers(tenant).map(|number| self.seen(number)).collect()
    }

    /// The vehicles of a tenant, in order of their ids.
    pub(crate) fn numbers(&self, tenant: &TenantId) -> impl Iterator<Item = u32> {
        let of = self.tenants.get(tenant);
        of.into_iter().flat_map(|of| of.vehicles.values().copied())
    }

    /// One vehicle of a tenant.
    pub(crate) fn number_of(&self, tenant: &TenantId, vehicle: &VehicleId) -> Option<u32> {
        self.tenants.get(tenant)?.vehicles.get(vehicle).copied()
    }

    /// The vehicles of a tenant whose newest position lies in a box, in no order.
    pub(crate) fn inside(&self, tenant: &TenantId, bounds: Bounds) -> Vec<u32> {
        let mut found = Vec::with_capacity(FOUND);
        if let Some(of) = self.tenants.get(tenant) {
            of.grid.inside(bounds, &mut found);
        }
        found.iter().map(|said| said.number).collect()
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
            position_seq: 0,
            eta_seq: 0,
            position_slot: 0,
            eta_slot: 0,
        });
        self.spots.push(None);
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
        entry.view = Arc::new(view);
        self.say(number);
    }

    /// Takes an output in and gives it a slot of the ring. `event` is its JSON, where it is one.
    /// `false`: the key names no vehicle.
    pub(crate) fn apply(&mut self, at: Place, output: &Output, event: Option<Arc<str>>) -> bool {
        tracing::trace!(target: ingest::PACKET, seq = output.seq, "show");
        let Some(number) = self.number(at.key) else { return false };
        let next = self.ring.next();
        let entry = &mut self.vehicles[number as usize];
        Arc::make_mut(&mut entry.view).apply(output);
        let kind = match &output.body {
            Body::Position(position) => {
                let valid = position.input.report.fix.as_ref().is_some_and(|fix| fix.valid);
                if position.backfill || !valid {
                    None
                } else {
                    (entry.position_seq, entry.position_slot) = (output.seq, next);
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
        if kind.is_some() {
            // An eta or event changes status and activity.
            self.say(number);
        }
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

/// Where an output lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) key: &'a Bytes,
}

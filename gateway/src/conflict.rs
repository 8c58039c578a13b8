//! One identity on two connections: who may stay (contract §3).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use ingest::id::DeviceId;
use ingest::time::Timestamp;

/// An older connection that was heard within this long keeps its identity against another
/// address, seconds.
const HEARD_S: f64 = 60.0;

/// A live connection as others see it.
#[derive(Debug)]
pub(crate) struct Presence {
    number: u64,
    /// Where it comes from.
    pub(crate) peer: SocketAddr,
    heard: AtomicI64,
    /// What it has been told: [`REPLACED`] and others.
    calls: AtomicU8,
    /// Who waits for a call: its connection, in this one place for all of them.
    waits: Mutex<Option<Waker>>,
}

/// Somebody else has taken over its identity.
const REPLACED: u8 = 1;
/// There may be an order for one of its devices.
const ORDERED: u8 = 1 << 1;
/// The door is being closed.
const CLOSING: u8 = 1 << 2;
/// It has not looked since it was called.
const CALLED: u8 = 1 << 3;

impl Presence {
    /// Its place among all connections, from 0 to 1: those that came one after the other lie apart.
    pub(crate) fn turn(&self) -> f64 {
        // Fibonacci hashing: 2^64 divided by the golden ratio.
        let spread = self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Where it comes from, without the port.
    pub(crate) fn address(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    /// Waits until it is called: somebody else takes over its identity, there may be an order, or
    /// the door is being closed. One task waits at a time.
    pub(crate) fn poll_called(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        if waits.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            *waits = Some(cx.waker().clone());
        }
        drop(waits);
        if self.take(CALLED) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn call(&self, what: u8) {
        self.calls.fetch_or(what | CALLED, Ordering::Release);
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = waits.as_ref() {
            waker.wake_by_ref();
        }
    }

    fn is_called(&self, what: u8) -> bool {
        self.calls.load(Ordering::Acquire) & what != 0
    }

    fn take(&self, what: u8) -> bool {
        self.is_called(what) && self.calls.fetch_and(!what, Ordering::AcqRel) & what != 0
    }

    /// Whether somebody else has taken over its identity.
    pub(crate) fn is_replaced(&self) -> bool {
        self.is_called(REPLACED)
    }

    /// Whether the door is being closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_called(CLOSING)
    }

    /// There may be an order for one of its devices.
    pub(crate) fn order(&self) {
        self.call(ORDERED);
    }

    /// Whether there may be an order; it is looked for then.
    pub(crate) fn take_order(&self) -> bool {
        self.take(ORDERED)
    }

    pub(crate) fn heard(&self, now: Timestamp) {
        self.heard.store(now.micros(), Ordering::Relaxed);
    }
}

/// What came of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The identity is this connection's now.
    Granted,
    /// Another address has it and is alive.
    Conflict,
}

/// Who speaks as whom. As large as the number of connections times their identities, both bound.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// The door is being closed: whoever enters is told at once.
    closing: bool,
    live: HashMap<u64, Arc<Presence>>,
    by_device: HashMap<DeviceId, Arc<Presence>>,
}

impl Speakers {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection.
    pub(crate) fn enter(&self, peer: SocketAddr, now: Timestamp) -> Arc<Presence> {
        let mut table = self.lock();
        table.next += 1;
        let presence = Arc::new(Presence {
            number: table.next,
            peer,
            heard: AtomicI64::new(now.micros()),
            calls: AtomicU8::new(if table.closing { CLOSING } else { 0 }),
            waits: Mutex::new(None),
        });
        table.live.insert(presence.number, Arc::clone(&presence));
        presence
    }

    /// The door is being closed: every connection hears of it.
    pub(crate) fn close(&self) {
        let mut table = self.lock();
        table.closing = true;
        for presence in table.live.values() {
            presence.call(CLOSING);
        }
    }

    /// `claimant` wants to speak as `device`.
    pub(crate) fn claim(
        &self,
        device: &DeviceId,
        claimant: &Arc<Presence>,
        now: Timestamp,
    ) -> Outcome {
        let mut table = self.lock();
        if let Some(holder) = table.by_device.get(device)
            && holder.number != claimant.number
        {
            let heard = Timestamp::from_micros(holder.heard.load(Ordering::Relaxed));
            if holder.address() != claimant.address() && now.seconds_since(heard) < HEARD_S {
                return Outcome::Conflict;
            }
            holder.call(REPLACED);
        }
        table.by_device.insert(device.clone(), Arc::clone(claimant));
        Outcome::Granted
    }

    /// There is an order for this device.
    pub(crate) fn wake(&self, device: &DeviceId) {
        if let Some(presence) = self.lock().by_device.get(device) {
            presence.order();
        }
    }

    /// The connection is over.
    pub(crate) fn leave<'a>(
        &self,
        presence: &Arc<Presence>,
        devices: impl Iterator<Item = &'a DeviceId>,
    ) {
        let mut table = self.lock();
        table.live.remove(&presence.number);
        for device in devices {
            if table.by_device.get(device).is_some_and(|p| p.number == presence.number) {
                table.by_device.remove(device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_connection_keeps_its_identity_against_other_addresses() {
        let at = Timestamp::from_seconds;
        let speakers = Speakers::default();
        let device = DeviceId::new("352093081452251").unwrap();
        let old = speakers.enter("192.0.2.1:9".parse().unwrap(), at(0));
        assert_eq!(speakers.claim(&device, &old, at(0)), Outcome::Granted);
        let thief = speakers.enter("192.0.2.2:9".parse().unwrap(), at(30));
        assert_eq!(speakers.claim(&device, &thief, at(30)), Outcome::Conflict);
        let same = speakers.enter("192.0.2.1:10".parse().unwrap(), at(31));
        assert_eq!(speakers.claim(&device, &same, at(31)), Outcome::Granted);
        assert_eq!(speakers.claim(&device, &thief, at(95)), Outcome::Granted);
        speakers.leave(&thief, std::iter::once(&device));
        assert_eq!(speakers.claim(&device, &old, at(96)), Outcome::Granted);
    }

    #[test]
    fn whoever_waits_is_called_once() {
        let speakers = Speakers::default();
        let early = speakers.enter("192.0.2.1:9".parse().unwrap(), Timestamp::default());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(early.poll_called(&mut cx).is_pending());
        early.order();
        assert!(early.poll_called(&mut cx).is_ready() && early.poll_called(&mut cx).is_pending());
        assert!(early.take_order() && !early.take_order() && !early.is_closing());
        speakers.close();
        assert!(early.poll_called(&mut cx).is_ready() && early.is_closing());
        let late = speakers.enter("192.0.2.1:10".parse().unwrap(), Timestamp::default());
        assert!(late.is_closing(), "it comes too late");
    }
}

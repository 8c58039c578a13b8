//! One identity on two connections: who may stay (contract §3).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ingest::id::DeviceId;
use ingest::time::Timestamp;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// An older connection that was heard within this long keeps its identity against another
/// address, seconds.
const HEARD_S: f64 = 60.0;

/// A live connection as others see it.
#[derive(Debug)]
pub(crate) struct Presence {
    number: u64,
    /// Where it comes from.
    pub(crate) address: IpAddr,
    heard: AtomicI64,
    replaced: AtomicBool,
    ordered: AtomicBool,
    /// Told when one of the two has become true: a connection waits in one place for both.
    called: Notify,
}

impl Presence {
    /// Its place among all connections, from 0 to 1: those that came one after the other lie apart.
    pub(crate) fn turn(&self) -> f64 {
        // Fibonacci hashing: 2^64 divided by the golden ratio.
        let spread = self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Waits until it is called: somebody else takes over its identity, or there may be an order.
    pub(crate) fn called(&self) -> Notified<'_> {
        self.called.notified()
    }

    fn replace(&self) {
        self.replaced.store(true, Ordering::Release);
        self.called.notify_one();
    }

    /// Whether somebody else has taken over its identity.
    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Acquire)
    }

    /// There may be an order for one of its devices.
    pub(crate) fn order(&self) {
        self.ordered.store(true, Ordering::Release);
        self.called.notify_one();
    }

    /// Whether there may be an order; it is looked for then.
    pub(crate) fn take_order(&self) -> bool {
        self.ordered.load(Ordering::Relaxed) && self.ordered.swap(false, Ordering::Acquire)
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
    by_device: HashMap<DeviceId, Arc<Presence>>,
}

impl Speakers {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection.
    pub(crate) fn enter(&self, address: IpAddr, now: Timestamp) -> Arc<Presence> {
        let mut table = self.lock();
        table.next += 1;
        Arc::new(Presence {
            number: table.next,
            address,
            heard: AtomicI64::new(now.micros()),
            replaced: AtomicBool::new(false),
            ordered: AtomicBool::new(false),
            called: Notify::new(),
        })
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
            if holder.address != claimant.address && now.seconds_since(heard) < HEARD_S {
                return Outcome::Conflict;
            }
            holder.replace();
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
        let old = speakers.enter("192.0.2.1".parse().unwrap(), at(0));
        assert_eq!(speakers.claim(&device, &old, at(0)), Outcome::Granted);
        let thief = speakers.enter("192.0.2.2".parse().unwrap(), at(30));
        assert_eq!(speakers.claim(&device, &thief, at(30)), Outcome::Conflict);
        let same = speakers.enter("192.0.2.1".parse().unwrap(), at(31));
        assert_eq!(speakers.claim(&device, &same, at(31)), Outcome::Granted);
        assert_eq!(speakers.claim(&device, &thief, at(95)), Outcome::Granted);
        speakers.leave(&thief, std::iter::once(&device));
        assert_eq!(speakers.claim(&device, &old, at(96)), Outcome::Granted);
    }
}

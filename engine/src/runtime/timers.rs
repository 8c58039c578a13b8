//! Which vehicle is to be woken when: one wake-up a vehicle, taken in (time, vehicle) order.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ingest::time::Timestamp;

/// The wake-ups of one partition.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(Timestamp, Bytes)>,
    /// By input offset: vehicles whose restored state contains all inputs below it. Until then
    /// they have been woken already.
    dormant: BTreeMap<u64, Vec<(Timestamp, Bytes)>>,
}

impl Timers {
    /// Replaces a vehicle's wake-up.
    pub(super) fn set(&mut self, key: &Bytes, old: Option<Timestamp>, new: Option<Timestamp>) {
        if old == new {
            return;
        }
        if let Some(at) = old {
            self.due.remove(&(at, key.clone()));
        }
        if let Some(at) = new {
            self.due.insert((at, key.clone()));
        }
    }

    /// A restored vehicle's wake-up, which counts from this input on.
    pub(super) fn restore(&mut self, key: Bytes, at: Timestamp, contains: u64) {
        self.dormant.entry(contains).or_default().push((at, key));
    }

    /// The input of this offset is next.
    pub(super) fn reach(&mut self, offset: u64) {
        while let Some(entry) = self.dormant.first_entry()
            && *entry.key() <= offset
        {
            self.due.extend(entry.remove());
        }
    }

    /// Takes the first wake-up that is not after `now`.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<(Timestamp, Bytes)> {
        let first = self.due.first()?;
        if first.0 > now { None } else { self.due.pop_first() }
    }

    /// When the first wake-up is due.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wake_ups_come_in_order_and_only_when_due() {
        let at = Timestamp::from_seconds;
        let key = |k: &'static str| Bytes::from_static(k.as_bytes());
        let mut timers = Timers::default();
        timers.set(&key("b"), None, Some(at(5)));
        timers.set(&key("a"), None, Some(at(5)));
        timers.set(&key("c"), None, Some(at(3)));
        timers.restore(key("d"), at(1), 40);
        timers.set(&key("c"), Some(at(3)), Some(at(9)));
        assert_eq!(timers.first(), Some(at(5)));
        assert_eq!(timers.pop(at(4)), None);
        assert_eq!(timers.pop(at(6)), Some((at(5), key("a"))));
        timers.reach(39);
        assert_eq!(timers.pop(at(6)), Some((at(5), key("b"))));
        timers.reach(41);
        assert_eq!(timers.pop(at(6)), Some((at(1), key("d"))));
        assert_eq!(timers.pop(at(6)), None);
    }
}

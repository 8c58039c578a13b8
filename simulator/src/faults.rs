//! What goes wrong between a device and the server, on order.

use thiserror::Error;

use crate::chance::{Chance, For};

/// Shortest and longest time without a network, seconds: shorter than anybody calls silence.
const OFFLINE_S: (f64, f64) = (15.0, 95.0);
/// Longest burst of garbage, bytes.
const GARBAGE_MAX: usize = 160;

/// How often what goes wrong; all zero: a perfect network.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// Per packet: the connection breaks in the middle of it or right after it.
    pub disconnect: f64,
    /// Per packet: it is sent twice.
    pub duplicate: f64,
    /// Per packet: the next one overtakes it.
    pub reorder: f64,
    /// Per packet: bytes that mean nothing come before it.
    pub garbage: f64,
    /// Share of the time that a device has no network and keeps what it measures.
    pub offline: f64,
}

/// A list of faults that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "fault `{0}` is not NAME=SHARE with disconnect, duplicate, reorder, garbage or offline and a \
     share from 0 to 1"
)]
pub struct NotAFault(pub String);

impl Faults {
    /// Reads `disconnect=0.01,offline=0.05`; empty is none.
    pub fn parse(text: &str) -> Result<Self, NotAFault> {
        let mut faults = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let wrong = || NotAFault(part.to_owned());
            let (name, share) = part.split_once('=').ok_or_else(wrong)?;
            let share: f64 =
                share.parse().ok().filter(|s| (0.0..=1.0).contains(s)).ok_or_else(wrong)?;
            *match name {
                "disconnect" => &mut faults.disconnect,
                "duplicate" => &mut faults.duplicate,
                "reorder" => &mut faults.reorder,
                "garbage" => &mut faults.garbage,
                "offline" => &mut faults.offline,
                _ => return Err(wrong()),
            } = share;
        }
        Ok(faults)
    }
}

/// Where a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// After this many bytes of the packet.
    Within(usize),
    /// After the whole packet, before its answer.
    After,
}

/// The faults of one device's connection, drawn from its own stream of chance.
#[derive(Debug, Clone)]
pub struct Weather {
    faults: Faults,
    chance: Chance,
    offline_until_s: f64,
}

impl Weather {
    /// The weather of vehicle `number`.
    pub fn new(faults: Faults, seed: u64, number: u32) -> Self {
        let chance = Chance::new(seed, For::Faults(number));
        Self { faults, chance, offline_until_s: f64::NEG_INFINITY }
    }

    /// Whether the device has no network, asked once per fix, `interval_s` apart.
    pub fn is_offline(&mut self, at_s: f64, interval_s: f64) -> bool {
        if at_s < self.offline_until_s {
            return true;
        }
        let mean = f64::midpoint(OFFLINE_S.0, OFFLINE_S.1);
        let online = mean * (1.0 - self.faults.offline) / self.faults.offline.max(1e-9);
        let begins =
            self.faults.offline > 0.0 && self.chance.happens(interval_s / online.max(1e-9));
        if begins {
            self.offline_until_s = at_s + self.chance.between(OFFLINE_S.0, OFFLINE_S.1);
        }
        begins
    }

    /// Whether and where the connection breaks while a packet of `bytes` is sent.
    pub fn breaks(&mut self, bytes: usize) -> Option<Break> {
        let happens = self.chance.happens(self.faults.disconnect);
        let within = self.chance.happens(0.5);
        let at = self.chance.below(bytes);
        happens.then_some(if within { Break::Within(at) } else { Break::After })
    }

    /// Whether a packet is sent twice.
    pub fn duplicates(&mut self) -> bool {
        self.chance.happens(self.faults.duplicate)
    }

    /// Whether the next packet overtakes this one.
    pub fn reorders(&mut self) -> bool {
        self.chance.happens(self.faults.reorder)
    }

    /// Bytes that come before a packet; mostly none.
    pub fn garbage(&mut self) -> Vec<u8> {
        if !self.chance.happens(self.faults.garbage) {
            return Vec::new();
        }
        let mut bytes = vec![0; 1 + self.chance.below(GARBAGE_MAX)];
        self.chance.fill(&mut bytes);
        bytes
    }

    /// Seconds until a broken connection is tried again after `failures` in a row.
    pub fn pause_s(&mut self, failures: u32) -> f64 {
        let most = (0.5 * f64::from(1_u32 << failures.min(5))).min(10.0);
        self.chance.between(0.1, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_wrong_ones_named() {
        let faults = Faults::parse("disconnect=0.01, offline=0.05").expect("two faults");
        assert_eq!((faults.disconnect, faults.offline, faults.garbage), (0.01, 0.05, 0.0));
        assert_eq!(Faults::parse(""), Ok(Faults::default()));
        for wrong in ["rain=0.1", "garbage", "garbage=2", "garbage=x"] {
            assert_eq!(Faults::parse(wrong), Err(NotAFault(wrong.into())), "{wrong}");
        }
    }

    #[test]
    fn a_device_is_offline_its_share_of_the_time() {
        let faults = Faults { offline: 0.2, ..Faults::default() };
        let mut weather = Weather::new(faults, 1, 1);
        let n = 100_000;
        let off = (0..n).filter(|k| weather.is_offline(f64::from(*k) * 5.0, 5.0)).count();
        let share = off as f64 / f64::from(n);
        assert!((0.16..0.24).contains(&share), "{share}");
    }
}

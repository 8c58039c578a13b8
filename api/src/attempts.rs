//! What an address did in the last minute, guesses above all: whoever does too much waits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use ingest::time::Timestamp;

use crate::store::lock;

/// The minute, seconds.
const MINUTE_S: f64 = 60.0;
/// Addresses remembered; beyond it the oldest minute is forgotten.
const ADDRESSES_MAX: usize = 10_000;

/// Attempts by address since a moment.
#[derive(Debug)]
pub(crate) struct Attempts {
    most: u32,
    failed: Mutex<HashMap<IpAddr, (Timestamp, u32)>>,
}

impl Attempts {
    /// At most so many of an address in a minute.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, failed: Mutex::default() }
    }

    /// Whether the address may try again. Without an address (a test) it always may.
    pub(crate) fn allowed(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let Some(address) = address else { return true };
        let failed = lock(&self.failed);
        !failed.get(&address).is_some_and(|(since, failed)| {
            now.seconds_since(*since) < MINUTE_S && *failed >= self.most
        })
    }

    /// One more that counts.
    pub(crate) fn count(&self, address: Option<IpAddr>, now: Timestamp) {
        let Some(address) = address else { return };
        let mut failed = lock(&self.failed);
        if failed.len() >= ADDRESSES_MAX {
            failed.retain(|_, (since, _)| now.seconds_since(*since) < MINUTE_S);
        }
        if failed.len() >= ADDRESSES_MAX {
            failed.clear();
        }
        let entry = failed.entry(address).or_insert((now, 0));
        if now.seconds_since(entry.0) >= MINUTE_S {
            *entry = (now, 0);
        }
        entry.1 += 1;
    }
}

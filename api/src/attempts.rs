//! What an address did, or was done at an account, in the last minute, guesses above all: whoever does
//! too much waits.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

use ingest::time::Timestamp;

use crate::store::lock;

/// The minute, seconds.
const MINUTE_S: f64 = 60.0;
/// Addresses or accounts remembered; beyond it the oldest minute is forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// Attempts by whose they are, since a moment.
#[derive(Debug)]
pub(crate) struct Attempts<K> {
    most: u32,
    failed: Mutex<HashMap<K, (Timestamp, u32)>>,
}

impl<K: Eq + Hash> Attempts<K> {
    /// At most so many of one in a minute.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, failed: Mutex::default() }
    }

    /// Whether it may try again. Without an address (a test) it always may.
    pub(crate) fn allowed(&self, whose: Option<K>, now: Timestamp) -> bool {
        let Some(whose) = whose else { return true };
        let failed = lock(&self.failed);
        !failed.get(&whose).is_some_and(|(since, failed)| {
            now.seconds_since(*since) < MINUTE_S && *failed >= self.most
        })
    }

    /// One more that counts.
    pub(crate) fn count(&self, whose: Option<K>, now: Timestamp) {
        let Some(whose) = whose else { return };
        let mut failed = lock(&self.failed);
        if failed.len() >= REMEMBERED_MAX {
            failed.retain(|_, (since, _)| now.seconds_since(*since) < MINUTE_S);
        }
        if failed.len() >= REMEMBERED_MAX {
            failed.clear();
        }
        let entry = failed.entry(whose).or_insert((now, 0));
        if now.seconds_since(entry.0) >= MINUTE_S {
            *entry = (now, 0);
        }
        entry.1 += 1;
    }
}

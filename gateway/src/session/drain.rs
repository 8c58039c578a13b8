//! A door that closes.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::DRAIN_LIMIT;

/// When the door closes: each connection in its turn, and all of them in time.
pub(super) struct Drain {
    /// It is read until then.
    pub(super) close_at: Instant,
    /// Its replies are waited for until then.
    pub(super) until: Instant,
}

impl Drain {
    /// `turn`: its place among all, from 0 to 1.
    pub(super) fn begin(turn: f64, within: Duration) -> Self {
        let now = Instant::now();
        Self { close_at: now + within.mul_f64(turn), until: now + DRAIN_LIMIT }
    }
}

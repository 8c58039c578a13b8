//! Whether appends succeed: what `/readyz` of the gateway says.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ingest::time::Timestamp;

/// An append that is still under way after this long counts as failing, seconds.
const STUCK_S: f64 = 4.0;
/// After this long without a failed append the door counts as open again, seconds.
const QUIET_S: f64 = 8.0;

/// Counts of appends and when one last failed.
#[derive(Debug, Default)]
pub(crate) struct Health {
    failed_at: AtomicI64,
    under_way: AtomicU64,
    /// When the oldest run of appends that never came to an end began.
    busy_since: AtomicI64,
}

impl Health {
    pub(crate) fn began(&self, now: Timestamp) {
        if self.under_way.fetch_add(1, Ordering::Relaxed) == 0 {
            self.busy_since.store(now.micros(), Ordering::Relaxed);
        }
    }
    /// One append has ended; any success is a sign of life.
    pub(crate) fn ended(&self, now: Timestamp, ok: bool) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        self.busy_since.store(now.micros(), Ordering::Relaxed);
        self.failed_at.store(if ok { 0 } else { now.micros() }, Ordering::Relaxed);
    }
    /// Nobody waits for an append any more: its connection has ended before it did.
    pub(crate) fn abandoned(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }
    /// The reason why not, in words.
    pub(crate) fn ready(&self, now: Timestamp) -> Result<(), String> {
        let since = |at: i64| now.seconds_since(Timestamp::from_micros(at));
        let failed = self.failed_at.load(Ordering::Relaxed);
        if failed != 0 && since(failed) < QUIET_S {
            return Err(format!("the last append to the log failed {:.0} s ago", since(failed)));
        }
        let busy = self.busy_since.load(Ordering::Relaxed);
        if self.under_way.load(Ordering::Relaxed) > 0 && since(busy) > STUCK_S {
            return Err(format!("no append to the log has ended for {:.0} s", since(busy)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_silence_are_told_and_forgotten() {
        let at = Timestamp::from_seconds;
        let health = Health::default();
        assert!(health.ready(at(1000)).is_ok());
        health.began(at(1000));
        assert!(health.ready(at(1003)).is_ok());
        assert!(health.ready(at(1005)).is_err());
        health.ended(at(1006), true);
        assert!(health.ready(at(1006)).is_ok());
        health.began(at(1007));
        health.ended(at(1007), false);
        assert!(health.ready(at(1008)).is_err());
        assert!(health.ready(at(1016)).is_ok());
        health.began(at(1017));
        health.abandoned();
        assert!(health.ready(at(1030)).is_ok());
    }
}

//! The log in memory under the checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ingest::log::{Clock, Log, MemoryLog, Topic};
use ingest::time::Timestamp;

use super::conform;
use super::harness::Harness;

/// A clock that only moves when it is told to.
#[derive(Debug, Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_700_000_000_000_000)))
    }

    pub(crate) fn clock(&self) -> Clock {
        let micros = Arc::clone(&self.0);
        Arc::new(move || Timestamp::from_micros(micros.load(Ordering::Relaxed)))
    }

    pub(crate) fn advance(&self, seconds: f64) {
        self.0.fetch_add((seconds * 1e6) as i64, Ordering::Relaxed);
    }
}

struct Memory {
    log: MemoryLog,
    clock: TestClock,
}

impl Harness for Memory {
    fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.log.clone())
    }

    fn restart(&mut self) -> bool {
        false
    }

    fn advance(&mut self, seconds: f64) -> bool {
        self.clock.advance(seconds);
        true
    }

    fn silence(&mut self, group: &str, topic: Topic, owner: &str) -> bool {
        self.log.expire_member(group, topic, owner)
    }
}

#[test]
fn the_log_in_memory_conforms() {
    conform(|_| {
        let clock = TestClock::new();
        Box::new(Memory { log: MemoryLog::new(16, clock.clock()), clock })
    });
}

//! The one place that reads the time of day.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ingest::log::Clock;
use ingest::time::Timestamp;

/// The time of day, UTC.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time of day")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(since.as_micros() as i64)
}

/// The time of day as the libraries take it.
pub fn wall() -> Clock {
    Arc::new(now)
}

/// A clock that only measures how long something took.
pub fn monotonic() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads a clock")]
    Instant::now()
}

//! How fast the devices of one connection may speak: what goes beyond stays in the kernel's buffers, so that the
//! peer itself slows down and nothing is lost.
//!
//! The generic cell rate algorithm (ITU-T I.371): one moment, at which all that was read would have
//! been said at the full rate. While it lies less than [`PACE_BURST`] ahead, more is read.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::PACE_BURST;

/// One connection's pace.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes a second of one device; 0: any.
    bytes_per_second: u32,
    /// When all that was read would have been said.
    said: Instant,
}

impl Pace {
    pub(super) fn new(bytes_per_second: u32, now: Instant) -> Self {
        Self { bytes_per_second, said: now }
    }

    /// So many bytes of so many devices were read. Whether nothing may be read for a while.
    pub(super) fn heard(&mut self, bytes: usize, devices: usize, now: Instant) -> bool {
        if self.bytes_per_second == 0 {
            return false;
        }
        let rate = f64::from(self.bytes_per_second) * devices.max(1) as f64;
        let takes = bytes as f64 / rate;
        self.said = self.said.max(now) + Duration::from_secs_f64(takes);
        self.next().is_some_and(|next| next > now)
    }

    /// When more may be read; `None`: at any time.
    pub(super) fn next(&self) -> Option<Instant> {
        self.said.checked_sub(PACE_BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_is_slowed_to_the_rate() {
        let begin = Instant::now() + Duration::from_hours(1);
        let mut pace = Pace::new(1_000, begin);
        let burst = PACE_BURST.as_secs() as usize * 1_000;
        assert!(!pace.heard(burst, 1, begin), "a burst is taken at once");
        assert!(pace.heard(500, 1, begin), "and no more");
        assert_eq!(pace.next(), Some(begin + Duration::from_millis(500)));
        let later = begin + Duration::from_secs(2);
        assert!(!pace.heard(2_000, 2, later), "what was not said is saved up");
        assert!(!Pace::new(0, begin).heard(usize::MAX, 0, begin), "0 is no limit");
    }
}

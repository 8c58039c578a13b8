//! How fast connections are let in: few at first, since after a restart a whole fleet comes back
//! at once, and a door that takes them all answers none. Those that are not let in yet wait in the
//! kernel's queue; beyond it their own TCP tries again, each in its own time.

use std::time::Duration;

use tokio::time::Instant;

/// Part of the full rate that a door begins with.
const FIRST: f64 = 0.2;
/// How long it takes to the full rate.
const GROWS_FOR: Duration = Duration::from_secs(10);
/// Seconds of the rate that may enter at once after a silence, and the least that may.
const BURST_S: f64 = 0.05;
const BURST_MIN: f64 = 64.0;

/// Lets connections in.
#[derive(Debug)]
pub(crate) struct Ramp {
    /// Connections a second.
    full: f64,
    began: Instant,
    /// How many may enter now.
    credit: f64,
    counted: Instant,
}

impl Ramp {
    pub(crate) fn new(full: u32, now: Instant) -> Self {
        let full = f64::from(full.max(1));
        Self { full, began: now, credit: BURST_MIN, counted: now }
    }

    /// One more enters now, or how long it has to wait.
    pub(crate) fn enter(&mut self, now: Instant) -> Result<(), Duration> {
        let grown = now.duration_since(self.began).as_secs_f64() / GROWS_FOR.as_secs_f64();
        let rate = self.full * (FIRST + (1.0 - FIRST) * grown.min(1.0));
        let earned = now.duration_since(self.counted).as_secs_f64() * rate;
        self.credit = (self.credit + earned).min((rate * BURST_S).max(BURST_MIN));
        self.counted = now;
        if self.credit >= 1.0 {
            self.credit -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.credit) / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a crowd enter within so many milliseconds from then on.
    fn entered(ramp: &mut Ramp, from: Instant, millis: u64) -> u32 {
        let end = from + Duration::from_millis(millis);
        let (mut now, mut count) = (from, 0);
        while now < end {
            match ramp.enter(now) {
                Ok(()) => count += 1,
                Err(wait) => now += wait.max(Duration::from_micros(1)),
            }
        }
        count
    }

    #[test]
    fn a_crowd_enters_slowly_then_at_the_full_rate() {
        let began = Instant::now();
        let mut ramp = Ramp::new(2_000, began);
        let first = entered(&mut ramp, began, 1_000);
        assert!((450..=650).contains(&first), "{first} in the first second");
        let later = entered(&mut ramp, began + Duration::from_secs(20), 1_000);
        assert!((1_990..=2_110).contains(&later), "{later} in a later second");
    }

    #[test]
    fn a_few_never_wait() {
        let now = Instant::now();
        let mut ramp = Ramp::new(1_000, now);
        assert!((0..64).all(|_| ramp.enter(now).is_ok()));
        assert!(ramp.enter(now).is_err());
    }
}

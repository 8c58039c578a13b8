//! Predicted late, back on time: the probability of missing a window, held.
//!
//! A window is warned of once and taken back at most once. Whoever is told twice of one window
//! stops to listen, so it is said only when it has held for a while, the longer the more time is
//! left to be sure, and taken back only when it is all but certain that it will be kept.

use ingest::time::Timestamp;

use super::{Policy, Turn};

/// Where a window closes within this time, seconds, near certainty is said at once.
const SOON_S: f64 = 3600.0;

/// One stop's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Late {
    /// It has been said that the window will be missed.
    pub raised: bool,
    /// It was said before and taken back: it is not said again.
    pub before: bool,
    /// Since when the opposite of `raised` holds.
    pub since: Option<Timestamp>,
}

impl Late {
    /// Told the probability of missing the window, which closes in `closes_s`, as of `now`.
    pub fn look(
        &mut self,
        policy: &Policy,
        (miss, closes_s): (f64, f64),
        now: Timestamp,
    ) -> Option<Turn> {
        let other = if self.raised { miss <= policy.late_clear } else { miss >= policy.late_raise };
        if self.before || !other {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let at_once = !self.raised && miss >= policy.late_at_once && closes_s <= SOON_S;
        if !at_once && now.seconds_since(since) < self.hold_s(policy, closes_s) {
            return None;
        }
        self.since = None;
        self.before = self.raised;
        self.raised = !self.raised;
        Some(if self.raised { Turn::Raise } else { Turn::Clear })
    }

    /// When it must look again, should nothing else happen.
    pub fn due(&self, policy: &Policy, closes_s: f64) -> Option<Timestamp> {
        self.since.map(|s| s.plus_seconds(self.hold_s(policy, closes_s)))
    }

    fn hold_s(&self, policy: &Policy, closes_s: f64) -> f64 {
        if self.raised {
            policy.late_clear_hold_s
        } else {
            policy.late_hold_s + policy.late_hold_share * closes_s.max(0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(closes: i64, course: &[(i64, f64)], expected: &str) {
        let (policy, mut late) = (Policy::default(), Late::default());
        let said: Vec<String> = course
            .iter()
            .filter_map(|(t, miss)| {
                let turn =
                    late.look(&policy, (*miss, (closes - t) as f64), Timestamp::from_seconds(*t));
                turn.map(|turn| format!("{t} {turn:?}"))
            })
            .collect();
        assert_eq!(said.join(", "), expected);
    }

    #[test]
    fn a_probability_must_hold() {
        check(600, &[(0, 0.85), (30, 0.85), (70, 0.85), (90, 0.85), (120, 0.9)], "90 Raise");
        check(600, &[(0, 0.85), (30, 0.6), (60, 0.85), (119, 0.85)], "");
        check(600, &[(0, 0.96), (10, 0.5), (20, 0.96)], "0 Raise");
    }

    #[test]
    fn what_is_far_away_can_wait() {
        check(20_000, &[(0, 0.99), (600, 0.99), (1000, 0.99), (1020, 0.99)], "1020 Raise");
        check(20_000, &[(0, 0.85), (600, 0.6), (610, 0.85), (1020, 0.85)], "");
    }

    #[test]
    fn it_is_said_once_and_taken_back_once() {
        let back = [(0, 0.96), (10, 0.03), (100, 0.3), (110, 0.03), (410, 0.03)];
        check(1000, &back, "0 Raise, 410 Clear");
        let again = [(0, 0.96), (10, 0.03), (310, 0.03), (320, 0.96), (600, 1.0)];
        check(1000, &again, "0 Raise, 310 Clear");
    }
}

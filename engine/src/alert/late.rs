//! Predicted late, back on time: the probability of missing a window, held.

use ingest::time::Timestamp;

use super::{Policy, Turn};

/// One stop's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Late {
    /// It has been said that the window will be missed.
    pub raised: bool,
    /// It was said before and taken back: it takes near certainty, held, to say it again.
    pub before: bool,
    /// Since when the opposite of `raised` holds.
    pub since: Option<Timestamp>,
}

impl Late {
    /// Told the probability of missing the window, as of `now`.
    pub fn look(&mut self, policy: &Policy, miss: f64, now: Timestamp) -> Option<Turn> {
        let raise = if self.before { policy.late_at_once } else { policy.late_raise };
        let other = if self.raised { miss <= policy.late_clear } else { miss >= raise };
        if !other {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let at_once = !self.raised && !self.before && miss >= policy.late_at_once;
        if !at_once && now.seconds_since(since) < self.hold_s(policy) {
            return None;
        }
        self.since = None;
        self.before |= self.raised;
        self.raised = !self.raised;
        Some(if self.raised { Turn::Raise } else { Turn::Clear })
    }

    /// When it must look again, should nothing else happen.
    pub fn due(&self, policy: &Policy) -> Option<Timestamp> {
        self.since.map(|s| s.plus_seconds(self.hold_s(policy)))
    }

    fn hold_s(&self, policy: &Policy) -> f64 {
        if self.raised || self.before { policy.late_clear_hold_s } else { policy.late_hold_s }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(course: &[(i64, f64)], expected: &str) {
        let (policy, mut late) = (Policy::default(), Late::default());
        let said: Vec<String> = course
            .iter()
            .filter_map(|(t, miss)| {
                let turn = late.look(&policy, *miss, Timestamp::from_seconds(*t));
                turn.map(|turn| format!("{t} {turn:?}"))
            })
            .collect();
        assert_eq!(said.join(", "), expected);
    }

    #[test]
    fn a_probability_must_hold() {
        check(&[(0, 0.8), (30, 0.8), (60, 0.8), (90, 0.9)], "60 Raise");
        check(&[(0, 0.8), (30, 0.6), (60, 0.8), (119, 0.8)], "");
        check(&[(0, 0.96), (10, 0.5), (20, 0.96)], "0 Raise");
        check(&[(0, 0.96), (10, 0.08), (100, 0.3), (110, 0.08), (290, 0.08)], "0 Raise, 290 Clear");
        let again = [(0, 0.96), (10, 0.08), (190, 0.08), (200, 0.9), (300, 0.96), (480, 0.96)];
        check(&again, "0 Raise, 190 Clear, 480 Raise");
    }
}

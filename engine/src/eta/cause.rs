//! Why an arrival moved: a ledger of what makes it up, kept from one word to the next.

use ingest::id::StopId;

use crate::model::{Cause, CauseKind};

/// Parts smaller than this, seconds, are not worth a line and go to `other`.
const WORTH_S: i64 = 5;

/// What a predicted arrival is made of, whole seconds since the route became active. What is not
/// in here (roundings, the way from mean to median) is `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Planned service of the stops before.
    pub plan: i64,
    /// The way at the usual pace, driven and still to drive.
    pub travel: i64,
    /// What the roads took and will take beyond that.
    pub traffic: i64,
    /// Service beyond the planned one at stops reached so far.
    pub dwell: i64,
    /// Service expected beyond the planned one at stops not reached yet.
    pub dwell_ahead: i64,
    /// Waiting for windows.
    pub waiting: i64,
    /// Time lost or won by silence.
    pub signal: i64,
}

impl Ledger {
    /// The change since `before` as lines that add up to `moved_s`, the largest first. `stop` is
    /// where the vehicle is or was last: its dwell is the one that can have changed.
    pub fn causes(&self, before: &Self, moved_s: i64, stop: Option<&StopId>) -> Vec<Cause> {
        let parts = [
            (CauseKind::Dwell, self.dwell - before.dwell, stop),
            (CauseKind::Dwell, self.dwell_ahead - before.dwell_ahead, None),
            (CauseKind::Travel, self.travel - before.travel, None),
            (CauseKind::Traffic, self.traffic - before.traffic, None),
            (CauseKind::Waiting, self.waiting - before.waiting, None),
            (CauseKind::Plan, self.plan - before.plan, None),
            (CauseKind::Signal, self.signal - before.signal, None),
        ];
        let mut rest = moved_s;
        let mut causes = Vec::new();
        for (kind, seconds, stop) in parts {
            if seconds.abs() >= WORTH_S {
                rest -= seconds;
                causes.push(Cause { kind, seconds, stop: stop.cloned() });
            }
        }
        causes.sort_by_key(|c| std::cmp::Reverse(c.seconds.abs()));
        if rest != 0 {
            causes.push(Cause { kind: CauseKind::Other, seconds: rest, stop: None });
        }
        causes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_add_up_to_the_change() {
        let before = Ledger { travel: 600, traffic: 30, ..Ledger::default() };
        let after = Ledger { travel: 598, traffic: 180, dwell: 300, waiting: -40, ..before };
        let stop = StopId::new("s6").unwrap();
        let causes = after.causes(&before, 420, Some(&stop));
        assert_eq!(causes.iter().map(|c| c.seconds).sum::<i64>(), 420);
        assert_eq!(causes[0].kind, CauseKind::Dwell);
        assert_eq!(causes[0].stop.as_ref(), Some(&stop));
        assert_eq!(causes[1], Cause { kind: CauseKind::Traffic, seconds: 150, stop: None });
        assert!(after.causes(&after, 0, None).is_empty());
    }
}

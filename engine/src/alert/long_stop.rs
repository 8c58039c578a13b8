//! Long stop, moving again: standing where no stop is.

use ingest::time::Timestamp;

use super::{Policy, Turn};

/// One vehicle on an active route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LongStop {
    /// It has been said.
    pub raised: bool,
}

impl LongStop {
    /// Told since when the vehicle stands at a place where it has nothing to do; `None` while it
    /// moves, is at a stop or at the depot, or has no work.
    pub fn look(
        &mut self,
        policy: &Policy,
        standing: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Turn> {
        let long = standing.is_some_and(|s| now.seconds_since(s) >= policy.long_stop_s);
        let turn = match (self.raised, long) {
            (false, true) => Some(Turn::Raise),
            (true, false) if standing.is_none() => Some(Turn::Clear),
            _ => None,
        };
        if let Some(turn) = turn {
            self.raised = turn == Turn::Raise;
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_minutes_are_long() {
        let (policy, mut rule) = (Policy::default(), LongStop::default());
        let at = Timestamp::from_seconds;
        assert_eq!(rule.look(&policy, Some(at(0)), at(599)), None);
        assert_eq!(rule.look(&policy, Some(at(0)), at(600)), Some(Turn::Raise));
        assert_eq!(rule.look(&policy, Some(at(0)), at(700)), None);
        assert_eq!(rule.look(&policy, None, at(710)), Some(Turn::Clear));
        assert_eq!(rule.look(&policy, None, at(720)), None);
    }
}

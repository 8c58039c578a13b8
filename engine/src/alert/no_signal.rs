//! No signal, signal back: a vehicle that speaks falls silent.

use ingest::time::Timestamp;

use super::{Policy, Turn};

/// One vehicle, by the partition's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silence {
    /// It has been said.
    pub raised: bool,
    /// When a device of the vehicle last gave a sign of life, or our own outage ended; absent
    /// before the first and while it has no device.
    pub heard: Option<Timestamp>,
}

impl Silence {
    /// A sign of life; whether this ends a silence that was said.
    pub fn heard(&mut self, now: Timestamp) -> Option<Turn> {
        self.heard = self.heard.max(Some(now));
        std::mem::take(&mut self.raised).then_some(Turn::Clear)
    }

    /// Nobody owned the partition until `now`: a silence before it was ours.
    pub fn resumed(&mut self, now: Timestamp) {
        if self.heard.is_some() && !self.raised {
            self.heard = self.heard.max(Some(now));
        }
    }

    /// When silence will have lasted too long for a device that usually speaks every
    /// `interval_s`; absent when it has been said or nothing is expected.
    pub fn due(&self, policy: &Policy, interval_s: f64) -> Option<Timestamp> {
        let limit = policy.no_signal_s.max(policy.no_signal_intervals * interval_s);
        self.heard.filter(|_| !self.raised).map(|h| h.plus_seconds(limit))
    }

    /// Time has come to `now`.
    pub fn look(&mut self, policy: &Policy, interval_s: f64, now: Timestamp) -> Option<Turn> {
        let due = self.due(policy, interval_s)?;
        (now >= due).then(|| {
            self.raised = true;
            Turn::Raise
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_outage_is_not_silence() {
        let (policy, at) = (Policy::default(), Timestamp::from_seconds);
        let mut silence = Silence::default();
        assert_eq!(silence.look(&policy, 10.0, at(1000)), None);
        assert_eq!(silence.heard(at(1000)), None);
        silence.resumed(at(1480));
        assert_eq!(silence.look(&policy, 10.0, at(1599)), None);
        assert_eq!(silence.look(&policy, 10.0, at(1600)), Some(Turn::Raise));
        assert_eq!(silence.due(&policy, 10.0), None);
        assert_eq!(silence.heard(at(1700)), Some(Turn::Clear));
        assert_eq!(silence.due(&policy, 60.0), Some(at(2000)));
    }
}

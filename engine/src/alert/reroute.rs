//! When to propose another way: the gain must be worth it, and not too often.

use ingest::time::Timestamp;

use super::Policy;

/// Each refusal in a row makes the next proposal wait this much longer, up to [`PAUSE_MAX`] times.
const REFUSED_FACTOR: f64 = 1.5;
/// Longest pause, as a multiple of the policy's.
const PAUSE_MAX: f64 = 6.0;

/// Proposals of one vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Offers {
    /// When the last one was made or looked for in vain.
    pub last: Option<Timestamp>,
    /// Refusals since the last one that was taken.
    pub refused: u32,
}

impl Offers {
    /// Whether it is time to look for a better way.
    pub fn may(&self, policy: &Policy, now: Timestamp) -> bool {
        let grown = libm::pow(REFUSED_FACTOR, f64::from(self.refused)).min(PAUSE_MAX);
        self.last.is_none_or(|l| now.seconds_since(l) >= policy.reroute_pause_s * grown)
    }

    /// Whether a gain is worth a proposal; `left_s` is what is left without it.
    pub fn is_worth(policy: &Policy, gain_s: f64, left_s: f64) -> bool {
        gain_s >= policy.reroute_gain_s && gain_s >= policy.reroute_gain_share * left_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_make_it_shy() {
        let (policy, at) = (Policy::default(), Timestamp::from_seconds);
        let offers = Offers { last: Some(at(0)), refused: 0 };
        assert!(!offers.may(&policy, at(599)) && offers.may(&policy, at(600)));
        let offers = Offers { refused: 2, ..offers };
        assert!(!offers.may(&policy, at(1349)) && offers.may(&policy, at(1350)));
        assert!(Offers { refused: 90, ..offers }.may(&policy, at(3600)));
        assert!(Offers::is_worth(&policy, 150.0, 1200.0));
        assert!(!Offers::is_worth(&policy, 100.0, 600.0));
        assert!(!Offers::is_worth(&policy, 150.0, 3000.0));
    }
}

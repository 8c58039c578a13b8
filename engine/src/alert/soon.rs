//! Arriving soon: said once for each stop, when it is the next and minutes away.

use super::Policy;

/// One stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Soon {
    /// It has been said.
    pub told: bool,
}

impl Soon {
    /// Told how far away, seconds, the median arrival at the next stop is.
    pub fn look(&mut self, policy: &Policy, median_s: f64) -> bool {
        let tell = !self.told && median_s <= policy.soon_s;
        self.told |= tell;
        tell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once() {
        let (policy, mut soon) = (Policy::default(), Soon::default());
        let said = [700.0, 600.0, 650.0, 100.0].map(|s| soon.look(&policy, s));
        assert_eq!(said, [false, true, false, false]);
    }
}

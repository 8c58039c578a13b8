//! When to propose another way: the gain must be worth it, and not too often.

use ingest::time::Timestamp;

use super::Policy;

/// Each refusal in a row makes the next proposal wait this much longer, up to [`PAUSE_MAX`] times.
const REFUSED_FACTOR: f64 = 1.5;
/// Longest pause, as a multiple of the policy's.
const PAUSE_MAX: f64 = 6.0;
/// Between two searches for one vehicle lies at least this, seconds, however much has changed: a
/// search is the most expensive thing a step does.
const SEARCH_EVERY_S: f64 = 120.0;

/// Proposals of one vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Offers {
    /// When the last one was made.
    pub last: Option<Timestamp>,
    /// Refusals since the last one that was taken.
    pub refused: u32,
    /// The last search.
    pub searched: Option<Search>,
}

/// A search for a better way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    /// When.
    pub at: Timestamp,
    /// What was wrong then.
    pub wrong: Wrong,
}

/// Why a better way is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wrong {
    /// Stops that will be reached after their window.
    pub late: u32,
    /// Stops left.
    pub open: u32,
    /// The vehicle is off route.
    pub astray: bool,
}

impl Wrong {
    /// Whether anything is.
    pub fn any(self) -> bool {
        self.late > 0 || self.astray
    }
}

impl Offers {
    /// Whether the last proposal is long enough ago, the longer the more were refused.
    pub fn paused(&self, policy: &Policy, now: Timestamp) -> bool {
        let grown = libm::pow(REFUSED_FACTOR, f64::from(self.refused)).min(PAUSE_MAX);
        self.last.is_none_or(|l| now.seconds_since(l) >= policy.reroute_pause_s * grown)
    }

    /// Whether it is time to look for a better way: something is wrong, the last proposal is long
    /// ago, and the last search was about something else or is as long ago.
    pub fn may(&self, policy: &Policy, wrong: Wrong, now: Timestamp) -> bool {
        let long_ago = |t: Timestamp, pause_s| now.seconds_since(t) >= pause_s;
        wrong.any()
            && self.paused(policy, now)
            && self.searched.is_none_or(|s| {
                let same = s.wrong == wrong;
                long_ago(s.at, if same { policy.reroute_pause_s } else { SEARCH_EVERY_S })
            })
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
        let late = Wrong { late: 1, open: 5, astray: false };
        let may = |offers: &Offers, t| offers.may(&policy, late, at(t));
        let offers = Offers { last: Some(at(0)), ..Offers::default() };
        assert!(!may(&offers, 599) && may(&offers, 600));
        let offers = Offers { refused: 2, ..offers };
        assert!(!may(&offers, 1349) && may(&offers, 1350));
        assert!(may(&Offers { refused: 90, ..offers }, 3600));
        assert!(Offers::is_worth(&policy, 150.0, 1200.0));
        assert!(!Offers::is_worth(&policy, 100.0, 600.0));
        assert!(!Offers::is_worth(&policy, 150.0, 3000.0));
    }

    #[test]
    fn a_search_in_vain_is_not_repeated_until_something_changes() {
        let (policy, at) = (Policy::default(), Timestamp::from_seconds);
        let late = Wrong { late: 1, open: 5, astray: false };
        let searched = Some(Search { at: at(0), wrong: late });
        let offers = Offers { searched, ..Offers::default() };
        assert!(!offers.may(&policy, late, at(599)) && offers.may(&policy, late, at(600)));
        let more = Wrong { late: 2, ..late };
        assert!(!offers.may(&policy, more, at(119)) && offers.may(&policy, more, at(120)));
        assert!(!Offers::default().may(&policy, Wrong { late: 0, ..late }, at(0)));
    }
}

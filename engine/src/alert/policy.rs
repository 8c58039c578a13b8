//! When to raise what: the thresholds of the rules.

use serde::{Deserialize, Serialize};

/// Thresholds of every rule. One for the installation today; tenants' own come with *People*.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Raise predicted late from this probability on.
    pub late_raise: f64,
    /// Clear it at this probability and below.
    pub late_clear: f64,
    /// The probability must hold this long before it is raised, seconds of partition time, …
    pub late_hold_s: f64,
    /// …and this share of the time until the window closes, …
    pub late_hold_share: f64,
    /// …unless it closes within the hour and the probability is at least this.
    pub late_at_once: f64,
    /// Clearing must hold this long, seconds.
    pub late_clear_hold_s: f64,
    /// Arriving soon: p50 of the next stop nearer than this, seconds.
    pub soon_s: f64,
    /// Off route: this far off every quick way to the next stop, metres…
    pub off_route_m: f64,
    /// …for this long, seconds…
    pub off_route_hold_s: f64,
    /// Long stop: standing where no stop is for this long, seconds.
    pub long_stop_s: f64,
    /// Standing means within this radius, metres.
    pub long_stop_m: f64,
    /// No signal: silent for this long, seconds, …
    pub no_signal_s: f64,
    /// …or this many usual intervals, whichever is longer.
    pub no_signal_intervals: f64,
    /// At a stop: within this radius of the door, metres.
    pub arrive_m: f64,
    /// Left a stop: beyond this radius, metres.
    pub depart_m: f64,
    /// A reroute must gain this much, seconds, …
    pub reroute_gain_s: f64,
    /// …and this share of what is left of the leg.
    pub reroute_gain_share: f64,
    /// At least this long between proposals for one vehicle, seconds.
    pub reroute_pause_s: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            late_raise: 0.80,
            late_clear: 0.05,
            late_hold_s: 60.0,
            late_hold_share: 0.05,
            late_at_once: 0.95,
            late_clear_hold_s: 300.0,
            soon_s: 600.0,
            off_route_m: 60.0,
            off_route_hold_s: 30.0,
            long_stop_s: 600.0,
            long_stop_m: 60.0,
            no_signal_s: 120.0,
            no_signal_intervals: 5.0,
            arrive_m: 60.0,
            depart_m: 90.0,
            reroute_gain_s: 120.0,
            reroute_gain_share: 0.08,
            reroute_pause_s: 600.0,
        }
    }
}

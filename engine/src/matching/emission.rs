//! Emission: how well a fix agrees with a place, from its distance, heading and speed.
//!
//! Real receivers drift: successive errors at one second agree to 98 %, and independence comes only
//! after half a minute. A model that counts each second's error anew believes in side trips, so a
//! fix weighs as much as the time since the last one allows.

use crate::matching::candidate::Seen;
use crate::road::record::EdgeRecord;
use crate::road::{Near, Profile};

/// A fix this long after the last one counts in full, seconds.
pub(super) const INDEPENDENT_S: f64 = 8.0;
/// Least weight: fixes several times a second still move the vehicle along.
const WEIGHT_LEAST: f64 = 0.02;
/// Beyond this many standard deviations the price grows linearly: an outlier, not a proof.
pub(super) const LINEAR_FROM: f64 = 3.0;
/// Speed and heading are read above this speed, metres per second: below it many receivers keep
/// the last heading.
const HEADING_FROM_MPS: f64 = 1.0;
/// Scale of the heading's error, degrees: drawn line and lane changes together…
const HEADING_SCALE: f64 = 20.0;
/// …and what a receiver's error of velocity, metres per second, across the way makes of it: the
/// slower, the more.
const VELOCITY_SCALE_MPS: f64 = 0.4;
/// A heading counts in full this long after the last one, seconds.
const HEADING_INDEPENDENT_S: f64 = 3.0;
/// Reported speed may exceed an edge's free speed by this factor before it speaks against it.
const FAST: f64 = 1.6;
/// Price per unit of speed ratio beyond `FAST`.
const FAST_COST: f64 = 1.5;

/// Weight of a fix `elapsed_s` after the last one.
pub(super) fn weight(elapsed_s: f64) -> f64 {
    (elapsed_s / INDEPENDENT_S).clamp(WEIGHT_LEAST, 1.0)
}

/// The probability of a price: e to the power of `-cost`, right to six digits; 0 from 700 on, and
/// no more below -700. A step asks for one a pair of hypotheses, and what it makes of them is kept
/// with seven digits.
pub(super) fn probability(cost: f64) -> f64 {
    /// 1, 1/2!, … of ln 2 to that power: e^(x ln 2) about 0.
    const TERMS: [f64; 7] = terms();
    if cost >= 700.0 {
        return 0.0;
    }
    let twos = -cost.max(-700.0) * std::f64::consts::LOG2_E;
    let whole = (twos + 0.5_f64.copysign(twos)) as i64;
    let rest = twos - whole as f64;
    let share = TERMS.iter().rev().fold(0.0, |sum, term| sum * rest + term);
    share * f64::from_bits(((1023 + whole) as u64) << 52)
}

const fn terms() -> [f64; 7] {
    let mut terms = [1.0; 7];
    let mut n = 1;
    while n < terms.len() {
        terms[n] = terms[n - 1] * std::f64::consts::LN_2 / n as f64;
        n += 1;
    }
    terms
}

/// Half the square, continued linearly beyond `from`.
pub(super) fn bent(x: f64, from: f64) -> f64 {
    let x = x.abs();
    if x <= from { 0.5 * x * x } else { from * (x - 0.5 * from) }
}

/// Where [`bent`] has a value of 0 or more.
pub(super) fn unbent(value: f64, from: f64) -> f64 {
    let value = value.max(0.0);
    if value <= 0.5 * from * from { (2.0 * value).sqrt() } else { value / from + 0.5 * from }
}

/// Price of the distance to `near`: negative logarithm, up to a constant.
pub(super) fn by_distance(seen: &Seen, near: &Near) -> f64 {
    seen.weight * bent(near.distance_m / seen.sigma_m, LINEAR_FROM)
}

/// Price of heading and speed on the edge at `near`: negative logarithm, up to a constant.
pub(super) fn beside(edge: &EdgeRecord, seen: &Seen, near: &Near) -> f64 {
    let mut cost = 0.0;
    let Some(speed) = seen.speed_mps.filter(|s| *s >= HEADING_FROM_MPS) else {
        return cost;
    };
    let dense = (seen.elapsed_s / HEADING_INDEPENDENT_S).clamp(0.1, 1.0);
    if let Some(heading) = seen.heading {
        let apart = ((heading - near.heading).abs() % 360.0)
            .min(360.0 - (heading - near.heading).abs() % 360.0);
        let scale = libm::hypot(HEADING_SCALE, (VELOCITY_SCALE_MPS / speed).to_degrees());
        let x = apart / scale;
        cost += dense * libm::log(1.0 + x * x);
    }
    let free = edge.length_m() / edge.seconds(Profile::Van).max(0.1);
    let ratio = speed / free.max(1.0);
    if ratio > FAST {
        cost += dense * FAST_COST * (ratio - FAST).min(2.0);
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bent_is_unbent() {
        for x in [0.0, 0.3, 2.4, 2.5, 2.6, 40.0] {
            assert!((unbent(bent(x, 2.5), 2.5) - x).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn probabilities_are_right_to_six_digits() {
        for step in -70_000..70_000 {
            let cost = f64::from(step) * 0.01;
            let (found, expected) = (probability(cost), libm::exp(-cost));
            assert!((found / expected - 1.0).abs() < 2e-7, "{cost}: {found}, expected {expected}");
        }
        assert!(probability(700.0).abs() + probability(f64::INFINITY).abs() < f64::MIN_POSITIVE);
        assert!(probability(f64::NEG_INFINITY).is_finite());
    }
}

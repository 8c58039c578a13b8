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

/// Half the square, continued linearly beyond `from`.
pub(super) fn bent(x: f64, from: f64) -> f64 {
    let x = x.abs();
    if x <= from { 0.5 * x * x } else { from * (x - 0.5 * from) }
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

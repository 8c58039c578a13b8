//! Errors of predicted arrivals by predicted horizon, beside two plain ways to predict.

use engine::road::plane;
use serde::Serialize;

use super::seen::Prediction;
use super::{Seen, Truth, tenths};
use crate::drive::Van;

/// Bounds of the buckets, minutes.
const BOUNDS: [f64; 7] = [0.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0];
/// A mean speed is known once a vehicle has worked this long, seconds; before, none of the three
/// is scored.
const WARM_UP_S: f64 = 300.0;

/// Predictions of one span of horizons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bucket {
    /// From this predicted horizon on, minutes.
    pub from_min: f64,
    /// Up to this one.
    pub to_min: f64,
    /// How many.
    pub n: usize,
    /// Mean absolute errors.
    pub mae_s: Errors,
    /// Share of arrivals between p10 and p90.
    pub covered: Option<f64>,
    /// Mean of prediction minus truth, seconds: positive is too late.
    pub bias_s: Option<f64>,
}

/// Mean absolute errors, seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Errors {
    /// The system's p50.
    pub ours: Option<f64>,
    /// Straight lines from door to door ÷ the vehicle's mean speed so far, stops included.
    pub straight: Option<f64>,
    /// The way at free flow and the planned service.
    pub free_flow: Option<f64>,
}

#[derive(Default, Clone, Copy)]
struct Sum {
    n: usize,
    ours: f64,
    straight: f64,
    free_flow: f64,
    covered: usize,
    bias: f64,
}

/// Sums up all predictions.
pub(super) fn compare(truth: Truth<'_>, seen: &Seen) -> Vec<Bucket> {
    let mut sums = [Sum::default(); BOUNDS.len() - 1];
    for prediction in &seen.predictions {
        let Some(van) = truth.fleet.vans.get(prediction.van as usize) else { continue };
        let Some(visit) = van.journey.visits.get(prediction.stop) else { continue };
        let worked = prediction.at_s - van.shift.departs_s;
        if worked < WARM_UP_S || visit.arrived_s <= prediction.at_s {
            continue;
        }
        // What should be there by now is due at once.
        let minutes = ((prediction.p50_s - prediction.at_s) / 60.0).max(0.0);
        let Some(bucket) = BOUNDS.windows(2).position(|w| minutes >= w[0] && minutes < w[1]) else {
            continue;
        };
        let sum = &mut sums[bucket];
        sum.n += 1;
        sum.ours += (prediction.p50_s - visit.arrived_s).abs();
        sum.bias += prediction.p50_s - visit.arrived_s;
        sum.straight += (straight(truth, van, prediction) - visit.arrived_s).abs();
        sum.free_flow += (free_flow(truth, van, prediction) - visit.arrived_s).abs();
        let inside = prediction.p10_s <= visit.arrived_s && visit.arrived_s <= prediction.p90_s;
        sum.covered += usize::from(inside);
    }
    let bucket = |(k, sum): (usize, &Sum)| {
        let mean = |value: f64| (sum.n > 0).then(|| tenths(value / sum.n as f64));
        Bucket {
            from_min: BOUNDS[k],
            to_min: BOUNDS[k + 1],
            n: sum.n,
            mae_s: Errors {
                ours: mean(sum.ours),
                straight: mean(sum.straight),
                free_flow: mean(sum.free_flow),
            },
            covered: (sum.n > 0)
                .then(|| libm::round(sum.covered as f64 / sum.n as f64 * 1000.0) / 1000.0),
            bias_s: mean(sum.bias),
        }
    };
    sums.iter().enumerate().map(bucket).collect()
}

/// The first stop not yet reached at that time.
fn next_stop(van: &Van, at_s: f64) -> usize {
    van.journey.visits.iter().take_while(|v| v.arrived_s <= at_s).count()
}

/// Straight lines through all stops up to the wanted one, at the mean speed since departure.
fn straight(truth: Truth<'_>, van: &Van, prediction: &Prediction) -> f64 {
    let now = van.journey.at(truth.road, prediction.at_s);
    let mut here = now.position;
    let mut metres = 0.0;
    let next = next_stop(van, prediction.at_s);
    for visit in van.shift.visits.iter().take(prediction.stop + 1).skip(next) {
        metres += plane::distance_m(here, visit.door);
        here = visit.door;
    }
    let driven = now.along_m - van.shift.depot.offset_m;
    let speed = (driven / (prediction.at_s - van.shift.departs_s)).max(0.1);
    prediction.at_s + metres / speed
}

/// Free flow along the way that will really be driven, and planned service at each stop before.
fn free_flow(truth: Truth<'_>, van: &Van, prediction: &Prediction) -> f64 {
    let (at_s, journey) = (prediction.at_s, &van.journey);
    let next = next_stop(van, at_s);
    let here = journey.motion(at_s).0;
    let mut seconds =
        journey.free_between(truth.road, here, journey.visits[prediction.stop].along_m);
    if let Some(standing) = next.checked_sub(1).filter(|k| journey.visits[*k].departed_s > at_s) {
        let served = (at_s - journey.visits[standing].service_s).max(0.0);
        seconds += (van.shift.visits[standing].service_s - served).max(0.0);
    }
    let between = next..prediction.stop;
    seconds += van.shift.visits[between].iter().map(|v| v.service_s).sum::<f64>();
    at_s + seconds
}

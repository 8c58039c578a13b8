//! How far a vehicle's fixes scatter, learnt from how well each spread explains them.
//!
//! A receiver that does not tell its accuracy has one of a few standard deviations, and each fix
//! speaks for each of them by how probable it makes that fix, all hypotheses together (the
//! forward probability of the hidden Markov model). Distances to the matched road alone would not
//! do: in a town some road is always near, and a spread that is too small confirms itself by
//! winding from side street to side street. Here the price of the winding speaks against it.

use crate::matching::state::BadTrack;

/// How many standard deviations are told apart.
pub(super) const SIGMAS: usize = 8;
/// They, of one axis, metres: steps of a half.
const SIGMAS_M: [f64; SIGMAS] = [3.0, 4.5, 6.7, 10.0, 15.0, 23.0, 34.0, 51.0];
/// What is held likely before the first fix, and how firmly, in steps: a phone in a street. Too
/// wide a start costs a few dear steps, too narrow a one keeps the true road out of sight.
const FIRST: (f64, f64) = (2.5, 2.5);
/// Fixes are taken as evidence once so much weight has come together.
const DUE: f32 = 0.6;
/// What remains of older evidence after a fix of full weight.
const KEPT: f64 = 0.97;
/// The spread is at most so many times the root mean square distance to the nearest road, and a
/// little more: vehicles that break rules, so that likely ways lead past them, scatter no more.
const NEAREST: (f64, f64) = (1.1, 2.0);
/// Square of that distance before the first fix, and over how many pieces of evidence it is meant.
const NEAREST_FIRST_M2: f32 = 400.0;
const NEAREST_OVER: f32 = 40.0;
/// Probability, per metre, that a fix has nothing to do with any road near.
const STRAY: f64 = 1e-4;

/// Probabilities of the spreads, and what follows from them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// Logarithms of the probabilities, the greatest 0.
    logs: [f32; SIGMAS],
    /// Weight that has come together since the last evidence.
    due: f32,
    /// Mean square distance to the nearest road.
    nearest_m2: f32,
    /// Pieces of evidence in it, at most [`NEAREST_OVER`].
    heard: f32,
    /// The expected standard deviation, metres.
    pub(super) sigma_m: f64,
    /// Root of the expected square: what a search must reach, metres.
    pub(super) reach_m: f64,
}

impl Spread {
    /// Nothing seen yet.
    pub(super) fn new() -> Self {
        let mut logs = [0.0; SIGMAS];
        for (step, log) in logs.iter_mut().enumerate() {
            let away = (step as f64 - FIRST.0) / FIRST.1;
            *log = (-0.5 * away * away) as f32;
        }
        Self::of(greatest_zero(logs), [0.0, NEAREST_FIRST_M2, 0.0])
    }

    fn of(logs: [f32; SIGMAS], [due, nearest_m2, heard]: [f32; 3]) -> Self {
        let (mut sum, mut mean, mut square) = (0.0, 0.0, 0.0);
        for (log, sigma) in logs.iter().zip(SIGMAS_M) {
            let p = libm::exp(f64::from(*log));
            sum += p;
            mean += p * sigma;
            square += p * sigma * sigma;
        }
        let most = NEAREST.0 * f64::from(nearest_m2).sqrt() + NEAREST.1;
        let (sigma_m, reach_m) = ((mean / sum).min(most), (square / sum).sqrt().min(1.3 * most));
        Self { logs, due, nearest_m2, heard, sigma_m, reach_m }
    }

    /// Adds the weight of a fix; whether [`Spread::learn`] should hear of it.
    pub(super) fn is_due(&mut self, weight: f64) -> bool {
        self.due += weight as f32;
        self.due >= DUE
    }

    /// Takes a fix as evidence: of each place it may belong to the probability, up to a common
    /// factor, but for the distance between them, and that distance squared.
    pub(super) fn learn(&mut self, places: impl Iterator<Item = (f64, f64)>) {
        let (mut sums, mut all, mut nearest) = ([0.0; SIGMAS], 0.0, f64::INFINITY);
        for (probability, square) in places {
            all += probability;
            nearest = square.min(nearest);
            for (sum, sigma) in sums.iter_mut().zip(SIGMAS_M) {
                let x = square / (2.0 * sigma * sigma);
                if x < 20.0 {
                    *sum += probability * libm::exp(-x);
                }
            }
        }
        let due = std::mem::take(&mut self.due);
        if all <= 0.0 {
            return;
        }
        let kept = libm::pow(KEPT, f64::from(due)) as f32;
        let mut logs = self.logs;
        for ((log, sum), sigma) in logs.iter_mut().zip(sums).zip(SIGMAS_M) {
            *log = *log * kept + due * libm::log(sum / all / sigma + STRAY) as f32;
        }
        let heard = (self.heard + 1.0).min(NEAREST_OVER);
        let nearest_m2 = self.nearest_m2 + (nearest as f32 - self.nearest_m2) / (heard + 2.0);
        *self = Self::of(greatest_zero(logs), [0.0, nearest_m2, heard]);
    }

    /// Bytes of [`Spread::put`].
    pub(super) const BYTES: usize = 4 * (SIGMAS + 3);

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for log in self.logs {
            out.extend(log.to_le_bytes());
        }
        for number in [self.due, self.nearest_m2, self.heard] {
            out.extend(number.to_le_bytes());
        }
    }

    /// From the numbers that [`Spread::put`] wrote.
    pub(super) fn from_numbers(logs: [f32; SIGMAS], rest: [f32; 3]) -> Result<Self, BadTrack> {
        let most = logs.iter().copied().fold(f32::MIN, f32::max);
        // The likeliest is 0 exactly; anything else would let the sums vanish or overflow.
        let within = most == 0.0
            && (0.0..=DUE + 1.0).contains(&rest[0])
            && (0.0..=1e9).contains(&rest[1])
            && (0.0..=NEAREST_OVER).contains(&rest[2]);
        if within { Ok(Self::of(logs, rest)) } else { Err(BadTrack::Bounds("a spread")) }
    }
}

/// The same ratios, with the greatest 1.
fn greatest_zero(logs: [f32; SIGMAS]) -> [f32; SIGMAS] {
    let most = logs.iter().copied().fold(f32::MIN, f32::max);
    logs.map(|log| log - most)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors of a normal distribution by its quantiles, in an order that is the same everywhere.
    fn errors(sigma: f64) -> impl Iterator<Item = f64> {
        let quantiles = [0.0, 0.32, -0.67, 1.15, -0.32, 0.67, -1.15, 0.1, -0.1, 1.8, -1.6];
        quantiles.into_iter().cycle().take(110).map(move |q| q * sigma)
    }

    #[test]
    fn the_spread_of_the_fixes_is_found_from_either_side() {
        for sigma in [4.0, 9.0, 20.0, 45.0] {
            let mut spread = Spread::new();
            for error in errors(sigma) {
                assert!(spread.is_due(1.0));
                spread.learn([(1.0, error * error)].into_iter());
            }
            let ratio = spread.sigma_m / sigma;
            assert!((0.7..1.4).contains(&ratio), "{sigma}: {}", spread.sigma_m);
        }
    }

    #[test]
    fn a_road_that_happens_to_be_near_does_not_make_the_spread_small() {
        let mut spread = Spread::new();
        for error in errors(30.0) {
            assert!(spread.is_due(1.0));
            // The side street at 22 m could be reached only by an unlikely way.
            spread.learn([(1.0, error * error), (1e-3, 484.0)].into_iter());
        }
        assert!(spread.sigma_m > 20.0, "{}", spread.sigma_m);
    }

    #[test]
    fn no_place_is_no_evidence() {
        let mut spread = Spread::new();
        let before = spread.sigma_m;
        assert!(spread.is_due(1.0));
        spread.learn(std::iter::empty());
        assert!((spread.sigma_m - before).abs() < 1e-9);
    }
}

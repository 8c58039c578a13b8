//! Distributions of a duration: log-normals, their sums, floors and mixtures, in closed form.
//!
//! A chain of legs and visits shares one common factor (the vehicle's day). It is integrated over
//! five Gauss-Hermite nodes; given a node the parts are independent, moments add, and the sum is
//! taken as the log-normal with those moments (Fenton 1960). A mixture of five gives quantiles.

use libm::{exp, log, sqrt};

/// Nodes and weights of five-point Gauss-Hermite quadrature for a standard normal variable.
pub const NODES: [(f64, f64); 5] = [
    (-2.856_970_013_872_806, 0.011_257_411_327_720_69),
    (-1.355_626_179_974_266, 0.222_075_922_005_612_6),
    (0.0, 0.533_333_333_333_333_3),
    (1.355_626_179_974_266, 0.222_075_922_005_612_6),
    (2.856_970_013_872_806, 0.011_257_411_327_720_69),
];
/// Standard normal quantile of 0.9.
pub const Z90: f64 = 1.281_551_565_544_6;
/// Quantiles are found to this many seconds.
const CLOSE_S: f64 = 0.25;
/// Evaluations of one quantile at most.
const TRIES_MAX: usize = 24;

/// Distribution function of the standard normal, to 7.5e-8 (Hastings 1955; Abramowitz and Stegun
/// 26.2.17). Every prediction asks it hundreds of times, and needs no more.
pub fn normal(x: f64) -> f64 {
    const T: f64 = 0.231_641_9;
    const B: [f64; 5] =
        [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_53];
    const ROOT_TAU: f64 = 2.506_628_274_631_000_5;
    let t = 1.0 / (1.0 + T * x.abs());
    let beyond = exp(-0.5 * x * x) / ROOT_TAU * B.iter().fold(0.0, |sum, b| (sum + b) * t);
    if x < 0.0 { beyond } else { 1.0 - beyond }
}

/// Mean and variance of a duration, seconds and square seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    /// Mean, not negative.
    pub mean: f64,
    /// Variance, not negative.
    pub variance: f64,
}

impl Moments {
    /// Of the sum of two independent durations.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { mean: self.mean + other.mean, variance: self.variance + other.variance }
    }

    /// Of the later of this and a fixed moment.
    #[must_use]
    pub fn at_least(self, floor: f64) -> Self {
        if floor <= 0.0 {
            return self;
        }
        let x = LogNormal::with(self);
        let below = x.below(floor);
        let mean = floor * below + x.mean_above(floor);
        let square = floor * floor * below + x.square_above(floor);
        Self { mean, variance: (square - mean * mean).max(0.0) }
    }
}

/// A log-normal duration; with no spread a fixed one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LogNormal {
    /// Mean of the logarithm.
    pub mu: f64,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

impl LogNormal {
    /// The one with these moments; a mean under a millisecond counts as one.
    pub fn with(m: Moments) -> Self {
        let mean = m.mean.max(1e-3);
        let square = log(1.0 + m.variance / (mean * mean));
        Self { mu: log(mean) - 0.5 * square, sigma: sqrt(square) }
    }
    /// The one with this mean and this standard deviation of the logarithm.
    pub fn of(mean: f64, sigma: f64) -> Self {
        Self { mu: log(mean.max(1e-3)) - 0.5 * sigma * sigma, sigma }
    }
    /// Its mean.
    pub fn mean(self) -> f64 {
        exp(self.mu + 0.5 * self.sigma * self.sigma)
    }
    /// Mean of its square.
    fn square(self) -> f64 {
        exp(2.0 * self.mu + 2.0 * self.sigma * self.sigma)
    }
    /// Its moments.
    pub fn moments(self) -> Moments {
        let mean = self.mean();
        Moments { mean, variance: (self.square() - mean * mean).max(0.0) }
    }
    /// How many of its spreads `x` lies above its median, shifted by `k` spreads squared.
    fn score(self, x: f64, k: f64) -> f64 {
        self.score_of_log(log(x.max(1e-9)), k)
    }
    fn score_of_log(self, log_x: f64, k: f64) -> f64 {
        let distance = log_x - self.mu - k * self.sigma * self.sigma;
        if self.sigma < 1e-9 { distance * 1e9 } else { distance / self.sigma }
    }
    /// Probability of at most `x`.
    pub fn below(self, x: f64) -> f64 {
        if x <= 0.0 { 0.0 } else { normal(self.score(x, 0.0)) }
    }
    /// Mean of the part above `x`, times its probability.
    pub fn mean_above(self, x: f64) -> f64 {
        self.mean() * normal(-self.score(x, 1.0))
    }
    fn square_above(self, x: f64) -> f64 {
        self.square() * normal(-self.score(x, 2.0))
    }
    /// What remains of it, given that `elapsed` seconds have passed and it is not over.
    pub fn remaining(self, elapsed: f64) -> Moments {
        if elapsed <= 0.0 {
            return self.moments();
        }
        let left = 1.0 - self.below(elapsed);
        if left < 1e-4 {
            // Beyond anything expected: as long again as its own spread makes likely.
            let mean = elapsed * self.sigma.max(0.1) * 0.5;
            return Moments { mean, variance: mean * mean };
        }
        let mean = (self.mean_above(elapsed) / left - elapsed).max(0.0);
        let square = self.square_above(elapsed) / left - 2.0 * elapsed * (mean + elapsed)
            + elapsed * elapsed;
        Moments { mean, variance: (square - mean * mean).max(0.0) }
    }
}

/// A duration given each node of the common factor.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mixture([LogNormal; 5]);

impl Mixture {
    /// From the moments given each of [`NODES`].
    pub fn with(nodes: &[Moments; 5]) -> Self {
        Self(nodes.map(LogNormal::with))
    }
    /// Probability of at most `x` seconds.
    pub fn below(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return 0.0;
        }
        let log_x = log(x.max(1e-9));
        let part = |p: &LogNormal| normal(p.score_of_log(log_x, 0.0));
        self.0.iter().zip(NODES).map(|(p, (_, weight))| weight * part(p)).sum()
    }
    /// Mean of what exceeds `x`, times its probability.
    pub fn excess(&self, x: f64) -> f64 {
        let part = |p: &LogNormal| (p.mean_above(x) - x * (1.0 - p.below(x))).max(0.0);
        self.0.iter().zip(NODES).map(|(p, (_, weight))| weight * part(p)).sum()
    }
    /// The duration that is not exceeded with probability `p`, of which `z` is the standard
    /// normal quantile. Between the parts' own quantiles, by false position (Illinois).
    pub fn quantile(&self, p: f64, z: f64) -> f64 {
        let own = self.0.map(|part| exp(part.mu + z * part.sigma));
        let mut low = own.iter().copied().fold(f64::INFINITY, f64::min);
        let mut high = own.iter().copied().fold(0.0, f64::max);
        let (mut at_low, mut at_high) = (self.below(low) - p, self.below(high) - p);
        for _ in 0..TRIES_MAX {
            if high - low < CLOSE_S || at_high - at_low < 1e-12 {
                break;
            }
            let inside = low + (high - low) * (-at_low / (at_high - at_low)).clamp(0.02, 0.98);
            let at = self.below(inside) - p;
            if at < 0.0 {
                (low, at_low, at_high) = (inside, at, at_high * 0.5);
            } else {
                (high, at_high, at_low) = (inside, at, at_low * 0.5);
            }
            if at.abs() < 1e-4 {
                return inside;
            }
        }
        0.5 * (low + high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(left: f64, right: f64, share: f64) {
        assert!((left - right).abs() <= share * right.abs().max(1e-9), "{left} is not {right}");
    }

    /// Numbers that look random, the same on every machine: a linear congruence.
    fn draws(n: usize) -> impl Iterator<Item = f64> {
        let mut state = 7_u64;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        };
        (0..n).map(move |_| {
            let (a, b) = (uniform(), uniform());
            sqrt(-2.0 * log(a)) * libm::cos(2.0 * std::f64::consts::PI * b)
        })
    }

    #[test]
    fn the_normal_distribution_is_close_enough() {
        for k in -800..=800 {
            let x = f64::from(k) / 100.0;
            let exact = 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
            assert!((normal(x) - exact).abs() < 1e-7, "{x}: {} is not {exact}", normal(x));
        }
    }

    #[test]
    fn floor_and_remainder_agree_with_draws() {
        let x = LogNormal::of(300.0, 0.6);
        let times: Vec<f64> = draws(200_000).map(|z| exp(x.mu + x.sigma * z)).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let floored: Vec<f64> = times.iter().map(|t| t.max(350.0)).collect();
        near(x.moments().at_least(350.0).mean, mean(&floored), 0.005);
        let left: Vec<f64> = times.iter().filter(|t| **t > 400.0).map(|t| t - 400.0).collect();
        near(x.remaining(400.0).mean, mean(&left), 0.02);
        let squares: Vec<f64> = left.iter().map(|t| t * t).collect();
        let found = x.remaining(400.0);
        near(found.variance + found.mean * found.mean, mean(&squares), 0.06);
    }

    #[test]
    fn mixture_quantiles_are_those_of_draws() {
        // A common factor of 0.2 over a leg of 600 s ± 100 s.
        let given = NODES.map(|(z, _)| {
            let factor = exp(0.2 * z - 0.02);
            Moments { mean: 600.0 * factor, variance: 1e4 * factor * factor }
        });
        let mixture = Mixture::with(&given);
        let common: Vec<f64> = draws(100_000).collect();
        let own: Vec<f64> = draws(200_000).skip(100_000).collect();
        let leg = LogNormal::with(Moments { mean: 600.0, variance: 1e4 });
        let mut times: Vec<f64> = common
            .iter()
            .zip(&own)
            .map(|(c, o)| exp(0.2 * c - 0.02) * exp(leg.mu + leg.sigma * o))
            .collect();
        times.sort_by(f64::total_cmp);
        for (p, z) in [(0.1, -Z90), (0.5, 0.0), (0.9, Z90)] {
            near(mixture.quantile(p, z), times[(p * 1e5) as usize], 0.02);
        }
        let late = times.iter().map(|t| (t - 700.0).max(0.0)).sum::<f64>() / 1e5;
        near(mixture.excess(700.0), late, 0.03);
    }

    #[test]
    fn a_fixed_duration_is_its_own_quantile() {
        let sure = Mixture::with(&[Moments { mean: 42.0, variance: 0.0 }; 5]);
        near(sure.quantile(0.5, 0.0), 42.0, 1e-9);
        assert!(sure.below(41.0) < 1e-9 && sure.below(43.0) > 1.0 - 1e-9);
        near(LogNormal::of(60.0, 0.5).remaining(1e6).mean, 1e6 * 0.25, 1e-9);
    }
}

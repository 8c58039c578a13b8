//! Chance that can be repeated: everything random in a simulation flows from one seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of chance is for. One stream each, so that one more question in one place
/// changes no answer in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Streets, names, land.
    Town,
    /// Factors of edges.
    Traffic,
    /// Depots and territories.
    Fleet,
    /// One vehicle's route and its day, by its number.
    Vehicle(u32),
    /// One receiver's errors, by the vehicle's number.
    Receiver(u32),
    /// One connection's faults, by the vehicle's number.
    Faults(u32),
}

impl For {
    fn stream(self) -> u64 {
        match self {
            Self::Town => 1,
            Self::Traffic => 2,
            Self::Fleet => 3,
            Self::Vehicle(n) => (1 << 32) | u64::from(n),
            Self::Receiver(n) => (2 << 32) | u64::from(n),
            Self::Faults(n) => (3 << 32) | u64::from(n),
        }
    }
}

/// A seeded stream of random numbers; the same on every processor.
#[derive(Debug, Clone)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of a seed for one purpose.
    pub fn new(seed: u64, purpose: For) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose.stream());
        Self(generator)
    }
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
    /// Evenly from 0 up to, not including, 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
    /// Evenly between two values.
    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.unit()
    }
    /// A whole number below `n`; 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }
    /// Whether something of probability `p` happens.
    pub fn happens(&mut self, p: f64) -> bool {
        self.unit() < p
    }
    /// Standard normal (Box and Muller 1958; the second value is not kept).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }
    /// Log-normal with this median and this standard deviation of the logarithm.
    pub fn log_normal(&mut self, median: f64, sd: f64) -> f64 {
        median * libm::exp(sd * self.normal())
    }
    /// Fills a slice.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let take = |purpose| {
            let mut chance = Chance::new(7, purpose);
            (0..4).map(|_| chance.bits()).collect::<Vec<_>>()
        };
        assert_eq!(take(For::Vehicle(3)), take(For::Vehicle(3)));
        assert_ne!(take(For::Vehicle(3)), take(For::Vehicle(4)));
        assert_ne!(take(For::Vehicle(3)), take(For::Receiver(3)));
    }

    #[test]
    fn moments_are_those_of_the_distribution() {
        let mut chance = Chance::new(1, For::Town);
        let n = 20_000;
        let normals: Vec<f64> = (0..n).map(|_| chance.normal()).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let square = normals.iter().map(|v| v * v).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "{mean} {square}");
        assert!((0..1000).all(|_| chance.below(7) < 7));
    }
}

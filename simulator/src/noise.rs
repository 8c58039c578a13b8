//! What a receiver makes of a place: errors that drift, as those of real receivers do.
//!
//! The error of a position is a first-order autoregressive process (reflections and the
//! ionosphere change slowly) plus a little white noise; speed and heading have small white ones.

use ingest::fix::{Fix, Measured};
use ingest::units::OutOfRange;

use crate::chance::{Chance, For};
use crate::drive::journey::Moment;
use engine::road::plane::Plane;

/// Standard deviation of the drifting error of a good and of a poor receiver, metres an axis.
pub const DRIFT_M: (f64, f64) = (3.0, 8.0);
/// Time after which a drift is forgotten by 63 %, seconds.
const DRIFT_S: f64 = 45.0;
/// Standard deviation of the white part, metres an axis.
const WHITE_M: f64 = 0.6;
/// Standard deviation of a speed, m/s (Doppler).
const SPEED_MPS: f64 = 0.25;
/// Standard deviation of a heading at 5 m/s, degrees; it grows as one slows down.
const HEADING_DEG: f64 = 2.5;
/// Below this speed receivers report standing, m/s.
const STANDING_MPS: f64 = 0.4;

/// One receiver.
#[derive(Debug, Clone)]
pub struct Receiver {
    chance: Chance,
    /// Standard deviation of the drift, metres an axis.
    sigma: f64,
    /// The error now, metres east and north.
    error: (f64, f64),
    last_s: Option<f64>,
    heading: f64,
    altitude: f64,
}

impl Receiver {
    /// The receiver of vehicle `number`.
    pub fn new(seed: u64, number: u32) -> Self {
        let mut chance = Chance::new(seed, For::Receiver(number));
        let sigma = chance.between(DRIFT_M.0, DRIFT_M.1);
        let altitude = chance.between(20.0, 90.0);
        Self { chance, sigma, error: (0.0, 0.0), last_s: None, heading: 0.0, altitude }
    }

    /// The standard deviation of its drift, metres an axis.
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// What it measures at a moment of the simulation.
    pub fn measure(&mut self, truth: &Moment, at_s: f64) -> Result<Fix, OutOfRange> {
        let kept = self.last_s.map_or(0.0, |last| libm::exp(-(at_s - last).max(0.0) / DRIFT_S));
        let fresh = self.sigma * (1.0 - kept * kept).sqrt();
        self.error.0 = self.error.0 * kept + fresh * self.chance.normal();
        self.error.1 = self.error.1 * kept + fresh * self.chance.normal();
        self.last_s = Some(at_s);
        let east = self.error.0 + WHITE_M * self.chance.normal();
        let north = self.error.1 + WHITE_M * self.chance.normal();
        let at = Plane::new(truth.position).to_position(east, north);
        let mps = (truth.mps + SPEED_MPS * self.chance.normal()).max(0.0);
        let turn = self.chance.normal();
        let standing = truth.mps < STANDING_MPS;
        if !standing {
            let spread = HEADING_DEG * (5.0 / truth.mps.max(1.0)).max(1.0);
            self.heading = (truth.heading + spread * turn).rem_euclid(360.0);
        }
        Fix::new(Measured {
            lng: at.lng,
            lat: at.lat,
            valid: true,
            speed: Some(if standing { 0.0 } else { mps }),
            heading: Some(self.heading),
            altitude: Some(self.altitude),
            accuracy: Some(libm::round(self.sigma * 1.5)),
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::road::{EdgeId, Place};
    use ingest::units::Position;

    use super::*;

    fn errors(seed: u64, step_s: f64, n: u32) -> (Receiver, Vec<(f64, f64)>) {
        let mut receiver = Receiver::new(seed, 1);
        let position = Position { lng: -20.0, lat: 44.5 };
        let place = Place { edge: EdgeId(0), offset_m: 0.0 };
        let truth = Moment { place, position, heading: 90.0, mps: 8.0, along_m: 0.0 };
        let plane = Plane::new(position);
        let fixes = (0..n).map(|k| {
            let fix = receiver.measure(&truth, f64::from(k) * step_s).expect("within ranges");
            plane.to_metres(fix.position)
        });
        let fixes = fixes.collect();
        (receiver, fixes)
    }

    #[test]
    fn errors_have_the_receivers_spread_and_drift() {
        let (receiver, errors) = errors(5, 1.0, 40_000);
        let n = errors.len() as f64;
        let sd = (errors.iter().map(|(x, _)| x * x).sum::<f64>() / n).sqrt();
        assert!((sd / receiver.sigma() - 1.0).abs() < 0.15, "{sd} for {}", receiver.sigma());
        let lag = |k: usize| -> f64 {
            let pairs = errors.iter().zip(errors.iter().skip(k));
            pairs.map(|((a, _), (b, _))| a * b).sum::<f64>() / (n - k as f64) / (sd * sd)
        };
        assert!(lag(1) > 0.9 && (0.25..0.5).contains(&lag(45)), "{} {}", lag(1), lag(45));
        assert!(lag(400).abs() < 0.15);
    }

    #[test]
    fn the_same_receiver_errs_the_same_way() {
        assert_eq!(errors(5, 5.0, 50).1, errors(5, 5.0, 50).1);
        assert_ne!(errors(5, 5.0, 50).1, errors(6, 5.0, 50).1);
    }
}

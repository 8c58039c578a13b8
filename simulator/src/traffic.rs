//! How fast each street is driven at each moment: time of day, the street's own luck, a jam.

use engine::road::{EdgeId, Road, plane};
use ingest::time::Timestamp;
use ingest::units::Position;

use crate::chance::{Chance, For};

/// Speed ÷ free flow in a jam: a crawl.
const JAM_RATIO: f64 = 0.13;
/// The streets around a jam that are caught in it, metres.
pub const JAM_RADIUS_M: f64 = 1_300.0;
/// Spread of a street's own factor, standard deviation of the logarithm.
const STREET_SD: f64 = 0.16;
/// Spread of a street's quarter of an hour, standard deviation of the logarithm.
const QUARTER_SD: f64 = 0.12;
/// Spread of a whole day, standard deviation of the logarithm (notes on ETA §6.1).
const DAY_SD: f64 = 0.06;

/// Speed ÷ free flow by hour of the day, linear in between: two rush hours.
const HOURS: [f64; 25] = [
    0.95, 0.96, 0.96, 0.96, 0.95, 0.92, 0.86, 0.76, 0.70, 0.76, 0.82, 0.83, 0.81, 0.81, 0.82, 0.80,
    0.74, 0.69, 0.71, 0.79, 0.86, 0.90, 0.92, 0.94, 0.95,
];

/// Slow streets around a place from a moment on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jam {
    /// Where.
    pub centre: Position,
    /// Streets that begin within this distance are caught, metres.
    pub radius_m: f64,
    /// From when on, seconds since the simulation's start.
    pub from_s: f64,
}

/// The traffic of one day.
#[derive(Debug, Clone)]
pub struct Traffic {
    seed: u64,
    start: Timestamp,
    day: f64,
    /// The jam that was ordered.
    pub jam: Option<Jam>,
}

impl Traffic {
    /// The day of a seed; the simulation begins at `start`, whose UTC hour sets the traffic.
    pub fn new(seed: u64, start: Timestamp) -> Self {
        let day = Chance::new(seed, For::Traffic).log_normal(1.0, DAY_SD);
        Self { seed, start, day, jam: None }
    }

    /// Speed ÷ free flow on an edge entered `at_s` seconds after the start, 0.1 to 1.3.
    pub fn ratio(&self, road: &Road, edge: EdgeId, at_s: f64) -> f64 {
        if self.is_jammed(road, edge, at_s) {
            return JAM_RATIO;
        }
        let quarter = libm::floor(at_s / 900.0) as i64 as u64;
        let own = STREET_SD * self.normal(edge, 0);
        let now = QUARTER_SD * self.normal(edge, quarter.wrapping_add(1));
        (self.hour(at_s) * self.day * libm::exp(own + now)).clamp(0.1, 1.3)
    }

    /// Whether an edge is caught in the jam at that time.
    pub fn is_jammed(&self, road: &Road, edge: EdgeId, at_s: f64) -> bool {
        self.jam.is_some_and(|jam| {
            at_s >= jam.from_s
                && plane::distance_m(road.position(road.tail(edge)), jam.centre) <= jam.radius_m
        })
    }

    fn hour(&self, at_s: f64) -> f64 {
        let day_s = self.start.plus_seconds(at_s).micros().rem_euclid(86_400_000_000) as f64 / 1e6;
        let hour = day_s / 3600.0;
        let whole = (hour as usize).min(23);
        HOURS[whole] + (HOURS[whole + 1] - HOURS[whole]) * (hour - whole as f64)
    }

    /// A standard normal number that belongs to an edge and a slot.
    fn normal(&self, edge: EdgeId, slot: u64) -> f64 {
        let mixed = mix(self.seed ^ mix(u64::from(edge.0) ^ mix(slot)));
        let unit = |bits: u64| (bits >> 40) as f64 / f64::from(1_u32 << 24);
        // Sum of twelve bits' worth is too coarse for tails, and tails are cut by `ratio` anyway:
        // four uniforms have the right spread after scaling by √3.
        let sum: f64 = (1..=4).map(|k| unit(mix(mixed.wrapping_add(k))) - 0.5).sum();
        sum * 1.732_050_807_568_877_2
    }
}

/// Mixes 64 bits (the finaliser of `SplitMix64`, Steele, Lea and Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

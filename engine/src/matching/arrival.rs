//! What is known of getting to one candidate, all hypotheses together.

use crate::matching::emission::probability;

/// The best way found so far to one candidate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) score: f64,
    pub(super) mass: f64,
    pub(super) back: u8,
    pub(super) offset_m: f64,
    pub(super) variance: f64,
}

/// None yet.
pub(super) const NOWHERE: Arrival =
    Arrival { score: f64::INFINITY, mass: 0.0, back: 0, offset_m: 0.0, variance: 0.0 };

impl Arrival {
    /// Takes a way from a hypothesis of this score and probability at this price: into the sum,
    /// and by `take` where none was better.
    pub(super) fn offer(&mut self, score: f64, mass: f64, cost: f64, take: impl FnOnce(&mut Self)) {
        if cost < 30.0 {
            self.mass += mass * probability(cost);
        }
        if score + cost < self.score {
            self.score = score + cost;
            take(self);
        }
    }
}

//! Fixes to roads: an online hidden Markov model with bounded lag and bounded state.
//!
//! Each fix is answered at once with a provisional place and its probability; edges are committed
//! when all surviving paths agree on them, or when they have waited longer than [`Lag`] allows, and
//! a committed edge is never taken back. The model is Newson & Krumm 2009 (Gaussian emission, a
//! price on the difference between driven and travelled metres) with the variable window of Goh et
//! al. 2012. We deviate in six ways, each described where it is done: a fix's weight falls when
//! fixes are dense, because their errors drift together (`emission`); each hypothesis carries a
//! filtered distance along its edge instead of the bare projection (`transition`); leaving the road
//! is a state of its own instead of a breakage (`viterbi`); between fixes far apart what drivers
//! weigh tells ways apart, found by one search from all hypotheses (`far`); the spread of a receiver
//! that does not tell its accuracy is learnt by likelihood (`spread`); and columns that hold no decision
//! are dropped, so that sixteen of them span half a minute of one-second fixes (`state`).
//!
//! Pure and deterministic: no clock, no hash order, transcendental functions from `libm`.

use ingest::time::Timestamp;
use ingest::units::Position;

use crate::path::Router;
use crate::road::{EdgeId, Near, Place};

mod arrival;
mod candidate;
mod emission;
mod far;
mod online;
mod spread;
mod state;
mod transition;
mod viterbi;

#[cfg(test)]
mod tests;

pub use online::Lag;
pub use state::{BYTES_MAX, BadTrack, Track};

/// One fix, as the matcher reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Where the receiver says it is.
    pub position: Position,
    /// When; fixes of one track come in rising order, an older one is left unanswered.
    pub time: Timestamp,
    /// Speed over ground, metres per second; absent when not reported.
    pub speed_mps: Option<f64>,
    /// Degrees clockwise from north; absent when not reported. Read only above walking pace.
    pub heading: Option<f64>,
    /// Radius that holds the truth about two times in three, metres; absent when not reported,
    /// then the spread seen so far on this track stands in.
    pub accuracy_m: Option<f64>,
}

/// The most likely place of the last fix, as known at once; later fixes may change it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatchedPoint {
    /// Edge and metres along it.
    pub place: Place,
    /// The same as a position.
    pub position: Position,
    /// Posterior probability of the edge among all candidates and "off the road", 0 to 1.
    pub confidence: f64,
}

/// An edge that the vehicle is taken to have entered; never revised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Passed {
    /// Which edge.
    pub edge: EdgeId,
    /// When, interpolated by distance between the fixes around it.
    pub entered: Timestamp,
    /// Where on the edge it begins, metres: 0 but for the first of a piece and after a U-turn.
    pub from_m: f64,
    /// Whether it follows on from the edge passed before; false for the first of each piece.
    pub joined: bool,
}

/// What one fix led to. Owned by the caller and reused.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The provisional place; absent off the road, for an outlier, and for a fix out of order.
    pub matched: Option<MatchedPoint>,
    /// Edges committed by this call, in driving order.
    pub committed: Vec<Passed>,
    /// Where the committed path now ends; absent when nothing was committed by this call.
    pub reached: Option<Place>,
    /// The path was broken: the next committed edge will not follow on from the last.
    pub gap: bool,
}

impl Observed {
    fn clear(&mut self) {
        self.matched = None;
        self.committed.clear();
        self.reached = None;
        self.gap = false;
    }
}

/// Reused working memory, one per thread; carries nothing from call to call.
#[derive(Debug)]
pub struct Scratch {
    router: Router,
    near: Vec<Near>,
    candidates: Vec<candidate::Candidate>,
    step: viterbi::Step,
    routed: transition::Routed,
    marks: Vec<u16>,
    chain: Vec<state::Cell>,
    path: Vec<EdgeId>,
}

impl Scratch {
    /// Empty; it grows to its working size with the first fixes.
    pub fn new() -> Self {
        Self {
            router: Router::new(),
            near: Vec::new(),
            candidates: Vec::new(),
            step: viterbi::Step::default(),
            routed: transition::Routed::default(),
            marks: Vec::new(),
            chain: Vec::new(),
            path: Vec::new(),
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

//! What the system said, whoever told us: its outputs or its API.

use std::collections::BTreeMap;

use engine::model::{EventKind, Proposal};
use ingest::record::Pid;

/// A reported arrival.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeenArrival {
    /// Number of the vehicle.
    pub van: u32,
    /// Index of the stop in its route.
    pub stop: usize,
    /// The reported moment, seconds since the start.
    pub at_s: f64,
}

/// A prediction as it stood at some moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Number of the vehicle.
    pub van: u32,
    /// Index of the stop in its route.
    pub stop: usize,
    /// When it was looked at, seconds since the start.
    pub at_s: f64,
    /// Three quantiles of the arrival, seconds since the start.
    pub p10_s: f64,
    /// Half.
    pub p50_s: f64,
    /// Nine of ten.
    pub p90_s: f64,
}

/// An exception that was raised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Raised {
    /// Number of the vehicle.
    pub van: u32,
    /// What.
    pub kind: EventKind,
    /// Index of the stop, for those that have one.
    pub stop: Option<usize>,
    /// When it was said, seconds since the start.
    pub at_s: f64,
}

/// A reroute proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposed {
    /// Number of the vehicle.
    pub van: u32,
    /// When, seconds since the start.
    pub at_s: f64,
    /// What, where the whole of it is known.
    pub proposal: Option<Proposal>,
}

/// Everything that was said.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// In the order they were told.
    pub arrivals: Vec<SeenArrival>,
    /// One a vehicle, stop and minute.
    pub predictions: Vec<Prediction>,
    /// In the order they were told.
    pub raised: Vec<Raised>,
    /// In the order they were told.
    pub proposals: Vec<Proposed>,
    /// How often each fix was written out.
    pub positions: BTreeMap<Pid, u32>,
}

impl Seen {
    /// A fix was written out.
    pub fn position(&mut self, pid: Pid) {
        *self.positions.entry(pid).or_default() += 1;
    }
}

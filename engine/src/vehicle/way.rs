//! The path to the next stop: followed as it is driven, so that its rest is always known.

use crate::eta::travel::Stretch;
use crate::road::{EdgeId, Place, Road};

/// How far ahead on the path the vehicle is looked for, edges: what one fix interval covers.
const LOOK_AHEAD: usize = 48;
/// Longest path that is kept, edges; a longer one is cut and found again when its end is near.
pub(super) const EDGES_MAX: usize = 4096;

/// A path being driven.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Way {
    /// From the edge the vehicle was on when it was found, to the target's.
    pub(super) edges: Vec<EdgeId>,
    /// The stop's place, on the last edge.
    pub(super) target: Place,
    /// Index of the edge the vehicle is on.
    pub(super) at: usize,
    /// What is left from there.
    pub(super) left: Stretch,
    /// What lies between the start of each edge and the target; made anew where empty.
    rest: Vec<Stretch>,
}

impl Way {
    pub(super) fn new(mut edges: Vec<EdgeId>, target: Place, whole: Stretch) -> Self {
        edges.truncate(EDGES_MAX);
        Self { edges, target, at: 0, left: whole, rest: Vec::new() }
    }

    /// As a checkpoint keeps it.
    pub(super) fn kept(edges: Vec<EdgeId>, target: Place, at: usize, left: Stretch) -> Self {
        Self { at: at.min(edges.len().saturating_sub(1)), edges, target, left, rest: Vec::new() }
    }

    /// Finds the vehicle on the path, not behind where it was, and says whether it is there.
    pub(super) fn follow(&mut self, road: &Road, place: Place) -> bool {
        let ahead = self.edges[self.at..].iter().take(LOOK_AHEAD);
        let Some(step) = ahead.enumerate().find(|(_, e)| **e == place.edge).map(|(i, _)| i) else {
            return false;
        };
        let at = self.at + step;
        // On the last edge but beyond the door.
        let last = at + 1 == self.edges.len();
        if last && place.offset_m > self.target.offset_m + BEYOND_M {
            return false;
        }
        self.at = at;
        self.left = self.from(road, at, place.offset_m);
        true
    }

    /// Whether an edge is among the next ones of the path.
    pub(super) fn is_ahead(&self, edge: EdgeId) -> bool {
        self.edges[self.at..].iter().take(LOOK_AHEAD).any(|e| *e == edge)
    }

    /// What is left from a point of edge `at`.
    fn from(&mut self, road: &Road, at: usize, offset_m: f64) -> Stretch {
        self.sum(road);
        let edge = self.edges[at];
        let (length, free_s) = (road.length_m(edge).max(0.01), road.free_s(edge));
        let offset_m = offset_m.clamp(0.0, length);
        let rest = self.rest[at];
        Stretch {
            free_s: (rest.free_s - free_s * offset_m / length).max(0.0),
            metres: (rest.metres - offset_m).max(0.0),
        }
    }

    fn sum(&mut self, road: &Road) {
        if !self.rest.is_empty() {
            return;
        }
        self.rest.resize(self.edges.len(), Stretch::default());
        let mut sum = Stretch::default();
        for (i, edge) in self.edges.iter().enumerate().rev() {
            let (length, free_s) = (road.length_m(*edge).max(0.01), road.free_s(*edge));
            let last = i + 1 == self.edges.len() && *edge == self.target.edge;
            let share = if last { (self.target.offset_m / length).clamp(0.0, 1.0) } else { 1.0 };
            sum = Stretch {
                free_s: sum.free_s + free_s * share,
                metres: sum.metres + length * share,
            };
            self.rest[i] = sum;
        }
    }
}

/// Past the door by no more than this, metres, is at the door: noise along the road.
const BEYOND_M: f64 = 40.0;

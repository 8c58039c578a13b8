//! The path to the next stop: followed as it is driven, so that its rest is always known.

use crate::eta::travel::Stretch;
use crate::model::Changed;
use crate::path::{Driven, Traffic};
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
    /// Where it goes, and where the quickest way at free flow does, as [`Driven::cells`].
    pub(super) cells: u128,
    /// What lies between the start of each edge and the target; made anew where empty.
    rest: Vec<Stretch>,
}

impl Way {
    pub(super) fn new(found: Driven, target: Place) -> Self {
        let Driven { path, slow_s, cells } = found;
        let left = Stretch { free_s: path.seconds, slow_s, metres: path.metres };
        let mut edges = path.edges;
        edges.truncate(EDGES_MAX);
        Self { edges, target, at: 0, left, cells, rest: Vec::new() }
    }

    /// As a checkpoint keeps it.
    pub(super) fn kept(
        (edges, at): (Vec<EdgeId>, usize),
        target: Place,
        (left, cells): (Stretch, u128),
    ) -> Self {
        let at = at.min(edges.len().saturating_sub(1));
        Self { edges, target, at, left, cells, rest: Vec::new() }
    }

    /// Finds the vehicle on the path, not behind where it was, and says whether it is there.
    pub(super) fn follow(&mut self, (road, traffic): (&Road, &Traffic), place: Place) -> bool {
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
        self.left = self.from((road, traffic), at, place.offset_m);
        true
    }

    /// Whether an edge is among the next ones of the path.
    pub(super) fn is_ahead(&self, edge: EdgeId) -> bool {
        self.edges[self.at..].iter().take(LOOK_AHEAD).any(|e| *e == edge)
    }

    /// The roads take something else than before: what is left from where the vehicle is.
    pub(super) fn reckon(&mut self, (road, traffic): (&Road, &Traffic)) {
        self.rest.clear();
        self.sum(road, traffic);
        let driven_m = self.rest[self.at].metres - self.left.metres;
        self.left = self.from((road, traffic), self.at, driven_m);
    }

    /// Whether a change of the roads may concern it.
    pub(super) fn meets(&self, changed: &Changed) -> bool {
        self.cells & changed.cells != 0
            || self.edges[self.at..].iter().any(|e| changed.edges.binary_search(&e.0).is_ok())
    }

    /// Where the vehicle comes to the first closed edge beyond the one it is on: the end of the
    /// edge before it, how many seconds from now, and the closed edge.
    pub(super) fn closed_at(&mut self, (road, traffic): (&Road, &Traffic)) -> Option<Barrier> {
        let closed = (self.at + 1..self.edges.len()).find(|&i| traffic.is_closed(self.edges[i]))?;
        self.sum(road, traffic);
        let edge = self.edges[closed - 1];
        let before = Place { edge, offset_m: road.length_m(edge) };
        let seconds = (self.left.free_s - self.rest[closed].free_s).max(0.0);
        Some(Barrier { before, seconds, edge: self.edges[closed] })
    }

    /// What is left from a point of edge `at`.
    fn from(&mut self, (road, traffic): (&Road, &Traffic), at: usize, offset_m: f64) -> Stretch {
        self.sum(road, traffic);
        let edge = self.edges[at];
        let (length, now_s) = (road.length_m(edge).max(0.01), traffic.seconds(road, edge));
        let share = offset_m.clamp(0.0, length) / length;
        let rest = self.rest[at];
        Stretch {
            free_s: (rest.free_s - now_s * share).max(0.0),
            slow_s: (rest.slow_s - (now_s - road.free_s(edge)) * share).max(0.0),
            metres: (rest.metres - length * share).max(0.0),
        }
    }

    fn sum(&mut self, road: &Road, traffic: &Traffic) {
        if !self.rest.is_empty() {
            return;
        }
        self.rest.resize(self.edges.len(), Stretch::default());
        let mut sum = Stretch::default();
        for (i, edge) in self.edges.iter().enumerate().rev() {
            let (length, now_s) = (road.length_m(*edge).max(0.01), traffic.seconds(road, *edge));
            let last = i + 1 == self.edges.len() && *edge == self.target.edge;
            let share = if last { (self.target.offset_m / length).clamp(0.0, 1.0) } else { 1.0 };
            sum = Stretch {
                free_s: sum.free_s + now_s * share,
                slow_s: sum.slow_s + (now_s - road.free_s(*edge)) * share,
                metres: sum.metres + length * share,
            };
            self.rest[i] = sum;
        }
    }
}

/// A closed edge on the path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Barrier {
    /// Where the vehicle meets it.
    pub(super) before: Place,
    /// Seconds until then.
    pub(super) seconds: f64,
    /// What is closed.
    pub(super) edge: EdgeId,
}

/// Past the door by no more than this, metres, is at the door: noise along the road.
const BEYOND_M: f64 = 40.0;

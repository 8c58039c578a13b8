//! Label-setting search over the states of the road: Dijkstra 1959, with Hart, Nilsson &
//! Raphael's bound (A*, 1968) where the cost has one; `from_all` from many places at once.

mod from_all;

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::road::{EdgeId, Place, Road};

use super::cost::Cost;

/// No state.
pub(super) const NOWHERE: u32 = u32::MAX;

/// The best known way to the head of a state's edge.
#[derive(Debug, Clone, Copy, Default)]
struct Label {
    cost: f64,
    parent: u32,
    /// The search it belongs to; labels of others do not count.
    epoch: u32,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    key: f64,
    cost: f64,
    state: u32,
    metres: f32,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    /// The least key is the greatest, ties by state: the order of the queue is defined.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.total_cmp(&self.key).then(other.state.cmp(&self.state))
    }
}

/// How a target was reached: the state before its edge, or that it lies ahead on the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Arrival {
    pub(super) cost: f64,
    pub(super) before: Before,
}

/// What comes before the target's edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Before {
    /// The target lies ahead on the edge one starts from.
    Nothing,
    /// A state of the search.
    State(u32),
}

/// When a search has done its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Every target is reached.
    All,
    /// The cheapest of them is.
    Nearest,
}

/// How far [`super::Router::reach_from_all`] goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Most that a target's cost and handicap may be together, seconds.
    pub limit_s: f64,
    /// And most that they may be above the best target's, seconds.
    pub beam_s: f64,
    /// Most metres of a way.
    pub limit_m: f64,
}

/// Metres that sums of single precision are given.
const METRES_ROUNDED: f32 = 0.1;

/// Reusable memory of a search: labels by state, the queue, the targets.
#[derive(Debug, Default)]
pub(super) struct Search {
    labels: Vec<Label>,
    epoch: u32,
    queue: BinaryHeap<Waiting>,
    /// Ways of more metres are not followed.
    limit_m: f32,
    /// Targets sorted by edge: edge and index.
    targets: Vec<(EdgeId, u32)>,
    /// A bit for each target's edge, by its number modulo 64.
    marked: u64,
    /// By index of the target.
    arrivals: Vec<Option<Arrival>>,
}

impl Search {
    /// How each target of the last run was reached.
    pub(super) fn arrivals(&self) -> &[Option<Arrival>] {
        &self.arrivals
    }

    /// Finds the cheapest way to every target, or to the nearest, whose cost is at most `limit`.
    pub(super) fn run<C: Cost>(
        &mut self,
        road: &Road,
        (from, limit): (Place, f64),
        (targets, until): (&[Place], Until),
        cost: &C,
    ) {
        self.begin(road, targets, f32::INFINITY);
        let record = road.edge(from.edge);
        if !record.access().has(cost.profile()) {
            return;
        }
        let (whole, share) = (cost.edge(from.edge, &record), share(from, record.length_m()));
        let mut open = 0;
        for (target, arrival) in targets.iter().zip(&mut self.arrivals) {
            let ahead = target.edge == from.edge && target.offset_m >= from.offset_m;
            let part = self::share(*target, record.length_m()) - share;
            let ahead_cost = cost.piece(whole, part);
            if ahead && ahead_cost <= limit {
                *arrival = Some(Arrival { cost: ahead_cost, before: Before::Nothing });
            } else {
                open += 1;
            }
        }
        if open == 0 {
            return;
        }
        let left = cost.piece(whole, 1.0 - share);
        self.label(from.edge.0, (left, cost.bound(road, record.head)), (0.0, 0.0), NOWHERE);
        let mut worst = self.worst(limit, until);
        while let Some(waiting) = self.queue.pop() {
            if waiting.key > worst {
                break;
            }
            if waiting.cost <= self.cost(waiting.state) {
                let improved = self.expand(road, targets, &waiting, cost);
                if improved {
                    worst = self.worst(limit, until);
                }
            }
        }
        self.drop_beyond(limit);
    }

    fn begin(&mut self, road: &Road, targets: &[Place], limit_m: f32) {
        self.limit_m = limit_m;
        if self.labels.len() < road.states() || self.epoch == u32::MAX {
            self.labels.clear();
            self.labels.resize(road.states(), Label::default());
            self.epoch = 0;
        }
        self.epoch += 1;
        self.queue.clear();
        self.targets.clear();
        self.targets.extend(targets.iter().zip(0..).map(|(target, index)| (target.edge, index)));
        self.targets.sort_unstable();
        self.marked = targets.iter().fold(0, |marked, target| marked | bit(target.edge));
        self.arrivals.clear();
        self.arrivals.resize(targets.len(), None);
    }

    /// Relaxes every edge that goes on from a state; whether a target was reached more cheaply.
    fn expand<C: Cost>(
        &mut self,
        road: &Road,
        targets: &[Place],
        &Waiting { state, cost: so_far, .. }: &Waiting,
        cost: &C,
    ) -> bool {
        let from = road.edge(road.edge_in(state));
        let mut improved = false;
        for to in road.out_edges(from.head) {
            let record = road.edge(EdgeId(to));
            if !record.access().has(cost.profile()) {
                continue;
            }
            let Some(next) = road.turn_from(&from, state, EdgeId(to), cost.profile()) else {
                continue;
            };
            let at_tail = so_far + cost.turn(&from, &record);
            let whole = cost.edge(EdgeId(to), &record);
            if let Ok(found) = self.targets.binary_search_by_key(&to, |target| target.0.0) {
                let arrive =
                    |target: &Place| at_tail + cost.piece(whole, share(*target, record.length_m()));
                improved |= self.arrive(targets, found, state, arrive);
            }
            let reached = at_tail + whole;
            if reached < self.cost(next) {
                let left = cost.bound(road, record.head);
                self.label(next, (reached, left), (0.0, 0.0), state);
            }
        }
        improved
    }

    /// Notes a way to each target on one edge; `found` is one of their places in the list.
    fn arrive(
        &mut self,
        targets: &[Place],
        found: usize,
        state: u32,
        arrive: impl Fn(&Place) -> f64,
    ) -> bool {
        let edge = self.targets[found].0;
        let first = self.targets.partition_point(|target| target.0 < edge);
        let mut improved = false;
        for &(_, index) in self.targets[first..].iter().take_while(|target| target.0 == edge) {
            let cost = arrive(&targets[index as usize]);
            let arrival = &mut self.arrivals[index as usize];
            if arrival.is_none_or(|known| cost < known.cost) {
                *arrival = Some(Arrival { cost, before: Before::State(state) });
                improved = true;
            }
        }
        improved
    }

    /// The cost above which nothing can get better: the worst arrival once all are there, or the
    /// best.
    fn worst(&self, limit: f64, until: Until) -> f64 {
        let costs = self.arrivals.iter().map(|arrival| arrival.map_or(limit, |known| known.cost));
        match until {
            Until::All => costs.fold(0.0, f64::max).min(limit),
            Until::Nearest => costs.fold(limit, f64::min),
        }
    }

    fn drop_beyond(&mut self, limit: f64) {
        for arrival in &mut self.arrivals {
            *arrival = arrival.filter(|known| known.cost <= limit);
        }
    }

    fn cost(&self, state: u32) -> f64 {
        match self.labels.get(state as usize) {
            Some(label) if label.epoch == self.epoch => label.cost,
            Some(_) => f64::INFINITY,
            // A state that a damaged map names: never reached.
            None => 0.0,
        }
    }

    /// Notes a way to a state with what it costs and at least is left, and the same in metres.
    fn label(&mut self, state: u32, (cost, left): (f64, f64), metres: (f32, f32), parent: u32) {
        let Some(label) = self.labels.get_mut(state as usize) else { return };
        *label = Label { cost, parent, epoch: self.epoch };
        if metres.0 + metres.1 <= self.limit_m {
            self.queue.push(Waiting { key: cost + left, cost, state, metres: metres.0 });
        }
    }

    /// Puts the edges of the way to a target into `out`, first edge first.
    pub(super) fn edges_to(
        &self,
        road: &Road,
        to: EdgeId,
        arrival: Arrival,
        out: &mut Vec<EdgeId>,
    ) {
        out.clear();
        out.push(to);
        let Before::State(mut state) = arrival.before else { return };
        loop {
            out.push(road.edge_in(state));
            match self.labels.get(state as usize) {
                Some(label) if label.parent != NOWHERE => state = label.parent,
                _ => break,
            }
        }
        out.reverse();
    }
}

/// The bit of an edge in [`Search::marked`].
fn bit(edge: EdgeId) -> u64 {
    1 << (edge.0 % 64)
}

/// The share of an edge that lies before a place, 0 to 1.
pub(super) fn share(place: Place, length_m: f64) -> f64 {
    if length_m > 0.0 { (place.offset_m / length_m).clamp(0.0, 1.0) } else { 0.0 }
}

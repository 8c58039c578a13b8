//! Many ways at once: matrices, and everybody's way to one place.
//!
//! A matrix climbs once from each place. Since the states below a state in the elimination tree
//! have the numbers just before it, the targets below it are a run of the targets sorted by
//! number: each state keeps a plain row of costs for its run, and a row of the matrix is the
//! least sum over the states above its source, a product of rows that the compiler makes into
//! vector instructions. Where a source and a target lie in different halves of a cut, only
//! states at or above that cut are looked at.
//!
//! To one place, costs are found only where a source asks (Strasser & Zeitz 2021, Lazy RPHAST),
//! so sources share all they have in common. We first mark all states above the sources, a bit
//! each, and then find their costs in one sweep from the top: rows are read in the order they lie
//! in memory, and none waits for a climb to end.

use crate::road::{Place, Road};

use super::Snapshot;
use super::contract::{NONE, Side, Topology};
use super::customise::Weights;
use super::query::{Seed, chain};
use super::ways::Ways;

/// A target's way in: the state, what is to be added there, and the target it belongs to.
#[derive(Debug, Clone, Copy)]
struct Column {
    state: u32,
    cost: f64,
    target: u32,
}

/// What it costs from one state to the columns below it.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    first: u32,
    columns: u32,
    /// First of its costs.
    at: usize,
}

/// Reusable memory for asking for many ways: 24 bytes a state, and for a matrix 8 bytes for
/// each target and state above it.
#[derive(Debug, Default)]
pub struct Matrix {
    ways: Ways,
    /// Costs by state; infinite between calls.
    label: Vec<f64>,
    /// Bucket of each state; [`NONE`] between calls.
    bucket_of: Vec<u32>,
    buckets: Vec<Bucket>,
    columns: Vec<Column>,
    costs: Vec<f64>,
    seeds: Vec<Seed>,
    goals: Vec<Seed>,
    /// The states above the source at hand, and the least costs found for its row.
    climb: Vec<u32>,
    row: Vec<f64>,
    /// Where the sources of a call to one target set out: number of the source, and seed.
    asked: Vec<(u32, Seed)>,
    /// A bit for each state whose cost to the one target is wanted; none between calls.
    wanted: Vec<u64>,
    /// Cost to the one target by state, true for those wanted in this call.
    settled: Vec<f64>,
}

impl Matrix {
    /// No memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Seconds of the cheapest way from each place to each, discouragement included as
    /// [`Router`](crate::path::Router) compares them; infinite where there is none. `out` is
    /// cleared first and holds a row per source.
    pub fn costs(
        &mut self,
        road: &Road,
        snapshot: &Snapshot,
        (from, to): (&[Place], &[Place]),
        out: &mut Vec<f64>,
    ) {
        self.fit(snapshot);
        self.fill_buckets(road, snapshot, to);
        out.clear();
        out.resize(from.len() * to.len(), f64::INFINITY);
        for (source, row) in from.iter().zip(out.chunks_exact_mut(to.len().max(1))) {
            self.row.clear();
            self.row.resize(self.columns.len(), f64::INFINITY);
            if let Some(seed) = snapshot.seed_from(road, *source) {
                self.least_sums(&snapshot.hierarchy.topology, snapshot, seed);
            }
            for (column, &cost) in self.columns.iter().zip(&self.row) {
                let known = &mut row[column.target as usize];
                *known = least(*known, cost);
            }
        }
        self.same_edge(road, snapshot, (from, to), out);
        for bucket_of in &mut self.bucket_of {
            *bucket_of = NONE;
        }
    }

    /// The same from each place to one: for a stop, how far every vehicle is.
    pub fn to_one(
        &mut self,
        road: &Road,
        snapshot: &Snapshot,
        (from, to): (&[Place], Place),
        out: &mut Vec<f64>,
    ) {
        self.fit(snapshot);
        let topology = &snapshot.hierarchy.topology;
        snapshot.seeds_to(road, to, &mut self.goals);
        self.climb.clear();
        for &(state, cost) in &self.goals {
            self.label[state as usize] = cost;
            self.climb.extend(chain(topology, state));
        }
        self.climb.sort_unstable();
        self.climb.dedup();
        for &state in &self.climb {
            relax(&topology.into, &snapshot.metric.shortcuts.into, state, &mut self.label);
        }
        for at in (0..self.climb.len()).rev() {
            let state = self.climb[at];
            let label = std::mem::replace(&mut self.label[state as usize], f64::INFINITY);
            self.settle_one(snapshot, state, label);
        }
        out.clear();
        out.resize(from.len(), f64::INFINITY);
        self.ask(road, snapshot, (from, to), out);
        self.sweep(snapshot);
        for &(source, (state, left)) in &self.asked {
            let known = &mut out[source as usize];
            *known = least(*known, left + self.settled[state as usize]);
        }
    }

    /// Marks the states above each source, those of the target's climb left out, which are
    /// settled; who has the target ahead on the same edge is answered at once.
    fn ask(
        &mut self,
        road: &Road,
        snapshot: &Snapshot,
        (from, to): (&[Place], Place),
        out: &mut [f64],
    ) {
        self.asked.clear();
        for ((&from, out), source) in from.iter().zip(out).zip(0..) {
            self.seeds.clear();
            match snapshot.ahead(road, from, to) {
                Some(ahead) => *out = ahead,
                None if from.edge == to.edge => {
                    snapshot.seeds_after(road, from, &mut self.seeds);
                }
                None => self.seeds.extend(snapshot.seed_from(road, from)),
            }
            self.asked.extend(self.seeds.iter().map(|&seed| (source, seed)));
        }
        let parent = &snapshot.hierarchy.topology.parent;
        self.climb.iter().for_each(|&state| self.wanted[state as usize / 64] |= 1 << (state % 64));
        for &(_, (mut state, _)) in &self.asked {
            while let Some(word) = self.wanted.get_mut(state as usize / 64)
                && *word & (1 << (state % 64)) == 0
            {
                *word |= 1 << (state % 64);
                state = parent[state as usize];
            }
        }
        self.climb
            .iter()
            .for_each(|&state| self.wanted[state as usize / 64] &= !(1 << (state % 64)));
    }

    /// Settles the marked states, the latest first, and takes the marks away.
    fn sweep(&mut self, snapshot: &Snapshot) {
        for at in (0..self.wanted.len()).rev() {
            let mut word = std::mem::take(&mut self.wanted[at]);
            while word != 0 {
                let bit = word.ilog2();
                word &= !(1 << bit);
                self.settle_one(snapshot, at as u32 * 64 + bit, f64::INFINITY);
            }
        }
    }

    /// Settles a state whose later ones are.
    fn settle_one(&mut self, snapshot: &Snapshot, state: u32, label: f64) {
        let rows = &snapshot.hierarchy.topology.out.rows;
        let row = rows.row(state);
        let weights = &snapshot.metric.shortcuts.out.weight[row.clone()];
        let (ends, ends_left) = rows.ends[row].as_chunks::<4>();
        let (weights, weights_left) = weights.as_chunks::<4>();
        // Four minima side by side: one alone would wait for itself at every arc.
        let mut costs = [label, f64::INFINITY, f64::INFINITY, f64::INFINITY];
        for (ends, weights) in ends.iter().zip(weights) {
            for lane in 0..4 {
                let onward = weights[lane] + self.settled[ends[lane] as usize];
                costs[lane] = least(costs[lane], onward);
            }
        }
        for ((&end, &weight), cost) in ends_left.iter().zip(weights_left).zip(&mut costs) {
            *cost = least(*cost, weight + self.settled[end as usize]);
        }
        let cost = least(least(costs[0], costs[1]), least(costs[2], costs[3]));
        self.settled[state as usize] = cost;
    }

    fn fit(&mut self, snapshot: &Snapshot) {
        let states = snapshot.hierarchy.states();
        if self.label.len() < states {
            self.label.resize(states, f64::INFINITY);
            self.bucket_of.resize(states, NONE);
            self.settled.resize(states, f64::INFINITY);
            self.wanted.resize(states.div_ceil(64), 0);
        }
    }

    /// A climb from every target, its costs put into the buckets of the states above it.
    fn fill_buckets(&mut self, road: &Road, snapshot: &Snapshot, to: &[Place]) {
        self.columns.clear();
        for (&place, target) in to.iter().zip(0..) {
            snapshot.seeds_to(road, place, &mut self.seeds);
            let columns = self.seeds.iter().map(|&(state, cost)| Column { state, cost, target });
            self.columns.extend(columns);
        }
        self.columns.sort_unstable_by_key(|column| (column.state, column.target));
        self.buckets.clear();
        self.costs.clear();
        let topology = &snapshot.hierarchy.topology;
        for index in 0..self.columns.len() {
            let column = self.columns[index];
            self.label[column.state as usize] = column.cost;
            for state in chain(topology, column.state) {
                let cost = self.label[state as usize];
                if cost == f64::INFINITY {
                    continue;
                }
                relax(&topology.into, &snapshot.metric.shortcuts.into, state, &mut self.label);
                self.label[state as usize] = f64::INFINITY;
                let bucket = self.bucket(topology, state);
                self.costs[bucket.at + index - bucket.first as usize] = cost;
            }
        }
    }

    /// The bucket of a state, made where it has none.
    fn bucket(&mut self, topology: &Topology, state: u32) -> Bucket {
        let known = &mut self.bucket_of[state as usize];
        if let Some(&bucket) = self.buckets.get(*known as usize) {
            return bucket;
        }
        let lowest = state + 1 - topology.below[state as usize];
        let first = self.columns.partition_point(|column| column.state < lowest);
        let end = self.columns.partition_point(|column| column.state <= state);
        let columns = (end - first) as u32;
        let bucket = Bucket { first: first as u32, columns, at: self.costs.len() };
        *known = self.buckets.len() as u32;
        self.buckets.push(bucket);
        self.costs.resize(self.costs.len() + columns as usize, f64::INFINITY);
        bucket
    }

    /// Fills the row with the least costs from a source over any state above it.
    fn least_sums(&mut self, topology: &Topology, snapshot: &Snapshot, (from, cost): Seed) {
        let shortcuts = &snapshot.metric.shortcuts;
        self.climb.clear();
        self.climb.extend(chain(topology, from));
        self.label[from as usize] = cost;
        for &state in &self.climb {
            relax(&topology.out, &shortcuts.out, state, &mut self.label);
        }
        for at in (0..self.climb.len()).rev() {
            let state = self.climb[at];
            let cost = self.label[state as usize];
            let bucket = self.buckets.get(self.bucket_of[state as usize] as usize).copied();
            let (Some(bucket), true) = (bucket, cost < f64::INFINITY) else { continue };
            let costs = &self.costs[bucket.at..bucket.at + bucket.columns as usize];
            let row =
                &mut self.row[bucket.first as usize..(bucket.first + bucket.columns) as usize];
            for (known, &onward) in row.iter_mut().zip(costs) {
                *known = least(*known, cost + onward);
            }
        }
        for &state in &self.climb {
            self.label[state as usize] = f64::INFINITY;
        }
    }

    /// Pairs on one edge, which a climb takes for a way of no length.
    fn same_edge(
        &mut self,
        road: &Road,
        snapshot: &Snapshot,
        (from, to): (&[Place], &[Place]),
        out: &mut [f64],
    ) {
        let mut targets: Vec<(u32, u32)> = to.iter().map(|place| place.edge.0).zip(0..).collect();
        targets.sort_unstable();
        for (&source, row) in from.iter().zip(out.chunks_exact_mut(to.len().max(1))) {
            let first = targets.partition_point(|target| target.0 < source.edge.0);
            let same = targets[first..].iter().take_while(|target| target.0 == source.edge.0);
            for &(_, target) in same {
                let pair = (source, to[target as usize]);
                let cost = self.ways.cost(road, snapshot, pair);
                row[target as usize] = cost.unwrap_or(f64::INFINITY);
            }
        }
    }
}

/// The lesser of two costs, neither of which is NaN; one instruction.
fn least(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

/// Lowers the labels at the other ends of a state's row.
fn relax(side: &Side, weights: &Weights, state: u32, label: &mut [f64]) {
    let so_far = label[state as usize];
    if so_far == f64::INFINITY {
        return;
    }
    let row = side.rows.row(state);
    for (&end, &weight) in side.rows.ends[row.clone()].iter().zip(&weights.weight[row]) {
        let known = &mut label[end as usize];
        *known = least(*known, so_far + weight);
    }
}

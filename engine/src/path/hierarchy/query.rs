//! Elimination-tree queries (Dibbelt, Strasser & Wagner 2016, §7): no queue, every state above
//! the two ends is looked at once, in order.

use std::hint::select_unpredictable;

use super::contract::{NONE, Side, Topology};
use super::customise::{Shortcuts, Weights};

/// A cheapest way: what it costs and where its two searches meet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Met {
    pub(super) cost: f64,
    state: u32,
}

/// Labels of one direction, by state; infinite between queries.
#[derive(Debug, Default)]
struct Labels {
    cost: Vec<f64>,
    /// The earlier state a label came from, where it is finite; [`NONE`] at a seed.
    before: Vec<u32>,
}

impl Labels {
    fn fit(&mut self, states: usize) {
        if self.cost.len() < states {
            self.cost.resize(states, f64::INFINITY);
            self.before.resize(states, NONE);
        }
    }

    fn seed(&mut self, state: u32, cost: f64) {
        if cost < self.cost[state as usize] {
            self.cost[state as usize] = cost;
            self.before[state as usize] = NONE;
        }
    }

    fn relax<const TRACE: bool>(&mut self, side: &Side, weights: &Weights, state: u32) {
        let so_far = self.cost[state as usize];
        if so_far == f64::INFINITY {
            return;
        }
        let row = side.rows.row(state);
        for (&end, &weight) in side.rows.ends[row.clone()].iter().zip(&weights.weight[row]) {
            let (sum, known) = (so_far + weight, &mut self.cost[end as usize]);
            // Without a branch that nobody can predict.
            let better = sum < *known;
            *known = if better { sum } else { *known };
            if TRACE {
                let before = &mut self.before[end as usize];
                *before = select_unpredictable(better, state, *before);
            }
        }
    }
}

/// Reusable memory of queries on one hierarchy or several, one at a time.
#[derive(Debug, Default)]
pub(super) struct Query {
    ahead: Labels,
    back: Labels,
    /// States above the seeds of a search with several, ascending.
    above: Vec<u32>,
    stack: Vec<(bool, u32)>,
    legs: Vec<(bool, u32)>,
}

/// A state and the cost of being there (of getting on from there).
pub(super) type Seed = (u32, f64);

impl Query {
    /// The cheapest way from one of some states to one of others; both lists are short. Only
    /// with `TRACE` can it be unpacked.
    pub(super) fn run<const TRACE: bool>(
        &mut self,
        topology: &Topology,
        shortcuts: &Shortcuts,
        (from, to): (&[Seed], &[Seed]),
    ) -> Option<Met> {
        self.ahead.fit(topology.states());
        self.back.fit(topology.states());
        for (seeds, labels) in [(from, &mut self.ahead), (to, &mut self.back)] {
            for &(state, cost) in seeds {
                labels.seed(state, cost);
            }
        }
        if let (&[(from, _)], &[(to, _)]) = (from, to) {
            self.pair::<TRACE>(topology, shortcuts, (from, to))
        } else {
            self.several::<TRACE>(topology, shortcuts, (from, to))
        }
    }

    /// Climbs from the earlier of two states until they have met, then on together.
    fn pair<const TRACE: bool>(
        &mut self,
        topology: &Topology,
        shortcuts: &Shortcuts,
        (mut from, mut to): (u32, u32),
    ) -> Option<Met> {
        while from != to {
            if from < to {
                self.ahead.relax::<TRACE>(&topology.out, &shortcuts.out, from);
                from = topology.parent[from as usize];
            } else {
                self.back.relax::<TRACE>(&topology.into, &shortcuts.into, to);
                to = topology.parent[to as usize];
            }
        }
        let mut met = Met { cost: f64::INFINITY, state: NONE };
        while from != NONE {
            self.meet::<TRACE>(topology, shortcuts, from, &mut met);
            from = topology.parent[from as usize];
        }
        (met.state != NONE).then_some(met)
    }

    fn meet<const TRACE: bool>(
        &mut self,
        topology: &Topology,
        shortcuts: &Shortcuts,
        state: u32,
        met: &mut Met,
    ) {
        let (ahead, back) = (self.ahead.cost[state as usize], self.back.cost[state as usize]);
        if ahead + back < met.cost {
            *met = Met { cost: ahead + back, state };
        }
        if ahead < met.cost {
            self.ahead.relax::<TRACE>(&topology.out, &shortcuts.out, state);
        }
        if back < met.cost {
            self.back.relax::<TRACE>(&topology.into, &shortcuts.into, state);
        }
    }

    /// The same from any number of states: all above any of them, in order.
    fn several<const TRACE: bool>(
        &mut self,
        topology: &Topology,
        shortcuts: &Shortcuts,
        (from, to): (&[Seed], &[Seed]),
    ) -> Option<Met> {
        self.above.clear();
        for &(seed, _) in from.iter().chain(to) {
            self.above.extend(chain(topology, seed));
        }
        self.above.sort_unstable();
        self.above.dedup();
        let mut met = Met { cost: f64::INFINITY, state: NONE };
        for at in 0..self.above.len() {
            self.meet::<TRACE>(topology, shortcuts, self.above[at], &mut met);
        }
        (met.state != NONE).then_some(met)
    }

    /// Makes the labels of a run infinite again.
    pub(super) fn clear(&mut self, topology: &Topology, (from, to): (&[Seed], &[Seed])) {
        for &(seed, _) in from {
            chain(topology, seed).for_each(|state| self.ahead.cost[state as usize] = f64::INFINITY);
        }
        for &(seed, _) in to {
            chain(topology, seed).for_each(|state| self.back.cost[state as usize] = f64::INFINITY);
        }
    }

    /// Tells the states that a way enters, from the one after its start, and returns the state it
    /// starts in; before [`Query::clear`].
    pub(super) fn unpack(
        &mut self,
        topology: &Topology,
        shortcuts: &Shortcuts,
        met: Met,
        mut enter: impl FnMut(u32),
    ) -> u32 {
        self.legs.clear();
        let (mut first, mut last) = (met.state, met.state);
        while self.ahead.before[first as usize] != NONE {
            let before = self.ahead.before[first as usize];
            let arc = topology.out.rows.arc(before, first);
            self.legs.extend(arc.map(|arc| (true, arc)));
            first = before;
        }
        self.legs.reverse();
        while self.back.before[last as usize] != NONE {
            let before = self.back.before[last as usize];
            let arc = topology.into.rows.arc(before, last);
            self.legs.extend(arc.map(|arc| (false, arc)));
            last = before;
        }
        for leg in 0..self.legs.len() {
            self.stack.push(self.legs[leg]);
            while let Some((out, arc)) = self.stack.pop() {
                let side = if out { &shortcuts.out } else { &shortcuts.into };
                match side.parts[arc as usize] {
                    [NONE, state] => enter(state),
                    [down, up] => self.stack.extend([(true, up), (false, down)]),
                }
            }
        }
        first
    }
}

/// A state and all above it in the tree.
pub(super) fn chain(topology: &Topology, state: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(state), |&state| {
        Some(topology.parent[state as usize]).filter(|&parent| parent != NONE)
    })
}

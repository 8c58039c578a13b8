//! Customisation: the weight of every shortcut under one metric.
//!
//! Rows are made in the order of contraction, each whole from its base arcs and its lower
//! triangles, which have their weights by then. So a row depends on nothing but the rows of
//! earlier states, and making one again after a change gives bit for bit what a full
//! customisation gives, ties included.

use std::hint::select_unpredictable;

use super::contract::{Base, NONE, Side, Topology};

/// What arcs of one direction cost, and what they stand for.
#[derive(Debug, Clone, Default)]
pub(super) struct Weights {
    /// By arc; infinite where nobody may go.
    pub(super) weight: Vec<f64>,
    /// By arc: the two arcs it is made of, first one that leads to an earlier state, then one
    /// that leads to a later; or [`NONE`] and the state that is entered.
    pub(super) parts: Vec<[u32; 2]>,
}

/// The weights of all arcs.
#[derive(Debug, Clone, Default)]
pub(super) struct Shortcuts {
    pub(super) out: Weights,
    pub(super) into: Weights,
}

/// What the arcs of the graph itself cost.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) topology: &'a Topology,
    /// By state: what driving its edge costs, infinite where that is not allowed.
    pub(super) whole: &'a [f64],
    /// By base arc of each side: what turning costs, infinite where that is not allowed.
    pub(super) out_turns: &'a [f32],
    pub(super) into_turns: &'a [f32],
}

/// A row as it is being made: by state at the other end.
#[derive(Debug, Default)]
pub(super) struct Bench(Vec<Cell>);

/// An arc in the making.
#[derive(Debug, Clone, Copy)]
struct Cell {
    weight: f64,
    parts: [u32; 2],
}

impl Cell {
    const NOWHERE: Self = Self { weight: f64::INFINITY, parts: [NONE; 2] };
}

impl Bench {
    pub(super) fn new(states: usize) -> Self {
        Self(vec![Cell::NOWHERE; states])
    }

    /// Makes a row: the base arcs, then every lower triangle that is cheaper. `changed` is told
    /// the arcs whose weight is another than before.
    fn row<const OUT: bool>(
        &mut self,
        (side, state): (&Side, u32),
        (near, far): (&[f64], &mut Weights),
        base: impl Iterator<Item = (u32, f64, u32)>,
        mut changed: impl FnMut(u32),
    ) {
        let (rows, lowers) = (&side.rows, side.lowers.of(state));
        if lowers.is_empty() {
            for (arc, weight, entered) in base {
                far.parts[arc as usize] = [NONE, entered];
                let known = &mut far.weight[arc as usize];
                if known.to_bits() != weight.to_bits() {
                    *known = weight;
                    changed(arc);
                }
            }
            return;
        }
        let row = rows.row(state);
        let (ends, cells) = (&rows.ends[row.clone()], &mut self.0[..]);
        for &end in ends {
            cells[end as usize] = Cell::NOWHERE;
        }
        for (arc, weight, entered) in base {
            cells[rows.ends[arc as usize] as usize] = Cell { weight, parts: [NONE, entered] };
        }
        for lower in lowers {
            let first = near[lower.arc as usize];
            let rest = lower.from as usize..lower.to as usize;
            let arcs = rows.ends[rest.clone()].iter().zip(&far.weight[rest]).zip(lower.from..);
            for ((&end, &second), arc) in arcs {
                let (weight, cell) = (first + second, &mut cells[end as usize]);
                let parts = if OUT { [lower.arc, arc] } else { [arc, lower.arc] };
                // Without a branch, which nobody could predict: a quarter less time.
                let better = weight < cell.weight;
                cell.weight = if better { weight } else { cell.weight };
                cell.parts = select_unpredictable(better, parts, cell.parts);
            }
        }
        let arcs = far.weight[row.clone()].iter_mut().zip(&mut far.parts[row.clone()]);
        for ((arc, end), (weight, parts)) in (row.start as u32..).zip(ends).zip(arcs) {
            let cell = cells[*end as usize];
            *parts = cell.parts;
            if weight.to_bits() != cell.weight.to_bits() {
                *weight = cell.weight;
                changed(arc);
            }
        }
    }

    /// Makes the row of arcs that leave a state.
    pub(super) fn row_out(
        &mut self,
        entry: &Entry<'_>,
        state: u32,
        shortcuts: &mut Shortcuts,
        changed: impl FnMut(u32),
    ) {
        let side = &entry.topology.out;
        let base = arcs(&side.base, state).map(|(at, arc)| {
            let entered = side.rows.ends[arc as usize];
            (arc, f64::from(entry.out_turns[at]) + entry.whole[entered as usize], entered)
        });
        let weights = (&shortcuts.into.weight[..], &mut shortcuts.out);
        self.row::<true>((side, state), weights, base, changed);
    }

    /// Makes the row of arcs that enter a state.
    pub(super) fn row_into(
        &mut self,
        entry: &Entry<'_>,
        state: u32,
        shortcuts: &mut Shortcuts,
        changed: impl FnMut(u32),
    ) {
        let side = &entry.topology.into;
        let whole = entry.whole[state as usize];
        let base = arcs(&side.base, state)
            .map(|(at, arc)| (arc, f64::from(entry.into_turns[at]) + whole, state));
        let weights = (&shortcuts.out.weight[..], &mut shortcuts.into);
        self.row::<false>((side, state), weights, base, changed);
    }
}

fn arcs(base: &Base, state: u32) -> impl Iterator<Item = (usize, u32)> {
    base.row(state).map(|at| (at, base.arcs[at]))
}

impl Shortcuts {
    /// Every row, in the order of contraction.
    pub(super) fn new(entry: &Entry<'_>) -> Self {
        let room = |side: &Side| Weights {
            weight: vec![f64::INFINITY; side.rows.ends.len()],
            parts: vec![[NONE; 2]; side.rows.ends.len()],
        };
        let mut shortcuts =
            Self { out: room(&entry.topology.out), into: room(&entry.topology.into) };
        shortcuts.remake(entry);
        shortcuts
    }

    /// The same in memory that is there.
    pub(super) fn remake(&mut self, entry: &Entry<'_>) {
        let mut bench = Bench::new(entry.topology.states());
        for state in 0..entry.topology.states() as u32 {
            bench.row_out(entry, state, self, |_| {});
            bench.row_into(entry, state, self, |_| {});
        }
    }

    /// Takes over the rows of some states from another customisation of the same topology.
    pub(super) fn copy_rows(&mut self, topology: &Topology, from: &Self, states: &[u32]) {
        for &state in states {
            self.out.copy_row(topology.out.rows.row(state), &from.out);
            self.into.copy_row(topology.into.rows.row(state), &from.into);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        (self.out.weight.len() + self.into.weight.len()) * 16
    }
}

impl Weights {
    fn copy_row(&mut self, row: std::ops::Range<usize>, from: &Self) {
        self.weight[row.clone()].copy_from_slice(&from.weight[row.clone()]);
        self.parts[row.clone()].copy_from_slice(&from.parts[row]);
    }
}

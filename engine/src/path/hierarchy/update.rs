//! Partial customisation: only the rows that a change of some edges reaches.

use super::contract::Topology;
use super::customise::{Bench, Entry, Shortcuts};

/// Rows to be made, by state.
#[derive(Debug, Default)]
struct Marks(Vec<u64>);

impl Marks {
    fn mark(&mut self, state: u32) {
        self.0[state as usize / 64] |= 1 << (state % 64);
    }

    fn take(&mut self, state: u32) -> bool {
        let (word, bit) = (&mut self.0[state as usize / 64], 1 << (state % 64));
        let marked = *word & bit != 0;
        *word &= !bit;
        marked
    }
}

/// Reusable memory of updates, and what the last one touched.
#[derive(Debug, Default)]
pub(super) struct Updater {
    bench: Bench,
    out: Marks,
    into: Marks,
    changed: Vec<u32>,
    /// States whose rows the last update made again.
    pub(super) touched: Vec<u32>,
}

impl Updater {
    pub(super) fn new(topology: &Topology) -> Self {
        let states = topology.states();
        let marks = || Marks(vec![0; states.div_ceil(64)]);
        Self {
            bench: Bench::new(states),
            out: marks(),
            into: marks(),
            changed: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// Brings the shortcuts up to date after the edges of `states` have changed their cost.
    /// The result is the one of a full customisation.
    pub(super) fn run(
        &mut self,
        entry: &Entry<'_>,
        states: impl Iterator<Item = u32>,
        shortcuts: &mut Shortcuts,
    ) {
        self.touched.clear();
        for state in states {
            self.into.mark(state);
            entry.topology.entered_from(state).iter().for_each(|&from| self.out.mark(from));
        }
        for word in 0..self.out.0.len() {
            // Marks are only ever set on later states than the one at hand.
            loop {
                let ahead = self.out.0[word] | self.into.0[word];
                if ahead == 0 {
                    break;
                }
                let state = word as u32 * 64 + ahead.trailing_zeros();
                self.row(entry, state, shortcuts);
            }
        }
    }

    fn row(&mut self, entry: &Entry<'_>, state: u32, shortcuts: &mut Shortcuts) {
        self.touched.push(state);
        let topology = entry.topology;
        if self.out.take(state) {
            self.changed.clear();
            self.bench.row_out(entry, state, shortcuts, |arc| self.changed.push(arc));
            let (own, other) = (&topology.out.rows, &topology.into.rows);
            let across = &other.ends[other.row(state)];
            spread(&self.changed, &own.ends, across, (&mut self.out, &mut self.into));
        }
        if self.into.take(state) {
            self.changed.clear();
            self.bench.row_into(entry, state, shortcuts, |arc| self.changed.push(arc));
            let (own, other) = (&topology.into.rows, &topology.out.rows);
            let across = &other.ends[other.row(state)];
            spread(&self.changed, &own.ends, across, (&mut self.into, &mut self.out));
        }
    }
}

/// Marks the rows that hold a triangle with one of the changed arcs of a row: those of the same
/// side at the earlier ends `across` of the row of the other side, and of the other side at the
/// ends of the changed arcs that have later ones across.
fn spread(changed: &[u32], ends: &[u32], across: &[u32], (same, other): (&mut Marks, &mut Marks)) {
    let Some(last) = changed.iter().map(|&arc| ends[arc as usize]).max() else { return };
    across.iter().take_while(|&&state| state < last).for_each(|&state| same.mark(state));
    let latest = across.last().copied().unwrap_or(0);
    let ends = changed.iter().map(|&arc| ends[arc as usize]);
    ends.filter(|&end| end < latest).for_each(|end| other.mark(end));
}

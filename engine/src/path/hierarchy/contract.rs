//! Contraction: which shortcuts there can be, whatever the weights.
//!
//! Contracting a state joins each state that leads to it with each that it leads to, as far as
//! both come later in the order. The graph stays directed throughout: an arc is there only if a
//! way over earlier states is there, so of the two directions between a state and the edges of
//! a separator, which one-way edges are, one is never stored (the shortcuts of infinite weight
//! that Buchhold, Wagner, Zeitz & Zündorf 2020 remove).

/// No state, no arc.
pub(super) const NONE: u32 = u32::MAX;

/// Arcs from or to later states, by the earlier one: per state its row, ends ascending.
#[derive(Debug, Default)]
pub(super) struct Rows {
    first: Vec<u32>,
    pub(super) ends: Vec<u32>,
}

impl Rows {
    fn new() -> Self {
        Self { first: vec![0], ends: Vec::new() }
    }

    pub(super) fn row(&self, state: u32) -> std::ops::Range<usize> {
        self.first[state as usize] as usize..self.first[state as usize + 1] as usize
    }

    fn push(&mut self, row: &[u32]) {
        self.ends.extend_from_slice(row);
        self.first.push(self.ends.len() as u32);
    }

    /// The number of the arc between a state and a later one.
    pub(super) fn arc(&self, state: u32, end: u32) -> Option<u32> {
        let row = self.row(state);
        let at = self.ends[row.clone()].binary_search(&end).ok()?;
        Some((row.start + at) as u32)
    }

    pub(super) fn bytes(&self) -> usize {
        (self.first.len() + self.ends.len()) * 4
    }
}

/// Arcs of the graph itself by the row they stand in: their numbers.
#[derive(Debug, Default)]
pub(super) struct Base {
    first: Vec<u32>,
    pub(super) arcs: Vec<u32>,
}

impl Base {
    pub(super) fn row(&self, state: u32) -> std::ops::Range<usize> {
        self.first[state as usize] as usize..self.first[state as usize + 1] as usize
    }
}

/// One arc between a state and an earlier one, and what a way over that one goes on to: its
/// arcs from `from` to before `to`, whose other ends come after the state.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lower {
    pub(super) arc: u32,
    pub(super) from: u32,
    pub(super) to: u32,
}

/// The lower triangles of each row.
#[derive(Debug, Default)]
pub(super) struct Lowers {
    first: Vec<u32>,
    list: Vec<Lower>,
}

impl Lowers {
    pub(super) fn of(&self, state: u32) -> &[Lower] {
        let (from, to) = (self.first[state as usize], self.first[state as usize + 1]);
        &self.list[from as usize..to as usize]
    }

    /// For each state: its arcs in the rows `near` of earlier ones, each with the rest of the
    /// row `far`.
    fn new(near: &Rows, far: &Rows) -> Self {
        let states = near.first.len() - 1;
        let mut first = vec![0; states + 1];
        for middle in 0..states as u32 {
            let Some(&last) = far.ends[far.row(middle)].last() else { continue };
            let earlier = near.ends[near.row(middle)].iter().take_while(|&&state| state < last);
            earlier.for_each(|&state| first[state as usize + 1] += 1);
        }
        (0..states).for_each(|state| first[state + 1] += first[state]);
        let mut fill = first.clone();
        let mut list = vec![Lower::default(); first[states] as usize];
        for middle in 0..states as u32 {
            let row = far.row(middle);
            let mut from = row.start;
            for arc in near.row(middle) {
                let state = near.ends[arc];
                while from < row.end && far.ends[from] <= state {
                    from += 1;
                }
                if from == row.end {
                    break;
                }
                let at = &mut fill[state as usize];
                list[*at as usize] =
                    Lower { arc: arc as u32, from: from as u32, to: row.end as u32 };
                *at += 1;
            }
        }
        Self { first, list }
    }

    fn bytes(&self) -> usize {
        self.first.len() * 4 + self.list.len() * size_of::<Lower>()
    }
}

/// One direction: arcs to later states, or from them.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) rows: Rows,
    pub(super) base: Base,
    pub(super) lowers: Lowers,
}

/// The contracted graph without weights. States are numbered in the order of contraction, such
/// that what lies below a state in the tree has the numbers just before it.
#[derive(Debug)]
pub(super) struct Topology {
    /// Arcs from a state to later ones.
    pub(super) out: Side,
    /// Arcs to a state from later ones.
    pub(super) into: Side,
    /// The next state that every search from a state must look at, [`NONE`] at a root.
    pub(super) parent: Vec<u32>,
    /// How many states the subtree of each has.
    pub(super) below: Vec<u32>,
    /// Earlier states with an arc of the graph to each state: first entries, then the states.
    entered: (Vec<u32>, Vec<u32>),
}

/// A graph over states in the order of contraction: per state and one more the first arc, and
/// where each arc leads.
pub(super) type Arcs = (Vec<u32>, Vec<u32>);

impl Topology {
    pub(super) fn states(&self) -> usize {
        self.parent.len()
    }

    /// Earlier states with an arc of the graph to `state`.
    pub(super) fn entered_from(&self, state: u32) -> &[u32] {
        let (first, from) = &self.entered;
        &from[first[state as usize] as usize..first[state as usize + 1] as usize]
    }

    pub(super) fn bytes(&self) -> usize {
        let side = |side: &Side| {
            let base = side.base.first.len() + side.base.arcs.len();
            side.rows.bytes() + base * 4 + side.lowers.bytes()
        };
        let words = self.parent.len() * 2 + self.entered.0.len() + self.entered.1.len();
        side(&self.out) + side(&self.into) + words * 4
    }

    /// Contracts the states one after another; `None` where more than `arcs_max` arcs would
    /// come of it. States must be numbered as [`postorder`] has it.
    pub(super) fn new(graph: &Arcs, arcs_max: usize) -> Option<Self> {
        let states = graph.0.len() - 1;
        let (later, earlier) = halves(graph);
        let (mut out, mut into) = (Rows::new(), Rows::new());
        let (mut leading, mut led) = (Chains::new(states), Chains::new(states));
        let mut fill = Fill { seen: vec![NONE; states], row: Vec::new() };
        for state in 0..states as u32 {
            fill.row(state, &later, &leading, &out);
            out.push(&fill.row);
            fill.forget();
            fill.row(state, &earlier, &led, &into);
            into.push(&fill.row);
            fill.forget();
            led.note(state, &out.ends[out.row(state)]);
            leading.note(state, &into.ends[into.row(state)]);
            if out.ends.len() + into.ends.len() > arcs_max {
                return None;
            }
        }
        let (parent, below) = tree(&later, &earlier);
        let lowers = (Lowers::new(&into, &out), Lowers::new(&out, &into));
        let entered = flip(&later);
        Some(Self {
            out: Side { base: base(&out, &later), rows: out, lowers: lowers.0 },
            into: Side { base: base(&into, &earlier), rows: into, lowers: lowers.1 },
            parent,
            below,
            entered,
        })
    }
}

/// For each state, the earlier ones that have an arc with it; chained, newest first.
struct Chains {
    newest: Vec<u32>,
    /// Earlier state and the entry before.
    entries: Vec<(u32, u32)>,
}

impl Chains {
    fn new(states: usize) -> Self {
        Self { newest: vec![NONE; states], entries: Vec::new() }
    }

    fn note(&mut self, earlier: u32, ends: &[u32]) {
        for &end in ends {
            let newest = &mut self.newest[end as usize];
            self.entries.push((earlier, *newest));
            *newest = self.entries.len() as u32 - 1;
        }
    }
}

/// The row being made, and which states it holds.
struct Fill {
    seen: Vec<u32>,
    row: Vec<u32>,
}

impl Fill {
    /// Arcs of the graph, and for each middle that leads here what it leads to beyond.
    fn row(&mut self, state: u32, graph: &Arcs, middles: &Chains, done: &Rows) {
        let (from, to) = (graph.0[state as usize] as usize, graph.0[state as usize + 1] as usize);
        graph.1[from..to].iter().for_each(|&end| self.add(end));
        let mut entry = middles.newest[state as usize];
        while entry != NONE {
            let (middle, before) = middles.entries[entry as usize];
            for &end in done.ends[done.row(middle)].iter().rev().take_while(|&&end| end > state) {
                self.add(end);
            }
            entry = before;
        }
        self.row.sort_unstable();
    }

    fn add(&mut self, end: u32) {
        if self.seen[end as usize] == NONE {
            self.seen[end as usize] = 0;
            self.row.push(end);
        }
    }

    fn forget(&mut self) {
        self.row.drain(..).for_each(|end| self.seen[end as usize] = NONE);
    }
}

/// Every arc of a graph.
fn arcs(graph: &Arcs) -> impl Iterator<Item = (u32, u32)> + Clone {
    let row = |from: u32| graph.0[from as usize] as usize..graph.0[from as usize + 1] as usize;
    (0..graph.0.len() as u32 - 1)
        .flat_map(move |from| graph.1[row(from)].iter().map(move |&to| (from, to)))
}

/// Pairs of a row and an end, gathered by row in the order they come.
pub(super) fn gather(states: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Arcs {
    let mut first = vec![0; states + 1];
    pairs.clone().for_each(|(row, _)| first[row as usize + 1] += 1);
    (0..states).for_each(|state| first[state + 1] += first[state]);
    let mut fill = first.clone();
    let mut ends = vec![0; first[states] as usize];
    for (row, end) in pairs {
        ends[fill[row as usize] as usize] = end;
        fill[row as usize] += 1;
    }
    (first, ends)
}

/// The arcs that lead to later states by their start, and those from later ones by their end.
fn halves(graph: &Arcs) -> (Arcs, Arcs) {
    let states = graph.0.len() - 1;
    let later = gather(states, arcs(graph).filter(|(from, to)| from < to));
    let earlier = arcs(graph).filter(|(from, to)| from > to).map(|(from, to)| (to, from));
    (later, gather(states, earlier))
}

fn flip(graph: &Arcs) -> Arcs {
    gather(graph.0.len() - 1, arcs(graph).map(|(from, to)| (to, from)))
}

fn base(rows: &Rows, graph: &Arcs) -> Base {
    let arcs = arcs(graph).filter_map(|(state, end)| rows.arc(state, end)).collect();
    Base { arcs, first: graph.0.clone() }
}

/// The elimination tree (Liu 1990) of the graph taken as undirected: the parent of each state,
/// and the size of its subtree.
fn tree(later: &Arcs, earlier: &Arcs) -> (Vec<u32>, Vec<u32>) {
    let states = later.0.len() - 1;
    let below = [flip(later), flip(earlier)];
    let (mut parent, mut ancestor) = (vec![NONE; states], vec![NONE; states]);
    for state in 0..states as u32 {
        for (first, from) in &below {
            let row = first[state as usize] as usize..first[state as usize + 1] as usize;
            for &earlier in &from[row] {
                let mut at = earlier;
                while ancestor[at as usize] != state {
                    let above = std::mem::replace(&mut ancestor[at as usize], state);
                    if above == NONE {
                        parent[at as usize] = state;
                        break;
                    }
                    at = above;
                }
            }
        }
    }
    let mut size = vec![1; states];
    for state in 0..states {
        if let Some(above) = size.get(parent[state] as usize).copied() {
            size[parent[state] as usize] = above + size[state];
        }
    }
    (parent, size)
}

/// The states renumbered so that each subtree of the elimination tree is without gaps: new
/// number by old. Nothing else of the contraction changes by it.
pub(super) fn postorder(graph: &Arcs) -> Vec<u32> {
    let (later, earlier) = halves(graph);
    let (parent, size) = tree(&later, &earlier);
    // Each takes the end of what is left of its parent's numbers, from the last state down.
    let mut end = vec![0; parent.len()];
    let mut left = parent.len() as u32;
    let mut number = vec![0; parent.len()];
    for state in (0..parent.len()).rev() {
        let free = match end.get_mut(parent[state] as usize) {
            Some(end) => end,
            None => &mut left,
        };
        number[state] = *free - 1;
        *free -= size[state];
        end[state] = number[state];
    }
    number
}

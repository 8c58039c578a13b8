//! Customizable contraction hierarchies (Dibbelt, Strasser & Wagner 2016) on edges and turns.
//!
//! ```text
//! import     road/order.rs    the order in which edges are contracted, kept in the map file
//! first use  graph            states of motor vehicles and the turns between them
//!            contract         which shortcuts there can be, whatever the weights     Hierarchy
//!            customise        what they cost for one profile at free flow            Metric
//! a change   update           the rows that some changed edges reach                 Live
//! a call     query            two climbs in the elimination tree, then unpacking
//!            many             matrices, and all ways to one place
//! ```
//! The states are the search's own (`road/builder/turns.rs`), so every restriction is exact, and
//! costs are whole multiples of 2^-20 s (`cost.rs`), so that sums come out the same in any
//! order: a query finds exactly what Dijkstra's algorithm finds. Of several cheapest ways it
//! may find another one; which one depends on the map and the weights alone, not on how the
//! weights came about.
//!
//! Measured on Porto (`cargo bench -p engine --bench roads`): finding the order takes most of a
//! second and belongs into the import, at four bytes an edge. Contracting takes a tenth of a
//! second, its result would double the file; so that is done at first use, once for all who
//! hold the map. Removing arcs that are never cheapest (perfect customisation) was left out: it
//! would cost each update a pass over all triangles, for queries that are fast enough without.

mod contract;
mod customise;
mod graph;
mod live;
mod many;
mod query;
#[cfg(test)]
mod tests;
mod update;
mod ways;

use std::sync::{Arc, OnceLock};

use crate::road::{Access, EdgeId, Place, Profile, Road};

use super::cost::{Cost, Seconds, compared};
use super::search::share;
use contract::{Arcs, NONE, Topology};
use customise::{Entry, Shortcuts};
use graph::Graph;
pub use live::Live;
pub use many::Matrix;
use query::Seed;
pub(super) use ways::{Ways, Weighted};

/// Below so many states a search takes some tenths of a millisecond at most (on Porto, 20 times
/// as many, 8 ms), and a map does without a second structure.
const STATES_MIN: usize = 8_192;
/// Most arcs per state: the six extracts have 4 to 11. A damaged order could make
/// quadratically many; then there is no hierarchy.
const ARCS_PER_STATE_MAX: usize = 32;

/// The contracted network of motor vehicles of one map, without weights.
#[derive(Debug)]
pub struct Hierarchy {
    topology: Topology,
    /// By state of the road: its number here, [`NONE`] where no motor vehicle may be.
    numbers: Vec<u32>,
    /// By number: the state of the road, and the edge it is on.
    states: Vec<u32>,
    edge_of: Vec<u32>,
    /// States that are an edge with a past: edge and number, sorted.
    pasts: Vec<(u32, u32)>,
}

/// What every edge and shortcut costs one profile at one time. Never changed once shared.
#[derive(Debug, Clone)]
pub struct Metric {
    profile: Profile,
    /// By state: what its edge costs from tail to head; infinite where it may not be used.
    whole: Vec<f64>,
    turns: Arc<Turns>,
    shortcuts: Shortcuts,
}

/// What turning costs at each base arc.
#[derive(Debug)]
struct Turns {
    out: Vec<f32>,
    into: Vec<f32>,
}

/// A hierarchy with one metric: what queries hold while they run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    hierarchy: Arc<Hierarchy>,
    metric: Arc<Metric>,
}

/// The hierarchy of a map at free flow, made when it is first asked for.
#[derive(Debug)]
struct FreeFlow {
    hierarchy: Option<Arc<Hierarchy>>,
    metrics: [OnceLock<Snapshot>; 3],
}

/// The free-flow hierarchy of a map for a profile, made at the first call and shared by all who
/// hold the map. `None` for small maps and for profiles without motor.
pub(super) fn free_flow(road: &Road, profile: Profile) -> Option<&Snapshot> {
    if road.states() < STATES_MIN || !Access::MOTOR.has(profile) {
        return None;
    }
    let free = road.derived(|| FreeFlow {
        hierarchy: Hierarchy::new(road).map(Arc::new),
        metrics: [const { OnceLock::new() }; 3],
    })?;
    let hierarchy = free.hierarchy.as_ref()?;
    let metric = free.metrics.get(profile as usize)?;
    Some(metric.get_or_init(|| Snapshot::free_flow(hierarchy, road, profile)))
}

impl Hierarchy {
    /// Contracts the motor vehicles' network in the order that the map holds. `None` where that
    /// order makes more shortcuts than any good one: the map is damaged.
    pub fn new(road: &Road) -> Option<Self> {
        Self::in_order(road, road.order())
    }

    fn in_order(road: &Road, order: impl Iterator<Item = u32>) -> Option<Self> {
        let graph = Graph::new(road, Access::MOTOR);
        let mut states = in_order(road, &graph, order);
        let (_, arcs) = numbered(road, &graph, &states);
        let postorder = contract::postorder(&arcs);
        let mut sorted = vec![0; states.len()];
        states.iter().zip(postorder).for_each(|(&state, number)| sorted[number as usize] = state);
        states = sorted;
        let (numbers, arcs) = numbered(road, &graph, &states);
        let topology = Topology::new(&arcs, states.len().max(64) * ARCS_PER_STATE_MAX)?;
        let edge_of: Vec<u32> = states.iter().map(|&state| road.edge_in(state).0).collect();
        let deep = road.edges() as u32..road.states() as u32;
        let mut pasts: Vec<(u32, u32)> = deep
            .map(|state| (road.edge_in(state).0, numbers[state as usize]))
            .filter(|past| past.1 != NONE)
            .collect();
        pasts.sort_unstable();
        Some(Self { topology, numbers, states, edge_of, pasts })
    }

    /// States of the hierarchy: edges of motor vehicles, and those with a past.
    pub fn states(&self) -> usize {
        self.states.len()
    }

    /// Arcs in both directions, shortcuts included.
    pub fn arcs(&self) -> usize {
        self.topology.out.rows.ends.len() + self.topology.into.rows.ends.len()
    }

    /// Bytes of memory it holds.
    pub fn bytes(&self) -> usize {
        let words = self.numbers.len() + self.states.len() * 2 + self.pasts.len() * 2;
        self.topology.bytes() + words * 4
    }

    /// Numbers of all states on an edge.
    fn on_edge(&self, edge: EdgeId) -> impl Iterator<Item = u32> {
        let plain = self.numbers.get(edge.0 as usize).copied().filter(|&number| number != NONE);
        let first = self.pasts.partition_point(|past| past.0 < edge.0);
        let deep = self.pasts[first..].iter().take_while(move |past| past.0 == edge.0);
        plain.into_iter().chain(deep.map(|past| past.1))
    }
}

impl Snapshot {
    /// The free-flow snapshot that [`super::Router`] asks, made at the first call for a map and
    /// a profile and shared; a process that will need it may ask for it early. `None` for small
    /// maps and profiles without motor, which have none.
    pub fn shared(road: &Road, profile: Profile) -> Option<Self> {
        free_flow(road, profile).cloned()
    }

    /// A hierarchy at free flow.
    pub fn free_flow(hierarchy: &Arc<Hierarchy>, road: &Road, profile: Profile) -> Self {
        let turns = Arc::new(Turns::new(hierarchy, road, profile));
        let seconds = |edge| road.seconds(edge, profile).unwrap_or(f64::INFINITY);
        let metric = Metric::new(hierarchy, (profile, turns), seconds);
        Self { hierarchy: Arc::clone(hierarchy), metric: Arc::new(metric) }
    }

    /// The contracted network.
    pub fn hierarchy(&self) -> &Arc<Hierarchy> {
        &self.hierarchy
    }

    /// The same network with other weights: seconds for each edge from tail to head, infinite
    /// where nobody may go. Edges closed to the profile stay closed.
    #[must_use]
    pub fn customised(&self, road: &Road, seconds: impl Fn(EdgeId) -> f64) -> Self {
        let of = (self.metric.profile, Arc::clone(&self.metric.turns));
        let open = |edge| match road.seconds(edge, self.metric.profile) {
            Some(_) => seconds(edge),
            None => f64::INFINITY,
        };
        let metric = Metric::new(&self.hierarchy, of, open);
        Self { hierarchy: Arc::clone(&self.hierarchy), metric: Arc::new(metric) }
    }

    /// Seconds of an edge from tail to head, infinite where it may not be used.
    pub fn seconds(&self, edge: EdgeId) -> f64 {
        self.whole(edge).unwrap_or(f64::INFINITY)
    }

    pub(super) fn cost(&self) -> Seconds {
        self.metric.cost()
    }

    /// Bytes of memory that the weights take.
    pub fn bytes(&self) -> usize {
        let turns = self.metric.turns.out.len() + self.metric.turns.into.len();
        self.metric.whole.len() * 8 + turns * 4 + self.metric.shortcuts.bytes()
    }

    /// What an edge costs, `None` where it may not be used.
    fn whole(&self, edge: EdgeId) -> Option<f64> {
        let number = *self.hierarchy.numbers.get(edge.0 as usize)?;
        self.metric.whole.get(number as usize).copied().filter(|cost| cost.is_finite())
    }

    /// What the rest of the edge from a place costs, as a seed; empty where it may not be used.
    fn seed_from(&self, road: &Road, from: Place) -> Option<Seed> {
        let whole = self.whole(from.edge)?;
        let share = share(from, road.length_m(from.edge));
        let left = self.metric.cost().piece(whole, 1.0 - share);
        let number = self.hierarchy.numbers.get(from.edge.0 as usize)?;
        (*number != NONE).then_some((*number, left))
    }

    /// Every state that a turn leads to from the end of the edge of a place, with what being at
    /// its end costs.
    fn seeds_after(&self, road: &Road, from: Place, seeds: &mut Vec<Seed>) {
        let Some((_, left)) = self.seed_from(road, from) else { return };
        let (record, cost) = (road.edge(from.edge), self.metric.cost());
        for to in road.out_edges(record.head).map(EdgeId) {
            let Some(whole) = self.whole(to) else { continue };
            let next = road.turn_from(&record, from.edge.0, to, self.metric.profile);
            let number = next.and_then(|next| self.hierarchy.numbers.get(next as usize));
            let turn = cost.turn(&record, &road.edge(to));
            let seed = number.filter(|&&number| number != NONE);
            seeds.extend(seed.map(|&number| (number, left + turn + whole)));
        }
    }

    /// Every state on the edge of a place, with what is to be added to the cost of its whole
    /// edge: less than nothing.
    fn seeds_to(&self, road: &Road, to: Place, seeds: &mut Vec<Seed>) {
        seeds.clear();
        let Some(whole) = self.whole(to.edge) else { return };
        let share = share(to, road.length_m(to.edge));
        let beyond = self.metric.cost().piece(whole, share) - whole;
        seeds.extend(self.hierarchy.on_edge(to.edge).map(|number| (number, beyond)));
    }

    /// Cost from one place to another that lies ahead on the same edge.
    pub(super) fn ahead(&self, road: &Road, from: Place, to: Place) -> Option<f64> {
        if to.edge != from.edge || to.offset_m < from.offset_m {
            return None;
        }
        let length = road.length_m(from.edge);
        let part = share(to, length) - share(from, length);
        Some(self.metric.cost().piece(self.whole(from.edge)?, part))
    }
}

impl Metric {
    fn new(
        hierarchy: &Hierarchy,
        (profile, turns): (Profile, Arc<Turns>),
        seconds: impl Fn(EdgeId) -> f64,
    ) -> Self {
        let whole = hierarchy.edge_of.iter().map(|&edge| compared(seconds(EdgeId(edge)))).collect();
        let mut metric = Self { profile, whole, turns, shortcuts: Shortcuts::default() };
        metric.shortcuts = Shortcuts::new(&metric.entry(hierarchy));
        metric
    }

    fn entry<'a>(&'a self, hierarchy: &'a Hierarchy) -> Entry<'a> {
        Entry {
            topology: &hierarchy.topology,
            whole: &self.whole,
            out_turns: &self.turns.out,
            into_turns: &self.turns.into,
        }
    }

    /// Who drives.
    pub(super) fn cost(&self) -> Seconds {
        Seconds::anywhere(self.profile)
    }
}

impl Turns {
    fn new(hierarchy: &Hierarchy, road: &Road, profile: Profile) -> Self {
        let cost = Seconds::anywhere(profile);
        let turn = |from: u32, to: u32| {
            let state = hierarchy.states[from as usize];
            let edge = road.edge(EdgeId(hierarchy.edge_of[from as usize]));
            let to = EdgeId(hierarchy.edge_of[to as usize]);
            match road.turn_from(&edge, state, to, profile) {
                Some(_) => cost.turn(&edge, &road.edge(to)) as f32,
                None => f32::INFINITY,
            }
        };
        let all = 0..hierarchy.states() as u32;
        let topology = &hierarchy.topology;
        let arcs = |side: &contract::Side, state: u32| -> Vec<u32> {
            let arcs = &side.base.arcs[side.base.row(state)];
            arcs.iter().map(|&arc| side.rows.ends[arc as usize]).collect()
        };
        let out = |from| arcs(&topology.out, from).into_iter().map(move |to| turn(from, to));
        let into = |to| arcs(&topology.into, to).into_iter().map(move |from| turn(from, to));
        Self { out: all.clone().flat_map(out).collect(), into: all.flat_map(into).collect() }
    }
}

/// Usable states in the order of their edges, those with a past beside their edge. A number
/// that is out of range or comes twice is passed over; edges left out come first.
fn in_order(road: &Road, graph: &Graph, order: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut pasts: Vec<(u32, u32)> = (road.edges() as u32..road.states() as u32)
        .map(|state| (road.edge_in(state).0, state))
        .collect();
    pasts.sort_unstable();
    let mut left = graph.usable.clone();
    let ordered: Vec<u32> =
        order.filter(|&edge| left.get_mut(edge as usize).is_some_and(std::mem::take)).collect();
    let rest = (0..road.edges() as u32).filter(|&edge| left[edge as usize]);
    let mut states = Vec::with_capacity(road.states());
    for edge in rest.chain(ordered) {
        states.push(edge);
        let first = pasts.partition_point(|past| past.0 < edge);
        let own = pasts[first..].iter().take_while(|past| past.0 == edge);
        states.extend(own.map(|past| past.1));
    }
    states
}

/// The number of each state of the road, and the graph in these numbers.
fn numbered(road: &Road, graph: &Graph, states: &[u32]) -> (Vec<u32>, Arcs) {
    let mut numbers = vec![NONE; road.states()];
    states.iter().zip(0..).for_each(|(&state, number)| numbers[state as usize] = number);
    let pairs = states.iter().zip(0..).flat_map(|(&state, number)| {
        let next = graph.first[state as usize] as usize..graph.first[state as usize + 1] as usize;
        graph.next[next].iter().map(move |&next| (number, next))
    });
    let pairs = pairs.map(|(from, next)| (from, numbers[next as usize]));
    let arcs = contract::gather(states.len(), pairs.filter(|pair| pair.1 != NONE));
    (numbers, arcs)
}

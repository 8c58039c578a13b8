//! The router: shortest paths with memory that is reused from call to call; `under` finds them
//! as the roads are now.

mod under;

use ingest::units::Position;

use crate::road::record::EdgeRecord;
use crate::road::{EdgeId, Place, Profile, Road};

use super::cost::{Cost, Habit, Seconds, Turns};
use super::hierarchy::{self, Snapshot, Ways, Weighted};
use super::search::{Bounds, Search, Until, share};

pub use under::Driven;

/// A way from one place to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Seconds at free flow, turning round and boarding included.
    pub seconds: f64,
    /// Metres driven.
    pub metres: f64,
    /// From the start's edge to the target's, both included; one edge where the target lies
    /// ahead on the same.
    pub edges: Vec<EdgeId>,
}

/// What a way of [`Router::reach_from_all`] is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reached {
    /// Metres driven.
    pub metres: f64,
    /// Seconds at free flow for a van, turning round included.
    pub seconds: f64,
    /// How often the way turns back in the street.
    pub turn_backs: u32,
}

/// Which start a way of [`Router::reach_from_all`] comes from, and what it is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Joined {
    /// Number of the start.
    pub start: usize,
    /// Seconds of the start and of the way, as drivers weigh them.
    pub cost: f64,
    /// The way itself.
    pub reached: Reached,
}

/// Finds ways. Holds 16 bytes a state of the largest map it has seen, 24 more where that has a
/// hierarchy, and allocates nothing once warm (but the answer of [`Router::route`]).
///
/// The quickest ways of motor vehicles on all but small maps come from the map's hierarchy
/// ([`super::hierarchy`]), which the first call on a map makes; other ways from a search.
/// Which of them answers depends on map and profile alone, so that a replay finds the same.
#[derive(Debug, Default)]
pub struct Router {
    search: Search,
    ways: Ways,
    /// Whether the hierarchy is left alone.
    plain: bool,
    targets: Vec<Place>,
    /// Edges of the ways that the hierarchy found to the targets of [`Router::times`], and
    /// where each target's end; empty where the search answered.
    found: (Vec<EdgeId>, Vec<u32>),
    edges: Vec<EdgeId>,
}

impl Router {
    /// No memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A router that always searches: right for a process that asks for a single way, where
    /// making a hierarchy would cost more, and for comparing the two.
    pub fn searching() -> Self {
        Self { plain: true, ..Self::default() }
    }

    /// The quickest way for `profile`, restrictions kept; `None` where there is none or the
    /// profile may not use the edge of either place. Exact: by the map's hierarchy, or A* on states
    /// with straight line ÷ the map's highest speed as its bound.
    pub fn route(&mut self, road: &Road, from: Place, to: Place, profile: Profile) -> Option<Path> {
        self.route_to_nearest(road, from, &[to], profile).map(|(_, path)| path)
    }

    /// The quickest way to whichever of `to` takes least, ties to the first, and its number; as
    /// [`Router::route`], in one search. Meant for the sides and streets of one door: the farther
    /// apart the places are, the less the bound is worth.
    pub fn route_to_nearest(
        &mut self,
        road: &Road,
        from: Place,
        to: &[Place],
        profile: Profile,
    ) -> Option<(usize, Path)> {
        if let Some(free) = self.hierarchy(road, profile) {
            return self.nearest_in(road, free, (from, to));
        }
        let cost = Seconds::towards(road, to, profile);
        self.begin(to);
        self.search.run(road, (from, f64::INFINITY), (to, Until::Nearest), &cost);
        let reached = self.search.arrivals().iter().zip(0..);
        let reached = reached.filter_map(|(arrival, index)| Some((arrival.as_ref()?, index)));
        let (arrival, index) = reached.min_by(|(a, _), (b, _)| a.cost.total_cmp(&b.cost))?;
        let (arrival, mut edges) = (*arrival, Vec::new());
        self.search.edges_to(road, to[index].edge, arrival, &mut edges);
        let (metres, seconds, _) = measure(road, (from, to[index]), &edges, profile);
        Some((index, Path { seconds, metres, edges }))
    }

    /// The quickest way under the weights of a snapshot, which must be of this map; seconds are
    /// the snapshot's.
    pub fn route_in(
        &mut self,
        road: &Road,
        snapshot: &Snapshot,
        (from, to): (Place, Place),
    ) -> Option<Path> {
        let mut edges = Vec::new();
        self.ways.way(road, snapshot, (from, to), &mut edges)?;
        let seconds = |edge, _: &EdgeRecord| snapshot.seconds(edge);
        let (metres, seconds, _) = add_up(road, (from, to), &edges, snapshot.cost(), seconds);
        Some(Path { seconds, metres, edges })
    }

    /// What the quickest way to each target under a snapshot costs by Dijkstra's algorithm,
    /// without the hierarchy: what [`Router::cost_in`] is checked with. `out` is cleared first.
    pub fn search_in(
        &mut self,
        road: &Road,
        snapshot: &Snapshot,
        (from, to): (Place, &[Place]),
        out: &mut Vec<Option<f64>>,
    ) {
        let cost = Weighted(snapshot);
        self.search.run(road, (from, f64::INFINITY), (to, Until::All), &cost);
        out.clear();
        let costs = self.search.arrivals().iter().map(|arrival| Some(arrival.as_ref()?.cost));
        out.extend(costs.map(|cost| cost.filter(|cost| cost.is_finite())));
    }

    /// What the quickest way under a snapshot costs, in seconds with the discouragement that
    /// [`Router::route`] compares.
    pub fn cost_in(
        &mut self,
        road: &Road,
        snapshot: &Snapshot,
        (from, to): (Place, Place),
    ) -> Option<f64> {
        self.ways.cost(road, snapshot, (from, to))
    }

    /// The ways that drivers like best, turns weighed as said, from whichever start, each with seconds that it counts as
    /// already, to each target near `around`; a target ahead on its start's own edge is found only
    /// by going round. `None` where there is none within `bounds`. `out` is cleared first and has
    /// one entry per target.
    #[expect(clippy::too_many_arguments, reason = "one of them is memory that is reused")]
    pub fn reach_from_all(
        &mut self,
        road: &Road,
        turns: Turns,
        starts: &[(Place, f64)],
        (targets, handicaps): (&[Place], &[f64]),
        around: (Position, f64),
        bounds: Bounds,
        out: &mut Vec<Option<Joined>>,
    ) {
        self.begin(targets);
        let cost = Habit::towards(road, around, turns);
        self.search.run_from_all(road, starts, (targets, handicaps), bounds, &cost);
        out.clear();
        for (index, &target) in targets.iter().enumerate() {
            out.push(self.search.arrivals()[index].and_then(|arrival| {
                self.search.edges_to(road, target.edge, arrival, &mut self.edges);
                let first = *self.edges.first()?;
                let start = starts.iter().position(|(place, _)| place.edge == first)?;
                let ends = (starts[start].0, target);
                let (metres, seconds, turn_backs) = measure(road, ends, &self.edges, Profile::Van);
                let reached = Reached { metres, seconds, turn_backs };
                Some(Joined { start, cost: arrival.cost, reached })
            }));
        }
    }

    /// The edges of the way to target `index` of the last [`Router::reach_from_all`]
    /// or [`Router::times`], as [`Path::edges`]; empty where it was not reached.
    pub fn edges_to(&self, road: &Road, index: usize, out: &mut Vec<EdgeId>) {
        out.clear();
        let (edges, ends) = &self.found;
        if let Some(&end) = ends.get(index) {
            let start = index.checked_sub(1).map_or(0, |before| ends[before]);
            out.extend_from_slice(&edges[start as usize..end as usize]);
            return;
        }
        let arrival = self.search.arrivals().get(index).copied().flatten();
        if let (Some(arrival), Some(target)) = (arrival, self.targets.get(index)) {
            self.search.edges_to(road, target.edge, arrival, out);
        }
    }

    /// Seconds of the quickest way to each target, as [`Router::route`]; `None` where there is
    /// none of at most `limit_s`. A query for each target, or one search for all, the quicker the
    /// nearer they lie together. `out` as in [`Router::reach_from_all`].
    #[expect(clippy::too_many_arguments, reason = "two of them are memory that is reused")]
    pub fn times(
        &mut self,
        road: &Road,
        from: Place,
        targets: &[Place],
        (profile, limit_s): (Profile, f64),
        out: &mut Vec<Option<f64>>,
    ) {
        self.begin(targets);
        if let Some(free) = self.hierarchy(road, profile) {
            return self.times_in(road, free, (from, limit_s), out);
        }
        let cost = Seconds::towards(road, targets, profile);
        self.search.run(road, (from, limit_s), (targets, Until::All), &cost);
        out.clear();
        for (index, &target) in targets.iter().enumerate() {
            out.push(self.search.arrivals()[index].map(|arrival| {
                self.search.edges_to(road, target.edge, arrival, &mut self.edges);
                measure(road, (from, target), &self.edges, profile).1
            }));
        }
    }
}

impl Router {
    fn begin(&mut self, targets: &[Place]) {
        self.targets.clear();
        self.targets.extend_from_slice(targets);
        self.found.0.clear();
        self.found.1.clear();
    }

    fn hierarchy<'a>(&self, road: &'a Road, profile: Profile) -> Option<&'a Snapshot> {
        if self.plain { None } else { hierarchy::free_flow(road, profile) }
    }

    fn nearest_in(
        &mut self,
        road: &Road,
        free: &Snapshot,
        (from, to): (Place, &[Place]),
    ) -> Option<(usize, Path)> {
        let nearest = if to.len() > 1 { self.nearest_of(road, free, (from, to)) } else { Some(0) };
        let index = nearest.filter(|&index| index < to.len())?;
        let mut edges = Vec::new();
        self.ways.way(road, free, (from, to[index]), &mut edges)?;
        let (metres, seconds, _) = measure(road, (from, to[index]), &edges, free.cost().profile());
        Some((index, Path { seconds, metres, edges }))
    }

    fn nearest_of(
        &mut self,
        road: &Road,
        free: &Snapshot,
        (from, to): (Place, &[Place]),
    ) -> Option<usize> {
        let costs = to.iter().map(|&to| self.ways.cost(road, free, (from, to)));
        let costs = costs.enumerate().filter_map(|(index, cost)| Some((index, cost?)));
        costs.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
    }

    fn times_in(
        &mut self,
        road: &Road,
        free: &Snapshot,
        (from, limit_s): (Place, f64),
        out: &mut Vec<Option<f64>>,
    ) {
        out.clear();
        for &target in &self.targets {
            let cost = self.ways.way(road, free, (from, target), &mut self.edges);
            let reached = cost.is_some_and(|cost| cost <= limit_s);
            out.push(
                reached
                    .then(|| measure(road, (from, target), &self.edges, free.cost().profile()).1),
            );
            if reached {
                self.found.0.extend_from_slice(&self.edges);
            }
            self.found.1.push(self.found.0.len() as u32);
        }
    }
}

/// Metres, seconds and turns back along a way at free flow, added up from its start.
fn measure(
    road: &Road,
    ends: (Place, Place),
    edges: &[EdgeId],
    profile: Profile,
) -> (f64, f64, u32) {
    let cost = Seconds::anywhere(profile);
    add_up(road, ends, edges, cost, |_, record| record.seconds(profile))
}

/// The same with the seconds that each edge takes.
fn add_up(
    road: &Road,
    (from, to): (Place, Place),
    edges: &[EdgeId],
    cost: Seconds,
    edge_s: impl Fn(EdgeId, &EdgeRecord) -> f64,
) -> (f64, f64, u32) {
    let (mut metres, mut seconds, mut turn_backs) = (0.0, 0.0, 0);
    let mut before = None;
    for (index, &edge) in edges.iter().enumerate() {
        let record = road.edge(edge);
        let begin = if index == 0 { share(from, record.length_m()) } else { 0.0 };
        let last = index + 1 == edges.len();
        let end = if last { share(to, record.length_m()) } else { 1.0 };
        metres += record.length_m() * (end - begin);
        seconds += edge_s(edge, &record) * (end - begin);
        if let Some(before) = before.replace(record) {
            seconds += cost.between(&before, &record);
            turn_backs += u32::from(before.turns_back(&record));
        }
    }
    (metres, seconds, turn_backs)
}

//! Ways between two places under a snapshot.

use crate::path::cost::{Cost, Seconds};
use crate::path::search::share;
use crate::road::record::EdgeRecord;
use crate::road::{EdgeId, Place, Profile, Road};

use super::Snapshot;
use super::query::{Query, Seed};

/// Reusable memory for asking: 24 bytes a state of the largest hierarchy it has seen.
#[derive(Debug, Default)]
pub(in crate::path) struct Ways {
    query: Query,
    from: Vec<Seed>,
    to: Vec<Seed>,
}

impl Ways {
    /// What the cheapest way costs, `None` where there is none.
    pub(in crate::path) fn cost(
        &mut self,
        road: &Road,
        snapshot: &Snapshot,
        (from, to): (Place, Place),
    ) -> Option<f64> {
        if let Some(ahead) = snapshot.ahead(road, from, to) {
            return Some(ahead);
        }
        self.seed(road, snapshot, from, to);
        let (topology, shortcuts) = (&snapshot.hierarchy.topology, &snapshot.metric.shortcuts);
        let seeds = (&self.from[..], &self.to[..]);
        let met = self.query.run::<false>(topology, shortcuts, seeds);
        self.query.clear(topology, seeds);
        met.map(|met| met.cost)
    }

    /// The same, and its edges from the first place's to the second's; `edges` is cleared first.
    pub(in crate::path) fn way(
        &mut self,
        road: &Road,
        snapshot: &Snapshot,
        (from, to): (Place, Place),
        edges: &mut Vec<EdgeId>,
    ) -> Option<f64> {
        edges.clear();
        edges.push(from.edge);
        if let Some(ahead) = snapshot.ahead(road, from, to) {
            return Some(ahead);
        }
        let round = self.seed(road, snapshot, from, to);
        let (hierarchy, shortcuts) = (&snapshot.hierarchy, &snapshot.metric.shortcuts);
        let seeds = (&self.from[..], &self.to[..]);
        let met = self.query.run::<true>(&hierarchy.topology, shortcuts, seeds);
        if let Some(met) = met {
            let enter = |state: u32| edges.push(EdgeId(hierarchy.edge_of[state as usize]));
            let first = self.query.unpack(&hierarchy.topology, shortcuts, met, enter);
            if round {
                edges.insert(1, EdgeId(hierarchy.edge_of[first as usize]));
            }
        }
        self.query.clear(&hierarchy.topology, seeds);
        met.map(|met| met.cost)
    }

    /// Where the two climbs begin. To a place behind on the same edge the first climb begins
    /// beyond the edge's end, whose own state is already the target's; says so.
    fn seed(&mut self, road: &Road, snapshot: &Snapshot, from: Place, to: Place) -> bool {
        let round = from.edge == to.edge;
        self.from.clear();
        if round {
            snapshot.seeds_after(road, from, &mut self.from);
        } else {
            self.from.extend(snapshot.seed_from(road, from));
        }
        snapshot.seeds_to(road, to, &mut self.to);
        round
    }
}

impl Snapshot {
    /// What a way over `edges` costs from its first place to its last, as ways are compared;
    /// `None` where it does not hold together or a restriction forbids it.
    pub fn cost_of(
        &self,
        road: &Road,
        (from, to): (Place, Place),
        edges: &[EdgeId],
    ) -> Option<f64> {
        let (&first, &last) = (edges.first()?, edges.last()?);
        if edges.len() == 1 {
            return self.ahead(road, from, to);
        }
        let cost = Weighted(self);
        let piece = |place: Place, whole: f64| {
            let share = share(place, road.length_m(place.edge));
            (cost.piece(whole, 1.0 - share), cost.piece(whole, share))
        };
        let mut sum = piece(from, self.whole(first)?).0;
        let mut state = first.0;
        for &edge in &edges[1..] {
            let before = road.edge(road.edge_in(state));
            let record = road.edge(edge);
            if before.head != record.tail {
                return None;
            }
            state = road.turn(state, edge, cost.profile())?;
            sum += cost.turn(&before, &record) + self.whole(edge)?;
        }
        let whole = self.whole(last)?;
        (first == from.edge && last == to.edge).then(|| sum - whole + piece(to, whole).1)
    }
}

/// The weights of a snapshot for a search: the oracle of the hierarchy.
#[derive(Debug, Clone, Copy)]
pub(in crate::path) struct Weighted<'a>(pub(in crate::path) &'a Snapshot);

impl Weighted<'_> {
    fn seconds(self) -> Seconds {
        self.0.metric.cost()
    }
}

impl Cost for Weighted<'_> {
    fn profile(&self) -> Profile {
        self.0.metric.profile
    }

    fn edge(&self, edge: EdgeId, _record: &EdgeRecord) -> f64 {
        self.0.seconds(edge)
    }

    fn piece(&self, whole: f64, share: f64) -> f64 {
        if whole.is_finite() { self.seconds().piece(whole, share) } else { whole }
    }

    fn turn(&self, from: &EdgeRecord, to: &EdgeRecord) -> f64 {
        self.seconds().turn(from, to)
    }

    fn bound(&self, _road: &Road, _node: u32) -> f64 {
        0.0
    }
}

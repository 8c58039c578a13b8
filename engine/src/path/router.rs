//! The router: shortest paths with memory that is reused from call to call.

use crate::road::{EdgeId, Place, Profile, Road};

use super::TURN_BACK_M;
use super::cost::{Metres, Seconds};
use super::search::{Search, Until, share};

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

/// How far a target of [`Router::reach`] is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reached {
    /// Metres driven.
    pub metres: f64,
    /// Seconds at free flow for a van, turning round included.
    pub seconds: f64,
    /// How often the way turns back in the street.
    pub turn_backs: u32,
}

/// Finds ways. Holds 16 bytes a state of the largest map it has seen and allocates nothing
/// once warm (but the answer of [`Router::route`]).
#[derive(Debug, Default)]
pub struct Router {
    search: Search,
    targets: Vec<Place>,
    edges: Vec<EdgeId>,
}

impl Router {
    /// No memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The quickest way for `profile`, restrictions kept; `None` where there is none or the
    /// profile may not use the edge of either place. Exact: A* on states, with straight line ÷
    /// the map's highest speed as its bound.
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

    /// The shortest ways of a van, in metres, to each target at most `limit_m` away, and at
    /// most one turn back beyond it; `None` for the others. Comparing, a turn back counts
    /// [`TURN_BACK_M`] more. `out` is cleared first and has one entry per target.
    #[expect(clippy::too_many_arguments, reason = "two of them are memory that is reused")]
    pub fn reach(
        &mut self,
        road: &Road,
        from: Place,
        targets: &[Place],
        limit_m: f64,
        out: &mut Vec<Option<Reached>>,
    ) {
        self.begin(targets);
        self.search.run(road, (from, limit_m + TURN_BACK_M), (targets, Until::All), &Metres);
        out.clear();
        for (index, &target) in targets.iter().enumerate() {
            let found = self.search.arrivals()[index].map(|arrival| {
                self.search.edges_to(road, target.edge, arrival, &mut self.edges);
                let (metres, seconds, turn_backs) =
                    measure(road, (from, target), &self.edges, Profile::Van);
                Reached { metres, seconds, turn_backs }
            });
            out.push(found.filter(|reached| reached.metres <= limit_m));
        }
    }

    /// The edges of the way to target `index` of the last [`Router::reach`] or
    /// [`Router::times`], as [`Path::edges`]; empty where it was not reached.
    pub fn edges_to(&self, road: &Road, index: usize, out: &mut Vec<EdgeId>) {
        out.clear();
        let arrival = self.search.arrivals().get(index).copied().flatten();
        if let (Some(arrival), Some(target)) = (arrival, self.targets.get(index)) {
            self.search.edges_to(road, target.edge, arrival, out);
        }
    }

    /// Seconds of the quickest way to each target, as [`Router::route`]; `None` where there is
    /// none of at most `limit_s`. One search for all targets, the quicker the nearer they lie
    /// together. `out` as in [`Router::reach`].
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
    }
}

/// Metres, seconds and turns back along a way, added up from its start.
fn measure(
    road: &Road,
    (from, to): (Place, Place),
    edges: &[EdgeId],
    profile: Profile,
) -> (f64, f64, u32) {
    let cost = Seconds::anywhere(profile);
    let (mut metres, mut seconds, mut turn_backs) = (0.0, 0.0, 0);
    let mut before = None;
    for (index, &edge) in edges.iter().enumerate() {
        let record = road.edge(edge);
        let begin = if index == 0 { share(from, record.length_m()) } else { 0.0 };
        let last = index + 1 == edges.len();
        let end = if last { share(to, record.length_m()) } else { 1.0 };
        metres += record.length_m() * (end - begin);
        seconds += record.seconds(profile) * (end - begin);
        if let Some(before) = before.replace(record) {
            seconds += cost.between(&before, &record);
            turn_backs += u32::from(before.turns_back(&record));
        }
    }
    (metres, seconds, turn_backs)
}

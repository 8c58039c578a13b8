//! Ways under what the roads take now.

use crate::path::cost::Seconds;
use crate::path::search::Until;
use crate::path::traffic::{Traffic, Under, cells};
use crate::road::{EdgeId, Place, Profile, Road};

use super::{Path, Router, add_up};

/// A way of a van as it is driven now.
#[derive(Debug, Clone, PartialEq)]
pub struct Driven {
    /// The way; its seconds are those of now.
    pub path: Path,
    /// How many of them are more than at free flow.
    pub slow_s: f64,
    /// Where it goes, and where the quickest way at free flow does: what changes elsewhere
    /// ([`cells`]) cannot make another way the quickest, except round a third.
    pub cells: u128,
}

impl Router {
    /// The quickest way of a van now; as [`Router::nearest_under`].
    pub fn route_under(
        &mut self,
        road: &Road,
        traffic: &Traffic,
        (from, to): (Place, Place),
    ) -> Option<Driven> {
        self.nearest_under(road, traffic, (from, &[to][..])).map(|(_, driven)| driven)
    }

    /// The quickest way of a van now to whichever of `to` takes least, and its number. Exact as
    /// [`Router::route_to_nearest`], whose answer it is where traffic does not meet it.
    pub fn nearest_under(
        &mut self,
        road: &Road,
        traffic: &Traffic,
        (from, to): (Place, &[Place]),
    ) -> Option<(usize, Driven)> {
        let (index, path) = self.route_to_nearest(road, from, to, Profile::Van)?;
        let free = cells(road, &path.edges);
        if !traffic.touches(&path.edges) {
            return Some((index, Driven { path, slow_s: 0.0, cells: free }));
        }
        let (index, edges) = self.nearest_now(road, traffic, (from, to))?;
        let cells = free | cells(road, &edges);
        let (path, slow_s) = driven(road, traffic, (from, to[index]), edges);
        Some((index, Driven { path, slow_s, cells }))
    }

    /// Seconds of the quickest way now to each target, and what [`Router::times`] says of them.
    #[expect(clippy::too_many_arguments, reason = "two of them are memory that is reused")]
    pub fn times_under(
        &mut self,
        road: &Road,
        traffic: &Traffic,
        (from, targets): (Place, &[Place]),
        limit_s: f64,
        out: &mut Vec<Option<f64>>,
    ) {
        if traffic.is_free() {
            return self.times(road, from, targets, (Profile::Van, limit_s), out);
        }
        self.begin(targets);
        out.clear();
        let mut edges = std::mem::take(&mut self.edges);
        let snapshot = traffic.snapshot().filter(|_| !self.plain);
        if snapshot.is_none() {
            let seconds = Seconds::towards(road, targets, Profile::Van);
            let cost = Under { seconds, traffic };
            self.search.run(road, (from, limit_s), (targets, Until::All), &cost);
        }
        for (index, &target) in targets.iter().enumerate() {
            let cost = if let Some(snapshot) = snapshot {
                self.ways.way(road, snapshot, (from, target), &mut edges)
            } else {
                self.search.arrivals()[index].map(|arrival| {
                    self.search.edges_to(road, target.edge, arrival, &mut edges);
                    arrival.cost
                })
            };
            let reached = cost.is_some_and(|cost| cost <= limit_s);
            out.push(reached.then(|| seconds(road, traffic, (from, target), &edges).1));
            if snapshot.is_some() {
                self.found.0.extend(edges.iter().filter(|_| reached));
                self.found.1.push(self.found.0.len() as u32);
            }
        }
        self.edges = edges;
    }

    fn nearest_now(
        &mut self,
        road: &Road,
        traffic: &Traffic,
        (from, to): (Place, &[Place]),
    ) -> Option<(usize, Vec<EdgeId>)> {
        let mut edges = Vec::new();
        if let Some(snapshot) = traffic.snapshot().filter(|_| !self.plain) {
            let nearest = self.nearest_of(road, snapshot, (from, to))?;
            self.ways.way(road, snapshot, (from, to[nearest]), &mut edges)?;
            return Some((nearest, edges));
        }
        let cost = Under { seconds: Seconds::towards(road, to, Profile::Van), traffic };
        self.begin(to);
        self.search.run(road, (from, f64::INFINITY), (to, Until::Nearest), &cost);
        let reached = self.search.arrivals().iter().zip(0..);
        let reached = reached.filter_map(|(arrival, index)| Some((arrival.as_ref()?, index)));
        let (arrival, index) = reached.min_by(|(a, _), (b, _)| a.cost.total_cmp(&b.cost))?;
        let arrival = *arrival;
        self.search.edges_to(road, to[index].edge, arrival, &mut edges);
        Some((index, edges))
    }
}

/// A way over these edges as it is driven now, and how much of it is more than at free flow.
fn driven(road: &Road, traffic: &Traffic, ends: (Place, Place), edges: Vec<EdgeId>) -> (Path, f64) {
    let (metres, now_s) = seconds(road, traffic, ends, &edges);
    let free_s = seconds(road, &Traffic::default(), ends, &edges).1;
    (Path { seconds: now_s, metres, edges }, now_s - free_s)
}

fn seconds(road: &Road, traffic: &Traffic, ends: (Place, Place), edges: &[EdgeId]) -> (f64, f64) {
    let cost = Seconds::anywhere(Profile::Van);
    let (metres, seconds, _) =
        add_up(road, ends, edges, cost, |edge, _| traffic.seconds(road, edge));
    (metres, seconds)
}

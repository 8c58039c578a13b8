//! What the roads take now: some edges slower than at free flow, some closed.
//!
//! A [`Traffic`] is what [`super::Router`] asks beside the map. It only ever adds to free flow,
//! so a quickest way at free flow that meets none of its edges is still the quickest: most ways
//! are found as without it. Those that do meet one are found in weights of their own, which
//! [`Feed`] makes from the ones before (`hierarchy/live.rs`), or on small maps by the search
//! under the same costs.
//!
//! A closed edge is not taken out of the network. It counts [`CLOSED_S`] more in comparing and
//! nothing more in driving: whoever stands on it or has to deliver there still has a way, the
//! one over the fewest closed edges, and everybody else goes round.

use std::sync::Arc;

use crate::road::record::EdgeRecord;
use crate::road::{EdgeId, Profile, Road};

use super::cost::{Cost, Seconds, compared};
use super::hierarchy::{Live, Snapshot};

/// Seconds that a closed edge counts more in comparing: no way round takes as long.
pub const CLOSED_S: f64 = 14_400.0;
/// How slow an edge is, in levels: each is a quarter more time than the one below. 0 is free
/// flow; 15 is 28 times as long, walking pace on a motorway.
pub const LEVEL_MAX: u8 = 15;
/// One level more takes this many times as long.
pub const LEVEL_STEP: f64 = 1.25;
/// Side of a cell of [`cells`], in 1e-7 degrees: half a kilometre from south to north.
const CELL_E7: i32 = 50_000;

/// Driving time at a level ÷ that at free flow.
pub fn level_factor(level: u8) -> f64 {
    (0..level.min(LEVEL_MAX)).fold(1.0, |factor, _| factor * LEVEL_STEP)
}

/// What the roads of one map take now, for vans of one tenant. Immutable, cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// By edge, each once, levels from 1.
    slow: Arc<[(EdgeId, u8)]>,
    /// By edge, each once.
    closed: Arc<[EdgeId]>,
    /// The same as weights of the hierarchy; without them ways are searched.
    snapshot: Option<Snapshot>,
}

impl Traffic {
    /// Slow and closed edges in any order, without weights: right for small maps. Of an edge
    /// that comes twice the higher level counts.
    pub fn new(slow: Vec<(EdgeId, u8)>, closed: Vec<EdgeId>) -> Self {
        Self { slow: levels(slow), closed: edges(closed), snapshot: None }
    }

    /// Whether every road is at free flow.
    pub fn is_free(&self) -> bool {
        self.slow.is_empty() && self.closed.is_empty()
    }

    /// Slow edges with their levels, ascending.
    pub fn slow(&self) -> &[(EdgeId, u8)] {
        &self.slow
    }

    /// Closed edges, ascending.
    pub fn closed(&self) -> &[EdgeId] {
        &self.closed
    }

    /// Whether nobody may go on over an edge.
    pub fn is_closed(&self, edge: EdgeId) -> bool {
        self.closed.binary_search(&edge).is_ok()
    }

    /// Driving time on an edge ÷ that at free flow, at least 1.
    pub fn factor(&self, edge: EdgeId) -> f64 {
        let known = self.slow.binary_search_by_key(&edge, |slow| slow.0);
        known.map_or(1.0, |index| level_factor(self.slow[index].1))
    }

    /// Seconds that a van takes from tail to head now, whether or not the edge is closed.
    pub fn seconds(&self, road: &Road, edge: EdgeId) -> f64 {
        road.free_s(edge) * self.factor(edge)
    }

    /// Whether any of these edges is slow or closed.
    pub fn touches(&self, edges: &[EdgeId]) -> bool {
        !self.is_free() && edges.iter().any(|&edge| self.factor(edge) > 1.0 || self.is_closed(edge))
    }

    /// Edges of which `next` says something else than this, ascending.
    pub fn changes_to(&self, next: &Self) -> Vec<EdgeId> {
        let slow = apart(&self.slow, &next.slow).map(|slow| slow.0);
        let mut changes: Vec<EdgeId> = slow.chain(apart(&self.closed, &next.closed)).collect();
        changes.sort_unstable();
        changes.dedup();
        changes
    }

    /// The weights of the hierarchy, where they were made.
    pub(super) fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// Seconds as ways are compared by them.
    fn weight(&self, edge: EdgeId, free_s: f64) -> f64 {
        let closed_s = if self.is_closed(edge) { CLOSED_S } else { 0.0 };
        free_s * self.factor(edge) + closed_s
    }
}

/// What is in one of two sorted lists only.
fn apart<'a, T: Ord + Copy + 'a>(a: &'a [T], b: &'a [T]) -> impl Iterator<Item = T> + 'a {
    let only = |these: &'a [T], those: &'a [T]| {
        these.iter().copied().filter(move |one| those.binary_search(one).is_err())
    };
    only(a, b).chain(only(b, a))
}

fn levels(mut slow: Vec<(EdgeId, u8)>) -> Arc<[(EdgeId, u8)]> {
    slow.retain(|slow| slow.1 > 0);
    for slow in &mut slow {
        slow.1 = slow.1.min(LEVEL_MAX);
    }
    slow.sort_unstable_by_key(|&(edge, level)| (edge, std::cmp::Reverse(level)));
    slow.dedup_by_key(|slow| slow.0);
    slow.into()
}

fn edges(mut closed: Vec<EdgeId>) -> Arc<[EdgeId]> {
    closed.sort_unstable();
    closed.dedup();
    closed.into()
}

/// The places that a way passes, roughly: a bit for each cell of half a kilometre, many cells to
/// a bit. Two ways that share an edge share a bit.
pub fn cells(road: &Road, edges: &[EdgeId]) -> u128 {
    let cell = |&edge: &EdgeId| {
        let (lng, lat) = road.node_e7(road.edge(edge).tail);
        let (x, y) = (lng.div_euclid(CELL_E7), lat.div_euclid(CELL_E7));
        let mixed = (x.cast_unsigned().wrapping_mul(0x9e37_79b1))
            ^ (y.cast_unsigned().wrapping_mul(0x85eb_ca77));
        1_u128 << (mixed.wrapping_mul(0xc2b2_ae3d) >> 25)
    };
    edges.iter().map(cell).fold(0, |all, cell| all | cell)
}

/// Makes the traffic of one map, one after the other. Weights are changed, not made anew: what
/// a change costs is what it reaches.
#[derive(Debug)]
pub struct Feed {
    road: Arc<Road>,
    /// Free flow with the slow edges, no closed ones; absent on small maps.
    live: Option<Live>,
    slow: Arc<[(EdgeId, u8)]>,
}

impl Feed {
    /// Begins at free flow.
    pub fn new(road: &Arc<Road>) -> Self {
        let live = Snapshot::shared(road, Profile::Van).map(Live::new);
        Self { road: Arc::clone(road), live, slow: Arc::default() }
    }

    /// The map it is for.
    pub fn road(&self) -> &Arc<Road> {
        &self.road
    }

    /// These edges are slow, no others, and none is closed.
    pub fn slowed(&mut self, slow: Vec<(EdgeId, u8)>) -> Traffic {
        let traffic = Traffic { slow: levels(slow), ..Traffic::default() };
        let before = Traffic { slow: Arc::clone(&self.slow), ..Traffic::default() };
        self.slow = Arc::clone(&traffic.slow);
        let Some(live) = &mut self.live else { return traffic };
        change(live, &self.road, &traffic, &before.changes_to(&traffic));
        Traffic { snapshot: Some(live.snapshot()), ..traffic }
    }

    /// The same with closed edges; `weighted`: with weights of its own, which take as much
    /// memory as those of the whole map.
    pub fn closed(&self, traffic: &Traffic, closed: Vec<EdgeId>, weighted: bool) -> Traffic {
        let closing = Traffic { closed: edges(closed), snapshot: None, ..traffic.clone() };
        let Some(snapshot) = traffic.snapshot.clone().filter(|_| weighted) else { return closing };
        let mut live = Live::new(snapshot);
        change(&mut live, &self.road, &closing, &closing.closed);
        Traffic { snapshot: Some(live.snapshot()), ..closing }
    }
}

fn change(live: &mut Live, road: &Road, traffic: &Traffic, edges: &[EdgeId]) {
    if edges.is_empty() {
        return;
    }
    let weight = |&edge: &EdgeId| (edge, traffic.weight(edge, road.free_s(edge)));
    live.change(road, &edges.iter().map(weight).collect::<Vec<_>>());
}

/// Seconds of a van under some traffic, for a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Under<'a> {
    pub(super) seconds: Seconds,
    pub(super) traffic: &'a Traffic,
}

impl Cost for Under<'_> {
    fn profile(&self) -> Profile {
        self.seconds.profile()
    }

    fn edge(&self, edge: EdgeId, record: &EdgeRecord) -> f64 {
        compared(self.traffic.weight(edge, record.seconds(self.profile())))
    }

    fn piece(&self, whole: f64, share: f64) -> f64 {
        self.seconds.piece(whole, share)
    }

    fn turn(&self, from: &EdgeRecord, to: &EdgeRecord) -> f64 {
        self.seconds.turn(from, to)
    }

    fn bound(&self, road: &Road, node: u32) -> f64 {
        self.seconds.bound(road, node)
    }
}

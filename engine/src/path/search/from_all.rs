//! From many places at once, as drivers weigh ways: what the matcher asks at every step.

use crate::path::cost::Habit;
use crate::path::search::{Bounds, METRES_ROUNDED, NOWHERE, Search, Until, Waiting, bit, share};
use crate::road::{EdgeId, Place, Profile, Road};

impl Search {
    /// Finds the cheapest way from whichever of `starts`, each with what it cost to get there, to
    /// every target other than ahead on a start's own edge. A target is given up where way and its
    /// own cost, `handicaps`, exceed the bounds. Beyond the metres that are allowed no way is
    /// followed; where the cheapest one is too long, a dearer one that is not may be found.
    #[expect(clippy::too_many_arguments, reason = "a search has two ends, bounds and a cost")]
    pub(in crate::path) fn run_from_all(
        &mut self,
        road: &Road,
        starts: &[(Place, f64)],
        (targets, handicaps): (&[Place], &[f64]),
        bounds: Bounds,
        cost: &Habit<'_>,
    ) {
        self.begin(road, targets, bounds.limit_m as f32 + METRES_ROUNDED);
        let links = road.links();
        for (from, so_far) in starts {
            let Some(link) = links.get(from.edge.0 as usize).filter(|link| link.is_open()) else {
                continue;
            };
            let length_m = link.length_m;
            let left = so_far + Habit::edge(link) * (1.0 - share(*from, length_m));
            if left < self.cost(from.edge.0) {
                let metres = ((length_m - from.offset_m).max(0.0) as f32, 0.0);
                self.label(from.edge.0, (left, cost.bound(link.head_e7).0), metres, NOWHERE);
            }
        }
        let least = handicaps.iter().copied().fold(f64::INFINITY, f64::min);
        let mut worst = bounds.limit_s;
        while let Some(waiting) = self.queue.pop() {
            if waiting.key > worst {
                break;
            }
            if waiting.cost <= self.cost(waiting.state)
                && self.follow(road, targets, &waiting, cost)
            {
                let reached = self.arrivals.iter().zip(handicaps);
                let best = reached
                    .filter_map(|(arrival, handicap)| Some(arrival.as_ref()?.cost + handicap))
                    .fold(f64::INFINITY, f64::min);
                worst = self.worst(bounds.limit_s, Until::All).min(best + bounds.beam_s - least);
            }
        }
        self.drop_beyond(bounds.limit_s);
    }

    /// Relaxes every edge that goes on from a state; whether a target was reached more cheaply.
    fn follow(
        &mut self,
        road: &Road,
        targets: &[Place],
        &Waiting { state, cost: so_far, metres, .. }: &Waiting,
        cost: &Habit<'_>,
    ) -> bool {
        let (links, edge) = (road.links(), road.edge_in(state));
        let Some(from) = links.get(edge.0 as usize) else { return false };
        let free = !from.has_turns() && edge.0 == state;
        let mut improved = false;
        let outgoing = road.out_edges(from.head);
        let all = links.get(outgoing.start as usize..outgoing.end as usize).unwrap_or_default();
        for (link, to) in all.iter().zip(outgoing).filter(|(link, _)| link.is_open()) {
            let next = if free { Some(to) } else { road.turn(state, EdgeId(to), Profile::Van) };
            let Some(next) = next else { continue };
            let at_tail = so_far + cost.turn(from, link);
            let whole = Habit::edge(link);
            if self.marked & bit(EdgeId(to)) != 0
                && let Ok(found) = self.targets.binary_search_by_key(&to, |target| target.0.0)
            {
                let arrive = |target: &Place| at_tail + whole * share(*target, link.length_m);
                improved |= self.arrive(targets, found, state, arrive);
            }
            let reached = at_tail + whole;
            if reached < self.cost(next) {
                let (bound, straight_m) = cost.bound(link.head_e7);
                let metres = (metres + link.length_m as f32, straight_m as f32);
                self.label(next, (reached, bound), metres, state);
            }
        }
        improved
    }
}

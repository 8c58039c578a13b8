//! Transitions over a longer time: which way a driver would have taken.
//!
//! Over a second the distance travelled tells how far a vehicle came. Over half a minute it no
//! longer does, for nobody saw where it slowed down and turned, but then drivers can be trusted
//! to have taken a quick way: the price of a path is what they would have weighed it as, less what
//! the straight line between the fixes would have been. That price adds up along a path, so one
//! search from all hypotheses at once finds the best one for every candidate, where Newson &
//! Krumm's difference of distances needs a search for each. That what drivers weigh, and not
//! metres alone, tells ways apart is Osogami & Raymond's finding (2013). A corner costs by how
//! sharp it is: whether a road has another number there says nothing about who drives on.

use crate::matching::candidate::{Candidate, Metres, Seen};
use crate::matching::emission::bent;
use crate::matching::state::{Live, Track};
use crate::matching::transition::{From, Moved, Routed, TURN_COST};
use crate::matching::viterbi::Step;
use crate::path::{Bounds, Router, Turns, weighed_s};
use crate::road::Road;

/// From so many seconds and straight metres on a step is a far one.
pub(super) const FAR_S: f64 = 8.0;
/// See [`FAR_S`].
const FAR_M: f64 = 50.0;
/// Seconds that count as one unit of price: at once, and per root of a second, as the doubts
/// about the pieces of a way add up.
const SCALE_S: (f64, f64) = (1.5, 0.4);
/// What a search weighs turns as. Real drivers turn back in the street about as readily as round a
/// corner; what speaks against it is the way that it costs.
pub(super) const TURNS: Turns = Turns { corner_s: 4.0, back_s: 4.0 };
/// Of a long time no more than so many seconds a straight metre were driven.
const DRIVEN_S_PER_M: f64 = 0.5;
/// Seconds that a straight metre is expected to be weighed as: a town's streets.
const PACE_S_PER_M: f64 = 0.1;
/// Free-flow seconds may exceed the elapsed ones by these at no price.
const LATE_S: f64 = 4.0;
/// Price per second beyond, over the elapsed time's own scale.
const LATE_SCALE_S: (f64, f64) = (3.0, 0.15);
/// Beyond this many standard deviations a difference of distances costs linearly.
const LINEAR_FROM: f64 = 2.5;
/// A search ends this many units of price beyond the best candidate.
const BEAM: f64 = 10.0;
/// And this many weighed seconds from the best hypothesis, at once and per driven second.
const LIMIT_S: (f64, f64) = (60.0, 2.0);

/// Seconds of the elapsed ones that were driven, at most: who came no further stood still.
fn driven_s(seen: &Seen) -> f64 {
    seen.elapsed_s.min(DRIVEN_S_PER_M * seen.straight_m)
}

/// Seconds that count as one unit of price.
fn scale(driven_s: f64) -> f64 {
    SCALE_S.0 + SCALE_S.1 * driven_s.sqrt()
}

/// Whether the time since the last fix is too long for distances to tell.
pub(super) fn is_far(seen: &Seen) -> bool {
    seen.elapsed_s >= FAR_S && seen.straight_m >= FAR_M
}

/// Weighed seconds that getting from the last fix as far as `at` is expected to take.
fn expected_s(seen: &Seen, at: Metres) -> f64 {
    // The fix itself lies at the origin.
    let (x, y) = seen.before_at;
    PACE_S_PER_M * (x * (x - at.0) + y * (y - at.1)) / seen.straight_m
}

/// What a way says beyond what it is weighed as: whether it fits the time and the odometer.
fn misfit(seen: &Seen, from: &From, moved: &Moved) -> f64 {
    let mut cost = 0.0;
    let late = moved.seconds - seen.elapsed_s - LATE_S;
    if late > 0.0 {
        cost += late / (LATE_SCALE_S.0 + LATE_SCALE_S.1 * seen.elapsed_s);
    }
    if seen.by_speed {
        let (travelled, spread) = seen.travelled;
        let variance = spread * spread + from.variance + seen.sigma_m * seen.sigma_m;
        cost += bent((moved.metres - travelled) / variance.sqrt(), LINEAR_FROM);
    }
    cost
}

/// A step from every hypothesis on the road to every candidate.
pub(super) struct Far<'a> {
    pub(super) road: &'a Road,
    pub(super) track: &'a Track,
    pub(super) seen: &'a Seen,
    pub(super) candidates: &'a [Candidate],
    scale: f64,
}

impl<'a> Far<'a> {
    pub(super) fn new(
        road: &'a Road,
        track: &'a Track,
        seen: &'a Seen,
        candidates: &'a [Candidate],
    ) -> Self {
        let scale = scale(driven_s(seen));
        Self { road, track, seen, candidates, scale }
    }

    /// Offers every candidate its best way from the hypotheses in `routed.froms`.
    pub(super) fn drive(&self, step: &mut Step, router: &mut Router, routed: &mut Routed) {
        let froms = std::mem::take(&mut routed.froms);
        for (i, from) in &froms {
            for (k, to) in self.candidates.iter().enumerate() {
                if let Some((moved, cost)) = self.in_the_street(from, to) {
                    self.arrive(step, k, (*i, from), (&moved, cost));
                }
            }
        }
        self.search(&froms, router, routed);
        for (k, joined) in routed.reached.iter().enumerate() {
            let Some(joined) = joined else { continue };
            let ((i, from), reached) = (&froms[joined.start], &joined.reached);
            let moved = Moved {
                metres: reached.metres,
                seconds: reached.seconds,
                turned: false,
                turn_backs: reached.turn_backs,
            };
            let weighed = joined.cost - routed.starts[joined.start].1;
            let expected = self.expected_between(from, &self.candidates[k]);
            let cost = (weighed - expected) / self.scale + misfit(self.seen, from, &moved);
            self.arrive(step, k, (*i, from), (&moved, cost));
        }
        routed.froms = froms;
    }

    /// One search for all: a hypothesis starts as late as it is dear, and what is expected of the
    /// straight line goes into both ends.
    fn search(&self, froms: &[(usize, From)], router: &mut Router, routed: &mut Routed) {
        routed.starts.clear();
        routed.targets.clear();
        routed.handicaps.clear();
        for (i, from) in froms {
            let so_far = f64::from(self.track.live[*i].score) * self.scale;
            routed.starts.push((from.place, so_far + expected_s(self.seen, from.at)));
        }
        let mut radius: f64 = 0.0;
        for to in self.candidates {
            let expected = expected_s(self.seen, to.at);
            routed.targets.push(to.place());
            routed.handicaps.push(to.cost * self.scale - expected);
            radius = radius.max(to.distance_m);
        }
        let first = routed.starts.iter().map(|start| start.1).fold(f64::INFINITY, f64::min);
        let limit = first + LIMIT_S.0 + LIMIT_S.1 * driven_s(self.seen);
        router.reach_from_all(
            self.road,
            TURNS,
            &routed.starts,
            (&routed.targets, &routed.handicaps),
            (self.seen.position, radius),
            Bounds { limit_s: limit, beam_s: BEAM * self.scale, limit_m: f64::INFINITY },
            &mut routed.reached,
        );
    }

    fn expected_between(&self, from: &From, to: &Candidate) -> f64 {
        expected_s(self.seen, to.at) - expected_s(self.seen, from.at)
    }

    /// On along the same edge, or turned round in the street: what no search finds.
    fn in_the_street(&self, from: &From, to: &Candidate) -> Option<(Moved, f64)> {
        let at = from.place.offset_m;
        let mut cost = 0.0;
        let mut moved = Moved { metres: 0.0, seconds: 0.0, turned: false, turn_backs: 0 };
        if to.edge == from.place.edge {
            moved.metres = to.offset_m - at;
            if moved.metres < 0.0 {
                let variance = self.seen.sigma_m * self.seen.sigma_m + from.variance;
                cost += bent(moved.metres / variance.sqrt(), LINEAR_FROM);
            }
        } else if to.reverse == Some(from.place.edge) {
            moved.metres = (to.length_m - to.offset_m - at).abs();
            moved.turned = true;
            cost += TURN_COST;
        } else {
            return None;
        }
        let share = moved.metres.max(0.0) / to.length_m;
        moved.seconds = share * self.road.free_s(to.edge);
        let weighed = share * weighed_s(self.road, to.edge);
        cost += (weighed - self.expected_between(from, to)) / self.scale;
        Some((moved, cost + misfit(self.seen, from, &moved)))
    }

    fn arrive(
        &self,
        step: &mut Step,
        k: usize,
        (i, from): (usize, &From),
        (moved, cost): (&Moved, f64),
    ) {
        let (live, to): (&Live, _) = (&self.track.live[i], &self.candidates[k]);
        let ahead = to.edge == from.place.edge && moved.turn_backs == 0;
        let least = if ahead { from.place.offset_m } else { 0.0 };
        let place = (to.offset_m.min(to.length_m).max(least), self.seen.sigma_m.powi(2));
        step.offer(k, (i, live), cost, place);
    }
}

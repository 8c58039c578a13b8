//! One step of the model: from the newest column and a fix's candidates to the next column.

use crate::matching::arrival::{Arrival, NOWHERE};
use crate::matching::candidate::{Candidate, Seen, apart_m};
use crate::matching::emission::{LINEAR_FROM, bent, probability};
use crate::matching::far::{self, Far};
use crate::matching::state::{CELLS_MAX, Cell, Live, Track};
use crate::matching::transition::{self, From, Moved, Pair, Routed};
use crate::path::Router;
use crate::road::Road;

/// Hypotheses dearer than the best by more than this are dropped: e^-14, one in a million.
const BEAM: f64 = 14.0;
/// Price of leaving the road, as rare as one fix in 20,000.
const LEAVE_COST: f64 = 10.0;
/// Price of a fix off the road: that of one this many standard deviations beside it.
const OFF_SIGMAS: f64 = 3.6;
/// Price of coming back.
const RETURN_COST: f64 = 2.0;
/// Scale of metres by road between leaving and coming back, at rest and per straight metre.
const RETURN_DETOUR_M: (f64, f64) = (60.0, 0.5);
/// A return to the road is searched this far, metres by road beyond the straight line's double.
const RETURN_REACH_M: f64 = 400.0;
/// What a return beyond that counts as: dear, but nobody stays off the road for ever because a
/// wrong branch was taken before.
const UNREACHED_M: f64 = 3_000.0;
/// No way is looked for to a candidate that another hypothesis reaches better by more than this:
/// e^-6, a four-hundredth of its probability.
const HIDDEN: f64 = 6.0;
/// Most that a way back costs.
const RETURN_MOST: f64 = 20.0;

/// Working memory of a step.
#[derive(Debug, Default)]
pub(super) struct Step {
    arrivals: Vec<Arrival>,
    pub(super) next: Vec<Next>,
}

/// A hypothesis of the next column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next {
    pub(super) cell: Cell,
    pub(super) score: f64,
    pub(super) mass: f64,
    pub(super) variance: f64,
}

/// Price of a fix off the road.
fn off_cost(seen: &Seen) -> f64 {
    seen.weight * bent(OFF_SIGMAS, LINEAR_FROM)
}

impl Step {
    /// The first column: every candidate, and off the road.
    pub(super) fn begin(&mut self, seen: &Seen, candidates: &[Candidate]) {
        self.next.clear();
        let variance = seen.sigma_m * seen.sigma_m;
        for c in candidates {
            self.push_on(c, c.cost, probability(c.cost), (0, c.offset_m, variance));
        }
        let score = LEAVE_COST + off_cost(seen);
        self.push_off(Cell::off(None, 0), score, probability(score));
        self.settle();
    }

    /// A column of one: the far side of a bridge.
    pub(super) fn only(&mut self, seen: &Seen, c: &Candidate) {
        self.arrivals.clear();
        self.next.clear();
        self.push_on(c, 0.0, 1.0, (0, c.offset_m, seen.sigma_m * seen.sigma_m));
    }

    /// The next column from the newest one of `track`.
    pub(super) fn advance(
        &mut self,
        road: &Road,
        track: &Track,
        (seen, candidates): (&Seen, &[Candidate]),
        (router, routed): (&mut Router, &mut Routed),
    ) {
        self.arrivals.clear();
        self.arrivals.resize(candidates.len(), NOWHERE);
        self.next.clear();
        let mut off = Arrival { ..NOWHERE };
        let mut off_cell = Cell::off(None, 0);
        let far = far::is_far(seen);
        let mut away: Option<(usize, From)> = None;
        routed.froms.clear();
        let prices = [LEAVE_COST + off_cost(seen), off_cost(seen)];
        let prices = prices.map(|price| (price, probability(price)));
        for (i, (cell, live)) in track.newest().iter().zip(&track.live).enumerate() {
            let (leave, likely) = prices[usize::from(cell.off_road)];
            let score = f64::from(live.score) + leave;
            off.mass += f64::from(live.mass) * likely;
            if score < off.score {
                off.score = score;
                off_cell = Cell::off(cell.place(), i as u8);
            }
            let Some(place) = cell.place() else {
                self.begin_anywhere(i, live);
                continue;
            };
            let from = From::new(road, seen, (place, live.variance.into()));
            if cell.off_road {
                away = Some((i, from));
            } else {
                routed.froms.push((i, from));
            }
        }
        if far && !routed.froms.is_empty() {
            Far::new(road, track, seen, candidates).drive(self, router, routed);
        } else {
            self.drive_on(road, track, (seen, candidates), (router, routed));
        }
        if let Some((i, from)) = away {
            let live = &track.live[i];
            self.come_back(road, (i, &from, live), (seen, candidates), (router, routed));
        }
        for (k, c) in candidates.iter().enumerate() {
            let a = self.arrivals[k];
            if a.score.is_finite() {
                let mass = a.mass * probability(c.cost);
                self.push_on(c, a.score + c.cost, mass, (a.back, a.offset_m, a.variance));
            }
        }
        self.push_off(off_cell, off.score, off.mass);
        self.settle();
    }

    /// Offers a candidate a way from hypothesis `i` at this price, which puts it at an offset with
    /// a variance.
    pub(super) fn offer(
        &mut self,
        k: usize,
        (i, live): (usize, &Live),
        cost: f64,
        (offset_m, variance): (f64, f64),
    ) {
        self.arrivals[k].offer(f64::from(live.score), f64::from(live.mass), cost, |a| {
            a.back = i as u8;
            a.offset_m = offset_m;
            a.variance = variance;
        });
    }

    /// Of each candidate how probable it was but for the distance of the fix, up to a common
    /// factor, and that distance squared.
    pub(super) fn places(&self, candidates: &[Candidate]) -> impl Iterator<Item = (f64, f64)> {
        let pairs = || self.arrivals.iter().zip(candidates);
        let prices = pairs().map(|(a, c)| a.score + c.beside);
        let least = prices.fold(f64::INFINITY, f64::min);
        let likely = pairs().filter(move |(a, c)| a.score + c.beside < least + BEAM);
        likely
            .map(move |(a, c)| (libm::exp(least - a.score - c.beside), c.distance_m * c.distance_m))
    }

    /// From a track that was never on the road to any candidate.
    fn begin_anywhere(&mut self, i: usize, live: &Live) {
        for arrival in &mut self.arrivals {
            arrival.offer(f64::from(live.score), f64::from(live.mass), RETURN_COST, |a| {
                a.back = i as u8;
                a.offset_m = f64::NAN;
            });
        }
    }

    /// From the hypotheses in `routed.froms`: along the same edge, to the next one or back first,
    /// which needs no search; then other ways, where one could still matter.
    fn drive_on(
        &mut self,
        road: &Road,
        track: &Track,
        (seen, candidates): (&Seen, &[Candidate]),
        (router, routed): (&mut Router, &mut Routed),
    ) {
        let limit = transition::limit_m(seen);
        let froms = std::mem::take(&mut routed.froms);
        let mut pairs = std::mem::take(&mut routed.pairs);
        pairs.clear();
        for (number, (i, from)) in froms.iter().enumerate() {
            let score = f64::from(track.live[*i].score);
            for (k, to) in candidates.iter().enumerate() {
                if let Some(moved) = transition::direct(road, from, to) {
                    self.arrive(k, (*i, from, &track.live[*i]), (seen, to), &moved);
                } else if score <= self.arrivals[k].score + HIDDEN
                    && let Some(metres) = transition::bound_m(from, to, limit)
                {
                    let least = transition::least_cost(seen, from, to, metres);
                    pairs.push((number, k, score + least));
                }
            }
        }
        for of_one in pairs.chunk_by(|a, b| a.0 == b.0) {
            let (i, from) = &froms[of_one[0].0];
            self.search_on(
                road,
                (*i, from, &track.live[*i]),
                of_one,
                (seen, candidates),
                (router, routed),
            );
        }
        (routed.froms, routed.pairs) = (froms, pairs);
    }

    /// Searches from one hypothesis the candidates of `pairs` that are not out of the question,
    /// given what each way scores at least, and no farther than a way could matter.
    #[expect(clippy::too_many_arguments, reason = "two of them are memory that is reused")]
    fn search_on(
        &mut self,
        road: &Road,
        (i, from, live): (usize, &From, &Live),
        pairs: &[Pair],
        (seen, candidates): (&Seen, &[Candidate]),
        (router, routed): (&mut Router, &mut Routed),
    ) {
        let (best, beside) = self.best(candidates);
        routed.asked.clear();
        routed.targets.clear();
        let mut limit: f64 = 0.0;
        for &(_, k, least) in pairs {
            let to = &candidates[k];
            // Within the beam of the column, or of what the spread learns from, and not hidden.
            let most = (best - to.cost).max(beside - to.beside) + BEAM;
            let most = most.min(self.arrivals[k].score + HIDDEN);
            if least <= most {
                routed.asked.push(k);
                routed.targets.push(to.place());
                let price = most - f64::from(live.score);
                limit = limit.max(transition::most_m(seen, from, to, price));
            }
        }
        let limit = limit.min(transition::limit_m(seen));
        ask(road, from, limit, (seen, candidates), (router, routed));
        for (k, joined) in routed.asked.iter().zip(&routed.reached) {
            if let Some(r) = joined.map(|j| j.reached) {
                let moved = Moved {
                    metres: r.metres,
                    seconds: r.seconds,
                    turned: false,
                    turn_backs: r.turn_backs,
                };
                self.arrive(*k, (i, from, live), (seen, &candidates[*k]), &moved);
            }
        }
    }

    /// The price of one transition, and where a filter between the distance travelled and the
    /// projection puts the vehicle on the candidate's edge.
    fn arrive(
        &mut self,
        k: usize,
        (i, from, live): (usize, &From, &Live),
        (seen, to): (&Seen, &Candidate),
        moved: &Moved,
    ) {
        let cost = transition::cost(seen, from, to, moved);
        let (travelled, spread) = seen.travelled;
        let predicted = from.variance + spread * spread;
        let measured = seen.sigma_m * seen.sigma_m / if seen.by_speed { seen.weight } else { 1.0 };
        let gain = predicted / (predicted + measured);
        let ahead = if moved.turned { 0.0 } else { (1.0 - gain) * (travelled - moved.metres) };
        let same = to.edge == from.place.edge;
        let least = if same { from.place.offset_m } else { 0.0 };
        let offset_m = (to.offset_m + ahead).min(to.length_m).max(least);
        self.offer(k, (i, live), cost, (offset_m, gain * measured));
    }

    /// The best price of a candidate so far, and the best but for the distances of the fix.
    fn best(&self, candidates: &[Candidate]) -> (f64, f64) {
        self.arrivals.iter().zip(candidates).fold((f64::INFINITY, f64::INFINITY), |best, (a, c)| {
            (best.0.min(a.score + c.cost), best.1.min(a.score + c.beside))
        })
    }

    fn come_back(
        &mut self,
        road: &Road,
        (i, from, live): (usize, &From, &Live),
        (seen, candidates): (&Seen, &[Candidate]),
        (router, routed): (&mut Router, &mut Routed),
    ) {
        routed.asked.clear();
        routed.targets.clear();
        let (best, beside) = self.best(candidates);
        let score = f64::from(live.score) + RETURN_COST;
        let (mut furthest, mut limit): (f64, f64) = (0.0, 0.0);
        for (k, to) in candidates.iter().enumerate() {
            // Most candidates are reached by the road already, and more cheaply.
            if score >= self.arrivals[k].score || score + to.cost > best + BEAM {
                continue;
            }
            if let Some(moved) = transition::direct(road, from, to) {
                self.come_back_at(k, (i, from, live), (seen, to), moved.metres.abs());
            } else {
                routed.asked.push(k);
                routed.targets.push(to.place());
                let straight = apart_m(from.at, to.at);
                furthest = furthest.max(straight);
                // A way that is dearer lies outside of the beam.
                let price = (best - to.cost).max(beside - to.beside) + BEAM - score;
                limit = limit.max(straight + price * detour_scale_m(straight));
            }
        }
        let limit = limit.min(2.0 * furthest + RETURN_REACH_M);
        ask(road, from, limit, (seen, candidates), (router, routed));
        for (k, joined) in routed.asked.iter().zip(&routed.reached) {
            let metres = joined.map_or(UNREACHED_M, |j| j.reached.metres);
            self.come_back_at(*k, (i, from, live), (seen, &candidates[*k]), metres);
        }
    }

    fn come_back_at(
        &mut self,
        k: usize,
        (i, from, live): (usize, &From, &Live),
        (seen, to): (&Seen, &Candidate),
        metres: f64,
    ) {
        let straight = apart_m(from.at, to.at);
        let excess = (metres - straight).max(0.0);
        let detour = excess / detour_scale_m(straight);
        let cost = RETURN_COST + detour.min(RETURN_MOST);
        let same = to.edge == from.place.edge;
        let offset_m = if same { to.offset_m.max(from.place.offset_m) } else { to.offset_m };
        self.offer(k, (i, live), cost, (offset_m, seen.sigma_m * seen.sigma_m));
    }

    fn push_on(
        &mut self,
        c: &Candidate,
        score: f64,
        mass: f64,
        (back, offset_m, variance): (u8, f64, f64),
    ) {
        let offset_m = if offset_m.is_nan() { c.offset_m } else { offset_m };
        let cell = Cell::on(c.edge, offset_m as f32, back);
        self.next.push(Next { cell, score, mass, variance });
    }

    fn push_off(&mut self, cell: Cell, score: f64, mass: f64) {
        self.next.push(Next { cell, score, mass, variance: 0.0 });
    }

    /// Orders the column, drops what lies outside the beam, makes prices relative to the best and
    /// probabilities sum to one.
    fn settle(&mut self) {
        self.next.sort_unstable_by(|a, b| {
            a.score.total_cmp(&b.score).then(a.cell.edge.cmp(&b.cell.edge))
        });
        let best = self.next[0].score;
        let within = self.next.iter().take_while(|n| n.score <= best + BEAM).count();
        self.next.truncate(within.clamp(1, CELLS_MAX));
        let sum: f64 = self.next.iter().map(|n| n.mass).sum();
        let even = 1.0 / self.next.len() as f64;
        for n in &mut self.next {
            n.score -= best;
            n.mass = if sum > 0.0 { n.mass / sum } else { even };
        }
    }
}

/// Metres beyond the straight line that count as one unit of price on a return.
fn detour_scale_m(straight: f64) -> f64 {
    RETURN_DETOUR_M.0 + RETURN_DETOUR_M.1 * straight
}

/// The ways from one place to the candidates in `routed.asked`.
fn ask(
    road: &Road,
    from: &From,
    limit_m: f64,
    (seen, candidates): (&Seen, &[Candidate]),
    (router, routed): (&mut Router, &mut Routed),
) {
    let away = routed.asked.iter().map(|k| candidates[*k].distance_m);
    let around = (seen.position, away.fold(0.0, f64::max));
    routed.ask((road, router), from.place, around, (limit_m, transition::TURNS));
}

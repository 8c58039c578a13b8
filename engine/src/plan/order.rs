//! The best order of the next few stops: branch and bound over all of them, exact.

use super::legs::Legs;

/// Stops that may change places; later ones keep theirs. 8 stops have 40,320 orders, which
/// the bound cuts to some thousands of steps.
pub const REORDER_MAX: usize = 8;

/// A gain below this is rounding, seconds.
const GAIN_LEAST_S: f64 = 1e-6;

/// One remaining stop. Times are seconds from now; they may be negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Visit {
    /// Earliest and latest promised start of service; `None` where nothing was promised.
    pub window: Option<(f64, f64)>,
    /// Planned service, seconds; of a stop in service now, what is left of it.
    pub service_s: f64,
}

/// What counts how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Seconds of driving that one second of expected lateness is worth.
    pub late: f64,
    /// Standard deviation of an arrival as a share of the time until it.
    pub spread: f64,
}

impl Default for Weights {
    /// A second late is a second driven. The spread is that of urban travel times, a
    /// coefficient of variation of 0.15 to 0.25 (SHRP 2 L03, 2013, arterials off peak).
    fn default() -> Self {
        Self { late: 1.0, spread: 0.2 }
    }
}

/// A better order.
#[derive(Debug, Clone, PartialEq)]
pub struct Improvement {
    /// All remaining stops by their present index.
    pub order: Vec<usize>,
    /// Seconds gained: driving saved + `late` × expected lateness saved. Positive.
    pub gain_s: f64,
    /// Seconds of driving saved; negative where a window is kept by driving more.
    pub driving_s: f64,
    /// Seconds of expected lateness saved, over all stops.
    pub late_s: f64,
}

/// The order of the remaining stops that costs least in driving and expected lateness, if it is
/// better than the present one. Exact over all orders of the first [`REORDER_MAX`] stops; those
/// behind follow in their present order and count. Of equal orders the one that keeps the
/// present order longest wins.
///
/// `visits` and `legs` speak of the same stops in present order.
pub fn improve(legs: &Legs, visits: &[Visit], weights: Weights) -> Option<Improvement> {
    debug_assert_eq!(legs.stops(), visits.len());
    if visits.len() != legs.stops() || visits.len() < 2 {
        return None;
    }
    let search = Search::new(legs, visits, weights);
    let present = search.whole(&(0..search.free).collect::<Vec<_>>());
    let mut best = Best { spent: present, order: [0; REORDER_MAX], found: false };
    search.branch(Begun::default(), &mut best);
    let gain_s = search.cost(present) - search.cost(best.spent);
    if !best.found || gain_s < GAIN_LEAST_S {
        return None;
    }
    let first = best.order[..search.free].iter().map(|&stop| usize::from(stop));
    Some(Improvement {
        order: first.chain(search.free..visits.len()).collect(),
        gain_s,
        driving_s: present.driving_s - best.spent.driving_s,
        late_s: present.late_s - best.spent.late_s,
    })
}

/// What an order has cost up to some stop, and when it leaves it.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_field_names, reason = "the unit is the last part of each name")]
struct Spent {
    driving_s: f64,
    late_s: f64,
    clock_s: f64,
}

/// The beginning of an order.
#[derive(Debug, Clone, Copy, Default)]
struct Begun {
    order: [u8; REORDER_MAX],
    length: usize,
    /// Bit per stop in `order`.
    visited: u32,
    spent: Spent,
}

struct Best {
    spent: Spent,
    order: [u8; REORDER_MAX],
    found: bool,
}

struct Search<'a> {
    legs: &'a Legs,
    visits: &'a [Visit],
    weights: Weights,
    free: usize,
    /// Least driving into each free stop.
    nearest_s: [f64; REORDER_MAX],
}

impl<'a> Search<'a> {
    fn new(legs: &'a Legs, visits: &'a [Visit], weights: Weights) -> Self {
        let free = legs.free();
        let mut nearest_s = [0.0; REORDER_MAX];
        for (stop, nearest) in nearest_s.iter_mut().enumerate().take(free) {
            let into = (0..=free).filter(|&from| from != stop + 1);
            *nearest = into.map(|from| legs.between(from, stop)).fold(f64::INFINITY, f64::min);
        }
        Self { legs, visits, weights, free, nearest_s }
    }

    fn cost(&self, spent: Spent) -> f64 {
        spent.driving_s + self.weights.late * spent.late_s
    }

    /// Drives on to a stop, waits for its window, serves it.
    fn serve(&self, spent: Spent, leg_s: f64, stop: usize) -> Spent {
        let visit = &self.visits[stop];
        let arrives = spent.clock_s + leg_s;
        let starts = visit.window.map_or(arrives, |(opens, _)| arrives.max(opens));
        let late_s = visit.window.map_or(0.0, |(_, closes)| {
            expected_excess(starts - closes, self.weights.spread * arrives)
        });
        Spent {
            driving_s: spent.driving_s + leg_s,
            late_s: spent.late_s + late_s,
            clock_s: starts + visit.service_s,
        }
    }

    /// The whole route in an order of its free stops.
    fn whole(&self, order: &[usize]) -> Spent {
        let (mut spent, mut from) = (Spent::default(), 0);
        for &stop in order {
            spent = self.serve(spent, self.legs.between(from, stop), stop);
            from = stop + 1;
        }
        self.rest(spent, from)
    }

    /// The stops behind the free ones, in their present order.
    fn rest(&self, spent: Spent, from: usize) -> Spent {
        let mut spent = spent;
        for stop in self.free..self.visits.len() {
            let leg_s = if stop == self.free {
                self.legs.between(from, stop)
            } else {
                self.legs.onward(stop - 1)
            };
            spent = self.serve(spent, leg_s, stop);
        }
        spent
    }

    /// Tries every stop next. Recursion is at most [`REORDER_MAX`] deep.
    fn branch(&self, begun: Begun, best: &mut Best) {
        let from =
            if begun.length == 0 { 0 } else { usize::from(begun.order[begun.length - 1]) + 1 };
        if begun.length == self.free {
            let spent = self.rest(begun.spent, from);
            if self.cost(spent) + GAIN_LEAST_S < self.cost(best.spent) {
                *best = Best { spent, order: begun.order, found: true };
            }
            return;
        }
        if self.least(&begun) + GAIN_LEAST_S >= self.cost(best.spent) {
            return;
        }
        for stop in (0..self.free).filter(|stop| begun.visited & (1 << stop) == 0) {
            let mut next = begun;
            next.order[begun.length] = stop as u8;
            next.length += 1;
            next.visited |= 1 << stop;
            next.spent = self.serve(begun.spent, self.legs.between(from, stop), stop);
            self.branch(next, best);
        }
    }

    /// No completion costs less: each missing stop is driven to from its nearest neighbour,
    /// and not reached before that drive (the mean lateness is at most the expected one).
    fn least(&self, begun: &Begun) -> f64 {
        let mut cost = self.cost(begun.spent);
        for stop in (0..self.free).filter(|stop| begun.visited & (1 << stop) == 0) {
            let arrives = begun.spent.clock_s + self.nearest_s[stop];
            let late = self.visits[stop].window.map_or(0.0, |(_, closes)| arrives - closes);
            cost += self.nearest_s[stop] + self.weights.late * late.max(0.0);
        }
        cost
    }
}

/// Expected value of what a normal variable of this mean and deviation exceeds zero by:
/// σ φ(μ/σ) + μ Φ(μ/σ).
fn expected_excess(mean: f64, deviation: f64) -> f64 {
    if deviation <= 0.0 {
        return mean.max(0.0);
    }
    let z = mean / deviation;
    let density = libm::exp(-0.5 * z * z) / (2.0 * std::f64::consts::PI).sqrt();
    let below = 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
    (deviation * density + mean * below).max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SURE: Weights = Weights { late: 1.0, spread: 0.0 };

    fn visit(window: Option<(f64, f64)>) -> Visit {
        Visit { window, service_s: 60.0 }
    }

    /// Stops on a line, the vehicle at zero, a second a metre.
    fn on_a_line(at: &[f64]) -> Legs {
        let place = |index: usize| if index == 0 { 0.0 } else { at[index - 1] };
        Legs::from_fn(at.len(), |from, to| (place(from) - place(to)).abs())
    }

    #[test]
    fn stops_on_a_line_are_driven_in_line() {
        let legs = on_a_line(&[300.0, 100.0, 200.0]);
        let better = improve(&legs, &[visit(None); 3], SURE).unwrap();
        assert_eq!(better.order, [1, 2, 0]);
        assert!((better.gain_s - 300.0).abs() < 1e-9, "600 become 300: {better:?}");
        assert_eq!(improve(&on_a_line(&[1.0, 2.0, 3.0]), &[visit(None); 3], SURE), None);
        assert_eq!(improve(&on_a_line(&[1.0]), &[visit(None)], SURE), None);
    }

    #[test]
    fn a_window_that_closes_soon_is_worth_a_detour() {
        let legs = on_a_line(&[100.0, 200.0]);
        let visits = [visit(None), visit(Some((0.0, 210.0)))];
        let better = improve(&legs, &visits, Weights { late: 10.0, ..SURE }).unwrap();
        assert_eq!(better.order, [1, 0]);
        assert!((better.driving_s + 100.0).abs() < 1e-9, "drives more: {better:?}");
        assert!((better.late_s - 50.0).abs() < 1e-9, "and is not late: {better:?}");
        assert_eq!(improve(&legs, &visits, SURE), None, "50 s late are not worth 100 s driven");
    }

    #[test]
    fn the_stops_behind_the_eighth_keep_their_places() {
        let mut at: Vec<f64> = (1..=12).map(|stop| f64::from(stop) * 100.0).collect();
        at.swap(0, 7);
        at.swap(9, 11);
        let better = improve(&on_a_line(&at), &[visit(None); 12], SURE).unwrap();
        assert_eq!(better.order, [7, 1, 2, 3, 4, 5, 6, 0, 8, 9, 10, 11]);
    }

    #[test]
    fn a_leg_that_cannot_be_driven_is_avoided() {
        let legs = Legs::from_fn(2, |from, _| if from == 0 { 10.0 } else { f64::NAN });
        assert_eq!(improve(&legs, &[visit(None); 2], SURE), None);
        let legs = Legs::from_fn(2, |from, to| if (from, to) == (1, 2) { f64::NAN } else { 9.0 });
        assert_eq!(improve(&legs, &[visit(None); 2], SURE).unwrap().order, [1, 0]);
    }

    #[test]
    fn expected_excess_of_a_coin_flip() {
        assert!((expected_excess(0.0, 10.0) - 3.989_42).abs() < 1e-4);
        assert!((expected_excess(100.0, 10.0) - 100.0).abs() < 1e-9);
        assert!(expected_excess(-100.0, 10.0) < 1e-9);
        assert!((expected_excess(5.0, 0.0) - 5.0).abs() < 1e-12);
    }

    fn orders(stops: usize) -> Vec<Vec<usize>> {
        if stops == 0 {
            return vec![vec![]];
        }
        let shorter = orders(stops - 1);
        let insert = |order: &Vec<usize>, at: usize| {
            let mut order = order.clone();
            order.insert(at, stops - 1);
            order
        };
        shorter.iter().flat_map(|order| (0..stops).map(move |at| insert(order, at))).collect()
    }

    proptest! {
        /// The slow obvious version: every order, one by one.
        #[test]
        fn no_order_is_better_than_the_one_found(
            seconds in proptest::collection::vec(1_u32..2000, 64),
            windows in proptest::collection::vec(proptest::option::of((0_u32..4000, 0_u32..2000)), 7),
            stops in 2_usize..=6,
            spread in 0.0_f64..0.4,
        ) {
            let legs = Legs::from_fn(stops, |from, to| f64::from(seconds[from * 8 + to]));
            let visits: Vec<Visit> = windows[..stops].iter().map(|window| {
                visit(window.map(|(from, span)| (f64::from(from), f64::from(from + span))))
            }).collect();
            let weights = Weights { late: 2.0, spread };
            let search = Search::new(&legs, &visits, weights);
            let cost = |order: &Vec<usize>| search.cost(search.whole(order));
            let present = cost(&(0..stops).collect());
            let least = orders(stops).iter().map(cost).fold(f64::INFINITY, f64::min);
            match improve(&legs, &visits, weights) {
                None => prop_assert!(present - least < 1e-5),
                Some(better) => {
                    prop_assert!((cost(&better.order) - least).abs() < 1e-5);
                    prop_assert!((present - least - better.gain_s).abs() < 1e-5);
                }
            }
        }
    }
}

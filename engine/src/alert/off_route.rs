//! Off route, back on route: driving that does not bring the next stop nearer.
//!
//! A driver knows other streets than the router. What counts is not the distance to one computed
//! path but whether the vehicle is still on *a* quick way: since it left the path, the time it
//! has driven plus the time still to drive must not grow beyond what was left when it left. A door
//! may be served from several places; one that it is still on a quick way to is enough. And so is a
//! way that is quick as the roads are now, or on a quiet day: a driver may know of a jam or not.

use ingest::time::Timestamp;

use super::{Policy, Turn};

/// More than this was driven for nothing: off route, seconds at free flow, …
const WASTED_S: f64 = 45.0;
/// …and this much for one who was off route before on his way to the same stop: that is known.
const WASTED_AGAIN_S: f64 = 240.0;
/// It must be so for this long, seconds.
const WASTED_HOLD_S: f64 = 10.0;
/// No more than this: another quick way.
const HARMLESS_S: f64 = 20.0;
/// Somebody who drives away keeps to an expected way from one junction to the next. He has settled
/// on one when he has followed it for this long, seconds, …
const SETTLED_S: f64 = 20.0;
/// …and when it has brought him nearer by this much, seconds at free flow.
const NEARER_S: f64 = 40.0;
/// After it was said that he is off route he is back when he has followed one way for this long,
/// seconds, and is as near as he was when he left; …
const BACK_S: f64 = 120.0;
/// …or for twice as long, and it has brought him nearer by this much, seconds at free flow.
const BACK_NEARER_S: f64 = 150.0;

/// A place to stand that takes so much longer to reach than the nearest one, seconds, is nobody's
/// aim.
pub const PLACES_APART_S: f64 = 600.0;
/// Places to stand for one stop that are told apart.
pub const PLACES_MAX: usize = 4;

/// One vehicle on its way to its next stop.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OffRoute {
    /// It has been said.
    pub raised: bool,
    /// It was said before on the way to this stop, and taken back.
    pub before: bool,
    /// Where it left the path, while it is not settled on another.
    pub left: Option<Left>,
    /// Driven beside the path while that may still be a wrong match: metres, seconds at free flow,
    /// and seconds as the roads are now.
    pub beside: (f64, f64, f64),
}

/// How far places to stand were, and what has been driven since, as the roads are now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Busy {
    /// Seconds to each place; infinite where there is none.
    pub to_places_s: [f64; PLACES_MAX],
    /// Seconds driven since.
    pub driven_s: f64,
}

impl Busy {
    /// How much farther each place is than it was, the least of it; infinite where none is known.
    fn farther_s(&self, to_places_s: [f64; PLACES_MAX]) -> f64 {
        least(to_places_s, self.to_places_s).unwrap_or(f64::INFINITY)
    }
}

/// The least of what places have become farther.
fn least(now: [f64; PLACES_MAX], then: [f64; PLACES_MAX]) -> Option<f64> {
    let farther = now.iter().zip(then).map(|(now, then)| now - then).filter(|s| s.is_finite());
    farther.reduce(f64::min)
}

/// The moment a vehicle left the path it was expected on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Left {
    /// When it was last on it.
    pub at: Timestamp,
    /// Seconds at free flow that were left then.
    pub to_drive_s: f64,
    /// The same to each place where one may stand for the stop; infinite where there is none.
    pub to_places_s: [f64; PLACES_MAX],
    /// Seconds at free flow driven since.
    pub driven_s: f64,
    /// The same as the roads are now.
    pub busy: Busy,
    /// Metres driven since.
    pub driven_m: f64,
    /// When it was last found to be on no expected way.
    pub strayed_at: Timestamp,
    /// Seconds at free flow that were left then.
    pub strayed_to_drive_s: f64,
    /// Since when too much has been driven for nothing: one wrong match is no deviation.
    pub wasted_since: Option<Timestamp>,
}

impl OffRoute {
    /// The vehicle has left the expected way: it was last on it at `since`, with `to_drive_s` to
    /// go; from where it is now the best way takes `best_s`.
    pub fn stray(&mut self, now: Timestamp, since: Timestamp, to_drive_s: f64, best_s: f64) {
        let (driven_m, driven_s, busy_s) = std::mem::take(&mut self.beside);
        let left = self.left.get_or_insert(Left {
            at: since,
            to_drive_s,
            to_places_s: [f64::INFINITY; PLACES_MAX],
            driven_s,
            busy: Busy { to_places_s: [f64::INFINITY; PLACES_MAX], driven_s: busy_s },
            driven_m,
            strayed_at: now,
            strayed_to_drive_s: best_s,
            wasted_since: None,
        });
        left.strayed_at = now;
        left.strayed_to_drive_s = best_s;
    }

    /// How much farther each place is than it was, the least of it: `to_places_s` as
    /// [`Left::to_places_s`], now. Where none is known, by the nearest.
    pub fn farther_s(&self, to_drive_s: f64, to_places_s: [f64; PLACES_MAX]) -> f64 {
        let Some(left) = self.left else { return 0.0 };
        least(to_places_s, left.to_places_s).unwrap_or(to_drive_s - left.to_drive_s)
    }

    /// A place farther than this, seconds at free flow, explains nothing any more: too much would be
    /// driven for nothing, wherever it was aimed at.
    pub fn farthest_s(&self) -> f64 {
        let Some(left) = self.left else { return 0.0 };
        let known = left.to_places_s.into_iter().filter(|s| s.is_finite());
        known.fold(left.to_drive_s, f64::max) + WASTED_AGAIN_S
    }

    /// The vehicle drove `metres`, at free flow `free_s` and as the roads are now `busy_s`, not on
    /// the path it is expected on.
    pub fn drove(&mut self, metres: f64, (free_s, busy_s): (f64, f64)) {
        let sums = match &mut self.left {
            Some(left) => (&mut left.driven_m, &mut left.driven_s, &mut left.busy.driven_s),
            None => (&mut self.beside.0, &mut self.beside.1, &mut self.beside.2),
        };
        *sums.0 += metres;
        *sums.1 += free_s;
        *sums.2 += busy_s;
    }

    /// The vehicle is on the path.
    pub fn kept(&mut self) {
        self.beside = (0.0, 0.0, 0.0);
    }

    /// Told that from here the best way to the stop takes `to_drive_s` at free flow, and of the
    /// places to stand there the one that has become least far is `farther_s` farther than it was
    /// when the vehicle left. `busy_s`: to each of them as the roads are now, where that is known.
    pub fn look(
        &mut self,
        policy: &Policy,
        (to_drive_s, farther_s, busy_s): (f64, f64, [f64; PLACES_MAX]),
        now: Timestamp,
    ) -> Option<Turn> {
        let left = self.left.as_mut()?;
        let busy = left.busy.driven_s + left.busy.farther_s(busy_s);
        let wasted = (left.driven_s + farther_s).min(busy);
        let nearer = left.strayed_to_drive_s - to_drive_s;
        let kept_s = now.seconds_since(left.strayed_at);
        let settled = kept_s >= SETTLED_S && nearer >= NEARER_S;
        if self.raised {
            let as_near = kept_s >= BACK_S && to_drive_s <= left.to_drive_s;
            let coming = kept_s >= 2.0 * BACK_S && nearer >= BACK_NEARER_S;
            return (as_near || coming).then(|| {
                *self = Self { before: true, ..Self::default() };
                Turn::Clear
            });
        }
        if settled && wasted <= HARMLESS_S {
            self.left = None;
            return None;
        }
        let too_much = if self.before { WASTED_AGAIN_S } else { WASTED_S };
        if wasted < too_much || left.driven_m < policy.off_route_m {
            left.wasted_since = None;
            return None;
        }
        let wasted_s = now.seconds_since(*left.wasted_since.get_or_insert(now));
        let held = now.seconds_since(left.at) >= policy.off_route_hold_s;
        (held && wasted_s >= WASTED_HOLD_S).then(|| {
            self.raised = true;
            Turn::Raise
        })
    }

    /// The vehicle is found on the way it seemed to have left, further on: nothing has happened.
    pub fn rejoin(&mut self) {
        self.kept();
        if !self.raised {
            self.left = None;
        }
    }

    /// The vehicle is where it should be: at a stop, or on a new plan.
    pub fn over(&mut self) -> Option<Turn> {
        std::mem::take(self).raised.then_some(Turn::Clear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drives 1 s steps from second 0, when the path with 300 s to go was left. `course`: for how
    /// long, and how the time to the stop changes per second driven.
    #[track_caller]
    fn check(course: &[(i64, f64)], expected: &str) {
        let (policy, mut rule) = (Policy::default(), OffRoute::default());
        let (mut t, mut to_drive, mut said) = (0, 300.0, Vec::new());
        let at = Timestamp::from_seconds;
        rule.stray(at(2), at(0), 300.0, 300.0);
        for (seconds, change) in course {
            for _ in 0..*seconds {
                t += 1;
                to_drive += change;
                if *change < 0.0 && rule.left.is_none() {
                    rule.kept();
                } else {
                    rule.drove(10.0, (1.0, 1.0));
                }
                if *change >= 0.0 {
                    rule.stray(at(t), at(t - 2), to_drive, to_drive);
                }
                let farther = to_drive - rule.left.map_or(to_drive, |l| l.to_drive_s);
                let unknown = [f64::INFINITY; PLACES_MAX];
                if let Some(turn) = rule.look(&policy, (to_drive, farther, unknown), at(t)) {
                    said.push(format!("{t} {turn:?}"));
                }
            }
        }
        assert_eq!(said.join(", "), expected);
    }

    #[test]
    fn another_quick_way_is_no_deviation() {
        check(&[(5, 0.5), (100, -1.0)], "");
    }

    #[test]
    fn driving_away_is_one_until_the_driver_turns_round() {
        check(&[(60, 1.0), (150, -1.0)], "33 Raise, 180 Clear");
    }

    #[test]
    fn one_deviation_is_said_once_however_often_he_seems_to_turn_round() {
        let course = [(60, 1.0), (50, -0.8), (30, 1.0), (55, -0.8), (40, 1.0), (200, -1.0)];
        check(&course, "33 Raise, 355 Clear");
    }

    #[test]
    fn a_quick_way_to_one_of_the_places_is_enough() {
        let at = Timestamp::from_seconds;
        let none = f64::INFINITY;
        let mut rule = OffRoute::default();
        let farther =
            |rule: &OffRoute, now: f64, places| format!("{}", rule.farther_s(now, places));
        assert_eq!(farther(&rule, 300.0, [300.0, none, none, none]), "0", "it has not left");
        rule.stray(at(2), at(0), 300.0, 320.0);
        assert_eq!(farther(&rule, 340.0, [none; PLACES_MAX]), "40", "only the nearest is known");
        rule.left.as_mut().unwrap().to_places_s = [300.0, 360.0, none, none];
        assert_eq!(farther(&rule, 340.0, [350.0, 340.0, none, none]), "-20");
        assert_eq!(farther(&rule, 340.0, [350.0, none, none, 340.0]), "50");
        assert_eq!(format!("{}", rule.farthest_s()), "600");
    }

    #[test]
    fn a_way_round_a_jam_is_no_deviation() {
        let (policy, at, none) = (Policy::default(), Timestamp::from_seconds, f64::INFINITY);
        let said = |known: bool| {
            let mut rule = OffRoute::default();
            rule.stray(at(0), at(0), 300.0, 300.0);
            if known {
                rule.left.as_mut().unwrap().busy.to_places_s = [900.0, none, none, none];
            }
            // A minute of a quiet street that leads away, and brings him nearer as things are.
            let turns = (1..=60_u8).map(|t| {
                let second = f64::from(t);
                rule.drove(10.0, (1.0, 1.0));
                let busy = [900.0 - second, none, none, none];
                rule.look(&policy, (300.0 + second, second, busy), at(t.into()))
            });
            turns.flatten().count()
        };
        assert_eq!((said(false), said(true)), (1, 0));
    }

    #[test]
    fn on_the_way_to_one_stop_it_is_not_said_again_for_a_block() {
        let back = [(60, 1.0), (150, -1.0)];
        check(&[&back[..], &[(60, 1.0), (100, -1.0)]].concat(), "33 Raise, 180 Clear");
        check(&[&back[..], &[(150, 1.0)]].concat(), "33 Raise, 180 Clear, 341 Raise");
    }
}

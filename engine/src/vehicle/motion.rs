//! Halts: where a vehicle stands, since when, and when it left.
//!
//! A receiver at rest drifts by some metres and says speeds a little above nothing; one at a
//! stop light looks like one at a door, only shorter. So a halt is a place and a span of time;
//! what it means is decided by its length, and by what is near ([`super::presence`]).

use ingest::time::Timestamp;
use ingest::units::Position;

use crate::road::plane::distance_m;

/// Up to this speed a vehicle stands, m/s: receivers at rest report up to half a metre a second.
const STILL_MPS: f64 = 0.6;
/// The same for a speed made of two positions, whose noise is larger.
const STILL_DERIVED_MPS: f64 = 1.0;
/// Positions a speed is made of lie at least so far apart in time, seconds.
const DERIVE_S: f64 = 10.0;
/// A halt is one place: positions within this of its middle, metres.
const HALT_M: f64 = 30.0;
/// Noise drifts: who stands still stays the same halt up to this far from its middle, metres, while
/// each position is within [`STIR_M`] of the one before.
const DRIFT_M: f64 = 60.0;
/// A moving report so near to the middle, metres, …
const STIR_M: f64 = 15.0;
/// …and no faster than this, m/s, is a stir, not a departure.
const STIR_MPS: f64 = 2.5;
/// The middle of a halt follows its newest positions with at least this weight.
const MIDDLE_WEIGHT: f64 = 0.05;
/// A vehicle brakes: it takes this much longer to a halt than at the speed before it.
const BRAKING: f64 = 1.2;
/// Speed of somebody who sets off, m/s, where none is known.
const SETS_OFF_MPS: f64 = 3.0;

/// One position of the vehicle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    pub(super) time: Timestamp,
    pub(super) position: Position,
    /// As the receiver says.
    pub(super) speed_mps: Option<f64>,
}

/// A place where the vehicle stands or stood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Halt {
    /// When it came to rest, between two fixes.
    pub(super) since: Timestamp,
    /// Its newest fix there; once it is over, when it left.
    pub(super) last: Timestamp,
    /// The middle of its positions.
    pub(super) middle: Position,
    /// How many they are.
    pub(super) fixes: u32,
}

/// How a vehicle moves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Motion {
    pub(super) last: Option<Seen>,
    /// An older position, where speeds are not reported.
    pub(super) probe: Option<Seen>,
    pub(super) halt: Option<Halt>,
}

/// What a fix changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moved {
    /// Seconds since the fix before; 0 for the first.
    pub(super) seconds: f64,
    /// Metres from it.
    pub(super) metres: f64,
    /// The halt that ended.
    pub(super) ended: Option<Halt>,
}

impl Halt {
    /// Seconds it has lasted.
    pub(super) fn seconds(&self) -> f64 {
        self.last.seconds_since(self.since)
    }
}

impl Motion {
    /// Takes in the next position.
    pub(super) fn observe(&mut self, seen: Seen) -> Moved {
        let Some(before) = self.last.replace(seen) else {
            self.probe = Some(seen);
            return Moved { seconds: 0.0, metres: 0.0, ended: None };
        };
        let seconds = seen.time.seconds_since(before.time);
        let metres = distance_m(before.position, seen.position);
        let speed = self.speed(&seen);
        let still = speed <= if seen.speed_mps.is_some() { STILL_MPS } else { STILL_DERIVED_MPS };
        let ended = self.leave(&seen, still, (speed, metres));
        match &mut self.halt {
            Some(halt) if still => halt.stay(&seen),
            None if still => self.halt = Some(Halt::begin(&before, &seen, metres)),
            _ => {}
        }
        Moved { seconds, metres, ended }
    }

    /// Ends the halt that `seen` has left, at a speed and so far from the position before.
    fn leave(&mut self, seen: &Seen, still: bool, (speed, metres): (f64, f64)) -> Option<Halt> {
        let halt = self.halt?;
        let away = distance_m(halt.middle, seen.position);
        let stirs = away <= STIR_M && speed <= STIR_MPS;
        let stays = away <= HALT_M || (metres <= STIR_M && away <= DRIFT_M);
        if (still && stays) || (!still && stirs) {
            return None;
        }
        self.halt = None;
        let sets_off = if still { SETS_OFF_MPS } else { speed.max(SETS_OFF_MPS) };
        let left = seen.time.plus_seconds(-away / sets_off).max(halt.last);
        Some(Halt { last: left, ..halt })
    }

    /// Speed as reported, else from positions some seconds apart.
    fn speed(&mut self, seen: &Seen) -> f64 {
        if let Some(speed) = seen.speed_mps {
            return speed;
        }
        let Some(probe) = self.probe else { return 0.0 };
        let seconds = seen.time.seconds_since(probe.time);
        let speed = distance_m(probe.position, seen.position) / seconds.max(DERIVE_S);
        if seconds >= DERIVE_S {
            self.probe = Some(*seen);
        }
        speed
    }
}

impl Halt {
    fn begin(before: &Seen, seen: &Seen, metres: f64) -> Self {
        let speed = before.speed_mps.unwrap_or(SETS_OFF_MPS).max(1.0);
        let since = before.time.plus_seconds(BRAKING * metres / speed).min(seen.time);
        Self { since, last: seen.time, middle: seen.position, fixes: 1 }
    }

    fn stay(&mut self, seen: &Seen) {
        self.last = seen.time;
        self.fixes = self.fixes.saturating_add(1);
        let weight = (1.0 / f64::from(self.fixes)).max(MIDDLE_WEIGHT);
        self.middle.lng += weight * (seen.position.lng - self.middle.lng);
        self.middle.lat += weight * (seen.position.lat - self.middle.lat);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::road::plane::Plane;

    /// Drives along a line, one fix every `every` seconds: (seconds, speed). Returns spans of
    /// halts longer than 5 s.
    fn halts(course: &[(i64, f64)], every: i64, reported: bool) -> Vec<(i64, i64)> {
        let plane = Plane::new(Position { lng: 4.9, lat: 52.3 });
        let (mut motion, mut found) = (Motion::default(), Vec::new());
        let (mut t, mut x) = (0, 0.0);
        for (seconds, speed) in course {
            for _ in 0..*seconds {
                t += 1;
                x += speed;
                if t % every != 0 {
                    continue;
                }
                // A drift of up to 8 m, never at rest.
                let (a, b) = ((t as f64 / 37.0).sin() * 8.0, (t as f64 / 23.0).cos() * 8.0);
                let moved = motion.observe(Seen {
                    time: Timestamp::from_seconds(t),
                    position: plane.to_position(x + a, b),
                    speed_mps: reported.then_some(*speed + 0.3),
                });
                found.extend(moved.ended.filter(|h| h.seconds() > 5.0));
            }
        }
        let whole = |t: Timestamp| t.millis() / 1000;
        found.iter().map(|h| (whole(h.since), whole(h.last))).collect()
    }

    #[track_caller]
    fn check(course: &[(i64, f64)], expected: &[(i64, i64)]) {
        for (every, reported, within) in
            [(1, true, 8), (5, true, 8), (15, true, 12), (5, false, 15)]
        {
            let found = halts(course, every, reported);
            let near = |(a, b): (&(i64, i64), &(i64, i64))| {
                (a.0 - b.0).abs() <= within && (a.1 - b.1).abs() <= within
            };
            assert!(
                found.len() == expected.len() && found.iter().zip(expected).all(near),
                "every {every} s, reported {reported}: {found:?}, expected {expected:?}"
            );
        }
    }

    #[test]
    fn halts_are_found_in_time() {
        check(&[(60, 10.0), (120, 0.0), (60, 10.0)], &[(60, 180)]);
        check(&[(60, 10.0), (45, 0.0), (30, 8.0), (90, 0.0), (60, 12.0)], &[(60, 105), (135, 225)]);
    }

    #[test]
    fn noise_that_drifts_away_is_the_same_halt() {
        let plane = Plane::new(Position { lng: 4.9, lat: 52.3 });
        let mut motion = Motion::default();
        for t in 0..120 {
            let x = if t < 60 { 0.0 } else { f64::from(t - 60) * 0.8 };
            let position = plane.to_position(x, 0.0);
            let time = Timestamp::from_seconds(i64::from(t) * 5);
            let moved = motion.observe(Seen { time, position, speed_mps: Some(0.0) });
            assert_eq!(moved.ended, None, "after {t} fixes");
        }
        assert_eq!(motion.halt.map(|h| h.seconds()), Some(595.0));
    }

    #[test]
    fn slow_traffic_is_no_halt() {
        check(&[(60, 10.0), (300, 2.5), (60, 10.0)], &[]);
    }
}

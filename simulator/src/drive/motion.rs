//! How a van gets along a path: speeds up, slows down for corners, stops at junctions.
//!
//! A path becomes knots: moments from which on the acceleration is constant. Between two knots
//! place and speed follow from school physics, so a whole day is a few thousand numbers.

use engine::road::{Class, EdgeId, Place, Road};

use crate::chance::Chance;
use crate::traffic::Traffic;

/// Speeding up, m/s²: a loaded van in town.
const SPEED_UP: f64 = 1.4;
/// Slowing down, m/s²: comfortable braking.
const SLOW_DOWN: f64 = 1.9;
/// Nobody creeps slower than this, m/s.
const CREEP_MPS: f64 = 0.7;
/// Speed through a corner of more than 60 degrees, m/s.
const CORNER_MPS: f64 = 5.0;
/// Speed through a turn of more than 120 degrees, m/s.
const TURN_BACK_MPS: f64 = 2.5;
/// Median standing time at a junction, seconds, and the spread of its logarithm.
const STAND_S: (f64, f64) = (9.0, 0.7);
/// Nobody stands longer than this at a junction, seconds.
const STAND_MAX_S: f64 = 60.0;

/// From this moment on the acceleration is constant until the next knot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knot {
    /// Seconds since the simulation's start.
    pub at_s: f64,
    /// Metres along the journey.
    pub along_m: f64,
    /// Speed, m/s.
    pub mps: f32,
    /// Acceleration, m/s².
    pub accel: f32,
}

/// A stretch of a journey from one standstill to the next.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// Edges of the whole journey so far.
    pub edges: &'a [EdgeId],
    /// Metres along the journey at which each of them begins.
    pub starts: &'a [f64],
    /// Where it stands, metres along the journey.
    pub from_m: f64,
    /// Where it will stand.
    pub to_m: f64,
}

/// A part of one edge within a stretch.
struct Piece {
    length: f64,
    cruise: f64,
    /// Highest speed at its beginning.
    entry: f64,
    /// Seconds stood before it.
    stand: f64,
}

/// Drives a stretch from `at_s` on, appends its knots, and answers when it stands again. The last
/// knot appended is that standstill.
pub fn drive(
    road: &Road,
    traffic: &Traffic,
    chance: &mut Chance,
    (stretch, at_s): (Stretch<'_>, f64),
    knots: &mut Vec<Knot>,
) -> f64 {
    let mut pieces = cut(road, traffic, chance, (stretch, at_s));
    limit_speeds(&mut pieces);
    let (mut now, mut along) = (at_s, stretch.from_m);
    for (k, piece) in pieces.iter().enumerate() {
        if piece.stand > 0.0 {
            knots.push(Knot { at_s: now, along_m: along, mps: 0.0, accel: 0.0 });
            now += piece.stand;
        }
        let exit = pieces.get(k + 1).map_or(0.0, |next| next.entry);
        now = run(piece, exit, (now, along), knots);
        along += piece.length;
    }
    knots.push(Knot { at_s: now, along_m: stretch.to_m, mps: 0.0, accel: 0.0 });
    now
}

fn cut(
    road: &Road,
    traffic: &Traffic,
    chance: &mut Chance,
    (stretch, at_s): (Stretch<'_>, f64),
) -> Vec<Piece> {
    let first = stretch.starts.partition_point(|s| *s <= stretch.from_m).saturating_sub(1);
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut expected_s, mut before): (f64, Option<EdgeId>) = (at_s, None);
    for (edge, start) in stretch.edges.iter().zip(stretch.starts).skip(first) {
        let whole = road.length_m(*edge);
        let length = (start + whole).min(stretch.to_m) - start.max(stretch.from_m);
        if length <= 1e-6 {
            if *start >= stretch.to_m {
                break;
            }
            continue;
        }
        let free = whole / road.free_s(*edge).max(1e-3);
        let cruise = (free * traffic.ratio(road, *edge, expected_s)).max(CREEP_MPS);
        let (mut entry, stand) = match before {
            None => (0.0, 0.0),
            Some(before) => junction(road, chance, before, *edge),
        };
        entry = entry.min(cruise);
        if let Some(last) = pieces.last() {
            entry = entry.min(last.cruise);
        }
        pieces.push(Piece { length, cruise, entry, stand });
        expected_s += length / cruise + stand;
        before = Some(*edge);
    }
    pieces
}

/// Highest speed from one edge into the next, and the seconds stood before it.
fn junction(road: &Road, chance: &mut Chance, from: EdgeId, to: EdgeId) -> (f64, f64) {
    let ways_on = road.outgoing(road.tail(to)).count();
    let (luck, stand) = (chance.unit(), chance.log_normal(STAND_S.0, STAND_S.1));
    let end = Place { edge: from, offset_m: road.length_m(from) };
    let (_, before) = road.point_at(end);
    let (_, after) = road.point_at(Place { edge: to, offset_m: 0.0 });
    let turn = ((after - before + 540.0).rem_euclid(360.0) - 180.0).abs();
    // Two ways on is a street that merely continues.
    if ways_on > 2 && luck < stop_share(road.class(from)) {
        return (0.0, stand.min(STAND_MAX_S));
    }
    if turn > 120.0 {
        (TURN_BACK_MPS, 0.0)
    } else if turn > 60.0 {
        (CORNER_MPS, 0.0)
    } else {
        (f64::INFINITY, 0.0)
    }
}

/// Share of junctions at which one stands, by the street one comes from.
fn stop_share(class: Class) -> f64 {
    match class {
        Class::Motorway | Class::MotorwayLink | Class::Trunk => 0.0,
        Class::Primary | Class::TrunkLink | Class::PrimaryLink => 0.09,
        Class::Secondary | Class::SecondaryLink => 0.12,
        Class::Tertiary | Class::TertiaryLink => 0.14,
        _ => 0.10,
    }
}

/// Lowers entry speeds until each can be reached and braked to.
fn limit_speeds(pieces: &mut [Piece]) {
    let mut next = 0.0_f64;
    for piece in pieces.iter_mut().rev() {
        piece.entry = piece.entry.min((next * next + 2.0 * SLOW_DOWN * piece.length).sqrt());
        next = piece.entry;
    }
    for k in 1..pieces.len() {
        let (entry, length) = (pieces[k - 1].entry, pieces[k - 1].length);
        let reached = (entry * entry + 2.0 * SPEED_UP * length).sqrt();
        pieces[k].entry = pieces[k].entry.min(reached);
    }
}

/// Speeds up, keeps on, slows down; answers when the piece ends.
fn run(piece: &Piece, exit: f64, (at_s, along_m): (f64, f64), knots: &mut Vec<Knot>) -> f64 {
    let (a, b) = (SPEED_UP, SLOW_DOWN);
    let entry = piece.entry;
    let reach = (2.0 * a * b * piece.length + b * entry * entry + a * exit * exit) / (a + b);
    let peak = piece.cruise.min(reach.sqrt()).max(entry).max(exit);
    let up = (peak * peak - entry * entry) / (2.0 * a);
    let down = (peak * peak - exit * exit) / (2.0 * b);
    let level = (piece.length - up - down).max(0.0);
    let phases = [
        ((peak - entry) / a, up, entry, a),
        (level / peak, level, peak, 0.0),
        ((peak - exit) / b, down, peak, -b),
    ];
    let (mut now, mut along) = (at_s, along_m);
    for (seconds, metres, mps, accel) in phases {
        if seconds > 1e-9 {
            let (mps, accel) = (mps as f32, accel as f32);
            knots.push(Knot { at_s: now, along_m: along, mps, accel });
            now += seconds;
            along += metres;
        }
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(piece: &Piece, exit: f64) {
        let mut knots = Vec::new();
        let end = run(piece, exit, (100.0, 50.0), &mut knots);
        let last = knots[knots.len() - 1];
        let dt = end - last.at_s;
        let (v, a) = (f64::from(last.mps), f64::from(last.accel));
        let along = last.along_m + v * dt + a * dt * dt / 2.0;
        assert!((along - 50.0 - piece.length).abs() < 0.01, "{along}");
        assert!((v + a * dt - exit).abs() < 0.01);
        assert!(knots.windows(2).all(|w| w[0].at_s < w[1].at_s && w[0].along_m <= w[1].along_m));
    }

    #[test]
    fn a_piece_ends_where_and_as_fast_as_it_should() {
        check(&Piece { length: 200.0, cruise: 12.0, entry: 0.0, stand: 0.0 }, 0.0);
        check(&Piece { length: 20.0, cruise: 14.0, entry: 3.0, stand: 0.0 }, 5.0);
        check(&Piece { length: 300.0, cruise: 9.0, entry: 9.0, stand: 0.0 }, 9.0);
    }

    #[test]
    fn entries_can_be_reached_and_braked_to() {
        let piece = |length, entry| Piece { length, cruise: 14.0, entry, stand: 0.0 };
        let mut pieces = vec![piece(10.0, 0.0), piece(100.0, 14.0), piece(3.0, 14.0)];
        limit_speeds(&mut pieces);
        assert!((pieces[1].entry - (2.0 * SPEED_UP * 10.0).sqrt()).abs() < 1e-9);
        assert!((pieces[2].entry - (2.0 * SLOW_DOWN * 3.0).sqrt()).abs() < 1e-9);
    }
}

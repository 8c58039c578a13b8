//! Roads drawn as text, fixes as digits on or beside them, and the path that must come out.
//!
//! A capital is a junction; `-` and `|` join two of them, `>`, `<`, `v` and `^` make the street
//! one-way; a digit is a place where fixes are taken, on the street it stands in or off it.
//! A column is 10 m wide, a row 20 m high.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::*;
use crate::road::plane::Plane;
use crate::road::{Access, Attributes, Road, RoadBuilder};

mod behaviour;
mod bytes;
mod noise;

const ORIGIN: Position = Position { lng: -8.61, lat: 41.15 };
const COLUMN_M: f64 = 10.0;
const ROW_M: f64 = 20.0;

struct Town {
    road: Road,
    names: Vec<char>,
    places: BTreeMap<char, Position>,
}

fn town(drawing: &str) -> Town {
    let rows: Vec<Vec<char>> = drawing.lines().map(|l| l.chars().collect()).collect();
    let at = |row: usize, column: usize| -> char {
        rows.get(row).and_then(|r| r.get(column)).copied().unwrap_or(' ')
    };
    let plane = Plane::new(ORIGIN);
    let position = |row: usize, column: usize| {
        let p = plane.to_position(column as f64 * COLUMN_M, -(row as f64) * ROW_M);
        Position::new(p.lng, p.lat).unwrap()
    };
    let mut builder = RoadBuilder::new();
    let (mut names, mut places, mut way) = (Vec::new(), BTreeMap::new(), 0);
    for (row, line) in rows.iter().enumerate() {
        for (column, &mark) in line.iter().enumerate() {
            if mark.is_ascii_digit() {
                places.insert(mark, position(row, column));
            }
            if !mark.is_ascii_uppercase() {
                continue;
            }
            names.push(mark);
            builder.node(mark as i64, position(row, column));
            for (down, right) in [(0, 1), (1, 0)] {
                let ahead = (1..).map(|k| at(row + k * down, column + k * right));
                let street: String =
                    ahead.take_while(|c| !c.is_ascii_uppercase()).take(200).collect();
                let drawn = |c: char| c.is_ascii_digit() || "-|><v^".contains(c);
                if street.is_empty() || !street.chars().all(drawn) || !street.contains(['-', '|']) {
                    continue;
                }
                let k = street.len() + 1;
                let end = at(row + k * down, column + k * right);
                let one = |ways: [char; 2]| !street.contains(ways);
                let attributes = Attributes {
                    speed_mps: 14.0,
                    along: if one(['<', '^']) { Access::ALL } else { Access::NONE },
                    against: if one(['>', 'v']) { Access::ALL } else { Access::NONE },
                    ..Attributes::default()
                };
                way += 1;
                builder.edge(way, (mark as i64, end as i64), &[], &attributes);
            }
        }
    }
    Town { road: builder.finish().unwrap(), names, places }
}

impl Town {
    /// Fixes at the digits in this order, one every `seconds`.
    fn fixes(&self, digits: &str, seconds: f64) -> Vec<Observation> {
        let at = |(k, c): (usize, char)| {
            fix(
                self.places[&c],
                Timestamp::from_seconds(1_700_000_000).plus_seconds(k as f64 * seconds),
            )
        };
        digits.chars().enumerate().map(at).collect()
    }

    fn name(&self, edge: EdgeId) -> String {
        let (_, from, to) = self.road.osm(edge);
        let letter = |n: i64| char::from(n as u8);
        assert!(self.names.contains(&letter(from)));
        format!("{}{}", letter(from), letter(to))
    }

    fn drive(&self, fixes: &[Observation]) -> Driven {
        self.drive_within(Lag::ONLINE, fixes)
    }

    fn drive_within(&self, lag: Lag, fixes: &[Observation]) -> Driven {
        let (mut track, mut scratch) = (Track::with_lag(lag), Scratch::new());
        let (mut out, mut all) = (Observed::default(), Driven::default());
        for fix in fixes {
            track.observe(&self.road, fix, &mut scratch, &mut out);
            assert!(track.bytes_len() <= BYTES_MAX || lag == Lag::OFFLINE);
            let place = out.matched.map(|m| self.name(m.place.edge));
            all.provisional.push(place.unwrap_or_else(|| "off".into()));
            all.confidence.push(out.matched.map_or(0.0, |m| m.confidence));
            all.passed.extend(&out.committed);
        }
        track.flush(&self.road, &mut scratch, &mut out);
        all.passed.extend(&out.committed);
        for (k, p) in all.passed.iter().enumerate() {
            let gap = if k > 0 && !p.joined { "| " } else { "" };
            let space = if k > 0 { " " } else { "" };
            write!(all.path, "{space}{gap}{}", self.name(p.edge)).unwrap();
        }
        all
    }
}

/// What came out of a drive.
#[derive(Default)]
struct Driven {
    passed: Vec<Passed>,
    /// Edges such as `AB BC`, `|` at a break.
    path: String,
    provisional: Vec<String>,
    confidence: Vec<f64>,
}

fn fix(position: Position, time: Timestamp) -> Observation {
    Observation { position, time, speed_mps: None, heading: None, accuracy_m: Some(8.0) }
}

/// The same place `east` and `north` metres away.
fn moved(position: Position, east: f64, north: f64) -> Position {
    let p = Plane::new(position).to_position(east, north);
    Position::new(p.lng, p.lat).unwrap()
}

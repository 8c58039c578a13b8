//! What edges take now, from the paths that vehicles have driven.
//!
//! A path says when each edge was entered, so the next entry ends the one before. What an edge
//! takes is set against its free flow and against the whole fleet's pace, so that a slow hour
//! everywhere, which every vehicle learns from its own day (`eta/travel`), is no jam anywhere.
//! Only what drives counts: time near a visit does not, nor a silence, and a red light is taken
//! off each crossing. An edge is slow when at least [`VEHICLES_MIN`] vehicles agree, and by whole
//! levels, so that a part of a World stays the same while nothing happens.

use std::collections::BTreeMap;

use bytes::Bytes;
use ingest::time::Timestamp;

use crate::model::{Body, EventKind, PathEdge, PathOutput};
use crate::path::traffic::{LEVEL_MAX, LEVEL_STEP};
use crate::road::{EdgeId, Road};

/// What was seen fades over this time, seconds: a jam is over a quarter of an hour after the last
/// one drove through it.
pub const FADES_S: f64 = 600.0;
/// A single parked van is no jam: so many vehicles must have seen it.
const VEHICLES_MIN: u32 = 2;
/// An edge crossed in more than this, seconds, says that somebody stood, not that he drove.
const CROSSING_S_MAX: f64 = 600.0;
/// One red light, seconds.
const LIGHT_S: f64 = 20.0;
/// Driving around a visit belongs to it, seconds.
const VISIT_S: f64 = 20.0;
/// So much free-flow driving at the usual pace is believed of every edge, seconds.
const BEGINS_S: f64 = 10.0;
/// Of the whole fleet: its pace before it has driven, and how many seconds of free-flow driving
/// that weighs.
const PACE: f64 = 1.4;
const PACE_BEGINS_S: f64 = 3_600.0;
/// The least level that is told: half as long again.
const LEVEL_MIN: u8 = 2;
/// A level is left only when the edge is this much of one away from it.
const LEAVES: f64 = 0.8;
/// Vehicles whose last edge is remembered; beyond, the one that was heard first is forgotten.
const VEHICLES_MAX: usize = 200_000;
/// Edges remembered; beyond, new ones wait until others have faded.
const EDGES_MAX: usize = 200_000;

/// A pair of fading sums.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    seconds: f64,
    free_s: f64,
}

/// What was seen of one edge.
#[derive(Debug, Clone, Copy)]
struct Seen {
    sums: Sums,
    at: Timestamp,
    /// Hash of the vehicle that saw it last, and how many others before in a row.
    last: u64,
    vehicles: u32,
    level: u8,
}

/// What is known of one vehicle.
#[derive(Debug, Clone, Default)]
struct Vehicle {
    /// The edge that it entered last.
    on: Option<PathEdge>,
    /// When it came to its last stop and left it.
    visit: Option<(Timestamp, Option<Timestamp>)>,
    heard: Timestamp,
}

/// What the edges of one map take, from the outputs of all vehicles.
#[derive(Debug, Default)]
pub struct Speeds {
    edges: BTreeMap<EdgeId, Seen>,
    vehicles: BTreeMap<Bytes, Vehicle>,
    fleet: Sums,
    /// When it was asked last.
    asked_at: Timestamp,
}

impl Sums {
    fn faded(self, seconds: f64) -> Self {
        let keep = libm::exp(-seconds.max(0.0) / FADES_S);
        Self { seconds: self.seconds * keep, free_s: self.free_s * keep }
    }
}

impl Speeds {
    /// Takes in what a vehicle said; anything but paths and visits is passed over. Outputs of
    /// one vehicle come in their order.
    pub fn take(&mut self, road: &Road, vehicle: &Bytes, body: &Body) {
        match body {
            Body::Path(path) => self.path(road, vehicle, path),
            Body::Event(event) => {
                let known = self.vehicle(vehicle, event.at);
                match (event.kind, known.visit) {
                    (EventKind::Arrived, _) => known.visit = Some((event.at, None)),
                    (EventKind::Departed, Some((arrived, _))) => {
                        known.visit = Some((arrived, Some(event.at)));
                    }
                    _ => {}
                }
            }
            Body::Position(_) | Body::Eta(_) => {}
        }
    }

    fn vehicle(&mut self, key: &Bytes, at: Timestamp) -> &mut Vehicle {
        if self.vehicles.len() >= VEHICLES_MAX && !self.vehicles.contains_key(key) {
            let first = self.vehicles.iter().min_by_key(|(_, vehicle)| vehicle.heard);
            if let Some(first) = first.map(|(key, _)| key.clone()) {
                self.vehicles.remove(&first);
            }
        }
        let known = self.vehicles.entry(key.clone()).or_default();
        known.heard = known.heard.max(at);
        known
    }

    fn path(&mut self, road: &Road, key: &Bytes, path: &PathOutput) {
        let Some(last) = path.edges.last() else { return };
        let known = self.vehicle(key, last.entered);
        let before = known.on.replace(*last).filter(|_| !path.gap);
        let visit = known.visit;
        // Who works no route stops where he likes.
        if path.route.is_none() {
            return;
        }
        let entered: Vec<PathEdge> = before.into_iter().chain(path.edges.iter().copied()).collect();
        for pair in entered.windows(2) {
            let span = (pair[0].entered, pair[1].entered);
            if !visits(visit, span) {
                self.crossed(road, key, &pair[0], span);
            }
        }
    }

    fn crossed(
        &mut self,
        road: &Road,
        key: &Bytes,
        edge: &PathEdge,
        (from, to): (Timestamp, Timestamp),
    ) {
        let seconds = to.seconds_since(from);
        if !(0.0..=CROSSING_S_MAX).contains(&seconds) {
            return;
        }
        let Some(edge) = road.edge_of(edge.way, edge.from_node, edge.to_node) else { return };
        let free_s = road.free_s(edge);
        let usual_s = free_s * self.pace();
        let counted = seconds - (seconds - usual_s).clamp(0.0, LIGHT_S);
        // What a jam takes is not the fleet's pace.
        self.fleet.seconds += counted.min(2.0 * usual_s);
        self.fleet.free_s += free_s;
        if self.edges.len() >= EDGES_MAX && !self.edges.contains_key(&edge) {
            return;
        }
        let name = xxhash_rust::xxh3::xxh3_64(key);
        let new = Seen { sums: Sums::default(), at: to, last: name, vehicles: 1, level: 0 };
        let seen = self.edges.entry(edge).or_insert(new);
        seen.sums = seen.sums.faded(to.seconds_since(seen.at));
        seen.at = seen.at.max(to);
        seen.sums.seconds += counted;
        seen.sums.free_s += free_s;
        if seen.last != name {
            seen.last = name;
            seen.vehicles = seen.vehicles.saturating_add(1);
        }
    }

    /// Driving time ÷ free flow of the whole fleet.
    fn pace(&self) -> f64 {
        let driven = PACE * PACE_BEGINS_S + self.fleet.seconds;
        driven / (PACE_BEGINS_S + self.fleet.free_s)
    }

    /// The slow edges at a moment, ascending, with their levels; at most `max`, those that cost
    /// most. What has faded is forgotten.
    pub fn slow(&mut self, now: Timestamp, max: usize) -> Vec<(EdgeId, u8)> {
        let pace = self.pace();
        // An hour, where an edge has ten minutes.
        self.fleet = self.fleet.faded(now.seconds_since(self.asked_at) / 6.0);
        self.asked_at = now;
        let mut slow = Vec::new();
        self.edges.retain(|&edge, seen| {
            let sums = seen.sums.faded(now.seconds_since(seen.at));
            let ratio = (BEGINS_S * pace + sums.seconds) / (BEGINS_S + sums.free_s) / pace;
            seen.level = level(seen.level, ratio);
            if seen.vehicles >= VEHICLES_MIN && seen.level >= LEVEL_MIN {
                slow.push((edge, seen.level, sums.seconds));
            }
            seen.level > 0 || sums.seconds > 1.0
        });
        if slow.len() > max {
            slow.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
            slow.truncate(max);
            slow.sort_by_key(|slow| slow.0);
        }
        slow.into_iter().map(|(edge, level, _)| (edge, level)).collect()
    }
}

/// Whether a span of time touches a visit.
fn visits(
    visit: Option<(Timestamp, Option<Timestamp>)>,
    (from, to): (Timestamp, Timestamp),
) -> bool {
    visit.is_some_and(|(arrived, departed)| {
        to >= arrived.plus_seconds(-VISIT_S)
            && departed.is_none_or(|departed| from <= departed.plus_seconds(VISIT_S))
    })
}

/// The level of an edge that takes `ratio` times the usual; the one it has unless that is clearly
/// left.
fn level(before: u8, ratio: f64) -> u8 {
    let exact = libm::log(ratio.max(1.0)) / libm::log(LEVEL_STEP);
    if (exact - f64::from(before)).abs() < LEAVES {
        return before;
    }
    libm::round(exact).clamp(0.0, f64::from(LEVEL_MAX)) as u8
}

//! The committed path as a line, as edges and as arcs.

use engine::matching::{Observed, Passed};
use engine::road::plane::distance_m;
use engine::road::{EdgeId, Place, Road};
use ingest::units::Position;
use serde_json::{Value, json};

use super::network::Network;

/// A stretch of one edge, metres from its tail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) edge: EdgeId,
    pub(super) from_m: f64,
    pub(super) to_m: f64,
}

/// The path committed so far: edges in pieces, and where it ends.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: Vec<(Vec<Passed>, Option<Place>)>,
}

impl Pieces {
    /// Adds what one fix led to.
    pub(super) fn take(&mut self, observed: &Observed) {
        for passed in &observed.committed {
            if !passed.joined || self.pieces.is_empty() {
                self.pieces.push((Vec::new(), None));
            }
            if let Some((edges, _)) = self.pieces.last_mut() {
                edges.push(*passed);
            }
        }
        if let (Some(place), Some((_, end))) = (observed.reached, self.pieces.last_mut()) {
            *end = Some(place);
        }
    }

    /// `line`, `edges`, `pieces`, and `arcs` on a plain network.
    pub(super) fn answer(&self, road: &Road, network: Option<&Network>) -> Value {
        let parts: Vec<Vec<Stretch>> =
            self.pieces.iter().map(|(edges, end)| stretches(road, edges, *end)).collect();
        let lines: Vec<Vec<[f64; 2]>> = parts.iter().map(|p| line(road, p)).collect();
        let edges: Vec<[i64; 3]> = parts
            .iter()
            .flatten()
            .map(|s| road.osm(s.edge))
            .map(|(way, from, to)| [way, from, to])
            .collect();
        let mut value = json!({ "edges": edges, "pieces": lines.len() });
        value["line"] = match lines.as_slice() {
            [] => json!([]),
            [one] => json!(one),
            many => json!(many),
        };
        if let Some(network) = network {
            let arcs: Vec<usize> =
                parts.iter().flatten().flat_map(|s| network.arcs_of(road, s)).collect();
            value["arcs"] = json!(arcs);
        }
        value
    }
}

/// Where on each edge of a piece the path begins and ends.
fn stretches(road: &Road, edges: &[Passed], end: Option<Place>) -> Vec<Stretch> {
    let mut out = Vec::with_capacity(edges.len());
    for (index, passed) in edges.iter().enumerate() {
        let length = road.length_m(passed.edge);
        let to_m = match edges.get(index + 1) {
            // A turn in the street: this edge ends where the other direction begins.
            Some(next) if next.from_m > 0.0 => length - next.from_m,
            Some(_) => length,
            None => end.filter(|e| e.edge == passed.edge).map_or(length, |e| e.offset_m),
        };
        let from_m = passed.from_m.min(length);
        out.push(Stretch { edge: passed.edge, from_m, to_m: to_m.clamp(from_m, length) });
    }
    out
}

fn line(road: &Road, stretches: &[Stretch]) -> Vec<[f64; 2]> {
    let (mut out, mut shape) = (Vec::new(), Vec::new());
    let mut push = |p: Position| {
        let round = |v: f64| (v * 1e7).round() / 1e7;
        let p = [round(p.lng), round(p.lat)];
        if out.last() != Some(&p) {
            out.push(p);
        }
    };
    for s in stretches {
        if s.to_m <= s.from_m && stretches.len() > 1 {
            continue;
        }
        road.shape(s.edge, &mut shape);
        push(road.point_at(Place { edge: s.edge, offset_m: s.from_m }).0);
        let mut at = 0.0;
        for pair in shape.windows(2) {
            at += distance_m(pair[0], pair[1]);
            if at > s.from_m && at < s.to_m {
                push(pair[1]);
            }
        }
        push(road.point_at(Place { edge: s.edge, offset_m: s.to_m }).0);
    }
    out
}

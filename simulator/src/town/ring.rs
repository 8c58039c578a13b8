//! The motorway ring: two one-way carriageways around the town, with ramps at main streets.

use std::f64::consts::TAU;

use super::streets::{Cross, Grid, far_end};
use super::{Draft, Spot, tags};

/// Radius of the inner carriageway, metres; it is driven clockwise.
pub(crate) const RADIUS_M: f64 = 5_000.0;
/// Distance between the carriageways, metres; the outer one is driven counterclockwise.
const APART_M: f64 = 36.0;
/// Length of the ramps along the ring, metres.
const RAMP_M: f64 = 240.0;
/// Streets keep this far away, metres.
const CLEAR_M: f64 = 70.0;
/// A point of the ring at least this often, radians.
const STEP: f64 = TAU / 240.0;

/// Moves a crossing that would lie on the motorway beside it.
pub(super) fn beside(at: Spot) -> Spot {
    let radius = at.radius();
    let (least, most) = (RADIUS_M - CLEAR_M, RADIUS_M + APART_M + CLEAR_M);
    if radius <= least || radius >= most {
        return at;
    }
    let wanted = if radius < f64::midpoint(least, most) { least } else { most };
    Spot::new(at.x * wanted / radius, at.y * wanted / radius)
}

/// The angle at which a street crosses the ring, if it does.
pub(super) fn crosses(from: Spot, to: Spot) -> Option<f64> {
    let inside = |at: Spot| at.radius() < RADIUS_M;
    let middle = from.between(to, 0.5);
    (inside(from) != inside(to)).then(|| libm::atan2(middle.y, middle.x).rem_euclid(TAU))
}

/// A place on a carriageway where a ramp leaves or joins: its angle, the crossing at the other
/// end, and whether it leaves.
struct Ramp {
    angle: f64,
    cross: Cross,
    leaves: bool,
}

/// Writes both carriageways and the ramps.
pub(super) fn lay(draft: &mut Draft, grid: &Grid) {
    let (mut inner, mut outer) = (Vec::new(), Vec::new());
    let apart = RAMP_M / RADIUS_M;
    for (street, block) in &grid.blocks {
        let Some(angle) = block.over_ring else { continue };
        let (a, b) = (street.0, far_end(*street));
        let a_inside = grid.spots[&a].radius() < RADIUS_M;
        let (inside, outside) = if a_inside { (a, b) } else { (b, a) };
        // Clockwise traffic leaves before the crossing, at the larger angle.
        inner.push(Ramp { angle: angle + apart, cross: inside, leaves: true });
        inner.push(Ramp { angle: angle - apart, cross: inside, leaves: false });
        outer.push(Ramp { angle: angle - apart, cross: outside, leaves: true });
        outer.push(Ramp { angle: angle + apart, cross: outside, leaves: false });
    }
    carriageway(draft, grid, inner, true);
    carriageway(draft, grid, outer, false);
}

fn carriageway(draft: &mut Draft, grid: &Grid, mut ramps: Vec<Ramp>, clockwise: bool) {
    let radius = if clockwise { RADIUS_M } else { RADIUS_M + APART_M };
    for ramp in &mut ramps {
        ramp.angle = ramp.angle.rem_euclid(TAU);
    }
    ramps.sort_by(|a, b| a.angle.total_cmp(&b.angle));
    let mut nodes = Vec::new();
    let mut at = 0.0;
    for ramp in &ramps {
        while at < ramp.angle - STEP / 2.0 {
            nodes.push(draft.node(Spot::at(radius, at)));
            at += STEP;
        }
        let node = draft.node(Spot::at(radius, ramp.angle));
        nodes.push(node);
        at = ramp.angle + STEP;
        write_ramp(draft, grid, ramp, node, radius);
    }
    while at < TAU - STEP / 2.0 {
        nodes.push(draft.node(Spot::at(radius, at)));
        at += STEP;
    }
    nodes.extend(nodes.first().copied());
    if clockwise {
        nodes.reverse();
    }
    let name = if clockwise { "Inner Ring" } else { "Outer Ring" };
    for piece in 0..nodes.len().div_ceil(40) {
        let (from, to) = (piece * 40, (piece * 40 + 41).min(nodes.len()));
        if to - from < 2 {
            continue;
        }
        let pairs =
            [("highway", "motorway"), ("name", name), ("maxspeed", "100"), ("oneway", "yes")];
        draft.way(nodes[from..to].to_vec(), tags(&pairs));
    }
}

/// A ramp bends once, halfway between the ring and the street's crossing.
fn write_ramp(draft: &mut Draft, grid: &Grid, ramp: &Ramp, node: i64, radius: f64) {
    let end = grid.spots[&ramp.cross];
    let bend = Spot::at(radius, ramp.angle).between(end, 0.5);
    let outward = if end.radius() > radius { 12.0 } else { -12.0 };
    let scale = 1.0 + outward / bend.radius();
    let bend = draft.node(Spot::new(bend.x * scale, bend.y * scale));
    // Roundabouts are entered and left at the arm that faces the ring.
    let side = libm::round(libm::atan2(-end.y, -end.x).rem_euclid(TAU) / TAU * 4.0) as usize % 4;
    let joint = grid.junctions[&ramp.cross].arm(side);
    let mut nodes = vec![node, bend, joint];
    if !ramp.leaves {
        nodes.reverse();
    }
    let pairs = [("highway", "motorway_link"), ("oneway", "yes"), ("maxspeed", "60")];
    draft.way(nodes, tags(&pairs));
}

//! Where a van can go and come back from, and places to stop there.

use std::collections::BTreeMap;

use engine::road::plane::Plane;
use engine::road::{Class, EdgeId, NodeId, Place, Profile, Road};
use ingest::units::Position;

use super::FleetError;
use crate::chance::Chance;

/// Side of a cell, metres.
const CELL_M: f64 = 400.0;
/// A fleet needs this many edges to drive on.
const EDGES_MIN: usize = 20;
/// Starts tried to find the connected part of a map.
const STARTS_MAX: usize = 64;
/// Stops keep this far from the ends of their street, metres.
const FROM_CORNER_M: f64 = 12.0;

/// The connected part of a map, by cells.
#[derive(Debug)]
pub struct Ground {
    plane: Plane,
    cells: BTreeMap<(i32, i32), Vec<(EdgeId, f64)>>,
    all: Vec<(EdgeId, f64)>,
}

impl Ground {
    /// Finds the streets where vans stop, on the part of the map that hangs together.
    pub fn new(road: &Road) -> Result<Self, FleetError> {
        let connected = connected(road);
        let middle = road.position(NodeId((road.nodes() / 2) as u32));
        let plane = Plane::new(middle);
        let mut cells: BTreeMap<(i32, i32), Vec<(EdgeId, f64)>> = BTreeMap::new();
        let mut all = Vec::new();
        for edge in (0..road.edges() as u32).map(EdgeId) {
            let length = road.length_m(edge);
            let joined = connected[road.tail(edge).0 as usize]
                && connected[road.head(edge).0 as usize]
                && road.seconds(edge, Profile::Van).is_some();
            if !joined || !has_doors(road.class(edge)) || length < 3.0 * FROM_CORNER_M {
                continue;
            }
            let half = Place { edge, offset_m: length / 2.0 };
            let cell = cell(&plane, road.point_at(half).0);
            cells.entry(cell).or_default().push((edge, length));
            all.push((edge, length));
        }
        if all.len() < EDGES_MIN {
            return Err(FleetError::TooSmall { edges: all.len(), least: EDGES_MIN });
        }
        Ok(Self { plane, cells, all })
    }

    /// A place anywhere.
    pub fn anywhere(&self, chance: &mut Chance) -> Place {
        place(self.all[chance.below(self.all.len())], chance)
    }

    /// A place about evenly within a ring around a position; `None` where nothing is.
    pub fn around(
        &self,
        at: Position,
        (least_m, most_m): (f64, f64),
        chance: &mut Chance,
    ) -> Option<Place> {
        let (x, y) = self.plane.to_metres(at);
        let share = chance.between(least_m * least_m, most_m * most_m);
        let (radius, angle) = (share.sqrt(), chance.between(0.0, std::f64::consts::TAU));
        let target =
            self.plane.to_position(x + radius * libm::cos(angle), y + radius * libm::sin(angle));
        let edges = self.cells.get(&cell(&self.plane, target))?;
        Some(place(edges[chance.below(edges.len())], chance))
    }
}

fn place((edge, length): (EdgeId, f64), chance: &mut Chance) -> Place {
    Place { edge, offset_m: chance.between(FROM_CORNER_M, length - FROM_CORNER_M) }
}

fn cell(plane: &Plane, at: Position) -> (i32, i32) {
    let (x, y) = plane.to_metres(at);
    (libm::floor(x / CELL_M) as i32, libm::floor(y / CELL_M) as i32)
}

/// Whether vans deliver along such a street.
fn has_doors(class: Class) -> bool {
    matches!(
        class,
        Class::Primary
            | Class::Secondary
            | Class::Tertiary
            | Class::Unclassified
            | Class::Residential
            | Class::LivingStreet
    )
}

/// Nodes from which a van reaches, and is reached from, most of the map: forward and backward
/// search from one node, tried from several until a large part is found.
fn connected(road: &Road) -> Vec<bool> {
    let nodes = road.nodes();
    let mut best = vec![false; nodes];
    let mut best_size = 0;
    for k in 0..STARTS_MAX.min(nodes) {
        let start = NodeId((nodes as u64 * (2 * k as u64 + 1) / (2 * STARTS_MAX as u64)) as u32);
        let forward = flood(road, start, true);
        let backward = flood(road, start, false);
        let both: Vec<bool> = forward.iter().zip(&backward).map(|(a, b)| *a && *b).collect();
        let size = both.iter().filter(|b| **b).count();
        if size > best_size {
            (best, best_size) = (both, size);
        }
        // Half of the nodes may be footpaths; a third in one piece is the town.
        if best_size * 3 > nodes {
            break;
        }
    }
    best
}

fn flood(road: &Road, start: NodeId, forward: bool) -> Vec<bool> {
    let mut seen = vec![false; road.nodes()];
    let mut open = vec![start];
    if let Some(flag) = seen.get_mut(start.0 as usize) {
        *flag = true;
    }
    let mut visit = |node: NodeId, open: &mut Vec<NodeId>| {
        if !std::mem::replace(&mut seen[node.0 as usize], true) {
            open.push(node);
        }
    };
    let usable = |edge: &EdgeId| road.seconds(*edge, Profile::Van).is_some();
    while let Some(node) = open.pop() {
        if forward {
            for edge in road.outgoing(node).filter(usable) {
                visit(road.head(edge), &mut open);
            }
        } else {
            for edge in road.incoming(node).filter(usable) {
                visit(road.tail(edge), &mut open);
            }
        }
    }
    seen
}

//! A synthetic town, the same for the same seed, written as a real `.osm.pbf`.
//!
//! About 12 km across, on an island that does not exist: a grid bent by hand, a motorway ring
//! with interchanges, primary, secondary and tertiary streets, one-way streets in the centre,
//! roundabouts, forbidden turns, traffic signals, a river with few bridges, parks, buildings and
//! yards. Any reader of OpenStreetMap data can load it.
//!
//! [`pbf`] is the file format, [`streets`] the grid and everything that belongs to it, [`ring`]
//! the motorway, [`land`] water, parks and buildings, [`names`] what streets are called.

mod land;
mod names;
pub mod pbf;
mod ring;
mod streets;

use crate::chance::{Chance, For};
use pbf::{Element, Member, Node, Relation, Tags, Way};

/// Centre of the town, degrees: open Atlantic, so that it is never mistaken for a real one.
const CENTRE: (f64, f64) = (-20.0, 44.5);
/// Metres of one degree of latitude (mean Earth radius, WGS-84).
const DEGREE_M: f64 = 111_195.08;
/// Half the town's width: nothing lies further out, metres.
pub(crate) const RADIUS_M: f64 = 6_200.0;

/// A place in the town's own metres, east and north of its centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spot {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

impl Spot {
    pub(crate) fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }
    pub(crate) fn radius(self) -> f64 {
        (self.x * self.x + self.y * self.y).sqrt()
    }
    pub(crate) fn between(self, other: Self, share: f64) -> Self {
        Self::new(self.x + (other.x - self.x) * share, self.y + (other.y - self.y) * share)
    }
    pub(crate) fn at(radius: f64, angle: f64) -> Self {
        Self::new(radius * libm::cos(angle), radius * libm::sin(angle))
    }
}

/// The bytes of the town of a seed as an `.osm.pbf` file.
pub fn town(seed: u64) -> Vec<u8> {
    let mut draft = Draft::new(seed);
    let grid = streets::lay(&mut draft);
    ring::lay(&mut draft, &grid);
    streets::forbid_turns(&mut draft, &grid);
    streets::yards(&mut draft, &grid);
    land::lay(&mut draft, &grid);
    pbf::file(&Element { nodes: draft.nodes, ways: draft.ways, relations: draft.relations })
}

/// The town as far as it is drawn.
pub(crate) struct Draft {
    pub(crate) chance: Chance,
    pub(crate) nodes: Vec<Node>,
    pub(crate) ways: Vec<Way>,
    pub(crate) relations: Vec<Relation>,
}

impl Draft {
    fn new(seed: u64) -> Self {
        let chance = Chance::new(seed, For::Town);
        Self { chance, nodes: Vec::new(), ways: Vec::new(), relations: Vec::new() }
    }

    /// A new node; ids count from 1.
    pub(crate) fn node(&mut self, at: Spot) -> i64 {
        let id = self.nodes.len() as i64 + 1;
        let lat = CENTRE.1 + at.y / DEGREE_M;
        let scale = libm::cos(CENTRE.1.to_radians());
        let lng = CENTRE.0 + at.x / (DEGREE_M * scale);
        self.nodes.push(Node {
            id,
            lng_e7: (lng * 1e7).round_ties_even() as i64,
            lat_e7: (lat * 1e7).round_ties_even() as i64,
            tags: Tags::default(),
        });
        id
    }

    /// Adds a tag to a node made by [`Draft::node`].
    pub(crate) fn tag_node(&mut self, id: i64, key: &'static str, value: &str) {
        if let Some(node) = usize::try_from(id - 1).ok().and_then(|i| self.nodes.get_mut(i)) {
            node.tags.push((key, value.to_owned()));
        }
    }

    /// A new way; ids count from 1.
    pub(crate) fn way(&mut self, nodes: Vec<i64>, tags: Tags) -> i64 {
        let id = self.ways.len() as i64 + 1;
        self.ways.push(Way { id, nodes, tags });
        id
    }

    /// A closed way through new nodes.
    pub(crate) fn area(&mut self, outline: &[Spot], tags: Tags) {
        let mut nodes: Vec<i64> = outline.iter().map(|at| self.node(*at)).collect();
        if let Some(first) = nodes.first().copied() {
            nodes.push(first);
            self.way(nodes, tags);
        }
    }

    /// Forbids (or orders) the turn from one way into another at a node.
    pub(crate) fn restriction(&mut self, kind: &str, from: i64, via: i64, to: i64) {
        let id = self.relations.len() as i64 + 1;
        let members =
            vec![Member::Way(from, "from"), Member::Node(via, "via"), Member::Way(to, "to")];
        let tags = vec![("type", "restriction".to_owned()), ("restriction", kind.to_owned())];
        self.relations.push(Relation { id, members, tags });
    }
}

/// Tags from pairs of text.
pub(crate) fn tags(pairs: &[(&'static str, &str)]) -> Tags {
    pairs.iter().map(|(k, v)| (*k, (*v).to_owned())).collect()
}

#[cfg(test)]
pub(crate) mod tests;

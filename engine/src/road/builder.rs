//! Makes a map from nodes, streets and turn restrictions, in the bytes of the file.
//!
//! The same calls in the same order give the same bytes. Nodes are numbered along a Hilbert
//! curve and edges by their tail, so that a search reads neighbouring pages.

mod network;
mod turns;

use std::collections::HashMap;

use ingest::units::Position;

use super::access::Access;
use super::class::{CAR_MAX_MPS, Class};
use super::image::{self, Section};
use super::{Road, RoadError};

pub use turns::{Restriction, Via};

/// Most nodes, edges or points of one map: numbers leave a bit free.
const COUNT_MAX: usize = (1 << 31) - 2;
/// Longest name kept, bytes; OpenStreetMap allows 255 characters.
const NAME_MAX: usize = 1024;

/// What an edge is besides its geometry. The default is a two-way unclassified street for
/// everybody.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a road, as mapped")]
pub struct Attributes<'a> {
    /// Class of the road.
    pub class: Class,
    /// Free-flow speed of cars from `from` to `to`, metres per second; clamped to 0.01–38.9.
    /// Vans drive the same up to 33.3.
    pub speed_mps: f64,
    /// The same from `to` to `from`; `None`: as `speed_mps`.
    pub against_mps: Option<f64>,
    /// Name, or number; may be empty. Cut at 1,024 bytes.
    pub name: &'a str,
    /// Who may go from `from` to `to`.
    pub along: Access,
    /// Who may go from `to` to `from`; [`Access::NONE`] for a one-way street.
    pub against: Access,
    /// Only for those who have business there.
    pub destination: bool,
    /// Lorries only on business there.
    pub truck_destination: bool,
    /// Part of a roundabout.
    pub roundabout: bool,
    /// In a tunnel.
    pub tunnel: bool,
    /// On a bridge.
    pub bridge: bool,
    /// Costs money.
    pub toll: bool,
}

impl Default for Attributes<'_> {
    fn default() -> Self {
        Self {
            class: Class::Unclassified,
            speed_mps: Class::Unclassified.free_flow_kmh() / 3.6,
            against_mps: None,
            name: "",
            along: Access::ALL,
            against: Access::ALL,
            destination: false,
            truck_destination: false,
            roundabout: false,
            tunnel: false,
            bridge: false,
            toll: false,
        }
    }
}

/// A street between two junctions as it was given.
#[derive(Debug, Clone, Copy)]
struct Draft {
    way: u32,
    from: i64,
    to: i64,
    /// Points between the ends: first in `shapes`, and how many.
    first: u32,
    inner: u32,
    cmps: [u16; 2],
    along: Access,
    against: Access,
    class: Class,
    flags: u16,
}

/// Collects nodes, edges and restrictions; [`RoadBuilder::finish`] makes the map.
#[derive(Debug, Clone, Default)]
pub struct RoadBuilder {
    nodes: Vec<(i64, i32, i32)>,
    drafts: Vec<Draft>,
    shapes: Vec<(i32, i32)>,
    /// OSM id and offset of the name.
    ways: Vec<(i64, u32)>,
    way_numbers: HashMap<(i64, u32), u32>,
    names: Vec<u8>,
    name_offsets: HashMap<Box<str>, u32>,
    restrictions: Vec<Restriction>,
    conditional: u32,
    barriers: Vec<(i64, Access)>,
    areas: Vec<u8>,
}

impl RoadBuilder {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A junction or an end of a road. Given twice, the first position holds; one that no
    /// edge uses is left out.
    pub fn node(&mut self, osm: i64, at: Position) {
        let (lng, lat) = at.to_e7();
        self.nodes.push((osm, lng, lat));
    }

    /// A street between the nodes `from` and `to`, with the points between them in order: an
    /// edge for each direction somebody may use.
    pub fn edge(
        &mut self,
        way: i64,
        (from, to): (i64, i64),
        inner: &[Position],
        attributes: &Attributes<'_>,
    ) {
        let name = self.name(attributes.name);
        let next = self.ways.len() as u32;
        let ways = &mut self.ways;
        let way = *self.way_numbers.entry((way, name)).or_insert_with(|| {
            ways.push((way, name));
            next
        });
        let first = self.shapes.len() as u32;
        self.shapes.extend(inner.iter().map(|at| at.to_e7()));
        let against = attributes.against_mps.unwrap_or(attributes.speed_mps);
        self.drafts.push(Draft {
            way,
            from,
            to,
            first,
            inner: inner.len() as u32,
            cmps: [attributes.speed_mps, against]
                .map(|mps| (mps.min(CAR_MAX_MPS) * 100.0).max(1.0) as u16),
            along: attributes.along,
            against: attributes.against,
            class: attributes.class,
            flags: network::flags(attributes),
        });
    }

    /// A turn restriction. Ways are resolved to edges at the end, so the order of calls is free.
    pub fn restriction(&mut self, restriction: Restriction) {
        self.restrictions.push(restriction);
    }

    /// Nobody in `blocks` passes this node; they may turn back at it.
    pub fn barrier(&mut self, node: i64, blocks: Access) {
        if !blocks.is_empty() {
            self.barriers.push((node, blocks));
        }
    }

    /// Notes how many restrictions hold under conditions only and are not applied.
    pub(crate) fn conditional_restrictions(&mut self, count: u32) {
        self.conditional = count;
    }

    /// The section of areas, laid out by [`super::area`].
    pub(crate) fn areas(&mut self, areas: Vec<u8>) {
        self.areas = areas;
    }

    /// Makes the map. Fails when an edge names a node that was not given or there are more
    /// than 2^31 of anything.
    pub fn finish(self) -> Result<Road, RoadError> {
        Road::from_image(self.image()?)
    }

    /// The bytes of the map.
    pub(crate) fn image(mut self) -> Result<Vec<u8>, RoadError> {
        for (what, count) in [
            ("nodes", self.nodes.len()),
            ("edges", self.drafts.len() * 2),
            ("points", self.shapes.len() + self.drafts.len() * 2),
        ] {
            if count > COUNT_MAX {
                return Err(RoadError::TooMany { what, count, most: COUNT_MAX });
            }
        }
        if self.names.is_empty() {
            self.names.extend_from_slice(&[0, 0]);
        }
        let mut network = network::Network::new(&mut self)?;
        if let Err(_beyond) = u32::try_from(network.bytes_of_points()) {
            let (what, count) = ("bytes of points", network.bytes_of_points());
            return Err(RoadError::TooMany { what, count, most: u32::MAX as usize });
        }
        let turns = turns::Turns::resolve(&network, &self.restrictions, &self.barriers);
        network.mark(&turns);
        let mut summary = network.summary();
        summary.restrictions = turns.used;
        summary.restrictions_unused = turns.unused;
        summary.restrictions_conditional = self.conditional;
        let mut parts = vec![
            (Section::Summary, summary.write()),
            (Section::Turns, turns.table()),
            (Section::States, turns.states()),
            (Section::Ways, self.way_records()),
            (Section::Names, self.names),
            (Section::Areas, self.areas),
            (Section::Order, network.order()),
        ];
        network.sections(&mut parts);
        Ok(image::assemble(&parts))
    }

    fn way_records(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.ways.len() * 12);
        for &(way, name) in &self.ways {
            out.extend_from_slice(&way.to_le_bytes());
            out.extend_from_slice(&name.to_le_bytes());
        }
        out
    }

    /// Offset of a name in the section of names, which begins with the empty one.
    fn name(&mut self, name: &str) -> u32 {
        if self.names.is_empty() {
            self.names.extend_from_slice(&[0, 0]);
        }
        let name = name.get(..name.floor_char_boundary(NAME_MAX)).unwrap_or("");
        if name.is_empty() {
            return 0;
        }
        if let Some(&offset) = self.name_offsets.get(name) {
            return offset;
        }
        let offset = self.names.len() as u32;
        self.names.extend_from_slice(&(name.len() as u16).to_le_bytes());
        self.names.extend_from_slice(name.as_bytes());
        self.name_offsets.insert(name.into(), offset);
        offset
    }
}

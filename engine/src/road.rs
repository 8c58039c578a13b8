//! The road network: import, the mapped file, the spatial index.
//!
//! In reading order: [`class`] and [`access`] say what an edge is and who may use it,
//! [`plane`] turns degrees into metres, `image`, `record` and `geometry` are the bytes of a map,
//! `tables` what is found from them at first use, [`builder`] makes them (its `turns` spells
//! restrictions out, `order` is for the router), [`import`] reads OpenStreetMap, `index` and `near`
//! find what is around a place, `within` what a box holds, `shape` how edges run, `bend` how ways
//! turn, `links` what a search meets. A map is the same bytes in a file and in memory, and every
//! read is bounds-checked: a damaged map gives wrong roads, never a crash.

pub mod access;
mod area;
mod bend;
pub mod builder;
pub mod class;
mod error;
mod geometry;
mod hilbert;
mod image;
pub mod import;
mod index;
mod links;
mod mapped;
mod near;
mod order;
pub mod plane;
pub(crate) mod record;
mod shape;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod within;

use std::any::Any;
use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use ingest::units::Position;

pub use access::{Access, Profile};
pub use area::{Area, AreaKind};
pub use builder::{Attributes, Restriction, RoadBuilder, Via};
pub use class::Class;
pub use error::RoadError;
pub(crate) use links::Link;
pub use record::{Corner, Summary};

use image::{Layout, LayoutError, Section, i32_at, u32_at, u64_at};
use mapped::Bytes;
use record::{AGAINST, EDGE, EdgeRecord, FLAG_TURNS};
use tables::{Found, NO_EDGE, Tables};

/// A directed edge: its number in this map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeId(pub u32);

/// A junction or end of a road: its number in this map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A point on a directed edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The edge.
    pub edge: EdgeId,
    /// Metres from its tail, 0 to its length.
    pub offset_m: f64,
}

/// The nearest point of an edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// The point on the edge.
    pub place: Place,
    /// The same on the ground.
    pub position: Position,
    /// Metres from where it was asked.
    pub distance_m: f64,
    /// Heading of the edge there, degrees clockwise from north.
    pub heading: f64,
}

/// The road network of one map. Immutable; a mapped file or a buffer of the same bytes.
///
/// An edge or node number that is not of this map reads as zeros.
pub struct Road {
    bytes: Bytes,
    layout: Layout,
    hash: String,
    summary: Summary,
    found: Found,
    derived: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Default for Road {
    /// A map without roads.
    fn default() -> Self {
        let layout = Layout::default();
        Self {
            bytes: Bytes::Owned(Vec::new()),
            layout,
            hash: String::new(),
            summary: Summary::default(),
            found: Found::default(),
            derived: OnceLock::new(),
        }
    }
}

impl fmt::Debug for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Road")
            .field("hash", &self.hash)
            .field("nodes", &self.nodes())
            .field("edges", &self.edges())
            .finish_non_exhaustive()
    }
}

impl Road {
    /// Maps a file made by `milepost map build`. Header and section lengths are checked; for
    /// the contents see [`Road::verify`].
    pub fn open(path: &Path) -> Result<Self, RoadError> {
        let bytes = Bytes::map(path).map_err(|source| RoadError::Io {
            action: "open map",
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(bytes).map_err(|error| describe(error, path))
    }

    /// Reads the whole file and compares every section with its checksum.
    pub fn verify(path: &Path) -> Result<(), RoadError> {
        let bytes = Bytes::map(path).map_err(|source| RoadError::Io {
            action: "read map",
            path: path.to_owned(),
            source,
        })?;
        Layout::verify(bytes.as_slice()).map_err(|error| describe(error, path))
    }

    /// The map of an image in memory, as [`import::import`] makes it.
    pub fn from_image(image: Vec<u8>) -> Result<Self, RoadError> {
        let described = |error| describe(error, Path::new("map in memory"));
        Self::from_bytes(Bytes::Owned(image)).map_err(described)
    }

    fn from_bytes(bytes: Bytes) -> Result<Self, LayoutError> {
        let layout = Layout::read(bytes.as_slice())?;
        let hash = format!("{:032x}", layout.hash);
        let mut road = Self { bytes, layout, hash, ..Self::default() };
        road.summary = Summary::read(&road.record::<64>(Section::Summary, 0));
        Ok(road)
    }

    /// Names the content: 32 hexadecimal digits, xxh3-128 over the checksums of all sections.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How many junctions and ends of roads there are.
    pub fn nodes(&self) -> usize {
        self.count(Section::Nodes)
    }

    /// How many directed edges there are.
    pub fn edges(&self) -> usize {
        self.count(Section::Edges)
    }

    /// How many turns a van may take: edge to edge, without turning back. Reads every edge.
    pub fn turns(&self) -> usize {
        let van = |&edge: &EdgeId| self.access(edge).has(Profile::Van);
        (0..self.edges() as u32)
            .map(EdgeId)
            .filter(van)
            .map(|from| {
                let onward = self.outgoing(self.head(from)).filter(van);
                let onward = onward.filter(|&to| Some(to) != self.reverse(from));
                onward.filter(|&to| self.turn_allowed(from, to)).count()
            })
            .sum()
    }

    /// Bytes of the whole map.
    pub fn bytes(&self) -> usize {
        self.bytes.as_slice().len()
    }

    /// Box and counts of the whole map.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Where the edge begins.
    pub fn tail(&self, edge: EdgeId) -> NodeId {
        NodeId(self.edge(edge).tail)
    }

    /// Where the edge ends.
    pub fn head(&self, edge: EdgeId) -> NodeId {
        NodeId(self.edge(edge).head)
    }

    /// Length in metres, at least 0.001.
    pub fn length_m(&self, edge: EdgeId) -> f64 {
        self.edge(edge).length_m()
    }

    /// Seconds at free flow for a van, whether or not one may use it.
    pub fn free_s(&self, edge: EdgeId) -> f64 {
        self.edge(edge).seconds(Profile::Van)
    }

    /// Seconds at free flow, `None` where the profile has no access.
    pub fn seconds(&self, edge: EdgeId, profile: Profile) -> Option<f64> {
        let record = self.edge(edge);
        record.access().has(profile).then(|| record.seconds(profile))
    }

    /// Who may use the edge in its direction.
    pub fn access(&self, edge: EdgeId) -> Access {
        self.edge(edge).access()
    }

    /// Whether `profile` may use it only with business there: private, destination, customers.
    pub fn is_destination_only(&self, edge: EdgeId, profile: Profile) -> bool {
        self.edge(edge).is_destination_only(profile)
    }

    /// OpenStreetMap's names of an edge: way, node it comes from, node it goes to.
    pub fn osm(&self, edge: EdgeId) -> (i64, i64, i64) {
        let record = self.edge(edge);
        (self.way(record.way).0, self.osm_node(record.tail), self.osm_node(record.head))
    }

    /// The edge of these names: the first by number if a way joins two nodes twice.
    pub fn edge_of(&self, way: i64, from_node: i64, to_node: i64) -> Option<EdgeId> {
        let tail = self.node_of(from_node)?;
        self.outgoing(tail).find(|&edge| self.osm(edge) == (way, from_node, to_node))
    }

    /// The edges of an OpenStreetMap way, ascending. Reads every edge.
    pub fn edges_of_way(&self, way: i64) -> Vec<EdgeId> {
        let all = (0..self.edges() as u32).map(EdgeId);
        all.filter(|&edge| self.way(self.edge(edge).way).0 == way).collect()
    }

    /// The node of an OpenStreetMap id.
    pub fn node_of(&self, osm: i64) -> Option<NodeId> {
        let by_osm = self.found.by_osm.get_or_init(|| tables::by_osm(self));
        let found = by_osm.binary_search_by_key(&osm, |&node| self.osm_node(node));
        found.ok().map(|index| NodeId(by_osm[index]))
    }

    /// The same piece of road in the other direction, if anybody may use it.
    pub fn reverse(&self, edge: EdgeId) -> Option<EdgeId> {
        self.reverse_of(&self.edge(edge))
    }

    /// [`Road::reverse`] with the record of the edge at hand.
    pub(crate) fn reverse_of(&self, edge: &EdgeRecord) -> Option<EdgeId> {
        let [along, against] = self.either(edge.street & !AGAINST);
        let other = if edge.street & AGAINST == 0 { against } else { along };
        (other != NO_EDGE).then_some(other)
    }

    /// Edges that leave a node, by number.
    pub fn outgoing(&self, node: NodeId) -> impl Iterator<Item = EdgeId> {
        self.out_edges(node.0).map(EdgeId)
    }

    /// Edges that enter a node, by number.
    pub fn incoming(&self, node: NodeId) -> impl Iterator<Item = EdgeId> {
        let tables = self.tables();
        let entries = span(&tables.incoming, node.0);
        entries.filter_map(|index| tables.in_edges.get(index as usize)).map(|&edge| EdgeId(edge))
    }

    /// Whether a van on `from` may go on to `to`: that they meet, and no restriction at the
    /// node between them forbids it. Restrictions over several roads are the router's.
    pub fn turn_allowed(&self, from: EdgeId, to: EdgeId) -> bool {
        self.head(from) == self.tail(to) && self.turn(from.0, to, Profile::Van).is_some()
    }

    /// Class of the road.
    pub fn class(&self, edge: EdgeId) -> Class {
        self.edge(edge).class()
    }

    /// Name of the road, or its number (`ref`); empty where it has neither.
    pub fn name(&self, edge: EdgeId) -> &str {
        let at = self.way(self.edge(edge).way).1 as usize;
        let extent = self.layout.extent(Section::Names);
        let names = self.bytes.as_slice().get(extent.start..extent.start + extent.count);
        let names = names.and_then(|names| names.get(at..)).unwrap_or_default();
        let Some((length, rest)) = names.split_first_chunk() else { return "" };
        let name = rest.get(..usize::from(u16::from_le_bytes(*length)));
        name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("")
    }

    /// Where a node lies.
    pub fn position(&self, node: NodeId) -> Position {
        let (lng, lat) = self.node_e7(node.0);
        Position::from_e7(lng, lat)
    }

    /// Where a vehicle in `state` is after it goes on to `to`; `None` where a restriction
    /// forbids that. A state below the number of edges is the edge itself; one above is an edge
    /// with so much of its past as a restriction over several roads needs.
    pub(crate) fn turn(&self, state: u32, to: EdgeId, profile: Profile) -> Option<u32> {
        self.turn_from(&self.edge(self.edge_in(state)), state, to, profile)
    }

    /// [`Road::turn`] with the record of the state's edge at hand.
    pub(crate) fn turn_from(
        &self,
        from: &EdgeRecord,
        state: u32,
        to: EdgeId,
        profile: Profile,
    ) -> Option<u32> {
        // A state with a past ends on an edge whose own turns may well be free.
        if from.flags & FLAG_TURNS == 0 && (state as usize) < self.edges() {
            return Some(to.0);
        }
        let (mut low, mut high) = (0, self.count(Section::Turns));
        while low < high {
            let middle = usize::midpoint(low, high);
            let turn = self.record::<16>(Section::Turns, middle);
            match (u32_at(&turn, 0), u32_at(&turn, 4)).cmp(&(state, to.0)) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    let banned = Access::from_bits(u32_at(&turn, 12) as u8);
                    let next = u32_at(&turn, 8);
                    // In a damaged map it may be no state, or one of another edge.
                    let is_there = (next as usize) < self.states() && self.edge_in(next) == to;
                    return (is_there && !banned.has(profile)).then_some(next);
                }
            }
        }
        Some(to.0)
    }

    /// States a search can be in: the edges, and beyond them edges with a past.
    pub(crate) fn states(&self) -> usize {
        self.edges() + self.count(Section::States)
    }

    /// The edge a state is on.
    pub(crate) fn edge_in(&self, state: u32) -> EdgeId {
        match (state as usize).checked_sub(self.edges()) {
            None => EdgeId(state),
            Some(past) => EdgeId(self.word(Section::States, past)),
        }
    }

    /// Edges of motor vehicles in the order a router contracts them; unchecked, from the file.
    pub(crate) fn order(&self) -> impl Iterator<Item = u32> {
        let extent = self.layout.extent(Section::Order);
        let bytes = self.bytes.as_slice().get(extent.start..extent.start + extent.count);
        let mut bytes = bytes.unwrap_or_default();
        std::iter::from_fn(move || geometry::take(&mut bytes))
    }

    /// That order found anew, as the import does: for measuring what it costs.
    pub fn find_order(&self) -> Vec<EdgeId> {
        let nodes: Vec<(i32, i32)> = (0..self.nodes() as u32).map(|n| self.node_e7(n)).collect();
        let edges = (0..self.edges() as u32).map(|number| (number, self.edge(EdgeId(number))));
        let edges: Vec<(u32, u32, u32)> = edges
            .filter(|(_, edge)| edge.access().meets(Access::MOTOR))
            .map(|(number, edge)| (number, edge.tail, edge.head))
            .collect();
        let order = order::order(&order::Network { nodes: &nodes, edges: &edges });
        order.into_iter().map(EdgeId).collect()
    }

    /// What the router makes of this map once and all who hold it share: made by the first
    /// call, while others wait. Of one type only; `None` for another.
    pub(crate) fn derived<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.derived.get_or_init(|| Box::new(make())).downcast_ref()
    }

    pub(crate) fn edge(&self, edge: EdgeId) -> EdgeRecord {
        EdgeRecord::read(&self.record::<EDGE>(Section::Edges, edge.0 as usize))
    }

    /// Numbers of the edges that leave a node.
    pub(crate) fn out_edges(&self, node: u32) -> std::ops::Range<u32> {
        span(&self.tables().outgoing, node)
    }

    pub(crate) fn node_e7(&self, node: u32) -> (i32, i32) {
        let bytes = self.record::<16>(Section::Nodes, node as usize);
        (i32_at(&bytes, 8), i32_at(&bytes, 12))
    }

    fn osm_node(&self, node: u32) -> i64 {
        u64_at(&self.record::<16>(Section::Nodes, node as usize), 0) as i64
    }

    /// OSM id of a way and the offset of its name.
    fn way(&self, way: u32) -> (i64, u32) {
        let bytes = self.record::<12>(Section::Ways, way as usize);
        (u64_at(&bytes, 0) as i64, u32_at(&bytes, 8))
    }

    fn tables(&self) -> &Tables {
        self.found.tables.get_or_init(|| Tables::new(self))
    }

    /// How many streets between two junctions there are.
    fn streets(&self) -> usize {
        self.count(Section::Streets).saturating_sub(1)
    }

    /// The edges along and against a street.
    fn either(&self, street: u32) -> [EdgeId; 2] {
        self.tables().streets.get(street as usize).copied().unwrap_or([NO_EDGE; 2])
    }

    fn word(&self, section: Section, index: usize) -> u32 {
        u32_at(&self.record::<4>(section, index), 0)
    }

    fn count(&self, section: Section) -> usize {
        self.layout.extent(section).count
    }

    /// A record of a section; zeros where there is none of that number.
    fn record<const N: usize>(&self, section: Section, index: usize) -> [u8; N] {
        debug_assert_eq!(N, section.record(), "{section:?}");
        let extent = self.layout.extent(section);
        if index >= extent.count {
            return [0; N];
        }
        let bytes = self.bytes.as_slice().get(extent.start + index * N..);
        bytes.and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
    }
}

/// The entries of a node in a table of first entries.
fn span(first: &[u32], node: u32) -> std::ops::Range<u32> {
    match first.get(node as usize..).unwrap_or_default() {
        [begin, end, ..] => *begin..*end,
        _ => 0..0,
    }
}

impl EdgeRecord {
    /// Seconds from tail to head at free flow, whether or not `profile` has access.
    pub(crate) fn seconds(&self, profile: Profile) -> f64 {
        self.length_m() / self.speed_mps(profile)
    }

    fn speed_mps(&self, profile: Profile) -> f64 {
        let van = self.car_cmps.clamp(1, class::VAN_MAX_CMPS);
        let van = f64::from(van) / 100.0;
        let class = self.class();
        match profile {
            Profile::Car => f64::from(self.car_cmps.max(1)) / 100.0,
            Profile::Van => van,
            _ if class == Class::Ferry => van,
            Profile::Truck => (van * class::TRUCK_FACTOR).min(class::TRUCK_MAX_MPS),
            Profile::Bike => class.bike_mps(),
            Profile::Foot => class.foot_mps(),
        }
    }
}

fn describe(error: LayoutError, path: &Path) -> RoadError {
    let path = path.to_owned();
    match error {
        LayoutError::Foreign => RoadError::Foreign { path, found: "" },
        LayoutError::Version(found) => RoadError::Version { path, found, expected: image::VERSION },
        LayoutError::Damaged(what) => RoadError::Damaged { path, what },
    }
}

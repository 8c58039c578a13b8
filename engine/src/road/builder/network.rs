//! Nodes, edges, streets and their index as they go into the file.

use crate::road::RoadError;
use crate::road::access::{Access, Profile};
use crate::road::geometry;
use crate::road::hilbert;
use crate::road::image::Section;
use crate::road::index::{self, Frame, PIECE_SEGMENTS, Piece};
use crate::road::order;
use crate::road::plane::distance_m;
use crate::road::record::{
    AGAINST, Corner, EDGE, EdgeRecord, FLAG_BRIDGE, FLAG_DESTINATION, FLAG_ROUNDABOUT, FLAG_TOLL,
    FLAG_TRUCK_DESTINATION, FLAG_TUNNEL, FLAG_TURNS, Summary,
};

use super::turns::Turns;
use super::{Attributes, Draft, Position, RoadBuilder};

/// The network in its final numbering.
pub(super) struct Network {
    /// OSM id and position of each node, in the order of their numbers.
    nodes: Vec<(i64, i32, i32)>,
    edges: Vec<EdgeRecord>,
    /// First byte of each street in `steps`.
    streets: Vec<u32>,
    /// The points of all streets as they go into the file, and the box around them.
    steps: Vec<u8>,
    frame: Frame,
    /// Of the street at hand.
    points: Vec<(i32, i32)>,
    pieces: Vec<Piece>,
    first_out: Vec<u32>,
    first_in: Vec<u32>,
    in_edges: Vec<u32>,
    by_osm: Vec<u32>,
    /// OSM id of each way number.
    ways: Vec<i64>,
}

/// The flags of an edge, without those about turns.
pub(super) fn flags(attributes: &Attributes<'_>) -> u16 {
    [
        (attributes.destination, FLAG_DESTINATION),
        (attributes.truck_destination, FLAG_TRUCK_DESTINATION),
        (attributes.roundabout, FLAG_ROUNDABOUT),
        (attributes.tunnel, FLAG_TUNNEL),
        (attributes.bridge, FLAG_BRIDGE),
        (attributes.toll, FLAG_TOLL),
    ]
    .into_iter()
    .fold(0, |flags, (set, flag)| if set { flags | flag } else { flags })
}

impl Network {
    /// Numbers everything. Takes nodes, drafts and shapes out of the builder.
    pub(super) fn new(builder: &mut RoadBuilder) -> Result<Self, RoadError> {
        let mut nodes = std::mem::take(&mut builder.nodes);
        let mut drafts = std::mem::take(&mut builder.drafts);
        let shapes = std::mem::take(&mut builder.shapes);
        drafts.retain(|draft| !(draft.along | draft.against).is_empty());
        nodes.sort_by_key(|node| node.0);
        nodes.dedup_by_key(|node| node.0);
        let ends = keep_used(&mut nodes, &drafts).map_err(|(way, node)| {
            let way = builder.ways[way as usize].0;
            RoadError::UnknownNode { way, node }
        })?;
        let (nodes, by_osm, numbers) = along_hilbert(&nodes);
        let mut network = Self {
            nodes,
            edges: Vec::with_capacity(drafts.len() * 2),
            streets: Vec::with_capacity(drafts.len() + 1),
            steps: Vec::with_capacity((shapes.len() + drafts.len()) * 4),
            frame: Frame::EMPTY,
            points: Vec::new(),
            pieces: Vec::with_capacity(drafts.len()),
            first_out: Vec::new(),
            first_in: Vec::new(),
            in_edges: Vec::new(),
            by_osm,
            ways: builder.ways.iter().map(|way| way.0).collect(),
        };
        let mut streets: Vec<(u32, u32, u32)> = ends
            .iter()
            .enumerate()
            .map(|(index, ends)| {
                (numbers[ends[0] as usize], numbers[ends[1] as usize], index as u32)
            })
            .collect();
        streets.sort_by_key(|&(tail, head, draft)| (tail.min(head), tail.max(head), draft));
        for &(tail, head, draft) in &streets {
            network.street(&drafts[draft as usize], [tail, head], &shapes);
        }
        network.number_edges();
        Ok(network)
    }

    fn street(&mut self, draft: &Draft, [tail, head]: [u32; 2], shapes: &[(i32, i32)]) {
        let street = self.streets.len() as u32;
        self.points.clear();
        let place = |node: &(i64, i32, i32)| (node.1, node.2);
        let inner = draft.first as usize..(draft.first + draft.inner) as usize;
        self.points.push(place(&self.nodes[tail as usize]));
        self.points.extend_from_slice(&shapes[inner]);
        self.points.push(place(&self.nodes[head as usize]));
        self.streets.push(self.steps.len() as u32);
        let length_mm = self.cut(street);
        let record = |from, to, against: u32, car: u16, access: Access| EdgeRecord {
            tail: from,
            head: to,
            length_mm,
            street: street | against,
            way: draft.way,
            car_cmps: car,
            class: draft.class as u8,
            access: access.bits(),
            flags: draft.flags,
        };
        if !draft.along.is_empty() {
            self.edges.push(record(tail, head, 0, draft.cmps[0], draft.along));
        }
        if !draft.against.is_empty() {
            self.edges.push(record(head, tail, AGAINST, draft.cmps[1], draft.against));
        }
    }

    /// Cuts a street into pieces for the index; its length in millimetres, rounded up so that
    /// no edge is shorter than the straight line.
    fn cut(&mut self, street: u32) -> u32 {
        let points = &self.points[..];
        let at = |(lng, lat): (i32, i32)| Position::from_e7(lng, lat);
        let mut walked = 0.0;
        let mut start = 0;
        while start + 1 < points.len() {
            let end = (start + PIECE_SEGMENTS).min(points.len() - 1);
            let mut frame = Frame::EMPTY;
            points[start..=end].iter().for_each(|&(lng, lat)| {
                frame.include(lng, lat);
                self.frame.include(lng, lat);
            });
            self.pieces.push(Piece {
                street,
                begin: points[start],
                at: self.steps.len() as u32,
                first: start == 0,
                start_mm: (walked * 1000.0) as u32,
                frame,
            });
            geometry::write(&points[start..=end], &mut self.steps);
            for pair in points[start..=end].windows(2) {
                walked += distance_m(at(pair[0]), at(pair[1]));
            }
            start = end;
        }
        ((walked * 1000.0).ceil() as u32).max(1)
    }

    /// Sorts edges by tail and fills what points at them.
    fn number_edges(&mut self) {
        self.edges.sort_by_key(|edge| (edge.tail, edge.head, edge.street));
        let (nodes, edges) = (self.nodes.len(), &self.edges);
        self.first_out = first_entries(nodes, edges.iter().map(|edge| edge.tail));
        self.first_in = first_entries(nodes, edges.iter().map(|edge| edge.head));
        self.in_edges = (0..edges.len() as u32).collect();
        self.in_edges.sort_by_key(|&edge| (edges[edge as usize].head, edge));
    }

    pub(super) fn edges(&self) -> usize {
        self.edges.len()
    }

    pub(super) fn bytes_of_points(&self) -> usize {
        self.steps.len()
    }

    pub(super) fn way(&self, edge: u32) -> i64 {
        self.ways[self.edges[edge as usize].way as usize]
    }

    /// Edges of a way, given all edges sorted by way.
    pub(super) fn by_way(&self) -> Vec<u32> {
        let mut edges: Vec<u32> = (0..self.edges.len() as u32).collect();
        edges.sort_by_key(|&edge| (self.way(edge), edge));
        edges
    }

    /// Edges that go on where `edge` ends.
    pub(super) fn onward(&self, edge: u32) -> std::ops::Range<u32> {
        self.leaving(self.edges[edge as usize].head)
    }

    pub(super) fn leaving(&self, node: u32) -> std::ops::Range<u32> {
        self.first_out[node as usize]..self.first_out[node as usize + 1]
    }

    pub(super) fn entering(&self, node: u32) -> &[u32] {
        let (start, end) = (self.first_in[node as usize], self.first_in[node as usize + 1]);
        &self.in_edges[start as usize..end as usize]
    }

    pub(super) fn node(&self, osm: i64) -> Option<u32> {
        let id = |&node: &u32| self.nodes[node as usize].0;
        self.by_osm.binary_search_by_key(&osm, id).ok().map(|index| self.by_osm[index])
    }

    /// Whether `to` is `from` driven back.
    pub(super) fn turns_back(&self, from: u32, to: u32) -> bool {
        self.edges[from as usize].street ^ self.edges[to as usize].street == AGAINST
    }

    /// Flags the edges whose turns stand in the table.
    pub(super) fn mark(&mut self, turns: &Turns) {
        for edge in turns.marked() {
            self.edges[edge as usize].flags |= FLAG_TURNS;
        }
    }

    /// The section with the order of contraction.
    pub(super) fn order(&self) -> Vec<u8> {
        let nodes: Vec<(i32, i32)> = self.nodes.iter().map(|node| (node.1, node.2)).collect();
        let motor = |edge: &EdgeRecord| edge.access().meets(Access::MOTOR);
        let edges = self.edges.iter().zip(0..).filter(|(edge, _)| motor(edge));
        let edges: Vec<(u32, u32, u32)> =
            edges.map(|(edge, number)| (number, edge.tail, edge.head)).collect();
        let mut out = Vec::with_capacity(edges.len() * 3);
        let order = order::order(&order::Network { nodes: &nodes, edges: &edges });
        for edge in order {
            geometry::varint(edge, &mut out);
        }
        out
    }

    pub(super) fn summary(&self) -> Summary {
        let [west, south, east, north] =
            if self.streets.is_empty() { [0; 4] } else { self.frame.0 };
        let mut summary = Summary {
            least: Corner { lng: west, lat: south },
            most: Corner { lng: east, lat: north },
            ..Summary::default()
        };
        for edge in &self.edges {
            for profile in Profile::ALL {
                let fastest = &mut summary.fastest_cmps[profile as usize];
                *fastest = (*fastest).max((edge.speed_mps(profile) * 100.0).ceil() as u16);
            }
        }
        summary
    }

    pub(super) fn sections(self, parts: &mut Vec<(Section, Vec<u8>)>) {
        let mut nodes = Vec::with_capacity(self.nodes.len() * 16);
        for &(osm, lng, lat) in &self.nodes {
            nodes.extend_from_slice(&osm.to_le_bytes());
            nodes.extend_from_slice(&lng.to_le_bytes());
            nodes.extend_from_slice(&lat.to_le_bytes());
        }
        let mut edges = Vec::with_capacity(self.edges.len() * EDGE);
        self.edges.iter().for_each(|edge| edge.write(&mut edges));
        let mut streets = self.streets;
        streets.push(self.steps.len() as u32);
        let (pieces, later) = index::write(self.pieces);
        parts.extend([
            (Section::Nodes, nodes),
            (Section::Edges, edges),
            (Section::Streets, words(&streets)),
            (Section::Points, self.steps),
            (Section::Pieces, pieces),
            (Section::Later, later),
        ]);
    }
}

/// Drops the nodes that no street ends at; the ends of each street as indices of those left.
/// The way and the node where a street ends at a node that is not there.
fn keep_used(
    nodes: &mut Vec<(i64, i32, i32)>,
    drafts: &[Draft],
) -> Result<Vec<[u32; 2]>, (u32, i64)> {
    let mut used = vec![false; nodes.len()];
    let mut ends = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let mut pair = [0; 2];
        for (end, node) in pair.iter_mut().zip([draft.from, draft.to]) {
            let index = nodes.binary_search_by_key(&node, |node| node.0);
            let index = index.map_err(|_absent| (draft.way, node))?;
            used[index] = true;
            *end = index as u32;
        }
        ends.push(pair);
    }
    let mut left = 0;
    let moved: Vec<u32> = used
        .iter()
        .map(|&used| {
            let number = left;
            left += u32::from(used);
            number
        })
        .collect();
    let mut index = 0;
    nodes.retain(|_| {
        index += 1;
        used[index - 1]
    });
    for end in ends.iter_mut().flatten() {
        *end = moved[*end as usize];
    }
    Ok(ends)
}

/// Nodes along the Hilbert curve, their numbers sorted by OSM id, and the new number of each
/// old one. `nodes` is sorted by OSM id.
type Numbered = (Vec<(i64, i32, i32)>, Vec<u32>, Vec<u32>);

fn along_hilbert(nodes: &[(i64, i32, i32)]) -> Numbered {
    let mut order: Vec<u32> = (0..nodes.len() as u32).collect();
    order.sort_by_cached_key(|&index| {
        let (osm, lng, lat) = nodes[index as usize];
        (hilbert::key(lng, lat), osm)
    });
    let mut numbers = vec![0; nodes.len()];
    for (number, &index) in order.iter().enumerate() {
        numbers[index as usize] = number as u32;
    }
    (order.iter().map(|&index| nodes[index as usize]).collect(), numbers.clone(), numbers)
}

/// For keys below `count`, in any order: how many entries lie before each key's.
fn first_entries(count: usize, keys: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut first = vec![0; count + 1];
    keys.for_each(|key| first[key as usize + 1] += 1);
    for index in 0..count {
        first[index + 1] += first[index];
    }
    first
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

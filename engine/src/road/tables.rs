//! What a map says in another order than it is stored in: found at first use, some milliseconds
//! for a city, instead of a fifth of the file.

use std::sync::OnceLock;

use super::index::{Frame, PIECE_SEGMENTS, levels};
use super::links::Link;
use super::record::AGAINST;
use super::{EdgeId, Road};

/// Nobody may go there.
pub(super) const NO_EDGE: EdgeId = EdgeId(u32::MAX);

/// What was found, each at its first use.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) tables: OnceLock<Tables>,
    /// Nodes sorted by their OpenStreetMap ids.
    pub(super) by_osm: OnceLock<Vec<u32>>,
    /// Boxes over the pieces of streets, leaves first, level after level.
    pub(super) boxes: OnceLock<Vec<Frame>>,
    /// Per street: the directions at its two ends, away from them.
    pub(super) directions: OnceLock<Vec<[[f32; 2]; 2]>>,
    /// Per edge: what a search needs of it.
    pub(super) links: OnceLock<Vec<Link>>,
}

/// Which edges there are where.
#[derive(Debug)]
pub(super) struct Tables {
    /// Per node and one more: its first outgoing edge; edges lie sorted by tail.
    pub(super) outgoing: Vec<u32>,
    /// Per node and one more: its first entry in `in_edges`.
    pub(super) incoming: Vec<u32>,
    /// Edges sorted by head.
    pub(super) in_edges: Vec<u32>,
    /// Per street: the edges along and against it.
    pub(super) streets: Vec<[EdgeId; 2]>,
}

impl Tables {
    /// A damaged map gives wrong tables whose numbers are all of this map.
    pub(super) fn new(road: &Road) -> Self {
        let (nodes, edges) = (road.nodes(), road.edges() as u32);
        let ends: Vec<(u32, u32)> = (0..edges)
            .map(|edge| {
                let record = road.edge(EdgeId(edge));
                (record.tail, record.head)
            })
            .collect();
        let mut streets = vec![[NO_EDGE; 2]; road.streets()];
        for edge in 0..edges {
            let street = road.edge(EdgeId(edge)).street;
            if let Some(either) = streets.get_mut((street & !AGAINST) as usize) {
                either[usize::from(street & AGAINST != 0)] = EdgeId(edge);
            }
        }
        let incoming = first_entries(nodes, ends.iter().map(|ends| ends.1));
        let mut fill = incoming.clone();
        let mut in_edges = vec![0; edges as usize];
        for (&(_, head), edge) in ends.iter().zip(0..) {
            if (head as usize) < nodes {
                in_edges[fill[head as usize] as usize] = edge;
                fill[head as usize] += 1;
            }
        }
        let outgoing = first_entries(nodes, ends.iter().map(|ends| ends.0));
        Self { outgoing, incoming, in_edges, streets }
    }
}

/// For keys below `count`, in any order: how many entries lie before each key's. Others are
/// passed over.
fn first_entries(count: usize, keys: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut first = vec![0; count + 1];
    for key in keys.filter(|&key| (key as usize) < count) {
        first[key as usize + 1] += 1;
    }
    for index in 0..count {
        first[index + 1] += first[index];
    }
    first
}

/// As [`Found::by_osm`].
pub(super) fn by_osm(road: &Road) -> Vec<u32> {
    let mut nodes: Vec<u32> = (0..road.nodes() as u32).collect();
    nodes.sort_by_cached_key(|&node| road.osm_node(node));
    nodes
}

/// As [`Found::boxes`].
pub(super) fn boxes(road: &Road) -> Vec<Frame> {
    let pieces = 0..road.pieces();
    let leaf = |piece| {
        let mut frame = Frame::EMPTY;
        let points = road.piece(piece).2.take(PIECE_SEGMENTS + 1);
        points.for_each(|(lng, lat)| frame.include(lng, lat));
        frame
    };
    levels(pieces.map(leaf).collect())
}

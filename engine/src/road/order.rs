//! The order in which a router contracts the edges of a map: nested dissection.
//!
//! The network is cut in two by as few edges as will do, each half again, down to single nodes;
//! the edges of a cut come after all those inside the halves. In the graph of edges and turns
//! the edges of a cut are a separator, so this is a good order there, found on a graph a third
//! the size (Buchhold, Wagner, Zeitz & Zündorf 2020, §4). Cuts are by inertial flow (Schild &
//! Sommer 2015): the nodes farthest out in a direction on either side are held apart by a
//! least cut, and of several directions the one with the sparsest cut counts.
//!
//! Within a cut the edges of one direction come before those of the other: neither direction
//! leads to itself without the other, so contracting the first joins only the second.
//!
//! Made at import, because it takes longer than everything else that a router needs; the file
//! holds four bytes an edge for it. Only edges of motor vehicles are ordered, since foot and
//! cycle paths would make every cut of theirs larger; other profiles do without.

mod flow;
mod reduce;

use ingest::units::Position;

use flow::{Flow, Piece};
use reduce::Reduced;

/// Directions along which a piece is cut: north, east, and between them. Eight instead of four
/// take twice as long and save 2 % of the triangles.
const DIRECTIONS: [(i64, i64); 4] = [(1, 0), (0, 1), (1, 1), (1, -1)];
/// Each end holds one node in so many, and so does each side of a cut at least.
const END_ONE_IN: usize = 4;

/// A network of directed edges.
#[derive(Debug)]
pub(super) struct Network<'a> {
    /// Where each node lies, 1e-7 degrees.
    pub(super) nodes: &'a [(i32, i32)],
    /// Edges to be ordered: number, tail, head.
    pub(super) edges: &'a [(u32, u32, u32)],
}

/// The numbers of all edges of the network, the first to be contracted first.
pub(super) fn order(network: &Network<'_>) -> Vec<u32> {
    let mut dissection = Dissection::new(network);
    // From the whole network down, so the order comes out backwards.
    let whole = dissection.whole();
    // A map may well hold footpaths only.
    let mut open = if whole.nodes() == 0 { Vec::new() } else { vec![whole] };
    while let Some(piece) = open.pop() {
        let (parts, count) = components(&piece);
        if piece.nodes() == 1 {
            dissection.leave(piece.ids[0]);
        } else if count > 1 {
            open.extend(divide(&piece, &parts, count));
        } else {
            let parts = dissection.cut(&piece);
            open.extend(divide(&piece, &parts, 2));
        }
    }
    dissection.order.reverse();
    dissection.order
}

/// A dissection under way.
struct Dissection<'a> {
    network: &'a Network<'a>,
    /// Per node and one more: its first entry in `leaving`, edges by their tail.
    first: Vec<u32>,
    leaving: Vec<u32>,
    reduced: Reduced,
    /// Part of each node in the cut at hand, from 1; 0 for nodes outside.
    parts: Vec<u32>,
    cutter: Cutter,
    /// Edges, last to be contracted first.
    order: Vec<u32>,
}

impl<'a> Dissection<'a> {
    fn new(network: &'a Network<'a>) -> Self {
        let (nodes, edges) = (network.nodes.len(), network.edges);
        let mut first = vec![0; nodes + 1];
        for edge in edges {
            first[edge.1 as usize + 1] += 1;
        }
        (0..nodes).for_each(|node| first[node + 1] += first[node]);
        let mut leaving: Vec<u32> = (0..edges.len() as u32).collect();
        leaving.sort_by_key(|&index| (edges[index as usize].1, index));
        let pairs = edges.iter().map(|edge| (edge.1, edge.2)).filter(|(tail, head)| tail != head);
        Self {
            network,
            first,
            leaving,
            reduced: Reduced::new(nodes, pairs),
            parts: vec![0; nodes],
            cutter: Cutter::default(),
            order: Vec::with_capacity(edges.len()),
        }
    }

    /// Every junction that is left.
    fn whole(&self) -> Piece {
        let mut used = vec![false; self.network.nodes.len()];
        for &(_, tail, head) in self.network.edges {
            (used[tail as usize], used[head as usize]) = (true, true);
        }
        let mut piece = self.reduced.piece(|node| used[node as usize]);
        piece.at = flat(piece.ids.iter().map(|&node| self.network.nodes[node as usize]));
        piece
    }

    /// The edges that are left when a node is alone: its loops and all that hangs on it.
    fn leave(&mut self, node: u32) {
        self.between(node, node);
        let first = self.reduced.closing.partition_point(|closing| closing.0 < node);
        for at in first..self.reduced.closing.len() {
            let (of, from, to) = self.reduced.closing[at];
            if of != node {
                break;
            }
            self.between(from, to);
            self.between(to, from);
        }
        let mut open = vec![node];
        while let Some(on) = open.pop() {
            for hung in std::mem::take(&mut self.reduced.hung[on as usize]) {
                self.between(on, hung);
                self.between(hung, on);
                self.between(hung, hung);
                open.push(hung);
            }
        }
    }

    /// Orders the edges from one node to another.
    fn between(&mut self, tail: u32, head: u32) {
        let range = self.first[tail as usize] as usize..self.first[tail as usize + 1] as usize;
        let edges = self.leaving[range].iter().map(|&index| self.network.edges[index as usize]);
        self.order.extend(edges.filter(|edge| edge.2 == head).map(|edge| edge.0));
    }

    /// Cuts a piece in two and orders the edges of the cut, those of one direction first; the
    /// part of each node.
    fn cut(&mut self, piece: &Piece) -> Vec<u32> {
        self.cutter.bisect(piece);
        let parts: Vec<u32> = self.cutter.best.iter().map(|&side| u32::from(side)).collect();
        let nodes = || piece.ids.iter().zip(&parts);
        nodes().for_each(|(&node, &part)| self.parts[node as usize] = part + 1);
        let mut across: Vec<(u32, u32)> = Vec::new();
        for (&node, &part) in nodes() {
            let first = self.reduced.chains.partition_point(|chain| chain.ends.0 < node);
            let chains = self.reduced.chains[first..].iter().zip(first..);
            for (chain, at) in chains.take_while(|(chain, _)| chain.ends.0 == node) {
                let there = self.parts[chain.ends.1 as usize];
                if there != 0 && there != part + 1 {
                    across.push((part, at as u32));
                }
            }
        }
        nodes().for_each(|(&node, _)| self.parts[node as usize] = 0);
        for direction in [0, 1] {
            for &(part, chain) in &across {
                let chain = &self.reduced.chains[chain as usize];
                let ends = (chain.node(chain.cut_at), chain.node(chain.cut_at + 1));
                let (tail, head) = if part == direction { ends } else { (ends.1, ends.0) };
                self.between(tail, head);
            }
        }
        for (_, chain) in across {
            self.hang(chain as usize);
        }
        parts
    }

    /// Hangs what is left of a chain that was cut on its ends.
    fn hang(&mut self, chain: usize) {
        let Reduced { chains, hung, .. } = &mut self.reduced;
        let chain = &chains[chain];
        for place in 0..chain.cut_at {
            hung[chain.node(place) as usize].push(chain.node(place + 1));
        }
        for place in chain.cut_at + 1..=chain.inner.len() {
            hung[chain.node(place + 1) as usize].push(chain.node(place));
        }
    }
}

/// Positions in units that are as long east as north.
fn flat(at: impl Iterator<Item = (i32, i32)> + Clone) -> Vec<(i32, i32)> {
    let (count, sum) =
        at.clone().fold((0_i64, 0), |(n, sum), (_, lat)| (n + 1, sum + i64::from(lat)));
    let middle = Position::from_e7(0, (sum / count.max(1)) as i32);
    let east = libm::cos(middle.lat.to_radians());
    at.map(|(lng, lat)| ((f64::from(lng) * east) as i32, lat)).collect()
}

/// The connected part of each node, and how many there are.
fn components(piece: &Piece) -> (Vec<u32>, usize) {
    let mut part = vec![u32::MAX; piece.nodes()];
    let (mut count, mut open) = (0, Vec::new());
    for start in 0..piece.nodes() as u32 {
        if part[start as usize] != u32::MAX {
            continue;
        }
        part[start as usize] = count;
        open.push(start);
        while let Some(node) = open.pop() {
            for link in piece.links(node) {
                let to = piece.to[link];
                if part[to as usize] == u32::MAX {
                    part[to as usize] = count;
                    open.push(to);
                }
            }
        }
        count += 1;
    }
    (part, count as usize)
}

/// The parts of a piece, with the links inside each.
fn divide(piece: &Piece, part: &[u32], count: usize) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    pieces.resize_with(count, Piece::default);
    let mut numbers = vec![0; piece.nodes()];
    for node in 0..piece.nodes() {
        let own = &mut pieces[part[node] as usize];
        numbers[node] = own.ids.len() as u32;
        own.ids.push(piece.ids[node]);
        own.at.push(piece.at[node]);
    }
    let mut moved = vec![0; piece.to.len()];
    for node in 0..piece.nodes() as u32 {
        let own = &mut pieces[part[node as usize] as usize];
        own.first.push(own.to.len() as u32);
        for link in piece.links(node) {
            let to = piece.to[link];
            if part[to as usize] == part[node as usize] {
                moved[link] = own.to.len() as u32;
                own.to.push(numbers[to as usize]);
                own.weight.push(piece.weight[link]);
                own.twin.push(piece.twin[link]);
            }
        }
    }
    for own in &mut pieces {
        own.first.push(own.to.len() as u32);
        own.twin.iter_mut().for_each(|twin| *twin = moved[*twin as usize]);
    }
    pieces
}

/// Finds cuts. Reuses its memory.
#[derive(Debug, Default)]
struct Cutter {
    flow: Flow,
    along: Vec<(i64, u32)>,
    ends: Vec<u32>,
    side: Vec<bool>,
    /// The best cut so far: whether each node is on the first side.
    best: Vec<bool>,
}

impl Cutter {
    /// Leaves the sparsest cut in `best`: least weight by nodes of the smaller side.
    fn bisect(&mut self, piece: &Piece) {
        let nodes = piece.nodes();
        let end = (nodes / END_ONE_IN).max(1);
        let mut best: Option<(u64, u64)> = None;
        for &(east, north) in &DIRECTIONS[..if nodes == 2 { 1 } else { DIRECTIONS.len() }] {
            self.along.clear();
            let key = |&(x, y): &(i32, i32)| i64::from(x) * east + i64::from(y) * north;
            self.along.extend(piece.at.iter().map(key).zip(0..));
            self.along.select_nth_unstable(end);
            self.along[end..].select_nth_unstable(nodes - 2 * end);
            self.ends.clear();
            self.ends.extend(self.along[..end].iter().map(|&(_, node)| node));
            self.ends.extend(self.along[nodes - end..].iter().map(|&(_, node)| node));
            let ends = self.ends.split_at(end);
            // A cut that halves the piece would have to be lighter than this.
            let most = best.map_or(u64::MAX, |(cut, small)| cut * (nodes as u64 / 2) / small);
            let most = most.min(u64::from(u32::MAX)) as u32;
            let Some(cut) = self.flow.cut(piece, ends, most, &mut self.side) else { continue };
            let near = self.side.iter().filter(|&&near| near).count();
            let found = (u64::from(cut), near.min(nodes - near) as u64);
            if best.is_none_or(|best| found.0 * best.1 < best.0 * found.1) {
                best = Some(found);
                std::mem::swap(&mut self.best, &mut self.side);
            }
        }
    }
}

//! What need not be dissected: dead ends, and the nodes along a street without junctions.
//!
//! Whatever the cuts, an edge towards a dead end is contracted before what it hangs on, and of
//! the edges between two junctions one is in a cut and the others hang on either side of it.
//! Without them the order of Porto takes 1.3 s instead of 2.3, and has 6 % fewer triangles.

use super::flow::Piece;

/// Links between the same two nodes of what is left, each of them one link or several in a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chain {
    /// The two nodes, the lower first.
    pub(super) ends: (u32, u32),
    /// Nodes between them, from the lower end on.
    pub(super) inner: Vec<u32>,
    /// The link to cut: between the node of this place in the row and the next.
    pub(super) cut_at: usize,
    weight: u16,
}

impl Chain {
    /// The node of a place in the row, the ends included.
    pub(super) fn node(&self, place: usize) -> u32 {
        match place {
            0 => self.ends.0,
            _ => self.inner.get(place - 1).copied().unwrap_or(self.ends.1),
        }
    }
}

/// A network without its dead ends and rows.
#[derive(Debug, Default)]
pub(super) struct Reduced {
    /// Sorted by ends.
    pub(super) chains: Vec<Chain>,
    /// By node: what hangs on it.
    pub(super) hung: Vec<Vec<u32>>,
    /// Links that close a loop at a node: the node, and the ends of the link. Sorted.
    pub(super) closing: Vec<(u32, u32, u32)>,
    /// Whether a node is left.
    pub(super) left: Vec<bool>,
}

/// Neighbours of each node and the weight of the link, without direction: first entries, then
/// the neighbours, ascending.
struct Links {
    first: Vec<u32>,
    ends: Vec<(u32, u16)>,
}

impl Links {
    /// From pairs of different nodes; equal pairs are one link of their number's weight.
    fn new(nodes: usize, pairs: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut both: Vec<(u32, u32)> = pairs.flat_map(|(a, b)| [(a, b), (b, a)]).collect();
        both.sort_unstable();
        let mut links = Self { first: vec![0; nodes + 1], ends: Vec::with_capacity(both.len()) };
        for same in both.chunk_by(|a, b| a == b) {
            links.first[same[0].0 as usize + 1] += 1;
            links.ends.push((same[0].1, same.len().min(1 << 12) as u16));
        }
        (0..nodes).for_each(|node| links.first[node + 1] += links.first[node]);
        links
    }

    fn of(&self, node: u32) -> &[(u32, u16)] {
        let (from, to) = (self.first[node as usize], self.first[node as usize + 1]);
        &self.ends[from as usize..to as usize]
    }
}

impl Reduced {
    pub(super) fn new(nodes: usize, pairs: impl Iterator<Item = (u32, u32)>) -> Self {
        let links = Links::new(nodes, pairs);
        let mut reduced =
            Self { hung: vec![Vec::new(); nodes], left: vec![true; nodes], ..Self::default() };
        let degree = reduced.hang_dead_ends(&links, nodes);
        reduced.join_rows(&links, &degree);
        reduced.chains.sort_unstable();
        reduced.closing.sort_unstable();
        reduced
    }

    /// Hangs nodes with one link on the node at its other end, until there are none; how many
    /// links each node has left.
    fn hang_dead_ends(&mut self, links: &Links, nodes: usize) -> Vec<u32> {
        let mut degree: Vec<u32> =
            (0..nodes as u32).map(|node| links.of(node).len() as u32).collect();
        let mut open: Vec<u32> = (0..nodes as u32).filter(|&n| degree[n as usize] == 1).collect();
        while let Some(node) = open.pop() {
            let rest = links.of(node).iter().find(|(end, _)| self.left[*end as usize]);
            let (Some(&(end, _)), 1) = (rest, degree[node as usize]) else { continue };
            self.left[node as usize] = false;
            self.hung[end as usize].push(node);
            degree[node as usize] = 0;
            degree[end as usize] -= 1;
            if degree[end as usize] == 1 {
                open.push(end);
            }
        }
        degree
    }

    /// Walks every row of nodes with two links from the junction at its end.
    fn join_rows(&mut self, links: &Links, degree: &[u32]) {
        let nodes = 0..degree.len() as u32;
        let mut stays: Vec<bool> = degree.iter().map(|&degree| degree != 2).collect();
        for start in nodes.clone() {
            if self.left[start as usize] && stays[start as usize] {
                self.walk_all(links, &stays, start);
            }
        }
        // A ring without a junction keeps its first node.
        for start in nodes {
            if self.left[start as usize] && !stays[start as usize] {
                stays[start as usize] = true;
                self.walk_all(links, &stays, start);
            }
        }
    }

    fn walk_all(&mut self, links: &Links, stays: &[bool], start: u32) {
        for &(next, weight) in links.of(start) {
            if !self.left[next as usize] {
                continue;
            }
            let (mut inner, mut weights) = (Vec::new(), vec![weight]);
            let (mut before, mut node) = (start, next);
            while !stays[node as usize] {
                inner.push(node);
                let onward = links
                    .of(node)
                    .iter()
                    .find(|(end, _)| *end != before && (self.left[*end as usize] || *end == start));
                let Some(&(end, weight)) = onward else { break };
                weights.push(weight);
                (before, node) = (node, end);
            }
            if node == start {
                self.close(start, inner);
            } else if start < node || !inner.is_empty() {
                self.keep(Chain::new((start, node), inner, &weights));
            }
        }
    }

    /// A row that comes back to where it began hangs on that node.
    fn close(&mut self, start: u32, inner: Vec<u32>) {
        let Some(&last) = inner.last() else { return };
        self.closing.push((start, last, start));
        let mut on = start;
        for node in inner {
            self.left[node as usize] = false;
            self.hung[on as usize].push(node);
            on = node;
        }
    }

    fn keep(&mut self, chain: Chain) {
        chain.inner.iter().for_each(|&node| self.left[node as usize] = false);
        self.chains.push(chain);
    }

    /// What is left as a piece; chains between the same nodes are one link.
    pub(super) fn piece(&self, used: impl Fn(u32) -> bool) -> Piece {
        let mut piece = Piece::default();
        let mut numbers = vec![0; self.left.len()];
        for node in (0..self.left.len() as u32).filter(|&n| self.left[n as usize] && used(n)) {
            numbers[node as usize] = piece.ids.len() as u32;
            piece.ids.push(node);
        }
        let number = |node: u32| numbers[node as usize];
        let mut links: Vec<(u32, u32, u16)> = Vec::with_capacity(self.chains.len() * 2);
        for same in self.chains.chunk_by(|a, b| a.ends == b.ends) {
            let (a, b) = (number(same[0].ends.0), number(same[0].ends.1));
            let weight = same.iter().map(|chain| u32::from(chain.weight)).sum::<u32>();
            let weight = weight.min(1 << 14) as u16;
            links.extend([(a, b, weight), (b, a, weight)]);
        }
        links.sort_unstable();
        piece.first = vec![0; piece.nodes() + 1];
        for &(from, to, weight) in &links {
            piece.first[from as usize + 1] += 1;
            piece.to.push(to);
            piece.weight.push(weight);
        }
        (0..piece.nodes()).for_each(|node| piece.first[node + 1] += piece.first[node]);
        let twin = |&(from, to, weight): &(u32, u32, u16)| {
            links.binary_search(&(to, from, weight)).unwrap_or_default() as u32
        };
        piece.twin = links.iter().map(twin).collect();
        piece
    }
}

impl Chain {
    /// From one end to the other; cut where that costs least, near the middle.
    fn new((start, end): (u32, u32), mut inner: Vec<u32>, weights: &[u16]) -> Self {
        let middle = weights.len() / 2;
        let least = (0..weights.len()).min_by_key(|&at| (weights[at], at.abs_diff(middle)));
        let mut cut_at = least.unwrap_or_default();
        let weight = weights[cut_at];
        if start > end {
            inner.reverse();
            cut_at = weights.len() - 1 - cut_at;
        }
        Self { ends: (start.min(end), start.max(end)), inner, cut_at, weight }
    }
}

//! Least cuts between two ends of a piece of the network, by Dinic's blocking flows (1970).

/// An undirected piece of the network with its nodes renumbered from 0.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// Number in the whole network of each node.
    pub(super) ids: Vec<u32>,
    /// Where each node lies, in units equal in both directions.
    pub(super) at: Vec<(i32, i32)>,
    /// Per node and one more: its first link.
    pub(super) first: Vec<u32>,
    /// The other end of each link.
    pub(super) to: Vec<u32>,
    /// The same link seen from its other end.
    pub(super) twin: Vec<u32>,
    /// What cutting the link costs.
    pub(super) weight: Vec<u16>,
}

impl Piece {
    pub(super) fn nodes(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn links(&self, node: u32) -> std::ops::Range<usize> {
        self.first[node as usize] as usize..self.first[node as usize + 1] as usize
    }
}

/// Not reached by the present search.
const UNREACHED: u32 = u32::MAX;
/// Roles of nodes.
const FREE: u8 = 0;
const SOURCE: u8 = 1;
const SINK: u8 = 2;

/// Reusable memory of the flow.
#[derive(Debug, Default)]
pub(super) struct Flow {
    role: Vec<u8>,
    level: Vec<u32>,
    cursor: Vec<u32>,
    residual: Vec<u16>,
    queue: Vec<u32>,
    trail: Vec<u32>,
}

impl Flow {
    /// The least weight of links that part `sources` from `sinks`, unless it is above `most`;
    /// `side` becomes whether each node is on the sources' side, of the two extreme cuts the one
    /// that is nearer to halves.
    pub(super) fn cut(
        &mut self,
        piece: &Piece,
        (sources, sinks): (&[u32], &[u32]),
        most: u32,
        side: &mut Vec<bool>,
    ) -> Option<u32> {
        self.role.clear();
        self.role.resize(piece.nodes(), FREE);
        for (ends, role) in [(sources, SOURCE), (sinks, SINK)] {
            for &node in ends {
                self.role[node as usize] = role;
            }
        }
        self.residual.clear();
        self.residual.extend_from_slice(&piece.weight);
        let (shore, far_shore) = (self.shore(piece, sources), self.shore(piece, sinks));
        let mut flow = 0;
        while self.layers(piece, &shore) {
            self.cursor.clear();
            self.cursor.extend_from_slice(&piece.first[..piece.nodes()]);
            for &source in &shore {
                flow += self.push_from(piece, source, most - flow.min(most));
                if flow > most {
                    return None;
                }
            }
        }
        let reached = |flow: &Self, node: usize, role| {
            flow.level[node] != UNREACHED || flow.role[node] == role
        };
        side.clear();
        side.extend((0..piece.nodes()).map(|node| reached(self, node, SOURCE)));
        let near = side.iter().filter(|&&near| near).count();
        self.layers_back(piece, &far_shore);
        let far = (0..piece.nodes()).filter(|&node| !reached(self, node, SINK)).count();
        let middle = piece.nodes() / 2;
        if far.abs_diff(middle) < near.abs_diff(middle) {
            side.clear();
            side.extend((0..piece.nodes()).map(|node| !reached(self, node, SINK)));
        }
        Some(flow)
    }

    /// The nodes of one end that have links to others.
    fn shore(&self, piece: &Piece, end: &[u32]) -> Vec<u32> {
        let inner = |node: u32| {
            let own = self.role[node as usize];
            piece.links(node).all(|link| self.role[piece.to[link] as usize] == own)
        };
        end.iter().copied().filter(|&node| !inner(node)).collect()
    }

    /// Levels by steps from the sources over links that are not full; whether a sink is reached.
    fn layers(&mut self, piece: &Piece, shore: &[u32]) -> bool {
        self.begin(piece, shore);
        let (mut at, mut last) = (0, UNREACHED);
        while at < self.queue.len() {
            let node = self.queue[at];
            at += 1;
            let level = self.level[node as usize];
            if level >= last {
                break;
            }
            for link in piece.links(node) {
                let to = piece.to[link] as usize;
                let open = self.level[to] == UNREACHED && self.role[to] != SOURCE;
                if self.residual[link] > 0 && open {
                    self.level[to] = level + 1;
                    self.queue.push(to as u32);
                    if self.role[to] == SINK {
                        last = level + 1;
                    }
                }
            }
        }
        last != UNREACHED
    }

    /// The same from the sinks against the links.
    fn layers_back(&mut self, piece: &Piece, shore: &[u32]) {
        self.begin(piece, shore);
        let mut at = 0;
        while at < self.queue.len() {
            let node = self.queue[at];
            at += 1;
            for link in piece.links(node) {
                let to = piece.to[link] as usize;
                let open = self.level[to] == UNREACHED && self.role[to] != SINK;
                if self.residual[piece.twin[link] as usize] > 0 && open {
                    self.level[to] = 0;
                    self.queue.push(to as u32);
                }
            }
        }
    }

    fn begin(&mut self, piece: &Piece, from: &[u32]) {
        self.level.clear();
        self.level.resize(piece.nodes(), UNREACHED);
        self.queue.clear();
        self.queue.extend_from_slice(from);
        for &node in from {
            self.level[node as usize] = 0;
        }
    }

    /// Sends what the levels let through from one source; stops above `most`.
    fn push_from(&mut self, piece: &Piece, source: u32, most: u32) -> u32 {
        let (mut node, mut sent) = (source, 0);
        self.trail.clear();
        loop {
            if self.role[node as usize] == SINK {
                sent += self.send();
                self.take_back(piece);
                self.trail.clear();
                node = source;
                if sent > most {
                    return sent;
                }
            }
            let level = self.level[node as usize];
            let end = piece.first[node as usize + 1];
            let onward = (self.cursor[node as usize]..end).find(|&link| {
                let to = piece.to[link as usize] as usize;
                self.residual[link as usize] > 0 && self.level[to] == level + 1
            });
            self.cursor[node as usize] = onward.unwrap_or(end);
            if let Some(link) = onward {
                self.trail.push(link);
                node = piece.to[link as usize];
            } else if let Some(link) = self.trail.pop() {
                node = piece.to[piece.twin[link as usize] as usize];
                self.cursor[node as usize] += 1;
            } else {
                return sent;
            }
        }
    }

    /// Fills the links of the trail as far as its narrowest allows.
    fn send(&mut self) -> u32 {
        let narrowest = self.trail.iter().map(|&link| self.residual[link as usize]).min();
        let amount = narrowest.unwrap_or(0);
        self.trail.iter().for_each(|&link| self.residual[link as usize] -= amount);
        u32::from(amount)
    }

    /// What was sent along the trail may be sent back.
    fn take_back(&mut self, piece: &Piece) {
        // The amount shows as what is missing from a link and its twin together.
        for &link in &self.trail {
            let twin = piece.twin[link as usize] as usize;
            let whole = 2 * piece.weight[twin];
            self.residual[twin] = whole - self.residual[link as usize];
        }
    }
}

//! Roads, cut at their junctions into the streets of the map.

use std::collections::BTreeSet;

use ingest::units::Position;

use crate::road::builder::{Attributes, RoadBuilder};
use crate::road::plane::distance_m;

use super::nodes::Nodes;
use super::tags::{Tags, Traffic};

/// A way that somebody travels on.
struct RoadWay {
    id: i64,
    first: usize,
    count: usize,
    traffic: Traffic,
    name: Box<str>,
}

/// Every road of a file, by the node ids of its ways.
#[derive(Default)]
pub(super) struct Roads {
    refs: Vec<i64>,
    ways: Vec<RoadWay>,
}

/// A piece of a way between two junctions, as indices into the way's known nodes.
type Piece = (usize, usize);

impl Roads {
    /// Keeps a way if it is a road.
    pub(super) fn way(&mut self, id: i64, refs: &[i64], tags: &Tags<'_>) {
        let Some(traffic) = Traffic::of(tags) else { return };
        let name = tags.get("name").or_else(|| tags.get("ref")).unwrap_or("");
        let first = self.refs.len();
        for &node in refs {
            if self.refs.len() == first || self.refs.last() != Some(&node) {
                self.refs.push(node);
            }
        }
        let count = self.refs.len() - first;
        self.ways.push(RoadWay { id, first, count, traffic, name: name.into() });
    }

    pub(super) fn refs(&self) -> &[i64] {
        &self.refs
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    /// Gives all streets, their nodes and the barriers on them to the builder.
    pub(super) fn build(&self, nodes: &Nodes, builder: &mut RoadBuilder) {
        let mut junctions = self.junctions(nodes);
        let mut private = vec![false; nodes.len()];
        for barrier in &nodes.barriers {
            if let Some(index) = nodes.index(barrier.node) {
                junctions[index] = true;
                private[index] = barrier.destination;
                builder.barrier(barrier.node, barrier.blocks);
            }
        }
        let mut given = vec![false; nodes.len()];
        for way in &self.ways {
            let refs = &self.refs[way.first..way.first + way.count];
            // An extract may lack nodes: the way falls into runs of known ones.
            let known: Vec<Option<usize>> = refs.iter().map(|&id| nodes.index(id)).collect();
            let mut start = 0;
            for run in known.split(Option::is_none) {
                let indices: Vec<usize> = run.iter().copied().flatten().collect();
                let ids = &refs[start..start + run.len()];
                start += run.len() + 1;
                let mut street = Street { way, ids, indices: &indices, nodes, private: &private };
                street.build(&junctions, &mut given, builder);
            }
        }
    }

    /// Nodes where roads meet or end.
    fn junctions(&self, nodes: &Nodes) -> Vec<bool> {
        let mut seen = vec![false; nodes.len()];
        let mut junctions = vec![false; nodes.len()];
        for way in &self.ways {
            let refs = &self.refs[way.first..way.first + way.count];
            for (position, &id) in refs.iter().enumerate() {
                let Some(index) = nodes.index(id) else { continue };
                let end = position == 0 || position + 1 == refs.len();
                junctions[index] |= end || seen[index];
                seen[index] = true;
            }
        }
        junctions
    }
}

/// A run of a way whose nodes are all known.
struct Street<'a> {
    way: &'a RoadWay,
    ids: &'a [i64],
    indices: &'a [usize],
    nodes: &'a Nodes,
    private: &'a [bool],
}

impl Street<'_> {
    fn build(&mut self, junctions: &[bool], given: &mut [bool], builder: &mut RoadBuilder) {
        if self.indices.len() < 2 {
            return;
        }
        let mps = self.mps();
        for (from, to) in self.pieces(junctions) {
            for end in [from, to] {
                if !std::mem::replace(&mut given[self.indices[end]], true) {
                    builder.node(self.ids[end], self.position(end));
                }
            }
            let inner: Vec<Position> = (from + 1..to).map(|at| self.position(at)).collect();
            let traffic = &self.way.traffic;
            let gated = self.private[self.indices[from]] || self.private[self.indices[to]];
            let attributes = Attributes {
                class: traffic.class,
                speed_mps: mps[0],
                against_mps: Some(mps[1]),
                name: &self.way.name,
                along: traffic.along,
                against: traffic.against,
                destination: traffic.business.all || gated,
                truck_destination: traffic.business.trucks,
                roundabout: traffic.roundabout,
                tunnel: traffic.tunnel,
                bridge: traffic.bridge,
                toll: traffic.toll,
            };
            builder.edge(self.way.id, (self.ids[from], self.ids[to]), &inner, &attributes);
        }
    }

    /// Pieces between junctions, cut further so that way, from and to name each edge alone.
    fn pieces(&self, junctions: &[bool]) -> Vec<Piece> {
        let last = self.indices.len() - 1;
        let cuts: Vec<usize> =
            (0..=last).filter(|&at| at == 0 || at == last || junctions[self.indices[at]]).collect();
        let mut pieces = Vec::with_capacity(cuts.len());
        let mut named = BTreeSet::new();
        for cut in cuts.windows(2) {
            let (from, to) = (cut[0], cut[1]);
            let (a, b) = (self.ids[from], self.ids[to]);
            let new = named.insert((a.min(b), a.max(b)));
            let inner = to - from - 1;
            match (a == b, new, inner) {
                (false, true, _) => pieces.push((from, to)),
                // There and back over one node: the way out is the way back.
                (true, _, 1) => pieces.push((from, from + 1)),
                (true, _, 2..) => {
                    let (one, two) = (from + 1 + inner / 3, from + 1 + 2 * inner / 3);
                    let two = if two == one { two + 1 } else { two };
                    pieces.extend([(from, one), (one, two), (two, to)]);
                }
                (false, false, 1..) => {
                    let middle = from + 1 + inner / 2;
                    pieces.extend([(from, middle), (middle, to)]);
                }
                // The same segment twice.
                (_, _, 0) => {}
            }
        }
        pieces
    }

    fn position(&self, at: usize) -> Position {
        let (lng, lat) = self.nodes.place_at(self.indices[at]);
        Position::from_e7(lng, lat)
    }

    /// Speeds along and against; a ferry's from its length and crossing time.
    fn mps(&self) -> [f64; 2] {
        let Some(crossing_s) = self.way.traffic.crossing_s else { return self.way.traffic.mps };
        let steps = 1..self.indices.len();
        let metres: f64 =
            steps.map(|at| distance_m(self.position(at - 1), self.position(at))).sum();
        [(metres / crossing_s).max(0.1); 2]
    }
}

//! A plain network of nodes and directed arcs as a road: chains of arcs without a junction become
//! one street.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use engine::road::plane::distance_m;
use engine::road::{Access, Attributes, Class, Road, RoadBuilder};
use ingest::units::Position;

use super::answer::Stretch;

/// Most nodes or arcs of a network.
const COUNT_MAX: usize = 10_000_000;
/// Speed of every street, metres per second: nothing is said about it.
const SPEED_MPS: f64 = 16.7;

/// Which arcs each street was made of.
pub(super) struct Network {
    nodes: Vec<Position>,
    chains: Vec<Chain>,
}

struct Chain {
    nodes: Vec<usize>,
    along: Vec<usize>,
    /// Arcs of the other direction in its driving order; empty for a one-way street.
    against: Vec<usize>,
}

/// Rows of `N` numbers, separated by white space.
pub(super) fn rows<const N: usize>(path: &Path) -> Result<Vec<[f64; N]>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("read `{}`", path.display()))?;
    let mut out = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let mut row = [0.0; N];
        let mut words = line.split_whitespace();
        for value in &mut row {
            let word = words.next().unwrap_or("");
            *value = word.parse().ok().filter(|v: &f64| v.is_finite()).with_context(|| {
                format!("`{}` line {}: `{word}`, expected a number", path.display(), index + 1)
            })?;
        }
        out.push(row);
        if out.len() > COUNT_MAX {
            bail!("`{}` has more than `{COUNT_MAX}` lines", path.display());
        }
    }
    Ok(out)
}

impl Network {
    pub(super) fn read(nodes: &Path, arcs: &Path) -> Result<(Self, Road)> {
        let mut positions = Vec::new();
        for [lng, lat] in rows(nodes)? {
            positions
                .push(Position::new(lng, lat).with_context(|| format!("`{}`", nodes.display()))?);
        }
        let mut pairs = Vec::new();
        for [from, to] in rows(arcs)? {
            let (a, b) = (from as usize, to as usize);
            if a.max(b) >= positions.len() {
                bail!("arc `{from} {to}` names a node beyond the `{}` given", positions.len());
            }
            pairs.push((a, b));
        }
        let chains = Chains::new(positions.len(), &pairs).all();
        let mut builder = RoadBuilder::new();
        for (node, at) in positions.iter().enumerate() {
            builder.node(node as i64, *at);
        }
        for (way, chain) in chains.iter().enumerate() {
            let (from, to) = (chain.nodes[0], chain.nodes[chain.nodes.len() - 1]);
            let inner: Vec<Position> =
                chain.nodes[1..chain.nodes.len() - 1].iter().map(|n| positions[*n]).collect();
            let against = if chain.against.is_empty() { Access::NONE } else { Access::ALL };
            let attributes = Attributes {
                class: Class::Tertiary,
                speed_mps: SPEED_MPS,
                against,
                ..Attributes::default()
            };
            builder.edge(way as i64, (from as i64, to as i64), &inner, &attributes);
        }
        let road = builder.finish().context("build the network")?;
        Ok((Self { nodes: positions, chains }, road))
    }

    /// The arcs that a stretch of an edge touches, in driving order.
    pub(super) fn arcs_of(&self, road: &Road, stretch: &Stretch) -> Vec<usize> {
        let (way, from, _) = road.osm(stretch.edge);
        let Some(chain) = self.chains.get(way as usize) else { return Vec::new() };
        let along = chain.nodes[0] as i64 == from;
        let (arcs, nodes): (&[usize], Vec<usize>) = if along {
            (&chain.along, chain.nodes.clone())
        } else {
            (&chain.against, chain.nodes.iter().rev().copied().collect())
        };
        let (mut at, mut out) = (0.0, Vec::new());
        for (arc, pair) in arcs.iter().zip(nodes.windows(2)) {
            let end = at + distance_m(self.nodes[pair[0]], self.nodes[pair[1]]);
            if end > stretch.from_m && at < stretch.to_m {
                out.push(*arc);
            }
            at = end;
        }
        out
    }
}

/// Joins arcs to chains.
struct Chains<'a> {
    arcs: &'a [(usize, usize)],
    leaving: Vec<Vec<usize>>,
    entering: Vec<Vec<usize>>,
    by_ends: HashMap<(usize, usize), usize>,
    used: Vec<bool>,
}

impl<'a> Chains<'a> {
    fn new(nodes: usize, arcs: &'a [(usize, usize)]) -> Self {
        let (mut leaving, mut entering) = (vec![Vec::new(); nodes], vec![Vec::new(); nodes]);
        let mut by_ends = HashMap::new();
        let mut used = vec![false; arcs.len()];
        for (arc, (from, to)) in arcs.iter().enumerate() {
            // A loop or a second arc between the same two nodes leads nowhere else.
            if from == to || by_ends.contains_key(&(*from, *to)) {
                used[arc] = true;
                continue;
            }
            by_ends.insert((*from, *to), arc);
            leaving[*from].push(arc);
            entering[*to].push(arc);
        }
        Self { arcs, leaving, entering, by_ends, used }
    }

    fn all(mut self) -> Vec<Chain> {
        let mut out = Vec::new();
        for junctions in [true, false] {
            for arc in 0..self.arcs.len() {
                if !self.used[arc] && (!junctions || self.is_junction(self.arcs[arc].0)) {
                    let chain = self.walk(arc);
                    self.keep(&chain, &mut out);
                }
            }
        }
        out
    }

    /// Whether a node is more than a bend of one street.
    fn is_junction(&self, node: usize) -> bool {
        let (out, into) = (&self.leaving[node], &self.entering[node]);
        match (out.as_slice(), into.as_slice()) {
            ([a], [b]) => self.arcs[*a].1 == self.arcs[*b].0,
            ([a, b], [c, d]) => {
                let (a, b) = (self.arcs[*a].1, self.arcs[*b].1);
                let (c, d) = (self.arcs[*c].0, self.arcs[*d].0);
                a == b || !((a == c && b == d) || (a == d && b == c))
            }
            _ => true,
        }
    }

    /// From an arc on to the next junction, or round to where it began.
    fn walk(&mut self, first: usize) -> Vec<usize> {
        let mut chain = vec![first];
        self.used[first] = true;
        let (begin, mut node) = self.arcs[first];
        let mut before = begin;
        while node != begin && !self.is_junction(node) {
            let next = self.leaving[node].iter().find(|a| self.arcs[**a].1 != before);
            let Some(next) = next.copied().filter(|a| !self.used[*a]) else { break };
            self.used[next] = true;
            chain.push(next);
            before = node;
            node = self.arcs[next].1;
        }
        chain
    }

    /// A chain that ends where it began is cut in two, so that its directions can be told apart.
    fn keep(&mut self, arcs: &[usize], out: &mut Vec<Chain>) {
        let round = self.arcs[arcs[0]].0 == self.arcs[arcs[arcs.len() - 1]].1;
        let cut = if round { arcs.len() / 2 } else { arcs.len() };
        for part in [&arcs[..cut], &arcs[cut..]] {
            if part.is_empty() {
                continue;
            }
            let mut against: Vec<usize> = part
                .iter()
                .rev()
                .map_while(|a| self.by_ends.get(&(self.arcs[*a].1, self.arcs[*a].0)).copied())
                .filter(|a| !self.used[*a])
                .collect();
            if against.len() == part.len() {
                for arc in &against {
                    self.used[*arc] = true;
                }
            } else {
                against.clear();
            }
            let mut nodes = vec![self.arcs[part[0]].0];
            nodes.extend(part.iter().map(|a| self.arcs[*a].1));
            out.push(Chain { nodes, along: part.to_vec(), against });
        }
    }
}

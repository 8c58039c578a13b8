//! Turn restrictions, spelled out as banned sequences of edges and as the states of a search.
//!
//! A restriction at a node bans pairs of edges, one over via ways bans longer sequences. A
//! search keeps exactly so much of its past as some ban needs: the states are the edges, and for
//! each beginning of a longer ban a state more, as in the automaton of Aho & Corasick (1975).
//! So a router that walks states obeys every restriction and stays a plain shortest path search.

use std::collections::{BTreeMap, BTreeSet};

use crate::road::access::Access;

use super::network::Network;

/// Most edges of one banned sequence; longer restrictions are counted as unused.
const SEQUENCE_MAX: usize = 32;
/// Most sequences one restriction over via ways may mean.
const SEQUENCES_MAX: usize = 16;

/// What a restriction turns at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A node, by its OSM id.
    Node(i64),
    /// Ways in order from `from` to `to`, by their OSM ids.
    Ways(Vec<i64>),
}

/// A turn restriction in OpenStreetMap's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// Ways one comes from; several only for `no_entry`.
    pub from: Vec<i64>,
    /// Where one turns.
    pub via: Via,
    /// Ways one goes to; several only for `no_exit`.
    pub to: Vec<i64>,
    /// `only_…`: every other way on is banned, not this one.
    pub only: bool,
    /// `no_u_turn`.
    pub turn_back: bool,
    /// Whom it binds.
    pub binds: Access,
}

/// The next state of a turn, and for whom it is banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    next: u32,
    banned: Access,
}

/// Every turn that is not simply allowed.
#[derive(Debug)]
pub(super) struct Turns {
    edges: u32,
    table: BTreeMap<(u32, u32), Turn>,
    /// Last edge of each state beyond the edges.
    states: Vec<u32>,
    /// Restrictions applied.
    pub(super) used: u32,
    /// Restrictions that name nothing on this map.
    pub(super) unused: u32,
}

/// Sequences of edges and whom each is banned for.
type Bans = BTreeMap<Vec<u32>, Access>;

impl Turns {
    pub(super) fn resolve(
        network: &Network,
        restrictions: &[Restriction],
        barriers: &[(i64, Access)],
    ) -> Self {
        let by_way = if restrictions.is_empty() { Vec::new() } else { network.by_way() };
        let mut bans = Bans::new();
        let (mut used, mut unused) = (0, 0);
        for restriction in restrictions {
            let spelled = match &restriction.via {
                Via::Node(node) => at_node(network, restriction, *node),
                Via::Ways(ways) => over_ways(network, restriction, ways, &by_way),
            };
            if spelled.is_empty() {
                unused += 1;
            } else {
                used += 1;
            }
            for sequence in spelled {
                let banned = bans.entry(sequence).or_default();
                *banned = *banned | restriction.binds;
            }
        }
        for &(node, blocks) in barriers {
            for sequence in through(network, node) {
                let banned = bans.entry(sequence).or_default();
                *banned = *banned | blocks;
            }
        }
        let mut turns = automaton(network, &bans);
        (turns.used, turns.unused) = (used, unused);
        turns
    }

    /// Edges whose own state has turns in the table.
    pub(super) fn marked(&self) -> impl Iterator<Item = u32> {
        self.table.keys().map(|key| key.0).filter(|&state| state < self.edges)
    }

    pub(super) fn table(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.table.len() * 16);
        for (&(state, to), turn) in &self.table {
            for word in [state, to, turn.next, u32::from(turn.banned.bits())] {
                out.extend_from_slice(&word.to_le_bytes());
            }
        }
        out
    }

    pub(super) fn states(&self) -> Vec<u8> {
        self.states.iter().flat_map(|edge| edge.to_le_bytes()).collect()
    }
}

/// Every pair of edges that passes a node without turning back.
fn through(network: &Network, node: i64) -> Vec<Vec<u32>> {
    let Some(node) = network.node(node) else { return Vec::new() };
    let pairs = network.entering(node).iter().flat_map(|&from| {
        network
            .leaving(node)
            .filter(move |&to| !network.turns_back(from, to))
            .map(move |to| vec![from, to])
    });
    pairs.collect()
}

/// The banned pairs of a restriction at a node.
fn at_node(network: &Network, restriction: &Restriction, node: i64) -> Vec<Vec<u32>> {
    let Some(node) = network.node(node) else { return Vec::new() };
    let named = |edge: u32, ways: &[i64]| ways.contains(&network.way(edge));
    let mut bans = Vec::new();
    for &from in network.entering(node) {
        if !named(from, &restriction.from) {
            continue;
        }
        // A way that passes through the node names the edge ahead and the one behind.
        let meant = |to: u32| {
            let same = network.way(from) == network.way(to);
            named(to, &restriction.to)
                && (!same || network.turns_back(from, to) == restriction.turn_back)
        };
        let leaving = network.leaving(node);
        if !restriction.only {
            bans.extend(leaving.filter(|&to| meant(to)).map(|to| vec![from, to]));
        } else if leaving.clone().any(meant) {
            bans.extend(leaving.filter(|&to| !meant(to)).map(|to| vec![from, to]));
        }
    }
    bans
}

/// The banned sequences of a restriction over via ways.
fn over_ways(
    network: &Network,
    restriction: &Restriction,
    via: &[i64],
    by_way: &[u32],
) -> Vec<Vec<u32>> {
    let mut whole = Vec::new();
    for &from in &restriction.from {
        for &to in &restriction.to {
            let mut ways = vec![from];
            ways.extend_from_slice(via);
            ways.push(to);
            let start = by_way.partition_point(|&edge| network.way(edge) < from);
            let end = by_way.partition_point(|&edge| network.way(edge) <= from);
            for &edge in &by_way[start..end] {
                extend(network, &ways, 0, &mut vec![edge], &mut whole);
            }
        }
    }
    if !restriction.only {
        return whole;
    }
    // Who came from `from` over the first via edge must go the whole way: each turn off it
    // is banned.
    let mut bans = BTreeSet::new();
    for sequence in &whole {
        for length in 2..sequence.len() {
            let begun = &sequence[..length];
            for to in network.onward(begun[length - 1]) {
                let allowed =
                    whole.iter().any(|other| other.starts_with(begun) && other[length] == to);
                if !allowed {
                    bans.insert([begun, &[to]].concat());
                }
            }
        }
    }
    bans.into_iter().collect()
}

/// Follows the ways edge by edge: on along the way one is on, or over to the next.
fn extend(
    network: &Network,
    ways: &[i64],
    at: usize,
    sequence: &mut Vec<u32>,
    whole: &mut Vec<Vec<u32>>,
) {
    let Some(&last) = sequence.last() else { return };
    if sequence.len() >= SEQUENCE_MAX || whole.len() >= SEQUENCES_MAX {
        return;
    }
    for next in network.onward(last) {
        let way = network.way(next);
        let arrived = at + 2 == ways.len();
        if sequence.contains(&next) || (network.turns_back(last, next) && !arrived) {
            continue;
        }
        sequence.push(next);
        if way == ways[at + 1] {
            if arrived {
                whole.push(sequence.clone());
            } else {
                extend(network, ways, at + 1, sequence, whole);
            }
        }
        if at > 0 && way == ways[at] {
            extend(network, ways, at, sequence, whole);
        }
        sequence.pop();
    }
}

/// States and turns for a set of banned sequences.
fn automaton(network: &Network, bans: &Bans) -> Turns {
    let edges = network.edges() as u32;
    let mut pasts: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
    let mut begun: BTreeSet<u32> = BTreeSet::new();
    for sequence in bans.keys() {
        begun.insert(sequence[0]);
        for length in 2..sequence.len() {
            pasts.insert(sequence[..length].to_vec(), 0);
        }
    }
    for (number, state) in pasts.values_mut().enumerate() {
        *state = edges + number as u32;
    }
    let mut turns = Turns {
        edges,
        table: BTreeMap::new(),
        states: pasts.keys().map(|past| past[past.len() - 1]).collect(),
        used: 0,
        unused: 0,
    };
    let plain = begun.iter().map(|&edge| (vec![edge], edge));
    let deep = pasts.iter().map(|(past, &state)| (past.clone(), state));
    for (mut past, state) in plain.chain(deep) {
        let last = past[past.len() - 1];
        for to in network.onward(last) {
            past.push(to);
            let suffixes = || (0..past.len() - 1).map(|start| &past[start..]);
            let next = suffixes().find_map(|suffix| pasts.get(suffix)).copied().unwrap_or(to);
            let banned = suffixes()
                .filter_map(|suffix| bans.get(suffix))
                .fold(Access::NONE, |all, &banned| all | banned);
            past.pop();
            if next != to || !banned.is_empty() {
                turns.table.insert((state, to), Turn { next, banned });
            }
        }
    }
    turns
}

//! The states of a map as a plain directed graph: what is ordered and contracted.

use crate::road::{Access, EdgeId, Profile, Road};

/// States of the road that some profile of a group may be in, and the turns between them that
/// some of them may take.
#[derive(Debug)]
pub(super) struct Graph {
    /// Per state of the road and one more: its first turn in `next`.
    pub(super) first: Vec<u32>,
    /// States one gets to.
    pub(super) next: Vec<u32>,
    /// Per edge of the road: whether the group may use it.
    pub(super) usable: Vec<bool>,
}

impl Graph {
    pub(super) fn new(road: &Road, group: Access) -> Self {
        let usable: Vec<bool> = (0..road.edges() as u32)
            .map(|edge| road.edge(EdgeId(edge)).access().meets(group))
            .collect();
        let may = |edge: u32| usable.get(edge as usize).copied().unwrap_or(false);
        let members = Profile::ALL.into_iter().filter(|&profile| group.has(profile));
        let mut first = Vec::with_capacity(road.states() + 1);
        let mut next = Vec::with_capacity(road.states() * 2);
        for state in 0..road.states() as u32 {
            first.push(next.len() as u32);
            let edge = road.edge_in(state);
            if !may(edge.0) {
                continue;
            }
            let from = road.edge(edge);
            for to in road.out_edges(from.head).filter(|&to| may(to)) {
                let turn = |profile| road.turn_from(&from, state, EdgeId(to), profile);
                // A state that a damaged map names leads nowhere.
                let reached = members.clone().find_map(turn);
                next.extend(reached.filter(|&reached| (reached as usize) < road.states()));
            }
        }
        first.push(next.len() as u32);
        Self { first, next, usable }
    }
}

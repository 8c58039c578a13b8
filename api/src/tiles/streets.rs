//! The streets of a box as they are drawn: one line for both directions, pieces of the same name
//! and class joined, since a label needs a long line.

use std::collections::{BTreeMap, VecDeque};

use engine::road::{Class, EdgeId, NodeId, Road};
use ingest::units::Position;

/// Streets of one class and name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Streets<'a> {
    pub(crate) class: Class,
    /// Empty where they have none.
    pub(crate) name: &'a str,
    /// Each of at least two points.
    pub(crate) lines: Vec<Vec<Position>>,
}

/// What is drawn of a box between two corners, in the order of class and name; `shown` says
/// which classes are.
pub(crate) fn within(
    road: &Road,
    (south_west, north_east): (Position, Position),
    shown: impl Fn(Class) -> bool,
) -> Vec<Streets<'_>> {
    let mut edges = Vec::new();
    road.within(south_west, north_east, &mut edges);
    let mut groups: BTreeMap<(Class, &str), Vec<EdgeId>> = BTreeMap::new();
    for edge in edges {
        let class = road.class(edge);
        if shown(class) {
            groups.entry((class, road.name(edge))).or_default().push(edge);
        }
    }
    let streets = |((class, name), edges): ((Class, _), Vec<EdgeId>)| Streets {
        class,
        name,
        lines: joined(road, &edges),
    };
    groups.into_iter().map(streets).collect()
}

/// The edges as few long lines: each goes on, from both its ends, with the first edge that is
/// left at its node. Every edge is in one line.
fn joined(road: &Road, edges: &[EdgeId]) -> Vec<Vec<Position>> {
    let mut ends: Vec<(NodeId, usize)> = (edges.iter().enumerate())
        .flat_map(|(index, edge)| [(road.tail(*edge), index), (road.head(*edge), index)])
        .collect();
    ends.sort_unstable();
    let mut left = vec![true; edges.len()];
    let mut lines = Vec::new();
    let mut shape = Vec::new();
    for first in 0..edges.len() {
        if !std::mem::take(&mut left[first]) {
            continue;
        }
        let mut line = VecDeque::new();
        road.shape(edges[first], &mut shape);
        line.extend(&shape);
        for (forward, mut node) in
            [(true, road.head(edges[first])), (false, road.tail(edges[first]))]
        {
            let next = |node: NodeId, left: &[bool]| {
                let from = ends.partition_point(|(at, _)| *at < node);
                let here = ends[from..].iter().take_while(|(at, _)| *at == node);
                here.map(|(_, index)| *index).find(|index| left[*index])
            };
            while let Some(index) = next(node, &left) {
                left[index] = false;
                let edge = edges[index];
                road.shape(edge, &mut shape);
                if road.head(edge) == node {
                    shape.reverse();
                }
                node = if road.head(edge) == node { road.tail(edge) } else { road.head(edge) };
                let onward = shape.iter().skip(1);
                if forward {
                    line.extend(onward);
                } else {
                    onward.for_each(|point| line.push_front(*point));
                }
            }
        }
        lines.push(line.into());
    }
    lines
}

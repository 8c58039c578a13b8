//! Water, parks and buildings: which ways are areas, and rings from the ways of a polygon.

use std::collections::{BTreeMap, HashMap};

use crate::road::area::{Area, AreaKind};
use crate::road::hilbert;

use super::nodes::Nodes;
use super::relations::Multipolygon;
use super::tags::Tags;

/// The kind of area that tags speak of.
pub(super) fn kind(tags: &Tags<'_>) -> Option<AreaKind> {
    if tags.get("building").is_some_and(|value| value != "no") {
        return Some(AreaKind::Building);
    }
    let any = |key: &str, values: &[&str]| tags.get(key).is_some_and(|v| values.contains(&v));
    if any("natural", &["water", "bay"])
        || any("waterway", &["riverbank", "dock"])
        || any("landuse", &["reservoir", "basin"])
        || any("water", &["river", "lake", "pond"])
    {
        return Some(AreaKind::Water);
    }
    let park = any("leisure", &["park", "garden", "nature_reserve", "golf_course", "common"])
        || any("natural", &["wood", "scrub", "heath", "grassland"])
        || any(
            "landuse",
            &["forest", "grass", "meadow", "recreation_ground", "village_green", "cemetery"],
        );
    park.then_some(AreaKind::Park)
}

/// Node ids of ways that are areas or parts of one.
#[derive(Default)]
pub(super) struct Outlines {
    refs: Vec<i64>,
    /// Closed ways: kind, first ref, refs.
    closed: Vec<(AreaKind, usize, usize)>,
    /// Ways of multipolygons: first ref, refs.
    parts: HashMap<i64, (usize, usize)>,
}

impl Outlines {
    pub(super) fn refs(&self) -> &[i64] {
        &self.refs
    }

    /// Keeps a way that is an area or, `part`, belongs to a multipolygon.
    pub(super) fn way(&mut self, id: i64, refs: &[i64], kind: Option<AreaKind>, part: bool) {
        let closed = refs.len() > 3 && refs.first() == refs.last();
        let kind = kind.filter(|_| closed);
        if kind.is_none() && !part {
            return;
        }
        let first = self.refs.len();
        self.refs.extend_from_slice(refs);
        if let Some(kind) = kind {
            self.closed.push((kind, first, refs.len()));
        }
        if part {
            self.parts.insert(id, (first, refs.len()));
        }
    }

    /// All areas in the bytes of the map, sorted by kind and place.
    pub(super) fn write(&self, multipolygons: &[Multipolygon], nodes: &Nodes) -> Vec<u8> {
        let mut areas = Vec::new();
        for &(kind, first, count) in &self.closed {
            let ring = ring(&self.refs[first..first + count], nodes);
            areas.extend(ring.map(|ring| Area { kind, rings: vec![ring] }));
        }
        for multipolygon in multipolygons {
            let rings: Vec<_> = self
                .rings(&multipolygon.ways)
                .iter()
                .filter_map(|refs| ring(refs, nodes))
                .collect();
            if !rings.is_empty() {
                areas.push(Area { kind: multipolygon.kind, rings });
            }
        }
        areas.sort_by_cached_key(|area| {
            let (lng, lat) = area.rings[0][0];
            (area.kind, hilbert::key(lng, lat))
        });
        let mut out = Vec::new();
        for area in &areas {
            area.write(&mut out);
        }
        out
    }

    /// Joins ways end to end into closed rings; what does not close is dropped.
    fn rings(&self, ways: &[i64]) -> Vec<Vec<i64>> {
        let parts: Vec<&[i64]> = ways
            .iter()
            .filter_map(|way| self.parts.get(way))
            .map(|&(first, count)| &self.refs[first..first + count])
            .filter(|refs| refs.len() > 1)
            .collect();
        let mut at_end: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (index, part) in parts.iter().enumerate() {
            at_end.entry(part[0]).or_default().push(index);
            at_end.entry(part[part.len() - 1]).or_default().push(index);
        }
        let mut used = vec![false; parts.len()];
        let mut rings = Vec::new();
        for start in 0..parts.len() {
            if std::mem::replace(&mut used[start], true) {
                continue;
            }
            let mut ring = parts[start].to_vec();
            while ring.first() != ring.last() {
                let end = ring[ring.len() - 1];
                let next = at_end.get(&end).and_then(|ends| ends.iter().find(|&&i| !used[i]));
                let Some(&next) = next else { break };
                used[next] = true;
                if parts[next][0] == end {
                    ring.extend_from_slice(&parts[next][1..]);
                } else {
                    ring.extend(parts[next].iter().rev().skip(1));
                }
            }
            if ring.len() > 3 && ring.first() == ring.last() {
                rings.push(ring);
            }
        }
        rings
    }
}

/// Points of a closed ring without the last, which repeats the first; `None` when a node is
/// missing.
fn ring(refs: &[i64], nodes: &Nodes) -> Option<Vec<(i32, i32)>> {
    let ring: Vec<_> =
        refs[..refs.len() - 1].iter().map(|&id| nodes.place(id)).collect::<Option<_>>()?;
    (ring.len() >= 3).then_some(ring)
}

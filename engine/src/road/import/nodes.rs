//! Places of the nodes that ways name, and barriers among them.

use crate::road::access::Access;

use super::block::TagList;
use super::tags::{self, Tags};

/// A node on a road that not everybody passes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Barrier {
    pub(super) node: i64,
    /// Who does not pass.
    pub(super) blocks: Access,
    /// Others pass only with business behind it.
    pub(super) destination: bool,
}

/// Ids that are wanted, sorted, and their places once read.
pub(super) struct Nodes {
    ids: Vec<i64>,
    places: Vec<(i32, i32)>,
    /// Where the last one was found: files are sorted, so the next lies close behind.
    cursor: usize,
    pub(super) barriers: Vec<Barrier>,
}

/// The place of a node that the file does not hold.
const ABSENT: (i32, i32) = (i32::MIN, i32::MIN);

impl Nodes {
    /// Wants these ids, in any order and as often as they come.
    pub(super) fn wanted(mut ids: Vec<i64>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        let places = vec![ABSENT; ids.len()];
        Self { ids, places, cursor: 0, barriers: Vec::new() }
    }

    pub(super) fn read(&mut self, id: i64, (lng, lat): (i64, i64), tags: &TagList<'_>) {
        let Some(index) = self.seek(id) else { return };
        let on_earth = |at: i64, most: i32| {
            i32::try_from(at).ok().filter(|at| at.unsigned_abs() <= most.unsigned_abs())
        };
        let place = on_earth(lng, 1_800_000_000).zip(on_earth(lat, 900_000_000));
        let Some(place) = place else { return };
        self.places[index] = place;
        let (blocks, destination) = tags::barrier(&Tags(tags));
        if destination || !blocks.is_empty() {
            self.barriers.push(Barrier { node: id, blocks, destination });
        }
    }

    fn seek(&mut self, id: i64) -> Option<usize> {
        if self.cursor > 0 && self.ids[self.cursor - 1] >= id {
            self.cursor = self.ids.partition_point(|&known| known < id);
        }
        while self.ids.get(self.cursor).is_some_and(|&known| known < id) {
            self.cursor += 1;
        }
        (self.ids.get(self.cursor) == Some(&id)).then_some(self.cursor)
    }

    /// Index of an id among those wanted, if its place is known.
    pub(super) fn index(&self, id: i64) -> Option<usize> {
        self.ids.binary_search(&id).ok().filter(|&index| self.places[index] != ABSENT)
    }

    /// How many are wanted.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Place of an id in 1e-7 degrees, if known.
    pub(super) fn place(&self, id: i64) -> Option<(i32, i32)> {
        self.index(id).map(|index| self.places[index])
    }

    /// Place of a node by its index.
    pub(super) fn place_at(&self, index: usize) -> (i32, i32) {
        self.places[index]
    }
}

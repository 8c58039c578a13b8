//! Edges as a search of vans meets them: what it needs of each side by side, worked out once,
//! where records of a map are put together and divided at every look.

use super::record::FLAG_TURNS;
use super::{EdgeId, Profile, Road};

/// Restrictions lead out of this edge.
const TURNS: u32 = 1 << 31;

/// What a search for ways of vans needs of an edge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// Free-flow seconds of a van; infinite where it has no access.
    pub(crate) van_s: f64,
    /// Metres from tail to head.
    pub(crate) length_m: f64,
    pub(crate) head: u32,
    /// As [`super::record::EdgeRecord::street`].
    pub(crate) street: u32,
    /// Number of the way, and [`TURNS`].
    way: u32,
    /// Where the head lies, 1e-7 degrees.
    pub(crate) head_e7: (i32, i32),
}

impl Link {
    fn of(road: &Road, edge: EdgeId) -> Self {
        let record = road.edge(edge);
        let may = record.access().has(Profile::Van);
        let turns = if record.flags & FLAG_TURNS == 0 { 0 } else { TURNS };
        Self {
            van_s: if may { record.seconds(Profile::Van) } else { f64::INFINITY },
            length_m: record.length_m(),
            head: record.head,
            street: record.street,
            way: record.way & !TURNS | turns,
            head_e7: road.node_e7(record.head),
        }
    }

    /// Whether a van may use it.
    pub(crate) fn is_open(&self) -> bool {
        self.van_s < f64::INFINITY
    }

    /// Whether a restriction may forbid a turn out of it.
    pub(crate) fn has_turns(&self) -> bool {
        self.way & TURNS != 0
    }

    /// Whether both belong to one way.
    pub(crate) fn same_way(&self, other: &Self) -> bool {
        (self.way ^ other.way) & !TURNS == 0
    }
}

impl Road {
    /// Every edge, by number.
    pub(crate) fn links(&self) -> &[Link] {
        let all = || (0..self.edges() as u32).map(|edge| Link::of(self, EdgeId(edge))).collect();
        self.found.links.get_or_init(all)
    }
}

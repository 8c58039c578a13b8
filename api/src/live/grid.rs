//! Vehicles by where they are: cells of a hundredth of a degree.
//!
//! A cell holds what a look at it needs, side by side: whether a vehicle lies in a box is known
//! without touching anything else of it.

use std::collections::HashMap;

use ingest::time::Timestamp;
use ingest::units::Position;

use super::Bounds;

/// Cells to a degree; about 1.1 km north to south.
const CELLS_PER_DEGREE: f64 = 100.0;
/// A box of more cells than this is answered by looking at every vehicle instead.
const CELLS_MAX: i64 = 4_096;

/// A cell: east, north.
pub(super) type Cell = (i32, i32);

/// Which vehicles are in which cell.
#[derive(Debug, Default)]
pub(super) struct Grid {
    cells: HashMap<Cell, Vec<Member>>,
}

/// A vehicle in a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) number: u32,
    pub(super) at: Position,
    /// Time of the fix.
    pub(super) time: Timestamp,
}

impl Grid {
    /// Moves a vehicle to where it was seen last; `cell` is where it was before.
    pub(super) fn place(
        &mut self,
        number: u32,
        cell: &mut Option<Cell>,
        seen: Option<(Position, Timestamp)>,
    ) {
        let now = seen.map(|(at, _)| (index(at.lng), index(at.lat)));
        let member = seen.map(|(at, time)| Member { number, at, time });
        let members = cell.as_ref().and_then(|cell| self.cells.get_mut(cell));
        if let Some(members) = members {
            let place = members.iter().position(|member| member.number == number);
            match (place, member) {
                (Some(place), Some(member)) if now == *cell => {
                    members[place] = member;
                    return;
                }
                (Some(place), _) => drop(members.swap_remove(place)),
                (None, _) => {}
            }
            if members.is_empty()
                && let Some(cell) = cell
            {
                self.cells.remove(cell);
            }
        }
        if let (Some(now), Some(member)) = (now, member) {
            self.cells.entry(now).or_default().push(member);
        }
        *cell = now;
    }

    /// Calls `found` with every vehicle inside a box; `false`, and no call, where looking at every
    /// vehicle is cheaper.
    pub(super) fn inside(&self, bounds: Bounds, mut found: impl FnMut(Member)) -> bool {
        let (west, east) = (index(bounds.west), index(bounds.east));
        let (south, north) = (index(bounds.south), index(bounds.north));
        if west > east || south > north {
            return false;
        }
        let width = i64::from(east) - i64::from(west) + 1;
        let cells = width * (i64::from(north) - i64::from(south) + 1);
        if cells > CELLS_MAX || cells > self.cells.len() as i64 * 4 {
            return false;
        }
        for y in south..=north {
            for x in west..=east {
                for member in self.cells.get(&(x, y)).into_iter().flatten() {
                    if bounds.contains(member.at) {
                        found(*member);
                    }
                }
            }
        }
        true
    }
}

fn index(degrees: f64) -> i32 {
    (degrees * CELLS_PER_DEGREE).floor() as i32
}

//! Vehicles by where they are: cells of a hundredth of a degree.

use std::collections::HashMap;

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
    cells: HashMap<Cell, Vec<u32>>,
}

impl Grid {
    /// Moves a vehicle to where it is now; `cell` is where it was.
    pub(super) fn place(&mut self, number: u32, cell: &mut Option<Cell>, at: Option<Position>) {
        let now = at.map(|at| (index(at.lng), index(at.lat)));
        if now == *cell {
            return;
        }
        if let Some(members) = cell.as_ref().and_then(|cell| self.cells.get_mut(cell)) {
            members.retain(|member| *member != number);
            if members.is_empty()
                && let Some(cell) = cell
            {
                self.cells.remove(cell);
            }
        }
        if let Some(now) = now {
            self.cells.entry(now).or_default().push(number);
        }
        *cell = now;
    }

    /// Vehicles of all cells that a box touches; `None` where looking at every vehicle is cheaper.
    pub(super) fn covering(&self, bounds: Bounds) -> Option<Vec<u32>> {
        let (west, east) = (index(bounds.west), index(bounds.east));
        let (south, north) = (index(bounds.south), index(bounds.north));
        if west > east || south > north {
            return None;
        }
        let width = i64::from(east) - i64::from(west) + 1;
        let cells = width * (i64::from(north) - i64::from(south) + 1);
        if cells > CELLS_MAX || cells > self.cells.len() as i64 * 4 {
            return None;
        }
        let mut found = Vec::new();
        for y in south..=north {
            for x in west..=east {
                found.extend(self.cells.get(&(x, y)).into_iter().flatten());
            }
        }
        Some(found)
    }
}

fn index(degrees: f64) -> i32 {
    (degrees * CELLS_PER_DEGREE).floor() as i32
}

//! Vehicles by where they are: cells of a hundredth of a degree.
//!
//! A look at the fleet copies bytes. What a vehicle says of its position is encoded once, when it
//! changes, and lies in its cell beside what its neighbours say ([`Cell`]): a look walks the cells
//! of its box, reads places side by side, and copies the texts of those inside. A tenant has a grid
//! of its own, so nobody else's vehicle can be met on the way.

use std::collections::HashMap;

use ingest::time::Timestamp;
use ingest::units::Position;

use super::Bounds;
use super::cell::{Cell, Said};

/// Cells to a degree; about 1.1 km north to south.
const CELLS_PER_DEGREE: f64 = 100.0;
/// A box of more cells than this is answered by a walk over all that there are.
const CELLS_MAX: i64 = 4_096;

/// Which cell: east, north.
type Place = (i32, i32);

/// Which vehicles are in which cell.
#[derive(Debug, Default)]
pub(super) struct Grid {
    cells: HashMap<Place, Cell>,
}

/// Where a vehicle is found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    cell: Place,
    index: u32,
}

impl Grid {
    /// Moves a vehicle to where it was seen last, with what it says; `None`: out of the grid.
    /// `spots` holds where each vehicle of the fleet is, by its number.
    pub(super) fn place(
        &mut self,
        spots: &mut [Option<Spot>],
        number: u32,
        seen: Option<(Position, Timestamp, &[u8])>,
    ) {
        let cell = seen.map(|(at, ..)| (index(at.lng), index(at.lat)));
        if let Some(spot) = spots[number as usize] {
            if Some(spot.cell) == cell {
                let stays = self.cells.get_mut(&spot.cell).zip(seen);
                if let Some((cell, (at, time, text))) = stays {
                    cell.set(spot.index, at, (time, text));
                }
                return;
            }
            self.remove(spots, spot);
            spots[number as usize] = None;
        }
        if let (Some(place), Some((at, time, text))) = (cell, seen) {
            let index = self.cells.entry(place).or_default().push(number, at, (time, text));
            spots[number as usize] = Some(Spot { cell: place, index });
        }
    }

    fn remove(&mut self, spots: &mut [Option<Spot>], spot: Spot) {
        let Some(cell) = self.cells.get_mut(&spot.cell) else { return };
        if let Some(moved) = cell.remove(spot.index) {
            spots[moved as usize] = Some(spot);
        }
        if cell.is_empty() {
            self.cells.remove(&spot.cell);
        }
    }

    /// What the vehicle at a spot says.
    pub(super) fn said(&self, spot: Spot) -> Option<Said<'_>> {
        self.cells.get(&spot.cell)?.get(spot.index)
    }

    /// What the vehicles inside a box say, in no order.
    pub(super) fn inside<'a>(&'a self, bounds: Bounds, found: &mut Vec<Said<'a>>) {
        let within = |at| bounds.contains(at);
        let (west, east) = (index(bounds.west), index(bounds.east));
        let (south, north) = (index(bounds.south), index(bounds.north));
        let width = i64::from(east) - i64::from(west) + 1;
        let cells = width * (i64::from(north) - i64::from(south) + 1);
        let across = bounds.west > bounds.east;
        if across || cells > CELLS_MAX || cells > self.cells.len() as i64 * 4 {
            found.extend(self.cells.values().flat_map(|cell| cell.of(within)));
            return;
        }
        for y in south..=north {
            let row = (west..=east).filter_map(|x| self.cells.get(&(x, y)));
            found.extend(row.flat_map(|cell| cell.of(within)));
        }
    }
}

fn index(degrees: f64) -> i32 {
    (degrees * CELLS_PER_DEGREE).floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vehicles that wander, and boxes around them: the grid finds whom a look at each finds.
    #[test]
    fn a_box_holds_whom_a_look_at_every_vehicle_finds() {
        let (mut grid, mut spots, mut truth) = (Grid::default(), [None; 40], [const { None }; 40]);
        let mut dice = 7_u64;
        let mut roll = |sides: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            (dice >> 33) % sides
        };
        for turn in 0..4_000_u64 {
            let number = roll(40) as u32;
            let lng = 179.97 + roll(60) as f64 * 1e-3;
            let lng = if lng > 180.0 { lng - 360.0 } else { lng };
            let at = Position { lng, lat: -0.03 + roll(60) as f64 * 1e-3 };
            let text = format!("{number}-{turn}").repeat(1 + roll(3) as usize);
            let seen = (roll(6) > 0).then_some((at, Timestamp::from_seconds(turn as i64)));
            let said = seen.map(|(at, time)| (at, time, text.as_bytes()));
            grid.place(&mut spots, number, said);
            truth[number as usize] = seen.map(|(at, _)| (at, text.clone()));
            let (west, south) = (179.96 + roll(50) as f64 * 1e-3, -0.04 + roll(50) as f64 * 1e-3);
            let (east, north) = (west + roll(50) as f64 * 1e-3, south + roll(50) as f64 * 1e-3);
            let east = if east > 180.0 { east - 360.0 } else { east };
            let bounds = Bounds { west, south, east, north };
            let mut found = Vec::new();
            grid.inside(bounds, &mut found);
            let mut found: Vec<_> = found.iter().map(|s| (s.number, s.text.to_vec())).collect();
            found.sort();
            let lies = |(n, one): (u32, &Option<(Position, String)>)| {
                let (at, text) = one.as_ref()?;
                bounds.contains(*at).then(|| (n, text.clone().into_bytes()))
            };
            let expected: Vec<_> = (0..).zip(&truth).filter_map(lies).collect();
            assert_eq!(found, expected, "turn {turn}");
            let own = spots[number as usize].and_then(|spot| grid.said(spot));
            assert_eq!(own.map(|s| (s.number, s.text)), seen.map(|_| (number, text.as_bytes())));
        }
    }
}

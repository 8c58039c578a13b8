//! What lies between the streets: the river, parks, buildings. For the map people see.

use super::streets::{Grid, Street, far_end};
use super::{Draft, RADIUS_M, Spot, tags};

/// Half the river's width, metres.
const RIVER_HALF_M: f64 = 34.0;
/// Crossings keep this far from its middle, metres.
const BANK_M: f64 = 60.0;

/// North of the town's centre, where the river's middle lies on a meridian.
fn river_y(x: f64) -> f64 {
    850.0 * libm::sin(x / 2_300.0) + x * 0.12 - 420.0
}

/// Moves a crossing that would lie in the water to the nearer bank.
pub(super) fn beside_river(at: Spot) -> Spot {
    let off = at.y - river_y(at.x);
    if off.abs() >= BANK_M {
        return at;
    }
    let bank = if off < 0.0 { -BANK_M } else { BANK_M };
    Spot::new(at.x, river_y(at.x) + bank)
}

/// Whether a street between two crossings needs a bridge.
pub(super) fn over_river(from: Spot, to: Spot) -> bool {
    (from.y < river_y(from.x)) != (to.y < river_y(to.x))
}

/// Blocks of grass: from one line to another, both ways.
pub(super) struct Park {
    from: (i32, i32),
    to: (i32, i32),
}

impl Park {
    /// Whether a street would run through it (not along its edge).
    pub(super) fn holds(&self, street: Street) -> bool {
        let ((i, j), (k, l)) = (street.0, far_end(street));
        let within = |v: i32, from: i32, to: i32| v >= from && v <= to;
        let inside = within(i, self.from.0, self.to.0)
            && within(k, self.from.0, self.to.0)
            && within(j, self.from.1, self.to.1)
            && within(l, self.from.1, self.to.1);
        let on_edge = if street.1 {
            j == self.from.1 || j == self.to.1
        } else {
            i == self.from.0 || i == self.to.0
        };
        inside && !on_edge
    }
    fn covers(&self, (i, j): (i32, i32)) -> bool {
        i >= self.from.0 && i < self.to.0 && j >= self.from.1 && j < self.to.1
    }
}

/// The town's parks, the same in every town.
pub(super) fn parks() -> Vec<Park> {
    let corners = [(-7, 4), (4, 9), (9, -7), (-15, -11), (-19, 8), (16, 12), (1, -20), (-4, 20)];
    let sizes = [(3, 3), (3, 2), (2, 3), (4, 3), (3, 4), (4, 4), (3, 3), (2, 2)];
    let park =
        |((i, j), (w, h)): ((i32, i32), (i32, i32))| Park { from: (i, j), to: (i + w, j + h) };
    corners.into_iter().zip(sizes).map(park).collect()
}

/// Writes water, parks and buildings.
pub(super) fn lay(draft: &mut Draft, grid: &Grid) {
    river(draft);
    let parks = parks();
    for park in &parks {
        lay_park(draft, grid, park);
    }
    for (&(i, j), &south_west) in &grid.spots {
        let corner = |di: i32, dj: i32| grid.spots.get(&(i + di, j + dj)).copied();
        let corners = (corner(1, 0), corner(1, 1), corner(0, 1));
        let (Some(se), Some(ne), Some(nw)) = corners else { continue };
        let wet = over_river(south_west, ne) || over_river(se, nw);
        let block = [south_west, se, ne, nw];
        let ringed = block.iter().any(|s| super::ring::crosses(*s, south_west).is_some());
        if wet || ringed || parks.iter().any(|p| p.covers((i, j))) {
            continue;
        }
        buildings(draft, block);
    }
}

fn river(draft: &mut Draft) {
    let steps: Vec<f64> = (-30..=30).map(|k| f64::from(k) * RADIUS_M / 30.0).collect();
    let bank = |x: f64, side: f64| Spot::new(x, river_y(x) + side * RIVER_HALF_M);
    let middle = steps.iter().map(|x| draft.node(bank(*x, 0.0))).collect();
    draft.way(middle, tags(&[("waterway", "river"), ("name", "Leam")]));
    let mut outline: Vec<Spot> = steps.iter().map(|x| bank(*x, -1.0)).collect();
    outline.extend(steps.iter().rev().map(|x| bank(*x, 1.0)));
    draft.area(&outline, tags(&[("natural", "water"), ("water", "river"), ("name", "Leam")]));
}

fn lay_park(draft: &mut Draft, grid: &Grid, park: &Park) {
    let ((i, j), (k, l)) = (park.from, park.to);
    let corners = [(i, j), (k, j), (k, l), (i, l)];
    let spots: Vec<Spot> = corners.iter().filter_map(|c| grid.spots.get(c).copied()).collect();
    if spots.len() < corners.len() {
        return;
    }
    let middle = spots[0].between(spots[2], 0.5);
    let outline: Vec<Spot> = spots.iter().map(|corner| corner.between(middle, 0.06)).collect();
    draft.area(&outline, tags(&[("leisure", "park"), ("name", "Green")]));
    if let (Some(from), Some(to)) = (grid.junctions.get(&(i, j)), grid.junctions.get(&(k, l))) {
        let path = vec![from.arm(0), draft.node(middle), to.arm(2)];
        draft.way(path, tags(&[("highway", "footway")]));
    }
}

/// Houses along the south and north sides of a block.
fn buildings(draft: &mut Draft, [south_west, south_east, north_east, north_west]: [Spot; 4]) {
    for (from, to, inward) in [(south_west, south_east, 1.0), (north_west, north_east, -1.0)] {
        let mut share = draft.chance.between(0.14, 0.2);
        while share < 0.8 {
            let width = draft.chance.between(0.06, 0.12);
            let depth = draft.chance.between(9.0, 16.0);
            let (a, b) = (from.between(to, share), from.between(to, share + width));
            let rise = |at: Spot, by: f64| Spot::new(at.x, at.y + inward * by);
            let outline =
                [rise(a, 14.0), rise(b, 14.0), rise(b, 14.0 + depth), rise(a, 14.0 + depth)];
            draft.area(&outline, tags(&[("building", "yes")]));
            share += width + draft.chance.between(0.03, 0.18);
        }
    }
}

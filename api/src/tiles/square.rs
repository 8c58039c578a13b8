//! A square of the web Mercator plane: its number, its corners in degrees, and what lies in it in
//! units of the tile.

use std::f64::consts::PI;

use ingest::units::Position;

/// Units along a side of a tile.
pub(super) const EXTENT: f64 = 4096.0;
/// How far beyond its sides a tile is drawn, units: the widest line is half of it.
pub(super) const BUFFER: f64 = 128.0;
/// Deepest tiles; browsers enlarge them further.
pub(super) const ZOOM_MAX: u8 = 14;
/// Where the square of the world ends, degrees north and south (EPSG:3857).
const LAT_MAX: f64 = 85.051_128_779_806_59;

/// Zoom, column from the west, row from the north.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Square {
    pub(super) z: u8,
    pub(super) x: u32,
    pub(super) y: u32,
}

impl Square {
    /// From the numbers of a path; `None` where there is no such tile.
    pub(super) fn parse(z: &str, x: &str, y: &str) -> Option<Self> {
        let (z, x, y) = (z.parse().ok()?, x.parse().ok()?, y.parse().ok()?);
        let (zoom, side) = (z <= ZOOM_MAX, 1_u32.checked_shl(u32::from(z)));
        side.filter(|side| zoom && x < *side && y < *side).map(|_| Self { z, x, y })
    }

    fn side(self) -> f64 {
        f64::from(1_u32 << self.z)
    }

    /// South-west and north-east corner of the square with its buffer.
    pub(super) fn corners(self) -> (Position, Position) {
        let (margin, side) = (BUFFER / EXTENT, self.side());
        let (x, y) = (f64::from(self.x), f64::from(self.y));
        let at = |x: f64, y: f64| {
            let lng = (x / side * 360.0 - 180.0).clamp(-180.0, 180.0);
            let lat = (PI * (1.0 - 2.0 * y / side)).sinh().atan().to_degrees();
            Position { lng, lat }
        };
        (at(x - margin, y + 1.0 + margin), at(x + 1.0 + margin, y - margin))
    }

    /// Where a place lies, units from the north-west corner.
    pub(super) fn place(self, at: Position) -> (f64, f64) {
        let lat = at.lat.clamp(-LAT_MAX, LAT_MAX).to_radians();
        let (side, x) = (self.side(), (at.lng + 180.0) / 360.0);
        let y = 0.5 - lat.tan().asinh() / (2.0 * PI);
        ((x * side - f64::from(self.x)) * EXTENT, (y * side - f64::from(self.y)) * EXTENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tiles_of_the_world_to_zoom_14_exist() {
        assert!(Square::parse("0", "0", "0").is_some());
        assert!(Square::parse("14", "16383", "16383").is_some());
        let none = [("15", "0", "0"), ("0", "1", "0"), ("3", "0", "8"), ("-1", "0", "0")];
        let odd = [("255", "0", "0"), ("1", "", "0"), ("1", "4294967296", "0"), ("x", "0", "0")];
        for (z, x, y) in none.into_iter().chain(odd) {
            assert_eq!(Square::parse(z, x, y), None, "{z}/{x}/{y}");
        }
    }

    #[test]
    fn corners_lie_at_the_buffer() {
        let square = Square { z: 14, x: 7800, y: 6120 };
        let (south_west, north_east) = square.corners();
        let near = |found: (f64, f64), x: f64, y: f64| {
            assert!((found.0 - x).abs() < 1e-3 && (found.1 - y).abs() < 1e-3, "{found:?}");
        };
        near(square.place(south_west), -BUFFER, EXTENT + BUFFER);
        near(square.place(north_east), EXTENT + BUFFER, -BUFFER);
    }
}

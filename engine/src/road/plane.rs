//! Local planar metres: the one pair of functions between degrees and metres.
//!
//! An equirectangular projection around a place: exact enough within some tens of kilometres
//! (0.01 % of a distance at 10 km), and two multiplications. Lengths of edges, distances to
//! edges and the router's bound all use it, so they never disagree.

use ingest::units::Position;

/// Mean radius of the earth, metres (IUGG 1980, R1).
pub const EARTH_M: f64 = 6_371_008.8;

/// Metres in a degree of latitude.
pub const METRES_PER_DEGREE: f64 = EARTH_M * std::f64::consts::PI / 180.0;

/// A plane that touches the earth at one place: x metres east, y metres north of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plane {
    origin: Position,
    east: f64,
}

impl Plane {
    /// The plane around `origin`.
    pub fn new(origin: Position) -> Self {
        let east = METRES_PER_DEGREE * libm::cos(origin.lat.to_radians()).max(1e-9);
        Self { origin, east }
    }

    /// Metres east and north of the origin; the shorter way round across the antimeridian.
    pub fn to_metres(&self, at: Position) -> (f64, f64) {
        let lng = shorter_way(at.lng - self.origin.lng);
        (lng * self.east, (at.lat - self.origin.lat) * METRES_PER_DEGREE)
    }

    /// As [`Plane::to_metres`], from 1e-7 degrees.
    pub(crate) fn e7_to_metres(&self, (lng, lat): (i32, i32)) -> (f64, f64) {
        let lng = shorter_way(f64::from(lng) * 1e-7 - self.origin.lng);
        (lng * self.east, (f64::from(lat) * 1e-7 - self.origin.lat) * METRES_PER_DEGREE)
    }

    /// The position `x` metres east and `y` metres north of the origin.
    pub fn to_position(&self, x: f64, y: f64) -> Position {
        let lng = shorter_way(self.origin.lng + x / self.east);
        Position { lng, lat: (self.origin.lat + y / METRES_PER_DEGREE).clamp(-90.0, 90.0) }
    }

    /// Where it touches.
    pub(crate) fn origin(&self) -> Position {
        self.origin
    }

    /// Metres in a degree of longitude here.
    pub fn metres_per_lng(&self) -> f64 {
        self.east
    }
}

/// Metres between two positions, on the plane of their middle latitude.
pub fn distance_m(a: Position, b: Position) -> f64 {
    let (x, y) = span(a, b);
    (x * x + y * y).sqrt()
}

/// Degrees clockwise from north of a step of `x` metres east and `y` metres north, 0 ≤ h < 360;
/// 0 for no step at all.
pub fn heading_deg(x: f64, y: f64) -> f64 {
    let degrees = libm::atan2(x, y).to_degrees();
    if degrees < 0.0 { (degrees + 360.0) % 360.0 } else { degrees }
}

/// Metres east and north from `a` to `b`, on the plane of their middle latitude.
pub fn span(a: Position, b: Position) -> (f64, f64) {
    let cos = libm::cos(f64::midpoint(a.lat, b.lat).to_radians());
    let lng = shorter_way(b.lng - a.lng);
    (lng * METRES_PER_DEGREE * cos, (b.lat - a.lat) * METRES_PER_DEGREE)
}

/// A difference of longitudes, or a longitude, brought into -180 to 180.
pub(crate) fn shorter_way(degrees: f64) -> f64 {
    if degrees > 180.0 {
        degrees - 360.0
    } else if degrees < -180.0 {
        degrees + 360.0
    } else {
        degrees
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lng: f64, lat: f64) -> Position {
        Position { lng, lat }
    }

    #[test]
    fn there_and_back_is_the_same_place() {
        let plane = Plane::new(at(-8.61, 41.15));
        let (x, y) = plane.to_metres(at(-8.60, 41.16));
        let back = plane.to_position(x, y);
        assert!((back.lng + 8.60).abs() < 1e-12 && (back.lat - 41.16).abs() < 1e-12);
    }

    #[test]
    fn a_degree_of_latitude_is_111_km() {
        assert!((distance_m(at(0.0, 0.0), at(0.0, 1.0)) - 111_195.08).abs() < 0.01);
        assert!((distance_m(at(0.0, 60.0), at(1.0, 60.0)) - 55_597.54).abs() < 0.01);
    }

    #[test]
    fn the_antimeridian_is_a_short_step() {
        assert!(distance_m(at(179.999, -17.0), at(-179.999, -17.0)) < 213.0);
        let plane = Plane::new(at(179.999, -17.0));
        assert!((plane.to_metres(at(-179.999, -17.0)).0 - 212.67).abs() < 0.1);
        assert!(plane.to_position(212.0, 0.0).lng < -179.9);
    }

    #[test]
    fn headings_turn_clockwise_from_north() {
        let cases =
            [((0.0, 1.0), 0.0), ((1.0, 0.0), 90.0), ((0.0, -1.0), 180.0), ((-1.0, 0.0), 270.0)];
        for ((x, y), expected) in cases {
            assert!((heading_deg(x, y) - expected).abs() < 1e-12);
        }
    }
}

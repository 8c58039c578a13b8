//! The earth as a ball: places, distances, bearings.

use datafusion::common::{Result, exec_err};

/// Mean radius R1 of the WGS84 ellipsoid, (2a + b) / 3, metres (Moritz, Geodetic Reference
/// System 1980, Journal of Geodesy 74, 2000).
pub(super) const RADIUS_M: f64 = 6_371_008.771_4;

/// A place on the earth, degrees; both finite, latitude -90 to 90, longitude -180 to 180.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) lng: f64,
    pub(super) lat: f64,
}

impl Place {
    /// Of latitude and longitude as they are given.
    pub(super) fn new(lat: f64, lng: f64) -> Result<Self> {
        if !(-90.0..=90.0).contains(&lat) {
            return exec_err!("latitude is `{lat}`, expected -90 to 90");
        }
        if !(-180.0..=180.0).contains(&lng) {
            return exec_err!("longitude is `{lng}`, expected -180 to 180");
        }
        Ok(Self { lng, lat })
    }

    /// Metres to another place along a great circle, by the haversine formula (Sinnott, Virtues
    /// of the Haversine, Sky and Telescope 68, 1984): at most 0.56 % from the ellipsoid's.
    pub(super) fn distance_m(self, to: Self) -> f64 {
        let (lat, to_lat) = (self.lat.to_radians(), to.lat.to_radians());
        let half_lat = ((to_lat - lat) / 2.0).sin();
        let half_lng = ((to.lng - self.lng).to_radians() / 2.0).sin();
        let h = half_lat * half_lat + lat.cos() * to_lat.cos() * half_lng * half_lng;
        2.0 * RADIUS_M * h.sqrt().min(1.0).asin()
    }

    /// In which direction one leaves for another place, degrees clockwise from true north,
    /// 0 ≤ b < 360; 0 for the same place.
    pub(super) fn bearing(self, to: Self) -> f64 {
        let (lat, to_lat) = (self.lat.to_radians(), to.lat.to_radians());
        let turn = (to.lng - self.lng).to_radians();
        let east = turn.sin() * to_lat.cos();
        let north = lat.cos() * to_lat.sin() - lat.sin() * to_lat.cos() * turn.cos();
        let degrees = east.atan2(north).to_degrees().rem_euclid(360.0);
        // A hair west of north rounds to the full turn.
        if degrees >= 360.0 { 0.0 } else { degrees }
    }
}

//! Numbers with units. Built once, at the border; from there on a value is right.

use thiserror::Error;

/// A value outside of what its unit allows.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("{what} `{value}` is outside {least} to {most}")]
pub struct OutOfRange {
    /// Which quantity, in the glossary's words.
    pub what: &'static str,
    /// The offending value, in the unit's own scale.
    pub value: f64,
    /// Smallest allowed value.
    pub least: f64,
    /// Largest allowed value.
    pub most: f64,
}

pub(crate) fn within(
    what: &'static str,
    value: f64,
    least: f64,
    most: f64,
) -> Result<f64, OutOfRange> {
    if value >= least && value <= most {
        Ok(value)
    } else {
        Err(OutOfRange { what, value, least, most })
    }
}

/// The nearest whole number, ties to even, of values up to 2^51: beyond 2^52 a double has no room
/// for parts of one. Not all processors have an instruction for it, and a call costs more.
fn nearest_whole(value: f64) -> f64 {
    const BEYOND: f64 = 6_755_399_441_055_744.0;
    (value + BEYOND) - BEYOND
}

/// A place on WGS-84, degrees, kept to 1e-7 degrees (about 1 cm) as the log stores it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Longitude, -180 to 180.
    pub lng: f64,
    /// Latitude, -90 to 90.
    pub lat: f64,
}

impl Position {
    /// Checks the ranges and rounds to 1e-7 degrees.
    pub fn new(lng: f64, lat: f64) -> Result<Self, OutOfRange> {
        let lng = within("longitude", lng, -180.0, 180.0)?;
        let lat = within("latitude", lat, -90.0, 90.0)?;
        Ok(Self::from_e7(nearest_whole(lng * 1e7) as i32, nearest_whole(lat * 1e7) as i32))
    }

    /// From the log's own integers, 1e-7 degrees; values beyond the ranges are clamped.
    #[inline]
    pub fn from_e7(lng: i32, lat: i32) -> Self {
        let lng = f64::from(lng.clamp(-1_800_000_000, 1_800_000_000)) / 1e7;
        Self { lng, lat: f64::from(lat.clamp(-900_000_000, 900_000_000)) / 1e7 }
    }

    /// As the log stores it: (lng, lat) in 1e-7 degrees.
    pub fn to_e7(self) -> (i32, i32) {
        (nearest_whole(self.lng * 1e7) as i32, nearest_whole(self.lat * 1e7) as i32)
    }
}

/// Speed over ground, metres per second. Finite, 0 to 447 (869 knots), kept to 1 mm/s.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct MetresPerSecond(f64);

impl MetresPerSecond {
    /// Largest accepted speed: 869 knots, beyond which no vehicle's receiver is right.
    pub const MAX: f64 = 447.1;

    /// Checks the range.
    pub fn new(value: f64) -> Result<Self, OutOfRange> {
        within("speed", value, 0.0, Self::MAX).map(|v| Self(nearest_whole(v * 1e3) / 1e3 + 0.0))
    }
    /// From international knots (1,852 m an hour).
    pub fn from_knots(knots: f64) -> Result<Self, OutOfRange> {
        Self::new(knots * 1852.0 / 3600.0)
    }
    /// From kilometres an hour.
    pub fn from_kmh(kmh: f64) -> Result<Self, OutOfRange> {
        Self::new(kmh / 3.6)
    }
    /// Metres per second.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Degrees clockwise from true north, 0 ≤ h < 360, kept to 0.01.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Heading(f64);

impl Heading {
    /// 0 to 360; 360 becomes 0.
    pub fn new(degrees: f64) -> Result<Self, OutOfRange> {
        let degrees = within("heading", degrees, 0.0, 360.0)?;
        let degrees = nearest_whole(degrees * 100.0) / 100.0;
        Ok(Self(if degrees >= 360.0 { 0.0 } else { degrees }))
    }
    /// Degrees.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// A length, metres. Finite; may be negative (altitude), kept to 1 cm.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Metres(f64);

impl Metres {
    /// Any finite length within ± 20,000 km.
    pub fn new(value: f64) -> Result<Self, OutOfRange> {
        // Adding zero makes of -0 the 0 that a protocol's integers carry.
        within("metres", value, -2e7, 2e7).map(|v| Self(nearest_whole(v * 100.0) / 100.0 + 0.0))
    }
    /// An altitude: -12,262 (below the deepest trench) to 18,000.
    pub fn altitude(value: f64) -> Result<Self, OutOfRange> {
        within("altitude", value, -12_262.0, 18_000.0).and_then(Self::new)
    }
    /// Metres.
    pub fn get(self) -> f64 {
        self.0
    }
}

//! Points of a track as bytes: 40 each, little endian, absent values as the type's extreme.

use engine::model::PositionOutput;
use ingest::units::{Heading, MetresPerSecond, Position};

/// Bytes of one point.
const POINT_BYTES: usize = 40;

/// One fix of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The vehicle's own number of it.
    pub seq: u64,
    /// When, microseconds.
    pub time_us: i64,
    /// Where, 1e-7 degrees: lng, lat.
    pub at: (i32, i32),
    /// On the road, 1e-7 degrees.
    pub matched: Option<(i32, i32)>,
    /// Millimetres a second.
    pub speed: Option<u32>,
    /// Hundredths of a degree.
    pub heading: Option<u16>,
    /// It came late or from a source that is not followed.
    pub backfill: bool,
    /// The receiver itself trusts it.
    pub valid: bool,
}

impl Point {
    /// The point of an output; `None` where it has no position.
    pub(super) fn new(seq: u64, output: &PositionOutput) -> Option<Self> {
        let fix = output.input.report.fix.as_ref()?;
        Some(Self {
            seq,
            time_us: output.input.time.micros(),
            at: fix.position.to_e7(),
            matched: output.matched.map(|m| m.position.to_e7()),
            speed: fix.speed.map(MetresPerSecond::get).map(|v| (v * 1e3).round() as u32),
            heading: fix.heading.map(Heading::get).map(|v| (v * 100.0).round() as u16),
            backfill: output.backfill,
            valid: fix.valid,
        })
    }

    /// Where, in degrees.
    pub fn position(&self) -> Position {
        Position::from_e7(self.at.0, self.at.1)
    }

    /// On the road, in degrees.
    pub fn matched(&self) -> Option<Position> {
        self.matched.map(|(lng, lat)| Position::from_e7(lng, lat))
    }
}

pub(super) fn encode(points: &[Point]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(points.len() * POINT_BYTES);
    for point in points {
        let matched = point.matched.unwrap_or((i32::MIN, i32::MIN));
        bytes.extend_from_slice(&point.seq.to_le_bytes());
        bytes.extend_from_slice(&point.time_us.to_le_bytes());
        for value in [point.at.0, point.at.1, matched.0, matched.1] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(&point.speed.unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&point.heading.unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend_from_slice(&[u8::from(point.backfill), u8::from(point.valid)]);
    }
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> impl Iterator<Item = Point> {
    bytes.as_chunks::<POINT_BYTES>().0.iter().map(|b| {
        let i32_at = |at: usize| i32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]);
        let i64_at = |at: usize| i64::from(i32_at(at) as u32) | (i64::from(i32_at(at + 4)) << 32);
        let matched = (i32_at(24), i32_at(28));
        let speed = i32_at(32) as u32;
        let heading = u16::from_le_bytes([b[36], b[37]]);
        Point {
            seq: i64_at(0) as u64,
            time_us: i64_at(8),
            at: (i32_at(16), i32_at(20)),
            matched: (matched.0 != i32::MIN).then_some(matched),
            speed: (speed != u32::MAX).then_some(speed),
            heading: (heading != u16::MAX).then_some(heading),
            backfill: b[38] != 0,
            valid: b[39] != 0,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_as_written() {
        let full = Point {
            seq: 1 << 40,
            time_us: 1_795_161_600_123_456,
            at: (-86_109_990, 411_496_100),
            matched: Some((-86_109_970, 411_496_300)),
            speed: Some(8_400),
            heading: Some(9_100),
            backfill: true,
            valid: false,
        };
        let bare = Point { matched: None, speed: None, heading: None, time_us: -5, ..full.clone() };
        let points = vec![full, bare];
        assert_eq!(decode(&encode(&points)).collect::<Vec<_>>(), points);
    }
}

//! What a receiver measured. The one place that checks ranges: no function deeper in does.

use crate::PACKET;
use crate::attribute::Attributes;
use crate::id::DeviceId;
use crate::time::Timestamp;
use crate::units::{Heading, Metres, MetresPerSecond, OutOfRange, Position};

/// One position report from a receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Fix {
    /// Where.
    pub position: Position,
    /// Whether the receiver itself trusts it (GPS fix present).
    pub valid: bool,
    /// Speed over ground; absent when not reported.
    pub speed: Option<MetresPerSecond>,
    /// Direction of travel; absent when not reported.
    pub heading: Option<Heading>,
    /// Above mean sea level as the receiver says; absent when not reported.
    pub altitude: Option<Metres>,
    /// Radius that holds the truth about two times in three; absent when not reported.
    pub accuracy: Option<Metres>,
}

/// Plain numbers as a decoder has them, in our units, not yet checked.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    /// Degrees.
    pub lng: f64,
    /// Degrees.
    pub lat: f64,
    /// The receiver's own judgement.
    pub valid: bool,
    /// Metres per second.
    pub speed: Option<f64>,
    /// Degrees from true north, 0 to 360.
    pub heading: Option<f64>,
    /// Metres.
    pub altitude: Option<f64>,
    /// Metres.
    pub accuracy: Option<f64>,
}

impl Fix {
    /// Checks every range once. A position out of range is an error; a speed, heading, altitude
    /// or accuracy out of range makes that value absent, since the place is still of use.
    #[inline(always)]
    pub fn new(m: Measured) -> Result<Self, OutOfRange> {
        tracing::trace!(target: PACKET, "check");
        Ok(Self {
            position: Position::new(m.lng, m.lat)?,
            valid: m.valid,
            speed: m.speed.and_then(|v| MetresPerSecond::new(v).ok()),
            heading: m.heading.and_then(|v| Heading::new(v).ok()),
            altitude: m.altitude.and_then(|v| Metres::altitude(v).ok()),
            accuracy: m.accuracy.filter(|v| *v >= 0.0).and_then(|v| Metres::new(v).ok()),
        })
    }
}

/// One record of a device: a fix, or a sign of life without one.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Who says it.
    pub device: DeviceId,
    /// The device's own time, as it sent it (a missing date completed from the receive time).
    /// Absent where the record has none at all.
    pub time: Option<Timestamp>,
    /// Where it was; absent for heartbeats, command answers and the like.
    pub fix: Option<Fix>,
    /// Whatever else came along.
    pub attributes: Attributes,
    /// Whether the frame's own checksum held; absent where the protocol has none.
    pub checksum_ok: Option<bool>,
}

impl Report {
    /// A report of `device` with nothing in it yet.
    pub fn of(device: DeviceId) -> Self {
        Self { device, time: None, fix: None, attributes: Attributes::default(), checksum_ok: None }
    }
}

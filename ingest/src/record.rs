//! The bytes of the log: the envelope around every record, and the fix and report inside it.
//!
//! Protocol Buffers, fields only ever added (numbers are never used again), so that versions N
//! and N-1 read each other. `ingest` owns kinds 1 and 2 and the device record; `engine` owns the
//! payloads of the others.

use std::fmt;

use bytes::Bytes;
use prost::Message;
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

use crate::attribute::{Attributes, Key, Name, Value};
use crate::fix::{Fix, Measured, Report};
use crate::id::{DeviceId, TenantId, VehicleId};
use crate::log::Topic;
use crate::network::Network;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::units::Position;

mod heard;
mod order;
mod wire;

pub use heard::Heard;
pub use order::{ORDER_S_MAX, Order, OrderResult};
pub use wire::{WireAttributes, WireFix, WireReport};

/// What an envelope holds. Numbers are on the log for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Kind {
    /// Input: a record with a position.
    Fix = 1,
    /// Input: a record without one (heartbeat, command answer, conflict of sessions).
    Report = 2,
    /// Input: a whole route.
    Plan = 3,
    /// Input: what a person did (arrived, completed, activated, accepted…).
    Action = 4,
    /// Input: which vehicle a device belongs to from now on.
    Assignment = 5,
    /// Input: the owner's sign that time has passed.
    Tick = 6,
    /// Input: what steps read besides their vehicle changes here.
    World = 7,
    /// Output: each fix with its match as known at once.
    Position = 32,
    /// Output: edges the matcher has committed to.
    Path = 33,
    /// Output: predicted arrivals that moved.
    Eta = 34,
    /// Output: something happened.
    Event = 35,
    /// State: a vehicle's view and private state.
    State = 48,
    /// State: a partition's marker.
    Marker = 49,
    /// A device and whom it belongs to.
    Device = 64,
    /// Undecodable bytes with the reason.
    DeadLetter = 65,
    /// A part of a world, by content.
    WorldPart = 66,
    /// A part of a world, by content: slow and closed edges of a map.
    Traffic = 67,
    /// Roads that a person closed, opens, or opened again.
    Closure = 68,
    /// What a device is to be told.
    Order = 69,
    /// What came of that.
    OrderResult = 70,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::Fix,
        Self::Report,
        Self::Plan,
        Self::Action,
        Self::Assignment,
        Self::Tick,
        Self::World,
        Self::Position,
        Self::Path,
        Self::Eta,
        Self::Event,
        Self::State,
        Self::Marker,
        Self::Device,
        Self::DeadLetter,
        Self::WorldPart,
        Self::Traffic,
        Self::Closure,
        Self::Order,
        Self::OrderResult,
    ];
    /// The kind of a stored number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|k| *k as u32 == number)
    }
    /// As JSON and the header `kind` spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fix => "fix",
            Self::Report => "report",
            Self::Plan => "plan",
            Self::Action => "action",
            Self::Assignment => "assignment",
            Self::Tick => "tick",
            Self::World => "world",
            Self::Position => "position",
            Self::Path => "path",
            Self::Eta => "eta",
            Self::Event => "event",
            Self::State => "state",
            Self::Marker => "marker",
            Self::Device => "device",
            Self::DeadLetter => "dead_letter",
            Self::WorldPart => "world_part",
            Self::Traffic => "traffic",
            Self::Closure => "closure",
            Self::Order => "order",
            Self::OrderResult => "order_result",
        }
    }
}

/// Identity of an input, made of its content: 128 bits, 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u128);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Pid {
    /// The identity of anything that has parts: tenant, path and key or version of what a person
    /// did. Parts are length-prefixed, so `["ab","c"]` is not `["a","bc"]`.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hash = Xxh3::new();
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.digest128())
    }
}

/// The identity of a record of a device: tenant, device, the device's own time, position,
/// validity, speed, heading and altitude as stored integers, and the attributes that the
/// registry marks `identity`. Not the frame, a resend flag or the receive time, which change
/// when a device sends again. A record without any time uses `received_at`.
pub fn pid(tenant: &TenantId, report: &Report, received_at: Timestamp) -> Pid {
    let mut hash = Xxh3::new();
    let mut text = |part: &[u8]| {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    text(tenant.as_str().as_bytes());
    text(report.device.as_str().as_bytes());
    let mut number = |value: i64| hash.update(&value.to_le_bytes());
    number(report.time.unwrap_or(received_at).micros());
    if let Some(fix) = &report.fix {
        let fix = WireFix::from(fix);
        number(i64::from(fix.lng_e7));
        number(i64::from(fix.lat_e7));
        number(i64::from(fix.valid));
        number(fix.speed_mm_s.map_or(-1, i64::from));
        number(fix.heading_cdeg.map_or(-1, i64::from));
        number(fix.altitude_cm.map_or(i64::MIN, i64::from));
    }
    for (key, value) in report.attributes.iter() {
        if crate::attribute::is_identity(&key) {
            hash.update(key.to_string().as_bytes());
            hash.update(&wire::value_bytes(&value));
        }
    }
    Pid(hash.digest128())
}

/// What every stored record has in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// What the payload is.
    pub kind: Kind,
    /// Identity of an input; of the fix for a `position` output; absent for ticks and the like.
    pub pid: Option<Pid>,
    /// When the gateway or the api took it; drives the partition's time. The epoch where a kind
    /// has none.
    pub received_at: Timestamp,
    /// Outputs: the vehicle's own number without gaps. 0 elsewhere.
    pub seq: u64,
    /// Who caused it, where a person did: their id, never their name.
    pub by: Option<String>,
    /// The bytes of the kind.
    pub payload: Bytes,
}

/// Bytes that are no record of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadRecord {
    /// Not Protocol Buffers, or a field of the wrong type.
    #[error("record is not decodable: {0}")]
    Bytes(String),
    /// A kind from a newer version.
    #[error("record kind `{0}` is unknown to this version")]
    UnknownKind(u32),
    /// A value outside of its range.
    #[error("record holds a wrong value: {0}")]
    Value(String),
}

impl From<prost::DecodeError> for BadRecord {
    fn from(e: prost::DecodeError) -> Self {
        Self::Bytes(e.to_string())
    }
}

impl Envelope {
    /// As stored.
    pub fn encode(&self) -> Bytes {
        wire::WireEnvelope {
            kind: self.kind as u32,
            pid: self.pid.map(|p| Bytes::copy_from_slice(&p.0.to_be_bytes())),
            received_at_us: self.received_at.micros(),
            seq: self.seq,
            by: self.by.clone(),
            payload: self.payload.clone(),
        }
        .encode_to_vec()
        .into()
    }
    /// Reads what [`Envelope::encode`] wrote. The payload shares the memory of `bytes`.
    pub fn decode(bytes: Bytes) -> Result<Self, BadRecord> {
        let wire = wire::WireEnvelope::decode(bytes)?;
        let pid = match wire.pid {
            None => None,
            Some(b) => Some(Pid(u128::from_be_bytes(
                b.as_ref().try_into().map_err(|e| BadRecord::Value(format!("pid: {e}")))?,
            ))),
        };
        Ok(Self {
            kind: Kind::from_number(wire.kind).ok_or(BadRecord::UnknownKind(wire.kind))?,
            pid,
            received_at: Timestamp::from_micros(wire.received_at_us),
            seq: wire.seq,
            by: wire.by,
            payload: wire.payload,
        })
    }
}

/// A fix or report as an input: what the device said, who took it, when.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceInput {
    /// Identity.
    pub pid: Pid,
    /// When the gateway read it.
    pub received_at: Timestamp,
    /// Protocol it came by.
    pub protocol: String,
    /// The time that counts: the device's own, or `received_at` where that is missing or more
    /// than [`AHEAD_MAX_S`] ahead of it.
    pub time: Timestamp,
    /// What the device said; its `time` is the device's own.
    pub report: Report,
}

/// A device's time further ahead of the receive time than this, seconds, is not believed.
pub const AHEAD_MAX_S: f64 = 60.0;

impl DeviceInput {
    /// Settles the time and makes the identity.
    pub fn new(tenant: &TenantId, protocol: &str, report: Report, received_at: Timestamp) -> Self {
        let Heard { pid, time, .. } = Heard::new(tenant, protocol, &report, received_at);
        Self { pid, received_at, protocol: protocol.to_owned(), time, report }
    }

    /// `Fix` where it has a position, else `Report`.
    pub fn kind(&self) -> Kind {
        Heard::from(self).kind()
    }

    /// As an envelope for `inputs`.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            kind: self.kind(),
            pid: Some(self.pid),
            received_at: self.received_at,
            seq: 0,
            by: None,
            payload: self.payload(),
        }
    }

    /// The payload alone; a `position` output carries it whole.
    pub fn payload(&self) -> Bytes {
        Heard::from(self).payload()
    }

    /// Reads an envelope of kind `Fix` or `Report`.
    pub fn from_envelope(envelope: &Envelope) -> Result<Self, BadRecord> {
        let pid = envelope.pid.ok_or_else(|| BadRecord::Value("pid is missing".into()))?;
        Self::from_payload(pid, envelope.received_at, envelope.payload.clone())
    }

    /// Reads a payload written by [`DeviceInput::payload`].
    pub fn from_payload(pid: Pid, received_at: Timestamp, bytes: Bytes) -> Result<Self, BadRecord> {
        WireReport::decode(bytes)?.into_input(pid, received_at)
    }
}

/// The attribute by which a `report` says that two connections claim one device; its value is the
/// address that was refused.
pub const CONFLICT: &str = "device_conflict";

/// A device and whom it belongs to: the value of topic `devices`.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceRecord {
    /// Whose.
    pub tenant: TenantId,
    /// Protocols it may speak; empty: any.
    pub protocols: Vec<String>,
    /// Its vehicles over time, oldest first, at most [`ASSIGNMENTS_MAX`]; `None`: to no vehicle.
    pub assignments: Vec<(Timestamp, Option<VehicleId>)>,
    /// Networks it may speak from, at most [`NETWORKS_MAX`]; empty: any.
    pub networks: Vec<Network>,
    /// What it has to show; then it speaks only protocols that can show it.
    pub secret: Option<Secret>,
}

/// Networks of a device.
pub const NETWORKS_MAX: usize = 16;

/// Assignments remembered with a device; older ones only matter to resends older than them all.
pub const ASSIGNMENTS_MAX: usize = 16;

impl DeviceRecord {
    /// The vehicle a record of this time belongs to. By the record's own time, so that a resend
    /// after a reassignment goes where the original went.
    pub fn vehicle_at(&self, time: Timestamp) -> Option<&VehicleId> {
        let later = self.assignments.iter().rev().find(|(from, _)| *from <= time);
        later.or(self.assignments.first()).and_then(|(_, v)| v.as_ref())
    }
    /// As an envelope for `devices`.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            kind: Kind::Device,
            pid: None,
            received_at: Timestamp::default(),
            seq: 0,
            by: None,
            payload: wire::WireDevice::from(self).encode_to_vec().into(),
        }
    }
    /// Reads an envelope of kind `Device`.
    pub fn from_envelope(envelope: &Envelope) -> Result<Self, BadRecord> {
        wire::WireDevice::decode(envelope.payload.clone())?.into_record()
    }
}

/// What could not be understood, with the reason: the value of `dead-letters`.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Why, in words.
    pub reason: String,
    /// Where it came from: a protocol, or `inputs/3@812`.
    pub source: String,
    /// The original bytes.
    pub bytes: Bytes,
}

impl DeadLetter {
    /// As an envelope for `dead-letters`.
    pub fn envelope(&self, at: Timestamp) -> Envelope {
        let wire = wire::WireDeadLetter {
            reason: self.reason.clone(),
            source: self.source.clone(),
            bytes: self.bytes.clone(),
        };
        Envelope {
            kind: Kind::DeadLetter,
            pid: None,
            received_at: at,
            seq: 0,
            by: None,
            payload: wire.encode_to_vec().into(),
        }
    }
    /// Reads an envelope of kind `DeadLetter`.
    pub fn from_envelope(envelope: &Envelope) -> Result<Self, BadRecord> {
        let wire = wire::WireDeadLetter::decode(envelope.payload.clone())?;
        Ok(Self { reason: wire.reason, source: wire.source, bytes: wire.bytes })
    }
}

impl Envelope {
    /// A new log record of this envelope, with the header `kind`.
    pub fn into_record(&self, topic: Topic, key: Bytes) -> crate::log::NewRecord {
        crate::log::NewRecord {
            topic,
            partition: None,
            key,
            value: Some(self.encode()),
            headers: vec![("kind", Bytes::from_static(self.kind.name().as_bytes()))],
        }
    }
}

#[cfg(test)]
mod tests;

//! The messages as Protocol Buffers lay them out. Private to `record` but for the fix, which
//! `engine` carries inside its `position` output.

use bytes::Bytes;
use prost::{Message, Oneof};

use super::{Attributes, BadRecord, DeviceInput, DeviceRecord, Fix, Key, Measured, Name, Pid};
pub(super) mod put;

use super::{DeviceId, Network, Position, Report, Secret, TenantId, Timestamp, Value, VehicleId};

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireEnvelope {
    #[prost(uint32, tag = "1")]
    pub(super) kind: u32,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(super) pid: Option<Bytes>,
    #[prost(sfixed64, tag = "3")]
    pub(super) received_at_us: i64,
    #[prost(uint64, tag = "4")]
    pub(super) seq: u64,
    #[prost(string, optional, tag = "5")]
    pub(super) by: Option<String>,
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) payload: Bytes,
}

/// A fix as stored: integers only.
#[derive(Clone, PartialEq, Message)]
pub struct WireFix {
    /// Longitude, 1e-7 degrees.
    #[prost(sint32, tag = "1")]
    pub lng_e7: i32,
    /// Latitude, 1e-7 degrees.
    #[prost(sint32, tag = "2")]
    pub lat_e7: i32,
    /// The receiver's own judgement.
    #[prost(bool, tag = "3")]
    pub valid: bool,
    /// Millimetres a second.
    #[prost(uint32, optional, tag = "4")]
    pub speed_mm_s: Option<u32>,
    /// Hundredths of a degree.
    #[prost(uint32, optional, tag = "5")]
    pub heading_cdeg: Option<u32>,
    /// Centimetres.
    #[prost(sint32, optional, tag = "6")]
    pub altitude_cm: Option<i32>,
    /// Centimetres.
    #[prost(uint32, optional, tag = "7")]
    pub accuracy_cm: Option<u32>,
}

impl From<&Fix> for WireFix {
    fn from(fix: &Fix) -> Self {
        let scaled = |v: f64, by: f64| (v * by).round_ties_even();
        let (lng_e7, lat_e7) = fix.position.to_e7();
        Self {
            lng_e7,
            lat_e7,
            valid: fix.valid,
            speed_mm_s: fix.speed.map(|v| scaled(v.get(), 1e3) as u32),
            heading_cdeg: fix.heading.map(|v| scaled(v.get(), 100.0) as u32),
            altitude_cm: fix.altitude.map(|v| scaled(v.get(), 100.0) as i32),
            accuracy_cm: fix.accuracy.map(|v| scaled(v.get(), 100.0) as u32),
        }
    }
}

impl TryFrom<&WireFix> for Fix {
    type Error = BadRecord;
    fn try_from(wire: &WireFix) -> Result<Self, BadRecord> {
        let place = Position::from_e7(wire.lng_e7, wire.lat_e7);
        Self::new(Measured {
            lng: place.lng,
            lat: place.lat,
            valid: wire.valid,
            speed: wire.speed_mm_s.map(|v| f64::from(v) / 1e3),
            heading: wire.heading_cdeg.map(|v| f64::from(v) / 100.0),
            altitude: wire.altitude_cm.map(|v| f64::from(v) / 100.0),
            accuracy: wire.accuracy_cm.map(|v| f64::from(v) / 100.0),
        })
        .map_err(|e| BadRecord::Value(e.to_string()))
    }
}

#[derive(Clone, PartialEq, Oneof)]
enum WireKey {
    #[prost(string, tag = "1")]
    Known(String),
    #[prost(uint32, tag = "2")]
    Io(u32),
    #[prost(string, tag = "3")]
    Other(String),
}

#[derive(Clone, PartialEq, Oneof)]
enum WireValue {
    #[prost(bool, tag = "5")]
    Bool(bool),
    #[prost(sint64, tag = "6")]
    Int(i64),
    #[prost(double, tag = "7")]
    Float(f64),
    #[prost(string, tag = "8")]
    Text(String),
}

#[derive(Clone, PartialEq, Message)]
struct WireAttribute {
    #[prost(oneof = "WireKey", tags = "1, 2, 3")]
    key: Option<WireKey>,
    /// Number of a numbered known key; 0 where not numbered.
    #[prost(uint32, tag = "4")]
    number: u32,
    #[prost(oneof = "WireValue", tags = "5, 6, 7, 8")]
    value: Option<WireValue>,
}

/// A device's record as stored: kinds `fix` and `report`.
#[derive(Clone, PartialEq, Message)]
pub struct WireReport {
    #[prost(string, tag = "1")]
    device: String,
    #[prost(string, tag = "2")]
    protocol: String,
    /// The time that counts.
    #[prost(sfixed64, tag = "3")]
    time_us: i64,
    /// Present where it differs from `time_us`.
    #[prost(sfixed64, optional, tag = "4")]
    device_time_us: Option<i64>,
    /// The device gave no time at all.
    #[prost(bool, tag = "5")]
    no_time: bool,
    #[prost(message, optional, tag = "6")]
    fix: Option<WireFix>,
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<WireAttribute>,
    #[prost(bool, optional, tag = "8")]
    checksum_ok: Option<bool>,
}

impl WireReport {
    pub(super) fn into_input(
        self,
        pid: Pid,
        received_at: Timestamp,
    ) -> Result<DeviceInput, BadRecord> {
        let time = Timestamp::from_micros(self.time_us);
        let device_time = self.device_time_us.map_or(time, Timestamp::from_micros);
        let report = Report {
            device: DeviceId::new(&self.device).map_err(|e| BadRecord::Value(e.to_string()))?,
            time: (!self.no_time).then_some(device_time),
            fix: self.fix.as_ref().map(Fix::try_from).transpose()?,
            attributes: attributes_from_wire(self.attributes)?,
            checksum_ok: self.checksum_ok,
        };
        Ok(DeviceInput { pid, received_at, protocol: self.protocol, time, report })
    }
}

fn attribute_from_wire(wire: WireAttribute) -> Result<(Key<'static>, Value<'static>), BadRecord> {
    let key = match wire.key {
        // A name that a newer registry knows and this one does not is kept as it is spelled.
        Some(WireKey::Known(name)) => match Name::of(&name) {
            Some(name) => Key::Known(name, u16::try_from(wire.number).unwrap_or(u16::MAX)),
            None if wire.number == 0 => Key::Other(name.into()),
            None => Key::Other(format!("{name}{}", wire.number).into()),
        },
        Some(WireKey::Io(n)) => Key::Io(n),
        Some(WireKey::Other(name)) => Key::Other(name.into()),
        None => return Err(BadRecord::Value("attribute without a key".into())),
    };
    let value = match wire.value {
        Some(WireValue::Bool(v)) => Value::Bool(v),
        Some(WireValue::Int(v)) => Value::Int(v),
        Some(WireValue::Float(v)) => Value::Float(v),
        Some(WireValue::Text(v)) => Value::Text(v.into()),
        None => return Err(BadRecord::Value(format!("attribute `{key}` without a value"))),
    };
    Ok((key, value))
}

/// Attributes alone, as a report holds them.
#[derive(Clone, PartialEq, Message)]
pub struct WireAttributes {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<WireAttribute>,
}

impl From<&Attributes> for WireAttributes {
    fn from(attributes: &Attributes) -> Self {
        Self { attributes: attributes.iter().map(attribute_to_wire).collect() }
    }
}

impl TryFrom<WireAttributes> for Attributes {
    type Error = BadRecord;

    fn try_from(wire: WireAttributes) -> Result<Self, BadRecord> {
        attributes_from_wire(wire.attributes)
    }
}

fn attribute_to_wire((key, value): (Key<'_>, Value<'_>)) -> WireAttribute {
    let (key, number) = match key {
        Key::Known(name, number) => (WireKey::Known(name.as_str().to_owned()), number.into()),
        Key::Io(n) => (WireKey::Io(n), 0),
        Key::Other(name) => (WireKey::Other(name.into_owned()), 0),
    };
    let value = match value {
        Value::Bool(v) => WireValue::Bool(v),
        Value::Int(v) => WireValue::Int(v),
        Value::Float(v) => WireValue::Float(v),
        Value::Text(v) => WireValue::Text(v.into_owned()),
    };
    WireAttribute { key: Some(key), number, value: Some(value) }
}

fn attributes_from_wire(wire: Vec<WireAttribute>) -> Result<Attributes, BadRecord> {
    let mut attributes = Attributes::default();
    for attribute in wire {
        let (key, value) = attribute_from_wire(attribute)?;
        attributes.set(key, value);
    }
    Ok(attributes)
}

/// The bytes of a value that enter a pid: tag and content.
pub(super) fn value_bytes(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    put::attribute(&mut out, &Key::Io(0), value);
    out
}

#[derive(Clone, PartialEq, Message)]
struct WireAssignment {
    #[prost(sfixed64, tag = "1")]
    from_us: i64,
    /// Empty: to no vehicle.
    #[prost(string, tag = "2")]
    vehicle: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireDevice {
    #[prost(string, tag = "1")]
    tenant: String,
    #[prost(string, repeated, tag = "2")]
    protocols: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    assignments: Vec<WireAssignment>,
    #[prost(string, repeated, tag = "4")]
    networks: Vec<String>,
    /// Salt and hash; empty: none.
    #[prost(bytes = "vec", tag = "5")]
    secret: Vec<u8>,
}

impl From<&DeviceRecord> for WireDevice {
    fn from(record: &DeviceRecord) -> Self {
        let assignment = |(from, vehicle): &(Timestamp, Option<VehicleId>)| WireAssignment {
            from_us: from.micros(),
            vehicle: vehicle.as_ref().map(|v| v.as_str().to_owned()).unwrap_or_default(),
        };
        Self {
            tenant: record.tenant.as_str().to_owned(),
            protocols: record.protocols.clone(),
            assignments: record.assignments.iter().map(assignment).collect(),
            networks: record.networks.iter().map(ToString::to_string).collect(),
            secret: record.secret.map(|secret| secret.bytes()).unwrap_or_default(),
        }
    }
}

impl WireDevice {
    pub(super) fn into_record(self) -> Result<DeviceRecord, BadRecord> {
        let wrong = |e: crate::id::BadId| BadRecord::Value(e.to_string());
        let assignment = |a: WireAssignment| {
            let vehicle = match a.vehicle.as_str() {
                "" => None,
                id => Some(VehicleId::new(id).map_err(wrong)?),
            };
            Ok::<_, BadRecord>((Timestamp::from_micros(a.from_us), vehicle))
        };
        let network =
            |text: &String| Network::parse(text).map_err(|e| BadRecord::Value(e.to_string()));
        let secret =
            match self.secret.as_slice() {
                [] => None,
                bytes => Some(Secret::from_bytes(bytes).ok_or_else(|| {
                    BadRecord::Value(format!("secret of `{}` bytes", bytes.len()))
                })?),
            };
        Ok(DeviceRecord {
            tenant: TenantId::new(&self.tenant).map_err(wrong)?,
            protocols: self.protocols,
            assignments: self.assignments.into_iter().map(assignment).collect::<Result<_, _>>()?,
            networks: self.networks.iter().map(network).collect::<Result<_, _>>()?,
            secret,
        })
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireDeadLetter {
    #[prost(string, tag = "1")]
    pub(super) reason: String,
    #[prost(string, tag = "2")]
    pub(super) source: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) bytes: Bytes,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::record::Heard;

    impl From<&DeviceInput> for WireReport {
        fn from(input: &DeviceInput) -> Self {
            let report = &input.report;
            Self {
                device: report.device.as_str().to_owned(),
                protocol: input.protocol.clone(),
                time_us: input.time.micros(),
                device_time_us: report.time.filter(|t| *t != input.time).map(Timestamp::micros),
                no_time: report.time.is_none(),
                fix: report.fix.as_ref().map(WireFix::from),
                attributes: report.attributes.iter().map(attribute_to_wire).collect(),
                checksum_ok: report.checksum_ok,
            }
        }
    }

    fn value() -> impl Strategy<Value = Value<'static>> {
        prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter("finite", |v| v.is_finite()).prop_map(Value::Float),
            ".{0,300}".prop_map(Value::from),
        ]
    }

    fn key() -> impl Strategy<Value = Key<'static>> {
        prop_oneof![
            (prop::sample::select(vec!["event", "alarm", "power_volts"]), 0..3_u16)
                .prop_map(Key::from),
            any::<u32>().prop_map(Key::Io),
            "[a-z]{1,40}".prop_map(|name| Key::Other(name.into())),
        ]
    }

    fn measured() -> impl Strategy<Value = Measured> {
        let some = || prop::option::of(0.0..300.0_f64);
        let place = (-180.0..180.0_f64, -90.0..90.0_f64, any::<bool>());
        (place, some(), some(), prop::option::of(-500.0..5000.0_f64), some()).prop_map(
            |((lng, lat, valid), speed, heading, altitude, accuracy)| Measured {
                lng,
                lat,
                valid,
                speed,
                heading,
                altitude,
                accuracy,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_by_hand_is_what_is_derived(
            fix in prop::option::of(measured()),
            time in prop::option::of(-2_000_000_000_000_000..2_000_000_000_000_000_i64),
            received in 0..2_000_000_000_000_000_i64,
            attributes in prop::collection::vec((key(), value()), 0..12),
            checksum_ok: Option<bool>,
        ) {
            let mut report = Report::of(DeviceId::new("352093081452251").unwrap());
            report.fix = fix.and_then(|fix| Fix::new(fix).ok());
            report.time = time.map(Timestamp::from_micros);
            report.checksum_ok = checksum_ok;
            for (key, value) in attributes {
                report.attributes.set(key, value);
            }
            let tenant = TenantId::new("acme").unwrap();
            let received = Timestamp::from_micros(received);
            let input = DeviceInput::new(&tenant, "teltonika", report.clone(), received);
            prop_assert_eq!(&input.payload()[..], WireReport::from(&input).encode_to_vec());
            let record = Heard::new(&tenant, "teltonika", &report, received).record(Bytes::new());
            prop_assert_eq!(record.value.unwrap(), input.envelope().encode());
            for (_, value) in report.attributes.iter() {
                let derived = attribute_to_wire((Key::Io(0), value.clone())).encode_to_vec();
                prop_assert_eq!(value_bytes(&value), derived);
            }
        }
    }
}

//! An answer line, contract §4.

use bytes::Bytes;
use ingest::attribute::{Attributes, Value, to_traccar_of};
use ingest::fix::Report;
use ingest::protocol::DecodeError;
use ingest::units::{Heading, Metres, MetresPerSecond};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::vector::Vector;

/// What a vector's message was taken for.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    id: serde_json::Value,
    order: serde_json::Value,
    #[serde(flatten)]
    body: Body,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Body {
    Frame { frame_hex: Option<String> },
    Message { reports: Vec<Shown>, replies: Vec<String>, error: Option<String> },
}

/// A report as JSON; what is unknown is absent.
#[derive(Debug, Serialize)]
struct Shown {
    device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lat: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lng: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed_mps: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heading: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude_m: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy_m: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum_ok: Option<bool>,
    #[serde(serialize_with = "in_order")]
    attributes: Vec<(String, Value<'static>)>,
}

impl Answer {
    /// An answer to `vector` with nothing in it yet.
    pub(super) fn to(vector: &Vector) -> Self {
        let body = if vector.is_frame() {
            Body::Frame { frame_hex: None }
        } else {
            Body::Message { reports: Vec::new(), replies: Vec::new(), error: None }
        };
        Self { id: vector.id.clone(), order: vector.order.clone(), body }
    }
    /// The splitter's next frame, if it is complete.
    pub(super) fn frame(&mut self, frame: Option<Bytes>) {
        self.body = Body::Frame { frame_hex: frame.map(|f| hex(&f)) };
    }
    /// A report, with our names and units, or Traccar's for the protocol named.
    pub(super) fn report(&mut self, report: &Report, traccar: Option<&str>) {
        if let Body::Message { reports, .. } = &mut self.body {
            reports.push(Shown::of(report, traccar));
        }
    }
    /// Bytes that go back to the device.
    pub(super) fn reply(&mut self, bytes: &[u8]) {
        if let Body::Message { replies, .. } = &mut self.body {
            replies.push(hex(bytes));
        }
    }
    /// What could not be understood; the first one is kept.
    pub(super) fn error(&mut self, found: &DecodeError) {
        if let Body::Message { error, .. } = &mut self.body {
            error.get_or_insert_with(|| found.to_string());
        }
    }
}

impl Shown {
    fn of(report: &Report, traccar: Option<&str>) -> Self {
        let fix = report.fix.as_ref();
        Self {
            device: report.device.to_string(),
            time: report.time.map(|t| t.to_string()),
            valid: fix.map(|f| f.valid),
            lat: fix.map(|f| f.position.lat),
            lng: fix.map(|f| f.position.lng),
            speed_mps: fix.and_then(|f| f.speed).map(MetresPerSecond::get),
            heading: fix.and_then(|f| f.heading).map(Heading::get),
            altitude_m: fix.and_then(|f| f.altitude).map(Metres::get),
            accuracy_m: fix.and_then(|f| f.accuracy).map(Metres::get),
            checksum_ok: report.checksum_ok,
            attributes: named(&report.attributes, traccar),
        }
    }
}

fn named(attributes: &Attributes, traccar: Option<&str>) -> Vec<(String, Value<'static>)> {
    let mut named: Vec<(String, Value<'static>)> = Vec::with_capacity(attributes.len());
    for (key, value) in attributes.iter() {
        let (name, value) = match traccar {
            Some(protocol) => to_traccar_of(protocol, &key, &value),
            None => (key.to_string(), value.into_owned()),
        };
        // Two keys of ours may be one of theirs: the last one stands.
        match named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, before)) => *before = value,
            None => named.push((name, value)),
        }
    }
    named
}

fn in_order<S: Serializer>(pairs: &[(String, Value<'_>)], to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(pairs.len()))?;
    for (key, value) in pairs {
        match value {
            Value::Bool(v) => map.serialize_entry(key, v)?,
            Value::Int(v) => map.serialize_entry(key, v)?,
            Value::Float(v) => map.serialize_entry(key, v)?,
            Value::Text(v) => map.serialize_entry(key, v)?,
        }
    }
    map.end()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |d: u8| char::from(b"0123456789abcdef"[usize::from(d)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

//! The JSON shape: Traccar Client from version 9 on, and the Transistorsoft SDK behind it.

use serde_json::{Map, Value as Json};

use super::{Complaint, Message, Record, Records, query};
use crate::attribute::{Attributes, Key, Value, from_traccar, text_value};
use crate::fix::{Fix, Measured, Report};
use crate::id::DeviceId;
use crate::protocol::BadFrame;
use crate::time::Timestamp;

/// Reads a body; an identity it lacks may stand in the query.
pub(super) fn read(body: &[u8], query: &str, received_at: Timestamp) -> Result<Message, Complaint> {
    let root: Map<String, Json> =
        serde_json::from_slice(body).map_err(|e| (BadFrame::Malformed, format!("JSON: {e}")))?;
    let named = ["device_id", "id", "deviceid"].iter().find_map(|key| match root.get(*key)? {
        Json::String(id) => DeviceId::new(id.trim()).ok(),
        Json::Number(id) => DeviceId::new(&id.to_string()).ok(),
        _ => None,
    });
    let device = named.or_else(|| query::identity(query)).ok_or_else(|| {
        (BadFrame::NoIdentity, "neither `device_id` nor an `id` in the query".to_owned())
    })?;
    let records: Vec<Record> = match root.get("location") {
        Some(Json::Object(location)) => vec![record(&device, location, received_at)?],
        Some(Json::Array(list)) => list
            .iter()
            .map(|entry| match entry {
                Json::Object(location) => record(&device, location, received_at),
                _ => Err((BadFrame::Malformed, "`location` holds what is no object".to_owned())),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err((BadFrame::Malformed, "no `location`".to_owned())),
    };
    Ok(Message { device, records: Records::of(records), secret: None })
}

fn record(
    device: &DeviceId,
    location: &Map<String, Json>,
    received_at: Timestamp,
) -> Result<Record, Complaint> {
    let mut report = Report::of(device.clone());
    report.time = Some(match location.get("timestamp") {
        Some(Json::String(text)) => query::time(text)?,
        Some(Json::Number(number)) => query::time(&number.to_string())?,
        _ => received_at,
    });
    attributes(location, &mut report.attributes);
    let Some(coords) = location.get("coords").and_then(Json::as_object) else {
        return Ok(Ok(report));
    };
    let number = |key: &str| coords.get(key).and_then(Json::as_f64);
    let (Some(lat), Some(lng)) = (number("latitude"), number("longitude")) else {
        return Err((BadFrame::Malformed, "`coords` without latitude and longitude".to_owned()));
    };
    let fix = Fix::new(Measured {
        lng,
        lat,
        valid: true,
        // -1: not known.
        speed: number("speed").filter(|v| *v >= 0.0),
        heading: number("heading").filter(|v| *v >= 0.0),
        altitude: number("altitude"),
        accuracy: number("accuracy"),
    });
    Ok(fix.map(|fix| {
        report.fix = Some(fix);
        report
    }))
}

fn attributes(location: &Map<String, Json>, attributes: &mut Attributes) {
    let mut put = |name, value: Option<Value<'_>>| {
        if let Some(value) = value {
            attributes.set(Key::from(name), value);
        }
    };
    let inner = |outer: &str, key: &str| location.get(outer).and_then(|o| o.get(key));
    let flag = |value: Option<&Json>| value.and_then(Json::as_bool).map(Value::Bool);
    put("event", location.get("event").and_then(text));
    put("motion", flag(location.get("is_moving")));
    put("odometer_metres", location.get("odometer").and_then(scalar));
    put("mock", flag(location.get("mock")));
    put("activity", inner("activity", "type").and_then(text));
    let level = inner("battery", "level").and_then(Json::as_f64);
    let percent = level.filter(|l| (0.0..=1.0).contains(l)).map(|l| l * 100.0);
    // A share such as 0.29 is a whole percentage that lost its last bit.
    put("battery_percent", percent.map(|p| Value::Float((p * 1e6).round() / 1e6)));
    put("charging", flag(inner("battery", "is_charging")));
    let extras = location.get("extras").and_then(Json::as_object);
    for (name, value) in extras.into_iter().flatten() {
        if let Some((key, value)) = scalar(value).and_then(|v| from_traccar(name, v)) {
            attributes.set(key, value);
        }
    }
}

fn text(value: &Json) -> Option<Value<'_>> {
    value.as_str().map(text_value)
}

fn scalar(value: &Json) -> Option<Value<'_>> {
    match value {
        Json::Bool(v) => Some(Value::Bool(*v)),
        Json::Number(v) => v.as_i64().map(Value::Int).or_else(|| v.as_f64().map(Value::Float)),
        Json::String(v) => Some(text_value(v)),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

//! The query and form shape.

use std::borrow::Cow;

use super::{Complaint, Message, Records};
use crate::attribute::{Attributes, Key, Value, from_traccar, text_value};
use crate::fix::{Fix, Measured, Report};
use crate::id::DeviceId;
use crate::protocol::BadFrame;
use crate::protocol::fields::{Fields, decimal};
use crate::time::Timestamp;

const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// What the parameters amount to.
struct Draft {
    device: Option<DeviceId>,
    time: Option<Timestamp>,
    lat: Option<f64>,
    lng: Option<f64>,
    measured: Measured,
    attributes: Attributes,
}

/// Reads `key=value&..`. `last` is who spoke before, `attributes` are memory to use.
pub(super) fn read(
    query: &str,
    received_at: Timestamp,
    last: Option<&DeviceId>,
    attributes: Attributes,
) -> Result<Message, Complaint> {
    let mut draft = Draft {
        device: None,
        time: None,
        lat: None,
        lng: None,
        measured: Measured { valid: true, ..Measured::default() },
        attributes,
    };
    for (key, value) in pairs(query) {
        set(&mut draft, &key, &value, last)?;
    }
    let Some(device) = draft.device else {
        return Err((BadFrame::NoIdentity, "neither `id` nor `deviceid`".to_owned()));
    };
    let mut report = Report::of(device.clone());
    report.time = Some(draft.time.unwrap_or(received_at));
    report.attributes = draft.attributes;
    let record = match (draft.lat, draft.lng) {
        (Some(lat), Some(lng)) => Fix::new(Measured { lng, lat, ..draft.measured }).map(|fix| {
            report.fix = Some(fix);
            report
        }),
        _ => Ok(report),
    };
    Ok(Message { device, records: Records::one(record), secret: None })
}

/// The identity in a query, where it has one.
pub(super) fn identity(query: &str) -> Option<DeviceId> {
    pairs(query)
        .find(|(key, _)| key == "id" || key == "deviceid")
        .and_then(|(_, value)| DeviceId::new(value.trim()).ok())
}

/// Decoded pairs in their order.
pub(in crate::protocol) fn pairs(
    query: &str,
) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let mut all = Fields::new(query.trim(), '&');
    std::iter::from_fn(move || all.next()).filter(|p| !p.is_empty()).map(|pair| {
        let mut parts = Fields::new(pair, '=');
        (decoded(parts.next().unwrap_or("")), decoded(parts.rest()))
    })
}

/// `%41` and `+` undone; what is not UTF-8 is replaced.
fn decoded(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    Cow::Owned(match String::from_utf8(out) {
        Ok(text) => text,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    })
}

fn set(
    draft: &mut Draft,
    key: &str,
    value: &str,
    last: Option<&DeviceId>,
) -> Result<(), Complaint> {
    match key {
        "id" | "deviceid" => {
            let last = last.filter(|last| last.as_str() == value.trim());
            let id = last.map_or_else(|| DeviceId::new(value.trim()), |last| Ok(last.clone()));
            draft.device = Some(id.map_err(|e| (BadFrame::NoIdentity, e.to_string()))?);
        }
        "valid" => draft.measured.valid = yes(value),
        "timestamp" => draft.time = Some(time(value)?),
        "lat" => draft.lat = Some(number(key, value)?),
        "lon" => draft.lng = Some(number(key, value)?),
        "location" => {
            let (lat, lng) = value.split_once(',').unwrap_or((value, ""));
            draft.lat = Some(number(key, lat)?);
            draft.lng = Some(number(key, lng)?);
        }
        "speed" => draft.measured.speed = Some(number(key, value)? * KNOT_MPS),
        "bearing" | "heading" => draft.measured.heading = Some(number(key, value)?),
        "altitude" => draft.measured.altitude = Some(number(key, value)?),
        "accuracy" => draft.measured.accuracy = Some(number(key, value)?),
        "batt" => {
            let percent = Some(number(key, value)?).filter(|p| (0.0..=100.0).contains(p));
            if let Some(percent) = percent {
                let key = Key::from("battery_percent");
                draft.attributes.set(key, Value::Float(percent));
            }
        }
        "charge" => {
            draft.attributes.set(Key::from("charging"), Value::Bool(yes(value)));
        }
        "driverUniqueId" => {
            draft.attributes.set(Key::from("driver_id"), text_value(value));
        }
        _ => {
            if let Some((key, value)) = from_traccar(key, typed(value)) {
                draft.attributes.set(key, value);
            }
        }
    }
    Ok(())
}

fn yes(value: &str) -> bool {
    value == "1" || value.eq_ignore_ascii_case("true")
}

fn number(key: &str, value: &str) -> Result<f64, Complaint> {
    finite(value.trim()).ok_or_else(|| {
        let shown: String = value.chars().take(40).collect();
        (BadFrame::Malformed, format!("{key} `{shown}` is no number"))
    })
}

/// A number where it is one, yes or no where it says so, else text.
fn typed(value: &str) -> Value<'_> {
    if let Ok(whole) = value.parse() {
        return Value::Int(whole);
    }
    if let Some(number) = finite(value) {
        return Value::Float(number);
    }
    match value {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => text_value(text),
    }
}

/// A finite number. Short plain decimals are read at once, to the same double.
fn finite(text: &str) -> Option<f64> {
    /// Digits of which every whole number is a double.
    const EXACT: usize = 15;
    let short = if text.len() <= EXACT { decimal(text) } else { None };
    short.or_else(|| text.parse().ok().filter(|v: &f64| v.is_finite()))
}

/// Numbers below this are seconds, others milliseconds: 2038 in the one, January 1970 in the
/// other.
const SECONDS_BELOW: i64 = i32::MAX as i64;

/// A point in time as phones spell it.
pub(in crate::protocol) fn time(text: &str) -> Result<Timestamp, Complaint> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return Ok(if number < SECONDS_BELOW {
            Timestamp::from_seconds(number)
        } else {
            Timestamp::from_millis(number)
        });
    }
    let seconds = text.parse::<f64>().ok().filter(|s| (0.0..SECONDS_BELOW as f64).contains(s));
    if let Some(seconds) = seconds {
        return Ok(Timestamp::default().plus_seconds(seconds));
    }
    let spelled = Timestamp::parse(text)
        .or_else(|_| Timestamp::parse(&format!("{text}Z")))
        .or_else(|_| Timestamp::parse(&with_colon(text)));
    spelled.map_err(|e| (BadFrame::Malformed, e.to_string()))
}

/// `+0200` at the end as `+02:00`.
fn with_colon(text: &str) -> String {
    let (head, tail) = text.split_at_checked(text.len().saturating_sub(2)).unwrap_or((text, ""));
    format!("{head}:{tail}")
}

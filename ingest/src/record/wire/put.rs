//! A device's record written as `prost` would write it, without a copy of its texts: it is the one
//! message that is made for every packet. The derived messages are the reference in its test.

use super::{Fix, Key, Report, Value, WireFix};
use crate::record::Pid;
use crate::time::Timestamp;

const VARINT: u8 = 0;
const EIGHT_BYTES: u8 = 1;
const LENGTH: u8 = 2;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn number(out: &mut Vec<u8>, tag: u8, value: u64) {
    out.push(tag << 3 | VARINT);
    varint(out, value);
}

fn fixed(out: &mut Vec<u8>, tag: u8, value: [u8; 8]) {
    out.push(tag << 3 | EIGHT_BYTES);
    out.extend_from_slice(&value);
}

fn bytes(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag << 3 | LENGTH);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A message inside, behind its length.
fn message(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[tag << 3 | LENGTH, 0]);
    let from = out.len();
    write(out);
    let length = out.len() - from;
    if length < 0x80 {
        out[from - 1] = length as u8;
        return;
    }
    // A length of several bytes: those behind the first one are put in between.
    let mut head = Vec::with_capacity(4);
    varint(&mut head, length as u64);
    out.splice(from - 1..from, head);
}

fn fix(out: &mut Vec<u8>, fix: &Fix) {
    let fix = WireFix::from(fix);
    for (tag, value) in [(1, fix.lng_e7), (2, fix.lat_e7)] {
        if value != 0 {
            // 32 bits fold into 32 bits.
            number(out, tag, u64::from(zigzag(value.into()) as u32));
        }
    }
    if fix.valid {
        number(out, 3, 1);
    }
    for (tag, value) in [(4, fix.speed_mm_s), (5, fix.heading_cdeg)] {
        if let Some(value) = value {
            number(out, tag, value.into());
        }
    }
    if let Some(altitude) = fix.altitude_cm {
        number(out, 6, u64::from(zigzag(altitude.into()) as u32));
    }
    if let Some(accuracy) = fix.accuracy_cm {
        number(out, 7, accuracy.into());
    }
}

/// One attribute.
pub(in crate::record) fn attribute(out: &mut Vec<u8>, key: &Key<'_>, value: &Value<'_>) {
    match key {
        Key::Known(name, nth) => {
            bytes(out, 1, name.as_str().as_bytes());
            if *nth != 0 {
                number(out, 4, (*nth).into());
            }
        }
        Key::Io(id) => number(out, 2, (*id).into()),
        Key::Other(name) => bytes(out, 3, name.as_bytes()),
    }
    match value {
        Value::Bool(v) => number(out, 5, (*v).into()),
        Value::Int(v) => number(out, 6, zigzag(*v)),
        Value::Float(v) => fixed(out, 7, v.to_le_bytes()),
        Value::Text(v) => bytes(out, 8, v.as_bytes()),
    }
}

/// The payload of a fix or report, whose time that counts is `time`.
pub(in crate::record) fn report(
    out: &mut Vec<u8>,
    protocol: &str,
    time: Timestamp,
    report: &Report,
) {
    bytes(out, 1, report.device.as_str().as_bytes());
    if !protocol.is_empty() {
        bytes(out, 2, protocol.as_bytes());
    }
    if time.micros() != 0 {
        fixed(out, 3, time.micros().to_le_bytes());
    }
    if let Some(own) = report.time.filter(|own| *own != time) {
        fixed(out, 4, own.micros().to_le_bytes());
    }
    if report.time.is_none() {
        number(out, 5, 1);
    }
    if let Some(place) = &report.fix {
        message(out, 6, |out| fix(out, place));
    }
    for (key, value) in report.attributes.iter() {
        message(out, 7, |out| attribute(out, &key, &value));
    }
    if let Some(ok) = report.checksum_ok {
        number(out, 8, ok.into());
    }
}

/// The envelope around the payload of an input that a device sent.
pub(in crate::record) fn envelope(kind: u32, pid: Pid, at: Timestamp, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 40);
    number(&mut out, 1, kind.into());
    bytes(&mut out, 2, &pid.0.to_be_bytes());
    if at.micros() != 0 {
        fixed(&mut out, 3, at.micros().to_le_bytes());
    }
    if !payload.is_empty() {
        bytes(&mut out, 6, payload);
    }
    out
}

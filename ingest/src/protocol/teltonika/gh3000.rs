//! Codec 7: records whose masks say what they hold.
//!
//! ```text
//! record  priority 2 bits, seconds since 2007-01-01 30 bits | mask u8
//! mask    0 position block, 1 one-byte, 2 two-byte, 3 four-byte elements
//!         (each: count u8, then (id u8, value)..)
//! block   mask u8, then as its bits say: 0 lat f32, lng f32 | 1 altitude u16 | 2 angle u8
//!         (of 256) | 3 speed km/h u8 | 4 satellites u8 | 5 area u16, cell u16 | 6 signal u8 |
//!         7 operator u32
//! ```
//! A block without a position is a sign of life with a time, not a fix at 0, 0.

use super::element;
use super::record::Reader;
use crate::attribute::{Attributes, Key, Value};
use crate::fix::{Fix, Measured, Report};
use crate::time::Timestamp;
use crate::units::OutOfRange;

/// 2007-01-01T00:00:00Z.
const EPOCH_S: i64 = 1_167_609_600;

/// Steps over a record and, with a report, reads it: what comes back is `None` where it has no
/// end; the outcome says whether its position was right.
pub(super) fn read(
    reader: &mut Reader<'_>,
    into: Option<(&mut Report, &mut Result<(), OutOfRange>)>,
) -> Option<()> {
    let stamp = reader.int()?;
    let mask = reader.byte()?;
    let mut attributes = Attributes::default();
    let mut measured = Measured { valid: true, ..Measured::default() };
    let mut placed = false;
    attributes.set(Key::from("priority"), Value::Int(i64::from(stamp >> 30)));
    if mask & 1 != 0 {
        placed = block(reader, &mut measured, &mut attributes)?;
    }
    for (bit, size) in [(1, 1), (2, 2), (3, 4)] {
        if mask >> bit & 1 == 0 {
            continue;
        }
        for _ in 0..reader.byte()? {
            let id = reader.byte()?;
            let value = match size {
                1 => u32::from(reader.byte()?),
                2 => u32::from(reader.short()?),
                _ => reader.int()?,
            };
            set(id, i64::from(value), &mut attributes);
        }
    }
    let Some((report, outcome)) = into else { return Some(()) };
    report.time = Some(Timestamp::from_seconds(EPOCH_S + i64::from(stamp & 0x3fff_ffff)));
    report.attributes = attributes;
    if placed {
        *outcome = Fix::new(measured).map(|fix| report.fix = Some(fix));
    }
    Some(())
}

/// Whether the block holds a position.
fn block(
    reader: &mut Reader<'_>,
    measured: &mut Measured,
    attributes: &mut Attributes,
) -> Option<bool> {
    let mask = reader.byte()?;
    let has = |bit: u8| mask >> bit & 1 != 0;
    if has(0) {
        measured.lat = f64::from(f32::from_bits(reader.int()?));
        measured.lng = f64::from(f32::from_bits(reader.int()?));
    }
    if has(1) {
        measured.altitude = Some(f64::from(reader.short()? as i16));
    }
    if has(2) {
        measured.heading = Some(f64::from(reader.byte()?) * 360.0 / 256.0);
    }
    if has(3) {
        measured.speed = Some(f64::from(reader.byte()?) / 3.6);
    }
    if has(4) {
        let satellites = reader.byte()?;
        measured.valid = satellites > 0;
        attributes.set(Key::from("satellites"), Value::Int(i64::from(satellites)));
    }
    if has(5) {
        attributes.set(Key::from("cell_area"), Value::Int(i64::from(reader.short()?)));
        attributes.set(Key::from("cell_id_2g"), Value::Int(i64::from(reader.short()?)));
    }
    if has(6) {
        attributes.set(Key::from("rssi"), Value::Int(i64::from(reader.byte()?)));
    }
    if has(7) {
        attributes.set(Key::from("operator"), Value::Int(i64::from(reader.int()?)));
    }
    Some(has(0))
}

/// The GH3000's own list of ids.
fn set(id: u8, value: i64, attributes: &mut Attributes) {
    let known = |name: &'static str| Key::from(name);
    let tenths = Value::Float(value as f64 / 10.0);
    let (key, value) = match id {
        1 => (known("battery_percent"), Value::Int(value)),
        2 => (known("usb_connected"), Value::Bool(value == 1)),
        5 => (known("uptime_seconds"), Value::Int(value)),
        20 => (known("hdop"), tenths),
        21 => (known("vdop"), tenths),
        22 => (known("pdop"), tenths),
        67 => (known("battery_volts"), Value::Float(value as f64 / 1000.0)),
        221 => (known("button"), Value::Int(value)),
        222 => return element::alarm(Some("sos").filter(|_| value == 1), attributes),
        240 => (known("motion"), Value::Bool(value == 1)),
        244 => (known("roaming"), Value::Bool(value == 1)),
        _ => (Key::Io(u32::from(id)), Value::Int(value)),
    };
    attributes.set(key, value);
}

//! Elements of any length of codec 8 extended: texts, beacons, Bluetooth tags.
//!
//! ```text
//! 385          part u8 | (flags u8, [bit 5: UUID 16, major u16, minor u16 | else: namespace 10,
//!              instance 6], RSSI i8, [bit 1: battery u16 1/100 V], [bit 2: temperature u16])..
//! 548, 10828,  part u8 | (length u8, (kind u8, length u8, value)..)..
//! 10829,
//! 10831, 11317
//! ```
//! Source: Teltonika Telematics Wiki, "Beacon list" and "Advanced Beacon / EYE data over AVL".

use super::record::Reader;
use crate::attribute::{Attributes, Key, Value, text_value};

/// Sets what an element of any length says.
pub(super) fn set(id: u16, bytes: &[u8], attributes: &mut Attributes) {
    match id {
        256 | 325 => {
            attributes.set(Key::from("vin"), text_value(&String::from_utf8_lossy(bytes)));
        }
        281 => {
            let codes = String::from_utf8_lossy(bytes).replace(',', " ");
            attributes.set(Key::from("dtcs"), text_value(&codes));
        }
        // What ends too early is kept as far as it goes.
        385 => drop(beacons(bytes, attributes)),
        548 | 10828 | 10829 | 10831 | 11317 => drop(tags(bytes, attributes)),
        _ => {
            attributes.set(Key::Io(u32::from(id)), text_value(&hex(bytes)));
        }
    }
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |d: u8| char::from(b"0123456789abcdef"[usize::from(d)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

fn beacons(bytes: &[u8], attributes: &mut Attributes) -> Option<()> {
    let mut reader = Reader::new(bytes, 1);
    let mut number = 0;
    while reader.at < bytes.len() {
        number += 1;
        let mut put = |name, value| attributes.set(Key::from((name, number)), value);
        let flags = reader.byte()?;
        if flags & 0x20 != 0 {
            put("beacon_uuid", Value::from(hex(reader.slice(16)?)));
            put("beacon_major", Value::Int(i64::from(reader.short()?)));
            put("beacon_minor", Value::Int(i64::from(reader.short()?)));
        } else {
            put("beacon_namespace", Value::from(hex(reader.slice(10)?)));
            put("beacon_instance", Value::from(hex(reader.slice(6)?)));
        }
        put("beacon_rssi_dbm", Value::Int(i64::from(reader.byte()? as i8)));
        if flags & 2 != 0 {
            put("beacon_battery_volts", Value::Float(f64::from(reader.short()?) / 100.0));
        }
        if flags & 4 != 0 {
            put("beacon_temperature_celsius", Value::Int(i64::from(reader.short()?)));
        }
    }
    Some(())
}

fn tags(bytes: &[u8], attributes: &mut Attributes) -> Option<()> {
    let mut reader = Reader::new(bytes, 1);
    let mut number = 0;
    while reader.at < bytes.len() {
        number += 1;
        let length = usize::from(reader.byte()?);
        let rest = bytes.len() - reader.at;
        let mut tag = Reader::new(reader.slice(length.min(rest))?, 0);
        while let (Some(kind), Some(length)) = (tag.byte(), tag.byte()) {
            let Some(value) = tag.slice(usize::from(length)) else { break };
            property(kind, value, number, attributes);
        }
    }
    Some(())
}

fn property(kind: u8, bytes: &[u8], number: u16, attributes: &mut Attributes) {
    let mut reader = Reader::new(bytes, 0);
    let mut put = |name, value| attributes.set(Key::from((name, number)), value);
    match (kind, bytes) {
        (0, [rssi]) => put("tag_rssi_dbm", Value::Int(i64::from(*rssi as i8))),
        (1, id) => put("tag_id", Value::from(hex(id))),
        (2, [flags, rest @ ..]) => {
            if flags & 0x40 != 0 {
                put("tag_low_battery", Value::Bool(true));
            }
            // Tens of millivolts above 2 V.
            let volts = rest.first().filter(|_| flags & 0x80 != 0);
            volts.is_some_and(|v| {
                put("tag_voltage_millivolts", Value::Int(i64::from(*v) * 10 + 2000))
            })
        }
        (5, name) => put("tag_name", text_value(&String::from_utf8_lossy(name))),
        (6, [_, _]) => {
            let hundredths = reader.short().unwrap_or_default() as i16;
            put("tag_temperature_celsius", Value::Float(f64::from(hundredths) / 100.0))
        }
        (7, [percent]) => put("tag_humidity_percent", Value::Int(i64::from(*percent))),
        (8, [magnet]) => put("tag_magnet", Value::Bool(*magnet > 0)),
        (9, [moves]) => put("tag_motion", Value::Bool(*moves > 0)),
        (10, [_, _]) => {
            let count = reader.short().unwrap_or_default();
            put("tag_motion_count", Value::Int(i64::from(count)))
        }
        (11, [pitch]) => put("tag_pitch_degrees", Value::Int(i64::from(*pitch as i8))),
        (12, [_, _]) => {
            let roll = reader.short().unwrap_or_default() as i16;
            put("tag_roll_degrees", Value::Int(i64::from(roll)))
        }
        (13, [low]) => put("tag_low_battery", Value::Bool(*low > 0)),
        (14, [_, _]) => {
            let millivolts = reader.short().unwrap_or_default();
            put("tag_battery_millivolts", Value::Int(i64::from(millivolts)))
        }
        (15, mac) => put("tag_mac", Value::from(hex(mac))),
        _ => false,
    };
}

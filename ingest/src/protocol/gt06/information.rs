//! What is neither position nor heartbeat: answers to commands, values, modules.

use super::alarm;
use super::place;
use crate::fix::Measured;
use crate::protocol::clock;
use crate::protocol::cursor::{Cursor, hex};
use crate::protocol::fields::{decimal, hexadecimal};
use crate::protocol::wire::{Complaint, Draft, Told};
use crate::time::Timestamp;

/// Type 15: length u8, server's mark u32, text, language.
pub(super) fn command_answer(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let length = usize::from(c.u8()?);
    c.skip(4)?;
    let text = if length >= 4 { c.take((length - 4).min(c.left()))? } else { c.rest() };
    let text = String::from_utf8_lossy(text);
    said(text.trim_end_matches('\0'), told);
    Ok(())
}

/// Type 21: server's mark u32, encoding u8 (1 ASCII, 2 UTF-16), text.
pub(super) fn long_answer(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    c.skip(4)?;
    let text = if c.u8()? == 2 {
        let units: Vec<u16> =
            c.rest().chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect();
        String::from_utf16_lossy(&units)
    } else {
        String::from_utf8_lossy(c.rest()).into_owned()
    };
    said(&text, told);
    Ok(())
}

/// An answer in words; some tell the place, some the card.
fn said(text: &str, told: &mut Told) {
    if text.is_empty() {
        return;
    }
    let draft = told.report();
    if let Some(card) = text.strip_prefix("<ICCID:").or(text.strip_prefix("ICCID:")) {
        draft.set("iccid", card.trim_end_matches('>'));
        return;
    }
    if let Some(fields) = text.strip_prefix("Current position!") {
        let value =
            |name: &str| fields.split(',').find_map(|f| f.strip_prefix(name)?.strip_prefix(':'));
        let angle = |name: &str, minus: char| {
            let text = value(name)?;
            let sign = if text.starts_with(minus) { -1.0 } else { 1.0 };
            decimal(text.get(1..)?).map(|v| v * sign)
        };
        if let (Some(lat), Some(lng)) = (angle("Lat", 'S'), angle("Lon", 'W')) {
            let date: String = value("DateTime").unwrap_or_default().replace([' ', ':', '-'], "");
            draft.time(clock::yyyymmddhhmmss(&date));
            draft.at = Some(Measured {
                lat,
                lng,
                valid: true,
                speed: value("Speed").and_then(decimal).map(|v| v / 3.6),
                heading: value("Course").and_then(decimal),
                ..Measured::default()
            });
            return;
        }
    }
    draft.set("command_result", text);
}

/// Type 8c: time, ignition, what the car's plug says as `<id hex>=<value hex>,..` in hundredths.
pub(super) fn plugged(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let draft = told.report();
    draft.time(clock::six_bytes(c.array()?));
    draft.set("ignition", c.u8()? != 0);
    let text = String::from_utf8_lossy(c.rest()).into_owned();
    for (id, value) in text.split(',').filter_map(|pair| pair.trim().split_once('=')) {
        let hundredths = hexadecimal(value).map(|v| v as f64 / 100.0);
        match hexadecimal(id) {
            Some(0x28) => draft.maybe("odometer_metres", hundredths.map(|v| v * 1000.0)),
            Some(0x2b) => draft.maybe("fuel_percent", hundredths),
            Some(0x2d) => draft.maybe("coolant_celsius", hundredths),
            Some(0x35) => draft.maybe("obd_speed_mps", hundredths.map(|v| v / 3.6)),
            Some(0x36) => draft.maybe("rpm", hundredths),
            Some(0x47) => draft.maybe("fuel_used_litres", hundredths),
            Some(0x49) => draft.maybe("engine_on_seconds", hundredths.map(|v| v * 3600.0)),
            Some(0x4a) => draft.set("vin", value),
            _ => {}
        }
    }
    Ok(())
}

/// A fuel gauge's words (94/0d): `!AIOIL,<address>,<output>,<degrees>,..,<level>,..`.
fn gauge(text: &str, draft: &mut Draft) {
    let Some((_, fields)) = text.split_once("AIOIL,") else { return };
    let mut fields = fields.split(',').skip(2);
    draft.maybe(("temperature_celsius", 1), fields.next().and_then(decimal));
    draft.maybe("fuel_count", fields.nth(5).and_then(decimal));
}

/// Type 9b: text or bytes of something connected.
pub(super) fn passed_through(c: &mut Cursor<'_>, told: &mut Told) {
    let all = c.rest();
    let bytes = all.get(1..).unwrap_or_default();
    let text = bytes.trim_ascii();
    let draft = told.report();
    if !text.is_empty() && text.iter().all(|b| b.is_ascii_graphic() || *b == b' ') {
        draft.set("command_result", String::from_utf8_lossy(text).into_owned());
    } else {
        draft.set("command_result", hex(bytes));
    }
}

/// Type 94: one value by its number; in the short form the outer voltage alone.
pub(super) fn sent(long: bool, c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let kind = if long { c.u8()? } else { 0 };
    let draft = told.report();
    match kind {
        0x00 | 0x0b => draft.set("power_volts", f64::from(c.u16()?) / 100.0),
        0x04 => {
            let text = String::from_utf8_lossy(c.rest()).into_owned();
            for (name, value) in text.split(';').filter_map(|pair| pair.split_once('=')) {
                let value = hexadecimal(value.trim());
                match name.trim() {
                    "ALM1" => draft.maybe(("alarm_status", 1), value),
                    "ALM2" => draft.maybe(("alarm_status", 2), value),
                    "ALM3" => draft.maybe(("alarm_status", 3), value),
                    "STA1" => draft.maybe("other_status", value),
                    "DYD" => draft.maybe("engine_status", value),
                    _ => {}
                }
            }
        }
        // A door's line, at a time.
        0x05 if c.left() >= 7 => {
            draft.time(clock::six_bytes(c.array()?));
            draft.set("door", c.u8()? & 1 != 0);
        }
        0x05 if c.left() == 1 => draft.set("door", c.u8()? & 1 != 0),
        0x0d => {
            let text = String::from_utf8_lossy(c.rest()).into_owned();
            gauge(&text, draft);
        }
        0x0a => {
            c.skip(16)?;
            draft.set("iccid", hex(c.take(10)?));
        }
        0x1b if c.rest().trim_ascii().iter().all(u8::is_ascii_graphic) => {
            draft.set("serial", String::from_utf8_lossy(c.rest().trim_ascii()).into_owned());
        }
        0x1b if c.left() >= 6 => {
            c.skip(2)?;
            draft.set("driver_id", hex(c.take(4)?));
        }
        0x1e => {
            draft.set(("temperature_celsius", 1), f64::from(c.i32()?) / 10.0);
            draft.set("humidity_percent", f64::from(c.i32()?) / 10.0);
        }
        _ => {}
    }
    Ok(())
}

/// Type 95: time, perhaps a place without a speed, event, its value, names of files.
pub(super) fn driving(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let draft = told.report();
    draft.time(clock::six_bytes(c.array()?));
    if c.left() >= 11 {
        let (lat, lng) = (f64::from(c.u32()?) / 1.8e6, f64::from(c.u32()?) / 1.8e6);
        let flags = c.u16()?;
        draft.at = Some(Measured {
            lat: if flags & 0x400 == 0 { -lat } else { lat },
            lng: if flags & 0x800 == 0 { lng } else { -lng },
            valid: flags & 0x1000 != 0,
            heading: Some(f64::from(flags & 0x3ff)),
            ..Measured::default()
        });
    }
    let event = c.u8()?;
    draft.set("event", event);
    draft.alarm(alarm::driving(event));
    if c.left() > 0 {
        draft.set("event_value", c.u8()?);
        let files = String::from_utf8_lossy(c.rest());
        let files = files.trim_matches('\0');
        if !files.is_empty() {
            draft.set("event_files", files);
        }
    }
    Ok(())
}

/// Behind type 37: modules with a short length.
pub(super) fn short_modules(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    while c.left() >= 3 {
        let (id, length) = (c.u16()?, usize::from(c.u8()?));
        let mut m = Cursor::new(c.take(length)?);
        match (id, length) {
            (0x18, 2) => draft.set("battery_volts", f64::from(m.u16()?) / 100.0),
            (0x2e, 4) => draft.set("odometer_metres", m.u32()?),
            (0x32, 1) => draft.set("startup_status", m.u8()?),
            (0x6a, 1) => draft.set("battery_percent", m.u8()?),
            _ => {}
        }
    }
    Ok(())
}

/// Types 70 and f1: modules of id, length, bytes; the second begins with a time.
pub(super) fn modules(kind: u8, c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let draft = told.report();
    if kind == 0xf1 {
        draft.time(Some(Timestamp::from_seconds(c.u32()?.into())));
        while c.left() >= 3 {
            let (id, length) = (c.u16()?, usize::from(c.u8()?));
            let mut m = Cursor::new(c.take(length)?);
            match (id, length) {
                (1, 1) => draft.set("ignition", m.u8()? != 0),
                (2, 1) => draft.set("armed", m.u8()? != 0),
                (3, 1) => draft.set("motion", m.u8()? != 0),
                (5, 2) => draft.set("power_volts", f64::from(m.u16()?) / 100.0),
                _ => {}
            }
        }
        return Ok(());
    }
    while c.left() >= 4 {
        let (id, length) = (c.u16()?, usize::from(c.u16()?));
        let mut m = Cursor::new(c.take(length)?);
        match (id, length) {
            (0x03, 10) => draft.set("iccid", hex(m.take(10)?)),
            (0x0a, 1) => draft.set("satellites_in_view", m.u8()?),
            (0x18, 2) => draft.set("battery_volts", f64::from(m.u16()?) / 100.0),
            (0x28, 1) => draft.set("hdop", f64::from(m.u8()?) / 10.0),
            (0x29, 4) => draft.set("record_number", m.u32()?),
            (0x2a, 1) => {
                let bits = m.u8()?;
                draft.set("door", bits & 0x01 != 0);
                draft.set("tamper", bits & 0x10 != 0);
            }
            (0x2b, 1) => draft.set("boot_reason", m.u8()?),
            (0x2e, 4) => draft.set("odometer_metres", m.u32()?),
            (0x33, 18) => module_place(draft, &mut m)?,
            (0x34, 6..) => {
                let event = m.u8()?;
                draft.set("event", event);
                if event == 0x12 {
                    draft.alarm("removing");
                }
            }
            (0x7f, 14) => {
                draft.set(("tag_id", 1), hex(m.take(6)?));
                draft.set(("tag_battery_volts", 1), f64::from(m.u16()?) / 1000.0);
                draft.set(("tag_battery_percent", 1), m.u8()?);
                draft.set(("tag_temperature_celsius", 1), f64::from(m.i16()?) / 10.0);
                draft.set(("tag_humidity_percent", 1), f64::from(m.u16()?) / 10.0);
                draft.set(("tag_status", 1), m.u8()?);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Type a3 of a pet's collar: status, .., signal, volts, .., steps, battery, moving.
pub(super) fn pet(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let draft = told.report();
    draft.set("message_type", 0xa3);
    alarm::status(draft, c.u8()?);
    c.skip(3)?;
    draft.set("rssi", c.u8()?);
    draft.set("power_volts", f64::from(c.u8()?));
    c.skip(3)?;
    draft.set("steps", c.u32()?);
    draft.set("battery_percent", c.u8()?);
    draft.set("motion", c.u16()? != 0);
    Ok(())
}

/// Type f2: time u32, modules: 0b of flags and place, 0a of a beacon's words with a long length.
pub(super) fn beacons(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let draft = told.report();
    draft.time(Some(Timestamp::from_seconds(c.u32()?.into())));
    while c.left() >= 4 {
        let id = c.u16()?;
        let length = if id == 0x0a { usize::from(c.u16()?) } else { usize::from(c.u8()?) };
        let mut m = Cursor::new(c.take(length)?);
        match (id, length) {
            (0x0b, 10) => {
                let flags = m.u16()?;
                let (lat, lng) = (f64::from(m.u32()?) / 1.8e6, f64::from(m.u32()?) / 1.8e6);
                draft.at = Some(Measured {
                    lat: if flags & 0x400 == 0 { -lat } else { lat },
                    lng: if flags & 0x800 == 0 { lng } else { -lng },
                    valid: flags & 0x1000 != 0,
                    heading: Some(f64::from(flags & 0x3ff)),
                    ..Measured::default()
                });
            }
            (0x0a, 10..) => {
                m.skip(1)?;
                draft.set("accessory_mac", hex(m.take(6)?));
                draft.set("event", m.u16()?);
                draft.set("payload_type", m.u8()?);
                draft.set("payload", hex(m.rest()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn module_place(draft: &mut Draft, m: &mut Cursor<'_>) -> Result<(), Complaint> {
    let time = Timestamp::from_seconds(m.u32()?.into());
    let satellites = m.u8()?;
    let altitude = m.i16()?;
    // The rest is a position's, behind its time and satellites.
    let mut as_position = vec![0; 6];
    as_position.push(satellites);
    as_position.extend(m.rest());
    place(draft, &mut Cursor::new(&as_position))?;
    draft.time(Some(time));
    draft.set("satellites", satellites);
    if let Some(at) = &mut draft.at {
        at.altitude = Some(f64::from(altitude));
    }
    Ok(())
}

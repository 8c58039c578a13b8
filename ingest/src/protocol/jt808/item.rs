//! Items behind a position, and what passes through.

use super::engine::{diagnosed, diagnosis, engine, real_time};
use super::lock::{locks, seals};
use super::{beijing, piped};
use crate::protocol::cursor::{Cursor, hex};
use crate::protocol::fields::decimal;
use crate::protocol::wire::{Complaint, Draft, Told};

/// One item. Numbers from 50 on are the makers' own; where makers disagree, the length tells.
pub(super) fn read(draft: &mut Draft, id: u8, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    match (id, c.left()) {
        (0x01, 4) => draft.set("odometer_metres", u64::from(c.u32()?) * 100),
        (0x02, 2) => draft.set("fuel_litres", f64::from(c.u16()?) / 10.0),
        (0x14, 4) => draft.set("video_alarm", c.u32()?),
        (0x25, 4) => draft.set("input_mask", c.u32()?),
        (0x2b, 4) => {
            let (second, first) = (c.u16()?, c.u16()?);
            draft.set(("analog_volts", 1), f64::from(first) / 100.0);
            draft.set(("analog_volts", 2), f64::from(second) / 100.0);
        }
        (0x30, 1) => draft.set("rssi", c.u8()?),
        (0x31, 1) => draft.set("satellites", c.u8()?),
        // A padlock's words: `*M00,<volts 0.01 at 2 to 5>..`.
        (0x33, 13..) if c.rest().starts_with(b"*M00") => {
            let text = String::from_utf8_lossy(c.rest()).into_owned();
            let state = text.get(8..15).unwrap_or("");
            draft.set("lock_status", state);
            let volts = state.get(2..5).and_then(decimal).map(|v| v / 100.0);
            draft.maybe("battery_volts", volts);
        }
        (0x50..0xa0, _) => return makers(draft, id, c),
        (0xa0.., _) => return later(draft, id, c),
        _ => {}
    }
    Ok(())
}

/// Items from 50 to 9f.
fn makers(draft: &mut Draft, id: u8, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    match (id, c.left()) {
        // Kingwo: temperatures with a sign of their own, outer voltage, grade of the battery.
        (0x51, 2 | 16) => {
            for nth in 1..=c.left() as u16 / 2 {
                let raw = c.u16()?;
                if raw != 0xffff {
                    let size = f64::from(raw & 0x7fff) / 10.0;
                    let value = if raw & 0x8000 == 0 { size } else { -size };
                    draft.set(("temperature_celsius", nth), value);
                }
            }
        }
        // Harsh driving.
        (0x57, 2..) => {
            let bits = c.u16()?;
            for (bit, name) in [(8, "hardAcceleration"), (9, "hardBraking"), (10, "hardCornering")]
            {
                if bits >> bit & 1 != 0 {
                    draft.alarm(name);
                }
            }
        }
        (0x60, 2..) => {
            let event = c.u16()?;
            draft.set("event", event);
            // A card was read: lock, card.
            if matches!(event, 0x61..=0x66) && c.left() >= 14 {
                c.skip(6)?;
                draft.set("driver_id", String::from_utf8_lossy(c.take(8)?).into_owned());
            }
        }
        (0x61, 2) => draft.set("power_volts", f64::from(c.u16()?) / 100.0),
        // Padlocks: seals of a container. Their password (67) is not kept.
        (0x63, 11..) => seals(draft, c)?,
        (0x56, 2) => draft.set("battery_percent", u32::from(c.u8()?) * 10),
        // T/JSATL 12: a tired driver; harsh driving. Number u32, begins or ends u8, what u8.
        (0x65, 6..) => {
            c.skip(5)?;
            if c.u8()? == 1 {
                draft.alarm("fatigueDriving");
            }
        }
        (0x70, 6..) => {
            c.skip(5)?;
            match c.u8()? {
                0x01 => draft.alarm("hardAcceleration"),
                0x02 => draft.alarm("hardBraking"),
                0x03 => draft.alarm("hardCornering"),
                0x16 => draft.alarm("accident"),
                _ => {}
            }
        }
        (0x69, 2) => draft.set("battery_volts", f64::from(c.u16()?) / 100.0),
        (0x82, 2) => draft.set("power_volts", f64::from(c.u16()?) / 10.0),
        (0x80..=0x8e, _) => diagnosis(draft, id, c)?,
        _ => {}
    }
    Ok(())
}

/// Items from a0 on.
fn later(draft: &mut Draft, id: u8, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    match (id, c.left()) {
        (0xa0, 1..) => {
            let codes = String::from_utf8_lossy(c.rest()).replace(',', " ");
            draft.set("dtcs", codes.trim_matches(['\0', ' ']));
        }
        (0xac, 4) => draft.set("odometer_metres", c.u32()?),
        (0xd3 | 0xe1 | 0xfe, 2) => draft.set("power_volts", f64::from(c.u16()?) / 10.0),
        (0xd5, 2) => draft.set("battery_volts", f64::from(c.u16()?) / 100.0),
        (0xd5, 12..) => locks(draft, c)?,
        (0xe1, 4) => draft.set("driver_id", c.u32()?.to_string()),
        (0xe2, 4) => draft.set("fuel_litres", f64::from(c.u32()?) / 10.0),
        (0xe3, 6) => {
            draft.set("battery_percent", c.u16()?);
            draft.set("battery_volts", f64::from(c.u16()?) / 100.0);
        }
        // Topin: charging, percent; moving.
        (0xe4, 2) => {
            draft.set("charging", c.u8()? == 0);
            draft.set("battery_percent", c.u8()?);
        }
        (0xe5, 1) => draft.set("motion", c.u8()? != 0),
        (0xe6, 12..) if c.rest().starts_with(b"$OBD-RT") => real_time(draft, c),
        (0xeb | 0xfe, 5..) => nested(draft, c)?,
        (0xf3, 5..) if c.rest()[0] < 2 => diagnosed(draft, c)?,
        // AOVX.
        (0xf1, 4) => draft.set("power_volts", f64::from(c.u32()?) / 1000.0),
        (0xf2, _) => draft.set("firmware", String::from_utf8_lossy(c.rest()).into_owned()),
        (0xf6, 4..) => sensors(draft, c)?,
        (0xf7, 5 | 6) => {
            draft.set("battery_volts", f64::from(c.u32()?) / 1000.0);
            if c.left() == 2 {
                draft.set("charging", c.u8()? == 2);
            }
            draft.set("battery_percent", c.u8()?);
        }
        (0xf8, 2) => draft.set("steps", c.u16()?),
        (0xf8, 19..) => {
            c.skip(9)?;
            draft.set("iccid", hex(c.take(10)?));
        }
        (0xf9, 18) => {
            c.skip(10)?;
            draft.set("hdop", f64::from(c.u16()?) / 10.0);
        }
        (0xd4 | 0xe1 | 0xfe, 1) => draft.set("battery_percent", c.u8()?),
        _ => {}
    }
    Ok(())
}

/// eb: items of length u16 (with the id's two bytes) and id u16.
fn nested(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    while c.left() >= 4 {
        let length = usize::from(c.u16()?);
        if length < 2 || length > c.left() {
            // Another maker's list of cells.
            return Ok(());
        }
        let mut item = Cursor::new(c.take(length)?);
        let id = item.u16()?;
        match (id, item.left()) {
            (0x01, 3) => draft.set(("fuel_litres", 1), f64::from(item.u16()?) / 10.0),
            (0x23, 6) => {
                let value = decimal(&String::from_utf8_lossy(item.rest()));
                draft.maybe(("fuel_litres", 2), value);
            }
            (0x2d, 2) => draft.set("battery_volts", f64::from(item.u16()?) / 1000.0),
            (0x2d, 4) => draft.set("power_volts", f64::from(item.u32()?) / 1000.0),
            (0x89, 4) => extended(draft, item.u32()?, &EXTENDED),
            (0xc5, 4) => {
                let bits = item.u32()?;
                extended(draft, bits, &[(6, "vibration"), (14, "tampering")]);
                if bits & 1 << 23 == 0 {
                    draft.set("motion", true);
                }
            }
            (0xe3, 1) => draft.set("charging", item.u8()? == 1),
            (0xa8 | 0xe1, 1) => draft.set("battery_percent", item.u8()?),
            (0xb2, 10) => draft.set("iccid", hex(item.take(10)?).trim_end_matches('f')),
            (0xce, 2) => draft.set("power_volts", f64::from(item.u16()?) / 100.0),
            _ => {}
        }
    }
    Ok(())
}

/// f6: event, which sensors, their values.
fn sensors(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    let (event, which) = (c.u8()?, c.u8()?);
    draft.set("event", event);
    if event == 2 {
        draft.set("motion", true);
    }
    if which & 1 != 0 {
        draft.set("light_lux", c.u16()?);
    }
    if which & 2 != 0 {
        draft.set(("temperature_celsius", 1), f64::from(c.i16()?) / 10.0);
    }
    if which & 4 != 0 {
        draft.set("humidity_percent", f64::from(c.u16()?) / 10.0);
    }
    if which & 8 != 0 {
        draft.set("acceleration", format!("[{},{},{}]", c.i16()?, c.i16()?, c.i16()?));
    }
    Ok(())
}

/// Alarm bits of 0089, which are 0 where the alarm holds.
const EXTENDED: [(u32, &str); 6] = [
    (4, "accident"),
    (8, "hardAcceleration"),
    (9, "hardBraking"),
    (12, "removing"),
    (25, "hardCornering"),
    (30, "jamming"),
];

fn extended(draft: &mut Draft, bits: u32, names: &[(u32, &'static str)]) {
    for (_, name) in names.iter().filter(|(bit, _)| bits & 1 << bit == 0) {
        draft.alarm(name);
    }
}

/// 0900: text of a card reader, values of the engine.
pub(super) fn passed_through(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let kind = c.u8()?;
    let text = String::from_utf8_lossy(c.rest()).into_owned();
    if let Some(mut fields) = piped(&text) {
        fields.skip(4);
        told.report().set("driver_id", fields.text());
        return Ok(());
    }
    match kind {
        0x54 if c.left() >= 24 => return sampled(told.report(), c),
        0xf0 => {
            let draft = told.report();
            draft.time(beijing(c.array()?));
            return engine(draft, c);
        }
        _ => {}
    }
    Ok(())
}

/// 54 (AOVX): a place without alarms, then samples of mask u16, time 6, light, temperature,
/// humidity, temperature of a probe, three axes, air pressure. The first one is the place's.
fn sampled(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    super::place(draft, c)?;
    if c.left() >= 24 && c.u16()? == 0x1f {
        c.skip(6)?;
        draft.set("light_lux", c.u16()?);
        draft.set("device_celsius", f64::from(c.i16()?) / 10.0);
        draft.set("humidity_percent", f64::from(c.u16()?) / 10.0);
        draft.set(("temperature_celsius", 3), f64::from(c.i16()?) / 10.0);
        c.skip(6)?;
        draft.set("air_hectopascals", c.u16()?);
    }
    Ok(())
}

//! Items behind a position, and what passes through.

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
        (0x56, 2) => draft.set("battery_percent", u32::from(c.u8()?) * 10),
        (0x69, 2) => draft.set("battery_volts", f64::from(c.u16()?) / 100.0),
        (0x82 | 0xe1 | 0xfe, 2) => draft.set("power_volts", f64::from(c.u16()?) / 10.0),
        (0x80..=0x8e, _) => diagnosis(draft, id, c)?,
        (0xe1, 4) => draft.set("driver_id", c.u32()?.to_string()),
        (0xe2, 4) => draft.set("fuel_litres", f64::from(c.u32()?) / 10.0),
        (0xe3, 6) => {
            draft.set("battery_percent", c.u16()?);
            draft.set("battery_volts", f64::from(c.u16()?) / 100.0);
        }
        // Topin: charging, percent; moving.
        (0xe4, 2) => {
            c.skip(1)?;
            draft.set("battery_percent", c.u8()?);
        }
        (0xe5, 1) => draft.set("motion", c.u8()? != 0),
        (0xeb, 5..) => nested(draft, c)?,
        // AOVX.
        (0xf1, 4) => draft.set("power_volts", f64::from(c.u32()?) / 1000.0),
        (0xf2, _) => draft.set("firmware", String::from_utf8_lossy(c.rest()).into_owned()),
        (0xf6, 4..) => sensors(draft, c)?,
        (0xf7, 5 | 6) => {
            draft.set("battery_volts", f64::from(c.u32()?) / 1000.0);
            c.skip(c.left() - 1)?;
            draft.set("battery_percent", c.u8()?);
        }
        (0xf8, 19..) => {
            c.skip(9)?;
            draft.set("iccid", hex(c.take(10)?));
        }
        (0xf9, 18) => {
            c.skip(10)?;
            draft.set("hdop", f64::from(c.u16()?) / 10.0);
        }
        (0xfe, 1) => draft.set("battery_percent", c.u8()?),
        _ => {}
    }
    Ok(())
}

/// 80 to 8e: values of the engine.
fn diagnosis(draft: &mut Draft, id: u8, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    match (id, c.left()) {
        (0x81, 2) => draft.set("rpm", c.u16()?),
        (0x82, 2) => draft.set("power_volts", f64::from(c.u16()?) / 10.0),
        (0x83, 1) => draft.set("engine_load_percent", c.u8()?),
        (0x84, 1) => draft.set("coolant_celsius", i64::from(c.u8()?) - 40),
        (0x85, 2) => draft.set("fuel_litres_per_hour", c.u16()?),
        (0x86, 1) => draft.set("intake_celsius", i64::from(c.u8()?) - 40),
        (0x87, 2) => draft.set("intake_flow", c.u16()?),
        (0x89, 1) => draft.set("throttle_percent", c.u8()?),
        (0x8b, 17) => draft.set("vin", String::from_utf8_lossy(c.rest()).into_owned()),
        (0x8c, 4) => draft.set("obd_odometer_metres", u64::from(c.u32()?) * 100),
        (0x8d, 2) => draft.set("trip_metres", u32::from(c.u16()?) * 1000),
        (0x8e, 1) => draft.set("fuel_litres", c.u8()?),
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
            (0xa8, 1) => draft.set("battery_percent", item.u8()?),
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

/// 0900: text of a card reader, values of the engine.
pub(super) fn passed_through(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let kind = c.u8()?;
    let text = String::from_utf8_lossy(c.rest()).into_owned();
    if let Some(mut fields) = piped(&text) {
        fields.skip(4);
        told.report().set("driver_id", fields.text());
        return Ok(());
    }
    if kind == 0xf0 {
        let draft = told.report();
        draft.time(beijing(c.array()?));
        return engine(draft, c);
    }
    Ok(())
}

/// f0: acc, then items of id u16 and length u8.
fn engine(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    c.skip(c.left().min(2))?;
    while c.left() >= 3 {
        let (id, length) = (c.u16()?, usize::from(c.u8()?));
        let mut item = Cursor::new(c.take(length.min(c.left()))?);
        match (id, item.left()) {
            (0x0528, 1) => draft.set("fuel_percent", item.u8()?),
            (0x0529 | 0x0546, 4) => draft.set("odometer_metres", u64::from(item.u32()?) * 100),
            (0x052d, 1) => draft.set("coolant_celsius", i64::from(item.u8()?) - 40),
            (0x0535, 2) => draft.set("obd_speed_mps", f64::from(item.u16()?) / 36.0),
            (0x0536, 2) => draft.set("rpm", item.u16()?),
            _ => {}
        }
    }
    Ok(())
}

//! What stands behind a place, and heartbeats.

use super::{Model, Parts, alarm, information, place};
use crate::protocol::cursor::{Cursor, hex};
use crate::protocol::wire::{Complaint, Draft, Told};

/// Whether a cell with an id of four bytes follows a place, and how long what is behind it is;
/// 0 where that is as behind other cells.
pub(super) fn narrow(kind: u8, rest: &[u8]) -> Option<usize> {
    match (kind, rest.len()) {
        (0x22, 24) => Some(0),
        (0x31, 10..) => Some(rest.len() - 9),
        _ => None,
    }
}

/// Types with a height behind their cell: ignition, why, resent, .., metres i16.
pub(super) fn higher(kind: u8, draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    if kind == 0x31 && c.left() >= 7 {
        c.skip(2)?;
        draft.set("ignition", c.u8()? != 0);
        draft.set("event", c.u8()?);
        draft.set("archive", c.u8()? != 0);
    }
    c.skip(c.left() - 2)?;
    let altitude = c.i16()?;
    if let Some(at) = &mut draft.at {
        at.altitude = Some(f64::from(altitude));
    }
    Ok(())
}

/// NT20 and XT40: mark, IMEI and two times in front; behind the cell status, power, battery.
pub(super) fn doubly_dated(
    kind: u8,
    draft: &mut Draft,
    c: &mut Cursor<'_>,
) -> Result<(), Complaint> {
    let length = usize::from(c.u8()?);
    c.skip(length.saturating_sub(1))?;
    if kind == 0x25 {
        c.skip(1)?;
    }
    alarm::status(draft, c.u8()?);
    draft.set("power_volts", f64::from(c.u16()?) / 100.0);
    draft.set("battery_volts", f64::from(c.u8()?) / 10.0);
    draft.set("rssi", c.u8()?);
    c.skip(2)?;
    draft.set("odometer_metres", c.u32()?);
    draft.set("engine_on_seconds", u32::from(c.u16()?) * 60);
    if kind == 0x25 && c.left() > 2 {
        let length = usize::from(c.u8()?).saturating_sub(1);
        c.skip(1)?;
        draft.set("driver_id", hex(c.take(length.min(c.left()))?));
    }
    Ok(())
}

/// Type 34: a head of four bytes, then place, mileage, cell, driver, voltages, lines.
pub(super) fn metered(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let draft = told.report();
    c.skip(4)?;
    place(draft, c)?;
    c.skip(2)?;
    draft.set("odometer_metres", c.u32()?);
    let (mcc, mnc, area, id) = (c.u16()?, c.u8()?, c.u16()?, c.u32()?);
    draft.cell(1, (mcc, mnc.into(), area.into(), id.into()));
    let driver = c.u32()?;
    if driver > 0 {
        draft.set("driver_id", driver.to_string());
    }
    draft.set("battery_volts", f64::from(c.u16()?) / 100.0);
    draft.set("power_volts", f64::from(c.u16()?) / 100.0);
    c.skip(2)?;
    draft.set("input_mask", c.u16()?);
    draft.set("output_mask", c.u16()?);
    draft.set(("analog_volts", 1), f64::from(c.u16()?) / 100.0);
    draft.set(("analog_volts", 2), f64::from(c.u16()?) / 100.0);
    Ok(())
}

/// What stands behind the cell of an ordinary position.
pub(super) fn behind(kind: u8, draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    match (kind, c.left()) {
        (0x22 | 0x37 | 0x33 | 0xa0, 3..) => {
            let on = c.u8()? != 0;
            if !draft.has("ignition") {
                draft.set("ignition", on);
            }
            draft.set("event", c.u8()?);
            draft.set("archive", c.u8()? != 0);
            if kind == 0x37 {
                return information::short_modules(draft, c);
            }
            if c.left() >= 4 {
                draft.set("odometer_metres", c.u32()?);
            }
            if c.left() == 8 {
                c.skip(4)?;
                draft.set(("temperature_celsius", 1), f64::from(c.i16()?) / 100.0);
                draft.set("humidity_percent", f64::from(c.u16()?) / 100.0);
            }
        }
        (0x24, 5..) => {
            draft.set("ignition", c.u8()? != 0);
            draft.set("power_volts", f64::from(c.u16()?) / 100.0);
            draft.set("battery_volts", f64::from(c.u16()?) / 100.0);
        }
        (0x61, 4..) => {
            c.skip(c.left() - 4)?;
            draft.set("driver_id", c.u32()?.to_string());
        }
        (0x12, 1..) => return first(draft, c),
        (0xa2, 10..) => {
            c.skip(1)?;
            alarm::status(draft, c.u8()?);
            draft.set("power_volts", f64::from(c.u16()?) / 100.0);
            alarm::battery(draft, c.u8()?);
            draft.set("rssi", c.u8()?);
            c.skip(2)?;
            draft.set("odometer_metres", c.u32()?);
            draft.set("engine_on_seconds", c.u32()?);
            c.skip(8)?;
            draft.set("input_mask", c.u16()?);
        }
        _ => {}
    }
    Ok(())
}

/// Type 12, which many fill in their own way.
fn first(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    match c.left() {
        4 => draft.set("odometer_metres", c.u32()?),
        // A line that measures: temperature or a count.
        2 => {
            let bits = c.u16()?;
            draft.set("ignition", bits >> 15 & 1 != 0);
            draft.set(("input", 2), bits >> 14 & 1 != 0);
            let size = i64::from(bits & 0x1ff);
            let cold = bits >> 9 & 1 != 0;
            match bits >> 12 & 3 {
                1 => draft.set(("temperature_celsius", 1), if cold { -size } else { size }),
                2 => draft.set(("analog_raw", 1), bits & 0x3ff),
                _ => {}
            }
        }
        // A card that was swiped: mileage, length and text, alarm, swiped.
        71.. if usize::from(c.rest()[4]) + 7 == c.left() => {
            draft.set("odometer_metres", c.u32()?);
            let length = usize::from(c.u8()?);
            let card = String::from_utf8_lossy(c.take(length)?).into_owned();
            draft.set("card", card.trim());
        }
        // A driver's card: mileage, length and text, alarm, state, time at the wheel.
        10.. if usize::from(c.rest()[4]) + 9 == c.left() => {
            draft.set("odometer_metres", c.u32()?);
            let length = usize::from(c.u8()?);
            draft.set("card", String::from_utf8_lossy(c.take(length)?).into_owned());
            if c.u8()? != 0 {
                draft.alarm("general");
            }
            draft.set("card_status", c.u8()?);
            draft.set("driving_time", c.u16()?);
        }
        5..12 => {
            alarm::status(draft, c.u8()?);
            draft.set("power_volts", f64::from(c.u16()?) / 100.0);
            draft.set("rssi", c.u8()?);
        }
        // GK310: fuel and temperature behind the status, mileage in tens of metres.
        12.. => {
            alarm::status(draft, c.u8()?);
            draft.set("power_volts", f64::from(c.u16()?) / 100.0);
            draft.set("rssi", c.u8()?);
            draft.set("oil_level", c.u16()?);
            draft.set(("temperature_celsius", 1), c.i16()?);
            draft.set("odometer_metres", u64::from(c.u32()?) * 10);
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn heartbeat(
    parts: &Parts<'_>,
    c: &mut Cursor<'_>,
    told: &mut Told,
) -> Result<(), Complaint> {
    let draft = told.report();
    let kind = parts.kind;
    // A thermometer's: state, temperature twice, grade of the battery.
    if c.left() == 16 {
        c.skip(1)?;
        draft.set(("temperature_celsius", 1), f64::from(c.u16()? & 0x7fff) / 10.0);
        c.skip(2)?;
        draft.set("battery_percent", c.u8()?);
        return Ok(());
    }
    draft.set("message_type", kind);
    let status = c.u8()?;
    if kind == 0x23 && c.left() >= 5 {
        draft.set("armed", status & 1 != 0);
        draft.set("ignition", status & 2 != 0);
        draft.set("charging", status & 4 != 0);
        draft.set("battery_volts", f64::from(c.u16()?) / 100.0);
        draft.set("rssi", c.u8()?);
        return Ok(());
    }
    alarm::status(draft, status);
    if kind == 0x13 && c.left() == 13 {
        return modem(draft, c);
    }
    alarm::battery(draft, c.u8()?);
    draft.set("rssi", c.u8()?);
    match parts.model {
        Model::Lw4g if c.left() == 2 => {
            draft.set("power_volts", f64::from(c.u16()? & 0xfff) / 10.0);
        }
        Model::Seeworld if c.left() == 2 => draft.set("power_volts", f64::from(c.u8()?)),
        Model::Common if kind == 0x36 && c.left() > 2 => {
            c.skip(2)?;
            information::short_modules(draft, c)?;
        }
        _ => {}
    }
    Ok(())
}

/// Signal and satellites of two systems in five bits each, battery, power, temperature.
fn modem(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    let bits = c.u16()?;
    draft.set("rssi", bits & 31);
    draft.set("satellites", (bits >> 5 & 31) + (bits >> 10 & 31));
    c.skip(2)?;
    draft.set("battery_percent", c.u8()?);
    c.skip(1)?;
    draft.set("power_volts", f64::from(c.u16()?) / 100.0);
    c.skip(3)?;
    draft.set(("temperature_celsius", 1), f64::from(c.i16()?) / 10.0);
    Ok(())
}

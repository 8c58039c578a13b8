//! What a reader says of its car.

use super::LIST_MAX;
use crate::protocol::cursor::Cursor;
use crate::protocol::diagnosis;
use crate::protocol::wire::{Complaint, Draft};

/// Behind a state: PIDs, faults, a radio cell.
pub(super) fn of_the_car(
    kind: u16,
    c: &mut Cursor<'_>,
    draft: &mut Draft,
) -> Result<(), Complaint> {
    match kind {
        0x4002 => {
            c.skip(2)?;
            readings(c, draft)
        }
        0x4005 => {
            c.skip(1)?;
            readings(c, draft)
        }
        0x4008 => {
            draft.set(("cell_area", 1), c.u16_le()?);
            draft.set(("cell_id", 1), c.u16_le()?);
            Ok(())
        }
        _ => faults(kind, c, draft),
    }
}

/// Values with an id and a length, up to the end.
pub(super) fn values(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    while c.left() >= 4 {
        let (id, length) = (c.u16_le()?, c.u16_le()?);
        let value = c.take(usize::from(length).min(c.left()))?;
        let number = |bytes: &[u8]| Cursor::new(bytes).u16_le().unwrap_or(0);
        match id {
            0x0010 => draft.set("device_celsius", f64::from(number(value) as i16) / 10.0),
            0x0021 => draft.set("battery_volts", f64::from(number(value)) / 100.0),
            0x2001 => {
                let vin = String::from_utf8_lossy(value).into_owned();
                draft.set("command_result", vin.as_str());
                draft.set("vin", vin);
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn alarms(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    if c.left() == 0 {
        return Ok(());
    }
    for _ in 0..c.u8()?.min(LIST_MAX) {
        let (begins, code) = (c.u8()? != 0, c.u8()?);
        c.skip(4)?;
        match code {
            0x16 if begins => draft.set("ignition", true),
            0x17 if begins => draft.set("ignition", false),
            _ if begins => {
                if let Some(name) = alarm(code) {
                    draft.alarm(name);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn alarm(code: u8) -> Option<&'static str> {
    Some(match code {
        0x01 => "overspeed",
        0x02 => "lowPower",
        0x03 => "temperature",
        0x04 => "hardAcceleration",
        0x05 => "hardBraking",
        0x06 => "idle",
        0x07 => "tow",
        0x08 => "highRpm",
        0x09 => "powerOn",
        0x0b => "laneChange",
        0x0c => "hardCornering",
        0x0d => "fatigueDriving",
        0x0e => "powerOff",
        0x0f => "geofence",
        0x10 => "sos",
        0x11 => "accident",
        0x12 => "tampering",
        0x15 => "powerCut",
        0x18 => "fault",
        0x1c => "vibration",
        _ => return None,
    })
}

/// Ids, then the newest group of their values.
fn readings(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let count = c.u8()?;
    let ids = c.take(2 * usize::from(count))?;
    if c.left() < 2 {
        return Ok(());
    }
    // A snapshot has one group and does not say so.
    let length = |count: u8| {
        ids.chunks(2).map(|id| diagnosis::width(id[0])).sum::<usize>() * usize::from(count)
    };
    if c.left() != length(1) {
        c.skip(2)?;
    }
    for id in ids.chunks(2).map(|id| id[0]) {
        let bytes = c.take(diagnosis::width(id))?;
        let value = bytes.iter().rev().fold(0_u32, |n, b| n << 8 | u32::from(*b));
        reading(id, value, draft);
    }
    Ok(())
}

fn reading(id: u8, value: u32, draft: &mut Draft) {
    match id {
        0x04 => draft.set("engine_load_percent", value),
        0x05 => draft.set("coolant_celsius", value as u8 as i8),
        0x0b => draft.set("intake_kilopascals", value),
        0x0c => draft.set("rpm", value),
        0x0d => draft.set("obd_speed_mps", f64::from(value) / 3.6),
        0x0f => draft.set("intake_celsius", value as u8 as i8),
        0x11 => draft.set("throttle_percent", value),
        0x21 => draft.set("malfunction_metres", i64::from(value) * 1000),
        0x2f => draft.set("fuel_percent", value),
        _ => {}
    }
}

fn faults(kind: u16, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    c.skip(1)?;
    let mut codes = Vec::new();
    for _ in 0..c.u8()?.min(LIST_MAX) {
        let code = c.u16_le()?;
        c.skip(if kind == 0x4006 { 1 } else { 2 }.min(c.left()))?;
        codes.push(diagnosis::fault(code));
    }
    if !codes.is_empty() {
        draft.set("dtcs", codes.join(" "));
    }
    Ok(())
}

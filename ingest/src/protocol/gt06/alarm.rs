//! Status and alarms.

use super::Model;
use crate::protocol::cursor::Cursor;
use crate::protocol::wire::{Complaint, Draft};

/// The status byte.
pub(super) fn status(draft: &mut Draft, status: u8) {
    draft.set("status", status);
    draft.set("ignition", status & 0x02 != 0);
    draft.set("charging", status & 0x04 != 0);
    draft.set("blocked", status & 0x80 != 0);
    match status >> 3 & 7 {
        1 => draft.alarm("vibration"),
        2 => draft.alarm("powerCut"),
        3 => draft.alarm("lowBattery"),
        4 => draft.alarm("sos"),
        6 => draft.alarm("geofence"),
        7 => draft.alarm("overspeed"),
        _ => {}
    }
}

/// The voltage as a grade of 0 to 6, or in newer devices as percent.
pub(super) fn battery(draft: &mut Draft, level: u8) {
    match level {
        0..=6 => draft.set("battery_percent", u32::from(level) * 100 / 6),
        7..=100 => draft.set("battery_percent", level),
        _ => {}
    }
}

/// The same of a model.
pub(super) fn tail_of(
    model: Model,
    draft: &mut Draft,
    c: &mut Cursor<'_>,
) -> Result<(), Complaint> {
    let harsh = model == Model::Lw4g && c.rest().get(3) == Some(&0x19);
    tail(draft, c)?;
    if harsh {
        draft.set("alarm", "hardAcceleration");
    }
    Ok(())
}

/// Status, voltage, signal, alarm, language, and where there is one, the number of a fence.
pub(super) fn tail(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    status(draft, c.u8()?);
    battery(draft, c.u8()?);
    draft.set("rssi", c.u8()?);
    if let Some(name) = name(c.u8()?)
        && !draft.has("alarm")
    {
        draft.alarm(name);
    }
    if c.left() > 1 {
        c.skip(1)?;
        draft.set("geofence", c.u8()?);
    }
    Ok(())
}

/// The alarm byte.
fn name(code: u8) -> Option<&'static str> {
    Some(match code {
        0x01 => "sos",
        0x02 => "powerCut",
        0x03 => "vibration",
        0x04 => "geofenceEnter",
        0x05 => "geofenceExit",
        0x06 => "overspeed",
        0x09 => "tow",
        0x0a => "gpsAntennaCut",
        0x0c => "powerOn",
        0x0e | 0x0f => "lowPower",
        0x11 => "powerOff",
        0x13 | 0x18 | 0x25 => "tampering",
        0x14 => "door",
        0x15 | 0x19 => "lowBattery",
        0x20 => "movement",
        0x23 => "fallDown",
        0x29 | 0x90 => "hardAcceleration",
        0x2a | 0x2b | 0x92 => "hardCornering",
        0x2c | 0x93 => "accident",
        0x30 | 0x91 => "hardBraking",
        _ => return None,
    })
}

/// The alarm of a driving event (type 95); what has no name is general.
pub(super) fn driving(code: u8) -> &'static str {
    name(code).filter(|_| code >= 0x90).unwrap_or("general")
}

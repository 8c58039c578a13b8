//! Records of NTCB.
//!
//! ```text
//! all    format u8 | index u32 | event u16 | time 6 | guard | status | signal
//! 5.x    satellites and two outputs | inputs | power, battery, 2 lines u16 mV | 8 counts | nav
//!        | time 6 | lat f32 rad | lng f32 rad | km/h f32 | course u16 | odometer f32 km
//!        | leg f32 km | seconds u16 x 2 | [5.1, 5.2: levels 15] | [5.2: temperatures i8 x 4]
//! 6.0    outputs | inputs | power, battery, 3 lines u16 mV | 8 counts | 28 | temperatures i8 x 4 | 6
//!        | nav | time 6 | lat i32 | lng i32 | altitude i32 | km/h f32 | course u16 | odometer f32
//!        | leg f32 | seconds u16 x 2
//! ```

use super::flex::{angle, connected, navigation, outputs};
use crate::fix::Measured;
use crate::protocol::clock;
use crate::protocol::cursor::Cursor;
use crate::protocol::wire::{Complaint, Draft};
use crate::time::Timestamp;

const F50: u8 = 0x05;
const F51: u8 = 0x15;
const F52: u8 = 0x25;
const F60: u8 = 0x06;
/// Bytes of a record behind its format.
const LENGTH_50: usize = 66;
const LENGTH_51: usize = 81;
const LENGTH_52: usize = 85;
const LENGTH_60: usize = 110;
/// Where the temperatures and the place of 6.0 begin.
const TEMPERATURES_60: usize = 63;
const PLACE_60: usize = 73;

pub(super) fn record(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let format = c.u8()?;
    let length = match format {
        F50 => LENGTH_50,
        F51 => LENGTH_51,
        F52 => LENGTH_52,
        F60 => LENGTH_60,
        _ => return Err(Complaint::bad("format", &[format])),
    };
    let bytes = c.take(length)?;
    let mut c = Cursor::new(bytes);
    draft.set("record_format", format);
    draft.set("record_number", c.u32_le()?);
    draft.set("event", c.u16_le()?);
    c.skip(6)?;
    draft.set("armed", c.u8()? & 1 != 0);
    draft.set("status", c.u8()?);
    draft.set("rssi", c.u8()?);
    let lines = if format == F60 {
        outputs(c.u8()?, 4, draft);
        3
    } else {
        let both = c.u8()?;
        draft.set("satellites", both >> 2);
        outputs(both & 3, 2, draft);
        2
    };
    super::flex::inputs(c.u8()?, draft);
    draft.set("power_volts", f64::from(c.u16_le()?) / 1000.0);
    draft.set("battery_volts", f64::from(c.u16_le()?) / 1000.0);
    for nth in 1..=lines {
        draft.set(("analog_volts", nth), f64::from(c.u16_le()?) / 1000.0);
    }
    c.skip(8)?;
    if format == F60 {
        place_60(bytes, draft)
    } else {
        place_5x(&mut c, draft)?;
        temperatures(bytes.get(LENGTH_51..).unwrap_or_default(), draft);
        Ok(())
    }
}

fn temperatures(bytes: &[u8], draft: &mut Draft) {
    for (nth, degrees) in (1..).zip(bytes) {
        draft.maybe(("temperature_celsius", nth), connected(*degrees as i8));
    }
}

fn time(c: &mut Cursor<'_>) -> Result<Option<Timestamp>, Complaint> {
    let [hour, minute, second, day, month, year] = c.array::<6>()?;
    Ok(clock::six_bytes([year, month.saturating_add(1), day, hour, minute, second]))
}

fn float(c: &mut Cursor<'_>) -> Result<f64, Complaint> {
    Ok(f32::from_le_bytes(c.array()?).into())
}

fn distances(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.set("odometer_metres", float(c)? * 1000.0);
    draft.set("distance_metres", float(c)? * 1000.0);
    Ok(())
}

fn place_5x(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let valid = c.u8()? & 2 != 0;
    draft.time(time(c)?);
    draft.at = Some(Measured {
        lat: float(c)?.to_degrees(),
        lng: float(c)?.to_degrees(),
        valid,
        speed: Some(float(c)? / 3.6),
        heading: Some(c.u16_le()?.into()),
        ..Measured::default()
    });
    distances(c, draft)
}

fn place_60(bytes: &[u8], draft: &mut Draft) -> Result<(), Complaint> {
    temperatures(&bytes[TEMPERATURES_60..TEMPERATURES_60 + 4], draft);
    let mut c = Cursor::new(&bytes[PLACE_60..]);
    let valid = navigation(c.u8()?, draft);
    draft.time(time(&mut c)?);
    draft.at = Some(Measured {
        lat: angle(c.i32_le()?),
        lng: angle(c.i32_le()?),
        valid,
        altitude: Some(f64::from(c.i32_le()?) / 10.0),
        speed: Some(float(&mut c)? / 3.6),
        heading: Some(c.u16_le()?.into()),
        accuracy: None,
    });
    distances(&mut c, draft)
}

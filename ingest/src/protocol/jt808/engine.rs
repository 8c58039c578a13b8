//! What the car's engine and computers say, in the words of several makers.

use super::status;
use crate::attribute::Key;
use crate::protocol::cursor::Cursor;
use crate::protocol::fields::Fields;
use crate::protocol::wire::{Complaint, Draft};

/// 80 to 8e: values of the engine.
pub(super) fn diagnosis(draft: &mut Draft, id: u8, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    match (id, c.left()) {
        (0x80, 1) => draft.set("obd_speed_mps", f64::from(c.u8()?) / 3.6),
        (0x81, 2) => draft.set("rpm", c.u16()?),
        (0x82, 2) => draft.set("power_volts", f64::from(c.u16()?) / 10.0),
        (0x83, 1) => draft.set("engine_load_percent", c.u8()?),
        (0x84, 1) => draft.set("coolant_celsius", i64::from(c.u8()?) - 40),
        (0x85, 2) => draft.set("fuel_litres_per_hour", c.u16()?),
        (0x86, 1) => draft.set("intake_celsius", i64::from(c.u8()?) - 40),
        (0x87, 2) => draft.set("intake_flow", c.u16()?),
        (0x88, 1) => draft.set("intake_kilopascals", c.u8()?),
        (0x89, 1) => draft.set("throttle_percent", c.u8()?),
        (0x8b, 17) => draft.set("vin", String::from_utf8_lossy(c.rest()).into_owned()),
        (0x8c, 4) => draft.set("obd_odometer_metres", u64::from(c.u32()?) * 100),
        (0x8d, 2) => draft.set("trip_metres", u32::from(c.u16()?) * 1000),
        (0x8e, 1) => draft.set("fuel_litres", c.u8()?),
        _ => {}
    }
    Ok(())
}

/// e6: `$OBD-RT,volts,rpm,km/h,throttle,load,coolant,..,..,..,km,..,litres used`.
pub(super) fn real_time(draft: &mut Draft, c: &Cursor<'_>) {
    let text = String::from_utf8_lossy(c.rest()).into_owned();
    let mut fields = Fields::new(&text, ',');
    fields.skip(1);
    draft.maybe("power_volts", fields.decimal());
    draft.maybe("rpm", fields.decimal());
    draft.maybe("obd_speed_mps", fields.decimal().map(|v| v / 3.6));
    draft.maybe("throttle_percent", fields.decimal());
    draft.maybe("engine_load_percent", fields.decimal());
    draft.maybe("coolant_celsius", fields.whole());
    fields.skip(3);
    draft.maybe("obd_odometer_metres", fields.decimal().map(|v| v * 1000.0));
    fields.skip(1);
    draft.maybe("fuel_used_litres", fields.decimal());
}

/// f3: values of the engine, id u16, length u8, bytes.
pub(super) fn diagnosed(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    while c.left() >= 3 {
        let (id, length) = (c.u16()?, usize::from(c.u8()?));
        let mut item = Cursor::new(c.take(length.min(c.left()))?);
        match (id, item.left()) {
            (0x0002, 2) => draft.set("obd_speed_mps", f64::from(item.u16()?) / 36.0),
            (0x0003, 2) => draft.set("rpm", item.u16()?),
            (0x0004, 2) => draft.set("power_volts", f64::from(item.u16()?) / 1000.0),
            (0x0005, 4) => draft.set("obd_odometer_metres", u64::from(item.u32()?) * 100),
            (0x0006, 2) => draft.set("fuel_litres_per_hour", f64::from(item.u16()?) / 10.0),
            (0x0007, 2) => draft.set("fuel_litres_per_100_km", f64::from(item.u16()?) / 10.0),
            (0x0008, 1) => draft.set("engine_load_percent", item.u8()?),
            (0x0009, 2) => draft.set("coolant_celsius", i64::from(item.u16()?) - 40),
            (0x000b, 2) => draft.set("intake_kilopascals", item.u16()?),
            (0x000c, 2) => draft.set("intake_celsius", i64::from(item.u16()?) - 40),
            (0x000e, 1) => draft.set("throttle_percent", item.u8()?),
            (0x0050, 17..) => {
                let vin = String::from_utf8_lossy(item.take(17)?).into_owned();
                draft.set("vin", vin);
            }
            (0x0100, 2) => draft.set("trip_metres", u32::from(item.u16()?) * 100),
            (0x0102, 2) => draft.set("trip_fuel_litres", f64::from(item.u16()?) / 10.0),
            (0x0112, 2) => draft.set("hard_accelerations", item.u16()?),
            (0x0113, 2) => draft.set("hard_decelerations", item.u16()?),
            (0x0114, 2) => draft.set("hard_cornerings", item.u16()?),
            _ => {}
        }
    }
    Ok(())
}

/// f0: resent u8, kind u8, part u8 (1 values, 2 faults), what it says, status, place, time.
pub(super) fn engine(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    if c.u8()? == 1 {
        draft.set("archive", true);
    }
    c.skip(1)?;
    let part = c.u8()?;
    match part {
        1 => {
            for _ in 0..c.u8()? {
                let (id, length) = (c.u16()?, usize::from(c.u8()?));
                value(draft, id, &mut Cursor::new(c.take(length)?))?;
            }
            c.skip(c.left().min(1))?;
        }
        2 => faults(draft, c)?,
        _ => return Ok(()),
    }
    if c.left() >= 4 {
        status(draft, c.u32()?);
    }
    Ok(())
}

/// Computers of the car: mark u32, count u8, faults of code u32, state u16, words.
fn faults(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    let mut codes = Vec::new();
    for _ in 0..c.u16()? {
        c.skip(4)?;
        for _ in 0..c.u16()? {
            c.skip(8)?;
            let length = usize::from(c.u16()?);
            let code = String::from_utf8_lossy(c.take(length)?).into_owned();
            codes.push(code.trim_end_matches('\0').to_owned());
        }
    }
    if !codes.is_empty() {
        draft.set("dtcs", codes.join(" "));
    }
    Ok(())
}

/// A value of f0.
fn value(draft: &mut Draft, id: u16, item: &mut Cursor<'_>) -> Result<(), Complaint> {
    match (id, item.left()) {
        (0x0528 | 0x052b, 1) => draft.set("fuel_percent", item.u8()?),
        (0x0529 | 0x0546, 4) => draft.set("odometer_metres", u64::from(item.u32()?) * 100),
        (0x052c, 4) => draft.set("fuel_used_litres", f64::from(item.u32()?) / 100.0),
        (0x052d, 1) => draft.set("coolant_celsius", i64::from(item.u8()?) - 40),
        (0x052e, 1) => draft.set("air_celsius", i64::from(item.u8()?) - 40),
        (0x0530, 2) => draft.set("power_volts", f64::from(item.u16()?) / 1000.0),
        (0x0535, 2) => draft.set("obd_speed_mps", f64::from(item.u16()?) / 36.0),
        (0x0536, 2) => draft.set("rpm", item.u16()?),
        (0x0539, 2) => draft.set("fuel_litres_per_hour", f64::from(item.u16()?) / 100.0),
        (0x053d, 2) => draft.set("intake_kilopascals", f64::from(item.u16()?) / 10.0),
        (0x0544, 1) => draft.set("liquid_percent", item.u8()?),
        (id, 1) => draft.set(Key::Io(id.into()), item.u8()?),
        (id, 2) => draft.set(Key::Io(id.into()), item.u16()?),
        (id, 4) => draft.set(Key::Io(id.into()), item.u32()?),
        _ => {}
    }
    Ok(())
}

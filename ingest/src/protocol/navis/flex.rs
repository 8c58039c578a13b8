//! Records of FLEX: which fields there are, how long each is, what it says.

use crate::fix::Measured;
use crate::protocol::BadFrame;
use crate::protocol::cursor::Cursor;
use crate::protocol::wire::{Complaint, Draft};
use crate::time::Timestamp;

/// Versions 1.0, 2.0 and 3.0.
pub(super) const VERSIONS: [u8; 3] = [10, 20, 30];
/// How many fields each version has.
pub(super) const FIELDS: [usize; 3] = [69, 122, 255];
/// Bytes of each field, in order; annex A.
const SIZES: [u8; 255] = [
    4, 2, 4, 1, 1, 1, 1, 1, 4, 4, 4, 4, 4, 2, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1,
    4, 4, 2, 2, 4, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 2, 1, 4, 2, 2, 2, 2, 2, 1, 1,
    1, 2, 4, 2, 1, 8, 2, 1, 16, 4, 2, 4, 37, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 6, 12,
    24, 48, 1, 1, 1, 1, 4, 4, 1, 4, 2, 6, 2, 6, 2, 2, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 1, 1, 1, 1, 1,
    4, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 1, 1, 2, 3, 2, 1, 1, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 2, 4, 4, 4, 2, 4, 2, 2, 4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 4, 4, 4, 4, 6, 3, 1, 2, 2, 1, 4, 5, 4, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 8, 8,
    8,
];

/// What a device and we agreed on.
#[derive(Debug)]
pub(super) struct Flex {
    version: u8,
    structure: u8,
    /// Fields of a record, from 1, in order; at most 255.
    fields: Vec<u8>,
    size: usize,
}

impl Flex {
    /// From what a device offers: protocol, version, structure, bits, mask.
    pub(super) fn agreed(offer: &[u8]) -> Result<Self, Complaint> {
        let mut c = Cursor::new(offer);
        c.skip(1)?;
        let (version, structure, bits) = (c.u8()?, c.u8()?, usize::from(c.u8()?));
        let known = VERSIONS.iter().zip(FIELDS).find(|(v, _)| **v == structure);
        let Some((_, most)) = known.filter(|(_, most)| bits <= *most) else {
            let reason = format!("structure `{structure}` of `{bits}` fields is not known");
            return Err(Complaint::new(BadFrame::Malformed, 0, reason));
        };
        let mask = c.take(bits.div_ceil(8).min(c.left()))?;
        let set = |field: &usize| {
            let at = field - 1;
            mask.get(at / 8).is_some_and(|byte| byte << (at % 8) & 0x80 != 0)
        };
        let fields: Vec<u8> = (1..=most).filter(set).map(|field| field as u8).collect();
        let size = fields.iter().map(|field| usize::from(SIZES[usize::from(*field) - 1])).sum();
        if size == 0 {
            return Err(Complaint::new(BadFrame::Malformed, 0, "mask without a field"));
        }
        Ok(Self { version, structure, fields, size })
    }
    pub(super) fn versions(&self) -> [u8; 2] {
        [self.version, self.structure]
    }
    /// Bytes of a record.
    pub(super) fn size(&self) -> usize {
        self.size
    }
    pub(super) fn record(&self, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
        for field in &self.fields {
            let bytes = c.take(SIZES[usize::from(*field) - 1].into())?;
            match field {
                3 | 8..=14 => place(*field, bytes, draft)?,
                53..=69 => bus(*field, bytes, draft)?,
                _ => sensor(*field, bytes, draft)?,
            }
        }
        Ok(())
    }
}

/// 1/600,000 degree.
pub(super) fn angle(raw: i32) -> f64 {
    f64::from(raw) / 600_000.0
}

/// A temperature, where its sensor is connected.
pub(super) fn connected(degrees: i8) -> Option<i8> {
    Some(degrees).filter(|v| *v != i8::MIN)
}

/// Satellites; whether the place holds.
pub(super) fn navigation(state: u8, draft: &mut Draft) -> bool {
    draft.set("satellites", state >> 2);
    state & 2 != 0
}

pub(super) fn inputs(bits: u8, draft: &mut Draft) {
    draft.set("input_mask", bits);
    for nth in 1..=8 {
        draft.set(("input", nth), bits >> (nth - 1) & 1 != 0);
    }
}

pub(super) fn outputs(bits: u8, most: u16, draft: &mut Draft) {
    draft.set("output_mask", bits);
    for nth in 1..=most {
        draft.set(("output", nth), bits >> (nth - 1) & 1 != 0);
    }
}

fn float(c: &mut Cursor<'_>) -> Result<f64, Complaint> {
    Ok(f32::from_le_bytes(c.array()?).into())
}

fn place(field: u8, bytes: &[u8], draft: &mut Draft) -> Result<(), Complaint> {
    let mut c = Cursor::new(bytes);
    match field {
        3 | 9 => {
            draft.time(Some(Timestamp::from_seconds(c.u32_le()?.into())));
            return Ok(());
        }
        8 => {
            let valid = navigation(c.u8()?, draft);
            draft.at.get_or_insert_default().valid = valid;
            return Ok(());
        }
        _ => {}
    }
    let at: &mut Measured = draft.at.get_or_insert_default();
    match field {
        10 => at.lat = angle(c.i32_le()?),
        11 => at.lng = angle(c.i32_le()?),
        12 => at.altitude = Some(f64::from(c.i32_le()?) / 10.0),
        13 => at.speed = Some(float(&mut c)? / 3.6),
        _ => at.heading = Some(c.u16_le()?.into()),
    }
    Ok(())
}

fn sensor(field: u8, bytes: &[u8], draft: &mut Draft) -> Result<(), Complaint> {
    let mut c = Cursor::new(bytes);
    let nth = u16::from(field);
    match field {
        1 => draft.set("record_number", c.u32_le()?),
        2 => draft.set("event", c.u16_le()?),
        4 => draft.set("armed", c.u8()? & 1 != 0),
        5 => draft.set("status", c.u8()?),
        7 => draft.set("rssi", c.u8()?),
        15 => draft.set("odometer_metres", float(&mut c)? * 1000.0),
        16 => draft.set("distance_metres", float(&mut c)? * 1000.0),
        19 => draft.set("power_volts", f64::from(c.u16_le()?) / 1000.0),
        20 => draft.set("battery_volts", f64::from(c.u16_le()?) / 1000.0),
        21..=28 => draft.set(("analog_volts", nth - 20), f64::from(c.u16_le()?) / 1000.0),
        29 => inputs(c.u8()?, draft),
        31 => outputs(c.u8()?, 8, draft),
        37 => draft.set("engine_on_seconds", c.u32_le()?),
        38..=44 => {
            // From 65,500 on: no sensor, or a sensor that fails.
            let level = Some(c.u16_le()?).filter(|v| *v < 65_500);
            draft.maybe(("lls_level", nth - 37), level);
        }
        45..=52 => draft.maybe(("temperature_celsius", nth - 44), connected(c.u8()? as i8)),
        70 => {
            let seen: u32 = bytes.iter().map(|b| u32::from(*b)).sum();
            draft.set("satellites_in_view", seen);
        }
        71 => {
            draft.set("hdop", f64::from(c.u8()?) / 10.0);
            draft.set("pdop", f64::from(c.u8()?) / 10.0);
        }
        _ => {}
    }
    Ok(())
}

/// What the vehicle's bus says; the largest value or -1 where it says nothing.
fn bus(field: u8, bytes: &[u8], draft: &mut Draft) -> Result<(), Complaint> {
    let mut c = Cursor::new(bytes);
    let small = |c: &mut Cursor<'_>| c.u8().map(|v| Some(v).filter(|v| *v != u8::MAX));
    let wide = |c: &mut Cursor<'_>| c.u16_le().map(|v| Some(v).filter(|v| *v != u16::MAX));
    let real = |c: &mut Cursor<'_>| float(c).map(|v| Some(v).filter(|v| *v >= 0.0));
    match field {
        53 => match c.u16_le()? {
            0x7fff | 0xffff => {}
            percent @ 0..0x7fff => draft.set("fuel_percent", percent),
            litres => draft.set("fuel_litres", f64::from(litres & 0x7fff) / 10.0),
        },
        54 => draft.maybe("fuel_used_litres", real(&mut c)?),
        55 => draft.maybe("rpm", wide(&mut c)?),
        56 => draft.maybe("coolant_celsius", connected(c.u8()? as i8)),
        57 => draft.maybe("obd_odometer_metres", real(&mut c)?.map(|v| v * 1000.0)),
        58..=62 => draft.maybe(("axle_weight_kilograms", u16::from(field) - 57), wide(&mut c)?),
        63 => draft.maybe("accelerator_percent", small(&mut c)?),
        65 => draft.maybe("engine_load_percent", small(&mut c)?),
        67 => {
            let hundredths = Some(c.u32_le()?).filter(|v| *v != u32::MAX);
            draft.maybe("obd_engine_seconds", hundredths.map(|v| i64::from(v) * 36));
        }
        69 => draft.maybe("obd_speed_mps", small(&mut c)?.map(|v| f64::from(v) / 3.6)),
        _ => {}
    }
    Ok(())
}

//! BCE: blocks of structures whose masks say what they hold, little-endian.
//!
//! ```text
//! IMEI u64 | length u16 | A5 or A0 | key | structures | sum      A5 <- IMEI 0002 19 key sum
//!   structure   length u8 | kind 4 bits, two seconds from 2008 28 bits | masks u16.. | fields
//!     kind 7 has masks, each with bit 15 but the last; other kinds are events
//!   mask 1   0 lng f32, lat f32, km/h u8, satellites and HDOP 4 bits each, course u8 /2,
//!              altitude u16, km f32 | 1 inputs u16 | 2 to 9 lines u16 mV | 10 to 13 4, 4, 2, 2
//!              | 14 mcc u16, mnc u8, area u16, cell u16, advance u8, signal u8
//!   mask 2   2, pedal | 2 fuel u32 0.5 l | 3 fuel % | 4 rpm u16 /8 | 5 hours u32 0.05 | 6 u32 5 m
//!              | 7 degrees + 40 | 8 fuel % | 9 load | 10 service u16 | 8, 2, 8 | 14 u16
//!   mask 3   2 | 4 | 3 | 1 | 20 | 2 | 6 driver u64 | 7 degrees u16 0.1 K | 2 | ..
//!   mask 4   4 | 30 | 4 | 4 a byte and two drivers' cards of 16 letters | .. | 6 acceleration, braking, cornering 0.02 g
//! ```
//! Times come round every 17 years: the newest that is not to come holds. A place out of range
//! is none. Source: BCE "FM series protocol" 1.x, fields of the bus as SAE J1939. Ignored: events,
//! what stands behind a field of unknown length.

use super::cursor::Cursor;
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{When, checksum};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest block, bytes.
const BLOCK_MAX: usize = 4 * 1024;
/// Least bytes: IMEI, length, type, key, sum.
const LEAST: usize = 13;
/// Seconds from 1970 to 2008.
const YEAR_2008: i64 = 1_199_145_600;
/// After so many seconds times come round.
const ROUND: i64 = 1 << 29;
const DAY: i64 = 86_400;
/// Most masks of a structure.
const MASKS: usize = 4;
/// A structure that has masks.
const MEASURES: u32 = 7;

/// BCE.
pub(super) const BCE: Wired = Wired {
    name: "bce",
    port: 5080,
    transports: TCP,
    signatures: &[Mark::Bytes(&[
        Mark::ANY,
        Mark::ANY,
        Mark::ANY,
        Mark::ANY,
        Mark::ANY,
        Mark::ANY,
        Mark::FEW,
        0,
    ])],
    models: &["BCE FM Blue", "FM Light", "FM Tacho", "FM Plus"],
    idle_minutes: 30,
    acknowledges: true,
    wire: |_| Box::new(Bce),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Bce;

impl Wire for Bce {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        let [_, _, _, _, _, _, high, top, low, up, ..] = bytes else { return Cut::Need };
        // Fifteen digits have no more.
        if *high > 3 || *top != 0 {
            return Cut::no_frame(bytes, "an IMEI");
        }
        let length = usize::from(u16::from_le_bytes([*low, *up])) + LEAST - 2;
        if length < LEAST {
            return Cut::no_frame(bytes, "a length");
        }
        Cut::of_length(length, bytes, BLOCK_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let Some((body, [sum])) = frame.split_last_chunk::<1>() else {
            return Err(Complaint::short(frame.len()));
        };
        told.checksum((*sum).into(), checksum::sum(body).into())?;
        let mut c = Cursor::new(body);
        let imei = u64::from_le_bytes(c.array()?);
        told.from(&imei.to_string())?;
        c.skip(2)?;
        let (kind, key) = (c.u8()?, c.u8()? & 0x7f);
        match kind {
            0xa5 => told.reply(answer(imei, key), When::AfterDurable),
            0xa0 => {}
            _ => return Ok(()),
        }
        while c.left() > 0 {
            let length = c.u8()?;
            let mut c = Cursor::new(c.take(usize::from(length).min(c.left()))?);
            let stamp = c.u32_le()?;
            if stamp & 15 == MEASURES {
                let time = moment(stamp >> 4, told.received_at);
                let draft = told.report();
                draft.time(Some(time));
                measures(&mut c, draft)?;
            }
        }
        Ok(())
    }
}

fn answer(imei: u64, key: u8) -> Vec<u8> {
    let mut out = imei.to_le_bytes().to_vec();
    out.extend([2, 0, 0x19, key]);
    out.push(checksum::sum(&out));
    out
}

/// The newest moment of this count that is not to come.
fn moment(count: u32, received_at: Timestamp) -> Timestamp {
    let first = YEAR_2008 + i64::from(count) * 2;
    let latest = received_at.millis() / 1000 + DAY;
    let rounds = (latest - first).max(0) / ROUND;
    Timestamp::from_seconds(first + rounds * ROUND)
}

fn measures(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let mut masks = [0; MASKS];
    for mask in &mut masks {
        *mask = c.u16_le()?;
        if *mask & 0x8000 == 0 {
            break;
        }
    }
    for bit in (0..15).filter(|bit| masks[0] >> bit & 1 != 0) {
        position(bit, c, draft)?;
    }
    for bit in (0..15).filter(|bit| masks[1] >> bit & 1 != 0) {
        bus(bit, c, draft)?;
    }
    for (mask, nth) in [(masks[2], 3), (masks[3], 4)] {
        for bit in (0..15).filter(|bit| mask >> bit & 1 != 0) {
            if !further(nth, bit, c, draft)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn float(c: &mut Cursor<'_>) -> Result<f64, Complaint> {
    Ok(f32::from_le_bytes(c.array()?).into())
}

fn position(bit: u16, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    match bit {
        0 => {
            let (lng, lat, kmh) = (float(c)?, float(c)?, c.u8()?);
            let both = c.u8()?;
            let (course, altitude) = (c.u8()?, c.u16_le()?);
            draft.set("satellites", both & 15);
            draft.set("hdop", both >> 4);
            draft.set("odometer_metres", float(c)? * 1000.0);
            if lng.abs() <= 180.0 && lat.abs() <= 90.0 {
                draft.at = Some(Measured {
                    lng,
                    lat,
                    valid: both & 15 != 0,
                    speed: Some(f64::from(kmh) / 3.6),
                    heading: Some(f64::from(course) * 2.0),
                    altitude: Some(altitude.into()),
                    accuracy: None,
                });
            }
        }
        1 => draft.set("input_mask", c.u16_le()?),
        2..=9 => draft.set(("analog_volts", bit - 1), f64::from(c.u16_le()?) / 1000.0),
        10 | 11 => c.skip(4)?,
        12 | 13 => c.skip(2)?,
        _ => {
            let (country, network) = (c.u16_le()?, c.u8()?);
            let (area, id) = (c.u16_le()?, c.u16_le()?);
            draft.cell(1, (country, network.into(), area.into(), id.into()));
            c.skip(2)?;
        }
    }
    Ok(())
}

fn bus(bit: u16, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    match bit {
        1 => c.skip(1)?,
        2 => draft.set("fuel_used_litres", f64::from(c.u32_le()?) / 2.0),
        3 => draft.set("fuel_percent", c.u8()?),
        4 => draft.set("rpm", f64::from(c.u16_le()?) / 8.0),
        5 => draft.set("engine_on_seconds", i64::from(c.u32_le()?) * 180),
        6 => draft.set("obd_odometer_metres", i64::from(c.u32_le()?) * 5),
        7 => draft.set("coolant_celsius", i64::from(c.u8()?) - 40),
        8 => draft.set(("fuel_percent", 2), c.u8()?),
        9 => draft.set("engine_load_percent", c.u8()?),
        10 => draft.set("service_metres", c.u16_le()?),
        11 | 13 => c.skip(8)?,
        14 => draft.set("fuel_litres_per_hour", f64::from(c.u16_le()?) / 20.0),
        _ => c.skip(2)?,
    }
    Ok(())
}

/// Masks 3 and 4; `false` where the field's length is not known.
fn further(mask: u8, bit: u16, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<bool, Complaint> {
    match (mask, bit) {
        (3, 0 | 5 | 8) => c.skip(2)?,
        (3, 1) | (4, 0 | 2) => c.skip(4)?,
        (3, 2) => c.skip(3)?,
        (3, 3) => c.skip(1)?,
        (3, 4) => c.skip(20)?,
        (3, 6) => draft.set("driver_id", u64::from_le_bytes(c.array()?).to_string()),
        (3, 7) => {
            let kelvin = Some(c.u16_le()?).filter(|v| *v != 0).map(|v| f64::from(v) / 10.0);
            draft.maybe(("temperature_celsius", 1), kelvin.map(|v| v - 273.0));
        }
        (3, 14) => c.skip(21)?,
        (4, 1) => c.skip(30)?,
        (4, 4) => {
            c.skip(1)?;
            for nth in 1..=2 {
                let card = String::from_utf8_lossy(c.take(16)?).into_owned();
                if !card.trim().is_empty() {
                    draft.set(("driver_card", nth), card.trim());
                }
            }
        }
        (4, 6) => {
            for key in ["acceleration_most_g", "braking_most_g", "cornering_most_g"] {
                draft.set(key, f64::from(c.u8()?) / 50.0);
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let imei = speaker.device.parse::<u64>().unwrap_or(0);
    let key = (speaker.next() % 128) as u8;
    let seconds = report.time.unwrap_or_default().millis().div_euclid(1000) - YEAR_2008;
    let count = seconds.rem_euclid(ROUND) / 2;
    let mut structure = ((count as u32) << 4 | MEASURES).to_le_bytes().to_vec();
    structure.extend([1, 0]);
    structure.extend((p.lng as f32).to_le_bytes());
    structure.extend((p.lat as f32).to_le_bytes());
    let satellites = if p.valid { 9 } else { 0 };
    structure.extend([p.kmh.round() as u8, 0x10 | satellites, (p.degrees() / 2) as u8]);
    structure.extend((p.altitude.round().max(0.0) as u16).to_le_bytes());
    structure.extend([0; 4]);
    let mut out = imei.to_le_bytes().to_vec();
    out.extend((structure.len() as u16 + 3).to_le_bytes());
    out.extend([0xa5, key, structure.len() as u8]);
    out.extend(structure);
    out.push(checksum::sum(&out));
    Sent::new(out, answer(imei, key))
}

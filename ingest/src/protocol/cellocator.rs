//! Cellocator: one packet a message, little-endian.
//!
//! ```text
//! MCGP | type u8 | unit u32 | control u16 | numerator u8 | ..            | sum of all from the type on
//!   0   hardware, firmware, protocol u8 | status u8 | operator u8 | reason's own u8 | reason u8
//!       | mode u8 | lines 4 | operator u8 | lines u8 x 4 | km u24 | driver 6 | last fix u16
//!       | location u8 | mode 1 | mode 2 | satellites | lng i32 | lat i32 (1e-8 rad) | altitude i32 cm
//!       | cm/s u32 | course u16 mrad | second, minute, hour, day, month | year u16
//!         <- MCGP 04 unit 0 0000 0 numerator 0 x 11 sum
//!   9   control u8 | length u8 | 1 | modules: id u8, length u8, ..            <- as 0
//!   11  control u8 | length u16 | 4 | modules: id u8, length u16, ..
//!         <- MCGP 0B unit numerator 0 x 4 80 000A 0 x 4 09 0003 0 x 3 sum
//!     2 number u16, time u32, count u8, (id u16, length u8, value)..    7 known u8, time 6
//!     6 HDOP, mode 1, mode 2, satellites, lng, lat, altitude, km/h u8, course u16 mrad
//! ```
//! A place holds from mode 1 of 3 (two dimensions) on. The sum leaves out the four letters.
//! Source: Cellocator "Wireless communication protocol", types 0, 9 and 11. Ignored: programming,
//! serial lines, other modules.

use super::clock;
use super::cursor::{Cursor, hex};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{When, checksum};
use crate::attribute::Key;
use crate::fix::{Measured, Report};

/// Longest packet, bytes.
const PACKET_MAX: usize = 2 * 1024;
/// Length of a packet of type 0.
const STATUS: usize = 70;
/// From radians.
const RADIANS: f64 = 1e-8;

/// Cellocator.
pub(super) const CELLOCATOR: Wired = Wired {
    name: "cellocator",
    port: 5033,
    transports: TCP_UDP,
    signatures: &[Mark::Text("MCGP")],
    models: &["Cellocator Cello", "Cello-F", "Cello-IQ", "CelloTrack", "CR200", "CR300", "370"],
    idle_minutes: 30,
    acknowledges: true,
    wire: |_| Box::new(Cellocator),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Cellocator;

impl Wire for Cellocator {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        let mark = b"MCGP";
        let seen = &bytes[..bytes.len().min(mark.len())];
        if !mark.starts_with(seen) {
            return Cut::no_frame(bytes, "`MCGP`");
        }
        let Some([kind, .., low, high]) = bytes.get(4..15) else { return Cut::Need };
        let length = match kind {
            0 | 7 => STATUS,
            3 => 31,
            8 => match bytes.get(16..18) {
                Some(length) => 19 + usize::from(u16::from_le_bytes([length[0], length[1]])),
                None => return Cut::Need,
            },
            9 => 15 + usize::from(*low),
            11 => 16 + usize::from(u16::from_le_bytes([*low, *high])),
            _ => return Cut::no_frame(bytes, "a type"),
        };
        Cut::of_length(length, bytes, PACKET_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let Some((body, [sum])) = frame.split_last_chunk::<1>() else {
            return Err(Complaint::short(frame.len()));
        };
        let covered = body.get(4..).unwrap_or_default();
        told.checksum((*sum).into(), checksum::sum(covered).into())?;
        let mut c = Cursor::new(covered);
        let kind = c.u8()?;
        let unit = c.u32_le()?;
        told.from(&unit.to_string())?;
        c.skip(2)?;
        let numerator = c.u8()?;
        match kind {
            0 => {
                told.reply(answer(unit, numerator), When::AfterDurable);
                status(&mut c, told.report())
            }
            9 => {
                told.reply(answer(unit, numerator), When::AfterDurable);
                c.skip(3)?;
                modules(&mut c, false, told)
            }
            11 => {
                told.reply(modular_answer(unit, numerator), When::AfterDurable);
                c.skip(7)?;
                modules(&mut c, true, told)
            }
            _ => Ok(()),
        }
    }
}

/// Closes a packet with its sum.
fn summed(mut packet: Vec<u8>) -> Vec<u8> {
    packet.push(checksum::sum(&packet[4..]));
    packet
}

fn answer(unit: u32, numerator: u8) -> Vec<u8> {
    let mut out = b"MCGP\x04".to_vec();
    out.extend(unit.to_le_bytes());
    out.extend([0; 6]);
    out.push(numerator);
    out.extend([0; 11]);
    summed(out)
}

fn modular_answer(unit: u32, numerator: u8) -> Vec<u8> {
    let mut out = b"MCGP\x0b".to_vec();
    out.extend(unit.to_le_bytes());
    out.extend([numerator, 0, 0, 0, 0, 0x80, 10, 0, 0, 0, 0, 0, 9, 3, 0, 0, 0, 0]);
    summed(out)
}

fn angle(raw: i32) -> f64 {
    (f64::from(raw) * RADIANS).to_degrees()
}

/// A course in thousandths of a radian.
fn course(raw: u16) -> f64 {
    (f64::from(raw) / 1000.0).to_degrees().min(360.0)
}

/// Type 0.
fn status(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.set("hardware", i64::from(c.u8()?));
    draft.set("firmware", i64::from(c.u8()?));
    c.skip(1)?;
    draft.set("status", c.u8()? & 15);
    c.skip(2)?;
    let reason = c.u8()?;
    draft.set("event", reason);
    draft.maybe("alarm", alarm(reason));
    draft.set("mode", c.u8()?);
    let lines = c.u32()?;
    draft.set("ignition", lines >> 29 & 1 != 0);
    draft.set("door", lines >> 24 & 1 != 0);
    draft.set("charging", lines >> 7 & 1 != 0);
    draft.set("input_mask", lines);
    c.skip(1)?;
    for nth in 1..=4 {
        draft.set(("analog_raw", nth), c.u8()?);
    }
    let [low, middle, high] = c.array()?;
    draft.set("odometer_metres", i64::from(u32::from_le_bytes([low, middle, high, 0])) * 1000);
    draft.set("driver_id", hex(c.take(6)?));
    c.skip(3)?;
    let dimensions = c.u8()?;
    c.skip(1)?;
    draft.set("satellites", c.u8()?);
    let (lng, lat) = (angle(c.i32_le()?), angle(c.i32_le()?));
    draft.at = Some(Measured {
        lng,
        lat,
        valid: dimensions >= 3,
        altitude: Some(f64::from(c.i32_le()?) / 100.0),
        speed: Some(f64::from(c.u32_le()?) / 100.0),
        heading: Some(course(c.u16_le()?)),
        accuracy: None,
    });
    let [second, minute, hour, day, month] = c.array::<5>()?.map(u32::from);
    draft.time(clock::civil([c.u16_le()?.into(), month, day, hour, minute, second]));
    Ok(())
}

/// Reasons for a transmission.
fn alarm(reason: u8) -> Option<&'static str> {
    Some(match reason {
        70 => "sos",
        80 => "powerCut",
        200 => "lowPower",
        _ => return None,
    })
}

/// Types 9 and 11; `wide` lengths have two bytes.
fn modules(c: &mut Cursor<'_>, wide: bool, told: &mut Told) -> Result<(), Complaint> {
    let draft = told.report();
    while c.left() >= 3 {
        let id = c.u8()?;
        let length = if wide { c.u16_le()? } else { c.u8()?.into() };
        let mut c = Cursor::new(c.take(usize::from(length).min(c.left()))?);
        match id {
            2 => {
                c.skip(6)?;
                for _ in 0..c.u8()? {
                    let (id, length) = (c.u16_le()?, c.u8()?);
                    let value = c.take(length.into())?;
                    let raw = value.iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b));
                    draft.set(Key::Io(id.into()), raw);
                }
            }
            6 => {
                draft.set("hdop", f64::from(c.u8()?) / 10.0);
                let dimensions = c.u8()?;
                c.skip(1)?;
                draft.set("satellites", c.u8()?);
                draft.at = Some(Measured {
                    lng: angle(c.i32_le()?),
                    lat: angle(c.i32_le()?),
                    valid: dimensions >= 3,
                    altitude: Some(f64::from(c.i32_le()?) / 100.0),
                    speed: Some(f64::from(c.u8()?) / 3.6),
                    heading: Some(course(c.u16_le()?)),
                    accuracy: None,
                });
            }
            7 => {
                c.skip(1)?;
                let [second, minute, hour, day, month, year] = c.array::<6>()?;
                draft.time(clock::six_bytes([year, month, day, hour, minute, second]));
            }
            _ => {}
        }
    }
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let numerator = speaker.next() as u8;
    let unit = speaker.device.parse::<u64>().unwrap_or(0) as u32;
    let mut out = b"MCGP\0".to_vec();
    out.extend(unit.to_le_bytes());
    out.extend([0, 0, numerator, 1, 24, 4, 0, 0, 0, 32, 0]);
    out.extend([u8::from(flag(report, "ignition").unwrap_or(false)) << 5, 0, 0, 0]);
    out.extend([0; 16]);
    out.extend([0, if p.valid { 4 } else { 0 }, 2, if p.valid { 9 } else { 0 }]);
    for degrees in [p.lng, p.lat] {
        out.extend(((degrees.to_radians() / RADIANS).round() as i32).to_le_bytes());
    }
    out.extend(((p.altitude * 100.0).round() as i32).to_le_bytes());
    out.extend(((p.kmh / 0.036).round() as u32).to_le_bytes());
    out.extend(((p.heading.to_radians() * 1000.0).round() as u16).to_le_bytes());
    let c = &p.civil;
    out.extend([c.second, c.minute, c.hour, c.day, c.month].map(|v| v as u8));
    out.extend((c.year as u16).to_le_bytes());
    Sent::new(summed(out), answer(unit, numerator))
}

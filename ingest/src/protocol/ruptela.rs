//! Ruptela: records in binary, TCP, big-endian.
//!
//! ```text
//! length u16 | IMEI u64 | command u8 | payload | CRC u16        CRC-16/KERMIT of IMEI to payload
//!   1, 68 records    left u8 | count u8 | records                       <- 0002 64 01 crc
//!   record    time u32 | extra u8 | [68: part u8] | priority u8 | lng i32 | lat i32 (1e-7 degrees)
//!             | altitude u16 0.1 m | course u16 0.01 degrees | satellites u8 | km/h u16
//!             | HDOP u8 0.1 | event u8, in 68 u16 | n1 (id, u8).. | n2 (id, u16)..
//!             | n4 (id, u32).. | n8 (id, u64)..                         ids u8, in 68 u16
//!   7         text of a command's answer
//!   9         count u8 | (kind u8, time u32, lng, lat, kept u8, code 5)..   <- 0002 6d 01 crc
//! ```
//! Source: Ruptela "Protocol manual", commands 1, 7, 9, 68, and its list of IO ids. A longitude of
//! 80000000 says that there is no place. Ignored: the extra byte of the time, tachograph files.

use super::cursor::{Cursor, hex};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{When, checksum};
use crate::attribute::Key;
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest frame, bytes.
const FRAME_MAX: usize = 4 * 1024;
/// Least bytes: IMEI, command, checksum.
const LEAST: usize = 11;
/// What stands for no angle.
const NOWHERE: i32 = i32::MIN;

/// Ruptela.
pub(super) const RUPTELA: Wired = Wired {
    name: "ruptela",
    port: 5046,
    transports: TCP,
    signatures: &[Mark::Bytes(&[Mark::FEW, Mark::ANY, 0, Mark::FEW])],
    models: &["Ruptela FM-Eco3", "FM-Eco4", "FM-Pro4", "FM-Tco4", "HCV5", "Trace5"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Ruptela),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Ruptela;

impl Wire for Ruptela {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        let [high, low, ..] = bytes else { return Cut::Need };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length < LEAST - 2 {
            return Cut::no_frame(bytes, "a length");
        }
        // A message whose length is wrong, which its checksum tells.
        if whole && bytes.len() > length + 4 && holds(bytes) && !holds(&bytes[..length + 4]) {
            return Cut::of_length(bytes.len(), bytes, FRAME_MAX);
        }
        Cut::of_length(length + 4, bytes, FRAME_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let Some((body, sum)) = frame.split_last_chunk::<2>() else {
            return Err(Complaint::short(frame.len()));
        };
        let covered = body.get(2..).unwrap_or_default();
        let ours = checksum::KERMIT.of(covered);
        told.checksum(u16::from_be_bytes(*sum).into(), ours.into())?;
        let mut c = Cursor::new(covered);
        told.from(&format!("{:015}", c.u64()?))?;
        let kind = c.u8()?;
        match kind {
            1 | 68 => {
                told.reply(answer(0x64), When::AfterDurable);
                c.skip(1)?;
                for _ in 0..c.u8()? {
                    record(&mut c, kind == 68, told)?;
                }
            }
            7 => {
                let draft = told.report();
                draft.set("message_type", kind);
                draft.set("command_result", String::from_utf8_lossy(c.rest()).into_owned());
            }
            9 => {
                told.reply(answer(0x6d), When::AfterDurable);
                for _ in 0..c.u8()? {
                    fault(&mut c, told.report())?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether the checksum at the end is that of what stands behind the length.
fn holds(bytes: &[u8]) -> bool {
    let covered = bytes.get(2..bytes.len() - 2).map(|covered| checksum::KERMIT.of(covered));
    covered.map(u16::to_be_bytes).as_ref().map(<[u8; 2]>::as_slice)
        == bytes.last_chunk::<2>().map(<[u8; 2]>::as_slice)
}

/// Command and 1: taken.
fn answer(command: u8) -> Vec<u8> {
    let body = [command, 1];
    let [high, low] = checksum::KERMIT.of(&body).to_be_bytes();
    vec![0, 2, command, 1, high, low]
}

fn record(c: &mut Cursor<'_>, wide: bool, told: &mut Told) -> Result<(), Complaint> {
    let time = Timestamp::from_seconds(c.u32()?.into());
    c.skip(1)?;
    let part = if wide { c.u8()? & 15 } else { 0 };
    c.skip(1)?;
    // The parts of a record that is too long repeat its place.
    let draft = if part > 0 { told.last() } else { told.report() };
    draft.time(Some(time));
    let (lng, lat) = (c.i32()?, c.i32()?);
    let (altitude, course, satellites, kmh, hdop) =
        (c.i16()?, c.u16()?, c.u8()?, c.u16()?, c.u8()?);
    if lng != NOWHERE && lat != NOWHERE {
        draft.at = Some(Measured {
            lng: f64::from(lng) / 1e7,
            lat: f64::from(lat) / 1e7,
            valid: satellites >= 3,
            speed: Some(f64::from(kmh) / 3.6),
            heading: Some(f64::from(course) / 100.0),
            altitude: Some(f64::from(altitude) / 10.0),
            accuracy: None,
        });
        draft.set("satellites", satellites);
        draft.set("hdop", f64::from(hdop) / 10.0);
    }
    let id = |c: &mut Cursor<'_>| if wide { c.u16() } else { c.u8().map(u16::from) };
    draft.set("event", id(c)?);
    for size in [1, 2, 4, 8] {
        for _ in 0..c.u8()? {
            let id = id(c)?;
            element(id, c.take(size)?, draft);
        }
    }
    Ok(())
}

/// One IO element.
fn element(id: u16, bytes: &[u8], draft: &mut Draft) {
    let raw = bytes.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    let value = raw as f64;
    match id {
        2..=5 => draft.set(("input", id - 1), raw != 0),
        8 | 173 => draft.set("motion", raw != 0),
        13 => draft.set("deceleration", raw),
        22 | 23 => draft.set(("analog_volts", id - 21), value / 1000.0),
        29 => draft.set("power_volts", value / 1000.0),
        30 => draft.set("battery_volts", value / 1000.0),
        32 => draft.set("device_celsius", raw as i8),
        34 => draft.set("driver_id", hex(bytes)),
        65 => draft.set("odometer_metres", raw),
        74 => draft.set(("temperature_celsius", 1), f64::from(raw as i16) / 10.0),
        94 => draft.set("rpm", value * 0.25),
        95 => draft.set("obd_speed_mps", value / 3.6),
        98 => draft.set("fuel_percent", value * 100.0 / 255.0),
        100 => draft.set("fuel_litres_per_hour", value * 0.05),
        115 => draft.set("coolant_celsius", raw as i16),
        150 => draft.set("operator", raw),
        170 => draft.set("charging", raw != 0),
        197 => draft.set("rpm", value * 0.125),
        203 => draft.set("engine_on_seconds", raw as i64 * 180),
        207 => draft.set("fuel_percent", value * 0.4),
        208 => draft.set("fuel_used_litres", value * 0.5),
        922 => draft.set("obd_odometer_metres", raw.saturating_mul(1000)),
        409 => draft.set("ignition", raw != 0),
        _ => draft.set(Key::Io(id.into()), raw),
    }
}

/// A fault's code and place.
fn fault(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    c.skip(1)?;
    draft.time(Some(Timestamp::from_seconds(c.u32()?.into())));
    let (lng, lat) = (f64::from(c.i32()?) / 1e7, f64::from(c.i32()?) / 1e7);
    draft.at = Some(Measured { lng, lat, valid: true, ..Measured::default() });
    if c.u8()? == 2 {
        draft.set("archive", true);
    }
    draft.set("dtcs", String::from_utf8_lossy(c.take(5)?).into_owned());
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let seconds = report.time.unwrap_or_default().millis().div_euclid(1000) as u32;
    let mut body = speaker.device.parse::<u64>().unwrap_or(0).to_be_bytes().to_vec();
    body.extend([68, 0, 1]);
    body.extend(seconds.to_be_bytes());
    body.extend([0, 0, 0]);
    for degrees in [p.lng, p.lat] {
        body.extend(((degrees * 1e7).round() as i32).to_be_bytes());
    }
    body.extend(((p.altitude * 10.0).round() as i16).to_be_bytes());
    body.extend(((p.heading * 100.0).round() as u16).to_be_bytes());
    body.push(if p.valid { 9 } else { 0 });
    body.extend((p.kmh.round() as u16).to_be_bytes());
    body.extend([9, 0, 7]);
    match super::sender::flag(report, "ignition") {
        Some(on) => body.extend([1, 0x01, 0x99, on.into()]),
        None => body.push(0),
    }
    body.extend([0, 0, 0]);
    let mut out = ((body.len()) as u16).to_be_bytes().to_vec();
    let sum = checksum::KERMIT.of(&body).to_be_bytes();
    out.extend(body);
    out.extend(sum);
    Sent::new(out, answer(0x64))
}

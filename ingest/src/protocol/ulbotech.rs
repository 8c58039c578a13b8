//! Ulbotech: elements between F8 bytes, big-endian; the identity also in text.
//!
//! ```text
//! F8 | version | type | IMEI 8 BCD | valid 1 bit, seconds from 2000 31 bits | elements
//!    | CRC-16/XMODEM | F8                       <- F8 01 FE CRC-of-the-message CRC F8
//!   F8 inside is F7 0F, F7 is F7 00
//!   element   kind u8 | length u8 | ..
//!     01 lat i32, lng i32 (1e-6), km/h u16, course u16, HDOP u16 0.01   02 mcc u16, mnc u16, area
//!     u16, cell, signal   03 status u16, alarms u16   04 metres u32   05 (line 4 bits, value 12)..
//!     06 fences in, fences u32   07 (length 4 bits, mode 4 bits, PID, value)..   08 fuel u32 1e-4 l
//!     09 length, mode, faults u16..   0A driving u8   0B, 0C bus   0D VIN   0E card   10 event
//! *TS01,<IMEI>#                                 <- *TS01,ACK:<CRC>#
//! ```
//! Source: Ulbotech "T300 series communication protocol". Ignored: bus (0B), signal strength.

use super::cursor::{Cursor, digits_of, hex};
use super::fields::text;
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{When, checksum, diagnosis, scan};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest frame, bytes.
const FRAME_MAX: usize = 2 * 1024;
const MARK: u8 = 0xf8;
const ESCAPE: u8 = 0xf7;
/// Seconds from 1970 to 2000.
const YEAR_2000: i64 = 946_684_800;
/// Parts of a converter's range.
const PARTS: f64 = 4096.0;

/// Ulbotech.
pub(super) const ULBOTECH: Wired = Wired {
    name: "ulbotech",
    port: 5072,
    transports: TCP,
    signatures: &[Mark::Text("*TS%%,"), Mark::Bytes(&[0xf8, 1])],
    models: &["Ulbotech T300", "T301", "T361", "T363", "T373", "T381"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Ulbotech),
    login: |speaker| {
        let line = format!("*TS01,{:0>15}#", speaker.device);
        let answer = text_answer(line.as_bytes());
        Sent::new(line, answer)
    },
    message,
};

#[derive(Debug)]
struct Ulbotech;

impl Wire for Ulbotech {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        let end = match bytes {
            [MARK, MARK, ..] => return Cut::Skip(1),
            // A message kept whole may have lost its escapes: its checksum says so.
            [MARK, .., MARK] if whole && holds(bytes) => return Cut::frame(bytes.len()),
            [MARK, ..] => MARK,
            [b'*', ..] => b'#',
            _ => return Cut::no_frame(bytes, "F8 or `*`"),
        };
        let seen = &bytes[1..bytes.len().min(FRAME_MAX)];
        match scan::find(seen, end) {
            Some(at) => Cut::frame(at + 2),
            None if bytes.len() >= FRAME_MAX => Cut::too_long(FRAME_MAX),
            None => Cut::Need,
        }
    }

    fn split(&self, frame: &[u8]) -> Vec<u8> {
        unescaped(frame)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        if frame.first() == Some(&b'*') {
            return named(frame, told);
        }
        let plain = unescaped(frame);
        let frame = if !holds(&plain) && holds(frame) { frame } else { &plain };
        // A frame that was cut off has no checksum either.
        let (body, sum) =
            parts(frame).unwrap_or((frame.strip_prefix(&[MARK]).unwrap_or(frame), &[0; 2]));
        let mut c = Cursor::new(body);
        c.skip(2)?;
        told.from(digits_of(c.take(8)?).trim_start_matches('0'))?;
        told.checksum(u16::from_be_bytes(*sum).into(), checksum::XMODEM.of(body).into())?;
        told.reply(answer(*sum), When::AfterDurable);
        let stamp = c.u32()?;
        let draft = told.report();
        let seconds = i64::from(stamp & 0x7fff_ffff);
        draft.time(Some(Timestamp::from_seconds(YEAR_2000 + seconds)));
        while c.left() >= 2 {
            let (kind, length) = (c.u8()?, c.u8()?);
            let content = c.take(usize::from(length).min(c.left()))?;
            element(kind, &mut Cursor::new(content), stamp >> 31 != 0, draft)?;
        }
        Ok(())
    }
}

/// What stands between the marks: content and checksum.
fn parts(frame: &[u8]) -> Option<(&[u8], &[u8; 2])> {
    frame.strip_prefix(&[MARK])?.strip_suffix(&[MARK])?.split_last_chunk()
}

/// Whether the checksum is that of the bytes as they stand.
fn holds(frame: &[u8]) -> bool {
    parts(frame).is_some_and(|(body, sum)| checksum::XMODEM.of(body).to_be_bytes() == *sum)
}

fn unescaped(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len());
    let mut bytes = frame.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            &ESCAPE if bytes.as_slice().first() == Some(&0) => {
                bytes.next();
                ESCAPE
            }
            &ESCAPE if bytes.as_slice().first() == Some(&0x0f) => {
                bytes.next();
                MARK
            }
            other => *other,
        });
    }
    out
}

/// Around a content: checksum, escapes, marks.
fn framed(content: &[u8]) -> Vec<u8> {
    let sum = checksum::XMODEM.of(content).to_be_bytes();
    let mut out = vec![MARK];
    for byte in content.iter().chain(&sum) {
        match *byte {
            MARK => out.extend([ESCAPE, 0x0f]),
            ESCAPE => out.extend([ESCAPE, 0]),
            other => out.push(other),
        }
    }
    out.push(MARK);
    out
}

/// The message with this checksum is taken.
fn answer([high, low]: [u8; 2]) -> Vec<u8> {
    framed(&[1, 0xfe, high, low])
}

fn named(frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let line = text(frame)?.trim_start_matches('*').trim_end_matches('#');
    let Some(id) = line.strip_prefix("TS01,") else { return Ok(()) };
    told.from(id.split(',').next().unwrap_or(""))?;
    told.reply(text_answer(frame), When::Immediate);
    Ok(())
}

fn text_answer(line: &[u8]) -> String {
    let inside = line.get(1..line.len().saturating_sub(1)).unwrap_or_default();
    format!("*TS01,ACK:{:04X}#", checksum::XMODEM.of(inside))
}

fn element(kind: u8, c: &mut Cursor<'_>, valid: bool, draft: &mut Draft) -> Result<(), Complaint> {
    match kind {
        0x01 => {
            draft.at = Some(Measured {
                lat: f64::from(c.i32()?) / 1e6,
                lng: f64::from(c.i32()?) / 1e6,
                valid,
                speed: Some(f64::from(c.u16()?) / 3.6),
                heading: Some(c.u16()?.into()),
                ..Measured::default()
            });
            draft.set("hdop", f64::from(c.u16()?) / 100.0);
        }
        0x02 => {
            let (country, network, area) = (c.u16()?, c.u16()?, c.u16()?);
            let id = if c.left() > 3 { c.u32()? } else { c.u16()?.into() };
            if area != u16::MAX {
                draft.cell(1, (country, network, area.into(), id.into()));
            }
        }
        0x03 => {
            let status = c.u16()?;
            draft.set("ignition", status >> 9 & 1 != 0);
            draft.set("status", status);
            alarms(c.u16()?, draft);
        }
        0x04 => draft.set("odometer_metres", c.u32()?),
        0x05 => {
            while c.left() >= 2 {
                line(c.u16()?, draft);
            }
        }
        0x06 => {
            draft.set("geofences_in", c.u32()?);
            draft.set("geofences_alarmed", c.u32()?);
        }
        0x07 => readings(c, draft)?,
        0x08 => draft.set("fuel_used_litres", f64::from(c.u32()?) / 10_000.0),
        0x09 => faults(c, draft)?,
        0x0a => driving(c.u8()?, draft),
        0x0c => {
            while c.left() > 0 {
                let length = c.u8()? & 15;
                let (id, value) = (c.u8()?, c.take(usize::from(length).saturating_sub(1))?);
                draft.named(&format!("pid{id}"), hex(value));
            }
        }
        0x0d => draft.set("vin", String::from_utf8_lossy(c.rest()).trim()),
        0x0e => draft.set("driver_id", String::from_utf8_lossy(c.rest()).trim()),
        0x10 => draft.set("event", c.u8()?),
        _ => {}
    }
    Ok(())
}

fn alarms(bits: u16, draft: &mut Draft) {
    let all = [(0, "powerCut"), (1, "movement"), (2, "overspeed"), (4, "geofence"), (10, "sos")];
    for (_, name) in all.iter().filter(|(bit, _)| bits >> bit & 1 != 0) {
        draft.alarm(name);
    }
}

/// Of a converter: voltages from -10 to 100, the device's own degrees from -55 to 125.
fn line(word: u16, draft: &mut Draft) {
    let (nth, share) = (word >> 12, f64::from(word & 0x0fff) / PARTS);
    let volts = share * 110.0 - 10.0;
    match nth {
        0 => draft.set("power_volts", volts),
        1 => draft.set(("temperature_celsius", 1), share * 180.0 - 55.0),
        2 => draft.set("battery_volts", volts),
        nth => draft.set(("analog_volts", nth - 2), volts),
    }
}

/// Diagnostic values, SAE J1979.
fn readings(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    while c.left() >= 2 {
        let length = usize::from(c.u8()? >> 4).max(2);
        let id = c.u8()?;
        let value = c.take((length - 2).min(c.left()))?;
        let value = value.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
        let number = value as f64;
        match id {
            0x04 => draft.set("engine_load_percent", number * 100.0 / 255.0),
            0x05 => draft.set("coolant_celsius", value as i64 - 40),
            0x0b => draft.set("intake_kilopascals", value),
            0x0c => draft.set("rpm", value / 4),
            0x0d => draft.set("obd_speed_mps", number / 3.6),
            0x0f => draft.set("intake_celsius", value as i64 - 40),
            0x11 => draft.set("throttle_percent", number * 100.0 / 255.0),
            0x21 => draft.set("malfunction_metres", value.saturating_mul(1000)),
            0x2f => draft.set("fuel_percent", number * 100.0 / 255.0),
            0x31 => draft.set("cleared_metres", value.saturating_mul(1000)),
            _ => {}
        }
    }
    Ok(())
}

fn faults(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let mut codes = Vec::new();
    c.skip(1)?;
    while c.left() >= 2 {
        codes.push(diagnosis::fault(c.u16()?));
    }
    draft.set("dtcs", codes.join(" "));
    Ok(())
}

/// How the driver drives.
fn driving(bits: u8, draft: &mut Draft) {
    let names = [
        "hardAcceleration",
        "hardBraking",
        "hardCornering",
        "noWarmUp",
        "idle",
        "fatigueDriving",
        "roughTerrain",
        "highRpm",
    ];
    for (bit, name) in names.iter().enumerate() {
        if bits >> bit & 1 != 0 {
            draft.alarm(name);
        }
    }
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let seconds = report.time.unwrap_or_default().millis().div_euclid(1000) - YEAR_2000;
    let mut content = vec![1, 1];
    content.extend(speaker.bcd(8));
    content.extend((seconds as u32 & 0x7fff_ffff | u32::from(p.valid) << 31).to_be_bytes());
    content.extend([1, 14]);
    for degrees in [p.lat, p.lng] {
        content.extend(((degrees * 1e6).round() as i32).to_be_bytes());
    }
    content.extend((p.kmh.round() as u16).to_be_bytes());
    content.extend(p.degrees().to_be_bytes());
    content.extend([0, 80, 3, 4]);
    let ignition = flag(report, "ignition").unwrap_or(false);
    content.extend([u8::from(ignition) << 1, 0, 0, 0]);
    let sum = checksum::XMODEM.of(&content).to_be_bytes();
    Sent::new(framed(&content), answer(sum))
}

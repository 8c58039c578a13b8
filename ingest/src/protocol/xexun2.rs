//! Xexun's second protocol: records between marks, big-endian.
//!
//! ```text
//! FAAF | type u16 | number u16 | IMEI 8 BCD | length u16 | sum | count u8 | lengths u16.. | records
//!      | FAAF                     <- FAAF type number IMEI 0001 FFFE 01 FAAF
//!   FAAF inside is FBBF01, FBBF is FBBF02; the sum is that of all bytes behind it, turned round
//! record   number u8 | time u32 | signal u8 | charging 1 bit, battery 15 bits % | mask u8
//!   1   alarms u32
//!   2   places u8 | 1 satellites, lng f32, lat f32 (ddmm.mmmm) | 2 count, (MAC 6, signal)..
//!       | 4 count, (mcc u16, mnc u16, area u32, cell u32, signal).. | 8 count, 12.. | 20 km/h u16
//!       0.1, course u16 0.1 | 40 satellites, lng f64, lat f64 | 80 length u16, (kind, length u16, ..)..
//!           G  lng f64, lat f64, fixed u8, satellites u8, signal u8, km/h, course, altitude f32
//!   10  version 20 | IMSI 8 BCD | ICCID 10 BCD
//! ```
//! Source: Xexun "XT series protocol" V2. Ignored: access points, time of flight, further masks.

use super::When;
use super::cursor::{Cursor, hex};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, Fault, TCP, Told, Wire, Wired};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest frame, bytes.
const FRAME_MAX: usize = 8 * 1024;
const MARK: [u8; 2] = [0xfa, 0xaf];
const ESCAPE: [u8; 2] = [0xfb, 0xbf];
/// The type of a report of places.
const REPORT: u16 = 0x14;

/// Xexun, second protocol.
pub(super) const XEXUN2: Wired = Wired {
    name: "xexun2",
    port: 5233,
    transports: TCP,
    signatures: &[Mark::Bytes(&[0xfa, 0xaf])],
    models: &["Xexun XT011", "XT013", "XT021", "XT030", "XT107", "Card tracker"],
    idle_minutes: 30,
    acknowledges: true,
    wire: |_| Box::new(Xexun2),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Xexun2;

impl Wire for Xexun2 {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [0xfa] => return Cut::Need,
            [0xfa, 0xaf, ..] => {}
            _ => return Cut::no_frame(bytes, "FAAF"),
        }
        let seen = &bytes[2..bytes.len().min(FRAME_MAX)];
        match seen.windows(2).position(|pair| pair == MARK) {
            // Two marks side by side: the first ends a frame that was lost.
            Some(0) => Cut::Skip(2),
            Some(at) => Cut::frame(at + 4),
            None if bytes.len() >= FRAME_MAX => {
                Cut::Bad { fault: Fault::Long("frame", FRAME_MAX), skip: 2 }
            }
            None => Cut::Need,
        }
    }

    fn split(&self, frame: &[u8]) -> Vec<u8> {
        unescaped(frame)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let frame = unescaped(frame);
        let inside = frame.strip_prefix(&MARK).unwrap_or(&frame);
        let inside = inside.strip_suffix(&MARK).unwrap_or(inside);
        let mut c = Cursor::new(inside);
        let (kind, number) = (c.u16()?, c.u16()?);
        let imei = c.take(8)?;
        let digits = hex(imei);
        told.from(digits.get(..15).unwrap_or(&digits))?;
        c.skip(2)?;
        let sum = c.u16()?;
        told.checksum(sum.into(), turned(c.rest()).into())?;
        told.reply(framed(kind, number, imei, &[1]), When::AfterDurable);
        if kind != REPORT {
            return Ok(());
        }
        let count = c.u8()?;
        let lengths = c.take(2 * usize::from(count))?;
        for length in lengths.chunks(2) {
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            let content = c.take(length.min(c.left()))?;
            record(&mut Cursor::new(content), told.report())?;
        }
        Ok(())
    }
}

fn unescaped(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len());
    let mut rest = frame;
    loop {
        rest = match rest {
            [0xfb, 0xbf, 1, behind @ ..] => {
                out.extend(MARK);
                behind
            }
            [0xfb, 0xbf, 2, behind @ ..] => {
                out.extend(ESCAPE);
                behind
            }
            [byte, behind @ ..] => {
                out.push(*byte);
                behind
            }
            [] => return out,
        };
    }
}

/// The sum of all bytes, its bits turned round.
fn turned(bytes: &[u8]) -> u16 {
    !bytes.iter().fold(0, |sum: u16, b| sum.wrapping_add((*b).into()))
}

fn framed(kind: u16, number: u16, imei: &[u8], content: &[u8]) -> Vec<u8> {
    let mut inside = Vec::new();
    inside.extend(kind.to_be_bytes());
    inside.extend(number.to_be_bytes());
    inside.extend(imei);
    inside.extend((content.len() as u16).to_be_bytes());
    inside.extend(turned(content).to_be_bytes());
    inside.extend(content);
    let mut out = MARK.to_vec();
    let mut rest = inside.as_slice();
    while let [byte, behind @ ..] = rest {
        rest = behind;
        let pair = rest.first().map(|next| [*byte, *next]);
        if pair == Some(MARK) || pair == Some(ESCAPE) {
            out.extend(ESCAPE);
            out.push(if pair == Some(MARK) { 1 } else { 2 });
            rest = &rest[1..];
        } else {
            out.push(*byte);
        }
    }
    out.extend(MARK);
    out
}

fn record(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.set("record_number", c.u8()?);
    draft.time(Some(Timestamp::from_seconds(c.u32()?.into())));
    draft.set("rssi", c.u8()?);
    let battery = c.u16()?;
    draft.set("charging", battery & 0x8000 != 0);
    draft.set("battery_percent", battery & 0x7fff);
    let mask = c.u8()?;
    if mask & 1 != 0 {
        let bits = c.u32()?;
        for (bit, name) in [(0, "sos"), (1, "removing"), (15, "fallDown")] {
            if bits >> bit & 1 != 0 {
                draft.alarm(name);
            }
        }
    }
    if mask & 2 != 0 {
        places(c, draft)?;
    }
    if mask & 0x10 != 0 && c.left() >= 38 {
        draft.set("firmware", String::from_utf8_lossy(c.take(20)?).trim_end_matches('\0'));
        c.skip(8)?;
        draft.set("iccid", hex(c.take(10)?));
    }
    Ok(())
}

/// `ddmm.mmmm` as a number.
fn degrees(value: f64) -> f64 {
    let whole = (value / 100.0).trunc();
    whole + (value - whole * 100.0) / 60.0
}

fn double(c: &mut Cursor<'_>) -> Result<f64, Complaint> {
    c.array().map(f64::from_be_bytes)
}

fn single(c: &mut Cursor<'_>) -> Result<f64, Complaint> {
    c.array().map(f32::from_be_bytes).map(f64::from)
}

fn places(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let mask = c.u8()?;
    let valid = true;
    if mask & 1 != 0 {
        draft.set("satellites", c.u8()?);
        let (lng, lat) = (degrees(single(c)?), degrees(single(c)?));
        draft.at = Some(Measured { lng, lat, valid, ..Measured::default() });
    }
    if mask & 2 != 0 {
        let count = usize::from(c.u8()?);
        c.skip(7 * count)?;
    }
    if mask & 4 != 0 {
        for nth in 1..=u16::from(c.u8()?) {
            draft.cell(nth, (c.u16()?, c.u16()?, c.u32()?, c.u32()?.into()));
            c.skip(1)?;
        }
    }
    if mask & 8 != 0 {
        let count = usize::from(c.u8()?);
        c.skip(12 * count)?;
    }
    if mask & 0x20 != 0 {
        let (speed, heading) = (f64::from(c.u16()?) / 36.0, f64::from(c.u16()?) / 10.0);
        if let Some(at) = &mut draft.at {
            (at.speed, at.heading) = (Some(speed), Some(heading));
        }
    }
    if mask & 0x40 != 0 {
        draft.set("satellites", c.u8()?);
        let (lng, lat) = (degrees(double(c)?), degrees(double(c)?));
        draft.at = Some(Measured { lng, lat, valid, ..Measured::default() });
    }
    if mask & 0x80 != 0 {
        let length = usize::from(c.u16()?);
        let mut c = Cursor::new(c.take(length.min(c.left()))?);
        while c.left() >= 3 {
            let (kind, length) = (c.u8()?, usize::from(c.u16()?));
            let mut c = Cursor::new(c.take(length.min(c.left()))?);
            if kind == b'G' {
                satellite(&mut c, draft)?;
            }
        }
    }
    Ok(())
}

/// The newest form of a place.
fn satellite(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let (lng, lat) = (degrees(double(c)?), degrees(double(c)?));
    let valid = c.u8()? == 1;
    draft.set("satellites", c.u8()?);
    c.skip(1)?;
    let (speed, heading) = (f64::from(c.u16()?) / 36.0, f64::from(c.u16()?) / 10.0);
    let altitude = Some(single(c)?);
    let (speed, heading) = (Some(speed), Some(heading));
    draft.at = Some(Measured { lng, lat, valid, speed, heading, altitude, accuracy: None });
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = speaker.next() as u16;
    let time = report.time.unwrap_or_default().millis().div_euclid(1000) as u32;
    let mut record = vec![number as u8];
    record.extend(time.to_be_bytes());
    record.extend([20, 0, 90, 2, 0x80, 0, 30, b'G', 0, 27]);
    for value in [p.lng, p.lat] {
        let minutes = value.trunc() * 100.0 + value.fract() * 60.0;
        record.extend(minutes.to_be_bytes());
    }
    record.extend([p.valid.into(), if p.valid { 9 } else { 0 }, 0]);
    record.extend(((p.kmh * 10.0).round() as u16).to_be_bytes());
    record.extend(((p.heading * 10.0).round() as u16).to_be_bytes());
    record.extend((p.altitude as f32).to_be_bytes());
    let mut content = vec![1];
    content.extend((record.len() as u16).to_be_bytes());
    content.extend(record);
    let mut digits = speaker.device.clone().into_bytes();
    digits.resize(16, b'0');
    let imei: Vec<u8> = digits.chunks(2).map(|pair| (pair[0] & 15) << 4 | (pair[1] & 15)).collect();
    Sent::new(framed(REPORT, number, &imei, &content), framed(REPORT, number, &imei, &[1]))
}

//! Topin, also `ZhongXun`: short frames whose length byte often counts something else.
//!
//! ```text
//! 78 78 | length u8 | type u8 | .. | 0D 0A
//!   01  IMEI 8 BCD | version                          <- 78 78 01 01 0D 0A
//!   08  alive          30  what time is it            <- 78 78 07 30 year u16, 5 bytes 0D 0A
//!   10, 11  date 6 | satellites 4 bits | lat u32 | lng u32 (1/1,800,000 degree) | km/h u8
//!       | flags and course u16 | [altitude u16 | alarm u8]         <- the head and the date
//!   13  battery | version | zone | interval | signal | charging | ..   <- the same
//!   17, 69  date 6 BCD | access points: length x 7 | cells u8 | mcc u16 | mnc u8
//!       | (area u16, cell u16, signal u8).. | [alarm u8]           <- the head and the date
//!   99  SOS
//! ```
//! Of a place's flags 1000 is a fix, 0800 west, 0400 north. Source: `ZhongXun` Topin "mini GPS
//! tracker communication protocol". Ignored: access points, settings.

use super::When;
use super::clock;
use super::cursor::{Cursor, digits_of};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use crate::fix::{Measured, Report};

/// Longest frame, bytes.
const FRAME_MAX: usize = 512;
/// Parts of a degree.
const DEGREE: f64 = 1_800_000.0;

/// Topin.
pub(super) const TOPIN: Wired = Wired {
    name: "topin",
    port: 5199,
    transports: TCP,
    signatures: &[Mark::Bytes(&[0x78, 0x78])],
    models: &["Topin ZX302", "ZX303", "ZX310", "ZX612", "ZX820", "G21"],
    idle_minutes: 30,
    acknowledges: true,
    wire: |_| Box::new(Topin),
    login: |speaker| {
        let content = [speaker.bcd(8), vec![1]].concat();
        Sent::new(framed(13, 1, &content), framed(1, 1, &[]))
    },
    message,
};

#[derive(Debug)]
struct Topin;

impl Wire for Topin {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        let (count, kind) = match bytes {
            [0x78, 0x78, count, kind, ..] => (usize::from(*count), *kind),
            [0x78] | [0x78, 0x78, ..] => return Cut::Need,
            [b'\r' | b'\n', ..] => return Cut::Skip(1),
            _ => return Cut::no_frame(bytes, "`xx`"),
        };
        // Dates and angles may hold what looks like an end.
        let least = match kind {
            0x01 => 12,
            0x10 | 0x11 => 22,
            0x13 => 4 + count.saturating_sub(1),
            0x17 | 0x69 => 11 + 7 * count,
            _ => 4,
        };
        let seen = &bytes[..bytes.len().min(FRAME_MAX)];
        let end = seen.windows(2).skip(least).position(|pair| pair == b"\r\n");
        match end {
            Some(at) => Cut::frame(least + at + 2),
            None if bytes.len() >= FRAME_MAX => Cut::too_long(FRAME_MAX),
            None => Cut::Need,
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let content = frame.strip_suffix(b"\r\n").unwrap_or(frame);
        let mut c = Cursor::new(content);
        c.skip(2)?;
        let (length, kind) = (c.u8()?, c.u8()?);
        match kind {
            0x01 => {
                told.from(digits_of(c.take(8)?).trim_start_matches('0'))?;
                told.reply(framed(1, 1, &[]), When::Immediate);
            }
            0x10 | 0x11 => {
                let date = c.array::<6>()?;
                told.reply(framed(length, kind, &date), When::AfterDurable);
                place(date, &mut c, told.report())?;
            }
            0x13 => {
                told.reply(frame.to_vec(), When::AfterDurable);
                status(&mut c, told.report())?;
            }
            0x17 | 0x69 => {
                let date = c.array::<6>()?;
                told.reply(framed(length, kind, &date), When::AfterDurable);
                let draft = told.report();
                draft.time(clock::six_bcd(date));
                c.skip(7 * usize::from(length))?;
                cells(&mut c, draft)?;
            }
            0x30 => {
                let now = told.received_at.civil();
                let mut time = (now.year as u16).to_be_bytes().to_vec();
                time.extend(
                    [now.month, now.day, now.hour, now.minute, now.second].map(|v| v as u8),
                );
                told.reply(framed(7, kind, &time), When::Immediate);
            }
            0x99 => told.report().alarm("sos"),
            _ => {}
        }
        Ok(())
    }
}

fn framed(length: u8, kind: u8, content: &[u8]) -> Vec<u8> {
    [&[0x78, 0x78, length, kind], content, b"\r\n"].concat()
}

fn place(date: [u8; 6], c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.time(clock::six_bytes(date));
    draft.set("satellites", c.u8()? & 15);
    let (lat, lng) = (f64::from(c.u32()?) / DEGREE, f64::from(c.u32()?) / DEGREE);
    let (kmh, flags) = (c.u8()?, c.u16()?);
    let altitude = if c.left() >= 2 { Some(c.i16()?.into()) } else { None };
    draft.at = Some(Measured {
        lat: if flags & 0x0400 == 0 { -lat } else { lat },
        lng: if flags & 0x0800 == 0 { lng } else { -lng },
        valid: flags & 0x1000 != 0,
        speed: Some(f64::from(kmh) / 3.6),
        heading: Some((flags & 0x03ff).into()),
        altitude,
        accuracy: None,
    });
    if c.left() >= 1 {
        alarm(c.u8()?, draft);
    }
    Ok(())
}

fn alarm(bits: u8, draft: &mut Draft) {
    if bits & 1 != 0 {
        draft.alarm("vibration");
    }
}

fn status(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.set("battery_percent", c.u8()?);
    draft.set("firmware", i64::from(c.u8()?));
    c.skip(2)?;
    if c.left() >= 1 {
        draft.set("rssi", c.u8()?);
    }
    if c.left() >= 1 {
        draft.set("charging", c.u8()? != 0);
    }
    Ok(())
}

fn cells(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let count = c.u8()?;
    let (country, network) = (c.u16()?, c.u8()?);
    for nth in 1..=u16::from(count) {
        draft.cell(nth, (country, network.into(), c.u16()?.into(), c.u16()?.into()));
        c.skip(1)?;
    }
    if c.left() >= 1 {
        alarm(c.u8()?, draft);
    }
    Ok(())
}

fn message(_: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let date = p.six();
    let mut content = date.to_vec();
    content.push(if p.valid { 0x99 } else { 0x90 });
    for degrees in [p.lat, p.lng] {
        content.extend(((degrees.abs() * DEGREE).round() as u32).to_be_bytes());
    }
    content.push(p.kmh.round() as u8);
    let bit = |set: bool, bit: u16| if set { bit } else { 0 };
    let flags = bit(p.valid, 0x1000) | bit(p.lng < 0.0, 0x0800) | bit(p.lat >= 0.0, 0x0400);
    content.extend((flags | p.degrees()).to_be_bytes());
    content.extend((p.altitude.round() as i16).to_be_bytes());
    content.push(0);
    Sent::new(framed(21, 0x10, &content), framed(21, 0x10, &date))
}

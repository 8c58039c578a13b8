//! Castel: readers for the diagnostic plug (SC) and two older forms, little-endian.
//!
//! ```text
//! @@ | length u16 | version u8 | id 20, NULs behind | type u16 | .. | CRC-16/X-25 | 0D 0A
//! $$ | length u16 |              id 20              | type u16 | .. | CRC-16/X-25 | 0D 0A
//! place   day, month, year, hour, minute, second | lat u32 | lng u32 (1/3,600,000 degree)
//!         | cm/s u16 | course u16 0.1 | 1 east, 2 north, 0C fix, F0 satellites
//! state   ignition time u32 | time u32 | odometer u32 m | trip u32 m | fuel u32 0.01 l
//!         | trip fuel u16 | state u32 | 8 unused
//! version 3, 4 (SC), types high byte first
//!   1001 state | count u8 | places | ..  <- 9001: FFFFFFFF 0000 time      1002 the same
//!   1003 alive  <- 9003                 B001 u16 | state | count u8 | places
//!   4001 kept u8 | state | count u8 | places        4009 time u32 | place
//!   4002 state | seconds u16 | PIDs                 4005 state | kept u8 | PIDs
//!   4006, 400B state | kept u8 | faults             4008 state | area u16 | cell u16
//!   4007 number u32 | state | count u8 | places | count | (new, code, u16, u16)..  <- C007 number
//!   401F kept u8 | number u32 | state | count u8 | places | (id u16, length u16, value)..
//!   A002 6 unused | (id u16, length u16, value)..
//!   PIDs      count u8 | id u16.. | groups u8 | length u8 | values, in physical units
//! other versions   4001 place | state u32 | battery u8 | odometer u32 | fence 3 | cell 4  <- 8001
//!                  4206 kept u8 | count u8 | the same..                    <- 8206
//! $$               4001, 42xx place  <- 4001     2001 u32, u32, u8, place     <- 1001
//! ```
//! Source: Sinocastel "IDD-212, 213 communication protocol" and its MPIP. Some models put the month
//! first: the one nearer to the state's time holds. Ignored: acceleration, lists of
//! what is supported.

use super::clock;
use super::cursor::Cursor;
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{When, checksum};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

mod reading;

/// Longest frame, bytes.
const FRAME_MAX: usize = 2 * 1024;
/// Length of an id.
const ID: usize = 20;
/// Least bytes of a frame: head, id, type, checksum, end.
const LEAST: usize = 30;
/// Parts of a degree.
const DEGREE: f64 = 3_600_000.0;
/// Most places and faults of one frame.
const LIST_MAX: u8 = 64;
/// The version of readers that plug into a car.
const SC: u8 = 4;

/// Castel.
pub(super) const CASTEL: Wired = Wired {
    name: "castel",
    port: 5086,
    transports: TCP_UDP,
    signatures: &[Mark::Text("@@"), Mark::Bytes(&[b'$' as u16, b'$' as u16, Mark::SOME, 0])],
    models: &["Castel IDD-212", "IDD-213", "IDD-218", "MPIP-618", "MPIP-619", "PT-690", "PT-718"],
    idle_minutes: 30,
    acknowledges: false,
    wire: |_| Box::new(Castel),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Castel;

impl Wire for Castel {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [b'@', b'@', low, high, ..] | [b'$', b'$', low, high, ..] => {
                let length = usize::from(u16::from_le_bytes([*low, *high]));
                if length < LEAST {
                    return Cut::no_frame(bytes, "a length");
                }
                Cut::of_length(length, bytes, FRAME_MAX)
            }
            [b'@' | b'$'] | [b'@', b'@', ..] | [b'$', b'$', ..] => Cut::Need,
            _ => Cut::no_frame(bytes, "`@@` or `$$`"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let Some((body, [low, high, _, _])) = frame.split_last_chunk::<4>() else {
            return Err(Complaint::short(frame.len()));
        };
        let sum = u16::from_le_bytes([*low, *high]);
        told.checksum(sum.into(), checksum::X25.of(body).into())?;
        let mut c = Cursor::new(body);
        let head = c.u16()?;
        c.skip(2)?;
        let version = if head == 0x4040 { Some(c.u8()?) } else { None };
        let id = c.array::<ID>()?;
        told.from(String::from_utf8_lossy(&id).trim_end_matches('\0'))?;
        let kind = c.u16()?;
        match version {
            None => plain(&id, kind, &mut c, told),
            Some(version @ (3 | SC)) => plugged(version, &id, kind, &mut c, told),
            Some(version) => older(version, &id, kind, &mut c, told),
        }
    }
}

/// A frame to the device.
fn framed(version: Option<u8>, id: &[u8; ID], kind: u16, content: &[u8]) -> Vec<u8> {
    let length = LEAST + usize::from(version.is_some()) + content.len();
    let mut out = b"@@".to_vec();
    out.extend((length as u16).to_le_bytes());
    out.extend(version);
    out.extend(id);
    out.extend(kind.to_be_bytes());
    out.extend(content);
    out.extend(checksum::X25.of(&out).to_le_bytes());
    out.extend(b"\r\n");
    out
}

/// The form without a version.
fn plain(id: &[u8; ID], kind: u16, c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    match kind {
        0x4001 => {
            // No version, but its place is kept.
            told.reply(framed(Some(0xff), id, kind, &[]), When::AfterDurable);
        }
        0x2001 => {
            let nothing = [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
            told.reply(framed(None, id, 0x1001, &nothing), When::AfterDurable);
            c.skip(9)?;
        }
        0x4201 | 0x4202 | 0x4206 => {}
        _ => return Ok(()),
    }
    place(c, None, told.report())
}

/// The older form with a version.
fn older(
    version: u8,
    id: &[u8; ID],
    kind: u16,
    c: &mut Cursor<'_>,
    told: &mut Told,
) -> Result<(), Complaint> {
    let count = match kind {
        0x4001 => {
            told.reply(framed(Some(version), id, 0x8001, &[]), When::AfterDurable);
            1
        }
        0x4206 => {
            told.reply(framed(Some(version), id, 0x8206, &[]), When::AfterDurable);
            c.skip(1)?;
            c.u8()?
        }
        _ => return Ok(()),
    };
    for _ in 0..count {
        let draft = told.report();
        place(c, None, draft)?;
        draft.set("status", c.u32_le()?);
        let battery = c.u8()?;
        draft.maybe("battery_percent", Some(battery).filter(|v| *v <= 100));
        draft.set("odometer_metres", c.u32_le()?);
        c.skip(7.min(c.left()))?;
    }
    Ok(())
}

/// Readers that plug into a car.
fn plugged(
    version: u8,
    id: &[u8; ID],
    kind: u16,
    c: &mut Cursor<'_>,
    told: &mut Told,
) -> Result<(), Complaint> {
    let version = Some(version);
    match kind {
        0x1001 => {
            let now = told.received_at.millis().div_euclid(1000) as u32;
            let mut content = vec![0xff, 0xff, 0xff, 0xff, 0, 0];
            content.extend(now.to_le_bytes());
            told.reply(framed(version, id, 0x9001, &content), When::Immediate);
            if c.rest().get(34).is_some_and(|count| *count > 0) {
                places(c, told)?;
            }
        }
        0x1002 if c.rest().get(34).is_some_and(|count| *count > 0) => places(c, told)?,
        0x1003 => told.reply(framed(version, id, 0x9003, &[]), When::Immediate),
        0x4001 => {
            c.skip(1)?;
            places(c, told)?;
        }
        0xb001 => {
            c.skip(2)?;
            places(c, told)?;
        }
        0x401f => {
            c.skip(5)?;
            places(c, told)?;
            reading::values(c, told.last())?;
        }
        0x4007 => {
            let number = c.array::<4>()?;
            told.reply(framed(version, id, 0xc007, &number), When::AfterDurable);
            places(c, told)?;
            reading::alarms(c, told.last())?;
        }
        0x4009 => {
            let time = seconds(c)?;
            place(c, time, told.report())?;
        }
        0x4002 | 0x4005 | 0x4006 | 0x400b | 0x4008 => {
            let draft = told.report();
            let time = state(c, draft)?;
            draft.time(time);
            reading::of_the_car(kind, c, draft)?;
        }
        0xa002 => {
            c.skip(6)?;
            reading::values(c, told.report())?;
        }
        _ => {}
    }
    Ok(())
}

fn seconds(c: &mut Cursor<'_>) -> Result<Option<Timestamp>, Complaint> {
    Ok(Some(Timestamp::from_seconds(c.u32_le()?.into())))
}

/// What a car's state says; its time.
fn state(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<Option<Timestamp>, Complaint> {
    c.skip(4)?;
    let time = seconds(c)?;
    draft.set("odometer_metres", c.u32_le()?);
    draft.set("trip_metres", c.u32_le()?);
    draft.set("fuel_used_litres", f64::from(c.u32_le()?) / 100.0);
    c.skip(2)?;
    let bits = c.u32_le()?;
    draft.set("status", bits);
    draft.set("ignition", bits >> 18 & 1 != 0);
    c.skip(8)?;
    Ok(time)
}

/// A state and the places that go with it; where there are none, the state alone.
fn places(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let (stated, count) = (c.clone(), Cursor::new(c.rest().get(34..35).unwrap_or_default()).u8()?);
    for nth in 0..count.clamp(1, LIST_MAX) {
        let draft = told.report();
        let mut again = stated.clone();
        let time = state(&mut again, draft)?;
        draft.time(time);
        if nth == 0 {
            c.skip(35)?;
        }
        if count > 0 {
            place(c, time, draft)?;
        }
    }
    Ok(())
}

/// A place; `about` is a time close to its own, where the message has one.
fn place(c: &mut Cursor<'_>, about: Option<Timestamp>, draft: &mut Draft) -> Result<(), Complaint> {
    let [day, month, year, hour, minute, second] = c.array::<6>()?;
    let day_first = clock::six_bytes([year, month, day, hour, minute, second]);
    let month_first = clock::six_bytes([year, day, month, hour, minute, second]);
    let away = |time: Option<Timestamp>| {
        time.zip(about).map_or(f64::INFINITY, |(t, about)| t.seconds_since(about).abs())
    };
    let turned = day_first.is_none() || away(month_first) < away(day_first);
    draft.time(if turned { month_first } else { day_first });
    let (lat, lng) = (f64::from(c.u32_le()?) / DEGREE, f64::from(c.u32_le()?) / DEGREE);
    let (speed, course, flags) = (c.u16_le()?, c.u16_le()?, c.u8()?);
    draft.set("satellites", flags >> 4);
    draft.at = Some(Measured {
        lat: if flags & 2 == 0 { -lat } else { lat },
        lng: if flags & 1 == 0 { -lng } else { lng },
        valid: flags & 0x0c != 0,
        speed: Some(f64::from(speed) / 100.0),
        heading: Some(f64::from(course) / 10.0),
        ..Measured::default()
    });
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let mut id = [0; ID];
    for (to, from) in id.iter_mut().zip(speaker.device.bytes()) {
        *to = from;
    }
    let time = (report.time.unwrap_or_default().millis().div_euclid(1000) as u32).to_le_bytes();
    let ignition = super::sender::flag(report, "ignition").unwrap_or(false);
    let mut content = vec![0];
    content.extend([time; 2].concat());
    content.extend([0; 14]);
    content.extend((u32::from(ignition) << 18).to_le_bytes());
    content.extend([0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let [year, month, day, hour, minute, second] = p.six();
    content.extend([day, month, year, hour, minute, second]);
    for degrees in [p.lat, p.lng] {
        content.extend(((degrees.abs() * DEGREE).round() as u32).to_le_bytes());
    }
    content.extend(((p.kmh / 0.036).round() as u16).to_le_bytes());
    content.extend(((p.heading * 10.0).round() as u16).to_le_bytes());
    let flags = u8::from(p.lng >= 0.0) | u8::from(p.lat >= 0.0) << 1;
    content.push(flags | if p.valid { 0x9c } else { 0 });
    Sent::unanswered(framed(Some(SC), &id, 0x4001, &content))
}

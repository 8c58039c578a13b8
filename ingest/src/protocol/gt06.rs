//! Concox / Jimi GT06 and its many clones. TCP, big-endian.
//!
//! ```text
//! 7878 | length u8  | type u8 | content | serial u16 | crc u16 | 0d0a      length: type to crc
//! 7979 | length u16 | type u8 | content | serial u16 | crc u16 | 0d0a
//! 7878 | 05 | type | serial | crc | 0d0a                         <- answer to most types
//! 7878 | n | 17 or 69 | time 6 BCD | n (MAC 6, rssi) | m | mcc u16 | mnc u8 | m (lac, cid, rssi)
//!      | 0d0a                     <- 7878 | 00 | type | time | 0d0a      Wi-Fi form, no serial
//!
//! 01       login: IMEI 8 BCD
//! position time 6 | length and satellites u8 | lat u32 | lng u32 (1/1,800,000 degrees)
//!          | speed km/h u8 | course and flags u16 | [length u8] | cell | by type:
//!   12     [status u8 | power u16 | rssi u8 ..] or [mileage u32]
//!   16 26  .. status u8 | voltage grade u8 | rssi u8 | alarm u8 | language u8
//!   27 a4  the same and fence u8        22 37 a0  acc u8 | mode u8 | resent u8 | [mileage u32]
//! 13 23    status | voltage grade or percent | rssi | ..      19 a5  cell, then as 16
//! 15 21    command answer      8a  time request      94  information      95  driving alarm
//! 70       modules: (id u16, length u16, bytes)..      9b  pass-through
//! flags    0-9 course, 10 north, 11 west, 12 positioned, 14 and 15 ignition known, on
//! status   0 armed, 1 ignition, 2 charging, 3-5 alarm, 6 positioned, 7 cut off
//! crc      CRC-16/X-25 over length to serial
//! ```
//! Source: Concox "GPS Tracker Communication Protocol" (GT06, GT06N, ET25, JM01 editions),
//! "JM-LL01 Communication Protocol" (70, 94). Some clones put their IMEI in front of the time; it
//! is recognised by the date that follows. Ignored: the language byte, Wi-Fi scans, address
//! queries, firmware downloads, pass-through of meters.

use bytes::Bytes;

use super::cursor::Cursor;
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{BadFrame, Telling, When, checksum, clock, inbox};
use crate::command::Command;
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

mod alarm;
mod information;
mod tail;

use tail::{behind, doubly_dated, heartbeat, higher, metered, narrow};

/// Longest frame, bytes; long command answers need it.
const FRAME_MAX: usize = 4 * 1024;
/// Bytes by which the end of a frame may be off.
const ASTRAY_MAX: usize = 16;
/// Bytes of a time and a place.
const PLACE: usize = 18;
const DEGREE: f64 = 1_800_000.0;

/// Concox and clones.
pub(super) const GT06: Wired = Wired {
    name: "gt06",
    port: 5023,
    transports: TCP,
    signatures: &[Mark::Bytes(&[0x78, 0x78]), Mark::Bytes(&[0x79, 0x79])],
    models: &[
        "Concox", "Jimi", "GT06", "TR06", "GK310", "JM-LL01", "JM-VL03", "X3", "ET25", "AL50",
    ],
    idle_minutes: 15,
    acknowledges: true,
    wire: |options| Box::new(Gt06 { model: Model::named(options.model.as_deref()) }),
    login,
    message,
};

#[derive(Debug)]
struct Gt06 {
    model: Model,
}

/// Models whose bytes differ where nothing in them says so.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Model {
    Common,
    /// LW4G-4B: other alarms, tenths of volts behind the heartbeat.
    Lw4g,
    /// SEEWORLD: volts behind the heartbeat.
    Seeworld,
}

impl Model {
    fn named(name: Option<&str>) -> Self {
        match name {
            Some("LW4G-4B") => Self::Lw4g,
            Some("SEEWORLD") => Self::Seeworld,
            _ => Self::Common,
        }
    }
}

/// A frame in parts.
struct Parts<'a> {
    long: bool,
    kind: u8,
    content: &'a [u8],
    serial: u16,
    model: Model,
    /// From the content on to the end, for what was cut wrongly.
    all: &'a [u8],
}

impl Wire for Gt06 {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [0x78, 0x78, rest @ ..] => match rest {
                [count, 0x17 | 0x69, time @ ..] if time.len() >= 6 && scan(time) => {
                    let at = 10 + usize::from(*count) * 7;
                    let Some(cells) = bytes.get(at) else { return Cut::Need };
                    let length = at + 1 + 3 + usize::from(*cells) * 5 + 2;
                    Cut::of_length(length, bytes, FRAME_MAX)
                }
                [_, 0x17 | 0x69, time @ ..] if time.len() < 6 => Cut::Need,
                [0, _, ..] => Cut::no_frame(bytes, "a length"),
                [length, _, ..] => cut(usize::from(*length) + 5, bytes),
                _ => Cut::Need,
            },
            [0x79, 0x79, high, low, ..] => {
                cut(usize::from(u16::from_be_bytes([*high, *low])) + 6, bytes)
            }
            [0x79, 0x79, ..] | [0x78 | 0x79] => Cut::Need,
            _ => Cut::no_frame(bytes, "7878 or 7979"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        if let [0x78, 0x78, _, kind @ (0x17 | 0x69), time @ ..] = frame
            && scan(time)
        {
            return cells(*kind, time, told);
        }
        let parts = Parts { model: self.model, ..parts(frame, told)? };
        answer(&parts, told);
        read(&parts, told)
    }

    /// Type 80 of "GT06 GPS Tracker Communication Protocol": length, mark u32, ASCII, language
    /// (2: English). The answer (15, 21) repeats the mark.
    fn command(&mut self, telling: &Telling<'_>) -> Option<Vec<u8>> {
        let words = match telling.command {
            Command::Position => "WHERE#".to_owned(),
            Command::Interval(seconds) => format!("TIMER,{seconds}#"),
            Command::Restart => "RESET#".to_owned(),
            Command::EngineStop => "RELAY,1#".to_owned(),
            Command::EngineResume => "RELAY,0#".to_owned(),
            Command::Text(words) => words.clone(),
        };
        let mut content = vec![4 + words.len() as u8];
        content.extend(u32::from(telling.number).to_be_bytes());
        content.extend(words.as_bytes());
        content.extend([0, 2]);
        Some(packet(false, 0x80, &content, telling.number).to_vec())
    }
}

/// A frame of a length; where it does not end there, since some count wrong, at its end.
fn cut(length: usize, bytes: &[u8]) -> Cut {
    let end = |at: &usize| bytes.get(at - 2..*at) == Some(b"\r\n");
    if length > FRAME_MAX || bytes.len() < length || end(&length) {
        return Cut::of_length(length, bytes, FRAME_MAX);
    }
    match (10..=bytes.len().min(length + ASTRAY_MAX)).find(end) {
        Some(length) => Cut::frame(length),
        None if bytes.len() < length + ASTRAY_MAX => Cut::Need,
        None => Cut::too_long(length + ASTRAY_MAX),
    }
}

/// Whether six bytes are a date and a time of decimal digits: the Wi-Fi form.
fn scan(time: &[u8]) -> bool {
    let digits = |b: &u8| b >> 4 < 10 && b & 15 < 10;
    time.first_chunk::<6>().is_some_and(|t| t.iter().all(digits) && clock::six_bcd(*t).is_some())
}

fn parts<'a>(frame: &'a [u8], told: &mut Told) -> Result<Parts<'a>, Complaint> {
    let long = frame.first() == Some(&0x79);
    let head = if long { 4 } else { 3 };
    let end = frame.len().saturating_sub(6);
    if end <= head {
        return Err(Complaint::short(frame.len()));
    }
    let (body, tail) = frame.split_at(end);
    let mut tail = Cursor::new(tail);
    let (serial, sent) = (tail.u16()?, tail.u16()?);
    let ours = checksum::X25.of(&frame[2..end + 2]);
    told.checksum(sent.into(), ours.into())?;
    if tail.u16()? != 0x0d0a && !told.lenient {
        return Err(Complaint::new(BadFrame::Malformed, end + 4, "no 0d0a at the end"));
    }
    let content = &body[head + 1..];
    let (model, all) = (Model::Common, &frame[head + 1..frame.len() - 2]);
    Ok(Parts { long, kind: body[head], content, serial, model, all })
}

/// A packet of the server or of a device.
fn packet(long: bool, kind: u8, content: &[u8], serial: u16) -> Bytes {
    let length = content.len() + 5;
    inbox::reply(|out| {
        if long {
            out.extend_from_slice(&[0x79, 0x79]);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        } else {
            out.extend_from_slice(&[0x78, 0x78, length as u8]);
        }
        out.extend_from_slice(&[kind]);
        out.extend_from_slice(content);
        out.extend_from_slice(&serial.to_be_bytes());
        let sum = checksum::X25.of(&out[2..]).to_be_bytes();
        out.extend_from_slice(&[sum[0], sum[1], 0x0d, 0x0a]);
    })
}

fn answer(parts: &Parts<'_>, told: &mut Told) {
    match parts.kind {
        // Uploads of which the document wants no answer.
        0x15 if parts.long => {}
        0x21 | 0x24 | 0x34 | 0x81 | 0x84 | 0x94 | 0x9b | 0xfd => {}
        0x12 if parts.content.is_empty() => {}
        0x8a => {
            let now = Plain::of(&at(told.received_at)).six();
            told.reply(packet(false, 0x8a, &now, parts.serial), When::Immediate);
        }
        0x01 | 0x13 | 0x23 | 0x36 => {
            told.reply(packet(false, parts.kind, &[], parts.serial), When::Immediate);
        }
        kind => {
            let long = parts.long && kind == 0x32;
            told.reply(packet(long, kind, &[], parts.serial), When::AfterDurable);
        }
    }
}

/// A report of nobody at a time, for its calendar.
fn at(time: Timestamp) -> Report {
    #[expect(clippy::expect_used, reason = "a dash is an id")]
    let nobody = crate::id::DeviceId::new("-").expect("a dash is an id");
    Report { time: Some(time), ..Report::of(nobody) }
}

/// The Wi-Fi form: only its cells say where.
fn cells(kind: u8, body: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let mut echo = vec![0x78, 0x78, 0, kind];
    echo.extend(&body[..6]);
    echo.extend([0x0d, 0x0a]);
    told.reply(echo, When::AfterDurable);
    let draft = told.report();
    let mut c = Cursor::new(body);
    draft.time(clock::six_bcd(c.array()?));
    // What is left of the frame: cells of five bytes behind a head of four, and its end.
    let cells = c.rest().len().checked_sub(6).map_or(0, |n| n % 7 / 5).min(1);
    let count = (0..c.left()).find(|skip| {
        let m = usize::from(c.rest()[*skip]);
        skip % 7 == 0 && skip + 6 + m * 5 == c.left() && m + cells > 0
    });
    let Some(skip) = count else { return Ok(()) };
    c.skip(skip)?;
    let (count, mcc, mnc) = (c.u8()?, c.u16()?, c.u8()?);
    for nth in 1..=u16::from(count) {
        let (area, id) = (c.u16()?, c.u16()?);
        c.skip(1)?;
        draft.cell(nth, (mcc, mnc.into(), area.into(), id.into()));
    }
    Ok(())
}

fn read(parts: &Parts<'_>, told: &mut Told) -> Result<(), Complaint> {
    let mut c = Cursor::new(parts.content);
    match parts.kind {
        0x01 => {
            let digits = super::cursor::digits_of(&c.array::<8>()?);
            told.from(digits.strip_prefix('0').unwrap_or(&digits))
        }
        0x13 | 0x23 | 0x36 if parts.content.len() >= 3 => heartbeat(parts, &mut c, told),
        0x10..=0x12
        | 0x16
        | 0x22
        | 0x24..=0x27
        | 0x31..=0x34
        | 0x37
        | 0x61
        | 0xa0
        | 0xa2..=0xa4
            if let Some(at) = dated(parts.content)
                && placed(reach(parts, told), at) =>
        {
            position(parts, at, &mut Cursor::new(reach(parts, told)), told)
        }
        0x34 if parts.content.len() >= 50 => metered(&mut c, told),
        0x11 | 0x18 | 0x19 | 0x28 | 0x2c | 0xa1 | 0xa2 | 0xa5 => stations(parts, &mut c, told),
        0x15 if !parts.long => information::command_answer(&mut c, told),
        0x21 if parts.long => information::long_answer(&mut c, told),
        0xa3 if parts.content.len() == 19 => information::pet(&mut c, told),
        0xf2 if parts.long => information::beacons(&mut c, told),
        0x70 | 0xf1 if parts.long => information::modules(parts.kind, &mut c, told),
        0xa3 if parts.content.len() >= 5 => {
            let draft = told.report();
            draft.set("message_type", parts.kind);
            alarm::tail(draft, &mut Cursor::new(c.take(5)?))?;
            if c.left() == 2 {
                c.skip(1)?;
                draft.set("archive", c.u8()? != 0);
            }
            Ok(())
        }
        0x8c if parts.content.len() > 7 => information::plugged(&mut c, told),
        0x94 => information::sent(parts.long, &mut c, told),
        0x95 => information::driving(&mut c, told),
        0x9b => {
            information::passed_through(&mut c, told);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What a position is read from: its content, or where that is too short, all there is.
fn reach<'a>(parts: &Parts<'a>, told: &Told) -> &'a [u8] {
    if told.lenient && parts.content.len() < PLACE { parts.all } else { parts.content }
}

/// Where the time stands: at the beginning, behind an IMEI, or behind a mark, an IMEI and a time.
fn dated(content: &[u8]) -> Option<usize> {
    let plausible = |at: usize| {
        let time = content.get(at..).and_then(|b| b.first_chunk::<6>());
        time.is_some_and(|t| (9..=60).contains(&t[0]) && clock::is_six_bytes(*t))
    };
    let imei = |at: usize| content.get(at).is_some_and(|b| *b < 0x10);
    if imei(1) && content.first() == Some(&1) && plausible(9) && plausible(15) {
        return Some(15);
    }
    if plausible(0) {
        return Some(0);
    }
    (imei(0) && plausible(8)).then_some(8)
}

/// Whether a place stands behind the time; the same types carry cells alone.
fn placed(content: &[u8], at: usize) -> bool {
    let mut c = Cursor::new(content.get(at + 7..).unwrap_or_default());
    let (lat, lng) = (c.u32(), c.u32());
    if c.left() < 3 {
        return false;
    }
    lat.is_ok_and(|v| f64::from(v) <= 90.0 * DEGREE)
        && lng.is_ok_and(|v| f64::from(v) <= 180.0 * DEGREE)
}

/// Time and place.
fn place(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<u16, Complaint> {
    draft.time(clock::six_bytes(c.array()?));
    let satellites = c.u8()? & 15;
    let (lat, lng) = (f64::from(c.u32()?) / DEGREE, f64::from(c.u32()?) / DEGREE);
    let (speed, flags) = (c.u8()?, c.u16()?);
    draft.set("satellites", satellites);
    draft.at = Some(Measured {
        lat: if flags & 0x400 == 0 { -lat } else { lat } + 0.0,
        lng: if flags & 0x800 == 0 { lng } else { -lng } + 0.0,
        valid: flags & 0x1000 != 0,
        speed: Some(f64::from(speed) / 3.6),
        heading: Some(f64::from(flags & 0x3ff)),
        ..Measured::default()
    });
    if flags & 0x4000 != 0 {
        draft.set("ignition", flags & 0x8000 != 0);
    }
    Ok(flags)
}

/// One cell: country, network, area, id; the newer types are wider.
fn cell(draft: &mut Draft, c: &mut Cursor<'_>, wide: bool) -> Result<(), Complaint> {
    let mcc = c.u16()?;
    let two = mcc & 0x8000 != 0;
    let mnc = if two { c.u16()? } else { c.u8()?.into() };
    let (area, id) = if wide { (c.u32()?, c.u64()?) } else { (c.u16()?.into(), c.u24()?.into()) };
    if id > 0 {
        draft.cell(1, (mcc & 0x7fff, mnc, area, id));
    }
    Ok(())
}

/// A position whose time stands at `at`.
fn position(
    parts: &Parts<'_>,
    at: usize,
    c: &mut Cursor<'_>,
    told: &mut Told,
) -> Result<(), Complaint> {
    let draft = told.report();
    draft.set("message_type", parts.kind);
    c.skip(at)?;
    place(draft, c)?;
    let wide = parts.kind >= 0xa0;
    // Alarms tell the length of their cell; it may be 0 and its bytes there all the same.
    let told_length = matches!(parts.kind, 0x16 | 0x26 | 0x27 | 0xa4) && c.left() > 0;
    if at == 15 {
        return doubly_dated(parts.kind, draft, c);
    }
    if told_length {
        let tail = if matches!(parts.kind, 0x27 | 0xa4) { 6 } else { 5 };
        let inside = c.left().saturating_sub(tail);
        let mut inside = Cursor::new(c.take(inside)?);
        let least = if wide { 15 } else { 8 };
        if inside.left() > least {
            inside.skip(1)?;
        }
        if inside.left() >= least {
            cell(draft, &mut inside, wide)?;
        }
        return alarm::tail_of(parts.model, draft, c);
    }
    // The 4G editions have a cell's id of four bytes behind the same head.
    if let Some(length) = narrow(parts.kind, c.rest()) {
        let (mcc, mnc, area, id) = (c.u16()?, c.u8()?, c.u16()?, c.u32()?);
        draft.cell(1, (mcc, mnc.into(), area.into(), id.into()));
        return match length {
            0 => behind(parts.kind, draft, c),
            tail => higher(parts.kind, draft, &mut Cursor::new(c.take(tail)?)),
        };
    }
    if c.left() >= if wide { 15 } else { 8 } {
        cell(draft, c, wide)?;
        return behind(parts.kind, draft, c);
    }
    Ok(())
}

/// Cells without a place, some with a status.
fn stations(parts: &Parts<'_>, c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let draft = told.report();
    draft.set("message_type", parts.kind);
    if matches!(parts.kind, 0x19 | 0xa5) {
        cell(draft, c, parts.kind == 0xa5)?;
        return alarm::tail(draft, c);
    }
    draft.time(clock::six_bytes(c.array()?));
    cell(draft, c, parts.kind >= 0xa0)
}

fn login(speaker: &mut Speaker) -> Sent {
    let serial = speaker.next() as u16;
    Sent::new(packet(false, 1, &speaker.bcd(8), serial), packet(false, 1, &[], serial))
}

/// Type 22: place, no cell, ignition.
fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let plain = Plain::of(report);
    let satellites = super::sender::whole(report, "satellites").unwrap_or(0).clamp(0, 15) as u8;
    let mut flags = plain.degrees();
    for (bit, set) in [(0x400, plain.lat >= 0.0), (0x800, plain.lng < 0.0), (0x1000, plain.valid)] {
        flags |= if set { bit } else { 0 };
    }
    let mut content = plain.six().to_vec();
    content.push(0xc0 | satellites);
    for degrees in [plain.lat, plain.lng] {
        content.extend(((degrees.abs() * DEGREE).round() as u32).to_be_bytes());
    }
    content.push(plain.kmh.round().min(255.0) as u8);
    content.extend(flags.to_be_bytes());
    content.extend([0; 8]);
    content.extend([u8::from(flag(report, "ignition").unwrap_or(false)), 0, 0]);
    let serial = speaker.next() as u16;
    Sent::new(packet(false, 0x22, &content, serial), packet(false, 0x22, &[], serial))
}

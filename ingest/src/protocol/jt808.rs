//! JT/T 808, the Chinese national standard for vehicle terminals, of 2011, 2013 and 2019.
//!
//! ```text
//! 7e | id u16 | attributes u16 | phone 6 BCD | serial u16 | [total u16, index u16] | body | xor | 7e
//! 2019: attributes bit 14 set, version u8 before a phone of 10 BCD; bit 13: a sub-packet
//! within:  7e is 7d 02, 7d is 7d 01
//! 0100 register        -> 8100: serial, 0, authentication code (the phone's digits)
//! 0102 authenticate, 0002 heartbeat -> 8001 general answer: serial, id, 0
//! 0200 position        alarms u32 | status u32 | lat u32 | lng u32 (1e-6 degrees) | altitude u16
//!                      | speed u16 (0.1 km/h) | direction u16 | time 6 BCD, UTC+8 | items
//! 0704 batch           count u16 | kind u8 (1: resent) | (length u16, position)..
//! 0900 pass-through    kind u8 | bytes        1300 command answer, UTF-16
//! 5501 5502 locks      ddmmyy hhmmss | lat 4 BCD | lng 4.5 BCD, flags | ..  -> 4401
//! items    id u8 | length u8 | bytes: 01 mileage 0.1 km, 02 fuel 0.1 l, 30 signal, 31 satellites ..
//! ```
//! Source: JT/T 808-2011, -2013, -2019 (headers, alarm and status bits, items 01 to 31); makers'
//! additions of AOVX, Topin, Jimi and Kingwo for items from 50 on (`jt808/item.rs`). Terminals
//! that put an IMEI into six binary bytes lack its last digit, which is made. Ignored: recorder
//! uploads, multimedia, driver cards beyond the code, CAN broadcasts.
//!
//! A position in sub-packets is joined when its parts come in order, up to [`PARTS_MAX`] bytes.

use bytes::Bytes;

use super::cursor::{Cursor, Digits, bcd, digits_of, hex};
use super::fields::Fields;
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{BadFrame, Telling, When, checksum, clock, inbox, scan};
use crate::command::Command;
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

mod engine;
mod item;
mod lock;

/// Longest frame on the wire, bytes: 1,023 of body, all escaped, and its head.
const FRAME_MAX: usize = 2 * (1023 + 24);
/// Most bytes of a message in parts.
const PARTS_MAX: usize = 16 * 1024;
/// Terminals write Beijing time.
const ZONE_S: f64 = 8.0 * 3600.0;

/// Terminals of the national standard.
pub(super) const JT808: Wired = Wired {
    name: "jt808",
    port: 5015,
    transports: TCP_UDP,
    signatures: &[Mark::Bytes(&[0x7e])],
    models: &[
        "JT/T 808-2011",
        "JT/T 808-2013",
        "JT/T 808-2019",
        "Huabao",
        "AOVX",
        "Jimi VL",
        "G-360P",
    ],
    idle_minutes: 15,
    acknowledges: true,
    wire: |options| {
        let model = Model::named(options.model.as_deref());
        Box::new(Jt808 { model, ..Jt808::default() })
    },
    login,
    message,
};

#[derive(Debug, Default)]
struct Jt808 {
    model: Model,
    /// A frame without its escapes; kept for the next.
    plain: Vec<u8>,
    /// Parts of a message so far.
    parts: Vec<u8>,
    /// How the last message was addressed: version and phone, as a command must be.
    address: Address,
    /// The number of the command that waits for its answer.
    told: Option<u16>,
}

/// Version and phone as a device sends them.
#[derive(Debug, Default, Clone, Copy)]
struct Address {
    bytes: [u8; 11],
    length: u8,
}

impl Address {
    fn of(bytes: &[u8]) -> Self {
        let mut address = Self { bytes: [0; 11], length: bytes.len().min(11) as u8 };
        address.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        address
    }
    fn get(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// A message's head.
struct Head<'a> {
    id: u16,
    /// Version and phone as they came, for the answer.
    address: &'a [u8],
    new: bool,
    serial: u16,
    /// Total and index of a sub-packet.
    part: Option<(u16, u16)>,
}

impl Wire for Jt808 {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        if bytes.first() != Some(&0x7e) {
            return Cut::Skip(scan::find(bytes, 0x7e).unwrap_or(bytes.len()));
        }
        match scan::find(&bytes[1..bytes.len().min(1 + FRAME_MAX)], 0x7e) {
            // Two marks: the first one ended a frame that is lost.
            Some(0) => Cut::Skip(1),
            Some(end) => Cut::frame(end + 2),
            None if bytes.len() > FRAME_MAX => Cut::too_long(FRAME_MAX),
            None => Cut::Need,
        }
    }

    fn split(&self, frame: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        unescape(frame, &mut plain);
        plain
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let inside = frame.strip_prefix(&[0x7e]).unwrap_or(frame);
        let inside = inside.strip_suffix(&[0x7e]).unwrap_or(inside);
        let mut plain = inside;
        if scan::find(inside, 0x7d).is_some() {
            unescape(inside, &mut self.plain);
            // What comes from a capture may have lost its escapes.
            let lost = told.lenient && checksum::xor(inside) == 0;
            if !lost || checksum::xor(&self.plain) == 0 {
                plain = &self.plain;
            }
        }
        let Some((sent, message)) = plain.split_last() else {
            return Err(Complaint::short(frame.len()));
        };
        told.checksum((*sent).into(), checksum::xor(message).into())?;
        let mut c = Cursor::new(message);
        let head = head(&mut c)?;
        self.address = Address::of(head.address);
        let phone = device(&head.address[usize::from(head.new)..]);
        let device = phone.id();
        told.from(device)?;
        if head.id == 0x0102 && head.part.is_none() {
            told.shows(code(&head, c.rest()));
        }
        answer(&head, device, told);
        if head.id == 0x0001 && self.told.is_some() && told_of(c.rest()) == self.told {
            self.told = None;
            // How it went: 0 done, 1 failed, 2 wrong, 3 not supported.
            let went = ["ok", "failed", "wrong", "unsupported"];
            let code = c.rest().get(4).map_or(1, |code| usize::from(*code));
            told.report().set("command_result", went.get(code).copied().unwrap_or("failed"));
            return Ok(());
        }
        match head.part {
            None => body(&head, &mut c, told).map(|()| self.own(told)),
            Some((total, index)) => {
                if index == 1 {
                    self.parts.clear();
                }
                if self.parts.len() + c.left() > PARTS_MAX {
                    self.parts.clear();
                    let reason = format!("message in parts longer than {PARTS_MAX} bytes");
                    return Err(Complaint::new(BadFrame::Length, 0, reason));
                }
                self.parts.extend(c.rest());
                if index < total {
                    return Ok(());
                }
                let whole = std::mem::take(&mut self.parts);
                body(&head, &mut Cursor::new(&whole), told)
            }
        }
    }

    /// 8201 asks for a place, 8103 sets parameter 29 (seconds between reports), 8105 controls the
    /// terminal: 4 restarts, f0 and f1 are the makers' own for the engine; 8300 is a text.
    fn command(&mut self, telling: &Telling<'_>) -> Option<Vec<u8>> {
        let (id, body) = match telling.command {
            Command::Position => (0x8201, Vec::new()),
            Command::Interval(seconds) => {
                (0x8103, [&[1, 0, 0, 0, 0x29, 4][..], &seconds.to_be_bytes()].concat())
            }
            Command::Restart => (0x8105, vec![4]),
            Command::EngineStop => (0x8105, vec![0xf0]),
            Command::EngineResume => (0x8105, vec![0xf1]),
            Command::Text(words) => (0x8300, [&[1], words.as_bytes()].concat()),
        };
        let (address, number) = (self.address.get(), telling.number);
        if address.is_empty() {
            return None;
        }
        self.told = Some(number);
        Some(packet(id, address.len() == 11, address, number, &body).to_vec())
    }
}

/// Models that mean something else by the alarm's bits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Model {
    #[default]
    Common,
    /// AOVX AL300: bit 16 is movement.
    Al300,
    /// G-360P, G-508P: bits 0 and 4 are taken off, bit 1 is opened.
    Seal,
}

impl Model {
    fn named(name: Option<&str>) -> Self {
        match name {
            Some("AL300") => Self::Al300,
            Some("G-360P" | "G-508P") => Self::Seal,
            _ => Self::Common,
        }
    }
    /// A name of the standard's table as the model means it.
    fn alarm(self, name: &'static str) -> &'static str {
        match (self, name) {
            (Self::Al300, "vibration") => "movement",
            (Self::Seal, "sos" | "gpsFault") => "removing",
            (Self::Seal, "overspeed") => "tampering",
            _ => name,
        }
    }
}

impl Jt808 {
    /// The alarm in a model's own words.
    fn own(&self, told: &mut Told) {
        let Some(draft) = told.begun().filter(|_| self.model != Model::Common) else { return };
        let Some(alarms) = draft.words("alarm") else { return };
        let own: Vec<&str> = alarms
            .split(',')
            .map(|name| ALARMS.iter().find(|(_, known)| *known == name))
            .filter_map(|known| known.map(|(_, name)| self.model.alarm(name)))
            .collect();
        draft.set("alarm", own.join(","));
    }
}

fn unescape(bytes: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = bytes.iter().peekable();
    while let Some(byte) = rest.next() {
        match (byte, rest.peek()) {
            (0x7d, Some(1)) => {
                rest.next();
                out.push(0x7d);
            }
            (0x7d, Some(2)) => {
                rest.next();
                out.push(0x7e);
            }
            _ => out.push(*byte),
        }
    }
}

fn head<'a>(c: &mut Cursor<'a>) -> Result<Head<'a>, Complaint> {
    let (id, attributes) = (c.u16()?, c.u16()?);
    // Locks use the attributes for something else.
    let lock = matches!(id, 0x5501 | 0x5502);
    let new = attributes & 0x4000 != 0 && !lock;
    let address = c.take(if new { 11 } else { 6 })?;
    let serial = if lock { c.u8()?.into() } else { c.u16()? };
    let part = if attributes & 0x2000 != 0 && !lock { Some((c.u16()?, c.u16()?)) } else { None };
    Ok(Head { id, address, new, serial, part })
}

/// What a device calls itself.
enum Phone {
    /// Digits of a phone number.
    Digits(Digits),
    /// A number with its check digit.
    Number(String),
}

impl Phone {
    /// Without zeros in front.
    fn id(&self) -> &str {
        match self {
            Self::Digits(digits) => match digits.trim_start_matches('0') {
                "" => "0",
                digits => digits,
            },
            Self::Number(number) => number,
        }
    }
}

/// The phone's digits; six binary bytes are an IMEI without its last.
fn device(phone: &[u8]) -> Phone {
    if phone.iter().all(|b| b >> 4 < 10 && b & 15 < 10) {
        return Phone::Digits(digits_of(phone));
    }
    let number = phone.iter().fold(0_u128, |n, b| n << 8 | u128::from(*b)).to_string();
    // Luhn: every second digit counts twice.
    let sum: u32 = number
        .bytes()
        .enumerate()
        .map(|(i, b)| u32::from(b - b'0') << (i & 1))
        .map(|d| d / 10 + d % 10)
        .sum();
    Phone::Number(format!("{number}{}", (10 - sum % 10) % 10))
}

/// A message of either side.
fn packet(id: u16, new: bool, address: &[u8], serial: u16, body: &[u8]) -> Bytes {
    let (id, serial) = (id.to_be_bytes(), serial.to_be_bytes());
    let length = (body.len() as u16 | if new { 0x4000 } else { 0 }).to_be_bytes();
    let parts: [&[u8]; 5] = [&id, &length, address, &serial, body];
    inbox::reply(|out| {
        out.push(0x7e);
        for part in parts {
            out.extend_from_slice(part);
        }
        out.push(checksum::xor(&out[1..]));
        if scan::find_any(&out[1..], &[0x7e, 0x7d]).is_some() {
            let plain = out.split_off(1);
            escape(&plain, out);
        }
        out.push(0x7e);
    })
}

/// Writes bytes with their escapes.
fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            0x7e => out.extend([0x7d, 2]),
            0x7d => out.extend([0x7d, 1]),
            _ => out.push(*byte),
        }
    }
}

/// Which of our messages a general answer (0001) is about.
fn told_of(body: &[u8]) -> Option<u16> {
    body.first_chunk().map(|serial| u16::from_be_bytes(*serial))
}

/// The authentication code of 0102; before 2019 it is all there is.
fn code<'a>(head: &Head<'_>, body: &'a [u8]) -> &'a [u8] {
    match body.split_first() {
        Some((length, rest)) if head.new => rest.get(..usize::from(*length)).unwrap_or(rest),
        _ => body,
    }
}

fn general(head: &Head<'_>) -> Bytes {
    let [a, b] = head.serial.to_be_bytes();
    let [c, d] = head.id.to_be_bytes();
    packet(0x8001, head.new, head.address, 0, &[a, b, c, d, 0])
}

fn answer(head: &Head<'_>, device: &str, told: &mut Told) {
    let (bytes, when) = match head.id {
        0x0100 => {
            let phone = &head.address[usize::from(head.new)..];
            let digits = hex(phone);
            let code = if digits.bytes().all(|b| b.is_ascii_digit()) { &digits } else { device };
            let body = [&head.serial.to_be_bytes()[..], &[0], code.as_bytes()].concat();
            (packet(0x8100, head.new, head.address, 0, &body), When::Immediate)
        }
        0x0109 => {
            let c = told.received_at.civil();
            let year = (c.year as u16).to_be_bytes();
            let time = [c.month, c.day, c.hour, c.minute, c.second].map(|v| v as u8);
            let body = [&year[..], &time].concat();
            (packet(0x8109, head.new, head.address, 0, &body), When::Immediate)
        }
        0x5501 | 0x5502 => {
            let [high, low] = head.id.to_be_bytes();
            let mut out = vec![0x7e, 0x44, 0x01, 0, 3];
            out.extend(head.address);
            out.extend([1, high, low, 0]);
            out.push(checksum::xor(&out[1..]));
            out.push(0x7e);
            (Bytes::from(out), When::AfterDurable)
        }
        0x0002 | 0x0102 | 0x1007 => (general(head), When::Immediate),
        // What answers a command of ours is not answered.
        0x0001 | 0x0104 | 0x0702 | 0x1300 | 0x0107 => return,
        _ => (general(head), When::AfterDurable),
    };
    told.reply(bytes, when);
}

fn body(head: &Head<'_>, c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    match head.id {
        0x0200 | 0x0201 => {
            if head.id == 0x0201 {
                c.skip(2)?;
            }
            position(told.report(), c)
        }
        0x0704 | 0x0210 => {
            let (count, kind) = (c.u16()?, c.u8()?);
            for _ in 0..count {
                if c.left() < 2 {
                    break;
                }
                let length = usize::from(c.u16()?);
                let draft = told.report();
                position(draft, &mut Cursor::new(c.take(length)?))?;
                if kind == 1 {
                    draft.set("archive", true);
                }
            }
            Ok(())
        }
        0x0702 => driver(c, told),
        0x0900 => item::passed_through(c, told),
        0x1300 | 0x0107 | 0x6006 => {
            let draft = told.report();
            // Text reports tell how they are written.
            let coded = if head.id == 0x6006 { Some(c.u8()? != 0) } else { None };
            let bytes = c.rest();
            let utf16 =
                bytes.len().is_multiple_of(2) && coded.unwrap_or_else(|| bytes.first() == Some(&0));
            let text = if utf16 {
                let units = bytes.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]]));
                String::from_utf16_lossy(&units.collect::<Vec<_>>())
            } else {
                String::from_utf8_lossy(bytes).into_owned()
            };
            draft.set("command_result", text.trim_matches(['\0', '\r', '\n', ' ']));
            Ok(())
        }
        0x5501 | 0x5502 => lock(c, told),
        _ => Ok(()),
    }
}

/// A position and its items.
fn position(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    let (alarms, status) = (c.u32()?, c.u32()?);
    if alarms != 0 {
        raised(draft, alarms);
    }
    place_of(draft, status, c)?;
    // A last byte alone is no item.
    while c.left() >= 2 {
        let (id, length) = (c.u8()?, usize::from(c.u8()?));
        let bytes = c.take(length.min(c.left()))?;
        // An item that contradicts its length is left out; the place counts.
        let _skipped = item::read(draft, id, &mut Cursor::new(bytes)).is_err();
    }
    Ok(())
}

fn raised(draft: &mut Draft, alarms: u32) {
    for (_, name) in ALARMS.iter().filter(|(bit, _)| alarms & 1 << bit != 0) {
        draft.alarm(name);
    }
}

fn status(draft: &mut Draft, status: u32) {
    draft.set("ignition", status & 1 != 0);
    draft.set("blocked", status & 1 << 10 != 0);
}

/// Status, place, time.
fn place(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    let status = c.u32()?;
    place_of(draft, status, c)
}

fn place_of(draft: &mut Draft, bits: u32, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    status(draft, bits);
    let (lat, lng) = (f64::from(c.u32()?) / 1e6, f64::from(c.u32()?) / 1e6);
    let (altitude, speed, heading) = (c.i16()?, c.u16()?, c.u16()?);
    draft.time(beijing(c.array()?));
    draft.at = Some(Measured {
        lat: if bits & 4 == 0 { lat } else { -lat } + 0.0,
        lng: if bits & 8 == 0 { lng } else { -lng } + 0.0,
        valid: bits & 2 != 0,
        speed: Some(f64::from(speed) / 36.0),
        heading: Some(f64::from(heading)),
        altitude: Some(f64::from(altitude)),
        ..Measured::default()
    });
    Ok(())
}

/// Alarm bits of the standard that have a name of ours.
const ALARMS: [(u32, &str); 20] = [
    (0, "sos"),
    (1, "overspeed"),
    (2, "fatigueDriving"),
    (4, "gpsFault"),
    (5, "gpsAntennaCut"),
    (7, "lowPower"),
    (8, "powerCut"),
    (9, "fault"),
    (10, "fault"),
    (11, "fault"),
    (15, "lowBattery"),
    (16, "vibration"),
    (20, "geofence"),
    (25, "fuelLeak"),
    (26, "theft"),
    (28, "movement"),
    (29, "accident"),
    (30, "rollover"),
    (31, "door"),
    (17, "tampering"),
];

/// Six BCD bytes of Beijing time.
fn beijing(six: [u8; 6]) -> Option<Timestamp> {
    clock::six_bcd(six).map(|t| t.plus_seconds(-ZONE_S))
}

/// A driver's card: pulled or put in, time, result, code.
fn driver(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let draft = told.report();
    let status = c.u8()?;
    draft.set("card_status", status);
    draft.time(beijing(c.array()?));
    if status == 1 {
        draft.set("card_result", c.u8()?);
        let length = usize::from(c.u8()?);
        let name = String::from_utf8_lossy(c.take(length)?).into_owned();
        if !name.is_empty() {
            draft.set("driver_name", name);
        }
        if c.left() >= 20 {
            let code = String::from_utf8_lossy(c.take(20)?);
            draft.set("card_code", code.trim_matches(['\0', ' ']));
            let length = c.u8().map_or(0, usize::from);
            c.skip(length.min(c.left()))?;
        }
        if c.left() >= 4 {
            draft.set("card_validity", hex(c.take(4)?));
        }
    }
    Ok(())
}

/// A padlock's position, all in decimal digits.
fn lock(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let draft = told.report();
    let [day, month, year, hour, minute, second] = c.array::<6>()?;
    draft.time(clock::six_bcd([year, month, day, hour, minute, second]));
    let digits = |bytes: &[u8]| bytes.iter().fold(0_u64, |n, b| n * 100 + u64::from(bcd(*b)));
    let lat = digits(c.take(4)?);
    let lng = c.take(5)?;
    let flags = lng[4] & 15;
    let lng = digits(&lng[..4]) * 10 + u64::from(lng[4] >> 4);
    let angle = |n: u64, unit: u64| (n / unit) as f64 + (n % unit) as f64 / 10_000.0 / 60.0;
    let (speed, heading) = (c.u8()?, u16::from(c.u8()?) * 2);
    let (lat, lng) = (angle(lat, 1_000_000), angle(lng, 1_000_000));
    draft.at = Some(Measured {
        lat: if flags & 2 == 0 { -lat } else { lat },
        lng: if flags & 4 == 0 { -lng } else { lng },
        valid: flags & 1 != 0,
        speed: Some(f64::from(speed) * 1852.0 / 3600.0),
        heading: Some(f64::from(heading)),
        ..Measured::default()
    });
    draft.set("rssi", c.u8()?);
    draft.set("satellites", c.u8()?);
    draft.set("odometer_metres", u64::from(c.u32()?) * 1000);
    draft.set("battery_percent", c.u8()?);
    // A cell and a number of it.
    if c.left() >= 11 {
        c.skip(7)?;
        lock::padlock(draft, c)?;
    }
    Ok(())
}

/// What follows a name in text of the maker's own: `NAME|a|b|c`.
fn piped(text: &str) -> Option<Fields<'_>> {
    text.split_once("GTSL").map(|(_, rest)| Fields::new(rest, '|'))
}

fn login(speaker: &mut Speaker) -> Sent {
    let serial = speaker.next() as u16;
    let address = speaker.bcd(10);
    let address = [&[1][..], &address].concat();
    let head = Head { id: 0x0102, address: &address, new: true, serial, part: None };
    let code = speaker.device.as_bytes();
    let body = [&[code.len() as u8], code].concat();
    Sent::new(packet(0x0102, true, &address, serial, &body), general(&head))
}

/// 0200 of 2019.
fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let serial = speaker.next() as u16;
    let address = [&[1][..], &speaker.bcd(10)].concat();
    let p = Plain::of(report);
    let ignition = flag(report, "ignition").unwrap_or(false);
    let status = u32::from(ignition)
        | u32::from(p.valid) << 1
        | u32::from(p.lat < 0.0) << 2
        | u32::from(p.lng < 0.0) << 3;
    let mut body = vec![0; 4];
    body.extend(status.to_be_bytes());
    for degrees in [p.lat, p.lng] {
        body.extend(((degrees.abs() * 1e6).round() as u32).to_be_bytes());
    }
    body.extend((p.altitude.round() as i16).to_be_bytes());
    body.extend(((p.kmh * 10.0).round() as u16).to_be_bytes());
    body.extend(p.degrees().to_be_bytes());
    let time = report.time.unwrap_or_default().plus_seconds(ZONE_S);
    let local = Report { time: Some(time), ..report.clone() };
    body.extend(Plain::of(&local).six().map(|v| ((v / 10) << 4) | (v % 10)));
    let head = Head { id: 0x0200, address: &address, new: true, serial, part: None };
    Sent::new(packet(0x0200, true, &address, serial, &body), general(&head))
}

//! EGTS, Russia's state protocol for vehicles: packets of records of subrecords, little-endian.
//!
//! ```text
//! 01 | key | flags | header length | 00 | body length u16 | packet u16 | type | [route 5] | CRC-8
//!    | body | CRC-16/CCITT-FALSE of the body
//!   type 0  packet u16 | result | ..   an answer; 1  records, 2  signed: length u16 | records
//! record     length u16 | number u16 | flags | [object u32] | [event u32] | [time u32] | service
//!            | service of the receiver | subrecords
//! subrecord  kind | length u16 | ..
//!   service 1 (login)   1   terminal u32 | flags | [..] | [IMEI 15] | ..     <- answer, 9
//!                       5   kind | dispatcher u32 | ..                       <- answer, 9
//!   service 2 (places)  16  time u32 | lat u32 | lng u32 | flags | km/h 0.1, 14 bits | course
//!                           | odometer u24 0.1 km | inputs | source | [altitude u24]
//!                       17  flags | [VDOP] | [HDOP] | [PDOP] | [satellites u8] | [systems]
//!                       18  inputs there | outputs | lines there | u8.. | u24..
//!                       20  state | main, backup, inner 0.1 V | flags
//!                       27  flags | module u16 | level u32
//! answer     type 0: packet u16 | 0 | record of service: subrecord 0 of each record: number, 0
//! ```
//! Times count from 2010. A packet of a dispatcher holds records of many objects: it is read once
//! for each. The object of a record is the device unless it is the terminal of the login. A
//! record without a place is answered and left aside: its time is of no use.
//!
//! Source: GOST R 56361 (order 285 of the Ministry of Transport). Ignored: encryption,
//! compression, eCall, firmware, counters, loop inputs.

use super::cursor::Cursor;
use super::recognition::Mark;
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{When, checksum};
use crate::fix::Measured;
use crate::time::Timestamp;

mod encode;

/// Longest packet, bytes; the length field allows 65,517 of body.
const PACKET_MAX: usize = 32 * 1024;
/// Length of a header without a route.
const HEADER: usize = 11;
/// Seconds from 1970 to 2010.
const YEAR_2010: i64 = 1_262_304_000;
/// What an angle's whole range is divided into.
const FULL: f64 = 4_294_967_295.0;
const AUTH: u8 = 1;
const TELEDATA: u8 = 2;

/// EGTS.
pub(super) const EGTS: Wired = Wired {
    name: "egts",
    port: 5162,
    transports: TCP,
    signatures: &[
        Mark::Bytes(&[1, Mark::ANY, Mark::ANY, 0x0b, 0]),
        Mark::Bytes(&[1, Mark::ANY, Mark::ANY, 0x10, 0]),
    ],
    models: &["EGTS (GOST R 56361)", "Navtelecom", "Galileosky", "Fort-111", "Granit", "Omnicomm"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::<Egts>::default(),
    login: encode::login,
    message: encode::message,
};

#[derive(Debug, Default)]
struct Egts {
    /// Packets sent by us.
    sent: u16,
    /// The terminal that logged in by its IMEI.
    terminal: Option<(u32, String)>,
    /// Where in a packet of many objects to go on.
    from: usize,
}

/// What stands before a record's subrecords.
struct Head {
    number: u16,
    object: Option<u32>,
    service: u8,
}

impl Wire for Egts {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [1, _, _, header, _, low, high, ..] => {
                let body = usize::from(u16::from_le_bytes([*low, *high]));
                let sum = if body > 0 { 2 } else { 0 };
                if usize::from(*header) < HEADER {
                    return Cut::no_frame(bytes, "a header of 11 bytes");
                }
                Cut::of_length(usize::from(*header) + body + sum, bytes, PACKET_MAX)
            }
            [1, ..] => Cut::Need,
            _ => Cut::no_frame(bytes, "version 1"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let from = std::mem::take(&mut self.from);
        let mut c = Cursor::new(frame);
        c.skip(3)?;
        let header = usize::from(c.u8()?);
        c.skip(1)?;
        let body = usize::from(c.u16_le()?);
        let packet = c.u16_le()?;
        let kind = c.u8()?;
        let end = frame.len().min(header + body);
        let inside = frame.get(header..end).unwrap_or_default();
        if let Some(sum) = frame.get(end..).and_then(|rest| rest.first_chunk::<2>()) {
            let ours = checksum::CCITT_FALSE.of(inside);
            told.checksum(u16::from_le_bytes(*sum).into(), ours.into())?;
        }
        let mut records = Cursor::new(inside);
        match kind {
            0 => return Ok(()),
            2 => {
                let signature = records.u16_le()?;
                records.skip(signature.into())?;
            }
            _ => {}
        }
        let mut numbers = Vec::new();
        let mut service = TELEDATA;
        while records.left() > 0 {
            let offset = inside.len() - records.left();
            let length = records.u16_le()?;
            let head = head(&mut records)?;
            let content = records.take(usize::from(length).min(records.left()))?;
            if offset >= from && !self.record(&head, content, told)? {
                self.from = offset;
                told.again();
                return Ok(());
            }
            service = head.service;
            numbers.push(head.number);
        }
        told.reply(self.answer(packet, service, &numbers), When::AfterDurable);
        if service == AUTH {
            told.reply(welcome(self.next()), When::Immediate);
        }
        Ok(())
    }
}

impl Egts {
    fn next(&mut self) -> u16 {
        let number = self.sent;
        self.sent = self.sent.wrapping_add(1);
        number
    }
    /// The packet is taken, and each of its records.
    fn answer(&mut self, packet: u16, service: u8, numbers: &[u16]) -> Vec<u8> {
        taken(self.next(), packet, service, numbers)
    }
    /// Reads a record; `false` where it is of another device than those before it.
    fn record(&mut self, head: &Head, content: &[u8], told: &mut Told) -> Result<bool, Complaint> {
        if head.service == AUTH {
            return self.login(content, told).map(|()| true);
        }
        let placed = head.service == TELEDATA && has_place(content)?;
        let id = head.object.map(|object| match &self.terminal {
            Some((terminal, imei)) if *terminal == object => imei.clone(),
            _ => object.to_string(),
        });
        if let Some(id) = id.filter(|id| told.device() != Some(id.as_str())) {
            match told.reported() {
                true if placed => return Ok(false),
                false if placed || told.device().is_none() => told.from(&id)?,
                _ => {}
            }
        }
        if placed {
            teledata(content, told.report())?;
        }
        Ok(true)
    }

    fn login(&mut self, content: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let mut c = Cursor::new(content);
        while c.left() > 0 {
            let (kind, inside) = subrecord(&mut c)?;
            let mut c = Cursor::new(inside);
            match kind {
                1 => {
                    let terminal = c.u32_le()?;
                    let flags = c.u8()?;
                    c.skip(if flags & 1 == 0 { 0 } else { 2 })?;
                    let imei = if flags & 2 == 0 { &[] } else { c.take(15)? };
                    let imei: String = imei
                        .iter()
                        .take_while(|b| b.is_ascii_digit())
                        .map(|b| char::from(*b))
                        .collect();
                    if imei.is_empty() {
                        told.from(&terminal.to_string())?;
                        continue;
                    }
                    told.from(&imei)?;
                    self.terminal = Some((terminal, imei));
                }
                5 => {
                    c.skip(1)?;
                    told.from(&c.u32_le()?.to_string())?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn head(c: &mut Cursor<'_>) -> Result<Head, Complaint> {
    let number = c.u16_le()?;
    let flags = c.u8()?;
    let object = if flags & 1 == 0 { None } else { Some(c.u32_le()?) };
    for flag in [2, 4] {
        if flags & flag != 0 {
            c.skip(4)?;
        }
    }
    let service = c.u8()?;
    c.skip(1)?;
    Ok(Head { number, object, service })
}

fn subrecord<'a>(c: &mut Cursor<'a>) -> Result<(u8, &'a [u8]), Complaint> {
    let kind = c.u8()?;
    let length = c.u16_le()?;
    Ok((kind, c.take(length.into())?))
}

fn has_place(content: &[u8]) -> Result<bool, Complaint> {
    let mut c = Cursor::new(content);
    while c.left() > 0 {
        if subrecord(&mut c)?.0 == 16 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn teledata(content: &[u8], draft: &mut Draft) -> Result<(), Complaint> {
    let mut c = Cursor::new(content);
    while c.left() > 0 {
        let (kind, inside) = subrecord(&mut c)?;
        let mut c = Cursor::new(inside);
        match kind {
            16 => place(&mut c, draft)?,
            17 => precision(&mut c, draft)?,
            18 => lines(&mut c, draft)?,
            20 => {
                draft.set("status", c.u8()?);
                draft.set("power_volts", f64::from(c.u8()?) / 10.0);
                c.skip(1)?;
                draft.set("battery_volts", f64::from(c.u8()?) / 10.0);
            }
            23 => {
                let nth = c.u8()?;
                let value = u24(&mut c)?;
                draft.set(("analog_raw", u16::from(nth)), value);
            }
            27 => level(&mut c, draft)?,
            _ => {}
        }
    }
    Ok(())
}

fn u24(c: &mut Cursor<'_>) -> Result<u32, Complaint> {
    c.array().map(|[a, b, d]| u32::from_le_bytes([a, b, d, 0]))
}

fn place(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.time(Some(Timestamp::from_seconds(YEAR_2010 + i64::from(c.u32_le()?))));
    let (lat, lng) = (f64::from(c.u32_le()?) / FULL * 90.0, f64::from(c.u32_le()?) / FULL * 180.0);
    let flags = c.u8()?;
    let set = |bit: u32| flags >> bit & 1 != 0;
    let speed = c.u16_le()?;
    let course = u16::from(c.u8()?) + if speed & 0x8000 == 0 { 0 } else { 256 };
    draft.set("odometer_metres", u24(c)? * 100);
    draft.set("input_mask", c.u8()?);
    draft.set("event", c.u8()?);
    draft.set("motion", set(4));
    if set(3) {
        draft.set("archive", true);
    }
    let altitude = if set(7) && c.left() >= 3 { Some(f64::from(u24(c)?)) } else { None };
    draft.at = Some(Measured {
        lat: if set(5) { -lat } else { lat },
        lng: if set(6) { -lng } else { lng },
        valid: set(0),
        speed: Some(f64::from(speed & 0x3fff) / 36.0),
        heading: Some(course.into()),
        altitude: altitude.map(|v| if speed & 0x4000 == 0 { v } else { -v }),
        accuracy: None,
    });
    Ok(())
}

fn precision(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let flags = c.u8()?;
    for (bit, key) in [(0, "vdop"), (1, "hdop"), (2, "pdop")] {
        if flags >> bit & 1 != 0 {
            draft.set(key, f64::from(c.u16_le()?) / 100.0);
        }
    }
    if flags & 8 != 0 {
        draft.set("satellites", c.u8()?);
    }
    Ok(())
}

fn lines(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let inputs = c.u8()?;
    draft.set("output_mask", c.u8()?);
    let analog = c.u8()?;
    c.skip(inputs.count_ones() as usize)?;
    for nth in 0..8_u16 {
        if analog >> nth & 1 != 0 {
            draft.set(("analog_raw", nth + 1), u24(c)?);
        }
    }
    Ok(())
}

/// A tank's level: the first sensor that works has no number.
fn level(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let flags = c.u8()?;
    let nth = u16::from(flags & 7);
    c.skip(2)?;
    // An error, or data of a kind of its own.
    if flags & 0x48 != 0 {
        return Ok(());
    }
    let value = c.u32_le()?;
    let first = |draft: &Draft, key: &'static str| if draft.has(key) { nth } else { 0 };
    match flags >> 4 & 3 {
        1 => draft.set(("fuel_percent", first(draft, "fuel_percent")), value),
        2 => draft.set(("fuel_litres", first(draft, "fuel_litres")), f64::from(value) / 10.0),
        _ => draft.set(("liquid_level", first(draft, "liquid_level")), value),
    }
    Ok(())
}

/// A packet around its body.
fn packed(number: u16, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![1, 0, 0, HEADER as u8, 0];
    out.extend((body.len() as u16).to_le_bytes());
    out.extend(number.to_le_bytes());
    out.push(kind);
    out.push(checksum::crc8(&out));
    out.extend(body);
    out.extend(checksum::CCITT_FALSE.of(body).to_le_bytes());
    out
}

/// The answer to a packet and its records.
fn taken(number: u16, packet: u16, service: u8, records: &[u16]) -> Vec<u8> {
    let mut body = packet.to_le_bytes().to_vec();
    body.push(0);
    if !records.is_empty() {
        body.extend((6 * records.len() as u16).to_le_bytes());
        body.extend([0, 0, 0, service, service]);
        for record in records {
            body.extend([0, 3, 0]);
            body.extend(record.to_le_bytes());
            body.push(0);
        }
    }
    packed(number, 0, &body)
}

/// The login holds.
fn welcome(number: u16) -> Vec<u8> {
    let [low, high] = number.to_le_bytes();
    packed(number, 1, &[4, 0, low, high, 0, AUTH, AUTH, 9, 1, 0, 0])
}

#[cfg(test)]
mod tests;

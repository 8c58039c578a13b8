//! Eelink, also Keelin: numbered frames, big-endian; over UDP in an envelope with the identity.
//!
//! ```text
//! 67 67 | type | length u16 | number u16 | ..            <- 67 67 type 0002 number
//! 45 4C | length u16 | sum u16 | IMEI 8 BCD | frames      <- the same around the answers
//!   01  IMEI 8 BCD | language | ..       from 2.0 on      <- .. number | time u32 | 0001 | 00
//!   02, 04, 05, 06   time u32 | lat i32 | lng i32 (1/1,800,000 degree) | km/h u8 | course u16
//!       | mcc u16 | mnc u16 | area u16 | cell u24 | fixed u8 | 04: alarm | 05: event, time, status
//!   03  status u16
//!   07  [time u32 | (id u8, value u32)..] or status u16, ..
//!   12, 14, 15, 16   time u32 | mask u8 | 1: lat, lng, metres i16, km/h u16, course u16, satellites
//!       | 2: cell 11 | 4, 8: cells 7 | 10, 20, 40: Wi-Fi MAC 6, i8 | 80: radio, cells
//!       | 14: alarm | 15: event | 12, 14, 15: status u16
//!       | 12: battery mV u16, two lines u16, metres u32, GSM u16, GPS u16, steps u16, walk u16,
//!             degrees i16 /256, humidity u16 0.1, light u32 /256, CO2 u32, probe i16 /16
//! ```
//! Positions of the old form (02) are not answered. Of a status, a bit says whether the device has
//! the thing that the next bit is about. Source: Eelink "Communication protocol" 1.x and 2.x.
//! Ignored: languages and versions of the login, Wi-Fi, neighbours of a cell, photos, texts.

use super::cursor::Cursor;
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{Transport, When};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest frame and longest envelope, bytes.
const FRAME_MAX: usize = 2 * 1024;
/// Parts of a degree.
const DEGREE: f64 = 1_800_000.0;

/// Eelink.
pub(super) const EELINK: Wired = Wired {
    name: "eelink",
    port: 5064,
    transports: TCP_UDP,
    signatures: &[Mark::Bytes(&[0x67, 0x67]), Mark::Bytes(&[b'E' as u16, b'L' as u16])],
    models: &["Eelink TK115", "TK116", "TK119", "TK121", "GOT08", "GPT06", "TPT02", "K10", "K20"],
    idle_minutes: 30,
    acknowledges: true,
    wire: |_| Box::new(Eelink),
    login,
    message,
};

#[derive(Debug)]
struct Eelink;

impl Wire for Eelink {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [0x67, 0x67, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low])) + 5;
                Cut::of_length(length, bytes, FRAME_MAX)
            }
            [b'E', b'L', high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low])) + 4;
                Cut::of_length(length, bytes, FRAME_MAX)
            }
            [0x67 | b'E'] | [0x67, 0x67, ..] | [b'E', b'L', ..] => Cut::Need,
            _ => Cut::no_frame(bytes, "`gg` or `EL`"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let Some(envelope) = frame.strip_prefix(b"EL") else {
            if let Some(answer) = inner(&mut Cursor::new(frame), told)? {
                told.reply(answer, When::AfterDurable);
            }
            return Ok(());
        };
        let mut c = Cursor::new(envelope);
        c.skip(2)?;
        let sum = c.u16()?;
        told.checksum(sum.into(), sum_of(c.rest()).into())?;
        let id = c.take(8)?;
        told.from(imei(id).as_str())?;
        let mut answers = Vec::new();
        while c.left() > 0 {
            answers.extend(inner(&mut c, told)?.into_iter().flatten());
        }
        if !answers.is_empty() {
            told.reply(enveloped(id, &answers), When::AfterDurable);
        }
        Ok(())
    }
}

/// Reads one frame; its answer, where it has one.
fn inner(c: &mut Cursor<'_>, told: &mut Told) -> Result<Option<Vec<u8>>, Complaint> {
    c.skip(2)?;
    let kind = c.u8()?;
    let length = usize::from(c.u16()?);
    let mut c = Cursor::new(c.take(length.min(c.left()))?);
    let number = c.u16()?;
    match kind {
        1 => {
            told.from(imei(c.take(8)?).as_str())?;
            if c.left() >= 4 {
                let now = told.received_at.millis().div_euclid(1000) as u32;
                let mut more = now.to_be_bytes().to_vec();
                more.extend([0, 1, 0]);
                return Ok(Some(framed(kind, number, &more)));
            }
        }
        2 | 4 | 5 | 6 => old(kind, number, &mut c, told.report())?,
        3 => status(c.u16()?, false, told.report()),
        7 if c.left() <= 4 => status(c.u16()?, false, told.report()),
        7 => readings(&mut c, told.report())?,
        0x12 | 0x14..=0x16 => new(kind, number, &mut c, told.report())?,
        _ => {}
    }
    Ok((kind != 2).then(|| framed(kind, number, &[])))
}

fn imei(bytes: &[u8]) -> String {
    super::cursor::hex(bytes).trim_start_matches('0').to_owned()
}

/// Turned left by a bit before each byte is added.
fn sum_of(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0_u16, |sum, b| sum.rotate_left(1).wrapping_add((*b).into()))
}

fn framed(kind: u8, number: u16, content: &[u8]) -> Vec<u8> {
    let mut out = vec![0x67, 0x67, kind];
    out.extend((content.len() as u16 + 2).to_be_bytes());
    out.extend(number.to_be_bytes());
    out.extend(content);
    out
}

fn enveloped(id: &[u8], frames: &[u8]) -> Vec<u8> {
    let covered = [id, frames].concat();
    let mut out = b"EL".to_vec();
    out.extend((covered.len() as u16 + 2).to_be_bytes());
    out.extend(sum_of(&covered).to_be_bytes());
    out.extend(covered);
    out
}

fn seconds(c: &mut Cursor<'_>) -> Result<Option<Timestamp>, Complaint> {
    Ok(Some(Timestamp::from_seconds(c.u32()?.into())))
}

/// The first protocol's place and what stands behind it.
fn old(kind: u8, number: u16, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.set("record_number", number);
    draft.time(seconds(c)?);
    let (lat, lng) = (f64::from(c.i32()?) / DEGREE, f64::from(c.i32()?) / DEGREE);
    let (kmh, course) = (c.u8()?, c.u16()?);
    draft.cell(1, (c.u16()?, c.u16()?, c.u16()?.into(), c.u24()?.into()));
    draft.at = Some(Measured {
        lat,
        lng,
        valid: c.u8()? & 1 != 0,
        speed: Some(f64::from(kmh) / 3.6),
        heading: Some(course.into()),
        ..Measured::default()
    });
    match kind {
        4 => draft.maybe("alarm", alarm(c.u8()?)),
        5 => {
            draft.set("event", c.u8()?);
            if c.left() >= 6 {
                c.skip(4)?;
                status(c.u16()?, false, draft);
            }
        }
        _ => {}
    }
    Ok(())
}

fn new(kind: u8, number: u16, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.set("record_number", number);
    draft.time(seconds(c)?);
    let mask = c.u8()?;
    place(mask, c, draft)?;
    match kind {
        0x14 => draft.maybe("alarm", alarm(c.u8()?)),
        0x15 => draft.set("event", c.u8()?),
        _ => {}
    }
    if c.left() >= 2 && kind != 0x16 {
        status(c.u16()?, true, draft);
    }
    if kind == 0x12 {
        measures(c, draft)?;
    }
    Ok(())
}

fn place(mask: u8, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    if mask & 1 != 0 {
        draft.at = Some(Measured {
            lat: f64::from(c.i32()?) / DEGREE,
            lng: f64::from(c.i32()?) / DEGREE,
            // The first bit of the status that follows says it for certain.
            valid: true,
            altitude: Some(c.i16()?.into()),
            speed: Some(f64::from(c.u16()?) / 3.6),
            heading: Some(c.u16()?.into()),
            accuracy: None,
        });
        draft.set("satellites", c.u8()?);
    }
    let mut network = (0, 0);
    if mask & 2 != 0 {
        network = (c.u16()?, c.u16()?);
        draft.cell(1, (network.0, network.1, c.u16()?.into(), c.u32()?.into()));
        c.skip(1)?;
    }
    for (bit, nth) in [(4, 2), (8, 3)] {
        if mask & bit != 0 {
            draft.cell(nth, (network.0, network.1, c.u16()?.into(), c.u32()?.into()));
            c.skip(1)?;
        }
    }
    c.skip(7 * (mask & 0x70).count_ones() as usize)?;
    if mask & 0x80 != 0 {
        c.skip(1)?;
        let cells = c.u8()?;
        if cells > 0 {
            let network = (c.u16()?, c.u16()?);
            let area = c.u16()?;
            c.skip(2)?;
            draft.cell(1, (network.0, network.1, area.into(), c.u32()?.into()));
            c.skip(2)?;
        }
        c.skip(5 * usize::from(cells))?;
    }
    Ok(())
}

/// `new`: of the second protocol, whose relay bit says that it is cut; before, that it is not.
fn status(bits: u16, new: bool, draft: &mut Draft) {
    let set = |bit: u32| bits >> bit & 1 != 0;
    draft.set("status", bits);
    if set(1) {
        draft.set("ignition", set(2));
    }
    if set(3) {
        draft.set("armed", set(4));
    }
    if set(5) {
        draft.set("blocked", set(6) == new);
    }
    if set(7) {
        draft.set("charging", set(8));
    }
    if new {
        draft.set("motion", set(9));
        draft.set("gps_on", set(10));
        if let Some(at) = &mut draft.at {
            at.valid = set(0);
        }
    }
}

fn measures(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    if c.left() >= 2 {
        draft.set("battery_volts", f64::from(c.u16()?) / 1000.0);
    }
    if c.left() >= 4 {
        for nth in 1..=2 {
            draft.set(("analog_volts", nth), f64::from(c.u16()?) / 1000.0);
        }
    }
    if c.left() >= 4 {
        draft.set("odometer_metres", c.u32()?);
    }
    if c.left() >= 8 {
        c.skip(4)?;
        draft.set("steps", c.u16()?);
        c.skip(2)?;
    }
    if c.left() >= 12 {
        draft.set(("temperature_celsius", 1), f64::from(c.i16()?) / 256.0);
        draft.set("humidity_percent", f64::from(c.u16()?) / 10.0);
        draft.set("illuminance_lux", f64::from(c.u32()?) / 256.0);
        draft.set("co2_ppm", c.u32()?);
    }
    if c.left() >= 2 {
        draft.set(("temperature_celsius", 2), f64::from(c.i16()?) / 16.0);
    }
    Ok(())
}

/// What a car says: ids of its own above 80, those of OBD below.
fn readings(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.time(seconds(c)?);
    while c.left() >= 5 {
        let (id, value) = (c.u8()?, c.u32()?);
        match id {
            0x89 => draft.set("fuel_litres_per_hour", value),
            0x8a => draft.set("odometer_metres", i64::from(value) * 1000),
            0x8b => draft.set("fuel_litres", value),
            _ => {}
        }
    }
    Ok(())
}

fn alarm(code: u8) -> Option<&'static str> {
    Some(match code {
        0x01 => "powerCut",
        0x02 => "sos",
        0x03 => "lowBattery",
        0x04 => "vibration",
        0x05 => "movement",
        0x08 | 0x09 => "gpsAntennaCut",
        0x25 => "removing",
        0x81 => "lowSpeed",
        0x82 => "overspeed",
        0x83 => "geofenceEnter",
        0x84 => "geofenceExit",
        0x85 => "accident",
        0x86 => "fallDown",
        _ => return None,
    })
}

/// A frame and its answer, in envelopes over UDP.
fn sent(speaker: &Speaker, frame: Vec<u8>, answer: Vec<u8>) -> Sent {
    if speaker.transport == Transport::Tcp {
        return Sent::new(frame, answer);
    }
    let id = speaker.bcd(8);
    Sent::new(enveloped(&id, &frame), enveloped(&id, &answer))
}

fn login(speaker: &mut Speaker) -> Sent {
    if speaker.transport != Transport::Tcp {
        return Sent::default();
    }
    let number = speaker.next() as u16;
    let mut content = speaker.bcd(8);
    content.push(1);
    Sent::new(framed(1, number, &content), framed(1, number, &[]))
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = speaker.next() as u16;
    let time = report.time.unwrap_or_default().millis().div_euclid(1000) as u32;
    let mut content = time.to_be_bytes().to_vec();
    content.push(1);
    for degrees in [p.lat, p.lng] {
        content.extend(((degrees * DEGREE).round() as i32).to_be_bytes());
    }
    content.extend((p.altitude.round() as i16).to_be_bytes());
    content.extend((p.kmh.round() as u16).to_be_bytes());
    content.extend(p.degrees().to_be_bytes());
    content.push(if p.valid { 9 } else { 0 });
    let ignition = super::sender::flag(report, "ignition").unwrap_or(false);
    let bits = u16::from(p.valid) | 2 | u16::from(ignition) << 2;
    content.extend(bits.to_be_bytes());
    sent(speaker, framed(0x12, number, &content), framed(0x12, number, &[]))
}

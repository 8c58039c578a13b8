//! Eview, as sold by `MiniFinder`: packets of items, little-endian.
//!
//! ```text
//! AB | flags u8 | length u16 | CRC-16/XMODEM | number u16 | type u8 | items     flag 10: answer it
//!   item   length u8 | key u8 | ..
//!     01 IMEI, 15 letters     02 alarms u32, time     20 lat i32, lng i32 (1e-7), km/h u16,
//!     course u16, altitude i16, HDOP u16 0.1, metres u32, satellites u8     21 mcc u16, mnc u8,
//!     (signal u8, area u16, cell u16)..     24 time u32, status u32     28 flags, MAC 6, signal i8,
//!     signal at 1 m i8, [80: lat, lng], [40: name]     2A flags, MAC 6, signal i8, [40: name]
//!     30 time, steps u32     31 (time, activity u32)..     37, 64 time, barks u32
//!   type 01 data   02 settings: 03 IMEI, 04 ICCID, 05 MAC, 09 seconds, 0e hours east, 13 1a 1b
//!     20 21 40 words, 14 battery %, mV u16, 43 flags, port u16, server
//!        03 what the device asks for: 10, 12 (time)
//!        7F an answer: code       <- AB 00 0003 CRC number 7F 01 00
//! ```
//! The checksum is that of type and items. Of a status, bit 0 is a fix, 4 charging, 7 kept, 9 motion,
//! 19 to 23 the signal, 24 to 31 the battery. Each status begins a record. Source: Eview "EV-07B
//! communication protocol". Ignored: Wi-Fi, other settings.

use super::cursor::{Cursor, hex};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{When, checksum};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest packet, bytes.
const PACKET_MAX: usize = 8 * 1024;
/// Length of a head.
const HEAD: usize = 8;
const DATA: u8 = 1;
const SETTINGS: u8 = 2;
const SERVICES: u8 = 3;
const ANSWER: u8 = 0x7f;

/// Eview.
pub(super) const MINIFINDER2: Wired = Wired {
    name: "minifinder2",
    port: 5187,
    transports: TCP_UDP,
    signatures: &[Mark::Bytes(&[0xab, Mark::ANY])],
    models: &["Eview EV-04", "EV-05", "EV-07B", "EV-09", "EV-201", "MiniFinder Pico", "Nano"],
    idle_minutes: 30,
    acknowledges: true,
    wire: |_| Box::new(Minifinder2),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Minifinder2;

impl Wire for Minifinder2 {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [0xab, _, low, high, ..] => {
                let length = usize::from(u16::from_le_bytes([*low, *high]));
                Cut::of_length(HEAD + length, bytes, PACKET_MAX)
            }
            [0xab, ..] => Cut::Need,
            _ => Cut::no_frame(bytes, "AB"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let mut c = Cursor::new(frame);
        c.skip(1)?;
        let flags = c.u8()?;
        c.skip(2)?;
        let (sum, number) = (c.u16_le()?, c.array()?);
        told.checksum(sum.into(), checksum::XMODEM.of(c.rest()).into())?;
        let kind = c.u8()?;
        match kind {
            ANSWER => {
                c.skip(1)?;
                let code = c.u8()?;
                told.report().set("command_result", code.to_string());
                return Ok(());
            }
            DATA => data(&mut c, told)?,
            _ => others(kind, number, &mut c, told)?,
        }
        if flags & 0x10 != 0 && kind != SERVICES {
            told.reply(framed(0, number, ANSWER, &[1, 0]), When::AfterDurable);
        }
        Ok(())
    }
}

fn framed(flags: u8, number: [u8; 2], kind: u8, items: &[u8]) -> Vec<u8> {
    let body = [&[kind], items].concat();
    let mut out = vec![0xab, flags];
    out.extend((body.len() as u16).to_le_bytes());
    out.extend(checksum::XMODEM.of(&body).to_le_bytes());
    out.extend(number);
    out.extend(body);
    out
}

/// The next item: its key and what it holds.
fn item<'a>(c: &mut Cursor<'a>) -> Result<(u8, Cursor<'a>), Complaint> {
    let length = usize::from(c.u8()?).max(1);
    let key = c.u8()?;
    Ok((key, Cursor::new(c.take((length - 1).min(c.left()))?)))
}

fn imei(c: &Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    told.from(String::from_utf8_lossy(c.rest()).trim_end_matches('\0'))
}

fn seconds(c: &mut Cursor<'_>) -> Result<Option<Timestamp>, Complaint> {
    Ok(Some(Timestamp::from_seconds(c.u32_le()?.into())))
}

fn data(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let mut fixed = false;
    while c.left() >= 2 {
        let (key, mut c) = item(c)?;
        match key {
            0x01 => imei(&c, told)?,
            0x24 => {
                let begun = told.last().has("status");
                let draft = if begun { told.report() } else { told.last() };
                draft.time(seconds(&mut c)?);
                let status = c.u32_le()?;
                fixed = status & 1 != 0;
                state(status, draft);
            }
            _ => value(key, fixed, &mut c, told.last())?,
        }
    }
    Ok(())
}

fn state(status: u32, draft: &mut Draft) {
    draft.set("status", status);
    draft.set("charging", status >> 4 & 1 != 0);
    if status >> 7 & 1 != 0 {
        draft.set("archive", true);
    }
    draft.set("motion", status >> 9 & 1 != 0);
    draft.set("rssi", status >> 19 & 31);
    draft.set("battery_percent", status >> 24);
}

fn value(key: u8, fixed: bool, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    match key {
        0x02 => alarms(c.u32_le()?, draft),
        0x20 => {
            let mut at = place(c)?;
            at.speed = Some(f64::from(c.u16_le()?) / 3.6);
            at.heading = Some(c.u16_le()?.into());
            at.altitude = Some(c.i16_le()?.into());
            draft.set("hdop", f64::from(c.u16_le()?) / 10.0);
            draft.set("odometer_metres", c.u32_le()?);
            draft.set("satellites", c.u8()?);
            at.valid = fixed;
            draft.at = Some(at);
        }
        0x21 => {
            let (country, network) = (c.u16_le()?, c.u8()?);
            for nth in 1..=10 {
                if c.left() < 5 {
                    break;
                }
                c.skip(1)?;
                let (area, id) = (c.u16_le()?, c.u16_le()?);
                draft.cell(nth, (country, network.into(), area.into(), id.into()));
            }
        }
        0x28 | 0x2a => tag(key, c, draft)?,
        0x30 => {
            c.skip(4)?;
            draft.set("steps", c.u32_le()?);
        }
        0x31 => {
            for nth in 1..=16 {
                if c.left() < 8 {
                    break;
                }
                draft.set(("activity_time", nth), c.u32_le()?);
                draft.set(("activity", nth), c.u32_le()?);
            }
        }
        0x37 | 0x64 => {
            c.skip(4)?;
            draft.set("barks", c.u32_le()?);
        }
        _ => {}
    }
    Ok(())
}

fn place(c: &mut Cursor<'_>) -> Result<Measured, Complaint> {
    let (lat, lng) = (f64::from(c.i32_le()?) / 1e7, f64::from(c.i32_le()?) / 1e7);
    Ok(Measured { lat, lng, valid: true, ..Measured::default() })
}

fn alarms(bits: u32, draft: &mut Draft) {
    draft.set("event", bits);
    let names = [
        (0, "lowBattery"),
        (1, "overspeed"),
        (2, "fallDown"),
        (3, "general"),
        (8, "powerOff"),
        (9, "powerOn"),
        (12, "sos"),
    ];
    for (_, name) in names.iter().filter(|(bit, _)| bits >> bit & 1 != 0) {
        draft.alarm(name);
    }
    if bits >> 31 != 0 {
        draft.set("bark", true);
    }
}

/// A tag nearby; one that knows its place gives it.
fn tag(key: u8, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let nth = (1..=16).find(|nth| !draft.has(("seen_tag_id", *nth))).unwrap_or(16);
    let flags = c.u8()?;
    let mut mac = c.array::<6>()?;
    mac.reverse();
    draft.set(("seen_tag_id", nth), hex(&mac));
    draft.set(("seen_tag_rssi_dbm", nth), c.u8()? as i8);
    if key == 0x28 {
        draft.set(("tag_rssi_1m_dbm", nth), c.u8()? as i8);
        if flags & 0x80 != 0 && c.left() >= 8 {
            let at = place(c)?;
            draft.at = Some(draft.at.unwrap_or(at));
        }
    }
    if flags & 0x40 != 0 {
        let name = String::from_utf8_lossy(c.rest()).into_owned();
        if key == 0x28 {
            draft.set(("description", nth), name);
        } else {
            draft.set("description", name);
        }
    }
    Ok(())
}

/// Settings, and what the device asks for.
fn others(kind: u8, number: [u8; 2], c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    told.report().set("message_type", kind);
    while c.left() >= 2 {
        let (key, mut c) = item(c)?;
        match (kind, key) {
            (SERVICES, 0x01) | (SETTINGS, 0x03) => imei(&c, told)?,
            (SETTINGS, 0x04) => {
                told.last().set("iccid", String::from_utf8_lossy(c.rest()).into_owned());
            }
            (SETTINGS, 0x05) => told.last().set("bluetooth_mac", hex(c.rest())),
            (SETTINGS, 0x09) => told.last().set("interval_seconds", c.u32_le()?),
            (SETTINGS, 0x0e) => told.last().set("timezone", c.u8()? as i8),
            (SETTINGS, 0x13 | 0x1a | 0x1b | 0x20 | 0x21 | 0x40) => {
                let name = match key {
                    0x13 => "device_name",
                    0x1a => "firmware",
                    0x1b => "modem",
                    0x20 => "place_url",
                    0x21 => "cells_url",
                    _ => "apn",
                };
                told.last().set(name, String::from_utf8_lossy(c.rest()).into_owned());
            }
            (SETTINGS, 0x43) if c.left() > 3 => {
                c.skip(1)?;
                told.last().set("server_port", c.u16_le()?);
                told.last().set("server", String::from_utf8_lossy(c.rest()).into_owned());
            }
            (SETTINGS, 0x14) => {
                told.last().set("battery_percent", c.u8()?);
                told.last().set("battery_volts", f64::from(c.u16_le()?) / 1000.0);
            }
            (SERVICES, 0x10 | 0x12) => {
                let now = told.received_at.millis().div_euclid(1000) as u32;
                let items = [&[5, key], now.to_le_bytes().as_slice()].concat();
                told.reply(framed(0, number, SERVICES, &items), When::Immediate);
            }
            _ => {}
        }
    }
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = (speaker.next() as u16).to_le_bytes();
    let mut items = vec![16, 1];
    items.extend(format!("{:0>15.15}", speaker.device).bytes());
    items.extend([9, 0x24]);
    let time = report.time.unwrap_or_default().millis().div_euclid(1000) as u32;
    items.extend(time.to_le_bytes());
    items.extend((u32::from(p.valid) | 20 << 19 | 90 << 24).to_le_bytes());
    items.extend([22, 0x20]);
    for degrees in [p.lat, p.lng] {
        items.extend(((degrees * 1e7).round() as i32).to_le_bytes());
    }
    items.extend((p.kmh.round() as u16).to_le_bytes());
    items.extend(p.degrees().to_le_bytes());
    items.extend((p.altitude.round() as i16).to_le_bytes());
    items.extend([8, 0, 0, 0, 0, 0, 9]);
    Sent::new(framed(0x10, number, DATA, &items), framed(0, number, ANSWER, &[1, 0]))
}

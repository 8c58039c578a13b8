//! Arnavi: packages of tagged packets, little-endian, and an older form in text.
//!
//! ```text
//! FF | 22, 23, 25 | IMEI u64            <- 7B 00 00 7D, or from 23 on 7B 04 00 sum time u32 7D
//! FF | 24         | IMEI u64 | id u64   <- likewise
//! 5B | number | packets | 5D            <- 7B 00 number 7D
//!   packet  type | length u16 | time u32 | .. | sum of time and content
//!     type 1   (tag u8, value 4)..     3  text    4  file    6  binary
//! $AV,V2,<id>,<number>,<power 0.01 V>,<battery 0.01 V>,..,<moving>,<ignition>,<inputs>,<2 counts>
//!   ,<fix>,<satellites>,hhmmss,ddmm.mmmmN,dddmm.mmmmE,<knots>,<course>,ddmmyy,*<xor>
//! $AV,V3  two counts more              V4  and altitude and geoid before the time
//! ```
//! Source: Arnavi "Integral protocol", tags and header 1 to 4. Ignored: files, texts, counts, tags not
//! listed below.

use super::cursor::Cursor;
use super::fields::{Fields, hexadecimal, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{When, angle, checksum, clock};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest package, bytes.
const PACKAGE_MAX: usize = 16 * 1024;
/// Longest line of text, bytes.
const LINE_MAX: usize = 1024;
/// Bytes of a packet besides its content.
const AROUND: usize = 8;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// Arnavi.
pub(super) const ARNAVI: Wired = Wired {
    name: "arnavi",
    port: 5100,
    transports: TCP,
    signatures: &[
        Mark::Bytes(&[0xff, 0x22]),
        Mark::Bytes(&[0xff, 0x23]),
        Mark::Bytes(&[0xff, 0x24]),
        Mark::Bytes(&[0xff, 0x25]),
        Mark::Text("$AV,V"),
    ],
    models: &["Arnavi 4", "Arnavi 5", "Arnavi Integral", "Arnavi Beacon"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Arnavi),
    login,
    message,
};

#[derive(Debug)]
struct Arnavi;

impl Wire for Arnavi {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        match bytes {
            [0xff, 0x24, ..] => Cut::of_length(18, bytes, 18),
            [0xff, 0x22 | 0x23 | 0x25, ..] => Cut::of_length(10, bytes, 10),
            [0xff] => Cut::Need,
            [b'[', ..] => package(bytes),
            [b'$', ..] => Cut::line(bytes, b"\r\n", whole, LINE_MAX),
            [b'\r' | b'\n', ..] => Cut::Skip(1),
            _ => Cut::no_frame(bytes, "FF, `[` or `$`"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        match frame {
            [0xff, version, id @ ..] => {
                let id = u64::from_le_bytes(Cursor::new(id).array()?);
                told.from(&id.to_string())?;
                let now = told.received_at.millis().div_euclid(1000) as u32;
                told.reply(welcome(*version, now), When::Immediate);
                Ok(())
            }
            [b'[', number, packets @ ..] => {
                told.reply(vec![0x7b, 0, *number, 0x7d], When::AfterDurable);
                let mut c = Cursor::new(packets);
                while c.peek().is_some_and(|kind| kind != 0x5d) {
                    packet(&mut c, told)?;
                }
                Ok(())
            }
            _ => sentence(frame, told),
        }
    }
}

/// From `[` to the `]` behind its packets.
fn package(bytes: &[u8]) -> Cut {
    let mut at = 2;
    loop {
        match bytes.get(at..).unwrap_or_default() {
            [0x5d, ..] => return Cut::frame(at + 1),
            [1..=8, low, high, ..] => {
                at += AROUND + usize::from(u16::from_le_bytes([*low, *high]));
                if at >= PACKAGE_MAX {
                    return Cut::too_long(PACKAGE_MAX);
                }
            }
            [] | [1..=8, ..] => return Cut::Need,
            _ => return Cut::no_frame(bytes, "a package"),
        }
    }
}

fn welcome(version: u8, now: u32) -> Vec<u8> {
    if version == 0x22 {
        return vec![0x7b, 0, 0, 0x7d];
    }
    let time = now.to_le_bytes();
    let mut out = vec![0x7b, 4, 0, checksum::sum(&time)];
    out.extend(time);
    out.push(0x7d);
    out
}

fn packet(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let kind = c.u8()?;
    let length = usize::from(c.u16_le()?);
    let covered = c.take(length + 4)?;
    told.checksum(c.u8()?.into(), checksum::sum(covered).into())?;
    if kind != 1 {
        return Ok(());
    }
    let mut c = Cursor::new(covered);
    let draft = told.report();
    draft.time(Some(Timestamp::from_seconds(c.u32_le()?.into())));
    while c.left() >= 5 {
        let (tag, value) = (c.u8()?, c.array()?);
        tagged(tag, value, draft);
    }
    Ok(())
}

fn tagged(tag: u8, bytes: [u8; 4], draft: &mut Draft) {
    let value = u32::from_le_bytes(bytes);
    let number = f64::from(value);
    let [low, high] = [value as u16, (value >> 16) as u16];
    match tag {
        1 => {
            draft.set("battery_volts", f64::from(low) / 1000.0);
            draft.set("power_volts", f64::from(high) / 1000.0);
        }
        3..=5 => place(tag, bytes, draft),
        6 if bytes[0] == 1 => {
            draft.set("ignition", bytes[1] & 1 != 0);
            draft.set("call_button", bytes[1] & 2 != 0);
            draft.set("input_mask", bytes[2]);
        }
        7 => {
            draft.set(("cell_id", 1), low);
            draft.set(("cell_area", 1), high);
        }
        8 => {
            draft.set(("cell_network", 1), bytes[0]);
            draft.set(("cell_country", 1), u16::from_le_bytes([bytes[1], bytes[2]]));
            draft.set("rssi", bytes[3]);
        }
        9 => draft.set("status", value),
        51..=69 => vehicle(tag, bytes, draft),
        70..=79 => {
            let nth = u16::from(tag) - 70;
            draft.set(("lls_level", nth), low);
            draft.set(("lls_celsius", nth), i64::from(bytes[2]) - 10);
        }
        151 => draft.set("hdop", number / 100.0),
        _ => {}
    }
}

fn place(tag: u8, bytes: [u8; 4], draft: &mut Draft) {
    let degrees = f64::from(f32::from_le_bytes(bytes));
    let at = draft.at.get_or_insert_with(|| Measured { valid: true, ..Measured::default() });
    match tag {
        3 => at.lat = degrees,
        4 => at.lng = degrees,
        _ => {
            let [course, tens_of_metres, satellites, knots] = bytes;
            at.heading = Some(f64::from(course) * 2.0);
            at.altitude = Some(f64::from(tens_of_metres as i8) * 10.0);
            at.speed = Some(f64::from(knots) * KNOT_MPS);
            // GPS and GLONASS.
            let seen = (satellites & 15) + (satellites >> 4);
            at.valid = seen > 0;
            draft.set("satellites", seen);
        }
    }
}

/// Of the vehicle's own bus.
fn vehicle(tag: u8, bytes: [u8; 4], draft: &mut Draft) {
    let value = u32::from_le_bytes(bytes);
    let number = f64::from(value);
    match tag {
        51 => draft.set("can_security", value),
        52 => draft.set("engine_on_seconds", i64::from(value) * 36),
        53 => draft.set("odometer_metres", i64::from(value) * 10),
        54 => draft.set("fuel_used_litres", number / 10.0),
        55 => draft.set("fuel_percent", number / 10.0),
        56 => draft.set("fuel_litres", number / 10.0),
        57 => draft.set("rpm", value),
        58 => draft.set("engine_celsius", value as i32),
        59 => draft.set("obd_speed_mps", number / 3.6),
        60..=64 => draft.set(("axle_load", u16::from(tag) - 59), value),
        69 => {
            draft.set("engine_load_percent", bytes[0]);
            draft.set("throttle_percent", bytes[1]);
        }
        _ => {}
    }
}

fn sentence(frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let line = text(frame)?.trim();
    let (body, sum) = line.split_once('*').unwrap_or((line, ""));
    if let Some(sum) = hexadecimal(sum) {
        let ours = checksum::xor(body.trim_start_matches('$').as_bytes());
        told.checksum(sum as u32, ours.into())?;
    }
    let mut f = Fields::new(body, ',');
    f.skip(1);
    let counts = match f.text() {
        "V2" => 2,
        "V3" | "V4" => 4,
        _ => return Ok(()),
    };
    let high = body.starts_with("$AV,V4");
    told.from(f.text())?;
    let draft = told.report();
    draft.maybe("record_number", f.whole());
    draft.maybe("power_volts", f.decimal().map(|v| v / 100.0));
    draft.maybe("battery_volts", f.decimal().map(|v| v / 100.0));
    f.skip(1);
    draft.set("motion", f.text() == "1");
    draft.set("ignition", f.text() == "1");
    draft.maybe("input_mask", f.whole());
    f.skip(counts);
    let valid = f.text() == "1";
    draft.maybe("satellites", f.whole());
    let altitude = if high { f.decimal() } else { None };
    f.skip(high.into());
    let time = f.text();
    let sided = |text: &str| {
        let (value, side) = text.split_at_checked(text.len().checked_sub(1)?)?;
        angle::sided(value, side)
    };
    let (lat, lng) = (sided(f.text()), sided(f.text()));
    let (Some(lat), Some(lng)) = (lat, lng) else {
        return Err(Complaint::bad("place", frame));
    };
    let speed = f.decimal().map(|v| v * KNOT_MPS);
    let heading = f.decimal();
    draft.time(clock::ddmmyy_hhmmss(f.text(), time));
    draft.at = Some(Measured { lat, lng, valid, speed, heading, altitude, accuracy: None });
    Ok(())
}

fn login(speaker: &mut Speaker) -> Sent {
    let mut out = vec![0xff, 0x22];
    out.extend(speaker.device.parse::<u64>().unwrap_or(0).to_le_bytes());
    Sent::new(out, welcome(0x22, 0))
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = (speaker.next() % 0xfb) as u8 + 1;
    let time = report.time.unwrap_or_default().millis().div_euclid(1000) as u32;
    let mut covered = time.to_le_bytes().to_vec();
    for (tag, degrees) in [(3, p.lat), (4, p.lng)] {
        covered.push(tag);
        covered.extend((degrees as f32).to_le_bytes());
    }
    let tens = (p.altitude / 10.0).round() as i8;
    let satellites = if p.valid { 0x45 } else { 0 };
    covered.extend([5, (p.degrees() / 2) as u8, tens as u8, satellites, p.knots.round() as u8]);
    let ignition = super::sender::flag(report, "ignition").unwrap_or(false);
    covered.extend([6, 1, ignition.into(), 0, 0]);
    let mut out = vec![b'[', number, 1];
    out.extend((covered.len() as u16 - 4).to_le_bytes());
    out.extend(&covered);
    out.extend([checksum::sum(&covered), b']']);
    Sent::new(out, vec![0x7b, 0, number, 0x7d])
}

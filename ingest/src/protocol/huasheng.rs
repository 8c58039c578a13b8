//! Huasheng: OBD trackers that speak frames between c0, TCP, big-endian.
//!
//! ```text
//! c0 | flags u16 | length u16 | type u16 | checksum u16 | number u32 | body | c0
//!   inside, c0 is sent as db dc and db as db dd; the length counts what stands between the ends
//!   aa02 login      values                                  <- ff03, number, 00
//!   aa00 place      status u16 | event u16 | yymmddhhmmss | lng i32 | lat i32 (1e-5 degrees)
//!                   | km/h u16 | course u16 | altitude i16 | wheels km/h u16 | values   <- ff01
//!   aa12 faults     codes u16..                             <- ff13
//!   0002 upgrade    count u8 | (length u16, id u16, value)..                            <- 0003
//! values  id u16 | length u16, its own head included | value
//!   1 engine: coolant + 40, rpm u16, km/h, fuel of a period u16, fuel u16 0.01 l/h, trip u16 km,
//!     power u16 0.01 V, fuel 0.4 %, [tank 2 u16], trip id u32, [AdBlue 0.4 %]
//!   3 f IMEI   5 signal, HDOP, u32   9 VIN   10 kilometres as text   11 engine hours 0.05 h u32
//!   14 ?, load 1/255, ignition + 64 half degrees, intake + 40, air u16 0.01 g/s, throttle 1/255
//! status  bit 15 fix, bit 14 ignition
//! ```
//! Source: Huasheng "OBD 3G gateway protocol" as its devices speak it. Bytes of ff say that the car
//! does not tell. The checksum is 0 in all of them, which stands for none. Ignored: cells (20),
//! whose digits are hex or decimal by firmware.

use super::clock;
use super::cursor::Cursor;
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{BadFrame, When};
use crate::fix::{Measured, Report};

/// Longest frame, bytes, escaped.
const FRAME_MAX: usize = 2 * 1024;
const END: u8 = 0xc0;
const ESCAPE: u8 = 0xdb;
/// Most fault codes of a frame.
const FAULTS_MAX: usize = 64;

/// Huasheng.
pub(super) const HUASHENG: Wired = Wired {
    name: "huasheng",
    port: 5111,
    transports: TCP,
    signatures: &[Mark::Bytes(&[0xc0, 0])],
    models: &["Huasheng HS-3G", "Huasheng OBD dongle"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Huasheng),
    login,
    message,
};

#[derive(Debug)]
struct Huasheng;

impl Wire for Huasheng {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(END, bytes) {
            return skip;
        }
        let seen = &bytes[..bytes.len().min(FRAME_MAX)];
        match seen.iter().skip(1).position(|b| *b == END) {
            // Two ends: what was taken for a beginning ended another frame.
            Some(0) => Cut::Skip(1),
            // Some send an end's byte inside as it is: the length says where the end is then.
            Some(at) => match declared(bytes).filter(|end| (at + 2..FRAME_MAX).contains(end)) {
                Some(end) if bytes.get(end) == Some(&END) => Cut::frame(end + 1),
                Some(end) if bytes.len() <= end && !whole => Cut::Need,
                _ => Cut::frame(at + 2),
            },
            None if bytes.len() >= FRAME_MAX => Cut::too_long(FRAME_MAX),
            None => Cut::Need,
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let frame = unescaped(frame);
        let mut c = Cursor::new(frame.get(1..frame.len().saturating_sub(1)).unwrap_or_default());
        c.skip(2)?;
        let length = usize::from(c.u16()?);
        if length + 2 != frame.len() && !told.lenient {
            let reason = format!("length `{length}`, expected {}", frame.len() - 2);
            return Err(Complaint::new(BadFrame::Length, 3, reason));
        }
        let kind = c.u16()?;
        c.skip(2)?;
        let number = c.u32()?;
        match kind {
            0xaa02 => {
                values(&mut c, told)?;
                told.reply(answer(0xff03, number, &[0]), When::Immediate);
            }
            0xaa00 => {
                place(&mut c, told)?;
                told.reply(answer(0xff01, number, &[]), When::AfterDurable);
            }
            0xaa12 => {
                faults(&mut c, told.report())?;
                told.reply(answer(0xff13, number, &[]), When::AfterDurable);
            }
            0x0002 => {
                upgrade(&mut c, told)?;
                told.reply(answer(0x0003, number, &[]), When::Immediate);
            }
            _ => {}
        }
        Ok(())
    }

    fn split(&self, frame: &[u8]) -> Vec<u8> {
        unescaped(frame)
    }
}

/// Where the end stands by the length that the frame gives, were nothing escaped.
fn declared(frame: &[u8]) -> Option<usize> {
    let length: [u8; 2] = *frame.get(3..)?.first_chunk()?;
    Some(usize::from(u16::from_be_bytes(length)) + 1)
}

fn unescaped(frame: &[u8]) -> Vec<u8> {
    if declared(frame) == Some(frame.len() - 1) {
        return frame.to_vec();
    }
    let mut out = Vec::with_capacity(frame.len());
    let mut bytes = frame.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            ESCAPE if bytes.next() == Some(0xdc) => END,
            byte => byte,
        });
    }
    out
}

fn framed(flags: u16, kind: u16, number: u32, body: &[u8]) -> Vec<u8> {
    let mut inner = flags.to_be_bytes().to_vec();
    inner.extend((body.len() as u16 + 12).to_be_bytes());
    inner.extend(kind.to_be_bytes());
    inner.extend([0, 0]);
    inner.extend(number.to_be_bytes());
    inner.extend(body);
    let mut out = vec![END];
    for byte in inner {
        match byte {
            END => out.extend([ESCAPE, 0xdc]),
            ESCAPE => out.extend([ESCAPE, 0xdd]),
            byte => out.push(byte),
        }
    }
    out.push(END);
    out
}

fn answer(kind: u16, number: u32, body: &[u8]) -> Vec<u8> {
    framed(0x0100, kind, number, body)
}

fn place(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let status = c.u16()?;
    let event = c.u16()?;
    let time = std::str::from_utf8(c.take(12)?).ok().and_then(clock::yymmddhhmmss);
    let (lng, lat) = (f64::from(c.i32()?) / 1e5, f64::from(c.i32()?) / 1e5);
    let (kmh, course, altitude) = (c.u16()?, c.u16()?, c.i16()?);
    let wheels = c.u16()?;
    let draft = told.report();
    draft.time(time);
    draft.at = Some(Measured {
        lng,
        lat,
        valid: status & 0x8000 != 0,
        speed: Some(f64::from(kmh) / 3.6),
        heading: Some(f64::from(course)),
        altitude: Some(f64::from(altitude)),
        accuracy: None,
    });
    draft.set("status", status);
    draft.set("ignition", status & 0x4000 != 0);
    draft.maybe("alarm", alarm(event));
    draft.set("event", event);
    draft.set("obd_speed_mps", f64::from(wheels) / 3.6);
    values(c, told)
}

fn alarm(event: u16) -> Option<&'static str> {
    Some(match event {
        4 => "fatigueDriving",
        6 => "sos",
        7 => "hardBraking",
        8 => "hardAcceleration",
        9 => "hardCornering",
        10 => "accident",
        16 => "removing",
        _ => return None,
    })
}

fn values(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    while c.left() >= 4 {
        let (id, length) = (c.u16()?, usize::from(c.u16()?));
        let value = c.take(length.saturating_sub(4))?;
        let text = || String::from_utf8_lossy(value).trim_matches(['\0', ' ']).to_owned();
        if matches!(id, 0x03 | 0x0f) {
            // A login names the device; a place repeats it.
            if told.device().is_none() {
                told.from(&text())?;
            }
            continue;
        }
        let Some(draft) = told.begun() else { continue };
        let mut v = Cursor::new(value);
        match id {
            0x01 => engine(&mut v, draft)?,
            0x05 => {
                draft.set("rssi", v.u8()?);
                draft.set("hdop", v.u8()?);
            }
            0x09 => draft.set("vin", text()),
            0x10 => {
                let km = super::fields::decimal(&text());
                draft.maybe("odometer_metres", km.map(|km| km * 1000.0));
            }
            0x11 => draft.set("engine_on_seconds", f64::from(v.u32()?) * 180.0),
            0x14 => load(&mut v, draft)?,
            _ => {}
        }
    }
    Ok(())
}

fn engine(v: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let known = |byte: u8| (byte != 0xff).then_some(byte);
    draft.maybe("coolant_celsius", known(v.u8()?).map(|c| i32::from(c) - 40));
    let rpm = v.u16()?;
    draft.maybe("rpm", (rpm != 0xffff).then_some(rpm));
    draft.maybe("average_speed_mps", known(v.u8()?).map(|kmh| f64::from(kmh) / 3.6));
    v.skip(2)?;
    draft.set("fuel_litres_per_hour", f64::from(v.u16()?) / 100.0);
    draft.set("trip_metres", u32::from(v.u16()?) * 1000);
    draft.set("power_volts", f64::from(v.u16()?) / 100.0);
    draft.maybe("fuel_percent", known(v.u8()?).map(|f| f64::from(f) * 0.4));
    if v.left() >= 7 {
        draft.set(("fuel_percent", 2), v.u16()?);
        v.skip(4)?;
        draft.maybe("adblue_percent", known(v.u8()?).map(|f| f64::from(f) * 0.4));
    }
    Ok(())
}

fn load(v: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let percent = |byte: u8| f64::from(byte) * 100.0 / 255.0;
    v.skip(1)?;
    draft.set("engine_load_percent", percent(v.u8()?));
    draft.set("timing_advance_degrees", f64::from(v.u8()?) * 0.5);
    draft.set("intake_celsius", i32::from(v.u8()?) - 40);
    draft.set("intake_flow", f64::from(v.u16()?) / 100.0);
    draft.set("throttle_percent", percent(v.u8()?));
    Ok(())
}

/// Fault codes as SAE J2012 spells them.
fn faults(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let mut codes = Vec::new();
    while c.left() >= 2 && codes.len() < FAULTS_MAX {
        let code = c.u16()?;
        let system = ['P', 'C', 'B', 'U'][usize::from(code >> 14)];
        codes.push(format!("{system}{:04X}", code & 0x3fff));
    }
    draft.set("dtcs", codes.join(","));
    Ok(())
}

/// An upgrade's question holds the IMEI as well.
fn upgrade(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    for _ in 0..c.u8()? {
        let (length, id) = (usize::from(c.u16()?), c.u16()?);
        let value = c.take(length.saturating_sub(4))?;
        if id == 0xa004 && told.device().is_none() {
            told.from(String::from_utf8_lossy(value).trim_matches('\0'))?;
        }
    }
    Ok(())
}

fn value(id: u16, bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u16 + 4).to_be_bytes();
    [&id.to_be_bytes(), &length, bytes].concat()
}

fn login(speaker: &mut Speaker) -> Sent {
    let number = speaker.next();
    let body = [value(1, b"3G_H1.0_V1.0"), value(3, speaker.device.as_bytes())].concat();
    Sent::new(framed(0, 0xaa02, number, &body), answer(0xff03, number, &[0]))
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = speaker.next();
    let ignition = flag(report, "ignition").unwrap_or(false);
    let status = u16::from(p.valid) << 15 | u16::from(ignition) << 14;
    let kmh = (p.kmh.round() as u16).to_be_bytes();
    let mut body = status.to_be_bytes().to_vec();
    body.extend([0, 0]);
    body.extend(format!("{}{}", p.yymmdd(), p.hhmmss()).into_bytes());
    for degrees in [p.lng, p.lat] {
        body.extend(((degrees * 1e5).round() as i32).to_be_bytes());
    }
    body.extend(kmh);
    body.extend(p.degrees().to_be_bytes());
    body.extend((p.altitude.round() as i16).to_be_bytes());
    body.extend(kmh);
    body.extend(value(5, &[20, 1, 0, 0, 0, 0]));
    Sent::new(framed(0, 0xaa00, number, &body), answer(0xff01, number, &[]))
}

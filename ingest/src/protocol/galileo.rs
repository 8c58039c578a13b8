//! Galileosky: tagged values, little-endian, TCP.
//!
//! ```text
//! 01 | length u16 (bit 15: more is waiting) | (tag u8, value).. | crc u16       <- 02 | that crc
//! 07 | length u16 | piece of a photograph | crc                                 <- 07 | that crc
//! tags  01 hardware u8, 02 firmware u8, 03 IMEI 15, 04 device u16, 10 number u16, 20 time u32,
//!       30 satellites and state u8, lat i32, lng i32 (1e-6), 33 0.1 km/h u16, 0.1 degree u16,
//!       34 altitude i16, 35 HDOP 0.1 u8, 40 status u16, 41 power mV u16, 42 battery mV u16,
//!       43 temperature i8, 44 acceleration u32, 45 outputs u16, 46 inputs u16, 50-57 analogue mV,
//!       90 key u32, a0-af c4-d2 CAN u8, b0-b9 d6-da CAN u16, db-df f0-f9 CAN u32,
//!       c0 fuel 0.5 l u32, c1 fuel 0.4 % u8, coolant u8, rpm u16, d4 distance u32, e1 text
//! crc   CRC-16/MODBUS of all before it
//! ```
//! A record ends where a tag comes again. Source: Galileosky "Protocol description" (tags by
//! number), Appendix A. Ignored: compressed packets (08), extended tags (fe), Modbus and iridium.

use super::cursor::Cursor;
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{BadFrame, When, checksum};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest frame, bytes; photographs come in pieces of a kilobyte.
const FRAME_MAX: usize = 4 * 1024;

/// Galileosky.
pub(super) const GALILEO: Wired = Wired {
    name: "galileo",
    port: 5034,
    transports: TCP,
    signatures: &[
        Mark::Bytes(&[1, Mark::SOME, Mark::ANY, Mark::ANY, Mark::SOME]),
        Mark::Bytes(&[7, Mark::ANY, Mark::ANY]),
        Mark::Bytes(&[8, Mark::ANY, Mark::ANY]),
    ],
    models: &["Galileosky 5.0", "7.0", "7x", "Base Block", "10", "v 2.3.5"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Galileo),
    login: |speaker| {
        let mut tags = vec![0x03];
        tags.extend(format!("{:0>15}", speaker.device).bytes().take(15));
        packet(&tags)
    },
    message,
};

#[derive(Debug)]
struct Galileo;

impl Wire for Galileo {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [0x01 | 0x07 | 0x08, low, high, ..] => {
                let length = usize::from(u16::from_le_bytes([*low, *high]) & 0x7fff);
                Cut::of_length(length + 5, bytes, FRAME_MAX)
            }
            [0x01 | 0x07 | 0x08, ..] => Cut::Need,
            _ => Cut::no_frame(bytes, "01, 07 or 08"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let Some((body, sum)) = frame.split_last_chunk::<2>() else {
            return Err(Complaint::short(frame.len()));
        };
        let ours = checksum::MODBUS.of(body);
        told.checksum(u16::from_le_bytes(*sum).into(), ours.into())?;
        let mark = if body.first() == Some(&7) { 7 } else { 2 };
        told.reply(vec![mark, sum[0], sum[1]], When::AfterDurable);
        if body.first() != Some(&1) {
            return Ok(());
        }
        let mut c = Cursor::new(body.get(3..).unwrap_or_default());
        let mut seen = [false; 256];
        let mut begun = false;
        // Versions and number stand before a record, or alone in a login.
        let mut head = [None; 3];
        while c.left() > 0 {
            let tag = c.u8()?;
            if std::mem::replace(&mut seen[usize::from(tag)], true) {
                seen = [false; 256];
                seen[usize::from(tag)] = true;
                begun = false;
                head = [None; 3];
            }
            if tag == 0x03 {
                told.from(&String::from_utf8_lossy(c.take(15)?))?;
                continue;
            }
            match tag {
                0x01 => head[0] = Some(c.u8()?.into()),
                0x02 => head[1] = Some(c.u8()?.into()),
                0x04 => head[2] = Some(c.u16_le()?),
                _ => {
                    let draft = if begun { told.last() } else { told.report() };
                    if !std::mem::replace(&mut begun, true) {
                        draft.maybe("hardware", head[0]);
                        draft.maybe("firmware", head[1]);
                        draft.maybe("device_number", head[2]);
                    }
                    value(tag, &mut c, draft)?;
                }
            }
        }
        Ok(())
    }
}

/// Bytes of the values that are stepped over.
fn size(tag: u8) -> Option<usize> {
    Some(match tag {
        0x35 | 0x43 | 0x88..=0x8f | 0xa0..=0xaf | 0xc4..=0xd2 | 0xd5 => 1,
        0x10
        | 0x34
        | 0x40..=0x42
        | 0x45
        | 0x46
        | 0x48
        | 0x50..=0x59
        | 0x60..=0x62
        | 0x70..=0x77
        | 0xb0..=0xb9
        | 0xd6..=0xda => 2,
        0x5d | 0x63..=0x6f | 0x80..=0x87 => 3,
        0x20
        | 0x33
        | 0x44
        | 0x47
        | 0x49
        | 0x5a
        | 0x90
        | 0xc0..=0xc3
        | 0xd3
        | 0xd4
        | 0xdb..=0xe0
        | 0xe2..=0xe9
        | 0xf0..=0xf9 => 4,
        0x30 => 9,
        0x5c => 68,
        _ => return None,
    })
}

fn value(tag: u8, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let length = match tag {
        0xe1 | 0xea => usize::from(c.u8()?),
        0xfe => usize::from(c.u16_le()?),
        _ => size(tag).ok_or_else(|| {
            Complaint::new(BadFrame::Malformed, 0, format!("tag `{tag:02x}` is unknown"))
        })?,
    };
    let mut v = Cursor::new(c.take(length)?);
    match tag {
        0x10 => draft.set("record_number", v.u16_le()?),
        0x20 => draft.time(Some(Timestamp::from_seconds(v.u32_le()?.into()))),
        0x30 => place(&mut v, draft)?,
        0x33 => {
            let (speed, heading) = (v.u16_le()?, v.u16_le()?);
            if let Some(at) = &mut draft.at {
                at.speed = Some(f64::from(speed) / 36.0);
                at.heading = Some(f64::from(heading) / 10.0);
            }
        }
        0x34 => {
            let altitude = v.i16_le()?;
            if let Some(at) = &mut draft.at {
                at.altitude = Some(f64::from(altitude));
            }
        }
        0x35 => draft.set("hdop", f64::from(v.u8()?) / 10.0),
        0x40 => draft.set("status", v.u16_le()?),
        0x41 => draft.set("power_volts", f64::from(v.u16_le()?) / 1000.0),
        0x42 => draft.set("battery_volts", f64::from(v.u16_le()?) / 1000.0),
        0x43 => draft.set("device_celsius", v.u8()? as i8),
        0x44 => draft.set("acceleration_word", v.u32_le()?),
        0x45 => draft.set("output_mask", v.u16_le()?),
        0x46 => draft.set("input_mask", v.u16_le()?),
        0x50..=0x57 => {
            draft.set(("analog_volts", u16::from(tag - 0x50)), f64::from(v.u16_le()?) / 1000.0);
        }
        0x90 => draft.set("driver_id", v.u32_le()?.to_string()),
        0xe1 => draft.set("command_result", String::from_utf8_lossy(v.rest()).into_owned()),
        0xd4 => draft.set("odometer_metres", v.u32_le()?),
        _ => bus(tag, &mut v, draft)?,
    }
    Ok(())
}

fn place(v: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let state = v.u8()?;
    draft.set("satellites", state & 15);
    draft.at = Some(Measured {
        lat: f64::from(v.i32_le()?) / 1e6,
        lng: f64::from(v.i32_le()?) / 1e6,
        valid: state >> 4 == 0,
        ..Measured::default()
    });
    Ok(())
}

/// What comes from the vehicle's bus, by the register's number.
fn bus(tag: u8, v: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    match tag {
        0xa0..=0xaf => draft.named(&format!("can8BitR{}", tag - 0xa0 + 15), v.u8()?),
        0xb0..=0xb9 => draft.named(&format!("can16BitR{}", tag - 0xb0 + 5), v.u16_le()?),
        0xc0 => draft.set("fuel_total_litres", f64::from(v.u32_le()?) * 0.5),
        0xc1 => {
            draft.set("fuel_percent", f64::from(v.u8()?) * 0.4);
            draft.set(("temperature_celsius", 1), i64::from(v.u8()?) - 40);
            draft.set("rpm", f64::from(v.u16_le()?) * 0.125);
        }
        0xc2 | 0xc3 => draft.named(&format!("canB{}", tag - 0xc2), v.u32_le()?),
        0xc4..=0xd2 => draft.named(&format!("can8BitR{}", tag - 0xc4), v.u8()?),
        0xd6..=0xda => draft.named(&format!("can16BitR{}", tag - 0xd6), v.u16_le()?),
        0xdb..=0xdf => draft.named(&format!("can32BitR{}", tag - 0xdb), v.u32_le()?),
        0xe2..=0xe9 => draft.named(&format!("userData{}", tag - 0xe2), v.u32_le()?),
        0xf0..=0xf9 => draft.named(&format!("can32BitR{}", tag - 0xf0 + 5), v.u32_le()?),
        _ => {}
    }
    Ok(())
}

fn packet(tags: &[u8]) -> Sent {
    let mut out = vec![1];
    out.extend((tags.len() as u16).to_le_bytes());
    out.extend(tags);
    let [low, high] = checksum::MODBUS.of(&out).to_le_bytes();
    out.extend([low, high]);
    Sent::new(out, vec![2, low, high])
}

fn message(_: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let seconds = report.time.unwrap_or_default().millis().div_euclid(1000) as u32;
    let mut tags = vec![0x20];
    tags.extend(seconds.to_le_bytes());
    tags.extend([0x30, if p.valid { 9 } else { 0x19 }]);
    for degrees in [p.lat, p.lng] {
        tags.extend(((degrees * 1e6).round() as i32).to_le_bytes());
    }
    tags.push(0x33);
    tags.extend(((p.kmh * 10.0).round() as u16).to_le_bytes());
    tags.extend(((p.heading * 10.0).round() as u16).to_le_bytes());
    tags.push(0x34);
    tags.extend((p.altitude.round() as i16).to_le_bytes());
    packet(&tags)
}

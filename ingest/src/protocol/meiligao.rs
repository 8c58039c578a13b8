//! Meiligao (GT30, GT60, VT300, VT310): text in a binary envelope.
//!
//! ```text
//! $$ | length u16, all | id 7 BCD, f fills | command u16 | content | crc u16 | 0d0a
//! 5000 login  <- @@ | 0012 | id | 4000 | 01 | crc | 0d0a       9955 place    9999 alarm, place
//! place  hhmmss.sss,<A|V>,<lat>,<N|S>,<lng>,<E|W>,<knots>,<course>,ddmmyy,..*hh
//!        |<HDOP>|<altitude>|<lines hex>|<analogue hex>,..|..
//!        .. <cell 16 or 20 hex>|<signal hex>|<metres hex>|<satellites hex>, or <metres>|<driver>
//! lines  bits 0 to 4 outputs, 8 to 12 inputs
//! crc    CRC-16/CCITT-FALSE of all before it
//! ```
//! Source: Meiligao "GPRS communication protocol" V1.6. The id is an IMEI without its last digit.
//! Ignored: photographs, RFID logs (9966), the sentence's own sum.

use super::cursor::{Cursor, digits_of};
use super::fields::{Fields, decimal, hexadecimal, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{When, angle, checksum, clock};
use crate::fix::{Measured, Report};

/// Longest frame, bytes.
const FRAME_MAX: usize = 1024;
/// Envelope: mark, length, id, command, crc, end.
const ENVELOPE: usize = 17;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// Meiligao.
pub(super) const MEILIGAO: Wired = Wired {
    name: "meiligao",
    port: 5009,
    transports: TCP_UDP,
    signatures: &[Mark::Bytes(&[b'$' as u16, b'$' as u16, Mark::FEW, Mark::ANY])],
    models: &["Meiligao GT30", "GT60", "VT300", "VT310", "VT400"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Meiligao),
    login: |speaker| {
        let id = id(&speaker.device);
        Sent::new(packet(b"$$", &id, 0x5000, &[]), packet(b"@@", &id, 0x4000, &[1]))
    },
    message,
};

#[derive(Debug)]
struct Meiligao;

impl Wire for Meiligao {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [b'\r' | b'\n', ..] => Cut::Skip(1),
            [b'$', b'$', high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                if length >= ENVELOPE {
                    return Cut::of_length(length, bytes, FRAME_MAX);
                }
                // Some give no length: the end is looked for.
                let seen = &bytes[..bytes.len().min(FRAME_MAX)];
                match seen.windows(2).skip(ENVELOPE - 2).position(|w| w == b"\r\n") {
                    Some(end) => Cut::frame(end + ENVELOPE),
                    None if bytes.len() >= FRAME_MAX => Cut::too_long(FRAME_MAX),
                    None => Cut::Need,
                }
            }
            [b'$', ..] if bytes.len() < 4 => Cut::Need,
            _ => Cut::no_frame(bytes, "`$$`"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let frame = frame.strip_suffix(b"\r\n").unwrap_or(frame);
        let Some((body, sum)) = frame.split_last_chunk::<2>() else {
            return Err(Complaint::short(frame.len()));
        };
        let ours = checksum::CCITT_FALSE.of(body);
        told.checksum(u16::from_be_bytes(*sum).into(), ours.into())?;
        let mut c = Cursor::new(body);
        c.skip(4)?;
        let id = c.array::<7>()?;
        told.from(digits_of(&id).trim_end_matches('f'))?;
        match c.u16()? {
            0x5000 => {
                told.reply(packet(b"@@", &id, 0x4000, &[1]), When::Immediate);
                Ok(())
            }
            0x9955 => place(text(c.rest())?, told.report()),
            0x9999 => {
                let draft = told.report();
                if c.peek().is_some_and(|b| !b.is_ascii_digit()) {
                    draft.maybe("alarm", alarm(c.u8()?));
                }
                place(text(c.rest())?, draft)
            }
            0x6688 => kept(&mut c, told),
            _ => Ok(()),
        }
    }
}

/// Places that were kept: how many, then each with the code of its alarm, a backslash between.
fn kept(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let count = usize::from(c.u8()?);
    for one in c.rest().split(|b| *b == b'\\').take(count) {
        let Some((code, words)) = one.split_first() else { continue };
        let draft = told.report();
        draft.maybe("alarm", alarm(*code));
        place(text(words)?, draft)?;
    }
    Ok(())
}

/// The code of an alarm.
fn alarm(code: u8) -> Option<&'static str> {
    Some(match code {
        0x01 => "sos",
        0x10 => "lowBattery",
        0x11 => "overspeed",
        0x12 => "movement",
        0x13 => "geofence",
        0x14 => "accident",
        0x50 => "powerOff",
        0x53 => "gpsAntennaCut",
        0x72 => "hardBraking",
        0x73 => "hardAcceleration",
        _ => return None,
    })
}

fn place(text: &str, draft: &mut Draft) -> Result<(), Complaint> {
    let mut parts = Fields::new(text, '|');
    let mut f = Fields::new(parts.text(), ',');
    let time = f.text().split('.').next().unwrap_or("");
    let valid = f.text() == "A";
    let mut sided = || {
        let (value, side) = (f.text(), f.text());
        angle::sided(value, side)
    };
    let (lat, lng) = (sided(), sided());
    let (Some(lat), Some(lng)) = (lat, lng) else {
        return Err(Complaint::bad("place", text.as_bytes()));
    };
    let speed = f.decimal().map(|k| k * KNOT_MPS);
    let heading = f.decimal();
    let date = f.text();
    draft.time(clock::ddmmyy_hhmmss(date.split('*').next().unwrap_or(""), &format!("{time:0>6}")));
    draft.maybe("hdop", parts.decimal());
    let altitude = parts.decimal();
    draft.at = Some(Measured { lng, lat, valid, speed, heading, altitude, accuracy: None });
    if let Some(lines) = hexadecimal(parts.text()) {
        for nth in 1..=5 {
            draft.set(("output", nth), lines >> (nth - 1) & 1 != 0);
            draft.set(("input", nth), lines >> (nth + 7) & 1 != 0);
        }
    }
    for (nth, raw) in (1..=8).zip(parts.text().split(',')) {
        draft.maybe(("analog_raw", nth), hexadecimal(raw));
    }
    let next = parts.text();
    if next.len() >= 16 {
        draft.maybe("rssi", hexadecimal(parts.text()));
        draft.maybe("odometer_metres", hexadecimal(parts.text()));
        draft.maybe("satellites", hexadecimal(parts.text()));
    } else {
        draft.maybe("odometer_metres", decimal(next).map(|v| v as i64));
        let driver = parts.text();
        if !driver.is_empty() {
            draft.set("driver_id", driver);
        }
    }
    Ok(())
}

/// Seven bytes of digits, filled with f.
fn id(device: &str) -> [u8; 7] {
    let digits: Vec<u8> =
        device.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').take(14).collect();
    let digit = |at: usize| digits.get(at).copied().unwrap_or(15);
    std::array::from_fn(|i| digit(2 * i) << 4 | digit(2 * i + 1))
}

fn packet(mark: &[u8], id: &[u8], command: u16, content: &[u8]) -> Vec<u8> {
    let mut out = mark.to_vec();
    out.extend(((content.len() + ENVELOPE) as u16).to_be_bytes());
    out.extend(id);
    out.extend(command.to_be_bytes());
    out.extend(content);
    out.extend(checksum::CCITT_FALSE.of(&out).to_be_bytes());
    out.extend(b"\r\n");
    out
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let content = format!(
        "{}.000,{},{},,*00|0.8|{:.1}|0000|0000,0000",
        p.hhmmss(),
        p.rmc(),
        p.ddmmyy(),
        p.altitude,
    );
    Sent::unanswered(packet(b"$$", &id(&speaker.device), 0x9955, content.as_bytes()))
}

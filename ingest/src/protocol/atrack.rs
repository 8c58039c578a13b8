//! `ATrack`: the same fields in binary (big-endian) or as text.
//!
//! ```text
//! @P | CRC u16 | length u16 | number u16 | IMEI u64 | records      <- FE02 IMEI number
//!   record  fix, clock, sending: each time u32, or year u16 and five bytes | lng i32 | lat i32 (1e-6)
//!           | course u16 | kind u8 | odometer u32 0.1 km | HDOP u16 0.1 | inputs u8 | km/h u16
//!           | outputs u8 | line u16 mV | driver NUL | two temperatures i16 0.1 | text NUL
//!           | [%CI%MV%..NUL | a value for each word but CI]
//! @P,<CRC>,<length>,<number>,<IMEI>,<the same fields>CRLF<record>CRLF..
//! @R ..  a picture                                                 <- FE02 IMEI number
//! FE02 | IMEI u64 | number u16  a sign of life                     <- the same
//! $..CRLF  an answer to a command
//! ```
//! CRC-16/ARC from the length on. A text's length counts from the comma behind it. Records of a
//! packet have one time of sending: where the width of a word is not known, the next record is
//! found by it.
//!
//! Source: `ATrack` "Protocol document" of AT1, AK and AX. Ignored: pictures, words not listed below,
//! own fields that neither the message (`%CI`) nor the setup of the device names.

use super::clock;
use super::cursor::Cursor;
use super::fields::{Fields, decimal, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{When, checksum};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

mod own;

/// Longest packet, bytes; pictures come in pieces of about 1,000.
const PACKET_MAX: usize = 8 * 1024;
/// What text puts behind a field that may hold commas.
const FIELD_END: char = '\u{1a}';
/// Length of `@P,` and a checksum in digits.
const TEXT_HEAD: usize = 7;
/// Length of a sign of life.
const ALIVE: usize = 12;

/// `ATrack`.
pub(super) const ATRACK: Wired = Wired {
    name: "atrack",
    port: 5044,
    transports: TCP_UDP,
    signatures: &[
        Mark::Text("@P,"),
        Mark::Bytes(&[b'@' as u16, Mark::ANY, Mark::ANY, Mark::ANY, Mark::FEW, Mark::ANY]),
        Mark::Bytes(&[0xfe, 0x02]),
    ],
    models: &["ATrack AT1", "AT5", "AK1", "AK7", "AL1", "AX5", "AX7", "AX9", "AX11"],
    idle_minutes: 30,
    acknowledges: true,
    wire: |options| Box::new(Atrack { form: options.format.clone() }),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Atrack {
    /// Own fields that the messages do not name.
    form: Option<String>,
}

impl Wire for Atrack {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        match bytes {
            [0xfe, 0x02, ..] => Cut::of_length(ALIVE, bytes, ALIVE),
            [b'@', _, b',', ..] if bytes.len() < 8 => Cut::Need,
            [b'@', ..] if is_text(bytes) => cut_text(bytes),
            [b'@', _, _, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low])) + 6;
                Cut::of_length(length, bytes, PACKET_MAX)
            }
            [0xfe] | [b'@', ..] => Cut::Need,
            [b'\r' | b'\n', ..] => Cut::Skip(1),
            [b'$', ..] => match Cut::line(bytes, b"\n", whole, PACKET_MAX) {
                Cut::Frame { from, next, .. } => {
                    Cut::Frame { from, to: next.min(bytes.len()), next }
                }
                other => other,
            },
            _ => Cut::no_frame(bytes, "`@`, `$` or FE02"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        match frame {
            [0xfe, 0x02, ..] => {
                let id = Cursor::new(frame.get(2..).unwrap_or_default()).u64()?;
                told.from(&id.to_string())?;
                told.reply(frame.to_vec(), When::Immediate);
                Ok(())
            }
            [b'@', ..] if is_text(frame) => sentences(frame, self.form.as_deref(), told),
            [b'@', kind, ..] => binary(*kind, frame, self.form.as_deref(), told),
            _ => {
                let line = text(frame)?.trim();
                told.report().set("command_result", line);
                Ok(())
            }
        }
    }
}

/// Whether a checksum in digits follows; one in binary may begin with a comma, too.
fn is_text(bytes: &[u8]) -> bool {
    match &bytes[..bytes.len().min(8)] {
        [_, _, b',', digits @ .., b','] if digits.len() == 4 => {
            digits.iter().all(u8::is_ascii_hexdigit)
        }
        _ => false,
    }
}

/// `@P,<CRC>,<length>,..`: the length counts from its comma.
fn cut_text(bytes: &[u8]) -> Cut {
    let head = &bytes[..bytes.len().min(16)];
    let mut commas = head.iter().enumerate().filter(|(_, b)| **b == b',').map(|(at, _)| at);
    let (Some(second), Some(third)) = (commas.nth(1), commas.next()) else {
        return if head.len() < 16 { Cut::Need } else { Cut::no_frame(bytes, "a length") };
    };
    let digits = std::str::from_utf8(&head[second + 1..third]).unwrap_or_default();
    match digits.parse::<u16>() {
        Ok(length) => Cut::of_length(third + usize::from(length).max(1), bytes, PACKET_MAX),
        Err(_) => Cut::no_frame(bytes, "a length"),
    }
}

/// Taken: also where the packet was text.
fn answer(id: u64, number: u16) -> Vec<u8> {
    let mut out = vec![0xfe, 0x02];
    out.extend(id.to_be_bytes());
    out.extend(number.to_be_bytes());
    out
}

fn binary(kind: u8, frame: &[u8], form: Option<&str>, told: &mut Told) -> Result<(), Complaint> {
    let mut c = Cursor::new(frame);
    c.skip(2)?;
    let sum = c.u16()?;
    told.checksum(sum.into(), checksum::ARC.of(c.rest()).into())?;
    c.skip(2)?;
    let number = c.u16()?;
    let id = c.u64()?;
    told.from(&id.to_string())?;
    told.reply(answer(id, number), When::AfterDurable);
    while kind == b'P' && c.left() > 0 {
        record(&mut c, form, told.report())?;
    }
    Ok(())
}

/// One of a record's three times.
fn time(c: &mut Cursor<'_>) -> Result<Option<Timestamp>, Complaint> {
    // As seconds the years of a calendar date would be 1974.
    if c.peek() == Some(7) {
        let [high, low, rest @ ..] = c.array::<7>()?;
        let [month, day, hour, minute, second] = rest.map(u32::from);
        let year = u32::from(u16::from_be_bytes([high, low]));
        return Ok(clock::civil([year, month, day, hour, minute, second]));
    }
    Ok(Some(Timestamp::from_seconds(c.u32()?.into())))
}

fn record(c: &mut Cursor<'_>, form: Option<&str>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.time(time(c)?);
    time(c)?;
    let before = c.rest();
    time(c)?;
    let sending = &before[..before.len() - c.left()];
    let (lng, lat) = (f64::from(c.i32()?) / 1e6, f64::from(c.i32()?) / 1e6);
    let course = c.u16()?;
    kind(c.u8()?.into(), draft);
    draft.set("odometer_metres", i64::from(c.u32()?) * 100);
    draft.set("hdop", f64::from(c.u16()?) / 10.0);
    draft.set("input_mask", c.u8()?);
    let kmh = c.u16()?;
    draft.set("output_mask", c.u8()?);
    draft.set(("analog_volts", 1), f64::from(c.u16()?) / 1000.0);
    let driver = string(c)?;
    draft.maybe("driver_id", Some(driver.as_str()).filter(|d| !d.is_empty()));
    for nth in 1..=2 {
        draft.set(("temperature_celsius", nth), f64::from(c.i16()?) / 10.0);
    }
    draft.at = Some(Measured {
        lng,
        lat,
        valid: true,
        speed: Some(f64::from(kmh) / 3.6),
        heading: Some(course.into()),
        ..Measured::default()
    });
    string(c)?;
    let form =
        if c.rest().starts_with(b"%CI") { Some(string(c)?) } else { form.map(str::to_owned) };
    if let Some(form) = form {
        for word in form.split('%').filter(|word| !matches!(*word, "" | "CI")) {
            if !own::field(word, c, draft)? {
                next_record(sending, c)?;
                break;
            }
        }
    }
    Ok(())
}

/// A report's kind says what it is and why it was sent.
fn kind(kind: i64, draft: &mut Draft) {
    draft.set("event", kind);
    draft.set("message_type", kind);
}

fn string(c: &mut Cursor<'_>) -> Result<String, Complaint> {
    let rest = c.rest();
    let end = rest.iter().position(|b| *b == 0).unwrap_or(rest.len());
    let taken = String::from_utf8_lossy(&rest[..end]).into_owned();
    c.skip((end + 1).min(rest.len()))?;
    Ok(taken)
}

/// Steps to the next record of the packet, which has the same time of sending.
fn next_record(sending: &[u8], c: &mut Cursor<'_>) -> Result<(), Complaint> {
    let rest = c.rest();
    let width = sending.len();
    let same = |at: &usize| rest[at + 2 * width..].starts_with(sending);
    let last = rest.len().saturating_sub(2 * width);
    c.skip((0..last).find(same).unwrap_or(rest.len()))
}

fn sentences(frame: &[u8], form: Option<&str>, told: &mut Told) -> Result<(), Complaint> {
    let lossy = String::from_utf8_lossy(frame);
    let mut fields = Fields::new(&lossy, ',');
    fields.skip(1);
    let sum = fields.hex().ok_or_else(|| Complaint::bad("checksum", frame))?;
    let ours = checksum::ARC.of(frame.get(TEXT_HEAD..).unwrap_or_default());
    told.checksum(sum as u32, ours.into())?;
    fields.skip(1);
    let number = fields.whole().ok_or_else(|| Complaint::bad("number", frame))?;
    let Ok(id) = fields.text().parse::<u64>() else {
        return Err(Complaint::bad("IMEI", frame));
    };
    told.from(&id.to_string())?;
    told.reply(answer(id, number as u16), When::AfterDurable);
    for line in fields.rest().split('\n').map(|l| l.trim_end_matches('\r')) {
        if !line.is_empty() {
            sentence(line, form, told.report())?;
        }
    }
    Ok(())
}

fn moment(text: &str) -> Option<Timestamp> {
    match text.len() {
        14 => clock::yyyymmddhhmmss(text),
        _ => text.parse().ok().map(Timestamp::from_seconds),
    }
}

fn sentence(line: &str, form: Option<&str>, draft: &mut Draft) -> Result<(), Complaint> {
    let mut f = Fields::new(line, ',');
    draft.time(moment(f.text()));
    f.skip(2);
    let (Some(lng), Some(lat)) = (f.decimal(), f.decimal()) else {
        return Err(Complaint::bad("place", line.as_bytes()));
    };
    let heading = f.decimal();
    if let Some(value) = f.whole() {
        kind(value, draft);
    }
    draft.maybe("odometer_metres", f.decimal().map(|v| v * 100.0));
    draft.maybe("hdop", f.decimal().map(|v| v / 10.0));
    draft.maybe("input_mask", f.whole());
    let speed = f.decimal().map(|v| v / 3.6);
    draft.maybe("output_mask", f.whole());
    draft.maybe(("analog_volts", 1), f.decimal().map(|v| v / 1000.0));
    let driver = f.text();
    draft.maybe("driver_id", Some(driver).filter(|d| !d.is_empty()));
    for nth in 1..=2 {
        draft.maybe(("temperature_celsius", nth), f.decimal().map(|v| v / 10.0));
    }
    let (lng, lat) = (lng / 1e6, lat / 1e6);
    draft.at = Some(Measured { lng, lat, valid: true, speed, heading, ..Measured::default() });
    f.skip(1);
    let form = match form {
        Some(form) if !f.rest().starts_with("%CI") => form,
        _ => f.text(),
    };
    for word in form.split('%').filter(|word| !matches!(*word, "" | "CI")) {
        let mut value = f.text();
        // A link to a map holds a comma.
        if word == "GL" && !value.ends_with(FIELD_END) {
            value = f.text();
        }
        let value = value.trim_end_matches(FIELD_END);
        match decimal(value) {
            Some(value) if !matches!(word, "VN" | "CD" | "BC") => {
                own::number(word, value as i64, draft);
            }
            _ => own::words(word, value, draft),
        }
    }
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = speaker.next() as u16;
    let id = speaker.device.parse::<u64>().unwrap_or(0);
    let seconds = (report.time.unwrap_or_default().millis().div_euclid(1000) as u32).to_be_bytes();
    let mut body = number.to_be_bytes().to_vec();
    body.extend(id.to_be_bytes());
    body.extend([seconds; 3].concat());
    for degrees in [p.lng, p.lat] {
        body.extend(((degrees * 1e6).round() as i32).to_be_bytes());
    }
    body.extend(p.degrees().to_be_bytes());
    body.extend([2, 0, 0, 0, 0, 0, 8, 0]);
    body.extend((p.kmh.round() as u16).to_be_bytes());
    body.extend([0, 0, 0, 0, 0, 0, 0, 0, 0]);
    body.extend(*b"%CI%SA%AT%IN0\0");
    body.push(if p.valid { 9 } else { 0 });
    body.extend((p.altitude.round() as i32).to_be_bytes());
    body.push(super::sender::flag(report, "ignition").unwrap_or(false).into());
    let mut covered = (body.len() as u16).to_be_bytes().to_vec();
    covered.extend(body);
    let mut out = b"@P".to_vec();
    out.extend(checksum::ARC.of(&covered).to_be_bytes());
    out.extend(covered);
    Sent::new(out, answer(id, number))
}

//! Wialon Retranslator 1.0: one platform passes its units' messages on to another, big-endian but for
//! the length and what is decimal.
//!
//! ```text
//! length u32 LE | unit's id, 0 | time u32 | flags u32 | block..           <- 11
//! block   0BBB | length u32 | hidden u8 | kind u8 | name, 0 | value
//!   kinds   1 text, 0   2 bytes   3 i32   4 f64 LE   5 i64
//!   posinfo (2)   lng f64 LE | lat f64 LE | altitude f64 LE | km/h u16 | course u16 | satellites u8
//! flags   1 place, 2 inputs, 4 outputs, 10 alarm, 20 driver
//! ```
//! One connection speaks for many units. The length counts what follows it. Source: Gurtam "Wialon
//! Retranslator 1.0 protocol description". Ignored: pictures and other bytes, whether a value is hidden.

use super::cursor::Cursor;
use super::fields::text;
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{When, scan};
use crate::attribute::Value;
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest packet, bytes.
const PACKET_MAX: usize = 64 * 1024;
/// Least bytes behind the length: an id of one letter, time, flags.
const LENGTH_MIN: usize = 10;
/// Begins a block.
const BLOCK: u16 = 0x0bbb;
const TAKEN: &[u8] = &[0x11];

/// Wialon and whatever else passes messages on in its way.
pub(super) const RETRANSLATOR: Wired = Wired {
    name: "retranslator",
    port: 20163,
    transports: TCP,
    signatures: &[Mark::Bytes(&[
        Mark::ANY,
        Mark::FEW,
        0,
        0,
        Mark::DIGIT,
        Mark::DIGIT,
        Mark::DIGIT,
    ])],
    models: &["Wialon Hosting", "Wialon Local", "flespi streams", "any Gurtam partner"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Retranslator),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Retranslator;

impl Wire for Retranslator {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        let Some(length) = bytes.first_chunk() else { return Cut::Need };
        let length = u32::from_le_bytes(*length) as usize;
        if length < LENGTH_MIN {
            return Cut::no_frame(bytes, "a length");
        }
        Cut::of_length(length.saturating_add(4), bytes, PACKET_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let mut c = Cursor::new(frame);
        c.skip(4)?;
        told.from(words(&mut c)?)?;
        told.reply(TAKEN, When::AfterDurable);
        let time = Timestamp::from_seconds(c.u32()?.into());
        let flags = c.u32()?;
        let draft = told.report();
        draft.time(Some(time));
        if flags & 0x10 != 0 {
            draft.alarm("general");
        }
        while c.left() > 0 {
            let (mark, length) = (c.u16()?, c.u32()?);
            if mark != BLOCK {
                return Err(Complaint::bad("block", &mark.to_be_bytes()));
            }
            block(&mut Cursor::new(c.take(length as usize)?), draft)?;
        }
        Ok(())
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// Text up to its zero.
fn words<'a>(c: &mut Cursor<'a>) -> Result<&'a str, Complaint> {
    let end = scan::find(c.rest(), 0).ok_or_else(|| Complaint::bad("text", c.rest()))?;
    let words = text(c.take(end)?)?.trim();
    c.skip(1)?;
    Ok(words)
}

fn double(c: &mut Cursor<'_>) -> Result<f64, Complaint> {
    c.array().map(f64::from_le_bytes)
}

fn block(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    c.skip(1)?;
    let kind = c.u8()?;
    let name = words(c)?;
    let value = match kind {
        1 => Value::from(text(c.rest())?.trim_end_matches('\0')),
        2 if name == "posinfo" => return place(c, draft),
        3 => Value::from(i64::from(c.i32()?)),
        4 => Value::from(double(c)?),
        5 => Value::from(c.array().map(i64::from_be_bytes)?),
        _ => return Ok(()),
    };
    let numbered = |prefix: &str| name.strip_prefix(prefix)?.parse::<u16>().ok();
    match name {
        "pwr_ext" => draft.set("power_volts", value),
        "pwr_int" => draft.set("battery_volts", value),
        "avl_inputs" => draft.set("input_mask", value),
        "avl_outputs" => draft.set("output_mask", value),
        "avl_driver" => draft.set("driver_id", value),
        "gsm" => draft.set("rssi", value),
        "ign" => draft.set("ignition", truth(&value)),
        _ => match numbered("adc") {
            Some(nth) => draft.set(("analog_volts", nth), value),
            None => draft.named(name, value),
        },
    }
    Ok(())
}

/// Whether a value says yes.
fn truth(value: &Value<'_>) -> bool {
    match value {
        Value::Bool(yes) => *yes,
        Value::Int(number) => *number != 0,
        Value::Float(number) => *number > 0.0,
        Value::Text(_) => false,
    }
}

fn place(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let (lng, lat, altitude) = (double(c)?, double(c)?, double(c)?);
    let (speed, heading) = (f64::from(c.u16()?) / 3.6, f64::from(c.u16()?));
    let satellites = c.u8()?;
    draft.set("satellites", satellites);
    draft.at = Some(Measured {
        lng,
        lat,
        valid: satellites > 0,
        speed: Some(speed),
        heading: Some(heading % 360.0),
        altitude: Some(altitude),
        accuracy: None,
    });
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let time = report.time.unwrap_or_default().millis().div_euclid(1000) as u32;
    let mut content = vec![0, 2];
    content.extend(b"posinfo\0");
    for value in [p.lng, p.lat, p.altitude] {
        content.extend(value.to_le_bytes());
    }
    content.extend((p.kmh.round() as u16).to_be_bytes());
    content.extend((p.heading.round() as u16).to_be_bytes());
    content.push(if p.valid { 9 } else { 0 });
    let mut packet = speaker.device.clone().into_bytes();
    packet.push(0);
    packet.extend(time.to_be_bytes());
    packet.extend(1_u32.to_be_bytes());
    packet.extend(BLOCK.to_be_bytes());
    packet.extend((content.len() as u32).to_be_bytes());
    packet.extend(content);
    Sent::new([&(packet.len() as u32).to_le_bytes(), packet.as_slice()].concat(), TAKEN)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_packets;
    use super::RETRANSLATOR;

    #[test]
    fn packets_are_read_as_the_document_says() {
        // The example of the document, then a unit in alarm whose block is none.
        let example = "74000000 333533393736303133343435343835 00 4B0BFB70 00000003 \
            0BBB 00000027 01 02 706F73696E666F 00 A027AFDF5D984840 3AC7253383DD4B40 \
            0000000000805A40 0036 0146 0B 0BBB 00000012 00 04 7077725F657874 00 \
            2B8716D9CE973B40 0BBB 00000011 01 03 61766C5F696E70757473 00 00000001 \
            | 353976013445485 2009-11-24T15:27:44.000Z A 55.7305664,49.1903648 15m/s 326deg 106m \
            input_mask=1 power_volts=27.593 satellites=11 | <- \\x11 durable";
        let other = "0D000000 39393939 00 4B0BFB70 00000010 \
            | 9999 2009-11-24T15:27:44.000Z alarm=\"general\" | <- \\x11 durable";
        let wrong = "13000000 39393939 00 4B0BFB70 00000010 0BBC 00000000 \
            | ! malformed block `\\x0b\\xbc` can not be read | <- \\x11 durable";
        let file = [example, other, wrong].join("\n");
        check_packets(&RETRANSLATOR, &file);
    }
}

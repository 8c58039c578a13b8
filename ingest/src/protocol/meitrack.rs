//! Meitrack: text, and records of parameters by number in binary.
//!
//! ```text
//! $$<mark><length>,<id>,<command>,<content>*<sum>\r\n       length: from the first comma on
//! AAA   <event>,<lat>,<lng>,<yymmddhhmmss>,<A|V>,<satellites>,<signal>,<km/h>,<course>,<hdop>,
//!       <altitude>,<metres>,<seconds>,<mcc|mnc|area|cell>,<inputs, outputs hex>,
//!       <analogue 1|2|3|battery|power hex>,<event's value>,,<version>,<fuel hex>,<temperatures>
//! CCE   left u32 | count u16 | (length u16, parameters u16, n1 (id, u8).., n2 (id, u16)..,
//!       n4 (id, u32).., nn (id, length u8, bytes)..)..          little-endian
//!       an id of fe takes a second byte
//! AAC   <- @@<mark><length>,<id>,AAC,1*<sum>\r\n
//! sum   all bytes to the asterisk, added, two hex digits
//! ```
//! Source: Meitrack "GPRS Protocol" V2.x (T333, T366, MVT600, TC68) and "CCE data protocol".
//! Seconds of binary times count from 2000. Ignored: photographs (D00, D03), CCC.

use super::cursor::{Cursor, hex};
use super::fields::{Fields, decimal, hexadecimal, part};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{Telling, When, checksum, clock};
use crate::command::Command;
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest frame, bytes; pieces of photographs need most.
const FRAME_MAX: usize = 8 * 1024;
/// 2000-01-01, seconds.
const EPOCH_S: i64 = 946_684_800;

/// Meitrack.
pub(super) const MEITRACK: Wired = Wired {
    name: "meitrack",
    port: 5020,
    transports: TCP_UDP,
    signatures: &[Mark::Text("$$~%%,"), Mark::Text("$$~%%%,"), Mark::Text("$$~%%%%,")],
    models: &["Meitrack MVT100", "MVT380", "MVT600", "T1", "T333", "T366", "TC68", "P99"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Meitrack),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Meitrack;

impl Wire for Meitrack {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [b'\r' | b'\n', ..] => Cut::Skip(1),
            [b'$', b'$', _, rest @ ..] => {
                let digits = rest.iter().take(5).take_while(|b| b.is_ascii_digit()).count();
                match rest.get(digits) {
                    Some(b',') if digits > 0 => {
                        let number = |n: usize, b: &u8| n * 10 + usize::from(b - b'0');
                        let length = rest[..digits].iter().fold(0, number);
                        Cut::of_length(3 + digits + length, bytes, FRAME_MAX)
                    }
                    None if digits < 5 => Cut::Need,
                    _ => Cut::no_frame(bytes, "`$$`, a mark, a length and a comma"),
                }
            }
            [b'$', b'$'] | [b'$'] => Cut::Need,
            _ => Cut::no_frame(bytes, "`$$`"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let frame = frame.trim_ascii_end();
        let star = frame.len().saturating_sub(3);
        let sum = std::str::from_utf8(&frame[star.min(frame.len())..]).ok();
        let sent = sum.and_then(|s| hexadecimal(s.strip_prefix('*')?));
        let Some(sent) = sent else { return Err(Complaint::bad("checksum", frame)) };
        told.checksum(sent as u32, checksum::sum(&frame[..=star]).into())?;
        let body = &frame[..star];
        let mut parts = body.splitn(4, |b| *b == b',');
        let (Some(head), Some(id), Some(command)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(Complaint::bad("message", frame));
        };
        let content = parts.next().unwrap_or_default();
        told.from(&String::from_utf8_lossy(id))?;
        match command {
            b"CCE" => binary(content, told),
            b"CCC" => Ok(()),
            b"AAC" => {
                let rest = format!(",{},AAC,1*", String::from_utf8_lossy(id));
                let mark = head.get(2..3).unwrap_or_default();
                told.reply(packet(b"@@", mark, rest.as_bytes()), When::Immediate);
                Ok(())
            }
            b"AAA" | b"AFF" => {
                let content = String::from_utf8_lossy(content).into_owned();
                let mut fields = Fields::new(&content, ',');
                if command == b"AFF" {
                    fields.skip(1);
                }
                sentence(&mut fields, told)
            }
            [b'D' | b'B' | b'C' | b'E' | b'F', ..] => {
                let words = [command, b",", content].concat();
                told.report().set("command_result", String::from_utf8_lossy(&words).into_owned());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Commands of "MEITRACK GPRS Protocol": A10 position, A12 interval in tens of seconds, F02
    /// restart, C01 outputs (2: leave as it is).
    fn command(&mut self, telling: &Telling<'_>) -> Option<Vec<u8>> {
        let words = match telling.command {
            Command::Position => "A10".to_owned(),
            Command::Interval(seconds) => format!("A12,{}", seconds.div_ceil(10).min(65_535)),
            Command::Restart => "F02".to_owned(),
            Command::EngineStop => "C01,0,12222".to_owned(),
            Command::EngineResume => "C01,0,02222".to_owned(),
            Command::Text(words) if !words.contains('*') => words.clone(),
            Command::Text(_) => return None,
        };
        // The mark is any letter; the answer repeats it.
        let mark = [b'A' + (telling.number % 26) as u8];
        let rest = format!(",{},{words}*", telling.device);
        Some(packet(b"@@", &mark, rest.as_bytes()))
    }
}

/// A message of either side; `rest` begins with a comma and ends with the asterisk.
fn packet(start: &[u8], mark: &[u8], rest: &[u8]) -> Vec<u8> {
    let length = (rest.len() + 4).to_string();
    let mut out = [start, mark, length.as_bytes(), rest].concat();
    let sum = format!("{:02X}\r\n", checksum::sum(&out));
    out.extend(sum.as_bytes());
    out
}

/// Events that are alarms.
fn alarm(event: i64) -> Option<&'static str> {
    Some(match event {
        1 => "sos",
        17 => "lowBattery",
        18 => "lowPower",
        19 => "overspeed",
        20 => "geofenceEnter",
        21 => "geofenceExit",
        22 => "powerRestored",
        23 => "powerCut",
        36 => "tow",
        44 => "jamming",
        78 => "accident",
        129 => "hardBraking",
        130 => "hardAcceleration",
        135 => "fatigueDriving",
        _ => return None,
    })
}

fn sentence(fields: &mut Fields<'_>, told: &mut Told) -> Result<(), Complaint> {
    let event = fields.whole();
    let (lat, lng) = (fields.decimal(), fields.decimal());
    let time = fields.text();
    let valid = fields.text() == "A";
    let (Some(lat), Some(lng)) = (lat, lng) else {
        return Err(Complaint::bad("place", fields.rest().as_bytes()));
    };
    let draft = told.report();
    draft.maybe("event", event);
    draft.maybe("alarm", event.and_then(alarm));
    draft.time(clock::yymmddhhmmss(time));
    draft.maybe("satellites", fields.whole());
    draft.maybe("rssi", fields.whole());
    let (speed, heading) = (fields.decimal().map(|v| v / 3.6), fields.decimal());
    draft.maybe("hdop", fields.decimal());
    let altitude = fields.decimal();
    draft.at = Some(Measured { lat, lng, valid, speed, heading, altitude, accuracy: None });
    draft.maybe("odometer_metres", fields.whole());
    draft.maybe("running_seconds", fields.whole());
    fields.skip(1);
    let io = fields.text();
    if io.len() == 4 {
        draft.maybe("input_mask", hexadecimal(part(io, 0, 2)));
        draft.maybe("output_mask", hexadecimal(part(io, 2, 4)));
    }
    analogues(fields.text(), draft);
    let value = fields.text();
    match event {
        _ if value.is_empty() => {}
        Some(37) => draft.set("driver_id", value),
        _ => draft.set("event_value", value),
    }
    fields.skip(2);
    draft.maybe("fuel_percent", fields.hex().map(|v| v as f64 / 100.0));
    for one in fields.text().split('|').filter(|t| t.len() == 6) {
        let number = hexadecimal(part(one, 0, 2)).unwrap_or(0) as u16;
        let raw = hexadecimal(part(one, 2, 6)).map(|v| f64::from(v as i16) / 100.0);
        draft.maybe(("temperature_celsius", number), raw);
    }
    if let Some(meter) = fields.rest().split(',').find(|t| t.split('|').count() == 7) {
        taximeter(meter, draft);
    }
    Ok(())
}

/// State, start, end, distance, fare, trip, waiting.
fn taximeter(text: &str, draft: &mut Draft) {
    let mut fields = Fields::new(text, '|');
    fields.skip(1);
    draft.set("taximeter_start", fields.text());
    draft.set("taximeter_end", fields.text());
    draft.maybe("taximeter_distance", fields.whole());
    draft.maybe("taximeter_fare", fields.whole());
    draft.set("taximeter_trip", fields.text());
    draft.set("taximeter_wait", fields.text());
}

/// Three lines, battery, power: hex hundredths; or battery and power first, with points.
fn analogues(text: &str, draft: &mut Draft) {
    if text.contains('.') {
        let mut values = text.split('|').map(decimal);
        draft.maybe("battery_volts", values.next().flatten());
        draft.maybe("power_volts", values.next().flatten());
        return;
    }
    for (nth, value) in (1..=5).zip(text.split('|')) {
        let volts = hexadecimal(value).map(|v| v as f64 / 100.0);
        match nth {
            4 => draft.maybe("battery_volts", volts),
            5 => draft.maybe("power_volts", volts),
            _ => draft.maybe(("analog_volts", nth), volts),
        }
    }
}

fn binary(content: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let mut c = Cursor::new(content);
    c.skip(4)?;
    for _ in 0..c.u16_le()? {
        let length = usize::from(c.u16_le()?);
        record(&mut Cursor::new(c.take(length)?), told.report())?;
    }
    Ok(())
}

/// A parameter's number: one byte, two where the first is fe.
fn number(c: &mut Cursor<'_>) -> Result<u16, Complaint> {
    let first = c.u8()?;
    Ok(if first == 0xfe { 0xfe00 | u16::from(c.u8()?) } else { first.into() })
}

fn record(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    c.skip(2)?;
    let mut at = Measured::default();
    for _ in 0..c.u8()? {
        let (id, value) = (number(c)?, c.u8()?);
        match id {
            0x01 => draft.set("event", value),
            0x05 => at.valid = value != 0,
            0x06 => draft.set("satellites", value),
            0x07 => draft.set("rssi", value),
            0x14 => draft.set("output_mask", value),
            0x15 => draft.set("input_mask", value),
            0x47 => draft.set("locked", value > 0),
            0x97 => draft.set("throttle_percent", value),
            0x9d => draft.set("fuel_percent", value),
            0xfe69 => draft.set("battery_percent", value),
            _ => {}
        }
    }
    for _ in 0..c.u8()? {
        let (id, value) = (number(c)?, c.u16_le()?);
        let hundredths = f64::from(value) / 100.0;
        match id {
            0x08 => at.speed = Some(f64::from(value) / 3.6),
            0x09 => at.heading = Some(f64::from(value)),
            0x0a => draft.set("hdop", f64::from(value) / 10.0),
            0x0b => at.altitude = Some(f64::from(value as i16)),
            0x16..=0x18 => draft.set(("analog_volts", id - 0x15), hundredths),
            0x19 => draft.set("battery_volts", hundredths),
            0x1a => draft.set("power_volts", hundredths),
            0x29 => draft.set("fuel_percent", hundredths),
            0x40 => draft.set("event", value),
            0x91 | 0x92 => draft.set("obd_speed_mps", f64::from(value) / 3.6),
            0x98 => draft.set("fuel_used_litres", value),
            0x99 => draft.set("rpm", value),
            0x9c => draft.set("coolant_celsius", value as i16),
            0x9f => draft.set(("temperature_celsius", 1), value as i16),
            0xc9 => draft.set("fuel_litres_per_hour", value),
            _ => {}
        }
    }
    for _ in 0..c.u8()? {
        let (id, value) = (number(c)?, c.u32_le()?);
        match id {
            0x02 => at.lat = f64::from(value as i32) / 1e6,
            0x03 => at.lng = f64::from(value as i32) / 1e6,
            0x04 => draft.time(Some(Timestamp::from_seconds(EPOCH_S + i64::from(value)))),
            0x0c => draft.set("odometer_metres", value),
            0x0d => draft.set("running_seconds", value),
            0x25 => draft.set("driver_id", value.to_string()),
            0x9b => draft.set("obd_odometer_metres", value),
            _ => {}
        }
    }
    draft.at = Some(at);
    for _ in 0..c.u8()? {
        let id = number(c)?;
        let length = usize::from(c.u8()?);
        let mut value = Cursor::new(c.take(length)?);
        if id == 0xfe73 {
            tag(&mut value, draft)?;
        }
    }
    Ok(())
}

/// A Bluetooth thermometer: its name, address, battery, temperature, humidity.
fn tag(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    c.skip(1)?;
    let length = usize::from(c.u8()?);
    draft.set(("tag_name", 0), String::from_utf8_lossy(c.take(length)?).into_owned());
    draft.set(("tag_mac", 0), hex(c.take(6)?));
    draft.set(("tag_battery_percent", 0), c.u8()?);
    draft.set(("tag_temperature_celsius", 0), f64::from(c.i16_le()?) / 256.0);
    draft.set(("tag_humidity_percent", 0), f64::from(c.u16_le()?) / 256.0);
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let mark = [b'A' + (speaker.next() % 26) as u8];
    let rest = format!(
        ",{},AAA,35,{:.6},{:.6},{}{},{},9,20,{:.1},{},0.8,{},0,0,0|0|0|0,0000,0|0|0|18D|4C6,,,1,0*",
        speaker.device,
        p.lat,
        p.lng,
        p.yymmdd(),
        p.hhmmss(),
        p.status(),
        p.kmh,
        p.degrees(),
        p.altitude.round(),
    );
    Sent::unanswered(packet(b"$$", &mark, rest.as_bytes()))
}

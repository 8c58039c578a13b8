//! Suntech: fields between semicolons, each message ended by CR; and the "universal" binary form.
//!
//! ```text
//! ST300<type>;<id>;<model>;<version>;<yyyymmdd>;<hh:mm:ss>;<cell>;[mcc;mnc;area;signal;]<lat>;<lng>
//!   ;<km/h>;<course>;<satellites>;<fix>;<metres>;<power V>;<io>;..       ST340, ST600 likewise
//!   STT mode;number;minutes on;battery V;live      ALT, EMG, EVT code      UEX length;text
//! SA200<type>;<id>;<version>;..                    ST910;<type>;<id>;<version>;..
//! <type>;<id>;<mask>;<model>;<version>;<live>;<date>;<time>;<cell>;<mcc>;<mnc>;<area>;<signal>
//!   ;<lat>;<lng>;<km/h>;<course>;<satellites>;<fix>;<inputs>;<outputs>;..     ST4300 family
//! io      ignition, inputs 1 to 3, outputs 1 and 2, one digit each
//! 02 | length u16 | kind | id 9 digits | .. | places in binary, see `suntech/peripheral.rs` | 03
//! 8x | length u16 | id 5 BCD | mask u24 | a value for each bit, as the text's order
//! ```
//! Nothing is answered. Source: Suntech "ST300, ST600, ST910 and universal protocol" manuals.
//! Ignored: cells. What peripherals say is in `suntech/peripheral.rs`.

use super::cursor::{Cursor, digits_of};
use super::fields::{decimal, text, trimmed, with_fields};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{Telling, clock, scan};
use crate::command::Command;
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 2 * 1024;
/// Most fields looked at.
const FIELDS_MAX: usize = 160;

mod peripheral;

/// Suntech.
pub(super) const SUNTECH: Wired = Wired {
    name: "suntech",
    port: 5011,
    transports: TCP_UDP,
    signatures: &[
        Mark::Text("ST%%%"),
        Mark::Text("SA%%%"),
        Mark::Text("~~~;"),
        Mark::Bytes(&[0x81, 0]),
        Mark::Bytes(&[0x82, 0]),
        Mark::Bytes(&[2, 0]),
    ],
    models: &["Suntech ST300", "ST310", "ST340", "ST600", "ST910", "ST4300", "SA200"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Suntech),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Suntech;

impl Wire for Suntech {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        match bytes {
            [0x02, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low])) + 4;
                Cut::of_length(length, bytes, LINE_MAX)
            }
            [0x80..=0x8f | 0x01..=0x04, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low])) + 3;
                Cut::of_length(length, bytes, LINE_MAX)
            }
            [0x80..=0x8f | 0x01..=0x04, ..] => Cut::Need,
            [b'\r' | b'\n', ..] => Cut::Skip(1),
            _ => match peripheral::end(bytes) {
                Some(end) if end <= LINE_MAX && (bytes.len() >= end || !whole) => {
                    let rest = bytes.get(end..).unwrap_or_default();
                    let seen = &rest[..rest.len().min(LINE_MAX)];
                    match scan::find(seen, b'\r') {
                        Some(at) => Cut::Frame { from: 0, to: end + at, next: end + at + 1 },
                        None => Cut::unended(bytes.len(), whole, 2 * LINE_MAX),
                    }
                }
                _ => Cut::line(bytes, b"\r", whole, LINE_MAX),
            },
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        match frame.first() {
            Some(0x80..=0x8f) => universal_binary(frame, told),
            Some(0x02) => peripheral::packed(frame, told),
            Some(0x01..=0x04) => Ok(()),
            _ => {
                // What a card reader says may be bytes.
                match text(frame) {
                    Ok(line) => sentence(trimmed(line), told),
                    Err(_) => sentence(String::from_utf8_lossy(frame).trim(), told),
                }
            }
        }
    }

    /// Commands of "ST300 Protocol": `SA200` for all that speak the semicolon form; output 1 cuts.
    fn command(&mut self, telling: &Telling<'_>) -> Option<Vec<u8>> {
        let device = telling.device;
        let line = match telling.command {
            Command::Position => format!("SA200CMD;{device};02;StatusReq\r"),
            Command::Restart => format!("SA200CMD;{device};02;Reboot\r"),
            Command::EngineStop => format!("SA200CMD;{device};02;Enable1\r"),
            Command::EngineResume => format!("SA200CMD;{device};02;Disable1\r"),
            Command::Text(words) => format!("{words}\r"),
            Command::Interval(_) => return None,
        };
        Some(line.into_bytes())
    }
}

fn sentence(line: &str, told: &mut Told) -> Result<(), Complaint> {
    with_fields::<FIELDS_MAX, _>(line, ';', trimmed, |fields| message_of(line, fields, told))
}

fn message_of(line: &str, f: &[&str], told: &mut Told) -> Result<(), Complaint> {
    let head = f[0];
    let split = head.len().saturating_sub(3);
    let (family, word) = (head.get(..split).unwrap_or(""), head.get(split..).unwrap_or(""));
    let id = if family == "ST910" || head == "ST910" || word == "CMD" { 2 } else { 1 };
    let id = f.get(id).filter(|id| !id.is_empty());
    told.from(id.ok_or_else(|| Complaint::bad("message", line.as_bytes()))?)?;
    match word {
        "ALV" => return Ok(()),
        "CMD" | "RES" => {
            let draft = told.report();
            draft.set("message_type", word);
            let from = if word == "CMD" { 3 } else { 2 };
            draft.set("command_result", f.get(from..).unwrap_or_default().join(";"));
            return Ok(());
        }
        "HTE" => {
            let draft = told.report();
            draft.maybe("driver_id", f.last().copied());
            return Ok(());
        }
        _ => {}
    }
    let Some(date) = (2..f.len().saturating_sub(2)).find(|at| dated(f, *at)) else {
        return Err(Complaint::bad("message", line.as_bytes()));
    };
    let angle = |at: &usize| f[*at].contains('.') && decimal(f[*at]).is_some();
    let place = (date + 2..f.len().saturating_sub(3)).find(|at| angle(at) && angle(&(at + 1)));
    let Some(place) = place else { return Err(Complaint::bad("message", line.as_bytes())) };
    let draft = told.report();
    position(f, date, place, draft);
    if head != "ST910" {
        draft.set("message_type", word);
    }
    match (family, word) {
        ("", "BLE") => {
            draft.set("firmware", f[date - 1]);
            peripheral::tags(f.get(place + 2..).unwrap_or_default(), draft);
        }
        ("", _) => universal(word, f, date, place, draft),
        ("ST", "910") => {
            draft.set("firmware", f[date - 1]);
            if f[1] == "Location" {
                draft.maybe("odometer_metres", whole(f, place + 5));
            }
            if matches!(f[1], "Alert" | "Emergency") {
                draft.alarm("general");
            }
        }
        ("ST410", _) => goods(f, date, place, draft),
        _ => vehicle(word, f, date, place, draft),
    }
    Ok(())
}

/// Whether `yyyymmdd;hh:mm:ss` stands here.
fn dated(f: &[&str], at: usize) -> bool {
    f[at].len() == 8 && f[at].bytes().all(|b| b.is_ascii_digit()) && f[at + 1].contains(':')
}

fn position(f: &[&str], date: usize, place: usize, draft: &mut Draft) {
    draft.time(clock::yyyymmdd_hhmmss(f[date], f[date + 1]));
    let number = |at: usize| f.get(at).and_then(|t| decimal(t));
    // Satellites and fix; ST910 gives the fix alone.
    let fix = if f[0] == "ST910" { place + 4 } else { place + 5 };
    draft.at = Some(Measured {
        lat: number(place).unwrap_or(0.0),
        lng: number(place + 1).unwrap_or(0.0),
        valid: f.get(fix).is_some_and(|v| *v == "1") || f[0] == "BLE",
        speed: number(place + 2).map(|v| v / 3.6).filter(|_| f[0] != "BLE"),
        heading: number(place + 3).filter(|_| f[0] != "BLE"),
        ..Measured::default()
    });
    if fix == place + 5 && f[0] != "BLE" {
        draft.maybe("satellites", f.get(place + 4).and_then(|t| t.parse::<i64>().ok()));
    }
}

fn whole(f: &[&str], at: usize) -> Option<i64> {
    f.get(at)?.parse().ok()
}

/// ST300 and ST600: behind the fix.
fn vehicle(word: &str, f: &[&str], date: usize, place: usize, draft: &mut Draft) {
    draft.set("firmware", f[date - 1]);
    draft.maybe("odometer_metres", whole(f, place + 6));
    draft.maybe("power_volts", f.get(place + 7).and_then(|t| decimal(t)));
    let io = f.get(place + 8).copied().unwrap_or("");
    if io.len() >= 6 {
        let set = |at: usize| io.as_bytes()[at] == b'1';
        draft.set("ignition", set(0));
        for nth in 1..=3 {
            draft.set(("input", nth), set(usize::from(nth)));
        }
        draft.set(("output", 1), set(4));
        draft.set(("output", 2), set(5));
    }
    let code = whole(f, place + 9);
    let mut meters = place + 10;
    match word {
        "STT" => {
            draft.maybe("status", code);
            draft.maybe("record_number", whole(f, place + 10));
            meters = place + 11;
        }
        "ALT" => draft.maybe("alarm", code.and_then(alert)),
        "EMG" => draft.maybe("alarm", code.and_then(emergency)),
        "EVT" => {
            draft.maybe("event", code);
            draft.maybe("record_number", whole(f, place + 11));
            meters = place + 12;
        }
        "UEX" => {
            peripheral::said(f.get(place + 10..).unwrap_or_default(), draft);
            return;
        }
        _ => return,
    }
    let minutes = f.get(meters).filter(|t| t.len() >= 6 && t.bytes().all(|b| b.is_ascii_digit()));
    let Some(minutes) = minutes.and_then(|t| t.parse::<i64>().ok()) else { return };
    draft.set("engine_on_seconds", minutes.saturating_mul(60));
    draft.maybe("battery_volts", f.get(meters + 1).and_then(|t| decimal(t)));
    if f.get(meters + 2) == Some(&"0") {
        draft.set("archive", true);
    }
    peripheral::lines(f.get(meters + 3..).unwrap_or_default(), draft);
}

/// The universal form: behind version and fix.
fn universal(word: &str, f: &[&str], date: usize, place: usize, draft: &mut Draft) {
    draft.set("firmware", f[date - 2]);
    if f[date - 1] == "0" {
        draft.set("archive", true);
    }
    draft.maybe("rssi", whole(f, place - 1));
    let bits = |at: usize| f.get(at).and_then(|t| i64::from_str_radix(t, 2).ok());
    let inputs = bits(place + 6);
    draft.maybe("ignition", inputs.map(|bits| bits & 1 != 0));
    draft.maybe("input_mask", inputs);
    draft.maybe("output_mask", bits(place + 7));
    let code = whole(f, place + 8);
    match word {
        "STT" => {
            draft.maybe("mode", code);
            draft.maybe("reason", whole(f, place + 9));
            draft.maybe("record_number", whole(f, place + 10));
            peripheral::assigned(f.get(place + 11..).unwrap_or_default(), draft);
        }
        "ALT" => {
            draft.maybe("alarm", code.and_then(alert));
            draft.maybe("alarm_modifier", whole(f, place + 9));
            peripheral::assigned(f.get(place + 10..).unwrap_or_default(), draft);
        }
        "UEX" => {
            peripheral::said(f.get(place + 9..).unwrap_or_default(), draft);
            peripheral::assigned(f.get(place + 11..).unwrap_or_default(), draft);
        }
        _ => {}
    }
}

/// ST410 counts cells before its date; the battery is the last number with a point among them.
fn goods(f: &[&str], date: usize, place: usize, draft: &mut Draft) {
    draft.maybe("firmware", f.get(2).copied());
    let Some(battery) = (3..date).rev().find(|at| f[*at].contains('.')) else { return };
    draft.maybe("battery_volts", decimal(f[battery]));
    draft.maybe("record_number", whole(f, battery + 2));
    draft.maybe("status", whole(f, battery + 3));
    draft.maybe("satellites", whole(f, place + 4));
}

/// Codes of ALT.
fn alert(code: i64) -> Option<&'static str> {
    Some(match code {
        1 => "overspeed",
        5 => "geofenceExit",
        6 => "geofenceEnter",
        14 => "lowBattery",
        15 => "vibration",
        16 => "accident",
        40 => "powerRestored",
        41 => "powerCut",
        42 => "sos",
        46 => "hardAcceleration",
        47 => "hardBraking",
        48 => "hardCornering",
        50 => "jamming",
        _ => return None,
    })
}

/// Codes of EMG.
fn emergency(code: i64) -> Option<&'static str> {
    Some(match code {
        1 => "sos",
        2 => "parking",
        3 => "powerCut",
        5 | 6 => "door",
        7 => "movement",
        8 => "vibration",
        _ => return None,
    })
}

/// The binary form: a value for each bit of the mask, lowest first.
fn universal_binary(frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let mut c = Cursor::new(frame);
    c.skip(3)?;
    told.from(&digits_of(c.take(5)?))?;
    let mask = c.u24()?;
    let draft = told.report();
    let has = |bit: u32| mask >> bit & 1 != 0;
    let mut six = [0_u8; 6];
    let mut at = Measured::default();
    let angle = |raw: u32| {
        let size = f64::from(raw & 0x7fff_ffff) / 1e6;
        if raw & 0x8000_0000 == 0 { size } else { -size }
    };
    for bit in (1..20).filter(|bit| has(*bit)) {
        match bit {
            1 => c.skip(1)?,
            2 => draft.set("firmware", format!("{}.{}.{}", c.u8()?, c.u8()?, c.u8()?)),
            3 if c.u8()? == 0 => draft.set("archive", true),
            4 => six[..3].copy_from_slice(c.take(3)?),
            5 => six[3..].copy_from_slice(c.take(3)?),
            6 => c.skip(4)?,
            7..=9 => c.skip(2)?,
            10 => draft.set("rssi", c.u8()?),
            11 => at.lat = angle(c.u32()?),
            12 => at.lng = angle(c.u32()?),
            13 => at.speed = Some(f64::from(c.u16()?) / 360.0),
            14 => at.heading = Some(f64::from(c.u16()?) / 100.0),
            15 => draft.set("satellites", c.u8()?),
            16 => at.valid = c.u8()? != 0,
            17 => {
                let inputs = c.u8()?;
                draft.set("ignition", inputs & 1 != 0);
                draft.set("input_mask", inputs);
            }
            18 => draft.set("output_mask", c.u8()?),
            _ => {}
        }
    }
    draft.time(clock::six_bytes(six));
    draft.at = Some(at);
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let c = &p.civil;
    let number = speaker.next() % 10_000;
    Sent::unanswered(format!(
        "ST300STT;{};08;1080;{:04}{:02}{:02};{:02}:{:02}:{:02};00000;{:+.6};{:+.6};{:07.3};{:06.2};\
         9;{};0;12.00;{}00000;1;{number:04}\r",
        speaker.device,
        c.year,
        c.month,
        c.day,
        c.hour,
        c.minute,
        c.second,
        p.lat,
        p.lng,
        p.kmh,
        p.heading,
        u8::from(p.valid),
        u8::from(flag(report, "ignition").unwrap_or(false)),
    ))
}

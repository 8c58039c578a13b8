//! AIS 140, India's standard for vehicle trackers, and its many readings.
//!
//! ```text
//! $<head>,<vendor>,<version>,<kind 2>,<event>,<L|H>,<IMEI>,<plate>,<fix>,ddmmyyyy,hhmmss,
//!   <lat>,<N|S>,<lng>,<E|W>,<km/h>,<course>,<satellites>,<altitude>,<PDOP>,<HDOP>,<operator>,
//!   <ignition>,<main power>,<power V>,<battery V>,<emergency>,<C|O>,<signal>,<mcc>,<mnc>,..,
//!   <inputs 4 bits>,<outputs 2 bits>,<number>,[<km>,<volts>..],<sum>*
//! $,<nn>,<vendor>,<version>,<IMEI>,<plate>,                            <- $,1,*
//! $..HBT..  <- $HBT*
//! ```
//! Angles anchor a message: whatever a maker puts in front, date and time stand before the
//! latitude and all else behind the longitude. `H` is a record kept while offline.
//!
//! Source: ARAI "AIS-140 (Rev 1)", annexure on message format. Ignored: neighbouring cells, what
//! makers put behind the number of the frame but for the distance, two voltages, axes and angles.

use super::fields::{decimal, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, Fault, TCP, Told, Wire, Wired};
use super::{When, angle, clock};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
/// Most fields looked at.
const FIELDS_MAX: usize = 96;

/// AIS 140.
pub(super) const ITS: Wired = Wired {
    name: "its",
    port: 5179,
    transports: TCP,
    signatures: &[
        Mark::Text("$,"),
        Mark::Text("$Header,"),
        Mark::Text("$~~~,"),
        Mark::Text("$TEL%"),
    ],
    models: &["AIS 140", "iTriangle", "Roadpoint", "Atlanta", "Transight", "APM Kingstrack"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Its),
    login: |speaker| Sent::new(format!("$,01,MILE,1.0,{},NA,\r\n", speaker.device), "$,1,*"),
    message,
};

#[derive(Debug)]
struct Its;

impl Wire for Its {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'$', bytes) {
            return skip;
        }
        let seen = &bytes[..bytes.len().min(LINE_MAX)];
        for (at, byte) in seen.iter().enumerate().skip(1) {
            match byte {
                b'\r' | b'\n' | b'$' => return Cut::Frame { from: 0, to: at, next: at },
                b'*' => {
                    if let Some(to) = before_star(&seen[..at]) {
                        return Cut::Frame { from: 0, to, next: at + 1 };
                    }
                }
                _ => {}
            }
        }
        match bytes.len() {
            LINE_MAX.. => Cut::Bad { fault: Fault::Long("line", LINE_MAX), skip: LINE_MAX },
            length if whole => Cut::frame(length),
            _ => Cut::Need,
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let mut all = [""; FIELDS_MAX];
        let mut count = 0;
        for (field, slot) in line.trim_start_matches('$').split(',').zip(&mut all) {
            *slot = field.trim();
            count += 1;
        }
        let f = &all[..count];
        let imei = |t: &&&str| t.len() == 15 && t.bytes().all(|b| b.is_ascii_digit());
        let id = f.iter().find(imei).ok_or_else(|| Complaint::bad("IMEI", frame))?;
        told.from(id)?;
        let sided = |at: &usize| {
            matches!(f[at + 1], "N" | "S")
                && matches!(f[at + 3], "E" | "W")
                && decimal(f[*at]).is_some()
        };
        let place = (3..count.saturating_sub(3)).find(sided).filter(|at| dated(f, *at).is_some());
        let Some(place) = place else {
            if f.contains(&"HBT") || f[0] == "HBT" {
                told.reply("$HBT*", When::Immediate);
            } else if f[0].is_empty() {
                told.reply("$,1,*", When::Immediate);
            }
            return Ok(());
        };
        let draft = told.report();
        position(f, place, draft);
        head(f, place, draft);
        Ok(())
    }
}

/// Where a message ends whose star ends it: behind its last comma, behind a sum in hex digits, or
/// before a sum in one byte. `None` where the sum follows the star.
fn before_star(bytes: &[u8]) -> Option<usize> {
    let comma = bytes.iter().rposition(|b| *b == b',')?;
    match &bytes[comma + 1..] {
        [] => Some(bytes.len()),
        // What may be the side of an angle.
        [b'N' | b'S' | b'E' | b'W'] => None,
        [_] => Some(comma + 1),
        sum if sum.len() <= 8 && sum.iter().all(u8::is_ascii_hexdigit) => Some(bytes.len()),
        _ => None,
    }
}

/// The date before a latitude: two fields, six fields, or all in one.
fn dated(f: &[&str], place: usize) -> Option<crate::time::Timestamp> {
    let digits = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit())
    };
    // The validity may stand between date and latitude.
    let end = if matches!(f[place - 1], "A" | "V" | "0" | "1") { place - 1 } else { place };
    let (last, before) = (f[end - 1], f[end - 2]);
    if digits(last, 14) {
        return of_digits(last.get(..8)?, last.get(8..)?);
    }
    if digits(last, 6) && (digits(before, 8) || digits(before, 6)) {
        return of_digits(before, last);
    }
    let six = f.get(end.checked_sub(6)?..end)?;
    let number = |at: usize| six.get(at)?.parse::<u32>().ok();
    clock::civil([number(2)?, number(1)?, number(0)?, number(3)?, number(4)?, number(5)?])
}

/// `ddmmyyyy` or `ddmmyy`, and `hhmmss`.
fn of_digits(date: &str, time: &str) -> Option<crate::time::Timestamp> {
    let [day, month] = clock::pairs(date)?;
    let [hour, minute, second] = clock::pairs(time)?;
    clock::civil([date.get(4..)?.parse().ok()?, month, day, hour, minute, second])
}

fn position(f: &[&str], place: usize, draft: &mut Draft) {
    let number = |on: usize| f.get(place + on).and_then(|t| decimal(t));
    let whole = |on: usize| f.get(place + on).and_then(|t| t.parse::<i64>().ok());
    draft.time(dated(f, place));
    let lat = angle::signed(number(0).unwrap_or(0.0), f[place + 1]).unwrap_or(0.0);
    let lng = angle::signed(number(2).unwrap_or(0.0), f[place + 3]).unwrap_or(0.0);
    let unfixed =
        matches!(f[place - 1], "V" | "0") || f[place - 3] == "0" && f[place - 1].len() == 6;
    let emergency = f.contains(&"EPB");
    draft.at = Some(Measured {
        lat,
        lng,
        valid: !unfixed,
        speed: number(4).map(|v| v / 3.6).filter(|_| !emergency),
        heading: number(5).filter(|_| !emergency),
        altitude: number(7).filter(|_| !emergency),
        accuracy: None,
    });
    if emergency {
        return;
    }
    draft.maybe("satellites", whole(6));
    draft.maybe("pdop", number(8));
    draft.maybe("hdop", number(9));
    draft.maybe("operator", f.get(place + 10).copied());
    let bit = |on: usize| match f.get(place + on) {
        Some(&"0") => Some(false),
        Some(&"1") => Some(true),
        _ => None,
    };
    draft.maybe("ignition", bit(11));
    draft.maybe("charging", bit(12));
    draft.maybe("power_volts", number(13));
    draft.maybe("battery_volts", number(14));
    draft.maybe("emergency", bit(15));
    draft.maybe("rssi", whole(17));
    behind(f, place + 18, draft);
}

/// Inputs, outputs, number of the frame, and what some put behind.
fn behind(f: &[&str], from: usize, draft: &mut Draft) {
    let bits = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0' | b'1'))
    };
    let lines = |at: &usize| bits(f[*at], 4) && bits(f[at + 1], 2) && f[at + 2].len() >= 4;
    let Some(at) = (from..f.len().saturating_sub(2)).rev().find(lines) else { return };
    draft.maybe("input_mask", i64::from_str_radix(f[at], 2).ok());
    draft.maybe("output_mask", i64::from_str_radix(f[at + 1], 2).ok());
    // Two voltages, three axes in g, two angles.
    let axes = f.get(at + 5..at + 10).filter(|rest| rest[..3].iter().all(|v| v.contains('.')));
    if let Some([x, y, z, tilt_y, tilt_x]) = axes {
        draft.set("acceleration", format!("[{x},{y},{z}]"));
        draft.maybe("tilt_y_degrees", decimal(tilt_y));
        draft.maybe("tilt_x_degrees", decimal(tilt_x));
    }
    // Two voltages and a whole number, or the distance first.
    let pointed = |on: usize| f.get(at + on).filter(|t| t.contains('.')).and_then(|t| decimal(t));
    let (first, second) = (pointed(3), pointed(4));
    if second.is_some() && f.get(at + 5).is_some_and(|t| t.parse::<u32>().is_ok()) {
        draft.maybe(("analog_volts", 1), first);
        draft.maybe(("analog_volts", 2), second);
    } else {
        draft.maybe("odometer_metres", first.map(|v| v * 1000.0));
        draft.maybe(("analog_volts", 1), second);
    }
}

/// Kind and event before the IMEI.
fn head(f: &[&str], place: usize, draft: &mut Draft) {
    let kind = |at: &usize| {
        let text = f[*at];
        text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
    };
    let Some(at) = (0..place.min(8)).find(kind) else { return };
    if let Some(event) = f[at + 1].parse::<i64>().ok().filter(|_| f[at + 1].len() <= 2) {
        draft.set("event", event);
    }
    if f.get(at + 1..=at + 2).is_some_and(|next| next.contains(&"H")) {
        draft.set("archive", true);
    }
    let alarm = match f[at] {
        "EA" => "sos",
        "TA" => "tampering",
        "BD" => "powerCut",
        "BR" => "powerRestored",
        "BL" => "lowBattery",
        "HB" => "hardBraking",
        "HA" => "hardAcceleration",
        "RT" => "hardCornering",
        "OS" => "overspeed",
        "GE" => "geofenceEnter",
        "GX" => "geofenceExit",
        _ => return,
    };
    draft.alarm(alarm);
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let c = &p.civil;
    let number = speaker.next() % 1_000_000;
    Sent::unanswered(format!(
        "$,MILE,MILE,1.0,NR,01,L,{},NA,{},{:02}{:02}{:04},{},{:.6},{},{:.6},{},{:.1},{:.1},9,{:.1},\
         1.0,0.8,NA,{},1,12.0,4.1,0,C,20,404,45,0,0,0000,00,{number:06},00,*\r\n",
        speaker.device,
        u8::from(p.valid),
        c.day,
        c.month,
        c.year,
        p.hhmmss(),
        p.lat.abs(),
        angle::north(p.lat),
        p.lng.abs(),
        angle::east(p.lng),
        p.kmh,
        p.heading,
        p.altitude,
        u8::from(flag(report, "ignition").unwrap_or(false)),
    ))
}

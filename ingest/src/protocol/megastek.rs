//! Megastek: an own sentence (MGV002), and RMC with things behind it (STX).
//!
//! ```text
//! [<length 4>]$MGV002,<id>,<name>,<R|S>,ddmmyy,hhmmss,<A|V>,<lat>,<N|S>,<lng>,<E|W>,..,
//!   <satellites>,..,<HDOP>,<knots>,<course>,<altitude>,<km>,<mcc>,<mnc>,<area>,<cell>,<signal>,..,
//!   <temperature 1>,<2>,<driver>,<charging, belt>,<percent>,<why>,..;!
//! [LOG]STX,<id>,$GPRMC,..*hh,<F|L>,<alarm>,imei:<id>,<used>[/<seen>],<altitude>,Battery=<n>%,
//!   <charging>,<mcc>,<mnc>,<area>,<cell>;hh
//! STX<id, filled to 17>$GPRMC,..*hh,<mcc>,<mnc>,<area>,<cell>,<signal>,<percent>,<flags>,
//!   <inputs>,<outputs>,<analogue>..,<why>;hh
//! ```
//! `S` is a record kept while offline. Nothing is answered. Source: Megastek "GVT and MT
//! protocol" V1.6. Ignored: access points, cells, the checksum behind `;` (its rule is not given).

use super::fields::{Fields, decimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{angle, clock};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// Megastek.
pub(super) const MEGASTEK: Wired = Wired {
    name: "megastek",
    port: 5024,
    transports: TCP,
    signatures: &[
        Mark::Text("STX"),
        Mark::Text("LOGSTX,"),
        Mark::Text("$MGV"),
        Mark::Text("%%%%$MGV"),
        Mark::Text("%%%%$"),
    ],
    models: &["Megastek GVT-900", "GVT-380", "MT-90", "MT-100", "GPT-30"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Megastek),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Megastek;

impl Wire for Megastek {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        let digits = bytes.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 && digits == bytes.len() && digits < 5 && !whole {
            return Cut::Need;
        }
        if digits == 4 && bytes.get(4) == Some(&b'$') {
            let length = bytes[..4].iter().fold(0, |n, b| n * 10 + usize::from(b - b'0'));
            return Cut::of_length(4 + length, bytes, LINE_MAX);
        }
        Cut::line(bytes, b"!\r\n", whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let bad = || Complaint::bad("message", frame);
        if let Some(at) = line.find("$MGV") {
            let line = part(line, at, line.len());
            return own(line.split(';').next().unwrap_or(line), told);
        }
        let stx = line.find("STX").ok_or_else(bad)?;
        let (id, sentence) = part(line, stx + 3, line.len()).split_once('$').ok_or_else(bad)?;
        told.from(id.trim_matches([',', ' ']))?;
        let sentence = sentence.split(';').next().unwrap_or(sentence);
        let draft = told.report();
        let rest = rmc(sentence, draft).ok_or_else(bad)?;
        if id.starts_with(',') {
            behind_words(rest, draft);
        } else {
            behind_columns(rest, draft);
        }
        Ok(())
    }
}

/// Reads `GPRMC,..` and gives what stands behind its checksum.
fn rmc<'a>(sentence: &'a str, draft: &mut Draft) -> Option<&'a str> {
    let mut f = Fields::new(sentence, ',');
    f.skip(1);
    let time = f.text();
    let valid = f.text() == "A";
    let lat = angled(&mut f)?;
    let lng = angled(&mut f)?;
    let (knots, heading) = (f.decimal(), f.decimal());
    let speed = knots.map(|k| k * KNOT_MPS);
    draft.time(clock::ddmmyy_hhmmss(f.text(), time));
    draft.at = Some(Measured { lng, lat, valid, speed, heading, ..Measured::default() });
    let behind = sentence.split_once('*').map_or("", |(_, behind)| behind);
    Some(behind.split_once(',').map_or("", |(_, rest)| rest))
}

fn angled(fields: &mut Fields<'_>) -> Option<f64> {
    let (value, side) = (fields.text(), fields.text());
    angle::sided(value, side)
}

fn behind_words(rest: &str, draft: &mut Draft) {
    let mut f = Fields::new(rest, ',');
    f.skip(3);
    let (used, seen) = {
        let text = f.text();
        text.split_once('/').unwrap_or((text, ""))
    };
    draft.maybe("satellites", used.parse::<i64>().ok());
    draft.maybe("satellites_in_view", seen.parse::<i64>().ok());
    let altitude = f.decimal();
    if let Some(at) = &mut draft.at {
        at.altitude = altitude;
    }
    let battery = f.text().strip_prefix("Battery=").and_then(|t| decimal(t.trim_end_matches('%')));
    draft.maybe("battery_percent", battery);
    let state = f.text();
    match if state.is_empty() { f.text() } else { state } {
        "1" => draft.set("charging", true),
        "0" => draft.set("charging", false),
        _ => {}
    }
}

fn behind_columns(rest: &str, draft: &mut Draft) {
    let mut f = Fields::new(rest, ',');
    f.skip(5);
    draft.maybe("battery_percent", f.decimal());
    draft.set("flags", f.text());
    draft.maybe("input_mask", i64::from_str_radix(f.text(), 2).ok());
    let outputs = f.text();
    if outputs.len() < 4 {
        return;
    }
    draft.maybe("output_mask", i64::from_str_radix(outputs, 2).ok());
    for nth in 1..=3 {
        draft.maybe(("analog_volts", nth), f.decimal());
    }
}

/// MGV002.
fn own(line: &str, told: &mut Told) -> Result<(), Complaint> {
    let mut f = Fields::new(line, ',');
    f.skip(1);
    told.from(f.text())?;
    f.skip(1);
    let kept = f.text() == "S";
    let (date, time) = (f.text(), f.text());
    let valid = f.text() == "A";
    let (lat, lng) = (angled(&mut f), angled(&mut f));
    let (Some(lat), Some(lng)) = (lat, lng) else { return Ok(()) };
    let draft = told.report();
    if kept {
        draft.set("archive", true);
    }
    draft.time(clock::ddmmyy_hhmmss(date, time));
    f.skip(1);
    draft.maybe("satellites", f.whole());
    f.skip(1);
    draft.maybe("hdop", f.decimal());
    let speed = f.decimal().map(|k| k * KNOT_MPS);
    let (heading, altitude) = (f.decimal(), f.decimal());
    draft.at = Some(Measured { lng, lat, valid, speed, heading, altitude, accuracy: None });
    draft.maybe("odometer_metres", f.decimal().map(|v| v * 1000.0));
    f.skip(5);
    // A watch counts where others have lines.
    let beats = f.clone().text();
    if !beats.is_empty() && beats.len() < 4 {
        draft.maybe("heart_rate", f.whole());
        draft.maybe("steps", f.whole());
        draft.maybe("activity_seconds", f.whole());
        draft.maybe("light_sleep", f.whole());
        draft.maybe("deep_sleep", f.whole());
    } else {
        f.skip(5);
    }
    for nth in 1..=2 {
        let value = f.text();
        let celsius = decimal(value).filter(|_| value.contains('.'));
        draft.maybe(("temperature_celsius", nth), celsius);
    }
    f.skip(1);
    let state = f.text();
    match state.as_bytes() {
        [_, _, _, _, ..] => draft.set("driver_id", state),
        [charging @ (b'0' | b'1'), rest @ ..] => {
            draft.set("charging", *charging == b'1');
            if let Some(belt @ b'0'..=b'9') = rest.first() {
                draft.set("belt", belt - b'0');
            }
        }
        _ => {}
    }
    draft.maybe("battery_percent", f.whole());
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    Sent::unanswered(format!(
        "$MGV002,{},,R,{},{},{},{},{},{},{},00,09,00,0.80,{:.3},{:.2},{:.1},0.0,,,,,20,,,,,,,,,10,100,\
         Timer;!",
        speaker.device,
        p.ddmmyy(),
        p.hhmmss(),
        p.status(),
        angle::shown(p.lat, 2, 5),
        angle::north(p.lat),
        angle::shown(p.lng, 3, 5),
        angle::east(p.lng),
        p.knots,
        p.heading,
        p.altitude,
    ))
}

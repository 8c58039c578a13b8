//! Totem: text by fixed columns (AT07, AT09) and by bars (AT05).
//!
//! ```text
//! $$<length 4><kind 2><id 15>|..<serial 4><xor 2>       <- $$0014AA<serial><xor>
//!   columns  status 8 hex | yymmddhhmmss | battery, power, lines, temperatures, cell by length
//!            | satellites 2 | signal 2 | course 3 | km/h 3 | HDOP 4 | km 7 | ddmm.mmmmN
//!            | dddmm.mmmmE
//!   E2       yymmddhhmmss,<lng>,<lat>,<driver>|
//!   E5       yymmddhhmmss,<lng>,<lat>,$Cloud,km,l,..,mV,rpm,km/h,..,..,coolant,intake,load,throttle
//! $$<length 2 hex><id 15>|<kind>$GPRMC,..*hh|PDOP|HDOP|VDOP|io 12|yyyymmddhhmmss|charging 1, battery 3, power 4
//!   |analogue 4 + 4|cell|temperature|km|serial|..                                   <- ACK OK
//! status  bit 31 SOS, 30 acc, 28 charging, 27 left a fence, 25 antenna, 23 to 21 outputs,
//!         19 overspeed
//! ```
//! Source: Totemtech "AT09 protocol" (columns) and "AT05 protocol" and AVL02
//! manual (bars). Ignored: cells.

use super::fields::{Fields, decimal, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{When, angle, checksum, clock};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
/// Characters from the satellites to the distance.
const TAIL: usize = 21;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// Totem.
pub(super) const TOTEM: Wired = Wired {
    name: "totem",
    port: 5007,
    transports: TCP,
    signatures: &[
        Mark::Text("$$~~%%%%%%%%"),
        Mark::Text("$$~%%%%%%%%%"),
        Mark::Text("$$%~%%%%%%%%%"),
        Mark::Text("$$%%%%~~"),
        Mark::Text("$$%%%%~%"),
        Mark::Text("$$%%%%%~"),
        Mark::Text("$$%%%%%%%%%%"),
    ],
    models: &["Totem AT05", "AT06", "AT07", "AT09"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Totem),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Totem;

impl Wire for Totem {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        match bytes {
            [b'\r' | b'\n', ..] => Cut::Skip(1),
            [b'$', b'$', b'0', rest @ ..] => {
                let Some(digits) = rest.first_chunk::<3>() else { return Cut::Need };
                if !digits.iter().all(u8::is_ascii_digit) {
                    return Cut::line(bytes, b"\r\n", whole, LINE_MAX);
                }
                let length = digits.iter().fold(0, |n, b| n * 10 + usize::from(b - b'0'));
                Cut::of_length(length.max(8), bytes, LINE_MAX)
            }
            [b'$', b'$', _, ..] => Cut::line(bytes, b"\r\n", whole, LINE_MAX),
            [b'$', b'$'] | [b'$'] => Cut::Need,
            _ => Cut::no_frame(bytes, "`$$`"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let (head, body) = line.split_once('|').ok_or_else(|| Complaint::bad("bar", frame))?;
        let id = part(head, head.len().saturating_sub(15), head.len());
        told.from(id)?;
        if part(head, 2, 3) != "0" {
            told.reply("ACK OK\r\n", When::AfterDurable);
            barred(body, told);
            return Ok(());
        }
        let end = line.len().saturating_sub(2);
        if let Some(sum) = hexadecimal(part(line, end, line.len())) {
            told.checksum(sum as u32, checksum::xor(part(line, 0, end).as_bytes()).into())?;
        }
        told.reply(answer(part(line, end.saturating_sub(4), end)), When::AfterDurable);
        match part(head, 6, 8) {
            "E2" | "E5" => separated(body, told),
            _ => columns(body, told),
        }
    }
}

fn answer(serial: &str) -> String {
    let body = format!("$$0014AA{serial}");
    let sum = checksum::xor(body.as_bytes());
    format!("{body}{sum:02X}")
}

fn separated(body: &str, told: &mut Told) -> Result<(), Complaint> {
    let mut fields = Fields::new(body.split('|').next().unwrap_or(""), ',');
    let draft = told.report();
    draft.time(clock::yymmddhhmmss(fields.text()));
    let (Some(lng), Some(lat)) = (fields.decimal(), fields.decimal()) else {
        return Err(Complaint::bad("place", body.as_bytes()));
    };
    draft.at = Some(Measured { lng, lat, valid: true, ..Measured::default() });
    let next = fields.text();
    if !next.starts_with('$') {
        draft.set("driver_id", next);
        return Ok(());
    }
    draft.maybe("odometer_metres", fields.decimal().map(|v| v * 1000.0));
    draft.maybe("fuel_used_litres", fields.decimal());
    draft.maybe("fuel_litres_per_hour", fields.decimal());
    draft.maybe("power_volts", fields.decimal().map(|v| v / 1000.0));
    draft.maybe("rpm", fields.whole());
    draft.maybe("obd_speed_mps", fields.decimal().map(|v| v / 3.6));
    fields.skip(2);
    draft.maybe("coolant_celsius", fields.whole().map(|v| v - 40));
    draft.maybe("intake_celsius", fields.whole().map(|v| v - 40));
    draft.maybe("engine_load_percent", fields.whole());
    draft.maybe("throttle_percent", fields.whole());
    Ok(())
}

fn status(status: i64, draft: &mut Draft) {
    let set = |bit: u32| status >> bit & 1 != 0;
    draft.set("status", status);
    draft.set("ignition", set(30));
    draft.set("charging", set(28));
    let alarms = [(31, "sos"), (27, "geofenceExit"), (25, "gpsAntennaCut"), (19, "overspeed")];
    for (_, name) in alarms.iter().filter(|(bit, _)| set(*bit)) {
        draft.alarm(name);
    }
    for nth in 1..=3 {
        draft.set(("output", nth), set(24 - u32::from(nth)));
    }
}

fn columns(body: &str, told: &mut Told) -> Result<(), Complaint> {
    let bad = || Complaint::bad("columns", body.as_bytes());
    let north = body.find(['N', 'S']).ok_or_else(bad)?;
    // The latitude takes nine letters, the distance and what is before it twenty-one.
    let tail = north.checked_sub(9 + TAIL).filter(|at| *at >= 20).ok_or_else(bad)?;
    let lat = angle::sided(part(body, north - 9, north), part(body, north, north + 1));
    let lng = angle::sided(part(body, north + 1, north + 11), part(body, north + 11, north + 12));
    let (lat, lng) = (lat.ok_or_else(bad)?, lng.ok_or_else(bad)?);
    let draft = told.report();
    status(hexadecimal(part(body, 0, 8)).ok_or_else(bad)?, draft);
    draft.time(clock::yymmddhhmmss(part(body, 8, 20)));
    measures(part(body, 20, tail), draft);
    let number = |from: usize, to: usize| decimal(part(body, tail + from, tail + to));
    let satellites = number(0, 2).unwrap_or(0.0);
    draft.set("satellites", satellites as i64);
    draft.maybe("rssi", number(2, 4).map(|v| v as i64));
    draft.maybe("hdop", number(10, 14));
    draft.maybe("odometer_metres", number(14, 21).map(|v| v as i64 * 1000));
    draft.at = Some(Measured {
        lat,
        lng,
        valid: satellites > 0.0,
        heading: number(4, 7),
        speed: number(7, 10).map(|v| v / 3.6),
        ..Measured::default()
    });
    Ok(())
}

/// Battery to cell; which of them there are shows in the length.
fn measures(text: &str, draft: &mut Draft) {
    let number = |from: usize, to: usize| decimal(part(text, from, to));
    if text.len() == 15 {
        draft.maybe("battery_volts", number(0, 3).map(|v| v / 100.0));
        draft.maybe(("analog_raw", 1), number(3, 7).map(|v| v as i64));
        return;
    }
    draft.maybe("battery_volts", number(0, 2).map(|v| v / 10.0));
    draft.maybe("power_volts", number(2, 4));
    let lines = if text.len() >= 36 { 4 } else { 1 };
    for nth in 0..lines {
        let raw = number(4 + nth * 4, 8 + nth * 4).map(|v| v as i64);
        draft.maybe(("analog_raw", nth as u16 + 1), raw);
    }
    if text.len() >= 24 {
        for nth in 0..2 {
            let at = 4 + lines * 4 + nth * 4;
            let celsius = number(at, at + 4).map(|v| v / 10.0);
            draft.maybe(("temperature_celsius", nth as u16 + 1), celsius);
        }
    }
}

/// AT05: everything between bars.
fn barred(body: &str, told: &mut Told) {
    let mut fields = Fields::new(body, '|');
    let first = fields.text();
    let kind = part(first, 0, 2);
    let (at, time) = if let Some(start) = first.find("$GPRMC,") {
        let mut rmc = Fields::new(part(first, start + 7, first.len()), ',');
        let clock = rmc.text();
        let valid = rmc.text() == "A";
        let at = nmea_fix(&mut rmc, valid);
        (at, clock::ddmmyy_hhmmss(rmc.text(), clock))
    } else if part(first, 2, first.len()).len() == 12 {
        let valid = fields.text() == "A";
        (nmea_fix(&mut fields, valid), clock::ddmmyy_hhmmss(part(first, 2, 8), part(first, 8, 14)))
    } else {
        return;
    };
    let Some(at) = at else { return };
    let draft = told.report();
    draft.at = Some(at);
    draft.time(time);
    match kind {
        "01" => draft.alarm("sos"),
        "10" => draft.alarm("lowBattery"),
        "11" => draft.alarm("overspeed"),
        "30" => draft.alarm("parking"),
        "42" => draft.alarm("geofenceExit"),
        "43" => draft.alarm("geofenceEnter"),
        _ => {}
    }
    if first.contains('$') {
        draft.maybe("pdop", fields.decimal());
        draft.maybe("hdop", fields.decimal());
        draft.maybe("vdop", fields.decimal());
        lines(fields.text(), draft);
        fields.skip(1);
    } else {
        draft.maybe("hdop", fields.decimal());
        lines(fields.text(), draft);
    }
    let voltages = fields.text();
    let number = |from: usize, to: usize| decimal(part(voltages, from, to));
    let (battery, power) = match voltages.len() {
        8 => (number(1, 4).map(|v| v / 100.0), number(4, 8).map(|v| v / 100.0)),
        5 => (number(1, 3).map(|v| v / 10.0), number(3, 5)),
        _ => (None, None),
    };
    draft.maybe("battery_volts", battery);
    draft.maybe("power_volts", power);
    if battery.is_some() {
        draft.set("charging", voltages.starts_with('1'));
    }
    let analogue = fields.text();
    for nth in 0..analogue.len() / 4 {
        let volts = decimal(part(analogue, 4 * nth, 4 * nth + 4)).map(|v| v / 100.0);
        draft.maybe(("analog_volts", nth as u16 + 1), volts);
    }
    fields.skip(1);
    let celsius = decimal(fields.text()).map(|v| v / 10.0);
    draft.maybe(("temperature_celsius", 1), celsius);
    draft.maybe("odometer_metres", fields.decimal().map(|v| v * 1000.0));
}

/// Twelve digits: three buttons, one free, inputs 1 to 4, outputs 1 and 2, two free.
fn lines(digits: &str, draft: &mut Draft) {
    draft.maybe("status", i64::from_str_radix(digits, 2).ok());
    let set = |at: usize| part(digits, at, at + 1) == "1";
    if digits.len() == 12 {
        for nth in 1..=4 {
            draft.set(("input", nth), set(usize::from(nth) + 3));
        }
        draft.set(("output", 1), set(8));
        draft.set(("output", 2), set(9));
    }
}

/// Latitude, side, longitude, side, knots, course.
fn nmea_fix(fields: &mut Fields<'_>, valid: bool) -> Option<Measured> {
    let (value, side) = (fields.text(), fields.text());
    let lat = angle::sided(value, side)?;
    let (value, side) = (fields.text(), fields.text());
    let lng = angle::sided(value, side)?;
    let speed = fields.decimal().map(|k| k * KNOT_MPS);
    Some(Measured { lat, lng, valid, speed, heading: fields.decimal(), ..Measured::default() })
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let serial = format!("{:04}", speaker.next() % 10_000);
    let ignition = if flag(report, "ignition").unwrap_or(false) { 0x4000_0000_u32 } else { 0 };
    let body = format!(
        "{:0>15}|{:08X}{}{}4112000000000000{}20{:03}{:03}00.80000000{}{}{}{}{serial}",
        speaker.device,
        ignition | 0x1000_0000,
        p.yymmdd(),
        p.hhmmss(),
        if p.valid { "09" } else { "00" },
        p.degrees(),
        p.kmh.round(),
        angle::shown(p.lat, 2, 4),
        angle::north(p.lat),
        angle::shown(p.lng, 3, 4),
        angle::east(p.lng),
    );
    let line = format!("$${:04}AA{body}", body.len() + 10);
    let sum = checksum::xor(line.as_bytes());
    Sent::new(format!("{line}{sum:02X}"), answer(&serial))
}

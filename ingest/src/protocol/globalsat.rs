//! `GlobalSat`: text whose fields people choose on the device, ended by `!`.
//!
//! ```text
//! GSr,<fields in the device's format>*hh!   GSb likewise        <- ACK CR
//! $<IMEI>,..,<fix>,ddmmyy,hhmmss,E12129.2252,N2459.8891,<altitude>,<knots>,<course>,
//!   <satellites>,<HDOP>*hh!                                     not answered
//! S IMEI  T model or kind  P alarms hex  A fix, 1 none  B ddmmyy,hhmmss  1 2 3 longitude, in
//! degrees, dddmm.mmmm, dddmmss.ss  6 7 8 latitude likewise  G altitude  H I J speed in knots,
//! km/h, miles an hour  K course  L satellites  M HDOP  N battery %  m n power and battery:
//! mV, V or %  X lines hex  R reason  Z fences  O group  others unread, one field each
//! alarms  bit 0 SOS, 3 and 4 fences, 5 movement, 6 power cut
//! ```
//! `hh` is all before the asterisk, exclusive-or. The format is the decoder's option, without its
//! `*U!`; without one it is that of the TR-600. Source: `GlobalSat` "TR-206 development document"
//! and "TR-600 protocol".

use super::fields::{Fields, decimal, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{When, angle, checksum, clock};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
/// Most fields of a format.
const FIELDS_MAX: usize = 64;
const FACTORY: &str = "TSPRXAB27GHKLMnaicz*U!";
const KNOT_MPS: f64 = 1852.0 / 3600.0;
const MPH_MPS: f64 = 0.44704;
const ACK: &str = "ACK\r";

/// `GlobalSat`.
pub(super) const GLOBALSAT: Wired = Wired {
    name: "globalsat",
    port: 5043,
    transports: TCP_UDP,
    signatures: &[Mark::Text("GS~,"), Mark::Text("$%%%%%%%%%%%%%%%")],
    models: &["GlobalSat TR-102", "TR-151", "TR-206", "TR-600", "GTR-128", "GTR-388"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |options| {
        let format = options.format.as_deref().unwrap_or(FACTORY);
        let format = format.split('*').next().unwrap_or("");
        Box::new(Globalsat { format: format.chars().take(FIELDS_MAX).collect() })
    },
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Globalsat {
    /// A letter a field.
    format: Vec<char>,
}

impl Wire for Globalsat {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        Cut::line(bytes, b"!\r\n", whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let (body, sum) = line.rsplit_once('*').unwrap_or((line, ""));
        if let Some(sent) = hexadecimal(part(sum, 0, 2)).filter(|_| sum.len() >= 2) {
            told.checksum(sent as u32, checksum::xor(body.as_bytes()).into())?;
        }
        if let Some(rest) = body.strip_prefix('$') {
            return short(rest, told);
        }
        let chosen = body.strip_prefix("GSr,").or_else(|| body.strip_prefix("GSb,"));
        let Some(rest) = chosen else {
            // Handshakes and answers to commands.
            return if body.starts_with("GS") {
                Ok(())
            } else {
                Err(Complaint::bad("message", frame))
            };
        };
        self.chosen(rest, told)
    }
}

impl Globalsat {
    fn chosen(&self, rest: &str, told: &mut Told) -> Result<(), Complaint> {
        let mut fields = Fields::new(rest, ',');
        let mut read = Reading::default();
        let draft = told.report();
        for letter in &self.format {
            if fields.is_empty() {
                break;
            }
            let value = fields.text();
            if *letter == 'B' {
                read.time = clock::ddmmyy_hhmmss(value, fields.text());
            } else {
                read.field(*letter, value, draft);
            }
        }
        draft.time(read.time);
        if let (Some(lat), Some(lng)) = (read.lat, read.lng) {
            draft.at = Some(Measured { lng, lat, ..read.at });
        }
        told.from(read.id.ok_or_else(|| Complaint::bad("message", rest.as_bytes()))?)?;
        told.reply(ACK, When::AfterDurable);
        Ok(())
    }
}

/// What belongs together, until all fields are read.
#[derive(Debug, Default)]
struct Reading<'a> {
    id: Option<&'a str>,
    at: Measured,
    lat: Option<f64>,
    lng: Option<f64>,
    time: Option<Timestamp>,
}

impl<'a> Reading<'a> {
    fn field(&mut self, letter: char, value: &'a str, draft: &mut Draft) {
        let number = decimal(value);
        match letter {
            'S' => self.id = Some(value),
            'A' => self.at.valid = !matches!(value, "" | "1"),
            '1' | '6' => self.side(letter == '6', sided(value, Some)),
            '2' | '7' => self.side(letter == '7', sided(value, minutes)),
            '3' | '8' => self.side(letter == '8', sided(value, seconds)),
            'G' => self.at.altitude = number,
            'H' => self.at.speed = number.map(|knots| knots * KNOT_MPS),
            'I' => self.at.speed = number.map(|kmh| kmh / 3.6),
            'J' => self.at.speed = number.map(|mph| mph * MPH_MPS),
            'K' => self.at.heading = number,
            'L' => draft.maybe("satellites", value.parse::<i64>().ok()),
            'M' => draft.maybe("hdop", number),
            'P' if value.len() == 4 => alarms(hexadecimal(value).unwrap_or(0), draft),
            'N' => draft.maybe("battery_percent", value.trim_end_matches('%').parse::<i64>().ok()),
            'm' => supply("power_volts", value, draft),
            'n' => supply("battery_volts", value, draft),
            _ => {}
        }
    }

    fn side(&mut self, is_lat: bool, degrees: Option<f64>) {
        *(if is_lat { &mut self.lat } else { &mut self.lng }) = degrees;
    }
}

/// A hemisphere's letter and an angle.
fn sided(value: &str, degrees: fn(f64) -> Option<f64>) -> Option<f64> {
    let (side, angle) = (part(value, 0, 1), decimal(part(value, 1, value.len()))?);
    angle::signed(degrees(angle)?, side)
}

fn minutes(packed: f64) -> Option<f64> {
    let (degrees, minutes) = ((packed / 100.0).floor(), packed % 100.0);
    (minutes < 60.0).then_some(degrees + minutes / 60.0)
}

fn seconds(packed: f64) -> Option<f64> {
    let (left, seconds) = ((packed / 100.0).floor(), packed % 100.0);
    (seconds < 60.0).then(|| minutes(left + seconds / 60.0)).flatten()
}

fn alarms(bits: i64, draft: &mut Draft) {
    let names = [(0, "sos"), (3, "geofence"), (4, "geofence"), (5, "movement"), (6, "powerCut")];
    let mut before = "";
    for (_, name) in names.iter().filter(|(bit, _)| bits >> bit & 1 != 0) {
        if *name != before {
            draft.alarm(name);
        }
        before = name;
    }
}

/// `12380mV`, `12.3V`, `60%`.
fn supply(key: &'static str, value: &str, draft: &mut Draft) {
    if let Some(percent) = value.strip_suffix('%') {
        draft.maybe("battery_percent", percent.parse::<i64>().ok());
    } else if let Some(millivolts) = value.strip_suffix("mV") {
        draft.maybe(key, decimal(millivolts).map(|mv| mv / 1000.0));
    } else if let Some(volts) = value.strip_suffix('V') {
        draft.maybe(key, decimal(volts));
    }
}

/// The form without a format.
fn short(rest: &str, told: &mut Told) -> Result<(), Complaint> {
    let mut fields = Fields::new(rest, ',');
    told.from(fields.text())?;
    fields.skip(1);
    let valid = fields.text() != "1";
    let time = clock::ddmmyy_hhmmss(fields.text(), fields.text());
    let (lng, lat) = (sided(fields.text(), minutes), sided(fields.text(), minutes));
    let (Some(lng), Some(lat)) = (lng, lat) else {
        return Err(Complaint::bad("place", rest.as_bytes()));
    };
    let altitude = fields.decimal();
    let speed = fields.decimal().map(|knots| knots * KNOT_MPS);
    let heading = fields.decimal();
    let draft = told.report();
    draft.time(time);
    draft.at = Some(Measured { lng, lat, valid, speed, heading, altitude, accuracy: None });
    draft.maybe("satellites", fields.whole());
    draft.maybe("hdop", fields.decimal());
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let body = format!(
        "GSr,GTR-128,{},0000,4,8000,{},{},{},{}{},{}{},{:.0},{:.2},{:.1},9,0.8,12380mV",
        speaker.device,
        if p.valid { 3 } else { 1 },
        p.ddmmyy(),
        p.hhmmss(),
        angle::east(p.lng),
        angle::shown(p.lng, 3, 4),
        angle::north(p.lat),
        angle::shown(p.lat, 2, 4),
        p.altitude,
        p.knots,
        p.heading,
    );
    Sent::new(format!("{body}*{:02x}!", checksum::xor(body.as_bytes())), ACK)
}

//! ERM `StarLink`: text whose fields people choose on the device.
//!
//! ```text
//! $SLU<id>,<kind>,<number>,<fields in the device's format>[,..],<reason>*hh
//!   kind 06 16: an event with the format's fields; all others carry none
//! #EDT# #PDT#   yymmddhhmmss, of the event, of the place     #EID# #EDSC#  event, its words
//! #LAT# #LONG#  +-ddmm.mmmm, +-dddmm.mmmm    #SPD# knots   #SPDK# km/h   #HEAD#   #ALT#
//! #ODO# km      #DUR# #TDUR# minutes of the engine, this time, in all
//! #VIN# #VBAT#  outer power, battery V       #SATU# #CSS#  satellites, signal   #IGN# #IGNL#
//! #IN1#.. #OUT1#..   lines   #DRV# driver   #DEST# destination   #CFL# fuel l   #TVI# °C inside
//! #TI1# #TS1# #TV1# #TH1# #TD1#   a sensor's id, state, °C, humidity, and all of it in base64
//! ```
//! `hh` is the sum of the bytes between `$` and `*`. Event 20 carries a driver's key as the last
//! field before the reason. The format is the decoder's option; without one it is the format that
//! devices leave the factory with. Source: ERM "`StarLink` AVL protocol".

use super::fields::{Fields, decimal, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{Options, angle, checksum, clock};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

mod sensor;

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
/// Most fields of a format.
const FIELDS_MAX: usize = 96;
const FACTORY: &str = "#EDT#,#EID#,#PDT#,#LAT#,#LONG#,#SPD#,#HEAD#,#ODO#,#IN1#,#IN2#,#IN3#,#IN4#,\
    #OUT1#,#OUT2#,#OUT3#,#OUT4#,#LAC#,#CID#,#VIN#,#VBAT#,#DEST#,#IGN#,#ENG#";
const KNOT_MPS: f64 = 1852.0 / 3600.0;
/// The event of a driver's key.
const DRIVER: i64 = 20;

/// `StarLink`.
pub(super) const STARLINK: Wired = Wired {
    name: "starlink",
    port: 5136,
    transports: TCP_UDP,
    signatures: &[Mark::Text("$SLU")],
    models: &["ERM StarLink Tracker", "StarLink Asset", "StarLink Wireless"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |options| Box::new(Starlink::new(options)),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Starlink {
    format: Vec<String>,
}

impl Starlink {
    fn new(options: &Options) -> Self {
        let format = options.format.as_deref().unwrap_or(FACTORY);
        let names = format.split(',').take(FIELDS_MAX);
        Self { format: names.map(|name| name.trim().trim_matches('#').to_owned()).collect() }
    }
}

impl Wire for Starlink {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'$', bytes) {
            return skip;
        }
        Cut::line(bytes, b"\r\n", whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let line = line.strip_prefix("$SLU").ok_or_else(|| Complaint::bad("message", frame))?;
        let (body, sum) = line.rsplit_once('*').unwrap_or((line, ""));
        if let Some(sent) = hexadecimal(part(sum, 0, 2)) {
            let head = checksum::sum(b"SLU");
            told.checksum(sent as u32, checksum::sum(body.as_bytes()).wrapping_add(head).into())?;
        }
        let mut fields = Fields::new(body, ',');
        told.from(fields.text())?;
        if !matches!(fields.text(), "06" | "16") {
            return Ok(());
        }
        let draft = told.report();
        draft.maybe("record_number", fields.whole());
        let mut read = Reading::default();
        for name in &self.format {
            if fields.is_empty() {
                break;
            }
            read.field(name, fields.text(), draft);
        }
        read.finish(&fields, draft);
        Ok(())
    }
}

/// What belongs together, until all fields are read.
#[derive(Debug, Default)]
struct Reading {
    at: Measured,
    lat: Option<f64>,
    lng: Option<f64>,
    placed_at: Option<Timestamp>,
    happened_at: Option<Timestamp>,
    event: Option<i64>,
}

impl Reading {
    fn field(&mut self, name: &str, value: &str, draft: &mut Draft) {
        if value.is_empty() {
            return;
        }
        match name {
            "EDT" => self.happened_at = clock::yymmddhhmmss(value),
            "PDT" => self.placed_at = clock::yymmddhhmmss(value),
            "LAT" => self.lat = angle::degrees_minutes(value),
            "LONG" => self.lng = angle::degrees_minutes(value),
            "SPD" => self.at.speed = decimal(value).map(|knots| knots * KNOT_MPS),
            "SPDK" => self.at.speed = decimal(value).map(|kmh| kmh / 3.6),
            "HEAD" => self.at.heading = decimal(value),
            "ALT" | "ALTD" => self.at.altitude = decimal(value),
            "EID" => {
                self.event = value.parse().ok();
                draft.maybe("event", self.event);
                draft.maybe("alarm", self.event.and_then(alarm));
            }
            _ => plain(name, value, draft),
        }
    }

    /// `rest`: what stands behind the format's fields, the reason of sending last.
    fn finish(self, rest: &Fields<'_>, draft: &mut Draft) {
        draft.time(self.placed_at.or(self.happened_at));
        if let (Some(lat), Some(lng)) = (self.lat, self.lng) {
            draft.at = Some(Measured { lat, lng, valid: true, ..self.at });
        }
        if self.event == Some(DRIVER) {
            let key = rest.rest().rsplit(',').next().map(str::trim);
            draft.maybe("driver_id", key.filter(|key| !key.is_empty()));
        }
    }
}

/// A field that is one attribute.
fn plain(name: &str, value: &str, draft: &mut Draft) {
    let number = decimal(value);
    match name {
        "ODO" | "ODOD" => {
            draft.maybe("odometer_metres", number.map(|km| (km * 1000.0).round() as i64));
        }
        "TDUR" => draft.maybe("engine_on_seconds", number.map(|m| (m * 60.0) as i64)),
        "VIN" => draft.maybe("power_volts", number),
        "VBAT" => draft.maybe("battery_volts", number),
        "SATU" => draft.maybe("satellites", value.parse::<i64>().ok()),
        "CSS" => draft.maybe("rssi", value.parse::<i64>().ok()),
        "IGN" | "IGNL" => draft.set("ignition", value == "1"),
        "ENG" => draft.set("engine_status", value == "1"),
        "EDSC" => draft.set("reason", value),
        "DRV" => draft.set("driver_id", value),
        "DEST" => draft.set("destination", value),
        "CFL" => draft.maybe("fuel_litres", number),
        "TVI" => draft.maybe("device_celsius", number),
        _ => numbered(name, value, draft),
    }
}

/// A field whose name ends in a number.
fn numbered(name: &str, value: &str, draft: &mut Draft) {
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let Ok(nth) = part(name, kind.len(), name.len()).parse::<u16>() else { return };
    match kind {
        "IN" => draft.set(("input", nth), value == "1"),
        "OUT" => draft.set(("output", nth), value == "1"),
        "TI" => draft.set(("sensor_id", nth), value),
        "TS" => draft.maybe(("sensor_state", nth), value.parse::<i64>().ok()),
        "TV" => draft.maybe(("sensor_temperature_celsius", nth), decimal(value)),
        "TH" => draft.maybe(("sensor_humidity_percent", nth), decimal(value)),
        "TD" => {
            let volts = sensor::millivolts(value).map(|mv| mv as f64 / 1000.0);
            draft.maybe(("sensor_volts", nth), volts);
        }
        _ => {}
    }
}

fn alarm(event: i64) -> Option<&'static str> {
    Some(match event {
        6 => "overspeed",
        7 => "geofenceEnter",
        8 => "geofenceExit",
        9 => "powerCut",
        11 => "lowBattery",
        26 => "tow",
        36 => "sos",
        42 => "jamming",
        _ => return None,
    })
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = speaker.next();
    let stamp = format!("{}{}", p.yymmdd(), p.hhmmss());
    let sign = |degrees: f64| if degrees < 0.0 { '-' } else { '+' };
    let body = format!(
        "SLU{},06,{number},{stamp},01,{stamp},{}{},{}{},{:05.1},{:03},000000,0,0,0,0,0,0,0,0,1,1,\
         12.000,04.000,,{},0,0",
        speaker.device,
        sign(p.lat),
        angle::shown(p.lat, 2, 4),
        sign(p.lng),
        angle::shown(p.lng, 3, 4),
        p.knots,
        p.degrees(),
        u8::from(flag(report, "ignition").unwrap_or(false)),
    );
    Sent::unanswered(format!("${body}*{:02X}\r\n", checksum::sum(body.as_bytes())))
}

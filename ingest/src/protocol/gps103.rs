//! Coban GPS103 and its family: text, each message ended by `;`.
//!
//! ```text
//! ##,imei:<id>,A;          <- LOAD          login
//! <id>;                    <- ON            heartbeat
//! imei:<id>,<event>,<local yymmddhhmm[ss]>,<phone>,F,<utc hhmmss.sss>,<A|V>,
//!      <ddmm.mmmm>,<N|S>,<dddmm.mmmm>,<E|W>,<knots>,<course>,<altitude>,<acc>,<door>,
//!      <fuel %>,<fuel 2 %>,<temperature>;
//!                          <- **,imei:<id>,E;     to `help me` only
//! imei:<id>,<event>,<local>,<phone>,L,,,<area hex>,,<cell hex>,,,;       no place
//! imei:<id>,OBD,<local>,<metres>,<l/h>,<l/100 km>,<hours>,<km/h>,<load %>,<coolant>,
//!      <throttle %>,<rpm>,<volts>,<code>..;
//! imei:<id>,<name>,..,<hhmmss>,<ddmmyy>,<rssi>,<valid>,<lat>,<lng>,<km/h>,<course>,
//!      <altitude>,<hdop>,<satellites>,<acc>,<charging>,..
//! ```
//! The local date and the UTC time of day make the UTC moment nearest to the local one.
//!
//! Source: Coban "GPS103/TK103 GPRS communication protocol" and "OBD303 protocol". Ignored: the
//! administrator's phone, photos.

use super::fields::{Fields, decimal, hexadecimal, text, trimmed};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{Telling, When, angle, clock};
use crate::command::Command;
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// Coban.
pub(super) const GPS103: Wired = Wired {
    name: "gps103",
    port: 5001,
    transports: TCP_UDP,
    signatures: &[Mark::Text("imei:"), Mark::Text("##,imei:"), Mark::Text("%%%%%%%%%%%%%%%;")],
    models: &["Coban GPS103", "TK103B", "GPS303", "GPS403", "GPS102", "OBD303"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Gps103),
    login: |speaker| Sent::new(format!("##,imei:{},A;", speaker.device), "LOAD"),
    message,
};

#[derive(Debug)]
struct Gps103;

impl Wire for Gps103 {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        Cut::line(bytes, b";\r\n", whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = trimmed(text(frame)?);
        if let Some(login) = line.strip_prefix("##") {
            let id = login.trim_start_matches(',').trim_start_matches("imei:");
            told.from(Fields::new(id, ',').text())?;
            told.reply("LOAD", When::Immediate);
            return Ok(());
        }
        if !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()) {
            told.from(line)?;
            told.reply("ON", When::Immediate);
            return Ok(());
        }
        // Nearly always in front, where no search is needed.
        let after = line.strip_prefix("imei:");
        let after = after.or_else(|| line.split_once("imei:").map(|(_, after)| after));
        let after = after.ok_or_else(|| Complaint::bad("message", frame))?;
        let mut fields = Fields::new(after, ',');
        told.from(fields.text())?;
        said_by(&mut fields, told);
        Ok(())
    }

    /// Commands of "GPRS protocol of Coban": `B` position, `C` interval, `J` cuts, `K` resumes.
    fn command(&mut self, telling: &Telling<'_>) -> Option<Vec<u8>> {
        let words = match telling.command {
            Command::Position => "B".to_owned(),
            Command::Interval(seconds) => match seconds {
                0..60 => format!("C,{seconds:02}s"),
                60..3600 => format!("C,{:02}m", seconds / 60),
                _ => format!("C,{:02}h", seconds / 3600),
            },
            Command::EngineStop => "J".to_owned(),
            Command::EngineResume => "K".to_owned(),
            Command::Text(words) if !words.contains(';') => words.clone(),
            Command::Text(_) | Command::Restart => return None,
        };
        Some(format!("**,imei:{},{words};", telling.device).into_bytes())
    }
}

fn said_by(fields: &mut Fields<'_>, told: &mut Told) {
    let event = fields.text();
    if event == "OBD" {
        diagnosis(fields, told);
        return;
    }
    if event == "help me" {
        let reply = format!("**,imei:{},E;", told.device().unwrap_or_default());
        told.reply(reply, When::AfterDurable);
    }
    let local = fields.text();
    if local == "---" {
        named(fields, told);
        return;
    }
    let draft = told.report();
    said(event, draft);
    fields.skip(1);
    match fields.text() {
        "F" => place(local, fields, draft),
        "L" => {
            fields.skip(2);
            draft.maybe(("cell_area", 1), hexadecimal(fields.text()));
            fields.skip(1);
            draft.maybe(("cell_id", 1), hexadecimal(fields.text()));
        }
        _ => {}
    }
}

/// What an event means.
fn said(event: &str, draft: &mut Draft) {
    if let Some(temperature) = event.strip_prefix("T:") {
        draft.alarm("temperature");
        draft.maybe(("temperature_celsius", 1), decimal(temperature));
        return;
    }
    match event {
        "tracker" | "" => {}
        "help me" => draft.alarm("sos"),
        "low battery" => draft.alarm("lowBattery"),
        "stockade" => draft.alarm("geofence"),
        "move" => draft.alarm("movement"),
        "speed" => draft.alarm("overspeed"),
        "acc on" => draft.set("ignition", true),
        "acc off" => draft.set("ignition", false),
        "door alarm" => draft.alarm("door"),
        "ac alarm" => draft.alarm("powerCut"),
        "accident alarm" => draft.alarm("accident"),
        "sensor alarm" => draft.alarm("vibration"),
        "bonnet alarm" => draft.alarm("bonnet"),
        "footbrake alarm" => draft.alarm("footBrake"),
        "DTC" => draft.alarm("fault"),
        _ if event.starts_with("oil") => draft.alarm("fuelLeak"),
        _ => draft.set("event", event),
    }
}

/// From the UTC time on.
fn place(local: &str, fields: &mut Fields<'_>, draft: &mut Draft) {
    let clock = fields.text();
    draft.time(moment(local, clock));
    let valid = fields.text() == "A";
    let Some((lat, lng)) = angles(fields) else { return };
    let knots = fields.decimal();
    let heading = fields.decimal();
    draft.at = Some(Measured {
        lat,
        lng,
        valid,
        speed: knots.map(|k| k * KNOT_MPS),
        heading,
        altitude: fields.decimal(),
        ..Measured::default()
    });
    let bit = |text: &str| match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    };
    draft.maybe("ignition", bit(fields.text()));
    draft.maybe("door", bit(fields.text()));
    for nth in 1..=2 {
        let percent = fields.text().strip_suffix('%').and_then(decimal);
        draft.maybe(("fuel_percent", nth), percent);
    }
    draft.maybe(("temperature_celsius", 1), fields.decimal());
}

/// Latitude and longitude; the hemisphere behind, or in front, or missing.
fn angles(fields: &mut Fields<'_>) -> Option<(f64, f64)> {
    let mut one = |positive: &'static str| {
        let (a, b) = (fields.text(), fields.text());
        let (value, side) = if decimal(a).is_some() { (a, b) } else { (b, a) };
        angle::sided(value, if side.is_empty() { positive } else { side })
    };
    let lat = one("N");
    Some((lat?, one("E")?))
}

/// The UTC moment of a local date and a UTC time of day; the local one where there is none.
fn moment(local: &str, clock: &str) -> Option<Timestamp> {
    let [year, month, day, hour, minute] = clock::pairs_within(local)?;
    let local = clock::civil([year, month, day, hour, minute, 0])?;
    match clock::pairs::<3>(clock) {
        Some(time @ [0..24, 0..60, 0..60]) => Some(clock::nearest(time, local)),
        _ => Some(local),
    }
}

/// Values of the engine; the local time alone tells no moment.
fn diagnosis(fields: &mut Fields<'_>, told: &mut Told) {
    let draft = told.report();
    fields.skip(1);
    draft.maybe("odometer_metres", fields.whole());
    fields.skip(1);
    draft.maybe("fuel_litres_per_100_km", fields.decimal());
    draft.maybe("engine_on_seconds", fields.whole().map(|h| h.saturating_mul(3600)));
    draft.maybe("obd_speed_mps", fields.decimal().map(|v| v / 3.6));
    let percent = |text: &str| text.strip_suffix('%').and_then(decimal);
    draft.maybe("engine_load_percent", percent(fields.text()));
    draft.maybe("coolant_celsius", fields.whole());
    draft.maybe("throttle_percent", percent(fields.text()));
    draft.maybe("rpm", fields.whole());
    draft.maybe("battery_volts", fields.decimal());
    let codes = fields.rest().replace(',', " ");
    if !codes.trim().is_empty() {
        draft.set("dtcs", codes.trim());
    }
}

/// The form with the vehicle's name, time and date apart and plain degrees.
fn named(fields: &mut Fields<'_>, told: &mut Told) {
    fields.skip(2);
    let (time, date) = (fields.text(), fields.text());
    let draft = told.report();
    draft.time(clock::ddmmyy_hhmmss(date, time));
    draft.maybe("rssi", fields.whole());
    let valid = fields.text() == "1";
    let (lat, lng) = (fields.decimal(), fields.decimal());
    let (kmh, heading, altitude) = (fields.decimal(), fields.decimal(), fields.decimal());
    if let (Some(lat), Some(lng)) = (lat, lng) {
        let speed = kmh.map(|v| v / 3.6);
        draft.at = Some(Measured { lat, lng, valid, speed, heading, altitude, accuracy: None });
    }
    draft.maybe("hdop", fields.decimal());
    draft.maybe("satellites", fields.whole());
    draft.set("ignition", fields.text() == "1");
    draft.set("charging", fields.text() == "1");
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let (lat, lng) = (angle::shown(p.lat, 2, 5), angle::shown(p.lng, 3, 5));
    let (north, east) = (angle::north(p.lat), angle::east(p.lng));
    let acc = flag(report, "ignition").map_or("", |on| if on { "1" } else { "0" });
    let (device, date, time) = (&speaker.device, p.yymmdd(), p.hhmmss());
    Sent::unanswered(format!(
        "imei:{device},tracker,{date}{time},,F,{time}.000,{},{lat},{north},{lng},{east},\
         {:.2},{},{:.1},{acc},,,,;",
        p.status(),
        p.knots,
        p.degrees(),
        p.altitude,
    ))
}

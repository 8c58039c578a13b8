//! Xirgo: text between `$$` and `##`, in three layouts.
//!
//! ```text
//! $$<id>,<event>,yyyy/mm/dd,hh:mm:ss,<lat>,<lng>,<altitude m>,<mph>,..
//!   old   course,satellites,HDOP,battery V,signal,miles,fix,..
//!   new   acceleration,deceleration,rpm,course,satellites,HDOP,miles,miles a gallon,battery V,
//!         signal,fix[,..]     event 6015: ,VIN  cars: ,..,lines 4,line V,fuel,..,hours,oil
//!         pressure,oil level,oil °F,coolant pressure,coolant level,coolant °F
//! $$<fields in the device's format>##
//!   UID id  EV event  D mm/dd/yyyy  T time  LT LN place  AL 0.1 m  HD course  GSPT km/h
//!   SV satellites  HP HDOP  BV battery V  CQ signal  MI distance  GS fix  SI ICCID
//!   IG ignition, 1 on  OT outputs
//! ```
//! The format is the decoder's option, its names between commas. Nothing is answered. Source: Xirgo
//! "XT-2000 and XT-4500 communication protocol". Ignored: accelerations, miles a gallon.

use super::clock;
use super::fields::{Fields, decimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
/// Most fields of a format.
const FIELDS_MAX: usize = 64;
const MPH_MPS: f64 = 0.44704;
const MILE: f64 = 1609.344;

/// Xirgo.
pub(super) const XIRGO: Wired = Wired {
    name: "xirgo",
    port: 5081,
    transports: TCP_UDP,
    signatures: &[Mark::Text("$$%%%%%%%%%,"), Mark::Text("$$%%%%%%%%%%%%%%%,")],
    models: &["Xirgo XT-2000", "XT-2150", "XT-4500", "XT-4700"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |options| {
        let format = options.format.as_deref().map(|form| {
            form.split(',').take(FIELDS_MAX).map(|name| name.trim().to_owned()).collect()
        });
        Box::new(Xirgo { format })
    },
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Xirgo {
    format: Option<Vec<String>>,
}

impl Wire for Xirgo {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'$', bytes) {
            return skip;
        }
        let seen = &bytes[..bytes.len().min(LINE_MAX)];
        match seen.windows(2).position(|two| two == b"##") {
            Some(at) => Cut::frame(at + 2),
            None if bytes.len() >= LINE_MAX => Cut::too_long(LINE_MAX),
            None if whole => Cut::frame(bytes.len()),
            None => Cut::Need,
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let line = line.strip_prefix("$$").ok_or_else(|| Complaint::bad("message", frame))?;
        let fields = Fields::new(line.trim_end_matches('#'), ',');
        match &self.format {
            Some(format) => chosen(format, fields, told),
            None => fixed(fields, told),
        }
    }
}

fn dated(date: &str, time: &str) -> Option<Timestamp> {
    let number = |text: Option<&str>| text.and_then(|t| t.parse::<u32>().ok());
    let mut clock = time.split(':');
    let (hour, minute, second) =
        (number(clock.next())?, number(clock.next())?, number(clock.next())?);
    let mut day = date.split('/');
    let (a, b, c) = (number(day.next())?, number(day.next())?, number(day.next())?);
    let (year, month, day) = if a > 31 { (a, b, c) } else { (c, a, b) };
    clock::civil([year, month, day, hour, minute, second])
}

fn fixed(mut fields: Fields<'_>, told: &mut Told) -> Result<(), Complaint> {
    told.from(fields.text())?;
    let draft = told.report();
    event(fields.text(), draft);
    draft.time(dated(fields.text(), fields.text()));
    let (Some(lat), Some(lng)) = (fields.decimal(), fields.decimal()) else {
        return Err(Complaint::bad("place", fields.rest().as_bytes()));
    };
    let altitude = fields.decimal();
    let speed = fields.decimal().map(|mph| mph * MPH_MPS);
    let at = Measured { lng, lat, speed, altitude, ..Measured::default() };
    // The old layout has its HDOP where the new one has the engine's speed, which is whole.
    let mut ahead = fields.clone();
    ahead.skip(2);
    let old = ahead.text().contains('.');
    if old {
        plain(fields, at, draft);
    } else {
        driven(fields, at, draft);
    }
    Ok(())
}

/// The old layout.
fn plain(mut fields: Fields<'_>, mut at: Measured, draft: &mut Draft) {
    at.heading = fields.decimal();
    draft.maybe("satellites", fields.whole());
    draft.maybe("hdop", fields.decimal());
    draft.maybe("battery_volts", fields.decimal());
    draft.maybe("rssi", fields.decimal());
    draft.maybe("odometer_metres", fields.decimal().map(|miles| miles * MILE));
    at.valid = fields.text() == "1";
    draft.at = Some(at);
}

/// The new layout.
fn driven(mut fields: Fields<'_>, mut at: Measured, draft: &mut Draft) {
    fields.skip(2);
    draft.maybe("rpm", fields.whole());
    at.heading = fields.decimal();
    draft.maybe("satellites", fields.whole());
    draft.maybe("hdop", fields.decimal());
    draft.maybe("odometer_metres", fields.decimal().map(|miles| miles * MILE));
    fields.skip(1);
    draft.maybe("battery_volts", fields.decimal());
    draft.maybe("rssi", fields.decimal());
    at.valid = fields.text() == "1";
    draft.at = Some(at);
    let next = fields.text();
    if next.len() == 17 {
        draft.set("vin", next);
        return;
    }
    let lines = fields.text();
    if lines.len() != 4 || fields.count() < 10 {
        return;
    }
    let set = |nth: usize| part(lines, nth, nth + 1) == "1";
    (0..3).for_each(|nth| draft.set(("input", nth as u16 + 1), set(nth)));
    draft.set(("output", 1), set(3));
    draft.maybe(("analog_volts", 1), fields.decimal());
    draft.maybe("fuel_litres", fields.decimal());
    fields.skip(1);
    draft.maybe("engine_on_seconds", fields.decimal().map(|hours| hours * 3600.0));
    draft.maybe("oil_pressure", fields.whole());
    draft.maybe("oil_level", fields.whole());
    let celsius = |f: f64| (f - 32.0) / 1.8;
    draft.maybe("oil_celsius", fields.decimal().map(celsius));
    draft.maybe("coolant_pressure", fields.whole());
    draft.maybe("coolant_level", fields.whole());
    draft.maybe("coolant_celsius", fields.decimal().map(celsius));
}

fn event(code: &str, draft: &mut Draft) {
    let Ok(code) = code.parse::<i64>() else { return };
    draft.set("event", code);
    let alarm = match code {
        4001 | 4003 | 6011 | 6013 => return draft.set("ignition", true),
        4002 | 4004 | 6012 | 6014 => return draft.set("ignition", false),
        4005 => return draft.set("charging", false),
        6030 | 6071 => return draft.set("motion", true),
        6031 => return draft.set("motion", false),
        6002 => "overspeed",
        6006 => "hardAcceleration",
        6007 => "hardBraking",
        6008 => "lowPower",
        6009 => "powerCut",
        6010 => "powerRestored",
        6016 => "idle",
        6017 => "tow",
        6032 => "parking",
        6090 | 6091 => "removing",
        _ => return,
    };
    draft.alarm(alarm);
}

/// The layout that the device was given.
fn chosen(format: &[String], mut fields: Fields<'_>, told: &mut Told) -> Result<(), Complaint> {
    let at_name = |name: &str| {
        let place = format.iter().position(|f| f == name)?;
        let mut fields = fields.clone();
        fields.skip(place);
        fields.next().map(str::trim).filter(|text| !text.is_empty())
    };
    let number = |name: &str| at_name(name).and_then(decimal);
    let id = at_name("UID").or_else(|| at_name("IM"));
    told.from(id.ok_or_else(|| Complaint::bad("id", fields.rest().as_bytes()))?)?;
    let draft = told.report();
    draft.time(dated(at_name("D").unwrap_or(""), at_name("T").unwrap_or("")));
    if let (Some(lat), Some(lng)) = (number("LT"), number("LN")) {
        draft.at = Some(Measured {
            lng,
            lat,
            valid: at_name("GS").is_none_or(|fix| fix != "0"),
            speed: number("GSPT").map(|kmh| kmh / 3.6),
            heading: number("HD"),
            altitude: number("AL").map(|tenths| tenths / 10.0),
            accuracy: None,
        });
    }
    for name in format {
        let value = fields.text();
        if !value.is_empty() {
            named(name, value, draft);
        }
    }
    Ok(())
}

fn named(name: &str, value: &str, draft: &mut Draft) {
    let whole = value.parse::<i64>().ok();
    match name {
        "EV" => event(value, draft),
        "SV" => draft.maybe("satellites", whole),
        "HP" => draft.maybe("hdop", decimal(value)),
        "BV" => draft.maybe("battery_volts", decimal(value)),
        "CQ" => draft.maybe("rssi", whole),
        "MI" => draft.maybe("odometer_metres", whole),
        "SI" => draft.set("iccid", value),
        "IG" => draft.set("ignition", value == "1"),
        "OT" => draft.maybe("output_mask", whole),
        "RP" => draft.maybe("rpm", whole),
        "VN" => draft.set("vin", value),
        _ => {}
    }
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let c = &p.civil;
    Sent::unanswered(format!(
        "$${},6001,{:04}/{:02}/{:02},{:02}:{:02}:{:02},{:.6},{:.6},{:.1},{:.2},0.0,0.0,0,{:.1},9,\
         0.8,0,0.0,12.0,20,{},0##",
        speaker.device,
        c.year,
        c.month,
        c.day,
        c.hour,
        c.minute,
        c.second,
        p.lat,
        p.lng,
        p.altitude,
        p.kmh / 3.6 / MPH_MPS,
        p.heading,
        u8::from(p.valid),
    ))
}

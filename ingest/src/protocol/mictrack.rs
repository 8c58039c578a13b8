//! Mictrack: the text of its low-power trackers, and that of its plugged ones.
//!
//! ```text
//! MT;<kind>;<IMEI>;<form>;<content>          fields between `+`
//!   R0 Y0    satellites+yymmddhhmmss+lat+lng+km/h+course+event+battery mV+..
//!   R1 Y1    yymmddhhmmss+Wi-Fi+event+battery+..      R2 Y2  yymmddhhmmss+cell+event+battery+..
//!   R3 Y3    yymmddhhmmss+Wi-Fi+cell+event+battery+..
//!   RH YH    satellites+yymmddhhmmss+0+0+0+0+event+battery+..
//! <IMEI>$hhmmss.ss,<A|V>,ddmm.mmmm,N,dddmm.mmmm,E,<knots>,<course>,<altitude>,ddmmyy[$..]
//! <words>=<words>!    the answer to a command
//! ```
//! Nothing is answered. Source: Mictrack "MT700 series low-power protocol" and "MP90 protocol".
//! Ignored: Wi-Fi and cells.

use super::fields::{Fields, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{angle, clock};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 2 * 1024;
/// Most places of a message.
const PLACES_MAX: usize = 64;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// Mictrack.
pub(super) const MICTRACK: Wired = Wired {
    name: "mictrack",
    port: 5191,
    transports: TCP_UDP,
    signatures: &[Mark::Text("MT;"), Mark::Text("%%%%%%%%%%%%%%%$")],
    models: &["Mictrack MT700", "MT710", "MT825", "MP90", "MT600"],
    idle_minutes: 30,
    acknowledges: false,
    wire: |_| Box::new(Mictrack),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Mictrack;

impl Wire for Mictrack {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        Cut::line(bytes, b"#\r\n\0", whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        if line.starts_with("MT") {
            return sparing(line, told);
        }
        if let Some((id, places)) = line.split_once('$') {
            told.from(id)?;
            for place in places.split('$').take(PLACES_MAX) {
                plain(place, told.report())?;
            }
            return Ok(());
        }
        if line.contains('=') || line.ends_with('!') {
            let said = line.trim_end_matches('!');
            told.report().set("command_result", said);
            return Ok(());
        }
        Err(Complaint::bad("message", frame))
    }
}

fn plain(place: &str, draft: &mut Draft) -> Result<(), Complaint> {
    let bad = || Complaint::bad("place", place.as_bytes());
    let mut fields = Fields::new(place, ',');
    let (time, valid) = (fields.text(), fields.text() == "A");
    let (value, side) = (fields.text(), fields.text());
    let lat = angle::sided(value, side).ok_or_else(bad)?;
    let (value, side) = (fields.text(), fields.text());
    let lng = angle::sided(value, side).ok_or_else(bad)?;
    let speed = fields.decimal().map(|knots| knots * KNOT_MPS);
    let (heading, altitude) = (fields.decimal(), fields.decimal());
    draft.time(clock::ddmmyy_hhmmss(fields.text(), time));
    draft.at = Some(Measured { lng, lat, valid, speed, heading, altitude, accuracy: None });
    Ok(())
}

fn sparing(line: &str, told: &mut Told) -> Result<(), Complaint> {
    let mut head = Fields::new(line, ';');
    head.skip(1);
    let kind = head.whole();
    told.from(head.text())?;
    let rest = head.rest();
    let form = rest.get(..2).ok_or_else(|| Complaint::bad("form", rest.as_bytes()))?;
    let content = rest.get(2..).unwrap_or("").trim_start_matches([';', ':']);
    let mut fields = Fields::new(content, '+');
    let draft = told.report();
    draft.maybe("message_type", kind);
    match form {
        "R0" | "Y0" | "RH" | "YH" => {
            draft.maybe("satellites", fields.whole());
            draft.time(clock::yymmddhhmmss(fields.text()));
            let (lat, lng) = (fields.decimal(), fields.decimal());
            let (kmh, heading) = (fields.decimal(), fields.decimal());
            if let (Some(lat), Some(lng), true) = (lat, lng, form.ends_with('0')) {
                let speed = kmh.map(|v| v / 3.6);
                draft.at =
                    Some(Measured { lng, lat, valid: true, speed, heading, ..Measured::default() });
            }
        }
        _ => {
            draft.time(clock::yymmddhhmmss(fields.text()));
            fields.skip(if form.ends_with('3') { 2 } else { 1 });
        }
    }
    let event = fields.whole();
    draft.maybe("alarm", event.and_then(alarm));
    draft.maybe("event", event);
    draft.maybe("battery_volts", fields.decimal().map(|mv| mv / 1000.0));
    Ok(())
}

fn alarm(event: i64) -> Option<&'static str> {
    Some(match event {
        0 => "powerOn",
        5 => "sos",
        8 => "lowBattery",
        9 => "geofenceEnter",
        10 => "geofenceExit",
        _ => return None,
    })
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    Sent::unanswered(format!(
        "{}${}.00,{},{:.1},{}\r\n",
        speaker.device,
        p.hhmmss(),
        p.rmc(),
        p.altitude,
        p.ddmmyy(),
    ))
}

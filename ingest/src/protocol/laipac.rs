//! Laipac: text that looks like a receiver's sentences.
//!
//! ```text
//! $AVRMC,<id>,hhmmss,<status>,ddmm.mmmm,N,dddmm.mmmm,W,<knots>,<course>,ddmmyy,<event>,
//!   <battery>,<km>,<GPS on>,<line 1 mV>,<line 2 mV>[,<area 4 hex><cell 4 hex>,<mcc 4 mnc 2>]*hh
//!   status a r p v: the device waits for an answer    <- $EAVACK,<event>,<hh of the message>*hh
//!   event 3 S T X Y Z ..: so it does                  <- $AVCFG,00000000,<letter>*hh
//!   battery  volts with a point, else millivolts
//! $ECHK,<id>,0*hh    <- the same
//! $EAVSYS,<id>,<ICCID>,<number>,<owner>,<firmware>*hh        $AVSYS,..
//! ```
//! Source: Laipac "S-911 communication protocol". Ignored: $AVSYS.

use super::fields::{Fields, decimal, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{When, angle, checksum, clock};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 512;
const KNOT_MPS: f64 = 1852.0 / 3600.0;
/// The password that devices leave the factory with.
const PASSWORD: &str = "00000000";

/// Laipac.
pub(super) const LAIPAC: Wired = Wired {
    name: "laipac",
    port: 5048,
    transports: TCP_UDP,
    signatures: &[Mark::Text("$AV~"), Mark::Text("$ECHK,"), Mark::Text("$EAV~")],
    models: &["Laipac S-911", "StarFinder", "StarFinder AIRE"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Laipac),
    login: |speaker| {
        let echo = sentence(&format!("ECHK,{},0", speaker.device));
        Sent::new(echo.clone(), echo)
    },
    message,
};

#[derive(Debug)]
struct Laipac;

impl Wire for Laipac {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'$', bytes) {
            return skip;
        }
        Cut::line(bytes, b"\r\n", whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let line = line.strip_prefix('$').unwrap_or(line);
        let (body, sum) = line.split_once('*').unwrap_or((line, ""));
        if let Some(sent) = hexadecimal(part(sum, 0, 2)) {
            told.checksum(sent as u32, checksum::xor(body.as_bytes()).into())?;
        }
        let mut fields = Fields::new(body, ',');
        let kind = fields.text();
        told.from(fields.text())?;
        match kind {
            "ECHK" => told.reply(sentence(body), When::Immediate),
            "AVRMC" => place(fields, part(sum, 0, 2), told)?,
            "EAVSYS" => {
                let draft = told.report();
                draft.set("iccid", fields.text());
                fields.skip(2);
                draft.set("firmware", fields.text());
            }
            _ => {}
        }
        Ok(())
    }
}

fn sentence(body: &str) -> String {
    format!("${body}*{:02X}\r\n", checksum::xor(body.as_bytes()))
}

fn place(mut fields: Fields<'_>, sum: &str, told: &mut Told) -> Result<(), Complaint> {
    let bad = || Complaint::bad("place", &[]);
    let (time, status) = (fields.text(), fields.text());
    let (value, side) = (fields.text(), fields.text());
    let lat = angle::sided(value, side).ok_or_else(bad)?;
    let (value, side) = (fields.text(), fields.text());
    let lng = angle::sided(value, side).ok_or_else(bad)?;
    let speed = fields.decimal().map(|knots| knots * KNOT_MPS);
    let heading = fields.decimal();
    let (date, event) = (fields.text(), fields.text());
    let valid = !status.eq_ignore_ascii_case("V");
    let draft = told.report();
    draft.time(clock::ddmmyy_hhmmss(date, time));
    draft.at = Some(Measured { lng, lat, valid, speed, heading, ..Measured::default() });
    draft.set("status", status);
    draft.maybe("alarm", alarm(event));
    draft.set("event", event);
    measures(fields, draft);
    if let Some(letter) = confirmation(event) {
        let reply = sentence(&format!("AVCFG,{PASSWORD},{letter}"));
        told.reply(reply, When::AfterDurable);
    } else if status.starts_with(|c: char| c.is_ascii_lowercase()) {
        told.reply(sentence(&format!("EAVACK,{event},{sum}")), When::AfterDurable);
    }
    Ok(())
}

fn measures(mut fields: Fields<'_>, draft: &mut Draft) {
    let battery = fields.text();
    let volts = decimal(battery).map(|v| if battery.contains('.') { v } else { v / 1000.0 });
    draft.maybe("battery_volts", volts);
    draft.maybe("odometer_metres", fields.decimal().map(|km| km * 1000.0));
    draft.maybe("gps_on", fields.whole().map(|on| on == 1));
    for nth in 1..=2 {
        let volts = fields.decimal().map(|mv| mv / 1000.0);
        draft.maybe(("analog_volts", nth), volts);
    }
    let (cell, network) = (fields.text(), fields.text());
    let (area, id) = (hexadecimal(part(cell, 0, 4)), hexadecimal(part(cell, 4, 8)));
    let (mcc, mnc) = (part(network, 0, 4).parse(), part(network, 4, 6).parse());
    if let (Some(area), Some(id), Ok(mcc), Ok(mnc)) = (area, id, mcc, mnc) {
        draft.cell(1, (mcc, mnc, area as u32, id as u64));
    }
}

fn alarm(event: &str) -> Option<&'static str> {
    Some(match event {
        "3" => "sos",
        "4" | "7" => "geofenceExit",
        "5" => "powerCut",
        "6" => "overspeed",
        "8" => "vibration",
        "H" => "powerOff",
        "T" => "tampering",
        "X" => "geofenceEnter",
        "Y" => "tow",
        "Z" => "lowBattery",
        _ => return None,
    })
}

/// What ends the alarm of an event.
fn confirmation(event: &str) -> Option<char> {
    Some(match event {
        "3" => 'd',
        "M" => 'm',
        "S" | "T" => 't',
        "X" | "4" => 'x',
        "Y" => 'y',
        "Z" => 'z',
        _ => return None,
    })
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let body = format!(
        "AVRMC,{},{},{},{},{},{},{},{:.2},{:.2},{},0,4000,0,1,0,0",
        speaker.device,
        p.hhmmss(),
        p.status().to_ascii_lowercase(),
        angle::shown(p.lat, 2, 4),
        angle::north(p.lat),
        angle::shown(p.lng, 3, 4),
        angle::east(p.lng),
        p.knots,
        p.heading,
        p.ddmmyy(),
    );
    let sum = checksum::xor(body.as_bytes());
    Sent::new(sentence(&body), sentence(&format!("EAVACK,0,{sum:02X}")))
}

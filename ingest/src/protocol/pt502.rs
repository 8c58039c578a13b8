//! PT502 and relatives (Portman): text that looks like a receiver's sentences, and photos.
//!
//! ```text
//! $<kind>[<content>],<id>,hhmmss.sss,<A|V>,ddmm.mmmm,N,dddmm.mmmm,E,<knots>,<course>,ddmmyy,,,<A|N>
//!   /<inputs bits>,<outputs bits>/<lines hex>,../<metres>/[/<status 3 hex>/..][#]
//!   kind    POS; FDA HDA HDB GOF TOW IN1 SKA PMA CPA alarms; PHO<bytes>-<n> a photo follows
//!   status  battery of 15, signal of 15, satellites
//! $PHD<part>,<length>,<bytes>                       <- #PHD0,960 asks for the first part
//! $FUS<id>,<versions>
//! ```
//! Bytes of an older framing may stand in front of `$`. Source: Portman "GPS communication protocol
//! (PT502, PT201)". Ignored: the photo itself, of which the first part is asked for, and versions.

use super::fields::{Fields, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{When, angle, clock};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
/// Longest part of a photo, bytes.
const PHOTO_MAX: usize = 960;
/// Longest head of a part of a photo.
const PHOTO_HEAD: usize = 16;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// PT502.
pub(super) const PT502: Wired = Wired {
    name: "pt502",
    port: 5017,
    transports: TCP,
    signatures: &[Mark::Text("$POS,"), Mark::Text("$PH~,")],
    models: &["Portman PT502", "PT201", "GS503", "VT10"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Pt502),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Pt502;

impl Wire for Pt502 {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'$', bytes) {
            return skip;
        }
        if !bytes.starts_with(b"$PHD") {
            return match bytes.len() {
                0..4 if !whole => Cut::Need,
                _ => Cut::line(bytes, b"\r\n", whole, LINE_MAX),
            };
        }
        let mut commas = bytes.iter().enumerate().take(PHOTO_HEAD).filter(|(_, b)| **b == b',');
        let (Some((first, _)), Some((second, _))) = (commas.next(), commas.next()) else {
            return match bytes.len() {
                PHOTO_HEAD.. => Cut::no_frame(bytes, "a part's length"),
                _ => Cut::Need,
            };
        };
        let length = text(&bytes[first + 1..second]).ok().and_then(|t| t.parse::<usize>().ok());
        match length.filter(|length| *length <= PHOTO_MAX) {
            Some(length) => Cut::of_length(second + 1 + length, bytes, PHOTO_HEAD + PHOTO_MAX),
            None => Cut::no_frame(bytes, "a part's length"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        if frame.starts_with(b"$PHD") {
            return Ok(());
        }
        let line = text(frame)?.trim();
        if let Some(rest) = line.strip_prefix("$FUS") {
            return told.from(rest.split(',').next().unwrap_or(""));
        }
        let mut fields = Fields::new(line, ',');
        let kind = fields.text();
        told.from(fields.text())?;
        let draft = told.report();
        place(&mut fields, draft)?;
        draft.maybe("alarm", alarm(part(kind, 1, 4)));
        let mut groups = Fields::new(fields.rest(), '/');
        groups.skip(1);
        measures(groups, draft);
        if let Some(photo) = kind.strip_prefix("$PHO") {
            let bytes = photo.split('-').next().and_then(|n| n.parse::<i64>().ok());
            draft.maybe("photo_bytes", bytes);
            told.reply(format!("#PHD0,{PHOTO_MAX}\r\n"), When::AfterDurable);
        }
        Ok(())
    }
}

fn alarm(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "CPA" => "powerCut",
        "FDA" => "fatigueDriving",
        "GOF" => "geofence",
        "HDA" => "hardAcceleration",
        "HDB" => "hardBraking",
        "IN1" => "sos",
        "PMA" => "movement",
        "SKA" => "vibration",
        "TOW" => "tow",
        _ => return None,
    })
}

fn place(fields: &mut Fields<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let bad = || Complaint::bad("place", &[]);
    let (time, state) = (fields.text(), fields.text());
    let (value, side) = (fields.text(), fields.text());
    let lat = angle::sided(value, side).ok_or_else(bad)?;
    let (value, side) = (fields.text(), fields.text());
    let lng = angle::sided(value, side).ok_or_else(bad)?;
    let speed = fields.decimal().map(|knots| knots * KNOT_MPS);
    let heading = fields.decimal();
    draft.time(clock::ddmmyy_hhmmss(fields.text(), time));
    let valid = state == "A";
    draft.at = Some(Measured { lng, lat, valid, speed, heading, ..Measured::default() });
    Ok(())
}

fn measures(mut groups: Fields<'_>, draft: &mut Draft) {
    let (inputs, outputs) = groups.next().and_then(|g| g.split_once(',')).unwrap_or(("", ""));
    draft.maybe("input_mask", i64::from_str_radix(inputs, 2).ok());
    draft.maybe("output_mask", i64::from_str_radix(outputs, 2).ok());
    for (nth, line) in (1..=8).zip(groups.next().unwrap_or("").split(',')) {
        draft.maybe(("analog_raw", nth), hexadecimal(line));
    }
    draft.maybe("odometer_metres", groups.whole());
    groups.skip(1);
    let status = groups.text();
    let digit = |at: usize| hexadecimal(part(status, at, at + 1));
    if status.len() == 3 {
        draft.maybe("battery_percent", digit(0).map(|of_15| of_15 as f64 * 100.0 / 15.0));
        draft.maybe("rssi", digit(1));
        draft.maybe("satellites", digit(2));
    }
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    Sent::unanswered(format!(
        "$POS,{},{}.000,{},{},,,A/00000,00000/0,0,0,0/0//fd9//#\r\n",
        speaker.device,
        p.hhmmss(),
        p.rmc(),
        p.ddmmyy(),
    ))
}

//! Queclink @Track, the text form: GL, GV, GB, CV trackers.
//!
//! ```text
//! +RESP:GT<word>,<version>,<id>,<name>,..,<sent yyyymmddhhmmss>,<count hex>$     <- +SACK:<count>$
//! +BUFF: the same, kept while offline          +ACK:GTHBD <- +SACK:GTHBD,<version>,<count>$
//! place   accuracy,km/h,course,altitude,lng,lat,<utc 14>,mcc,mnc,area,cell,[appendix,..]
//! behind  [metres/1000],[hours hhhhh:mm:ss],analogue mV..,battery %,state 6 hex
//! state   21 22: ignition on, 11 12: off; inputs; outputs
//! INF     state,iccid,signal,..,power mV,..,battery V     CAN   mask, then a value for each bit
//! ```
//! A message carries its places one behind the other, each known by its fourteen digits behind two
//! angles; what stands before the first and behind the last belongs to the vehicle. Accuracy 0
//! says that the place is the last known one.
//!
//! Source: Queclink "@Track Air Interface Protocol" of GL200, GL300, GV300, GV55, GV350M, CV200.
//! Ignored: accessories of ERI other than fuel and temperature, Wi-Fi scans. The HEX form, a
//! configuration switch of the device, stands in `hex`.

use super::fields::{Fields, decimal, hexadecimal, part, text, trimmed, with_fields};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{Telling, When, clock, inbox};
use crate::command::Command;
use crate::fix::{Measured, Report};

mod body;
mod hex;

/// Longest message, bytes; a message of fifteen places needs about 1,500.
const LINE_MAX: usize = 4 * 1024;
/// Most fields looked at.
const FIELDS_MAX: usize = 256;

/// Queclink.
pub(super) const GL200: Wired = Wired {
    name: "gl200",
    port: 5004,
    transports: TCP_UDP,
    signatures: &[Mark::Text("+")],
    models: &["Queclink GL200", "GL300", "GL500", "GV55", "GV300", "GV350M", "GV600", "CV200"],
    idle_minutes: 30,
    acknowledges: true,
    wire: |_| Box::new(Gl200),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Gl200;

impl Wire for Gl200 {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        hex::cut(bytes, whole).unwrap_or_else(|| Cut::line(bytes, b"$\0\r\n", whole, LINE_MAX))
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        if let Some(read) = hex::read(frame, told) {
            return read;
        }
        let line = trimmed(text(frame)?);
        let (head, rest) = line.split_once(',').ok_or_else(|| Complaint::bad("message", frame))?;
        let (kind, word) =
            head.split_once(":GT").ok_or_else(|| Complaint::bad("message", frame))?;
        let all = |fields: &[&str]| message_of(frame, (head, kind, word), fields, told);
        with_fields::<FIELDS_MAX, _>(rest, ',', |field| field, all)
    }

    /// Commands of the "@Track Air Interface Protocol" with an empty password; `FFFF` is the number
    /// that the acknowledgement repeats.
    fn command(&mut self, telling: &Telling<'_>) -> Option<Vec<u8>> {
        let number = telling.number;
        let line = match telling.command {
            Command::Position => format!("AT+GTRTO=,1,,,,,,{number:04X}$"),
            Command::Restart => format!("AT+GTRTO=,3,,,,,,{number:04X}$"),
            Command::EngineStop => format!("AT+GTOUT=,1,,,0,0,0,0,0,0,0,,,,,,,{number:04X}$"),
            Command::EngineResume => format!("AT+GTOUT=,0,,,0,0,0,0,0,0,0,,,,,,,{number:04X}$"),
            Command::Text(words) if words.ends_with('$') => words.clone(),
            Command::Text(_) | Command::Interval(_) => return None,
        };
        Some(line.into_bytes())
    }
}

/// A message of this head, kind and word.
fn message_of(
    frame: &[u8],
    (head, kind, word): (&str, &str, &str),
    fields: &[&str],
    told: &mut Told,
) -> Result<(), Complaint> {
    let (Some(version), Some(id)) = (fields.first(), fields.get(1)) else {
        return Err(Complaint::bad("message", frame));
    };
    told.from(trimmed(id))?;
    let number = fields.last().copied().unwrap_or("");
    if (kind, word) == ("+ACK", "HBD") {
        told.reply(format!("+SACK:GTHBD,{version},{number}$"), When::Immediate);
        return Ok(());
    }
    if kind == "+ACK" {
        told.report().set("command_result", head);
        return Ok(());
    }
    let answer = inbox::reply(|out| {
        out.extend_from_slice(b"+SACK:");
        out.extend_from_slice(number.as_bytes());
        out.push(b'$');
    });
    told.reply(answer, When::AfterDurable);
    said(word, fields, told);
    Ok(())
}

fn said(word: &str, fields: &[&str], told: &mut Told) {
    let mut places = (8..fields.len()).filter(|at| placed(fields, *at)).peekable();
    let first = places.peek().copied();
    let mut last = None;
    loop {
        let at = places.next();
        if at.is_none() && last.is_some() {
            break;
        }
        let draft = told.report();
        draft.set("message_type", word);
        body::ahead(word, fields, first, draft);
        if let Some(at) = at {
            place(fields, at, draft);
        } else {
            break;
        }
        last = at;
    }
    let draft = told.last();
    body::behind(word, fields, last, draft);
}

/// Whether fourteen digits behind two angles stand here.
fn placed(fields: &[&str], at: usize) -> bool {
    let digits = |text: &str| text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit());
    let angle = |text: &str| text.contains('.') && decimal(text).is_some();
    digits(fields[at]) && angle(fields[at - 1]) && angle(fields[at - 2])
}

fn place(fields: &[&str], at: usize, draft: &mut Draft) {
    let number = |back: usize| decimal(fields[at - back]);
    let accuracy = number(6).or(fields[at - 6].is_empty().then_some(0.0));
    draft.time(clock::yyyymmddhhmmss(fields[at]));
    draft.maybe("hdop", number(6));
    draft.at = Some(Measured {
        lat: number(1).unwrap_or(0.0),
        lng: number(2).unwrap_or(0.0),
        valid: accuracy.is_some_and(|a| a > 0.0),
        speed: number(5).map(|v| v / 3.6),
        heading: number(4),
        altitude: number(3),
        accuracy: None,
    });
    let hex = |on: usize| fields.get(at + on).and_then(|t| hexadecimal(t));
    let plain = |on: usize| fields.get(at + on).and_then(|t| t.parse::<u16>().ok());
    if let (Some(mcc), Some(mnc), Some(area), Some(id)) = (plain(1), plain(2), hex(3), hex(4)) {
        draft.cell(1, (mcc, mnc, area as u32, id as u64));
    }
}

/// `FRI` of a vehicle tracker.
fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = speaker.next() & 0xffff;
    let state = match flag(report, "ignition") {
        Some(true) => "220100",
        Some(false) => "110000",
        None => "420000",
    };
    let time = format!("{:04}{}{}", p.civil.year, part(&p.yymmdd(), 2, 6), p.hhmmss());
    let line = format!(
        "+RESP:GTFRI,060228,{},,12000,10,1,{},{:.1},{},{:.1},{:.6},{:.6},{time},,,,,00,0.0,,,,100,\
         {state},,,,{time},{number:04X}$",
        speaker.device,
        u8::from(p.valid),
        p.kmh,
        p.degrees(),
        p.altitude,
        p.lng,
        p.lat,
    );
    Sent::new(line, format!("+SACK:{number:04X}$"))
}

/// The hours of a meter `hhhhh:mm:ss`, seconds.
fn meter(text: &str) -> Option<i64> {
    let mut fields = Fields::new(text, ':');
    let (hours, minutes, seconds) = (fields.whole()?, fields.whole()?, fields.whole()?);
    Some(hours.saturating_mul(3600).saturating_add(minutes * 60).saturating_add(seconds))
}

//! Kids' and elders' watches of the "3G" family (Setracker, Q50, GW, ZJ): text in brackets, with
//! recorded voice in between.
//!
//! ```text
//! [<maker 2>*<id>*<length hex 4>*<content>]       [ZJ*<id>*<number>*<length>*<content>]
//! LK[,steps,rolls,percent]  <- LK     AL..,place  <- AL     UD.. place     WT.. place
//! TKQ <- TKQ     PULSE / heart,<beats>     bphrt or blood,<high>,<low>[,<beats>]
//! TEMP,<degrees>     btemp2,<measured 1>,<degrees>     oxygen,<..>,<percent>
//! place: ddmmyy,hhmmss,<A|V>,<lat>,<N|S>,<lng>,<E|W>,<km/h>,<course>,<altitude>,<satellites>,
//!        <signal>,<percent>,<steps>,<rolls>,<status hex>,cells and access points
//! status: 4 still or moving, 16 SOS, 17 low battery, 18 left, 19 entered a fence, 20 taken off,
//!         21 fallen
//! in voice: 7d 01 is `}`, 7d 02 `[`, 7d 03 `]`, 7d 04 `,`, 7d 05 `*`
//! ```
//! Source: "3G Series Smart Watch Communication Protocol" (3G electronics). Ignored: cells,
//! access points, voice. The length is the maker's word; the bracket ends a message.

use super::fields::{Fields, decimal, hexadecimal, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{Telling, When, angle, clock, scan};
use crate::command::Command;
use crate::fix::{Measured, Report};

/// Longest message, bytes; a piece of voice.
const FRAME_MAX: usize = 64 * 1024;

/// Watches.
pub(super) const WATCH: Wired = Wired {
    name: "watch",
    port: 5093,
    transports: TCP,
    signatures: &[Mark::Text("[?~*")],
    models: &["Q50", "Q90", "GW100", "GW1000", "Setracker", "Wonlex", "Reachfar"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Watch::default()),
    login: |speaker| {
        let head = format!("[3G*{}*0002*LK]", speaker.device);
        Sent::new(head.clone(), head)
    },
    message,
};

#[derive(Debug, Default)]
struct Watch {
    /// What stood before the last message's length: `[maker*id*`, a number where there is one.
    head: Vec<u8>,
    /// The word of a command that waits for its answer.
    asked: Option<Vec<u8>>,
}

impl Wire for Watch {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'[', bytes) {
            return skip;
        }
        match told_end(bytes) {
            Some(end) if bytes.get(end) == Some(&b']') => return Cut::frame(end + 1),
            Some(end) if bytes.len() <= end && !whole => return Cut::Need,
            _ => {}
        }
        match scan::find(&bytes[..bytes.len().min(FRAME_MAX)], b']') {
            Some(end) => Cut::frame(end + 1),
            None if bytes.len() >= FRAME_MAX => Cut::too_long(FRAME_MAX),
            None if whole => Cut::frame(bytes.len()),
            None => Cut::Need,
        }
    }

    fn split(&self, frame: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(frame.len());
        let mut rest = frame.iter().peekable();
        while let Some(byte) = rest.next() {
            let plain = match (byte, rest.peek()) {
                (b'}', Some(1)) => b'}',
                (b'}', Some(2)) => b'[',
                (b'}', Some(3)) => b']',
                (b'}', Some(4)) => b',',
                (b'}', Some(5)) => b'*',
                _ => {
                    out.push(*byte);
                    continue;
                }
            };
            rest.next();
            out.push(plain);
        }
        out
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let mut parts = frame.splitn(4, |b| *b == b'*');
        let (Some(maker), Some(id), Some(third), Some(rest)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Complaint::bad("message", frame));
        };
        told.from(text(id)?)?;
        let mut head = [maker, b"*", id, b"*"].concat();
        let mut content = rest;
        // ZJ numbers its messages before the length.
        if maker.ends_with(b"ZJ")
            && let Some(at) = rest.iter().position(|b| *b == b'*')
        {
            head = [&head[..], third, b"*"].concat();
            content = &rest[at + 1..];
        }
        let content = content.strip_suffix(b"]").unwrap_or(content);
        let kind = content.split(|b| *b == b',').next().unwrap_or_default();
        if self.head != head {
            self.head.clone_from(&head);
        }
        if self.asked.as_deref() == Some(kind) {
            self.asked = None;
            told.report().set("command_result", text(content)?);
            return Ok(());
        }
        let answer = match kind {
            b"LK" | b"TKQ" | b"TKQ2" => Some((kind, When::Immediate)),
            [b'A', b'L', ..] => Some((&kind[..2], When::AfterDurable)),
            _ => None,
        };
        if let Some((word, when)) = answer {
            let length = format!("{:04X}*", word.len());
            told.reply([&head[..], length.as_bytes(), word, b"]"].concat(), when);
        }
        if kind.starts_with(b"TK") {
            return Ok(());
        }
        said(text(content)?, told)
    }

    /// Commands of "3G Vehicle/Watch communication protocol"; the device answers with the same word.
    fn command(&mut self, telling: &Telling<'_>) -> Option<Vec<u8>> {
        let words = match telling.command {
            Command::Position => "CR".to_owned(),
            Command::Interval(seconds) => format!("UPLOAD,{seconds}"),
            Command::Restart => "RESET".to_owned(),
            Command::Text(words) if !words.contains(['[', ']']) => words.clone(),
            Command::Text(_) | Command::EngineStop | Command::EngineResume => return None,
        };
        if self.head.is_empty() {
            return None;
        }
        self.asked = words.split(',').next().map(|word| word.as_bytes().to_vec());
        let length = format!("{:04X}*", words.len());
        Some([&self.head[..], length.as_bytes(), words.as_bytes(), b"]"].concat())
    }
}

/// Where the length says that the closing bracket stands: names of networks hold brackets too. A
/// bracket before the length ends a message that has none.
fn told_end(bytes: &[u8]) -> Option<usize> {
    let head = bytes.split(|b| *b == b']').next().unwrap_or(bytes);
    let mut stars = head.iter().enumerate().take(64).filter(|(_, b)| **b == b'*');
    let third = if head.starts_with(b"[ZJ") { 3 } else { 2 };
    let (end, _) = stars.nth(third)?;
    let digits = bytes.get(end.checked_sub(4)?..end)?;
    let length = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some(end + 1 + length)
}

fn said(content: &str, told: &mut Told) -> Result<(), Complaint> {
    let mut fields = Fields::new(content, ',');
    let kind = fields.text();
    match kind {
        "LK" if !fields.is_empty() => {
            let draft = told.report();
            draft.maybe("steps", fields.whole());
            fields.skip(1);
            draft.maybe("battery_percent", fields.whole());
        }
        "PULSE" | "heart" | "HEART" => told.report().maybe("heart_rate", fields.whole()),
        "TEMP" => told.report().maybe(("temperature_celsius", 1), fields.decimal()),
        // Whether it was measured, then what.
        "btemp2" => {
            let measured = fields.whole().is_some_and(|v| v > 0);
            let celsius = fields.decimal().filter(|_| measured);
            told.report().maybe(("temperature_celsius", 1), celsius);
        }
        "oxygen" => {
            fields.skip(1);
            told.report().maybe("oxygen_percent", fields.decimal());
        }
        "bphrt" | "BPHRT" | "blood" | "BLOOD" => {
            let draft = told.report();
            draft.maybe("pressure_high", fields.whole());
            draft.maybe("pressure_low", fields.whole());
            draft.maybe("heart_rate", fields.whole());
        }
        _ if kind.starts_with("AL") || kind.starts_with("UD") || kind.starts_with("WT") => {
            return place(kind.starts_with("AL"), &mut fields, told.report());
        }
        _ => {}
    }
    Ok(())
}

fn place(alarm: bool, fields: &mut Fields<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let (date, time) = (fields.text(), fields.text());
    draft.time(clock::ddmmyy_hhmmss(date, time));
    let valid = fields.text() == "A";
    let mut sided = |positive: &'static str| {
        let (value, side) = (fields.text(), fields.text());
        angle::signed(decimal(value)?, if side.is_empty() { positive } else { side })
    };
    let (lat, lng) = (sided("N"), sided("E"));
    let (Some(lat), Some(lng)) = (lat, lng) else {
        return Err(Complaint::bad("place", date.as_bytes()));
    };
    let speed = fields.decimal().map(|v| v / 3.6);
    let (heading, altitude) = (fields.decimal(), fields.decimal());
    draft.at = Some(Measured { lat, lng, valid, speed, heading, altitude, accuracy: None });
    draft.maybe("satellites", fields.whole());
    draft.maybe("rssi", fields.whole());
    draft.maybe("battery_percent", fields.whole().filter(|p| (0..=100).contains(p)));
    draft.maybe("steps", fields.whole());
    fields.skip(1);
    let status = hexadecimal(fields.text()).unwrap_or(0);
    let names = [
        (16, "sos"),
        (17, "lowBattery"),
        (18, "geofenceExit"),
        (19, "geofenceEnter"),
        (20, "removing"),
        (21, "fallDown"),
    ];
    for (_, name) in names.iter().filter(|(bit, _)| status >> bit & 1 != 0) {
        draft.alarm(name);
    }
    if alarm && !draft.has("alarm") {
        draft.alarm("general");
    }
    if status & 0x10 != 0 {
        draft.set("motion", true);
    }
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let content = format!(
        "UD,{},{},{},{:.6},{},{:.7},{},{:.2},{:.1},{:.1},0,100,100,0,0,00000000,0,0",
        p.ddmmyy(),
        p.hhmmss(),
        p.status(),
        p.lat.abs(),
        angle::north(p.lat),
        p.lng.abs(),
        angle::east(p.lng),
        p.kmh,
        p.heading,
        p.altitude,
    );
    Sent::unanswered(format!("[3G*{}*{:04X}*{content}]", speaker.device, content.len()))
}

//! TRV and IW: text of Thinkrace's trackers and watches, each message ended by `#`.
//!
//! ```text
//! TRV<command 4><content>#     IW<command 4><content>#
//!   AP00 IMEI[,..]                       <- BP00, for IW with the time: BP00,yyyymmddhhmmss,0
//!   AP01 AP10 YP03 YP14 CP.. place       <- the same command with its first letter's partner
//!     yymmdd<A|V>ddmm.mmmmN dddmm.mmmmE<km/h 5>hhmmss<course 6><status>,mcc,mnc,area,cell,..
//!     AP10: ,..,<alarm 2>,..
//!   CP01 AP03 status[,steps,..]          AP02 ,..: cells and Wi-Fi alone
//!   AP49 heart   APHT heart,systolic,diastolic   APHP the same,oxygen,..   AP50 temperature,battery
//!   AP12 AP14 .. answers to commands, not answered
//! status  signal 3 | satellites 3 | battery % 3 | ignition 1 (1 on, 2 off) | armed 2 (1 yes)
//!         | mode 2   and, of CP01: | interval 4 | alarm 1 | sensitivity 3 | arming 1 | 4
//!         | fuel cut 1 (2 yes) | power 1 (2 there) | moving 1
//! partner  A B, C D, Y Z
//! ```
//! Source: Thinkrace "TRV communication protocol" and "IW watch protocol". Ignored: Wi-Fi, sound.

use super::fields::{Fields, decimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{When, angle, clock};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 2 * 1024;

/// TRV.
pub(super) const TRV: Wired = Wired {
    name: "trv",
    port: 5010,
    transports: TCP,
    signatures: &[Mark::Text("TRV"), Mark::Text("IW~")],
    models: &["Thinkrace TR02", "PT30", "TK116", "VT100", "iW watches"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Trv),
    login: |speaker| Sent::new(format!("TRVAP00{}#", speaker.device), "TRVBP00#"),
    message,
};

#[derive(Debug)]
struct Trv;

impl Wire for Trv {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        match bytes.iter().position(|b| matches!(b, b'T' | b'I')) {
            Some(0) => {}
            from => return Cut::Skip(from.unwrap_or(bytes.len())),
        }
        let head: &[u8] = if bytes[0] == b'T' { b"TRV" } else { b"IW" };
        if bytes.len() < head.len() && head.starts_with(bytes) && !whole {
            return Cut::Need;
        }
        if !bytes.starts_with(head) {
            return Cut::no_frame(bytes, "`TRV` or `IW`");
        }
        Cut::line(bytes, b"#", whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let from = if line.starts_with("IW") { 2 } else { 3 };
        let (head, command) = (part(line, 0, from), part(line, from, from + 4));
        let content = part(line, from + 4, line.len());
        match command {
            "AP00" => {
                told.from(content.split(',').next().unwrap_or("").trim())?;
                let reply = if head == "IW" { login_reply(told) } else { "TRVBP00#".to_owned() };
                told.reply(reply, When::Immediate);
                return Ok(());
            }
            "AP12" | "AP14" | "AP15" | "AP16" | "AP33" | "AP84" | "AP85" | "AP86" => return Ok(()),
            _ => {}
        }
        let when = report(command, content, told)?;
        if let Some(partner) = partner(part(command, 0, 1)) {
            let reply = format!("{head}{partner}{}#", part(command, 1, 4));
            told.reply(reply, when);
        }
        Ok(())
    }
}

/// The time, which watches have from nowhere else.
fn login_reply(told: &Told) -> String {
    let c = told.received_at.civil();
    format!(
        "IWBP00,{:04}{:02}{:02}{:02}{:02}{:02},0#",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

fn partner(letter: &str) -> Option<char> {
    Some(match letter {
        "A" => 'B',
        "C" => 'D',
        "Y" => 'Z',
        _ => return None,
    })
}

fn report(command: &str, content: &str, told: &mut Told) -> Result<When, Complaint> {
    let content = content.trim_start_matches(',');
    let mut fields = Fields::new(content, ',');
    match command {
        "AP01" | "AP10" | "YP01" | "YP02" | "YP03" | "YP10" | "YP14" | "CP10" => {
            place(command, content, told.report())?;
        }
        "CP01" | "AP03" => {
            let draft = told.report();
            status(fields.text(), draft);
            if command == "AP03" {
                draft.maybe("steps", fields.whole());
            }
        }
        "AP02" => {
            fields.skip(2);
            cells(fields, told.report());
        }
        "AP49" | "APHT" | "APHP" => {
            let draft = told.report();
            draft.maybe("heart_rate", fields.whole());
            draft.maybe("systolic_mmhg", fields.whole());
            draft.maybe("diastolic_mmhg", fields.whole());
            draft.maybe("oxygen_percent", fields.whole());
        }
        "AP50" => {
            let draft = told.report();
            draft.maybe("temperature_celsius", fields.decimal());
            draft.maybe("battery_percent", fields.whole());
        }
        _ => return Ok(When::Immediate),
    }
    Ok(When::AfterDurable)
}

/// AP02: count, then country, network, and area, cell and strength between bars.
fn cells(mut fields: Fields<'_>, draft: &mut Draft) {
    fields.skip(1);
    let (Ok(mcc), Ok(mnc)) = (fields.text().parse(), fields.text().parse()) else { return };
    for nth in 1..=10 {
        let mut cell = Fields::new(fields.text(), '|');
        let (Some(area), Some(id)) = (cell.whole(), cell.whole()) else { return };
        draft.cell(nth, (mcc, mnc, area as u32, id as u64));
        if nth == 1 {
            draft.maybe("rssi", cell.whole());
        }
    }
}

fn place(command: &str, content: &str, draft: &mut Draft) -> Result<(), Complaint> {
    let bad = || Complaint::bad("place", content.as_bytes());
    let (date, valid) = (part(content, 0, 6), part(content, 6, 7) == "A");
    let rest = part(content, 7, content.len());
    let (lat, rest) = rest.split_at(rest.find(['N', 'S']).ok_or_else(bad)?);
    let (lng, tail) = rest.split_at(rest.find(['E', 'W']).ok_or_else(bad)?);
    let latitude = angle::sided(lat.trim(), lng).ok_or_else(bad)?;
    let longitude = angle::sided(part(lng, 1, lng.len()).trim(), tail).ok_or_else(bad)?;
    let tail = part(tail, 1, tail.len());
    let mut fields = Fields::new(part(tail, 11, tail.len()), ',');
    // Five letters of speed, then the time, whatever the course's length.
    let packed = fields.text();
    let point = packed.find('.').map_or(3, |at| at.min(3));
    let course = part(packed, 0, point + 3);
    draft.time(clock::yymmdd_hhmmss(date, part(tail, 5, 11)));
    draft.at = Some(Measured {
        lng: longitude,
        lat: latitude,
        valid,
        speed: decimal(part(tail, 0, 5)).map(|kmh| kmh / 3.6),
        heading: decimal(course),
        ..Measured::default()
    });
    status(part(packed, point + 3, packed.len()), draft);
    let (mcc, mnc, area, id) = (fields.text(), fields.text(), fields.whole(), fields.whole());
    if let (Ok(mcc), Ok(mnc), Some(area), Some(id)) = (mcc.parse(), mnc.parse(), area, id) {
        draft.cell(1, (mcc, mnc, area as u32, id as u64));
    }
    if command == "AP10" {
        draft.maybe("alarm", alarm(fields.text()));
    }
    Ok(())
}

fn alarm(code: &str) -> Option<&'static str> {
    match code {
        "01" => Some("sos"),
        "02" => Some("lowBattery"),
        _ => None,
    }
}

fn status(digits: &str, draft: &mut Draft) {
    let number = |from: usize, to: usize| part(digits, from, to).parse::<i64>().ok();
    draft.maybe("rssi", number(0, 3));
    draft.maybe("satellites", number(3, 6));
    draft.maybe("battery_percent", number(6, 9));
    let beat = digits.len() >= 29;
    if beat || digits.len() < 26 {
        draft.maybe("ignition", number(9, 10).filter(|v| *v > 0).map(|v| v == 1));
    }
    if beat {
        draft.maybe("blocked", number(27, 28).map(|v| v == 2));
        draft.maybe("charging", number(28, 29).map(|v| v == 2));
        draft.maybe("motion", number(29, 30).map(|v| v == 1));
    } else if digits.len() < 26 {
        draft.maybe("armed", number(10, 12).map(|v| v == 1));
        draft.maybe("mode", number(12, 14));
    }
}

fn message(_: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let ignition = if flag(report, "ignition").unwrap_or(false) { 1 } else { 2 };
    let line = format!(
        "TRVYP03{}{}{}{}{}{}{:05.1}{}{:06.2}100009100{ignition}0201,0,0,0,0#",
        p.yymmdd(),
        p.status(),
        angle::shown(p.lat, 2, 4),
        angle::north(p.lat),
        angle::shown(p.lng, 3, 4),
        angle::east(p.lng),
        p.kmh,
        p.hhmmss(),
        p.heading,
    );
    Sent::new(line, "TRVZP03#")
}

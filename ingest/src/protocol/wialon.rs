//! Wialon IPS 1.1 and 2.0: lines of text.
//!
//! ```text
//! #L#[2.0;]<id>;<password>[;crc]                 <- #AL#1
//! #SD#ddmmyy;hhmmss;ddmm.mm;N;dddmm.mm;E;km/h;course;altitude;satellites   <- #ASD#1 (2.0), #AD#1
//! #D#..the same;hdop;inputs;outputs;adc,..;driver;name:type:value,..[;crc] <- #AD#1
//! #B#..|..|..                                    <- #AB#<records>
//! #P#                                            <- #AP#
//! [2.0;]<id>#SD#..                               the id in front, over UDP
//! ```
//! `NA` stands for what is not known. Types of parameters: 1 whole, 2 decimal, 3 text. The
//! checksum of 2.0 is CRC-16/ARC, hex, of all between the kind and itself.
//!
//! Source: Gurtam "Wialon IPS v.1.1" and "v.2.0". Ignored: the password (a device is known by its
//! id and place in the allow-list), driver messages, pictures and files.

use super::fields::{Fields, decimal, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{BadFrame, When, angle, checksum, clock};
use crate::attribute::Value;
use crate::fix::{Measured, Report};

/// Longest line, bytes: a block of records.
const LINE_MAX: usize = 32 * 1024;

/// Fields of a record and of a short one.
const RECORD: usize = 16;
const SHORT_RECORD: usize = 10;

/// Wialon IPS.
pub(super) const WIALON: Wired = Wired {
    name: "wialon",
    port: 5039,
    transports: TCP_UDP,
    signatures: &[Mark::Text("#~#"), Mark::Text("#~~#"), Mark::Text("%%%%%%%%%%%%%%%#~")],
    models: &["Wialon IPS 1.1", "Wialon IPS 2.0", "WiaTag", "Galileosky", "any Gurtam partner"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Wialon::default()),
    login: |speaker| {
        if speaker.transport == super::Transport::Udp {
            return Sent::default();
        }
        Sent::new(format!("#L#{};NA\r\n", speaker.device), "#AL#1\r\n")
    },
    message,
};

#[derive(Debug, Default)]
struct Wialon {
    /// Whether the connection speaks 2.0, whose lines have checksums.
    second: bool,
}

impl Wire for Wialon {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        Cut::line(bytes, b"\r\n", whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let (ahead, rest) = line.split_once('#').ok_or_else(|| Complaint::bad("line", frame))?;
        if !ahead.is_empty() {
            let id = ahead.strip_prefix("2.0;");
            self.second |= id.is_some();
            told.from(id.unwrap_or(ahead))?;
        }
        let (kind, content) = rest.split_once('#').ok_or_else(|| Complaint::bad("line", frame))?;
        match kind {
            "L" => self.login(content, told),
            "P" => {
                told.reply("#AP#\r\n", When::Immediate);
                Ok(())
            }
            "D" | "SD" => {
                told.reply("#AD#1\r\n", When::AfterDurable);
                let fields = if kind == "D" { RECORD } else { SHORT_RECORD };
                let content = self.checked(content, fields, told)?;
                record(content, told);
                Ok(())
            }
            "B" => {
                let content = self.checked(content, RECORD, told)?;
                let records = content.split('|').filter(|r| !r.is_empty());
                told.reply(format!("#AB#{}\r\n", records.clone().count()), When::AfterDurable);
                for one in records {
                    record(one, told);
                    told.last().set("archive", true);
                }
                Ok(())
            }
            "M" => {
                told.reply("#AM#1\r\n", When::AfterDurable);
                let words = self.checked(content, 1, told)?;
                told.report().set("command_result", words);
                Ok(())
            }
            _ => Err(Complaint::bad("kind", kind.as_bytes())),
        }
    }

    fn refusal(&self) -> &'static [u8] {
        b"#AL#0\r\n"
    }
}

impl Wialon {
    fn login(&mut self, content: &str, told: &mut Told) -> Result<(), Complaint> {
        let mut fields = Fields::new(content, ';');
        let mut id = fields.text();
        if id == "2.0" {
            self.second = true;
            self.checked(content, 3, told)?;
            id = fields.text();
        }
        told.from(id)?;
        let password = fields.text();
        if !matches!(password, "" | "NA") {
            told.shows(password.as_bytes());
        }
        told.reply("#AL#1\r\n", When::Immediate);
        Ok(())
    }

    /// The content without the checksum that 2.0 puts behind the `fields` of its last record.
    fn checked<'a>(
        &self,
        content: &'a str,
        fields: usize,
        told: &mut Told,
    ) -> Result<&'a str, Complaint> {
        let last = content.rsplit('|').next().unwrap_or(content);
        let Some((body, sum)) = content.rsplit_once(';') else { return Ok(content) };
        if !self.second || last.split(';').count() <= fields {
            return Ok(content);
        }
        let covered = content.get(..=body.len()).unwrap_or(content);
        let sent = u32::from_str_radix(sum.trim_start_matches("0x"), 16)
            .map_err(|e| Complaint::new(BadFrame::Malformed, body.len(), e.to_string()))?;
        told.checksum(sent, checksum::ARC.of(covered.as_bytes()).into())?;
        Ok(body)
    }
}

fn record(content: &str, told: &mut Told) {
    let mut fields = Fields::new(content, ';');
    let (date, time) = (fields.text(), fields.text());
    let draft = told.report();
    draft.time(clock::ddmmyy_hhmmss(date, time));
    let mut sided = || {
        let (value, side) = (fields.text(), fields.text());
        // Some write more digits than a double holds.
        angle::sided(value.get(..value.len().min(17))?, side)
    };
    let (lat, lng) = (sided(), sided());
    let speed = fields.decimal().map(|v| v / 3.6);
    let (heading, altitude) = (fields.decimal(), fields.decimal());
    let satellites = fields.whole();
    if let (Some(lat), Some(lng)) = (lat, lng) {
        let valid = satellites.unwrap_or(0) > 0;
        draft.at = Some(Measured { lat, lng, valid, speed, heading, altitude, accuracy: None });
    }
    draft.maybe("satellites", satellites);
    draft.maybe("hdop", fields.decimal());
    draft.maybe("input_mask", fields.whole());
    draft.maybe("output_mask", fields.whole());
    for (nth, value) in (1..=16).zip(fields.text().split(',')) {
        draft.maybe(("analog_volts", nth), decimal(value));
    }
    let driver = fields.text();
    if !matches!(driver, "" | "NA") {
        draft.set("driver_id", driver);
    }
    for parameter in fields.text().split(',') {
        set(draft, parameter);
    }
}

/// `name:type:value`.
fn set(draft: &mut Draft, parameter: &str) {
    let mut parts = parameter.splitn(3, ':');
    let (Some(name), Some(kind), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
        return;
    };
    let value = match kind {
        "1" | "2" => match decimal(value) {
            Some(v) => Value::Float(v),
            None => return,
        },
        _ if value.eq_ignore_ascii_case("true") => Value::Bool(true),
        _ if value.eq_ignore_ascii_case("false") => Value::Bool(false),
        _ => Value::from(value),
    };
    draft.named(&name.to_lowercase(), value);
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let ahead = if speaker.transport == super::Transport::Udp { &speaker.device } else { "" };
    let line = format!(
        "{ahead}#D#{};{};{};{};{};{};{};{};{:.1};{};NA;NA;NA;;NA;\r\n",
        p.ddmmyy(),
        p.hhmmss(),
        angle::shown(p.lat, 2, 5),
        angle::north(p.lat),
        angle::shown(p.lng, 3, 5),
        angle::east(p.lng),
        p.kmh.round(),
        p.degrees(),
        p.altitude,
        if p.valid { 7 } else { 0 },
    );
    Sent::new(line, "#AD#1\r\n")
}

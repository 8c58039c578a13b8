//! Fifotrack: text with its length in front, and a checksum behind it.
//!
//! ```text
//! $$<length>,<IMEI>,<number hex>,<kind>,<content>*<xor 2 hex>CR LF
//!   A00 A01 A02  <event>,yymmddhhmmss,<A|V>,<lat>,<lng>,<km/h>,<course>,<altitude>,<metres>,
//!                <engine s>,<status hex>,<inputs hex>,<outputs hex>,<mcc>|<mnc>|<area>|<cell hex>,
//!                <battery>|<power>|<lines>.. 0.01 V hex[,<driver hex>[,<thermometer|°C>..]]
//!   A03          <event>,yymmddhhmmss,<mcc>|<mnc>|<area>|<cell hex>,<battery V>,<battery %>,
//!                <status hex>,0,<A|V>,<km/h>,<satellites>,<lat>,<lng>   or   ,1,<MAC:dBm>|..
//!   D05          yymmddhhmmss,<lat>,<lng>,..,<bytes>,<photo>   <- ##<length>,<IMEI>,<n>,D06,
//!                                                          <photo>,0,1024*<xor>CR LF
//!   D06          photo,from,length,bytes
//!   others       the answer to a command
//! status  bits 31 to 28 satellites, 7 to 3 signal
//! ```
//! Source: Fifotrack "GPRS protocol" V1.9. The checksum is all bytes before the asterisk,
//! exclusive-or, that of a question the sum of all up to and with it. Ignored: Wi-Fi, the photo itself, of which the first part is asked for.

use super::fields::{Fields, decimal, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{BadFrame, When, checksum, clock};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const FRAME_MAX: usize = 2 * 1024;
/// Longest length's digits and what is before them.
const HEAD_MAX: usize = 8;
/// Bytes of a photo asked for at a time.
const PHOTO_PART: usize = 1024;

/// Fifotrack.
pub(super) const FIFOTRACK: Wired = Wired {
    name: "fifotrack",
    port: 5124,
    transports: TCP_UDP,
    signatures: &[Mark::Text("$$%%,"), Mark::Text("$$%%%,"), Mark::Text("$$%%%%,")],
    models: &["Fifotrack A100", "A300", "A600", "Q1", "S60"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Fifotrack { asked: 0 }),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Fifotrack {
    /// Questions about photos so far.
    asked: u32,
}

impl Wire for Fifotrack {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'$', bytes) {
            return skip;
        }
        match bytes {
            [b'$', b'$', ..] => {}
            [b'$'] => return Cut::Need,
            _ => return Cut::no_frame(bytes, "`$$`"),
        }
        let head = &bytes[2..bytes.len().min(HEAD_MAX)];
        let Some(comma) = head.iter().position(|b| *b == b',') else {
            return match bytes.len() {
                HEAD_MAX.. => Cut::no_frame(bytes, "a length"),
                _ => Cut::Need,
            };
        };
        let length = text(&head[..comma]).ok().and_then(|t| t.parse::<usize>().ok());
        let Some(length) = length else { return Cut::no_frame(bytes, "a length") };
        // From the comma to before the asterisk; the checksum follows.
        let end = 2 + comma + length + 3;
        if end > FRAME_MAX {
            return Cut::too_long(FRAME_MAX);
        }
        Cut::of_length(end, bytes, FRAME_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let end = frame.iter().rposition(|b| *b == b'*');
        let end = end.ok_or_else(|| Complaint::new(BadFrame::Malformed, 0, "`*` is missing"))?;
        let sum = text(&frame[end + 1..])?;
        if let Some(sent) = hexadecimal(part(sum, 0, 2)) {
            told.checksum(sent as u32, checksum::xor(&frame[..end]).into())?;
        }
        // A photo's part is bytes.
        let lossy = String::from_utf8_lossy(&frame[..end]);
        let mut fields = Fields::new(&lossy, ',');
        fields.skip(1);
        let id = fields.text();
        told.from(id)?;
        fields.skip(1);
        match fields.text() {
            "A00" | "A01" | "A02" => place(fields, told.report()),
            "A03" => {
                sparing(fields, told.report());
                Ok(())
            }
            "D05" => {
                self.asked += 1;
                let photo = fields.rest().rsplit(',').next().unwrap_or("");
                let content = format!(",{id},{},D06,{photo},0,{PHOTO_PART}", self.asked);
                told.reply(question(&content), When::Immediate);
                Ok(())
            }
            "D06" => Ok(()),
            command => {
                let draft = told.report();
                draft.set("message_type", command);
                draft.set("command_result", fields.rest());
                Ok(())
            }
        }
    }
}

fn question(content: &str) -> String {
    let body = format!("##{}{content}*", content.len());
    format!("{body}{:02X}\r\n", checksum::sum(body.as_bytes()))
}

fn place(mut fields: Fields<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.maybe("alarm", fields.whole().and_then(alarm));
    draft.time(clock::yymmddhhmmss(fields.text()));
    let valid = fields.text() == "A";
    let (Some(lat), Some(lng)) = (fields.decimal(), fields.decimal()) else {
        return Err(Complaint::bad("place", fields.rest().as_bytes()));
    };
    let speed = fields.decimal().map(|kmh| kmh / 3.6);
    let (heading, altitude) = (fields.decimal(), fields.decimal());
    draft.at = Some(Measured { lng, lat, valid, speed, heading, altitude, accuracy: None });
    draft.maybe("odometer_metres", fields.whole());
    draft.maybe("engine_on_seconds", fields.whole());
    if let Some(status) = fields.hex() {
        draft.set("rssi", status >> 3 & 0x1f);
        draft.set("satellites", status >> 28 & 0xf);
        draft.set("status", status);
    }
    draft.maybe("input_mask", fields.hex());
    draft.maybe("output_mask", fields.hex());
    cell(fields.text(), draft);
    for (nth, line) in (1..=8).zip(fields.text().split('|')) {
        let volts = hexadecimal(line).map(|hundredths| hundredths as f64 / 100.0);
        draft.maybe(("analog_volts", nth), volts);
    }
    if let Some(driver) = fields.hex() {
        draft.set("driver_id", driver.to_string());
    }
    for (nth, celsius) in (1..=8).zip(fields.rest().split('|')) {
        draft.maybe(("temperature_celsius", nth), decimal(celsius));
    }
    Ok(())
}

/// The form of trackers that live on a battery.
fn sparing(mut fields: Fields<'_>, draft: &mut Draft) {
    draft.maybe("alarm", fields.whole().and_then(alarm));
    draft.time(clock::yymmddhhmmss(fields.text()));
    cell(fields.text(), draft);
    draft.maybe("battery_volts", fields.decimal());
    draft.maybe("battery_percent", fields.whole());
    draft.maybe("status", fields.hex());
    if fields.text() != "0" {
        return;
    }
    let valid = fields.text() == "A";
    let speed = fields.decimal().map(|kmh| kmh / 3.6);
    draft.maybe("satellites", fields.whole());
    if let (Some(lat), Some(lng)) = (fields.decimal(), fields.decimal()) {
        draft.at = Some(Measured { lng, lat, valid, speed, ..Measured::default() });
    }
}

fn cell(text: &str, draft: &mut Draft) {
    let mut cell = Fields::new(text, '|');
    let (mcc, mnc, area, id) = (cell.text(), cell.text(), cell.hex(), cell.hex());
    if let (Ok(mcc), Ok(mnc), Some(area), Some(id)) = (mcc.parse(), mnc.parse(), area, id) {
        draft.cell(1, (mcc, mnc, area as u32, id as u64));
    }
}

fn alarm(event: i64) -> Option<&'static str> {
    Some(match event {
        2 => "sos",
        14 => "lowPower",
        15 => "powerCut",
        16 => "powerRestored",
        17 => "lowBattery",
        18 => "overspeed",
        20 => "gpsAntennaCut",
        21 => "vibration",
        23 => "hardAcceleration",
        24 => "hardBraking",
        25 => "hardCornering",
        26 => "fatigueDriving",
        27 | 28 => "accident",
        30 | 31 => "tow",
        33 => "jamming",
        37 => "geofenceEnter",
        38 => "geofenceExit",
        40 => "idle",
        _ => return None,
    })
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = speaker.next() & 0xffff;
    let content = format!(
        "{},{number:X},A01,,{}{},{},{:.6},{:.6},{:.0},{},{:.0},0,0,900000C0,00,0,0|0|0|0,190|4B0",
        speaker.device,
        p.yymmdd(),
        p.hhmmss(),
        p.status(),
        p.lat,
        p.lng,
        p.kmh,
        p.degrees(),
        p.altitude,
    );
    let body = format!("$${},{content}", content.len() + 1);
    Sent::unanswered(format!("{body}*{:02X}\r\n", checksum::xor(body.as_bytes())))
}

//! iStartek: text with its length in front, and a checksum behind it.
//!
//! ```text
//! &&<letter><length>,<IMEI>,000,<event>,<its value>,yymmddhhmmss,<A|V>,<lat>,<lng>,<satellites>,
//!   <HDOP>,<km/h>,<course>,<altitude>,<metres>,<mcc>|<mnc>|<area hex>|<cell hex>,<signal>,
//!   <status 8 hex>,<inputs 2 hex>,<outputs 2 hex>,<power>|<battery>|<line 2>|<line 3>.. 0.01 V hex
//!   [,<1>,<fuel: sensor 2 hex, 0.1 % 4 hex ..>[,<°C: ..>[,<driver>]]]<sum 2 hex>CR LF
//! &&<letter><length>,<IMEI>,<command>,<answer><sum>CR LF
//! status   bit 0, 1 connected, 2 fix, 3 outer power, 4 antenna, 5 stopped, 6 armed, 7 driver,
//!          8 taken off         inputs  bit 1 ignition, bit 2 door
//! ```
//! The sum is that of all bytes before it; the length counts from behind its comma to the end.
//! Source: iStartek "GPS tracker communication protocol" V2.2. Ignored: what the car tells behind
//! the thermometers.

use super::fields::{Fields, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{checksum, clock};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
/// Most sensors of a list.
const SENSORS_MAX: u16 = 8;
/// The event of a driver's card.
const DRIVER: i64 = 53;

/// iStartek.
pub(super) const STARTEK: Wired = Wired {
    name: "startek",
    port: 5222,
    transports: TCP,
    signatures: &[Mark::Text("&&~%")],
    models: &["iStartek VT100", "VT200", "VT300", "PT60", "VT600"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Startek),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Startek;

impl Wire for Startek {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'&', bytes) {
            return skip;
        }
        match bytes {
            [b'&', b'&', _, ..] => {}
            [b'&'] | [b'&', b'&'] => return Cut::Need,
            _ => return Cut::no_frame(bytes, "`&&`"),
        }
        let seen = &bytes[..bytes.len().min(LINE_MAX)];
        match seen.iter().skip(3).position(|b| *b == b'\n') {
            Some(at) => Cut::frame(at + 4),
            None if bytes.len() >= LINE_MAX => Cut::too_long(LINE_MAX),
            None if whole => Cut::frame(bytes.len()),
            None => Cut::Need,
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim_end();
        let (body, sum) = line
            .split_at_checked(line.len().saturating_sub(2))
            .ok_or_else(|| Complaint::bad("checksum", frame))?;
        let sum = hexadecimal(sum).ok_or_else(|| Complaint::bad("checksum", sum.as_bytes()))?;
        told.checksum(sum as u32, checksum::sum(body.as_bytes()).into())?;
        let mut fields = Fields::new(body, ',');
        fields.skip(1);
        told.from(fields.text())?;
        let draft = told.report();
        match fields.text() {
            "000" | "010" | "020" => place(fields, draft),
            command => {
                draft.set("message_type", command);
                draft.set("command_result", fields.rest());
                Ok(())
            }
        }
    }
}

fn place(mut fields: Fields<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let (event, value) = (fields.whole(), fields.text());
    draft.maybe("event", event);
    draft.maybe("alarm", event.and_then(alarm));
    if event == Some(DRIVER) {
        draft.set("driver_id", value);
    }
    draft.time(clock::yymmddhhmmss(fields.text()));
    let valid = fields.text() == "A";
    let (Some(lat), Some(lng)) = (fields.decimal(), fields.decimal()) else {
        return Err(Complaint::bad("place", fields.rest().as_bytes()));
    };
    draft.maybe("satellites", fields.whole());
    draft.maybe("hdop", fields.decimal());
    let speed = fields.decimal().map(|kmh| kmh / 3.6);
    let (heading, altitude) = (fields.decimal(), fields.decimal());
    draft.at = Some(Measured { lng, lat, valid, speed, heading, altitude, accuracy: None });
    draft.maybe("odometer_metres", fields.whole());
    let mut cell = Fields::new(fields.text(), '|');
    let (mcc, mnc, area, id) = (cell.text(), cell.text(), cell.hex(), cell.hex());
    if let (Ok(mcc), Ok(mnc), Some(area), Some(id)) = (mcc.parse(), mnc.parse(), area, id) {
        draft.cell(1, (mcc, mnc, area as u32, id as u64));
    }
    draft.maybe("rssi", fields.whole());
    lines(&mut fields, draft);
    fields.skip(1);
    sensors(fields.text(), "fuel_percent", draft);
    sensors(fields.text(), "temperature_celsius", draft);
    Ok(())
}

fn lines(fields: &mut Fields<'_>, draft: &mut Draft) {
    draft.maybe("status", fields.hex());
    if let Some(inputs) = fields.hex() {
        draft.set("ignition", inputs & 2 != 0);
        draft.set("door", inputs & 4 != 0);
        draft.set("input_mask", inputs);
    }
    draft.maybe("output_mask", fields.hex());
    let mut volts = Fields::new(fields.text(), '|');
    let mut next = || volts.hex().map(|hundredths| hundredths as f64 / 100.0);
    draft.maybe("power_volts", next());
    draft.maybe("battery_volts", next());
    (2..=5).for_each(|nth| draft.maybe(("analog_volts", nth), next()));
}

/// Number and tenths of each, hex, with bars between them.
fn sensors(text: &str, key: &'static str, draft: &mut Draft) {
    for one in text.split('|').take(SENSORS_MAX.into()) {
        let (Some(nth), Some(tenths)) =
            (hexadecimal(part(one, 0, 2)), hexadecimal(part(one, 2, 6)))
        else {
            return;
        };
        if one.len() == 6 {
            draft.set((key, nth as u16), f64::from(tenths as i16) / 10.0);
        }
    }
}

fn alarm(event: i64) -> Option<&'static str> {
    Some(match event {
        1 => "sos",
        5 | 6 => "door",
        17 => "lowPower",
        18 => "powerCut",
        19 => "lowBattery",
        20 => "powerRestored",
        25 => "overspeed",
        39 => "hardAcceleration",
        40 => "hardBraking",
        41 => "hardCornering",
        42 => "accident",
        _ => return None,
    })
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let letter = char::from(b'a' + (speaker.next() % 26) as u8);
    let ignition = u8::from(flag(report, "ignition").unwrap_or(false)) << 1;
    let content = format!(
        "{},000,0,,{}{},{},{:.6},{:.6},9,0.8,{:.0},{},{:.0},0,0|0|0|0,20,0000001D,{ignition:02X},00,\
         04B0|0190|0000|0000,1,,",
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
    let body = format!("&&{letter}{},{content}", content.len() + 4);
    let sum = checksum::sum(body.as_bytes());
    Sent::unanswered(format!("{body}{sum:02X}\r\n"))
}

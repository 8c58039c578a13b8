//! TAIP, the ASCII protocol of Trimble's receivers, and what South American trackers add to it.
//!
//! ```text
//! >R<kind><content>[;KEY=value].. [;ID=<id>][;#<number>][;*<checksum 2>]<
//!   EV event 2, GPS week 4, day 1, second 5, place        PV second of the day 5, place
//!   place    +-lat 7 +-lng 8 (1e-5 degrees) mph 3 course 3 source 1 age 1
//!   GP RCQ nn RCV nn RBR nn RUS nn,   ddmmyyhhmmss, +-lat +-lng km/h 3 course 3 fix 1 age 2
//!            [inputs 2 hex [event 2 [HDOP 2]]]
//!   UV 00 event,..,ddmmyyhhmmss,battery 4 power 4,serial,firmware,hardware,..
//!   UV 02 event,..,the same as GP,..,trip time,trip distance,fuel 0.1 l
//! <- >ACK;ID=<id>;#<number>;*<checksum><  or, for numbers of IP, >SAK;ID=<id>;#<number><
//! <- <id>   where a message that reports a place has no number
//! keys     SV satellites, BL battery mV, VO metres, AL altitude
//! inputs   bit 7 ignition, bit 6 outer power
//! ```
//! The checksum is all bytes exclusive-or, up to and with the asterisk; some firmware leaves it out.
//! Source: Trimble "ASCII Interface Protocol (TAIP)", Lantrix and Syrus manuals for the additions.
//! Ignored: LN, CP, TT and the like, which come beside the messages above.

use super::fields::{Fields, decimal, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{When, checksum, clock};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
/// 1980-01-06, where GPS weeks begin.
const GPS_EPOCH: i64 = 315_964_800;
const DAY: i64 = 86_400;
const MPH_MPS: f64 = 0.44704;

/// TAIP.
pub(super) const TAIP: Wired = Wired {
    name: "taip",
    port: 5031,
    transports: TCP_UDP,
    signatures: &[Mark::Text(">~"), Mark::Text("\r\n>~")],
    models: &["Syrus", "Lantrix", "Trimble Placer", "Antares", "Virtec"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Taip),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Taip;

impl Wire for Taip {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'>', bytes) {
            return skip;
        }
        let seen = &bytes[..bytes.len().min(LINE_MAX)];
        for (at, byte) in seen.iter().enumerate().skip(1) {
            match byte {
                b'<' => return Cut::frame(at + 1),
                b'>' | b'\r' | b'\n' => return Cut::Frame { from: 0, to: at, next: at },
                _ => {}
            }
        }
        Cut::unended(bytes.len(), whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?;
        let line = line.strip_suffix('<').unwrap_or(line);
        if let Some((before, sum)) = line.rsplit_once('*')
            && let Some(sum) = hexadecimal(part(sum, 0, 2))
        {
            let ours = checksum::xor(before.as_bytes());
            let ours = if sum == i64::from(ours) { ours } else { ours ^ b'*' };
            told.checksum(sum as u32, ours.into())?;
        }
        let mut fields = Fields::new(line.strip_prefix('>').unwrap_or(line), ';');
        let content = fields.next().unwrap_or("");
        let kind = content.strip_prefix('R').ok_or_else(|| Complaint::bad("message", frame))?;
        let keys = fields;
        if let Some((_, id)) = keyed(keys.clone()).find(|(key, _)| *key == "ID") {
            told.from(id)?;
        }
        if !report(kind, told)? {
            return Ok(());
        }
        let draft = told.last();
        for (key, value) in keyed(keys.clone()) {
            match key {
                "SV" => draft.maybe("satellites", value.parse::<i64>().ok()),
                "BL" => draft.maybe("battery_volts", decimal(value).map(|mv| mv / 1000.0)),
                "VO" => draft.maybe("odometer_metres", value.parse::<i64>().ok()),
                "AL" => {
                    if let Some(at) = &mut draft.at {
                        at.altitude = decimal(value);
                    }
                }
                _ => {}
            }
        }
        acknowledge(keys, told);
        Ok(())
    }
}

fn keyed(mut keys: Fields<'_>) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || keys.next()).filter_map(|k| k.split_once('='))
}

/// The fields that say who speaks and which message this is, as they came.
fn acknowledge(mut keys: Fields<'_>, told: &mut Told) {
    let (mut echoed, mut number) = (String::new(), None);
    while let Some(key) = keys.next() {
        if let Some(n) = key.strip_prefix('#') {
            number = Some(n);
        }
        if key.starts_with('#') || key.starts_with("ID=") {
            echoed = format!("{echoed};{key}");
        }
    }
    match number {
        Some(number) if number.starts_with("IP") => {
            told.reply(format!(">SAK{echoed}<"), When::AfterDurable);
        }
        Some(_) => told.reply(answer(&echoed), When::AfterDurable),
        None => {
            let id = told.device().unwrap_or_default().to_owned();
            told.reply(id, When::AfterDurable);
        }
    }
}

fn answer(echoed: &str) -> String {
    let body = format!(">ACK{echoed};*");
    format!("{body}{:02X}<", checksum::xor(body.as_bytes()))
}

/// Whether the message is one that we report.
fn report(kind: &str, told: &mut Told) -> Result<bool, Complaint> {
    let rest = |from: usize| kind.get(from..).unwrap_or("");
    match part(kind, 0, 2) {
        "EV" => event(rest(2), told)?,
        "PV" => {
            let second = rest(2).get(..5).and_then(|s| s.parse::<u32>().ok());
            let second = second.ok_or_else(|| Complaint::bad("second", kind.as_bytes()))?;
            let clock = [second / 3600, second / 60 % 60, second % 60];
            let time = clock::nearest(clock, told.received_at);
            let draft = told.report();
            draft.time(Some(time));
            draft.at = Some(place(rest(7))?.0);
        }
        "GP" => dated(rest(2), told)?,
        "CQ" | "CV" | "BR" => dated(rest(4), told)?,
        "US" => dated(rest(4).trim_start_matches(','), told)?,
        "UV" if part(kind, 2, 4) == "00" => unit(rest(4), told),
        "UV" => vehicle(rest(4), told)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Latitude and longitude, and what stands behind them; speed in miles an hour.
fn place(text: &str) -> Result<(Measured, &str), Complaint> {
    let bad = || Complaint::bad("place", text.as_bytes());
    // Digits are counted: a sign may be missing.
    let signed = |t: &str| t.starts_with(['+', '-']);
    let width = if signed(text) { 8 } else { 7 };
    let lat = decimal(part(text, 0, width)).ok_or_else(bad)?;
    let rest = part(text, width, text.len());
    let width = if signed(rest) { 9 } else { 8 };
    let lng = decimal(part(rest, 0, width)).ok_or_else(bad)?;
    let rest = part(rest, width, rest.len());
    let (speed, heading) = (decimal(part(rest, 0, 3)), decimal(part(rest, 3, 6)));
    let at = Measured {
        lng: lng / 1e5,
        lat: lat / 1e5,
        valid: part(rest, 6, 7) != "9",
        speed: speed.map(|mph| mph * MPH_MPS),
        heading,
        ..Measured::default()
    };
    Ok((at, part(rest, 6, rest.len())))
}

fn event(text: &str, told: &mut Told) -> Result<(), Complaint> {
    let number = |from: usize, to: usize| part(text, from, to).parse::<i64>().ok();
    let (Some(week), Some(day), Some(second)) = (number(2, 6), number(6, 7), number(7, 12)) else {
        return Err(Complaint::bad("event", text.as_bytes()));
    };
    let draft = told.report();
    draft.maybe("event", number(0, 2));
    draft.time(Some(Timestamp::from_seconds(GPS_EPOCH + (week * 7 + day) * DAY + second)));
    draft.at = Some(place(part(text, 12, text.len()))?.0);
    Ok(())
}

/// Day, time and place; speed in kilometres an hour.
fn dated(text: &str, told: &mut Told) -> Result<(), Complaint> {
    // A clock that was never set says 1970 or nothing.
    let time = clock::ddmmyy_hhmmss(part(text, 0, 6), part(text, 6, 12));
    let time = time.filter(|_| part(text, 4, 6) < "70").unwrap_or(told.received_at);
    let draft = told.report();
    draft.time(Some(time));
    let (mut at, rest) = place(part(text, 12, text.len()))?;
    at.speed = at.speed.map(|v| v / MPH_MPS / 3.6);
    at.valid = !matches!(part(rest, 0, 1), "0" | "9");
    draft.at = Some(at);
    let rest = rest.split(',').next().unwrap_or("");
    inputs(part(rest, 3, 5), draft);
    draft.maybe("event", part(rest, 5, 7).parse::<i64>().ok());
    draft.maybe("hdop", part(rest, 7, 9).parse::<i64>().ok());
    Ok(())
}

fn inputs(hex: &str, draft: &mut Draft) {
    let Some(inputs) = hexadecimal(hex).filter(|_| hex.len() == 2) else { return };
    draft.set("ignition", inputs & 0x80 != 0);
    draft.set("charging", inputs & 0x40 != 0);
    draft.set("input_mask", inputs);
}

/// What a unit says of itself.
fn unit(text: &str, told: &mut Told) {
    let mut fields = Fields::new(text, ',');
    let event = fields.whole();
    fields.skip(1);
    let stamp = fields.text();
    let draft = told.report();
    draft.time(clock::ddmmyy_hhmmss(part(stamp, 0, 6), part(stamp, 6, 12)));
    draft.maybe("event", event);
    let volts = fields.text();
    let volt = |from: usize, to: usize| decimal(part(volts, from, to)).map(|v| v / 100.0);
    draft.maybe("battery_volts", volt(0, 4));
    draft.maybe("power_volts", volt(4, 8));
    draft.set("serial", fields.text());
    draft.set("firmware", fields.text());
    draft.set("hardware", fields.text());
}

/// A place with what the car tells.
fn vehicle(text: &str, told: &mut Told) -> Result<(), Complaint> {
    let mut fields = Fields::new(text, ',');
    let event = fields.whole();
    fields.skip(1);
    let stamped = fields.next().unwrap_or("");
    dated(stamped, told)?;
    let draft = told.last();
    draft.maybe("event", event);
    fields.skip(8);
    draft.maybe("trip_time", fields.whole());
    draft.maybe("trip_distance", fields.whole());
    draft.maybe("fuel_used_litres", fields.decimal().map(|v| v / 10.0));
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = speaker.next() & 0xffff;
    let echoed = format!(";ID={};#{number:04X}", speaker.device);
    let ignition = if flag(report, "ignition").unwrap_or(false) { 0x80 } else { 0 };
    let body = format!(
        ">RGP{}{}{:+08}{:+09}{:03}{:03}{}00{:02X}0001{echoed};*",
        p.ddmmyy(),
        p.hhmmss(),
        (p.lat * 1e5).round() as i32,
        (p.lng * 1e5).round() as i32,
        p.kmh.round(),
        p.degrees(),
        if p.valid { 3 } else { 0 },
        ignition | 0x40,
    );
    let sum = checksum::xor(body.as_bytes());
    Sent::new(format!("{body}{sum:02X}<"), answer(&echoed))
}

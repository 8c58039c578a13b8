//! Upro and relatives (Alematics, Chinese personal trackers): parameters by letter.
//!
//! ```text
//! *<maker 2>20<0|1><id>,<type>[&<letter><value>]..#     <- *<maker>20Y<type 2>#  where 1
//! A  hhmmss | lat ddmmmmmm | lng dddmmmmmm | flags 1 | 2 knots 2 | 10 degrees 2 | ddmmyy
//!    flags: 1 no fix, 2 north, 4 east
//! B  status, ten hex digits: bit 0 of the first byte acc; bits 4, 6 of the last shaken, low power
//! C  distance, eight letters of four bits from `0`, in units of 2 knots for a second
//! F  0.1 knot   G  altitude 0.1 m   N  signal   O  satellites   R  signal 2, satellites 2
//! T  percent    M  percent 0.1      V  power 0.1 V   Y  power mV   J  temperature 0.1 degree
//! d  analogue 0.01 V   X  (k<card>) (J<time zone>)   K  more status   b  card's number behind
//!    its length   l  lock   Q, S  (MG) what the car says
//! GY, four bytes, all of a driver's magnetic card
//! ```
//! Source: Upro "U-GPS protocol" V1.2. M and T of makers VK and MG are percent and serial number;
//! of the others humidity and percent. Ignored: cells, Wi-Fi, pictures.

use super::cursor::hex;
use super::fields::{Fields, decimal, hexadecimal, part};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{When, angle, clock, scan};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 2 * 1024;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// Upro.
pub(super) const UPRO: Wired = Wired {
    name: "upro",
    port: 5095,
    transports: TCP_UDP,
    signatures: &[Mark::Text("*~~2%")],
    models: &["Upro", "Alematics", "VT300", "Megachip MG20", "Jointech personal"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Upro),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Upro;

impl Wire for Upro {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'*', bytes) {
            return skip;
        }
        match scan::find(&bytes[..bytes.len().min(LINE_MAX)], b'#') {
            Some(end) => Cut::frame(end + 1),
            None if bytes.len() >= LINE_MAX => Cut::too_long(LINE_MAX),
            None if whole => Cut::frame(bytes.len()),
            None => Cut::Need,
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        // What is passed through may be bytes.
        let line = String::from_utf8_lossy(frame);
        let line = line.trim_start_matches('*').trim_end_matches('#');
        let (head, body) = line.split_once(',').ok_or_else(|| Complaint::bad("message", frame))?;
        let (maker, asks) = (part(head, 0, 4), part(head, 4, 5) == "1");
        told.from(part(head, 5, head.len()))?;
        let mut parts = Fields::new(body, '&');
        // A magnetic card, all of what it says.
        if let Some(card) = body.strip_prefix("GY") {
            told.report().set("driver_id", card.chars().skip(4).collect::<String>());
            return Ok(());
        }
        let kind = parts.text();
        if asks {
            let word = part(kind, 0, 2);
            told.reply(format!("*{maker}Y{word}#"), When::AfterDurable);
        }
        if parts.is_empty() {
            return Ok(());
        }
        let draft = told.report();
        for raw in frame.split(|b| *b == b'&').skip(1) {
            if let [letter @ (b'Q' | b'S'), said @ ..] = raw.strip_suffix(b"#").unwrap_or(raw)
                && maker.starts_with("MG")
            {
                draft.set(if *letter == b'Q' { "obd_values" } else { "obd_trip" }, hex(said));
            }
        }
        while let Some(one) = parts.next() {
            let value = part(one, 1, one.len());
            parameter(one.as_bytes().first().copied().unwrap_or(0), value, maker, draft);
        }
        Ok(())
    }
}

fn parameter(letter: u8, value: &str, maker: &str, draft: &mut Draft) {
    let number = || decimal(value);
    let scaled = |parts: f64| decimal(value).map(|v| v / parts);
    let whole = |from: usize, to: usize| part(value, from, to).parse::<i64>().ok();
    let watch = maker.starts_with("VK") || maker.starts_with("MG");
    match letter {
        b'A' => place(value, draft),
        b'B' => status(value, draft),
        b'C' => draft.maybe("odometer_metres", distance(value)),
        b'F' => {
            if let (Some(at), Some(knots)) = (&mut draft.at, scaled(10.0)) {
                at.speed = Some(knots * KNOT_MPS);
            }
        }
        b'G' => {
            if let (Some(at), Some(metres)) = (&mut draft.at, scaled(10.0)) {
                at.altitude = Some(metres);
            }
        }
        b'J' => draft.maybe(("temperature_celsius", 0), scaled(10.0)),
        b'K' if !watch => draft.set("status_extended", value),
        b'b' => draft.set("serial", part(value, 3, value.len())),
        b'l' => draft.maybe("lock_state", whole(0, 1)),
        b'M' if watch => draft.maybe("battery_percent", scaled(10.0)),
        b'M' => draft.maybe("humidity_percent", number()),
        b'N' => draft.maybe("rssi", whole(0, 2)),
        b'O' => draft.maybe("satellites", whole(0, 2)),
        b'R' => {
            draft.maybe("rssi", whole(0, 2));
            draft.maybe("satellites", whole(2, 4));
        }
        b'T' if !watch => draft.maybe("battery_percent", whole(0, value.len())),
        b'V' => draft.maybe("power_volts", scaled(10.0)),
        b'Y' if watch => draft.maybe("power_volts", scaled(1000.0)),
        b'd' => draft.maybe(("analog_volts", 1), scaled(100.0)),
        b'X' => {
            for (mark, key) in [("(k", "iccid"), ("(J", "timezone")] {
                if let Some((_, after)) = value.split_once(mark) {
                    draft.maybe(key, after.split(')').next());
                }
            }
        }
        _ => {}
    }
}

fn place(text: &str, draft: &mut Draft) {
    let angle = |from: usize, to: usize| {
        let digits = part(text, from, to);
        let minutes = digits.len().checked_sub(6)?;
        let whole = decimal(part(digits, 0, minutes))?;
        Some(whole + decimal(part(digits, minutes, digits.len()))? / 10_000.0 / 60.0)
    };
    let (lat, lng) = (angle(6, 14), angle(14, 23));
    let flags = hexadecimal(part(text, 23, 24)).unwrap_or(0);
    let number = |from: usize, to: usize| decimal(part(text, from, to));
    let (Some(lat), Some(lng)) = (lat, lng) else { return };
    draft.time(clock::ddmmyy_hhmmss(part(text, 28, 34), part(text, 0, 6)));
    draft.at = Some(Measured {
        lat: if flags & 2 == 0 { -lat } else { lat },
        lng: if flags & 4 == 0 { -lng } else { lng },
        valid: flags & 1 == 0,
        speed: number(24, 26).map(|v| v * 2.0 * KNOT_MPS),
        heading: number(26, 28).map(|v| v * 10.0),
        ..Measured::default()
    });
}

fn status(text: &str, draft: &mut Draft) {
    let byte = |at: usize| hexadecimal(part(text, at, at + 2)).unwrap_or(0);
    draft.set("ignition", byte(0) & 1 != 0);
    for (bit, name) in [(0x10, "vibration"), (0x40, "lowPower")] {
        if byte(8) & bit != 0 {
            draft.alarm(name);
        }
    }
    draft.set("status", hexadecimal(text).unwrap_or(0));
}

/// Letters of four bits each, from `0` to `?`.
fn distance(text: &str) -> Option<i64> {
    let four = |n: i64, b: u8| Some(n << 4 | i64::from(b.checked_sub(b'0').filter(|v| *v < 16)?));
    let units = text.bytes().take(8).try_fold(0, four)?;
    Some((units as f64 * 2.0 * KNOT_MPS) as i64)
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let plain = |degrees: f64, width: usize| angle::shown(degrees, width, 4).replace('.', "");
    let flags = u8::from(!p.valid) | u8::from(p.lat >= 0.0) << 1 | u8::from(p.lng >= 0.0) << 2;
    let acc = u8::from(flag(report, "ignition").unwrap_or(false));
    let line = format!(
        "*HQ201{},BA&A{}{}{}{flags}00{:02}{}&B{acc:02X}00000000&F{:04}&G{:06}#",
        speaker.device,
        p.hhmmss(),
        plain(p.lat, 2),
        plain(p.lng, 3),
        // Tens of degrees are all that it has.
        (p.heading / 10.0).round() as u32 % 36,
        p.ddmmyy(),
        (p.knots * 10.0).round(),
        (p.altitude * 10.0).round(),
    );
    Sent::new(line, "*HQ20YBA#")
}

//! H02: Sinotrack and the many makers of its family; text, and the same in binary.
//!
//! ```text
//! *HQ,<id>,<type>,..#                 any two letters for HQ
//!   V1 V2 V6 VP1 V19 V4 NBR LINK V3 .. hhmmss,[A|V|B],lat,N,lng,E,knots,course,ddmmyy,status
//!                                      [,more: values of the maker's own]
//!   V4,<command>,<parameters>,<time>,  stand before the same: what a command was answered with
//!   VP1                                A,lat,N,lng,E,knots,course,ddmmyy or V,<cells>
//!   NBR / V3                           hhmmss,mcc,mnc,delay,n,(lac,cid,level)..,ddmmyy,status,..
//!   LINK                               hhmmss,rssi,satellites,percent,steps,turnovers,ddmmyy,status
//! <- *HQ,<id>,V4,V1,yyyymmddhhmmss#    to V1 where the device asks for it (R12)
//!
//! $ | id 5 BCD | hhmmss | ddmmyy | lat ddmm.mmmm 4 BCD | grade u8 | lng dddmm.mmmm 4.5 BCD
//!   | flags 4 bit | knots 12 bit BCD, course 12 bit BCD | status u32 | ..       32 or 45 bytes
//! X                                    the same in 32 bytes
//! status: of the four bytes, high first; a bit of 0 means that it is so
//! ```
//! Angles are `ddmm.mmmm`; some write `-dd-mm.mmmm`. The status word: bit 10 acc on, bit 0 theft,
//! 1 robbery, 2 overspeed, 18 SOS (0 = alarm), as Traccar's devices and the document's table S17.
//!
//! Source: "H02 / HQ GPRS protocol" (Huaqiang, Sinotrack ST-901 editions). Ignored: cells of NBR
//! beyond the first ten, gyro texts, the maker's numbers behind the status but for what is known.

use super::cursor::{Cursor, bcd};
use super::fields::{Fields, decimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{Telling, angle, clock, scan};
use crate::command::Command;
use crate::fix::{Measured, Report};

/// Longest text, bytes.
const LINE_MAX: usize = 1024;
/// Bytes of a binary message: short, long.
const SHORT: usize = 32;
const LONG: usize = 45;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// Sinotrack and its family.
pub(super) const H02: Wired = Wired {
    name: "h02",
    port: 5013,
    transports: TCP_UDP,
    signatures: &[
        Mark::Text("*~~,"),
        Mark::Bytes(&[
            b'$' as u16,
            Mark::ID,
            Mark::BCD,
            Mark::BCD,
            Mark::BCD,
            Mark::BCD,
            Mark::BCD,
            Mark::BCD,
            Mark::BCD,
            Mark::BCD,
            Mark::BCD,
            Mark::BCD,
        ]),
        Mark::Bytes(&[b'X' as u16, Mark::RAW]),
    ],
    models: &["Sinotrack ST-901", "ST-906", "LKGPS", "TK905", "MiniFinder", "NS30", "Cantrack"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(H02Wire),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct H02Wire;

impl Wire for H02Wire {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        match bytes[0] {
            b'*' => match scan::find(&bytes[..bytes.len().min(LINE_MAX)], b'#') {
                Some(end) => Cut::frame(end + 1),
                None if bytes.len() >= LINE_MAX => Cut::too_long(LINE_MAX),
                None if whole => Cut::frame(bytes.len()),
                None => Cut::Need,
            },
            b'$' => match bytes.get(SHORT) {
                _ if whole && bytes.len() > SHORT => Cut::frame(bytes.len().min(LONG)),
                // A short one ends where the next message begins.
                Some(b'$' | b'*' | b'X') => Cut::frame(SHORT),
                Some(_) if bytes.len() >= LONG => Cut::frame(LONG),
                _ if whole && bytes.len() == SHORT => Cut::frame(SHORT),
                _ => Cut::Need,
            },
            b'X' => Cut::of_length(SHORT, bytes, SHORT),
            b'\r' | b'\n' | b' ' => Cut::Skip(1),
            _ => Cut::no_frame(bytes, "`*`, `$` or `X`"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        if frame.first() == Some(&b'*') {
            return sentence(text(frame)?.trim_start_matches('*').trim_end_matches('#'), told);
        }
        binary(frame, told)
    }

    /// Commands of "H02 communication protocol": D1 interval, R1 restart, S20 the relay. The answer
    /// is `V4` with the command's own word.
    fn command(&mut self, telling: &Telling<'_>) -> Option<Vec<u8>> {
        let c = telling.at.civil();
        let time = format!("{:02}{:02}{:02}", c.hour, c.minute, c.second);
        let words = match telling.command {
            Command::Interval(seconds) => format!("D1,{time},{seconds}"),
            Command::Restart => format!("R1,{time}"),
            Command::EngineStop => format!("S20,{time},1,1"),
            Command::EngineResume => format!("S20,{time},1,0"),
            Command::Text(words) if !words.contains('#') => words.clone(),
            Command::Text(_) | Command::Position => return None,
        };
        Some(format!("*HQ,{},{words}#", telling.device).into_bytes())
    }
}

fn binary(frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let mut c = Cursor::new(frame);
    c.skip(1)?;
    // Some send an id of eight bytes, which shows in the length.
    let id = if frame.len() == LONG - 10 { c.take(8)? } else { c.take(5)? };
    told.from(&super::cursor::digits_of(id))?;
    let draft = told.report();
    let [hour, minute, second, day, month, year] = c.array::<6>()?;
    draft.time(clock::six_bcd([year, month, day, hour, minute, second]));
    let lat = degrees(c.array()?, false);
    let grade = c.u8()?;
    let five = c.array::<5>()?;
    let last = five[4];
    // Nine digits of longitude, then the flags.
    let lng = degrees([five[0], five[1], five[2], five[3]], true)
        + f64::from(last >> 4) / 10_000.0 / 60.0;
    let [x, y, z] = c.array::<3>()?;
    let digit = |d: u8| f64::from(d & 15);
    let knots = f64::from(bcd(x)) * 10.0 + digit(y >> 4);
    let heading = digit(y) * 100.0 + f64::from(bcd(z));
    draft.at = Some(Measured {
        lat: if last & 4 == 0 { -lat } else { lat },
        lng: if last & 8 == 0 { -lng } else { lng },
        valid: last & 2 != 0,
        speed: Some(knots * KNOT_MPS),
        heading: Some(heading),
        ..Measured::default()
    });
    battery(draft, grade);
    status(draft, c.u32()?);
    Ok(())
}

/// Eight digits: `ddmmmmmm` or, with the ninth apart, `dddmmmmm`.
fn degrees(digits: [u8; 4], three: bool) -> f64 {
    let all = digits.iter().fold(0_u32, |n, b| n * 100 + u32::from(bcd(*b)));
    let (unit, scale) = if three { (100_000, 1_000.0) } else { (1_000_000, 10_000.0) };
    f64::from(all / unit) + f64::from(all % unit) / scale / 60.0
}

/// The battery's grade, or its percent.
fn battery(draft: &mut Draft, grade: u8) {
    match grade {
        1..=6 => draft.set("battery_percent", (u32::from(grade) - 1) * 20),
        7..=100 => draft.set("battery_percent", grade),
        0xf1..=0xf6 => draft.set("battery_percent", (u32::from(grade) - 0xf1) * 20),
        _ => {}
    }
}

/// The status word; a bit of 0 says that it is so.
fn status(draft: &mut Draft, status: u32) {
    let low = |bit: u32| status & (1 << bit) == 0;
    let alarms = [(0, "vibration"), (1, "sos"), (18, "sos"), (2, "overspeed"), (19, "powerCut")];
    for (_, name) in alarms.iter().filter(|(bit, _)| low(*bit)).take(1) {
        draft.alarm(name);
    }
    draft.set("ignition", !low(10));
    draft.set("status", status);
}

fn sentence(line: &str, told: &mut Told) -> Result<(), Complaint> {
    let mut fields = Fields::new(line, ',');
    fields.next();
    let id = fields.text();
    if !id.is_empty() {
        told.from(id)?;
    }
    let kind = fields.text();
    match kind {
        "NBR" => cells(&mut fields, told),
        "LINK" => link(&mut fields, told),
        "V3" => measured(&mut fields, told),
        "VP1" => short(&mut fields, told),
        "HTBT" => told.report().maybe("battery_percent", fields.whole()),
        _ => place(kind, &mut fields, told),
    }
    Ok(())
}

/// A latitude or longitude: `ddmm.mmmm`, or `-dd-mm.mmmm`.
fn degrees_of(text: &str, side: &str) -> Option<f64> {
    let plain = text.trim_start_matches('-');
    let value = match plain.split_once('-') {
        Some((degrees, minutes)) => decimal(degrees)? + decimal(minutes)? / 60.0,
        None => angle::degrees_minutes(plain)?,
    };
    angle::signed(value, side)
}

/// The place of a text, from its validity on.
fn fix(fields: &mut Fields<'_>, valid: bool) -> Option<Measured> {
    let lat = {
        let text = fields.text();
        degrees_of(text, fields.text())
    };
    let lng = {
        let text = fields.text();
        degrees_of(text, fields.text())
    };
    let (knots, heading) = (fields.decimal(), fields.decimal());
    let (lat, lng) = (lat?, lng?);
    Some(Measured {
        lat,
        lng,
        valid,
        speed: knots.map(|k| k * KNOT_MPS),
        heading: heading.filter(|h| (0.0..=360.0).contains(h)),
        ..Measured::default()
    })
}

fn place(kind: &str, fields: &mut Fields<'_>, told: &mut Told) {
    // What a command was answered with stands before the place.
    let mut ahead = fields.clone();
    let mut result = String::new();
    let (time, validity) = loop {
        if ahead.is_empty() {
            return;
        }
        let field = ahead.text();
        let six = clock::pairs::<3>(field).is_some() && field.len() == 6;
        let validity = ahead.clone().text();
        let placed = matches!(validity, "A" | "V" | "B" | "" | "0" | "1");
        if (six || field.is_empty()) && placed && angled(&ahead) {
            ahead.text();
            break (field, validity);
        }
        if !result.is_empty() {
            result.push(',');
        }
        result.push_str(field);
    };
    let at = fix(&mut ahead, matches!(validity, "A" | "0" | "1"));
    // Between course and date some send one field more.
    let mut date = ahead.text();
    if date.len() == 1 && part(ahead.rest(), 0, 6).bytes().all(|b| b.is_ascii_digit()) {
        date = ahead.text();
    }
    let Some(at) = at else { return };
    let received_at = told.received_at;
    let draft = told.report();
    draft.at = Some(at);
    draft.time(match (clock::ddmmyy_hhmmss(date, time), clock::pairs::<3>(time)) {
        (Some(time), _) => Some(time),
        (None, Some(time)) => Some(clock::nearest(time, received_at)),
        (None, None) => Some(received_at),
    });
    if kind == "V4" && !result.is_empty() {
        draft.set("command_result", result);
    }
    behind(draft, &mut ahead);
}

/// Whether a validity and two angles follow.
fn angled(fields: &Fields<'_>) -> bool {
    let mut fields = fields.clone();
    fields.next();
    let (lat, north) = (fields.text(), fields.text());
    matches!(north, "N" | "S") && (lat.is_empty() || lat.contains('.'))
}

/// The status and what makers put behind it.
fn behind(draft: &mut Draft, fields: &mut Fields<'_>) {
    let word = fields.text();
    let Some(word) = status_word(word) else { return };
    let known = fields.clone();
    if known.count() == 6 && !known.is_empty() {
        // Mileage, temperature, fuel, altitude, area, cell.
        let mut known = known;
        let (odometer, temperature) = (known.whole(), known.whole());
        let (fuel, altitude) = (known.decimal(), known.decimal());
        if fuel.is_some() && altitude.is_some() {
            status(draft, word);
            draft.maybe("odometer_metres", odometer);
            draft.maybe(("temperature_celsius", 1), temperature);
            draft.maybe("fuel_litres", fuel);
            if let Some(at) = &mut draft.at {
                at.altitude = altitude;
            }
            return;
        }
    }
    status(draft, word);
    let mut number = 0;
    while let Some(value) = fields.next() {
        number += 1;
        if !value.trim().is_empty() {
            draft.set(crate::attribute::Key::Io(number), value.trim());
        }
    }
}

/// Eight hex digits.
fn status_word(text: &str) -> Option<u32> {
    (text.len() == 8).then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

/// Without an hour: `A,lat,N,lng,E,knots,course,ddmmyy`, or `V` and cells.
fn short(fields: &mut Fields<'_>, told: &mut Told) {
    let validity = fields.text();
    let mut ahead = fields.clone();
    let at = fix(&mut ahead, validity == "A");
    let draft = told.report();
    if at.is_some() {
        draft.at = at;
        draft.time(clock::ddmmyy_hhmmss(ahead.text(), "000000"));
        return;
    }
    let (mcc, mnc) = (fields.whole(), fields.whole());
    if let (Some(mcc), Some(mnc)) = (mcc, mnc) {
        draft.set(("cell_country", 1), mcc);
        draft.set(("cell_network", 1), mnc);
    }
}

/// Neighbour cells: their country and network, then area, id and level of each.
fn cells(fields: &mut Fields<'_>, told: &mut Told) {
    let time = fields.text();
    let (mcc, mnc) = (fields.whole().unwrap_or(0), fields.whole().unwrap_or(0));
    fields.skip(1);
    let count = fields.whole().unwrap_or(0).clamp(0, 10);
    let draft = told.report();
    for nth in 1..=count as u16 {
        let (area, id) = (fields.whole().unwrap_or(0), fields.whole().unwrap_or(0));
        fields.skip(1);
        draft.cell(nth, (mcc as u16, mnc as u16, area as u32, id as u64));
    }
    dated(draft, time, fields);
}

/// Date and status at the end of what has no place.
fn dated(draft: &mut Draft, time: &str, fields: &mut Fields<'_>) {
    draft.time(clock::ddmmyy_hhmmss(fields.text(), time));
    if let Some(word) = status_word(fields.text()) {
        status(draft, word);
    }
}

fn link(fields: &mut Fields<'_>, told: &mut Told) {
    let draft = told.report();
    let time = fields.text();
    draft.maybe("rssi", fields.whole());
    draft.maybe("satellites", fields.whole());
    draft.maybe("battery_percent", fields.whole());
    draft.maybe("steps", fields.whole());
    draft.maybe("turnovers", fields.whole());
    dated(draft, time, fields);
}

/// V3: time, network, cells of four fields, battery in hex hundredths, .., date, status.
fn measured(fields: &mut Fields<'_>, told: &mut Told) {
    let time = fields.text();
    let network = fields.text();
    let count = fields.whole().unwrap_or(0).clamp(0, 10) as u16;
    let draft = told.report();
    let (mcc, mnc) = (part(network, 0, 3).parse().unwrap_or(0), part(network, 3, 6).parse());
    for nth in 1..=count {
        let (area, id) = (fields.whole().unwrap_or(0), fields.whole().unwrap_or(0));
        fields.skip(2);
        draft.cell(nth, (mcc, mnc.clone().unwrap_or(0), area as u32, id as u64));
    }
    draft.maybe("battery_volts", fields.hex().map(|v| v as f64 / 100.0));
    fields.skip(2);
    dated(draft, time, fields);
}

/// `V1`, as most devices send.
fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let (lat, lng) = (angle::shown(p.lat, 2, 4), angle::shown(p.lng, 3, 4));
    let (north, east) = (angle::north(p.lat), angle::east(p.lng));
    let ignition = super::sender::flag(report, "ignition").unwrap_or(false);
    let status: u32 = if ignition { 0xffff_ffff } else { 0xffff_fbff };
    let (device, time, date) = (&speaker.device, p.hhmmss(), p.ddmmyy());
    let (knots, heading, validity) = (p.knots, p.degrees(), p.status());
    Sent::unanswered(format!(
        "*HQ,{device},V1,{time},{validity},{lat},{north},{lng},{east},{knots:06.2},{heading:03},{date},{status:08X}#"
    ))
}

//! JT600, JT701: places in packed decimal, or text between brackets.
//!
//! ```text
//! '$' | id 5 BCD | [version u8] | kind 4 bits, .. | length u16 | records | [number u8]
//!   record    day, month, year, hour, minute, second BCD | lat 8 digits | lng 9 digits, flags
//!             | speed BCD | course u8 /2 | ..     digits ddmm.mmmm; flags 1 valid, 2 north, 4 east
//!     with a version (a lock)   km u32 | satellites | 4 | status u16 | battery % | cell, area u16
//!             | signal | .. | number     <- (P35) before 17, (P69,0,number)
//!     kind 1  satellites | power % | 1 | altitude u16 | cell u16, area u16 | signal
//!     kind 2  fuel | states 4 | km u32 | fuel       more records follow at once
//! (<id>,U01,ddmmyy,hhmmss,<T|F>,<lat>,<N|S>,<lng>,<E|W>,<mph>,<course>,<satellites>,<battery>%
//!   ,<status bits>,<cell>,<area>,<signal>,<km>,<number>)      U01 to U03 <- (S39)
//! (<id>,U06,<alarm>,..)                                         <- (S20)
//! (<id>,W01,dddmm.mmmm,<E|W>,ddmm.mmmm,<N|S>,<A|V>,ddmmyy,hhmmss,<mph>,<course>,<battery>,..)
//! (<id>,P45,ddmmyy,hhmmss,<lat>,<N|S>,<lng>,<E|W>,<A|V>,<mph>,<course>,<why>,<..>,<card>,..
//!   ,<number>)                                                  <- (P69,0,number)
//! (<id>,<..>,<..>,WLNET,5,<..>,<a record to the course, then a sensor>)
//! ```
//! A length that leaves a high byte of 0 behind the version tells the two binary forms apart. In
//! brackets 3D turns round the byte behind it. Source: Jointech "JT600, JT701 protocol". Ignored:
//! cells, U04, U09, further sensors.

use super::clock;
use super::cursor::{Cursor, bcd, digits_of};
use super::fields::{Fields, decimal};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{When, angle};
use crate::fix::{Measured, Report};

/// Longest frame, bytes.
const FRAME_MAX: usize = 2 * 1024;
const ESCAPE: u8 = 0x3d;
const KNOT_MPS: f64 = 1852.0 / 3600.0;
const MILE_MPS: f64 = 0.44704;
/// Locks of this version on are answered with their number.
const NUMBERED: u8 = 0x17;

/// JT600.
pub(super) const JT600: Wired = Wired {
    name: "jt600",
    port: 5014,
    transports: TCP,
    signatures: &[
        Mark::Bytes(&[b'$' as u16, Mark::ID, Mark::BCD, Mark::BCD, Mark::BCD, Mark::BCD]),
        Mark::Text("(%%%%%%%%%%%%%%%,U"),
        Mark::Text("(%%%%%%%%%%,"),
    ],
    models: &["Jointech JT600", "JT701", "JT701D", "JT707"],
    idle_minutes: 30,
    acknowledges: true,
    wire: |_| Box::new(Jt600),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Jt600;

impl Wire for Jt600 {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [b'$', ..] => {
                let Some(head) = bytes.get(6..10) else { return Cut::Need };
                let length = if head[2] == 0 {
                    10 + usize::from(head[3])
                } else {
                    10 + usize::from(u16::from_be_bytes([head[1], head[2]]))
                };
                Cut::of_length(length, bytes, FRAME_MAX)
            }
            [b'(', ..] => {
                let seen = &bytes[..bytes.len().min(FRAME_MAX)];
                match seen.iter().position(|b| *b == b')') {
                    Some(at) => Cut::frame(at + 1),
                    None if seen.len() == FRAME_MAX => Cut::too_long(FRAME_MAX),
                    None => Cut::Need,
                }
            }
            [b'\r' | b'\n', ..] => Cut::Skip(1),
            _ => Cut::no_frame(bytes, "`$` or `(`"),
        }
    }

    fn split(&self, frame: &[u8]) -> Vec<u8> {
        if frame.first() == Some(&b'(') { unescaped(frame) } else { frame.to_vec() }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        if frame.first() == Some(&b'$') {
            return binary(frame, told);
        }
        let frame = unescaped(frame);
        let inside = frame.strip_prefix(b"(").unwrap_or(&frame);
        let inside = inside.strip_suffix(b")").unwrap_or(inside);
        sentence(inside, told)
    }
}

fn unescaped(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len());
    let mut turned = false;
    for byte in frame {
        match byte {
            &ESCAPE if !turned => turned = true,
            byte => {
                out.push(if turned { byte ^ ESCAPE } else { *byte });
                turned = false;
            }
        }
    }
    out
}

fn binary(frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let mut c = Cursor::new(frame);
    c.skip(1)?;
    told.from(digits_of(c.take(5)?).trim_start_matches('0'))?;
    let lock = frame.get(8) == Some(&0);
    let version = if lock { c.u8()? } else { 0 };
    let kind = c.u8()? >> 4;
    c.skip(2)?;
    // What is left is less than a record: a number, or nothing.
    while c.left() > 17 {
        let draft = told.report();
        place(&mut c, draft)?;
        if lock {
            lock_state(&mut c, draft)?;
            let number = c.rest().last().copied().unwrap_or(0);
            let answer =
                if version < NUMBERED { "(P35)".into() } else { format!("(P69,0,{number})") };
            told.reply(answer, When::AfterDurable);
            return Ok(());
        }
        match kind {
            1 => return goods(&mut c, draft),
            2 => vehicle(&mut c, draft)?,
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// So many bytes of two decimal digits each.
fn digits(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n * 100 + u64::from(bcd(*b)))
}

/// `ddmmmmmm` as degrees.
fn degrees(ten_thousandths: u64) -> f64 {
    let (whole, rest) = (ten_thousandths / 1_000_000, ten_thousandths % 1_000_000);
    whole as f64 + rest as f64 / 600_000.0
}

/// Date to course.
fn place(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let [day, month, year, hour, minute, second] = c.array::<6>()?;
    draft.time(clock::six_bcd([year, month, day, hour, minute, second]));
    let lat = degrees(digits(c.take(4)?));
    let east = c.take(5)?;
    let lng = degrees(digits(&east[..4]) * 10 + u64::from(east[4] >> 4));
    let flags = east[4] & 15;
    draft.at = Some(Measured {
        lat: if flags & 2 == 0 { -lat } else { lat },
        lng: if flags & 4 == 0 { -lng } else { lng },
        valid: flags & 1 != 0,
        speed: Some(f64::from(bcd(c.u8()?)) * KNOT_MPS),
        heading: Some(f64::from(c.u8()?) * 2.0),
        ..Measured::default()
    });
    Ok(())
}

fn lock_state(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.set("odometer_metres", i64::from(c.u32()?) * 1000);
    draft.set("satellites", c.u8()?);
    c.skip(4)?;
    let status = c.u16()?;
    draft.set("status", status);
    draft.set("blocked", status >> 7 & 1 != 0);
    let alarms = [(1, "geofenceEnter"), (2, "geofenceExit"), (3, "tampering"), (4, "vibration")];
    for (_, name) in alarms.iter().filter(|(bit, _)| status >> bit & 1 != 0) {
        draft.alarm(name);
    }
    if status >> 11 & 1 != 0 {
        draft.alarm("lowBattery");
    }
    match c.u8()? {
        u8::MAX => draft.set("charging", true),
        percent => draft.set("battery_percent", percent),
    }
    Ok(())
}

/// Kind 1.
fn goods(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.set("satellites", bcd(c.u8()?));
    draft.set("battery_percent", c.u8()?);
    c.skip(1)?;
    let altitude = c.u16()?;
    if let Some(at) = &mut draft.at {
        at.altitude = Some(altitude.into());
    }
    Ok(())
}

/// Kind 2.
fn vehicle(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let fuel = i64::from(c.u8()?) << 8;
    let [doors, power, faults, _] = c.array()?;
    draft.set("ignition", doors & 1 != 0);
    draft.set("door", doors >> 6 & 1 != 0);
    draft.set("charging", power & 1 != 0);
    draft.set("blocked", power >> 1 & 1 != 0);
    let alarms = [
        (power & 4, "sos"),
        (power & 0x18, "gpsAntennaCut"),
        (faults & 4, "fatigueDriving"),
        (faults & 8, "tow"),
    ];
    for (_, name) in alarms.iter().filter(|(bits, _)| *bits != 0) {
        draft.alarm(name);
    }
    draft.set("odometer_metres", i64::from(c.u32()?) * 1000);
    draft.set("fuel_count", fuel | i64::from(c.u8()?));
    Ok(())
}

fn sentence(inside: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let lossy = String::from_utf8_lossy(inside);
    let mut f = Fields::new(&lossy, ',');
    told.from(f.text())?;
    let word = f.text();
    match word {
        "U01" | "U02" | "U03" => told.reply("(S39)", When::AfterDurable),
        "U06" => {
            f.skip(1);
            told.reply("(S20)", When::AfterDurable);
        }
        "W01" => return watch(&mut f, told),
        "P45" => {
            let number = lossy.rsplit(',').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
            told.reply(format!("(P69,0,{number})"), When::AfterDurable);
            return card(&mut f, told);
        }
        _ => {
            f.skip(1);
            return if f.text() == "WLNET" { sensor(inside, told) } else { Ok(()) };
        }
    }
    let (date, time, valid) = (f.text(), f.text(), f.text() == "T");
    let (lat, lng) = (angle(&mut f, false)?, angle(&mut f, false)?);
    let draft = told.report();
    draft.time(clock::ddmmyy_hhmmss(date, time));
    let (speed, heading) = (f.decimal().map(|v| v * MILE_MPS), f.decimal());
    draft.at = Some(Measured { lng, lat, valid, speed, heading, ..Measured::default() });
    draft.maybe("satellites", f.whole());
    draft.maybe("battery_percent", decimal(f.text().trim_end_matches('%')));
    draft.maybe("status", i64::from_str_radix(f.text(), 2).ok());
    f.skip(2);
    draft.maybe("rssi", f.whole());
    draft.maybe("odometer_metres", f.decimal().map(|v| v * 1000.0));
    draft.maybe("record_number", f.whole());
    Ok(())
}

/// Degrees and a side.
fn angle(f: &mut Fields<'_>, minutes: bool) -> Result<f64, Complaint> {
    let (value, side) = (f.text(), f.text());
    let angle = if minutes {
        angle::sided(value, side)
    } else {
        decimal(value).and_then(|degrees| angle::signed(degrees, side))
    };
    angle.ok_or_else(|| Complaint::bad("angle", value.as_bytes()))
}

/// W01, of the oldest models.
fn watch(f: &mut Fields<'_>, told: &mut Told) -> Result<(), Complaint> {
    let (lng, lat) = (angle(f, true)?, angle(f, true)?);
    let (valid, date, time) = (f.text() == "A", f.text(), f.text());
    let draft = told.report();
    draft.time(clock::ddmmyy_hhmmss(date, time));
    let (speed, heading) = (f.decimal().map(|v| v * MILE_MPS), f.decimal());
    draft.at = Some(Measured { lng, lat, valid, speed, heading, ..Measured::default() });
    draft.maybe("battery_percent", f.whole().filter(|v| (0..=100).contains(v)));
    draft.maybe("satellites", f.whole());
    draft.maybe("rssi", f.whole());
    Ok(())
}

/// P45: a lock was opened, or somebody tried.
fn card(f: &mut Fields<'_>, told: &mut Told) -> Result<(), Complaint> {
    let (date, time) = (f.text(), f.text());
    let (lat, lng) = (angle(f, false)?, angle(f, false)?);
    let valid = f.text() == "A";
    let draft = told.report();
    draft.time(clock::ddmmyy_hhmmss(date, time));
    let (speed, heading) = (f.decimal().map(|v| v * MILE_MPS), f.decimal());
    draft.at = Some(Measured { lng, lat, valid, speed, heading, ..Measured::default() });
    draft.maybe("event", f.whole());
    f.skip(1);
    let card = f.text();
    draft.maybe("driver_id", Some(card).filter(|c| !c.trim_matches('0').is_empty()));
    Ok(())
}

/// A sensor nearby, with the place where it was heard.
fn sensor(inside: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let mut c = Cursor::new(inside);
    for _ in 0..6 {
        let comma = c.rest().iter().position(|b| *b == b',');
        c.skip(comma.ok_or_else(|| Complaint::bad("sensor", inside))? + 1)?;
    }
    let draft = told.report();
    place(&mut c, draft)?;
    // When, which, its kind and state.
    c.skip(13)?;
    draft.set("sensor_battery_volts", f64::from(c.u8()?) / 20.0);
    draft.set("sensor_battery_percent", c.u8()?);
    draft.set("sensor_rssi_dbm", -i64::from(c.u8()?));
    c.skip(1)?;
    draft.set(("temperature_celsius", 1), f64::from(c.i16()?) / 10.0);
    draft.set("humidity_percent", c.u8()?);
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = speaker.next() % 1000;
    let line = format!(
        "({},U01,{},{},{},{:.6},{},{:.6},{},{:.2},{},{},90%,00000000000000,0,0,20,0,{})",
        speaker.device,
        p.ddmmyy(),
        p.hhmmss(),
        if p.valid { 'T' } else { 'F' },
        p.lat.abs(),
        angle::north(p.lat),
        p.lng.abs(),
        angle::east(p.lng),
        p.kmh / 3.6 / MILE_MPS,
        p.degrees(),
        if p.valid { 9 } else { 0 },
        number,
    );
    Sent::new(line, "(S39)")
}

//! Aplicom: one frame a message, big-endian, whose fields a selector names.
//!
//! ```text
//! D, E, F, H | version u8 | unit: 80 set 7, else 3 | length u16 | [40 set: selector u24] | event u8
//!    | information u8 | fields
//!   D  8 valid 40 | 4 snapshot time u32 | 8 time u32, lat i32, lng i32 (1e-6), satellites
//!      | 10 km/h, most, course /2 | 40 inputs | 20 four lines u16 mV | 8000 power, battery u16 mV
//!      | 10000, 20000 pulses u16, u32 | 80, 100 trips u32 | 40 outputs | 200 driver 6 | 400 key
//!      | 800 altitude i16 | 2000 count u16 | 4000 state 8 | 80000 cell 11 | 1000 event's own
//!   E  8 event u16 | 4 time u32 | 10 clock 8 | 20 work, driver states | 40 status | 80 km/h u16 /256
//!      | 100, 200 distances u32 5 m | 8000 factor u16 | 400 rpm u16 /8 | 800 u16 | 1000 VIN 17
//!   F  4 time u32 | validity | 8 rpm u16 x 3 | 10 engine i16 x 3 | 20 hours u32, service i32, activity,
//!      throttle, fuel | 40 fuel u32 | 80 metres u32 | 100 km/h x 3, brakings | 200 tachograph 5
//!      | 400 axles: count, kg u16..
//! ```
//! A selector is 2FC where the frame of D has none, of others 7FFC. Nothing is answered. A unit of
//! three bytes counts from the first IMEI of its modem's series.
//!
//! Source: Aplicom "A-series D, E, F and H protocol". What events of
//! their own carry is in `aplicom/own.rs`. Ignored: pulses, a tachograph's clock.

use super::cursor::{Cursor, hex};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest frame, bytes.
const FRAME_MAX: usize = 4 * 1024;
/// Bytes of a driver's card: free, kind, nation, number 16, three of its renewals.
const CARD: usize = 22;
const SELECTOR_D: u32 = 0x02fc;
const SELECTOR: u32 = 0x7ffc;
/// First IMEIs of the modems' two series.
const SERIES: [u64; 2] = [0x1_4143_b400_0000, 0x1_4372_0700_0000];
/// An event that carries the bytes of a serial line.
const EVENT_SERIAL: u8 = 119;
/// An event that carries what the brakes of a trailer say.
const EVENT_BRAKES: u8 = 188;

mod own;

/// Aplicom.
pub(super) const APLICOM: Wired = Wired {
    name: "aplicom",
    port: 5049,
    transports: TCP_UDP,
    signatures: &[
        Mark::Bytes(&[b'D' as u16, Mark::RAW]),
        Mark::Bytes(&[b'E' as u16, Mark::RAW]),
        Mark::Bytes(&[b'F' as u16, Mark::RAW]),
        Mark::Bytes(&[b'H' as u16, Mark::RAW]),
    ],
    models: &["Aplicom A1", "A1 Max", "A1 Trax", "A5", "A9", "A11", "C-series"],
    idle_minutes: 30,
    acknowledges: false,
    wire: |_| Box::new(Aplicom),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Aplicom;

impl Wire for Aplicom {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [b'D' | b'E' | b'F' | b'H', version, rest @ ..] => {
                let unit = if version & 0x80 == 0 { 3 } else { 7 };
                let selector = if version & 0x40 == 0 { 0 } else { 3 };
                let Some(length) = rest.get(unit..unit + 2) else { return Cut::Need };
                let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
                Cut::of_length(2 + unit + 2 + selector + length, bytes, FRAME_MAX)
            }
            [b'D' | b'E' | b'F' | b'H'] => Cut::Need,
            // An IMEI in digits, a line's end, a sign of life.
            [b'0'..=b'9' | b'\r' | b'\n' | 0, ..] => Cut::Skip(1),
            _ => Cut::no_frame(bytes, "`D`, `E`, `F` or `H`"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let mut c = Cursor::new(frame);
        let (family, version) = (c.u8()?, c.u8()?);
        let unit = c.take(if version & 0x80 == 0 { 3 } else { 7 })?;
        let unit = unit.iter().fold(0, |n, b| n << 8 | u64::from(*b));
        told.from(&imei(unit, version).to_string())?;
        c.skip(2)?;
        let selector = match (version & 0x40, family) {
            (0, b'D') => SELECTOR_D,
            (0, _) => SELECTOR,
            _ => c.u24()?,
        };
        let draft = told.report();
        let event = c.u8()?;
        draft.set("event", event);
        draft.set("event_information", c.u8()?);
        match family {
            b'D' => tracking(selector, event, &mut c, draft),
            b'E' => tachograph(selector, &mut c, draft),
            b'F' => fleet(selector, &mut c, draft),
            _ => {
                if selector & 4 != 0 {
                    draft.time(seconds(&mut c)?);
                }
                c.skip(2)?;
                own::histograms(&mut c, draft)
            }
        }
    }
}

/// The IMEI of a unit.
fn imei(unit: u64, version: u8) -> u64 {
    if version & 0x80 != 0 {
        return unit;
    }
    let all = SERIES.map(|first| first + unit);
    all.into_iter().find(|imei| checked(*imei)).unwrap_or(unit)
}

/// Whether the last digit of an IMEI is what the others make it.
fn checked(imei: u64) -> bool {
    let digits = imei.to_string();
    let weighed = digits.bytes().rev().enumerate().map(|(at, byte)| {
        let digit = u32::from(byte - b'0');
        if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
    });
    weighed.sum::<u32>() % 10 == 0
}

fn seconds(c: &mut Cursor<'_>) -> Result<Option<Timestamp>, Complaint> {
    Ok(Some(Timestamp::from_seconds(c.u32()?.into())))
}

/// D: where and how fast.
fn tracking(
    selector: u32,
    event: u8,
    c: &mut Cursor<'_>,
    draft: &mut Draft,
) -> Result<(), Complaint> {
    let has = |bit: u32| selector & bit != 0;
    let valid = has(8) && c.u8()? & 0x40 != 0;
    if has(4) {
        draft.time(seconds(c)?);
    }
    if has(8) {
        draft.time(seconds(c)?);
        let (lat, lng) = (f64::from(c.i32()?) / 1e6, f64::from(c.i32()?) / 1e6);
        draft.at = Some(Measured { lng, lat, valid, ..Measured::default() });
        draft.set("satellites_in_view", c.u8()?);
    }
    if has(0x10) {
        let speed = f64::from(c.u8()?) / 3.6;
        draft.set("speed_most_mps", f64::from(c.u8()?) / 3.6);
        let heading = f64::from(c.u8()?) * 2.0;
        if let Some(at) = &mut draft.at {
            (at.speed, at.heading) = (Some(speed), Some(heading));
        }
    }
    if has(0x40) {
        draft.set("input_mask", c.u8()?);
    }
    if has(0x20) {
        for nth in 1..=4 {
            draft.set(("analog_volts", nth), f64::from(c.u16()?) / 1000.0);
        }
    }
    if has(0x8000) {
        draft.set("power_volts", f64::from(c.u16()?) / 1000.0);
        draft.set("battery_volts", f64::from(c.u16()?) / 1000.0);
    }
    for bit in [0x1_0000, 0x2_0000] {
        c.skip(if has(bit) { 6 } else { 0 })?;
    }
    for (bit, nth) in [(0x80, 1), (0x100, 2)] {
        if has(bit) {
            draft.set(("trip", nth), c.u32()?);
        }
    }
    if has(0x40) {
        draft.set("output_mask", c.u8()?);
    }
    rest_of_tracking(selector, event, c, draft)
}

fn rest_of_tracking(
    selector: u32,
    event: u8,
    c: &mut Cursor<'_>,
    draft: &mut Draft,
) -> Result<(), Complaint> {
    let has = |bit: u32| selector & bit != 0;
    if has(0x200) {
        let driver = u64::from(c.u16()?) << 32 | u64::from(c.u32()?);
        draft.set("driver_id", driver.to_string());
    }
    c.skip(has(0x400).into())?;
    if has(0x800) {
        let altitude = c.i16()?;
        if let Some(at) = &mut draft.at {
            at.altitude = Some(altitude.into());
        }
    }
    c.skip(if has(0x2000) { 2 } else { 0 })?;
    c.skip(if has(0x4000) { 8 } else { 0 })?;
    c.skip(if has(0x8_0000) { 11 } else { 0 })?;
    match event {
        EVENT_SERIAL if has(0x1000) => draft.set("event_value", hex(c.rest())),
        EVENT_BRAKES if has(0x1000) => return own::brakes(c, draft),
        _ => {}
    }
    Ok(())
}

/// E: what the tachograph says.
fn tachograph(selector: u32, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let has = |bit: u32| selector & bit != 0;
    if has(8) {
        draft.set("tachograph_event", c.u16()?);
    }
    if has(4) {
        draft.time(seconds(c)?);
    }
    c.skip(if has(0x10) { 8 } else { 0 })?;
    if has(0x20) {
        draft.set("work_state", c.u8()?);
        draft.set(("driver_state", 1), c.u8()?);
        draft.set(("driver_state", 2), c.u8()?);
    }
    if has(0x40) {
        draft.set("tachograph_status", c.u8()?);
    }
    if has(0x80) {
        draft.set("obd_speed_mps", f64::from(c.u16()?) / 256.0 / 3.6);
    }
    for (bit, key) in [(0x100, "obd_odometer_metres"), (0x200, "trip_metres")] {
        if has(bit) {
            draft.set(key, i64::from(c.u32()?) * 5);
        }
    }
    if has(0x8000) {
        draft.set("pulses_per_metre", f64::from(c.u16()?) / 1000.0);
    }
    if has(0x400) {
        let rpm = Some(c.u16()?).filter(|v| *v != u16::MAX);
        draft.maybe("rpm", rpm.map(|v| f64::from(v) / 8.0));
    }
    if has(0x800) {
        draft.set("extra_information", c.u16()?);
    }
    if has(0x1000) {
        draft.set("vin", String::from_utf8_lossy(c.take(17)?).into_owned());
    }
    if has(0x2000) {
        // Nation and code page first.
        c.skip(2)?;
        let plate = String::from_utf8_lossy(c.take(13)?).into_owned();
        draft.set("registration", plate.trim_matches(['\0', ' ']));
    }
    if has(0x4000) {
        for nth in 1..=2 {
            if c.left() < CARD {
                break;
            }
            let card = String::from_utf8_lossy(&c.take(CARD)?[3..19]).into_owned();
            let card = card.trim_matches(['\0', ' ']);
            draft.maybe(("driver_card", nth), Some(card).filter(|card| !card.is_empty()));
        }
    }
    Ok(())
}

/// F: what the vehicle's bus says.
fn fleet(selector: u32, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let has = |bit: u32| selector & bit != 0;
    if has(4) {
        draft.time(seconds(c)?);
    }
    c.skip(1)?;
    if has(8) {
        for key in ["rpm", "rpm_most", "rpm_least"] {
            draft.set(key, c.u16()?);
        }
    }
    if has(0x10) {
        for key in ["engine_celsius", "engine_most_celsius", "engine_least_celsius"] {
            draft.set(key, c.i16()?);
        }
    }
    if has(0x20) {
        draft.set("engine_on_seconds", i64::from(c.u32()?) * 3600);
        draft.set("service_distance", c.i32()?);
        draft.set("driver_activity", c.u8()?);
        draft.set("throttle_percent", c.u8()?);
        draft.set("fuel_percent", c.u8()?);
    }
    if has(0x40) {
        draft.set("fuel_used_litres", c.u32()?);
    }
    if has(0x80) {
        draft.set("odometer_metres", c.u32()?);
    }
    if has(0x100) {
        for key in ["obd_speed_mps", "speed_most_mps", "speed_least_mps"] {
            draft.set(key, f64::from(c.u8()?) / 3.6);
        }
        draft.set("hard_brakings", c.u8()?);
    }
    if has(0x200) {
        draft.set("tachograph_speed_mps", f64::from(c.u8()?) / 3.6);
        draft.set(("driver_state", 1), c.u8()?);
        draft.set(("driver_state", 2), c.u8()?);
        draft.set("tachograph_status", c.u8()?);
        draft.set("overspeeds", c.u8()?);
    }
    if has(0x400) && c.left() > 0 {
        for nth in 1..=u16::from(c.u8()?) {
            draft.set(("axle_kilograms", nth), c.u16()?);
        }
    }
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let time = (report.time.unwrap_or_default().millis().div_euclid(1000) as u32).to_be_bytes();
    let mut body = vec![0, 8, 0x1c, 0, 0, if p.valid { 0xc0 } else { 0x80 }];
    body.extend([time; 2].concat());
    for degrees in [p.lat, p.lng] {
        body.extend(((degrees * 1e6).round() as i32).to_be_bytes());
    }
    let kmh = p.kmh.round() as u8;
    body.extend([if p.valid { 9 } else { 0 }, kmh, kmh, (p.degrees() / 2) as u8]);
    body.extend((p.altitude.round() as i16).to_be_bytes());
    let mut out = vec![b'D', 0xc3];
    out.extend(&speaker.device.parse::<u64>().unwrap_or(0).to_be_bytes()[1..]);
    out.extend((body.len() as u16 - 3).to_be_bytes());
    out.extend(body);
    Sent::unanswered(out)
}

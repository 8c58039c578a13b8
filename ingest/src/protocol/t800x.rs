//! Topflytech: four families of frames that share their head, big-endian with floats turned round.
//!
//! ```text
//! 23 23, 25 25, 26 26, 27 27 | type | length u16 | number u16 | IMEI 8 BCD | ..
//!                                         <- the head with length 000F (to 23 23 number 0001)
//!   02, 04, 13, 14   place; alarms (04, 14) are answered with their code behind
//!     wired    7 settings | signal u16 | satellites | 6 | io u16 | [2323, 2525: two lines u16 0.01 V]
//!              | [13, 14: outputs, 1, five lines u16] | alarm | 1 | metres u32 | battery BCD
//!              | time 6 BCD | altitude, lng, lat f32 | km/h BCD 0.1 | course u16
//!              | [13, 14: battery BCD 0.01 V] | [not 2323: power BCD 0.01 V]
//!              | [2626: km/h BCD, fuel u32 ml, flow u32, rpm u16, 7 readings]
//!     2727     satellites | alarm | time | altitude, lng, lat | km/h | course | g 5 | battery BCD %
//!              | degrees | light | battery BCD 0.1 V | solar | metres u32 | io u16 | 7 | signal u16
//!   05 of 2525, 2626   kind | two points: time | altitude, lng, lat | km/h | course | rpm u16
//!   05 of 2727, 11 of 2525, 2626   time | operator, technology, band, IMSI, ICCID, each with its length
//!   10           time | ignition | kind u16 | MAC 6 | ..        81   1 | text UTF-16
//! ```
//! Of the satellites' byte bit 7 says kept, bit 6 placed: without it the places of the floats hold
//! radio cells. A field of FF only says nothing. Places are not answered. A battery of 00 is full.
//!
//! Source: Topflytech "T8801, T8803, TLW1, TLP1 protocol". Ignored: settings, radio cells, what
//! 13 has behind its voltages, acceleration details (06 on).

use super::clock;
use super::cursor::{Cursor, digits_of, hex};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{Transport, When};
use crate::fix::{Measured, Report};

/// Longest frame, bytes.
const FRAME_MAX: usize = 1024;
/// Length of a head, which is all of an answer.
const HEAD: usize = 15;
const PERSONAL: u8 = 0x27;
const OBD: u8 = 0x26;
const WIRED: u8 = 0x25;
const FIRST: u8 = 0x23;

/// Topflytech.
pub(super) const T800X: Wired = Wired {
    name: "t800x",
    port: 5094,
    transports: TCP_UDP,
    signatures: &[
        Mark::Bytes(&[0x23, 0x23]),
        Mark::Bytes(&[0x25, 0x25]),
        Mark::Bytes(&[0x26, 0x26]),
        Mark::Bytes(&[0x27, 0x27]),
    ],
    models: &["Topflytech T8608", "T8801", "T8803", "T8806", "TLW1", "TLP1", "TLP2", "KnightX 100"],
    idle_minutes: 30,
    acknowledges: false,
    wire: |_| Box::new(T800x),
    login,
    message,
};

#[derive(Debug)]
struct T800x;

impl Wire for T800x {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [a @ (FIRST | WIRED..=PERSONAL), b, ..] if a != b => Cut::no_frame(bytes, "its twin"),
            [FIRST | WIRED..=PERSONAL, _, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                if length < HEAD {
                    return Cut::no_frame(bytes, "a length");
                }
                Cut::of_length(length, bytes, FRAME_MAX)
            }
            [FIRST | WIRED..=PERSONAL, ..] => Cut::Need,
            _ => Cut::no_frame(bytes, "`##`, `%%`, `&&` or `''`"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let mut c = Cursor::new(frame);
        let family = c.u8()?;
        c.skip(1)?;
        let kind = c.u8()?;
        c.skip(2)?;
        let number = c.u16()?;
        let imei = c.take(8)?;
        told.from(digits_of(imei).trim_start_matches('0'))?;
        let answer = |code: &[u8]| {
            let number = if family == FIRST { 1 } else { number };
            head(family, kind, number, imei, code)
        };
        match (family, kind) {
            (_, 0x02 | 0x04 | 0x13 | 0x14) => {
                let draft = told.report();
                draft.set("record_number", number);
                let code = if family == PERSONAL {
                    personal(&mut c, draft)?
                } else {
                    wired(family, kind, &mut c, draft)?
                };
                if matches!(kind, 0x04 | 0x14) {
                    told.reply(answer(&[code]), When::AfterDurable);
                }
                return Ok(());
            }
            (WIRED | OBD, 0x05) => driving(&mut c, told)?,
            (PERSONAL, 0x05) | (WIRED | OBD, 0x11) => network(&mut c, told.report())?,
            (_, 0x10) => beacon(&mut c, told.report())?,
            (_, 0x81) => {
                c.skip(1)?;
                told.report().set("command_result", utf16(c.rest()));
            }
            _ => {}
        }
        told.reply(answer(&[]), When::AfterDurable);
        Ok(())
    }
}

fn head(family: u8, kind: u8, number: u16, imei: &[u8], more: &[u8]) -> Vec<u8> {
    let mut out = vec![family, family, kind];
    out.extend(((HEAD + more.len()) as u16).to_be_bytes());
    out.extend(number.to_be_bytes());
    out.extend(imei);
    out.extend(more);
    out
}

fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or('?')).collect()
}

fn bcd(byte: u8) -> i64 {
    super::cursor::bcd(byte).into()
}

/// Four decimal digits; absent where they are none.
fn digits(c: &mut Cursor<'_>) -> Result<Option<f64>, Complaint> {
    let word = c.u16()?;
    let [high, low] = word.to_be_bytes();
    Ok((word != u16::MAX).then(|| (bcd(high) * 100 + bcd(low)) as f64))
}

/// Whether there is a place, from the satellites' byte.
fn receiver(byte: u8, draft: &mut Draft) -> bool {
    draft.set("satellites", byte & 31);
    if byte & 0x80 != 0 {
        draft.set("archive", true);
    }
    byte & 0x40 != 0
}

/// Altitude to course.
fn place(c: &mut Cursor<'_>, placed: bool, draft: &mut Draft) -> Result<(), Complaint> {
    let mut float = || c.array().map(f32::from_le_bytes).map(f64::from);
    let (altitude, lng, lat) = (float()?, float()?, float()?);
    let speed = digits(c)?.map(|v| v / 36.0);
    let heading = Some(c.u16()?).filter(|v| *v != u16::MAX).map(f64::from);
    // Radio cells make no place, seldom one in range.
    let placed_once = lat.abs() > 1e-3 && lat.abs() <= 90.0 && lng.abs() <= 180.0;
    if placed || placed_once {
        let (valid, altitude) = (placed, Some(altitude));
        draft.at = Some(Measured { lng, lat, valid, speed, heading, altitude, accuracy: None });
    }
    Ok(())
}

/// 2323, 2525, 2626; the alarm's code.
fn wired(family: u8, kind: u8, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<u8, Complaint> {
    let second = matches!(kind, 0x13 | 0x14);
    c.skip(7)?;
    draft.set("rssi", c.u16()? & 0x7f);
    let placed = receiver(c.u8()?, draft);
    c.skip(6)?;
    let io = c.u16()?;
    let set = |bit: u32| io >> bit & 1 != 0;
    draft.set("ignition", set(14));
    draft.set("air_conditioner", set(13));
    draft.set(("input", 3), set(12));
    draft.set(("input", 4), set(11));
    let lines = if second {
        draft.set("output_mask", c.u8()?);
        c.skip(1)?;
        5
    } else {
        for nth in 1..=3 {
            draft.set(("output", nth), set(6 + u32::from(nth)));
        }
        if family == OBD { 0 } else { 2 }
    };
    for nth in 1..=lines {
        let volts = Some(c.u16()?).filter(|v| *v != u16::MAX);
        draft.maybe(("analog_volts", nth), volts.map(|v| f64::from(v) / 100.0));
    }
    let code = c.u8()?;
    draft.set("alarm_code", code);
    draft.maybe("alarm", alarm(code));
    c.skip(1)?;
    draft.set("odometer_metres", c.u32()?);
    let battery = bcd(c.u8()?);
    draft.set("battery_percent", if battery == 0 { 100 } else { battery });
    draft.time(clock::six_bcd(c.array()?));
    place(c, placed, draft)?;
    if second {
        draft.maybe("battery_volts", digits(c)?.map(|v| v / 100.0));
    }
    if family != FIRST && c.left() >= 2 {
        draft.maybe("power_volts", digits(c)?.map(|v| v / 100.0));
    }
    if family == OBD && c.left() >= 19 {
        readings(c, draft)?;
    }
    Ok(code)
}

/// What the vehicle's diagnosis says.
fn readings(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let speed = digits(c)?.map(|v| v / 36.0);
    draft.maybe("obd_speed_mps", speed);
    // These devices leave the speed to the vehicle.
    if let Some(at) = draft.at.as_mut().filter(|at| at.speed == Some(0.0)) {
        at.speed = speed.or(at.speed);
    }
    let known = |v: u32| Some(v).filter(|v| *v != u32::MAX);
    draft.maybe("fuel_used_litres", known(c.u32()?).map(|v| f64::from(v) / 1000.0));
    draft.maybe("fuel_litres_per_hour", known(c.u32()?).map(|v| f64::from(v) / 1000.0));
    draft.maybe("rpm", Some(c.u16()?).filter(|v| *v != u16::MAX));
    let mut small = || c.u8().map(|v| Some(v).filter(|v| *v != u8::MAX).map(i64::from));
    draft.maybe("intake_flow", small()?);
    draft.maybe("intake_kilopascals", small()?);
    draft.maybe("coolant_celsius", small()?.map(|v| v - 40));
    draft.maybe("intake_celsius", small()?.map(|v| v - 40));
    draft.maybe("engine_load_percent", small()?);
    draft.maybe("throttle_percent", small()?);
    draft.maybe("fuel_percent", small()?);
    Ok(())
}

/// 2727; the alarm's code.
fn personal(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<u8, Complaint> {
    let placed = receiver(c.u8()?, draft);
    let code = c.u8()?;
    draft.set("alarm_code", code);
    draft.maybe("alarm", alarm(code));
    draft.time(clock::six_bcd(c.array()?));
    place(c, placed, draft)?;
    // Sign, ones and tenths of a g for each axis, a digit each.
    let g = c.take(5)?;
    let nibble =
        |at: usize| i64::from(if at.is_multiple_of(2) { g[at / 2] >> 4 } else { g[at / 2] & 15 });
    for (axis, key) in AXES.into_iter().enumerate() {
        let at = axis * 3;
        let size = (nibble(at + 1) * 10 + nibble(at + 2)) * 100;
        draft.set(key, if nibble(at) == 0 { -size } else { size });
    }
    let battery = bcd(c.u8()?);
    draft.set("battery_percent", if battery == 0 { 100 } else { battery });
    draft.maybe("device_celsius", Some(c.u8()? as i8).filter(|v| *v != -1));
    let light = c.u8()?;
    draft.maybe("light_lux", Some(light).filter(|v| *v != u8::MAX).map(|v| bcd(v) as f64 / 10.0));
    draft.set("battery_volts", bcd(c.u8()?) as f64 / 10.0);
    draft.set("solar_volts", bcd(c.u8()?) as f64 / 10.0);
    draft.set("odometer_metres", c.u32()?);
    let io = c.u16()?;
    draft.set("ignition", io >> 14 & 1 != 0);
    draft.set("input_mask", io);
    if c.left() >= 9 {
        c.skip(7)?;
        draft.set("rssi", c.u16()?);
    }
    Ok(code)
}

const AXES: [&str; 3] =
    ["acceleration_x_milli_g", "acceleration_y_milli_g", "acceleration_z_milli_g"];

fn alarm(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "powerCut",
        2 | 24 => "lowPower",
        3 => "sos",
        4 => "overspeed",
        5 => "geofenceEnter",
        6 => "geofenceExit",
        7 => "tow",
        8 | 10 => "vibration",
        9 => "gpsAntennaCut",
        21 => "jamming",
        23 => "powerRestored",
        25 => "tampering",
        _ => return None,
    })
}

/// A manoeuvre: where it began, where it ended.
fn driving(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let kind = c.u8()?;
    for last in [false, true] {
        let draft = told.report();
        draft.time(clock::six_bcd(c.array()?));
        let placed = c.rest().get(4..8).is_some_and(|lng| *lng != [0xff; 4]);
        place(c, placed, draft)?;
        draft.maybe("rpm", Some(c.u16()?).filter(|v| *v != u16::MAX));
        if last {
            draft.alarm(if matches!(kind, 0 | 4) { "hardBraking" } else { "hardAcceleration" });
        }
    }
    Ok(())
}

fn network(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.time(clock::six_bcd(c.array()?));
    for key in ["operator", "network_technology", "network_band", "imsi", "iccid"] {
        if c.left() == 0 {
            break;
        }
        let length = c.u8()?;
        let bytes = c.take(usize::from(length).min(c.left()))?;
        let text =
            if key == "operator" { utf16(bytes) } else { String::from_utf8_lossy(bytes).into() };
        draft.set(key, text);
    }
    Ok(())
}

/// What a device nearby says.
fn beacon(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.time(clock::six_bcd(c.array()?));
    draft.set("ignition", c.u8()? & 1 != 0);
    let kind = c.u16()?;
    let id = hex(c.take(6)?);
    if kind == 3 {
        draft.set("driver_id", id);
        draft.set(("tag_battery_volts", 1), bcd(c.u8()?) as f64 / 10.0);
        if c.u8()? == 1 {
            draft.alarm("lowBattery");
        }
        return Ok(());
    }
    draft.set(("tag_id", 1), id);
    let volts = c.u8()?;
    if volts != u8::MAX {
        let least = if kind == 1 { 1.22 } else { 2.0 };
        draft.set(("tag_battery_volts", 1), f64::from(volts) / 100.0 + least);
    }
    match kind {
        1 => {
            draft.set(("tag_pressure_kilopascals", 1), f64::from(c.u8()?) * 3.144);
            draft.set(("tag_temperature_celsius", 1), i64::from(c.u8()?) - 55);
        }
        2 => draft.alarm("sos"),
        4 | 5 => {
            draft.set(("tag_battery_percent", 1), c.u8()?);
            draft.set(("tag_temperature_celsius", 1), f64::from(c.i16()?) / 100.0);
            if kind == 4 {
                draft.set(("tag_humidity_percent", 1), f64::from(c.u16()?) / 100.0);
                draft.set(("tag_light", 1), c.u16()?);
            } else {
                draft.set(("tag_door", 1), c.u8()? == 1);
                c.skip(1)?;
            }
            draft.set(("tag_rssi_dbm", 1), i64::from(c.u8()?) - 128);
        }
        _ => {}
    }
    Ok(())
}

fn login(speaker: &mut Speaker) -> Sent {
    if speaker.transport == Transport::Udp {
        return Sent::default();
    }
    let alive = head(WIRED, 3, speaker.next() as u16, &speaker.bcd(8), &[]);
    Sent::new(alive.clone(), alive)
}

/// Four decimal digits.
fn packed(value: f64) -> [u8; 2] {
    let value = value.round() as u16 % 10_000;
    let pair = |v: u16| (v / 10 * 16 + v % 10) as u8;
    [pair(value / 100), pair(value % 100)]
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let ignition = flag(report, "ignition").unwrap_or(false);
    let mut body = vec![0, 60, 3, 132, 30, 0, 100, 0, 20, if p.valid { 0x49 } else { 0 }];
    body.extend([0, 0, 5, 1, 0, 0, u8::from(ignition) << 6, 0]);
    body.extend([0; 11]);
    body.extend(p.six().map(|v| v / 10 * 16 + v % 10));
    for value in [p.altitude, p.lng, p.lat] {
        body.extend((value as f32).to_le_bytes());
    }
    body.extend(packed(p.kmh * 10.0));
    body.extend(p.degrees().to_be_bytes());
    body.extend([0x12, 0x00]);
    let number = speaker.next() as u16;
    Sent::unanswered(head(WIRED, 2, number, &speaker.bcd(8), &body))
}

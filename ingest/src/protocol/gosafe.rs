//! `GoSafe`: text between `*` and `#`, and a binary form between f8.
//!
//! ```text
//! *GS<nn>,<IMEI>,<record>[$<record>..]#                                           <- 1234
//!   record  hhmmssddmmyy,<event hex>,<group>,..
//!   SYS:model;firmware;hardware    COT:metres[;h-m-s of the engine]
//!   GPS:<A|L|V>;satellites;N..;E..;km/h;course[;altitude[;HDOP[;VDOP]]]      L: the last known one
//!   GSM:..;..;mcc;mnc;area hex;cell hex;dBm[;..]    ADC:power V[;battery V[;lines V..]]
//!   DTT:status hex;lines hex;fences;fences;events;kind     IWD:n;<0 key, 1 thermometer>;id;value..
//!   OBD:<length, answer>.. hex     ETD, FUL, TAG, ..
//! *GS02,<IMEI>,GPS:hhmmss;A;N..;E..;km/h;course;ddmmyy,STT:..,MGR:metres,ADC:n;value..#
//! *GS<nn>,<IMEI>,<answer to a command>#
//! f8 | version u8 | kind u8 | IMEI 7 | time u32 s from 2000 | [41: event u8] | mask u16 | groups
//!    | CRC u16 | f8     1b in front of a byte: that byte exclusive-or 1b
//!   group   length u8, content, one for each bit of the mask, lowest first
//!   1 place mask u16 | fix and satellites u8 | lat i32, lng i32 (1e-6 degrees) | km/h u16
//!     | course u16 | altitude i16 | HDOP u16 0.01
//! lines    bit 0 ignition, 1 to 4 inputs, 5 to 7 outputs
//! ```
//! The CRC is CRC-16/XMODEM of what stands between the ends, unescaped. Source: `GoSafe` "G3S and G6S
//! GPRS protocol"; the binary groups but for the place are ignored, so are FUL, ETD and TAG.
//! A record whose time is 0 holds the last known place and is reported without it.

use super::fields::{Fields, decimal, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{When, angle, checksum, clock};
use crate::fix::{Measured, Report};

mod binary;
mod obd;

/// Longest message, bytes.
const LINE_MAX: usize = 4 * 1024;
/// Most records of a message.
const RECORDS_MAX: usize = 64;
const ACK: &str = "1234";

/// `GoSafe`.
pub(super) const GOSAFE: Wired = Wired {
    name: "gosafe",
    port: 5078,
    transports: TCP_UDP,
    signatures: &[Mark::Text("*GS%%,"), Mark::Bytes(&[0xf8])],
    models: &["GoSafe G1S", "G3S", "G6S", "G7S", "G79", "G737"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::new(Gosafe),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Gosafe;

impl Wire for Gosafe {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        let from = bytes.iter().position(|b| matches!(b, b'*' | &binary::END));
        match from {
            Some(0) => {}
            from => return Cut::Skip(from.unwrap_or(bytes.len())),
        }
        let end = if bytes[0] == b'*' { b'#' } else { binary::END };
        let head = b"*GS";
        if end == b'#' && !bytes.starts_with(&head[..bytes.len().min(head.len())]) {
            return Cut::no_frame(bytes, "`*GS`");
        }
        let seen = &bytes[..bytes.len().min(LINE_MAX)];
        match seen.iter().skip(1).position(|b| *b == end) {
            Some(0) if end == binary::END => Cut::Skip(1),
            Some(at) => Cut::frame(at + 2),
            None if bytes.len() >= LINE_MAX => Cut::too_long(LINE_MAX),
            None if whole && end == b'#' => Cut::frame(bytes.len()),
            None => Cut::Need,
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        if frame.first() == Some(&binary::END) {
            return binary::read(frame, told);
        }
        let line = text(frame)?.trim();
        let line = line.strip_prefix("*GS").ok_or_else(|| Complaint::bad("message", frame))?;
        let line = line.strip_suffix('#').unwrap_or(line);
        let mut fields = Fields::new(line, ',');
        fields.skip(1);
        told.from(fields.text())?;
        told.reply(ACK, When::AfterDurable);
        if fields.is_empty() {
            return Ok(());
        }
        for record in fields.rest().split('$').take(RECORDS_MAX) {
            read_record(record, told);
        }
        Ok(())
    }

    fn split(&self, frame: &[u8]) -> Vec<u8> {
        if frame.first() == Some(&binary::END) {
            return binary::unescaped(frame);
        }
        frame.to_vec()
    }
}

fn read_record(record: &str, told: &mut Told) {
    let draft = told.report();
    let stamp = record.split(',').next().unwrap_or("");
    let stamped = stamp.len() == 12 && stamp.bytes().all(|b| b.is_ascii_digit());
    if !stamped && !stamp.contains(':') {
        draft.set("command_result", record);
        return;
    }
    let mut fields = Fields::new(record, ',');
    if stamped {
        let (time, date) = (part(stamp, 0, 6), part(stamp, 6, 12));
        draft.time(clock::ddmmyy_hhmmss(date, time));
        fields.skip(1);
        if !fields.rest().split(',').next().unwrap_or("").contains(':') {
            draft.maybe("event", fields.hex());
        }
    }
    while let Some(field) = fields.next() {
        if let Some((name, values)) = field.split_once(':') {
            group(name, values, draft);
        }
    }
    if draft.is_timeless() {
        draft.at = None;
    }
}

fn group(name: &str, values: &str, draft: &mut Draft) {
    let mut v = Fields::new(values, ';');
    match name {
        "SYS" => {
            v.skip(1);
            draft.maybe("firmware", Some(v.text()).filter(|t| !t.is_empty()));
            draft.maybe("hardware", Some(v.text()).filter(|t| !t.is_empty()));
        }
        "GPS" => place(v, draft),
        "GSM" => cells(v, draft),
        "COT" => {
            draft.maybe("odometer_metres", v.whole());
            let mut hours = Fields::new(v.text(), '-');
            if let (Some(h), Some(m), Some(s)) = (hours.whole(), hours.whole(), hours.whole()) {
                draft.set("engine_on_seconds", (h.min(1 << 40) * 60 + m) * 60 + s);
            }
        }
        "MGR" => draft.maybe("odometer_metres", v.whole()),
        // The first document's values are numbered.
        "ADC" if v.count() > 1 && part(values, 0, 2) == "0;" && !part(values, 2, 9).is_empty() => {
            numbered(v, draft);
        }
        "ADC" => {
            draft.maybe("power_volts", v.decimal());
            draft.maybe("battery_volts", v.decimal());
            for nth in 1..=4 {
                draft.maybe(("analog_volts", nth), v.decimal());
            }
        }
        "STT" => draft.maybe("status", v.hex()),
        "DTT" => status(v, draft),
        "IWD" => wires(v, draft),
        "OBD" => {
            draft.set("obd_answers", values);
            obd::read(values, draft);
        }
        _ => {}
    }
}

fn place(mut v: Fields<'_>, draft: &mut Draft) {
    let first = v.text();
    let clock = Some(first).filter(|t| t.len() == 6 && t.bytes().all(|b| b.is_ascii_digit()));
    let state = if clock.is_some() { v.text() } else { first };
    if clock.is_none() {
        draft.maybe("satellites", v.whole());
    }
    let signed = |text: &str| {
        let degrees = decimal(part(text, 1, text.len()))?;
        angle::signed(degrees, part(text, 0, 1))
    };
    let (Some(lat), Some(lng)) = (signed(v.text()), signed(v.text())) else { return };
    let (speed, heading) = (v.decimal().map(|kmh| kmh / 3.6), v.decimal());
    if let Some(clock) = clock {
        draft.time(clock::ddmmyy_hhmmss(v.text(), clock));
    }
    let altitude = v.decimal();
    let valid = state.ends_with('A');
    draft.at = Some(Measured { lng, lat, valid, speed, heading, altitude, accuracy: None });
    draft.maybe("hdop", v.decimal());
    draft.maybe("vdop", v.decimal());
}

/// At most ten cells; the first one's strength.
fn cells(mut v: Fields<'_>, draft: &mut Draft) {
    v.skip(2);
    for nth in 1..=10 {
        let (mcc, mnc, area, id) = (v.text(), v.text(), v.hex(), v.hex());
        let strength = v.whole();
        let (Ok(mcc), Ok(mnc), Some(area), Some(id)) = (mcc.parse(), mnc.parse(), area, id) else {
            return;
        };
        draft.cell(nth, (mcc, mnc, area as u32, id as u64));
        if nth == 1 {
            draft.maybe("rssi", strength);
        }
    }
}

/// Number and value: 0 power, 1 temperature, 2 battery.
fn numbered(mut v: Fields<'_>, draft: &mut Draft) {
    while !v.is_empty() {
        let (number, value) = (v.text(), v.decimal());
        match number {
            "0" => draft.maybe("power_volts", value),
            "1" => draft.maybe("device_celsius", value),
            "2" => draft.maybe("battery_volts", value),
            _ => {}
        }
    }
}

fn status(mut v: Fields<'_>, draft: &mut Draft) {
    draft.maybe("status", v.hex());
    if let Some(lines) = v.hex() {
        let set = |bit: u16| lines >> bit & 1 != 0;
        draft.set("ignition", set(0));
        (1..=4).for_each(|nth| draft.set(("input", nth), set(nth)));
        (1..=3).for_each(|nth| draft.set(("output", nth), set(nth + 4)));
    }
    draft.set("geofence", format!("{}{}", v.text(), v.text()));
    draft.set("event_status", v.text());
    draft.set("packet_type", v.text());
}

/// Keys and thermometers on the one wire.
fn wires(mut v: Fields<'_>, draft: &mut Draft) {
    while v.count() >= 3 {
        let (nth, kind, id) = (v.whole().unwrap_or(0), v.whole(), v.text());
        if kind == Some(1) {
            let nth = u16::try_from(nth).unwrap_or(0);
            draft.maybe(("temperature_celsius", nth), v.decimal());
        } else if kind == Some(0) {
            draft.set("driver_id", id);
        } else {
            v.skip(1);
        }
    }
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let lines = 0xe0 | u8::from(flag(report, "ignition").unwrap_or(false));
    let line = format!(
        "*GS06,{},{}{},,SYS:G6S;V3.37;V1.1.8,GPS:{};9;{}{:.6};{}{:.6};{:.1};{:.1};{:.0};0.80,\
         COT:0,ADC:12.00;4.00,DTT:4000;{lines:X};0;0;0;1#",
        speaker.device,
        p.hhmmss(),
        p.ddmmyy(),
        p.status(),
        angle::north(p.lat),
        p.lat.abs(),
        angle::east(p.lng),
        p.lng.abs(),
        p.kmh,
        p.heading,
        p.altitude,
    );
    Sent::new(line, ACK)
}

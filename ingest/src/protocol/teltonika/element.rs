//! What the numbered elements mean.
//!
//! Ids below are those of every platform that Teltonika documents with the same meaning, or of
//! the FMB platform alone (`Family::Fmb`): the same number means other things on `FM36`, `FMB6xx`
//! or `TFT` devices. Without a known model only the former are named; all others stay `io<id>`, so
//! that nothing is ever called what it is not.

use crate::attribute::{Attributes, Key, Name, Value};

/// Devices that share one list of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Not known, or without a list of its own here.
    Any,
    /// FMB, FMC, FMM, FMU, FMT, FMP, MTB, MSP; not the professional 6xx.
    Fmb,
}

impl Family {
    /// The family of a model's name.
    pub(super) fn of(model: Option<&str>) -> Self {
        let model = model.unwrap_or_default();
        let fmb = ["FMB", "FMC", "FMM", "FMU", "FMT", "FMP", "MTB", "MSP"]
            .iter()
            .find_map(|prefix| model.strip_prefix(prefix));
        match fmb {
            Some(number) if !number.starts_with('6') => Self::Fmb,
            _ => Self::Any,
        }
    }
}

/// An element as sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw {
    pub(super) id: u16,
    /// 1, 2, 4 or 8 bytes.
    pub(super) size: usize,
    /// Not sign-extended.
    pub(super) bits: u64,
}

impl Raw {
    /// As a whole number; eight bytes are signed, less are not.
    fn unsigned(self) -> i64 {
        self.bits as i64
    }
    fn signed(self) -> i64 {
        let unused = 64 - 8 * self.size as u32;
        ((self.bits << unused) as i64) >> unused
    }
}

/// How the bits become a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Meaning {
    /// A whole number.
    Count,
    /// A whole number with a sign.
    Signed,
    /// So many of it make one.
    Parts(f64),
    /// The same with a sign.
    SignedParts(f64),
    /// km/h.
    Kmh,
    /// Nonzero is yes.
    Flag,
    /// 1 raises this alarm, and nothing else is said.
    Alarm(&'static str),
    /// 1 to 3: the three alarms of harsh driving.
    Driving,
    /// The eight bytes of an iButton, last one first; 0 is none.
    Button,
    /// Its decimal digits.
    Digits,
}

/// One line of the list.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) id: u16,
    pub(super) family: Family,
    pub(super) name: Name,
    /// Number of a numbered key, else 0.
    pub(super) number: u16,
    pub(super) meaning: Meaning,
}

use Meaning::{Alarm, Button, Count, Digits, Driving, Flag, Kmh, Parts, Signed, SignedParts};

/// Sorted by id. From "FMB130 Teltonika Data Sending Parameters ID" and the lists of FMB920,
/// FMC130 and GH5200, multipliers as given there.
pub(super) const ELEMENTS: &[Element] = &[
    any(1, "input", 1, Flag),
    any(2, "input", 2, Flag),
    any(3, "input", 3, Flag),
    any(4, "input", 4, Flag),
    fmb(9, "analog_volts", 1, Parts(1000.0)),
    fmb(10, "analog_volts", 2, Parts(1000.0)),
    fmb(11, "iccid", 0, Digits),
    fmb(12, "fuel_used_litres", 0, Parts(1000.0)),
    any(16, "odometer_metres", 0, Count),
    any(17, "acceleration_x_milli_g", 0, Signed),
    any(18, "acceleration_y_milli_g", 0, Signed),
    any(19, "acceleration_z_milli_g", 0, Signed),
    any(21, "rssi", 0, Count),
    // 20.00, 30.00 and 40.00 degrees also stand for errors of the sensor; nothing tells them from
    // the temperature, so they are passed on.
    any(25, "ble_temperature_celsius", 1, SignedParts(100.0)),
    any(26, "ble_temperature_celsius", 2, SignedParts(100.0)),
    any(27, "ble_temperature_celsius", 3, SignedParts(100.0)),
    any(28, "ble_temperature_celsius", 4, SignedParts(100.0)),
    fmb(30, "fault_count", 0, Count),
    fmb(31, "engine_load_percent", 0, Count),
    fmb(32, "coolant_celsius", 0, Signed),
    fmb(36, "rpm", 0, Count),
    fmb(37, "obd_speed_mps", 0, Kmh),
    fmb(43, "malfunction_metres", 0, Count),
    fmb(48, "fuel_percent", 0, Count),
    fmb(57, "hybrid_battery_percent", 0, Count),
    any(66, "power_volts", 0, Parts(1000.0)),
    any(67, "battery_volts", 0, Parts(1000.0)),
    fmb(68, "battery_amperes", 0, Parts(1000.0)),
    fmb(72, "temperature_celsius", 1, SignedParts(10.0)),
    fmb(73, "temperature_celsius", 2, SignedParts(10.0)),
    fmb(74, "temperature_celsius", 3, SignedParts(10.0)),
    fmb(75, "temperature_celsius", 4, SignedParts(10.0)),
    any(78, "driver_id", 0, Button),
    fmb(80, "data_mode", 0, Count),
    fmb(81, "obd_speed_mps", 0, Kmh),
    fmb(82, "throttle_percent", 0, Count),
    fmb(83, "fuel_used_litres", 0, Parts(10.0)),
    fmb(84, "fuel_litres", 0, Parts(10.0)),
    fmb(85, "rpm", 0, Count),
    fmb(87, "obd_odometer_metres", 0, Count),
    fmb(89, "fuel_percent", 0, Count),
    fmb(107, "fuel_used_litres", 0, Parts(10.0)),
    fmb(110, "fuel_litres_per_hour", 0, Parts(10.0)),
    fmb(113, "battery_percent", 0, Count),
    fmb(115, "engine_celsius", 0, SignedParts(10.0)),
    any(179, "output", 1, Flag),
    any(180, "output", 2, Flag),
    any(181, "pdop", 0, Parts(10.0)),
    any(182, "hdop", 0, Parts(10.0)),
    any(199, "trip_metres", 0, Count),
    fmb(200, "sleep_mode", 0, Count),
    fmb(205, "cell_id_2g", 0, Count),
    fmb(206, "cell_area", 0, Count),
    fmb(232, "cng_status", 0, Count),
    fmb(233, "cng_used_kilograms", 0, Parts(10.0)),
    fmb(234, "cng_level_percent", 0, Count),
    fmb(235, "oil_level", 0, Count),
    fmb(236, "alarm", 0, Alarm("general")),
    any(239, "ignition", 0, Flag),
    any(240, "motion", 0, Flag),
    any(241, "operator", 0, Count),
    fmb(246, "alarm", 0, Alarm("tow")),
    fmb(247, "alarm", 0, Alarm("accident")),
    fmb(249, "alarm", 0, Alarm("jamming")),
    fmb(251, "alarm", 0, Alarm("idle")),
    fmb(252, "alarm", 0, Alarm("powerCut")),
    any(253, "alarm", 0, Driving),
    fmb(636, "cell_id_4g", 0, Count),
    fmb(10800, "eye_temperature_celsius", 1, SignedParts(100.0)),
    fmb(10801, "eye_temperature_celsius", 2, SignedParts(100.0)),
    fmb(10802, "eye_temperature_celsius", 3, SignedParts(100.0)),
    fmb(10803, "eye_temperature_celsius", 4, SignedParts(100.0)),
];

const fn any(id: u16, name: &str, number: u16, meaning: Meaning) -> Element {
    Element { id, family: Family::Any, name: Name::constant(name), number, meaning }
}

const fn fmb(id: u16, name: &str, number: u16, meaning: Meaning) -> Element {
    Element { id, family: Family::Fmb, name: Name::constant(name), number, meaning }
}

/// By one-byte id: 1 + its line in [`ELEMENTS`], 0 where there is none.
static LINES: [u8; 256] = {
    let mut lines = [0; 256];
    let mut line = 0;
    while line < ELEMENTS.len() {
        if ELEMENTS[line].id < 256 {
            lines[ELEMENTS[line].id as usize] = line as u8 + 1;
        }
        line += 1;
    }
    lines
};

fn find(id: u16, family: Family) -> Option<&'static Element> {
    let element = match LINES.get(usize::from(id)) {
        Some(0) => return None,
        Some(line) => &ELEMENTS[usize::from(*line) - 1],
        None => &ELEMENTS[ELEMENTS.binary_search_by_key(&id, |e| e.id).ok()?],
    };
    (element.family == Family::Any || element.family == family).then_some(element)
}

/// Sets what an element says.
#[expect(clippy::inline_always, reason = "called for each element, and the size is known there")]
#[inline(always)]
pub(super) fn set(raw: Raw, family: Family, attributes: &mut Attributes) {
    let Some(element) = find(raw.id, family) else {
        attributes.set(Key::Io(u32::from(raw.id)), Value::Int(raw.unsigned()));
        return;
    };
    let value = match element.meaning {
        Count => Value::Int(raw.unsigned()),
        Signed => Value::Int(raw.signed()),
        Parts(parts) => Value::Float(raw.unsigned() as f64 / parts),
        SignedParts(parts) => Value::Float(raw.signed() as f64 / parts),
        Kmh => Value::Float(raw.unsigned() as f64 / 3.6),
        Flag => Value::Bool(raw.bits != 0),
        Digits => Value::from(raw.bits.to_string()),
        Button if raw.bits == 0 => return,
        Button => Value::from(format!("{:016X}", raw.bits.swap_bytes())),
        Alarm(name) => return alarm(Some(name).filter(|_| raw.bits == 1), attributes),
        Driving => {
            let names = [None, Some(ACCELERATION), Some(BRAKING), Some(CORNERING)];
            let name = names.get(raw.bits as usize).copied().flatten();
            return alarm(name, attributes);
        }
    };
    // Several FMB ids are one thing from different sources (OBD, CAN): the last one counts.
    attributes.set(Key::Known(element.name, element.number), value);
}

/// The alarms of harsh driving, 1 to 3.
pub(super) const ACCELERATION: &str = "hardAcceleration";
pub(super) const BRAKING: &str = "hardBraking";
pub(super) const CORNERING: &str = "hardCornering";

/// Adds an alarm to those the record has; names are joined by commas.
pub(super) fn alarm(name: Option<&str>, attributes: &mut Attributes) {
    let Some(name) = name else { return };
    let key = Key::from("alarm");
    let all = match attributes.get(&key) {
        Some(Value::Text(before)) if before.split(',').all(|a| a != name) => {
            format!("{before},{name}")
        }
        Some(_) => return,
        None => name.to_owned(),
    };
    attributes.set(key, Value::Text(all.into()));
}

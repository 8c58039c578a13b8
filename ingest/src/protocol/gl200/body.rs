//! What stands before and behind the places of a message.

use super::meter;
use crate::protocol::fields::{decimal, hexadecimal, trimmed};
use crate::protocol::wire::Draft;

/// Accuracy stands so many fields before the time of a place.
const ACCURACY: usize = 6;

fn field<'a>(fields: &[&'a str], at: usize) -> &'a str {
    trimmed(fields.get(at).copied().unwrap_or(""))
}

fn whole(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Words that are an alarm by themselves.
fn alarm(word: &str) -> Option<&'static str> {
    Some(match word {
        "SOS" => "sos",
        "PNA" => "powerOn",
        "PFA" => "powerOff",
        "MPF" => "powerCut",
        "MPN" => "powerRestored",
        "BPL" => "lowBattery",
        "TMP" => "temperature",
        "SPD" => "overspeed",
        "IDL" | "IDN" => "idle",
        "CRA" => "accident",
        "JDR" => "jamming",
        "TOW" => "tow",
        _ => return None,
    })
}

/// From the word to the first place: what the message is about.
pub(super) fn ahead(word: &str, fields: &[&str], place: Option<usize>, draft: &mut Draft) {
    draft.maybe("alarm", alarm(word));
    // The field before the number of places holds the report's id and type.
    let before = |back: usize| {
        let at = place.and_then(|at| at.checked_sub(ACCURACY + back)).filter(|at| *at > 2);
        at.map_or("", |at| field(fields, at))
    };
    match word {
        "IGN" | "VGN" => draft.set("ignition", true),
        "IGF" | "VGF" => draft.set("ignition", false),
        "IGL" | "VGL" => draft.set("ignition", before(2).ends_with('1')),
        "HBM" => match before(2).bytes().last() {
            Some(b'0' | b'3' | b'6') => draft.alarm("hardBraking"),
            Some(b'1' | b'4' | b'7') => draft.alarm("hardAcceleration"),
            Some(b'2' | b'5' | b'8') => draft.alarm("hardCornering"),
            _ => {}
        },
        "STT" => draft.set("motion", before(1).ends_with('2')),
        "JDS" if field(fields, 3) == "2" => draft.alarm("jamming"),
        "IDA" => draft.set("driver_id", field(fields, 4)),
        "NMR" => draft.set("motion", field(fields, 5) == "1"),
        "DAR" => draft.maybe("warning_type", whole(field(fields, 3))),
        "BID" => {
            draft.set("accessory_mac", field(fields, 6));
            draft.maybe("accessory_volts", decimal(field(fields, 7)).map(|v| v / 1000.0));
        }
        "INF" => information(fields, draft),
        "DTT" => draft.maybe("fuel_count", gauge(field(fields, fields.len().saturating_sub(3)))),
        "CAN" => can(fields, draft),
        "OBD" => diagnosis(fields, draft),
        "LBS" => draft.maybe("battery_percent", whole(field(fields, 5))),
        "CTN" | "STR" => draft.maybe("battery_percent", percent(before(1))),
        // Which line, and what it is now.
        "DIS" => {
            if let [nth @ b'1'..=b'8', state @ (b'0' | b'1')] = before(2).as_bytes() {
                draft.set(("input", u16::from(nth - b'0')), *state == b'1');
            }
        }
        // GL30 and relatives: moving, charging, number of places.
        "FRI" if field(fields, 0).starts_with("42") => {
            draft.set("motion", before(3) == "1");
            draft.set("charging", before(2) == "1");
            let signal = place.map_or("", |at| field(fields, at + 6));
            draft.maybe("rssi", whole(signal));
        }
        "FRI" | "ERI" => {
            if field(fields, 2).len() == 17 {
                draft.set("vin", field(fields, 2));
            }
            let power = decimal(before(3)).filter(|v| word == "ERI" || *v >= 1000.0);
            draft.maybe("power_volts", power.map(|v| v / 1000.0));
        }
        _ => {}
    }
}

/// From the last place to the end: meters, lines, battery, state.
pub(super) fn behind(word: &str, fields: &[&str], place: Option<usize>, draft: &mut Draft) {
    let Some(place) = place else {
        if matches!(word, "FRI" | "WIF") {
            let last = fields.len().saturating_sub(3);
            // Where flags and a temperature follow it, it is the last number that is no flag.
            let flags = || (last.saturating_sub(5)..last).rev();
            let level = percent(field(fields, last))
                .or_else(|| flags().find_map(|at| percent(field(fields, at)).filter(|v| *v > 1)));
            draft.maybe("battery_percent", level);
        }
        return;
    };
    let end = fields.len().saturating_sub(2);
    let mut at = place + 5;
    // Behind the cell: which fields more there are, one for each bit.
    let appendix = field(fields, at);
    if appendix.len() == 2
        && let Some(mask) = hexadecimal(appendix)
        && mask < 0x10
    {
        if mask & 1 != 0 {
            draft.maybe("satellites", whole(field(fields, at + 1)));
        }
        at += mask.count_ones() as usize;
    }
    // Some have no appendix, some an hour meter in front.
    at += usize::from(!field(fields, at).contains('.'));
    let pointed =
        |at: usize| decimal(field(fields, at)).filter(|_| field(fields, at).contains('.'));
    let ahead = matches!(word, "IGN" | "IGF") && field(fields, at).is_empty();
    if at < end {
        let kilometres = pointed(at + usize::from(ahead));
        draft.maybe("odometer_metres", kilometres.map(|v| v * 1000.0));
    }
    let Some(state) = (at..end).find(|at| is_state(field(fields, *at))) else {
        return of_a_person(word, fields, at, end, draft);
    };
    draft.maybe("engine_on_seconds", meter(field(fields, at + 1)));
    for nth in 1..=3 {
        let line = at + 1 + nth;
        if line + 1 < state {
            let volts = decimal(field(fields, line)).map(|v| v / 1000.0);
            draft.maybe(("analog_volts", nth as u16), volts);
        }
    }
    draft.maybe("battery_percent", whole(field(fields, state - 1)).filter(|v| *v <= 100));
    self::state(field(fields, state), draft);
    if word == "ERI" {
        sensors(fields, state, end, draft);
    }
    if word == "FRI" {
        draft.maybe("rpm", whole(field(fields, state + 1)));
        draft.maybe("fuel_percent", decimal(field(fields, state + 3)));
    }
}

/// Trackers of persons and goods: battery at the end.
fn of_a_person(word: &str, fields: &[&str], at: usize, end: usize, draft: &mut Draft) {
    if matches!(word, "CAN" | "OBD" | "INF" | "IGN" | "IGF" | "CTN" | "STR") {
        return;
    }
    let last = end.saturating_sub(1);
    if last < at.saturating_sub(1) {
        return;
    }
    // Where flags and a temperature follow it, it is the first number that is no flag.
    let first = || (at..end).find_map(|at| percent(field(fields, at)).filter(|v| *v > 1));
    draft.maybe("battery_percent", percent(field(fields, last)).or_else(first));
}

fn percent(text: &str) -> Option<i64> {
    whole(text).filter(|v| (0..=100).contains(v))
}

/// Six hex digits; the first two are a state of the document's table.
fn is_state(text: &str) -> bool {
    let known = ["11", "12", "16", "1A", "21", "22", "41", "42"];
    matches!(text.len(), 6 | 8 | 10)
        && hexadecimal(text).is_some()
        && known.iter().any(|k| text.starts_with(k))
}

fn state(text: &str, draft: &mut Draft) {
    match text.as_bytes().first() {
        Some(b'1') => draft.set("ignition", false),
        Some(b'2') => draft.set("ignition", true),
        _ => {}
    }
    let byte = |from: usize| text.get(from..from + 2).and_then(hexadecimal);
    if let Some(inputs) = byte(2) {
        draft.set("input_mask", inputs);
        draft.set(("input", 1), inputs & 2 != 0);
        draft.set(("input", 2), inputs & 4 != 0);
    }
    if let Some(outputs) = byte(4) {
        draft.set("output_mask", outputs);
        draft.set(("output", 1), outputs & 1 != 0);
        draft.set(("output", 2), outputs & 2 != 0);
    }
}

/// ERI: behind the state, what the mask before the place says is connected.
fn sensors(fields: &[&str], state: usize, end: usize, draft: &mut Draft) {
    let mask = hexadecimal(field(fields, 3)).unwrap_or(0);
    let mut at = state + 2;
    if mask & 1 != 0 {
        // Fuel: count, then number, type and value of each.
        let count = whole(field(fields, at)).unwrap_or(0).clamp(0, 8) as usize;
        for nth in 0..count {
            let value = at + 3 + nth * 3;
            let raw = hexadecimal(field(fields, value)).filter(|_| value < end);
            let key = if nth == 0 { 0 } else { nth as u16 + 1 };
            draft.maybe(("fuel_count", key), raw);
        }
        at += 1 + count * 3;
    }
    if mask & 2 != 0 {
        let count = whole(field(fields, at)).unwrap_or(0).clamp(0, 8) as usize;
        for nth in 0..count {
            let value = field(fields, at + 3 + nth * 3);
            let raw = hexadecimal(value).filter(|_| at + 3 + nth * 3 < end);
            let celsius = raw.map(|v| f64::from(v as i16) * 0.0625);
            draft.maybe(("temperature_celsius", nth as u16 + 1), celsius);
        }
        at += 1 + count * 3;
    }
    if mask & 0x100 != 0 {
        accessories(fields, at, end, draft);
    }
}

/// Bluetooth accessories: count, then number, type, model, raw, mask of each and its values.
fn accessories(fields: &[&str], from: usize, end: usize, draft: &mut Draft) {
    let count = whole(field(fields, from)).unwrap_or(0).clamp(0, 8) as u16;
    let mut at = from + 1;
    for nth in 1..=count {
        // Some have a field more in front of the mask.
        at += usize::from(field(fields, at + 4).is_empty());
        let mask = hexadecimal(field(fields, at + 4)).unwrap_or(0);
        at += 5;
        for bit in (0..16).filter(|bit| mask >> bit & 1 != 0) {
            if at < end {
                accessory(bit, nth, field(fields, at), draft);
            }
            at += 1;
        }
    }
}

fn accessory(bit: u32, nth: u16, text: &str, draft: &mut Draft) {
    match bit {
        0 => draft.set(("tag_name", nth), text),
        1 => draft.set(("tag_id", nth), text),
        3 => draft.maybe(("tag_battery_millivolts", nth), whole(text)),
        4 => draft.maybe(("tag_temperature_celsius", nth), decimal(text)),
        5 => draft.maybe(("tag_humidity_percent", nth), decimal(text)),
        13 => draft.maybe(("tag_battery_percent", nth), whole(text)),
        _ => {}
    }
}

/// INF: state before the card, signal behind it, then voltages.
fn information(fields: &[&str], draft: &mut Draft) {
    let card = |text: &str| (18..=20).contains(&text.len()) && text.starts_with("89");
    let Some(at) = (2..fields.len()).find(|at| card(field(fields, *at))) else { return };
    let state = field(fields, at - 1);
    match state.as_bytes() {
        [a @ (b'1' | b'2'), b] => {
            draft.set("ignition", *a == b'2');
            draft.set("motion", *b == b'2');
        }
        [b'4', b] => draft.set("motion", *b == b'2'),
        _ => {}
    }
    draft.set("iccid", field(fields, at));
    draft.maybe("rssi", whole(field(fields, at + 1)));
    // Behind the time of the last place: what a line is used for, three lines in mV, inputs, outputs.
    let time = (at + 3..fields.len()).find(|i| field(fields, *i).len() == 14);
    if let Some(time) = time
        && [time + 5, time + 6].iter().all(|at| field(fields, *at).len() == 2)
    {
        for nth in 1..=3 {
            let volts = decimal(field(fields, time + 1 + nth)).map(|v| v / 1000.0);
            draft.maybe(("analog_volts", nth as u16), volts);
        }
    }
    let battery = (at + 3..fields.len().min(at + 9)).find(|i| {
        let text = field(fields, *i);
        text.len() == 4 && decimal(text).is_some_and(|v| v < 10.0) && text.contains('.')
    });
    let Some(battery) = battery else { return };
    draft.maybe("battery_volts", decimal(field(fields, battery)));
    draft.set("charging", field(fields, battery + 1) == "1");
    let mut nth = 0;
    for i in at + 3..battery {
        let text = field(fields, i);
        if let Some(millivolts) = whole(text).filter(|v| *v >= 1000) {
            nth += 1;
            let number = if nth == 1 { 0 } else { nth };
            draft.set(("power_volts", number), millivolts as f64 / 1000.0);
        } else if text.contains('.') {
            draft.maybe("odometer_metres", decimal(text).map(|v| v * 1000.0));
        }
    }
}

/// The level that a fuel gauge sends in hex digits: `..COMB,<state>,<level>,..`.
fn gauge(digits: &str) -> Option<f64> {
    let pairs = digits.as_bytes().chunks_exact(2);
    let text: Option<String> =
        pairs.map(|p| hexadecimal(std::str::from_utf8(p).ok()?).map(|b| b as u8 as char)).collect();
    let text = text?;
    let (_, values) = text.split_once("COMB,")?;
    decimal(values.split(',').nth(1)?)
}

/// CAN: state, mask, then a value for each bit of the mask.
fn can(fields: &[&str], draft: &mut Draft) {
    let is_mask = |at: &usize| field(fields, *at).len() == 8;
    let Some(at) = (3..8).find(is_mask) else { return };
    let mask = hexadecimal(field(fields, at)).unwrap_or(0);
    let mut at = at + 1;
    for bit in (0..29).filter(|bit| mask >> bit & 1 != 0) {
        can_value(bit, field(fields, at), draft);
        at += 1;
    }
    // Bit 29: a second mask, and what it names.
    if mask >> 29 & 1 == 0 {
        return;
    }
    let mask = hexadecimal(field(fields, at)).unwrap_or(0);
    for bit in (0..32).filter(|bit| mask >> bit & 1 != 0) {
        at += 1;
        more_can(bit, field(fields, at), draft);
    }
}

fn more_can(bit: u32, text: &str, draft: &mut Draft) {
    let number = |mark: &str| text.strip_prefix(mark).and_then(decimal);
    match bit {
        0 => draft.maybe("adblue_percent", number("P")),
        1 => draft.maybe(("axle_weight_kilograms", 1), whole(text)),
        15 if !text.is_empty() => {
            draft.set("driver_id", text);
            draft.set(("driver_card", 1), text);
        }
        17 if !text.is_empty() => draft.set(("driver_name", 1), text),
        19 if !text.is_empty() => draft.set("registration", text),
        _ => {}
    }
}

fn can_value(bit: u32, text: &str, draft: &mut Draft) {
    let number = decimal(text);
    // `H` is in hundreds of metres, `P` in percent, `L` in litres.
    let after = |mark: &str| text.strip_prefix(mark).and_then(decimal);
    let hex = || hexadecimal(text);
    match bit {
        0 if !text.is_empty() => draft.set("vin", text),
        1 if !text.is_empty() => draft.set("ignition", text != "0"),
        2 => draft.maybe("obd_odometer_metres", after("H").map(|v| v * 100.0)),
        3 => draft.maybe("fuel_used_litres", number),
        4 => draft.maybe("rpm", number),
        5 => draft.maybe("obd_speed_mps", number.map(|v| v / 3.6)),
        6 => draft.maybe("coolant_celsius", number),
        7 => {
            draft.maybe("fuel_litres_per_hour", after("L/H"));
            draft.maybe("fuel_litres_per_100_km", after("L/100km"));
        }
        8 => {
            draft.maybe("fuel_percent", after("P"));
            draft.maybe("fuel_litres", after("L"));
        }
        9 => draft.maybe("range_metres", number.map(|v| v * 100.0)),
        10 => draft.maybe("throttle_percent", number),
        11 => draft.maybe("engine_on_seconds", number.map(|v| v * 3600.0)),
        12 => draft.maybe("driving_hours", number),
        13 => draft.maybe("idle_hours", number),
        14 => draft.maybe("idle_fuel_litres", number),
        15 => draft.maybe("axle_weight_kilograms", number),
        16 => draft.maybe("tachograph_state", hex()),
        17 => draft.maybe("indicators", hex()),
        18 => draft.maybe("lights", hex()),
        19 => draft.maybe("doors", hex()),
        20 => draft.maybe("overspeed_hours", number),
        21 => draft.maybe("engine_overspeed_hours", number),
        _ => {}
    }
}

/// OBD: a mask at the sixth field, then as the document lists.
fn diagnosis(fields: &[&str], draft: &mut Draft) {
    let number = |at: usize| decimal(field(fields, at));
    draft.maybe("rpm", number(10));
    draft.maybe("obd_speed_mps", number(11).map(|v| v / 3.6));
    draft.maybe("coolant_celsius", number(12));
    draft.maybe("cleared_metres", number(14).map(|v| v * 1000.0));
    draft.maybe("obd_connected", Some(field(fields, 7) == "1").filter(|on| *on));
    draft.maybe("fault_count", whole(field(fields, 17)));
    draft.maybe("throttle_percent", number(19));
}

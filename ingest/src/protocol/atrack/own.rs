//! Fields that a message names itself: each word's width, and what it says.

use crate::protocol::cursor::Cursor;
use crate::protocol::fields::hexadecimal;
use crate::protocol::wire::{Complaint, Draft};

/// Reads the binary field of a word; `false` where its width is not known.
pub(super) fn field(word: &str, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<bool, Complaint> {
    let width = match word {
        "SA" | "GQ" | "GS" | "RL" | "DT" | "EL" | "TR" | "FL" | "ML" | "PD" | "IA" | "MP"
        | "HA" | "HB" | "HC" | "IN0" | "IN1" | "IN2" | "IN3" | "MT" => 1,
        "MV" | "BV" | "LC" | "RP" | "MF" | "ET" | "SM" | "AV1" | "AV2" | "AV3" | "AV4" => 2,
        "CE" | "CN" | "PC" | "AT" | "FC" | "EO" | "EH" => 4,
        "CM" | "ME" => 8,
        "GV" => 12,
        "VN" | "NC" | "GL" | "MA" | "CD" | "GN" | "BC" => 0,
        _ if word.starts_with("ZO") || word.starts_with("ZL") => 2,
        _ => return Ok(false),
    };
    if width == 0 {
        let value = super::string(c)?;
        words(word, &value, draft);
        return Ok(true);
    }
    let bytes = c.take(width)?;
    if width <= 4 {
        let value = bytes.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b));
        number(word, value.into(), draft);
    }
    Ok(true)
}

/// A word's value that is a number.
pub(super) fn number(word: &str, value: i64, draft: &mut Draft) {
    let tenths = value as f64 / 10.0;
    match word {
        "SA" => {
            draft.set("satellites", value);
            if let Some(at) = &mut draft.at {
                at.valid = value > 0;
            }
        }
        "MV" => draft.set("power_volts", tenths),
        "BV" => draft.set("battery_volts", tenths),
        "GQ" => draft.set("rssi", value),
        "DT" => draft.set("archive", value == 1),
        "AT" => {
            if let Some(at) = &mut draft.at {
                at.altitude = Some(f64::from(value as i32));
            }
        }
        "RP" => draft.set("rpm", value),
        "EL" => draft.set("engine_load_percent", value),
        "TR" => draft.set("throttle_percent", value),
        "ET" => draft.set("coolant_celsius", value as i16),
        "IA" => draft.set("intake_celsius", value as i8),
        "FL" => draft.set("fuel_percent", value),
        "FC" => draft.set("fuel_used_litres", tenths),
        "EH" => draft.set("engine_on_seconds", value.saturating_mul(360)),
        "EO" => draft.set("obd_odometer_metres", value.saturating_mul(1000)),
        "IN0" => draft.set("ignition", value != 0),
        "MT" => draft.set("motion", value != 0),
        "AV1" | "AV2" | "AV3" | "AV4" => {
            let nth = u16::from(word.as_bytes()[2] - b'0');
            draft.set(("analog_volts", nth), value as f64 / 1000.0);
        }
        "CE" => draft.set(("cell_id", 1), value),
        "LC" => draft.set(("cell_area", 1), value),
        "CN" if value > 999 => {
            let code = value.to_string();
            let (country, network) = code.split_at(3);
            draft.maybe(("cell_country", 1), country.parse::<i64>().ok());
            draft.maybe(("cell_network", 1), network.parse::<i64>().ok());
        }
        _ => {}
    }
}

/// A word's value that is text.
pub(super) fn words(word: &str, value: &str, draft: &mut Draft) {
    match word {
        "VN" if !matches!(value, "" | "0") => draft.set("vin", value),
        "CD" if !value.is_empty() => draft.set("iccid", value),
        "BC" => tag(value, draft),
        _ => {}
    }
}

/// `<kind>:<signal>:<address 12><humidity 4><temperature 4>`.
fn tag(value: &str, draft: &mut Draft) {
    let Some(content) = value.split(':').nth(2) else { return };
    let Some((address, rest)) = content.split_at_checked(12) else { return };
    draft.set(("tag_id", 1), address.to_ascii_lowercase());
    let word = |from: usize| hexadecimal(rest.get(from..from + 4)?);
    draft.maybe(("tag_humidity_percent", 1), word(0));
    draft.maybe(("tag_temperature_celsius", 1), word(4).map(|v| f64::from(v as i16) / 100.0));
}

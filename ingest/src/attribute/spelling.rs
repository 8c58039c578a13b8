//! Where Traccar writes a key of ours otherwise in one protocol than the registry has it.
//!
//! Traccar has no unit for a key: each of its decoders writes down what stands on the wire, volts
//! here and millivolts there, a line as `true` here and as `1` there. We have one unit a key. Who
//! comes from there and asks for Traccar's keys wants the numbers that his scripts know; this
//! table has those of them that say the same thing in another way: under another name, in another
//! unit or just as it stands on the wire. Where Traccar takes a field for another or reads it at
//! the wrong place, no line stands here.

use super::Value;

/// A key of ours as Traccar writes it in one protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spelling {
    protocol: &'static str,
    name: &'static str,
    /// Traccar's name; the registry's where it is empty. With `#` for the key's number it is that of
    /// numbered keys, `%` where theirs count from 0; without, that of the key that has none.
    pub(super) theirs: &'static str,
    form: Form,
}

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// Nothing.
    Same,
    /// Multiplied.
    Times(f64),
    /// Cut to a whole number.
    Whole,
    /// Two halves of 32 bits, the digits of both side by side.
    Halves,
    /// Yes and no are 1 and 0.
    Number,
    /// Its digits.
    Text,
    /// Its digits with so many decimals, and what follows them.
    Decimals(usize, &'static str),
    /// Upper case hex digits, as many as this.
    Hex(usize),
    /// Decimal digits of so many parts of it, as many as the second.
    Digits(f64, usize),
}

/// A mile of Traccar's in ours.
const MILE: f64 = 1609.34 / 1609.344;

/// Sorted by protocol; `*` stands for all of them.
const SPELLINGS: &[Spelling] = &[
    named("*", "analog_raw", "adc#"),
    named("*", "fuel_count", "fuel"),
    formed("aplicom", "analog_volts", Form::Times(1000.0)),
    named("aplicom", "axle_kilograms", "axle%"),
    named("aplicom", "driver_card", "card#"),
    formed("aplicom", "driver_id", Form::Halves),
    named("aplicom", "fuel_percent", "fuel"),
    formed("aplicom", "pulses_per_metre", Form::Decimals(1, " pulses/m")),
    named("aplicom", "service_metres", "serviceOdometer"),
    named("atrack", "fuel_percent", "fuel"),
    both("atrack", "fuel_used_litres", "fuelConsumption", Form::Times(10.0)),
    formed("bce", "analog_volts", Form::Times(1000.0)),
    formed("bce", "engine_on_seconds", Form::Times(1.0 / 180_000.0)),
    named("bce", "fuel_percent", "fuel"),
    named("bce", "fuel_percent", "fuel#"),
    both("bce", "obd_odometer_metres", "odometer", Form::Times(0.2)),
    formed("calamp", "hdop", Form::Times(10.0)),
    named("castel", "battery_percent", "battery"),
    both("castel", "fuel_used_litres", "fuelConsumption", Form::Times(100.0)),
    named("eelink", "analog_volts", "adc%"),
    formed("egts", "hdop", Form::Times(100.0)),
    formed("fifotrack", "analog_volts", Form::Times(100.0)),
    formed("galileo", "analog_volts", Form::Times(1000.0)),
    both("galileo", "analog_volts", "adc0", Form::Times(1000.0)),
    named("galileo", "fuel_percent", "fuel"),
    both("gl200", "cleared_metres", "dtcsClearedDistance", Form::Times(0.001)),
    named("gl200", "driver_card", "driver#Card"),
    named("gl200", "driver_name", "driver#Name"),
    named("gl200", "fault_count", "dtcsNumber"),
    named("gl200", "fuel_percent", "fuel"),
    formed("gl200", "obd_odometer_metres", Form::Times(0.01)),
    named("gosafe", "temperature_celsius", "temp0"),
    formed("gps103", "engine_load_percent", Form::Decimals(2, "%")),
    named("gps103", "fuel_litres_per_100_km", "fuelConsumption"),
    named("gps103", "fuel_percent", "fuel#"),
    formed("gps103", "throttle_percent", Form::Decimals(2, "%")),
    named("gt06", "accessory_mac", "mac"),
    named("gt06", "driving_time", "drivingTime"),
    named("gt06", "oil_level", "oil"),
    named("gt06", "tag_battery_volts", "tag#Battery"),
    formed("h02", "battery_volts", Form::Times(100.0)),
    formed("huasheng", "engine_load_percent", Form::Times(0.01)),
    named("huasheng", "fuel_percent", "fuel"),
    named("huasheng", "intake_celsius", "airTemp"),
    named("huasheng", "intake_flow", "airFlow"),
    formed("huasheng", "throttle_percent", Form::Times(0.01)),
    formed("huasheng", "trip_metres", Form::Times(0.001)),
    named("jt600", "fuel_percent", "fuel"),
    named("jt808", "fuel_percent", "fuel"),
    named("jt808", "intake_kilopascals", "intakePressure"),
    named("jt808", "lock_battery_percent", "lock#Battery"),
    formed("laipac", "gps_on", Form::Number),
    formed("megastek", "analog_volts", Form::Decimals(2, "")),
    formed("meitrack", "analog_volts", Form::Times(100.0)),
    named("meitrack", "fuel_percent", "fuel"),
    formed("meitrack", "running_seconds", Form::Text),
    named("meitrack", "tag_battery_percent", "tagBattery"),
    named("meitrack", "tag_humidity_percent", "tagHumidity"),
    named("meitrack", "tag_name", "tagName"),
    named("meitrack", "tag_temperature_celsius", "tagTemp"),
    named("meitrack", "temperature_celsius", "temp0"),
    named("minifinder2", "modem", "gsmModule"),
    named("minifinder2", "timezone", "timeZone"),
    formed("navis", "analog_volts", Form::Times(1000.0)),
    both("pt502", "battery_percent", "battery", Form::Times(0.15)),
    formed("ruptela", "analog_volts", Form::Times(1000.0)),
    formed("ruptela", "input", Form::Number),
    formed("starlink", "engine_on_seconds", Form::Times(1.0 / 60_000.0)),
    formed("starlink", "input", Form::Number),
    formed("starlink", "output", Form::Number),
    named("startek", "fuel_percent", "fuel#"),
    formed("suntech", "alarm_modifier", Form::Text),
    named("suntech", "fuel_count", "fuel#"),
    named("suntech", "fuel_count", "fuel0"),
    named("suntech", "temperature_celsius", "temp0"),
    named("t800x", "tag_battery_volts", "tag#Battery"),
    named("tk103", "battery_amperes", "current"),
    both("tk103", "high_line", "hs#", Form::Number),
    both("tk103", "high_line", "hs0", Form::Number),
    formed("tk103", "input", Form::Number),
    formed("tk103", "output", Form::Number),
    formed("tk103", "panic", Form::Number),
    both("totem", "analog_raw", "adc#", Form::Digits(1.0, 4)),
    formed("totem", "temperature_celsius", Form::Digits(10.0, 4)),
    named("trv", "battery_percent", "battery"),
    formed("ulbotech", "cleared_metres", Form::Times(0.001)),
    both("ulbotech", "fuel_percent", "fuel", Form::Whole),
    named("ulbotech", "fuel_used_litres", "fuelConsumption"),
    named("upro", "humidity_percent", "humidity0"),
    formed("upro", "status", Form::Hex(10)),
    named("upro", "temperature_celsius", "temp0"),
    formed("watch", "pressure_high", Form::Text),
    formed("watch", "pressure_low", Form::Text),
    formed("wialon", "analog_volts", Form::Text),
    formed("wialon", "input_mask", Form::Text),
    formed("wialon", "output_mask", Form::Text),
    named("xexun", "battery_volts", "power"),
    formed("xirgo", "input", Form::Number),
    formed("xirgo", "odometer_metres", Form::Times(MILE)),
    formed("xirgo", "output", Form::Number),
];

const fn named(protocol: &'static str, name: &'static str, theirs: &'static str) -> Spelling {
    both(protocol, name, theirs, Form::Same)
}

const fn formed(protocol: &'static str, name: &'static str, form: Form) -> Spelling {
    both(protocol, name, "", form)
}

const fn both(
    protocol: &'static str,
    name: &'static str,
    theirs: &'static str,
    form: Form,
) -> Spelling {
    Spelling { protocol, name, theirs, form }
}

/// How Traccar writes a key of ours in a protocol, where that is not the registry's way.
pub(super) fn of(protocol: &str, name: &str, number: u16) -> Option<&'static Spelling> {
    let by = |wanted: &str| {
        let fits = |s: &&Spelling| {
            s.name == name
                && s.protocol == wanted
                && (s.theirs.is_empty() || s.theirs.contains(['#', '%']) == (number > 0))
        };
        SPELLINGS.iter().filter(fits).max_by_key(|s| s.theirs.len())
    };
    by(protocol).or_else(|| by("*"))
}

impl Spelling {
    /// The value, already in the registry's unit of Traccar.
    pub(super) fn form<'a>(&self, value: Value<'a>) -> Value<'a> {
        match (self.form, value) {
            (Form::Times(by), Value::Int(v)) => Value::Float(v as f64 * by),
            (Form::Times(by), Value::Float(v)) => Value::Float(v * by),
            (Form::Whole, Value::Float(v)) => Value::Int(v as i64),
            (Form::Halves, Value::Text(text)) => match text.parse::<u64>() {
                Ok(v) => Value::from(format!("{}{}", v >> 32, v & 0xffff_ffff)),
                Err(_) => Value::Text(text),
            },
            (Form::Number, Value::Bool(v)) => Value::Int(v.into()),
            (Form::Text, Value::Int(v)) => Value::from(v.to_string()),
            (Form::Text, Value::Float(v)) => Value::from(format!("{v:?}")),
            (Form::Decimals(decimals, unit), Value::Float(v)) => {
                Value::from(format!("{v:.decimals$}{unit}"))
            }
            (Form::Hex(digits), Value::Int(v)) => Value::from(format!("{v:0digits$X}")),
            (Form::Digits(parts, digits), Value::Float(v)) => {
                Value::from(format!("{:0digits$.0}", v * parts))
            }
            (Form::Digits(parts, digits), Value::Int(v)) => {
                Value::from(format!("{:0digits$.0}", v as f64 * parts))
            }
            (_, value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::known;

    #[test]
    fn it_is_sorted_and_speaks_of_what_there_is() {
        assert!(
            SPELLINGS.windows(2).all(|w| (w[0].protocol, w[0].name, w[0].theirs)
                < (w[1].protocol, w[1].name, w[1].theirs))
        );
        for spelling in SPELLINGS {
            let Spelling { protocol, name, .. } = spelling;
            assert!(known(name).is_some(), "{name}");
            assert!(*protocol == "*" || crate::protocol::by_name(protocol).is_some(), "{protocol}");
        }
    }
}

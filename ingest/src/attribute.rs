//! What comes along with a fix: one registry of keys, each with one unit for all protocols.

mod key;
mod list;
mod registry;
mod spelling;
mod traccar;
mod value;

pub use key::{Key, Name, is_identity, known};
pub use list::Attributes;
pub use registry::REGISTRY;
pub(crate) use traccar::text_value;
pub use traccar::{from_traccar, to_traccar, to_traccar_of};
pub use value::Value;

/// One entry of the registry.
#[derive(Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Our name, snake case, unit in the name where it has one: `battery_volts`.
    pub name: &'static str,
    /// The name Traccar's vectors use: `battery`. A `#` in it stands where the number of a
    /// numbered key goes; elsewhere the number follows.
    pub traccar: &'static str,
    /// What to multiply our value with to get Traccar's unit.
    pub traccar_factor: Factor,
    /// Whether it belongs to the identity of a record ([`crate::record::pid`]): event, alarm,
    /// the record's own number.
    pub identity: bool,
}

/// A ratio of units, exact in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor {
    /// Thousandths: 1000 is the same unit.
    pub thousandths: i64,
}

/// Longest text value, bytes; longer ones are cut at a character.
pub const TEXT_MAX: usize = 1024;
/// Most attributes of one report; further ones are dropped and counted by the caller.
pub const ATTRIBUTES_MAX: usize = 192;
/// Longest name of a sender's own key, bytes; longer ones are cut at a character.
pub const OTHER_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_sorted_and_names_each_thing_once() {
        assert!(REGISTRY.windows(2).all(|w| w[0].name < w[1].name));
        let mut theirs: Vec<&str> = REGISTRY.iter().map(|a| a.traccar).collect();
        theirs.sort_unstable();
        theirs.dedup();
        assert_eq!(theirs.len(), REGISTRY.len());
    }

    #[test]
    fn names_and_units_go_to_traccar_and_back() {
        for (key, value, theirs, there) in [
            (Key::from("power_volts"), Value::Float(12.6), "power", Value::Float(12.6)),
            (Key::from(("input", 2)), Value::Bool(true), "in2", Value::Bool(true)),
            (
                Key::from(("tag_mac", 3)),
                Value::Text("7c".into()),
                "tag3Mac",
                Value::Text("7c".into()),
            ),
            (Key::from("engine_on_seconds"), Value::Int(7), "hours", Value::Int(7000)),
            (Key::from("obd_speed_mps"), Value::Float(12.5), "obdSpeed", Value::Float(45.0)),
            (Key::Io(69), Value::Int(1), "io69", Value::Int(1)),
            (Key::Other("vacc".into()), Value::Float(0.5), "vacc", Value::Float(0.5)),
        ] {
            assert_eq!(to_traccar(&key, &value), (theirs.to_owned(), there.clone()));
            assert_eq!(from_traccar(theirs, there), Some((key, value)));
        }
    }
}

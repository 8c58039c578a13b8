//! What comes along with a fix: one registry of keys, each with one unit for all protocols.

use std::fmt;

mod registry;
mod spelling;
mod traccar;

pub use registry::REGISTRY;
pub(crate) use traccar::text_value;
pub use traccar::{from_traccar, to_traccar, to_traccar_of};

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

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// At most [`TEXT_MAX`] bytes.
    Text(String),
}

/// Longest text value, bytes; longer ones are cut at a character.
pub const TEXT_MAX: usize = 1024;
/// Most attributes of one report; further ones are dropped and counted by the caller.
pub const ATTRIBUTES_MAX: usize = 192;
/// Longest name of a sender's own key, bytes; longer ones are cut at a character.
pub const OTHER_MAX: usize = 64;

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}
impl From<i16> for Value {
    fn from(value: i16) -> Self {
        Self::Int(value.into())
    }
}
impl From<u64> for Value {
    /// Numbers beyond the signed range are its largest.
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}
impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}
impl From<u8> for Value {
    fn from(value: u8) -> Self {
        Self::Int(value.into())
    }
}
impl From<i8> for Value {
    fn from(value: i8) -> Self {
        Self::Int(value.into())
    }
}
impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}
impl From<&str> for Value {
    /// Cut to [`TEXT_MAX`], without NULs at its end, which pad fixed fields.
    fn from(value: &str) -> Self {
        text_value(value)
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        text_value(&value)
    }
}

/// Key of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// In the registry, possibly numbered from 1 (`temperature` 2); 0 where not numbered.
    Known(&'static str, u16),
    /// The vendor's own number, not named by us: `io<N>`.
    Io(u32),
    /// A name that the sender chose (phones' query keys), at most [`OTHER_MAX`] bytes.
    Other(String),
}

impl From<&'static str> for Key {
    /// A registered name without a number.
    fn from(name: &'static str) -> Self {
        Self::Known(name, 0)
    }
}
impl From<(&'static str, u16)> for Key {
    /// A registered name and its number, from 1.
    fn from((name, number): (&'static str, u16)) -> Self {
        Self::Known(name, number)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(name, 0) => f.write_str(name),
            Self::Known(name, n) => write!(f, "{name}{n}"),
            Self::Io(n) => write!(f, "io{n}"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

impl Key {
    /// A number that is seldom the same for two keys of one report.
    #[inline]
    fn mixed(&self) -> u32 {
        let mixed = |name: &str, number: u16| {
            let ends = match name.as_bytes() {
                [first, .., last] => u32::from(*first) << 16 | u32::from(*last) << 8,
                _ => 0,
            };
            let all = (ends | name.len() as u32).wrapping_add(u32::from(number) << 24);
            // Fibonacci hashing: 2^32 divided by the golden ratio.
            all.wrapping_mul(0x9e37_79b9) >> 24
        };
        match self {
            Self::Known(name, number) => mixed(name, *number),
            Self::Io(number) => *number,
            Self::Other(name) => mixed(name, 0),
        }
    }
}

/// A mark for each key that is there: a key without a mark needs no search.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Marks([u64; 2]);

impl Marks {
    #[inline]
    fn of(key: &Key) -> (usize, u64) {
        let mixed = key.mixed();
        ((mixed >> 6) as usize & 1, 1 << (mixed & 63))
    }
    /// Adds a key's; whether it was there already.
    #[inline]
    fn add(&mut self, key: &Key) -> bool {
        let (word, bit) = Self::of(key);
        let before = self.0[word];
        self.0[word] = before | bit;
        before & bit != 0
    }
    fn has(self, key: &Key) -> bool {
        let (word, bit) = Self::of(key);
        self.0[word] & bit != 0
    }
}

/// Keys and values in the order the device sent them, each key once (the last value wins).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes {
    list: Vec<(Key, Value)>,
    marks: Marks,
}

impl Attributes {
    /// Sets a value; beyond [`ATTRIBUTES_MAX`] keys it is dropped and `false` returned.
    #[expect(
        clippy::inline_always,
        reason = "keys and values are made in their place: half the time"
    )]
    #[inline(always)]
    pub fn set(&mut self, key: Key, value: Value) -> bool {
        if self.marks.add(&key) { self.search_and_set(key, value) } else { self.push(key, value) }
    }
    #[inline(never)]
    fn search_and_set(&mut self, key: Key, value: Value) -> bool {
        if let Some(slot) = self.list.iter_mut().find(|(k, _)| *k == key) {
            slot.1 = value;
            return true;
        }
        self.push(key, value)
    }
    #[inline]
    fn push(&mut self, key: Key, value: Value) -> bool {
        let room = self.list.len() < ATTRIBUTES_MAX;
        if room {
            self.list.push((key, value));
        }
        room
    }
    /// The value of a key.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        if !self.marks.has(key) {
            return None;
        }
        self.list.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }
    /// All, in the order they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.list.iter().map(|(k, v)| (k, v))
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
    /// Removes all, keeping the memory.
    pub fn clear(&mut self) {
        self.list.clear();
        self.marks = Marks::default();
    }
}

/// The registry's own spelling of a name, where it has one.
pub fn known(name: &str) -> Option<&'static str> {
    entry(name).map(|a| a.name)
}

/// The registry's entry of a name.
pub fn entry(name: &str) -> Option<&'static Attribute> {
    REGISTRY.binary_search_by(|a| a.name.cmp(name)).ok().map(|i| &REGISTRY[i])
}

/// How many keys belong to the identity of a record.
const IDENTITIES: usize = {
    let (mut count, mut at) = (0, 0);
    while at < REGISTRY.len() {
        count += REGISTRY[at].identity as usize;
        at += 1;
    }
    count
};

/// Their names: few, so that most keys are told by their length.
const IDENTITY: [&str; IDENTITIES] = {
    let (mut names, mut count, mut at) = ([""; IDENTITIES], 0, 0);
    while at < REGISTRY.len() {
        if REGISTRY[at].identity {
            names[count] = REGISTRY[at].name;
            count += 1;
        }
        at += 1;
    }
    names
};

/// Whether a key belongs to the identity of a record.
pub fn is_identity(key: &Key) -> bool {
    matches!(key, Key::Known(name, _) if IDENTITY.contains(name))
}

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
            (Key::Known("power_volts", 0), Value::Float(12.6), "power", Value::Float(12.6)),
            (Key::Known("input", 2), Value::Bool(true), "in2", Value::Bool(true)),
            (
                Key::Known("tag_mac", 3),
                Value::Text("7c".into()),
                "tag3Mac",
                Value::Text("7c".into()),
            ),
            (Key::Known("engine_on_seconds", 0), Value::Int(7), "hours", Value::Int(7000)),
            (Key::Known("obd_speed_mps", 0), Value::Float(12.5), "obdSpeed", Value::Float(45.0)),
            (Key::Io(69), Value::Int(1), "io69", Value::Int(1)),
            (Key::Other("vacc".into()), Value::Float(0.5), "vacc", Value::Float(0.5)),
        ] {
            assert_eq!(to_traccar(&key, &value), (theirs.to_owned(), there.clone()));
            assert_eq!(from_traccar(theirs, there), Some((key, value)));
        }
    }
}

//! The attributes of a report, small enough to be written for every message: 24 bytes each, and one
//! piece of memory for all of their texts.

use std::borrow::Cow;
use std::fmt;

use super::traccar::cut;
use super::{ATTRIBUTES_MAX, Key, Name, OTHER_MAX, TEXT_MAX, Value};

/// Bytes of texts that can be there at the same time; what is written over is given up sooner.
const TEXTS_MAX: usize = ATTRIBUTES_MAX * (TEXT_MAX + OTHER_MAX);
/// Memory for texts that a list without attributes keeps, bytes.
const TEXTS_KEPT_MAX: usize = 4096;

/// A key in eight bytes: the kind, and the line and number of a registered one, the number of the
/// vendor's, or length and place of a sender's name among the list's texts.
///
/// Keys and values are numbers and no enums, so that they are made in registers: an enum that is
/// written in pieces and copied as a whole waits for its pieces, which took half of the time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct StoredKey(u64);

impl StoredKey {
    const IO: u64 = 1;
    const OTHER: u64 = 2;

    #[inline]
    fn known(name: Name, number: u16) -> Self {
        Self(u64::from(number) << 16 | u64::from(name.line()))
    }
    #[inline]
    fn io(number: u32) -> Self {
        Self(Self::IO << 48 | u64::from(number))
    }
    fn other(length: u16, at: u32) -> Self {
        Self(Self::OTHER << 48 | u64::from(length) << 32 | u64::from(at))
    }
    #[inline]
    fn kind(self) -> u64 {
        self.0 >> 48
    }
    /// Where a sender's name stands, and its length.
    fn place(self) -> (u32, usize) {
        (self.0 as u32, usize::from((self.0 >> 32) as u16))
    }
    /// A number that is seldom the same for two keys of one report.
    #[inline]
    fn mark(self) -> u64 {
        if self.kind() == Self::OTHER { self.place().1 as u64 } else { self.0 ^ self.0 >> 13 }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Bool,
    Int,
    Float,
    Text,
}

/// A value in sixteen bytes: its kind and its bits; of a text, place and length among the list's.
#[derive(Debug, Clone, Copy)]
struct StoredValue(Kind, u64);

impl StoredValue {
    #[inline]
    fn bool(value: bool) -> Self {
        Self(Kind::Bool, value.into())
    }
    #[inline]
    fn int(value: i64) -> Self {
        Self(Kind::Int, value as u64)
    }
    #[inline]
    fn float(value: f64) -> Self {
        Self(Kind::Float, value.to_bits())
    }
    fn text(at: usize, length: usize) -> Self {
        Self(Kind::Text, (at as u64) << 32 | length as u64)
    }
    /// Where a text stands, and its length.
    fn place(self) -> (u32, usize) {
        ((self.1 >> 32) as u32, self.1 as u32 as usize)
    }
}

/// A mark for each key that is there: a key without a mark needs no search.
#[derive(Debug, Clone, Copy, Default)]
struct Marks([u64; 4]);

impl Marks {
    #[inline]
    fn of(key: StoredKey) -> (usize, u64) {
        let mark = key.mark();
        ((mark >> 6) as usize % 4, 1 << (mark % 64))
    }
    /// Adds a key's; whether it was there already.
    #[inline]
    fn add(&mut self, key: StoredKey) -> bool {
        let (word, bit) = Self::of(key);
        let before = self.0[word];
        self.0[word] = before | bit;
        before & bit != 0
    }
    fn has(self, key: StoredKey) -> bool {
        let (word, bit) = Self::of(key);
        self.0[word] & bit != 0
    }
}

/// Keys and values in the order the device sent them, each key once (the last value wins).
#[derive(Clone, Default)]
pub struct Attributes {
    list: Vec<(StoredKey, StoredValue)>,
    marks: Marks,
    texts: String,
}

impl Attributes {
    /// Sets a value; beyond [`ATTRIBUTES_MAX`] keys it is dropped and `false` returned.
    #[expect(clippy::inline_always, reason = "kinds of key and value are known where it is called")]
    #[inline(always)]
    pub fn set(&mut self, key: Key<'_>, value: Value<'_>) -> bool {
        let key = match key {
            Key::Known(name, number) => StoredKey::known(name, number),
            Key::Io(number) => StoredKey::io(number),
            Key::Other(name) => return self.set_other(&name, value),
        };
        match value {
            Value::Bool(v) => self.put(key, StoredValue::bool(v)),
            Value::Int(v) => self.put(key, StoredValue::int(v)),
            Value::Float(v) => self.put(key, StoredValue::float(v)),
            Value::Text(v) => self.put_text(key, &v),
        }
    }

    #[inline]
    fn put(&mut self, key: StoredKey, value: StoredValue) -> bool {
        if self.marks.add(key) {
            return self.search_and_put(key, value);
        }
        self.push(key, value)
    }

    #[inline(never)]
    fn search_and_put(&mut self, key: StoredKey, value: StoredValue) -> bool {
        match self.list.iter_mut().find(|(k, _)| *k == key) {
            Some((_, before)) => {
                *before = value;
                true
            }
            None => self.push(key, value),
        }
    }

    #[inline]
    fn push(&mut self, key: StoredKey, value: StoredValue) -> bool {
        let room = self.list.len() < ATTRIBUTES_MAX;
        if room {
            self.list.push((key, value));
        }
        room
    }

    #[inline(never)]
    fn put_text(&mut self, key: StoredKey, text: &str) -> bool {
        let found = if self.marks.add(key) { self.find(key) } else { None };
        match found {
            Some(nth) => {
                let value = self.instead_of(nth, text);
                self.list[nth].1 = value;
                true
            }
            None if self.list.len() < ATTRIBUTES_MAX => {
                let value = self.stored(text);
                self.push(key, value)
            }
            None => false,
        }
    }

    fn set_other(&mut self, name: &str, value: Value<'_>) -> bool {
        let name = cut(name, OTHER_MAX);
        let nth = match self.find_other(name) {
            Some(nth) => nth,
            None if self.list.len() < ATTRIBUTES_MAX => {
                let key = StoredKey::other(name.len() as u16, self.texts.len() as u32);
                self.texts.push_str(name);
                self.marks.add(key);
                self.list.push((key, StoredValue::bool(false)));
                self.list.len() - 1
            }
            None => return false,
        };
        self.list[nth].1 = match value {
            Value::Bool(v) => StoredValue::bool(v),
            Value::Int(v) => StoredValue::int(v),
            Value::Float(v) => StoredValue::float(v),
            Value::Text(v) => self.instead_of(nth, &v),
        };
        true
    }

    /// A text as it is stored, behind all others.
    fn stored(&mut self, text: &str) -> StoredValue {
        let at = self.texts.len();
        self.texts.push_str(text);
        StoredValue::text(at, text.len())
    }

    /// A text as it is stored in place of the `nth` value, whose own is given up where it comes last
    /// or where the texts have become too many.
    fn instead_of(&mut self, nth: usize, text: &str) -> StoredValue {
        let before = self.list[nth].1;
        if let Kind::Text = before.0 {
            let (at, length) = before.place();
            if at as usize + length == self.texts.len() {
                self.texts.truncate(at as usize);
            } else if self.texts.len() > TEXTS_MAX {
                self.list[nth].1 = StoredValue::bool(false);
                *self = self.iter().fold(Self::default(), |mut all, (key, value)| {
                    all.set(key, value);
                    all
                });
            }
        }
        self.stored(text)
    }

    fn text(&self, (at, length): (u32, usize)) -> &str {
        self.texts.get(at as usize..at as usize + length).unwrap_or_default()
    }

    fn find(&self, key: StoredKey) -> Option<usize> {
        self.list.iter().position(|(k, _)| *k == key)
    }

    fn find_other(&self, name: &str) -> Option<usize> {
        if !self.marks.has(StoredKey::other(name.len() as u16, 0)) {
            return None;
        }
        let same =
            |key: StoredKey| key.kind() == StoredKey::OTHER && self.text(key.place()) == name;
        self.list.iter().position(|(key, _)| same(*key))
    }

    /// The value of a key.
    pub fn get(&self, key: &Key<'_>) -> Option<Value<'_>> {
        let stored = match key {
            Key::Known(name, number) => StoredKey::known(*name, *number),
            Key::Io(number) => StoredKey::io(*number),
            Key::Other(name) => return self.find_other(name).map(|nth| self.value(nth)),
        };
        if !self.marks.has(stored) {
            return None;
        }
        self.find(stored).map(|nth| self.value(nth))
    }

    fn value(&self, nth: usize) -> Value<'_> {
        let value @ StoredValue(kind, bits) = self.list[nth].1;
        match kind {
            Kind::Bool => Value::Bool(bits != 0),
            Kind::Int => Value::Int(bits as i64),
            Kind::Float => Value::Float(f64::from_bits(bits)),
            Kind::Text => Value::Text(Cow::Borrowed(self.text(value.place()))),
        }
    }

    fn key(&self, nth: usize) -> Key<'_> {
        let key = self.list[nth].0;
        match key.kind() {
            StoredKey::OTHER => Key::Other(Cow::Borrowed(self.text(key.place()))),
            StoredKey::IO => Key::Io(key.0 as u32),
            _ => Key::Known(Name::at(key.0 as u16), (key.0 >> 16) as u16),
        }
    }

    /// All, in the order they were set.
    pub fn iter(&self) -> impl Iterator<Item = (Key<'_>, Value<'_>)> {
        (0..self.list.len()).map(|nth| (self.key(nth), self.value(nth)))
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
    /// Removes all, keeping the memory; of texts a little of it.
    #[inline]
    pub fn clear(&mut self) {
        self.list.clear();
        self.marks = Marks::default();
        self.texts.clear();
        if self.texts.capacity() > TEXTS_KEPT_MAX {
            self.texts = String::new();
        }
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_small() {
        assert_eq!(size_of::<(StoredKey, StoredValue)>(), 24);
    }

    #[test]
    fn the_last_value_of_a_key_wins_and_takes_its_place() {
        let mut attributes = Attributes::default();
        for (key, value) in [
            (Key::from("alarm"), Value::from("sos")),
            (Key::Other("note".into()), Value::from("first")),
            (Key::Io(7), Value::from(1)),
            (Key::Other("nota".into()), Value::from(2)),
            (Key::from("alarm"), Value::from("sos,tow")),
            (Key::Other("note".into()), Value::from(true)),
            (Key::from(("input", 2)), Value::from("x")),
            (Key::from(("input", 2)), Value::from("longer")),
            (Key::Io(7), Value::from("seven")),
        ] {
            assert!(attributes.set(key, value));
        }
        let shown = format!("{attributes:?}");
        let all = r#"{Known(alarm, 0): Text("sos,tow"), Other("note"): Bool(true), Io(7): Text("seven"), Other("nota"): Int(2), Known(input, 2): Text("longer")}"#;
        assert_eq!(shown, all);
        assert_eq!(attributes.get(&Key::Other("note".into())), Some(Value::Bool(true)));
        assert_eq!(attributes.get(&Key::Other("none".into())), None);
        assert_eq!(attributes.get(&Key::from(("input", 2))), Some(Value::from("longer")));
    }

    #[test]
    fn texts_that_are_written_over_are_given_up() {
        let mut attributes = Attributes::default();
        let long = "x".repeat(TEXT_MAX);
        for n in 0..2000_u16 {
            attributes.set(Key::from(("driver_name", n % 3)), Value::from(&*long));
            attributes.set(Key::from("alarm"), Value::from(i64::from(n)));
        }
        assert!(attributes.texts.len() <= TEXTS_MAX + TEXT_MAX);
        assert_eq!(attributes.len(), 4);
        assert_eq!(attributes.get(&Key::from(("driver_name", 2))), Some(Value::from(&*long)));
        attributes.clear();
        assert!(attributes.texts.capacity() <= TEXTS_KEPT_MAX);
    }
}

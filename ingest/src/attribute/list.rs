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

/// A key in eight bytes; a sender's name is a part of the list's texts.
#[derive(Debug, Clone, Copy, PartialEq)]
enum StoredKey {
    Known(Name, u16),
    Io(u32),
    Other { length: u16, at: u32 },
}

/// A value in sixteen bytes; a text is a part of the list's.
#[derive(Debug, Clone, Copy)]
enum StoredValue {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text { at: u32, length: u32 },
}

/// A mark for each key that is there: a key without a mark needs no search.
#[derive(Debug, Clone, Copy, Default)]
struct Marks([u64; 4]);

impl Marks {
    /// A number that is seldom the same for two keys of one report.
    #[inline]
    fn number(key: StoredKey) -> u32 {
        match key {
            StoredKey::Known(name, number) => {
                u32::from(name.line()).wrapping_add(u32::from(number) * 89)
            }
            StoredKey::Io(number) => number,
            StoredKey::Other { length, .. } => length.into(),
        }
    }
    #[inline]
    fn of(key: StoredKey) -> (usize, u64) {
        let number = Self::number(key);
        ((number >> 6) as usize % 4, 1 << (number % 64))
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
            Key::Known(name, number) => StoredKey::Known(name, number),
            Key::Io(number) => StoredKey::Io(number),
            Key::Other(name) => return self.set_other(&name, value),
        };
        match value {
            Value::Bool(v) => self.put(key, StoredValue::Bool(v)),
            Value::Int(v) => self.put(key, StoredValue::Int(v)),
            Value::Float(v) => self.put(key, StoredValue::Float(v)),
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
                let (at, length) = (self.texts.len() as u32, name.len() as u16);
                self.texts.push_str(name);
                let key = StoredKey::Other { length, at };
                self.marks.add(key);
                self.list.push((key, StoredValue::Bool(false)));
                self.list.len() - 1
            }
            None => return false,
        };
        self.list[nth].1 = match value {
            Value::Bool(v) => StoredValue::Bool(v),
            Value::Int(v) => StoredValue::Int(v),
            Value::Float(v) => StoredValue::Float(v),
            Value::Text(v) => self.instead_of(nth, &v),
        };
        true
    }

    /// A text as it is stored, behind all others.
    fn stored(&mut self, text: &str) -> StoredValue {
        let (at, length) = (self.texts.len() as u32, text.len() as u32);
        self.texts.push_str(text);
        StoredValue::Text { at, length }
    }

    /// A text as it is stored in place of the `nth` value, whose own is given up where it comes last
    /// or where the texts have become too many.
    fn instead_of(&mut self, nth: usize, text: &str) -> StoredValue {
        if let StoredValue::Text { at, length } = self.list[nth].1 {
            if (at + length) as usize == self.texts.len() {
                self.texts.truncate(at as usize);
            } else if self.texts.len() > TEXTS_MAX {
                self.list[nth].1 = StoredValue::Bool(false);
                *self = self.iter().fold(Self::default(), |mut all, (key, value)| {
                    all.set(key, value);
                    all
                });
            }
        }
        self.stored(text)
    }

    fn text(&self, at: u32, length: usize) -> &str {
        self.texts.get(at as usize..at as usize + length).unwrap_or_default()
    }

    fn find(&self, key: StoredKey) -> Option<usize> {
        self.list.iter().position(|(k, _)| *k == key)
    }

    fn find_other(&self, name: &str) -> Option<usize> {
        let wanted = name.len() as u16;
        if !self.marks.has(StoredKey::Other { length: wanted, at: 0 }) {
            return None;
        }
        self.list.iter().position(|(key, _)| match *key {
            StoredKey::Other { length, at } if length == wanted => {
                self.text(at, length.into()) == name
            }
            _ => false,
        })
    }

    /// The value of a key.
    pub fn get(&self, key: &Key<'_>) -> Option<Value<'_>> {
        let stored = match key {
            Key::Known(name, number) => StoredKey::Known(*name, *number),
            Key::Io(number) => StoredKey::Io(*number),
            Key::Other(name) => return self.find_other(name).map(|nth| self.value(nth)),
        };
        if !self.marks.has(stored) {
            return None;
        }
        self.find(stored).map(|nth| self.value(nth))
    }

    fn value(&self, nth: usize) -> Value<'_> {
        match self.list[nth].1 {
            StoredValue::Bool(v) => Value::Bool(v),
            StoredValue::Int(v) => Value::Int(v),
            StoredValue::Float(v) => Value::Float(v),
            StoredValue::Text { at, length } => {
                Value::Text(Cow::Borrowed(self.text(at, length as usize)))
            }
        }
    }

    fn key(&self, nth: usize) -> Key<'_> {
        match self.list[nth].0 {
            StoredKey::Known(name, number) => Key::Known(name, number),
            StoredKey::Io(number) => Key::Io(number),
            StoredKey::Other { length, at } => {
                Key::Other(Cow::Borrowed(self.text(at, length.into())))
            }
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

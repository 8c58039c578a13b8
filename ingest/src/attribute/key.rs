//! Keys of attributes, and names as lines of the registry.

use std::borrow::Cow;
use std::fmt;

use super::{Attribute, REGISTRY};

/// A registered name: its line in the registry. Sorted as the names are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(u16);

/// A power of two; so few are taken that most names are found where they are looked for first.
const SLOTS: usize = 2048;

/// Where the lines of the registry are looked for by a text of theirs: 1 + the line; 0: none.
type Index = [u16; SLOTS];

/// By our names.
static OURS: Index = index(false);
/// By Traccar's.
static THEIRS: Index = index(true);

const fn index(theirs: bool) -> Index {
    let mut lines = [0; SLOTS];
    let mut line = 0;
    while line < REGISTRY.len() {
        let entry = &REGISTRY[line];
        let mut slot = slot(if theirs { entry.traccar } else { entry.name });
        while lines[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        line += 1;
        lines[slot] = line as u16;
    }
    lines
}

#[inline]
const fn word(bytes: &[u8], at: usize) -> u64 {
    match bytes.split_at(at).1.first_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => 0,
    }
}

/// Where a name is looked for first: made of its beginning, middle and end. Without a loop, so that
/// a compiler that sees the name sees the line.
#[inline]
const fn slot(name: &str) -> usize {
    /// The golden ratio, and two primes of xxHash.
    const BY: [u64; 3] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9];
    let bytes = name.as_bytes();
    let mixed = match bytes.len() {
        0 => 0,
        n @ 1..8 => bytes[0] as u64 | (bytes[n / 2] as u64) << 8 | (bytes[n - 1] as u64) << 16,
        n => {
            word(bytes, 0).wrapping_mul(BY[0])
                ^ word(bytes, (n - 8) / 2).wrapping_mul(BY[1])
                ^ word(bytes, n - 8).wrapping_mul(BY[2])
        }
    };
    let mixed = (mixed ^ (mixed >> 32)).wrapping_add(bytes.len() as u64).wrapping_mul(BY[0]);
    (mixed >> 53) as usize % SLOTS
}

impl Name {
    /// The line of a name; `None`: it is not registered. Costs nothing where the text is a constant.
    #[expect(clippy::inline_always, reason = "what is seen of the text is worked out beforehand")]
    #[inline(always)]
    pub fn of(name: &str) -> Option<Self> {
        let mut slot = slot(name);
        loop {
            let line = OURS[slot].checked_sub(1)?;
            if REGISTRY[usize::from(line)].name == name {
                return Some(Self(line));
            }
            slot = (slot + 1) % SLOTS;
        }
    }
    /// The line of a name in a table that is a constant; the build fails where it is not registered.
    pub(crate) const fn constant(name: &str) -> Self {
        let mut slot = slot(name);
        loop {
            assert!(OURS[slot] != 0, "the name is registered");
            let line = OURS[slot] - 1;
            if same(REGISTRY[line as usize].name.as_bytes(), name.as_bytes()) {
                return Self(line);
            }
            slot = (slot + 1) % SLOTS;
        }
    }
    /// The line with a name of Traccar's, as the registry spells it.
    pub(super) fn of_traccar(theirs: &str) -> Option<Self> {
        let mut slot = slot(theirs);
        loop {
            let line = THEIRS[slot].checked_sub(1)?;
            if REGISTRY[usize::from(line)].traccar == theirs {
                return Some(Self(line));
            }
            slot = (slot + 1) % SLOTS;
        }
    }
    /// The name of a line, as [`Name::line`] gave it.
    pub(super) fn at(line: u16) -> Self {
        debug_assert!(usize::from(line) < REGISTRY.len(), "line {line} is in the registry");
        Self(line)
    }
    /// Its number.
    #[inline]
    pub(super) fn line(self) -> u16 {
        self.0
    }
    /// The name's entry.
    #[inline]
    pub fn entry(self) -> &'static Attribute {
        &REGISTRY[usize::from(self.0)]
    }
    /// Whether Traccar's name has its number inside.
    pub(super) fn is_numbered(self) -> bool {
        self.entry().traccar.contains('#')
    }
    /// The name.
    #[inline]
    pub fn as_str(self) -> &'static str {
        self.entry().name
    }
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Key of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key<'a> {
    /// In the registry, possibly numbered from 1 (`temperature` 2); 0 where not numbered.
    Known(Name, u16),
    /// The vendor's own number, not named by us: `io<N>`.
    Io(u32),
    /// A name that the sender chose (phones' query keys), at most [`super::OTHER_MAX`] bytes.
    Other(Cow<'a, str>),
}

impl From<&'static str> for Key<'_> {
    /// A registered name without a number.
    #[inline]
    fn from(name: &'static str) -> Self {
        Self::from((name, 0))
    }
}
impl From<(&'static str, u16)> for Key<'_> {
    /// A registered name and its number, from 1. A name that is not registered is the sender's.
    #[expect(clippy::inline_always, reason = "a constant text becomes the number of its line")]
    #[inline(always)]
    fn from((name, number): (&'static str, u16)) -> Self {
        let line = Name::of(name);
        debug_assert!(line.is_some(), "`{name}` is registered");
        match line {
            Some(name) => Self::Known(name, number),
            None if number == 0 => Self::Other(Cow::Borrowed(name)),
            None => Self::Other(Cow::Owned(format!("{name}{number}"))),
        }
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(name, 0) => f.write_str(name.as_str()),
            Self::Known(name, n) => write!(f, "{}{n}", name.as_str()),
            Self::Io(n) => write!(f, "io{n}"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// The registry's own spelling of a name, where it has one.
pub fn known(name: &str) -> Option<&'static str> {
    Name::of(name).map(Name::as_str)
}

/// Whether a key belongs to the identity of a record.
pub fn is_identity(key: &Key<'_>) -> bool {
    matches!(key, Key::Known(name, _) if name.entry().identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_by_its_text() {
        for (line, entry) in REGISTRY.iter().enumerate() {
            assert_eq!(Name::of(entry.name), Some(Name(line as u16)));
            assert_eq!(Name::constant(entry.name), Name(line as u16));
            assert_eq!(Name::of_traccar(entry.traccar), Some(Name(line as u16)));
        }
        assert_eq!([Name::of(""), Name::of("x"), Name::of("power_volt")], [None; 3]);
    }
}

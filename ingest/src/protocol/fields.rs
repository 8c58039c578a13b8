//! Reads a text frame field by field.

use super::BadFrame;
use super::wire::Complaint;

/// The fields of a text between separators; behind the last one they are empty.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: Option<&'a str>,
    /// ASCII.
    separator: u8,
}

impl<'a> Fields<'a> {
    pub(super) fn new(text: &'a str, separator: char) -> Self {
        debug_assert!(separator.is_ascii(), "`{separator}` is one byte");
        Self { rest: Some(text), separator: separator as u8 }
    }
    /// The next field as it stands; `None` behind the last one.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let Some(at) = rest.bytes().position(|b| b == self.separator) else {
            return self.rest.take();
        };
        self.rest = rest.get(at + 1..);
        rest.get(..at)
    }
    /// The next field without spaces around it.
    pub(super) fn text(&mut self) -> &'a str {
        trimmed(self.next().unwrap_or(""))
    }
    pub(super) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.next();
        }
    }
    /// What has not been read, in one piece.
    pub(super) fn rest(&self) -> &'a str {
        self.rest.unwrap_or("")
    }
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_none()
    }
    /// How many are left.
    pub(super) fn count(&self) -> usize {
        let separators = |rest: &str| rest.bytes().filter(|b| *b == self.separator).count();
        self.rest.map_or(0, |rest| separators(rest) + 1)
    }
    /// The next field as a number; absent where it is none.
    pub(super) fn decimal(&mut self) -> Option<f64> {
        decimal(self.text())
    }
    /// The next field as a whole number; absent where it is none.
    pub(super) fn whole(&mut self) -> Option<i64> {
        self.text().parse().ok()
    }
    pub(super) fn hex(&mut self) -> Option<i64> {
        hexadecimal(self.text())
    }
}

/// Fields that most messages have at most.
const FEW: usize = 48;

/// Hands on all fields at once, `MAX` at most; `form` is done to each.
pub(super) fn with_fields<'a, const MAX: usize, T>(
    text: &'a str,
    separator: char,
    form: impl Fn(&'a str) -> &'a str,
    take: impl FnOnce(&[&'a str]) -> T,
) -> T {
    let mut all = Fields::new(text, separator);
    let few = all.count() <= FEW;
    let mut fill = |room: &mut [&'a str]| {
        let mut count = 0;
        for (slot, field) in room.iter_mut().zip(std::iter::from_fn(|| all.next())) {
            *slot = form(field);
            count += 1;
        }
        count
    };
    // Most of the room is never looked at, so it is not cleared either.
    if few {
        let mut room = [""; FEW];
        let count = fill(&mut room);
        return take(&room[..count]);
    }
    let mut room = [""; MAX];
    let count = fill(&mut room);
    take(&room[..count])
}

/// Without white space around it. Most texts have none, which their ends show.
pub(super) fn trimmed(text: &str) -> &str {
    let bytes = text.as_bytes();
    let plain = |end: Option<&u8>| end.is_none_or(u8::is_ascii_graphic);
    if plain(bytes.first()) && plain(bytes.last()) { text } else { text.trim() }
}

/// Hex digits as a number.
pub(super) fn hexadecimal(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|b| b.is_ascii_hexdigit());
    i64::from_str_radix(text, 16).ok().filter(|_| plain)
}

/// A frame as text.
pub(super) fn text(frame: &[u8]) -> Result<&str, Complaint> {
    std::str::from_utf8(frame)
        .map_err(|e| Complaint::new(BadFrame::Malformed, e.valid_up_to(), "frame is no text"))
}

/// The part of a text from one byte to another, cut to what is there.
pub(super) fn part(text: &str, from: usize, to: usize) -> &str {
    text.get(from.min(text.len())..to.min(text.len())).unwrap_or("")
}

/// Reads on to the first byte that is no digit: the number with those digits behind it (wrong for
/// more than 18), and how many they are.
#[inline]
fn digits(text: &[u8], before: u64) -> (u64, usize) {
    let (mut number, mut length) = (before, 0);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(digit.into());
        length += 1;
    }
    (number, length)
}

/// A plain decimal of at most 18 digits; the nearest double.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let (text, sign) = match text.as_bytes() {
        [b'-', rest @ ..] => (rest, -1.0),
        [b'+', rest @ ..] | rest => (rest, 1.0),
    };
    let (whole, length) = digits(text, 0);
    let (mantissa, scale) = match &text[length..] {
        [] => (whole, 0),
        [b'.', rest @ ..] => match digits(rest, whole) {
            (all, scale) if scale == rest.len() => (all, scale),
            _ => return None,
        },
        _ => return None,
    };
    match length + scale {
        1..=18 if scale == 0 => Some(sign * mantissa as f64),
        1..=18 => Some(sign * mantissa as f64 / TENS[scale]),
        _ => None,
    }
}

const TENS: [f64; 19] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18,
];

//! Reads a text frame field by field.

use super::BadFrame;
use super::wire::Complaint;

/// The fields of a text between separators; behind the last one they are empty.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: Option<&'a str>,
    separator: char,
}

impl<'a> Fields<'a> {
    pub(super) fn new(text: &'a str, separator: char) -> Self {
        Self { rest: Some(text), separator }
    }
    /// The next field as it stands; `None` behind the last one.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let (field, rest) = match rest.split_once(self.separator) {
            Some((field, rest)) => (field, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(field)
    }
    /// The next field without spaces around it.
    pub(super) fn text(&mut self) -> &'a str {
        self.next().unwrap_or("").trim()
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
        self.rest.map_or(0, |rest| rest.split(self.separator).count())
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

/// A plain decimal of at most 18 digits; the nearest double.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let (text, sign) = match text.as_bytes() {
        [b'-', rest @ ..] => (rest, -1.0),
        [b'+', rest @ ..] | rest => (rest, 1.0),
    };
    let (mut digits, mut mantissa, mut scale) = (0, 0_u64, None);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                scale = scale.map(|s| s + 1);
            }
            b'.' if scale.is_none() => scale = Some(0),
            _ => return None,
        }
    }
    let scale = scale.unwrap_or(0_usize);
    (1..=18).contains(&digits).then(|| sign * mantissa as f64 / TENS[scale])
}

const TENS: [f64; 19] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18,
];

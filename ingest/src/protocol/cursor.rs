//! Reads a binary frame from its beginning; every method says where the frame ends too early.

use super::wire::Complaint;

#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Read<T> = Result<T, Complaint>;

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
    /// Bytes not yet read.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }
    pub(super) fn skip(&mut self, count: usize) -> Read<()> {
        self.take(count).map(|_| ())
    }
    /// The next byte, left where it is.
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        match self.bytes.get(self.at..self.at.saturating_add(count)) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => Err(Complaint::short(self.bytes.len())),
        }
    }
    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        match self.bytes.get(self.at..).and_then(|b| b.first_chunk::<N>()) {
            Some(taken) => {
                self.at += N;
                Ok(*taken)
            }
            None => Err(Complaint::short(self.bytes.len())),
        }
    }
    #[inline]
    pub(super) fn u8(&mut self) -> Read<u8> {
        self.array::<1>().map(|[b]| b)
    }
    #[inline]
    pub(super) fn u16(&mut self) -> Read<u16> {
        self.array().map(u16::from_be_bytes)
    }
    #[inline]
    pub(super) fn i16(&mut self) -> Read<i16> {
        self.array().map(i16::from_be_bytes)
    }
    pub(super) fn u24(&mut self) -> Read<u32> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }
    #[inline]
    pub(super) fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_be_bytes)
    }
    #[inline]
    pub(super) fn i32(&mut self) -> Read<i32> {
        self.array().map(i32::from_be_bytes)
    }
    pub(super) fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_be_bytes)
    }
    pub(super) fn u16_le(&mut self) -> Read<u16> {
        self.array().map(u16::from_le_bytes)
    }
    pub(super) fn i16_le(&mut self) -> Read<i16> {
        self.array().map(i16::from_le_bytes)
    }
    pub(super) fn u32_le(&mut self) -> Read<u32> {
        self.array().map(u32::from_le_bytes)
    }
    pub(super) fn i32_le(&mut self) -> Read<i32> {
        self.array().map(i32::from_le_bytes)
    }
}

/// Hex digits of bytes, lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |d: u8| char::from(b"0123456789abcdef"[usize::from(d)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// Most bytes whose digits are kept as [`Digits`].
const DIGITS_OF: usize = 20;

/// Hex digits of an identity, lower case, without memory of their own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits {
    text: [u8; 2 * DIGITS_OF],
    length: usize,
}

impl std::ops::Deref for Digits {
    type Target = str;
    fn deref(&self) -> &str {
        std::str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }
}

/// Hex digits of bytes, lower case; of the first [`DIGITS_OF`] where there are more.
pub(super) fn digits_of(bytes: &[u8]) -> Digits {
    let (mut text, mut length) = ([0; 2 * DIGITS_OF], 0);
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair.copy_from_slice(&[byte >> 4, byte & 15].map(|d| b"0123456789abcdef"[usize::from(d)]));
        length += 2;
    }
    Digits { text, length }
}

/// Two decimal digits; those that are none count as they are, as devices' own arithmetic does.
pub(super) fn bcd(byte: u8) -> u8 {
    (byte >> 4).saturating_mul(10).saturating_add(byte & 15)
}

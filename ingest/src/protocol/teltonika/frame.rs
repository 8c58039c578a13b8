//! Where a frame begins and ends.

use std::fmt;

use bytes::Bytes;

use super::FRAME_MAX;
use super::record::Codec;
use crate::id::DeviceId;
use crate::protocol::{BadFrame, inbox};

/// A complaint: kind, offset, words.
pub(super) type Complaint = (BadFrame, usize, String);

/// What the bytes at the head of a stream are.
#[derive(Debug)]
pub(super) enum Cut {
    /// Not known yet, or not complete.
    Need,
    /// One byte that keeps a NAT entry alive.
    Ping,
    /// A login of this device, so many bytes.
    Login(DeviceId, usize),
    /// A frame of data, so many bytes.
    Frame(usize),
    /// No frame: kind, offset, what is wrong.
    Bad(BadFrame, usize, Fault),
}

/// What is wrong where no frame begins. Words are made of it only when it is told: a search looks
/// at every byte of what a stranger sends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    LoginLength(usize),
    LoginByte(u8),
    Preamble(u8),
    Length(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoginLength(length) => {
                write!(f, "login of `{length}` bytes, expected {DIGITS_MIN} to {DIGITS_MAX}")
            }
            Self::LoginByte(byte) => write!(f, "login byte `{byte:02x}` is no digit of an IMEI"),
            Self::Preamble(byte) => write!(f, "preamble byte `{byte:02x}`, expected `00`"),
            Self::Length(length) => {
                write!(f, "length `{length}`, expected {DATA_MIN} to {}", FRAME_MAX - ENVELOPE)
            }
        }
    }
}

/// Bytes around the data: preamble, length, checksum.
const ENVELOPE: usize = 12;
/// Codec, count, count: less is no data.
const DATA_MIN: usize = 3;
/// IMEIs have 15 digits; some software identities have a few more or less.
const DIGITS_MIN: usize = 8;
const DIGITS_MAX: usize = 20;

/// Cuts the next frame. With `whole`, `rest` is known to be one message, and a length that
/// contradicts its bytes is overruled by them.
pub(super) fn cut(rest: &[u8], whole: bool) -> Cut {
    let [first, second, ..] = *rest else {
        return if rest == [0xff] { Cut::Ping } else { Cut::Need };
    };
    if first == 0xff {
        return Cut::Ping;
    }
    match usize::from(u16::from_be_bytes([first, second])) {
        0 => data(rest, whole),
        length => login(rest, length),
    }
}

fn login(rest: &[u8], length: usize) -> Cut {
    if !(DIGITS_MIN..=DIGITS_MAX).contains(&length) {
        return Cut::Bad(BadFrame::Length, 0, Fault::LoginLength(length));
    }
    let digits = &rest[2..rest.len().min(2 + length)];
    if let Some(at) = digits.iter().position(|b| !b.is_ascii_digit()) {
        return Cut::Bad(BadFrame::Malformed, 2 + at, Fault::LoginByte(digits[at]));
    }
    match identity(digits) {
        Some(device) if digits.len() == length => Cut::Login(device, 2 + length),
        _ => Cut::Need,
    }
}

fn identity(digits: &[u8]) -> Option<DeviceId> {
    std::str::from_utf8(digits).ok().and_then(|d| DeviceId::new(d).ok())
}

fn data(rest: &[u8], whole: bool) -> Cut {
    if let Some(at) = rest.iter().take(4).position(|b| *b != 0) {
        return Cut::Bad(BadFrame::Malformed, at, Fault::Preamble(rest[at]));
    }
    let Some(&[a, b, c, d]) = rest.get(4..8) else { return Cut::Need };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    let enough = ENVELOPE + DATA_MIN <= rest.len() && rest.len() <= FRAME_MAX;
    if whole && enough && (length < DATA_MIN || length + ENVELOPE > rest.len()) {
        return Cut::Frame(rest.len());
    }
    if !(DATA_MIN..=FRAME_MAX - ENVELOPE).contains(&length) {
        return Cut::Bad(BadFrame::Length, 4, Fault::Length(length));
    }
    if rest.len() < length + ENVELOPE { Cut::Need } else { Cut::Frame(length + ENVELOPE) }
}

/// The data and the checksum of a whole frame. Where its length contradicts its bytes, what was
/// cut off may be the checksum: then all of the rest is data, and the last four bytes of it too.
pub(super) fn parts(frame: &[u8]) -> (&[u8], u32) {
    let number = |at: usize| frame.get(at..).and_then(|b| b.first_chunk().copied());
    let number = |at: usize| u32::from_be_bytes(number(at).unwrap_or_default());
    let end = frame.len() - 4;
    let whole = number(4) as usize + ENVELOPE == frame.len();
    (&frame[8..if whole { end } else { frame.len() }], number(end))
}

/// Whether a frame begins here: `None` no, `Some(true)` yes, `Some(false)` too few bytes to say.
/// Looks at a fixed number of bytes, so that the split of a stream does not matter.
pub(super) fn begins(rest: &[u8]) -> Option<bool> {
    if rest.first() == Some(&0xff) {
        return None;
    }
    match cut(rest, false) {
        Cut::Bad(..) | Cut::Ping => None,
        Cut::Login(..) => Some(true),
        Cut::Need | Cut::Frame(_) if rest.len() > 8 && rest[..2] == [0, 0] => {
            Codec::of(rest[8]).map(|_| true)
        }
        Cut::Need | Cut::Frame(_) => Some(false),
    }
}

/// The head of a datagram.
#[derive(Debug)]
pub(super) struct Datagram {
    packet: [u8; 2],
    avl_packet: u8,
    /// Who sends it.
    pub(super) device: DeviceId,
    /// Where its data begins.
    pub(super) data: usize,
}

impl Datagram {
    /// Reads the head; the rest of the datagram is data.
    pub(super) fn read(bytes: &[u8], lenient: bool) -> Result<Self, Complaint> {
        let short = |at: usize| (BadFrame::Truncated, at, "datagram ends in its head".to_owned());
        let Some(&[l0, l1, p0, p1, _, avl_packet, i0, i1]) = bytes.first_chunk() else {
            return Err(short(bytes.len()));
        };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length + 2 != bytes.len() && !lenient {
            let reason = format!("length `{length}`, expected {}", bytes.len() - 2);
            return Err((BadFrame::Length, 0, reason));
        }
        let digits = usize::from(u16::from_be_bytes([i0, i1]));
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits) {
            let reason = format!("IMEI of `{digits}` bytes, expected {DIGITS_MIN} to {DIGITS_MAX}");
            return Err((BadFrame::Length, 6, reason));
        }
        let text = bytes.get(8..8 + digits).ok_or_else(|| short(bytes.len()))?;
        let device = identity(text)
            .filter(|_| text.iter().all(u8::is_ascii_digit))
            .ok_or_else(|| (BadFrame::Malformed, 8, "IMEI is not digits".to_owned()))?;
        Ok(Self { packet: [p0, p1], avl_packet, device, data: 8 + digits })
    }

    /// The acknowledgement of so many records.
    pub(super) fn reply(&self, count: u8) -> Bytes {
        let Self { packet: [high, low], avl_packet, .. } = self;
        inbox::reply(|out| out.extend_from_slice(&[0, 5, *high, *low, 1, *avl_packet, count]))
    }
}

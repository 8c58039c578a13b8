//! Where frames begin and end, and why none begins.

use std::fmt;

use bytes::Bytes;

use crate::protocol::{BadFrame, scan};

/// What stands at the beginning of the bytes.
#[derive(Debug)]
pub(in crate::protocol) enum Cut {
    /// Not enough of it yet.
    Need,
    /// Bytes between frames that mean nothing.
    Skip(usize),
    /// A frame: its bytes, and where the next one begins.
    Frame { from: usize, to: usize, next: usize },
    /// Nothing that could begin here; `skip` bytes are given up, and on from there until a frame
    /// is found.
    Bad { fault: Fault, skip: usize },
    /// Nothing that could begin here, and nothing by which a later beginning could be known: the
    /// stream ends with this answer, if there is one.
    Lost { kind: BadFrame, reason: String, answer: Bytes },
}

/// Why no frame begins. Words are made of it only when it is told: a search asks at every byte of
/// what a stranger sends.
#[derive(Debug, Clone, Copy)]
pub(in crate::protocol) enum Fault {
    /// Something that should have ended within so many bytes, all of them looked at.
    Long(&'static str, usize),
    /// It says that it is longer than so many bytes.
    SaidLong(usize),
    /// A byte instead of what is expected.
    Begins(Option<u8>, &'static str),
}

impl Fault {
    pub(super) fn kind(self) -> BadFrame {
        match self {
            Self::Long(..) | Self::SaidLong(_) => BadFrame::Length,
            Self::Begins(..) => BadFrame::Malformed,
        }
    }
    /// Bytes that were looked at to find it.
    pub(super) fn looked_at(self) -> usize {
        match self {
            Self::Long(_, most) => most,
            Self::SaidLong(_) | Self::Begins(..) => 1,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long(what, most) => write!(f, "{what} longer than {most} bytes"),
            Self::SaidLong(most) => write!(f, "frame longer than {most} bytes"),
            Self::Begins(first, expected) => {
                let shown = first.as_slice().escape_ascii();
                write!(f, "`{shown}` begins no frame, expected {expected}")
            }
        }
    }
}

impl Cut {
    /// The first `length` bytes.
    pub(in crate::protocol) fn frame(length: usize) -> Self {
        Self::Frame { from: 0, to: length, next: length }
    }
    /// A frame of a length that the bytes give; longer than `most` it is bad.
    pub(in crate::protocol) fn of_length(length: usize, bytes: &[u8], most: usize) -> Self {
        if length > most {
            return Self::Bad { fault: Fault::SaidLong(most), skip: 1 };
        }
        if bytes.len() < length { Self::Need } else { Self::frame(length) }
    }
    pub(in crate::protocol) fn too_long(most: usize) -> Self {
        Self::Bad { fault: Fault::Long("frame", most), skip: 1 }
    }
    /// Whatever stands before the first `mark`, which begins a frame; `None` where it stands first.
    pub(in crate::protocol) fn before(mark: u8, bytes: &[u8]) -> Option<Self> {
        let from = scan::find(bytes, mark).unwrap_or(bytes.len());
        (from > 0).then_some(Self::Skip(from))
    }
    /// Nothing ends a line yet: what came whole is one, more than `most` bytes are none.
    pub(in crate::protocol) fn unended(length: usize, whole: bool, most: usize) -> Self {
        match length {
            length if length >= most => Self::too_long(most),
            length if whole => Self::frame(length),
            _ => Self::Need,
        }
    }
    pub(in crate::protocol) fn no_frame(bytes: &[u8], expected: &'static str) -> Self {
        // The first byte alone: how many follow by now must not show.
        Self::Bad { fault: Fault::Begins(bytes.first().copied(), expected), skip: 1 }
    }
    /// A frame up to and without the first of `ends`; ends before it are stepped over.
    pub(in crate::protocol) fn line(bytes: &[u8], ends: &[u8], whole: bool, most: usize) -> Self {
        let from = bytes.iter().position(|b| !ends.contains(b));
        let Some(from) = from else { return Self::Skip(bytes.len()) };
        if from > 0 {
            return Self::Skip(from);
        }
        let seen = &bytes[..bytes.len().min(most + 1)];
        match scan::find_any(seen, ends) {
            Some(to) => Self::Frame { from: 0, to, next: to + 1 },
            None if bytes.len() > most => {
                Self::Bad { fault: Fault::Long("line", most), skip: most }
            }
            None if whole => Self::frame(bytes.len()),
            None => Self::Need,
        }
    }
}

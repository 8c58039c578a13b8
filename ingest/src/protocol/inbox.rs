//! Bytes that wait for the rest of their frame, and where replies are written.

use std::cell::RefCell;
use std::fmt;

use bytes::{Bytes, BytesMut};

/// Buffers that a thread keeps for decoders between frames, and the most bytes of one: a packet is
/// decoded without asking for memory, and a connection that is idle holds none.
const SPARE_MAX: usize = 8;
const SPARE_BYTES_MAX: usize = 16 * 1024;
/// Bytes that a buffer may have beyond what waits in it.
const WASTE_MAX: usize = 256;
/// Bytes that a thread's replies are cut from; a reply that waits keeps its piece.
const REPLIES: usize = 1024;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    /// What is being written, and where it goes when it is whole.
    static REPLY: RefCell<(Vec<u8>, BytesMut)> = RefCell::default();
}

/// An empty buffer, used before where there is one.
fn lent() -> Vec<u8> {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Takes a buffer back.
fn back(mut buffer: Vec<u8>) {
    if (1..=SPARE_BYTES_MAX).contains(&buffer.capacity()) {
        buffer.clear();
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARE_MAX {
                spare.push(buffer);
            }
        });
    }
}

/// A reply as `write` makes it, in a piece of memory that it shares with others.
pub(super) fn reply(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    REPLY.with_borrow_mut(|(written, space)| {
        written.clear();
        write(written);
        if space.capacity() < written.len() {
            space.reserve(REPLIES.max(written.len()));
        }
        space.extend_from_slice(written);
        space.split().freeze()
    })
}

/// What a decoder has been fed and has not consumed yet. Holds no memory when empty, so that an
/// idle connection costs nothing. Its bound is the decoder's: a frame longer than the protocol
/// allows is refused as soon as its length is known.
#[derive(Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    at: usize,
}

impl Inbox {
    /// Appends what arrived.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes = lent();
        }
        if self.at > 0 {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }
    /// All that has not been consumed.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
    /// Consumes `count` bytes, or all there are.
    pub(super) fn skip(&mut self, count: usize) {
        self.at = self.bytes.len().min(self.at.saturating_add(count));
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
        }
    }
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }
    /// Gives memory back that what waits does not need: all of it when nothing does.
    pub(super) fn release(&mut self) {
        let length = self.bytes.len() - self.at;
        if length == 0 {
            self.at = 0;
            back(std::mem::take(&mut self.bytes));
        } else if self.bytes.capacity() > WASTE_MAX.max(4 * length) {
            // Whoever begins a frame and falls silent keeps no more than he said.
            let waits = self.rest().to_vec();
            self.at = 0;
            back(std::mem::replace(&mut self.bytes, waits));
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({} bytes)", self.rest().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_round_and_what_was_in_it_does_not() {
        let mut first = Inbox::default();
        first.feed(b"a whole frame");
        first.skip(usize::MAX);
        first.release();
        assert_eq!(first.bytes.capacity(), 0, "an idle connection holds nothing");
        let mut second = Inbox::default();
        second.feed(b"b");
        assert!(second.bytes.capacity() >= 13 && second.rest() == b"b");
        let replies: Vec<Bytes> =
            (0..1000_u16).map(|n| reply(|out| out.extend_from_slice(&n.to_be_bytes()))).collect();
        assert!(replies.iter().zip(0..1000_u16).all(|(r, n)| r[..] == n.to_be_bytes()));
    }
}

//! Bytes that wait for the rest of their frame.

use std::fmt;

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
    /// Gives memory back when nothing waits.
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({} bytes)", self.rest().len())
    }
}

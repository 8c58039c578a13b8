//! What stands between decoded replies and the socket: appends that are not durable yet, and the
//! replies behind them.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use ingest::log::LogError;
use tokio::time::Instant;

use crate::limits::{WINDOW_APPENDS_MAX, WINDOW_BYTES_MAX};
use crate::publish::Durable;

/// One that waits.
enum Waiting {
    /// Records on their way to being durable, and their bytes.
    Append { durable: Durable, bytes: usize, since: Instant },
    /// A reply that may go when all before it is done.
    Reply(Bytes),
}

/// All that waits, in order.
#[derive(Default)]
pub(super) struct Window {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

impl Window {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether more may be read.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < 2 * WINDOW_APPENDS_MAX && self.bytes < WINDOW_BYTES_MAX
    }

    /// Since when the oldest append waits.
    pub(super) fn since(&self) -> Option<Instant> {
        match self.waiting.front() {
            Some(Waiting::Append { since, .. }) => Some(*since),
            _ => None,
        }
    }

    /// Records are on their way.
    pub(super) fn append(&mut self, durable: Durable, bytes: usize) {
        self.bytes += bytes;
        self.waiting.push_back(Waiting::Append { durable, bytes, since: Instant::now() });
    }

    /// A reply goes to `out`, or behind what waits.
    pub(super) fn reply(&mut self, bytes: Bytes, out: &mut Vec<u8>) {
        if self.waiting.is_empty() {
            out.extend_from_slice(&bytes);
        } else {
            self.waiting.push_back(Waiting::Reply(bytes));
        }
    }

    /// The oldest append is durable: the replies behind it go to `out`.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) {
        if let Some(Waiting::Append { bytes, .. }) = self.waiting.pop_front() {
            self.bytes -= bytes;
        }
        while let Some(Waiting::Reply(bytes)) = self.waiting.front() {
            out.extend_from_slice(bytes);
            self.waiting.pop_front();
        }
        if self.waiting.is_empty() {
            // An idle connection holds no memory.
            self.waiting = VecDeque::new();
        }
    }

    /// Waits for the oldest append; for ever when there is none. Cancel safe: the append stays.
    pub(super) fn poll_oldest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LogError>> {
        match self.waiting.front_mut() {
            Some(Waiting::Append { durable, .. }) => durable.as_mut().poll(cx),
            Some(Waiting::Reply(_)) | None => Poll::Pending,
        }
    }
}

//! Bytes from the socket into the decoder.

use std::task::{Context, Poll, ready};

use ingest::log::Clock;
use ingest::protocol::Decode;
use ingest::time::Timestamp;

use crate::proxy;
use crate::stream::Stream;

/// What was read and has been fed to the decoder.
pub(super) struct Read {
    pub(super) bytes: usize,
    /// Steps that the decoder took over it.
    pub(super) steps: usize,
    pub(super) at: Timestamp,
    /// Whether a connection begins with it as a PROXY header does.
    pub(super) is_proxied: bool,
}

impl Read {
    /// The end.
    pub(super) fn nothing(at: Timestamp) -> Self {
        Self { bytes: 0, steps: 0, at, is_proxied: false }
    }
}

/// Waits for bytes and feeds them; `None` at the end. Cancel safe: what was read has been fed.
pub(super) fn poll_read(
    cx: &mut Context<'_>,
    stream: &mut Stream,
    decode: &mut dyn Decode,
    clock: &Clock,
    fresh: bool,
) -> Poll<Option<Read>> {
    let mut read = Read::nothing(Timestamp::default());
    let feed = |bytes: &[u8]| {
        let is_proxied = fresh && proxy::is_begun(bytes);
        read = Read { bytes: bytes.len(), steps: 0, at: clock(), is_proxied };
        decode.feed(bytes, read.at);
    };
    let count = ready!(stream.poll_bytes(cx, feed)).ok();
    Poll::Ready(count.filter(|n| *n > 0).map(|_| read))
}

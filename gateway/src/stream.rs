//! The bytes of one connection: plain or over TLS, and what was read of them too early.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::limits::READ_BYTES;

/// How long the end of a TLS stream may take to be told.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// A connection. Owns no buffer while it is idle, except TLS's own.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Read from below already, to be read here first. Seldom, and then shortly.
    begun: Option<Box<Bytes>>,
    below: Below,
}

#[derive(Debug)]
enum Below {
    Plain(TcpStream),
    Tls(Box<TlsStream<Stream>>),
}

impl Stream {
    pub(crate) fn plain(socket: TcpStream) -> Self {
        Self { begun: None, below: Below::Plain(socket) }
    }

    pub(crate) fn tls(stream: TlsStream<Stream>) -> Self {
        Self { begun: None, below: Below::Tls(Box::new(stream)) }
    }

    /// Bytes that were read and are to be read again.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        debug_assert!(self.begun.is_none(), "what was put back is read first");
        self.begun = (!bytes.is_empty()).then(|| Box::new(bytes));
    }

    /// Waits for bytes, as [`Stream::poll_bytes`].
    pub(crate) async fn read(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<usize> {
        poll_fn(|cx| self.poll_bytes(cx, &mut take)).await
    }

    /// Waits for bytes and shows them to `take`, at most [`READ_BYTES`] at a time; how many, 0 at
    /// the end. The buffer lies on the stack. Cancel safe: what was read has been shown.
    pub(crate) fn poll_bytes(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&[u8]),
    ) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut *self).poll_read(cx, &mut buffer))?;
        take(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Writes all of it, the first `sent` bytes of which have gone.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        sent: &mut usize,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut *self).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => *sent += count,
            }
        }
        Pin::new(self).poll_flush(cx)
    }

    /// Tells the peer that nothing follows, where dropping it would not.
    pub(crate) async fn close(&mut self) {
        if let Below::Tls(stream) = &mut self.below {
            // A peer that has gone need not be told.
            drop(Box::pin(timeout(CLOSE_LIMIT, stream.shutdown())).await);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(begun) = &mut self.begun {
            let count = begun.len().min(buffer.remaining());
            buffer.put_slice(&begun.split_to(count));
            if begun.is_empty() {
                self.begun = None;
            }
            return Poll::Ready(Ok(()));
        }
        match &mut self.below {
            Below::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Below::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.below {
            Below::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Below::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.below {
            Below::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Below::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.below {
            Below::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Below::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

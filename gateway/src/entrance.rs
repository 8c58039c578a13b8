//! From an accepted socket to a session: for whom it connects, TLS, and what it speaks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ingest::protocol::{BadFrame, Recognised, Transport, recognise};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, trace, warn};

use crate::door::{Door, Known, Place, Spoken};
use crate::limits::{PEER_GONE_AFTER, PROBE_AFTER, PROGRESS_LIMIT, RECOGNISE_MAX};
use crate::metrics::Counters;
use crate::proxy::{self, Header};
use crate::session::Session;
use crate::stream::Stream;
use crate::tls::Tls;

/// Pause after a failed accept (no file handles left), so that it is not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a listener's connections speak.
pub(crate) enum Speech {
    /// One protocol.
    One(Arc<Spoken>),
    /// Whatever its first bytes say, at first counted as nobody's.
    Any {
        /// Every protocol.
        known: Arc<Known>,
        /// Of connections that are not recognised.
        counters: Arc<Counters>,
    },
}

impl Speech {
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        match self {
            Self::One(spoken) => &spoken.counters,
            Self::Any { counters, .. } => counters,
        }
    }
}

/// What the connections of one listener have in common.
pub(crate) struct Way {
    pub(crate) door: Arc<Door>,
    pub(crate) name: &'static str,
    pub(crate) speech: Arc<Speech>,
    pub(crate) tls: Option<Arc<Tls>>,
}

/// One listener of streams.
pub(crate) struct Streams {
    pub(crate) way: Arc<Way>,
    pub(crate) listener: TcpListener,
}

impl Streams {
    /// Accepts until it is told to stop, then waits for its sessions.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let entrances = stop.clone();
        // Whether the next connection may enter.
        let mut open = Err(Duration::ZERO);
        loop {
            if open.is_err() {
                open = self.way.door.may_accept();
            }
            tokio::select! {
                accepted = self.listener.accept(), if open.is_ok() => match accepted {
                    Ok((socket, peer)) => {
                        open = Err(Duration::ZERO);
                        self.accept(socket, peer, &entrances);
                    }
                    Err(error) => {
                        warn!(protocol = self.way.name, %error, "accept failed");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = sleep(open.err().unwrap_or_default()), if open.is_err() => {}
                _ = stop.changed() => break,
            }
        }
        self.way.door.emptied().await;
    }

    fn accept(&self, socket: TcpStream, peer: SocketAddr, stop: &watch::Receiver<bool>) {
        trace!(target: ingest::PACKET, "accept");
        let (door, counters) = (&self.way.door, self.way.speech.counters());
        let Some(mut place) = door.place() else { return counters.closed("limit") };
        // A proxy's connections are others'; they are counted when it has said whose.
        let by_proxy = door.is_proxy(peer.ip());
        if !by_proxy && !place.count(peer.ip()) {
            return counters.closed("address_limit");
        }
        if let Err(error) = half_open_is_found(&socket) {
            warn!(%peer, %error, "socket options were refused");
        }
        let visit = Visit { way: Arc::clone(&self.way), peer, by_proxy, place };
        // Boxed: a session must not carry the room of its entrance.
        let entrance = Box::pin(visit.enter(Stream::plain(socket), stop.clone()));
        tokio::spawn(async move {
            let mut entered = entrance.await;
            // By reference: it stands in its task once.
            if let Some(session) = &mut entered {
                session.run().await;
            }
        });
    }
}

/// Replies go at once; a peer that vanished is noticed within three minutes when it is silent, and
/// within one when a reply is on its way to it.
fn half_open_is_found(stream: &TcpStream) -> std::io::Result<()> {
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(PEER_GONE_AFTER))?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PEER_GONE_AFTER / 3)
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)
}

/// A connection on its way to its session.
struct Visit {
    way: Arc<Way>,
    peer: SocketAddr,
    by_proxy: bool,
    place: Place,
}

impl Visit {
    /// The session that it comes to, if it does.
    async fn enter(mut self, stream: Stream, mut stop: watch::Receiver<bool>) -> Option<Session> {
        let since = Instant::now();
        let way = Arc::clone(&self.way);
        let entered = match way.speech.as_ref() {
            Speech::One(spoken) if !self.by_proxy && way.tls.is_none() => {
                Ok((stream, Arc::clone(spoken)))
            }
            _ => tokio::select! {
                entered = timeout_at(since + PROGRESS_LIMIT, self.introduced(stream)) => {
                    entered.unwrap_or(Err("progress_timeout"))
                }
                _ = stop.changed() => return None,
            },
        };
        match entered {
            Ok((stream, spoken)) => {
                Some(Session::new(self.place, spoken, stream, (self.peer, since)))
            }
            Err(reason) => {
                debug!(peer = %self.peer, reason, "connection did not enter");
                way.speech.counters().closed(reason);
                None
            }
        }
    }

    /// Everything before the protocol's own first byte, or why it ends here.
    async fn introduced(
        &mut self,
        mut stream: Stream,
    ) -> Result<(Stream, Arc<Spoken>), &'static str> {
        if self.by_proxy {
            let source = announced(&mut stream).await.inspect_err(|_| {
                self.way.speech.counters().bad(BadFrame::Malformed);
            })?;
            if let Some(source) = source {
                self.peer = source;
                if !self.place.count(source.ip()) {
                    return Err("address_limit");
                }
            }
        }
        if let Some(tls) = &self.way.tls {
            let room = self.way.door.handshakes.acquire().await;
            let encrypted = tls.acceptor().accept(stream).await;
            drop(room);
            let failed = |error: std::io::Error| {
                debug!(peer = %self.peer, %error, "TLS handshake failed");
                "tls"
            };
            stream = Stream::tls(encrypted.map_err(failed)?);
        }
        let spoken = match self.way.speech.as_ref() {
            Speech::One(spoken) => Arc::clone(spoken),
            Speech::Any { known, .. } => recognised(&mut stream, known).await?,
        };
        Ok((stream, spoken))
    }
}

/// For whom a proxy connects; `None`: for itself, to see whether we live.
async fn announced(stream: &mut Stream) -> Result<Option<SocketAddr>, &'static str> {
    let mut begun = Vec::new();
    loop {
        match proxy::header(&begun) {
            Header::Whole { length, source } => {
                begun.drain(..length);
                stream.put_back(begun.into());
                return Ok(source);
            }
            Header::Bad => return Err("proxy_header"),
            Header::Need => match stream.read(|bytes| begun.extend_from_slice(bytes)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Err("proxy_header"),
            },
        }
    }
}

/// What a stream speaks, by what it says first.
async fn recognised(stream: &mut Stream, known: &Known) -> Result<Arc<Spoken>, &'static str> {
    let mut begun = Vec::new();
    loop {
        match recognise(&begun, Transport::Tcp) {
            Recognised::As(protocol, transport) => {
                let spoken = known.get(&(protocol.name(), transport)).ok_or("unrecognised")?;
                stream.put_back(begun.into());
                return Ok(Arc::clone(spoken));
            }
            Recognised::Need if begun.len() < RECOGNISE_MAX => {
                match stream.read(|bytes| begun.extend_from_slice(bytes)).await {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return Err("unrecognised"),
                }
            }
            Recognised::Need | Recognised::Nothing => return Err("unrecognised"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_that_vanishes_is_looked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        half_open_is_found(&stream).unwrap();
        let socket = socket2::SockRef::from(&stream);
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), PROBE_AFTER);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(PEER_GONE_AFTER));
    }
}

//! Sockets: accepts within the limits, hands each connection to its session, drains at the end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use ingest::id::{DeviceId, TenantId};
use ingest::log::{Clock, Log, LogError};
use ingest::protocol::{Admission, Options, Protocol, Transport};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{info, trace, warn};

use crate::admission::{Devices, Follower, Verdict};
use crate::conflict::Speakers;
use crate::datagram::Datagrams;
use crate::health::Health;
use crate::limits::{Limits, PerAddress};
use crate::metrics::{Counters, Metrics};
use crate::publish::Publisher;
use crate::session::Session;

/// Bad frames kept as samples in `dead-letters`, a second, all connections together.
const SAMPLES_A_SECOND_MAX: u32 = 10;
/// Connections waiting to be accepted.
const BACKLOG: u32 = 4096;
/// Receive buffer of a UDP socket, bytes: a second of a large fleet (the kernel may give less).
const UDP_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Pause after a failed accept (no file handles left), so that it is not a busy loop.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// One socket to open.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// What is spoken there.
    pub protocol: &'static dyn Protocol,
    /// How bytes travel.
    pub transport: Transport,
    /// Where; port 0 picks a free one.
    pub address: SocketAddr,
}

/// One socket that is open.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// What is spoken there.
    pub protocol: &'static dyn Protocol,
    /// How bytes travel.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
}

/// How to open the door.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The sockets.
    pub listen: Vec<Listen>,
    /// Its bounds.
    pub limits: Limits,
    /// Unknown devices become this tenant's; `None`: they are refused.
    pub register_unknown: Option<TenantId>,
}

/// Why the door does not open.
#[derive(Debug, Error)]
pub enum StartError {
    /// A socket can not be had.
    #[error("{protocol} can not listen on `{address}`: {source}")]
    Listen {
        /// What was to be spoken there.
        protocol: &'static str,
        /// Where.
        address: SocketAddr,
        /// The system's word.
        source: std::io::Error,
    },
    /// The devices can not be read.
    #[error("devices can not be read: {0}")]
    Devices(#[from] LogError),
}

/// What every connection shares.
pub(crate) struct Door {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) devices: Arc<Devices>,
    pub(crate) speakers: Speakers,
    pub(crate) limits: Limits,
    pub(crate) options: Options,
    pub(crate) datagrams: PerAddress,
    connections: PerAddress,
    register_unknown: Option<TenantId>,
    room: Arc<Semaphore>,
    sample_second: AtomicI64,
    samples: AtomicU32,
}

impl Door {
    /// May this device speak? Unknown ones register themselves where that is allowed.
    pub(crate) async fn admit(&self, device: &DeviceId, protocol: &str) -> Verdict {
        let verdict = self.devices.admit(device, protocol);
        let (Admission::Unknown, Some(tenant)) = (verdict.admission, &self.register_unknown) else {
            return verdict;
        };
        match self.devices.register(self.publisher.log.as_ref(), tenant, device).await {
            Ok(record) => Verdict { admission: Admission::Admitted, record: Some(record) },
            Err(error) => {
                warn!(%device, %error, "device could not be registered");
                verdict
            }
        }
    }

    /// Whether this second has room for another sample.
    pub(crate) fn may_sample(&self) -> bool {
        let second = (self.publisher.clock)().micros() / 1_000_000;
        if self.sample_second.swap(second, Ordering::Relaxed) != second {
            self.samples.store(0, Ordering::Relaxed);
        }
        self.samples.fetch_add(1, Ordering::Relaxed) < SAMPLES_A_SECOND_MAX
    }
}

/// The open door. Dropping it stops nothing; call [`Gateway::stop`].
pub struct Gateway {
    listening: Vec<Listening>,
    health: Arc<Health>,
    clock: Clock,
    stop: watch::Sender<bool>,
    listeners: JoinSet<()>,
    follower: Follower,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("listening", &self.listening).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Reads `devices` to its end, then opens all sockets.
    pub async fn start(
        settings: Settings,
        log: Arc<dyn Log>,
        clock: Clock,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        let devices = Arc::new(Devices::default());
        let (reading, known) = (Arc::clone(&log), Arc::clone(&devices));
        let follower = tokio::task::spawn_blocking(move || Follower::start(&*reading, &known))
            .await
            .map_err(|e| LogError::Unavailable(format!("the reader of devices: {e}")))??;
        let health = Arc::new(Health::default());
        let publisher = Publisher {
            log,
            clock: Arc::clone(&clock),
            health: Arc::clone(&health),
            metrics: metrics.clone(),
        };
        let door = Arc::new(Door {
            publisher: Arc::new(publisher),
            devices,
            speakers: Speakers::default(),
            room: Arc::new(Semaphore::new(settings.limits.connections)),
            limits: settings.limits,
            options: Options::default(),
            datagrams: PerAddress::default(),
            connections: PerAddress::default(),
            register_unknown: settings.register_unknown,
            sample_second: AtomicI64::new(0),
            samples: AtomicU32::new(0),
        });
        let (stop, stopped) = watch::channel(false);
        let mut gateway = Self {
            listening: Vec::new(),
            health,
            clock,
            stop,
            listeners: JoinSet::new(),
            follower,
        };
        for listen in &settings.listen {
            gateway.open(listen, &door, metrics, &stopped)?;
        }
        Ok(gateway)
    }

    fn open(
        &mut self,
        listen: &Listen,
        door: &Arc<Door>,
        metrics: &Metrics,
        stopped: &watch::Receiver<bool>,
    ) -> Result<(), StartError> {
        let Listen { protocol, transport, address } = *listen;
        let refused = |source| StartError::Listen { protocol: protocol.name(), address, source };
        let (door, counters) = (Arc::clone(door), metrics.of(protocol, transport));
        let stopped = stopped.clone();
        let address = if transport == Transport::Udp {
            let socket = Arc::new(udp(address).map_err(refused)?);
            let address = socket.local_addr().map_err(refused)?;
            self.listeners.spawn(Datagrams { door, protocol, counters, socket }.run(stopped));
            address
        } else {
            let listener = tcp(address).map_err(refused)?;
            let address = listener.local_addr().map_err(refused)?;
            let streams = Streams { door, protocol, transport, counters, listener };
            self.listeners.spawn(streams.run(stopped));
            address
        };
        info!(protocol = protocol.name(), transport = transport.name(), %address, "listening");
        self.listening.push(Listening { protocol, transport, address });
        Ok(())
    }

    /// Every open socket.
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// Whether it can do its work; else why not.
    pub fn ready(&self) -> Result<(), String> {
        self.health.ready((self.clock)())
    }

    /// A check of its readiness that outlives this borrow.
    pub fn readiness(&self) -> impl Fn() -> Result<(), String> + Send + Sync + 'static {
        let (health, clock) = (Arc::clone(&self.health), Arc::clone(&self.clock));
        move || health.ready(clock())
    }

    /// Accepts nothing more, answers what is durable within [`crate::limits::DRAIN_LIMIT`], and
    /// closes.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.listeners.join_next().await.is_some() {}
        let mut follower = self.follower;
        if tokio::task::spawn_blocking(move || follower.stop()).await.is_err() {
            warn!("the follower of devices did not end");
        }
    }
}

fn tcp(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG.cast_signed())?;
    TcpListener::from_std(socket.into())
}

fn udp(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::DGRAM,
        Some(socket2::Protocol::UDP),
    )?;
    socket.set_recv_buffer_size(UDP_BUFFER_BYTES)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// One TCP or HTTP listener.
struct Streams {
    door: Arc<Door>,
    protocol: &'static dyn Protocol,
    transport: Transport,
    counters: Counters,
    listener: TcpListener,
}

impl Streams {
    async fn run(self, mut stop: watch::Receiver<bool>) {
        let sessions = stop.clone();
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.enter(stream, peer, &sessions, &mut running),
                    Err(error) => {
                        warn!(protocol = self.protocol.name(), %error, "accept failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_ended) = running.join_next(), if !running.is_empty() => {}
                _ = stop.changed() => break,
            }
        }
        while running.join_next().await.is_some() {}
    }

    fn enter(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        stop: &watch::Receiver<bool>,
        running: &mut JoinSet<()>,
    ) {
        trace!(target: ingest::PACKET, "accept");
        let Ok(permit) = Arc::clone(&self.door.room).try_acquire_owned() else {
            return self.counters.closed("limit");
        };
        let address = peer.ip().to_canonical();
        let counted = !self.door.limits.is_exempt(address);
        let most = self.door.limits.connections_per_address;
        if counted && !self.door.connections.enter(address, most) {
            return self.counters.closed("address_limit");
        }
        if let Err(error) = half_open_is_found(&stream) {
            warn!(%peer, %error, "socket options were refused");
        }
        let door = Arc::clone(&self.door);
        let counters = self.counters.clone();
        let session =
            Session::new(Arc::clone(&door), self.protocol, self.transport, counters.clone(), peer);
        let stop = stop.clone();
        running.spawn(async move {
            let permit: OwnedSemaphorePermit = permit;
            counters.connections.inc();
            session.run(stream, stop).await;
            counters.connections.dec();
            if counted {
                door.connections.leave(address);
            }
            drop(permit);
        });
    }
}

/// Replies go at once; a peer that vanished is noticed within three minutes.
fn half_open_is_found(stream: &TcpStream) -> std::io::Result<()> {
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(std::time::Duration::from_mins(2))
        .with_interval(std::time::Duration::from_secs(20))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)
}

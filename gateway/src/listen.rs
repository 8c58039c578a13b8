//! Sockets: opens them, and closes them at the end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use ingest::id::TenantId;
use ingest::log::{Clock, Log, LogError};
use ingest::protocol::{Protocol, Transport};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};
use tracing::{error, info, warn};

use crate::admission::{Devices, Follower};
use crate::command::Teller;
use crate::datagram::Datagrams;
use crate::door::{self, Door, Known, Spoken};
use crate::entrance::{Speech, Streams, Way};
use crate::health::Health;
use crate::limits::{Limits, Network, RELOAD_EVERY};
use crate::metrics::Metrics;
use crate::publish::Publisher;
use crate::socket::{tcp, udp};
use crate::tls::{Tls, TlsError, TlsFiles};

/// Name of a socket whose protocol is recognised by what is said there first.
pub const ANY: &str = "any";

/// One address to listen on.
#[derive(Debug, Clone)]
pub struct Listen {
    /// What is spoken there; `None`: whatever is recognised, over TCP or UDP.
    pub protocol: Option<&'static dyn Protocol>,
    /// How bytes travel.
    pub transport: Transport,
    /// Where; port 0 picks a free one.
    pub address: SocketAddr,
    /// Its TLS; streams only.
    pub tls: Option<TlsFiles>,
}

impl Listen {
    /// A socket without TLS.
    pub fn plain(
        protocol: Option<&'static dyn Protocol>,
        transport: Transport,
        address: SocketAddr,
    ) -> Self {
        Self { protocol, transport, address, tls: None }
    }

    /// The protocol's name, or [`ANY`].
    pub fn name(&self) -> &'static str {
        self.protocol.map_or(ANY, |p| p.name())
    }
}

/// One socket that is open.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// The protocol that is spoken there, or [`ANY`].
    pub name: &'static str,
    /// How bytes travel.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// Whether they travel over TLS.
    pub tls: bool,
}

/// How to open the door.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The sockets.
    pub listen: Vec<Listen>,
    /// Its bounds.
    pub limits: Limits,
    /// Ranges that connect for others and say for whom, by the PROXY protocol; nobody else is
    /// believed.
    pub proxies: Vec<Network>,
    /// Unknown devices become this tenant's; `None`: they are refused.
    pub register_unknown: Option<TenantId>,
    /// Sockets that share each address, at most [`crate::limits::SOCKETS_MAX`], so that as many processors accept
    /// and read; 0 counts as 1.
    pub sockets: usize,
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
    /// Its TLS can not be spoken.
    #[error("{protocol} over TLS: {source}")]
    Tls {
        /// What was to be spoken.
        protocol: &'static str,
        /// Why not.
        source: TlsError,
    },
    /// The devices can not be read.
    #[error("devices can not be read: {0}")]
    Devices(#[from] LogError),
}

/// What every listener is given.
struct Shared<'a> {
    door: &'a Arc<Door>,
    known: &'a Arc<Known>,
    stopped: &'a watch::Receiver<bool>,
    sockets: usize,
}

/// Closes the door when it is dropped.
struct Stop {
    tell: watch::Sender<bool>,
    door: Arc<Door>,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.tell.send_replace(true);
        self.door.speakers.close();
    }
}

/// The open door. Dropping it closes it as well, and nobody waits for that: call [`Gateway::stop`].
pub struct Gateway {
    listening: Vec<Listening>,
    health: Arc<Health>,
    clock: Clock,
    stop: Stop,
    listeners: JoinSet<()>,
    certificates: Vec<Arc<Tls>>,
    metrics: Metrics,
    follower: Follower,
    teller: Teller,
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
        let orders = Arc::clone(&log);
        let publisher = Publisher {
            log,
            clock: Arc::clone(&clock),
            health: Arc::clone(&health),
            metrics: metrics.clone(),
        };
        let Settings { listen, limits, proxies, register_unknown, sockets } = settings;
        let door = Arc::new(Door::new(publisher, devices, limits, proxies, register_unknown));
        let told = Arc::clone(&door);
        let teller =
            tokio::task::spawn_blocking(move || Teller::start(&*orders, &told))
                .await
                .map_err(|e| LogError::Unavailable(format!("the reader of commands: {e}")))??;
        let (tell, stopped) = watch::channel(false);
        let stop = Stop { tell, door: Arc::clone(&door) };
        let mut gateway = Self {
            listening: Vec::new(),
            health,
            clock,
            stop,
            listeners: JoinSet::new(),
            certificates: Vec::new(),
            metrics: metrics.clone(),
            follower,
            teller,
        };
        let recognises = listen.iter().any(|l| l.protocol.is_none());
        let known = Arc::new(if recognises { door::known(metrics) } else { Known::new() });
        for listen in &listen {
            let shared = Shared { door: &door, known: &known, stopped: &stopped, sockets };
            gateway.open(listen, &shared)?;
        }
        gateway.watch_certificates(stopped);
        Ok(gateway)
    }

    fn open(&mut self, listen: &Listen, shared: &Shared<'_>) -> Result<(), StartError> {
        let (name, transport, address) = (listen.name(), listen.transport, listen.address);
        let refused = |source| StartError::Listen { protocol: name, address, source };
        let counters = self.metrics.of(name, transport);
        let (door, stopped) = (Arc::clone(shared.door), shared.stopped);
        let speech = Arc::new(match listen.protocol {
            Some(protocol) => Speech::One(Arc::new(Spoken { protocol, transport, counters })),
            None => Speech::Any { known: Arc::clone(shared.known), counters },
        });
        let address = if transport == Transport::Udp {
            let (address, sockets) = udp(address, shared.sockets).map_err(refused)?;
            for (nth, socket) in sockets.into_iter().enumerate() {
                let (door, speech, socket) =
                    (Arc::clone(&door), Arc::clone(&speech), Arc::new(socket));
                let datagrams = Datagrams { door, name, speech, socket, counts_drops: nth == 0 };
                self.listeners.spawn(datagrams.run(stopped.clone()));
            }
            address
        } else {
            let tls = listen.tls.as_ref().map(|files| Tls::open(files).map(Arc::new)).transpose();
            let tls = tls.map_err(|source| StartError::Tls { protocol: name, source })?;
            self.certificates.extend(tls.clone());
            let (address, listeners) = tcp(address, shared.sockets).map_err(refused)?;
            let way = Arc::new(Way { door, name, speech, tls });
            for listener in listeners {
                let streams = Streams { way: Arc::clone(&way), listener };
                self.listeners.spawn(streams.run(stopped.clone()));
            }
            address
        };
        let tls = listen.tls.is_some();
        info!(protocol = name, transport = transport.name(), %address, tls, "listening");
        self.listening.push(Listening { name, transport, address, tls });
        Ok(())
    }

    /// Looks at the certificates now and then, as long as the door is open.
    fn watch_certificates(&mut self, mut stopped: watch::Receiver<bool>) {
        if self.certificates.is_empty() {
            return;
        }
        let reload = self.reload();
        self.listeners.spawn(async move {
            let mut look = interval_at(Instant::now() + RELOAD_EVERY, RELOAD_EVERY);
            loop {
                tokio::select! {
                    _ = look.tick() => reload(),
                    _ = stopped.changed() => return,
                }
            }
        });
    }

    /// Reads certificates again (blocks shortly); connections accepted afterwards are shown what
    /// has changed. What can not be used is told and leaves the former in use.
    pub fn reload(&self) -> impl Fn() + Send + Sync + 'static {
        let (certificates, metrics) = (self.certificates.clone(), self.metrics.clone());
        move || {
            for tls in &certificates {
                let outcome = tls.reload();
                metrics.reloaded(outcome.as_ref().map_err(|_told_below| ()).copied());
                match outcome {
                    Ok(true) => info!(file = %tls.certificate().display(), "certificate read anew"),
                    Ok(false) => {}
                    Err(error) => error!(%error, "the former certificate stays in use"),
                }
            }
        }
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
        drop(self.stop);
        while self.listeners.join_next().await.is_some() {}
        let (mut follower, mut teller) = (self.follower, self.teller);
        let ended = tokio::task::spawn_blocking(move || {
            teller.stop();
            follower.stop();
        });
        if ended.await.is_err() {
            warn!("the followers of devices and commands did not end");
        }
    }
}

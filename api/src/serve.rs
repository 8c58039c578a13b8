//! Starting and stopping.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::road::Road;
use ingest::id::TenantId;
use ingest::log::{Clock, Log, LogError};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use crate::analytics::{Analytics, Limits, QueryError, Sources};
use crate::app::{App, Shared, WRITES_MAX};
use crate::archive;
use crate::archive::tail::Views;
use crate::assets::Assets;
use crate::attempts::Attempts;
use crate::connection::{Bounded, Peer};
use crate::customer;
use crate::doors::{Doors, Known, Places};
use crate::history::History;
use crate::history::fill::{Fill, TooLate};
use crate::http::{router, session, stops};
use crate::live::{Live, tail};
use crate::message::mail::{BadMail, Mail};
use crate::message::outbox::Outbox;
use crate::message::{self, sender};
use crate::metrics::{ArchiveMetrics, Metrics};
use crate::password;
use crate::store::keys::{self, Role};
use crate::store::{Store, StoreError, audit, idempotency, lock, pending};
use crate::tiles::Tiles;
use crate::way::Ways;
use crate::write::carry;

/// How long open requests and writes may take once it stops.
const DRAIN: Duration = Duration::from_secs(5);
/// Stops moved too late that may wait to be taken back; then the history waits.
const TOO_LATE_WAITING_MAX: usize = 256;
/// How often answers beyond their bound are let go.
const TRIM: Duration = Duration::from_mins(1);
/// Tenant of the key that the first start makes.
const FIRST_TENANT: &str = "main";

/// What the api is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Directory of the operations store and the history.
    pub data: PathBuf,
    /// Open mode: no keys, everybody is this tenant's admin. Loopback only.
    pub open: Option<TenantId>,
    /// The current map, to refuse stops in the sea; without one they are taken.
    pub road: Option<Arc<Road>>,
    /// Browsers reach it over TLS, by a proxy: cookies are `Secure`.
    pub secure: bool,
    /// How messages are sent.
    pub messages: message::Settings,
    /// What it counts with.
    pub metrics: Metrics,
    /// The archive and what queries over it may use; without one there are none.
    pub archive: Option<ArchiveSettings>,
}

/// The archive that queries are over.
#[derive(Debug, Clone)]
pub struct ArchiveSettings {
    /// Where it lies.
    pub store: archive::Store,
    /// What queries may use.
    pub limits: Limits,
    /// Where analysts' programs connect.
    pub doors: Places,
    /// What it counts with.
    pub metrics: ArchiveMetrics,
}

/// Why the api does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is taken, foreign or not allowed.
    #[error("api cannot listen on `{address}`: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Open mode has no keys, so it stays on this machine.
    #[error("open mode listens on `{0}`, expected a loopback address such as 127.0.0.1")]
    OpenElsewhere(SocketAddr),
    /// Mail cannot be sent as configured.
    #[error(transparent)]
    Mail(#[from] BadMail),
    /// The operations store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Queries.
    #[error("queries cannot be answered: {0}")]
    Queries(#[from] QueryError),
    /// No thread could be made.
    #[error("api cannot make a thread: {0}")]
    Thread(std::io::Error),
}

/// The running api.
#[derive(Debug)]
pub struct Api {
    pub(crate) app: Shared,
    first_key: Option<String>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    doors: Option<Doors>,
    server: tokio::task::JoinHandle<()>,
}

impl Api {
    /// Opens the store, loads the views, binds, serves. Needs a tokio runtime. Returns before the
    /// live view has caught up ([`Api::ready`]).
    pub async fn start(
        settings: Settings,
        log: Arc<dyn Log>,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let address = settings.listen;
        if settings.open.is_some() && !address.ip().is_loopback() {
            return Err(StartError::OpenElsewhere(address));
        }
        let mail = Mail::new(&settings.messages.mail)?;
        let store = Arc::new(Store::open(&settings.data)?);
        let history = Arc::new(History::open(&settings.data)?);
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let first_key = first_key(&store, &settings, &clock).await?;
        let (live, stop) = (load(&log).await?, Arc::new(AtomicBool::new(false)));
        let address = listener.local_addr().map_err(listen)?;
        let mut messages = settings.messages;
        if settings.open.is_some() {
            // Nobody else can reach it, but whoever tries it out can.
            messages.mail.page.get_or_insert(format!("http://{address}"));
        }
        let (analytics, views) = match &settings.archive {
            Some(archive) => {
                let people = (Arc::clone(&store), Arc::clone(&live));
                let (made, views) = over(archive, people, settings.road.clone())?;
                (Some(made), Some((archive.clone(), views)))
            }
            None => (None, None),
        };
        let app: Shared = Arc::new(App {
            store,
            analytics,
            live,
            history,
            log,
            clock,
            tiles: settings.road.clone().map(|road| Arc::new(Tiles::new(road))),
            ways: settings.road.clone().map(|road| Arc::new(Ways::new(road))),
            assets: Assets::built(),
            road: settings.road,
            metrics: settings.metrics,
            open: settings.open,
            address,
            secure: settings.secure,
            writes: Arc::new(Semaphore::new(WRITES_MAX)),
            answering: Mutex::default(),
            messages,
            outbox: Notify::new(),
            logins: Attempts::new(session::FAILED_MAX),
            guesses: Attempts::new(customer::GUESSES_MAX),
            said: Attempts::new(customer::SAID_MAX),
            watching: Mutex::default(),
            accounts: Attempts::new(session::ACCOUNT_FAILED_MAX),
            hashes: Semaphore::new(password::HASHES_MAX),
            closing: watch::Sender::new(false),
            streams: AtomicUsize::new(0),
            appends: Default::default(),
        });
        let (too_late, told) = mpsc::channel(TOO_LATE_WAITING_MAX);
        let mut threads = threads(&app, &stop, too_late)?;
        let mut doors = None;
        if let Some((archive, views)) = views {
            doors = open_doors(&app, archive.doors).await?;
            threads.push(newest_rows(&app, &stop, (archive, views))?);
        }
        let server = tokio::spawn(serve(listener, Arc::clone(&app), told, mail));
        Ok(Self { app, first_key, stop, threads, doors, server })
    }

    /// Where it listens.
    pub fn listening(&self) -> SocketAddr {
        self.app.address
    }

    /// Transport and address of each door for analysts.
    pub fn doors(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        self.doors.iter().flat_map(|doors| doors.listening.iter().copied())
    }

    /// The admin key that the first start made; shown once, stored only as its hash.
    pub fn first_key(&self) -> Option<&str> {
        self.first_key.as_deref()
    }

    /// The newest of everything, for whoever runs in the same process.
    pub fn live(&self) -> &Live {
        &self.app.live
    }

    /// Why it cannot do its work yet or any more.
    pub fn ready(&self) -> Result<(), String> {
        self.app.ready()
    }

    /// [`Api::ready`] for the operations server.
    pub fn readiness(&self) -> impl Fn() -> Result<(), String> + Send + Sync + 'static {
        let app = Arc::clone(&self.app);
        move || app.ready()
    }

    /// Ends streams, answers open requests, waits for writes on their way to the log.
    pub async fn stop(self) {
        let Self { app, stop, threads, server, doors, .. } = self;
        app.closing.send_replace(true);
        // Streams wait for news alone.
        app.live.tell();
        let mut server = server;
        if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
            server.abort();
        }
        if let Some(doors) = doors
            && tokio::time::timeout(DRAIN, doors.closed()).await.is_err()
        {
            tracing::warn!("a door for analysts did not close in time");
        }
        let all = app.writes.acquire_many(WRITES_MAX as u32);
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!(
                "writes are still on their way to the log; they go on at the next start"
            );
        }
        stop.store(true, Ordering::Relaxed);
        let ended = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread of the api panicked");
                }
            }
            app.store.close();
        });
        if ended.await.is_err() {
            tracing::error!("stopping the api panicked");
        }
    }
}

/// Queries over an archive, what people said and what is now; and what is not archived yet.
fn over(
    archive: &ArchiveSettings,
    (store, live): (Arc<Store>, Arc<Live>),
    road: Option<Arc<Road>>,
) -> Result<(Arc<Analytics>, Arc<Views>), StartError> {
    let views = Arc::new(Views::default());
    let sources = Sources {
        archive: archive.store.clone(),
        views: Arc::clone(&views),
        operations: Some(store),
        live: Some(live),
    };
    Ok((Arc::new(Analytics::new(archive.limits.clone(), sources, road)?), views))
}

/// The threads that follow `outputs`.
fn threads(
    app: &Shared,
    stop: &Arc<AtomicBool>,
    too_late: mpsc::Sender<TooLate>,
) -> Result<Vec<JoinHandle<()>>, StartError> {
    let fill = Fill {
        log: Arc::clone(&app.log),
        history: Arc::clone(&app.history),
        clock: Arc::clone(&app.clock),
        metrics: app.metrics.clone(),
        stop: Arc::clone(stop),
        too_late,
    };
    let tail = tail::Tail {
        log: Arc::clone(&app.log),
        live: Arc::clone(&app.live),
        clock: Arc::clone(&app.clock),
        metrics: app.metrics.clone(),
        stop: Arc::clone(stop),
    };
    let runtime = tokio::runtime::Handle::current();
    let outbox = Outbox { app: Arc::clone(app), stop: Arc::clone(stop), runtime };
    let thread = |name: &str, run: Box<dyn FnOnce() + Send>| {
        let builder = std::thread::Builder::new().name(name.to_owned());
        builder.spawn(run).map_err(StartError::Thread)
    };
    Ok(vec![
        thread("api-live", Box::new(move || tail.run()))?,
        thread("api-history", Box::new(move || fill.run()))?,
        thread("api-messages", Box::new(move || outbox.run()))?,
    ])
}

/// The doors for analysts; open mode knows nobody and has none.
async fn open_doors(app: &Shared, places: Places) -> Result<Option<Doors>, StartError> {
    let Some(analytics) = app.analytics.as_ref().filter(|_| app.open.is_none()) else {
        return Ok(None);
    };
    let known = Known { store: Arc::clone(&app.store) };
    let opened = Doors::open(places, analytics, &known, &app.closing).await;
    opened.map(Some).map_err(|(address, source)| StartError::Listen { address, source })
}

/// The thread that follows what is not archived yet.
fn newest_rows(
    app: &Shared,
    stop: &Arc<AtomicBool>,
    (archive, views): (ArchiveSettings, Arc<Views>),
) -> Result<JoinHandle<()>, StartError> {
    let tail = archive::tail::Tail {
        log: Arc::clone(&app.log),
        store: archive.store,
        clock: Arc::clone(&app.clock),
        views,
        metrics: archive.metrics,
        stop: Arc::clone(stop),
        runtime: tokio::runtime::Handle::current(),
    };
    let builder = std::thread::Builder::new().name("api-rows".to_owned());
    builder.spawn(move || tail.run()).map_err(StartError::Thread)
}

/// The views of `states`, and where to follow `outputs` from.
async fn load(log: &Arc<dyn Log>) -> Result<Arc<Live>, StartError> {
    let log = Arc::clone(log);
    let loaded = tokio::task::spawn_blocking(move || {
        let (states, from) = tail::load(log.as_ref())?;
        let live = Live::new(&from);
        let mut fleet = live.write();
        for (key, state) in states {
            fleet.load(&key, state.view);
        }
        drop(fleet);
        Ok(Arc::new(live))
    });
    loaded.await.unwrap_or_else(|e| Err(StartError::Thread(std::io::Error::other(e))))
}

/// The first start of an installation that has keys at all makes one.
async fn first_key(
    store: &Store,
    settings: &Settings,
    clock: &Clock,
) -> Result<Option<String>, StartError> {
    if settings.open.is_some() || store.read(keys::any)? {
        return Ok(None);
    }
    let tenant = TenantId::new(FIRST_TENANT).map_err(|e| StoreError::Value(e.to_string()))?;
    let now = clock();
    let key = store.write(move |c| keys::create(c, &tenant, Role::Admin, now)).await?;
    Ok(Some(key))
}

/// Takes up what was cut off, then answers requests until told to stop.
async fn serve(
    listener: TcpListener,
    app: Shared,
    told: mpsc::Receiver<TooLate>,
    mail: Option<Mail>,
) {
    take_up(&app).await;
    let chores = tokio::spawn(chores(Arc::clone(&app), told));
    let sender = tokio::spawn(sender::run(Arc::clone(&app), mail));
    let service = router(&app).into_make_service_with_connect_info::<Peer>();
    let mut closing = app.closing.subscribe();
    let closed = async move {
        // An error means that the sender is gone, which is closed too.
        drop(closing.wait_for(|closing| *closing).await);
    };
    if let Err(error) =
        axum::serve(Bounded::new(listener), service).with_graceful_shutdown(closed).await
    {
        tracing::error!(%error, "the api has stopped serving");
    }
    if chores.await.is_err() {
        tracing::error!("the chores of the api panicked");
    }
    if sender.await.is_err() {
        tracing::error!("the sender of messages panicked");
    }
}

/// What is done beside requests: stops taken back, old answers let go. Ends when the api stops.
async fn chores(app: Shared, mut told: mpsc::Receiver<TooLate>) {
    let mut closing = app.closing.subscribe();
    let mut trim = tokio::time::interval(TRIM);
    loop {
        tokio::select! {
            too_late = told.recv() => match too_late {
                Some(too_late) => give_back(&app, too_late).await,
                None => return,
            },
            _ = trim.tick() => {
                if let Err(error) = app.store.write(idempotency::trim).await {
                    tracing::warn!(%error, "old answers stay");
                }
                let now = app.now();
                if let Err(error) = app.store.write_again(move |c| audit::prune(c, now)).await {
                    let error: StoreError = error;
                    tracing::warn!(%error, "the oldest of the audit stays");
                }
            }
            // An error means that the sender is gone, which is closed too.
            () = async { drop(closing.wait_for(|closing| *closing).await) } => return,
        }
    }
}

async fn give_back(app: &Shared, TooLate { key, event }: TooLate) {
    let Some(stop) = event.stop else { return };
    if let Err(problem) = stops::take_back(app, key.tenant, event.route, stop).await {
        tracing::error!(detail = problem.detail, "a stop moved too late was not taken back");
    }
}

/// Changes that were reserved but not appended, or not seen to be.
async fn take_up(app: &Shared) {
    match app.store.write(pending::cut_off).await {
        Ok(waiting) => {
            for pending in waiting {
                if let Err(problem) = carry(app, pending).await {
                    tracing::error!(detail = problem.detail, "a cut-off change was not appended");
                }
            }
        }
        Err(error) => tracing::error!(%error, "cut-off changes cannot be read"),
    }
    lock(&app.answering).clear();
}

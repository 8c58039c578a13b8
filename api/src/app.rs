//! What every handler shares.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use engine::road::Road;
use ingest::id::TenantId;
use ingest::log::{Clock, Log};
use ingest::time::Timestamp;
use tokio::sync::{Notify, Semaphore, watch};

use crate::analytics::Analytics;
use crate::assets::Assets;
use crate::attempts::Attempts;
use crate::auth::cookie_name;
use crate::history::History;
use crate::live::Live;
use crate::message;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::store::idempotency::Scope;
use crate::tiles::Tiles;
use crate::way::Ways;

/// Writes on their way to the log; more wait, and get 503 after 10 s.
pub(crate) const WRITES_MAX: usize = 1_024;

/// A live view further behind than this, seconds, is not fit to answer from.
const BEHIND_S_MAX: f64 = 10.0;
/// How long a failed append counts when nothing is appended after it, seconds.
const FAILED_S: f64 = 5.0;

/// What every handler shares.
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) live: Arc<Live>,
    pub(crate) history: Arc<History>,
    /// Queries over the archive, where one is kept.
    pub(crate) analytics: Option<Arc<Analytics>>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) clock: Clock,
    /// The current map, to refuse stops in the sea.
    pub(crate) road: Option<Arc<Road>>,
    /// Its tiles.
    pub(crate) tiles: Option<Arc<Tiles>>,
    /// Ways along its roads.
    pub(crate) ways: Option<Arc<Ways>>,
    /// The app that browsers load.
    pub(crate) assets: Assets,
    pub(crate) metrics: Metrics,
    /// Open mode: everybody is this tenant's admin.
    pub(crate) open: Option<TenantId>,
    pub(crate) address: SocketAddr,
    /// Browsers reach it over TLS (by a proxy), so cookies are `Secure`.
    pub(crate) secure: bool,
    pub(crate) writes: Arc<Semaphore>,
    /// Idempotency keys whose first request is not answered yet; at most [`WRITES_MAX`].
    pub(crate) answering: Mutex<HashSet<Scope>>,
    /// How messages are sent.
    pub(crate) messages: message::Settings,
    /// Called when there is something to send.
    pub(crate) outbox: Notify,
    /// Failed logins by address.
    pub(crate) logins: Attempts<IpAddr>,
    /// Wrong tokens of customers' links, by address.
    pub(crate) guesses: Attempts<IpAddr>,
    /// What customers said, by address.
    pub(crate) said: Attempts<IpAddr>,
    /// Open streams by id of their customer's link.
    pub(crate) watching: Mutex<HashMap<String, usize>>,
    /// Failed logins by account.
    pub(crate) accounts: Attempts<[u8; 32]>,
    /// Passwords that are checked at a time.
    pub(crate) hashes: Semaphore,
    /// Turns true when the api stops: streams end.
    pub(crate) closing: watch::Sender<bool>,
    pub(crate) streams: AtomicUsize,
    /// When an append last failed and last succeeded, microseconds.
    pub(crate) appends: (AtomicI64, AtomicI64),
}

/// Shared by all handlers.
pub(crate) type Shared = Arc<App>;

impl App {
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
    /// An append has ended: readiness follows it.
    pub(crate) fn appended(&self, good: bool) {
        let (failed, succeeded) = &self.appends;
        let now = self.now().micros();
        if good {
            succeeded.store(now, Ordering::Relaxed);
        } else {
            failed.store(now, Ordering::Relaxed);
        }
    }
    /// Why it cannot do its work.
    pub(crate) fn ready(&self) -> Result<(), String> {
        if !self.live.caught_up() {
            return Err("the live view is still being read".into());
        }
        let (now, as_of) = (self.now(), self.live.as_of());
        let behind = now.seconds_since(as_of);
        if behind > BEHIND_S_MAX {
            return Err(format!("the live view is {behind:.0} s behind"));
        }
        let (failed, succeeded) = &self.appends;
        let (failed, succeeded) =
            (failed.load(Ordering::Relaxed), succeeded.load(Ordering::Relaxed));
        let since = now.seconds_since(Timestamp::from_micros(failed));
        if failed > succeeded && since < FAILED_S {
            return Err("the log does not take what is appended".into());
        }
        Ok(())
    }
    pub(crate) fn cookie_name(&self) -> &'static str {
        cookie_name(self.secure)
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("address", &self.address).finish_non_exhaustive()
    }
}

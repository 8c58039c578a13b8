//! The shards of one process, each on its own thread.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ingest::log::{Clock, Log};
use ingest::time::Timestamp;
use tracing::{error, info, warn};

use super::aggregator::Aggregator;
use super::metrics::Metrics;
use super::shard::{Shard, Turn};
use super::worlds::Worlds;
use super::{EngineError, Settings};

/// How long a shard waits for records; also how soon it hears that it shall stop.
const POLL_WAIT: Duration = Duration::from_millis(50);
/// A shard that has not finished a turn for this long, seconds, is not ready.
const TURN_MAX_S: f64 = 3.0;
/// A shard that ended by a defect starts anew after this.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// The aggregator looks for closures and paths this often.
const TRAFFIC_EVERY: Duration = Duration::from_millis(100);
/// Time for draining; the process has 10 s for everything.
const DRAIN_WITHIN: Duration = Duration::from_secs(8);

/// What a shard says of itself.
#[derive(Debug)]
struct Status {
    turned_at: Timestamp,
    trouble: Option<String>,
}

struct Running {
    thread: JoinHandle<Result<(), EngineError>>,
    status: Arc<Mutex<Status>>,
}

/// The running shards of one process.
pub struct Engine {
    shards: Vec<Running>,
    traffic: JoinHandle<()>,
    stopping: Arc<AtomicBool>,
    clock: Clock,
    metrics: Metrics,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Joins the group with every shard and starts stepping. Fails only if the log's topics do
    /// not fit; a log that does not answer is waited for (see [`Engine::ready`]).
    #[expect(clippy::needless_pass_by_value, reason = "the engine keeps its own handle")]
    pub fn start(log: Arc<dyn Log>, settings: Settings, clock: Clock) -> Result<Self, EngineError> {
        let metrics = Metrics::default();
        let settings = Arc::new(settings);
        let (model, policy) = (&settings.model, &settings.policy);
        let worlds = Worlds::new(Arc::clone(&log), settings.maps.clone(), model, policy);
        let worlds = Arc::new(worlds.for_threads(settings.shards));
        Shard::check(&*log)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let mut shards = Vec::new();
        for number in 0..settings.shards.max(1) {
            let status = Status { turned_at: clock(), trouble: Some("starting".to_owned()) };
            let status = Arc::new(Mutex::new(status));
            let shard = Seat {
                log: Arc::clone(&log),
                number,
                settings: Arc::clone(&settings),
                clock: Arc::clone(&clock),
                metrics: metrics.clone(),
                worlds: Arc::clone(&worlds),
                status: Arc::clone(&status),
                stopping: Arc::clone(&stopping),
            };
            let name = format!("shard-{number}");
            let started = thread::Builder::new().name(name).spawn(move || shard.run());
            let thread = started.map_err(EngineError::Thread)?;
            shards.push(Running { thread, status });
        }
        let aggregator = Aggregator::new(&log, &worlds, Arc::clone(&clock), &metrics);
        let told = Arc::clone(&stopping);
        let started = thread::Builder::new().name("traffic".to_owned());
        let traffic = started.spawn(move || make_traffic(aggregator, &told));
        let traffic = traffic.map_err(EngineError::Thread)?;
        Ok(Self { shards, traffic, stopping, clock, metrics })
    }

    /// What the shards count.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// `Err` says why not all inputs are being stepped now.
    pub fn ready(&self) -> Result<(), String> {
        let now = (self.clock)();
        for (number, shard) in self.shards.iter().enumerate() {
            let status = shard.status.lock().unwrap_or_else(PoisonError::into_inner);
            let since = now.seconds_since(status.turned_at);
            if let Some(trouble) = &status.trouble {
                return Err(format!("shard `{number}`: {trouble}"));
            }
            if shard.thread.is_finished() {
                return Err(format!("shard `{number}` has ended"));
            }
            if since > TURN_MAX_S {
                return Err(format!("shard `{number}` has been at one turn for `{since:.1}` s"));
            }
        }
        Ok(())
    }

    /// Steps every input that is already durable, writes checkpoints and ends the threads,
    /// within 8 s.
    pub fn stop(self) -> Result<(), EngineError> {
        self.stopping.store(true, Ordering::Relaxed);
        let mut first = Ok(());
        for shard in self.shards {
            let ended = shard.thread.join().unwrap_or(Ok(()));
            if first.is_ok() {
                first = ended;
            }
        }
        if self.traffic.join().is_err() {
            error!("the aggregator had panicked");
        }
        info!("engine stopped");
        first
    }
}

/// Turns until told to stop. A turn that fails or panics is followed by others: without traffic
/// vehicles are driven as before.
fn make_traffic(mut aggregator: Aggregator, stopping: &AtomicBool) {
    let mut failing = false;
    while !stopping.load(Ordering::Relaxed) {
        let turned = catch_unwind(AssertUnwindSafe(|| aggregator.turn()));
        let failed = match turned {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("panicked".to_owned()),
        };
        if let Some(reason) = &failed
            && !failing
        {
            warn!(reason, "no traffic is made");
        }
        failing = failed.is_some();
        thread::sleep(if failing { RESTART_PAUSE } else { TRAFFIC_EVERY });
    }
}

/// All that one shard's thread needs.
struct Seat {
    log: Arc<dyn Log>,
    number: usize,
    settings: Arc<Settings>,
    clock: Clock,
    metrics: Metrics,
    worlds: Arc<Worlds>,
    status: Arc<Mutex<Status>>,
    stopping: Arc<AtomicBool>,
}

impl Seat {
    /// Runs shards until told to stop: one that fails or panics is followed by another. Only
    /// [`EngineError::TooManyAside`] and a strict difference end it.
    fn run(&self) -> Result<(), EngineError> {
        loop {
            let ended = catch_unwind(AssertUnwindSafe(|| self.shard()));
            match ended {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error @ (EngineError::TooManyAside { .. } | EngineError::Recover(_)))) => {
                    error!(shard = self.number, %error, "shard stops");
                    self.say(Some(error.to_string()));
                    return Err(error);
                }
                Ok(Err(error)) if self.is_stopping() => return Err(error),
                Ok(Err(error)) => {
                    self.say(Some(error.to_string()));
                }
                Err(_) => {
                    error!(shard = self.number, "shard panicked, starting anew");
                    self.say(Some("ended by a defect, starting anew".to_owned()));
                }
            }
            self.metrics.restarts.inc();
            thread::sleep(RESTART_PAUSE);
        }
    }

    fn shard(&self) -> Result<(), EngineError> {
        let clock = Arc::clone(&self.clock);
        let shared = (&self.metrics, Arc::clone(&self.worlds));
        let mut shard = Shard::with_worlds(&self.log, self.number, &self.settings, clock, shared)?;
        // The first turn may bring partitions: not ready before it.
        while !self.is_stopping() {
            let turn = shard.turn(POLL_WAIT)?;
            self.say(shard.trouble());
            if let Turn::Pause(pause) = turn {
                thread::sleep(pause.min(POLL_WAIT));
            }
        }
        shard.drain(DRAIN_WITHIN)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn say(&self, trouble: Option<String>) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.turned_at = (self.clock)();
        status.trouble = trouble;
    }
}

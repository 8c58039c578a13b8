//! The roles of a process: which parts run, on which log, where they listen, how they end.
//!
//! One role or all of them: `run` and `demo` start every part in one process, `gateway`, `engine`
//! and `api` one each over Kafka. All end the same way: the door closes and answers what is
//! durable, the engine steps what is durable, the api tells it, within [`STOP_LIMIT`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use api::analytics::rollups::Maker;
use api::archive::{Archiver, Settings as KeepSettings};
use api::ops::{Checks, Ops, Readiness};
use api::{Api, ArchiveMetrics, ArchiveSettings, Settings as ApiSettings};
use engine::runtime::{Engine, Maps, Settings as EngineSettings};
use gateway::Gateway;
use ingest::id::TenantId;
use ingest::log::Log;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tracing::{error, info};

use crate::clock;
use crate::config::Config;

/// A stop takes at most this long (contract §3).
pub const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Where queries spill, under the data directory.
pub const SPILL: &str = "spill";
/// How long the door waits for the engine at the start.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// How often the engine is asked meanwhile.
const READY_PAUSE: Duration = Duration::from_millis(20);

/// What the door of a process is like.
#[derive(Debug, Clone, Default)]
pub struct Door {
    /// `--listen` flags.
    pub listen: Vec<String>,
    /// Unknown devices become this tenant's.
    pub register_unknown: Option<TenantId>,
}

/// What the engine of a process is like.
#[derive(Debug, Clone)]
pub struct Meaning {
    /// Road map or folder of them.
    pub map: PathBuf,
    /// Stable name of this process.
    pub instance: String,
}

/// What the api of a process is like.
#[derive(Debug, Clone)]
pub struct Answers {
    /// Where operations data lives.
    pub data: PathBuf,
    /// `--listen` flags.
    pub listen: Vec<String>,
    /// Open mode for this tenant.
    pub open: Option<TenantId>,
    /// The map, to refuse stops in the sea.
    pub map: Option<PathBuf>,
    /// Answers queries over the archive, in a data directory or as configured.
    pub queries: bool,
}

/// What the archive of a process is like.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// Data directory that it lies in, unless it is configured to lie elsewhere.
    pub data: Option<PathBuf>,
    /// Stable name of this process.
    pub instance: String,
}

/// The parts to run.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The door.
    pub gateway: Option<Door>,
    /// Meaning.
    pub engine: Option<Meaning>,
    /// The HTTP API.
    pub api: Option<Answers>,
    /// The archive.
    pub archive: Option<Keeping>,
    /// Where health and metrics listen; `None`: as configured.
    pub ops: Vec<String>,
}

/// A running process.
pub struct Process {
    gateway: Option<Gateway>,
    engine: Option<Arc<Mutex<Option<Engine>>>>,
    api: Option<Api>,
    archive: Option<Archiver>,
    ops: Ops,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("gateway", &self.gateway).finish_non_exhaustive()
    }
}

impl Process {
    /// Starts the parts: the engine first, the door last, so that nothing is accepted before
    /// somebody can make sense of it.
    pub async fn start(parts: Parts, config: &Config, log: Arc<dyn Log>) -> anyhow::Result<Self> {
        let mut registry = Registry::default();
        let mut ready: Vec<(&'static str, Readiness)> = Vec::new();
        let engine = match &parts.engine {
            Some(meaning) => {
                let engine = start_engine(meaning, config, &log).await?;
                engine.metrics().register(&mut registry);
                let shared = Arc::new(Mutex::new(Some(engine)));
                let watched = Arc::clone(&shared);
                ready.push(("engine", Box::new(move || engine_ready(&watched))));
                Some(shared)
            }
            None => None,
        };
        let kept = ArchiveMetrics::default();
        kept.register(&mut registry);
        let archive = match &parts.archive {
            Some(keeping) => start_archive(keeping, config, &log, &kept).await?,
            None => None,
        };
        if let Some(archive) = &archive {
            ready.push(("archive", Box::new(archive.readiness())));
        }
        let api = match &parts.api {
            Some(answers) => {
                let metrics = api::Metrics::default();
                metrics.register(&mut registry);
                let api = start_api(answers, config, &log, (metrics, kept)).await?;
                ready.push(("api", Box::new(api.readiness())));
                Some(api)
            }
            None => None,
        };
        let gateway = match parts.gateway {
            Some(door) => {
                if let Some(engine) = &engine {
                    until_ready(engine).await;
                }
                let metrics = gateway::Metrics::default();
                metrics.register(&mut registry);
                let gateway = start_gateway(door, config, &log, &metrics).await?;
                ready.push(("gateway", Box::new(gateway.readiness())));
                Some(gateway)
            }
            None => None,
        };
        let place = config.role_socket("ops", &parts.ops)?;
        let keys = parts.api.map(|a| a.data);
        let ops = Ops::start(place, Checks { ready, registry, keys }).await?;
        Ok(Self { gateway, engine, api, archive, ops })
    }

    /// Every open socket, as the contract's one line says it.
    pub fn listening(&self) -> Value {
        let mut sockets = Vec::new();
        for socket in self.gateway.iter().flat_map(Gateway::listening) {
            let mut shown = json!({
                "role": "gateway",
                "protocol": socket.name,
                "transport": socket.transport.name(),
                "address": socket.address.to_string(),
            });
            if socket.tls {
                shown["tls"] = true.into();
            }
            sockets.push(shown);
        }
        let http = |role: &str, address: SocketAddr| json!({"role": role, "transport": "http", "address": address.to_string()});
        sockets.extend(self.api.iter().map(|api| http("api", api.listening())));
        for (transport, address) in self.api.iter().flat_map(Api::doors) {
            sockets.push(json!({
                "role": "api", "transport": transport, "address": address.to_string(),
            }));
        }
        sockets.push(http("ops", self.ops.address()));
        json!({
            "listening": sockets,
            "process": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
        })
    }

    /// Reads again what may change while it runs: the door's certificates.
    pub fn reload(&self) -> impl Fn() + Send + Sync + 'static {
        let door = self.gateway.as_ref().map(Gateway::reload);
        move || {
            if let Some(reload) = &door {
                reload();
            }
        }
    }

    /// Where the api listens.
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(Api::listening)
    }

    /// The admin key that the first start made; shown once.
    pub fn first_key(&self) -> Option<&str> {
        self.api.as_ref().and_then(Api::first_key)
    }

    /// Ends every part in good order.
    ///
    /// # Errors
    /// When something accepted could not be stepped in time; it is durable all the same.
    pub async fn stop(self) -> anyhow::Result<()> {
        if let Some(gateway) = self.gateway {
            gateway.stop().await;
        }
        let stopped = match self.engine.and_then(|engine| take(&engine)) {
            Some(engine) => tokio::task::spawn_blocking(move || engine.stop()).await?,
            None => Ok(()),
        };
        if let Some(archive) = self.archive {
            tokio::task::spawn_blocking(move || archive.stop()).await?;
        }
        if let Some(api) = self.api {
            api.stop().await;
        }
        self.ops.stop().await;
        stopped.context("stop the engine")
    }
}

/// Waits until every partition has its World, so that nothing is stepped without a map. After
/// [`READY_LIMIT`] the door opens all the same: what it takes is durable and stepped later.
async fn until_ready(engine: &Mutex<Option<Engine>>) {
    let until = clock::monotonic() + READY_LIMIT;
    while let Err(reason) = engine_ready(engine) {
        if clock::monotonic() > until {
            tracing::warn!(reason, "the door opens before the engine is ready");
            return;
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
}

fn take(engine: &Mutex<Option<Engine>>) -> Option<Engine> {
    engine.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn engine_ready(engine: &Mutex<Option<Engine>>) -> Result<(), String> {
    match engine.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        Some(engine) => engine.ready(),
        None => Err("it is stopping".into()),
    }
}

async fn start_engine(
    meaning: &Meaning,
    config: &Config,
    log: &Arc<dyn Log>,
) -> anyhow::Result<Engine> {
    let map = meaning.map.clone();
    let maps = tokio::task::spawn_blocking(move || Maps::open(&map)).await??;
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let shards = match config.engine.shards {
        0 => processors.div_ceil(2),
        shards => shards,
    };
    let settings = EngineSettings {
        instance: meaning.instance.clone(),
        shards,
        maps,
        model: config.eta.clone(),
        policy: config.policy.clone(),
        accept_loss: config.engine.accept_loss,
        ..EngineSettings::default()
    };
    let log = Arc::clone(log);
    let engine =
        tokio::task::spawn_blocking(move || Engine::start(log, settings, clock::wall())).await??;
    Ok(engine)
}

async fn start_api(
    answers: &Answers,
    config: &Config,
    log: &Arc<dyn Log>,
    (metrics, kept): (api::Metrics, ArchiveMetrics),
) -> anyhow::Result<Api> {
    let road = match &answers.map {
        Some(map) => Maps::open(map)?.newest(),
        None => None,
    };
    let settings = ApiSettings {
        listen: config.role_socket("api", &answers.listen)?,
        data: answers.data.clone(),
        open: answers.open.clone(),
        road,
        secure: config.api.secure,
        messages: config.messages(),
        metrics,
        archive: if answers.queries { queries(answers, config, kept)? } else { None },
    };
    Ok(Api::start(settings, Arc::clone(log), clock::wall()).await?)
}

/// The archive that queries are over, and what they may use.
fn queries(
    answers: &Answers,
    config: &Config,
    metrics: ArchiveMetrics,
) -> anyhow::Result<Option<ArchiveSettings>> {
    let Some(store) = config.archive(Some(&answers.data))? else { return Ok(None) };
    let spill = answers.data.join(SPILL);
    make_private(&spill)?;
    let doors = config.doors(&answers.listen)?;
    Ok(Some(ArchiveSettings { store, limits: config.query_limits(&spill), doors, metrics }))
}

async fn start_archive(
    keeping: &Keeping,
    config: &Config,
    log: &Arc<dyn Log>,
    metrics: &ArchiveMetrics,
) -> anyhow::Result<Option<Archiver>> {
    let Some(store) = config.archive(keeping.data.as_deref())? else { return Ok(None) };
    let spill = match &keeping.data {
        Some(data) => data.join(SPILL),
        None => std::env::temp_dir().join("milepost-spill"),
    };
    make_private(&spill)?;
    let rollups = Maker::new(store.clone(), &config.query_limits(&spill))?;
    let settings = KeepSettings {
        store,
        derive: Some(Arc::new(rollups)),
        instance: keeping.instance.clone(),
        flush_s: config.archive.flush_s,
        keep: config.keep(),
        metrics: metrics.clone(),
    };
    Ok(Some(Archiver::start(Arc::clone(log), settings, clock::wall()).await?))
}

async fn start_gateway(
    door: Door,
    config: &Config,
    log: &Arc<dyn Log>,
    metrics: &gateway::Metrics,
) -> anyhow::Result<Gateway> {
    let settings = gateway::Settings {
        listen: config.sockets(&door.listen)?,
        limits: config.limits()?,
        proxies: config.proxies()?,
        register_unknown: door.register_unknown,
        sockets: config.door_sockets(),
    };
    let open = settings.register_unknown.is_some()
        && settings.listen.iter().any(|l| !l.address.ip().is_loopback());
    if open {
        tracing::warn!("unknown devices register themselves on an address others can reach");
    }
    Ok(Gateway::start(settings, Arc::clone(log), clock::wall(), metrics).await?)
}

/// Makes the folder of an installation, readable by its owner alone.
///
/// # Errors
/// When it cannot be made.
pub fn make_private(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("make data directory `{}`", dir.display()))
}

/// Runs the parts until SIGTERM or SIGINT, and says where they listen in one line on stdout.
///
/// # Errors
/// When a part does not start or does not end in good order.
pub fn run_until_stopped(parts: Parts, config: &Config, log: Arc<dyn Log>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stopped = runtime.block_on(async {
        let process = Process::start(parts, config, log).await?;
        announce(&process);
        tokio::select! {
            stopped = stop_signal() => stopped?,
            failed = on_hangup(process.reload()) => failed?,
        }
        info!("stopping");
        match tokio::time::timeout(STOP_LIMIT, process.stop()).await {
            Ok(stopped) => stopped,
            Err(_elapsed) => {
                error!("stopping took longer than {} s", STOP_LIMIT.as_secs());
                anyhow::bail!("stopping took longer than {} s", STOP_LIMIT.as_secs())
            }
        }
    });
    // Threads that wait for a log that does not answer must not hold the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    stopped
}

fn announce(process: &Process) {
    if let Some(key) = process.first_key() {
        eprintln!("milepost: the first start made this admin key, shown once: {key}");
    }
    #[expect(clippy::print_stdout, reason = "the contract's one line")]
    {
        println!("{}", process.listening());
    }
}

/// Calls `reload` whenever SIGHUP comes; returns only when signals can not be had.
async fn on_hangup(reload: impl Fn()) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    while hangup.recv().await.is_some() {
        info!("reading certificates again");
        reload();
    }
    Ok(())
}

/// Returns on SIGTERM or SIGINT.
pub async fn stop_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

//! One file per command of the command line; each has `Args` and `run`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use ingest::id::TenantId;

pub mod archive;
pub mod backup;
#[cfg(feature = "ballista")]
pub mod ballista;
pub mod decode;
pub mod demo;
pub mod devices;
pub mod keys;
pub mod log;
pub mod map;
pub mod matching;
pub mod replay;
pub mod resource;
pub mod role;
pub mod route;
pub mod routes;
pub mod run;
pub mod simulate;
pub mod sql;
pub mod state;
pub mod topics;
pub mod vehicles;

/// From a tracker's packet to a kept delivery promise.
#[derive(Debug, Parser)]
#[command(name = "milepost", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Devices of a running API.
    Devices(devices::Args),
    /// Keys of programs.
    Keys(keys::Args),
    /// Routes of a running API.
    Routes(routes::Args),
    /// Vehicles of a running API.
    Vehicles(vehicles::Args),
    /// Show all of it: a synthetic town, 200 vans, orders, live ETAs.
    Demo(demo::Args),
    /// Run all roles in one process.
    Run(run::Args),
    /// Take devices' packets and make them durable (over Kafka).
    Gateway(role::GatewayArgs),
    /// Step every input: match, predict, alert (over Kafka).
    Engine(role::EngineArgs),
    /// Answer over HTTP (over Kafka).
    Api(role::ApiArgs),
    /// Keep every output for good, and look at what is kept.
    Archive(archive::Args),
    /// Ask SQL over what was archived and what was not yet.
    Sql(sql::Args),
    /// Be a part of a cluster that SQL runs on.
    #[cfg(feature = "ballista")]
    Ballista(ballista::Args),
    /// Copy a running installation.
    Backup(backup::Args),
    /// Decode protocol vectors from standard input, one answer line each.
    Decode(decode::Args),
    /// Look into the log.
    Log(log::Args),
    /// Step the inputs of a log again.
    Replay(replay::Args),
    /// Show what the engine holds of each vehicle.
    State(state::Args),
    /// Drive a fleet in real or simulated time and score what was made of it.
    Simulate(Box<simulate::Args>),
    /// Make or check the topics on a Kafka cluster.
    Topics(topics::Args),
    /// Match traces to the road.
    Match(matching::Args),
    /// Makes road maps and describes them.
    Map(map::Args),
    /// Finds the quickest way between two positions.
    Route(route::Args),
}

/// Where a process listens and what configures it.
#[derive(Debug, Clone, clap::Args)]
pub struct Sockets {
    /// `HOST:PORT` for every socket (port 0: free ones), or `NAME=HOST:PORT` for one protocol,
    /// `mqtt`, `any` (protocols are told apart by their first bytes), `api`, `flight`, `postgres`
    /// or `ops`; may be given several times
    #[arg(long, value_name = "[NAME=]HOST:PORT")]
    pub listen: Vec<String>,
    /// Where /livez, /readyz and /metrics listen
    #[arg(long, value_name = "HOST:PORT")]
    pub ops: Option<String>,
    /// Configuration file instead of milepost.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Sockets {
    /// All flags in one form.
    pub fn all(&self) -> Vec<String> {
        let ops = self.ops.iter().map(|place| format!("ops={place}"));
        self.listen.iter().cloned().chain(ops).collect()
    }
}

/// Reads a tenant's id.
fn tenant(text: &str) -> Result<TenantId, String> {
    TenantId::new(text).map_err(|e| e.to_string())
}

/// Runs one command.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Devices(args) => devices::run(args),
        Command::Keys(args) => keys::run(args),
        Command::Routes(args) => routes::run(args),
        Command::Vehicles(args) => vehicles::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Run(args) => run::run(args),
        Command::Gateway(args) => role::gateway(args),
        Command::Engine(args) => role::engine(args),
        Command::Api(args) => role::api(args),
        Command::Archive(args) => archive::run(args),
        Command::Sql(args) => sql::run(args),
        #[cfg(feature = "ballista")]
        Command::Ballista(args) => ballista::run(args),
        Command::Backup(args) => backup::run(args),
        Command::Decode(args) => decode::run(&args),
        Command::Log(args) => log::run(args),
        Command::Replay(args) => replay::run(&args),
        Command::State(args) => state::run(args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Topics(args) => topics::run(args),
        Command::Match(args) => matching::run(&args),
        Command::Map(args) => map::run(args),
        Command::Route(args) => route::run(args),
    }
}

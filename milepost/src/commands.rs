//! One file per command of the command line; each has `Args` and `run`.

use clap::{Parser, Subcommand};

pub mod backup;
pub mod decode;
pub mod devices;
pub mod keys;
pub mod log;
pub mod map;
pub mod matching;
pub mod replay;
pub mod resource;
pub mod route;
pub mod routes;
pub mod simulate;
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
    /// Makes or checks the topics on a Kafka cluster.
    Topics(topics::Args),
    /// Match traces to the road.
    Match(matching::Args),
    /// Makes road maps and describes them.
    Map(map::Args),
    /// Finds the quickest way between two positions.
    Route(route::Args),
}

/// Runs one command.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Devices(args) => devices::run(args),
        Command::Keys(args) => keys::run(args),
        Command::Routes(args) => routes::run(args),
        Command::Vehicles(args) => vehicles::run(args),
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

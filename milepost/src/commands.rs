//! One file per command of the command line; each has `Args` and `run`.

use clap::{Parser, Subcommand};

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
pub enum Command {}

/// Runs one command.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {}
}

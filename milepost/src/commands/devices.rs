//! `milepost devices …`: the API's devices, for scripts.

use super::resource::{Verb, run as run_verb};

/// List, get, put or delete devices.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// Runs it.
pub fn run(args: Args) -> anyhow::Result<()> {
    run_verb("devices", args.verb)
}

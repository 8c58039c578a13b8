//! `milepost routes …`: the API's routes, for scripts.

use super::resource::{Verb, run as run_verb};

/// List, get, put or delete routes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// Runs it.
pub fn run(args: Args) -> anyhow::Result<()> {
    run_verb("routes", args.verb)
}

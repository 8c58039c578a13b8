//! `milepost run`: all roles in one process.

use std::path::PathBuf;

use anyhow::Context as _;
use ingest::id::TenantId;

use super::{Sockets, tenant};
use crate::config::Config;
use crate::log;
use crate::roles::{Answers, Door, Keeping, Meaning, Parts, make_private, run_until_stopped};

/// Runs all roles in one process.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the disk log and the operations store; with --log of the latter alone
    #[arg(long)]
    data: PathBuf,
    /// Road map made by `milepost map build`, or a folder of them
    #[arg(long)]
    map: PathBuf,
    /// `kafka://HOST:PORT[,…]` instead of a log on disk
    #[arg(long)]
    log: Option<String>,
    /// Unknown devices register themselves as this tenant's, at most 10,000, for good
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    register_unknown: Option<TenantId>,
    /// Stable name of this process in the engine's group
    #[arg(long, default_value = "run")]
    instance: String,
    #[command(flatten)]
    sockets: Sockets,
}

/// Runs until SIGTERM.
pub fn run(args: Args) -> anyhow::Result<()> {
    let config = Config::load(args.sockets.config.as_deref())?;
    make_private(&args.data)?;
    let log = match &args.log {
        // A cluster that has never seen us gets its topics; one that has is checked.
        Some(place) => {
            log::prepare(place, &config)?;
            log::open(Some(&args.data), Some(place))
        }
        None => log::open(Some(&args.data), None),
    }
    .context("open the log")?;
    let listen = args.sockets.all();
    let parts = Parts {
        gateway: Some(Door { listen: listen.clone(), register_unknown: args.register_unknown }),
        engine: Some(Meaning { map: args.map.clone(), instance: args.instance.clone() }),
        archive: Some(Keeping { data: Some(args.data.clone()), instance: args.instance }),
        api: Some(Answers {
            data: args.data,
            listen: listen.clone(),
            open: None,
            map: Some(args.map),
            queries: true,
        }),
        ops: listen,
    };
    run_until_stopped(parts, &config, log)
}

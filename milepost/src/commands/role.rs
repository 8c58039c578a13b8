//! `milepost gateway`, `engine`, `api`: one role, over Kafka.

use std::path::PathBuf;

use ingest::id::TenantId;

use super::{Sockets, tenant};
use crate::config::Config;
use crate::log;
use crate::roles::{Answers, Door, Meaning, Parts, make_private, run_until_stopped};

/// Takes devices' packets and makes them durable.
#[derive(Debug, clap::Args)]
pub struct GatewayArgs {
    #[command(flatten)]
    at: At,
    /// Unknown devices register themselves as this tenant's, at most 10,000, for good
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    register_unknown: Option<TenantId>,
}

/// Steps every input: matches, predicts, alerts.
#[derive(Debug, clap::Args)]
pub struct EngineArgs {
    #[command(flatten)]
    at: At,
    /// Road map made by `milepost map build`, or a folder of them
    #[arg(long)]
    map: PathBuf,
}

/// Answers over HTTP.
#[derive(Debug, clap::Args)]
pub struct ApiArgs {
    #[command(flatten)]
    at: At,
    /// Folder of the operations store
    #[arg(long)]
    data: PathBuf,
    /// Road map, to refuse stops far from any road
    #[arg(long)]
    map: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct At {
    /// `kafka://HOST:PORT[,…]`
    #[arg(long)]
    log: String,
    /// Stable name of this process, unique in its role
    #[arg(long, default_value = "1")]
    instance: String,
    #[command(flatten)]
    sockets: Sockets,
}

impl At {
    fn run(&self, parts: Parts) -> anyhow::Result<()> {
        let config = Config::load(self.sockets.config.as_deref())?;
        let parts = Parts { ops: self.sockets.all(), ..parts };
        run_until_stopped(parts, &config, log::open(None, Some(&self.log))?)
    }
}

/// The door alone.
pub fn gateway(args: GatewayArgs) -> anyhow::Result<()> {
    let door = Door { listen: args.at.sockets.all(), register_unknown: args.register_unknown };
    args.at.run(Parts { gateway: Some(door), ..Parts::default() })
}

/// The engine alone.
pub fn engine(args: EngineArgs) -> anyhow::Result<()> {
    let meaning = Meaning { map: args.map, instance: args.at.instance.clone() };
    args.at.run(Parts { engine: Some(meaning), ..Parts::default() })
}

/// The api alone.
pub fn api(args: ApiArgs) -> anyhow::Result<()> {
    make_private(&args.data)?;
    let listen = args.at.sockets.all();
    let answers = Answers { data: args.data, listen, open: None, map: args.map, queries: true };
    args.at.run(Parts { api: Some(answers), ..Parts::default() })
}

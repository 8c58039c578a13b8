//! `milepost ballista`: a cluster that `milepost sql --engine ballista://HOST:PORT` runs on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use api::analytics::cluster::{Executor, executor, runtime, scheduler};
use clap::Subcommand;

use super::archive;
use crate::config::Config;
use crate::roles::{SPILL, make_private};

/// Its two parts. Both trust whoever reaches them: their ports belong on a network of their own.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Plans queries and gives their parts to executors
    Scheduler {
        /// Where it listens
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50050")]
        listen: SocketAddr,
        #[command(flatten)]
        archive: Archive,
    },
    /// Works on parts of queries
    Executor {
        /// Where others fetch its results; the port after it is the scheduler's
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50051")]
        listen: SocketAddr,
        /// Its scheduler
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50050")]
        scheduler: String,
        #[command(flatten)]
        archive: Archive,
    },
}

/// The archive that is asked about: the same place for every part.
#[derive(Debug, clap::Args)]
struct Archive {
    /// Directory that holds it, and what does not fit into memory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Another archive: folder, `file://…` or `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "URL")]
    out: Option<String>,
    /// Configuration file instead of milepost.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs `milepost ballista`.
///
/// # Errors
/// When there is no archive, an address is taken or no scheduler is there.
pub fn run(args: Args) -> anyhow::Result<()> {
    let runtime = runtime()?;
    match args.part {
        Part::Scheduler { listen, archive } => {
            runtime.block_on(scheduler(listen, archive.store()?))?;
        }
        Part::Executor { listen, scheduler, archive } => {
            let one = archive.executor(listen, &scheduler)?;
            runtime.block_on(executor(one, archive.store()?))?;
        }
    }
    Ok(())
}

impl Archive {
    fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    fn store(&self) -> anyhow::Result<api::archive::Store> {
        archive::store(self.out.as_deref(), Some(&self.data), self.config())
    }

    fn executor(&self, listen: SocketAddr, scheduler: &str) -> anyhow::Result<Executor> {
        let place = scheduler
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
        let Some(scheduler) = place else {
            anyhow::bail!("`--scheduler {scheduler}`: expected HOST:PORT");
        };
        let work = self.data.join(SPILL).join(format!("executor-{}", listen.port()));
        make_private(&work)?;
        let limits = Config::load(self.config())?.query_limits(&work);
        let threads = match limits.threads {
            0 => std::thread::available_parallelism()?.get(),
            threads => threads,
        };
        Ok(Executor { listen, scheduler, threads, memory_bytes: limits.memory_bytes, work })
    }
}

//! `milepost archive`: keeps every output for good; lists, reads and merges what is kept.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use api::archive::{Store, keep, verify};
use serde_json::json;

use super::Sockets;
use crate::clock;
use crate::config::Config;
use crate::log;
use crate::roles::{Keeping, Parts, run_until_stopped};

/// Keeps every output for good, and looks at what is kept.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Archive the outputs of a log until stopped.
    Run(Run),
    /// Every file that is listed, one line each.
    List(Where),
    /// Read every file: whether it is whole and every row there once.
    Verify(Where),
    /// Merge what can be merged, now.
    Compact(Where),
}

#[derive(Debug, clap::Args)]
struct Run {
    /// `kafka://HOST:PORT[,…]`
    #[arg(long)]
    log: String,
    /// Folder, `file://…` or `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "URL")]
    out: Option<String>,
    /// Stable name of this process, unique among archivers
    #[arg(long, default_value = "1")]
    instance: String,
    #[command(flatten)]
    sockets: Sockets,
}

#[derive(Debug, clap::Args)]
struct Where {
    /// Folder, `file://…` or `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "URL")]
    out: Option<String>,
    /// Data directory that holds the archive
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file instead of milepost.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Partitions of `outputs` that are asked for: as many as any log has.
const PARTITIONS_MAX: u32 = 48;

/// Runs `milepost archive …`.
///
/// # Errors
/// When there is no archive there, it cannot be read, or what is read is not whole.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.what {
        What::Run(run) => keep_up(run),
        What::List(at) => list(&at),
        What::Verify(at) => verify(&at),
        What::Compact(at) => compact(&at),
    }
}

fn keep_up(run: Run) -> anyhow::Result<()> {
    let mut config = Config::load(run.sockets.config.as_deref())?;
    config.archive.place = run.out.unwrap_or(config.archive.place);
    let archive = Some(Keeping { data: None, instance: run.instance });
    let parts = Parts { archive, ops: run.sockets.all(), ..Parts::default() };
    run_until_stopped(parts, &config, log::open(None, Some(&run.log))?)
}

/// The archive that `--out`, `--data` or the configuration names.
pub(super) fn store(
    out: Option<&str>,
    data: Option<&Path>,
    config: Option<&Path>,
) -> anyhow::Result<Store> {
    let mut config = Config::load(config)?;
    if let Some(out) = out {
        out.clone_into(&mut config.archive.place);
    }
    match config.archive(data)? {
        Some(store) => Ok(store),
        None => bail!("`archive.place` is `off`: expected a folder or a bucket"),
    }
}

impl Where {
    fn store(&self) -> anyhow::Result<Store> {
        store(self.out.as_deref(), self.data.as_deref(), self.config.as_deref())
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(work))
}

fn list(at: &Where) -> anyhow::Result<()> {
    let files = block_on(verify::list(&at.store()?, &clock::wall()))??;
    let mut out = io::stdout().lock();
    for file in files {
        writeln!(out, "{}", serde_json::to_string(&file)?).context("write to stdout")?;
    }
    Ok(())
}

fn verify(at: &Where) -> anyhow::Result<()> {
    let store = at.store()?;
    let found = block_on(verify::verify(&store, PARTITIONS_MAX, &clock::wall()))??;
    if found.is_empty() {
        bail!("there is no archive at `{}`", store.url());
    }
    let good = found.iter().all(verify::Found::is_good);
    let answer = json!({"archive": store.url().as_str(), "ok": good, "tables": found});
    writeln!(io::stdout(), "{answer}").context("write to stdout")?;
    if !good {
        bail!("the archive is not whole");
    }
    Ok(())
}

fn compact(at: &Where) -> anyhow::Result<()> {
    let store = at.store()?;
    let merged = block_on(keep::compact(&store, PARTITIONS_MAX, &clock::wall()))??;
    let answer = json!({"archive": store.url().as_str(), "merged_files": merged});
    writeln!(io::stdout(), "{answer}").context("write to stdout")
}

//! `milepost replay`: steps the inputs of a log again, appends nothing and tells nobody.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use engine::runtime::{Maps, Settings, Span, replay};
use ingest::time::{NotATime, Timestamp};
use serde_json::json;

use crate::log::open_reading;

/// Most threads that may be asked for; there are no more partitions on any log.
const SHARDS_MAX: u64 = 64;

/// Steps the inputs of a log again, up to the engine's committed offsets, and writes outputs and
/// states to a directory.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of a disk log.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Another log: `kafka://HOST:PORT[,…]`.
    #[arg(long, value_name = "LOG")]
    log: Option<String>,
    /// The road map, or a directory with all that the log names.
    #[arg(long, value_name = "FILE|DIR")]
    map: PathBuf,
    /// Where to: `outputs-NN.jsonl` and `states-NN.jsonl` of each partition.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only outputs of this time or later (RFC 3339), from the newest snapshot before it.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Only outputs of this time or earlier (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Threads; the result is the same with any number.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=SHARDS_MAX))]
    shards: u64,
}

fn time(text: &str) -> Result<Timestamp, NotATime> {
    Timestamp::parse(text)
}

/// Runs `milepost replay`; reads also while another process writes the log.
///
/// # Errors
/// When the log or a map cannot be read, inputs are gone, or the directory cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let map = &args.map;
    let maps = Maps::open(map).with_context(|| format!("open maps `{}`", map.display()))?;
    let log = open_reading(args.data.as_deref(), args.log.as_deref())?;
    let settings = Settings { maps, ..Settings::default() };
    let span = Span { from: args.from, to: args.to };
    let done = replay(&log, &settings, span, args.shards as usize, &args.out)?;
    let line =
        json!({"inputs": done.inputs, "outputs": done.outputs, "digest": done.digest}).to_string();
    writeln!(io::stdout().lock(), "{line}").context("write to standard output")
}

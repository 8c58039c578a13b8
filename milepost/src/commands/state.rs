//! `milepost state export`: every vehicle's state as of the engine's committed offsets.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use engine::runtime::{Maps, Settings, export_states};

use crate::log::open_reading;

/// Shows what the engine holds of each vehicle.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The committed offsets, every vehicle's state by key in canonical JSON, then a digest.
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Export {
    /// Directory of a disk log.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Another log: `kafka://HOST:PORT[,…]`.
    #[arg(long, value_name = "LOG")]
    log: Option<String>,
    /// The road map, or a directory with all that the log names.
    #[arg(long, value_name = "FILE|DIR")]
    map: PathBuf,
}

/// Runs `milepost state …`; reads also while another process writes the log.
///
/// # Errors
/// When the log or a map cannot be read, or inputs are gone that the states lack.
pub fn run(args: Args) -> anyhow::Result<()> {
    let What::Export(Export { data, log, map }) = args.what;
    let maps = Maps::open(&map).with_context(|| format!("open maps `{}`", map.display()))?;
    let log = open_reading(data.as_deref(), log.as_deref())?;
    let settings = Settings { maps, ..Settings::default() };
    let mut out = BufWriter::new(io::stdout().lock());
    export_states(&log, &settings, &mut out)?;
    out.flush().context("write to standard output")
}

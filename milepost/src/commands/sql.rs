//! `milepost sql`: a query over what was archived and what was not yet, beside a running process.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use api::analytics::{Analytics, Ask, Format};
use clap::builder::PossibleValuesParser;
use ingest::id::TenantId;

use super::{archive, tenant};
use crate::clock;
use crate::config::Config;
use crate::log::open_reading;
use crate::roles::{SPILL, make_private};

/// Asks SQL over what was archived and what was not yet.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One SELECT
    sql: String,
    /// How the rows are written: json is a line each
    #[arg(long, default_value = "json",
        value_parser = PossibleValuesParser::new(["json", "jsonl", "csv", "arrow", "parquet", "xlsx"]))]
    format: String,
    /// Whose rows
    #[arg(long, default_value = "main", value_parser = tenant)]
    tenant: TenantId,
    /// Directory of a disk log and its archive
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Another log: `kafka://HOST:PORT[,…]`
    #[arg(long, value_name = "LOG")]
    log: Option<String>,
    /// Another archive: folder, `file://…` or `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "URL")]
    out: Option<String>,
    /// Longest that it may run
    #[arg(long, value_name = "SECONDS", default_value_t = 1_800.0)]
    seconds: f64,
    /// Configuration file instead of milepost.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs `milepost sql`.
///
/// # Errors
/// When there is no log or archive, or the query is not answered.
pub fn run(args: Args) -> anyhow::Result<()> {
    let config = Config::load(args.config.as_deref())?;
    let log = open_reading(args.data.as_deref(), args.log.as_deref())?;
    let store = archive::store(args.out.as_deref(), args.data.as_deref(), args.config.as_deref())?;
    let spill = match &args.data {
        Some(data) => data.join(SPILL),
        None => std::env::temp_dir().join("milepost-spill"),
    };
    make_private(&spill)?;
    // One document or lines on stdout: rows are lines.
    let name = if args.format == "json" { "jsonl" } else { &args.format };
    let format = Format::from_name(name).context("format is one of the listed")?;
    let ask = Ask { id: None, sql: args.sql, format, rows: None, seconds: args.seconds };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let limits = config.query_limits(&spill);
        let operations = args.data.as_deref();
        let analytics = Analytics::once(limits, store, (log, clock::wall()), operations).await?;
        let mut answer = Arc::new(analytics).ask(&args.tenant, ask).await?;
        let mut out = io::stdout().lock();
        while let Some(piece) = answer.pieces.recv().await {
            match out.write_all(&piece?) {
                // Whoever reads has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                other => other.context("write to stdout")?,
            }
        }
        out.flush().context("write to stdout")
    })
}

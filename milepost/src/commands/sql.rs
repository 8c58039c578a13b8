//! `milepost sql`: a query over what was archived and what was not yet, beside a running process.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use api::analytics::{Analytics, Ask, Format, Limits};
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
    /// Ask about Parquet files of one's own instead: each folder is a table
    #[arg(long = "table", value_name = "NAME=FOLDER", value_parser = table,
        conflicts_with_all = ["data", "log", "out"])]
    tables: Vec<(String, PathBuf)>,
    /// Where it runs instead of here: on a cluster, `ballista://HOST:PORT`, over what is archived
    #[arg(long, value_name = "ENGINE", value_parser = scheduler, conflicts_with_all = ["tables", "log"])]
    engine: Option<String>,
    /// Ask so many times, and say what each took on stderr
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    times: Option<u32>,
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
    let spill = match &args.data {
        Some(data) => data.join(SPILL),
        None => std::env::temp_dir().join("milepost-spill"),
    };
    make_private(&spill)?;
    // One document or lines on stdout: rows are lines.
    let name = if args.format == "json" { "jsonl" } else { &args.format };
    let format = Format::from_name(name).context("format is one of the listed")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let analytics = Arc::new(runtime.block_on(analytics(&args, config.query_limits(&spill)))?);
    let ask = Ask { id: None, sql: args.sql, format, rows: None, seconds: args.seconds };
    let Some(times) = args.times else {
        let mut out = io::stdout().lock();
        return runtime.block_on(answer(&analytics, &args.tenant, ask, &mut out));
    };
    for time in 1..=times {
        let (began, before) = (clock::monotonic(), processor());
        // What it answers is written once.
        let mut out: Box<dyn io::Write> =
            if time == times { Box::new(io::stdout().lock()) } else { Box::new(io::sink()) };
        runtime.block_on(answer(&analytics, &args.tenant, ask.clone(), &mut out))?;
        let spent = match (before, processor()) {
            (Some(before), Some(after)) => format!("{:.3} ms of processor, ", after - before),
            _ => String::new(),
        };
        let all = began.elapsed().as_secs_f64() * 1e3;
        eprintln!("{time} of {times}: {spent}{all:.3} ms in all");
    }
    Ok(())
}

async fn analytics(args: &Args, limits: Limits) -> anyhow::Result<Analytics> {
    if !args.tables.is_empty() {
        return Ok(Analytics::over_files(limits, &args.tables, clock::wall()()).await?);
    }
    if let Some(scheduler) = &args.engine {
        #[cfg(feature = "ballista")]
        return on_cluster(args, limits, scheduler).await;
        #[cfg(not(feature = "ballista"))]
        anyhow::bail!(
            "`--engine ballista://{scheduler}`: this milepost knows no clusters, expected one that \
             was built with `--features ballista`"
        );
    }
    let log = open_reading(args.data.as_deref(), args.log.as_deref())?;
    let store = archive::store(args.out.as_deref(), args.data.as_deref(), args.config.as_deref())?;
    Ok(Analytics::once(limits, store, (log, clock::wall()), args.data.as_deref()).await?)
}

#[cfg(feature = "ballista")]
async fn on_cluster(args: &Args, limits: Limits, scheduler: &str) -> anyhow::Result<Analytics> {
    let store = archive::store(args.out.as_deref(), args.data.as_deref(), args.config.as_deref())?;
    Ok(Analytics::on_cluster(limits, store, scheduler, &clock::wall()).await?)
}

async fn answer(
    analytics: &Arc<Analytics>,
    tenant: &TenantId,
    ask: Ask,
    out: &mut dyn io::Write,
) -> anyhow::Result<()> {
    let mut answer = analytics.ask(tenant, ask).await?;
    while let Some(piece) = answer.pieces.recv().await {
        match out.write_all(&piece?) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            other => other.context("write to stdout")?,
        }
    }
    out.flush().context("write to stdout")
}

/// `HOST:PORT` of `ballista://HOST:PORT`.
fn scheduler(text: &str) -> Result<String, String> {
    match text.strip_prefix("ballista://").and_then(|place| place.rsplit_once(':')) {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(format!("{host}:{port}"))
        }
        _ => Err("expected ballista://HOST:PORT".to_owned()),
    }
}

fn table(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, folder)) if !name.is_empty() && !folder.is_empty() => {
            Ok((name.to_owned(), folder.into()))
        }
        _ => Err("expected NAME=FOLDER".to_owned()),
    }
}

/// Processor time of this process's threads so far, milliseconds; where the system tells (Linux).
fn processor() -> Option<f64> {
    let nanos = |thread: std::fs::DirEntry| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    Some(threads.flatten().filter_map(nanos).sum::<f64>() / 1e6)
}

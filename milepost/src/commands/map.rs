//! `milepost map`: makes a map from an OpenStreetMap extract, and says what is in one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Subcommand;
use engine::road::{Road, import};
use serde_json::json;

/// Makes road maps and describes them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a map from an OpenStreetMap extract and describes it.
    Build {
        /// The extract (.osm.pbf).
        source: PathBuf,
        /// The map to write (.mpr); one that is there is replaced.
        target: PathBuf,
    },
    /// Describes a map.
    Info {
        /// The map (.mpr).
        map: PathBuf,
        /// Read the whole file and compare every section with its checksum.
        #[arg(long)]
        verify: bool,
    },
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.action {
        Action::Build { source, target } => {
            let same = fs::canonicalize(&source).ok() == fs::canonicalize(&target).ok();
            ensure!(
                !same || !target.exists(),
                "map `{}` is its own source, expected another file to write to",
                target.display()
            );
            import::build(&source, &target)?;
            describe(&target)
        }
        Action::Info { map, verify } => {
            if verify {
                Road::verify(&map)?;
            }
            describe(&map)
        }
    }
}

/// One JSON document about a map and what this process used to make or read it.
fn describe(map: &Path) -> anyhow::Result<()> {
    let road = Road::open(map)?;
    let summary = road.summary();
    let (least, most) = summary.corners();
    let document = json!({
        "map": map.display().to_string(),
        "hash": road.hash(),
        "nodes": road.nodes(),
        "edges": road.edges(),
        "turns": road.turns(),
        "restrictions": summary.restrictions,
        "restrictions_unused": summary.restrictions_unused,
        "restrictions_conditional": summary.restrictions_conditional,
        "areas": road.areas().count(),
        "bbox": [least.lng, least.lat, most.lng, most.lat],
        "bytes": road.bytes(),
        "cpu_seconds": cpu_seconds()?,
        "peak_bytes": peak_bytes()?,
    });
    #[expect(clippy::print_stdout, reason = "the answer of a command is its standard output")]
    {
        println!("{document}");
    }
    Ok(())
}

/// CPU seconds of this process, user and system, from `/proc/self/stat`, fields 14 and 15, in
/// ticks of 1/100 s, the one value Linux uses on every processor.
fn cpu_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("read `/proc/self/stat`")?;
    // Field 2 is the name in parentheses and may hold spaces.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: u64 = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(ticks as f64 / 100.0)
}

/// Most memory this process had at any time: `VmHWM` of `/proc/self/status`.
fn peak_bytes() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("read `/proc/self/status`")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.context("no `VmHWM` in `/proc/self/status`")? * 1024)
}

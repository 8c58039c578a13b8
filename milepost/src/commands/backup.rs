//! `milepost backup`: a consistent copy of a running installation.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::log::disk::{LOG_FILE, copy, prepare};

/// The operations store inside a data directory.
const OPERATIONS_FILE: &str = "ops.sqlite";

/// Copies a data directory, also while another process uses it; the copy is a data directory.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Directory for the copy; must be new or empty.
    out: PathBuf,
}

/// Runs `milepost backup`.
///
/// # Errors
/// When there is no log, the copy's directory is not empty, or the disk has no room for it.
pub fn run(args: Args) -> anyhow::Result<()> {
    let Args { data, out } = args;
    let answer = backup(&data, &out)?;
    writeln!(io::stdout(), "{answer}").context("write to stdout")
}

/// Copies first the operations store, where there is one, then the log: what the store knows of a
/// plan is on the log later, never earlier.
///
/// # Errors
/// As [`run`].
pub fn backup(data: &Path, out: &Path) -> anyhow::Result<Value> {
    if !data.join(LOG_FILE).exists() {
        bail!("`{}` holds no log: expected `{LOG_FILE}`", data.display());
    }
    if out.exists()
        && out.read_dir().with_context(|| format!("read `{}`", out.display()))?.next().is_some()
    {
        bail!("`{}` is not empty: expected a new or empty directory", out.display());
    }
    prepare(out)?;
    let mut files = Vec::new();
    for name in [OPERATIONS_FILE, LOG_FILE] {
        let from = data.join(name);
        if from.exists() {
            let bytes = copy(&from, &out.join(name))
                .with_context(|| format!("copy `{}`", from.display()))?;
            files.push(json!({"name": name, "bytes": bytes}));
        }
    }
    Ok(json!({"out": out.display().to_string(), "files": files}))
}

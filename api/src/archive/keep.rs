//! Keeping an archive in shape: small files of an hour are merged, old rows let go, files that
//! nobody lists any more deleted.
//!
//! A merge reads sorted files side by side and writes them as one: memory is a row group and a
//! batch of each file. It changes no row, so it may lose to any other commit and be tried later.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures_util::StreamExt as _;
use ingest::log::Clock;
use ingest::time::Timestamp;

use super::ArchiveError;
use super::delta::{Delta, Listed};
use super::file::{Hour, NewFile, Writer};
use super::scan::Scan;
use super::schema::Table;
use super::store::Store;

/// Files of an hour that is still being filled are merged when there are so many.
const MANY: usize = 16;
/// Most files of one merge.
const MERGED_MAX: usize = 64;
/// A file of so many bytes is large enough.
const LARGE: u64 = 128 << 20;
/// An hour that began so long ago is filled no more, but for what comes late.
const FILLED_S: f64 = 2.0 * 3_600.0;
/// Seconds of a day.
const DAY_S: f64 = 86_400.0;
/// How often unlisted files are looked for, seconds.
const VACUUM_EVERY_S: f64 = 3_600.0;

/// How long which rows are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// By table the days that its rows are kept; 0: for ever.
    pub days: BTreeMap<Table, u32>,
    /// Days that files no version lists any more are kept, for readers of older versions.
    pub unlisted_days: u32,
}

impl Default for Rules {
    /// Raw positions and paths for 90 days, what was promised and happened for ever.
    fn default() -> Self {
        let days =
            [(Table::Positions, 90), (Table::Paths, 90), (Table::Etas, 0), (Table::Events, 0)];
        Self { days: days.into(), unlisted_days: 7 }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Files that were merged.
    pub merged: u64,
    /// Rows that were let go.
    pub retired_rows: u64,
    /// Files that were deleted.
    pub deleted: u64,
}

/// One merge, if there is one to make; what is too old; once an hour what nobody lists.
pub(crate) async fn step(
    delta: &mut Delta,
    rules: &Rules,
    now: Timestamp,
) -> Result<Kept, ArchiveError> {
    let mut kept = Kept::default();
    delta.refresh().await?;
    let listing = delta.listing();
    if let Some(small) = to_merge(&listing.files, now) {
        kept.merged = merge(delta, &small).await?;
    }
    let days = rules.days.get(&delta.table()).copied().unwrap_or(0);
    if days > 0 {
        let oldest = Hour::of(now.plus_seconds(-f64::from(days) * DAY_S).micros());
        let old: Vec<Listed> =
            listing.files.iter().filter(|file| file.hour < oldest).cloned().collect();
        if !old.is_empty() && delta.replace(&old, &[]).await? {
            kept.retired_rows = old.iter().map(|file| file.about.rows).sum();
        }
    }
    if now.seconds_since(delta.vacuumed_at()) >= VACUUM_EVERY_S {
        let days = chrono::Duration::days(rules.unlisted_days.into());
        kept.deleted = delta.vacuum(days, now).await? as u64;
    }
    Ok(kept)
}

/// Merges everything that can be merged now; how many files were. For `archive compact`.
pub async fn compact(store: &Store, partitions: u32, clock: &Clock) -> Result<u64, ArchiveError> {
    let mut merged = 0;
    for table in Table::ALL {
        if let Some(mut delta) = Delta::existing(store, table, partitions, clock).await? {
            merged += all(&mut delta, clock()).await?.merged;
        }
    }
    Ok(merged)
}

async fn all(delta: &mut Delta, now: Timestamp) -> Result<Kept, ArchiveError> {
    let mut kept = Kept::default();
    loop {
        delta.refresh().await?;
        let listing = delta.listing();
        // As if every hour were over.
        let later = now.plus_seconds(FILLED_S + 3_600.0);
        let Some(small) = to_merge(&listing.files, later) else { return Ok(kept) };
        kept.merged += merge(delta, &small).await?;
    }
}

/// The small files of the oldest hour that has too many of them.
fn to_merge(files: &[Listed], now: Timestamp) -> Option<Vec<Listed>> {
    let mut hours: BTreeMap<Hour, Vec<&Listed>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.size < LARGE / 2) {
        hours.entry(file.hour).or_default().push(file);
    }
    let many = |(hour, files): &(Hour, Vec<&Listed>)| {
        let filled = now.seconds_since(hour.begins()) >= FILLED_S;
        files.len() >= if filled { 2 } else { MANY }
    };
    let (_, small) = hours.into_iter().find(many)?;
    Some(small.into_iter().take(MERGED_MAX).cloned().collect())
}

async fn merge(delta: &mut Delta, small: &[Listed]) -> Result<u64, ArchiveError> {
    let merged = merged(delta.store(), delta.table(), small).await?;
    Ok(if delta.replace(small, &merged).await? { small.len() as u64 } else { 0 })
}

/// The rows of sorted files of one hour as files of about [`LARGE`] bytes.
async fn merged(
    store: &Store,
    table: Table,
    small: &[Listed],
) -> Result<Vec<NewFile>, ArchiveError> {
    let Some(hour) = small.first().map(|file| file.hour) else { return Ok(Vec::new()) };
    let context = Arc::new(TaskContext::default().with_runtime(Arc::new(RuntimeEnv::default())));
    let scan = Scan {
        store,
        table,
        schema: table.stored(),
        groups: small.iter().map(|file| vec![file]).collect(),
        predicate: None,
        projection: None,
        limit: None,
        sorted: true,
        late: false,
    };
    let scan = scan.plan(&context.runtime_env())?;
    let mut plan: Arc<dyn ExecutionPlan> = Arc::clone(&scan);
    if let Some(ordering) = scan.properties().output_ordering() {
        plan = Arc::new(SortPreservingMergeExec::new(ordering.clone(), scan));
    }
    let mut offsets: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for (partition, (first, last)) in small.iter().flat_map(|file| &file.about.offsets) {
        let span = offsets.entry(*partition).or_insert((*first, *last));
        *span = (span.0.min(*first), span.1.max(*last));
    }
    let mut rows = execute_stream(plan, context)?;
    let (mut files, mut writer) = (Vec::new(), Writer::new(table)?);
    while let Some(batch) = rows.next().await {
        writer.write(&batch?)?;
        if writer.len() as u64 >= LARGE {
            let full = std::mem::replace(&mut writer, Writer::new(table)?);
            files.push(full.finish(hour, offsets.clone())?);
        }
    }
    if writer.rows() > 0 {
        files.push(writer.finish(hour, offsets)?);
    }
    Ok(files)
}

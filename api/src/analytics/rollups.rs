//! Rollups of ten minutes, kept by hours, and equal to what the positions say.
//!
//! The view `rollups` is what `rollups.sql` makes of the steps of all positions. No step there is
//! longer than an hour, and no device is followed for longer than that, so an hour's rollups
//! depend on its own positions and those of [`HOURS_BACK`] hours before, and can be made of them
//! alone. [`Maker`] makes them once an hour is over; a query takes the files that still fit the
//! positions and makes the rest anew: hours that rows came late to, hours not over, and what is
//! not archived yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::collect;
use ingest::time::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use xxhash_rust::xxh3::xxh3_64;

use super::views::VIEWS;
use super::{Limits, QueryError, session};
use crate::archive::delta::{Listed, Listing};
use crate::archive::derived::{Counts, Derive, File, HOURS_BACK, clean, list, put};
use crate::archive::file::Hour;
use crate::archive::tail::View;
use crate::archive::{ArchiveError, Store};

mod provider;
#[cfg(test)]
mod tests;

use provider::{Everybody, Kept};

/// The view's name.
pub(super) const NAME: &str = "rollups";
/// An hour is over when the next but one has begun: few rows come later than that.
const OVER_HOURS: i64 = 2;
/// Hours that are made in one go: whoever archives has more to do.
const MADE_MAX: usize = 12;
/// Stretches of hours that one query makes anew each by itself; more are made as one.
const STRETCHES_MAX: usize = 8;

/// Hours from the first up to, not including, the second.
type Stretch = (Hour, Hour);

/// How rollups are made, of some hours or all, for one tenant or with the tenant before each.
fn text(of: Option<Stretch>, everybody: bool) -> String {
    let sql = |name: &str| VIEWS.iter().find(|view| view.name == name).map_or("", |view| view.sql);
    let (mut steps, mut from) = (sql("steps").to_owned(), String::new());
    if let Some((first, end)) = of {
        let (back, end) = (first.plus(-HOURS_BACK).begins(), end.begins());
        let bounded = format!(
            "FROM positions WHERE time >= TIMESTAMP '{back}' AND time < TIMESTAMP '{end}' AND valid"
        );
        steps = steps.replace("FROM positions WHERE valid", &bounded);
        from = format!("WHERE time >= TIMESTAMP '{}'", first.begins());
    }
    let made = sql(NAME).replace("FROM steps", &format!("FROM (\n{steps}\n) steps {from}"));
    if everybody { made.replace("vehicle", "tenant, vehicle") } else { made }
}

/// What files are made by: another recipe's say nothing.
fn recipe() -> u32 {
    xxh3_64(text(None, true).as_bytes()) as u32
}

/// The columns of a file: the tenant, then the view's.
fn columns() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8View, true);
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        text("tenant"),
        text("vehicle"),
        Field::new("bucket", time, true),
        Field::new("fixes", DataType::Int64, true),
        number("moving_s"),
        number("distance_m"),
        number("avg_mps"),
        number("max_mps"),
        number("first_lat"),
        number("first_lng"),
        number("last_lat"),
        number("last_lng"),
    ]))
}

/// The view's plan for a tenant: kept files, and the hours that have none.
pub(super) async fn plan(
    context: &SessionContext,
    (store, tenant): (&Store, &ingest::id::TenantId),
    (positions, kept): (&View, &[File]),
) -> Result<LogicalPlan, QueryError> {
    let counts = Counts::of(&positions.listing);
    let beyond = positions.hours_beyond()?;
    let recipe = recipe();
    let is_touched = |hour: Hour| (0..=HOURS_BACK).any(|back| beyond.contains(&hour.plus(-back)));
    let mut files: BTreeMap<Hour, &File> = BTreeMap::new();
    for file in kept.iter().filter(|f| !is_touched(f.hour) && counts.fit(f, recipe)) {
        files.insert(file.hour, file);
    }
    let hours: BTreeSet<Hour> = counts.0.keys().chain(&beyond).copied().collect();
    let missing = hours.into_iter().filter(|hour| !files.contains_key(hour));
    let stretches = stretches(missing);
    files.retain(|hour, _| !stretches.iter().any(|(first, end)| first <= hour && hour < end));
    let files = files.into_values().cloned().collect();
    let kept = provider_as_source(Arc::new(Kept::new(store, tenant, files)));
    let mut all = LogicalPlanBuilder::scan(NAME, kept, None)?;
    for stretch in stretches {
        let anew = context.state().create_logical_plan(&text(Some(stretch), false)).await?;
        all = all.union(anew)?;
    }
    Ok(all.build()?)
}

/// Neighbouring hours together.
fn stretches(hours: impl Iterator<Item = Hour>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for hour in hours {
        match stretches.last_mut() {
            Some((_, end)) if *end == hour => *end = hour.plus(1),
            _ => stretches.push((hour, hour.plus(1))),
        }
    }
    match (stretches.first().copied(), stretches.last().copied()) {
        (Some((first, _)), Some((_, end))) if stretches.len() > STRETCHES_MAX => vec![(first, end)],
        _ => stretches,
    }
}

/// Makes the files of hours that are over.
#[derive(Debug)]
pub struct Maker {
    store: Store,
    /// With every function, and an empty catalogue; of one thread.
    base: SessionState,
}

impl Maker {
    /// Spills where queries do, within their limits.
    pub fn new(store: Store, limits: &Limits) -> Result<Self, QueryError> {
        let limits = Limits { threads: 1, ..limits.clone() };
        let base = session::base(&limits, &session::runtime(&limits)?, None);
        Ok(Self { store, base })
    }

    /// The rollups of an hour for every tenant, sorted.
    async fn make(
        &self,
        positions: &Listing,
        hour: Hour,
    ) -> Result<Vec<RecordBatch>, DataFusionError> {
        let from = hour.plus(-HOURS_BACK);
        let files: Vec<Listed> = positions
            .files
            .iter()
            .filter(|file| from <= file.hour && file.hour <= hour)
            .cloned()
            .collect();
        let context = session::without_tables(&self.base)?;
        context.register_table("positions", Arc::new(Everybody::new(self.store.clone(), files)))?;
        let sql = text(Some((hour, hour.plus(1))), true);
        let sql = format!("{sql}\nORDER BY tenant, vehicle, bucket");
        let plan = context.state().create_logical_plan(&sql).await?;
        let plan = context.state().create_physical_plan(&plan).await?;
        collect(plan, context.task_ctx()).await
    }
}

#[async_trait]
impl Derive for Maker {
    async fn step(&self, positions: Arc<Listing>, now: Timestamp) -> Result<u64, ArchiveError> {
        let (recipe, counts) = (recipe(), Counts::of(&positions));
        let there = list(&self.store).await?;
        let fits: BTreeSet<Hour> =
            there.iter().filter(|f| counts.fit(f, recipe)).map(|f| f.hour).collect();
        let newest = Hour::of(now.micros()).plus(-OVER_HOURS);
        let missing = counts.0.keys().rev().filter(|hour| **hour <= newest && !fits.contains(hour));
        let mut made = 0;
        for hour in missing.take(MADE_MAX) {
            let bytes = written(&self.make(&positions, *hour).await?)?;
            put(&self.store, (*hour, counts.made_of(*hour, recipe)), bytes.into()).await?;
            made += 1;
        }
        clean(&self.store, &there, (&counts, recipe), now).await?;
        Ok(made)
    }
}

/// Rows as a file.
fn written(rows: &[RecordBatch]) -> Result<Vec<u8>, ArchiveError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let schema = columns();
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
    for batch in rows {
        // The same columns; whether they may be null is not told the same way.
        let batch = RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec())?;
        writer.write(&batch)?;
    }
    Ok(writer.into_inner()?)
}

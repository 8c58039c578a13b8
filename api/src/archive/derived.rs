//! Files that are made of archived positions, an hour each, and that may be made again.
//!
//! A file's name tells of what it was made: how many rows its hour and the two before it held.
//! Rows are only ever added to an hour, so whoever knows the listing knows whether the file still
//! says what the positions say. Nothing is listed or committed: a file is put whole, under a name
//! that nobody else gives to something else.
//!
//! Positions that are let go leave their hours' files behind: those stay for good.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use ingest::time::Timestamp;
use object_store::{ObjectMeta, ObjectStoreExt as _, PutMode, PutOptions};

use super::ArchiveError;
use super::delta::Listing;
use super::file::Hour;
use super::store::Store;

/// Hours before its own that a file depends on.
pub(crate) const HOURS_BACK: i64 = 2;
/// How long a file that was replaced is kept for queries that run, seconds.
const UNUSED_S: f64 = 3_600.0;
/// Its folder.
const FOLDER: &str = "rollups";

/// Makes such files; whoever keeps the archive calls it now and then.
#[async_trait]
pub trait Derive: fmt::Debug + Send + Sync {
    /// Makes what is missing; how many files.
    async fn step(&self, positions: Arc<Listing>, now: Timestamp) -> Result<u64, ArchiveError>;
}

/// What a file was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MadeOf {
    /// Which recipe.
    pub(crate) recipe: u32,
    /// Rows of the hours from [`HOURS_BACK`] before to its own.
    pub(crate) rows: [u64; HOURS_BACK as usize + 1],
}

/// A file that is there.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) hour: Hour,
    pub(crate) made_of: MadeOf,
    pub(crate) meta: ObjectMeta,
}

/// How many positions each hour holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts(pub(crate) BTreeMap<Hour, u64>);

impl Counts {
    pub(crate) fn of(listing: &Listing) -> Self {
        let mut counts = BTreeMap::new();
        for file in &listing.files {
            *counts.entry(file.hour).or_default() += file.about.rows;
        }
        Self(counts)
    }

    /// What a file of an hour would be made of now.
    pub(crate) fn made_of(&self, hour: Hour, recipe: u32) -> MadeOf {
        let rows = |i: usize| self.0.get(&hour.plus(i as i64 - HOURS_BACK)).copied().unwrap_or(0);
        MadeOf { recipe, rows: std::array::from_fn(rows) }
    }

    /// Whether a file says what the positions say. Hours that were let go cannot be asked.
    pub(crate) fn fit(&self, file: &File, recipe: u32) -> bool {
        let now = self.made_of(file.hour, recipe);
        let is_gone = |hour: Hour| self.0.keys().next().is_none_or(|oldest| hour < *oldest);
        let same = |(i, (then, now)): (i64, (&u64, &u64))| {
            then == now || is_gone(file.hour.plus(i - HOURS_BACK))
        };
        is_gone(file.hour)
            || file.made_of.recipe == recipe
                && (0..).zip(file.made_of.rows.iter().zip(&now.rows)).all(same)
    }
}

impl MadeOf {
    fn name(&self) -> String {
        let rows: Vec<String> = self.rows.iter().map(u64::to_string).collect();
        format!("{:08x}-{}.parquet", self.recipe, rows.join("-"))
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".parquet")?.split('-');
        let recipe = u32::from_str_radix(parts.next()?, 16).ok()?;
        let rows: Vec<u64> = parts.map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Self { recipe, rows: rows.try_into().ok()? })
    }
}

/// Every file that is there, by hour; where one hour has several, the newest last.
pub(crate) async fn list(store: &Store) -> Result<Vec<File>, ArchiveError> {
    let folder = store.beside(FOLDER)?;
    let objects = store.objects();
    let mut files: Vec<File> = objects
        .list(Some(&folder))
        .try_filter_map(|meta| async { Ok(parse(meta)) })
        .try_collect()
        .await?;
    files.sort_by_key(|file| (file.hour, file.meta.last_modified));
    Ok(files)
}

fn parse(meta: ObjectMeta) -> Option<File> {
    let parts: Vec<_> = meta.location.parts().collect();
    let [.., day, hour, name] = parts.as_slice() else { return None };
    let hour =
        Hour::parse(day.as_ref().strip_prefix("day=")?, hour.as_ref().strip_prefix("hour=")?)?;
    Some(File { hour, made_of: MadeOf::parse(name.as_ref())?, meta })
}

/// Puts a file, unless it is there.
pub(crate) async fn put(
    store: &Store,
    (hour, made_of): (Hour, MadeOf),
    bytes: Bytes,
) -> Result<(), ArchiveError> {
    let (day, of_day) = hour.values();
    let name = format!("{FOLDER}/day={day}/hour={of_day}/{}", made_of.name());
    let options = PutOptions::from(PutMode::Create);
    match store.objects().put_opts(&store.beside(&name)?, bytes.into(), options).await {
        Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Deletes what says something else than the positions and has been replaced for so long that no
/// query can still be reading it; how many files. They come by hour, the newest last.
pub(crate) async fn clean(
    store: &Store,
    files: &[File],
    (counts, recipe): (&Counts, u32),
    now: Timestamp,
) -> Result<u64, ArchiveError> {
    let mut deleted = 0;
    for (file, next) in files.iter().zip(files.iter().skip(1)) {
        let replaced = Timestamp::from_micros(next.meta.last_modified.timestamp_micros());
        let long_ago = file.hour == next.hour && now.seconds_since(replaced) > UNUSED_S;
        if long_ago && !counts.fit(file, recipe) {
            store.objects().delete(&file.meta.location).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

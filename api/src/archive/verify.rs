//! Reading an archive again: whether every file is whole and every row there once.

use std::collections::{BTreeMap, HashSet};

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use ingest::log::Clock;
use object_store::ObjectStoreExt as _;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::ArchiveError;
use super::delta::{Delta, Listed};
use super::file::Hour;
use super::schema::{TIME, Table};
use super::store::Store;

/// What was found in one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Which table.
    pub table: &'static str,
    /// Version of its Delta log.
    pub version: u64,
    /// Files it lists.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Rows that are there more than once, by (vehicle, number, place in it).
    pub doubled: u64,
    /// Files that are missing, or are not what was written, and why.
    pub damaged: Vec<String>,
    /// By partition of `outputs` the next offset that is not contained.
    pub next: BTreeMap<u32, u64>,
}

impl Found {
    /// Whether nothing is wrong with it.
    pub const fn is_good(&self) -> bool {
        self.doubled == 0 && self.damaged.is_empty()
    }
}

/// A file as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its table.
    pub table: &'static str,
    /// Its Delta partition.
    pub partition: String,
    /// From the archive's place.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// By partition of `outputs` the first and last offset whose rows it holds.
    pub offsets: BTreeMap<u32, (u64, u64)>,
    /// xxh3-128 of its bytes.
    pub checksum: String,
}

/// Every listed file of an archive, by table, hour and path.
pub async fn list(store: &Store, clock: &Clock) -> Result<Vec<File>, ArchiveError> {
    let mut files = Vec::new();
    for table in Table::ALL {
        let Some(delta) = Delta::existing(store, table, 0, clock).await? else { continue };
        files.extend(delta.listing().files.iter().map(|file| {
            let (day, hour) = file.hour.values();
            File {
                table: table.name(),
                partition: format!("day={day}/hour={hour}"),
                path: format!("{}/{}", table.name(), file.path),
                bytes: file.size,
                rows: file.about.rows,
                offsets: file.about.offsets.clone(),
                checksum: file.about.checksum.clone(),
            }
        }));
    }
    Ok(files)
}

/// Reads every file of every table. `partitions`: of `outputs`.
pub async fn verify(
    store: &Store,
    partitions: u32,
    clock: &Clock,
) -> Result<Vec<Found>, ArchiveError> {
    let mut found = Vec::new();
    for table in Table::ALL {
        if let Some(delta) = Delta::existing(store, table, partitions, clock).await? {
            found.push(look(store, &delta).await?);
        }
    }
    Ok(found)
}

async fn look(store: &Store, delta: &Delta) -> Result<Found, ArchiveError> {
    let (table, listing) = (delta.table(), delta.listing());
    let mut found = Found {
        table: table.name(),
        version: listing.version,
        files: listing.files.len() as u64,
        rows: 0,
        bytes: listing.files.iter().map(|file| file.size).sum(),
        doubled: 0,
        damaged: Vec::new(),
        next: listing.next.clone(),
    };
    // A row belongs to one hour, so that no more than an hour's identities are in memory.
    let (mut hour, mut seen) = (None, HashSet::new());
    for file in &listing.files {
        if hour.replace(file.hour) != Some(file.hour) {
            seen.clear();
        }
        let bytes = match store.objects().get(&store.path(table, &file.path)?).await {
            Ok(got) => got.bytes().await?,
            Err(error) => {
                found.damaged.push(format!("{}: {error}", file.path));
                continue;
            }
        };
        match read(table, file, bytes, &mut seen) {
            Ok((rows, doubled)) => {
                found.rows += rows;
                found.doubled += doubled;
            }
            Err(why) => found.damaged.push(format!("{}: {why}", file.path)),
        }
    }
    Ok(found)
}

/// Rows of a file, and how many of them were seen before.
fn read(
    table: Table,
    file: &Listed,
    bytes: bytes::Bytes,
    seen: &mut HashSet<(u64, i64, i64)>,
) -> Result<(u64, u64), String> {
    let checksum = format!("{:032x}", xxh3_128(&bytes));
    if checksum != file.about.checksum {
        return Err(format!("checksum is {checksum}, listed is {}", file.about.checksum));
    }
    let text = |error: &dyn std::error::Error| error.to_string();
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|e| text(&e))?;
    let reader = builder.build().map_err(|e| text(&e))?;
    let (mut rows, mut doubled) = (0, 0);
    let mut before: Option<(String, String, i64)> = None;
    for batch in reader {
        let batch = batch.map_err(|e| text(&e))?;
        let (tenants, vehicles) =
            (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        let times = batch.column(TIME).as_primitive::<TimestampMicrosecondType>();
        let seqs = batch.column(TIME + 1).as_primitive::<Int64Type>();
        // Rows of one output differ by their place, or by their stop.
        let part = match table {
            Table::Paths => batch.column_by_name("place"),
            Table::Etas => batch.column_by_name("stop"),
            Table::Positions | Table::Events => None,
        };
        for row in 0..batch.num_rows() {
            let now =
                (tenants.value(row).to_owned(), vehicles.value(row).to_owned(), times.value(row));
            if before.as_ref().is_some_and(|before| *before > now) {
                return Err(format!("row {} is out of order", rows + row as u64));
            }
            if Hour::of(now.2) != file.hour {
                return Err(format!("row {} belongs to another hour", rows + row as u64));
            }
            let part = part.map_or(0, |part| match part.as_string_opt::<i32>() {
                Some(stops) => xxh3_64(stops.value(row).as_bytes()) as i64,
                None => part.as_primitive::<Int64Type>().value(row),
            });
            let vehicle = xxh3_64(format!("{}/{}", now.0, now.1).as_bytes());
            if !seen.insert((vehicle, seqs.value(row), part)) {
                doubled += 1;
            }
            before = Some(now);
        }
        rows += batch.num_rows() as u64;
    }
    if rows != file.about.rows {
        return Err(format!("{rows} rows, listed are {}", file.about.rows));
    }
    Ok((rows, doubled))
}

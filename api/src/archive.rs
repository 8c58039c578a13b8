//! Every output kept for good, once: Parquet files in Delta tables, in a folder or a bucket.
//!
//! ```text
//! outputs ──> rows ──> file ──> delta          role `archive`: archiver
//!    └──────> rows ──> tail ──┐
//!                             ├──> crate::analytics   whoever asks SQL
//!             delta: listing ─┘
//! ```
//!
//! [`schema`] says which tables and columns there are; `rows` makes an output into rows;
//! [`mod@file`] makes rows into a sorted Parquet file an hour; [`delta`] lists files and offsets in
//! one commit; [`archiver`] is the role that does so; [`keep`] merges what is small, lets go what
//! is old; `derived` keeps what is made of positions beside them; [`verify`] reads it all again; `tail` holds in memory what is not archived yet.

use std::path::PathBuf;

use ingest::log::LogError;
use thiserror::Error;

pub mod archiver;
pub mod delta;
pub(crate) mod derived;
pub mod file;
pub mod keep;
pub(crate) mod rows;
pub(crate) mod scan;
pub mod schema;
pub mod store;
pub(crate) mod tail;
pub mod verify;

pub use archiver::{Archiver, Settings};
pub use derived::Derive;
pub use store::Store;

#[cfg(test)]
pub(crate) mod tests;

/// What can go wrong with an archive.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The place cannot be one.
    #[error("archive is `{place}`, expected {expected}")]
    Place {
        /// As given.
        place: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// The folder cannot be made or read.
    #[error("archive folder `{path}`: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its table is missing.
    #[error("archive `{place}` has no table `{table}`")]
    NoTable {
        /// Which archive.
        place: String,
        /// Which table.
        table: &'static str,
    },
    /// A column of it was made otherwise.
    #[error(
        "column `{column}` of table `{table}` is {found}, expected {expected}: another version's \
         archive; expected another `archive.place` or `--out`"
    )]
    Otherwise {
        /// In which table.
        table: &'static str,
        /// Which column.
        column: String,
        /// Its type there.
        found: String,
        /// Its type here.
        expected: String,
    },
    /// A listed file that this program did not write.
    #[error("file `{path}` of table `{table}` was not written by an archiver")]
    Foreign {
        /// In which table.
        table: &'static str,
        /// Which file.
        path: String,
    },
    /// Another archiver has gone on from there: what this one holds is not its to write.
    #[error("partition {partition} of `outputs` was archived in `{table}` by somebody else")]
    Taken {
        /// In which table.
        table: &'static str,
        /// Which partition.
        partition: u32,
    },
    /// Too many others commit.
    #[error("table `{table}` is busy with other commits")]
    Busy {
        /// Which.
        table: &'static str,
    },
    /// Outputs were gone before they were archived.
    #[error("outputs {partition}/{from} to {start} are gone from the log, unarchived")]
    Gone {
        /// Of which partition.
        partition: u32,
        /// The first that is missing.
        from: u64,
        /// Where the log begins.
        start: u64,
    },
    /// What the store says.
    #[error("object store: {0}")]
    Objects(#[from] object_store::Error),
    /// What a store's path may not be.
    #[error("object store: {0}")]
    Path(#[from] object_store::path::Error),
    /// What the Delta log says.
    #[error("Delta log: {0}")]
    Delta(#[from] deltalake_core::DeltaTableError),
    /// What Parquet says.
    #[error("Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// What Arrow says.
    #[error("Arrow: {0}")]
    Arrow(#[from] datafusion::arrow::error::ArrowError),
    /// What the query engine says.
    #[error("query: {0}")]
    Query(#[from] datafusion::error::DataFusionError),
    /// What the log says.
    #[error(transparent)]
    Log(#[from] LogError),
    /// No thread could be made, or one ended.
    #[error("archiver cannot make a thread: {0}")]
    Thread(std::io::Error),
}

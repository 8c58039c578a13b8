//! What a log holds and what keeping it will need, said at start.

use std::path::Path;

use ingest::log::{LogError, Retention, Topic};
use rusqlite::Connection;

use super::read::Extent;
use super::schema::refused;
use super::space::{Space, readable};

/// A log younger than this says nothing yet about its future.
const SPAN_SECONDS_MIN: f64 = 3_600.0;
/// Bytes on disk of a record of 200 bytes, measured: raw and a tenth.
const RECORD_BYTES: f64 = 220.0;
/// What a log that knows nothing yet speaks of.
const EXAMPLE_RECORDS_PER_SECOND: f64 = 1_000.0;

/// Bytes of pages in use.
pub(super) fn bytes_held(connection: &Connection) -> Result<u64, LogError> {
    let number = |pragma| {
        connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).map_err(|e| refused(&e))
    };
    let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
    Ok((pages * number("PRAGMA page_size")?) as u64)
}

/// The line.
pub(super) fn notice(
    dir: &Path,
    (held, space): (u64, Space),
    extents: &[(Topic, Extent)],
) -> String {
    let days = Topic::ALL.into_iter().filter_map(|t| match t.retention() {
        Retention::Days(days) if matches!(t, Topic::Inputs | Topic::Outputs) => Some(days),
        _ => None,
    });
    let days = f64::from(days.max().unwrap_or(1));
    let span = extents
        .iter()
        .filter(|(topic, _)| matches!(topic, Topic::Inputs | Topic::Outputs))
        .filter_map(|(_, extent)| extent.times)
        .map(|(first, last)| last.seconds_since(first))
        .fold(0.0, f64::max);
    let kept = 86_400.0 * days;
    let needs = if span < SPAN_SECONDS_MIN {
        let needs = EXAMPLE_RECORDS_PER_SECOND * RECORD_BYTES * kept;
        format!(
            "each {EXAMPLE_RECORDS_PER_SECOND:.0} records a second will need {} for {days:.0} days",
            readable(needs as u64)
        )
    } else {
        let needs = held as f64 * (kept / span).max(1.0);
        format!("at this rate {days:.0} days will need {}", readable(needs as u64))
    };
    let (dir, held, free) = (dir.display(), readable(held), readable(space.free));
    format!("log in {dir} holds {held}; {needs}; {free} free")
}

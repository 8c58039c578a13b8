//! Reading one stretch of a partition to its end, outside of any group.

use std::ops::{ControlFlow, Range};
use std::time::Duration;

use ingest::log::{Log, LogError, Record, Topic};

/// Read at once.
const READ_BYTES: usize = 1024 * 1024;
/// How long one read waits for the log.
const READ_WAIT: Duration = Duration::from_secs(1);
/// Reads in a row that may bring nothing before the end is reached.
const EMPTY_MAX: u32 = 10;

/// Hands every record of these offsets to `visit`, in order, until it breaks off. Offsets may
/// have gaps, also at the end.
pub(super) fn scan<B>(
    log: &dyn Log,
    (topic, partition): (Topic, u32),
    offsets: Range<u64>,
    mut visit: impl FnMut(Record) -> ControlFlow<B>,
) -> Result<Option<B>, LogError> {
    if offsets.is_empty() {
        return Ok(None);
    }
    let mut reader = log.reader(topic, &[(partition, offsets.start)])?;
    let mut empty = 0;
    while reader.position(partition).is_some_and(|at| at < offsets.end) {
        let records = reader.poll(READ_BYTES, READ_WAIT)?;
        empty = if records.is_empty() { empty + 1 } else { 0 };
        if empty > EMPTY_MAX {
            let at = reader.position(partition).unwrap_or_default();
            return Err(LogError::Unavailable(format!(
                "{topic}/{partition} brought nothing from `{at}` on, expected up to `{}`",
                offsets.end
            )));
        }
        for record in records {
            if record.offset >= offsets.end {
                return Ok(None);
            }
            if let ControlFlow::Break(found) = visit(record) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

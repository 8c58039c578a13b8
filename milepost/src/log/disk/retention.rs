//! Old rows go in small bites between commits, so that no append waits long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest::log::{LogError, Retention, Topic};
use ingest::time::Timestamp;
use rusqlite::{Connection, params};

use super::batch::{Head, PerPartition, write_heads};
use super::read;
use super::schema::{is_compacted, refused, table};
use super::shelf::Shelf;
use crate::clock::monotonic;

/// Rows of one bite.
const BITE_ROWS: i64 = 64;
/// Bytes of one bite, unless one row alone has more: every page of it is visited.
const BITE_BYTES: i64 = 1024 * 1024;
/// Between bites.
pub(super) const PAUSE: Duration = Duration::from_millis(50);
/// A tombstone stays this long, so that readers who were away hear of it.
const TOMBSTONE_SECONDS: f64 = 86_400.0;
/// Tombstones of one bite.
const BITE_TOMBSTONES: i64 = 64;
/// Between looks for old tombstones.
const TOMBSTONES_EVERY: Duration = Duration::from_mins(1);

/// What the writer does about old records.
pub(super) struct Retirement {
    shelf: Arc<Shelf>,
    last_bite: Instant,
    last_tombstones: Instant,
    due: bool,
}

impl Retirement {
    pub(super) fn new(shelf: Arc<Shelf>) -> Self {
        let now = monotonic();
        Self { shelf, last_bite: now, last_tombstones: now, due: false }
    }

    /// Whether more is waiting to go.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// Takes a bite when it is time for one.
    pub(super) fn work(&mut self, connection: &Connection, now: Timestamp) {
        let at = monotonic();
        if at.duration_since(self.last_bite) < PAUSE {
            return;
        }
        self.last_bite = at;
        self.due = false;
        for topic in Topic::ALL {
            let Retention::Days(days) = topic.retention() else { continue };
            let oldest = now.plus_seconds(-86_400.0 * f64::from(days));
            let extent = self.shelf.extent(topic);
            if extent.times.is_none_or(|(first, _)| first >= oldest) {
                continue;
            }
            match bite(connection, topic, (oldest, now)) {
                Ok(Some(upto)) => match read::extent(connection, topic) {
                    Ok(extent) => {
                        self.shelf.retired(topic, upto, &extent);
                        self.due = true;
                    }
                    Err(error) => tracing::error!(%topic, %error, "retention cannot read"),
                },
                Ok(None) => {}
                Err(error) => tracing::warn!(%topic, %error, "retention cannot delete"),
            }
        }
        if at.duration_since(self.last_tombstones) >= TOMBSTONES_EVERY {
            match drop_tombstones(connection, now.plus_seconds(-TOMBSTONE_SECONDS)) {
                // A full bite: there may be more, the next pause goes on.
                Ok(gone) if gone as i64 == BITE_TOMBSTONES => self.due = true,
                Ok(_) => self.last_tombstones = at,
                Err(error) => tracing::warn!(%error, "retention cannot delete tombstones"),
            }
        }
    }
}

/// Deletes the oldest rows that are older than `oldest`; the last row id that went. The end of
/// each partition must stay known: when all rows go, an empty one takes their place.
fn bite(
    connection: &Connection,
    topic: Topic,
    (oldest, now): (Timestamp, Timestamp),
) -> Result<Option<i64>, LogError> {
    let extent = read::extent(connection, topic)?;
    let Some((upto, bytes)) = choose(connection, topic, oldest)? else { return Ok(None) };
    let all = upto + 1 == extent.next_id;
    let name = table(topic);
    let work = || -> rusqlite::Result<()> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        connection.execute(&format!("DELETE FROM {name} WHERE id <= ?1"), params![upto])?;
        if all {
            let heads: PerPartition<Head> =
                extent.ends.map(|first| Head { first, count: 0, bytes: 0 });
            let sql = format!("INSERT INTO {name}(id, at, heads, data) VALUES(?1, ?2, ?3, x'')");
            let row = params![extent.next_id, now.micros(), write_heads(&heads)];
            connection.execute(&sql, row)?;
        }
        connection.execute_batch("COMMIT")
    };
    if let Err(error) = work() {
        if !connection.is_autocommit() {
            drop(connection.execute_batch("ROLLBACK"));
        }
        return Err(refused(&error));
    }
    tracing::debug!(%topic, upto, bytes, "old records deleted");
    Ok(Some(upto))
}

/// The last row of the next bite, and its bytes.
fn choose(
    connection: &Connection,
    topic: Topic,
    oldest: Timestamp,
) -> Result<Option<(i64, i64)>, LogError> {
    debug_assert!(!is_compacted(topic));
    let name = table(topic);
    let sql = format!("SELECT id, at, length(data) FROM {name} ORDER BY id LIMIT {BITE_ROWS}");
    let mut statement = connection.prepare(&sql).map_err(|e| refused(&e))?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    };
    let mut chosen = None;
    let mut bytes = 0;
    for row in statement.query_map([], row).map_err(|e| refused(&e))? {
        let (id, at, length) = row.map_err(|e| refused(&e))?;
        bytes += length;
        if at >= oldest.micros() || (bytes > BITE_BYTES && chosen.is_some()) {
            break;
        }
        chosen = Some((id, bytes));
    }
    Ok(chosen)
}

fn drop_tombstones(connection: &Connection, oldest: Timestamp) -> rusqlite::Result<usize> {
    let sql = "SELECT topic, partition, key FROM compact WHERE value IS NULL AND at < ?1 LIMIT ?2";
    let mut statement = connection.prepare(sql)?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?, row.get::<_, Vec<u8>>(2)?))
    };
    let old = statement
        .query_map(params![oldest.micros(), BITE_TOMBSTONES], row)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if old.is_empty() {
        return Ok(0);
    }
    let delete = "DELETE FROM compact WHERE topic = ?1 AND partition = ?2 AND key = ?3";
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let work = || -> rusqlite::Result<()> {
        let mut delete = connection.prepare(delete)?;
        for (topic, partition, key) in &old {
            delete.execute(params![topic, partition, key])?;
        }
        connection.execute_batch("COMMIT")
    };
    let done = work();
    if done.is_err() && !connection.is_autocommit() {
        drop(connection.execute_batch("ROLLBACK"));
    }
    done.map(|()| old.len())
}

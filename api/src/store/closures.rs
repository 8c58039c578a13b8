//! Closures of roads: what a tenant's dispatchers have closed, as it was last put on the log.

use ingest::id::TenantId;
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::StoreError;

/// A closure that is over stays for so long, seconds (30 days).
const KEPT_S: f64 = 30.0 * 86_400.0;

/// A closure at one version, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosureRow {
    /// Whose.
    pub tenant: String,
    /// Unique within the tenant.
    pub id: String,
    /// 1 when it is set, 2 when it is taken back.
    pub version: u64,
    /// It was taken back.
    pub removed: bool,
    /// When it ends by itself, microseconds; `None`: never.
    pub until_us: Option<i64>,
    /// What was asked for, as JSON.
    pub body: String,
}

impl ClosureRow {
    /// Whether it closes nothing any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.removed || self.until_us.is_some_and(|until| until <= now.micros())
    }
}

/// A closure of a tenant, also one that is over.
pub fn find(
    connection: &Connection,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<ClosureRow>, StoreError> {
    let row = connection
        .query_row(
            "SELECT tenant, id, version, removed, until_us, body FROM closures
             WHERE tenant = ?1 AND id = ?2",
            params![tenant.as_str(), id],
            from_row,
        )
        .optional()?;
    Ok(row)
}

/// The closures of a tenant that are not over at a time, in order of their ids.
pub fn list(
    connection: &Connection,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<Vec<ClosureRow>, StoreError> {
    let mut select = connection.prepare(
        "SELECT tenant, id, version, removed, until_us, body FROM closures
         WHERE tenant = ?1 AND removed = 0 AND (until_us IS NULL OR until_us > ?2) ORDER BY id",
    )?;
    let rows = select.query_map(params![tenant.as_str(), now.micros()], from_row)?;
    Ok(rows.collect::<Result<_, rusqlite::Error>>()?)
}

/// Forgets closures that have been over for 30 days.
pub fn forget(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let before = now.plus_seconds(-KEPT_S).micros();
    connection.execute("DELETE FROM closures WHERE until_us < ?1", params![before])?;
    Ok(())
}

fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<ClosureRow> {
    Ok(ClosureRow {
        tenant: row.get(0)?,
        id: row.get(1)?,
        version: row.get::<_, i64>(2)? as u64,
        removed: row.get(3)?,
        until_us: row.get(4)?,
        body: row.get(5)?,
    })
}

/// The row is in force from now on.
pub(super) fn take(connection: &Connection, row: &ClosureRow) -> Result<(), StoreError> {
    let ClosureRow { tenant, id, version, removed, until_us, body } = row;
    connection.execute(
        "INSERT INTO closures (tenant, id, version, removed, until_us, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (tenant, id) DO UPDATE
         SET version = ?3, removed = ?4, until_us = ?5, body = ?6 WHERE version < ?3",
        params![tenant, id, *version as i64, removed, until_us, body],
    )?;
    Ok(())
}

/// Whether this or a newer version is in force.
pub(super) fn overtaken(connection: &Connection, row: &ClosureRow) -> Result<bool, StoreError> {
    let version: Option<i64> = connection
        .query_row(
            "SELECT version FROM closures WHERE tenant = ?1 AND id = ?2",
            params![row.tenant, row.id],
            |found| found.get(0),
        )
        .optional()?;
    Ok(version.is_some_and(|version| version as u64 >= row.version))
}

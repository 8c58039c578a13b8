//! Customers' links: 128 random bits, stored as their SHA-256, for one order each.

use engine::record::digest::hex;
use ingest::id::{OrderId, TenantId};
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use super::keys::{hash, random_bytes};
use crate::policy::Policy;

/// Links of one order that are valid at a time.
pub const LINKS_OF_ORDER_MAX: usize = 16;
/// Openings are counted up to this.
pub const OPENED_MAX: u32 = 1_000_000;
/// A link that has ended is listed for so long, seconds (30 days).
const ENDED_S: f64 = 30.0 * 86_400.0;
const COLUMNS: &str = "id, tenant, ord, policy, created_us, not_before_us, expires_us, \
                       revoked_us, opened";

/// A link as the store knows it: everything but the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Public part; names it in lists.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// The order it shows.
    pub order: OrderId,
    /// What it shows of it.
    pub policy: Policy,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it works.
    pub not_before: Timestamp,
    /// Until when.
    pub expires: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// How often the page was opened, at most [`OPENED_MAX`].
    pub opened: u32,
}

/// Makes a link and returns its token, once; only its hash stays. `None`: the order has
/// [`LINKS_OF_ORDER_MAX`] already.
pub fn create(connection: &Connection, row: &LinkRow) -> Result<Option<String>, StoreError> {
    let ended = row.created.plus_seconds(-ENDED_S).micros();
    connection.execute(
        "DELETE FROM links WHERE tenant = ?1 AND (expires_us < ?2 OR revoked_us < ?2)",
        params![row.tenant.as_str(), ended],
    )?;
    let valid: i64 = connection.query_row(
        "SELECT COUNT(*) FROM links
         WHERE tenant = ?1 AND ord = ?2 AND revoked_us IS NULL AND expires_us > ?3",
        params![row.tenant.as_str(), row.order.as_str(), row.created.micros()],
        |row| row.get(0),
    )?;
    if valid as usize >= LINKS_OF_ORDER_MAX {
        return Ok(None);
    }
    let token = hex(&random_bytes()?[..16]);
    let policy =
        serde_json::to_string(&row.policy).map_err(|e| StoreError::Value(e.to_string()))?;
    connection.execute(
        "INSERT INTO links (id, hash, tenant, ord, policy, created_us, not_before_us, expires_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            row.id,
            hash(&token).as_slice(),
            row.tenant.as_str(),
            row.order.as_str(),
            policy,
            row.created.micros(),
            row.not_before.micros(),
            row.expires.micros()
        ],
    )?;
    Ok(Some(token))
}

/// An id for a new link.
pub fn new_id() -> Result<String, StoreError> {
    Ok(hex(&random_bytes()?[..6]))
}

/// The link of a token, if it is valid now. Unknown, early, expired and revoked ones are the same
/// to the query, so that its time tells nothing.
pub fn of_token(
    connection: &Connection,
    token: &str,
    now: Timestamp,
) -> Result<Option<LinkRow>, StoreError> {
    let select = format!(
        "SELECT {COLUMNS} FROM links
         WHERE hash = ?1 AND revoked_us IS NULL AND not_before_us <= ?2 AND expires_us > ?2"
    );
    let hash = hash(token);
    let of = params![hash.as_slice(), now.micros()];
    let row = connection.query_row(&select, of, columns).optional()?;
    row.map(from_columns).transpose()
}

/// One link of a tenant, valid or not.
pub fn find(
    connection: &Connection,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<LinkRow>, StoreError> {
    let select = format!("SELECT {COLUMNS} FROM links WHERE tenant = ?1 AND id = ?2");
    let row = connection.query_row(&select, params![tenant.as_str(), id], columns).optional()?;
    row.map(from_columns).transpose()
}

/// Links of a tenant after an id, in order of their ids; of one order only, if named.
pub fn list(
    connection: &Connection,
    tenant: &TenantId,
    order: Option<&str>,
    (after, limit): (&str, usize),
) -> Result<Vec<LinkRow>, StoreError> {
    let select = format!(
        "SELECT {COLUMNS} FROM links WHERE tenant = ?1 AND id > ?2 AND (?3 IS NULL OR ord = ?3)
         ORDER BY id LIMIT ?4"
    );
    let mut select = connection.prepare(&select)?;
    let rows = select.query_map(params![tenant.as_str(), after, order, limit as i64], columns)?;
    rows.map(|row| from_columns(row?)).collect()
}

/// Ends a link. `false`: there is no such link. One that is revoked stays as it is.
pub fn revoke(
    connection: &Connection,
    tenant: &TenantId,
    id: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = connection.execute(
        "UPDATE links SET revoked_us = COALESCE(revoked_us, ?3) WHERE tenant = ?1 AND id = ?2",
        params![tenant.as_str(), id, now.micros()],
    )?;
    Ok(done > 0)
}

/// The page was opened once more.
pub fn opened(connection: &Connection, id: &str) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE links SET opened = opened + 1 WHERE id = ?1 AND opened < ?2",
        params![id, OPENED_MAX],
    )?;
    Ok(())
}

/// The link ends at `at`, unless it ends before.
pub fn end_at(connection: &Connection, id: &str, at: Timestamp) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE links SET expires_us = MIN(expires_us, ?2) WHERE id = ?1",
        params![id, at.micros()],
    )?;
    Ok(())
}

type Columns = (String, String, String, String, [i64; 3], Option<i64>, u32);

fn columns(row: &rusqlite::Row<'_>) -> rusqlite::Result<Columns> {
    let times = [row.get(4)?, row.get(5)?, row.get(6)?];
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, times, row.get(7)?, row.get(8)?))
}

fn from_columns(columns: Columns) -> Result<LinkRow, StoreError> {
    let (id, tenant, order, policy, times, revoked, opened) = columns;
    let wrong = |what: String| StoreError::Value(format!("link `{id}`: {what}"));
    let [created, not_before, expires] = times.map(Timestamp::from_micros);
    Ok(LinkRow {
        tenant: TenantId::new(&tenant).map_err(|e| wrong(e.to_string()))?,
        order: OrderId::new(&order).map_err(|e| wrong(e.to_string()))?,
        policy: serde_json::from_str(&policy).map_err(|e| wrong(e.to_string()))?,
        created,
        not_before,
        expires,
        revoked: revoked.map(Timestamp::from_micros),
        opened,
        id,
    })
}

//! Webhooks: where a tenant's programs want to be told, of what, and the secrets that sign it.
//!
//! A secret makes signatures, so it is kept as it is, not as a hash; the file is private.

use ingest::id::TenantId;
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreError;

/// Webhooks of one tenant.
pub const WEBHOOKS_MAX: usize = 32;
/// How long a rotated secret still signs beside its successor, seconds (24 h).
pub const OVERLAP_S: f64 = 86_400.0;

const COLUMNS: &str = "id, tenant, url, events, description, secret, old_secret, old_until_us, \
                       created_us, version";

/// A webhook as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its id.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// Where to.
    pub url: String,
    /// Names of events; `*` stands for all of them.
    pub events: Vec<String>,
    /// For people.
    pub description: Option<String>,
    /// Signs.
    pub secret: String,
    /// Signs too until this time.
    pub old: Option<(String, Timestamp)>,
    /// When it was made.
    pub created: Timestamp,
    /// Rises with each change.
    pub version: u64,
}

impl WebhookRow {
    /// Whether it wants an event of this name. Text messages are wanted only by name.
    pub fn wants(&self, event: &str) -> bool {
        let any = |name: &String| name == event || (name == "*" && event != "sms");
        self.events.iter().any(any)
    }

    /// The secrets that sign at `now`, newest first.
    pub fn secrets(&self, now: Timestamp) -> Vec<&str> {
        let old = self.old.as_ref().filter(|(_, until)| now < *until);
        std::iter::once(self.secret.as_str())
            .chain(old.map(|(secret, _)| secret.as_str()))
            .collect()
    }
}

fn columns(row: &Row<'_>) -> rusqlite::Result<WebhookRow> {
    let events: String = row.get(3)?;
    let old: (Option<String>, Option<i64>) = (row.get(6)?, row.get(7)?);
    let tenant: String = row.get(1)?;
    let bad = |e| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, e);
    Ok(WebhookRow {
        id: row.get(0)?,
        tenant: TenantId::new(&tenant).map_err(|e| bad(Box::new(e)))?,
        url: row.get(2)?,
        events: events.split_whitespace().map(str::to_owned).collect(),
        description: row.get(4)?,
        secret: row.get(5)?,
        old: old.0.zip(old.1.map(Timestamp::from_micros)),
        created: Timestamp::from_micros(row.get(8)?),
        version: row.get::<_, i64>(9)? as u64,
    })
}

/// The webhooks of a tenant, by id.
pub fn list(connection: &Connection, tenant: &TenantId) -> Result<Vec<WebhookRow>, StoreError> {
    let mut select = connection
        .prepare(&format!("SELECT {COLUMNS} FROM webhooks WHERE tenant = ?1 ORDER BY id"))?;
    let rows = select.query_map(params![tenant.as_str()], columns)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One webhook of a tenant.
pub fn find(
    connection: &Connection,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<WebhookRow>, StoreError> {
    let text = format!("SELECT {COLUMNS} FROM webhooks WHERE tenant = ?1 AND id = ?2");
    Ok(connection.query_row(&text, params![tenant.as_str(), id], columns).optional()?)
}

/// Writes a webhook, new or changed.
pub fn put(connection: &Connection, row: &WebhookRow) -> Result<(), StoreError> {
    connection.execute(
        &format!(
            "INSERT OR REPLACE INTO webhooks ({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        ),
        params![
            row.id,
            row.tenant.as_str(),
            row.url,
            row.events.join(" "),
            row.description,
            row.secret,
            row.old.as_ref().map(|(secret, _)| secret),
            row.old.as_ref().map(|(_, until)| until.micros()),
            row.created.micros(),
            row.version as i64
        ],
    )?;
    Ok(())
}

/// Removes a webhook and what waits for it; whether it was there.
pub fn delete(connection: &Connection, tenant: &TenantId, id: &str) -> Result<bool, StoreError> {
    let gone = connection.execute(
        "DELETE FROM webhooks WHERE tenant = ?1 AND id = ?2",
        params![tenant.as_str(), id],
    )?;
    if gone > 0 {
        connection.execute("DELETE FROM messages WHERE lane = ?1", params![id])?;
        connection.execute(
            "DELETE FROM told WHERE tenant = ?1 AND destination = ?2",
            params![tenant.as_str(), id],
        )?;
    }
    Ok(gone > 0)
}

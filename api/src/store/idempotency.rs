//! Answers that were given to writes with an `Idempotency-Key`, for the one who asks again.

use ingest::id::TenantId;
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// How long an answer is kept, seconds.
pub const KEPT_S: f64 = 24.0 * 3600.0;
/// Answers kept for one tenant; beyond it the oldest go.
pub const ANSWERS_MAX: i64 = 100_000;
/// Longest `Idempotency-Key`, bytes.
pub const KEY_MAX: usize = 255;

/// Whose key was used where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Whose.
    pub tenant: TenantId,
    /// By which key of the api.
    pub key: String,
    /// Method and path.
    pub path: String,
    /// What the client sent.
    pub idempotency_key: String,
}

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// SHA-256 of the request's body.
    pub request: [u8; 32],
    /// HTTP status.
    pub status: u16,
    /// Header `ETag`.
    pub etag: Option<String>,
    /// Header `Content-Type`.
    pub kind: Option<String>,
    /// Body.
    pub body: Vec<u8>,
}

/// The answer given before, unless it is too old.
pub fn find(
    connection: &Connection,
    scope: &Scope,
    now: Timestamp,
) -> Result<Option<Answer>, StoreError> {
    let oldest = now.plus_seconds(-KEPT_S).micros();
    let row: Option<(Vec<u8>, Answer)> = connection
        .query_row(
            "SELECT request, status, etag, kind, body FROM answers
             WHERE tenant = ?1 AND key = ?2 AND path = ?3 AND idempotency_key = ?4
               AND at_us > ?5",
            params![scope.tenant.as_str(), scope.key, scope.path, scope.idempotency_key, oldest],
            |row| {
                let (status, etag, kind, body) =
                    (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
                Ok((row.get(0)?, Answer { request: [0; 32], status, etag, kind, body }))
            },
        )
        .optional()?;
    row.map(|(request, answer)| {
        let request = request
            .try_into()
            .map_err(|_bad| StoreError::Value("hash of a request is not 32 bytes".into()))?;
        Ok(Answer { request, ..answer })
    })
    .transpose()
}

/// Keeps an answer; the first one given stays.
pub fn keep(
    connection: &Connection,
    scope: &Scope,
    answer: &Answer,
    now: Timestamp,
) -> Result<(), StoreError> {
    let tenant = scope.tenant.as_str();
    connection.execute(
        "DELETE FROM answers WHERE tenant = ?1 AND at_us <= ?2",
        params![tenant, now.plus_seconds(-KEPT_S).micros()],
    )?;
    connection.execute(
        "INSERT OR IGNORE INTO answers
         (tenant, key, path, idempotency_key, request, status, etag, kind, body, at_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            tenant,
            scope.key,
            scope.path,
            scope.idempotency_key,
            answer.request.as_slice(),
            answer.status,
            answer.etag,
            answer.kind,
            answer.body,
            now.micros()
        ],
    )?;
    Ok(())
}

/// Lets the oldest answers of every tenant go, down to the bound. Counts, so not for every write.
pub fn trim(connection: &Connection) -> Result<(), StoreError> {
    let mut select = connection.prepare("SELECT tenant, COUNT(*) FROM answers GROUP BY tenant")?;
    let counts: Vec<(String, i64)> = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, rusqlite::Error>>()?;
    for (tenant, count) in counts.into_iter().filter(|(_, count)| *count > ANSWERS_MAX) {
        connection.execute(
            "DELETE FROM answers WHERE (tenant, key, path, idempotency_key) IN (
                 SELECT tenant, key, path, idempotency_key FROM answers
                 WHERE tenant = ?1 ORDER BY at_us LIMIT ?2)",
            params![tenant, count - ANSWERS_MAX],
        )?;
    }
    Ok(())
}

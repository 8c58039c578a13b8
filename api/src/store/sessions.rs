//! Sessions of browsers: a random cookie value, stored as its hash, that stands for a key or a
//! person.

use engine::record::digest::hex;
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::keys::{self, StoredKey, hash, random_bytes};
use super::{StoreError, people};

/// How long a session lasts, seconds.
pub const SESSION_S: f64 = 12.0 * 3600.0;
/// Sessions of one key at a time; the oldest ends when another begins.
const SESSIONS_MAX: i64 = 100;

/// Begins a session of a key; the cookie's value.
pub fn begin(connection: &Connection, key: &str, now: Timestamp) -> Result<String, StoreError> {
    let cookie = hex(&random_bytes()?);
    connection.execute("DELETE FROM sessions WHERE expires_us <= ?1", params![now.micros()])?;
    connection.execute(
        "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE key = ?1
         ORDER BY expires_us DESC LIMIT -1 OFFSET ?2)",
        params![key, SESSIONS_MAX - 1],
    )?;
    connection.execute(
        "INSERT INTO sessions (hash, key, expires_us) VALUES (?1, ?2, ?3)",
        params![hash(&cookie).as_slice(), key, now.plus_seconds(SESSION_S).micros()],
    )?;
    Ok(cookie)
}

/// The key a cookie stands for, unless the session or the key has ended.
pub fn find(
    connection: &Connection,
    cookie: &str,
    now: Timestamp,
) -> Result<Option<StoredKey>, StoreError> {
    let key: Option<String> = connection
        .query_row(
            "SELECT key FROM sessions WHERE hash = ?1 AND expires_us > ?2",
            params![hash(cookie).as_slice(), now.micros()],
            |row| row.get(0),
        )
        .optional()?;
    key.map_or(Ok(None), |key| {
        if people::is_id(&key) {
            people::as_key(connection, &key)
        } else {
            keys::by_id(connection, &key)
        }
    })
}

/// Ends every session of a key or person.
pub fn end_all(connection: &Connection, key: &str) -> Result<(), StoreError> {
    connection.execute("DELETE FROM sessions WHERE key = ?1", params![key])?;
    Ok(())
}

/// Ends a session.
pub fn end(connection: &Connection, cookie: &str) -> Result<(), StoreError> {
    connection.execute("DELETE FROM sessions WHERE hash = ?1", params![hash(cookie).as_slice()])?;
    Ok(())
}

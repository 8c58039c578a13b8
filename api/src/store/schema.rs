//! The tables, and how a file of an older version becomes one of this.

use rusqlite::Connection;

use super::StoreError;

/// Version of the tables, kept in `user_version`.
const VERSION: i64 = 1;

/// `reserved` of a route or device is the highest version ever given out, `version` the newest
/// that is on the log (0: none yet), `settled` the highest whose fate is known. Times are microseconds since the epoch.
const TABLES: &str = "
CREATE TABLE tenants (
    tenant TEXT PRIMARY KEY, rate_per_minute REAL NOT NULL DEFAULT 1.0
) WITHOUT ROWID;
CREATE TABLE keys (
    id TEXT PRIMARY KEY, hash BLOB NOT NULL, tenant TEXT NOT NULL, role TEXT NOT NULL,
    created_us INTEGER NOT NULL, revoked_us INTEGER
) WITHOUT ROWID;
CREATE TABLE sessions (
    hash BLOB PRIMARY KEY, key TEXT NOT NULL, expires_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE devices (
    device TEXT PRIMARY KEY, tenant TEXT NOT NULL, version INTEGER NOT NULL,
    reserved INTEGER NOT NULL, settled INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX devices_of_tenant ON devices (tenant, device);
CREATE TABLE vehicles (
    tenant TEXT NOT NULL, vehicle TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (tenant, vehicle)
) WITHOUT ROWID;
CREATE TABLE routes (
    tenant TEXT NOT NULL, route TEXT NOT NULL, version INTEGER NOT NULL,
    reserved INTEGER NOT NULL, settled INTEGER NOT NULL DEFAULT 0, vehicle TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (tenant, route)
) WITHOUT ROWID;
CREATE INDEX routes_of_vehicle ON routes (tenant, vehicle);
CREATE TABLE visits (
    tenant TEXT NOT NULL, route TEXT NOT NULL, stop TEXT NOT NULL, ord TEXT NOT NULL,
    PRIMARY KEY (tenant, route, stop)
) WITHOUT ROWID;
CREATE INDEX visits_of_order ON visits (tenant, ord);
CREATE INDEX visits_of_stop ON visits (tenant, stop);
CREATE TABLE pending (id INTEGER PRIMARY KEY AUTOINCREMENT, changes TEXT NOT NULL);
CREATE TABLE pending_records (
    pending INTEGER NOT NULL, n INTEGER NOT NULL, topic TEXT NOT NULL, key BLOB NOT NULL,
    value BLOB, PRIMARY KEY (pending, n)
) WITHOUT ROWID;
CREATE TABLE answers (
    tenant TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL, idempotency_key TEXT NOT NULL,
    request BLOB NOT NULL, status INTEGER NOT NULL, etag TEXT, kind TEXT, body BLOB NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (tenant, key, path, idempotency_key)
) WITHOUT ROWID;
CREATE INDEX answers_by_age ON answers (tenant, at_us);
";

/// Makes the tables where there are none.
pub(super) fn make(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION {
        return Err(StoreError::Newer { found, known: VERSION });
    }
    if found == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(())
}

//! The tables, and how a file of an older version becomes one of this.

use rusqlite::Connection;

use super::StoreError;

/// What each version adds to the one before it; a file's own is kept in `user_version`. A step
/// that has been released never changes: what is new is a step of its own.
const STEPS: [&str; 2] = [TABLES, CUSTOMERS];

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

/// Customers' links, what customers said, and what is noted of open exceptions.
const CUSTOMERS: &str = "
CREATE TABLE links (
    id TEXT PRIMARY KEY, hash BLOB NOT NULL, tenant TEXT NOT NULL, ord TEXT NOT NULL,
    policy TEXT NOT NULL, created_us INTEGER NOT NULL, not_before_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL, revoked_us INTEGER, opened INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE UNIQUE INDEX links_by_hash ON links (hash);
CREATE INDEX links_of_order ON links (tenant, ord);
CREATE TABLE said (
    tenant TEXT NOT NULL, ord TEXT NOT NULL, instructions TEXT, answer TEXT,
    instructions_us INTEGER, rating INTEGER, comment TEXT, feedback_us INTEGER,
    PRIMARY KEY (tenant, ord)
) WITHOUT ROWID;
CREATE TABLE care (
    tenant TEXT NOT NULL, exception TEXT NOT NULL, snoozed_us INTEGER, assigned TEXT,
    at_us INTEGER NOT NULL, PRIMARY KEY (tenant, exception)
) WITHOUT ROWID;
";

/// Makes the tables where there are none.
pub(super) fn make(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = STEPS.len() as i64;
    let missing = usize::try_from(found).ok().and_then(|found| STEPS.get(found..));
    let missing = missing.ok_or(StoreError::Newer { found, known })?;
    for step in missing {
        transaction.execute_batch(step)?;
    }
    if !missing.is_empty() {
        transaction.pragma_update(None, "user_version", known)?;
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_older_version_gets_what_is_missing_and_a_newer_one_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        connection.execute("INSERT INTO tenants (tenant) VALUES ('acme')", []).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        make(&mut connection).unwrap();
        make(&mut connection).unwrap();
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT COUNT(*) FROM tenants"), 1);
        assert_eq!(count("SELECT COUNT(*) FROM links"), 0);
        assert_eq!(count("PRAGMA user_version"), STEPS.len() as i64);
        connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(make(&mut connection), Err(StoreError::Newer { found: 99, .. })));
    }
}

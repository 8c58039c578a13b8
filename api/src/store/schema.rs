//! The tables, and how a file of an older version becomes one of this.

use rusqlite::Connection;

use super::StoreError;

/// What each version adds to the one before it; a file's own is kept in `user_version`. A step
/// that has been released never changes: what is new is a step of its own.
const STEPS: [&str; 6] = [TABLES, CUSTOMERS, MESSAGES, PEOPLE, COSTS, CLOSURES];

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

/// Who is told, what was told, and how far `outputs` is contained in it. `lane` is what sends
/// together (a webhook's id, or `mail`), `destination` what is told once of everything.
const MESSAGES: &str = "
CREATE TABLE followed (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, url TEXT NOT NULL, events TEXT NOT NULL,
    description TEXT, secret TEXT NOT NULL, old_secret TEXT, old_until_us INTEGER,
    created_us INTEGER NOT NULL, version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX webhooks_of_tenant ON webhooks (tenant, id);
CREATE TABLE messages (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,
    at_us INTEGER NOT NULL, channel TEXT NOT NULL, lane TEXT NOT NULL, destination TEXT NOT NULL,
    vehicle TEXT, seq INTEGER, event TEXT NOT NULL, ord TEXT, language TEXT,
    recipient TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, html TEXT,
    farewell TEXT, until_us INTEGER, due_us INTEGER NOT NULL, state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, error TEXT
);
CREATE UNIQUE INDEX messages_once ON messages (tenant, destination, vehicle, seq);
CREATE INDEX messages_due ON messages (state, lane, due_us);
CREATE INDEX messages_of_tenant ON messages (tenant, n);
CREATE INDEX messages_of_lane ON messages (lane, n);
CREATE INDEX messages_by_age ON messages (at_us);
CREATE TABLE told (
    tenant TEXT NOT NULL, destination TEXT NOT NULL, route TEXT NOT NULL, stop TEXT NOT NULL,
    event TEXT NOT NULL, at_us INTEGER NOT NULL,
    PRIMARY KEY (tenant, destination, route, stop, event)
) WITHOUT ROWID;
CREATE INDEX told_by_age ON told (at_us);
CREATE TABLE templates (
    tenant TEXT NOT NULL, event TEXT NOT NULL, language TEXT NOT NULL, subject TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (tenant, event, language)
) WITHOUT ROWID;
CREATE TABLE opted_out (
    tenant TEXT NOT NULL, address TEXT NOT NULL, at_us INTEGER NOT NULL,
    PRIMARY KEY (tenant, address)
) WITHOUT ROWID;
CREATE TABLE opt_out_tokens (
    hash BLOB PRIMARY KEY, tenant TEXT NOT NULL, address TEXT NOT NULL, at_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX opt_out_tokens_by_age ON opt_out_tokens (at_us);
CREATE TABLE message_rules (tenant TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
";

/// Accounts of people, and who saw whose track; that is written once and never changed.
const PEOPLE: &str = "
CREATE TABLE people (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    role TEXT NOT NULL, password TEXT, totp BLOB, totp_used INTEGER NOT NULL DEFAULT 0,
    totp_waiting BLOB, created_us INTEGER NOT NULL, disabled_us INTEGER, version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX people_of_tenant ON people (tenant, id);
CREATE TABLE welcomes (
    hash BLOB PRIMARY KEY, person TEXT NOT NULL, expires_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE audit (
    n INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, at_us INTEGER NOT NULL,
    who TEXT NOT NULL, name TEXT, what TEXT NOT NULL, vehicle TEXT NOT NULL,
    from_us INTEGER NOT NULL, to_us INTEGER NOT NULL
);
CREATE INDEX audit_of_tenant ON audit (tenant, n);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is not changed'); END;
CREATE TRIGGER audit_is_not_taken_back BEFORE DELETE ON audit
WHEN OLD.at_us > (SELECT MAX(at_us) FROM audit) - 34560000000000
BEGIN SELECT RAISE(ABORT, 'the audit is kept for 400 days'); END;
";

/// In which currency lateness costs, as ISO 4217 spells it.
const COSTS: &str = "ALTER TABLE tenants ADD COLUMN currency TEXT;";

/// Roads that dispatchers closed.
const CLOSURES: &str = "
CREATE TABLE closures (
    tenant TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, removed INTEGER NOT NULL,
    until_us INTEGER, body TEXT NOT NULL, PRIMARY KEY (tenant, id)
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

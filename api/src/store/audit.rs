//! Who saw whose track. Rows are added and never changed; the file's own triggers refuse it.

use ingest::id::TenantId;
use ingest::time::Timestamp;
use rusqlite::{Connection, params};

use super::{StoreError, people};

/// How long rows are kept, seconds (400 days); the triggers know the same.
pub const KEPT_S: f64 = 400.0 * 86_400.0;
/// Rows let go at a time.
const PRUNED_MAX: i64 = 5_000;

/// Somebody saw something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number; rises.
    pub n: i64,
    /// When.
    pub at: Timestamp,
    /// Id of the key or person.
    pub who: String,
    /// The person's mail address at that time.
    pub name: Option<String>,
    /// What: `track`.
    pub what: String,
    /// Whose.
    pub vehicle: String,
    /// Of which span.
    pub from: Timestamp,
    /// Of which span.
    pub to: Timestamp,
}

/// Adds a row; its number and name are found here.
pub fn add(connection: &Connection, tenant: &TenantId, row: &AuditRow) -> Result<(), StoreError> {
    let person = people::by_id(connection, &row.who)?;
    connection.execute(
        "INSERT INTO audit (tenant, at_us, who, name, what, vehicle, from_us, to_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            tenant.as_str(),
            row.at.micros(),
            row.who,
            person.map(|person| person.email),
            row.what,
            row.vehicle,
            row.from.micros(),
            row.to.micros()
        ],
    )?;
    Ok(())
}

/// Rows of a tenant, newest first, before a number.
pub fn list(
    connection: &Connection,
    tenant: &TenantId,
    (before, limit): (i64, usize),
) -> Result<Vec<AuditRow>, StoreError> {
    let mut select = connection.prepare(
        "SELECT n, at_us, who, name, what, vehicle, from_us, to_us FROM audit
         WHERE tenant = ?1 AND n < ?2 ORDER BY n DESC LIMIT ?3",
    )?;
    let time = Timestamp::from_micros;
    let rows = select.query_map(params![tenant.as_str(), before, limit as i64], |row| {
        Ok(AuditRow {
            n: row.get(0)?,
            at: time(row.get(1)?),
            who: row.get(2)?,
            name: row.get(3)?,
            what: row.get(4)?,
            vehicle: row.get(5)?,
            from: time(row.get(6)?),
            to: time(row.get(7)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Lets the oldest go.
pub fn prune(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    // Numbers rise with time, so the oldest are first.
    connection.execute(
        "DELETE FROM audit WHERE n IN
         (SELECT n FROM (SELECT n, at_us FROM audit ORDER BY n LIMIT ?2) WHERE at_us < ?1)",
        params![now.plus_seconds(-KEPT_S).micros(), PRUNED_MAX],
    )?;
    Ok(())
}

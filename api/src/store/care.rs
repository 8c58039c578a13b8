//! Who takes care of an open exception, and until when it may be left alone.

use std::collections::HashMap;

use ingest::id::TenantId;
use ingest::time::Timestamp;
use rusqlite::{Connection, params};

use super::StoreError;

/// What is noted is forgotten after so long, seconds (7 days): no exception stays open longer
/// without being seen again.
const KEPT_S: f64 = 7.0 * 86_400.0;
/// Exceptions with a note that are read for a list.
const NOTED_MAX: i64 = 20_000;

/// What is noted of an exception.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Care {
    /// It may be left alone until then.
    pub snoozed_until: Option<Timestamp>,
    /// Who takes care of it.
    pub assigned_to: Option<String>,
}

/// What is noted, by id of the exception.
pub fn of_tenant(
    connection: &Connection,
    tenant: &TenantId,
) -> Result<HashMap<String, Care>, StoreError> {
    let mut select = connection.prepare(
        "SELECT exception, snoozed_us, assigned FROM care WHERE tenant = ?1
         ORDER BY at_us DESC LIMIT ?2",
    )?;
    let rows = select.query_map(params![tenant.as_str(), NOTED_MAX], |row| {
        let snoozed: Option<i64> = row.get(1)?;
        let snoozed_until = snoozed.map(Timestamp::from_micros);
        Ok((row.get(0)?, Care { snoozed_until, assigned_to: row.get(2)? }))
    })?;
    Ok(rows.collect::<Result<_, rusqlite::Error>>()?)
}

/// Ids of the exceptions that somebody left alone or takes care of since then; at most 20,000,
/// the newest.
pub fn noted_since(
    connection: &Connection,
    tenant: &TenantId,
    from: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let mut select = connection.prepare(
        "SELECT exception FROM care WHERE tenant = ?1 AND at_us >= ?2
         AND (snoozed_us IS NOT NULL OR assigned IS NOT NULL) ORDER BY at_us DESC LIMIT ?3",
    )?;
    let place = params![tenant.as_str(), from.micros(), NOTED_MAX];
    let rows = select.query_map(place, |row| row.get(0))?;
    Ok(rows.collect::<Result<_, rusqlite::Error>>()?)
}

/// Notes until when it may be left alone; `None` takes that back.
pub fn snooze(
    connection: &Connection,
    (tenant, exception): (&TenantId, &str),
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    note(connection, (tenant, exception), now)?;
    connection.execute(
        "UPDATE care SET snoozed_us = ?3 WHERE tenant = ?1 AND exception = ?2",
        params![tenant.as_str(), exception, until.map(Timestamp::micros)],
    )?;
    Ok(())
}

/// Notes who takes care of it; `None` takes that back.
pub fn assign(
    connection: &Connection,
    (tenant, exception): (&TenantId, &str),
    to: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    note(connection, (tenant, exception), now)?;
    connection.execute(
        "UPDATE care SET assigned = ?3 WHERE tenant = ?1 AND exception = ?2",
        params![tenant.as_str(), exception, to],
    )?;
    Ok(())
}

fn note(
    connection: &Connection,
    (tenant, exception): (&TenantId, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let old = now.plus_seconds(-KEPT_S).micros();
    connection.execute(
        "DELETE FROM care WHERE tenant = ?1 AND at_us < ?2",
        params![tenant.as_str(), old],
    )?;
    connection.execute(
        "INSERT INTO care (tenant, exception, at_us) VALUES (?1, ?2, ?3)
         ON CONFLICT (tenant, exception) DO UPDATE SET at_us = ?3",
        params![tenant.as_str(), exception, now.micros()],
    )?;
    Ok(())
}

//! Changes that are reserved but not yet on the log.
//!
//! A change is written down with the records that carry it before they are appended, and taken
//! over once they are durable. What is still here at a start was cut off in between: it is
//! appended again, unless a newer version has overtaken it. The log's readers know records by
//! their pid or version, so twice does no harm.

use bytes::Bytes;
use ingest::log::{NewRecord, Topic};
use ingest::record::Envelope;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{StoreError, closures, devices, routes};

/// What a resource becomes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Change {
    /// A route gets a new version.
    Route(routes::RouteRow),
    /// A device gets a new version, or ends.
    Device(devices::DeviceRow),
    /// Roads are closed, or opened again.
    Closure(closures::ClosureRow),
}

/// A reserved change.
#[derive(Debug)]
pub struct Pending {
    /// Its number.
    pub id: i64,
    /// What becomes of what.
    pub changes: Vec<Change>,
    /// What carries it, in one append.
    pub records: Vec<NewRecord>,
}

/// Writes a change down.
pub fn reserve(
    connection: &Connection,
    changes: Vec<Change>,
    records: Vec<NewRecord>,
) -> Result<Pending, StoreError> {
    for change in &changes {
        match change {
            Change::Route(row) => routes::reserve(connection, row)?,
            Change::Device(row) => devices::reserve(connection, row)?,
            Change::Closure(_) => {}
        }
    }
    let text = serde_json::to_string(&changes).map_err(|e| StoreError::Value(e.to_string()))?;
    connection.execute("INSERT INTO pending (changes) VALUES (?1)", params![text])?;
    let id = connection.last_insert_rowid();
    let mut insert = connection.prepare(
        "INSERT INTO pending_records (pending, n, topic, key, value) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (n, record) in records.iter().enumerate() {
        let (key, value) = (record.key.as_ref(), record.value.as_deref());
        insert.execute(params![id, n as i64, record.topic.short(), key, value])?;
    }
    drop(insert);
    Ok(Pending { id, changes, records })
}

/// It is on the log: takes it over, unless a newer version is there already.
pub fn apply(connection: &Connection, id: i64, changes: &[Change]) -> Result<(), StoreError> {
    for change in changes {
        match change {
            Change::Route(row) => routes::take(connection, row)?,
            Change::Device(row) => devices::take(connection, row)?,
            Change::Closure(row) => closures::take(connection, row)?,
        }
    }
    forget(connection, id)
}

/// It will never be on the log, or nothing is known of it: its version is lost.
pub fn give_up(connection: &Connection, id: i64, changes: &[Change]) -> Result<(), StoreError> {
    for change in changes {
        match change {
            Change::Route(row) => routes::give_up(connection, row)?,
            Change::Device(row) => devices::give_up(connection, row)?,
            Change::Closure(_) => {}
        }
    }
    forget(connection, id)
}

fn forget(connection: &Connection, id: i64) -> Result<(), StoreError> {
    connection.execute("DELETE FROM pending_records WHERE pending = ?1", params![id])?;
    connection.execute("DELETE FROM pending WHERE id = ?1", params![id])?;
    Ok(())
}

/// What was cut off, oldest first; overtaken changes are forgotten.
pub fn cut_off(connection: &Connection) -> Result<Vec<Pending>, StoreError> {
    let mut select = connection.prepare("SELECT id, changes FROM pending ORDER BY id")?;
    let rows: Vec<(i64, String)> = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, rusqlite::Error>>()?;
    let mut waiting = Vec::new();
    for (id, text) in rows {
        let changes: Vec<Change> =
            serde_json::from_str(&text).map_err(|e| StoreError::Value(e.to_string()))?;
        let overtaken = changes.iter().map(|change| match change {
            Change::Route(row) => routes::overtaken(connection, row),
            Change::Device(row) => devices::overtaken(connection, row),
            Change::Closure(row) => closures::overtaken(connection, row),
        });
        if overtaken.collect::<Result<Vec<bool>, _>>()?.contains(&true) {
            forget(connection, id)?;
        } else {
            waiting.push(Pending { id, changes, records: records(connection, id)? });
        }
    }
    Ok(waiting)
}

fn records(connection: &Connection, id: i64) -> Result<Vec<NewRecord>, StoreError> {
    let mut select = connection
        .prepare("SELECT topic, key, value FROM pending_records WHERE pending = ?1 ORDER BY n")?;
    let rows: Vec<(String, Vec<u8>, Option<Vec<u8>>)> = select
        .query_map(params![id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, rusqlite::Error>>()?;
    rows.into_iter().map(|(topic, key, value)| record(&topic, key, value)).collect()
}

fn record(topic: &str, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<NewRecord, StoreError> {
    let topic = Topic::from_short(topic)
        .ok_or_else(|| StoreError::Value(format!("topic `{topic}` of a pending record")))?;
    let (key, value) = (Bytes::from(key), value.map(Bytes::from));
    match value {
        None => Ok(NewRecord { topic, partition: None, key, value, headers: Vec::new() }),
        Some(value) => Envelope::decode(value)
            .map(|envelope| envelope.into_record(topic, key))
            .map_err(|e| StoreError::Value(e.to_string())),
    }
}

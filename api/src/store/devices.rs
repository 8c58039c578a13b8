//! Devices: whose each one is, now and from when on.

use ingest::id::{DeviceId, TenantId, VehicleId};
use ingest::network::Network;
use ingest::record::DeviceRecord;
use ingest::secret::Secret;
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{StoreError, Versions};

/// A device at one version, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// Its own id.
    pub device: String,
    /// Whose it is; a device belongs to one tenant.
    pub tenant: String,
    /// Rises with each change.
    pub version: u64,
    /// Protocols it may speak; empty: any.
    pub protocols: Vec<String>,
    /// (from, microseconds; vehicle), oldest first; no vehicle: it is kept unassigned.
    pub assignments: Vec<(i64, Option<String>)>,
    /// Networks it may speak from; empty: any.
    #[serde(default)]
    pub networks: Vec<String>,
    /// Salt and hash of what it has to show.
    #[serde(default)]
    pub secret: Option<Vec<u8>>,
    /// It has left; the id is free again.
    pub retired: bool,
}

impl DeviceRow {
    /// The vehicle it belongs to at a time.
    pub fn vehicle_at(&self, time: Timestamp) -> Option<&str> {
        let held = self.assignments.iter().rev().find(|(from, _)| *from <= time.micros());
        held.and_then(|(_, vehicle)| vehicle.as_deref())
    }

    /// As topic `devices` holds it.
    pub fn record(&self) -> Result<DeviceRecord, StoreError> {
        let wrong = |e: ingest::id::BadId| StoreError::Value(e.to_string());
        let assignment = |(from, vehicle): &(i64, Option<String>)| {
            let vehicle = vehicle.as_deref().map(VehicleId::new).transpose().map_err(wrong)?;
            Ok((Timestamp::from_micros(*from), vehicle))
        };
        let network =
            |text: &String| Network::parse(text).map_err(|e| StoreError::Value(e.to_string()));
        Ok(DeviceRecord {
            tenant: TenantId::new(&self.tenant).map_err(wrong)?,
            protocols: self.protocols.clone(),
            assignments: self
                .assignments
                .iter()
                .map(assignment)
                .collect::<Result<_, StoreError>>()?,
            networks: self.networks.iter().map(network).collect::<Result<_, StoreError>>()?,
            secret: self.secret()?,
        })
    }

    /// What it has to show.
    pub fn secret(&self) -> Result<Option<Secret>, StoreError> {
        let Some(bytes) = &self.secret else { return Ok(None) };
        let secret = Secret::from_bytes(bytes);
        let wrong = || StoreError::Value(format!("secret of device `{}`", self.device));
        secret.map(Some).ok_or_else(wrong)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Body {
    protocols: Vec<String>,
    assignments: Vec<(i64, Option<String>)>,
    #[serde(default)]
    networks: Vec<String>,
    #[serde(default)]
    secret: Option<Vec<u8>>,
}

/// A device, whoever it belongs to, with its versions. Version 0: it is reserved but was never
/// on the log.
pub fn find(
    connection: &Connection,
    device: &DeviceId,
) -> Result<Option<(DeviceRow, Versions)>, StoreError> {
    let row = connection
        .query_row(
            "SELECT device, tenant, version, body, reserved, settled FROM devices
             WHERE device = ?1",
            params![device.as_str()],
            |row| Ok((columns(row)?, Versions::from_row(row, 4)?)),
        )
        .optional()?;
    row.map(|(columns, versions)| Ok((from_columns(columns)?, versions))).transpose()
}

/// Devices of a tenant after an id, in order of their ids.
pub fn list(
    connection: &Connection,
    tenant: &TenantId,
    after: &str,
    limit: usize,
) -> Result<Vec<DeviceRow>, StoreError> {
    let mut select = connection.prepare(
        "SELECT device, tenant, version, body FROM devices
         WHERE tenant = ?1 AND device > ?2 AND version > 0 ORDER BY device LIMIT ?3",
    )?;
    let rows = select.query_map(params![tenant.as_str(), after, limit as i64], columns)?;
    rows.map(|row| from_columns(row?)).collect()
}

type Columns = (String, String, i64, String);

fn columns(row: &rusqlite::Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn from_columns((device, tenant, version, body): Columns) -> Result<DeviceRow, StoreError> {
    let body: Body = serde_json::from_str(&body)
        .map_err(|e| StoreError::Value(format!("device `{device}`: {e}")))?;
    Ok(DeviceRow {
        device,
        tenant,
        version: version as u64,
        protocols: body.protocols,
        assignments: body.assignments,
        networks: body.networks,
        secret: body.secret,
        retired: false,
    })
}

/// Gives out the row's version; what is in force stays.
pub(super) fn reserve(connection: &Connection, row: &DeviceRow) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO devices (device, tenant, version, reserved, body)
         VALUES (?1, ?2, 0, ?3, '{\"protocols\":[],\"assignments\":[]}')
         ON CONFLICT (device) DO UPDATE SET reserved = ?3",
        params![row.device, row.tenant, row.version as i64],
    )?;
    Ok(())
}

/// The row is in force from now on. Its row may have been removed by a later retirement.
pub(super) fn take(connection: &Connection, row: &DeviceRow) -> Result<(), StoreError> {
    if row.retired {
        connection.execute(
            "DELETE FROM devices WHERE device = ?1 AND version < ?2 AND reserved = ?2",
            params![row.device, row.version as i64],
        )?;
        return Ok(());
    }
    let body = Body {
        protocols: row.protocols.clone(),
        assignments: row.assignments.clone(),
        networks: row.networks.clone(),
        secret: row.secret.clone(),
    };
    let body = serde_json::to_string(&body).map_err(|e| StoreError::Value(e.to_string()))?;
    connection.execute(
        "UPDATE devices SET version = ?2, settled = MAX(settled, ?2), body = ?3
         WHERE device = ?1 AND version < ?2",
        params![row.device, row.version as i64, body],
    )?;
    Ok(())
}

/// The row will never be in force.
pub(super) fn give_up(connection: &Connection, row: &DeviceRow) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE devices SET settled = MAX(settled, ?2) WHERE device = ?1",
        params![row.device, row.version as i64],
    )?;
    connection.execute(
        "DELETE FROM devices WHERE device = ?1 AND version = 0 AND reserved = ?2",
        params![row.device, row.version as i64],
    )?;
    Ok(())
}

/// Whether a newer version is in force.
pub(super) fn overtaken(connection: &Connection, row: &DeviceRow) -> Result<bool, StoreError> {
    let version: Option<i64> = connection
        .query_row("SELECT version FROM devices WHERE device = ?1", params![row.device], |r| {
            r.get(0)
        })
        .optional()?;
    Ok(version.is_none_or(|version| version as u64 >= row.version))
}

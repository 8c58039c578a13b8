//! Vehicles: what people call them and how they drive.

use ingest::id::{TenantId, VehicleId};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::StoreError;

/// What people say about a vehicle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VehicleBody {
    /// Shown to people.
    pub name: String,
    /// How it drives: `car`, `van`, `truck`, `bike`, `foot`.
    pub profile: String,
    /// IANA name, for people's clocks.
    pub time_zone: String,
    /// How to call whoever drives it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone: Option<String>,
}

/// A vehicle at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VehicleRow {
    /// Its id.
    pub vehicle: String,
    /// Rises with each change.
    pub version: u64,
    /// What is said about it.
    pub body: VehicleBody,
}

/// One vehicle of a tenant.
pub fn find(
    connection: &Connection,
    tenant: &TenantId,
    vehicle: &VehicleId,
) -> Result<Option<VehicleRow>, StoreError> {
    let row = connection
        .query_row(
            "SELECT vehicle, version, body FROM vehicles WHERE tenant = ?1 AND vehicle = ?2",
            params![tenant.as_str(), vehicle.as_str()],
            columns,
        )
        .optional()?;
    row.map(from_columns).transpose()
}

/// Vehicles of a tenant after an id, in order of their ids.
pub fn list(
    connection: &Connection,
    tenant: &TenantId,
    after: &str,
    limit: usize,
) -> Result<Vec<VehicleRow>, StoreError> {
    let mut select = connection.prepare(
        "SELECT vehicle, version, body FROM vehicles
         WHERE tenant = ?1 AND vehicle > ?2 ORDER BY vehicle LIMIT ?3",
    )?;
    let rows = select.query_map(params![tenant.as_str(), after, limit as i64], columns)?;
    rows.map(|row| from_columns(row?)).collect()
}

/// Writes a vehicle at its version.
pub fn put(connection: &Connection, tenant: &TenantId, row: &VehicleRow) -> Result<(), StoreError> {
    let body = serde_json::to_string(&row.body).map_err(|e| StoreError::Value(e.to_string()))?;
    connection.execute(
        "INSERT OR REPLACE INTO vehicles (tenant, vehicle, version, body)
         VALUES (?1, ?2, ?3, ?4)",
        params![tenant.as_str(), row.vehicle, row.version as i64, body],
    )?;
    Ok(())
}

/// Writes a vehicle of which nothing but its id is known, unless it is there already.
pub fn ensure(
    connection: &Connection,
    tenant: &TenantId,
    vehicle: &VehicleId,
) -> Result<(), StoreError> {
    if find(connection, tenant, vehicle)?.is_some() {
        return Ok(());
    }
    let name = vehicle.as_str().to_owned();
    let body = VehicleBody { name, profile: "van".into(), time_zone: "UTC".into(), phone: None };
    put(connection, tenant, &VehicleRow { vehicle: vehicle.to_string(), version: 1, body })
}

/// Removes a vehicle.
pub fn delete(
    connection: &Connection,
    tenant: &TenantId,
    vehicle: &VehicleId,
) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM vehicles WHERE tenant = ?1 AND vehicle = ?2",
        params![tenant.as_str(), vehicle.as_str()],
    )?;
    Ok(())
}

type Columns = (String, i64, String);

fn columns(row: &rusqlite::Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn from_columns((vehicle, version, body): Columns) -> Result<VehicleRow, StoreError> {
    let body = serde_json::from_str(&body)
        .map_err(|e| StoreError::Value(format!("vehicle `{vehicle}`: {e}")))?;
    Ok(VehicleRow { vehicle, version: version as u64, body })
}

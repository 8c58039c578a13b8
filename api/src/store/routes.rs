//! Routes with their versions, and which stop visits which order.
//!
//! Versions come from here by compare-and-set inside the writer's transaction: `reserved` is the
//! highest given out, `version` the newest that is on the log.

use ingest::id::{OrderId, RouteId, StopId, TenantId, VehicleId};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{StoreError, Versions};

/// A place in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlaceRow {
    /// Latitude.
    pub lat: f64,
    /// Longitude.
    pub lng: f64,
}

/// One stop, as stored: what the engine knows of it, and the name that never leaves this file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StopRow {
    /// Unique within its route.
    pub id: String,
    /// The order that is delivered there.
    pub order: String,
    /// The door.
    pub place: PlaceRow,
    /// Promised service start, microseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub window: Option<(i64, i64)>,
    /// Planned service, seconds.
    pub service_s: f64,
    /// Who or what is visited, for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// How the customer is told; like the name it never leaves this file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contact: Option<ContactRow>,
}

/// How a customer is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactRow {
    /// Mail address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// Phone number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone: Option<String>,
    /// Tag of the language, such as `pt-BR`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub language: Option<String>,
    /// How they are greeted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
}

/// What a route holds, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteBody {
    /// Where the vehicle starts and ends.
    pub depot: PlaceRow,
    /// When it works, microseconds.
    pub shift: (i64, i64),
    /// IANA name, for people's clocks.
    pub time_zone: String,
    /// In driving order; empty: the route is withdrawn.
    pub stops: Vec<StopRow>,
}

/// A route at one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteRow {
    /// Whose.
    pub tenant: String,
    /// Its id.
    pub route: String,
    /// Rises with each change.
    pub version: u64,
    /// Which vehicle drives it.
    pub vehicle: String,
    /// What it holds.
    pub body: RouteBody,
}

/// A route with its versions. Version 0: it is reserved but was never on the log.
pub fn find(
    connection: &Connection,
    tenant: &TenantId,
    route: &RouteId,
) -> Result<Option<(RouteRow, Versions)>, StoreError> {
    let row = connection
        .query_row(
            "SELECT tenant, route, version, vehicle, body, reserved, settled FROM routes
             WHERE tenant = ?1 AND route = ?2",
            params![tenant.as_str(), route.as_str()],
            |row| Ok((columns(row)?, Versions::from_row(row, 5)?)),
        )
        .optional()?;
    row.map(|(columns, versions)| Ok((from_columns(columns)?, versions))).transpose()
}

/// Routes of a tenant after an id, in order of their ids; withdrawn ones are left out.
pub fn list(
    connection: &Connection,
    tenant: &TenantId,
    vehicle: Option<&VehicleId>,
    (after, limit): (&str, usize),
) -> Result<Vec<RouteRow>, StoreError> {
    let mut select = connection.prepare(
        "SELECT tenant, route, version, vehicle, body FROM routes
         WHERE tenant = ?1 AND route > ?2 AND version > 0 AND (?3 IS NULL OR vehicle = ?3)
         ORDER BY route LIMIT ?4",
    )?;
    let vehicle = vehicle.map(VehicleId::as_str);
    let rows = select.query_map(params![tenant.as_str(), after, vehicle, limit as i64], columns)?;
    rows.map(|row| from_columns(row?)).collect()
}

/// Routes that visit an order, newest id first, at most 16.
pub fn of_order(
    connection: &Connection,
    tenant: &TenantId,
    order: &OrderId,
) -> Result<Vec<RouteRow>, StoreError> {
    visiting(connection, "ord", tenant, order.as_str())
}

/// Routes that have a stop of this id, newest id first, at most 16.
pub fn of_stop(
    connection: &Connection,
    tenant: &TenantId,
    stop: &StopId,
) -> Result<Vec<RouteRow>, StoreError> {
    visiting(connection, "stop", tenant, stop.as_str())
}

fn visiting(
    connection: &Connection,
    column: &'static str,
    tenant: &TenantId,
    id: &str,
) -> Result<Vec<RouteRow>, StoreError> {
    let mut select = connection.prepare(&format!(
        "SELECT r.tenant, r.route, r.version, r.vehicle, r.body
         FROM visits v JOIN routes r ON r.tenant = v.tenant AND r.route = v.route
         WHERE v.tenant = ?1 AND v.{column} = ?2 ORDER BY v.route DESC LIMIT 16"
    ))?;
    let rows = select.query_map(params![tenant.as_str(), id], columns)?;
    rows.map(|row| from_columns(row?)).collect()
}

type Columns = (String, String, i64, String, String);

fn columns(row: &rusqlite::Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

fn from_columns(columns: Columns) -> Result<RouteRow, StoreError> {
    let (tenant, route, version, vehicle, body) = columns;
    let body = serde_json::from_str(&body)
        .map_err(|e| StoreError::Value(format!("route `{route}`: {e}")))?;
    Ok(RouteRow { tenant, route, version: version as u64, vehicle, body })
}

fn text(body: &RouteBody) -> Result<String, StoreError> {
    serde_json::to_string(body).map_err(|e| StoreError::Value(e.to_string()))
}

/// Gives out the row's version; what is in force stays.
pub(super) fn reserve(connection: &Connection, row: &RouteRow) -> Result<(), StoreError> {
    let (version, empty) =
        (row.version as i64, text(&RouteBody { stops: vec![], ..row.body.clone() })?);
    connection.execute(
        "INSERT INTO routes (tenant, route, version, reserved, vehicle, body)
         VALUES (?1, ?2, 0, ?3, ?4, ?5)
         ON CONFLICT (tenant, route) DO UPDATE SET reserved = ?3",
        params![row.tenant, row.route, version, row.vehicle, empty],
    )?;
    Ok(())
}

/// The row is in force from now on, unless a newer one is.
pub(super) fn take(connection: &Connection, row: &RouteRow) -> Result<(), StoreError> {
    let taken = connection.execute(
        "UPDATE routes SET version = ?3, settled = MAX(settled, ?3), vehicle = ?4, body = ?5
         WHERE tenant = ?1 AND route = ?2 AND version < ?3",
        params![row.tenant, row.route, row.version as i64, row.vehicle, text(&row.body)?],
    )?;
    if taken == 0 {
        return Ok(());
    }
    connection.execute(
        "DELETE FROM visits WHERE tenant = ?1 AND route = ?2",
        params![row.tenant, row.route],
    )?;
    let mut insert = connection.prepare(
        "INSERT OR REPLACE INTO visits (tenant, route, stop, ord) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for stop in &row.body.stops {
        insert.execute(params![row.tenant, row.route, stop.id, stop.order])?;
    }
    Ok(())
}

/// The row will never be in force.
pub(super) fn give_up(connection: &Connection, row: &RouteRow) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE routes SET settled = MAX(settled, ?3) WHERE tenant = ?1 AND route = ?2",
        params![row.tenant, row.route, row.version as i64],
    )?;
    Ok(())
}

/// Whether a newer version is in force.
pub(super) fn overtaken(connection: &Connection, row: &RouteRow) -> Result<bool, StoreError> {
    let version: Option<i64> = connection
        .query_row(
            "SELECT version FROM routes WHERE tenant = ?1 AND route = ?2",
            params![row.tenant, row.route],
            |r| r.get(0),
        )
        .optional()?;
    Ok(version.is_some_and(|version| version as u64 >= row.version))
}

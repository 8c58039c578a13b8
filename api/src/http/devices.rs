//! Devices: whom each tracker or phone belongs to, from when on.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::model::Assignment;
use engine::record::input::assignment_envelope;
use ingest::id::{DeviceId, TenantId, VehicleId, VehicleKey, percent_encoded};
use ingest::log::{NewRecord, Topic};
use ingest::network::Network;
use ingest::record::{ASSIGNMENTS_MAX, NETWORKS_MAX, Pid};
use ingest::secret::{SALT, SECRET_MAX, SECRET_MIN, Secret};
use ingest::time::Timestamp;
use rusqlite::Connection;

use super::{
    Asked, Body, Page, cursor, etag, next_after, own_device, page_of, precondition, versioned,
};
use crate::app::Shared;
use crate::auth::{Manager, Reader};
use crate::problem::{Failures, Problem};
use crate::store::devices::{self, DeviceRow};
use crate::store::keys::random_bytes;
use crate::store::pending::{self, Change, Pending};
use crate::store::{StoreError, vehicles};
use crate::view::{DeviceIn, DeviceOut};
use crate::write::commit;

/// A `valid_from` this little before now, seconds, was now when the client wrote it.
const GRACE_S: f64 = 2.0;
/// Protocols a device may be limited to.
const PROTOCOLS_MAX: usize = 32;

/// Says whose a device is. A vehicle that does not exist yet is made with its id as name.
#[utoipa::path(put, path = "/devices/{id}", tag = "devices", request_body = DeviceIn,
    params(("id" = String, Path, description = "1 to 64 printable ASCII characters")),
    security(("key" = ["admin"])),
    responses((status = 200, body = DeviceOut), (status = 201, body = DeviceOut),
        (status = 409, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn put(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body<DeviceIn>,
) -> Result<Response, Problem> {
    let device = own_device(&id)?;
    let now = app.now();
    let wanted = wanted(&body, now)?;
    let row = commit(&app, move |c| {
        let found = devices::find(c, &device)?;
        let (tenant, by) = (&who.tenant, who.key.as_str());
        if found.as_ref().is_some_and(|(row, _)| row.tenant != tenant.as_str()) {
            return Err(Problem::conflict(format!("device `{device}` is another one's")));
        }
        let current = found.as_ref().map(|(row, _)| row).filter(|row| row.version > 0);
        precondition(&headers, current.map(|row| row.version))?;
        if found.as_ref().is_some_and(|(_, versions)| versions.changing()) {
            return Err(Problem::conflict(format!("device `{device}` is being changed")));
        }
        let version = found.as_ref().map_or(0, |(_, versions)| versions.reserved) + 1;
        let row = merged(current, &device, tenant, &wanted, version)?;
        if current.is_some_and(|old| same(old, &row)) {
            return Ok((DeviceRow { version: version - 1, ..row }, None));
        }
        if let Some(vehicle) = &wanted.vehicle {
            vehicles::ensure(c, tenant, vehicle)?;
        }
        let change = Changed { before: current, row: &row, from: wanted.from, now, by };
        let pending = change.reserve(c, &device, tenant)?;
        Ok((row, Some(pending)))
    })
    .await?;
    let status = if row.version == 1 { StatusCode::CREATED } else { StatusCode::OK };
    let version = row.version;
    Ok((status, [(header::ETAG, etag(version))], Json(DeviceOut::new(&row, now))).into_response())
}

/// What a request asks for, checked.
struct Wanted {
    vehicle: Option<VehicleId>,
    from: Timestamp,
    protocols: Vec<String>,
    networks: Vec<String>,
    /// `None`: it stays; empty: it goes.
    secret: Option<String>,
}

fn wanted(body: &DeviceIn, now: Timestamp) -> Result<Wanted, Problem> {
    let vehicle =
        body.vehicle.as_deref().map(super::own_vehicle).transpose().map_err(|mut p| {
            p.field = Some("vehicle".into());
            p
        })?;
    let from = match &body.valid_from {
        None => now,
        Some(text) => {
            let from = Timestamp::parse(text)
                .map_err(|_bad| Problem::value("valid_from", text, "a time of RFC 3339"))?;
            if now.seconds_since(from) > GRACE_S {
                return Err(Problem::value("valid_from", text, &format!("not before {now}")));
            }
            from.max(now)
        }
    };
    let protocols = body.protocols.clone().unwrap_or_default();
    if protocols.len() > PROTOCOLS_MAX {
        let shown = protocols.len().to_string();
        return Err(Problem::value("protocols", &shown, "at most 32 names"));
    }
    for name in &protocols {
        if ingest::protocol::by_name(name).is_none() {
            let known = ingest::protocol::PROTOCOLS.iter().map(|p| p.name());
            let known = known.collect::<Vec<_>>().join(", ");
            return Err(Problem::value("protocols", name, &format!("some of: {known}")));
        }
    }
    let networks = networks(body.networks.as_deref().unwrap_or_default())?;
    let secret = body.secret.as_ref().map(|secret| secret.0.clone());
    let fits =
        |secret: &String| secret.is_empty() || (SECRET_MIN..=SECRET_MAX).contains(&secret.len());
    if !secret.as_ref().is_none_or(fits) {
        let expected = format!("{SECRET_MIN} to {SECRET_MAX} bytes, or nothing");
        return Err(Problem::value("secret", "(not shown)", &expected));
    }
    Ok(Wanted { vehicle, from, protocols, networks, secret })
}

/// Ranges of addresses, as they are stored.
fn networks(asked: &[String]) -> Result<Vec<String>, Problem> {
    if asked.len() > NETWORKS_MAX {
        let (shown, most) = (asked.len().to_string(), format!("at most {NETWORKS_MAX} ranges"));
        return Err(Problem::value("networks", &shown, &most));
    }
    let range = |text: &String| {
        let network = Network::parse(text).map_err(|_bad| {
            Problem::value("networks", text, "ranges of addresses such as 10.0.0.0/8")
        })?;
        Ok(network.to_string())
    };
    asked.iter().map(range).collect()
}

/// Salt and hash of the secret that a device has from now on. The same one again changes nothing.
fn secret_of(current: Option<&DeviceRow>, wanted: &Wanted) -> Result<Option<Vec<u8>>, StoreError> {
    let held = current.and_then(|row| row.secret.clone());
    let Some(asked) = &wanted.secret else { return Ok(held) };
    if asked.is_empty() {
        return Ok(None);
    }
    let is_held = held.as_deref().and_then(Secret::from_bytes);
    if is_held.is_some_and(|secret| secret.is(asked.as_bytes())) {
        return Ok(held);
    }
    let mut salt = [0; SALT];
    salt.copy_from_slice(&random_bytes()?[..SALT]);
    Ok(Secret::new(salt, asked.as_bytes()).map(|secret| secret.bytes()))
}

/// The device as it becomes: assignments not before the wanted one give way to it.
fn merged(
    current: Option<&DeviceRow>,
    device: &DeviceId,
    tenant: &TenantId,
    wanted: &Wanted,
    version: u64,
) -> Result<DeviceRow, StoreError> {
    let mut assignments = current.map(|row| row.assignments.clone()).unwrap_or_default();
    let vehicle = wanted.vehicle.as_ref().map(ToString::to_string);
    assignments.retain(|(from, _)| *from < wanted.from.micros());
    if assignments.last().is_none_or(|(_, last)| *last != vehicle) {
        assignments.push((wanted.from.micros(), vehicle));
    }
    let surplus = assignments.len().saturating_sub(ASSIGNMENTS_MAX);
    assignments.drain(..surplus);
    Ok(DeviceRow {
        device: device.to_string(),
        tenant: tenant.to_string(),
        version,
        protocols: wanted.protocols.clone(),
        assignments,
        networks: wanted.networks.clone(),
        secret: secret_of(current, wanted)?,
        retired: false,
    })
}

fn same(a: &DeviceRow, b: &DeviceRow) -> bool {
    let parts = |row: &DeviceRow| {
        (row.protocols.clone(), row.assignments.clone(), row.networks.clone(), row.secret.clone())
    };
    parts(a) == parts(b)
}

/// A change of a device on its way to the log.
struct Changed<'a> {
    before: Option<&'a DeviceRow>,
    row: &'a DeviceRow,
    from: Timestamp,
    now: Timestamp,
    by: &'a str,
}

impl Changed<'_> {
    /// The device record, and the assignment to every vehicle it concerns, in one append.
    fn reserve(
        &self,
        connection: &Connection,
        device: &DeviceId,
        tenant: &TenantId,
    ) -> Result<Pending, StoreError> {
        let key = percent_encoded(device);
        let record = self.row.record()?.envelope().into_record(Topic::Devices, key.into());
        let record = if self.row.retired {
            NewRecord { value: None, headers: Vec::new(), ..record }
        } else {
            record
        };
        let mut records = vec![record];
        let now_on = if self.row.retired { None } else { self.row.vehicle_at(self.from) };
        let vehicle = now_on.and_then(|v| VehicleId::new(v).ok());
        let (version, from) = (self.row.version.to_le_bytes(), self.from.micros().to_le_bytes());
        let parts: [&[u8]; 4] =
            [tenant.as_str().as_bytes(), device.as_str().as_bytes(), &version, &from];
        let assignment = Assignment {
            pid: Pid::of_parts(&parts),
            received_at: self.now,
            device: device.clone(),
            vehicle: vehicle.clone(),
            from: self.from,
        };
        let envelope = assignment_envelope(&assignment, Some(self.by));
        for vehicle in self.concerned(device, vehicle) {
            let key = VehicleKey { tenant: tenant.clone(), vehicle }.to_string();
            records.push(envelope.into_record(Topic::Inputs, key.into()));
        }
        pending::reserve(connection, vec![Change::Device(self.row.clone())], records)
    }

    /// The vehicles it leaves (those of assignments that end or give way, or its own stand-in
    /// while it was assigned to none) and the one it joins; each once.
    fn concerned(&self, device: &DeviceId, joined: Option<VehicleId>) -> Vec<VehicleId> {
        let Some(before) = self.before else { return joined.into_iter().collect() };
        let from = self.from.micros();
        let held = before.assignments.iter().rev().find(|(at, _)| *at < from);
        let given_way = before.assignments.iter().filter(|(at, _)| *at >= from);
        let left = held.into_iter().chain(given_way).map(|(_, vehicle)| match vehicle {
            Some(vehicle) => VehicleId::new(vehicle).ok(),
            None => Some(VehicleId::of_unassigned(device)),
        });
        let mut concerned: Vec<VehicleId> = left.flatten().chain(joined).collect();
        concerned.sort();
        concerned.dedup();
        concerned
    }
}

/// One device.
#[utoipa::path(get, path = "/devices/{id}", tag = "devices",
    params(("id" = String, Path, description = "its own id, percent-encoded")),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = DeviceOut), Failures))]
pub(crate) async fn get(
    Reader(who): Reader,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let device = own_device(&id).map_err(|_bad| Problem::unknown("device", &id))?;
    let found = app.store.read(|c| devices::find(c, &device))?;
    let ours = |row: &DeviceRow| row.tenant == who.tenant.as_str() && row.version > 0;
    let row = found.map(|(row, _)| row).filter(ours);
    let row = row.ok_or_else(|| Problem::unknown("device", &id))?;
    Ok(versioned(&headers, row.version, DeviceOut::new(&row, app.now())))
}

/// All devices.
#[utoipa::path(get, path = "/devices", tag = "devices", params(Page),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = DevicesOut), Failures))]
pub(crate) async fn list(
    Reader(who): Reader,
    State(app): State<Shared>,
    Asked(page): Asked<Page>,
) -> Result<Response, Problem> {
    let (after, limit) = (cursor(page.after.as_deref())?, page.limit()?);
    let rows = app.store.read(|c| devices::list(c, &who.tenant, &after, limit))?;
    let now = app.now();
    let next = next_after(rows.last().map(|row| row.device.as_str()), rows.len(), limit);
    let members: Vec<_> = rows.iter().map(|row| DeviceOut::new(row, now)).collect();
    Ok(page_of("/v1/devices", "devices", &members, next))
}

/// Retires a device: it is refused from now on, and its id is free.
#[utoipa::path(delete, path = "/devices/{id}", tag = "devices",
    params(("id" = String, Path, description = "its own id, percent-encoded")),
    security(("key" = ["admin"])), responses((status = 204), Failures))]
pub(crate) async fn delete(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let device = own_device(&id).map_err(|_bad| Problem::unknown("device", &id))?;
    let now = app.now();
    commit(&app, move |c| {
        let found = devices::find(c, &device)?;
        let ours = |row: &DeviceRow| row.tenant == who.tenant.as_str() && row.version > 0;
        let found = found.filter(|(row, _)| ours(row));
        let (current, versions) = found.ok_or_else(|| Problem::unknown("device", &id))?;
        precondition(&headers, Some(current.version))?;
        if versions.changing() {
            return Err(Problem::conflict(format!("device `{device}` is being changed")));
        }
        let version = versions.reserved + 1;
        let row = DeviceRow { version, retired: true, ..current.clone() };
        let (before, by) = (Some(&current), who.key.as_str());
        let change = Changed { before, row: &row, from: now, now, by };
        Ok(((), Some(change.reserve(c, &device, &who.tenant)?)))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of the list.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
pub(crate) struct DevicesOut {
    devices: Vec<DeviceOut>,
    /// Cursor of the next page.
    next: Option<String>,
}

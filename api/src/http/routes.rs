//! Routes: what each vehicle has promised for a shift, and how far it is.

#![expect(unused_qualifications, reason = "utoipa spells out the type of the parameters")]

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::id::{RouteId, TenantId, VehicleId};
use ingest::record::Pid;
use ingest::time::Timestamp;
use rusqlite::Connection;
use serde::Deserialize;
use utoipa::IntoParams;

use super::plan::{self, Sent};
use super::{
    Asked, Body, Page, etag, known_route, next_after, own_route, own_vehicle, page_of, precondition,
};
use crate::app::{App, Shared};
use crate::auth::{Anybody, Planner, Reader};
use crate::live::Seen;
use crate::problem::{Failures, Problem};
use crate::store::pending::{self, Change, Pending};
use crate::store::routes::{self, RouteBody, RouteRow};
use crate::store::vehicles;
use crate::view::{RouteIn, RouteOut};
use crate::write::commit;

/// Makes or changes a route: the plan is on the log when this answers. Given to another vehicle,
/// both are told in one append.
#[utoipa::path(put, path = "/routes/{id}", tag = "routes", request_body = RouteIn,
    params(("id" = String, Path, description = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}")),
    security(("key" = ["admin", "dispatcher"])),
    responses((status = 200, body = RouteOut), (status = 201, body = RouteOut),
        (status = 412, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn put(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body<RouteIn>,
) -> Result<Response, Problem> {
    let route = own_route(&id)?;
    let vehicle = own_vehicle(&body.vehicle).map_err(|mut problem| {
        problem.field = Some("vehicle".into());
        problem
    })?;
    let planned = plan::checked(&body)?;
    if let Some(road) = &app.road {
        plan::on_land(road, &planned)?;
    }
    let (now, tenant) = (app.now(), who.tenant.clone());
    let row = commit(&app, move |c| {
        let vehicle = (vehicle, planned);
        let by = (who.key.as_str(), now);
        changed(c, (&who.tenant, &route), vehicle, by, &headers)
    })
    .await?;
    let status = if row.version == 1 { StatusCode::CREATED } else { StatusCode::OK };
    let seen = driver(&app, &tenant, &row);
    let out = RouteOut::new(&row, seen.as_ref(), app.live.as_of());
    Ok((status, [(header::ETAG, etag(row.version))], Json(out)).into_response())
}

/// The row with the next version, reserved with its records.
fn changed(
    c: &Connection,
    (tenant, route): (&TenantId, &RouteId),
    (vehicle, mut body): (VehicleId, RouteBody),
    (by, at): (&str, Timestamp),
    headers: &HeaderMap,
) -> Result<(RouteRow, Option<Pending>), Problem> {
    let found = routes::find(c, tenant, route)?;
    let current = found.as_ref().map(|(row, _)| row).filter(|row| row.version > 0);
    precondition(headers, current.map(|row| row.version))?;
    if let Some(before) = current {
        plan::keep_contacts(&mut body, &before.body);
    }
    if vehicles::find(c, tenant, &vehicle)?.is_none() {
        let expected = "a vehicle that was put before";
        return Err(Problem::value("vehicle", vehicle.as_str(), expected));
    }
    let version = found.as_ref().map_or(0, |(_, versions)| versions.reserved) + 1;
    let (tenant_id, route_id) = (tenant.to_string(), route.to_string());
    let vehicle = vehicle.to_string();
    let row = RouteRow { tenant: tenant_id, route: route_id, version, vehicle, body };
    let given_over = current.filter(|old| old.vehicle != row.vehicle);
    let transfer = given_over.map(|_| transfer_id(tenant, &[&row]));
    let sent = Sent { tenant, at, by, transfer };
    let mut records = Vec::with_capacity(2);
    if let Some(old) = given_over {
        let ending = RouteRow { version, ..old.clone() };
        records.push(sent.withdrawal(&ending, &old.vehicle)?);
    }
    records.push(sent.record(&row, &[])?);
    let pending = pending::reserve(c, vec![Change::Route(row.clone())], records)?;
    Ok((row, Some(pending)))
}

/// Names a change that concerns two vehicles, by the versions it makes.
pub(crate) fn transfer_id(tenant: &TenantId, rows: &[&RouteRow]) -> Pid {
    let versions: Vec<[u8; 8]> = rows.iter().map(|row| row.version.to_le_bytes()).collect();
    let mut parts: Vec<&[u8]> = vec![b"transfer", tenant.as_str().as_bytes()];
    for (row, version) in rows.iter().zip(&versions) {
        parts.push(row.route.as_bytes());
        parts.push(version);
    }
    Pid::of_parts(&parts)
}

/// The vehicle of a route as it is known now.
pub(crate) fn driver(app: &App, tenant: &TenantId, row: &RouteRow) -> Option<Seen> {
    let vehicle = VehicleId::new(&row.vehicle).ok()?;
    app.live.vehicle(tenant, &vehicle)
}

/// A route of the tenant that is on the log.
pub(crate) fn row_of(app: &App, tenant: &TenantId, id: &str) -> Result<RouteRow, Problem> {
    let route = known_route(id)?;
    let found = app.store.read(|c| routes::find(c, tenant, &route))?;
    let row = found.map(|(row, _)| row).filter(|row| row.version > 0);
    row.ok_or_else(|| Problem::unknown("route", id))
}

/// One route with its progress and predicted arrivals.
#[utoipa::path(get, path = "/routes/{id}", tag = "routes", params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 200, body = RouteOut), Failures))]
pub(crate) async fn get(
    Anybody(who): Anybody,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let row = row_of(&app, &who.tenant, &id)?;
    let seen = driver(&app, &who.tenant, &row);
    let out = RouteOut::new(&row, seen.as_ref(), app.live.as_of());
    Ok(([(header::ETAG, etag(row.version))], Json(out)).into_response())
}

/// What a list of routes is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only this vehicle's.
    vehicle: Option<String>,
    /// Cursor of the page before, as `next` gave it.
    after: Option<String>,
    /// At most so many, 1 to 1,000; absent: 100.
    limit: Option<usize>,
}

/// All routes with their progress.
#[utoipa::path(get, path = "/routes", tag = "routes", params(Which),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = RoutesOut), Failures))]
pub(crate) async fn list(
    Reader(who): Reader,
    State(app): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Response, Problem> {
    let limit = Page { after: None, limit: which.limit }.limit()?;
    let vehicle = which.vehicle.as_deref().map(super::known_vehicle).transpose()?;
    let after = which.after.clone().unwrap_or_default();
    // Up to 1,000 routes of 500 stops: too long for a thread that others wait for.
    let listed = tokio::task::spawn_blocking(move || {
        let page = (after.as_str(), limit);
        let rows = app.store.read(|c| routes::list(c, &who.tenant, vehicle.as_ref(), page))?;
        let next = next_after(rows.last().map(|row| row.route.as_str()), rows.len(), limit);
        let as_of = app.live.as_of();
        let out =
            |row: &RouteRow| RouteOut::new(row, driver(&app, &who.tenant, row).as_ref(), as_of);
        let members: Vec<_> = rows.iter().map(out).collect();
        Ok::<_, Problem>(page_of("/v1/routes", "routes", &members, next))
    });
    listed.await.map_err(|_bad| Problem::unavailable("the list was cut off".to_owned()))?
}

/// Withdraws a route from its vehicle.
#[utoipa::path(delete, path = "/routes/{id}", tag = "routes", params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher"])), responses((status = 204), Failures))]
pub(crate) async fn delete(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let route = known_route(&id)?;
    let now = app.now();
    commit(&app, move |c| {
        let found = routes::find(c, &who.tenant, &route)?;
        let found = found.filter(|(row, _)| row.version > 0);
        let (current, versions) = found.ok_or_else(|| Problem::unknown("route", &id))?;
        precondition(&headers, Some(current.version))?;
        let version = versions.reserved + 1;
        let sent = Sent { tenant: &who.tenant, at: now, by: &who.key, transfer: None };
        let mut row = RouteRow { version, ..current };
        let record = sent.withdrawal(&row, &row.vehicle)?;
        row.body.stops.clear();
        let pending = pending::reserve(c, vec![Change::Route(row)], vec![record])?;
        Ok(((), Some(pending)))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of the list.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
pub(crate) struct RoutesOut {
    routes: Vec<RouteOut>,
    /// Cursor of the next page.
    next: Option<String>,
}

//! What people do at stops and with routes: actions, and moving a stop to another vehicle.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::model::{Action, Deed};
use engine::record::input::action_envelope;
use ingest::id::{RouteId, StopId, TenantId, VehicleId, VehicleKey};
use ingest::log::Topic;
use ingest::record::Pid;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plan::Sent;
use super::routes::{row_of, transfer_id};
use super::{Unread, known_route};
use crate::app::Shared;
use crate::auth::{Caller, Crew, Planner};
use crate::problem::{Failures, Problem};
use crate::store::pending::{self, Change, Pending};
use crate::store::routes::{self, RouteRow};
use crate::view::RouteOut;
use crate::write::{action_mark, append, commit};

/// Longest reason of a failed visit, characters.
const REASON_MAX: usize = 200;

/// What happened at a stop.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActionIn {
    /// `arrived`, `completed`, `failed` or `skipped`.
    action: String,
    /// Why it failed: a code, never a name.
    #[serde(default)]
    reason: Option<String>,
    /// The stop's route; needed where several routes have a stop of this id.
    #[serde(default)]
    route: Option<String>,
}

/// An action that is on the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActionOut {
    /// Its identity on the log.
    pid: String,
    /// The route it is about.
    route: String,
    /// The stop, for an action on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<String>,
    /// What was done.
    action: String,
}

/// Says what happened at a stop. What became of it shows in the route and its events.
#[utoipa::path(post, path = "/stops/{id}/actions", tag = "stops", request_body = ActionIn,
    params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher", "driver"])),
    responses((status = 202, body = ActionOut),
        (status = 409, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn act(
    Crew(who): Crew,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, Problem> {
    let stop = StopId::new(&id).map_err(|_bad| Problem::unknown("stop", &id))?;
    let rows = app.store.read(|c| routes::of_stop(c, &who.tenant, &stop))?;
    if rows.is_empty() {
        return Err(Problem::unknown("stop", &id));
    }
    let body: ActionIn = body.read()?;
    let row = route_with(&app, rows, &stop, body.route.as_deref())?;
    let reason = body.reason.unwrap_or_default();
    if reason.chars().count() > REASON_MAX {
        return Err(Problem::value("reason", &reason, "at most 200 characters"));
    }
    let deed = match body.action.as_str() {
        "arrived" => Deed::Arrived,
        "completed" => Deed::Completed,
        "failed" => Deed::Failed { reason },
        "skipped" => Deed::Skipped,
        other => {
            let expected = "arrived, completed, failed or skipped";
            return Err(Problem::value("action", other, expected));
        }
    };
    let path = format!("/v1/stops/{id}/actions");
    let done = Done { app: &app, who: &who, row: &row, path: &path, headers: &headers };
    done.send(deed, Some(stop), &body.action).await
}

/// Makes a route the active one of its vehicle now.
#[utoipa::path(post, path = "/routes/{id}/activate", tag = "routes", params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher", "driver"])),
    responses((status = 202, body = ActionOut), Failures))]
pub(crate) async fn activate(
    Crew(who): Crew,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let row = row_of(&app, &who.tenant, &id)?;
    let path = format!("/v1/routes/{id}/activate");
    let done = Done { app: &app, who: &who, row: &row, path: &path, headers: &headers };
    done.send(Deed::Activate, None, "activate").await
}

/// Ends a route, whatever is left of it.
#[utoipa::path(post, path = "/routes/{id}/finish", tag = "routes", params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher", "driver"])),
    responses((status = 202, body = ActionOut), Failures))]
pub(crate) async fn finish(
    Crew(who): Crew,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let row = row_of(&app, &who.tenant, &id)?;
    let path = format!("/v1/routes/{id}/finish");
    let done = Done { app: &app, who: &who, row: &row, path: &path, headers: &headers };
    done.send(Deed::Finish, None, "finish").await
}

/// An action that was asked for.
struct Done<'a> {
    app: &'a Shared,
    who: &'a Caller,
    row: &'a RouteRow,
    path: &'a str,
    headers: &'a HeaderMap,
}

impl Done<'_> {
    async fn send(
        &self,
        deed: Deed,
        stop: Option<StopId>,
        name: &str,
    ) -> Result<Response, Problem> {
        let wrong = |_| Problem::unknown("route", &self.row.route);
        let route = RouteId::new(&self.row.route).map_err(wrong)?;
        let vehicle = VehicleId::new(&self.row.vehicle).map_err(wrong)?;
        let now = self.app.now();
        let (tenant, route_id) = (self.who.tenant.clone(), self.row.route.clone());
        let mark = action_mark(self.headers, &self.who.key, now.micros());
        let parts: [&[u8]; 5] = [
            tenant.as_str().as_bytes(),
            self.path.as_bytes(),
            route_id.as_bytes(),
            name.as_bytes(),
            &mark,
        ];
        let action = Action {
            pid: Pid::of_parts(&parts),
            received_at: now,
            by: Some(self.who.key.clone()),
            route: Some(route),
            stop: stop.clone(),
            deed,
        };
        let key = VehicleKey { tenant, vehicle }.to_string();
        let record = action_envelope(&action).into_record(Topic::Inputs, key.into());
        append(self.app, vec![record]).await?;
        let out = ActionOut {
            pid: action.pid.to_string(),
            route: route_id,
            stop: stop.map(|stop| stop.to_string()),
            action: name.to_owned(),
        };
        Ok((StatusCode::ACCEPTED, Json(out)).into_response())
    }
}

/// The route a stop is on: the named one; else the only one that is being driven, or the only
/// one there is.
fn route_with(
    app: &Shared,
    mut rows: Vec<RouteRow>,
    stop: &StopId,
    named: Option<&str>,
) -> Result<RouteRow, Problem> {
    if let Some(named) = named {
        rows.retain(|row| row.route == named);
    }
    if rows.len() > 1 {
        let driven = |row: &RouteRow| {
            let tenant = TenantId::new(&row.tenant).ok();
            let seen = tenant.and_then(|tenant| super::routes::driver(app, &tenant, row));
            seen.and_then(|seen| seen.view.route.clone())
                .is_some_and(|(route, _)| route.as_str() == row.route)
        };
        let active: Vec<RouteRow> = rows.iter().filter(|row| driven(row)).cloned().collect();
        if active.len() != 1 {
            let names: Vec<&str> = rows.iter().map(|row| row.route.as_str()).collect();
            let detail = format!("stop `{stop}` is on routes {}; name one", names.join(", "));
            return Err(Problem::conflict(detail));
        }
        rows = active;
    }
    rows.pop().ok_or_else(|| Problem::unknown("stop", stop.as_str()))
}

/// Where a stop is moved to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveIn {
    /// The route that takes it.
    to: String,
    /// Before this stop of that route; absent: last.
    #[serde(default)]
    before: Option<String>,
}

/// Both routes after a move.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MoveOut {
    /// Without the stop.
    from: RouteOut,
    /// With it.
    to: RouteOut,
}

/// Moves a stop to another route: both vehicles are told in one append.
#[utoipa::path(post, path = "/routes/{id}/stops/{stop}/move", tag = "routes",
    request_body = MoveIn, params(("id" = String, Path), ("stop" = String, Path)),
    security(("key" = ["admin", "dispatcher"])),
    responses((status = 200, body = MoveOut),
        (status = 409, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn relocate(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path((id, stop)): Path<(String, String)>,
    body: Unread,
) -> Result<Response, Problem> {
    let from = known_route(&id)?;
    let row = row_of(&app, &who.tenant, &id)?;
    if !row.body.stops.iter().any(|other| other.id == stop) {
        return Err(Problem::unknown("stop", &stop));
    }
    let body: MoveIn = body.read()?;
    let to = RouteId::new(&body.to).map_err(|e| Problem::value("to", &body.to, e.expected))?;
    if from == to {
        return Err(Problem::value("to", &body.to, "another route than the stop is on"));
    }
    let (now, tenant) = (app.now(), who.tenant.clone());
    let (left, right) = commit(&app, move |c| {
        let mut left = settled(c, &who.tenant, &from)?;
        let mut right = settled(c, &who.tenant, &to)?;
        let place = left.body.stops.iter().position(|s| s.id == stop);
        let place = place.ok_or_else(|| Problem::unknown("stop", &stop))?;
        let moved = left.body.stops.remove(place);
        insert(&mut right, moved, body.before.as_deref())?;
        let transfer = Some(transfer_id(&who.tenant, &[&left, &right]));
        let sent = Sent { tenant: &who.tenant, at: now, by: &who.key, transfer };
        let pending = both(c, &sent, &left, &right, &[&stop])?;
        Ok(((left, right), Some(pending)))
    })
    .await?;
    let as_of = app.live.as_of();
    let out = |row: &RouteRow| {
        let seen = super::routes::driver(&app, &tenant, row);
        RouteOut::new(row, seen.as_ref(), as_of)
    };
    let etags = format!("\"{}-{}\"", left.version, right.version);
    Ok(([(header::ETAG, etags)], Json(MoveOut { from: out(&left), to: out(&right) }))
        .into_response())
}

fn insert(row: &mut RouteRow, stop: routes::StopRow, before: Option<&str>) -> Result<(), Problem> {
    let stops = &mut row.body.stops;
    if stops.iter().any(|other| other.id == stop.id || other.order == stop.order) {
        let detail = format!("route `{}` already has stop `{}` or its order", row.route, stop.id);
        return Err(Problem::conflict(detail));
    }
    if stops.len() >= engine::model::route::STOPS_MAX {
        return Err(Problem::value("to", &row.route, "a route of fewer than 500 stops"));
    }
    let place = match before {
        None => stops.len(),
        Some(before) => stops
            .iter()
            .position(|other| other.id == before)
            .ok_or_else(|| Problem::value("before", before, "a stop of the route in `to`"))?,
    };
    stops.insert(place, stop);
    Ok(())
}

/// A route as it is on the log, with the next version; refused while a change is on its way.
fn settled(c: &Connection, tenant: &TenantId, route: &RouteId) -> Result<RouteRow, Problem> {
    let found = routes::find(c, tenant, route)?.filter(|(row, _)| row.version > 0);
    let (row, versions) = found.ok_or_else(|| Problem::unknown("route", route.as_str()))?;
    if versions.changing() {
        return Err(Problem::conflict(format!("route `{route}` is being changed")));
    }
    Ok(RouteRow { version: versions.reserved + 1, ..row })
}

/// Reserves both plans; first the one that loses stops.
fn both(
    c: &Connection,
    sent: &Sent<'_>,
    left: &RouteRow,
    right: &RouteRow,
    moved: &[&str],
) -> Result<Pending, Problem> {
    let records = vec![sent.record(left, moved)?, sent.record(right, &[])?];
    let changes = vec![Change::Route(left.clone()), Change::Route(right.clone())];
    Ok(pending::reserve(c, changes, records)?)
}

/// A stop was moved away although its first vehicle had finished it: the route that took it
/// gives it up again. Nothing happens where it is gone already.
pub(crate) async fn take_back(
    app: &Shared,
    tenant: TenantId,
    first: Option<RouteId>,
    stop: StopId,
) -> Result<(), Problem> {
    let now = app.now();
    commit(app, move |c| {
        let rows = routes::of_stop(c, &tenant, &stop)?;
        let first = first.as_ref().map(RouteId::as_str);
        let mut holding = rows.into_iter().filter(|row| Some(row.route.as_str()) != first);
        let Some(row) = holding.next() else { return Ok(((), None)) };
        let route =
            RouteId::new(&row.route).map_err(|_bad| Problem::unknown("route", &row.route))?;
        let mut row = settled(c, &tenant, &route)?;
        row.body.stops.retain(|other| other.id != stop.as_str());
        let sent = Sent { tenant: &tenant, at: now, by: "milepost", transfer: None };
        let record = sent.record(&row, &[])?;
        let pending = pending::reserve(c, vec![Change::Route(row)], vec![record])?;
        Ok(((), Some(pending)))
    })
    .await
}

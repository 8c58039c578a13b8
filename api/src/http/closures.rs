//! Roads that dispatchers close for the tenant's own vehicles.
//!
//! A closure counts once it is on the log (topic `worlds`); the engine then makes a World of it,
//! and every vehicle whose way it concerns hears of it within a second.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::record::ClosureRecord;
use engine::world::closure::{CLOSURES_MAX, REASON_MAX};
use engine::world::{Closure, Shape};
use ingest::id::{ClosureId, TenantId};
use ingest::log::Topic;
use ingest::record::Pid;
use ingest::time::Timestamp;
use ingest::units::Position;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Body;
use crate::app::{App, Shared};
use crate::auth::{Planner, Reader};
use crate::problem::{Failures, Problem};
use crate::store::StoreError;
use crate::store::closures::{self, ClosureRow};
use crate::store::pending::{self, Change};
use crate::write::{action_mark, commit};

/// A closure lasts at most so long when its end is named, seconds (a year).
const LASTS_S_MAX: f64 = 366.0 * 86_400.0;

/// Roads to be closed: exactly one of `edge`, `edges`, `way` and `polygon`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClosureIn {
    /// One directed edge: OpenStreetMap way, node it comes from, node it goes to.
    edge: Option<[i64; 3]>,
    /// Up to 200 of them.
    edges: Option<Vec<[i64; 3]>>,
    /// A whole OpenStreetMap way, in both directions.
    way: Option<i64>,
    /// Every road that passes through it: 3 to 100 corners, longitude and latitude.
    polygon: Option<Vec<[f64; 2]>>,
    /// From when on; absent: now.
    from: Option<String>,
    /// Until when, at most a year from now; absent: until it is removed.
    until: Option<String>,
    /// Why, at most 200 characters.
    reason: Option<String>,
}

/// A closure.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ClosureOut {
    /// Names it.
    id: String,
    /// From when on the roads are closed.
    from: String,
    /// Until when; absent: until it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Directed edges, where it was given so.
    #[serde(skip_serializing_if = "Option::is_none")]
    edges: Option<Vec<[i64; 3]>>,
    /// The way, where it was given so.
    #[serde(skip_serializing_if = "Option::is_none")]
    way: Option<i64>,
    /// The polygon, where it was given so.
    #[serde(skip_serializing_if = "Option::is_none")]
    polygon: Option<Vec<[f64; 2]>>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How many directed edges it closes; absent where the api has no map.
    #[serde(skip_serializing_if = "Option::is_none")]
    closes: Option<usize>,
    /// Who set it.
    by: String,
}

/// The closures of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClosuresOut {
    /// Those that are not over, in order of their ids.
    closures: Vec<ClosureOut>,
}

/// Closes roads; the answer comes when it is durable, routes and arrivals follow within a second.
#[utoipa::path(post, path = "/closures", tag = "closures", request_body = ClosureIn,
    security(("key" = ["admin", "dispatcher"])),
    responses((status = 201, body = ClosureOut),
        (status = 409, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn post(
    Planner(who): Planner,
    State(app): State<Shared>,
    headers: HeaderMap,
    Body(body): Body<ClosureIn>,
) -> Result<Response, Problem> {
    let now = app.now();
    let mark = action_mark(&headers, &who.key, now.micros());
    let parts: [&[u8]; 3] = [who.tenant.as_str().as_bytes(), b"/v1/closures", &mark];
    let id = Pid::of_parts(&parts).to_string();
    let (closure, closes) = checked(&app, (who.tenant.clone(), &id), body, now)?;
    let out = ClosureOut::new(&closure, closes, &who.key);
    let body = serde_json::to_string(&out).map_err(|e| StoreError::Value(e.to_string()))?;
    let (version, removed, until_us) = (1, false, closure.until.map(Timestamp::micros));
    let tenant = who.tenant.to_string();
    let row = ClosureRow { tenant, id, version, removed, until_us, body };
    commit(&app, move |c| {
        // The same request once more.
        if closures::find(c, &who.tenant, &row.id)?.is_some() {
            return Ok(((), None));
        }
        closures::forget(c, now)?;
        if closures::list(c, &who.tenant, now)?.len() >= CLOSURES_MAX {
            let detail = format!("`{CLOSURES_MAX}` closures are set; remove one first");
            return Err(Problem::conflict(detail));
        }
        let record = ClosureRecord { version: 1, removed: false, closure };
        let record = record.envelope(Some(&who.key), now).into_record(Topic::Worlds, record.key());
        Ok(((), Some(pending::reserve(c, vec![Change::Closure(row)], vec![record])?)))
    })
    .await?;
    Ok((StatusCode::CREATED, Json(out)).into_response())
}

/// The closures that are not over.
#[utoipa::path(get, path = "/closures", tag = "closures",
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = ClosuresOut), Failures))]
pub(crate) async fn list(
    Reader(who): Reader,
    State(app): State<Shared>,
) -> Result<Json<ClosuresOut>, Problem> {
    let now = app.now();
    let rows = app.store.read(|c| closures::list(c, &who.tenant, now))?;
    let closures = rows.iter().map(out_of).collect::<Result<Vec<_>, StoreError>>()?;
    std::future::ready(Ok(Json(ClosuresOut { closures }))).await
}

/// One closure that is not over.
#[utoipa::path(get, path = "/closures/{id}", tag = "closures", params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = ClosureOut), Failures))]
pub(crate) async fn get(
    Reader(who): Reader,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<ClosureOut>, Problem> {
    let now = app.now();
    let row = app.store.read(|c| closures::find(c, &who.tenant, &id))?;
    let row =
        row.filter(|row| !row.is_over(now)).ok_or_else(|| Problem::unknown("closure", &id))?;
    std::future::ready(Ok(Json(out_of(&row)?))).await
}

/// Opens the roads again.
#[utoipa::path(delete, path = "/closures/{id}", tag = "closures", params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher"])), responses((status = 204), Failures))]
pub(crate) async fn delete(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let now = app.now();
    commit(&app, move |c| {
        let row = closures::find(c, &who.tenant, &id)?;
        let row = row.filter(|row| !row.is_over(now));
        let row = row.ok_or_else(|| Problem::unknown("closure", &id))?;
        let closure = of(&who.tenant, &out_of(&row)?)?;
        let record = ClosureRecord { version: row.version + 1, removed: true, closure };
        let until_us = Some(now.micros());
        let row = ClosureRow { version: record.version, removed: true, until_us, ..row };
        let record = record.envelope(Some(&who.key), now).into_record(Topic::Worlds, record.key());
        Ok(((), Some(pending::reserve(c, vec![Change::Closure(row)], vec![record])?)))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is asked for, with the number of edges it closes where the map is known.
fn checked(
    app: &App,
    (tenant, id): (TenantId, &str),
    body: ClosureIn,
    now: Timestamp,
) -> Result<(Closure, Option<usize>), Problem> {
    let shape = shape(&body)?;
    let time = |field: &str, text: &Option<String>| {
        let parsed = text.as_deref().map(Timestamp::parse).transpose();
        parsed.map_err(|_bad| {
            Problem::value(field, text.as_deref().unwrap_or_default(), "a time of RFC 3339")
        })
    };
    let from = time("from", &body.from)?.unwrap_or(now);
    let until = time("until", &body.until)?;
    let lasts = |at: Timestamp| at.seconds_since(now) <= LASTS_S_MAX;
    if !lasts(from) {
        return Err(Problem::value("from", &from.to_string(), "within a year"));
    }
    if let Some(until) = until.filter(|&until| until <= from.max(now) || !lasts(until)) {
        let expected = "after now and `from`, within a year";
        return Err(Problem::value("until", &until.to_string(), expected));
    }
    let long = body.reason.as_ref().filter(|text| text.chars().count() > REASON_MAX);
    if let Some(text) = long {
        return Err(Problem::value("reason", text, "at most 200 characters"));
    }
    let name = name_of(&shape);
    let wrong = |error: engine::world::closure::BadShape| {
        let mut problem = Problem::value(name, "", "roads of the map");
        problem.detail = format!("{name}: {error}").into();
        problem
    };
    let closes = match app.road.as_deref() {
        Some(road) => Some(shape.edges(road).map_err(wrong)?.len()),
        None => shape.check().map(|()| None).map_err(wrong)?,
    };
    let id = ClosureId::new(id).map_err(|e| StoreError::Value(e.to_string()))?;
    Ok((Closure { tenant, id, from, until, shape, reason: body.reason }, closes))
}

fn shape(body: &ClosureIn) -> Result<Shape, Problem> {
    let edges = body.edges.clone().or_else(|| body.edge.map(|edge| vec![edge]));
    let named = [body.edge.is_some(), body.edges.is_some()];
    let others = [body.way.is_some(), body.polygon.is_some()];
    if named.iter().chain(&others).filter(|given| **given).count() != 1 {
        let expected = "exactly one of `edge`, `edges`, `way` and `polygon`";
        return Err(Problem::value("body", "", expected));
    }
    shape_of(edges, body.way, body.polygon.clone())
        .ok_or_else(|| Problem::value("body", "", "a shape"))
}

fn shape_of(
    edges: Option<Vec<[i64; 3]>>,
    way: Option<i64>,
    polygon: Option<Vec<[f64; 2]>>,
) -> Option<Shape> {
    let edges = edges.map(|edges| edges.into_iter().map(|[way, from, to]| (way, from, to)));
    let corners = |corners: Vec<[f64; 2]>| {
        corners.into_iter().map(|[lng, lat]| Position { lng, lat }).collect()
    };
    edges
        .map(|edges| Shape::Edges(edges.collect()))
        .or_else(|| way.map(Shape::Way))
        .or_else(|| polygon.map(|polygon| Shape::Polygon(corners(polygon))))
}

fn name_of(shape: &Shape) -> &'static str {
    match shape {
        Shape::Edges(_) => "edges",
        Shape::Way(_) => "way",
        Shape::Polygon(_) => "polygon",
    }
}

impl ClosureOut {
    fn new(closure: &Closure, closes: Option<usize>, by: &str) -> Self {
        let Closure { id, from, until, shape, reason, .. } = closure;
        let mut out = Self {
            id: id.to_string(),
            from: from.to_string(),
            until: until.map(|until| until.to_string()),
            edges: None,
            way: None,
            polygon: None,
            reason: reason.clone(),
            closes,
            by: by.to_owned(),
        };
        match shape {
            Shape::Edges(named) => {
                out.edges = Some(named.iter().map(|&(way, from, to)| [way, from, to]).collect());
            }
            Shape::Way(way) => out.way = Some(*way),
            Shape::Polygon(corners) => {
                out.polygon = Some(corners.iter().map(|at| [at.lng, at.lat]).collect());
            }
        }
        out
    }
}

fn out_of(row: &ClosureRow) -> Result<ClosureOut, StoreError> {
    serde_json::from_str(&row.body)
        .map_err(|e| StoreError::Value(format!("closure `{}`: {e}", row.id)))
}

/// A stored closure as the log has it.
fn of(tenant: &TenantId, out: &ClosureOut) -> Result<Closure, StoreError> {
    let wrong = |what: String| StoreError::Value(format!("closure `{}`: {what}", out.id));
    let time = |text: &str| Timestamp::parse(text).map_err(|e| wrong(e.to_string()));
    let (edges, way, polygon) = (out.edges.clone(), out.way, out.polygon.clone());
    Ok(Closure {
        tenant: tenant.clone(),
        id: ClosureId::new(&out.id).map_err(|e| wrong(e.to_string()))?,
        from: time(&out.from)?,
        until: out.until.as_deref().map(time).transpose()?,
        shape: shape_of(edges, way, polygon).ok_or_else(|| wrong("no shape".to_owned()))?,
        reason: out.reason.clone(),
    })
}

//! Proposals of a better way, and the answer to them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::model::{Action, Deed, Proposal};
use engine::record::canonical;
use engine::record::input::action_envelope;
use engine::road::Road;
use ingest::id::{TenantId, VehicleKey};
use ingest::log::Topic;
use ingest::record::Pid;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::{Caller, Planner, Reader};
use crate::live::Seen;
use crate::problem::{Failures, Problem};
use crate::write::{action_mark, append};

fn proposed(app: &Shared, tenant: &TenantId, id: &str) -> Result<(Pid, Seen), Problem> {
    let unknown = || Problem::unknown("open reroute", id);
    let hex = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let pid = u128::from_str_radix(id, 16).ok().filter(|_| hex).map(Pid).ok_or_else(unknown)?;
    let seen = app.live.proposed(tenant, pid).ok_or_else(unknown)?;
    Ok((pid, seen))
}

/// The open proposals of all vehicles.
#[utoipa::path(get, path = "/reroutes", tag = "reroutes",
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = ReroutesOut), Failures))]
pub(crate) async fn list(
    Reader(who): Reader,
    State(app): State<Shared>,
) -> Result<Response, Problem> {
    let all = app.live.read().all(&who.tenant);
    let road = app.road.as_deref();
    let open: Vec<_> = all.iter().filter_map(|seen| reroute(seen, road)).collect();
    std::future::ready(Ok(Json(serde_json::json!({ "reroutes": open })).into_response())).await
}

/// One open proposal.
#[utoipa::path(get, path = "/reroutes/{id}", tag = "reroutes", params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = RerouteOut), Failures))]
pub(crate) async fn get(
    Reader(who): Reader,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (_, seen) = proposed(&app, &who.tenant, &id)?;
    let json =
        reroute(&seen, app.road.as_deref()).ok_or_else(|| Problem::unknown("open reroute", &id))?;
    std::future::ready(Ok(Json(json).into_response())).await
}

fn reroute(seen: &Seen, road: Option<&Road>) -> Option<serde_json::Value> {
    let proposal = seen.view.proposal.as_ref()?;
    let mut json = canonical::proposal(proposal);
    if let Some(road) = road {
        json["line"] = serde_json::json!(line(road, proposal));
    }
    json["vehicle"] = seen.vehicle.as_str().into();
    if let Some((route, version)) = &seen.view.route {
        json["route"] = route.as_str().into();
        json["version"] = (*version).into();
    }
    Some(json)
}

/// Its edges on the ground; one that is not of this map is left out.
fn line(road: &Road, proposal: &Proposal) -> Vec<[f64; 2]> {
    let (mut out, mut shape) = (Vec::new(), Vec::new());
    for (way, from, to) in &proposal.edges {
        if let Some(edge) = road.edge_of(*way, *from, *to) {
            road.shape(edge, &mut shape);
            out.extend(shape.iter().map(|at| [at.lng, at.lat]));
        }
    }
    out.dedup();
    out
}

/// A proposal of a better way.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RerouteOut {
    /// Its identity, 32 hexadecimal digits.
    id: String,
    /// To which vehicle.
    vehicle: String,
    /// On which route.
    route: Option<String>,
    /// Of which version.
    version: Option<u64>,
    /// The remaining stops in the proposed order.
    stops: Vec<String>,
    /// Seconds of lateness and driving saved.
    gain_s: i64,
    /// Seconds to its first stop.
    seconds: i64,
    /// Metres to its first stop.
    metres: f64,
    /// The streets to its first stop: OpenStreetMap way, from node, to node.
    edges: Vec<[i64; 3]>,
    /// The same on the ground, longitude and latitude; absent without a map.
    line: Option<Vec<[f64; 2]>>,
}

/// The open proposals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReroutesOut {
    reroutes: Vec<RerouteOut>,
}

/// Takes a proposal: the vehicle is told.
#[utoipa::path(post, path = "/reroutes/{id}/accept", tag = "reroutes",
    params(("id" = String, Path)), security(("key" = ["admin", "dispatcher"])),
    responses((status = 202, description = "it is on the log"), Failures))]
pub(crate) async fn accept(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&app, &who, &id, &headers, true).await
}

/// Turns a proposal down.
#[utoipa::path(post, path = "/reroutes/{id}/refuse", tag = "reroutes",
    params(("id" = String, Path)), security(("key" = ["admin", "dispatcher"])),
    responses((status = 202, description = "it is on the log"), Failures))]
pub(crate) async fn refuse(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&app, &who, &id, &headers, false).await
}

async fn answer(
    app: &Shared,
    who: &Caller,
    id: &str,
    headers: &HeaderMap,
    taken: bool,
) -> Result<Response, Problem> {
    let (proposal, seen) = proposed(app, &who.tenant, id)?;
    let now = app.now();
    let (deed, name) = if taken {
        (Deed::AcceptReroute(proposal), "accept")
    } else {
        (Deed::RefuseReroute(proposal), "refuse")
    };
    let mark = action_mark(headers, &who.key, now.micros());
    let path = format!("/v1/reroutes/{id}/{name}");
    let parts: [&[u8]; 3] = [who.tenant.as_str().as_bytes(), path.as_bytes(), &mark];
    let action = Action {
        pid: Pid::of_parts(&parts),
        received_at: now,
        by: Some(who.key.clone()),
        route: seen.view.route.as_ref().map(|(route, _)| route.clone()),
        stop: None,
        deed,
    };
    let key = VehicleKey { tenant: who.tenant.clone(), vehicle: seen.vehicle }.to_string();
    append(app, vec![action_envelope(&action).into_record(Topic::Inputs, key.into())]).await?;
    let json = serde_json::json!({ "pid": action.pid.to_string(), "reroute": id, "action": name });
    Ok((StatusCode::ACCEPTED, Json(json)).into_response())
}

//! The resources: one file each, in the order of the public surface.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Query, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware};
use ingest::id::{BadId, DeviceId, RouteId, VehicleId, percent_decoded, percent_encoded};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_http::limit::RequestBodyLimitLayer;
use utoipa::IntoParams;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Shared;
use crate::problem::Problem;
use crate::write::BODY_MAX;
use crate::{assets, auth, customer, open, tiles, write};

pub(crate) mod care;
pub(crate) mod closures;
pub(crate) mod costs;
pub(crate) mod deliveries;
pub(crate) mod devices;
pub(crate) mod events;
pub(crate) mod exceptions;
pub(crate) mod farewell;
pub(crate) mod keys;
pub(crate) mod line;
pub(crate) mod links;
pub(crate) mod messages;
pub(crate) mod orders;
pub(crate) mod people;
pub(crate) mod plan;
pub(crate) mod positions;
pub(crate) mod reports;
pub(crate) mod reroutes;
pub(crate) mod routes;
pub(crate) mod session;
pub(crate) mod sql;
pub(crate) mod stops;
pub(crate) mod stream;
pub(crate) mod tell;
pub(crate) mod templates;
pub(crate) mod today;
pub(crate) mod track;
pub(crate) mod vehicles;
pub(crate) mod webhooks;

/// Resources on a page unless asked otherwise.
const PAGE: usize = 100;
/// Most resources on a page.
const PAGE_MAX: usize = 1_000;
/// How long a client may take to send a request's body.
const BODY_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Every operation and its description.
fn operations() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(devices::put, devices::get, devices::delete))
        .routes(routes!(devices::list))
        .routes(routes!(orders::post, orders::list))
        .routes(routes!(orders::approve))
        .routes(routes!(vehicles::put, vehicles::get, vehicles::delete))
        .routes(routes!(vehicles::list))
        .routes(routes!(positions::get))
        .routes(routes!(routes::put, routes::get, routes::delete))
        .routes(routes!(track::get))
        .routes(routes!(routes::list))
        .routes(routes!(stops::activate))
        .routes(routes!(stops::finish))
        .routes(routes!(stops::relocate))
        .routes(routes!(stops::act))
        .routes(routes!(deliveries::get))
        .routes(routes!(exceptions::list))
        .routes(routes!(costs::get, costs::put))
        .routes(routes!(care::snooze, care::wake))
        .routes(routes!(care::assign, care::unassign))
        .routes(routes!(tell::list, tell::tell, tell::untell))
        .routes(routes!(today::get))
        .routes(routes!(events::list))
        .routes(routes!(reroutes::list))
        .routes(routes!(reroutes::get))
        .routes(routes!(reroutes::accept))
        .routes(routes!(reroutes::refuse))
        .routes(routes!(closures::post, closures::list))
        .routes(routes!(closures::get, closures::delete))
        .routes(routes!(stream::get))
        .routes(routes!(sql::tables, sql::post))
        .routes(routes!(sql::progress, sql::end))
        .routes(routes!(reports::list))
        .routes(routes!(reports::get))
        .routes(routes!(links::post, links::list))
        .routes(routes!(links::get, links::delete))
        .routes(routes!(line::get))
        .routes(routes!(keys::list, keys::post))
        .routes(routes!(keys::delete))
        .routes(routes!(webhooks::post, webhooks::list))
        .routes(routes!(webhooks::put, webhooks::get, webhooks::delete))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::replay))
        .routes(routes!(messages::list))
        .routes(routes!(templates::rules, templates::put_rules))
        .routes(routes!(templates::list))
        .routes(routes!(templates::put, templates::delete))
        .routes(routes!(people::post, people::list))
        .routes(routes!(people::set_password))
        .routes(routes!(people::begin_totp, people::confirm_totp, people::end_totp))
        .routes(routes!(people::put, people::delete))
        .routes(routes!(people::welcome))
        .routes(routes!(people::audit))
        .routes(routes!(tiles::map))
        .routes(routes!(session::get, session::post, session::delete))
}

/// Operations that browsers know by a place of their own.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    tiles::get,
    customer::get,
    customer::stream,
    customer::instructions,
    customer::feedback,
    farewell::get,
    farewell::post
))]
struct Outside;

/// The `OpenAPI` document of everything for programs, made from the code.
pub fn openapi() -> OpenApi {
    let (_, mut described) = OpenApiRouter::new().nest("/v1", operations()).split_for_parts();
    described.merge(<Outside as utoipa::OpenApi>::openapi());
    for (path, item) in &mut described.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(operation_id(method, path));
            }
        }
    }
    let info = InfoBuilder::new()
        .title("Milepost")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("From a tracker's packet to a kept delivery promise."))
        .build();
    described.info = info;
    let base = OpenApiBuilder::new().build();
    described.openapi = base.openapi;
    described
}

/// `get_routes_id_line` for `GET /v1/routes/{id}/line`: unique, and the same as long as the path.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/v1").split(|c: char| !c.is_ascii_alphanumeric());
    std::iter::once(method).chain(words.filter(|w| !w.is_empty())).collect::<Vec<_>>().join("_")
}

/// All that the api serves.
pub(crate) fn router(app: &Shared) -> Router {
    let (v1, _) = operations().split_for_parts();
    let document: Bytes = serde_json::to_vec(&openapi()).unwrap_or_default().into();
    let describe = axum::routing::get(move || {
        let document = document.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], document) }
    });
    let v1 = v1
        .layer(middleware::from_fn_with_state(Arc::clone(app), write::once))
        .layer(middleware::from_fn_with_state(Arc::clone(app), auth::identify));
    let known = Router::new()
        .route("/tiles/{z}/{x}/{y}", axum::routing::get(tiles::get))
        .layer(middleware::from_fn_with_state(Arc::clone(app), auth::identify));
    Router::new()
        .nest("/v1", v1)
        .merge(known)
        .route("/v1/openapi.json", describe)
        .route("/", axum::routing::get(assets::root))
        .route("/t/{token}", axum::routing::get(customer::get))
        .route("/t/{token}/stream", axum::routing::get(customer::stream))
        .route("/t/{token}/instructions", axum::routing::post(customer::instructions))
        .route("/t/{token}/feedback", axum::routing::post(customer::feedback))
        .route("/o/{token}", axum::routing::get(farewell::get).post(farewell::post))
        .route("/app", axum::routing::get(assets::place))
        .route("/app/", axum::routing::get(assets::index))
        .route("/app/{*path}", axum::routing::get(assets::file))
        .fallback(|request: Request| async move {
            Problem::unknown("resource", request.uri().path()).into_response()
        })
        .method_not_allowed_fallback(|request: Request| async move {
            let (method, path) = (request.method(), request.uri().path());
            let detail = format!("`{method}` is not an operation of {path}");
            let status = StatusCode::METHOD_NOT_ALLOWED;
            Problem::new(status, "method", "Not an operation", detail).into_response()
        })
        .layer(RequestBodyLimitLayer::new(BODY_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(app), open::guard))
        .with_state(Arc::clone(app))
}

/// A JSON body; what is wrong with it is said with its place.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// A body that is read as JSON only when what the path names is known to be there: 404 comes
/// before 422.
#[derive(Debug)]
pub(crate) struct Unread(Bytes);

impl Unread {
    /// Reads it.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        parse(&self.0)
    }
}

impl FromRequest<Shared> for Unread {
    type Rejection = Response;
    async fn from_request(request: Request, app: &Shared) -> Result<Self, Response> {
        received(request, app).await.map(Self).map_err(IntoResponse::into_response)
    }
}

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = Response;
    async fn from_request(request: Request, app: &Shared) -> Result<Self, Response> {
        let bytes = received(request, app).await.map_err(IntoResponse::into_response)?;
        parse(&bytes).map(Self).map_err(IntoResponse::into_response)
    }
}

/// The bytes of a body, in time and within the bound.
async fn received(request: Request, app: &Shared) -> Result<Bytes, Problem> {
    match tokio::time::timeout(BODY_WAIT, Bytes::from_request(request, app)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) => {
            let expected = format!("at most {BODY_MAX} bytes");
            Err(Problem::value("body", &rejection.body_text(), &expected))
        }
        Err(_) => {
            let detail = "the body did not come within 30 s".to_owned();
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "slow", "Too slow", detail))
        }
    }
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let mut problem = Problem::value("body", &shown(bytes, &error), "JSON of this resource");
        problem.detail = format!("body is not what was expected: {error}").into();
        problem
    })
}

/// The text around an error of the parser.
fn shown(bytes: &[u8], error: &serde_json::Error) -> String {
    let line = bytes.split(|b| *b == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let end = error.column().min(line.len());
    String::from_utf8_lossy(&line[end.saturating_sub(60)..end]).into_owned()
}

/// Where a page of a list begins and how long it is.
#[derive(Debug, Clone, Default, serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Cursor of the page before, as `next` gave it.
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 1,000; absent: 100.
    pub(crate) limit: Option<usize>,
}

impl Page {
    /// How many, checked.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.unwrap_or(PAGE);
        if (1..=PAGE_MAX).contains(&limit) {
            return Ok(limit);
        }
        Err(Problem::value("limit", &limit.to_string(), "1 to 1000"))
    }
}

/// Query parameters; what is wrong with them is a problem document.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> axum::extract::FromRequestParts<Shared> for Asked<T> {
    type Rejection = Response;
    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        app: &Shared,
    ) -> Result<Self, Response> {
        let asked = Query::<T>::from_request_parts(parts, app).await;
        asked.map(|Query(asked)| Self(asked)).map_err(|rejection| {
            let query = parts.uri.query().unwrap_or_default();
            let mut problem = Problem::value("query", query, "the parameters of this operation");
            problem.detail = rejection.body_text().into();
            problem.into_response()
        })
    }
}

/// A list page as JSON: `{name: […], "next": cursor}`, and `Link` for the next page.
pub(crate) fn page_of<T: Serialize>(
    path: &str,
    name: &'static str,
    members: &[T],
    next: Option<String>,
) -> Response {
    let mut json = serde_json::Map::new();
    json.insert(name.to_owned(), serde_json::json!(members));
    let link = link_to(path, next.as_deref());
    if let Some(next) = next {
        json.insert("next".to_owned(), next.into());
    }
    (link, Json(json)).into_response()
}

/// `Link` to the next page of a list, where there is one.
pub(crate) fn link_to(path: &str, next: Option<&str>) -> HeaderMap {
    let sign = if path.contains('?') { '&' } else { '?' };
    let link = next.map(|next| format!("<{path}{sign}after={next}>; rel=\"next\""));
    let value = link.and_then(|link| HeaderValue::from_str(&link).ok());
    value.into_iter().map(|value| (header::LINK, value)).collect()
}

/// The cursor after a member of a full page; a shorter page is the last.
pub(crate) fn next_after(last: Option<&str>, members: usize, limit: usize) -> Option<String> {
    let device = last.filter(|_| members == limit).and_then(|id| DeviceId::new(id).ok());
    device.map(|id| percent_encoded(&id))
}

/// A resource at a version, or 304 where the client has it.
pub(crate) fn versioned<T: Serialize>(headers: &HeaderMap, version: u64, body: T) -> Response {
    let etag = etag(version);
    if matches(headers, &header::IF_NONE_MATCH, &etag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    ([(header::ETAG, etag)], Json(body)).into_response()
}

/// The `ETag` of a version.
pub(crate) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// Refuses a write that was made for another version: `If-Match`, or `If-None-Match: *`.
pub(crate) fn precondition(headers: &HeaderMap, version: Option<u64>) -> Result<(), Problem> {
    let current = version.map_or_else(|| "absent".to_owned(), etag);
    let wanted = headers.contains_key(header::IF_MATCH);
    let exists = version.is_some();
    if wanted && !(exists && matches(headers, &header::IF_MATCH, &current)) {
        return Err(Problem::stale(&current));
    }
    if exists && matches(headers, &header::IF_NONE_MATCH, &current) {
        return Err(Problem::stale(&current));
    }
    Ok(())
}

/// Whether a header names this `ETag` or any.
pub(crate) fn matches(headers: &HeaderMap, name: &header::HeaderName, etag: &str) -> bool {
    let text = headers.get(name).and_then(|v| v.to_str().ok());
    text.is_some_and(|text| text.split(',').any(|t| matches!(t.trim(), "*") || t.trim() == etag))
}

fn bad_id(error: &BadId) -> Problem {
    Problem::value("id", &error.value, error.expected)
}

/// A vehicle's id in a path that is written to: 422 where it is none. A stand-in for an
/// unassigned device cannot be put.
pub(crate) fn own_vehicle(id: &str) -> Result<VehicleId, Problem> {
    let vehicle = VehicleId::new(id).map_err(|e| bad_id(&e))?;
    if vehicle.is_unassigned() {
        return Err(Problem::value("id", id, "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"));
    }
    Ok(vehicle)
}

/// A vehicle's id in a path that is read: what is none is not there.
pub(crate) fn known_vehicle(id: &str) -> Result<VehicleId, Problem> {
    VehicleId::new(id).map_err(|_bad| Problem::unknown("vehicle", id))
}

/// A route's id in a path that is written to.
pub(crate) fn own_route(id: &str) -> Result<RouteId, Problem> {
    RouteId::new(id).map_err(|e| bad_id(&e))
}

/// A route's id in a path that is read.
pub(crate) fn known_route(id: &str) -> Result<RouteId, Problem> {
    RouteId::new(id).map_err(|_bad| Problem::unknown("route", id))
}

/// A device's id in a path; axum has decoded it.
pub(crate) fn own_device(id: &str) -> Result<DeviceId, Problem> {
    DeviceId::new(id).map_err(|e| bad_id(&e))
}

/// The id in a cursor of devices.
pub(crate) fn cursor(after: Option<&str>) -> Result<String, Problem> {
    let Some(after) = after else { return Ok(String::new()) };
    let id = percent_decoded(after).or_else(|_| DeviceId::new(after));
    id.map(|id| id.to_string())
        .map_err(|_bad| Problem::value("after", after, "a cursor as `next` gave it"))
}

#[cfg(test)]
mod tests;

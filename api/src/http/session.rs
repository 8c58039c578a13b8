//! Sessions of browsers: an event stream cannot send a header, so a key is exchanged for a
//! cookie.

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Body;
use crate::app::{App, Shared};
use crate::auth::{Anybody, origin_matches};
use crate::connection::Peer;
use crate::problem::{Failures, Problem};
use crate::store::sessions::SESSION_S;
use crate::store::{keys, sessions};

/// Failed logins of one address in a minute; then it waits.
pub(crate) const FAILED_MAX: u32 = 10;

/// What a login sends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// A key as `milepost keys create` printed it.
    key: String,
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionOut {
    /// Whose.
    tenant: String,
    /// What they may do.
    role: &'static str,
    /// The key's public part.
    key: String,
}

/// Begins a session of 12 hours: a cookie that scripts cannot read.
#[utoipa::path(post, path = "/session", tag = "session", request_body = Login, security(()),
    responses((status = 200, body = SessionOut),
        (status = 429, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn post(
    State(app): State<Shared>,
    peer: Option<Extension<ConnectInfo<Peer>>>,
    headers: HeaderMap,
    Body(login): Body<Login>,
) -> Result<Response, Problem> {
    if headers.contains_key(header::ORIGIN) && !origin_matches(&headers) {
        return Err(Problem::forbidden("`Origin` does not match `Host`".to_owned()));
    }
    let address = peer.map(|Extension(ConnectInfo(Peer(peer)))| peer.ip());
    if !app.logins.allowed(address, app.now()) {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let detail = "too many failed logins from this address; wait a minute".to_owned();
        return Err(Problem::new(status, "too-many", "Too many attempts", detail));
    }
    let found = app.store.read(|c| keys::find(c, &login.key))?;
    let Some(key) = found else {
        app.logins.count(address, app.now());
        return Err(Problem::no_key());
    };
    let (id, now) = (key.id.clone(), app.now());
    let cookie = app.store.write(move |c| sessions::begin(c, &id, now)).await;
    let cookie = cookie.map_err(Problem::from)?;
    let set = set_cookie(&app, &cookie, SESSION_S as u64);
    let (tenant, role) = (key.tenant.to_string(), key.role.name());
    let out = SessionOut { tenant, role, key: key.id };
    Ok(([(header::SET_COOKIE, set)], Json(out)).into_response())
}

/// Who is logged in.
#[utoipa::path(get, path = "/session", tag = "session",
    security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 200, body = SessionOut), Failures))]
pub(crate) async fn get(Anybody(who): Anybody) -> Json<SessionOut> {
    Json(SessionOut { tenant: who.tenant.to_string(), role: who.role.name(), key: who.key })
}

/// Ends the session.
#[utoipa::path(delete, path = "/session", tag = "session",
    security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 204), Failures))]
pub(crate) async fn delete(
    Anybody(who): Anybody,
    State(app): State<Shared>,
) -> Result<Response, Problem> {
    if let Some(cookie) = who.cookie {
        app.store.write(move |c| sessions::end(c, &cookie).map_err(Problem::from)).await?;
    }
    let set = set_cookie(&app, "", 0);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, set)]).into_response())
}

fn set_cookie(app: &App, value: &str, seconds: u64) -> String {
    let secure = if app.secure { "; Secure" } else { "" };
    let name = app.cookie_name();
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

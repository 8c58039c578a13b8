//! Who is asking, and whether they may.
//!
//! Each handler takes one of [`Reader`], [`Crew`], [`Planner`], [`Manager`]: without one it has
//! no tenant to ask about, so that no operation can forget to check. 401 comes before 403, and
//! both before anything is looked up.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ingest::id::TenantId;

use crate::app::Shared;
use crate::problem::Problem;
use crate::store::keys::{self, Role, StoredKey};
use crate::store::sessions;

/// Cookie of a session over TLS; browsers send it over nothing else.
const COOKIE_SECURE: &str = "__Host-milepost";
/// Cookie of a session on loopback without TLS.
const COOKIE_PLAIN: &str = "milepost";
/// What open mode calls its only caller.
const OPEN_KEY: &str = "open";

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose.
    pub tenant: TenantId,
    /// What they may do.
    pub role: Role,
    /// Id of the key; stands as `by` in what they cause.
    pub key: String,
    /// The cookie they came with, if by one.
    pub cookie: Option<String>,
}

/// What [`identify`] found out.
#[derive(Debug, Clone)]
struct Identity(Result<Caller, Problem>);

/// Finds out who is asking, for the handlers behind it.
pub(crate) async fn identify(
    State(app): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let found = who(&app, request.method(), request.headers());
    if let Err(problem) = &found
        && problem.status == 401
    {
        app.metrics.refused.inc();
    }
    request.extensions_mut().insert(Identity(found));
    next.run(request).await
}

fn who(app: &Shared, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
    if let Some(tenant) = &app.open {
        let (tenant, key) = (tenant.clone(), OPEN_KEY.to_owned());
        return Ok(Caller { tenant, role: Role::Admin, key, cookie: None });
    }
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let presented = value.to_str().ok().and_then(|v| v.strip_prefix("Bearer "));
        let presented = presented.ok_or_else(Problem::no_key)?.trim();
        let key = app.store.read(|c| keys::find(c, presented))?;
        return key.map(|key| caller(key, None)).ok_or_else(Problem::no_key);
    }
    let cookie = cookie(headers, app.cookie_name()).ok_or_else(Problem::no_key)?;
    let now = (app.clock)();
    let key = app.store.read(|c| sessions::find(c, &cookie, now))?;
    let key = key.ok_or_else(Problem::no_key)?;
    if is_write(method) && !origin_matches(headers) {
        let detail = "a write by cookie needs an `Origin` that matches `Host`".to_owned();
        return Err(Problem::forbidden(detail));
    }
    Ok(caller(key, Some(cookie)))
}

fn caller(key: StoredKey, cookie: Option<String>) -> Caller {
    Caller { tenant: key.tenant, role: key.role, key: key.id, cookie }
}

/// Whether a caller may still go on: for streams, which outlive their request.
pub(crate) fn still_valid(app: &Shared, caller: &Caller) -> bool {
    if app.open.is_some() {
        return true;
    }
    let now = (app.clock)();
    let found = app.store.read(|c| match &caller.cookie {
        Some(cookie) => sessions::find(c, cookie, now),
        None => keys::by_id(c, &caller.key),
    });
    // A store that does not answer for a moment ends nobody's stream.
    found.is_err() || found.is_ok_and(|key| key.is_some())
}

/// Whether a method changes something.
pub(crate) fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether `Origin` names the same host and port as `Host`.
pub(crate) fn origin_matches(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|v: &header::HeaderValue| v.to_str().ok());
    let origin = text(header::ORIGIN).and_then(|o| o.split_once("://")).map(|(_, host)| host);
    origin.is_some() && origin == text(header::HOST)
}

/// The cookie's name where the browser's side is encrypted or not.
pub(crate) const fn cookie_name(secure: bool) -> &'static str {
    if secure { COOKIE_SECURE } else { COOKIE_PLAIN }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident: $($role:ident)|+, $words:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Caller);

        impl FromRequestParts<Shared> for $name {
            type Rejection = Response;
            async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Response> {
                let caller = found(parts).map_err(IntoResponse::into_response)?;
                if matches!(caller.role, $(Role::$role)|+) {
                    return Ok(Self(caller));
                }
                let detail = format!("role `{}`, expected {}", caller.role, $words);
                Err(Problem::forbidden(detail).into_response())
            }
        }
    )+};
}

callers! {
    /// May see everything of the tenant.
    Reader: Viewer | Dispatcher | Admin, "viewer, dispatcher or admin";
    /// May see routes and act on their stops.
    Crew: Driver | Dispatcher | Admin, "driver, dispatcher or admin";
    /// May plan and accept.
    Planner: Dispatcher | Admin, "dispatcher or admin";
    /// May change devices and vehicles.
    Manager: Admin, "admin";
    /// Anybody with a valid key or session.
    Anybody: Driver | Viewer | Dispatcher | Admin, "any role";
}

fn found(parts: &Parts) -> Result<Caller, Problem> {
    match parts.extensions.get::<Identity>() {
        Some(Identity(found)) => found.clone(),
        None => Err(Problem::no_key()),
    }
}

/// Who is asking, where it is known and valid.
pub(crate) fn caller_of(extensions: &axum::http::Extensions) -> Option<&Caller> {
    match extensions.get::<Identity>() {
        Some(Identity(Ok(caller))) => Some(caller),
        _ => None,
    }
}

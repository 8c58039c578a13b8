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
use crate::auth::{Anybody, Caller, origin_matches};
use crate::connection::Peer;
use crate::password;
use crate::problem::{Failures, Problem};
use crate::store::keys::StoredKey;
use crate::store::people::PersonRow;
use crate::store::sessions::SESSION_S;
use crate::store::{keys, people, sessions};
use crate::totp::step_of;

/// Failed logins of one address in a minute; then it waits.
pub(crate) const FAILED_MAX: u32 = 10;
/// Failed logins of one account in a minute, from wherever; then it waits.
pub(crate) const ACCOUNT_FAILED_MAX: u32 = 5;
/// How long a login waits for its turn to be computed.
const HASH_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// What a login sends: a key, or a mail address with its password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// A key as `milepost keys create` printed it.
    #[serde(default)]
    key: Option<String>,
    /// Mail address of an account.
    #[serde(default)]
    email: Option<String>,
    /// Its password.
    #[serde(default)]
    password: Option<String>,
    /// Its one-time code, where they are asked for.
    #[serde(default)]
    totp: Option<String>,
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionOut {
    /// Whose.
    tenant: String,
    /// What they may do.
    role: &'static str,
    /// The key's public part, or the id of the account.
    key: String,
    /// Name of the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Mail address of the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
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
        return Err(too_many());
    }
    let found = match login {
        Login { key: Some(key), email: None, password: None, totp: None } => {
            app.store.read(|c| keys::find(c, &key))?.ok_or_else(Problem::no_key)
        }
        Login { key: None, email: Some(email), password: Some(password), totp } => {
            by_password(&app, &email, password, totp).await
        }
        _ => return Err(Problem::value("body", "", "`key`, or `email` and `password`")),
    };
    if found.as_ref().is_err_and(|problem| problem.status == 401) {
        app.logins.count(address, app.now());
    }
    let key = found?;
    let (id, now) = (key.id.clone(), app.now());
    let cookie = app.store.write(move |c| sessions::begin(c, &id, now)).await;
    let cookie = cookie.map_err(Problem::from)?;
    let set = set_cookie(&app, &cookie, SESSION_S as u64);
    let out = session_of(&app, key)?;
    Ok(([(header::SET_COOKIE, set)], Json(out)).into_response())
}

/// Who is logged in.
#[utoipa::path(get, path = "/session", tag = "session",
    security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 200, body = SessionOut), Failures))]
pub(crate) async fn get(
    Anybody(who): Anybody,
    State(app): State<Shared>,
) -> Result<Json<SessionOut>, Problem> {
    let Caller { tenant, role, key: id, .. } = who;
    Ok(Json(session_of(&app, StoredKey { id, tenant, role })?))
}

fn session_of(app: &App, key: StoredKey) -> Result<SessionOut, Problem> {
    let person =
        if people::is_id(&key.id) { app.store.read(|c| people::by_id(c, &key.id))? } else { None };
    let (name, email) = person.map(|person| (person.name, person.email)).unzip();
    let (tenant, role) = (key.tenant.to_string(), key.role.name());
    Ok(SessionOut { tenant, role, key: key.id, name, email })
}

/// Who a mail address and its password are. A wrong one of either, and an account that may not
/// log in, take the same time and get the same answer.
async fn by_password(
    app: &Shared,
    email: &str,
    password: String,
    totp: Option<String>,
) -> Result<StoredKey, Problem> {
    let (account, now) = (accounts_key(&email.to_lowercase()), app.now());
    if !app.accounts.allowed(Some(account), now) {
        return Err(too_many());
    }
    let person = app.store.read(|c| people::of_email(c, email))?;
    let person = person.filter(|person| person.disabled.is_none());
    let hash = person.as_ref().and_then(|person| person.password.clone());
    let good = hashing(app, move || password::verify(&password, hash.as_deref())).await?;
    let refused = || {
        app.accounts.count(Some(account), now);
        Problem::no_key()
    };
    let Some(person) = person.filter(|_| good) else { return Err(refused()) };
    if let Some(secret) = &person.totp {
        let Some(code) = totp else {
            let mut problem = Problem::no_key();
            problem.detail = "expected `totp`, the account's one-time code, too".into();
            problem.field = Some("totp".into());
            return Err(problem);
        };
        let step = step_of(secret, &code, now, person.totp_used).ok_or_else(refused)?;
        let id = person.id.clone();
        let used = app.store.write(move |c| people::use_code(c, &id, step).map_err(Problem::from));
        if !used.await? {
            return Err(refused());
        }
    }
    let PersonRow { id, tenant, role, .. } = person;
    Ok(StoredKey { id, tenant, role })
}

/// Computes a hash beside the requests; few at a time, for each takes 19 MiB.
pub(crate) async fn hashing<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let busy = || Problem::unavailable("too many logins at a time".to_owned());
    let permit = tokio::time::timeout(HASH_WAIT, app.hashes.acquire()).await;
    let permit = permit.map_err(|_late| busy())?.map_err(|_closed| busy())?;
    let done = tokio::task::spawn_blocking(work).await;
    drop(permit);
    done.map_err(|_bad| busy())
}

/// Under what an account's failed logins are counted, whether it is there or not.
pub(crate) fn accounts_key(email: &str) -> [u8; 32] {
    keys::hash(email)
}

/// 429: too many failed logins of an address or account.
pub(crate) fn too_many() -> Problem {
    let status = StatusCode::TOO_MANY_REQUESTS;
    let detail = "too many failed logins; wait a minute".to_owned();
    Problem::new(status, "too-many", "Too many attempts", detail)
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

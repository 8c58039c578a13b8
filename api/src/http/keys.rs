//! Keys of programs, for admins.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Body;
use crate::app::Shared;
use crate::auth::Manager;
use crate::problem::{Failures, Problem};
use crate::store::keys::{self, Role, StoredKey};

/// A key as it is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyIn {
    /// `admin`, `dispatcher`, `viewer` or `driver`.
    role: String,
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyOut {
    /// Its public part.
    id: String,
    /// What it may do.
    role: &'static str,
    /// The key itself, this once: only its hash is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// All keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeysOut {
    /// By id; revoked ones are left out.
    keys: Vec<KeyOut>,
}

impl From<StoredKey> for KeyOut {
    fn from(key: StoredKey) -> Self {
        Self { id: key.id, role: key.role.name(), key: None }
    }
}

/// The keys that are valid.
#[utoipa::path(get, path = "/keys", tag = "keys", security(("key" = ["admin"])),
    responses((status = 200, body = KeysOut), Failures))]
pub(crate) async fn list(
    Manager(who): Manager,
    State(app): State<Shared>,
) -> Result<Json<KeysOut>, Problem> {
    let keys = app.store.read(|c| keys::list(c, &who.tenant))?;
    let keys = keys.into_iter().map(KeyOut::from).collect();
    std::future::ready(Ok(Json(KeysOut { keys }))).await
}

/// Makes a key; it is told this once.
#[utoipa::path(post, path = "/keys", tag = "keys", request_body = KeyIn,
    security(("key" = ["admin"])), responses((status = 201, body = KeyOut), Failures))]
pub(crate) async fn post(
    Manager(who): Manager,
    State(app): State<Shared>,
    Body(body): Body<KeyIn>,
) -> Result<Response, Problem> {
    let expected = "admin, dispatcher, viewer or driver";
    let role: Role =
        body.role.parse().map_err(|_bad| Problem::value("role", &body.role, expected))?;
    let now = app.now();
    let made = app.store.write(move |c| {
        let key = keys::create(c, &who.tenant, role, now)?;
        Ok::<_, crate::store::StoreError>((keys::find(c, &key)?, key))
    });
    let (stored, key) = made.await.map_err(Problem::from)?;
    let lost = || Problem::unavailable("the key was not kept".to_owned());
    let out = KeyOut { key: Some(key), ..KeyOut::from(stored.ok_or_else(lost)?) };
    Ok((StatusCode::CREATED, Json(out)).into_response())
}

/// Revokes a key: its sessions and streams end with it.
#[utoipa::path(delete, path = "/keys/{id}", tag = "keys", params(("id" = String, Path)),
    security(("key" = ["admin"])), responses((status = 204), Failures))]
pub(crate) async fn delete(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let (now, named) = (app.now(), id.clone());
    let done = app.store.write(move |c| keys::revoke(c, &who.tenant, &named, now)).await;
    if !done.map_err(Problem::from)? {
        return Err(Problem::unknown("key", &id));
    }
    Ok(StatusCode::NO_CONTENT)
}

//! What a dispatcher notes of an open exception: that it may wait, and who takes care of it.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::model::OpenException;
use ingest::id::VehicleId;
use ingest::time::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Unread;
use crate::app::{App, Shared};
use crate::auth::{Caller, Planner};
use crate::live::Seen;
use crate::problem::{Failures, Problem};
use crate::store::care;

/// Longest time that an exception may be left alone, seconds (24 h).
const SNOOZE_S_MAX: f64 = 86_400.0;
/// Longest name of who takes care, characters.
const NAME_MAX: usize = 100;

/// Until when an exception may be left alone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SnoozeIn {
    /// After now, at most 24 hours.
    until: String,
}

/// Who takes care of an exception.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignIn {
    /// A name, 1 to 100 characters.
    to: String,
}

/// An open exception and its vehicle; 404 unless it is open.
pub(super) fn opened(app: &App, who: &Caller, id: &str) -> Result<(Seen, OpenException), Problem> {
    let unknown = || Problem::unknown("open exception", id);
    let (vehicle, seq) = id.rsplit_once('.').ok_or_else(unknown)?;
    let vehicle = VehicleId::new(vehicle).map_err(|_bad| unknown())?;
    let seq: u64 = seq.parse().map_err(|_bad| unknown())?;
    let seen = app.live.vehicle(&who.tenant, &vehicle).ok_or_else(unknown)?;
    let open = seen.view.open.iter().find(|open| open.seq == seq).cloned();
    Ok((seen, open.ok_or_else(unknown)?))
}

async fn snoozed(
    app: &Shared,
    who: Caller,
    id: String,
    until: Option<Timestamp>,
) -> Result<StatusCode, Problem> {
    let now = app.now();
    let done = app.store.write(move |c| care::snooze(c, (&who.tenant, &id), until, now)).await;
    done.map(|()| StatusCode::NO_CONTENT).map_err(Problem::from)
}

async fn assigned(
    app: &Shared,
    who: Caller,
    id: String,
    to: Option<String>,
) -> Result<StatusCode, Problem> {
    let now = app.now();
    let done =
        app.store.write(move |c| care::assign(c, (&who.tenant, &id), to.as_deref(), now)).await;
    done.map(|()| StatusCode::NO_CONTENT).map_err(Problem::from)
}

/// Leaves an exception alone until a time; it stays in the list, marked.
#[utoipa::path(post, path = "/exceptions/{id}/snooze", tag = "exceptions",
    params(("id" = String, Path)), request_body = SnoozeIn,
    security(("key" = ["admin", "dispatcher"])), responses((status = 204), Failures))]
pub(crate) async fn snooze(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
    body: Unread,
) -> Result<StatusCode, Problem> {
    opened(&app, &who, &id)?;
    let SnoozeIn { until } = body.read()?;
    let expected = "a time of RFC 3339 after now, at most 24 h";
    let wrong = || Problem::value("until", &until, expected);
    let time = Timestamp::parse(&until).map_err(|_bad| wrong())?;
    let ahead = time.seconds_since(app.now());
    if !(0.0..=SNOOZE_S_MAX).contains(&ahead) {
        return Err(wrong());
    }
    snoozed(&app, who, id, Some(time)).await
}

/// Takes that back.
#[utoipa::path(delete, path = "/exceptions/{id}/snooze", tag = "exceptions",
    params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher"])), responses((status = 204), Failures))]
pub(crate) async fn wake(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    opened(&app, &who, &id)?;
    snoozed(&app, who, id, None).await
}

/// Notes who takes care of an exception.
#[utoipa::path(post, path = "/exceptions/{id}/assign", tag = "exceptions",
    params(("id" = String, Path)), request_body = AssignIn,
    security(("key" = ["admin", "dispatcher"])), responses((status = 204), Failures))]
pub(crate) async fn assign(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
    body: Unread,
) -> Result<StatusCode, Problem> {
    opened(&app, &who, &id)?;
    let AssignIn { to } = body.read()?;
    let to = to.trim().to_owned();
    if to.is_empty() || to.chars().count() > NAME_MAX {
        return Err(Problem::value("to", &to, "a name, 1 to 100 characters"));
    }
    assigned(&app, who, id, Some(to)).await
}

/// Takes that back.
#[utoipa::path(delete, path = "/exceptions/{id}/assign", tag = "exceptions",
    params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher"])), responses((status = 204), Failures))]
pub(crate) async fn unassign(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    opened(&app, &who, &id)?;
    assigned(&app, who, id, None).await
}

//! Where a vehicle is.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use super::known_vehicle;
use crate::app::Shared;
use crate::auth::Anybody;
use crate::problem::{Failures, Problem};
use crate::view::PositionOut;

/// The newest position of a vehicle.
#[utoipa::path(get, path = "/vehicles/{id}/position", tag = "vehicles",
    params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 200, body = PositionOut), Failures))]
pub(crate) async fn get(
    Anybody(who): Anybody,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let vehicle = known_vehicle(&id)?;
    let unknown = || Problem::unknown("position of a vehicle", &id);
    let seen = app.live.vehicle(&who.tenant, &vehicle).ok_or_else(unknown)?;
    let position = PositionOut::new(&seen, app.live.as_of()).ok_or_else(unknown)?;
    Ok(Json(position).into_response())
}

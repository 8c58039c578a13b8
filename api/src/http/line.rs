//! The way of a route on the ground, for drawing: along the roads of the map, leg by leg.

use axum::Json;
use axum::extract::{Path, State};
use engine::road::Profile;
use ingest::id::VehicleId;
use ingest::units::Position;
use serde::Serialize;
use utoipa::ToSchema;

use super::routes::{driver, row_of};
use crate::app::{App, Shared};
use crate::auth::Anybody;
use crate::live::Seen;
use crate::problem::{Failures, Problem};
use crate::store::routes::RouteRow;
use crate::store::vehicles;
use crate::way::Ways;

/// Legs that are drawn; each takes a search.
const LEGS_MAX: usize = 100;

/// The way of a route.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineOut {
    /// From the vehicle, or the depot before it starts, through the stops that remain, at most
    /// 100; empty without a map.
    legs: Vec<LegOut>,
    /// The moment it is true for.
    as_of: String,
}

/// The way to one stop.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LegOut {
    /// Where it ends.
    stop: String,
    /// Longitude and latitude of its points.
    coordinates: Vec<[f64; 2]>,
    /// There is no way along the roads: a straight line.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    straight: bool,
}

/// The way along the roads from the vehicle through the stops that remain.
#[utoipa::path(get, path = "/routes/{id}/line", tag = "routes", params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 200, body = LineOut), Failures))]
pub(crate) async fn get(
    Anybody(who): Anybody,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<LineOut>, Problem> {
    let row = row_of(&app, &who.tenant, &id)?;
    let seen = driver(&app, &who.tenant, &row);
    let vehicle = VehicleId::new(&row.vehicle).ok();
    let vehicle = vehicle.map(|id| app.store.read(|c| vehicles::find(c, &who.tenant, &id)));
    let profile = vehicle.transpose()?.flatten().map(|found| found.body.profile);
    let profile = Profile::ALL.into_iter().find(|p| Some(p.name()) == profile.as_deref());
    let found = tokio::task::spawn_blocking(move || {
        let legs = app.ways.as_ref().map_or_else(Vec::new, |ways| {
            legs(ways, &places(&row, seen.as_ref()), profile.unwrap_or(Profile::Van))
        });
        LineOut { legs, as_of: as_of(&app) }
    });
    found.await.map(Json).map_err(|_panicked| Problem::unavailable("cut off".to_owned()))
}

fn as_of(app: &App) -> String {
    app.live.as_of().to_string()
}

/// Where it begins, and each remaining stop after that.
fn places(row: &RouteRow, seen: Option<&Seen>) -> Vec<(String, Position)> {
    let at = |place: crate::store::routes::PlaceRow| Position { lng: place.lng, lat: place.lat };
    let planned = |id: &str| row.body.stops.iter().find(|stop| stop.id == id);
    let view = seen.map(|seen| &seen.view);
    let view = view.filter(|v| v.route.as_ref().is_some_and(|(id, _)| id.as_str() == row.route));
    let Some(view) = view else {
        let stops = row.body.stops.iter().map(|stop| (stop.id.clone(), at(stop.place)));
        return std::iter::once((String::new(), at(row.body.depot))).chain(stops).collect();
    };
    let last = view.last.as_ref();
    let begin = last.map(|last| last.matched.map_or(last.position, |m| m.position));
    let open = view.stops.iter().filter(|stop| !stop.eta.state.is_done());
    let stops = open.filter_map(|stop| {
        let plan = planned(stop.eta.stop.as_str())?;
        Some((plan.id.clone(), at(plan.place)))
    });
    let begin = begin.unwrap_or_else(|| at(row.body.depot));
    std::iter::once((String::new(), begin)).chain(stops).collect()
}

fn legs(ways: &Ways, places: &[(String, Position)], profile: Profile) -> Vec<LegOut> {
    let leg = |pair: &[(String, Position)]| {
        let (from, to) = (pair[0].1, pair[1].1);
        let way = ways.between(from, to, profile);
        let straight = way.is_none();
        let way = way.unwrap_or_else(|| vec![from, to]);
        let coordinates = way.iter().map(|at| [at.lng, at.lat]).collect();
        LegOut { stop: pair[1].0.clone(), coordinates, straight }
    };
    places.windows(2).take(LEGS_MAX).map(leg).collect()
}

//! Where a vehicle was: the last day from the history, what is older from the archive.

#![expect(unused_qualifications, reason = "utoipa spells out the type of the parameters")]

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use ingest::id::VehicleKey;
use ingest::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::{Asked, known_vehicle, sql};
use crate::app::Shared;
use crate::auth::Reader;
use crate::history::{Point, TRACK_POINTS_MAX, TRACK_S};
use crate::problem::{Failures, Problem};
use crate::store::audit::{self, AuditRow};

/// The history holds a little more than its day, seconds.
const RECENT_MARGIN_S: f64 = 60.0;
/// JSON lines, by `Accept`.
const LINES: &str = "application/x-ndjson";

/// Which part of a track.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// Not before this time; absent: a day ago.
    from: Option<String>,
    /// Not after this time; absent: now.
    to: Option<String>,
}

/// A track, raw and matched: GeoJSON, or JSON lines with `Accept: application/x-ndjson`. At most
/// 100,000 points, the oldest; `Link` leads to the rest.
#[utoipa::path(get, path = "/vehicles/{id}/track", tag = "vehicles",
    params(("id" = String, Path), Span),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, description = "a GeoJSON FeatureCollection, or JSON lines"),
        Failures))]
pub(crate) async fn get(
    Reader(who): Reader,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Asked(span): Asked<Span>,
) -> Result<Response, Problem> {
    let vehicle = known_vehicle(&id)?;
    if app.live.vehicle(&who.tenant, &vehicle).is_none() {
        return Err(Problem::unknown("track of a vehicle", &id));
    }
    let now = app.now();
    let from = time("from", span.from.as_deref(), now.plus_seconds(-TRACK_S))?;
    let to = time("to", span.to.as_deref(), now)?;
    let seen = AuditRow {
        n: 0,
        at: now,
        who: who.key,
        name: None,
        what: "track".to_owned(),
        vehicle: vehicle.to_string(),
        from,
        to,
    };
    let tenant = who.tenant.clone();
    // Nobody sees a track without its being written down.
    app.store.write(move |c| audit::add(c, &tenant, &seen).map_err(Problem::from)).await?;
    let accept = headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()).unwrap_or_default();
    let lines = accept.contains(LINES);
    let points = points(&app, VehicleKey { tenant: who.tenant, vehicle }, (from, to)).await?;
    let made = tokio::task::spawn_blocking(move || {
        let next = (points.len() >= TRACK_POINTS_MAX)
            .then(|| points.last().map(|(_, point)| Timestamp::from_micros(point.time_us)))
            .flatten();
        let text = if lines { as_lines(&points) } else { as_geojson(&id, &points).to_string() };
        (text, next, id)
    });
    let (text, next, id) = made.await.map_err(|_bad| cut_off())?;
    let kind = if lines { LINES } else { "application/geo+json" };
    let mut response = ([(header::CONTENT_TYPE, kind)], text).into_response();
    let link = next.map(|at| format!("</v1/vehicles/{id}/track?from={at}&to={to}>; rel=\"next\""));
    if let Some(link) = link.and_then(|link| link.parse().ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

fn cut_off() -> Problem {
    Problem::unavailable("the track was cut off".to_owned())
}

/// Points of the last day are in the history; a span that begins earlier is read from the archive.
async fn points(
    app: &Shared,
    key: VehicleKey,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<(String, Point)>, Problem> {
    let recent = app.now().seconds_since(from) <= TRACK_S + RECENT_MARGIN_S;
    if let Some(analytics) = app.analytics.as_ref().filter(|_| !recent) {
        let span = (from, to);
        let found = analytics.track(&key.tenant, &key.vehicle, span, TRACK_POINTS_MAX).await;
        return found.map_err(|error| sql::problem(&error));
    }
    let (app, key) = (std::sync::Arc::clone(app), key.to_string());
    let found = tokio::task::spawn_blocking(move || app.history.track(&key, from, to));
    Ok(found.await.map_err(|_bad| cut_off())??)
}

fn time(field: &str, text: Option<&str>, absent: Timestamp) -> Result<Timestamp, Problem> {
    let Some(text) = text else { return Ok(absent) };
    Timestamp::parse(text).map_err(|_bad| Problem::value(field, text, "a time of RFC 3339"))
}

fn as_lines(points: &[(String, Point)]) -> String {
    let mut text = String::with_capacity(points.len() * 160);
    for (device, point) in points {
        text.push_str(&line(device, point).to_string());
        text.push('\n');
    }
    text
}

fn line(device: &str, point: &Point) -> Value {
    let at = point.position();
    let mut json = json!({
        "seq": point.seq,
        "time": Timestamp::from_micros(point.time_us).to_string(),
        "lat": at.lat,
        "lng": at.lng,
        "device": device,
        "valid": point.valid,
        "backfill": point.backfill,
    });
    if let Some(on) = point.matched() {
        json["matched"] = json!({"lat": on.lat, "lng": on.lng});
    }
    if let Some(speed) = point.speed {
        json["speed_mps"] = (f64::from(speed) / 1e3).into();
    }
    if let Some(heading) = point.heading {
        json["heading"] = (f64::from(heading) / 100.0).into();
    }
    json
}

/// Two features: every point as it came, and the points on the road. `times` go with the
/// coordinates one to one.
fn as_geojson(vehicle: &str, points: &[(String, Point)]) -> Value {
    let time = |point: &Point| Timestamp::from_micros(point.time_us).to_string();
    let raw: Vec<_> = points
        .iter()
        .map(|(_, point)| (time(point), [point.position().lng, point.position().lat]))
        .collect();
    let matched: Vec<_> = points
        .iter()
        .filter_map(|(_, point)| point.matched().map(|on| (time(point), [on.lng, on.lat])))
        .collect();
    let feature = |track: &str, line: Vec<(String, [f64; 2])>| {
        let (times, coordinates): (Vec<_>, Vec<_>) = line.into_iter().unzip();
        // A line of GeoJSON has two points at least.
        let geometry = match coordinates.len() {
            0 => Value::Null,
            1 => json!({"type": "Point", "coordinates": coordinates[0]}),
            _ => json!({"type": "LineString", "coordinates": coordinates}),
        };
        json!({
            "type": "Feature",
            "geometry": geometry,
            "properties": {"vehicle": vehicle, "track": track, "times": times},
        })
    };
    json!({
        "type": "FeatureCollection",
        "features": [feature("raw", raw), feature("matched", matched)],
    })
}

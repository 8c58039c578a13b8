//! Vehicles, and all that are inside a box.

#![expect(unused_qualifications, reason = "utoipa spells out the type of the parameters")]

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::model::{Action, Deed};
use engine::record::input::action_envelope;
use ingest::id::{VehicleId, VehicleKey};
use ingest::log::Topic;
use ingest::record::Pid;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Asked, Body, Page, etag, known_vehicle, link_to, next_after, own_vehicle, page_of,
    precondition, versioned,
};
use crate::app::Shared;
use crate::auth::{Manager, Reader};
use crate::live::Bounds;
use crate::problem::{Failures, Problem};
use crate::store::vehicles::{self, VehicleBody, VehicleRow};
use crate::view::{PositionOut, VehicleIn, VehicleOut};
use crate::write::append;

/// How a vehicle can drive.
const PROFILES: [&str; 5] = ["car", "van", "truck", "bike", "foot"];
/// Longest name, characters.
const NAME_MAX: usize = 200;
/// Longest telephone number, characters; E.164 has 15 digits.
const PHONE_MAX: usize = 32;

/// Makes or changes a vehicle.
#[utoipa::path(put, path = "/vehicles/{id}", tag = "vehicles", request_body = VehicleIn,
    params(("id" = String, Path, description = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}")),
    security(("key" = ["admin"])),
    responses((status = 200, body = VehicleOut), (status = 201, body = VehicleOut), Failures))]
pub(crate) async fn put(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body<VehicleIn>,
) -> Result<Response, Problem> {
    let vehicle = own_vehicle(&id)?;
    let body = checked(body, &id)?;
    let row = app
        .store
        .write(move |c| {
            let found = vehicles::find(c, &who.tenant, &vehicle)?;
            let version = found.as_ref().map(|row| row.version);
            precondition(&headers, version)?;
            let version = version.unwrap_or(0) + 1;
            let row = match found {
                Some(row) if row.body == body => row,
                _ => VehicleRow { vehicle: vehicle.to_string(), version, body },
            };
            vehicles::put(c, &who.tenant, &row)?;
            Ok::<_, Problem>(row)
        })
        .await?;
    let status = if row.version == 1 { StatusCode::CREATED } else { StatusCode::OK };
    let tag = etag(row.version);
    Ok((status, [(header::ETAG, tag)], Json(VehicleOut::from(row))).into_response())
}

fn checked(body: VehicleIn, id: &str) -> Result<VehicleBody, Problem> {
    let name = body.name.unwrap_or_else(|| id.to_owned());
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(Problem::value("name", &name, "1 to 200 characters"));
    }
    let profile = body.profile.unwrap_or_else(|| "van".to_owned());
    if !PROFILES.contains(&profile.as_str()) {
        return Err(Problem::value("profile", &profile, "car, van, truck, bike or foot"));
    }
    let time_zone = body.time_zone.unwrap_or_else(|| "UTC".to_owned());
    time_zone_name(&time_zone)?;
    let phone = body.phone.filter(|phone| !phone.is_empty());
    let digit = |b: u8| b.is_ascii_digit() || b"+-() ".contains(&b);
    if let Some(phone) = phone.as_deref().filter(|p| p.len() > PHONE_MAX || !p.bytes().all(digit)) {
        return Err(Problem::value("phone", phone, "digits, at most 32, such as +351 220 123 456"));
    }
    Ok(VehicleBody { name, profile, time_zone, phone })
}

/// Whether a text has the form of an IANA name.
pub(crate) fn time_zone_name(text: &str) -> Result<(), Problem> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"/_+-".contains(&b);
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(());
    }
    Err(Problem::value("time_zone", text, "an IANA name, such as Europe/Lisbon"))
}

/// One vehicle.
#[utoipa::path(get, path = "/vehicles/{id}", tag = "vehicles",
    params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = VehicleOut), Failures))]
pub(crate) async fn get(
    Reader(who): Reader,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let vehicle = known_vehicle(&id)?;
    let row = app.store.read(|c| vehicles::find(c, &who.tenant, &vehicle))?;
    let row = row.ok_or_else(|| Problem::unknown("vehicle", &id))?;
    Ok(versioned(&headers, row.version, VehicleOut::from(row)))
}

/// What a list of vehicles is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// `west,south,east,north`, degrees: then the newest positions inside, else the vehicles.
    bbox: Option<String>,
    /// Cursor of the page before, as `next` gave it.
    after: Option<String>,
    /// At most so many, 1 to 1,000; absent: 100.
    limit: Option<usize>,
}

/// All vehicles; with `bbox` the newest position of each that is inside.
#[utoipa::path(get, path = "/vehicles", tag = "vehicles", params(Which),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = VehiclesOut), Failures))]
pub(crate) async fn list(
    Reader(who): Reader,
    State(app): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Response, Problem> {
    let limit = Page { after: None, limit: which.limit }.limit()?;
    let after = which.after.as_deref().map(|after| {
        VehicleId::new(after)
            .map_err(|_bad| Problem::value("after", after, "a cursor as `next` gave it"))
    });
    let after = after.transpose()?;
    let Some(bbox) = &which.bbox else {
        let from = after.as_ref().map_or("", VehicleId::as_str);
        let rows = app.store.read(|c| vehicles::list(c, &who.tenant, from, limit))?;
        let next = next_after(rows.last().map(|row| row.vehicle.as_str()), rows.len(), limit);
        let members: Vec<_> = rows.into_iter().map(VehicleOut::from).collect();
        return Ok(page_of("/v1/vehicles", "vehicles", &members, next));
    };
    let (bounds, mut text) = (bounds_of(bbox)?, b"{\"vehicles\":[".to_vec());
    let page = (after.as_ref(), limit);
    let (_, last) = app.live.tell_inside(&who.tenant, bounds, page, &mut text);
    let next = next_after(last.as_ref().map(VehicleId::as_str), limit, limit);
    text.push(b']');
    if let Some(next) = &next {
        text.extend_from_slice(format!(",\"next\":\"{next}\"").as_bytes());
    }
    text.push(b'}');
    let link = link_to(&format!("/v1/vehicles?bbox={bbox}"), next.as_deref());
    Ok((link, [(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// Reads `west,south,east,north`.
pub(crate) fn bounds_of(text: &str) -> Result<Bounds, Problem> {
    let wrong = || {
        let expected = "west,south,east,north in degrees, south not above north";
        Problem::value("bbox", text, expected)
    };
    let numbers: Vec<f64> = text
        .split(',')
        .map(|part| part.trim().parse::<f64>().ok())
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    let [west, south, east, north] = numbers[..] else { return Err(wrong()) };
    let lng = |v: f64| (-180.0..=180.0).contains(&v);
    let lat = |v: f64| (-90.0..=90.0).contains(&v);
    if lng(west) && lng(east) && lat(south) && lat(north) && south <= north {
        return Ok(Bounds { west, south, east, north });
    }
    Err(wrong())
}

/// Retires a vehicle: its state shrinks to its number, its history stays.
#[utoipa::path(delete, path = "/vehicles/{id}", tag = "vehicles",
    params(("id" = String, Path)),
    security(("key" = ["admin"])), responses((status = 204), Failures))]
pub(crate) async fn delete(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let vehicle = known_vehicle(&id)?;
    let row = app.store.read(|c| vehicles::find(c, &who.tenant, &vehicle))?;
    let row = row.ok_or_else(|| Problem::unknown("vehicle", &id))?;
    precondition(&headers, Some(row.version))?;
    let now = app.now();
    let key = VehicleKey { tenant: who.tenant.clone(), vehicle: vehicle.clone() }.to_string();
    let parts: [&[u8]; 3] = [key.as_bytes(), b"retire", &now.micros().to_le_bytes()];
    let action = Action {
        pid: Pid::of_parts(&parts),
        received_at: now,
        by: Some(who.key.clone()),
        route: None,
        stop: None,
        deed: Deed::Retire,
    };
    append(&app, vec![action_envelope(&action).into_record(Topic::Inputs, key.into())]).await?;
    let (tenant, gone) = (who.tenant.clone(), vehicle.clone());
    app.store.write(move |c| vehicles::delete(c, &tenant, &gone).map_err(Problem::from)).await?;
    app.live.forget(&who.tenant, &vehicle);
    Ok(StatusCode::NO_CONTENT)
}

/// A page of the list.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
pub(crate) struct VehiclesOut {
    vehicles: Vec<VehicleOrPosition>,
    /// Cursor of the next page.
    next: Option<String>,
}

/// Vehicles, or with `bbox` the positions of those inside.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
pub(crate) enum VehicleOrPosition {
    /// Without `bbox`.
    Vehicle(VehicleOut),
    /// With it.
    Position(PositionOut),
}

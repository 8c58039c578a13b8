//! What happened, by cursor: every event once, for whoever keeps a copy.

#![expect(unused_qualifications, reason = "utoipa spells out the type of the parameters")]

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use engine::model::EventKind;
use ingest::time::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Asked, Page, known_vehicle};
use crate::app::Shared;
use crate::auth::Reader;
use crate::history::Wanted;
use crate::live::ring::{id_of, place_of};
use crate::problem::{Failures, Problem};

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Cursor as `next` gave it, or the id of a frame of the stream.
    after: Option<String>,
    /// At most so many, 1 to 1,000; absent: 100.
    limit: Option<usize>,
    /// Not before this time.
    from: Option<String>,
    /// Only this vehicle's.
    vehicle: Option<String>,
    /// Only of this type, such as `arrived`.
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Events of the last week, oldest first. `next` is there always: ask again with it later.
#[utoipa::path(get, path = "/events", tag = "events", params(Which),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = EventsOut), Failures))]
pub(crate) async fn list(
    Reader(who): Reader,
    State(app): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Response, Problem> {
    let limit = Page { after: None, limit: which.limit }.limit()?;
    let partitions = app.live.read().ring.ends().len();
    let mut place = match &which.after {
        None => vec![0; partitions],
        Some(after) => place_of(after)
            .filter(|place| place.len() == partitions)
            .ok_or_else(|| Problem::value("after", after, "a cursor as `next` gave it"))?,
    };
    let vehicle = which.vehicle.as_deref().map(known_vehicle).transpose()?;
    let wrong = |text: &str| Problem::value("from", text, "a time of RFC 3339");
    let from = which.from.as_deref().map(|t| Timestamp::parse(t).map_err(|_bad| wrong(t)));
    let from = from.transpose()?;
    if let Some(kind) = &which.kind
        && !EventKind::ALL.iter().any(|known| known.name() == kind)
    {
        return Err(Problem::value("type", kind, "a type of event, such as arrived"));
    }
    let kind = which.kind;
    let found = tokio::task::spawn_blocking(move || {
        let (vehicle, kind) = (vehicle.as_ref(), kind.as_deref());
        let wanted = Wanted { after: &place, from, vehicle, kind, limit };
        let events = app.history.events(&who.tenant, &wanted)?;
        for event in &events {
            place[event.partition as usize] = event.offset + 1;
        }
        Ok::<_, Problem>((events, place))
    });
    let found = found.await.map_err(|_bad| Problem::unavailable("cut off".to_owned()))?;
    let (events, place) = found?;
    let bodies: Vec<&str> = events.iter().map(|event| event.body.as_str()).collect();
    let text = format!("{{\"events\":[{}],\"next\":\"{}\"}}", bodies.join(","), id_of(&place));
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// A page of events.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
pub(crate) struct EventsOut {
    /// Each with `vehicle`, `seq`, `type`, `at` and the fields of its type.
    events: Vec<serde_json::Value>,
    /// Cursor to ask again with, always there.
    next: String,
}

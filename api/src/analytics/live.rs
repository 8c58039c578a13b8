//! Vehicles as they were last seen, as a table: what is asked most needs no archive.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SessionContext;
use engine::model::view::LastFix;
use engine::record::canonical;
use ingest::attribute::Attributes;
use ingest::id::TenantId;

use super::fleet::{Named, table, text, time};
use crate::live::{Live, Seen};

/// What it is called.
pub(super) const NAME: &str = "live";

/// Makes the table `live`.
pub(super) fn register(
    context: &SessionContext,
    live: &Live,
    tenant: &TenantId,
) -> Result<(), DataFusionError> {
    let seen = live.read().all(tenant);
    context.register_table(NAME, table(columns(&seen))?)?;
    Ok(())
}

/// Whatever else the device said with its last fix: a JSON object.
fn said(attributes: &Attributes) -> Option<String> {
    canonical::attributes(attributes).map(|all| all.to_string())
}

fn columns(seen: &[Seen]) -> Vec<Named> {
    let last = || seen.iter().map(|seen| seen.view.last.as_ref());
    let number = |of: fn(&LastFix) -> Option<f64>| -> ArrayRef {
        Arc::new(last().map(|last| last.and_then(of)).collect::<Float64Array>())
    };
    let route = || seen.iter().map(|seen| seen.view.route.as_ref());
    let next = || {
        let is_next = |seen: &Seen| seen.view.stops.iter().position(|s| !s.eta.state.is_done());
        seen.iter().map(move |seen| is_next(seen).map(|next| &seen.view.stops[next]))
    };
    let left = |seen: &Seen| seen.view.stops.iter().filter(|s| !s.eta.state.is_done()).count();
    let version = route().map(|route| route.map(|(_, version)| *version as i64));
    vec![
        ("vehicle", text(seen.iter().map(|seen| Some(seen.vehicle.as_str())))),
        ("time", time(last().map(|last| last.map(|last| last.time.micros())))),
        ("received_at", time(last().map(|last| last.map(|last| last.received_at.micros())))),
        ("device", text(last().map(|last| last.map(|last| last.device.as_str())))),
        ("lat", number(|last| Some(last.position.lat))),
        ("lng", number(|last| Some(last.position.lng))),
        ("speed_mps", number(|last| last.speed_mps)),
        ("heading", number(|last| last.heading)),
        ("accuracy_m", number(|last| last.accuracy_m)),
        ("matched_lat", number(|last| last.matched.map(|matched| matched.position.lat))),
        ("matched_lng", number(|last| last.matched.map(|matched| matched.position.lng))),
        ("attributes", text(last().map(|last| said(&last?.attributes)))),
        ("activity", text(seen.iter().map(|seen| Some(seen.view.activity().name())))),
        ("status", text(seen.iter().map(|seen| Some(seen.view.status().name())))),
        ("route", text(route().map(|route| route.map(|(route, _)| route.as_str())))),
        ("version", Arc::new(version.collect::<Int64Array>())),
        ("stops_left", Arc::new(seen.iter().map(|seen| left(seen) as i64).collect::<Int64Array>())),
        ("next_stop", text(next().map(|next| next.map(|next| next.eta.stop.as_str())))),
        ("next_p50", time(next().map(|next| Some(next?.eta.times?.p50.micros())))),
    ]
}

//! Orders to devices: what one is to be told, whether somebody else has approved it, what came of
//! it. The log's `commands` is their only store, for a day; a gateway that has the device on a
//! connection tells it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ingest::command::{Command, Outcome};
use ingest::id::{DeviceId, TenantId, partition_of, percent_encoded};
use ingest::log::{Log, LogError, NewRecord, Topic};
use ingest::record::{Envelope, Kind, ORDER_S_MAX, Order, OrderResult};
use ingest::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Unread, own_device};
use crate::app::Shared;
use crate::auth::{Manager, Reader};
use crate::problem::{Failures, Problem};
use crate::store::devices::{self, DeviceRow};
use crate::store::keys::random_bytes;
use crate::write::append;

/// How long an order waits for its device unless asked otherwise, seconds.
const WAITS_S: u32 = 3_600;
/// Bytes of `commands` read at a time.
const POLL_BYTES: usize = 1 << 20;
/// How long a read waits for the next of them.
const POLL_WAIT: Duration = Duration::from_millis(200);
/// Orders of a device that are shown, the newest.
const SHOWN_MAX: usize = 200;

/// An order as it is posted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderIn {
    /// `position`, `interval`, `restart`, `engine_stop`, `engine_resume` or `text`.
    command: String,
    /// Of `interval`: 5 to 86400.
    #[serde(default)]
    seconds: Option<u32>,
    /// Of `text`: up to 160 printable characters in the device's own words.
    #[serde(default)]
    text: Option<String>,
    /// It is not told after so many seconds, at most a day; absent: an hour.
    #[serde(default)]
    valid_s: Option<u32>,
}

/// An order and what came of it so far.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct OrderOut {
    id: String,
    command: &'static str,
    /// When it was ordered.
    at: String,
    /// After that it is not told any more.
    until: String,
    /// Whose key it was ordered with.
    by: String,
    /// Whose key it was approved with.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    /// `waiting_for_approval`, `queued`, `sent`, `answered`, `expired`, `unsupported`, `refused` or
    /// `full`.
    state: &'static str,
    /// The device's own words, or why.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
}

/// Orders of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrdersOut {
    orders: Vec<OrderOut>,
}

/// An order with the newest of what came of it: an answer stays, whatever else is told.
#[derive(Debug)]
struct Known {
    order: Order,
    result: Option<OrderResult>,
}

impl Known {
    fn shown(&self) -> OrderOut {
        let Order { id, command, at, until, by, approved_by } = &self.order;
        let state = match &self.result {
            Some(result) => result.outcome.name(),
            None if self.order.is_agreed() => "queued",
            None => "waiting_for_approval",
        };
        let words = self.result.as_ref().map(|result| result.words.clone());
        OrderOut {
            id: id.clone(),
            command: command.name(),
            at: at.to_string(),
            until: until.to_string(),
            by: by.clone(),
            approved_by: approved_by.clone(),
            state,
            words: words.filter(|words| !words.is_empty()),
        }
    }
}

/// Orders a device to do something. What can do harm waits until it is approved with another key.
#[utoipa::path(post, path = "/devices/{id}/commands", tag = "devices", request_body = OrderIn,
    params(("id" = String, Path, description = "its own id, percent-encoded")),
    security(("key" = ["admin"])), responses((status = 202, body = OrderOut), Failures))]
pub(crate) async fn post(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
    body: Unread,
) -> Result<Response, Problem> {
    let device = ours(&app, &who.tenant, &id)?;
    let body: OrderIn = body.read()?;
    let command = Command::new(&body.command, body.seconds, body.text.as_deref())
        .map_err(|error| Problem::value("command", &body.command, &error.to_string()))?;
    let waits = body.valid_s.unwrap_or(WAITS_S);
    if !(1..=ORDER_S_MAX).contains(&waits) {
        return Err(Problem::value("valid_s", &waits.to_string(), "1 to 86400"));
    }
    let (at, by) = (app.now(), who.key.clone());
    let until = at.plus_seconds(f64::from(waits));
    let order = Order { id: new_id()?, command, at, until, by, approved_by: None };
    append(&app, vec![record(&device, &order)]).await?;
    let shown = Known { order, result: None }.shown();
    Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
}

/// Approves an order that can do harm; it takes another key than the one it was given with.
#[utoipa::path(post, path = "/devices/{id}/commands/{order}/approve", tag = "devices",
    params(("id" = String, Path, description = "its own id, percent-encoded"),
        ("order" = String, Path)),
    security(("key" = ["admin"])),
    responses((status = 202, body = OrderOut),
        (status = 409, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn approve(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path((id, order)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let device = ours(&app, &who.tenant, &id)?;
    let known = of_device(&app, &device).await?;
    let known = known.into_iter().find(|known| known.order.id == order);
    let Known { order, result } = known.ok_or_else(|| Problem::unknown("order", &order))?;
    if order.is_agreed() || result.is_some() {
        return Err(Problem::conflict(format!("order `{}` waits for no approval", order.id)));
    }
    if order.by == who.key {
        let detail = "an order is approved with another key than it was given with";
        return Err(Problem::conflict(detail.to_owned()));
    }
    let order = Order { approved_by: Some(who.key.clone()), ..order };
    append(&app, vec![record(&device, &order)]).await?;
    let shown = Known { order, result: None }.shown();
    Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
}

/// The orders of a device within the last day, newest first.
#[utoipa::path(get, path = "/devices/{id}/commands", tag = "devices",
    params(("id" = String, Path, description = "its own id, percent-encoded")),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = OrdersOut), Failures))]
pub(crate) async fn list(
    Reader(who): Reader,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let device = ours(&app, &who.tenant, &id)?;
    let known = of_device(&app, &device).await?;
    let orders = known.iter().rev().take(SHOWN_MAX).map(Known::shown).collect();
    Ok(Json(OrdersOut { orders }).into_response())
}

/// A device of this tenant.
fn ours(app: &Shared, tenant: &TenantId, id: &str) -> Result<DeviceId, Problem> {
    let device = own_device(id).map_err(|_bad| Problem::unknown("device", id))?;
    let found = app.store.read(|c| devices::find(c, &device))?;
    let is_ours = |row: &DeviceRow| row.tenant == tenant.as_str() && row.version > 0;
    if !found.is_some_and(|(row, _)| is_ours(&row)) {
        return Err(Problem::unknown("device", id));
    }
    Ok(device)
}

fn new_id() -> Result<String, Problem> {
    let mut id = String::with_capacity(16);
    for byte in &random_bytes()?[..8] {
        write!(id, "{byte:02x}").map_err(|e| Problem::unavailable(e.to_string()))?;
    }
    Ok(id)
}

fn record(device: &DeviceId, order: &Order) -> NewRecord {
    order.envelope().into_record(Topic::Commands, percent_encoded(device).into())
}

/// Every order of a device that the log has, oldest first.
async fn of_device(app: &Shared, device: &DeviceId) -> Result<Vec<Known>, Problem> {
    let (log, device, now) = (Arc::clone(&app.log), device.clone(), app.now());
    let read = tokio::task::spawn_blocking(move || read(log.as_ref(), &device, now)).await;
    let read = read.map_err(|_bad| Problem::unavailable("the read was cut off".to_owned()))?;
    read.map_err(|error| Problem::unavailable(error.to_string()))
}

fn read(log: &dyn Log, device: &DeviceId, now: Timestamp) -> Result<Vec<Known>, LogError> {
    let key = percent_encoded(device);
    let partition = partition_of(key.as_bytes(), log.partitions(Topic::Commands));
    let end = log.bounds(Topic::Commands, partition)?.end;
    let oldest = now.plus_seconds(-f64::from(ORDER_S_MAX));
    let Some(from) = log.offset_at(Topic::Commands, partition, oldest)? else {
        return Ok(Vec::new());
    };
    let mut reader = log.reader(Topic::Commands, &[(partition, from)])?;
    let (mut known, mut places) = (Vec::<Known>::new(), HashMap::new());
    while reader.position(partition).is_some_and(|at| at < end) {
        for record in reader.poll(POLL_BYTES, POLL_WAIT)? {
            let value = record.value.filter(|_| record.key[..] == *key.as_bytes());
            let Some(Ok(envelope)) = value.map(Envelope::decode) else { continue };
            take(&envelope, &mut known, &mut places);
        }
    }
    Ok(known)
}

fn take(envelope: &Envelope, known: &mut Vec<Known>, places: &mut HashMap<String, usize>) {
    match envelope.kind {
        Kind::Order => {
            let Ok(order) = Order::from_envelope(envelope) else { return };
            if let Some(held) = places.get(&order.id).and_then(|at| known.get_mut(*at)) {
                // The same once more: approved.
                held.order.approved_by = order.approved_by;
            } else {
                places.insert(order.id.clone(), known.len());
                known.push(Known { order, result: None });
            }
        }
        Kind::OrderResult => {
            let Ok(result) = OrderResult::from_envelope(envelope) else { return };
            let Some(held) = places.get(&result.id).and_then(|at| known.get_mut(*at)) else {
                return;
            };
            if held.result.as_ref().is_none_or(|before| before.outcome != Outcome::Answered) {
                held.result = Some(result);
            }
        }
        _ => {}
    }
}

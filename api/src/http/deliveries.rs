//! One order's visit: what was promised, what is expected, what was.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use engine::model::{Cause, StopState, StopView, View};
use ingest::id::OrderId;
use ingest::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::routes::driver;
use crate::app::{App, Shared};
use crate::auth::Anybody;
use crate::history::PastEta;
use crate::live::Seen;
use crate::problem::{Failures, Problem};
use crate::store::keys::Role;
use crate::store::routes::{self, RouteRow};
use crate::store::said::{self, Said};
use crate::view::{ContactJson, EtaJson, WindowJson, eta_json, window_json};

/// One order's visit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryOut {
    /// Which order.
    order: String,
    /// `planned`, `on_the_way`, `arrived`, `departed`, `completed`, `failed` or `skipped`.
    status: String,
    /// On which route.
    route: String,
    /// By which vehicle.
    vehicle: String,
    /// At which stop.
    stop: String,
    /// Stops that the vehicle makes before, while it is on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    stops_before: Option<usize>,
    /// What was promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    promise: Option<WindowJson>,
    /// What is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    eta: Option<EtaJson>,
    /// Probability that service starts after the window closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    late_probability: Option<f64>,
    /// How the customer is told; shown to admins and dispatchers.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<ContactJson>,
    /// When the vehicle arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    arrived_at: Option<String>,
    /// When it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    departed_at: Option<String>,
    /// How the customer would have it, as they said on their page.
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<InstructionsOut>,
    /// How it was for the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<FeedbackOut>,
    /// What was expected before, oldest first, at most 1,000.
    history: Vec<PastEtaOut>,
    /// The moment up to which this is complete.
    as_of: String,
}

/// How a customer would have it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InstructionsOut {
    /// In their words.
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    /// `there`, `safe_place` or `another_time`: their answer to a new time.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// When they said so.
    at: String,
}

/// How it was for a customer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeedbackOut {
    /// 1 to 5, 5 is best.
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<u8>,
    /// In their words.
    #[serde(skip_serializing_if = "String::is_empty")]
    comment: String,
    /// When they said so.
    at: String,
}

/// Why an arrival moved.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CauseOut {
    /// `dwell`, `travel`, `traffic`, `waiting`, `plan`, `signal` or `other`.
    kind: &'static str,
    /// Later is positive.
    seconds: i64,
    /// Where, for a dwell.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<String>,
}

/// What was expected once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PastEtaOut {
    /// When it was said.
    at: String,
    /// What the stop was doing.
    state: String,
    /// The expected arrival; absent once it was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    eta: Option<EtaJson>,
    /// Probability of missing the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    late_probability: Option<f64>,
    /// Seconds that the likely arrival moved since it was said before; 0 for the first.
    moved_s: i64,
    /// Why; they add up to `moved_s` exactly.
    causes: Vec<CauseOut>,
}

impl From<&PastEta> for PastEtaOut {
    fn from(past: &PastEta) -> Self {
        let eta = past.times.map(|times| {
            let [p10, p50, p90] = times.map(|t| t.to_string());
            EtaJson { p10, p50, p90 }
        });
        let (at, state) = (past.at.to_string(), past.state.clone());
        let cause = |cause: &Cause| CauseOut {
            kind: cause.kind.name(),
            seconds: cause.seconds,
            stop: cause.stop.as_ref().map(ToString::to_string),
        };
        let causes = past.causes.iter().map(cause).collect();
        Self { at, state, eta, late_probability: past.miss, moved_s: past.moved_s, causes }
    }
}

/// One order's visit.
#[utoipa::path(get, path = "/deliveries/{order}", tag = "deliveries",
    params(("order" = String, Path)),
    security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 200, body = DeliveryOut), Failures))]
pub(crate) async fn get(
    Anybody(who): Anybody,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let order = OrderId::new(&id).map_err(|_bad| Problem::unknown("order", &id))?;
    let (rows, said) = app.store.read(|c| {
        let rows = routes::of_order(c, &who.tenant, &order)?;
        Ok::<_, Problem>((rows, said::find(c, &who.tenant, &order)?))
    })?;
    let found = chosen(&app, &who.tenant, rows);
    let (row, seen) = found.ok_or_else(|| Problem::unknown("order", &id))?;
    let (history, tenant, wanted) = (Arc::clone(&app.history), who.tenant.clone(), order.clone());
    let past = tokio::task::spawn_blocking(move || history.etas(&tenant, &wanted));
    let past = past.await.map_err(|_bad| Problem::unavailable("cut off".to_owned()))??;
    let as_of = app.live.as_of().to_string();
    let heard = [said.instructions.as_ref().map(|i| i.at), said.feedback.as_ref().map(|f| f.at)];
    let heard = heard.into_iter().flatten().max().map_or(0, Timestamp::micros);
    let out = delivery(&order, &row, seen.as_ref(), &past, as_of);
    let mut out = out.ok_or_else(|| Problem::unknown("order", &id))?;
    (out.instructions, out.feedback) = heard_of(said);
    out.contact = out.contact.filter(|_| matches!(who.role, Role::Admin | Role::Dispatcher));
    let seq = seen.map_or(0, |seen| seen.view.seq);
    let etag = format!("W/\"{}-{seq}-{heard}\"", row.version);
    let same = headers.get("if-none-match").and_then(|v| v.to_str().ok()) == Some(&etag);
    if same {
        return Ok((axum::http::StatusCode::NOT_MODIFIED, [("etag", etag)]).into_response());
    }
    Ok(([("etag", etag)], Json(out)).into_response())
}

fn heard_of(said: Said) -> (Option<InstructionsOut>, Option<FeedbackOut>) {
    let instructions = said.instructions.map(|said| InstructionsOut {
        text: said.text,
        answer: said.answer,
        at: said.at.to_string(),
    });
    let feedback = said.feedback.map(|said| FeedbackOut {
        rating: said.rating,
        comment: said.comment,
        at: said.at.to_string(),
    });
    (instructions, feedback)
}

/// Of several routes that visit an order the one that is being driven, else the newest.
pub(crate) fn chosen(
    app: &App,
    tenant: &ingest::id::TenantId,
    rows: Vec<RouteRow>,
) -> Option<(RouteRow, Option<Seen>)> {
    let mut newest = None;
    for row in rows {
        let seen = driver(app, tenant, &row).filter(|seen| {
            seen.view.route.as_ref().is_some_and(|(route, _)| route.as_str() == row.route)
        });
        if seen.is_some() {
            return Some((row, seen));
        }
        newest.get_or_insert((row, None));
    }
    newest
}

fn delivery(
    order: &OrderId,
    row: &RouteRow,
    seen: Option<&Seen>,
    past: &[PastEta],
    as_of: String,
) -> Option<DeliveryOut> {
    let plan = row.body.stops.iter().find(|stop| stop.order == order.as_str())?;
    let view = seen.and_then(|seen| seen.view.stop_of(order));
    let last = past.iter().rev().find(|past| past.route == row.route);
    Some(DeliveryOut {
        order: order.to_string(),
        status: status(view, last.map(|last| last.state.as_str())),
        route: row.route.clone(),
        vehicle: row.vehicle.clone(),
        stop: plan.id.clone(),
        stops_before: view.and_then(|own| stops_before(&seen?.view, own)),
        promise: plan.window.map(window_json),
        eta: view.and_then(eta_json),
        late_probability: view.and_then(|view| view.eta.miss),
        contact: plan.contact.as_ref().map(ContactJson::from),
        arrived_at: view.and_then(|view| view.arrived_at).map(|t| t.to_string()),
        departed_at: view.and_then(|view| view.departed_at).map(|t| t.to_string()),
        instructions: None,
        feedback: None,
        history: past.iter().map(PastEtaOut::from).collect(),
        as_of,
    })
}

/// From the view while the route is driven, else from the last that was said of it.
fn status(view: Option<&StopView>, last: Option<&str>) -> String {
    let state = view.map(|view| view.eta.state.name()).or(last);
    match state {
        Some("later" | "next") if view.is_some() => "on_the_way",
        None | Some("later" | "next") => "planned",
        Some(other) => other,
    }
    .to_owned()
}

/// Stops that are not done before a customer's own, while the vehicle is on its way there.
pub(crate) fn stops_before(view: &View, own: &StopView) -> Option<usize> {
    if !matches!(own.eta.state, StopState::Later | StopState::Next) {
        return None;
    }
    let open = |stop: &&StopView| !stop.eta.state.is_done();
    let before = view.stops.iter().take_while(|stop| stop.eta.stop != own.eta.stop);
    Some(before.filter(open).count())
}

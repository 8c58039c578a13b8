//! Open exceptions, the most expensive first.

use axum::Json;
use axum::extract::State;
use engine::model::{EventKind, OpenException, StopView};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Asked, Page};
use crate::app::Shared;
use crate::auth::Reader;
use crate::cost::late_minutes;
use crate::live::Seen;
use crate::problem::{Failures, Problem};
use crate::store::care;
use crate::store::costs::{self, Costs};

/// A deviation that somebody should look at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExceptionOut {
    /// Its identity: vehicle and seq.
    id: String,
    /// Which vehicle.
    vehicle: String,
    /// Number of the event that raised it.
    seq: u64,
    /// `predicted_late`, `off_route`, `long_stop` or `no_signal`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Since when.
    since: String,
    /// On which route.
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    /// At which stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<String>,
    /// Which order.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// What follows from it.
    consequence: ConsequenceOut,
    /// What can be done, the most gain first.
    remedies: Vec<RemedyOut>,
    /// Expected cost of lateness, in the tenant's currency.
    cost: f64,
    /// Somebody said that it may be left alone until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    snoozed_until: Option<String>,
    /// Who takes care of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    assigned_to: Option<String>,
}

/// A page of open exceptions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExceptionsOut {
    /// The most expensive first.
    exceptions: Vec<ExceptionOut>,
    /// The moment it is true for.
    as_of: String,
    /// Of the costs, as ISO 4217 spells it; absent: bare numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    /// Cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What follows from an exception.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsequenceOut {
    /// Remaining stops that may be late.
    stops_at_risk: usize,
    /// Probability × minutes late, over them.
    expected_late_minutes: f64,
    /// Orders that may be late, the worst first, at most 20.
    orders: Vec<String>,
}

/// What can be done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RemedyOut {
    /// `accept_reroute`.
    kind: &'static str,
    /// Which proposal: `POST /v1/reroutes/{id}/accept`.
    reroute: String,
    /// Seconds of lateness and driving saved.
    gain_s: i64,
}

/// Orders named with a consequence.
const ORDERS_MAX: usize = 20;

/// Open exceptions by expected cost of lateness, the highest first.
#[utoipa::path(get, path = "/exceptions", tag = "exceptions", params(Page),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = ExceptionsOut), Failures))]
pub(crate) async fn list(
    Reader(who): Reader,
    State(app): State<Shared>,
    Asked(page): Asked<Page>,
) -> Result<Json<ExceptionsOut>, Problem> {
    let limit = page.limit()?;
    let (costs, care) = app.store.read(|c| {
        let costs = costs::of(c, &who.tenant)?;
        Ok::<_, Problem>((costs, care::of_tenant(c, &who.tenant)?))
    })?;
    let Costs { rate_per_minute: rate, currency } = costs;
    let (all, as_of) = {
        let fleet = app.live.read();
        (fleet.all(&who.tenant), fleet.as_of())
    };
    let mut found: Vec<ExceptionOut> = all
        .iter()
        .flat_map(|seen| seen.view.open.iter().map(move |open| exception(seen, open, rate)))
        .collect();
    found.sort_by(|a, b| b.cost.total_cmp(&a.cost).then_with(|| a.id.cmp(&b.id)));
    // The order changes with every answer, so the cursor names the exception to go on after.
    if let Some(after) = &page.after {
        let place = found.iter().position(|exception| exception.id == *after);
        found.drain(..place.map_or(0, |place| place + 1));
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|exception| exception.id.clone());
    for exception in &mut found {
        if let Some(care) = care.get(&exception.id) {
            let until = care.snoozed_until.filter(|until| *until > app.now());
            exception.snoozed_until = until.map(|until| until.to_string());
            exception.assigned_to.clone_from(&care.assigned_to);
        }
    }
    let as_of = as_of.to_string();
    std::future::ready(Ok(Json(ExceptionsOut { exceptions: found, as_of, currency, next }))).await
}

/// One about a stop costs what that stop costs; one about the vehicle costs all its stops.
fn exception(seen: &Seen, open: &OpenException, rate: f64) -> ExceptionOut {
    let view = &seen.view;
    let concerns = |stop: &&StopView| {
        let of_vehicle = open.event.kind != EventKind::PredictedLate;
        !stop.eta.state.is_done()
            && (of_vehicle || open.event.stop.as_ref() == Some(&stop.eta.stop))
    };
    let mut late: Vec<(f64, &StopView)> = view
        .stops
        .iter()
        .filter(concerns)
        .map(|stop| (late_minutes(view, stop), stop))
        .filter(|(minutes, _)| *minutes > 0.0)
        .collect();
    late.sort_by(|a, b| b.0.total_cmp(&a.0));
    let minutes: f64 = late.iter().map(|(minutes, _)| minutes).sum();
    // Adding 0 makes a rounded −0 plain 0.
    let cents = |value: f64| (value * 100.0).round() / 100.0 + 0.0;
    let remedies = view.proposal.iter().map(|proposal| RemedyOut {
        kind: "accept_reroute",
        reroute: proposal.id.to_string(),
        gain_s: proposal.gain_s,
    });
    ExceptionOut {
        id: format!("{}.{}", seen.vehicle, open.seq),
        vehicle: seen.vehicle.to_string(),
        seq: open.seq,
        kind: open.event.kind.name(),
        since: open.event.at.to_string(),
        route: open.event.route.as_ref().map(ToString::to_string),
        stop: open.event.stop.as_ref().map(ToString::to_string),
        order: open.event.order.as_ref().map(ToString::to_string),
        cause: open.event.cause.clone(),
        consequence: ConsequenceOut {
            stops_at_risk: late.len(),
            expected_late_minutes: cents(minutes),
            orders: late.iter().take(ORDERS_MAX).map(|(_, s)| s.eta.order.to_string()).collect(),
        },
        remedies: remedies.collect(),
        cost: cents(minutes * rate),
        snoozed_until: None,
        assigned_to: None,
    }
}

//! Telling the customers whom an open exception makes late: by a dispatcher's hand, with a while
//! to think again. Whoever was told of their delay before, by hand or by itself, is not told twice.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::model::{Event, EventKind, OpenException, StopView};
use ingest::id::{RouteId, TenantId, VehicleKey};
use ingest::record::Pid;
use ingest::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::care::opened;
use crate::app::{App, Shared};
use crate::auth::{Caller, Planner};
use crate::live::Seen;
use crate::message::outbox::Happened;
use crate::message::people::People;
use crate::message::told::Of;
use crate::message::{Condition, NewMessage};
use crate::problem::{Failures, Problem};
use crate::store::{addresses, outbox, routes, webhooks};

/// Messages leave after this, seconds; until then they can be taken back (`ui/ui.md` §6, toast).
const UNDO_S: f64 = 10.0;
/// Above this probability of being late a customer is told of the delay of a whole vehicle: what
/// `ui/ui.md` §5 calls at risk.
const MISS_TOLD: f64 = 0.35;
/// Visits told at a time; a route of more has its first ones told.
const VISITS_MAX: usize = 200;

/// A customer whom an exception makes late.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConcernedOut {
    /// Their order.
    order: String,
    /// The stop of the visit.
    stop: String,
    /// `untold`, `told`, `no_address`, `opted_out`, or `past` where it would come too late.
    state: &'static str,
}

/// Whom an exception makes late.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConcernedListOut {
    /// In the order of the visits, at most 200.
    customers: Vec<ConcernedOut>,
}

/// What was told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ToldOut {
    /// Messages that will leave.
    messages: u64,
    /// Until then they can be taken back.
    until: String,
}

/// One customer and the messages to them.
struct Concerned {
    out: ConcernedOut,
    letters: Vec<(NewMessage, Condition)>,
}

/// Whom an open exception makes late, and what each knows of it.
#[utoipa::path(get, path = "/exceptions/{id}/tell", tag = "exceptions",
    params(("id" = String, Path)), security(("key" = ["admin", "dispatcher"])),
    responses((status = 200, body = ConcernedListOut), Failures))]
pub(crate) async fn list(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<ConcernedListOut>, Problem> {
    let found = concerned(&app, who, id).await?;
    Ok(Json(ConcernedListOut { customers: found.into_iter().map(|one| one.out).collect() }))
}

/// Tells every customer whom it makes late and who does not know yet. The messages leave after
/// ten seconds; until then `DELETE` takes them back.
#[utoipa::path(post, path = "/exceptions/{id}/tell", tag = "exceptions",
    params(("id" = String, Path)), security(("key" = ["admin", "dispatcher"])),
    responses((status = 200, body = ToldOut), Failures))]
pub(crate) async fn tell(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<ToldOut>, Problem> {
    let until = app.now().plus_seconds(UNDO_S);
    let mut letters: Vec<_> =
        concerned(&app, who, id).await?.into_iter().flat_map(|one| one.letters).collect();
    for (message, _) in &mut letters {
        message.due = message.due.max(until);
    }
    let taken = app.store.write(move |c| outbox::take(c, &[], &letters)).await;
    let taken = taken.map_err(Problem::from)?;
    app.metrics.messages_taken.inc_by(taken.waiting);
    app.metrics.messages_known.inc_by(taken.known);
    app.metrics.messages_dead.inc_by(taken.full);
    app.outbox.notify_one();
    Ok(Json(ToldOut { messages: taken.waiting, until: until.to_string() }))
}

/// Takes back what was told by hand of it and has not left yet.
#[utoipa::path(delete, path = "/exceptions/{id}/tell", tag = "exceptions",
    params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher"])), responses((status = 204), Failures))]
pub(crate) async fn untell(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let letters = concerned(&app, who, id).await?.into_iter().flat_map(|one| one.letters);
    let letters: Vec<_> = letters.collect();
    let now = app.now();
    let done = app.store.write(move |c| outbox::take_back(c, &letters, now)).await;
    done.map(|()| StatusCode::NO_CONTENT).map_err(Problem::from)
}

/// The customers of an open exception. Reads the store: not on an async thread.
async fn concerned(app: &Shared, who: Caller, id: String) -> Result<Vec<Concerned>, Problem> {
    let shared = Arc::clone(app);
    let read = tokio::task::spawn_blocking(move || {
        let (seen, open) = opened(&shared, &who, &id)?;
        of_exception(&shared, &who.tenant, &seen, &open)
    });
    read.await.map_err(|_panicked| Problem::unavailable("cut off".to_owned()))?
}

fn of_exception(
    app: &App,
    tenant: &TenantId,
    seen: &Seen,
    open: &OpenException,
) -> Result<Vec<Concerned>, Problem> {
    let own = seen.view.route.as_ref().map(|(id, _)| id);
    let Some(route) = open.event.route.as_ref().or(own) else {
        return Ok(Vec::new());
    };
    let now = app.now();
    let (row, hooks, rules) = app.store.read(|c| {
        let row = routes::find(c, tenant, route)?.map(|(row, _)| row);
        Ok::<_, Problem>((row, webhooks::list(c, tenant)?, addresses::rules(c, tenant)?))
    })?;
    let mut found = Vec::new();
    for stop in seen.view.stops.iter().filter(|stop| late(open, stop)).take(VISITS_MAX) {
        let key = VehicleKey { tenant: tenant.clone(), vehicle: seen.vehicle.clone() };
        let event = event(open, route, stop, now);
        let happened = Happened { key, seq: open.seq, event };
        let of = Of { happened: &happened, route: row.as_ref(), seen: Some(seen) };
        let people =
            People::of(app, &of, (hooks.as_slice(), &rules), now).map_err(Problem::from)?;
        found.push(one(app, &happened, stop, people)?);
    }
    Ok(found)
}

/// Whether a visit is late because of it: its own one, or any of the vehicle's that may well be.
fn late(open: &OpenException, stop: &StopView) -> bool {
    if stop.eta.state.is_done() {
        return false;
    }
    if open.event.kind == EventKind::PredictedLate {
        return open.event.stop.as_ref() == Some(&stop.eta.stop);
    }
    stop.eta.miss.is_some_and(|miss| miss >= MISS_TOLD)
}

/// The delay of one visit, as the engine would say it.
fn event(open: &OpenException, route: &RouteId, stop: &StopView, now: Timestamp) -> Event {
    let own = open.event.kind == EventKind::PredictedLate;
    let cause = match open.event.kind {
        EventKind::OffRoute => Some("off route".to_owned()),
        EventKind::NoSignal => Some("no signal".to_owned()),
        _ => open.event.cause.clone(),
    };
    Event {
        route: Some(route.clone()),
        stop: Some(stop.eta.stop.clone()),
        order: Some(stop.eta.order.clone()),
        expected_late_s: open.event.expected_late_s.filter(|_| own),
        probability: stop.eta.miss,
        cause,
        ..Event::new(EventKind::PredictedLate, now)
    }
}

fn one(
    app: &App,
    happened: &Happened,
    stop: &StopView,
    people: People,
) -> Result<Concerned, Problem> {
    let state = match &people {
        People::Unknown => "no_address",
        People::Past => "past",
        People::Letters(letters, _) if letters.is_empty() => "opted_out",
        People::Letters(letters, _) => {
            let known = app.store.read(|c| outbox::known(c, letters)).map_err(Problem::from)?;
            if known { "told" } else { "untold" }
        }
    };
    let mut letters = people.letters();
    for (message, _) in &mut letters {
        message.id = id_of(happened, stop, &message.destination);
        // Not the one message of an output: a hand may tell several visits by one exception.
        message.of = None;
    }
    let out =
        ConcernedOut { order: stop.eta.order.to_string(), stop: stop.eta.stop.to_string(), state };
    Ok(Concerned { out, letters })
}

/// The same for every time that the visit is told by hand.
fn id_of(happened: &Happened, stop: &StopView, destination: &str) -> String {
    let (key, stop) = (happened.key.to_string(), stop.eta.stop.to_string());
    let route = happened.event.route.as_ref().map(ToString::to_string).unwrap_or_default();
    let parts = ["told by hand", destination, &key, &route, &stop];
    format!("msg_{}", Pid::of_parts(&parts.map(str::as_bytes)))
}

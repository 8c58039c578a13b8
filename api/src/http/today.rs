//! What became of exceptions since a time: how many somebody handled, how many passed by themselves.

#![expect(unused_qualifications, reason = "utoipa spells out the type of the parameters")]

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engine::model::EventKind;
use ingest::id::TenantId;
use ingest::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Asked;
use crate::app::{App, Shared};
use crate::auth::Reader;
use crate::problem::{Failures, Problem};
use crate::store::care;

/// Events that raise an exception.
const RAISED: [EventKind; 4] =
    [EventKind::PredictedLate, EventKind::OffRoute, EventKind::LongStop, EventKind::NoSignal];

/// What is older is no longer today anywhere: a week, seconds.
const BACK_MAX_S: f64 = 7.0 * 86_400.0;

/// Since when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Since {
    /// RFC 3339, at most a week ago: the day's begin at the branch.
    from: String,
}

/// What became of the exceptions that were raised since then and are no longer open.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TodayOut {
    /// Somebody accepted a remedy, took care of it or left it alone.
    handled: u64,
    /// Nobody did anything that is known here.
    by_themselves: u64,
}

/// How many exceptions were handled since a time, and how many passed by themselves.
#[utoipa::path(get, path = "/exceptions/today", tag = "exceptions", params(Since),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = TodayOut), Failures))]
pub(crate) async fn get(
    Reader(who): Reader,
    State(app): State<Shared>,
    Asked(since): Asked<Since>,
) -> Result<Json<TodayOut>, Problem> {
    let wrong = || Problem::value("from", &since.from, "a time of RFC 3339, at most a week ago");
    let from = Timestamp::parse(&since.from).map_err(|_bad| wrong())?;
    if app.now().seconds_since(from) > BACK_MAX_S {
        return Err(wrong());
    }
    let shared = Arc::clone(&app);
    let counted = tokio::task::spawn_blocking(move || counted(&shared, &who.tenant, from));
    let out = counted.await.map_err(|_panicked| Problem::unavailable("cut off".to_owned()))?;
    out.map(Json)
}

fn counted(app: &App, tenant: &TenantId, from: Timestamp) -> Result<TodayOut, Problem> {
    let all = app.live.read().all(tenant);
    let exceptions = all.iter().flat_map(|seen| seen.view.open.iter().map(move |o| (seen, o)));
    let (mut open, mut lasting) = (HashSet::new(), 0);
    for (seen, exception) in exceptions {
        open.insert(format!("{}.{}", seen.vehicle, exception.seq));
        lasting += u64::from(exception.event.at >= from);
    }
    let count = |kinds: &[EventKind]| -> Result<u64, Problem> {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        app.history.count(tenant, &names, from).map_err(Problem::from)
    };
    let ended = count(&RAISED)?.saturating_sub(lasting);
    let accepted = count(&[EventKind::RerouteAccepted])?;
    let noted = app.store.read(|c| care::noted_since(c, tenant, from)).map_err(Problem::from)?;
    let noted = noted.iter().filter(|id| !open.contains(*id)).count() as u64;
    let handled = (accepted + noted).min(ended);
    Ok(TodayOut { handled, by_themselves: ended - handled })
}

//! What a minute of lateness costs the tenant, and in which currency.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Body;
use crate::app::Shared;
use crate::auth::{Manager, Reader};
use crate::problem::{Failures, Problem};
use crate::store::costs::{self, Costs};

/// Highest cost of a minute.
const RATE_MAX: f64 = 100_000.0;

/// What lateness costs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CostsJson {
    /// Of one minute late at one stop, 0 to 100,000.
    rate_per_minute: f64,
    /// ISO 4217, such as `EUR`; absent: costs are bare numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
}

/// What lateness costs; 1 a minute until it is set.
#[utoipa::path(get, path = "/costs", tag = "exceptions",
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = CostsJson), Failures))]
pub(crate) async fn get(
    Reader(who): Reader,
    State(app): State<Shared>,
) -> Result<Json<CostsJson>, Problem> {
    let Costs { rate_per_minute, currency } = app.store.read(|c| costs::of(c, &who.tenant))?;
    std::future::ready(Ok(Json(CostsJson { rate_per_minute, currency }))).await
}

/// Sets what lateness costs; the order of the exception board and its amounts follow at once.
#[utoipa::path(put, path = "/costs", tag = "exceptions", request_body = CostsJson,
    security(("key" = ["admin"])), responses((status = 200, body = CostsJson), Failures))]
pub(crate) async fn put(
    Manager(who): Manager,
    State(app): State<Shared>,
    Body(wanted): Body<CostsJson>,
) -> Result<Json<CostsJson>, Problem> {
    let CostsJson { rate_per_minute: rate, currency } = &wanted;
    if !(0.0..=RATE_MAX).contains(rate) {
        return Err(Problem::value("rate_per_minute", &rate.to_string(), "0 to 100000"));
    }
    if let Some(code) = currency
        && !(code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()))
    {
        return Err(Problem::value("currency", code, "three letters of ISO 4217, such as EUR"));
    }
    let costs = Costs { rate_per_minute: *rate, currency: currency.clone() };
    let done = app.store.write(move |c| costs::put(c, &who.tenant, &costs)).await;
    done.map(|()| Json(wanted)).map_err(Problem::from)
}

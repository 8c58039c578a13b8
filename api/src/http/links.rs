//! Links for customers: one order each, made and revoked by dispatchers.

#![expect(unused_qualifications, reason = "utoipa spells out the type of the parameters")]

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ingest::id::OrderId;
use ingest::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Asked, Body, Page, next_after, page_of};
use crate::app::{App, Shared};
use crate::auth::{Planner, Reader};
use crate::policy::Policy;
use crate::problem::{Failures, Problem};
use crate::store::links::{self, LINKS_OF_ORDER_MAX, LinkRow};
use crate::store::routes;

/// A link works so long unless asked otherwise, seconds (14 days); it ends 2 hours after the
/// visit in any case.
const LASTS_S: f64 = 14.0 * 86_400.0;
/// And at most so long, seconds (a year).
const LASTS_S_MAX: f64 = 366.0 * 86_400.0;

/// A link as it is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkIn {
    /// Which order it shows.
    order: String,
    /// From when on it works; absent: from now.
    not_before: Option<String>,
    /// Until when, at most a year from now; absent: 14 days. 2 hours after the visit it ends in
    /// any case.
    expires_at: Option<String>,
    /// What it shows; absent: the vehicle while the order's stop is the next one.
    policy: Option<Policy>,
}

/// A link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkOut {
    /// Names it in lists.
    id: String,
    /// Which order it shows.
    order: String,
    /// Its page, this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// What opens it, this once: only its hash is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// When it was made.
    created_at: String,
    /// From when on it works.
    not_before: String,
    /// Until when.
    expires_at: String,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    /// Whether it was.
    revoked: bool,
    /// How often its page was opened, counted up to a million.
    opened: u32,
    /// What it shows.
    policy: Policy,
}

/// A page of links.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinksOut {
    /// In order of their ids.
    links: Vec<LinkOut>,
    /// Cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl LinkOut {
    fn new(row: LinkRow, token: Option<String>) -> Self {
        Self {
            id: row.id,
            order: row.order.to_string(),
            url: token.as_ref().map(|token| format!("/t/{token}")),
            token,
            created_at: row.created.to_string(),
            not_before: row.not_before.to_string(),
            expires_at: row.expires.to_string(),
            revoked_at: row.revoked.map(|at| at.to_string()),
            revoked: row.revoked.is_some(),
            opened: row.opened,
            policy: row.policy,
        }
    }
}

/// Makes a link to one order's page; its token is told this once.
#[utoipa::path(post, path = "/links", tag = "links", request_body = LinkIn,
    security(("key" = ["admin", "dispatcher"])),
    responses((status = 201, body = LinkOut),
        (status = 409, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn post(
    Planner(who): Planner,
    State(app): State<Shared>,
    Body(body): Body<LinkIn>,
) -> Result<Response, Problem> {
    let row = checked(&app, who.tenant, body)?;
    let made = row.clone();
    let token = app.store.write(move |c| links::create(c, &made)).await.map_err(Problem::from)?;
    let Some(token) = token else {
        let detail = format!("order `{}` has {LINKS_OF_ORDER_MAX} valid links", row.order);
        return Err(Problem::conflict(detail));
    };
    Ok((StatusCode::CREATED, Json(LinkOut::new(row, Some(token)))).into_response())
}

fn checked(app: &App, tenant: ingest::id::TenantId, body: LinkIn) -> Result<LinkRow, Problem> {
    let unknown = || Problem::value("order", &body.order, "an order that a route visits");
    let order = OrderId::new(&body.order).map_err(|_bad| unknown())?;
    if app.store.read(|c| routes::of_order(c, &tenant, &order))?.is_empty() {
        return Err(unknown());
    }
    let time = |field: &str, text: &Option<String>| {
        let parsed = text.as_deref().map(Timestamp::parse).transpose();
        parsed.map_err(|_bad| {
            Problem::value(field, text.as_deref().unwrap_or_default(), "a time of RFC 3339")
        })
    };
    let now = app.now();
    let not_before = time("not_before", &body.not_before)?.unwrap_or(now);
    let expires = time("expires_at", &body.expires_at)?;
    let expires = expires.unwrap_or_else(|| now.plus_seconds(LASTS_S));
    if expires <= not_before.max(now) || expires.seconds_since(now) > LASTS_S_MAX {
        let expected = "after now and `not_before`, within a year";
        return Err(Problem::value("expires_at", &expires.to_string(), expected));
    }
    let policy = body.policy.unwrap_or_default();
    if let Some(element) = policy.meaningless() {
        let expected = "`always`, `never` or at least one of stops, eta_min, distance_m, states";
        return Err(Problem::value(&format!("policy.{element}"), "{}", expected));
    }
    let id = links::new_id()?;
    let (created, revoked, opened) = (now, None, 0);
    Ok(LinkRow { id, tenant, order, policy, created, not_before, expires, revoked, opened })
}

/// What a list of links is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only this order's.
    order: Option<String>,
    /// Cursor of the page before, as `next` gave it.
    after: Option<String>,
    /// At most so many, 1 to 1,000; absent: 100.
    limit: Option<usize>,
}

/// All links; what has ended stays in the list for 30 days.
#[utoipa::path(get, path = "/links", tag = "links", params(Which),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = LinksOut), Failures))]
pub(crate) async fn list(
    Reader(who): Reader,
    State(app): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Response, Problem> {
    let limit = Page { after: None, limit: which.limit }.limit()?;
    let page = (which.after.as_deref().unwrap_or_default(), limit);
    let rows = app.store.read(|c| links::list(c, &who.tenant, which.order.as_deref(), page))?;
    let next = next_after(rows.last().map(|row| row.id.as_str()), rows.len(), limit);
    let members: Vec<LinkOut> = rows.into_iter().map(|row| LinkOut::new(row, None)).collect();
    Ok(page_of("/v1/links", "links", &members, next))
}

/// One link, without its token.
#[utoipa::path(get, path = "/links/{id}", tag = "links", params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = LinkOut), Failures))]
pub(crate) async fn get(
    Reader(who): Reader,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<LinkOut>, Problem> {
    let row = app.store.read(|c| links::find(c, &who.tenant, &id))?;
    let row = row.ok_or_else(|| Problem::unknown("link", &id))?;
    std::future::ready(Ok(Json(LinkOut::new(row, None)))).await
}

/// Revokes a link: its page is gone at once, its streams within 30 s.
#[utoipa::path(delete, path = "/links/{id}", tag = "links", params(("id" = String, Path)),
    security(("key" = ["admin", "dispatcher"])), responses((status = 204), Failures))]
pub(crate) async fn delete(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let (now, named) = (app.now(), id.clone());
    let done = app.store.write(move |c| links::revoke(c, &who.tenant, &named, now)).await;
    if !done.map_err(Problem::from)? {
        return Err(Problem::unknown("link", &id));
    }
    Ok(StatusCode::NO_CONTENT)
}

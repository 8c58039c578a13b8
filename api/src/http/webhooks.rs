//! Webhooks: programs that are told what happens (Standard Webhooks).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::model::EventKind;
use engine::record::digest::hex;
use ingest::id::TenantId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Asked, Body, Page, Unread, etag, precondition};
use crate::app::{App, Shared};
use crate::auth::{Manager, Planner};
use crate::message::{Channel, Message, NewMessage, address, webhook};
use crate::problem::{Failures, Problem};
use crate::store::keys::random_bytes;
use crate::store::webhooks::{OVERLAP_S, WEBHOOKS_MAX, WebhookRow};
use crate::store::{outbox, webhooks};

/// Longest URL, characters.
const URL_MAX: usize = 2_048;
/// Longest description, characters.
const DESCRIPTION_MAX: usize = 200;
/// Names of events that are no events of the log: text messages to be sent, and all of the log.
const OTHER_EVENTS: [&str; 2] = ["sms", "*"];

/// A webhook as it is sent.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookIn {
    /// Where to; `https`, or `http`.
    url: String,
    /// Types of events, such as `predicted_late`; `*`: all of them; `sms`: text messages that the
    /// receiver is to send on.
    events: Vec<String>,
    /// For people, at most 200 characters.
    #[serde(default)]
    description: Option<String>,
}

/// A webhook.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct WebhookOut {
    /// Its id.
    id: String,
    /// Where to.
    url: String,
    /// Types of events.
    events: Vec<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// When it was made.
    created_at: String,
    /// Rises with each change; also the `ETag`.
    version: u64,
    /// Signs what is sent; shown once, when it is made or rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Until when the secret before signs too.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_secret_until: Option<String>,
}

/// All webhooks of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhooksOut {
    /// By id; at most 32.
    webhooks: Vec<WebhookOut>,
}

/// A message to a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryAttemptsOut {
    /// Its id; the `webhook-id` of every try.
    id: String,
    /// Type of the event.
    event: String,
    /// When it happened.
    at: String,
    /// `waiting`, `sent`, `failed` (to be tried again) or `dead` (given up).
    state: &'static str,
    /// Tries so far.
    tries: u32,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
    /// Why it did not arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What is sent.
    body: String,
}

/// Messages to a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveriesOut {
    /// Newest first.
    deliveries: Vec<DeliveryAttemptsOut>,
    /// Leads to older ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A message that was written to be sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AcceptedOut {
    /// Its id; the `webhook-id` of every try.
    id: String,
}

impl WebhookOut {
    fn new(row: &WebhookRow, secret: Option<String>) -> Self {
        Self {
            id: row.id.clone(),
            url: row.url.clone(),
            events: row.events.clone(),
            description: row.description.clone(),
            created_at: row.created.to_string(),
            version: row.version,
            secret,
            old_secret_until: row.old.as_ref().map(|(_, until)| until.to_string()),
        }
    }
}

/// Makes a webhook; its secret is in the answer and nowhere else.
#[utoipa::path(post, path = "/webhooks", tag = "webhooks", operation_id = "create_webhook",
    request_body = WebhookIn, security(("key" = ["admin"])),
    responses((status = 201, body = WebhookOut), Failures))]
pub(crate) async fn post(
    Manager(who): Manager,
    State(app): State<Shared>,
    Body(body): Body<WebhookIn>,
) -> Result<Response, Problem> {
    checked(&app, &body)?;
    let (id, secret) = (hex(&random_bytes()?[..8]), webhook::new_secret()?);
    let row = WebhookRow {
        id: format!("wh_{id}"),
        tenant: who.tenant,
        url: body.url,
        events: body.events,
        description: body.description,
        secret: secret.clone(),
        old: None,
        created: app.now(),
        version: 1,
    };
    let out = WebhookOut::new(&row, Some(secret));
    app.store
        .write(move |c| {
            if webhooks::list(c, &row.tenant)?.len() >= WEBHOOKS_MAX {
                return Err(Problem::conflict(format!("there are {WEBHOOKS_MAX} already")));
            }
            Ok(webhooks::put(c, &row)?)
        })
        .await?;
    Ok((StatusCode::CREATED, [(header::ETAG, etag(1))], Json(out)).into_response())
}

/// All webhooks.
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", operation_id = "list_webhooks",
    security(("key" = ["admin", "dispatcher"])),
    responses((status = 200, body = WebhooksOut), Failures))]
pub(crate) async fn list(
    Planner(who): Planner,
    State(app): State<Shared>,
) -> Result<Json<WebhooksOut>, Problem> {
    let rows = app.store.read(|c| webhooks::list(c, &who.tenant))?;
    let webhooks = rows.iter().map(|row| WebhookOut::new(row, None)).collect();
    Ok(Json(WebhooksOut { webhooks }))
}

/// One webhook.
#[utoipa::path(get, path = "/webhooks/{id}", tag = "webhooks", operation_id = "get_webhook",
    params(("id" = String, Path)), security(("key" = ["admin", "dispatcher"])),
    responses((status = 200, body = WebhookOut), Failures))]
pub(crate) async fn get(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let row = row_of(&app, &who.tenant, &id)?;
    Ok(super::versioned(&headers, row.version, WebhookOut::new(&row, None)))
}

/// Changes a webhook; its secret stays.
#[utoipa::path(put, path = "/webhooks/{id}", tag = "webhooks", operation_id = "change_webhook",
    params(("id" = String, Path)), request_body = WebhookIn, security(("key" = ["admin"])),
    responses((status = 200, body = WebhookOut),
        (status = 412, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn put(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, Problem> {
    row_of(&app, &who.tenant, &id)?;
    let body: WebhookIn = body.read()?;
    checked(&app, &body)?;
    let row = changed(&app, &who.tenant, id, move |row| {
        precondition(&headers, Some(row.version))?;
        (row.url, row.events, row.description) = (body.url, body.events, body.description);
        Ok(())
    })
    .await?;
    let out = WebhookOut::new(&row, None);
    Ok(([(header::ETAG, etag(row.version))], Json(out)).into_response())
}

/// Removes a webhook and what waits for it.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "webhooks", operation_id = "delete_webhook",
    params(("id" = String, Path)), security(("key" = ["admin"])),
    responses((status = 204), Failures))]
pub(crate) async fn delete(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.store
        .write(move |c| {
            let gone = webhooks::delete(c, &who.tenant, &id)?;
            if gone { Ok(()) } else { Err(Problem::unknown("webhook", &id)) }
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotates the secret: the one before signs beside the new one for 24 hours.
#[utoipa::path(post, path = "/webhooks/{id}/secret", tag = "webhooks",
    operation_id = "rotate_webhook_secret", params(("id" = String, Path)),
    security(("key" = ["admin"])), responses((status = 200, body = WebhookOut), Failures))]
pub(crate) async fn rotate(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (secret, until) = (webhook::new_secret()?, app.now().plus_seconds(OVERLAP_S));
    let fresh = secret.clone();
    let row = changed(&app, &who.tenant, id, move |row| {
        row.old = Some((std::mem::replace(&mut row.secret, fresh), until));
        Ok(())
    })
    .await?;
    let out = WebhookOut::new(&row, Some(secret));
    Ok(([(header::ETAG, etag(row.version))], Json(out)).into_response())
}

/// Sends a message of type `test`.
#[utoipa::path(post, path = "/webhooks/{id}/test", tag = "webhooks",
    operation_id = "test_webhook", params(("id" = String, Path)),
    security(("key" = ["admin"])), responses((status = 202, body = AcceptedOut), Failures))]
pub(crate) async fn test(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let row = row_of(&app, &who.tenant, &id)?;
    let (id, now) = (format!("msg_{}", hex(&random_bytes()?[..16])), app.now());
    let body = json!({"type": "test", "timestamp": now.to_string(), "data": {"webhook": row.id}});
    let message = NewMessage {
        id: id.clone(),
        tenant: who.tenant,
        at: now,
        channel: Channel::Webhook,
        lane: row.id.clone(),
        destination: row.id,
        of: None,
        event: "test".to_owned(),
        order: None,
        language: None,
        recipient: row.url,
        subject: "test".to_owned(),
        body: body.to_string(),
        html: None,
        until: None,
        due: now,
        page: None,
    };
    app.store.write(move |c| outbox::add(c, &message).map_err(Problem::from)).await?;
    app.outbox.notify_one();
    Ok((StatusCode::ACCEPTED, Json(AcceptedOut { id })).into_response())
}

/// What was and is to be sent to a webhook, newest first, for seven days.
#[utoipa::path(get, path = "/webhooks/{id}/deliveries", tag = "webhooks",
    operation_id = "list_webhook_deliveries", params(("id" = String, Path), Page),
    security(("key" = ["admin", "dispatcher"])),
    responses((status = 200, body = DeliveriesOut), Failures))]
pub(crate) async fn deliveries(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Asked(page): Asked<Page>,
) -> Result<Json<DeliveriesOut>, Problem> {
    row_of(&app, &who.tenant, &id)?;
    let (before, limit) = (super::messages::before(&page)?, page.limit()?);
    let listed = tokio::task::spawn_blocking(move || {
        app.store.read(|c| outbox::list(c, &who.tenant, Some(&id), (before, limit)))
    });
    let rows = listed.await.map_err(|_bad| Problem::unavailable("cut off".to_owned()))??;
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.n.to_string());
    Ok(Json(DeliveriesOut { deliveries: rows.iter().map(attempts).collect(), next }))
}

fn attempts(row: &Message) -> DeliveryAttemptsOut {
    let waits = row.state == crate::message::State::Waiting;
    DeliveryAttemptsOut {
        id: row.id.clone(),
        event: row.event.clone(),
        at: row.at.to_string(),
        state: row.shown(),
        tries: row.tries,
        next_at: waits.then(|| row.due.to_string()),
        error: row.error.clone(),
        body: row.body.clone(),
    }
}

/// Sends a message again under its own id, whatever became of it.
#[utoipa::path(post, path = "/webhooks/{id}/deliveries/{delivery}/replay", tag = "webhooks",
    operation_id = "replay_webhook_delivery",
    params(("id" = String, Path), ("delivery" = String, Path)),
    security(("key" = ["admin"])), responses((status = 202, body = AcceptedOut), Failures))]
pub(crate) async fn replay(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<Response, Problem> {
    row_of(&app, &who.tenant, &id)?;
    let (now, wanted) = (app.now(), delivery.clone());
    app.store
        .write(move |c| {
            let there = outbox::replay(c, (&who.tenant, &id), &wanted, now)?;
            if there { Ok(()) } else { Err(Problem::unknown("delivery", &wanted)) }
        })
        .await?;
    app.outbox.notify_one();
    Ok((StatusCode::ACCEPTED, Json(AcceptedOut { id: delivery })).into_response())
}

fn row_of(app: &App, tenant: &TenantId, id: &str) -> Result<WebhookRow, Problem> {
    let found = app.store.read(|c| webhooks::find(c, tenant, id))?;
    found.ok_or_else(|| Problem::unknown("webhook", id))
}

/// A webhook with a change, at its next version.
async fn changed(
    app: &Shared,
    tenant: &TenantId,
    id: String,
    change: impl FnOnce(&mut WebhookRow) -> Result<(), Problem> + Send + 'static,
) -> Result<WebhookRow, Problem> {
    let tenant = tenant.clone();
    app.store
        .write(move |c| {
            let found = webhooks::find(c, &tenant, &id)?;
            let mut row = found.ok_or_else(|| Problem::unknown("webhook", &id))?;
            change(&mut row)?;
            row.version += 1;
            webhooks::put(c, &row)?;
            Ok(row)
        })
        .await
}

/// Refuses what could never be sent to, or names no event.
fn checked(app: &App, body: &WebhookIn) -> Result<(), Problem> {
    let url: Option<axum::http::Uri> = body.url.parse().ok();
    let usable = url.filter(|uri| {
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let named = uri.authority().is_some_and(|a| !a.as_str().contains('@'));
        scheme && named && body.url.len() <= URL_MAX
    });
    let expected = "http:// or https:// with a host, at most 2,048 characters";
    let uri = usable.ok_or_else(|| Problem::value("url", &body.url, expected))?;
    if !(app.messages.allow_private && app.open.is_none()) && address::names_private(&uri) {
        return Err(Problem::value("url", &body.url, "no private address"));
    }
    if body.events.is_empty() || body.events.len() > EventKind::ALL.len() + OTHER_EVENTS.len() {
        let count = format!("{} events", body.events.len());
        return Err(Problem::value("events", &count, "at least one type of event, each once"));
    }
    let known = |name: &str| {
        OTHER_EVENTS.contains(&name) || EventKind::ALL.iter().any(|kind| kind.name() == name)
    };
    for (n, name) in body.events.iter().enumerate() {
        if !known(name) {
            let expected = "a type of event, such as predicted_late, or * or sms";
            return Err(Problem::value(&format!("events[{n}]"), name, expected));
        }
    }
    if let Some(text) = &body.description
        && text.chars().count() > DESCRIPTION_MAX
    {
        return Err(Problem::value("description", text, "at most 200 characters"));
    }
    Ok(())
}

//! What was told to whom.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Asked, Page};
use crate::app::Shared;
use crate::auth::Planner;
use crate::message::{self, Message};
use crate::problem::{Failures, Problem};
use crate::store::outbox;

/// A message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageOut {
    /// Stays the same over every try.
    id: String,
    /// When what it tells happened.
    at: String,
    /// `mail`, `webhook` or `sms`.
    channel: &'static str,
    /// Address of the receiver.
    to: String,
    /// The order concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    /// The vehicle concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    vehicle: Option<String>,
    /// Type of the event.
    event: String,
    /// Of a message to a person, such as `en`.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// In one line.
    subject: String,
    /// What is sent.
    text: String,
    /// The same as HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    /// `waiting`, `sent`, `failed` (to be tried again), `dead` (given up) or `kept` (no mail
    /// server).
    state: &'static str,
    /// Tries so far.
    tries: u32,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
    /// Why it did not arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Messages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessagesOut {
    /// Newest first.
    messages: Vec<MessageOut>,
    /// Leads to older ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<Message> for MessageOut {
    fn from(row: Message) -> Self {
        let (waits, state) = (row.state == message::State::Waiting, row.shown());
        Self {
            id: row.id,
            at: row.at.to_string(),
            channel: row.channel.name(),
            to: row.recipient,
            order: row.order,
            vehicle: row.vehicle,
            event: row.event,
            language: row.language,
            subject: row.subject,
            text: row.body,
            html: row.html,
            state,
            tries: row.tries,
            next_at: waits.then(|| row.due.to_string()),
            error: row.error,
        }
    }
}

/// What was told to whom in the last seven days, newest first.
#[utoipa::path(get, path = "/messages", tag = "messages", operation_id = "list_messages",
    params(Page), security(("key" = ["admin", "dispatcher"])),
    responses((status = 200, body = MessagesOut), Failures))]
pub(crate) async fn list(
    Planner(who): Planner,
    State(app): State<Shared>,
    Asked(page): Asked<Page>,
) -> Result<Json<MessagesOut>, Problem> {
    let (before, limit) = (before(&page)?, page.limit()?);
    let listed = tokio::task::spawn_blocking(move || {
        app.store.read(|c| outbox::list(c, &who.tenant, None, (before, limit)))
    });
    let rows = listed.await.map_err(|_bad| Problem::unavailable("cut off".to_owned()))??;
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.n.to_string());
    Ok(Json(MessagesOut { messages: rows.into_iter().map(MessageOut::from).collect(), next }))
}

/// The number before which a page of messages begins.
pub(crate) fn before(page: &Page) -> Result<i64, Problem> {
    let Some(after) = &page.after else { return Ok(i64::MAX) };
    after.parse().map_err(|_bad| Problem::value("after", after, "a cursor as `next` gave it"))
}

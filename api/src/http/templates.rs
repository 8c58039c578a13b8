//! What customers are told, of what, and when: a tenant's own words and rules.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::model::EventKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Unread};
use crate::app::Shared;
use crate::auth::{Manager, Planner};
use crate::message::hours::Quiet;
use crate::message::language::Language;
use crate::message::template::{FIELDS, SUBJECT_MAX, TEXT_MAX, Template, check};
use crate::message::words;
use crate::problem::{Failures, Problem};
use crate::store::addresses::{self, Rules};

/// A template as it is put.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateIn {
    /// In one line, at most 200 characters.
    subject: String,
    /// Paragraphs with an empty line between them, at most 10,000 characters. Fields stand in
    /// braces; what stands in square brackets is left out when a field within is not known.
    text: String,
}

/// A template.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TemplateOut {
    /// Type of the event.
    event: &'static str,
    /// `en`, `de`, `es`, `pt`, `fr` or `ar`.
    language: &'static str,
    /// In one line.
    subject: String,
    /// Paragraphs.
    text: String,
    /// Whether it is the tenant's own.
    own: bool,
}

/// All templates.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TemplatesOut {
    /// One for each event and language.
    templates: Vec<TemplateOut>,
    /// What may stand in braces.
    fields: [&'static str; 9],
}

/// A part of the day.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuietJson {
    /// `HH:MM` of the route's time zone.
    from: String,
    /// `HH:MM`; before `from`: of the next day.
    to: String,
}

/// Of what customers are told, and when they are not.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RulesJson {
    /// When customers are left alone; messages wait, or are dropped where they no longer matter
    /// by then. Null: never.
    quiet: Option<QuietJson>,
    /// Types of events: of `arriving_soon`, `predicted_late`, `back_on_time`, `arrived`,
    /// `completed`, `failed`.
    events: Vec<String>,
}

/// Every template: the tenant's own, and the usual ones.
#[utoipa::path(get, path = "/templates", tag = "messages", operation_id = "list_templates",
    security(("key" = ["admin", "dispatcher"])),
    responses((status = 200, body = TemplatesOut), Failures))]
pub(crate) async fn list(
    Planner(who): Planner,
    State(app): State<Shared>,
) -> Result<Json<TemplatesOut>, Problem> {
    let mut templates = Vec::new();
    for event in words::EVENTS {
        for language in Language::ALL {
            let of = (event.name(), language.name());
            let own = app.store.read(|c| addresses::template(c, &who.tenant, of))?;
            templates.push(out(event, language, own));
        }
    }
    Ok(Json(TemplatesOut { templates, fields: FIELDS }))
}

fn out(event: EventKind, language: Language, own: Option<Template>) -> TemplateOut {
    let is_own = own.is_some();
    let Template { subject, text } = own.unwrap_or_else(|| words::template(event, language));
    TemplateOut { event: event.name(), language: language.name(), subject, text, own: is_own }
}

/// Sets a template; a field that does not exist is refused, by its name.
#[utoipa::path(put, path = "/templates/{event}/{language}", tag = "messages",
    operation_id = "put_template", params(("event" = String, Path), ("language" = String, Path)),
    request_body = TemplateIn, security(("key" = ["admin"])),
    responses((status = 200, body = TemplateOut), Failures))]
pub(crate) async fn put(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path((event, language)): Path<(String, String)>,
    body: Unread,
) -> Result<Json<TemplateOut>, Problem> {
    let (event, language) = known(&event, &language)?;
    let TemplateIn { subject, text } = body.read()?;
    for (field, value, most) in [("subject", &subject, SUBJECT_MAX), ("text", &text, TEXT_MAX)] {
        let length = value.chars().count();
        if length == 0 || length > most {
            let expected = format!("1 to {most} characters");
            return Err(Problem::value(field, &format!("{length} characters"), &expected));
        }
        check(value).map_err(|bad| Problem::value(field, &bad.value, &bad.expected))?;
    }
    if subject.chars().any(char::is_control) {
        return Err(Problem::value("subject", &subject, "one line"));
    }
    let template = Template { subject, text };
    let saved = template.clone();
    app.store
        .write(move |c| {
            let of = (event.name(), language.name());
            addresses::put_template(c, &who.tenant, of, Some(&saved)).map_err(Problem::from)
        })
        .await?;
    Ok(Json(out(event, language, Some(template))))
}

/// Gives a template up: the usual one holds again.
#[utoipa::path(delete, path = "/templates/{event}/{language}", tag = "messages",
    operation_id = "delete_template",
    params(("event" = String, Path), ("language" = String, Path)),
    security(("key" = ["admin"])), responses((status = 204), Failures))]
pub(crate) async fn delete(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path((event, language)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (event, language) = known(&event, &language)?;
    app.store
        .write(move |c| {
            let of = (event.name(), language.name());
            addresses::put_template(c, &who.tenant, of, None).map_err(Problem::from)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn known(event: &str, language: &str) -> Result<(EventKind, Language), Problem> {
    let unknown = || Problem::unknown("template", &format!("{event}/{language}"));
    let event = words::event(event).ok_or_else(unknown)?;
    Ok((event, Language::named(language).ok_or_else(unknown)?))
}

/// Of what customers are told, and when they are not.
#[utoipa::path(get, path = "/messages/rules", tag = "messages", operation_id = "get_message_rules",
    security(("key" = ["admin", "dispatcher"])),
    responses((status = 200, body = RulesJson), Failures))]
pub(crate) async fn rules(
    Planner(who): Planner,
    State(app): State<Shared>,
) -> Result<Json<RulesJson>, Problem> {
    let Rules { quiet, events } = app.store.read(|c| addresses::rules(c, &who.tenant))?;
    let quiet = quiet.map(|quiet| {
        let (from, to) = quiet.ends();
        QuietJson { from, to }
    });
    Ok(Json(RulesJson { quiet, events }))
}

/// Sets of what customers are told, and when they are not.
#[utoipa::path(put, path = "/messages/rules", tag = "messages", operation_id = "put_message_rules",
    request_body = RulesJson, security(("key" = ["admin"])),
    responses((status = 200, body = RulesJson), Failures))]
pub(crate) async fn put_rules(
    Manager(who): Manager,
    State(app): State<Shared>,
    Body(body): Body<RulesJson>,
) -> Result<Json<RulesJson>, Problem> {
    let quiet = match &body.quiet {
        None => None,
        Some(QuietJson { from, to }) => {
            let quiet = Quiet::parse(from, to);
            let expected = "two different times of day, HH:MM";
            let both = format!("{from} to {to}");
            Some(quiet.ok_or_else(|| Problem::value("quiet", &both, expected))?)
        }
    };
    for (n, event) in body.events.iter().enumerate() {
        let again = body.events.iter().take(n).any(|before| before == event);
        if words::event(event).is_none() || again {
            let all = words::EVENTS.map(EventKind::name).join(", ");
            let expected = format!("one of {all}, each once");
            return Err(Problem::value(&format!("events[{n}]"), event, &expected));
        }
    }
    let rules = Rules { quiet, events: body.events.clone() };
    let tenant = who.tenant;
    app.store
        .write(move |c| addresses::put_rules(c, &tenant, &rules).map_err(Problem::from))
        .await?;
    Ok(Json(body))
}

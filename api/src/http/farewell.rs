//! The page at which a customer ends the messages: behind the link under each of them.
//!
//! Mail programs and their scanners open links, so opening it changes nothing; the button does,
//! and so does the one click of RFC 8058, which is a POST to the same address.

#![expect(unused_qualifications, reason = "utoipa spells out the type of the parameters")]

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::Shared;
use crate::message::language::Language;
use crate::message::words::farewell_page;
use crate::problem::Problem;
use crate::store::addresses;

/// In which language it is read.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Read {
    /// Such as `de`; absent: English.
    language: Option<String>,
}

impl Read {
    fn language(&self) -> Language {
        Language::of_tag(self.language.as_deref().unwrap_or("en"))
    }
}

/// Asks whether the messages are to end.
#[utoipa::path(get, path = "/o/{token}", tag = "messages", operation_id = "ask_opt_out",
    params(("token" = String, Path), Read), security(()),
    responses((status = 200, description = "a page with one button"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(app): State<Shared>,
    Path(token): Path<String>,
    Query(read): Query<Read>,
) -> Result<Response, Problem> {
    let known = app.store.read(|c| addresses::of_token(c, &token))?;
    known.ok_or_else(unknown)?;
    let [question, button, _] = farewell_page(read.language());
    let form = format!("<form method=\"post\"><p>{question}</p><button>{button}</button></form>");
    Ok(page(read.language(), question, &form))
}

/// Ends the messages of a tenant to an address.
#[utoipa::path(post, path = "/o/{token}", tag = "messages", operation_id = "opt_out",
    params(("token" = String, Path), Read), security(()),
    responses((status = 200, description = "a page that says so"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn post(
    State(app): State<Shared>,
    Path(token): Path<String>,
    Query(read): Query<Read>,
) -> Result<Response, Problem> {
    let now = app.now();
    let known = app.store.write(move |c| addresses::opt_out(c, &token, now).map_err(Problem::from));
    if !known.await? {
        return Err(unknown());
    }
    let [_, _, done] = farewell_page(read.language());
    Ok(page(read.language(), done, &format!("<p>{done}</p>")))
}

/// One answer for whatever is not there, without what was asked for.
fn unknown() -> Problem {
    let detail = "there is no such link".to_owned();
    Problem::new(StatusCode::NOT_FOUND, "unknown", "There is no such thing", detail)
}

fn page(language: Language, title: &str, body: &str) -> Response {
    let (name, direction) = (language.name(), language.direction());
    let html = format!(
        "<!doctype html>\n<html lang=\"{name}\" dir=\"{direction}\"><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n<main>{body}</main>\n\
         </html>\n"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; form-action 'self'"),
    ];
    (headers, html).into_response()
}

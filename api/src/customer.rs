//! The customer's page at `/t/{token}`: when will it come?
//!
//! A token is all one needs, and all it opens is one order. In reading order: `visit` gathers what
//! is known of that order's stop, [`crate::policy`] decides what is shown of it, `frame` makes
//! JSON of that and `page` HTML (`words`, `local` and `drawing` are its parts), `stream` tells
//! what changes. Whatever is not a valid token gets the same 404 for the same work.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequest, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form, Json};
use engine::record::digest::hex;
use engine::road::plane;
use ingest::units::Position;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{App, Shared};
use crate::connection::Peer;
use crate::policy::{Visible, visible};
use crate::problem::Problem;
use crate::store::keys::random_bytes;
use crate::store::links::{self, LinkRow};
use crate::store::said::{self, Feedback};

mod drawing;
mod frame;
mod local;
mod page;
mod stream;
#[cfg(test)]
mod tests;
mod visit;
pub(crate) mod words;

pub(crate) use frame::TrackingOut;

use frame::Own;
use local::Local;
use page::Telling;
use visit::{GRACE_S, Visit};
use words::Words;

/// Wrong tokens of one address in a minute; then it waits.
pub(crate) const GUESSES_MAX: u32 = 30;
/// Times that an address may say something in a minute.
pub(crate) const SAID_MAX: u32 = 30;
/// Longest text of a customer, characters.
const TEXT_MAX: usize = 1_000;
/// What a plain form is sent as.
const FORM: &str = "application/x-www-form-urlencoded";
/// Answers to a new time.
const ANSWERS: [&str; 3] = ["there", "safe_place", "another_time"];

/// What a page is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// One of the languages it speaks.
    lang: Option<String>,
}

/// How a customer would have it. At least one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstructionsIn {
    /// In their words, at most 1,000 characters; empty takes them back.
    text: Option<String>,
    /// `there`, `safe_place` or `another_time`: the answer to a new time.
    answer: Option<String>,
}

/// How it was. At least one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedbackIn {
    /// 1 to 5, 5 is best.
    rating: Option<u8>,
    /// In their words, at most 1,000 characters.
    comment: Option<String>,
}

/// A valid link and its visit.
struct Opened {
    link: LinkRow,
    visit: Visit,
}

/// Why a page is not shown.
enum Refused {
    /// No valid token.
    Gone,
    /// Too many wrong ones.
    TooMany,
    /// Not now.
    Failed(Problem),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

/// The peer's address, where a socket brought the request.
type Caller = Option<Extension<ConnectInfo<Peer>>>;

fn address(from: &Caller) -> Option<IpAddr> {
    from.as_ref().map(|Extension(ConnectInfo(Peer(peer)))| peer.ip())
}

/// The link of a token and its visit. One that ends with its visit ends in the store then.
async fn opened(app: &Shared, token: &str, from: &Caller) -> Result<Opened, Refused> {
    let (address, now) = (address(from), app.now());
    if !app.guesses.allowed(address, now) {
        return Err(Refused::TooMany);
    }
    let found = app.store.read(|c| links::of_token(c, token, now)).map_err(Problem::from)?;
    let Some(link) = found else {
        app.guesses.count(address, now);
        return Err(Refused::Gone);
    };
    let (shared, row) = (Arc::clone(app), link.clone());
    let visit = tokio::task::spawn_blocking(move || Visit::of(&shared, &row)).await;
    let visit = visit.map_err(|_panicked| Problem::unavailable("cut off".to_owned()))??;
    let visit = visit.ok_or(Refused::Gone)?;
    if let Some(ended) = visit.facts(seen(app, &link, &visit).as_ref(), now).over_at {
        let end = ended.plus_seconds(GRACE_S);
        if end < link.expires {
            let id = link.id.clone();
            app.store
                .write_again(move |c| links::end_at(c, &id, end))
                .await
                .map_err(Problem::from)?;
        }
        if end <= now {
            return Err(Refused::Gone);
        }
    }
    Ok(Opened { link, visit })
}

/// The vehicle of a visit as it is known now.
fn seen(app: &App, link: &LinkRow, visit: &Visit) -> Option<crate::live::Seen> {
    let vehicle = ingest::id::VehicleId::new(&visit.route.vehicle).ok()?;
    app.live.vehicle(&link.tenant, &vehicle)
}

/// What a link shows now. May search a way: not on an async thread.
fn looked(app: &App, link: &LinkRow, visit: &Visit) -> Visible {
    let seen = seen(app, link, visit);
    let mut facts = visit.facts(seen.as_ref(), app.now());
    let first = visible(&link.policy, &facts);
    let (Some(sighting), Some(ways)) = (first.vehicle, app.ways.as_ref()) else { return first };
    facts.way = ways.between(sighting.position, visit.door(), visit.profile());
    if let Some(way) = &facts.way {
        // What was said with the newest arrival may be a minute old; the way is of now.
        let step = |pair: &[Position]| plane::distance_m(pair[0], pair[1]);
        facts.metres = Some(way.windows(2).map(step).sum());
    }
    visible(&link.policy, &facts)
}

impl Opened {
    fn own(&self) -> Own {
        Own {
            order: self.visit.order.to_string(),
            door: self.visit.door(),
            said: self.visit.said.clone(),
            expires: self.link.expires,
        }
    }

    fn telling(&self, token: &str, words: &'static Words) -> Telling {
        Telling {
            words,
            local: Local::new(&self.visit.route.body.time_zone),
            token: token.to_owned(),
            brand: self.link.tenant.to_string(),
        }
    }
}

/// What a customer sees of their order, as JSON. No key: the token is all one needs.
/// Without `.json` it is the page.
#[utoipa::path(get, path = "/t/{token}.json", tag = "customer", security(()),
    params(("token" = String, Path)), responses((status = 200, body = TrackingOut),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(app): State<Shared>,
    from: Caller,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let words = words::chosen(asked.lang.as_deref(), &headers);
    match name.strip_suffix(".json") {
        Some(token) => match tracking(&app, token, &from).await {
            Ok(out) => (private(None), Json(out)).into_response(),
            Err(refused) => refused.problem(),
        },
        None => match html(&app, &name, &from, words).await {
            Ok((page, nonce)) => answer(StatusCode::OK, page, &nonce, &headers),
            Err(refused) => refused.page(words, &headers),
        },
    }
}

async fn tracking(app: &Shared, token: &str, from: &Caller) -> Result<TrackingOut, Refused> {
    let opened = opened(app, token, from).await?;
    let shared = Arc::clone(app);
    let done = tokio::task::spawn_blocking(move || {
        let visible = looked(&shared, &opened.link, &opened.visit);
        TrackingOut::new(&visible, &opened.own())
    });
    Ok(done.await.map_err(|_panicked| Problem::unavailable("cut off".to_owned()))?)
}

async fn html(
    app: &Shared,
    token: &str,
    from: &Caller,
    words: &'static Words,
) -> Result<(String, String), Refused> {
    let opened = opened(app, token, from).await?;
    let id = opened.link.id.clone();
    app.store.write_again(move |c| links::opened(c, &id)).await.map_err(Problem::from)?;
    let nonce = nonce()?;
    let (shared, token, named) = (Arc::clone(app), token.to_owned(), nonce.clone());
    let done = tokio::task::spawn_blocking(move || {
        let visible = looked(&shared, &opened.link, &opened.visit);
        let (own, telling) = (opened.own(), opened.telling(&token, words));
        let parts = telling.parts(&visible, &own);
        let base = base(&shared, drawing::Frame::of(own.door, &visible));
        telling.page(&parts, &own, &base, &named)
    });
    let page = done.await.map_err(|_panicked| Problem::unavailable("cut off".to_owned()))?;
    Ok((page, nonce))
}

/// The drawing under what moves; empty without a map.
fn base(app: &App, frame: drawing::Frame) -> String {
    match (&app.road, &app.tiles) {
        (Some(road), Some(tiles)) => frame.base(road, tiles),
        _ => String::new(),
    }
}

/// Names a page's own style and script, so that no other runs in it.
fn nonce() -> Result<String, Problem> {
    Ok(hex(&random_bytes()?[..16]))
}

/// Headers of everything under `/t/`: kept nowhere, found by nobody.
fn private(nonce: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = nonce.map(|nonce| {
        format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; \
             connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; \
             frame-ancestors 'none'"
        )
    });
    if let Some(policy) = policy.and_then(|policy| HeaderValue::from_str(&policy).ok()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers
}

/// A page, compressed where the browser takes that.
fn answer(status: StatusCode, page: String, nonce: &str, asked: &HeaderMap) -> Response {
    use std::io::Write;
    let mut headers = private(Some(nonce));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, html);
    let mut bytes = Bytes::from(page);
    if crate::assets::takes_gzip(asked) {
        let level = flate2::Compression::new(6);
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), level);
        if packer.write_all(&bytes).is_ok()
            && let Ok(packed) = packer.finish()
        {
            bytes = packed.into();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    (status, headers, Body::from(bytes)).into_response()
}

impl Refused {
    fn parts(self) -> (StatusCode, &'static str, Problem) {
        match self {
            Self::Gone => {
                let detail = "there is no such link, or it has ended".to_owned();
                let status = StatusCode::NOT_FOUND;
                (status, "gone", Problem::new(status, "unknown", "There is no such thing", detail))
            }
            Self::TooMany => {
                let detail = "too many wrong tokens from this address; wait a minute".to_owned();
                let status = StatusCode::TOO_MANY_REQUESTS;
                let problem = Problem::new(status, "too-many", "Too many attempts", detail);
                (status, "too_many", problem)
            }
            Self::Failed(problem) => {
                let status = StatusCode::from_u16(problem.status);
                (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "failed", problem)
            }
        }
    }

    fn problem(self) -> Response {
        let (_, _, problem) = self.parts();
        (private(None), problem).into_response()
    }

    fn page(self, words: &Words, headers: &HeaderMap) -> Response {
        let (status, kind, problem) = self.parts();
        let Ok(nonce) = nonce() else { return problem.into_response() };
        let (title, detail) = match kind {
            "gone" => (words.gone, words.gone_detail),
            "too_many" => (words.too_many, ""),
            _ => return problem.into_response(),
        };
        answer(status, page::gone(words, title, detail, &nonce), &nonce, headers)
    }
}

/// Everything that changes for the customer, as it changes: `state` frames, and a `beat` where
/// nothing did; `end` when the link has ended.
#[utoipa::path(get, path = "/t/{token}/stream", tag = "customer", security(()),
    params(("token" = String, Path), ("lang" = Option<String>, Query)),
    responses((status = 200, content_type = "text/event-stream", body = String),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn stream(
    State(app): State<Shared>,
    from: Caller,
    Path(token): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let words = words::chosen(asked.lang.as_deref(), &headers);
    let opened = match opened(&app, &token, &from).await {
        Ok(opened) => opened,
        Err(refused) => return refused.problem(),
    };
    match stream::frames(&app, opened, token, words) {
        Ok(frames) => {
            let kind = [
                (header::CONTENT_TYPE, "text/event-stream"),
                (header::HeaderName::from_static("x-accel-buffering"), "no"),
            ];
            (private(None), kind, frames).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

/// A body that was read: by script or by a plain form, which is sent back to the page.
enum Sent<T> {
    Json(T),
    Form(T),
}

impl<T: serde::de::DeserializeOwned> Sent<T> {
    async fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, Problem> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with(FORM)) {
            let request = Request::post("/").header(header::CONTENT_TYPE, FORM);
            let request = request.body(Body::from(body.clone())).map_err(|error| {
                Problem::value("body", &error.to_string(), "fields of this form")
            })?;
            let form = Form::<T>::from_request(request, &()).await;
            return form.map(|Form(sent)| Self::Form(sent)).map_err(|rejection| {
                Problem::value("body", &rejection.body_text(), "fields of this form")
            });
        }
        crate::http::parse(body).map(Self::Json)
    }
}

fn checked(field: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim().to_owned();
    if text.chars().count() > TEXT_MAX {
        return Err(Problem::value(field, &text, "at most 1,000 characters"));
    }
    Ok(Some(text))
}

/// Takes down how the customer would have it; dispatchers see it with the delivery.
#[utoipa::path(post, path = "/t/{token}/instructions", tag = "customer", security(()),
    request_body = InstructionsIn, params(("token" = String, Path)),
    responses((status = 204), (status = 303, description = "after a plain form"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn instructions(
    State(app): State<Shared>,
    from: Caller,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let opened = match opened(&app, &token, &from).await {
        Ok(opened) => opened,
        Err(refused) => return refused.problem(),
    };
    let instruct = async {
        counted(&app, &from)?;
        let (sent, back) = split(Sent::<InstructionsIn>::read(&headers, &body).await?, &token);
        let text = checked("text", sent.text)?;
        let answer = sent.answer.filter(|answer| !answer.is_empty());
        if let Some(answer) = answer.as_deref().filter(|answer| !ANSWERS.contains(answer)) {
            let expected = "there, safe_place or another_time";
            return Err(Problem::value("answer", answer, expected));
        }
        if text.is_none() && answer.is_none() {
            return Err(Problem::value("text", "", "a text or an answer"));
        }
        let (link, now) = (opened.link, app.now());
        let (text, answer) = (text.as_deref().map(str::to_owned), answer);
        app.store
            .write(move |c| {
                let order = (&link.tenant, &link.order);
                said::instruct(c, order, text.as_deref(), answer.as_deref(), now)
            })
            .await
            .map_err(Problem::from)?;
        Ok(back)
    };
    instruct.await.unwrap_or_else(IntoResponse::into_response)
}

/// Takes down how it was for the customer; dispatchers see it with the delivery.
#[utoipa::path(post, path = "/t/{token}/feedback", tag = "customer", security(()),
    request_body = FeedbackIn, params(("token" = String, Path)),
    responses((status = 204), (status = 303, description = "after a plain form"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn feedback(
    State(app): State<Shared>,
    from: Caller,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let opened = match opened(&app, &token, &from).await {
        Ok(opened) => opened,
        Err(refused) => return refused.problem(),
    };
    let rate = async {
        counted(&app, &from)?;
        let (sent, back) = split(Sent::<FeedbackIn>::read(&headers, &body).await?, &token);
        if let Some(rating) = sent.rating.filter(|rating| !(1..=5).contains(rating)) {
            return Err(Problem::value("rating", &rating.to_string(), "1 to 5"));
        }
        let comment = checked("comment", sent.comment)?.unwrap_or_default();
        if sent.rating.is_none() && comment.is_empty() {
            return Err(Problem::value("rating", "", "a rating or a comment"));
        }
        let feedback = Feedback { rating: sent.rating, comment, at: app.now() };
        let link = opened.link;
        let done = app.store.write(move |c| said::rate(c, (&link.tenant, &link.order), &feedback));
        done.await.map_err(Problem::from)?;
        Ok(back)
    };
    rate.await.unwrap_or_else(IntoResponse::into_response)
}

/// Counts that an address says something; a flood of it is refused.
fn counted(app: &App, from: &Caller) -> Result<(), Problem> {
    let (address, now) = (address(from), app.now());
    if !app.said.allowed(address, now) {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let detail = "too many messages from this address; wait a minute".to_owned();
        return Err(Problem::new(status, "too-many", "Too many attempts", detail));
    }
    app.said.count(address, now);
    Ok(())
}

/// What was sent, and how it is answered: a plain form goes back to the page.
fn split<T>(sent: Sent<T>, token: &str) -> (T, Response) {
    match sent {
        Sent::Json(sent) => (sent, (StatusCode::NO_CONTENT, private(None)).into_response()),
        Sent::Form(sent) => {
            (sent, (private(None), Redirect::to(&format!("/t/{token}"))).into_response())
        }
    }
}

/// What a frame of the stream holds beside the JSON of [`TrackingOut`].
#[derive(Debug, Serialize)]
struct Told<'a> {
    as_of: String,
    parts: &'a page::Parts,
    /// Only where the drawing under it is another one than before.
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<String>,
}

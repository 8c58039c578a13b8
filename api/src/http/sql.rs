//! SQL for programs and people: one query, answered as a stream.

use axum::Json;
use axum::body::{Body as Bytes, Bytes as Received};
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

use crate::analytics::{Analytics, Ask, Format, QueryError, functions};
use crate::app::Shared;
use crate::auth::{Planner, Reader};
use crate::problem::{Failures, Problem};
use std::sync::Arc;

/// Longest query, bytes.
const SQL_MAX: usize = 256 * 1024;
/// As of when an answer is.
const AS_OF: &str = "milepost-as-of";

/// A query. The body may also be its text alone, as `application/sql` or `text/plain`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryIn {
    /// One SELECT.
    sql: String,
    /// Name by which it can be looked at and ended while it runs, 1 to 64 characters.
    #[serde(default)]
    id: Option<String>,
    /// `json`, `jsonl`, `csv`, `arrow`, `parquet` or `xlsx`; absent: as `Accept` says, else `json`.
    #[serde(default)]
    format: Option<String>,
    /// Rows after which the answer ends, marked `cut_off`; absent: 10,000 in JSON, else all.
    #[serde(default)]
    rows: Option<u64>,
    /// Longest that it may run, seconds; absent: 30. Exports may ask for up to 1,800.
    #[serde(default)]
    seconds: Option<f64>,
}

/// How far a query is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgressOut {
    /// Rows answered so far.
    rows: u64,
    /// Bytes answered so far.
    bytes: u64,
    /// How long it has been running, seconds.
    seconds: f64,
}

/// A table that can be asked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TableOut {
    /// As SQL knows it.
    name: String,
    /// What it holds.
    meaning: String,
    /// Its columns, in order.
    columns: Vec<ColumnOut>,
}

/// A column of a table.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ColumnOut {
    /// As SQL knows it.
    name: String,
    /// Such as `text`, `timestamp`, `double`, `bigint`, `boolean`.
    #[serde(rename = "type")]
    kind: String,
    /// Meaning and unit; absent where the name says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<String>,
}

/// A function beside those of PostgreSQL.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FunctionOut {
    /// How it is called, such as `time_bucket(interval, time)`.
    call: &'static str,
    /// What it gives, in which unit.
    meaning: &'static str,
}

/// All tables, and functions of ours.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TablesOut {
    /// Tables of the archive first, then what is made of them.
    tables: Vec<TableOut>,
    /// In no order.
    functions: Vec<FunctionOut>,
}

/// Which tables, columns and functions there are.
#[utoipa::path(get, path = "/sql", tag = "history",
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = TablesOut), Failures))]
pub(crate) async fn tables(
    Reader(who): Reader,
    State(app): State<Shared>,
) -> Result<Json<TablesOut>, Problem> {
    let analytics = free(&app)?;
    let described = analytics.tables(&who.tenant).await.map_err(|error| problem(&error))?;
    let tables = described.into_iter().map(|table| TableOut {
        name: table.name,
        meaning: table.meaning,
        columns: table
            .columns
            .into_iter()
            .map(|(name, kind, meaning)| ColumnOut { name, kind, meaning })
            .collect(),
    });
    let functions = functions::described()
        .map(|function| FunctionOut { call: function.call, meaning: function.meaning });
    Ok(Json(TablesOut { tables: tables.collect(), functions: functions.collect() }))
}

/// Answers a query: rows as JSON, lines of JSON, CSV, an Arrow stream, Parquet or a workbook.
#[utoipa::path(post, path = "/sql", tag = "history", request_body = QueryIn,
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, description = "The rows; `Milepost-As-Of` says as of when."), Failures))]
pub(crate) async fn post(
    Reader(who): Reader,
    State(app): State<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let analytics = free(&app)?;
    let headers = request.headers().clone();
    let body = Received::from_request(request, &app).await;
    let body = body.map_err(|e| Problem::value("body", &e.body_text(), "a query"))?;
    let query = read(&headers, &body)?;
    let ask = ask(&headers, query, analytics)?;
    respond(analytics, &who.tenant, ask).await
}

/// Starts a query and answers with what comes.
pub(crate) async fn respond(
    analytics: &Arc<Analytics>,
    tenant: &ingest::id::TenantId,
    ask: Ask,
) -> Result<Response, Problem> {
    let mut answer = analytics.ask(tenant, ask).await.map_err(|error| problem(&error))?;
    // What is wrong with it comes before anything is said.
    let first = match answer.pieces.recv().await {
        Some(Ok(first)) => first,
        Some(Err(error)) => return Err(problem(&error)),
        None => return Err(problem(&QueryError::Ended)),
    };
    let rest = ReceiverStream::new(answer.pieces);
    let pieces = stream::once(std::future::ready(Ok(first))).chain(rest);
    let mut response = Bytes::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    let media = HeaderValue::from_static(answer.format.media_type());
    headers.insert(header::CONTENT_TYPE, media);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(as_of) = HeaderValue::from_str(&answer.as_of.to_string()) {
        headers.insert(AS_OF, as_of);
    }
    Ok(response)
}

/// How far a query of this name is.
#[utoipa::path(get, path = "/sql/{id}", tag = "history",
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = ProgressOut), Failures))]
pub(crate) async fn progress(
    Reader(who): Reader,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<ProgressOut>, Problem> {
    let found = app.analytics.as_ref().and_then(|all| all.progress(&who.tenant, &id));
    let found = found.ok_or_else(|| Problem::unknown("query", &id))?;
    let out = ProgressOut { rows: found.rows, bytes: found.bytes, seconds: found.seconds };
    std::future::ready(Ok(Json(out))).await
}

/// Ends a query of this name.
#[utoipa::path(delete, path = "/sql/{id}", tag = "history",
    security(("key" = ["admin", "dispatcher"])),
    responses((status = 204, description = "It ends."), Failures))]
pub(crate) async fn end(
    Planner(who): Planner,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let ended = app.analytics.as_ref().is_some_and(|all| all.end(&who.tenant, &id));
    let answer =
        if ended { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::unknown("query", &id)) };
    std::future::ready(answer).await
}

/// What answers queries that anybody may write, which open mode does not.
fn free(app: &Shared) -> Result<&Arc<Analytics>, Problem> {
    if app.open.is_some() {
        let detail = "queries are off in open mode: start `milepost run` and use a key".to_owned();
        return Err(Problem::forbidden(detail));
    }
    analytics(app)
}

/// What answers, or why nothing does.
pub(crate) fn analytics(app: &Shared) -> Result<&Arc<Analytics>, Problem> {
    app.analytics.as_ref().ok_or_else(|| {
        Problem::unavailable("no archive is kept here: set `archive.place`".to_owned())
    })
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<QueryIn, Problem> {
    if body.len() > SQL_MAX {
        let bytes = format!("{} bytes", body.len());
        return Err(Problem::value("body", &bytes, &format!("at most {SQL_MAX} bytes")));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/sql") || kind.starts_with("text/plain") {
        let sql = String::from_utf8(body.to_vec())
            .map_err(|e| Problem::value("body", &e.to_string(), "UTF-8"))?;
        return Ok(QueryIn { sql, id: None, format: None, rows: None, seconds: None });
    }
    super::parse(body)
}

fn ask(headers: &HeaderMap, query: QueryIn, analytics: &Analytics) -> Result<Ask, Problem> {
    let limits = analytics.limits();
    let format = match &query.format {
        Some(name) => {
            Format::from_name(name).ok_or_else(|| Problem::value("format", name, Format::NAMES))?
        }
        None => accepted(headers),
    };
    let seconds = query.seconds.unwrap_or(limits.seconds);
    if !(seconds > 0.0 && seconds <= limits.export_seconds) {
        let expected = format!("more than 0, at most {}", limits.export_seconds);
        return Err(Problem::value("seconds", &seconds.to_string(), &expected));
    }
    let rows = query.rows.or_else(|| (format == Format::Json).then_some(limits.rows));
    Ok(Ask { id: query.id, sql: query.sql, format, rows, seconds })
}

/// The format that `Accept` names first.
fn accepted(headers: &HeaderMap) -> Format {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let named = |range: &str| {
        let kind = range.split(';').next().unwrap_or_default().trim();
        Format::ALL.into_iter().find(|format| format.media_type().starts_with(kind))
    };
    accept.split(',').filter(|range| range.contains('/')).find_map(named).unwrap_or(Format::Json)
}

/// What went wrong, for the client.
pub(crate) fn problem(error: &QueryError) -> Problem {
    let text = error.to_string();
    match error {
        QueryError::Refused(_) => {
            let title = "The query is not one that may be asked";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "query", title, text)
        }
        QueryError::TooMuch(_) => {
            let title = "The query needs too much";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "query-too-large", title, text)
        }
        QueryError::TooLong(_) => {
            let title = "The query takes too long";
            Problem::new(StatusCode::REQUEST_TIMEOUT, "query-too-long", title, text)
        }
        QueryError::Ended => {
            Problem::new(StatusCode::CONFLICT, "query-ended", "The query was ended", text)
        }
        QueryError::Busy(_) => {
            let title = "Too many queries run";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", title, text)
        }
        QueryError::Archive(_) | QueryError::NotReady => Problem::unavailable(text),
        QueryError::Failed(_) => {
            tracing::error!(error = text, "a query failed");
            let title = "The query failed";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "query-failed", title, text)
        }
    }
}

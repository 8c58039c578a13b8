//! How a write reaches the log, and how the same write asked twice happens once.
//!
//! A change is reserved in the operations store, appended, and taken over when it is durable. The
//! append goes on when its client does not wait: the outcome is then unknown to the client (503)
//! and known to us.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ingest::log::{LogError, NewRecord};
use rusqlite::Connection;
use sha2::{Digest, Sha256};

use crate::app::{App, Shared};
use crate::auth::{Caller, caller_of, is_write};
use crate::problem::Problem;
use crate::store::idempotency::{self, Answer, KEY_MAX, Scope};
use crate::store::pending::{self, Change, Pending};
use crate::store::{StoreError, lock};

/// How long a client waits for the log.
pub const WAIT_MAX: Duration = Duration::from_secs(10);
/// Largest request body, bytes; a route of 500 stops has about 150 KB.
pub const BODY_MAX: usize = 1 << 20;
/// Largest answer that is kept for an idempotency key, bytes; a larger one is computed again.
const ANSWER_MAX: usize = 1 << 20;
/// Header of the one who may ask twice.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Reserves a change, appends it, and answers once it counts. Without a change nothing is
/// appended.
pub(crate) async fn commit<T: Send + 'static>(
    app: &Shared,
    reserve: impl FnOnce(&Connection) -> Result<(T, Option<Pending>), Problem> + Send + 'static,
) -> Result<T, Problem> {
    in_time(app, async {
        let permit = permit(app).await?;
        let (answer, pending) = app.store.write(reserve).await?;
        let Some(pending) = pending else { return Ok(answer) };
        let app = Arc::clone(app);
        // Goes on when the client leaves; the permit is what `stop` waits for.
        let task = tokio::spawn(async move {
            let result = carry(&app, pending).await;
            drop(permit);
            result
        });
        task.await.map_err(|_bad| Problem::unavailable("the write was cut off".to_owned()))??;
        Ok(answer)
    })
    .await
}

/// Appends records that change nothing in the store.
pub(crate) async fn append(app: &Shared, records: Vec<NewRecord>) -> Result<(), Problem> {
    in_time(app, async {
        let permit = permit(app).await?;
        let appending = app.log.append(records);
        let answer = appending.await;
        app.appended(!answer.as_ref().is_err_and(LogError::is_retryable));
        drop(permit);
        answer.map(drop).map_err(|error| refused(&error))
    })
    .await
}

async fn permit(app: &App) -> Result<tokio::sync::OwnedSemaphorePermit, Problem> {
    let permit = Arc::clone(&app.writes).acquire_owned().await;
    permit.map_err(|_bad| Problem::unavailable("the api is stopping".to_owned()))
}

async fn in_time<T>(
    app: &App,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let result = tokio::time::timeout(WAIT_MAX, work).await.unwrap_or_else(|_| {
        app.appended(false);
        let detail = "not durable on the log after 10 s; it may still become so".to_owned();
        Err(Problem::unavailable(detail))
    });
    if result.as_ref().is_err_and(|problem| problem.status == 503) {
        app.metrics.unavailable.inc();
    }
    result
}

/// Appends a reserved change and takes it over, or gives its version up.
pub(crate) async fn carry(app: &App, pending: Pending) -> Result<(), Problem> {
    let Pending { id, changes, records } = pending;
    let appended = app.log.append(records).await;
    app.appended(!appended.as_ref().is_err_and(LogError::is_retryable));
    match appended {
        Ok(_) => settle(app, id, changes, true).await?,
        Err(error) => {
            settle(app, id, changes, false).await?;
            return Err(refused(&error));
        }
    }
    Ok(())
}

async fn settle(app: &App, id: i64, changes: Vec<Change>, durable: bool) -> Result<(), StoreError> {
    // Undone by a power cut it is still pending, and the next start appends it again.
    app.store
        .write_again(move |c| {
            if durable {
                pending::apply(c, id, &changes)
            } else {
                pending::give_up(c, id, &changes)
            }
        })
        .await
}

fn refused(error: &LogError) -> Problem {
    tracing::warn!(%error, "the log did not take a write");
    match error {
        LogError::TooLarge { bytes, limit } => {
            Problem::value("body", &format!("{bytes} bytes"), &format!("at most {limit} bytes"))
        }
        _ => Problem::unavailable("the log does not take it now".to_owned()),
    }
}

/// Answers a write that was asked before, by its `Idempotency-Key`, as it was answered then.
pub(crate) async fn once(State(app): State<Shared>, request: Request, next: Next) -> Response {
    match repeated(&app, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn repeated(app: &Shared, request: Request, next: Next) -> Result<Response, Problem> {
    let key = request.headers().get(IDEMPOTENCY_KEY).cloned();
    let caller = caller_of(request.extensions());
    let (Some(key), Some(caller), true) = (key, caller, is_write(request.method())) else {
        return Ok(next.run(request).await);
    };
    let scope = scope(&key, caller, &request)?;
    let (parts, body) = request.into_parts();
    let body = tokio::time::timeout(WAIT_MAX, to_bytes(body, BODY_MAX)).await;
    let slow = |_late| Problem::unavailable("the body did not come within 10 s".to_owned());
    let body = body.map_err(slow)?.map_err(|e| {
        Problem::value("body", &e.to_string(), &format!("at most {BODY_MAX} bytes"))
    })?;
    let hash: [u8; 32] = Sha256::digest(&body).into();
    let now = app.now();
    if let Some(answer) = app.store.read(|c| idempotency::find(c, &scope, now))? {
        if answer.request != hash {
            let expected = "another key, or the same body as before";
            return Err(Problem::value("Idempotency-Key", &scope.idempotency_key, expected));
        }
        return Ok(given(answer));
    }
    let Some(_guard) = Answering::begin(app, &scope) else {
        let detail = "the first request with this Idempotency-Key is not answered yet";
        return Err(Problem::conflict(detail.to_owned()));
    };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    keep(app, scope, hash, response).await
}

fn scope(key: &HeaderValue, caller: &Caller, request: &Request) -> Result<Scope, Problem> {
    let text = key.to_str().ok().filter(|k| !k.is_empty() && k.len() <= KEY_MAX);
    let shown = String::from_utf8_lossy(key.as_bytes());
    let expected = "1 to 255 printable ASCII characters";
    let text = text.ok_or_else(|| Problem::value("Idempotency-Key", &shown, expected))?;
    let path = format!("{} {}", request.method(), request.uri());
    let (tenant, idempotency_key) = (caller.tenant.clone(), text.to_owned());
    Ok(Scope { tenant, key: caller.key.clone(), path, idempotency_key })
}

/// Keeps an answer that would be the same again; a failure of ours is tried again instead.
async fn keep(
    app: &Shared,
    scope: Scope,
    request: [u8; 32],
    response: Response,
) -> Result<Response, Problem> {
    if response.status().is_server_error() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, ANSWER_MAX).await else {
        return Err(Problem::unavailable("the answer could not be kept".to_owned()));
    };
    let text = |name| {
        let value: Option<&HeaderValue> = parts.headers.get(name);
        value.and_then(|v| v.to_str().ok()).map(str::to_owned)
    };
    let answer = Answer {
        request,
        status: parts.status.as_u16(),
        etag: text(header::ETAG),
        kind: text(header::CONTENT_TYPE),
        body: body.to_vec(),
    };
    let now = app.now();
    app.store.write(move |c| idempotency::keep(c, &scope, &answer, now)).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn given(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    let headers = [(header::ETAG, answer.etag), (header::CONTENT_TYPE, answer.kind)];
    for (name, value) in headers {
        if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Marks a scope as being answered until it is dropped.
struct Answering<'a> {
    app: &'a App,
    scope: Scope,
}

impl<'a> Answering<'a> {
    /// `None`: another request with the same key is being answered, or too many are.
    fn begin(app: &'a App, scope: &Scope) -> Option<Self> {
        let mut answering = lock(&app.answering);
        let room = answering.len() < crate::app::WRITES_MAX;
        (room && answering.insert(scope.clone())).then(|| Self { app, scope: scope.clone() })
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        lock(&self.app.answering).remove(&self.scope);
    }
}

/// What makes an action's identity beside its path: the caller's Idempotency-Key, or else the
/// moment it came.
pub(crate) fn action_mark(headers: &HeaderMap, caller: &str, now: i64) -> Vec<u8> {
    match headers.get(IDEMPOTENCY_KEY) {
        Some(key) => [caller.as_bytes(), b" ", key.as_bytes()].concat(),
        None => format!("at {now}").into_bytes(),
    }
}

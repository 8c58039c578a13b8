//! Open mode: no keys, on loopback only, and nobody else's web page may use it.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::Shared;
use crate::auth::{is_write, origin_matches};
use crate::problem::Problem;

/// Names that a browser on this machine may use for it.
const HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Refuses what a foreign web page could make a browser send.
pub(crate) async fn guard(State(app): State<Shared>, request: Request, next: Next) -> Response {
    if app.open.is_none() {
        return next.run(request).await;
    }
    match check(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(app: &Shared, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let port = app.address.port();
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let ours = |name: &str| host == format!("{name}:{port}") || (port == 80 && host == name);
    if !HOSTS.iter().any(|name| ours(name)) {
        let detail = format!("Host is `{host}`, expected localhost:{port}");
        return Err(Problem::forbidden(detail));
    }
    // What a customer's page sends needs its token, which no foreign page knows; and since it
    // tells nobody where it is, its plain forms come with `Origin: null`.
    let path = request.uri().path();
    let by_token = path.starts_with("/t/") || path.starts_with("/o/");
    if let Some(origin) = headers.get(header::ORIGIN).filter(|_| !by_token)
        && !origin_matches(headers)
    {
        let origin = String::from_utf8_lossy(origin.as_bytes());
        return Err(Problem::forbidden(format!("Origin is `{origin}`, expected http://{host}")));
    }
    if is_write(request.method()) {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|h| h.to_str().ok());
        let plain = kind.and_then(|k| k.split(';').next()).map(str::trim);
        let form = by_token && plain == Some("application/x-www-form-urlencoded");
        if plain != Some("application/json") && !form {
            let detail = format!(
                "Content-Type is `{}`, expected application/json",
                kind.unwrap_or_default()
            );
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "media-type", "Not this kind of content", detail));
        }
    }
    Ok(())
}

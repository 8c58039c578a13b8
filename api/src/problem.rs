//! What went wrong, for the client: problem documents of RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::StoreError;

/// A problem document (`application/problem+json`). Names the value and what was expected.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem for programs: in JSON `urn:milepost:problem:<kind>`.
    #[serde(rename = "type", serialize_with = "urn")]
    pub kind: &'static str,
    /// The same in words.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What went wrong this time.
    #[schema(value_type = String)]
    pub detail: Box<str>,
    /// Which field of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub field: Option<Box<str>>,
    /// The value that was not accepted, at most 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub value: Option<Box<str>>,
    /// What would have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expected: Option<Box<str>>,
}

fn urn<S: serde::Serializer>(kind: &&'static str, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(&format_args!("urn:milepost:problem:{kind}"))
}

impl Problem {
    /// A problem of a kind, with its words and status.
    pub fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: String,
    ) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            value: None,
            expected: None,
        }
    }

    /// 422: a value is not what was expected.
    pub fn value(field: &str, value: &str, expected: &str) -> Self {
        let value: String = value.chars().take(200).collect();
        let detail = format!("{field} is `{value}`, expected {expected}");
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "value", "A value is not accepted", detail);
        problem.field = Some(field.into());
        problem.value = Some(value.into());
        problem.expected = Some(expected.into());
        problem
    }

    /// 404: there is no such thing, or it is another tenant's.
    pub fn unknown(what: &str, id: &str) -> Self {
        let id: String = id.chars().take(200).collect();
        let detail = format!("there is no {what} `{id}`");
        let mut problem =
            Self::new(StatusCode::NOT_FOUND, "unknown", "There is no such thing", detail);
        problem.value = Some(id.into());
        problem
    }

    /// 409: it clashes with what is there.
    pub fn conflict(detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "It clashes with what is there", detail)
    }

    /// 401: no key, or none that is valid.
    pub fn no_key() -> Self {
        let detail = "expected `Authorization: Bearer KEY` or a session cookie".to_owned();
        Self::new(StatusCode::UNAUTHORIZED, "no-key", "No valid key", detail)
    }

    /// 403: the key is valid but may not do this.
    pub fn forbidden(detail: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
    }

    /// 412: the version is another one by now.
    pub fn stale(etag: &str) -> Self {
        let detail = format!("the current version is {etag}");
        let title = "The version is another one";
        Self::new(StatusCode::PRECONDITION_FAILED, "stale", title, detail)
    }

    /// 503: not now; the same request may be sent again.
    pub fn unavailable(detail: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not now", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Texts and numbers only: this cannot fail.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "operations store failed");
        Self::unavailable("the operations store does not answer".to_owned())
    }
}

/// The answers that every operation may give besides its own.
#[derive(Debug, utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes answers for the OpenAPI document")]
pub(crate) enum Failures {
    /// No key, or none that is valid.
    #[response(status = 401, content_type = "application/problem+json")]
    NoKey(Problem),
    /// The role may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There is no such thing, or it is another tenant's.
    #[response(status = 404, content_type = "application/problem+json")]
    Unknown(Problem),
    /// A value is not accepted.
    #[response(status = 422, content_type = "application/problem+json")]
    Value(Problem),
    /// Not now; the same request may be sent again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

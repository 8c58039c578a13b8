//! HTTP/1.1 as phones speak it to a tracker port: one request cut out of a stream, and the few
//! answers there are. Bytes only; heads by `httparse`.

use bytes::Bytes;

use super::BadFrame;

/// Longest request line and headers, bytes.
const HEAD_MAX: usize = 8 * 1024;
/// Longest body, bytes.
const BODY_MAX: usize = 64 * 1024;
/// Most headers.
const HEADERS_MAX: usize = 64;

/// One whole request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// Path and query as sent.
    pub(super) target: &'a str,
    /// The media type, lower or upper case as sent; empty where there is none.
    pub(super) content_type: &'a [u8],
    pub(super) body: &'a [u8],
    /// Whether the connection ends with the answer.
    pub(super) close: bool,
    /// Bytes of the request.
    pub(super) length: usize,
}

/// Why a request can not be served; the stream can not be followed behind it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) kind: BadFrame,
    pub(super) reason: String,
    pub(super) answer: Bytes,
}

impl Refusal {
    fn new(kind: BadFrame, reason: impl Into<String>, answer: &'static str) -> Self {
        Self { kind, reason: reason.into(), answer: Bytes::from_static(answer.as_bytes()) }
    }
}

/// 200, taken.
pub(super) fn ok(close: bool) -> Bytes {
    Bytes::from_static(if close {
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    } else {
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    })
}

/// 400, not taken.
pub(super) fn bad_request(close: bool) -> Bytes {
    Bytes::from_static(if close { BAD_REQUEST.as_bytes() } else { BAD_REQUEST_OPEN.as_bytes() })
}

const BAD_REQUEST_OPEN: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
const BAD_REQUEST: &str =
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const LENGTH_REQUIRED: &str =
    "HTTP/1.1 411 Length Required\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const TOO_LARGE: &str =
    "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const HEAD_TOO_LARGE: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\
                              Content-Length: 0\r\n\r\n";

/// Cuts the next request; `None`: not complete yet.
pub(super) fn cut(bytes: &[u8]) -> Result<Option<Request<'_>>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(&bytes[..bytes.len().min(HEAD_MAX)]) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX => return Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            let reason = format!("head longer than {HEAD_MAX} bytes or {HEADERS_MAX} headers");
            return Err(Refusal::new(BadFrame::Length, reason, HEAD_TOO_LARGE));
        }
        Err(error) => {
            let reason = format!("no HTTP request: {error}");
            return Err(Refusal::new(BadFrame::Malformed, reason, BAD_REQUEST));
        }
    };
    let mut length = 0;
    let mut content_type: &[u8] = b"";
    let mut close = request.version == Some(0);
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = content_length(header.value)?;
        } else if header.name.eq_ignore_ascii_case("content-type") {
            content_type = header.value;
        } else if header.name.eq_ignore_ascii_case("connection") {
            let says = |word: &[u8]| header.value.eq_ignore_ascii_case(word);
            close = says(b"close") || (close && !says(b"keep-alive"));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            let reason = "a body without a length".to_owned();
            return Err(Refusal::new(BadFrame::Length, reason, LENGTH_REQUIRED));
        }
    }
    let Some(body) = bytes.get(head..head + length) else { return Ok(None) };
    let target = request.path.unwrap_or_default();
    Ok(Some(Request { target, content_type, body, close, length: head + length }))
}

fn content_length(value: &[u8]) -> Result<usize, Refusal> {
    let length = std::str::from_utf8(value).ok().and_then(|v| v.trim().parse::<u64>().ok());
    match length {
        Some(length) if length <= BODY_MAX as u64 => Ok(length as usize),
        Some(length) => {
            let reason = format!("body of `{length}` bytes, expected at most {BODY_MAX}");
            Err(Refusal::new(BadFrame::Length, reason, TOO_LARGE))
        }
        None => {
            let reason = format!("content length `{}`", value.escape_ascii());
            Err(Refusal::new(BadFrame::Malformed, reason, BAD_REQUEST))
        }
    }
}

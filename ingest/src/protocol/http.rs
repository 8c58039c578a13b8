//! HTTP/1.1 as phones speak it to a tracker port: one request cut out of a stream, and the few
//! answers there are. Bytes only; heads by `httparse`.

use std::mem::MaybeUninit;

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
    /// Credentials as sent.
    authorization: &'a [u8],
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
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let head = &bytes[..bytes.len().min(HEAD_MAX)];
    let head = match request.parse_with_uninit_headers(head, &mut headers) {
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
    let (mut content_type, mut authorization): (&[u8], &[u8]) = (b"", b"");
    let mut close = request.version == Some(0);
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = content_length(header.value)?;
        } else if header.name.eq_ignore_ascii_case("content-type") {
            content_type = header.value;
        } else if header.name.eq_ignore_ascii_case("authorization") {
            authorization = header.value;
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
    let length = head + length;
    Ok(Some(Request { target, content_type, body, authorization, close, length }))
}

impl Request<'_> {
    /// The secret it shows: a bearer's token (RFC 6750), or the password of a user (RFC 7617).
    pub(super) fn secret(&self) -> Option<Vec<u8>> {
        let at = self.authorization.iter().position(|b| *b == b' ')?;
        let (scheme, rest) = self.authorization.split_at(at);
        let credentials = rest.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return Some(credentials.to_vec());
        }
        let pair = scheme.eq_ignore_ascii_case(b"basic").then(|| base64(credentials))??;
        let colon = pair.iter().position(|b| *b == b':')?;
        Some(pair[colon + 1..].to_vec())
    }
}

/// Bytes of a base64 text (RFC 4648 §4); what fills its end may be missing.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|b| *b != b'=').map_or(0, |at| at + 1);
    let mut bytes = Vec::with_capacity(end * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in &text[..end] {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(six), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_its_secret() {
        let secret = |header: &str| {
            let text = format!("GET /?id=1 HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n");
            cut(text.as_bytes()).unwrap().unwrap().secret()
        };
        assert_eq!(secret("Authorization: Bearer s3cret-token").unwrap(), b"s3cret-token");
        assert_eq!(secret("authorization: basic YW5hOm9wZW46c2VzYW1l").unwrap(), b"open:sesame");
        assert_eq!(secret("Authorization: Basic YW5hOnB3").unwrap(), b"pw");
        for none in
            ["X: y", "Authorization: Basic *", "Authorization: Digest a", "Authorization: x"]
        {
            assert_eq!(secret(none), None, "{none}");
        }
        assert_eq!(base64(b"Zm9vYg==").unwrap(), b"foob");
        assert_eq!(base64(b"").unwrap(), b"");
    }
}

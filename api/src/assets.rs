//! The dispatcher app at `/app/`: the files that the web build left in `api/web/dist`, inside the
//! binary. Without that build there are none, and `/app/` says so.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::OnceLock;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use engine::record::digest::hex;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::app::Shared;
use crate::http::matches;
use crate::page;
use crate::problem::Problem;

/// The page that every path of the app begins with.
const INDEX: &str = "index.html";
/// Files under it carry a hash of their content in their names.
const HASHED: &str = "assets/";
/// Nothing from elsewhere. The map draws with a worker made from a blob and styles set by script.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; \
                      child-src 'self' blob:; style-src 'self' 'unsafe-inline'; \
                      connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

#[derive(rust_embed::Embed)]
#[folder = "web/dist/"]
#[allow_missing = true]
struct Built;

/// The files of the app, by path below `/app/`.
#[derive(Debug)]
pub(crate) struct Assets(BTreeMap<String, Asset>);

#[derive(Debug)]
struct Asset {
    bytes: Bytes,
    /// Compressed when first asked for; `None` where that saves nothing.
    packed: OnceLock<Option<Bytes>>,
    kind: &'static str,
    etag: String,
    immutable: bool,
}

impl Assets {
    /// Those that were built in.
    pub(crate) fn built() -> Self {
        let asset = |path: Cow<'static, str>| {
            let file = Built::get(&path)?;
            Some((path.to_string(), Asset::new(&path, &file)))
        };
        Self(Built::iter().filter(|path| !path.starts_with('.')).filter_map(asset).collect())
    }

    /// Whether the app is there at all.
    pub(crate) fn any(&self) -> bool {
        self.0.contains_key(INDEX)
    }
}

impl Asset {
    fn new(path: &str, file: &rust_embed::EmbeddedFile) -> Self {
        let bytes = match &file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes.clone()),
        };
        let etag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
        let (kind, immutable) = (kind(path), path.starts_with(HASHED));
        Self { bytes, packed: OnceLock::new(), kind, etag, immutable }
    }

    fn packed(&self) -> Option<&Bytes> {
        let pack = || {
            let already = ["image/png", "font/woff2"].contains(&self.kind);
            let mut packer = GzEncoder::new(Vec::new(), Compression::best());
            let done = !already && packer.write_all(&self.bytes).is_ok();
            let packed = packer.finish().ok().filter(|_| done);
            packed.filter(|packed| packed.len() < self.bytes.len()).map(Bytes::from)
        };
        self.packed.get_or_init(pack).as_ref()
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let keep = if self.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
        let mut out = HeaderMap::new();
        out.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            out.insert(header::ETAG, etag);
        }
        if matches(headers, &header::IF_NONE_MATCH, &self.etag) {
            return (StatusCode::NOT_MODIFIED, out).into_response();
        }
        for (name, value) in [
            (header::CONTENT_TYPE, self.kind),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            out.insert(name, HeaderValue::from_static(value));
        }
        let packed = if takes_gzip(headers) { self.packed() } else { None };
        if packed.is_some() {
            out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        (out, packed.unwrap_or(&self.bytes).clone()).into_response()
    }
}

/// Whether whoever asks can unpack gzip.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let takes = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok());
    takes.is_some_and(|v| v.split(',').any(|v| v.trim().starts_with("gzip")))
}

/// What the content is, by the end of its name.
fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "pbf" => "application/x-protobuf",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// `/`: the app where it is built in, else the plain page.
pub(crate) async fn root(State(app): State<Shared>) -> Response {
    if app.assets.any() {
        return Redirect::temporary("/app/").into_response();
    }
    page::demo().await.into_response()
}

/// `/app`: its place ends with a slash.
pub(crate) async fn place() -> Redirect {
    std::future::ready(Redirect::permanent("/app/")).await
}

/// `/app/`.
pub(crate) async fn index(State(app): State<Shared>, headers: HeaderMap) -> Response {
    file(State(app), Path(INDEX.to_owned()), headers).await
}

/// A file of the app; a path that is none is a place in the app, and begins with its page. Only
/// names with a hash are not: an old page asks for files that are gone.
pub(crate) async fn file(
    State(app): State<Shared>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    let assets = &app.assets.0;
    let place = || assets.get(INDEX).filter(|_| !path.starts_with(HASHED));
    let Some(asset) = assets.get(&path).or_else(place) else {
        if app.assets.any() {
            return Problem::unknown("file of the app", &path).into_response();
        }
        let said = "The app is not in this binary: it was built without `npm run build` in \
                    api/web (`make demo` does both). The plain page is at /.\n";
        return (StatusCode::NOT_FOUND, said).into_response();
    };
    std::future::ready(asset.answer(&headers)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset(path: &str, content: &str) -> Asset {
        let (kind, immutable) = (kind(path), path.starts_with(HASHED));
        let bytes = Bytes::copy_from_slice(content.as_bytes());
        Asset { bytes, packed: OnceLock::new(), kind, etag: "\"e\"".into(), immutable }
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |v| v.to_str().unwrap())
    }

    #[test]
    fn hashed_files_are_kept_for_good_and_pages_are_asked_again() {
        let page = asset("index.html", &"<p>".repeat(100)).answer(&HeaderMap::new());
        assert_eq!(header(&page, "cache-control"), "no-cache");
        assert_eq!(header(&page, "content-encoding"), "");
        assert!(header(&page, "content-security-policy").contains("default-src 'self'"));
        // Browsers look for a new service worker under the same name, and let it have `/app/`,
        // where it lies.
        let worker = asset("sw.js", "self").answer(&HeaderMap::new());
        assert_eq!(header(&worker, "cache-control"), "no-cache");
        assert_eq!(header(&worker, "content-type"), "text/javascript; charset=utf-8");
        assert!(header(&worker, "content-security-policy").contains("worker-src 'self'"));
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("br, gzip"));
        let script = asset("assets/x-1a2b.js", &"let a;".repeat(100)).answer(&headers);
        assert!(header(&script, "cache-control").contains("immutable"));
        assert_eq!(header(&script, "content-encoding"), "gzip");
        assert_eq!(header(&script, "content-type"), "text/javascript; charset=utf-8");
        let short = asset("assets/x.js", "a").answer(&headers);
        assert_eq!(header(&short, "content-encoding"), "", "it would only grow");
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"e\""));
        assert_eq!(asset("index.html", "").answer(&headers).status(), 304);
    }
}

//! The plain page at `/`: vehicles, arrivals counting down, exceptions, live. One file, no
//! request to anybody else; what it shows comes from the api alone.

use axum::http::header;
use axum::response::IntoResponse;

/// Nothing from elsewhere; styles and the script are in the page itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The page.
pub(crate) async fn demo() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    std::future::ready((headers, include_str!("web/demo.html"))).await
}

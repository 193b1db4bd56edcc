//! The dashboard's three files, which the program carries along. They hold nothing of anybody, and are shown to those alone
//! who may look at what they would ask for.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

/// Scripts and styles of our own alone, no text that becomes a script or markup (Trusted Types), no frame around it, no
/// request to anywhere else. `same-origin` for the referrer as on the pages without scripts.
const HEADERS: [(header::HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// One of them.
#[derive(Debug)]
struct File {
    kind: &'static str,
    bytes: &'static [u8],
    /// SHA-256 of them in quotes, by which a browser asks whether its copy still holds (RFC 9110, section 8.8.3).
    tag: String,
}

impl File {
    fn new(kind: &'static str, bytes: &'static [u8]) -> Self {
        Self { kind, bytes, tag: format!("\"{}\"", hex::encode(Sha256::digest(bytes))) }
    }
}

static PAGE: LazyLock<File> =
    LazyLock::new(|| File::new("text/html; charset=utf-8", include_bytes!("../../../web/dist/index.html")));
static SCRIPT: LazyLock<File> =
    LazyLock::new(|| File::new("text/javascript; charset=utf-8", include_bytes!("../../../web/dist/app.js")));
static STYLE: LazyLock<File> =
    LazyLock::new(|| File::new("text/css; charset=utf-8", include_bytes!("../../../web/dist/app.css")));

pub(super) async fn page(headers: HeaderMap) -> Response {
    answer(&PAGE, &headers)
}

pub(super) async fn script(headers: HeaderMap) -> Response {
    answer(&SCRIPT, &headers)
}

pub(super) async fn style(headers: HeaderMap) -> Response {
    answer(&STYLE, &headers)
}

fn answer(file: &'static File, asked: &HeaderMap) -> Response {
    let mut headers = HeaderMap::new();
    // Kept, and asked for again each time: whoever is logged out sees nothing of it.
    let own =
        [(header::CONTENT_TYPE, file.kind), (header::ETAG, file.tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    for (name, value) in own.into_iter().chain(HEADERS) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    let known = asked.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == file.tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, file.bytes).into_response()
}

//! Which headers go on, and whether those that repeat the body say the same.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

/// Session of the server's making (MCP 2025-03-26 to 2025-11-25).
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Nobody in between shall wait for more before it passes an event on.
pub(super) const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");
/// JSON-RPC code of MCP 2026-07-28: a header says something else than the body.
pub(super) const MISMATCH: i64 = -32_020;

/// What belongs to one connection only (RFC 9110, section 7.6.1), and what this side says anew.
const OWN: [HeaderName; 13] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::ORIGIN,
];

/// Whether a header is about the message that it comes with, and says nothing of who sends it.
pub(super) fn is_of_the_message(name: &HeaderName) -> bool {
    let known = [
        header::ACCEPT,
        header::ACCEPT_ENCODING,
        header::ACCEPT_LANGUAGE,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::HOST,
        header::USER_AGENT,
        HeaderName::from_static("last-event-id"),
        HeaderName::from_static("traceparent"),
        HeaderName::from_static("tracestate"),
        VERSION,
        METHOD,
        NAME,
    ];
    known.contains(name) || name.as_str().starts_with("mcp-param-")
}

/// The headers that go on to the other side.
pub(super) fn passed(headers: &HeaderMap) -> HeaderMap {
    let listed = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let listed: Vec<String> = listed.flat_map(|v| v.split(',').map(|name| name.trim().to_ascii_lowercase())).collect();
    let goes = |name: &HeaderName| !OWN.contains(name) && !listed.iter().any(|other| other == name.as_str());
    let kept = headers.iter().filter(|(name, _)| goes(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The same for a request, whose answer must come so that it can be read.
pub(super) fn asked(headers: &HeaderMap) -> HeaderMap {
    let mut headers = passed(headers);
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers
}

/// The status that goes with an answer since MCP 2026-07-28, by the code of its error.
pub(super) fn status(error: Option<i64>) -> StatusCode {
    match error {
        Some(-32_601) => StatusCode::NOT_FOUND,
        Some(-32_022..=-32_020) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

/// Compares the headers that repeat the body. What is decided is decided by the body, but a server might believe them.
///
/// # Errors
/// Which of them says something else, or stands there twice.
pub(crate) fn agree(headers: &HeaderMap, method: &str, params: &Value) -> Result<(), String> {
    let meta = params.get("_meta").and_then(|meta| meta.get("io.modelcontextprotocol/protocolVersion"));
    let object = match method {
        "resources/read" => params.get("uri"),
        _ => params.get("name").or_else(|| params.get("taskId")),
    };
    let pairs =
        [(VERSION, meta.and_then(Value::as_str)), (METHOD, Some(method)), (NAME, object.and_then(Value::as_str))];
    for (name, body) in pairs {
        let mut values = headers.get_all(&name).iter();
        let Some(value) = values.next() else { continue };
        if values.next().is_some() {
            return Err(format!("the header {name} stands there twice"));
        }
        // Before 2026-07-28 the body says no version.
        if name == VERSION && body.is_none() {
            continue;
        }
        let told = value.to_str().ok().and_then(decoded);
        if told.is_none() || told.as_deref() != body {
            return Err(format!("the header {name} says something else than the body"));
        }
    }
    Ok(())
}

/// A header's value, which is `=?base64?…?=` where it holds what a header cannot (MCP 2026-07-28).
fn decoded(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(coded) => String::from_utf8(STANDARD.decode(coded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_belongs_to_a_connection_stays_there() {
        let headers = map(&[
            ("host", "a"),
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("transfer-encoding", "chunked"),
            ("authorization", "Bearer t"),
            ("mcp-session-id", "s"),
            ("accept-encoding", "gzip"),
        ]);
        let kept = map(&[("authorization", "Bearer t"), ("mcp-session-id", "s"), ("accept-encoding", "identity")]);
        assert_eq!(asked(&headers), kept);
    }

    #[test]
    fn an_owner_is_told_by_what_it_shows_and_not_by_what_it_asks() {
        let owner = |pairs| super::super::owner(&map(pairs));
        let mine = owner(&[("authorization", "Bearer a"), ("mcp-session-id", "s"), ("mcp-method", "tools/list")]);
        assert_eq!(mine, owner(&[("mcp-session-id", "s"), ("authorization", "Bearer a"), ("mcp-name", "x")]));
        for other in [
            &[("authorization", "Bearer b"), ("mcp-session-id", "s")][..],
            &[("authorization", "Bearer a"), ("mcp-session-id", "t")],
            &[("authorization", "Bearer a")],
            &[("authorization", "Bearer a"), ("mcp-session-id", "s"), ("x-api-key", "k")],
            &[],
        ] {
            assert_ne!(mine, owner(other), "{other:?}");
        }
    }

    #[test]
    fn headers_that_say_something_else_than_the_body_are_told() {
        let params = json!({"name": "grüß", "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}});
        for (headers, agrees) in [
            (&[("mcp-method", "tools/call"), ("mcp-name", "=?base64?Z3LDvMOf?=")][..], true),
            (&[("mcp-protocol-version", "2026-07-28")], true),
            (&[("mcp-protocol-version", "2025-11-25")], false),
            (&[("mcp-method", "tools/list")], false),
            (&[("mcp-method", "tools/call"), ("mcp-method", "tools/call")], false),
            (&[("mcp-name", "safe")], false),
            (&[("mcp-name", "=?base64?!?=")], false),
            (&[], true),
        ] {
            assert_eq!(agree(&map(headers), "tools/call", &params).is_ok(), agrees, "{headers:?}");
        }
        let legacy = json!({"name": "x"});
        assert!(agree(&map(&[("mcp-protocol-version", "2025-11-25")]), "tools/call", &legacy).is_ok());
        assert!(agree(&map(&[("mcp-name", "file:///b")]), "resources/read", &json!({"uri": "file:///a"})).is_err());
    }
}

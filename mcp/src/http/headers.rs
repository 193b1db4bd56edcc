//! Which headers go on, and whether those that repeat the body say the same.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::schemas::Schemas;

/// Session of the server's making (MCP 2025-03-26 to 2025-11-25).
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// What the headers begin with that repeat arguments.
pub(crate) const PARAM: &str = "mcp-param-";
/// The first revision whose requests say everything themselves.
const STATELESS: &str = "2026-07-28";
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
    known.contains(name) || name.as_str().starts_with(PARAM)
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
pub(crate) fn agree(headers: &HeaderMap, method: &str, params: &Value, schemas: &Schemas) -> Result<(), String> {
    for (name, body) in repeated(method, params) {
        let Some(told) = only(headers, &name)? else { continue };
        // Before 2026-07-28 the body says no version.
        if name == VERSION && body.is_none() {
            continue;
        }
        if Some(told.as_str()) != body {
            return Err(format!("the header {name} says something else than the body"));
        }
    }
    if method != "tools/call" {
        return Ok(());
    }
    let arguments = params.get("arguments").unwrap_or(&Value::Null);
    let mirrored = params.get("name").and_then(Value::as_str).and_then(|tool| schemas.mirrored(tool));
    for name in headers.keys().filter(|name| name.as_str().starts_with(PARAM)) {
        let told = only(headers, name)?.unwrap_or_default();
        let says = |value: &Value| spells(value, &told);
        let agrees = match &mirrored {
            // Any of several definitions of the tool, as the eras have them.
            Some(known) => {
                let mut same = known.iter().filter(|m| name.as_str().get(PARAM.len()..) == Some(m.header.as_str()));
                let places: Vec<_> = same.by_ref().map(|m| arguments.pointer(&m.pointer)).collect();
                // What the tool does not know is nobody's argument.
                places.is_empty() || places.iter().flatten().any(|value| says(value))
            }
            // Which argument it repeats is not known. One that it does not repeat is none.
            None => any(arguments, says),
        };
        if !agrees {
            return Err(format!("the header {name} says something else than the arguments"));
        }
    }
    Ok(())
}

/// Whether a request is one of the revisions without sessions: by its headers, as its body may lack what it should say.
pub(super) fn are_stateless(headers: &HeaderMap) -> bool {
    let version = headers.get(VERSION).and_then(|version| version.to_str().ok());
    version.is_some_and(|version| version >= STATELESS) && !headers.contains_key(SESSION)
}

/// Whether all headers are there that must be, where this side is the server (MCP 2026-07-28, Streamable HTTP).
///
/// # Errors
/// Which one is missing.
pub(super) fn complete(headers: &HeaderMap, method: &str, params: &Value, schemas: &Schemas) -> Result<(), String> {
    for (name, body) in repeated(method, params) {
        if body.is_some() && !headers.contains_key(&name) {
            return Err(format!("the header {name} is missing"));
        }
    }
    let tool = params.get("name").and_then(Value::as_str).filter(|_| method == "tools/call");
    for mirrored in tool.and_then(|tool| schemas.mirrored(tool)).into_iter().flatten() {
        let value = params.get("arguments").and_then(|arguments| arguments.pointer(&mirrored.pointer));
        let name = format!("{PARAM}{}", mirrored.header);
        if value.is_some_and(|value| !value.is_null()) && !headers.contains_key(&name) {
            return Err(format!("the header {name} is missing"));
        }
    }
    Ok(())
}

/// The headers that repeat what every request says, and what the body says.
fn repeated<'m>(method: &'m str, params: &'m Value) -> [(HeaderName, Option<&'m str>); 3] {
    let meta = params.get("_meta").and_then(|meta| meta.get("io.modelcontextprotocol/protocolVersion"));
    let object = match method {
        "resources/read" => params.get("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => params.get("taskId"),
        _ => params.get("name"),
    };
    [(VERSION, meta.and_then(Value::as_str)), (METHOD, Some(method)), (NAME, object.and_then(Value::as_str))]
}

/// A header that may stand there once, decoded.
fn only(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, String> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(format!("the header {name} stands there twice"));
    }
    let told = value.to_str().ok().and_then(decoded);
    told.map(Some).ok_or_else(|| format!("the header {name} cannot be read"))
}

/// Whether a header's text is how this value is written there.
fn spells(value: &Value, told: &str) -> bool {
    match value {
        Value::String(text) => text == told,
        Value::Bool(value) => told == if *value { "true" } else { "false" },
        Value::Number(number) => number.to_string() == told || number.as_f64().is_some_and(|n| told.parse() == Ok(n)),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Whether any part of a value is so.
fn any(value: &Value, is: impl Fn(&Value) -> bool) -> bool {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(list) => waiting.extend(list),
            Value::Object(members) => waiting.extend(members.values()),
            scalar if is(scalar) => return true,
            _ => {}
        }
    }
    false
}

/// A header's value, which is `=?base64?…?=` where it holds what a header cannot (MCP 2026-07-28).
pub(crate) fn decoded(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(coded) => String::from_utf8(STANDARD.decode(coded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

/// A header's value that says this.
pub(crate) fn encoded(plain: &str) -> HeaderValue {
    let literal =
        !plain.starts_with("=?base64?") && plain.trim() == plain && plain.bytes().all(|b| matches!(b, b' '..=b'~'));
    let value = if literal { plain.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(plain)) };
    // It is of printable characters of ASCII by now.
    HeaderValue::from_str(&value).unwrap_or_else(|_| HeaderValue::from_static(""))
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
            let schemas = Schemas::default();
            assert_eq!(agree(&map(headers), "tools/call", &params, &schemas).is_ok(), agrees, "{headers:?}");
        }
        let agree = |headers, method, params| agree(&map(headers), method, &params, &Schemas::default());
        assert!(agree(&[("mcp-protocol-version", "2025-11-25")], "tools/call", json!({"name": "x"})).is_ok());
        assert!(agree(&[("mcp-name", "file:///b")], "resources/read", json!({"uri": "file:///a"})).is_err());
        assert!(agree(&[("mcp-name", "b")], "tasks/get", json!({"taskId": "a", "name": "b"})).is_err());
    }

    #[test]
    fn headers_that_repeat_arguments_are_compared_with_them() {
        let known = Schemas::default();
        let schema = json!({"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "at": {"properties": {"depth": {"type": "integer", "x-mcp-header": "Depth"}}},
        }});
        let list = rampart_call::Action::Mcp {
            server: "s".into(),
            method: "tools/list".into(),
            tool: String::new(),
            arguments: Value::Null.into(),
            beside: Value::Null,
        };
        known.listed(&list, &json!({"tools": [{"name": "x", "inputSchema": schema}]}));
        let params =
            json!({"name": "x", "arguments": {"region": "eu", "other": "us", "at": {"depth": 3, "sure": true}}});
        for (headers, by_schema, by_value) in [
            (&[("mcp-param-region", "eu"), ("mcp-param-depth", "3")][..], true, true),
            (&[("mcp-param-region", "=?base64?ZXU=?=")], true, true),
            (&[("mcp-param-region", "=?base64?ZXU?=")], false, false),
            (&[("mcp-param-region", "us")], false, true),
            (&[("mcp-param-region", "ap")], false, false),
            (&[("mcp-param-region", "eu"), ("mcp-param-region", "eu")], false, false),
            (&[("mcp-param-depth", "4")], false, false),
            (&[("mcp-param-sure", "true")], true, true),
            (&[("mcp-param-unknown", "eu")], true, true),
        ] {
            let agrees = |schemas| agree(&map(headers), "tools/call", &params, schemas).is_ok();
            assert_eq!((agrees(&known), agrees(&Schemas::default())), (by_schema, by_value), "{headers:?}");
        }
        let missing = |headers| complete(&map(headers), "tools/call", &params, &known);
        assert!(missing(&[("mcp-method", "tools/call"), ("mcp-name", "x"), ("mcp-param-depth", "3")]).is_err());
        let all =
            [("mcp-method", "tools/call"), ("mcp-name", "x"), ("mcp-param-depth", "3"), ("mcp-param-region", "eu")];
        assert!(missing(&all).is_ok() && missing(&all[1..]).is_err());
    }
}

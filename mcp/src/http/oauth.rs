//! OAuth through another address: a client that logs in to a server compares the address that it was given with the one
//! that the server's metadata names (RFC 9728, section 3.3). So what the server says of itself is said of the address here,
//! which is configured, and never read off a request. Tokens and the authorization server are none of ours.

use http::{HeaderMap, HeaderValue, Uri, header};
use rampart_call::strict;
use serde_json::{Value, json};

/// Where a server's metadata is (RFC 9728, section 3.1), before the path of what it describes.
pub(super) const METADATA: &str = "/.well-known/oauth-protected-resource";
/// Where an authorization server says what it is (RFC 8414, section 3). Servers of 2025-03-26 are their own: they stand at
/// the root of the site of the endpoint, and have no metadata of the other kind.
pub(super) const LOGIN: &str = "/.well-known/oauth-authorization-server";
/// Bytes of metadata.
pub(super) const LIMIT: usize = 1 << 20;

/// The metadata of the server, which `canonical` says of the address here.
///
/// # Errors
/// When it is none, or describes something else than the server: then the client must not believe it.
pub(super) fn metadata(body: &[u8], upstream: &Uri, canonical: &str) -> Result<Vec<u8>, String> {
    let mut told = strict::parse(body).map_err(|why| format!("the server's metadata is not JSON: {why}"))?;
    let members = told.as_object_mut().ok_or("the server's metadata is no object")?;
    let resource = members.get("resource").and_then(Value::as_str).and_then(|resource| resource.parse().ok());
    match resource {
        Some(resource) if describes(&resource, upstream) => members.insert("resource".into(), canonical.into()),
        _ => return Err("the server's metadata describes something else than the server".into()),
    };
    let servers = members.get("authorization_servers").and_then(Value::as_array).into_iter().flatten();
    for server in servers {
        let server = server.as_str().and_then(|server| server.parse::<Uri>().ok());
        if !server.is_some_and(|server| is_for_logging_in(&server)) {
            return Err("an authorization server of the metadata is neither https:// nor on this machine".into());
        }
    }
    serde_json::to_vec(&told).map_err(|why| why.to_string())
}

/// Metadata of a server of 2025-03-26, which has none but that of the login on its site: what a server of today would say.
///
/// # Errors
/// When the login's is no metadata, or leads nowhere that a person should log in.
pub(super) fn of_login(body: &[u8], canonical: &str) -> Result<Vec<u8>, String> {
    let told = login(body)?;
    let issuer = told.get("issuer").and_then(Value::as_str).ok_or("the login's metadata names no `issuer`")?;
    let told = json!({"resource": canonical, "authorization_servers": [issuer]});
    serde_json::to_vec(&told).map_err(|why| why.to_string())
}

/// The metadata of the login on a server's site, where all that it names is fit for logging in.
///
/// # Errors
/// When it is not, or is no metadata.
pub(super) fn login(body: &[u8]) -> Result<Value, String> {
    let told = strict::parse(body).map_err(|why| format!("the login's metadata is not JSON: {why}"))?;
    let members = told.as_object().ok_or("the login's metadata is no object")?;
    for name in ["issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint"] {
        let Some(place) = members.get(name) else { continue };
        let place = place.as_str().and_then(|place| place.parse::<Uri>().ok());
        if !place.is_some_and(|place| is_for_logging_in(&place)) {
            return Err(format!("the `{name}` of the login's metadata is neither https:// nor on this machine"));
        }
    }
    Ok(told)
}

/// Whether this is the server, or a part of its site that it lies in.
fn describes(resource: &Uri, upstream: &Uri) -> bool {
    let path = resource.path().trim_end_matches('/');
    let below = upstream.path().trim_end_matches('/').strip_prefix(path);
    same_origin(resource, upstream) && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_for_logging_in(server: &Uri) -> bool {
    let here = matches!(server.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match server.scheme_str() {
        Some("https") => server.host().is_some(),
        Some("http") => here,
        _ => false,
    }
}

fn same_origin(one: &Uri, other: &Uri) -> bool {
    let origin = |uri: &Uri| {
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let scheme = uri.scheme_str().map(str::to_ascii_lowercase);
        (scheme, uri.host().map(str::to_ascii_lowercase), uri.port_u16().unwrap_or(default))
    };
    one.scheme().is_some() && origin(one) == origin(other)
}

/// Has a server's challenges name the metadata here; where the server has its own, if it says so.
pub(super) fn challenged(headers: &mut HeaderMap, upstream: &Uri, here: &str) -> Option<Uri> {
    let challenges: Vec<HeaderValue> = headers.get_all(header::WWW_AUTHENTICATE).iter().cloned().collect();
    headers.remove(header::WWW_AUTHENTICATE);
    let mut there = None;
    for challenge in challenges {
        let Ok(text) = challenge.to_str() else { continue };
        let (text, named) = renamed(text, here);
        // Somebody else's metadata would have the client log in for somebody else.
        let named = named.and_then(|named| named.parse::<Uri>().ok()).filter(|named| same_origin(named, upstream));
        there = named.or(there);
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.append(header::WWW_AUTHENTICATE, value);
        }
    }
    there
}

/// The challenges with another value of `resource_metadata`, and the one that stood there.
fn renamed(text: &str, here: &str) -> (String, Option<String>) {
    let Some(value) = value_of(text, "resource_metadata") else { return (text.to_owned(), None) };
    let stood = text.get(value.clone()).unwrap_or_default();
    let stood = stood.trim_matches('"').replace('\\', "");
    let (before, after) = (text.get(..value.start).unwrap_or_default(), text.get(value.end..).unwrap_or_default());
    (format!("{before}\"{here}\"{after}"), Some(stood))
}

/// Where the value of a parameter stands in a list of challenges (RFC 9110, section 11.6.1), with its quotes.
fn value_of(text: &str, name: &str) -> Option<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    let (mut at, mut word) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_quoted(bytes, at),
            b'=' if text.get(word..at).is_some_and(|word| word.trim().eq_ignore_ascii_case(name)) => {
                let start = at + 1 + text.get(at + 1..)?.len() - text.get(at + 1..)?.trim_start().len();
                let end = match bytes.get(start) {
                    Some(b'"') => end_of_quoted(bytes, start),
                    _ => start + text.get(start..)?.find([',', ' ', '\t']).unwrap_or(text.len() - start),
                };
                return Some(start..end);
            }
            // A scheme and its first parameter have but a space between them; the name is what is after it.
            b' ' | b'\t' if text.get(at..).is_some_and(|rest| rest.trim_start().starts_with('=')) => at += 1,
            b',' | b' ' | b'\t' => (word, at) = (at + 1, at + 1),
            _ => at += 1,
        }
    }
    None
}

fn end_of_quoted(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "https://docs.example/mcp";
    const HERE: &str = "http://127.0.0.1:9092/mcp/docs";

    #[test]
    fn metadata_is_said_of_the_address_here_if_it_is_that_of_the_server() {
        for (resource, login, passes) in [
            (SERVER, "https://login.example", true),
            ("https://docs.example", "https://login.example", true),
            ("https://DOCS.example:443/mcp/", "http://localhost:8080/tenant", true),
            ("https://docs.example/other", "https://login.example", false),
            ("https://docs.example/mc", "https://login.example", false),
            ("https://evil.example/mcp", "https://login.example", false),
            ("http://docs.example/mcp", "https://login.example", false),
            ("/mcp", "https://login.example", false),
            (SERVER, "javascript:alert(1)", false),
            (SERVER, "http://login.example", false),
            (SERVER, "file:///etc/passwd", false),
        ] {
            let told = json!({"resource": resource, "authorization_servers": [login], "more": [1.5]}).to_string();
            let metadata = metadata(told.as_bytes(), &SERVER.parse().unwrap(), HERE);
            assert_eq!(metadata.is_ok(), passes, "{resource} {login}: {metadata:?}");
            let expected = json!({"resource": HERE, "authorization_servers": [login], "more": [1.5]});
            assert!(metadata.is_err() || serde_json::from_slice::<Value>(&metadata.unwrap()).unwrap() == expected);
        }
        for told in ["", "[]", "{}", r#"{"resource":"https://docs.example/mcp","resource":"x"}"#] {
            assert!(metadata(told.as_bytes(), &SERVER.parse().unwrap(), HERE).is_err(), "{told}");
        }
    }

    #[test]
    fn a_server_that_is_its_own_login_is_said_to_have_one() {
        const LOGIN: &str = "https://docs.example";
        for (member, value, passes) in [
            ("token_endpoint", "https://docs.example/token", true),
            ("token_endpoint", "http://localhost:1/token", true),
            ("token_endpoint", "http://docs.example/token", false),
            ("authorization_endpoint", "javascript:alert(1)", false),
            ("registration_endpoint", "file:///x", false),
            ("issuer", "ftp://docs.example", false),
        ] {
            let mut told = json!({"issuer": LOGIN, "more": 1});
            told[member] = value.into();
            let metadata = of_login(told.to_string().as_bytes(), HERE);
            assert_eq!(metadata.is_ok(), passes, "{member} {value}: {metadata:?}");
            let expected = json!({"resource": HERE, "authorization_servers": [LOGIN]});
            assert!(metadata.is_err() || serde_json::from_slice::<Value>(&metadata.unwrap()).unwrap() == expected);
        }
        for told in ["", "[]", "{}", r#"{"issuer":"https://a.example","issuer":"https://b.example"}"#] {
            assert!(of_login(told.as_bytes(), HERE).is_err(), "{told}");
        }
    }

    #[test]
    fn a_challenge_names_the_metadata_here_and_nothing_else_changes() {
        let there = "https://docs.example/.well-known/custom";
        for (told, expected, named) in [
            (
                format!(r#"Bearer resource_metadata="{there}", scope="a b""#),
                r#"Bearer resource_metadata="HERE", scope="a b""#,
                true,
            ),
            (
                format!("Bearer error=\"x, resource_metadata=y\", Resource_Metadata = {there}"),
                "Bearer error=\"x, resource_metadata=y\", Resource_Metadata = \"HERE\"",
                true,
            ),
            ("Bearer realm=\"a\\\"b\"".to_owned(), "Bearer realm=\"a\\\"b\"", false),
            ("Bearer".to_owned(), "Bearer", false),
            (
                "Bearer resource_metadata=\"https://evil.example/x\"".to_owned(),
                "Bearer resource_metadata=\"HERE\"",
                false,
            ),
            ("Bearer resource_metadata=\"unfinished".to_owned(), "Bearer resource_metadata=\"HERE\"", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_str(&told).unwrap());
            let found = challenged(&mut headers, &SERVER.parse().unwrap(), "HERE");
            assert_eq!(headers[header::WWW_AUTHENTICATE], expected, "{told}");
            assert_eq!(found, named.then(|| there.parse().unwrap()), "{told}");
        }
    }
}

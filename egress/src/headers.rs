//! Header fields that belong to one hop, that must agree with the connection, or that lead clients around the proxy.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::{
    destination::{Destination, Host, Scheme},
    refusal::Refused,
};

/// Fields of one hop (RFC 9110 section 7.6.1). `Trailer` is not among them: it announces what passes.
const OF_ONE_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// What a request wants besides an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// To turn the connection into a WebSocket.
    pub(crate) websocket: bool,
    /// To be told to go on before it sends its body.
    pub(crate) go_ahead: bool,
}

/// Takes out of a request what belongs to the hop it came by, and signs it. `http1` is how it will go on.
pub(crate) fn clean_request(
    method: &Method,
    headers: &mut HeaderMap,
    http1: bool,
    own_name: &str,
) -> Result<Wishes, Refused> {
    let upgrade = has_token(headers, &header::CONNECTION, "upgrade").then(|| headers.get(header::UPGRADE).cloned());
    let websocket = match upgrade.flatten() {
        Some(to) if to.as_bytes().eq_ignore_ascii_case(b"websocket") && method == Method::GET && http1 => true,
        // The cleartext HTTP/2 upgrade (RFC 7540 section 3.2, now obsolete) may be ignored.
        Some(to) if to.as_bytes().eq_ignore_ascii_case(b"h2c") => false,
        Some(to) => {
            let to = String::from_utf8_lossy(to.as_bytes()).escape_debug().to_string();
            return Err(Refused::malformed(format!("an upgrade to `{to}` cannot pass; only WebSockets can")));
        }
        None => false,
    };
    let trailers = has_token(headers, &header::TE, "trailers");
    let go_ahead = has_token(headers, &header::EXPECT, "100-continue");
    strip_hop(headers);
    headers.remove(header::EXPECT);
    ask_for_known_codings(headers);
    if websocket {
        // Messages are read on their way, and so they must not be packed.
        headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    } else if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        if http1 {
            headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
        }
    }
    if headers.get_all(header::VIA).iter().any(|v| v.to_str().is_ok_and(|v| v.contains(own_name))) {
        return Err(Refused::looped());
    }
    if let Ok(name) = HeaderValue::from_str(&format!("1.1 {own_name}")) {
        headers.append(header::VIA, name);
    }
    Ok(Wishes { websocket, go_ahead })
}

/// Takes out of a response what belongs to the hop it came by, and what would move the client to QUIC, where nobody
/// judges. A switch to a WebSocket keeps its two fields.
pub(crate) fn clean_response(headers: &mut HeaderMap, switched: bool) {
    strip_hop(headers);
    headers.remove(header::ALT_SVC);
    headers.remove("alternate-protocol");
    if switched {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        // We asked for none, and what the client asked for is nothing that we could look into.
        headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
    }
}

/// Takes out what is true only of bytes that were packed.
pub(crate) fn forget_coding(headers: &mut HeaderMap) {
    for name in [header::CONTENT_ENCODING, header::CONTENT_LENGTH, header::ACCEPT_RANGES] {
        headers.remove(name);
    }
    headers.remove("content-digest");
    headers.remove("content-md5");
}

/// Takes out what is true only of bytes that nobody changed (RFC 9530).
pub(crate) fn forget_digests(headers: &mut HeaderMap) {
    for name in ["content-digest", "repr-digest", "digest", "content-md5"] {
        headers.remove(name);
    }
}

/// Leaves only codings that can be undone on the way back.
fn ask_for_known_codings(headers: &mut HeaderMap) {
    const KNOWN: [&str; 6] = ["gzip", "x-gzip", "deflate", "br", "zstd", "identity"];
    if !headers.contains_key(header::ACCEPT_ENCODING) {
        return;
    }
    let known = |token: &&str| KNOWN.iter().any(|k| token.split(';').next().unwrap_or_default().trim() == *k);
    let kept: Vec<&str> = tokens(headers, &header::ACCEPT_ENCODING).filter(known).collect();
    let kept = if kept.is_empty() { "identity".to_owned() } else { kept.join(", ") };
    if let Ok(kept) = HeaderValue::from_str(&kept) {
        headers.insert(header::ACCEPT_ENCODING, kept);
    }
}

fn strip_hop(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = tokens(headers, &header::CONNECTION).filter_map(|t| t.parse().ok()).collect();
    for name in listed {
        // Naming these would change where a request goes or where it ends, which is not Connection's to say.
        if ![header::HOST, header::CONTENT_LENGTH].contains(&name) {
            headers.remove(name);
        }
    }
    for name in OF_ONE_HOP {
        headers.remove(name);
    }
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|t| t.eq_ignore_ascii_case(token))
}

/// Every name a request gives its destination must be the one it was judged by.
pub(crate) fn agree(headers: &HeaderMap, uri: &http::Uri, to: &Destination) -> Result<(), Refused> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Refused::malformed("Host stands more than once"));
    }
    if let Some(scheme) = uri.scheme_str()
        && scheme != to.scheme.as_str()
    {
        return Err(Refused::mismatch(&format!("{scheme}://"), to));
    }
    let named = host.map(|h| String::from_utf8_lossy(h.as_bytes()));
    let usual = to.authority();
    for name in named.as_deref().into_iter().chain(uri.authority().map(http::uri::Authority::as_str)) {
        if name.eq_ignore_ascii_case(&usual) {
            continue;
        }
        match Destination::parse(to.scheme, name) {
            Ok(said) if said == *to => {}
            Ok(_) => return Err(Refused::mismatch(name, to)),
            Err(why) => return Err(Refused::malformed(why)),
        }
    }
    Ok(())
}

/// The destination of a request in absolute form.
pub(crate) fn absolute(uri: &http::Uri) -> Result<Destination, Refused> {
    let scheme = match uri.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        Some(other) => return Err(Refused::malformed(format!("this proxy speaks HTTP and HTTPS, not `{other}`"))),
        None => {
            return Err(Refused::malformed(
                "this is a proxy: it takes requests with a whole URL, and CONNECT; set HTTP_PROXY and HTTPS_PROXY to its address",
            ));
        }
    };
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    Destination::parse(scheme, authority).map_err(Refused::malformed)
}

/// The destination of a request that was redirected here: Host names it, at the port that it was sent to.
pub(crate) fn redirected(headers: &HeaderMap, address: &Host, port: u16) -> Result<Destination, Refused> {
    let Some(host) = headers.get(header::HOST) else {
        return Ok(Destination { scheme: Scheme::Http, host: address.clone(), port });
    };
    let host = String::from_utf8_lossy(host.as_bytes());
    let to = Destination::parse(Scheme::Http, &host).map_err(Refused::malformed)?;
    let reached = Destination { scheme: Scheme::Http, host: address.clone(), port };
    if to.port == port { Ok(to) } else { Err(Refused::mismatch(&host, &reached)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_belongs_to_one_hop_stays_there() {
        let mut headers = map(&[
            ("host", "a"),
            ("connection", "keep-alive, X-Private, Host, Content-Length"),
            ("x-private", "1"),
            ("content-length", "0"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic c2VjcmV0"),
            ("te", "gzip"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABk"),
            ("expect", "100-continue"),
            ("accept", "*/*"),
        ]);
        let wishes = clean_request(&Method::GET, &mut headers, true, "me").unwrap();
        assert_eq!(names(&headers), ["accept", "content-length", "host", "via"]);
        assert_eq!(wishes, Wishes { websocket: false, go_ahead: true });
    }

    #[test]
    fn trailers_and_websockets_are_asked_for_again() {
        let mut headers = map(&[("te", "deflate, Trailers"), ("connection", "te")]);
        clean_request(&Method::GET, &mut headers, true, "me").unwrap();
        assert_eq!((headers["te"].as_bytes(), headers["connection"].as_bytes()), (&b"trailers"[..], &b"te"[..]));
        let mut headers = map(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")]);
        assert!(clean_request(&Method::GET, &mut headers, true, "me").unwrap().websocket);
        assert_eq!(names(&headers), ["connection", "upgrade", "via"]);
        let mut headers = map(&[("connection", "upgrade"), ("upgrade", "TLS/1.0")]);
        assert_eq!(clean_request(&Method::GET, &mut headers, true, "me").unwrap_err().code(), "malformed");
    }

    #[test]
    fn our_own_signature_means_a_loop() {
        let mut headers = map(&[("via", "1.0 other, 1.1 rampart-1")]);
        assert_eq!(clean_request(&Method::GET, &mut headers, true, "rampart-1").unwrap_err().code(), "loop");
        assert!(clean_request(&Method::GET, &mut map(&[("via", "1.1 other")]), true, "rampart-1").is_ok());
    }

    #[test]
    fn nobody_is_moved_to_quic() {
        let mut headers = map(&[("alt-svc", "h3=\":443\""), ("connection", "close"), ("server", "x")]);
        clean_response(&mut headers, false);
        assert_eq!(names(&headers), ["server"]);
    }

    #[test]
    fn all_names_of_the_destination_must_agree() {
        let to = Destination::parse(Scheme::Https, "example.com").unwrap();
        let check = |host: &[(&'static str, &'static str)], uri: &str| {
            agree(&map(host), &uri.parse().unwrap(), &to).map_err(|r| r.code().to_owned())
        };
        assert_eq!(check(&[("host", "EXAMPLE.com.:443")], "/"), Ok(()));
        assert_eq!(check(&[], "https://example.com/"), Ok(()));
        assert_eq!(check(&[("host", "example.com")], "https://example.com:443/"), Ok(()));
        for (host, uri) in [
            (&[("host", "evil.example")][..], "/"),
            (&[("host", "example.com:444")], "/"),
            (&[("host", "evil.example")], "https://example.com/"),
            (&[("host", "example.com")], "https://evil.example/"),
            (&[("host", "example.com")], "http://example.com/"),
        ] {
            assert_eq!(check(host, uri), Err("host_mismatch".to_owned()), "{host:?} {uri}");
        }
        assert_eq!(check(&[("host", "example.com"), ("host", "example.com")], "/"), Err("malformed".to_owned()));
        assert_eq!(check(&[("host", "a@example.com")], "/"), Err("malformed".to_owned()));
    }

    #[test]
    fn the_proxy_is_told_whole_urls() {
        let code = |uri: &str| absolute(&uri.parse().unwrap()).map(|d| d.to_string()).map_err(|r| r.code().to_owned());
        assert_eq!(code("http://Example.com/x"), Ok("example.com:80".to_owned()));
        assert_eq!(code("https://example.com/x"), Ok("example.com:443".to_owned()));
        for uri in ["/x", "ftp://example.com/", "http://user:pw@example.com/", "http://example.com:0/"] {
            assert_eq!(code(uri), Err("malformed".to_owned()), "{uri}");
        }
    }
}

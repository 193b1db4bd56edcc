//! The automatic configuration of browsers (PAC): everything goes through the proxy but what is near.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use crate::body::Body;

/// The script for a proxy at an address.
pub fn pac(proxy: SocketAddr) -> String {
    format!(
        "function FindProxyForURL(url, host) {{\n  \
           if (host === \"localhost\" || shExpMatch(host, \"*.localhost\") || shExpMatch(host, \"127.*\") || host === \"[::1]\" || host === \"::1\") {{\n    \
             return \"DIRECT\";\n  \
           }}\n  \
           return \"PROXY {proxy}\";\n}}\n"
    )
}

/// Where the proxy itself serves it.
pub(crate) const PATH: &str = "/proxy.pac";

/// The answer to who asks for it. It says nothing that a client of the proxy does not know.
pub(crate) fn served(proxy: SocketAddr) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::from(pac(proxy))));
    let kind = HeaderValue::from_static("application/x-ns-proxy-autoconfig");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

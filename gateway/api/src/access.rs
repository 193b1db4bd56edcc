//! Who asks, and what they may ask. The kernel names the peer of the socket; on loopback, where any page in a browser
//! and any process of anybody can call, the request must name us as its host, come from no other site, and bear the
//! token.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{Api, error::Error, routes::link};

/// The other end of a connection. Every request carries one, put there by whoever accepted the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A process of this user or of root, as the kernel says.
    Socket {
        /// Its process, when the kernel says.
        pid: Option<u32>,
        /// Its user.
        uid: u32,
    },
    /// Anybody who can reach the TCP port.
    Tcp,
}

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Nothing that needs a name: is the gateway alive.
    Open,
    /// Have calls decided. All that a surface needs.
    Decide,
    /// See questions and records, and answer questions. For people.
    Approve,
    /// See and change what is in force. For people.
    Admin,
}

/// A caller as far as they are known.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    scopes: &'static [Scope],
    /// For the record.
    pub(crate) name: String,
}

impl Caller {
    /// Refuses what the caller may not ask.
    pub(crate) fn require(&self, scope: Scope) -> Result<(), Error> {
        if scope == Scope::Open || self.scopes.contains(&scope) {
            return Ok(());
        }
        if self.scopes.is_empty() {
            let text = "send the token as `Authorization: Bearer ...`; it stands in the file `token` of Rampart's home";
            return Err(Error::new(StatusCode::UNAUTHORIZED, "unauthorized", text));
        }
        Err(Error::new(StatusCode::FORBIDDEN, "forbidden", "this credential does not reach so far"))
    }
}

const EVERYTHING: &[Scope] = &[Scope::Decide, Scope::Approve, Scope::Admin];

/// Finds out who asks, and turns away who must not even be heard.
pub(crate) async fn identify(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Tcp);
    let caller = match peer {
        // Whoever runs as this user can read the token anyway.
        Peer::Socket { pid, uid } => {
            let name = pid.map_or_else(|| format!("user {uid}"), |pid| format!("user {uid}, process {pid}"));
            Ok(Caller { peer, scopes: EVERYTHING, name })
        }
        Peer::Tcp => loopback(&api, &request),
    };
    match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

fn loopback(api: &Api, request: &Request) -> Result<Caller, Error> {
    let headers = request.headers();
    let host = only(headers, header::HOST);
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    // The public name of links to questions is good for nothing else.
    let link = api.links.as_ref().filter(|_| request.uri().path().starts_with(link::PREFIX));
    let ours =
        |host: &str| api.hosts.iter().any(|known| known == host) || link.is_some_and(|(_, public)| public == host);
    if !host.is_some_and(ours) || target.is_some_and(|target| !ours(target)) {
        let text = format!("this is not the host you asked for; ask for {}", api.hosts.join(" or "));
        return Err(Error::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", text));
    }
    let same_site = match only(headers, header::ORIGIN) {
        Some(origin) => {
            origin.strip_prefix("http://").is_some_and(ours) || link.is_some_and(|(public, _)| public == origin)
        }
        None => !headers.contains_key(header::ORIGIN),
    };
    let fetched_elsewhere = only(headers, "sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    if !same_site || fetched_elsewhere {
        return Err(Error::new(StatusCode::FORBIDDEN, "cross_site", "requests from other sites are not answered"));
    }
    let bears = only(headers, header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    // Hashes of one length are compared, so that neither content nor length shows in the time it takes.
    let good = bears.is_some_and(|token| bool::from(Sha256::digest(token)[..].ct_eq(&api.token)));
    let (scopes, name): (&[Scope], _) = if good { (EVERYTHING, "the token") } else { (&[], "nobody") };
    Ok(Caller { peer: Peer::Tcp, scopes, name: name.to_owned() })
}

/// The value of a header that stands there once.
fn only(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

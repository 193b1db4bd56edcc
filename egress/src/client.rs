//! The client for the gateway's own requests: notifications and external verifiers. Their addresses are the user's own
//! configuration and not an agent's wish, so no gate is asked; but a name out there must not lead inside.

use std::{
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, client::conn::http1};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::BoxError;

use crate::{
    address::{Allowance, special},
    body::Body,
    destination::{Destination, Host, Scheme},
    pool::{Key, Lease, Pool},
    proxy::Fault,
    refusal::Refused,
    resolve::{Override, Resolver},
    upstream::{believing, describe, dial, handshake, start1},
};

/// Top-level domains that exist only inside of networks (RFC 6761, RFC 6762, RFC 8375, and ICANN's `internal`).
const INSIDE: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

/// How long a connection that was given back may take to be ready for another request.
const READY: Duration = Duration::from_secs(1);

type Answer = UnsyncBoxBody<Bytes, BoxError>;

/// Sends requests over HTTP/1.1, each on a connection of its own unless it [keeps](Client::keeping) them, and follows no
/// redirect. Opening a connection and its TLS have their own deadlines; how long the answer may take is the caller's
/// business.
#[derive(Clone)]
pub struct Client {
    resolver: Arc<Resolver>,
    tls: TlsConnector,
    config: Arc<rustls::ClientConfig>,
    kept: Option<Kept>,
}

/// Connections that are used again by who opened them.
#[derive(Clone)]
struct Kept {
    pool: Arc<Pool>,
    whose: fn(&HeaderMap) -> String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unsent(String);

impl From<Refused> for Unsent {
    fn from(refused: Refused) -> Self {
        Self(refused.message().to_owned())
    }
}

impl Client {
    /// A client that believes the machine's roots and these, goes where `resolve` says otherwise than DNS, and inside
    /// where `allow_private` says so.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        upstream_ca: Vec<CertificateDer<'static>>,
        resolve: Vec<Override>,
        allow_private: Vec<Allowance>,
    ) -> Result<Self, Fault> {
        let mut roots = rampart_certs::system_roots();
        roots.extend(upstream_ca);
        let mut config = believing(roots, Vec::new())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tls = TlsConnector::from(Arc::new(config.clone()));
        config.alpn_protocols.clear();
        Ok(Self {
            resolver: Arc::new(Resolver::new(resolve, allow_private, Vec::new())),
            tls,
            config: Arc::new(config),
            kept: None,
        })
    }

    /// The same client, which uses a connection again for requests of the same owner, as `whose` tells from their
    /// headers, and for nobody else's.
    #[must_use]
    pub fn keeping(self, whose: fn(&HeaderMap) -> String) -> Self {
        Self { kept: Some(Kept { pool: Arc::new(Pool::new()), whose }), ..self }
    }

    /// What it believes over TLS, for protocols other than HTTP.
    pub fn tls(&self) -> Arc<rustls::ClientConfig> {
        Arc::clone(&self.config)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Answer>, Unsent> {
        let (mut head, body) = request.into_parts();
        let to = destination(&head.uri)?;
        let addresses = self.resolver.resolve(&to).await?;
        if !stays_inside(&to.host, &addresses.ips()) {
            self.resolver.check(&to, &addresses)?;
        }
        let malformed = |e: &dyn std::error::Error| Unsent(format!("the request cannot be sent: {e}"));
        let path = head.uri.path_and_query().map_or("/", |p| p.as_str());
        head.uri = path.parse().map_err(|e: http::uri::InvalidUri| malformed(&e))?;
        let host = HeaderValue::from_str(&to.authority()).map_err(|e| malformed(&e))?;
        head.headers.insert(header::HOST, host);
        let key = self.kept.as_ref().map(|kept| {
            let session = (kept.whose)(&head.headers);
            (Arc::clone(&kept.pool), Arc::new(Key { session, to: to.clone() }))
        });
        if key.is_none() {
            head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let Ok(bytes) = body.collect().await.map(http_body_util::Collected::to_bytes);
        let mut request = Request::from_parts(head, Body::full(bytes));
        let unreachable = |error: &hyper::Error| Unsent::from(Refused::unreachable(&to, &describe(error)));
        while let Some((pool, key)) = &key
            && let Some((mut sender, address)) = pool.take(key, &addresses)
        {
            if !matches!(timeout(READY, sender.ready()).await, Ok(Ok(()))) {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(answer(response, Some(lease(pool, key, sender, address)))),
                // An idle connection may die just when it is taken; what was not sent on it is sent on another.
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(unreachable(failed.error())),
                },
            }
        }
        let (tcp, address) = dial(&to, &addresses).await?;
        let mut sender = match to.scheme {
            Scheme::Http => start1(&to, tcp).await?,
            Scheme::Https => start1(&to, handshake(&self.tls, &to, tcp).await?).await?,
        };
        let response = sender.send_request(request).await.map_err(|e| unreachable(&e))?;
        Ok(answer(response, key.map(|(pool, key)| lease(&pool, &key, sender, address))))
    }
}

fn lease(pool: &Arc<Pool>, key: &Arc<Key>, sender: http1::SendRequest<Body>, address: SocketAddr) -> Lease {
    Lease { pool: Arc::clone(pool), key: Arc::clone(key), sender, address }
}

fn answer(response: Response<Incoming>, lease: Option<Lease>) -> Response<Answer> {
    response.map(|incoming| Body::streaming(incoming, lease).map_err(BoxError::from).boxed_unsync())
}

fn destination(url: &Uri) -> Result<Destination, Unsent> {
    let scheme = match url.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        _ => return Err(Unsent("only http and https addresses can be called".to_owned())),
    };
    let authority = url.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        // Not shown, as the error that every destination gives would.
        return Err(Unsent("user names and passwords do not belong into an address".to_owned()));
    }
    Destination::parse(scheme, authority).map_err(Unsent)
}

/// Whether the address itself says that it is one of the inside: it is written as a number, or its name exists nowhere
/// else. Where clouds keep their metadata is reached by number only.
fn stays_inside(host: &Host, addresses: &[IpAddr]) -> bool {
    let name = match host {
        Host::Address(_) => return true,
        Host::Name(name) => name,
    };
    let below = |domain: &str| name.strip_suffix(domain).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'));
    let inside = !name.contains('.') || INSIDE.iter().any(|domain| below(domain));
    let harmless = |ip: &IpAddr| !matches!(special(*ip), Some("cloud metadata" | "link-local"));
    inside && addresses.iter().all(harmless)
}

impl tower::Service<Request<Full<Bytes>>> for Client {
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let client = self.clone();
        Box::pin(async move { Ok(client.send(request).await?) })
    }
}

#[cfg(test)]
mod tests;

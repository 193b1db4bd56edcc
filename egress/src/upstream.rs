//! The one client of origins. Every way to a socket takes a permit.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderValue, Request, Response, Uri, Version, header, uri};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rampart_call::Permit;
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::{WantsClientCert, WebPkiServerVerifier},
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    address::Allowance,
    body::Body,
    destination::{Destination, Host, Scheme},
    pool::{Key, Lease, Pool, Protocol},
    refusal::Refused,
    resolve::Addresses,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that has just answered is ready again within one turn of its task.
const READY_TIMEOUT: Duration = Duration::from_millis(50);

/// Where a request goes, as it was judged.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) key: Arc<Key>,
    pub(crate) addresses: Addresses,
    pub(crate) protocol: Protocol,
}

impl Route {
    fn to(&self) -> &Destination {
        &self.key.to
    }
}

pub(crate) struct Upstream {
    pool: Arc<Pool>,
    usual: Offers,
    /// To these we say who we are.
    known: Vec<(Allowance, Offers)>,
}

/// What to show to origins that want to know who we are.
pub struct ClientCertificate {
    /// To which origins: a host or `*.host`, and to nobody else.
    pub host: Allowance,
    /// The certificate first, then those above it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

/// One configuration of TLS, by what it offers to speak.
struct Offers {
    http1_only: TlsConnector,
    http2_only: TlsConnector,
    either: TlsConnector,
}

impl Offers {
    fn of(base: &ClientConfig) -> Self {
        let offering = |protocols: &[&[u8]]| {
            let mut config = base.clone();
            config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
            TlsConnector::from(Arc::new(config))
        };
        Self {
            http1_only: offering(&[b"http/1.1"]),
            http2_only: offering(&[b"h2"]),
            either: offering(&[b"h2", b"http/1.1"]),
        }
    }
}

impl Upstream {
    /// A client that believes `roots` and nobody else, and no certificate that `crls` name.
    pub(crate) fn new(
        roots: Vec<CertificateDer<'static>>,
        crls: Vec<CertificateRevocationListDer<'static>>,
        certificates: Vec<ClientCertificate>,
    ) -> Result<Self, rustls::Error> {
        let known = certificates.into_iter().map(|ClientCertificate { host, chain, key }| {
            let config = verifying(roots.clone(), crls.clone())?.with_client_auth_cert(chain, key)?;
            Ok((host, Offers::of(&config)))
        });
        let known = known.collect::<Result<_, rustls::Error>>()?;
        Ok(Self { pool: Arc::new(Pool::new()), usual: Offers::of(&believing(roots, crls)?), known })
    }

    fn offers(&self, to: &Destination) -> &Offers {
        self.known.iter().find(|(host, _)| host.names(&to.host)).map_or(&self.usual, |(_, offers)| offers)
    }

    /// Finds out which version the origin takes when the client offers HTTP/2, by opening the connection that will be
    /// used, unless the answer is known. `also_http1` says whether the client speaks that too.
    pub(crate) async fn negotiate(
        &self,
        _permit: Permit,
        key: &Arc<Key>,
        addresses: &Addresses,
        also_http1: bool,
    ) -> Result<Protocol, Refused> {
        match self.pool.chosen(key) {
            Some(Protocol::Http1) if also_http1 => return Ok(Protocol::Http1),
            Some(Protocol::Http2) if self.pool.share(key, addresses).is_some() => return Ok(Protocol::Http2),
            _ => {}
        }
        let (tcp, address) = dial(&key.to, addresses).await?;
        let offers = self.offers(&key.to);
        let tls = handshake(if also_http1 { &offers.either } else { &offers.http2_only }, &key.to, tcp).await?;
        let protocol = match tls.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        match protocol {
            Protocol::Http1 => self.pool.put(key, start1(&key.to, tls).await?, address),
            Protocol::Http2 => self.pool.put_shared(key, start2(&key.to, tls).await?, address),
        }
        if also_http1 {
            self.pool.remember(key, Some(protocol));
        }
        Ok(protocol)
    }

    /// Sends a request whose headers are clean and whose URI is the canonical one.
    pub(crate) async fn send(
        &self,
        _permit: Permit,
        route: &Route,
        request: Request<Body>,
    ) -> Result<Response<Body>, Refused> {
        match route.protocol {
            Protocol::Http1 => self.send1(route, request).await,
            Protocol::Http2 => self.send2(route, request).await,
        }
    }

    async fn send1(&self, route: &Route, mut request: Request<Body>) -> Result<Response<Body>, Refused> {
        let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let target = path.parse::<Uri>().map_err(|e| Refused::malformed(e.to_string()))?;
        *request.uri_mut() = target;
        *request.version_mut() = Version::HTTP_11;
        let host = HeaderValue::from_str(&route.to().authority()).map_err(|e| Refused::malformed(e.to_string()))?;
        request.headers_mut().insert(header::HOST, host);
        if let Some(proxy) = route.addresses.via.as_ref().filter(|proxy| proxy.takes_whole(route.to())) {
            let whole = format!("http://{}{}", route.to().authority(), request.uri());
            *request.uri_mut() = whole.parse().map_err(|e: uri::InvalidUri| Refused::malformed(e.to_string()))?;
            if let Some(value) = proxy.authorization() {
                request.headers_mut().insert(header::PROXY_AUTHORIZATION, value);
            }
        }
        // An idle connection may die just when it is taken. What was not sent on it can be sent again; so can what has
        // no body and no effect.
        while let Some((mut sender, address)) = self.pool.take(&route.key, &route.addresses) {
            if !matches!(timeout(READY_TIMEOUT, sender.ready()).await, Ok(Ok(()))) {
                continue;
            }
            let again = repeatable(&request);
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.leased(route, sender, address, response)),
                Err(mut e) => match e.take_message().or(again) {
                    Some(unsent) => request = unsent,
                    None => return Err(Refused::unreachable(route.to(), &describe(e.error()))),
                },
            }
        }
        // Boxed: a request that finds a connection need not carry the room for opening one.
        let (mut sender, address) = Box::pin(self.open1(route)).await?;
        let response = sender.send_request(request).await;
        let response = response.map_err(|e| Refused::unreachable(route.to(), &describe(&e)))?;
        Ok(self.leased(route, sender, address, response))
    }

    /// Opens a connection for HTTP/1.
    async fn open1(&self, route: &Route) -> Result<(http1::SendRequest<Body>, SocketAddr), Refused> {
        let (tcp, address) = dial(route.to(), &route.addresses).await?;
        let sender = match route.to().scheme {
            Scheme::Http => start1(route.to(), tcp).await?,
            Scheme::Https => {
                start1(route.to(), handshake(&self.offers(route.to()).http1_only, route.to(), tcp).await?).await?
            }
        };
        Ok((sender, address))
    }

    fn leased(
        &self,
        route: &Route,
        sender: http1::SendRequest<Body>,
        address: SocketAddr,
        response: Response<Incoming>,
    ) -> Response<Body> {
        let lease = (response.status() != http::StatusCode::SWITCHING_PROTOCOLS).then(|| Lease {
            pool: Arc::clone(&self.pool),
            key: Arc::clone(&route.key),
            sender,
            address,
        });
        response.map(|incoming| Body::streaming(incoming, lease))
    }

    /// Opens a connection for HTTP/2.
    async fn open2(&self, route: &Route) -> Result<(http2::SendRequest<Body>, SocketAddr), Refused> {
        let (tcp, address) = dial(route.to(), &route.addresses).await?;
        let tls = handshake(&self.offers(route.to()).http2_only, route.to(), tcp).await?;
        Ok((start2(route.to(), tls).await?, address))
    }

    async fn send2(&self, route: &Route, mut request: Request<Body>) -> Result<Response<Body>, Refused> {
        let path = request.uri().path_and_query().cloned();
        let uri = Uri::builder()
            .scheme(uri::Scheme::HTTPS)
            .authority(route.to().authority())
            .path_and_query(path.unwrap_or_else(|| uri::PathAndQuery::from_static("/")))
            .build();
        *request.uri_mut() = uri.map_err(|e| Refused::malformed(e.to_string()))?;
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove(header::HOST);
        let mut sender = if let Some(sender) = self.pool.share(&route.key, &route.addresses) {
            sender
        } else {
            let (sender, address) = Box::pin(self.open2(route)).await?;
            self.pool.put_shared(&route.key, sender.clone(), address);
            sender
        };
        match sender.send_request(request).await {
            Ok(response) => Ok(response.map(|incoming| Body::streaming(incoming, None))),
            Err(e) => Err(Refused::unreachable(route.to(), &describe(&e))),
        }
    }
}

/// TLS that believes `roots` and nobody else, and no certificate that `crls` name.
pub(crate) fn believing(
    roots: Vec<CertificateDer<'static>>,
    crls: Vec<CertificateRevocationListDer<'static>>,
) -> Result<ClientConfig, rustls::Error> {
    Ok(verifying(roots, crls)?.with_no_client_auth())
}

fn verifying(
    roots: Vec<CertificateDer<'static>>,
    crls: Vec<CertificateRevocationListDer<'static>>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let mut store = RootCertStore::empty();
    let (taken, ignored) = store.add_parsable_certificates(roots);
    tracing::debug!(taken, ignored, "roots for origins");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    // Where nobody is believed, nobody is revoked either, and the verifier is not made.
    if crls.is_empty() || store.is_empty() {
        return Ok(config.with_root_certificates(store));
    }
    // Of authorities without a list nothing is known, and what an old list names is revoked all the same.
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
        .with_crls(crls)
        .allow_unknown_revocation_status()
        .build()
        .map_err(|e| rustls::Error::General(e.to_string()))?;
    Ok(config.with_webpki_verifier(verifier))
}

/// A copy of a request that may be sent twice (RFC 9110 section 9.2.2) and has no body.
fn repeatable(request: &Request<Body>) -> Option<Request<Body>> {
    use http_body::Body as _;
    (request.method().is_safe() && request.body().is_end_stream()).then(|| {
        let mut copy = Request::new(Body::empty());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = request.headers().clone();
        copy
    })
}

/// Connects to the first of the judged addresses that answers.
pub(crate) async fn dial(to: &Destination, addresses: &Addresses) -> Result<(TcpStream, SocketAddr), Refused> {
    let mut last = "the name has no address".to_owned();
    let dialled = timeout(CONNECT_TIMEOUT, async {
        for (i, &address) in addresses.list.iter().enumerate() {
            // One address that swallows packets must not use up the time of the others.
            let patience = if i + 1 == addresses.list.len() { CONNECT_TIMEOUT } else { ATTEMPT_TIMEOUT };
            match timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => return Some((tcp, address)),
                Ok(Err(e)) => last = format!("{address}: {e}"),
                Err(_) => last = format!("{address}: no answer"),
            }
        }
        None
    })
    .await;
    match dialled {
        Ok(Some((mut tcp, address))) => {
            if let Some(proxy) = addresses.via.as_ref().filter(|proxy| !proxy.takes_whole(to)) {
                match timeout(CONNECT_TIMEOUT, proxy.open(&mut tcp, to)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(why)) => return Err(Refused::unreachable(to, &why)),
                    Err(_) => return Err(Refused::timed_out(to, "the upstream proxy")),
                }
            }
            // Without it, small writes of a handshake wait for the other side's delayed acknowledgement.
            let _ = tcp.set_nodelay(true);
            Ok((tcp, address))
        }
        Ok(None) => Err(Refused::unreachable(to, &last)),
        Err(_) => Err(Refused::timed_out(to, "opening the connection")),
    }
}

pub(crate) async fn handshake(
    connector: &TlsConnector,
    to: &Destination,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, Refused> {
    let name = match &to.host {
        Host::Address(address) => ServerName::from(*address),
        Host::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|e| Refused::unverified(to, &format!("its name: {e}")))?
        }
    };
    match timeout(HANDSHAKE_TIMEOUT, connector.connect(name, tcp)).await {
        Ok(Ok(tls)) => Ok(tls),
        Ok(Err(e)) => Err(tls_refused(to, &e)),
        Err(_) => Err(Refused::timed_out(to, "TLS handshake")),
    }
}

fn tls_refused(to: &Destination, error: &io::Error) -> Refused {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => Refused::unverified(to, &why.to_string()),
        _ => Refused::unreachable(to, &format!("TLS: {error}")),
    }
}

pub(crate) async fn start1<IO>(to: &Destination, io: IO) -> Result<http1::SendRequest<Body>, Refused>
where
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let started = http1::Builder::new().max_headers(256).handshake(TokioIo::new(io)).await;
    let (sender, connection) = started.map_err(|e| Refused::unreachable(to, &describe(&e)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "connection to an origin ended");
        }
    });
    Ok(sender)
}

async fn start2(to: &Destination, tls: TlsStream<TcpStream>) -> Result<http2::SendRequest<Body>, Refused> {
    let started = http2::Builder::new(TokioExecutor::new()).timer(TokioTimer::new()).handshake(TokioIo::new(tls)).await;
    let (sender, connection) = started.map_err(|e| Refused::unreachable(to, &describe(&e)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to an origin ended");
        }
    });
    Ok(sender)
}

/// An error with its causes, on one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(&format!(": {e}"));
        cause = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_roots_is_one_that_believes_nobody() {
        assert!(believing(Vec::new(), Vec::new()).is_ok());
        assert!(believing(Vec::new(), vec![b"0".to_vec().into()]).is_ok());
    }
}

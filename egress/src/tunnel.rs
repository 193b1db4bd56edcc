//! CONNECT, and what else opens a way to one destination: what is inside is not tunnelled but read. TLS is ended here under a minted certificate, and the requests in
//! it are judged one by one. Whatever is neither TLS nor HTTP/1 is refused.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rampart_call::{Action, Call, Origin, Permit, Phase};
use rustls::{
    ServerConfig,
    server::{Acceptor, ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use crate::{
    body::Body,
    destination::{Destination, Host, Scheme},
    exchange, passthrough,
    pool::{Key, Protocol},
    proxy::{Connection, Proxy, Scope, Slot, http1, http2},
    refusal::Refused,
    resolve::Addresses,
    strict::Strict,
    upstream::Route,
};

/// Longer than any ClientHello, with post-quantum keys and resumption.
const MAX_HELLO: usize = 64 * 1024;

/// A connection through which one destination is reached, or one that only says why not.
pub(crate) struct Tunnel {
    pub(crate) origin: Origin,
    pub(crate) to: Destination,
    pub(crate) route: Result<Route, Refused>,
}

/// A tunnel whose content has not been looked at.
pub(crate) struct Opened {
    pub(crate) origin: Origin,
    pub(crate) to: Destination,
    way: Result<(Permit, Addresses), Refused>,
}

impl Opened {
    /// Asks whether the destination may be reached at all.
    pub(crate) async fn judge(proxy: &Proxy, origin: Origin, to: Destination) -> Self {
        Self { way: judge(proxy, &origin, &to).await, origin, to }
    }
}

/// What all intercepted connections share: resumption of sessions, and the cryptography.
pub(crate) fn interception() -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Nobody));
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

/// Stands in until the destination is known.
#[derive(Debug)]
struct Nobody;

impl ResolvesServerCert for Nobody {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// The configuration with which one host is played.
pub(crate) fn showing(common: &ServerConfig, leaf: Arc<CertifiedKey>, protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let mut config = common.clone();
    config.cert_resolver = Arc::new(Always(leaf));
    config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
    Arc::new(config)
}

/// A connection of any kind.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

/// Answers a CONNECT. A refusal is not told here, where most clients show nobody its reason, but inside, as the answer
/// to the first request.
pub(crate) async fn open(connection: &Connection, mut request: Request<Incoming>) -> Result<Response<Body>, Refused> {
    let proxy = connection.proxy();
    let origin = connection.slot.origin(request.headers())?;
    let authority = request.uri().authority().map_or("", http::uri::Authority::as_str);
    let to = Destination::parse_connect(authority).map_err(Refused::malformed)?;
    host_agrees(request.headers(), &to)?;
    let opened = Opened::judge(proxy, origin, to).await;
    let mut response = Response::new(Body::empty());
    if opened.way.is_err() {
        response.headers_mut().insert("x-rampart-decision", HeaderValue::from_static("deny"));
    }
    start(Arc::clone(&connection.slot), hyper::upgrade::on(&mut request), opened);
    Ok(response)
}

/// Clients write the port there or leave it out.
fn host_agrees(headers: &HeaderMap, to: &Destination) -> Result<(), Refused> {
    let Some(host) = headers.get(header::HOST) else { return Ok(()) };
    let host = String::from_utf8_lossy(host.as_bytes());
    let said = Destination::parse(Scheme::Https, &host).map_err(Refused::malformed)?;
    let port_agrees = said.port == to.port || said.port == 443;
    if said.host == to.host && port_agrees { Ok(()) } else { Err(Refused::mismatch(&host, to)) }
}

async fn judge(proxy: &Proxy, origin: &Origin, to: &Destination) -> Result<(Permit, Addresses), Refused> {
    let connect = |addresses| {
        let action = Action::Connect { host: to.host.text(), port: to.port, addresses };
        Call { origin: origin.clone(), phase: Phase::Before, action, response: None }
    };
    let found = proxy.look_up(to, || connect(Vec::new())).await;
    let addresses = found.as_ref().and_then(|found| Some(found.as_ref().ok()?.ips()));
    let call = connect(addresses.unwrap_or_default());
    let action = call.action.clone();
    // Also for a name without an address: the attempt is on record, and a rule about the name comes first.
    let permit = proxy.judge(call).await?;
    let resolved = match found {
        Some(found) => found,
        None => proxy.resolver.resolve(to).await,
    };
    match resolved.and_then(|addresses| proxy.resolver.check(to, &addresses).map(|()| addresses)) {
        Ok(addresses) => Ok((permit, addresses)),
        Err(refused) => {
            exchange::record_failure(proxy, origin, action, &refused).await;
            Err(refused)
        }
    }
}

fn start(slot: Arc<Slot>, upgrade: hyper::upgrade::OnUpgrade, opened: Opened) {
    let proxy = Arc::clone(&slot.proxy);
    proxy.tasks.spawn(async move {
        let to = opened.to.clone();
        if let Err(error) = run(slot, upgrade, opened).await {
            tracing::debug!(%to, error, "a tunnel ended before its first request");
        }
    });
}

async fn run(slot: Arc<Slot>, upgrade: hyper::upgrade::OnUpgrade, opened: Opened) -> Result<(), String> {
    let limit = slot.proxy.limits.handshake_time;
    let upgraded = timeout(limit, upgrade).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
    match upgraded.downcast::<TokioIo<Strict<TcpStream>>>() {
        Ok(parts) => look(slot, parts.io.into_inner().into_raw(&parts.read_buf), opened).await,
        // A stream of HTTP/2, or a client that speaks TLS with us.
        Err(upgraded) => inside(slot, TokioIo::new(upgraded), opened).await,
    }
}

/// Serves what comes after a tunnel was opened.
pub(crate) async fn inside<IO: Io>(slot: Arc<Slot>, io: IO, opened: Opened) -> Result<(), String> {
    let limits = slot.proxy.head_limits();
    let io: Box<dyn Io> = Box::new(io);
    look(slot, Strict::new(io, limits).into_raw(&[]), opened).await
}

pub(crate) async fn look<IO: Io>(slot: Arc<Slot>, mut io: Strict<IO>, opened: Opened) -> Result<(), String> {
    if slot.proxy.passes_through(&opened.to) {
        return passthrough::run(&slot.proxy, io, opened.origin, opened.to, opened.way).await;
    }
    let limit = slot.proxy.limits.handshake_time;
    match timeout(limit, io.peek()).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())? {
        Some(0x16) => Box::pin(intercept(slot, io, opened)).await,
        Some(b'A'..=b'Z') => {
            plain(slot, io, opened).await;
            Ok(())
        }
        Some(_) => Err("neither TLS nor HTTP was spoken in it".to_owned()),
        None => Ok(()),
    }
}

/// HTTP without TLS in a tunnel, as some clients send all they have.
async fn plain<IO: Io>(slot: Arc<Slot>, io: Strict<IO>, opened: Opened) {
    let to = Destination { scheme: Scheme::Http, ..opened.to };
    let route = opened.way.map(|(_, addresses)| Route {
        key: Arc::new(Key { session: session(&opened.origin), to: to.clone() }),
        addresses,
        protocol: Protocol::Http1,
    });
    let scope = Scope::Tunnel(Box::new(Tunnel { origin: opened.origin, to, route }));
    let strict = Strict::new(io, slot.proxy.head_limits());
    http1(strict, scope, slot).await;
}

async fn intercept<IO: Io>(slot: Arc<Slot>, io: Strict<IO>, opened: Opened) -> Result<(), String> {
    let proxy = Arc::clone(&slot.proxy);
    let limit = proxy.limits.handshake_time;
    let hello = LazyConfigAcceptor::new(Acceptor::default(), io);
    let hello = timeout(limit, hello).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
    let offer = Offer::read(&hello.client_hello());
    let Opened { origin, to, way } = opened;
    let key = Arc::new(Key { session: session(&origin), to: to.clone() });
    let mut shown = to.host.clone();
    let route = match way {
        Err(refused) => Err(refused),
        Ok((permit, addresses)) => {
            let protocol = if !name_agrees(offer.name.as_deref(), &to.host) {
                let said = offer.name.as_deref().unwrap_or("nothing (no SNI)");
                // The certificate that lets this client read the reason is one for the name it believes in.
                shown = Host::parse(said).unwrap_or(shown);
                Err(Refused::mismatch(said, &to))
            } else if offer.http2 {
                proxy.upstream.negotiate(permit, &key, &addresses, offer.http1).await
            } else {
                Ok(Protocol::Http1)
            };
            if let Err(refused) = &protocol {
                let action = Action::Connect { host: to.host.text(), port: to.port, addresses: addresses.ips() };
                exchange::record_failure(&proxy, &origin, action, refused).await;
            }
            protocol.map(|protocol| Route { key, addresses, protocol })
        }
    };
    let protocols: &[&[u8]] = match &route {
        Ok(Route { protocol: Protocol::Http2, .. }) => &[b"h2"],
        Ok(Route { protocol: Protocol::Http1, .. }) if offer.http1 || offer.http2 => &[b"http/1.1"],
        Err(_) if offer.http1 || offer.http2 => &[b"http/1.1", b"h2"],
        _ => &[],
    };
    let leaf = proxy.authority.leaf(&shown.text()).map_err(|e| e.to_string())?;
    let config = showing(&proxy.interception, leaf, protocols);
    let tls = timeout(limit, hello.into_stream(config)).await.map_err(|e| e.to_string())?;
    let tls: TlsStream<_> = tls.map_err(|e| e.to_string())?;
    let http2_chosen = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    let scope = Scope::Tunnel(Box::new(Tunnel { origin, to, route }));
    if http2_chosen {
        http2(tls, scope, slot).await;
    } else {
        let strict = Strict::new(tls, proxy.head_limits());
        http1(strict, scope, slot).await;
    }
    Ok(())
}

/// The name that the client's first message asks for; the message stays to be read.
pub(crate) async fn name_asked<IO: Io>(io: &mut Strict<IO>) -> Result<Option<String>, String> {
    let (mut acceptor, mut fed) = (Acceptor::default(), 0);
    loop {
        let mut fresh = io.seen().get(fed..).unwrap_or_default();
        fed += fresh.len();
        while !fresh.is_empty() {
            acceptor.read_tls(&mut fresh).map_err(|e| e.to_string())?;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted.client_hello().server_name().map(str::to_owned)),
            Ok(None) if fed > MAX_HELLO => return Err("the first message of TLS is too long".to_owned()),
            Ok(None) => {
                if io.fill().await.map_err(|e| e.to_string())? == 0 {
                    return Err("the first message of TLS broke off".to_owned());
                }
            }
            Err((e, _)) => return Err(e.to_string()),
        }
    }
}

/// What the client's first message says of itself.
struct Offer {
    name: Option<String>,
    http1: bool,
    http2: bool,
}

impl Offer {
    fn read(hello: &ClientHello<'_>) -> Self {
        let protocols: Vec<&[u8]> = hello.alpn().into_iter().flatten().collect();
        Self {
            name: hello.server_name().map(str::to_owned),
            http1: protocols.contains(&&b"http/1.1"[..]),
            http2: protocols.contains(&&b"h2"[..]),
        }
    }
}

/// SNI carries names only (RFC 6066 section 3): for an address there is none, for a name it must be there.
fn name_agrees(name: Option<&str>, host: &Host) -> bool {
    match (name, host) {
        (None, Host::Address(_)) => true,
        (Some(name), host) => Host::parse(name).is_ok_and(|said| said == *host),
        (None, Host::Name(_)) => false,
    }
}

pub(crate) fn session(origin: &Origin) -> String {
    format!("{}\n{}", origin.agent, origin.session)
}

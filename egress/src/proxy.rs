//! What all connections share, and how each is served.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method, Request, Response, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rampart_call::{Call, Gate, Origin, Outcome, Permit, Surface, Verdict};
use rampart_certs::Authority;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    body::Body,
    credentials::Credentials,
    destination::{Destination, Host},
    dns, doors,
    entrance::{Door, enter, nobody},
    exchange,
    options::{Identify, Limits, Options},
    pac,
    passthrough::Passthrough,
    refusal::{Form, Refused},
    resolve::{Addresses, Resolver},
    sources::Sources,
    stall::{self, Taking},
    strict::{HeadLimits, Hold, Strict},
    tunnel::{self, Tunnel},
    upstream::Upstream,
};

/// Why the proxy could not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The TLS library refused its configuration.
    #[error("could not set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The listener is broken.
    #[error("could not accept connections for the egress proxy: {0}")]
    Accept(#[from] io::Error),
}

pub(crate) struct Proxy {
    pub(crate) gate: Arc<dyn Gate>,
    identify: Identify,
    sources_known: Sources,
    pub(crate) authority: Arc<Authority>,
    pub(crate) interception: rustls::ServerConfig,
    pub(crate) resolver: Resolver,
    pub(crate) upstream: Upstream,
    passthrough: Vec<Passthrough>,
    pub(crate) credentials: Credentials,
    block_page: Option<String>,
    /// Where it listens.
    pub(crate) at: SocketAddr,
    pub(crate) limits: Limits,
    /// By which it recognises its own requests when they come back.
    pub(crate) name: String,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    sources: Mutex<HashMap<IpAddr, usize>>,
}

/// Serves clients of `listener` until `shutdown`, then lets what is going on end for a while.
///
/// # Errors
/// When TLS cannot be set up or the listener breaks.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    gate: Arc<dyn Gate>,
    shutdown: CancellationToken,
) -> Result<(), Fault> {
    let doors = [Some(&listener), options.transparent.as_ref()];
    let own = doors.into_iter().flatten().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
    let mut roots = rampart_certs::system_roots();
    roots.extend(options.upstream_ca);
    let drain_time = options.limits.drain_time;
    let slots = Arc::new(Semaphore::new(options.limits.connections.min(Semaphore::MAX_PERMITS)));
    let proxy = Arc::new(Proxy {
        gate,
        identify: options.identify,
        sources_known: options.sources,
        interception: tunnel::interception()?,
        authority: options.authority,
        resolver: Resolver::new(options.resolve, options.allow_private, own)
            .through(options.upstream_proxy)
            .asking(&options.dns)?,
        block_page: options.block_page,
        at: listener.local_addr()?,
        upstream: Upstream::new(roots, options.upstream_crls, options.client_certificates)?,
        passthrough: options.passthrough,
        credentials: options.credentials.not_for(options.unidentified),
        limits: options.limits,
        name: own_name()?,
        tasks: TaskTracker::new(),
        shutdown: shutdown.clone(),
        sources: Mutex::default(),
    });
    let redirected = async {
        if let Some(listener) = &options.transparent {
            listen(&proxy, listener, Door::Redirected, None, &slots).await;
        }
    };
    let names = async {
        if let Some(names) = options.names {
            dns::serve(&proxy, names, None).await;
        }
    };
    let handed = async {
        if let Some(handed) = options.doors {
            doors::serve(&proxy, handed, &slots).await;
        }
    };
    tokio::join!(listen(&proxy, &listener, Door::Known, None, &slots), redirected, names, handed);
    proxy.tasks.close();
    let _ = tokio::time::timeout(drain_time, proxy.tasks.wait()).await;
    Ok(())
}

/// Accepts connections until the proxy is told to stop. `resident` is who they are from, where it is known from that they
/// came here.
pub(crate) async fn listen(
    proxy: &Arc<Proxy>,
    listener: &TcpListener,
    door: Door,
    resident: Option<&Arc<Origin>>,
    slots: &Arc<Semaphore>,
) {
    loop {
        // A slot first: beyond the limit, clients wait in the listener's queue.
        let accepted = tokio::select! {
            () = proxy.shutdown.cancelled() => return,
            accepted = accept(listener, slots) => accepted,
        };
        let (tcp, peer, place) = match accepted {
            Ok(accepted) => accepted,
            Err(e) if is_of_one_connection(&e) => continue,
            // Out of descriptors: those that end make room.
            Err(e) => {
                tracing::error!(error = %e, "could not accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(slot) = Slot::take(proxy, peer.ip(), resident.cloned(), place) else { continue };
        let _ = tcp.set_nodelay(true);
        stall::bound(&tcp, proxy.limits.answer_time);
        proxy.tasks.spawn(enter(tcp, door, Arc::new(slot)));
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (tcp, peer) = listener.accept().await?;
    Ok((tcp, peer, place))
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn own_name() -> io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(format!("rampart-{:016x}", u64::from_ne_bytes(random)))
}

/// A client's place among the connections; given back when its last task ends.
pub(crate) struct Slot {
    pub(crate) proxy: Arc<Proxy>,
    source: IpAddr,
    resident: Option<Arc<Origin>>,
    _place: OwnedSemaphorePermit,
}

impl Slot {
    fn take(
        proxy: &Arc<Proxy>,
        source: IpAddr,
        resident: Option<Arc<Origin>>,
        place: OwnedSemaphorePermit,
    ) -> Option<Self> {
        let mut sources = proxy.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let count = sources.entry(source).or_default();
        if *count >= proxy.limits.connections_per_source {
            tracing::warn!(%source, "too many connections from one address");
            return None;
        }
        *count += 1;
        drop(sources);
        Some(Self { proxy: Arc::clone(proxy), source, resident, _place: place })
    }

    /// Whose request it is: the resident's behind a door of its own; else whose the credentials in it are (RFC 7617); else who
    /// comes from there.
    pub(crate) fn origin(&self, headers: &HeaderMap) -> Result<Origin, Refused> {
        match (&self.resident, self.proxy.from(self.source)) {
            (Some(resident), _) => Ok(self.proxy.within(resident, headers)),
            (None, Some(origin)) if !headers.contains_key(header::PROXY_AUTHORIZATION) => Ok(origin),
            _ => self.proxy.origin(headers),
        }
    }

    /// Whose connection it is, by a user name and password, or without.
    pub(crate) fn known(&self, credentials: Option<(&str, &str)>) -> Option<Origin> {
        match (&self.resident, self.proxy.from(self.source)) {
            (Some(resident), _) => Some(Origin::clone(resident)),
            (None, Some(origin)) if credentials.is_none() => Some(origin),
            _ => self.proxy.known(credentials),
        }
    }

    /// Whether it came through the doors of a session.
    pub(crate) fn is_resident(&self) -> bool {
        self.resident.is_some()
    }

    /// Whose connection it is that says nothing of that.
    pub(crate) fn silent(&self) -> Origin {
        match &self.resident {
            Some(resident) => Origin::clone(resident),
            None => self.proxy.from(self.source).unwrap_or_else(nobody),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut sources = self.proxy.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = sources.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                sources.remove(&self.source);
            }
        }
    }
}

/// What the requests of one connection are about.
pub(crate) enum Scope {
    /// Each names its own destination.
    Forward,
    /// All go to where the tunnel was opened to.
    Tunnel(Box<Tunnel>),
    /// Each names its host, and believes to have reached it at this address.
    Redirected { address: Host, port: u16 },
}

pub(crate) struct Connection {
    pub(crate) scope: Scope,
    pub(crate) hold: Hold,
    pub(crate) slot: Arc<Slot>,
    /// How the client takes its answers, where the socket alone does not tell (HTTP/2).
    taking: Option<Arc<Taking>>,
    /// Whose last request went where, where each request says that.
    latest: Mutex<Option<(Origin, Destination)>>,
}

impl Connection {
    fn new(scope: Scope, hold: Hold, taking: Option<Arc<Taking>>, slot: Arc<Slot>) -> Arc<Self> {
        Arc::new(Self { scope, hold, slot, taking, latest: Mutex::default() })
    }

    /// Notes whom a request is from and where it goes.
    pub(crate) fn note(&self, origin: &Origin, to: &Destination) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((origin.clone(), to.clone()));
    }

    /// Whom the last request is from, and where it went.
    pub(crate) fn latest(&self) -> Option<(Origin, Destination)> {
        match &self.scope {
            Scope::Tunnel(tunnel) => Some((tunnel.origin.clone(), tunnel.to.clone())),
            _ => self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    pub(crate) fn proxy(&self) -> &Arc<Proxy> {
        &self.slot.proxy
    }

    /// Answers one request. Boxed, because a CONNECT leads to connections whose requests come here again.
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(async move {
            let form = Form::of(request.headers());
            let connect = request.method() == Method::CONNECT;
            let answered = match (&self.scope, connect) {
                (Scope::Forward, true) => tunnel::open(&self, request).await,
                (Scope::Forward, _) if request.uri().scheme().is_none() && request.uri().path() == pac::PATH => {
                    Ok(pac::served(self.proxy().at))
                }
                _ => exchange::run(&self, request).await,
            };
            let response = answered.unwrap_or_else(|refused| {
                tracing::debug!(code = refused.code(), message = refused.message(), "refused");
                refused.response(form, self.proxy().block_page.as_deref())
            });
            let status = response.status();
            self.hold.decide(status == http::StatusCode::SWITCHING_PROTOCOLS || (connect && status.is_success()));
            match &self.taking {
                Some(taking) => response.map(|body| body.watched(taking)),
                None => response,
            }
        })
    }
}

impl Proxy {
    pub(crate) fn head_limits(&self) -> HeadLimits {
        HeadLimits { size: self.limits.head_size, time: self.limits.head_time, body_time: self.limits.body_time }
    }

    /// Asks the gate. A question cannot be put to anyone here, so it is a denial.
    pub(crate) fn judge(&self, call: Call) -> impl Future<Output = Result<Permit, Refused>> {
        let verdict = self.gate.judge(call);
        async { permitted(verdict.await) }
    }

    /// The addresses of a destination; none where rules refuse its name as such, so that nobody is told a name that must not
    /// be contacted, whatever stands in its labels. `unseen` is the call as it is without them.
    pub(crate) async fn look_up(
        &self,
        to: &Destination,
        unseen: impl FnOnce() -> Call,
    ) -> Option<Result<Addresses, Refused>> {
        let refused = |call: &Call| self.gate.preview(call).is_some_and(|would| would.outcome == Outcome::Deny);
        if matches!(to.host, Host::Name(_)) && refused(&unseen()) {
            return None;
        }
        Some(self.resolver.resolve(to).await)
    }

    /// Who comes from this address.
    pub(crate) fn from(&self, source: IpAddr) -> Option<Origin> {
        self.sources_known.at(source).cloned()
    }

    /// Whose request it is, by the credentials in it (RFC 7617).
    fn origin(&self, headers: &HeaderMap) -> Result<Origin, Refused> {
        let credentials = headers.get(header::PROXY_AUTHORIZATION).map(|given| {
            // What cannot be read is as good as wrong.
            let (scheme, encoded) = given.to_str().ok()?.split_once(' ')?;
            let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
            let pair = String::from_utf8(decoded).ok()?;
            pair.split_once(':').map(|(session, token)| (session.to_owned(), token.to_owned()))
        });
        let found = match &credentials {
            None => self.known(None),
            Some(None) => self.known(Some(("", ""))),
            Some(Some((session, token))) => self.known(Some((session, token))),
        };
        found.ok_or_else(Refused::unknown_session)
    }

    /// Whose request it is behind the door of `resident`: theirs, or that of an MCP server in the same session.
    fn within(&self, resident: &Origin, headers: &HeaderMap) -> Origin {
        let named = headers.contains_key(header::PROXY_AUTHORIZATION).then(|| self.origin(headers).ok()).flatten();
        let own = named.filter(|named| named.session == resident.session && named.agent == resident.agent);
        Origin { server: own.and_then(|own| own.server), ..resident.clone() }
    }

    /// Whose connection it is, by a user name and password, or without.
    fn known(&self, credentials: Option<(&str, &str)>) -> Option<Origin> {
        let origin = (self.identify)(credentials)?;
        Some(Origin { surface: Surface::Egress, can_ask: false, ..origin })
    }

    /// Whether what is sent there is nobody's business.
    pub(crate) fn passes_through(&self, to: &Destination) -> bool {
        self.passthrough.iter().any(|place| place.covers(to))
    }
}

/// The permit in a verdict, or the refusal.
pub(crate) fn permitted(verdict: Verdict) -> Result<Permit, Refused> {
    match verdict {
        Verdict::Allow(permit) => Ok(permit),
        Verdict::Ask(question) => Err(Refused::Denied(Box::new(question.judgement))),
        Verdict::Deny(refusal) => Err(Refused::Denied(Box::new(refusal.judgement))),
    }
}

/// Serves HTTP/1 on a connection until it ends.
pub(crate) async fn http1<IO>(io: Strict<IO>, scope: Scope, slot: Arc<Slot>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Connection::new(scope, io.hold(), None, slot);
    let shutdown = connection.proxy().shutdown.clone();
    let service = service_fn(|request| {
        let answer = Arc::clone(&connection).answer(request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    // The deadline of a head is kept by `Strict`, which knows an idle connection from a slow one.
    builder.timer(TokioTimer::new()).header_read_timeout(None).max_headers(256).auto_date_header(false);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(io), service).with_upgrades());
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a client's connection ended");
        stall::record_if_cause(&error, &connection).await;
    }
}

/// Serves HTTP/2 on a connection until it ends.
pub(crate) async fn http2<IO>(io: IO, scope: Scope, slot: Arc<Slot>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let taking = Arc::new(Taking::default());
    let connection = Connection::new(scope, Hold::default(), Some(Arc::clone(&taking)), slot);
    let proxy = Arc::clone(connection.proxy());
    let service = service_fn(|request| {
        let answer = Arc::clone(&connection).answer(request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).max_concurrent_streams(proxy.limits.streams).auto_date_header(false);
    builder.max_header_list_size(u32::try_from(proxy.limits.head_size).unwrap_or(u32::MAX));
    let mut serving = pin!(builder.serve_connection(TokioIo::new(io), service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = proxy.shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
        () = taking.stalls(proxy.limits.answer_time) => return stall::record(&connection).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a client's connection ended");
        stall::record_if_cause(&error, &connection).await;
    }
}

//! Where clients come in: who is let in, and which server is meant.

use std::{collections::BTreeMap, convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::LengthLimitError;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
    time::{interval, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tower::BoxError;

use super::{
    Body, Failed, Front, Limits, Processes,
    access::{Access, stranger},
    collected,
    headers::SESSION,
    is, json, key,
    legacy::Legacy,
    oauth,
    whose::Caller,
};
use crate::{message, orphans};

/// How often it is looked for sessions that nobody uses any more.
const SWEEP: Duration = Duration::from_secs(15);
/// How long what servers have left behind may take to end when everything does.
const ORPHANS: Duration = Duration::from_millis(500);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The servers behind one listener, by the paths of their endpoints.
#[derive(Default)]
pub struct Endpoints {
    places: BTreeMap<String, Endpoint>,
    access: Access,
    /// What clients have before the paths; without it, the address that is listened to.
    public: Option<String>,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    legacy: Arc<Legacy>,
}

/// One server.
#[derive(Debug, Clone)]
pub(super) enum Endpoint {
    Front(Arc<Front>),
    Processes(Arc<Processes>),
}

/// What a path of a server's is for.
enum Door {
    /// Streamable HTTP.
    Endpoint,
    /// The stream of a client of HTTP+SSE, who is told to post to this path.
    Events(String),
    /// Where such a client posts.
    Messages,
}

impl Endpoints {
    /// No servers yet.
    pub fn new(access: Access, limits: Limits) -> Self {
        Self { access, limits, ..Self::default() }
    }

    /// Clients reach the listener by this, such as `https://mcp.example`; what OAuth says of servers is said of it.
    #[must_use]
    pub fn known_as(self, public: Option<String>) -> Self {
        Self { public: public.map(|public| public.trim_end_matches('/').to_owned()), ..self }
    }

    /// Clients come by TLS.
    #[must_use]
    pub fn behind(self, tls: Option<ServerConfig>) -> Self {
        Self { tls: tls.map(|tls| TlsAcceptor::from(Arc::new(tls))), ..self }
    }

    /// Puts a server that has a URL behind this path.
    #[must_use]
    pub fn front(mut self, path: impl Into<String>, front: Front) -> Self {
        self.places.insert(path.into(), Endpoint::Front(Arc::new(front)));
        self
    }

    /// Puts a server on standard input and output behind this path.
    #[must_use]
    pub fn processes(mut self, path: impl Into<String>, processes: Processes) -> Self {
        self.places.insert(path.into(), Endpoint::Processes(Arc::new(processes)));
        self
    }

    /// The paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Serves until the future is dropped.
    ///
    /// # Errors
    /// When the listener cannot say where it listens.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> io::Result<()> {
        let here = listener.local_addr()?;
        if self.hosting().next().is_some() {
            orphans::adopt();
        }
        let seats = Arc::new(Semaphore::new(self.limits.connections));
        let mut sweep = interval(SWEEP);
        loop {
            let accepted = async {
                let seat = Arc::clone(&seats).acquire_owned().await.map_err(io::Error::other)?;
                Ok::<_, io::Error>((seat, listener.accept().await))
            };
            let (seat, stream) = tokio::select! {
                accepted = accepted => accepted?,
                _ = sweep.tick() => {
                    self.hosting().for_each(|processes| processes.sweep());
                    orphans::reap_all();
                    continue;
                }
            };
            let stream = match stream {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let endpoints = Arc::clone(&self);
            let service = service_fn(move |request| {
                let endpoints = Arc::clone(&endpoints);
                async move { Ok::<_, Infallible>(endpoints.answer(request, here).await) }
            });
            let tls = self.tls.clone();
            tokio::spawn(async move {
                let served = match tls {
                    None => connection(stream, service).await,
                    Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
                        Ok(Ok(stream)) => connection(stream, service).await,
                        Ok(Err(error)) => Err(error.into()),
                        Err(_) => Err("the handshake took too long".into()),
                    },
                };
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended early");
                }
                drop(seat);
            });
        }
    }

    /// Ends what was started for clients, and puts on record what is still to be recorded.
    pub async fn end(&self) {
        let ends = self.places.values().map(async |endpoint| match endpoint {
            Endpoint::Front(front) => front.last_records().await,
            Endpoint::Processes(processes) => processes.end().await,
        });
        futures_util::future::join_all(ends).await;
        if self.hosting().next().is_some() {
            orphans::end_marked(None, ORPHANS).await;
        }
    }

    fn hosting(&self) -> impl Iterator<Item = &Arc<Processes>> {
        self.places.values().filter_map(|endpoint| match endpoint {
            Endpoint::Processes(processes) => Some(processes),
            Endpoint::Front(_) => None,
        })
    }

    async fn answer(&self, mut request: Request<Incoming>, here: SocketAddr) -> Response<Body> {
        let answered = match self.access.admits(request.headers(), here.port()) {
            Ok(()) if request.uri().path().starts_with(oauth::METADATA) => self.metadata(&request, here).await,
            Ok(()) if request.uri().path().starts_with(oauth::LOGIN) => self.login(&request).await,
            Ok(()) => match self.access.knows(request.headers_mut()) {
                Some(caller) => self.route(caller, request, here).await,
                None => return stranger(),
            },
            Err(failed) => Err(failed),
        };
        answered.unwrap_or_else(|Failed(status, body)| json(status, body))
    }

    /// What clients have before a path.
    fn base(&self, here: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.public.clone().unwrap_or_else(|| format!("{scheme}://{here}"))
    }

    /// What a server tells clients who log in. It is for everybody.
    async fn metadata(&self, request: &Request<Incoming>, here: SocketAddr) -> Result<Response<Body>, Failed> {
        let (place, front, own) = self.asked_of(request, oauth::METADATA)?;
        front.metadata(&format!("{}{place}", self.base(here)), own).await
    }

    /// What the login on a server's site tells, likewise.
    async fn login(&self, request: &Request<Incoming>) -> Result<Response<Body>, Failed> {
        let (_, front, _) = self.asked_of(request, oauth::LOGIN)?;
        front.login().await
    }

    /// The server behind a place for metadata, and whether it is named by its own path.
    fn asked_of(&self, request: &Request<Incoming>, well_known: &str) -> Result<(&str, &Front, bool), Failed> {
        let path = request.uri().path().strip_prefix(well_known).unwrap_or_default();
        let place = match path {
            // Where there is one server, it may be asked for by its site alone.
            "" | "/" if self.places.len() == 1 => self.places.iter().next(),
            _ => self.places.get_key_value(path),
        };
        match place {
            Some((place, Endpoint::Front(front))) if request.method() == Method::GET => {
                Ok((place, front, path.len() > 1))
            }
            _ => {
                let why = "no server here has a login of its own";
                Err(Failed::new(StatusCode::NOT_FOUND, None, message::INVALID_REQUEST, why))
            }
        }
    }

    async fn route(
        &self,
        caller: Caller,
        request: Request<Incoming>,
        here: SocketAddr,
    ) -> Result<Response<Body>, Failed> {
        let Some((place, endpoint, door)) = self.door(request.uri().path()) else {
            let paths: Vec<&str> = self.paths().collect();
            let why = format!("there is nothing here; what there is: {}", paths.join(", "));
            return Err(Failed::new(StatusCode::NOT_FOUND, None, message::INVALID_REQUEST, &why));
        };
        let (endpoint, metadata) = (endpoint.clone(), format!("{}{}{place}", self.base(here), oauth::METADATA));
        let answered = match (door, request.method()) {
            (Door::Endpoint, &Method::POST) => {
                let (_, headers, line) = self.read(request).await?;
                endpoint.post(caller, &headers, line).await
            }
            (Door::Endpoint, &Method::GET | &Method::DELETE) => {
                endpoint.pass(caller, request.method().clone(), request.headers()).await
            }
            (Door::Events(messages), &Method::GET) => {
                Arc::clone(&self.legacy).open(endpoint, caller, request.headers(), &messages, self.limits.message)
            }
            (Door::Messages, &Method::POST) => {
                let (uri, headers, line) = self.read(request).await?;
                self.legacy.post(caller, uri.query(), &headers, line).await
            }
            (door, _) => {
                let why = match door {
                    Door::Endpoint => "the endpoint takes POST, GET and DELETE",
                    Door::Events(_) => "this is a stream of events: it takes GET",
                    Door::Messages => "this takes messages by POST",
                };
                Err(Failed::new(StatusCode::METHOD_NOT_ALLOWED, None, message::INVALID_REQUEST, why))
            }
        };
        answered.map(|mut response| {
            if let Some(Endpoint::Front(front)) = self.places.get(place) {
                front.challenged(response.headers_mut(), &metadata);
            }
            response
        })
    }

    /// The server that a path leads to, and by which door. Where there is one server, old clients find it without its path.
    fn door(&self, path: &str) -> Option<(&str, &Endpoint, Door)> {
        if let Some((place, endpoint)) = self.places.get_key_value(path) {
            return Some((place, endpoint, Door::Endpoint));
        }
        let (place, door) = path.rsplit_once('/')?;
        let (name, endpoint) = match (self.places.get_key_value(place), place) {
            (Some(found), _) => found,
            (None, "") if self.places.len() == 1 => self.places.iter().next()?,
            _ => return None,
        };
        match door {
            "sse" => Some((name, endpoint, Door::Events(format!("{place}/messages")))),
            "messages" => Some((name, endpoint, Door::Messages)),
            _ => None,
        }
    }

    /// A message that was posted.
    async fn read(&self, request: Request<Incoming>) -> Result<(Uri, HeaderMap, Bytes), Failed> {
        let (head, body) = request.into_parts();
        if !is(&head.headers, "application/json") || head.headers.contains_key(header::CONTENT_ENCODING) {
            let why = "a message is sent as application/json, without a content coding";
            return Err(Failed::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, None, message::INVALID_REQUEST, why));
        }
        let line = collected(body, self.limits.message).await.map_err(|why| {
            let status =
                if why.is::<LengthLimitError>() { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
            Failed::new(status, None, message::INVALID_REQUEST, &format!("the message did not arrive whole: {why}"))
        })?;
        Ok((head.uri, head.headers, line))
    }
}

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoints").field("places", &self.places).finish_non_exhaustive()
    }
}

/// Answers what comes on one connection.
async fn connection<S>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: S) -> Result<(), BoxError>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10))
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), service);
    connection.await.map_err(Into::into)
}

impl Endpoint {
    /// A message of a client's.
    pub(super) async fn post(self, caller: Caller, headers: &HeaderMap, line: Bytes) -> Result<Response<Body>, Failed> {
        match self {
            Self::Front(front) => front.post(caller, headers, line).await,
            Self::Processes(processes) => processes.post(caller, headers, line).await,
        }
    }

    /// A stream that a client opens or resumes, or the end of its session.
    pub(super) async fn pass(
        self,
        caller: Caller,
        method: Method,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Failed> {
        match self {
            Self::Front(front) => front.pass(caller, method, headers).await,
            Self::Processes(processes) => processes.pass(caller, &method, headers),
        }
    }
    /// The stream of this client has ended, and with it all that was the client's here.
    pub(super) async fn leave(self, caller: Caller, headers: &HeaderMap) {
        if headers.contains_key(SESSION)
            && let Err(Failed(status, _)) = self.clone().pass(caller, Method::DELETE, headers).await
        {
            tracing::debug!(%status, "a session was not ended");
        }
        if let Self::Front(front) = self {
            front.forget(&key(caller, headers));
        }
    }
}

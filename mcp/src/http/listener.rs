//! Where clients come in: who is let in, and which server is meant.

use std::{collections::BTreeMap, convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::LengthLimitError;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, time::interval};

use super::{Body, Failed, Front, Limits, Processes, collected, is, json, legacy::Legacy};
use crate::message;

/// How often it is looked for sessions that nobody uses any more.
const SWEEP: Duration = Duration::from_secs(15);

/// The servers behind one listener, by the paths of their endpoints.
#[derive(Debug, Default)]
pub struct Endpoints {
    places: BTreeMap<String, Endpoint>,
    /// Names that the listener may be asked for besides those of loopback.
    hosts: Vec<String>,
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
    /// No servers yet. The listener may be asked for by `hosts` besides the names of loopback.
    pub fn new(hosts: Vec<String>, limits: Limits) -> Self {
        Self { places: BTreeMap::new(), hosts, limits, legacy: Arc::default() }
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
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .max_headers(64)
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
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
    }

    fn hosting(&self) -> impl Iterator<Item = &Arc<Processes>> {
        self.places.values().filter_map(|endpoint| match endpoint {
            Endpoint::Processes(processes) => Some(processes),
            Endpoint::Front(_) => None,
        })
    }

    async fn answer(&self, request: Request<Incoming>, here: SocketAddr) -> Response<Body> {
        let answered = match self.admits(&request, here) {
            Ok(()) => self.route(request).await,
            Err(failed) => Err(failed),
        };
        answered.unwrap_or_else(|Failed(status, body)| json(status, body))
    }

    /// Turns away what a page of another site can send, by whatever name it has found us (DNS rebinding).
    fn admits(&self, request: &Request<Incoming>, here: SocketAddr) -> Result<(), Failed> {
        let refuse = |why| Err(Failed::new(StatusCode::FORBIDDEN, None, message::INVALID_REQUEST, why));
        let only = |name| {
            let mut values = request.headers().get_all(name).iter();
            (values.next().map(|v| v.to_str().unwrap_or_default()), values.next().is_some())
        };
        let ours = |authority: &str| {
            let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
                Some((host, port)) => (host, port.parse().ok()),
                None => (authority, Some(here.port())),
            };
            let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&host) && port.is_some();
            loopback || self.hosts.iter().any(|known| known == host || known == authority)
        };
        match only(header::HOST) {
            (Some(host), false) if ours(host) => {}
            _ => return refuse("this is not the host you asked for; name others with --allow-host"),
        }
        match only(header::ORIGIN) {
            (None, _) => Ok(()),
            (Some(origin), false) if origin.split_once("://").is_some_and(|(_, authority)| ours(authority)) => Ok(()),
            _ => refuse("requests from other sites are not answered"),
        }
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response<Body>, Failed> {
        let Some((endpoint, door)) = self.door(request.uri().path()) else {
            let paths: Vec<&str> = self.paths().collect();
            let why = format!("there is nothing here; what there is: {}", paths.join(", "));
            return Err(Failed::new(StatusCode::NOT_FOUND, None, message::INVALID_REQUEST, &why));
        };
        let endpoint = endpoint.clone();
        match (door, request.method()) {
            (Door::Endpoint, &Method::POST) => {
                let (_, headers, line) = self.read(request).await?;
                endpoint.post(&headers, line).await
            }
            (Door::Endpoint, &Method::GET | &Method::DELETE) => {
                endpoint.pass(request.method().clone(), request.headers()).await
            }
            (Door::Events(messages), &Method::GET) => {
                Arc::clone(&self.legacy).open(endpoint, request.headers(), &messages, self.limits.message)
            }
            (Door::Messages, &Method::POST) => {
                let (uri, headers, line) = self.read(request).await?;
                self.legacy.post(uri.query(), &headers, line).await
            }
            (door, _) => {
                let why = match door {
                    Door::Endpoint => "the endpoint takes POST, GET and DELETE",
                    Door::Events(_) => "this is a stream of events: it takes GET",
                    Door::Messages => "this takes messages by POST",
                };
                Err(Failed::new(StatusCode::METHOD_NOT_ALLOWED, None, message::INVALID_REQUEST, why))
            }
        }
    }

    /// The server that a path leads to, and by which door. Where there is one server, old clients find it without its path.
    fn door(&self, path: &str) -> Option<(&Endpoint, Door)> {
        if let Some(endpoint) = self.places.get(path) {
            return Some((endpoint, Door::Endpoint));
        }
        let (place, door) = path.rsplit_once('/')?;
        let endpoint = match (self.places.get(place), place) {
            (Some(endpoint), _) => endpoint,
            (None, "") if self.places.len() == 1 => self.places.values().next()?,
            _ => return None,
        };
        match door {
            "sse" => Some((endpoint, Door::Events(format!("{place}/messages")))),
            "messages" => Some((endpoint, Door::Messages)),
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

impl Endpoint {
    /// A message of a client's.
    pub(super) async fn post(self, headers: &HeaderMap, line: Bytes) -> Result<Response<Body>, Failed> {
        match self {
            Self::Front(front) => front.post(headers, line).await,
            Self::Processes(processes) => processes.post(headers, line).await,
        }
    }

    /// A stream that a client opens or resumes, or the end of its session.
    pub(super) async fn pass(self, method: Method, headers: &HeaderMap) -> Result<Response<Body>, Failed> {
        match self {
            Self::Front(front) => front.pass(method, headers).await,
            Self::Processes(processes) => processes.pass(&method, headers),
        }
    }
}

//! MCP over Streamable HTTP, of both eras: stands in front of a server that has a URL. What is allowed goes on as the
//! bytes that came; the server's sessions, event ids and status codes stay its own.

mod events;
mod headers;
mod judge;
mod sessions;
mod stream;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rampart_call::{Gate, Origin, Reason, Refusal, Surface};
use tokio::{net::TcpListener, sync::Semaphore};
use tower::{BoxError, ServiceExt as _, util::BoxCloneSyncService};

use crate::{
    action,
    answer::{self, Form},
    message::{self, Id, Message},
    pins::{
        keeper::Keeper,
        store::{Store, StoreError},
    },
};
use judge::Judge;
use sessions::{Asked, Full as TableFull, Key, Session, Sessions};
use stream::{Passing, spliced};

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Sends a request to the server. Whoever makes one decides how names are resolved and whom TLS believes.
pub type Upstream = BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>;

/// What to stand in front of, and as whom.
#[derive(Debug)]
pub struct Options {
    /// The server's endpoint, such as `https://host/mcp`. The same path is served here.
    pub url: Uri,
    /// The server's name in rules.
    pub server: String,
    /// Who asks. The surface becomes [`Surface::McpHttp`].
    pub origin: Origin,
    /// Where it is kept what of the server's offer is approved; without it, everything is.
    pub pins: Option<Store>,
    /// Names that the listener may be asked for besides those of loopback.
    pub hosts: Vec<String>,
    /// Bounds.
    pub limits: Limits,
}

/// Bounds of size and number.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest message in bytes.
    pub message: usize,
    /// The most connections at a time.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 16 << 20, connections: 1_024 }
    }
}

/// Why a server cannot be stood in front of.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not one of a server.
    #[error("{0} is no URL of an MCP server: write http://HOST/PATH or https://HOST/PATH")]
    NoUrl(String),
    /// What is approved cannot be said.
    #[error(transparent)]
    Pins(#[from] StoreError),
}

/// Stands in front of one server.
pub struct Front {
    judge: Judge,
    upstream: Upstream,
    url: Uri,
    hosts: Vec<String>,
    limits: Limits,
    sessions: Sessions,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why a request was not answered by the server.
struct Failed(StatusCode, Bytes);

impl Failed {
    fn new(status: StatusCode, id: Option<&Id>, code: i64, why: &str) -> Self {
        Self(status, answer::error(id, code, why))
    }
}

impl Front {
    /// Whether a server can stand there.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(url: &Uri) -> Result<(), Error> {
        let names_a_server = matches!(url.scheme_str(), Some("http" | "https")) && url.authority().is_some();
        if !names_a_server || url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Error::NoUrl(url.to_string()));
        }
        Ok(())
    }

    /// # Errors
    /// When the URL names no server, or the pins cannot be relied on.
    pub fn new(options: Options, gate: Arc<dyn Gate>, upstream: Upstream) -> Result<Self, Error> {
        let Options { url, server, origin, pins, hosts, limits } = options;
        Self::check(&url)?;
        let origin = Origin { surface: Surface::McpHttp, can_ask: false, ..origin };
        let pins = pins.map(|store| Keeper::new(store, &server)).transpose()?.map(Arc::new);
        Ok(Self {
            judge: Judge { gate, server, origin, pins },
            upstream,
            url,
            hosts,
            limits,
            sessions: Sessions::default(),
        })
    }

    /// Serves until the future is dropped.
    ///
    /// # Errors
    /// When the listener cannot say where it listens.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> io::Result<()> {
        let here = listener.local_addr()?;
        let seats = Arc::new(Semaphore::new(self.limits.connections));
        loop {
            let seat = Arc::clone(&seats).acquire_owned().await.map_err(io::Error::other)?;
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let front = Arc::clone(&self);
            let service = service_fn(move |request| {
                let front = Arc::clone(&front);
                async move { Ok::<_, Infallible>(front.answer(request, here).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(std::time::Duration::from_secs(10))
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

    async fn answer(self: Arc<Self>, request: Request<Incoming>, here: SocketAddr) -> Response<Body> {
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

    async fn route(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Failed> {
        if request.uri().path() != self.url.path() {
            let why = format!("there is nothing here; the endpoint is {}", self.url.path());
            return Err(Failed::new(StatusCode::NOT_FOUND, None, message::INVALID_REQUEST, &why));
        }
        match *request.method() {
            Method::POST => self.post(request).await,
            Method::GET | Method::DELETE => self.pass(request).await,
            _ => {
                let why = "the endpoint takes POST, GET and DELETE";
                Err(Failed::new(StatusCode::METHOD_NOT_ALLOWED, None, message::INVALID_REQUEST, why))
            }
        }
    }

    /// A stream that the client opens or resumes, or the end of its session.
    async fn pass(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Failed> {
        let key = key(request.headers());
        let headers = headers::asked(request.headers());
        let response =
            self.send(request.method().clone(), &headers, Bytes::new()).await.map_err(|e| unreached(None, &e))?;
        if request.method() == Method::DELETE && response.status().is_success() {
            self.sessions.end(&key);
        }
        if is(response.headers(), "text/event-stream") && response.status().is_success() {
            let session = self.sessions.of(key, Instant::now());
            return Ok(self.streamed(response, session, None, headers));
        }
        // What else it says here is for no model to read.
        let mut answer = Response::new(empty());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = headers::passed(response.headers());
        answer.headers_mut().remove(header::CONTENT_TYPE);
        Ok(answer)
    }

    /// A message of the client's.
    async fn post(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Failed> {
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
        let bad = |id: Option<&Id>, code, why: &str| Failed::new(StatusCode::BAD_REQUEST, id, code, why);
        let text = String::from_utf8_lossy(&line);
        let message = message::parse(flattened(&text).as_bytes())
            .map_err(|fault| bad(fault.id.as_ref(), fault.code, &fault.why))?;
        let session = self.sessions.of(key(&head.headers), Instant::now());
        let headers = headers::asked(&head.headers);
        match message {
            Message::Request { id, method, params } => {
                headers::agree(&head.headers, &method, &params)
                    .map_err(|why| bad(Some(&id), headers::MISMATCH, &why))?;
                let action = action::of(&self.judge.server, &method, &params)
                    .map_err(|why| bad(Some(&id), message::INVALID_PARAMS, &why))?;
                let asked = Asked { action: action.clone(), form: Form::of(&method, &params) };
                match self.judge.before(action, Some(&id), action::trace(&params)).await {
                    Ok(_permit) => self.ask(id, asked, session, headers, line).await,
                    Err(refusal) => Ok(json(StatusCode::OK, answer::refusal(&id, asked.form, &refusal))),
                }
            }
            Message::Notification { method, params } => {
                headers::agree(&head.headers, &method, &params).map_err(|why| bad(None, headers::MISMATCH, &why))?;
                let action = action::of(&self.judge.server, &method, &params)
                    .map_err(|why| bad(None, message::INVALID_PARAMS, &why))?;
                if let Err(refusal) = self.judge.before(action.clone(), None, action::trace(&params)).await {
                    return Err(withheld(&refusal));
                }
                self.tell(action, &headers, line).await
            }
            Message::Response { id, body, place } => {
                let Some(asked) = session.of_server().take(&id) else {
                    return Err(bad(None, message::INVALID_REQUEST, "a response to no request"));
                };
                let raw = text.get(place.clone()).unwrap_or_default();
                let line = match self.judge.after(&asked, &id, &body, raw).await {
                    Ok((_permit, None)) => line,
                    Ok((_permit, Some(changed))) => spliced(&text, place, &changed).into(),
                    // The server waits for an answer, so it gets one.
                    Err(refusal) => answer::refusal(&id, Form::Error, &refusal),
                };
                self.tell(asked.action, &headers, line).await
            }
        }
    }

    /// Sends a request that may go on, and judges what comes of it.
    async fn ask(
        self: Arc<Self>,
        id: Id,
        asked: Asked,
        session: Arc<Session>,
        headers: HeaderMap,
        line: Bytes,
    ) -> Result<Response<Body>, Failed> {
        let in_session = headers.contains_key(headers::SESSION);
        if in_session && session.of_client().insert(id.clone(), asked.clone()) == Err(TableFull::Duplicate) {
            let why = "this id belongs to a request that is still outstanding";
            return Err(Failed::new(StatusCode::BAD_REQUEST, Some(&id), message::INVALID_REQUEST, why));
        }
        let response = match self.send(Method::POST, &headers, line).await {
            Ok(response) => response,
            Err(error) => {
                session.of_client().take(&id);
                return Err(unreached(Some(&id), &error));
            }
        };
        // The answer to `initialize` names the session that its stream belongs to.
        let session = match response.headers().get(headers::SESSION) {
            Some(made) if !in_session => {
                let whose = headers.get(header::AUTHORIZATION).map(|v| v.as_bytes().to_vec()).unwrap_or_default();
                self.sessions.of((made.as_bytes().to_vec(), whose), Instant::now())
            }
            _ => session,
        };
        if is(response.headers(), "text/event-stream") && response.status().is_success() {
            return Ok(self.streamed(response, session, Some((id, asked)), headers));
        }
        session.of_client().take(&id);
        self.whole(response, &id, &asked).await
    }

    /// An answer that is one message.
    async fn whole(&self, response: Response<Body>, id: &Id, asked: &Asked) -> Result<Response<Body>, Failed> {
        let (head, body) = response.into_parts();
        let line = self.read(&head.headers, body, Some(id)).await?;
        let text = String::from_utf8_lossy(&line);
        let answer = match message::parse(flattened(&text).as_bytes()) {
            Ok(Message::Response { id: answered, body, place }) if answered == *id => {
                let raw = text.get(place.clone()).unwrap_or_default();
                match self.judge.after(asked, id, &body, raw).await {
                    Ok((_permit, None)) => line,
                    Ok((_permit, Some(changed))) => spliced(&text, place, &changed).into(),
                    Err(refusal) => answer::refusal(id, asked.form, &refusal),
                }
            }
            // A server that turns a request away need not speak the protocol.
            _ if !head.status.is_success() => {
                let looked = self.judge.looked_at(asked.action.clone(), Some(id), text.clone().into_owned()).await;
                match looked {
                    Ok(permit) if permit.edits().is_empty() => line,
                    Ok(_) => {
                        return Err(withheld(&answer::refused(Reason::Malformed, "the server's error is withheld")));
                    }
                    Err(refusal) => return Err(withheld(&refusal)),
                }
            }
            _ => {
                let refusal =
                    answer::refused(Reason::Malformed, "the server's answer is not the answer to this request");
                answer::refusal(id, asked.form, &refusal)
            }
        };
        let mut response = Response::new(full(answer));
        *response.status_mut() = head.status;
        *response.headers_mut() = headers::passed(&head.headers);
        Ok(response)
    }

    /// Sends what no message answers.
    async fn tell(
        &self,
        action: rampart_call::Action,
        headers: &HeaderMap,
        line: Bytes,
    ) -> Result<Response<Body>, Failed> {
        let response = self.send(Method::POST, headers, line).await.map_err(|e| unreached(None, &e))?;
        let (head, body) = response.into_parts();
        let line = self.read(&head.headers, body, None).await?;
        if !line.is_empty() {
            let looked = self.judge.looked_at(action, None, String::from_utf8_lossy(&line).into_owned()).await;
            let permit = looked.map_err(|refusal| withheld(&refusal))?;
            if !permit.edits().is_empty() {
                return Err(withheld(&answer::refused(Reason::Malformed, "the server's answer is withheld")));
            }
        }
        let mut response = Response::new(full(line));
        *response.status_mut() = head.status;
        *response.headers_mut() = headers::passed(&head.headers);
        Ok(response)
    }

    fn streamed(
        self: Arc<Self>,
        response: Response<Body>,
        session: Arc<Session>,
        asked: Option<(Id, Asked)>,
        headers: HeaderMap,
    ) -> Response<Body> {
        let (head, body) = response.into_parts();
        let mut kept = headers::passed(&head.headers);
        // Nobody in between shall wait for more before it passes an event on.
        kept.insert("x-accel-buffering", HeaderValue::from_static("no"));
        let mut answer = Response::new(Passing { front: self, body, session, asked, headers }.into_body());
        *answer.status_mut() = head.status;
        *answer.headers_mut() = kept;
        answer
    }

    /// Sends a message to the server.
    async fn send(&self, method: Method, headers: &HeaderMap, body: Bytes) -> Result<Response<Body>, BoxError> {
        let mut request = Request::builder().method(method).uri(self.url.clone()).body(Full::new(body))?;
        *request.headers_mut() = headers.clone();
        self.upstream.clone().oneshot(request).await
    }

    /// Reads an answer that is not a stream.
    async fn read(&self, headers: &HeaderMap, body: Body, id: Option<&Id>) -> Result<Bytes, Failed> {
        let failed = |why: &str| Failed::new(StatusCode::BAD_GATEWAY, id, message::INTERNAL_ERROR, why);
        if headers.contains_key(header::CONTENT_ENCODING) {
            return Err(failed("the server's answer has a content coding that was not asked for"));
        }
        let read = collected(body, self.limits.message).await;
        read.map_err(|why| failed(&format!("the server's answer did not arrive whole: {why}")))
    }
}

/// The session and whose it is.
fn key(headers: &HeaderMap) -> Key {
    let bytes = |name| headers.get(name).map(|v: &HeaderValue| v.as_bytes().to_vec()).unwrap_or_default();
    (bytes(headers::SESSION), bytes(header::AUTHORIZATION))
}

/// Whether a body is said to be of this type, and of no other.
fn is(headers: &HeaderMap, wanted: &str) -> bool {
    let mut told = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(told), None) = (told.next().and_then(|v| v.to_str().ok()), told.next()) else { return false };
    told.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

fn collected<B>(body: B, limit: usize) -> BoxFuture<'static, Result<Bytes, BoxError>>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    Box::pin(async move { Ok(Limited::new(body, limit).collect().await?.to_bytes()) })
}

/// A JSON text on one line: between tokens a line end means no more than a space, and inside of one there is none. Every
/// byte stays in its place.
fn flattened(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn unreached(id: Option<&Id>, error: &BoxError) -> Failed {
    let why = format!("the MCP server cannot be reached: {error}");
    Failed::new(StatusCode::BAD_GATEWAY, id, message::INTERNAL_ERROR, &why)
}

fn withheld(refusal: &Refusal) -> Failed {
    Failed::new(StatusCode::FORBIDDEN, None, answer::REFUSED, &refusal.explain())
}

fn json(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn full(body: Bytes) -> Body {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn empty() -> Body {
    full(Bytes::new())
}

//! Stands in front of a server that has a URL. Its sessions, event ids and status codes stay its own.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use rampart_call::{Gate, Origin, Reason, Refusal, Surface};
use tokio::time::sleep;
use tower::{BoxError, ServiceExt as _};

use super::{
    Body, Failed, Limits, Upstream, collected, empty, flattened, full, headers,
    held::{Held, SIGN_OF_LIFE},
    is, json,
    judge::{Judge, Terms},
    key, oauth,
    open::{Open, Waits},
    sessions::{Asked, Hold, Key, Session, Sessions},
    stream::{Passing, spliced},
    streamed,
    whose::{Caller, Clients, Names},
};
use crate::{
    action,
    answer::{self, Form},
    message::{self, Id, Message},
    pins::{
        keeper::Keeper,
        store::{Store, StoreError},
    },
    relay::Side,
    schemas::Schemas,
};

/// What to stand in front of, and as whom.
pub struct Options {
    /// The server's endpoint, such as `https://host/mcp`.
    pub url: Uri,
    /// The server's name in rules.
    pub server: String,
    /// Who asks. The surface becomes [`Surface::McpHttp`].
    pub origin: Origin,
    /// The sessions of clients; without it, all are in the one of the origin.
    pub clients: Option<Arc<dyn Clients>>,
    /// Where it is kept what of the server's offer is approved; without it, everything is.
    pub pins: Option<Store>,
    /// What its tools take and give.
    pub schemas: Schemas,
    /// Tools that policy refuses whatever they are called with are not listed.
    pub filter_tools: bool,
    /// Bounds.
    pub limits: Limits,
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

const DUPLICATE: &str = "this id belongs to a request that is still outstanding";
/// How long the end waits for the last records.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Whose a message of a client's is, and what it bears.
pub(super) struct Sender {
    pub(super) caller: Caller,
    pub(super) session: Arc<Session>,
    /// The server has still to give the session its id.
    pub(super) begins: bool,
    pub(super) headers: HeaderMap,
}

/// Stands in front of one server.
pub struct Front {
    judge: Judge,
    names: Names,
    upstream: Upstream,
    url: Uri,
    pub(super) limits: Limits,
    sessions: Sessions,
    /// Where the server has said that its metadata is.
    metadata: Mutex<Option<Uri>>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("url", &self.url).finish_non_exhaustive()
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
        let Options { url, server, origin, clients, pins, schemas, filter_tools, limits } = options;
        Self::check(&url)?;
        let origin = Origin { surface: Surface::McpHttp, can_ask: false, ..origin };
        let pins = pins.map(|store| Keeper::new(store, &server)).transpose()?;
        if let Some(pins) = &pins {
            schemas.pinned(&pins.approved());
        }
        let names = Names::new(origin.session.clone(), clients);
        let terms = Terms { gate, server, pins, schemas, filters: filter_tools, drops: Mutex::default() };
        Ok(Self {
            sessions: Sessions::new(names.clone()),
            judge: Judge { terms: Arc::new(terms), origin },
            names,
            upstream,
            url,
            limits,
            metadata: Mutex::default(),
        })
    }

    /// Who asks in a session.
    pub(super) fn judge(&self, session: &Session) -> Judge {
        self.judge.within(self.names.of(session.whose()))
    }

    /// Forgets what a client had that has left by its stream.
    pub(super) fn forget(&self, key: &Key) {
        self.sessions.leave(key);
    }

    /// Puts on record what is still to be recorded when it has ended.
    pub async fn last_records(&self) {
        if tokio::time::timeout(LAST_WORDS, self.judge.last_drops()).await.is_err() {
            tracing::warn!("the last dropped messages are not on record: the gateway took too long");
        }
    }

    /// What the server tells those who log in, said of the address that clients know. `own` asks for its own metadata, and
    /// not for that of its whole site.
    pub(super) async fn metadata(&self, canonical: &str, own: bool) -> Result<Response<Body>, Failed> {
        let said = self.metadata.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|_| own);
        let path = if own { self.url.path() } else { "" };
        let url = said.or_else(|| self.on_its_site(&format!("{}{path}", oauth::METADATA)));
        let told = match self.told(url).await? {
            Ok(body) => oauth::metadata(&body, &self.url, canonical),
            Err(StatusCode::NOT_FOUND) => match self.told(self.on_its_site(oauth::LOGIN)).await? {
                Ok(body) => oauth::of_login(&body, canonical),
                Err(_) => return Ok(nothing(StatusCode::NOT_FOUND)),
            },
            Err(status) => return Ok(nothing(status)),
        };
        Ok(json(StatusCode::OK, told.map_err(|why| bad_gateway(&why))?.into()))
    }

    /// What the login on the server's site tells, for clients of 2025-03-26, which look for it at the address that they know.
    pub(super) async fn login(&self) -> Result<Response<Body>, Failed> {
        match self.told(self.on_its_site(oauth::LOGIN)).await? {
            Ok(body) => {
                oauth::login(&body).map_err(|why| bad_gateway(&why))?;
                Ok(json(StatusCode::OK, body))
            }
            Err(status) => Ok(nothing(status)),
        }
    }

    fn on_its_site(&self, path: &str) -> Option<Uri> {
        let mut parts = self.url.clone().into_parts();
        parts.path_and_query = path.parse().ok();
        Uri::from_parts(parts).ok()
    }

    /// Metadata of the server's, or the status that it answers with.
    async fn told(&self, url: Option<Uri>) -> Result<Result<Bytes, StatusCode>, Failed> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = url.ok_or_else(|| bad_gateway("the server has no place for metadata"))?;
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let response = self.upstream.clone().oneshot(request).await.map_err(|e| unreached(None, &e))?;
        if !response.status().is_success() {
            return Ok(Err(response.status()));
        }
        let body = collected(response.into_body(), oauth::LIMIT).await;
        body.map(Ok).map_err(|why| bad_gateway(&format!("the server's metadata did not arrive whole: {why}")))
    }

    /// Has the server's challenges name the metadata here.
    pub(super) fn challenged(&self, headers: &mut HeaderMap, here: &str) {
        if let Some(there) = oauth::challenged(headers, &self.url, here) {
            *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = Some(there);
        }
    }

    /// A stream that the client opens or resumes, or the end of its session.
    pub(super) async fn pass(
        self: Arc<Self>,
        caller: Caller,
        method: Method,
        told: &HeaderMap,
    ) -> Result<Response<Body>, Failed> {
        let key = key(caller, told);
        let headers = headers::asked(told);
        let response = self.send(method.clone(), &headers, Bytes::new()).await.map_err(|e| unreached(None, &e))?;
        if method == Method::DELETE && response.status().is_success() {
            self.sessions.end(&key);
        }
        if is(response.headers(), "text/event-stream") && response.status().is_success() {
            let session = self.sessions.of(key, Instant::now())?;
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
    pub(super) async fn post(
        self: Arc<Self>,
        caller: Caller,
        told: &HeaderMap,
        line: Bytes,
    ) -> Result<Response<Body>, Failed> {
        let wrong = |id: Option<&Id>, code, why: &str| bad(&self.judge, id, code, why);
        let text = std::str::from_utf8(&line).map_err(|why| wrong(None, message::PARSE_ERROR, &why.to_string()))?;
        let message = message::parse(flattened(text).as_bytes())
            .map_err(|fault| wrong(fault.id.as_ref(), fault.code, &fault.why))?;
        let key = key(caller, told);
        let begins =
            key.session.is_empty() && matches!(&message, Message::Request { method, .. } if method == "initialize");
        let session = if begins { self.sessions.begun(caller)? } else { self.sessions.of(key, Instant::now())? };
        let judge = self.judge(&session);
        let bad = |id: Option<&Id>, code, why: &str| bad(&judge, id, code, why);
        let headers = headers::asked(told);
        match message {
            Message::Request { id, method, mut params } => {
                headers::agree(told, &method, &params, &judge.terms.schemas)
                    .map_err(|why| bad(Some(&id), headers::MISMATCH, &why))?;
                let action = action::of(&judge.terms.server, &method, &mut params)
                    .map_err(|why| bad(Some(&id), message::INVALID_PARAMS, &why))?;
                let asked = Asked { action: action.clone(), form: Form::of(&method, &params) };
                // Those without a session may use the ids of others.
                let hold = if headers.contains_key(headers::SESSION) {
                    session.hold(&id).map_err(|_| bad(Some(&id), message::INVALID_REQUEST, DUPLICATE))?
                } else {
                    Hold::default()
                };
                let (asker, whose, trace) = (judge.clone(), id.clone(), action::trace(&params));
                let mut verdict: BoxFuture<'static, _> =
                    Box::pin(async move { asker.before(action, Some(&whose), trace).await });
                let mut sender = Sender { caller, session, begins, headers };
                let decided = tokio::select! {
                    // The answer to `initialize` has a header, which comes before any sign of life.
                    decided = &mut verdict => decided,
                    () = sleep(SIGN_OF_LIFE), if method != "initialize" => {
                        let token = params.get("_meta").and_then(|meta| meta.get("progressToken")).cloned();
                        let held = Held { front: self, judge, verdict, hold, token, id, asked, sender, line };
                        return Ok(held.into_response());
                    }
                    // Nobody waits for an answer.
                    () = hold.cancelled() => return Ok(streamed(stream::empty())),
                };
                drop(hold);
                let refusal = match decided {
                    Ok(permit) => {
                        let open = judge.begun(&asked.action, &id);
                        match judge.as_permitted(&permit, &asked.action, &mut sender.headers, line) {
                            Ok(line) => return self.ask(id, asked, open, sender, line).await,
                            Err(why) => answer::refused(Reason::Malformed, why),
                        }
                    }
                    Err(refusal) => refusal,
                };
                Ok(json(StatusCode::OK, answer::refusal(&id, asked.form, &refusal)))
            }
            Message::Notification { method, mut params } => {
                headers::agree(told, &method, &params, &judge.terms.schemas)
                    .map_err(|why| bad(None, headers::MISMATCH, &why))?;
                let action = action::of(&judge.terms.server, &method, &mut params)
                    .map_err(|why| bad(None, message::INVALID_PARAMS, &why))?;
                let mut headers = headers;
                let decided = judge.before(action.clone(), None, action::trace(&params)).await;
                let permit = decided.map_err(|refusal| withheld(&refusal))?;
                let permitted = judge.as_permitted(&permit, &action, &mut headers, line);
                let line = permitted.map_err(|why| withheld(&answer::refused(Reason::Malformed, why)))?;
                let cancelled = params.get("requestId").filter(|_| method == "notifications/cancelled");
                if let Some(id) = cancelled.and_then(|id| Id::from_value(id).ok())
                    && headers.contains_key(headers::SESSION)
                {
                    if session.cancel(&id) {
                        // The server has not heard of the request, so it need not hear of its end.
                        let mut response = Response::new(empty());
                        *response.status_mut() = StatusCode::ACCEPTED;
                        return Ok(response);
                    }
                    session.of_client().give_up(&id);
                }
                self.tell(&judge, action, &headers, line).await
            }
            Message::Response { id, body, place } => {
                let Some((asked, _)) = session.of_server().take(&id) else {
                    return Err(bad(None, message::INVALID_REQUEST, "a response to no request"));
                };
                let raw = text.get(place.clone()).unwrap_or_default();
                let line = match judge.after(&asked, &id, &body, raw).await {
                    Ok((_permit, None)) => line,
                    Ok((_permit, Some(changed))) => spliced(text, place, &changed).into(),
                    // The server waits for an answer, so it gets one.
                    Err(refusal) => answer::refusal(&id, Form::Error, &refusal),
                };
                self.tell(&judge, asked.action, &headers, line).await
            }
        }
    }

    /// Sends a request that may go on, and judges what comes of it.
    pub(super) async fn ask(
        self: Arc<Self>,
        id: Id,
        asked: Asked,
        open: Option<Open>,
        sender: Sender,
        line: Bytes,
    ) -> Result<Response<Body>, Failed> {
        let Sender { caller, session, begins, headers } = sender;
        let in_session = headers.contains_key(headers::SESSION);
        let waits = Waits::new(id.clone(), asked, open, &session, in_session)
            .ok_or_else(|| Failed::new(StatusCode::BAD_REQUEST, Some(&id), message::INVALID_REQUEST, DUPLICATE))?;
        let response = self.send(Method::POST, &headers, line).await.map_err(|e| unreached(Some(&id), &e))?;
        // The answer to `initialize` names the session that its stream belongs to. A server that has none gives it no id.
        let theirs = key(caller, &headers);
        let session = match response.headers().get(headers::SESSION) {
            Some(made) if !in_session => {
                let named = Key { session: made.as_bytes().to_vec(), ..theirs };
                self.sessions.named(named, Instant::now(), session)
            }
            _ if begins => {
                let stateless = self.sessions.of(theirs, Instant::now())?;
                if stateless.whose() != session.whose() {
                    self.names.end(session.whose());
                }
                stateless
            }
            _ => session,
        };
        if is(response.headers(), "text/event-stream") && response.status().is_success() {
            return Ok(self.streamed(response, session, Some(waits), headers));
        }
        let (asked, open) = waits.over();
        self.whole(&self.judge(&session), response, &id, &asked, open).await
    }

    /// An answer that is one message.
    async fn whole(
        &self,
        judge: &Judge,
        response: Response<Body>,
        id: &Id,
        asked: &Asked,
        open: Option<Open>,
    ) -> Result<Response<Body>, Failed> {
        let (head, body) = response.into_parts();
        let line = self.read(&head.headers, body, Some(id)).await?;
        let text = String::from_utf8_lossy(&line);
        let parsed = std::str::from_utf8(&line).ok().and_then(|text| message::parse(flattened(text).as_bytes()).ok());
        let answer = match parsed {
            Some(Message::Response { id: answered, body, place }) if answered == *id => {
                let raw = text.get(place.clone()).unwrap_or_default();
                let judged = judge.after(asked, id, &body, raw).await;
                if judged.is_ok() {
                    open.into_iter().for_each(Open::answered);
                }
                match judged {
                    Ok((_permit, None)) => line,
                    Ok((_permit, Some(changed))) => spliced(&text, place, &changed).into(),
                    Err(refusal) => answer::refusal(id, asked.form, &refusal),
                }
            }
            // A server that turns a request away need not speak the protocol.
            _ if !head.status.is_success() => {
                let looked = judge.looked_at(asked.action.clone(), Some(id), text.clone().into_owned()).await;
                match looked {
                    Ok(permit) if permit.edits().is_empty() => line,
                    Ok(_) => {
                        return Err(withheld(&answer::refused(Reason::Malformed, "the server's error is withheld")));
                    }
                    Err(refusal) => return Err(withheld(&refusal)),
                }
            }
            _ => {
                let why = "the server's answer is not the answer to this request";
                judge.dropped(Side::Server, why);
                answer::refusal(id, asked.form, &answer::refused(Reason::Malformed, why))
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
        judge: &Judge,
        action: rampart_call::Action,
        headers: &HeaderMap,
        line: Bytes,
    ) -> Result<Response<Body>, Failed> {
        let response = self.send(Method::POST, headers, line).await.map_err(|e| unreached(None, &e))?;
        let (head, body) = response.into_parts();
        let line = self.read(&head.headers, body, None).await?;
        if !line.is_empty() {
            let looked = judge.looked_at(action, None, String::from_utf8_lossy(&line).into_owned()).await;
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
        waits: Option<Waits>,
        headers: HeaderMap,
    ) -> Response<Body> {
        let (head, body) = response.into_parts();
        let mut kept = headers::passed(&head.headers);
        kept.insert(headers::UNBUFFERED, HeaderValue::from_static("no"));
        let judge = self.judge(&session);
        let (held, ended) = (FuturesUnordered::new(), false);
        let passing = Passing { front: self, judge, body, session, waits, headers, held, ended };
        let mut answer = Response::new(passing.into_body());
        *answer.status_mut() = head.status;
        *answer.headers_mut() = kept;
        answer
    }

    /// Answers the server in the client's place.
    pub(super) async fn tell_server(&self, headers: &HeaderMap, answer: Bytes) {
        if let Err(error) = self.send(Method::POST, headers, answer).await {
            tracing::debug!(%error, "a refusal did not reach the server");
        }
    }

    /// Sends a message to the server.
    pub(super) async fn send(
        &self,
        method: Method,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Body>, BoxError> {
        let mut request = Request::builder().method(method).uri(self.url.clone()).body(Full::new(body))?;
        *request.headers_mut() = headers.clone();
        let response = self.upstream.clone().oneshot(request).await?;
        // A client that went there would take its token along, past the rules.
        if response.status().is_redirection()
            && let Some(place) = response.headers().get(header::LOCATION)
        {
            let place = place.to_str().unwrap_or_default().chars().take(200).flat_map(char::escape_default);
            return Err(format!("it sends to `{}`; give that URL instead", place.collect::<String>()).into());
        }
        Ok(response)
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

/// A message that is none goes nowhere, and its sender hears why.
fn bad(judge: &Judge, id: Option<&Id>, code: i64, why: &str) -> Failed {
    judge.dropped(Side::Client, why);
    Failed::new(StatusCode::BAD_REQUEST, id, code, why)
}

fn unreached(id: Option<&Id>, error: &BoxError) -> Failed {
    let why = format!("the MCP server cannot be reached: {error}");
    Failed::new(StatusCode::BAD_GATEWAY, id, message::INTERNAL_ERROR, &why)
}

fn withheld(refusal: &Refusal) -> Failed {
    Failed::new(StatusCode::FORBIDDEN, None, answer::REFUSED, &refusal.explain())
}

fn bad_gateway(why: &str) -> Failed {
    Failed::new(StatusCode::BAD_GATEWAY, None, message::INTERNAL_ERROR, why)
}

fn nothing(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(empty());
    *answer.status_mut() = status;
    answer
}

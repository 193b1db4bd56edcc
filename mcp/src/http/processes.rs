//! A server on standard input and output behind Streamable HTTP: a process for each session of a client's, and one for
//! all clients that have none because their requests say everything (MCP 2026-07-28).

mod hosted;
mod routes;
mod streams;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use rampart_call::{Gate, Origin, Surface};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Body, Failed, Limits, empty, flattened, headers, judge::Judge, key, sessions::Key, unguessable};
use crate::{
    message::{self, Id, Message},
    relay::Side,
    stdio,
};
use hosted::Hosted;
use streams::{Answering, listening};

/// How long the processes may take to end when everything does.
const LAST: Duration = Duration::from_secs(5);

/// What to run for clients. The surface of who asks becomes [`Surface::McpHttp`].
#[derive(Debug, Clone)]
pub struct Hosting {
    /// Each process; that other sessions have theirs is known here, so its orphans are not looked at, nor some of
    /// its limits.
    pub process: stdio::Options,
    /// Bounds of size.
    pub limits: Limits,
    /// The most sessions, and so processes, at a time.
    pub sessions: usize,
    /// How long a session may have no request and no open stream before it is ended.
    pub idle: Duration,
}

/// Hosts one server.
pub struct Processes {
    hosting: Hosting,
    judge: Judge,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    sessions: HashMap<Key, Arc<Hosted>>,
    stateless: Option<Arc<Hosted>>,
    tasks: JoinSet<()>,
}

impl std::fmt::Debug for Processes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Processes").field("hosting", &self.hosting).finish_non_exhaustive()
    }
}

impl Processes {
    /// Nothing runs until a client comes.
    pub fn new(hosting: Hosting, gate: Arc<dyn Gate>) -> Self {
        let origin = Origin { surface: Surface::McpHttp, can_ask: false, ..hosting.process.origin.clone() };
        let (server, schemas) = (hosting.process.server.clone(), hosting.process.schemas.clone());
        // What a server offers is looked at where it runs.
        let judge = Judge { gate, server, origin, pins: None, schemas, filters: false, drops: Mutex::default() };
        Self { hosting, judge, running: Mutex::default() }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends sessions that nobody uses.
    pub(super) fn sweep(&self) {
        let mut running = self.running();
        let stays = |hosted: &Arc<Hosted>| {
            let stale = hosted.is_over() || hosted.quiet_for() > Some(self.hosting.idle);
            if stale {
                hosted.end();
            }
            !stale
        };
        running.sessions.retain(|_, hosted| stays(hosted));
        running.stateless.take_if(|hosted| !stays(hosted));
        while running.tasks.try_join_next().is_some() {}
    }

    /// Ends all that runs.
    pub(super) async fn end(&self) {
        let mut tasks = {
            let mut running = self.running();
            running.sessions.drain().for_each(|(_, hosted)| hosted.end());
            running.stateless.take().into_iter().for_each(|hosted| hosted.end());
            std::mem::take(&mut running.tasks)
        };
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST, all).await.is_err() {
            tracing::warn!("some servers did not end in time, and were killed");
        }
        self.judge.last_drops().await;
    }

    /// A message of a client's.
    pub(super) async fn post(&self, told: &HeaderMap, line: Bytes) -> Result<Response<Body>, Failed> {
        let bad = |id: Option<&Id>, code, why: &str| {
            self.judge.dropped(Side::Client, why);
            Failed::new(StatusCode::BAD_REQUEST, id, code, why)
        };
        let text = std::str::from_utf8(&line).map_err(|why| bad(None, message::PARSE_ERROR, &why.to_string()))?;
        let text = flattened(text.trim_end());
        let message =
            message::parse(text.as_bytes()).map_err(|fault| bad(fault.id.as_ref(), fault.code, &fault.why))?;
        if let Message::Request { method, params, .. } | Message::Notification { method, params } = &message {
            let id = if let Message::Request { id, .. } = &message { Some(id) } else { None };
            let schemas = &self.judge.schemas;
            headers::agree(told, method, params, schemas).map_err(|why| bad(id, headers::MISMATCH, &why))?;
            if stateless(told, params) {
                headers::complete(told, method, params, schemas).map_err(|why| bad(id, headers::MISMATCH, &why))?;
                if !says_everything(params) {
                    let why = "`_meta` must say the protocol's version and the client's capabilities";
                    return Err(bad(id, message::INVALID_PARAMS, why));
                }
            }
        }
        let key = key(told);
        let known = !key.0.is_empty();
        match message {
            Message::Request { id, method, params } => {
                let starts = !known && method == "initialize" && !says_everything(&params);
                let (hosted, made) = match () {
                    () if known => (self.session(&key, Some(&id))?, None),
                    () if starts => {
                        let (session, hosted) = self.start(key.1, &id)?;
                        (hosted, Some(session))
                    }
                    () if says_everything(&params) => (self.stateless(), None),
                    () => {
                        let why = "a session begins with `initialize`; send its Mcp-Session-Id with this request";
                        return Err(bad(Some(&id), message::INVALID_REQUEST, why));
                    }
                };
                let asked = hosted.ask(id.clone(), &params, &text).await;
                let (asked, stream) = asked.map_err(|_| {
                    let why = "this id belongs to a request that is still outstanding";
                    bad(Some(&id), message::INVALID_REQUEST, why)
                })?;
                let answering = Answering { stream, hosted, asked, id, stateless: !known && made.is_none() };
                let (mut response, failed) = answering.answer().await;
                if let Some(session) = made {
                    if failed {
                        self.forget(&session);
                    } else if let Ok(value) = HeaderValue::from_bytes(&session.0) {
                        response.headers_mut().insert(headers::SESSION, value);
                    }
                }
                Ok(response)
            }
            Message::Notification { .. } | Message::Response { .. } if known => {
                let hosted = self.session(&key, None)?;
                hosted.say(text.into_owned() + "\n").await;
                if let Message::Notification { method, params } = message
                    && method == "notifications/cancelled"
                    && let Some(Ok(id)) = params.get("requestId").map(Id::from_value)
                {
                    // Its answer, if one comes, is for nobody.
                    hosted.leave(&id, false);
                }
                let mut response = Response::new(empty());
                *response.status_mut() = StatusCode::ACCEPTED;
                Ok(response)
            }
            _ => Err(bad(None, message::INVALID_REQUEST, "it belongs to no session: send its Mcp-Session-Id with it")),
        }
    }

    /// The stream of a session's own, or its end.
    pub(super) fn pass(&self, method: &Method, told: &HeaderMap) -> Result<Response<Body>, Failed> {
        let key = key(told);
        if key.0.is_empty() {
            let why = "it belongs to no session: begin one with `initialize`, and send its Mcp-Session-Id";
            return Err(Failed::new(StatusCode::BAD_REQUEST, None, message::INVALID_REQUEST, why));
        }
        let hosted = self.session(&key, None)?;
        if method == Method::DELETE {
            self.forget(&key);
            return Ok(Response::new(empty()));
        }
        listening(hosted).map_err(|_| {
            let why = "this session has an open stream already, which gets each message";
            Failed::new(StatusCode::CONFLICT, None, message::INVALID_REQUEST, why)
        })
    }

    fn session(&self, key: &Key, id: Option<&Id>) -> Result<Arc<Hosted>, Failed> {
        let mut running = self.running();
        running.sessions.retain(|_, hosted| !hosted.is_over());
        running.sessions.get(key).cloned().ok_or_else(|| {
            let why = "there is no such session, or it has ended; begin a new one with `initialize`";
            Failed::new(StatusCode::NOT_FOUND, id, message::INVALID_REQUEST, why)
        })
    }

    fn forget(&self, key: &Key) {
        if let Some(hosted) = self.running().sessions.remove(key) {
            hosted.end();
        }
    }

    /// Starts a session of whoever shows this.
    fn start(&self, whose: Vec<u8>, id: &Id) -> Result<(Key, Arc<Hosted>), Failed> {
        let mut running = self.running();
        running.sessions.retain(|_, hosted| !hosted.is_over());
        if running.sessions.len() >= self.hosting.sessions {
            let longest = running.sessions.iter().filter_map(|(key, hosted)| Some((hosted.quiet_for()?, key)));
            let Some(key) = longest.max().map(|(_, key)| key.clone()) else {
                let why = "all sessions that there may be are in use; end one, or start with a higher --sessions";
                return Err(Failed::new(StatusCode::SERVICE_UNAVAILABLE, Some(id), message::INTERNAL_ERROR, why));
            };
            running.sessions.remove(&key).into_iter().for_each(|hosted| hosted.end());
        }
        let key = (unguessable()?.into_bytes(), whose);
        let (hosted, runs) = Hosted::start(&self.hosting, Arc::clone(&self.judge.gate), false);
        running.tasks.spawn(runs);
        running.sessions.insert(key.clone(), Arc::clone(&hosted));
        Ok((key, hosted))
    }

    /// The process of those that have no session.
    fn stateless(&self) -> Arc<Hosted> {
        let mut running = self.running();
        if let Some(hosted) = running.stateless.as_ref().filter(|hosted| !hosted.is_over()) {
            return Arc::clone(hosted);
        }
        let (hosted, runs) = Hosted::start(&self.hosting, Arc::clone(&self.judge.gate), true);
        running.tasks.spawn(runs);
        running.stateless = Some(Arc::clone(&hosted));
        hosted
    }
}

/// Whether a request is one of the revisions without sessions.
fn stateless(headers: &HeaderMap, params: &Value) -> bool {
    headers::are_stateless(headers) || says(params, "protocolVersion")
}

/// Whether a request says what else a session would know (MCP 2026-07-28).
fn says_everything(params: &Value) -> bool {
    says(params, "protocolVersion") && says(params, "clientCapabilities")
}

fn says(params: &Value, what: &str) -> bool {
    params.get("_meta").is_some_and(|meta| meta.get(format!("io.modelcontextprotocol/{what}")).is_some())
}

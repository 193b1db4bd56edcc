//! A server on standard input and output behind Streamable HTTP: a process for each session of a client's, and one for
//! all clients that have none because their requests say everything (MCP 2026-07-28).

mod hosted;
mod routes;
mod streams;

use std::{
    collections::HashMap,
    ffi::OsString,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use rampart_call::{Gate, Origin, Surface};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    Body, Failed, Limits, empty, flattened, headers,
    judge::{Judge, Terms},
    key,
    sessions::Key,
    unguessable,
    whose::{Caller, Clients, Names, Whose},
};
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
pub struct Hosting {
    /// Each process; that other sessions have theirs is known here, so its orphans are not looked at, nor some of
    /// its limits.
    pub process: stdio::Options,
    /// The sessions of clients; without it, all are in the one of who asks.
    pub clients: Option<Arc<dyn Clients>>,
    /// Variables of the process that stand above those of its session.
    pub explicit: Vec<(OsString, OsString)>,
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
    names: Names,
    running: Mutex<Running>,
    /// What is set for the processes that those have who show a token and have no session.
    tokens: tokio::sync::Mutex<HashMap<usize, Environment>>,
}

/// Variables of a process.
type Environment = Vec<(OsString, OsString)>;

#[derive(Default)]
struct Running {
    sessions: HashMap<Key, Arc<Hosted>>,
    /// By the listener's token.
    stateless: HashMap<Option<usize>, Arc<Hosted>>,
    tasks: JoinSet<()>,
}

impl std::fmt::Debug for Processes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Processes").field("process", &self.hosting.process).finish_non_exhaustive()
    }
}

impl Processes {
    /// Nothing runs until a client comes.
    pub fn new(hosting: Hosting, gate: Arc<dyn Gate>) -> Self {
        let origin = Origin { surface: Surface::McpHttp, can_ask: false, ..hosting.process.origin.clone() };
        let (server, schemas) = (hosting.process.server.clone(), hosting.process.schemas.clone());
        // What a server offers is looked at where it runs.
        let terms = Terms { gate, server, pins: None, schemas, filters: false, drops: Mutex::default() };
        let names = Names::new(origin.session.clone(), hosting.clients.clone());
        let judge = Judge { terms: Arc::new(terms), origin };
        Self { hosting, judge, names, running: Mutex::default(), tokens: tokio::sync::Mutex::default() }
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
        running.stateless.retain(|_, hosted| stays(hosted));
        while running.tasks.try_join_next().is_some() {}
    }

    /// Ends all that runs.
    pub(super) async fn end(&self) {
        let mut tasks = {
            let mut running = self.running();
            running.sessions.drain().for_each(|(_, hosted)| hosted.end());
            running.stateless.drain().for_each(|(_, hosted)| hosted.end());
            std::mem::take(&mut running.tasks)
        };
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST, all).await.is_err() {
            tracing::warn!("some servers did not end in time, and were killed");
        }
        self.judge.last_drops().await;
    }

    /// A message of a client's.
    pub(super) async fn post(&self, caller: Caller, told: &HeaderMap, line: Bytes) -> Result<Response<Body>, Failed> {
        let key = key(caller, told);
        let bad = |id: Option<&Id>, code, why: &str| {
            self.judge_of(&key).dropped(Side::Client, why);
            Failed::new(StatusCode::BAD_REQUEST, id, code, why)
        };
        let text = std::str::from_utf8(&line).map_err(|why| bad(None, message::PARSE_ERROR, &why.to_string()))?;
        let text = flattened(text.trim_end());
        let message =
            message::parse(text.as_bytes()).map_err(|fault| bad(fault.id.as_ref(), fault.code, &fault.why))?;
        if let Message::Request { method, params, .. } | Message::Notification { method, params } = &message {
            let id = if let Message::Request { id, .. } = &message { Some(id) } else { None };
            let schemas = &self.judge.terms.schemas;
            headers::agree(told, method, params, schemas).map_err(|why| bad(id, headers::MISMATCH, &why))?;
            if stateless(told, params) {
                headers::complete(told, method, params, schemas).map_err(|why| bad(id, headers::MISMATCH, &why))?;
                if !says_everything(params) {
                    let why = "`_meta` must say the protocol's version and the client's capabilities";
                    return Err(bad(id, message::INVALID_PARAMS, why));
                }
            }
        }
        let known = !key.session.is_empty();
        match message {
            Message::Request { id, method, params } => {
                let starts = !known && method == "initialize" && !says_everything(&params);
                let (hosted, made) = match () {
                    () if known => (self.session(&key, Some(&id))?, None),
                    () if starts => {
                        let (session, hosted) = self.start(key.clone(), &id).await?;
                        (hosted, Some(session))
                    }
                    () if says_everything(&params) => (self.stateless(caller, &id).await?, None),
                    () => {
                        let why = "a session begins with `initialize`; send its Mcp-Session-Id with this request";
                        return Err(bad(Some(&id), message::INVALID_REQUEST, why));
                    }
                };
                let asked = hosted.ask(id.clone(), &method, &params, &text).await;
                let (asked, stream) = asked.map_err(|_| {
                    let why = "this id belongs to a request that is still outstanding";
                    bad(Some(&id), message::INVALID_REQUEST, why)
                })?;
                let answering = Answering { stream, hosted, asked, id, stateless: !known && made.is_none() };
                let (mut response, failed) = answering.answer().await;
                if let Some(session) = made {
                    if failed {
                        self.forget(&session);
                    } else if let Ok(value) = HeaderValue::from_bytes(&session.session) {
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
    pub(super) fn pass(&self, caller: Caller, method: &Method, told: &HeaderMap) -> Result<Response<Body>, Failed> {
        let key = key(caller, told);
        if key.session.is_empty() {
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

    /// Who asks in a client's session, or in that of the listener where there is none.
    fn judge_of(&self, key: &Key) -> Judge {
        let hosted = self.running().sessions.get(key).cloned();
        hosted.map_or_else(|| self.judge.clone(), |hosted| self.judge.within(self.names.of(hosted.whose())))
    }

    /// Starts a session of whoever has this key without one.
    async fn start(&self, key: Key, id: &Id) -> Result<(Key, Arc<Hosted>), Failed> {
        self.make_room(&mut self.running(), id)?;
        let key = Key { session: unguessable()?.into_bytes(), ..key };
        let whose = self.names.beginning(key.caller)?;
        let environment = self.open(whose, id).await?;
        let mut running = self.running();
        // Others may have come meanwhile.
        self.make_room(&mut running, id).inspect_err(|_| self.names.end(whose))?;
        let hosted = self.run(&mut running, whose, environment, false);
        running.sessions.insert(key.clone(), Arc::clone(&hosted));
        Ok((key, hosted))
    }

    /// Has the session that was quiet for longest make room, where there is none.
    fn make_room(&self, running: &mut Running, id: &Id) -> Result<(), Failed> {
        running.sessions.retain(|_, hosted| !hosted.is_over());
        if running.sessions.len() < self.hosting.sessions {
            return Ok(());
        }
        let quiet = running.sessions.iter().filter_map(|(key, hosted)| Some((hosted.quiet_for()?, key)));
        let Some(key) = quiet.max_by_key(|(quiet, _)| *quiet).map(|(_, key)| key.clone()) else {
            let why = "all sessions that there may be are in use; end one, or start with a higher --sessions";
            return Err(Failed::new(StatusCode::SERVICE_UNAVAILABLE, Some(id), message::INTERNAL_ERROR, why));
        };
        running.sessions.remove(&key).into_iter().for_each(|hosted| hosted.end());
        Ok(())
    }

    /// The process of those that have no session. Whoever shows another token has another one.
    async fn stateless(&self, caller: Caller, id: &Id) -> Result<Arc<Hosted>, Failed> {
        let whose = self.names.stateless(caller);
        let (token, environment) = match whose {
            Whose::Token(token) => {
                // Held, so that none is opened twice.
                let mut known = self.tokens.lock().await;
                let environment = match known.get(&token) {
                    Some(environment) => environment.clone(),
                    None => known.entry(token).insert_entry(self.open(whose, id).await?).get().clone(),
                };
                (Some(token), environment)
            }
            _ => (None, Environment::new()),
        };
        let mut running = self.running();
        if let Some(hosted) = running.stateless.get(&token).filter(|hosted| !hosted.is_over()) {
            return Ok(Arc::clone(hosted));
        }
        let whose = token.map_or(Whose::Listener, Whose::Token);
        let hosted = self.run(&mut running, whose, environment, true);
        running.stateless.insert(token, Arc::clone(&hosted));
        Ok(hosted)
    }

    async fn open(&self, whose: Whose, id: &Id) -> Result<Environment, Failed> {
        self.names.open(whose, &self.hosting.process.server).await.map_err(|why| {
            let why = format!("no session can be opened for this client: {why}");
            Failed::new(StatusCode::SERVICE_UNAVAILABLE, Some(id), message::INTERNAL_ERROR, &why)
        })
    }

    /// Runs a process for one client or, `shared`, for many. With a client's process its session ends.
    fn run(&self, running: &mut Running, whose: Whose, environment: Environment, shared: bool) -> Arc<Hosted> {
        let mut process = self.hosting.process.clone();
        process.origin = Origin { session: self.names.of(whose), ..self.judge.origin.clone() };
        process.env.extend(environment.into_iter().chain(self.hosting.explicit.iter().cloned()));
        process.orphans = stdio::Orphans::EndMarked;
        // A request is flattened, and its id may be replaced by a longer one.
        process.limits.line = self.hosting.limits.message + 1024;
        // Whoever ends a session waits for no answers.
        process.limits.drain = Duration::from_millis(500);
        let (hosted, runs) = Hosted::start(process, whose, Arc::clone(&self.judge.terms.gate), shared);
        let names = self.names.clone();
        running.tasks.spawn(async move {
            runs.await;
            names.end(whose);
        });
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

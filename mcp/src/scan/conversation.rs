//! Asking a server what it offers, once in the words of each era of the protocol.

use std::{collections::BTreeSet, ffi::OsString, io, process::Stdio, time::Duration};

use serde_json::{Map, Value, json};
use tokio::{
    io::AsyncWriteExt,
    process::{ChildStdin, ChildStdout},
    time::{Instant, timeout, timeout_at},
};

use super::{Catalogue, Item, Section};
use crate::{
    lines::{Lines, Read},
    server::Server,
    stdio,
};

/// The last revision that begins with `initialize`.
const LEGACY: &str = "2025-11-25";
/// The first revision without sessions.
const MODERN: &str = "2026-07-28";
/// JSON-RPC 2.0, section 5.1: the method does not exist.
const METHOD_NOT_FOUND: i64 = -32601;

/// Bounds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long one answer may take.
    pub answer: Duration,
    /// How long the server may take for the first, which may have to be installed before it runs.
    pub first_answer: Duration,
    /// The longest line, in bytes.
    pub line: usize,
    /// The most items of all lists together.
    pub items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { answer: Duration::from_secs(30), first_answer: Duration::from_mins(2), line: 16 << 20, items: 20_000 }
    }
}

/// What asking gave.
#[derive(Debug)]
pub struct Walk {
    /// What the server offers, in all eras that it speaks.
    pub catalogue: Catalogue,
    /// The revisions in which it answered.
    pub revisions: Vec<&'static str>,
    /// Items that it offers in one era only, or differently in each: `section name`.
    pub differing: Vec<String>,
}

/// Why nothing can be said of a server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] stdio::Error),
    /// It went away.
    #[error("the server ended before it answered `{0}`; run it by itself to see what it says")]
    Gone(String),
    /// It took too long.
    #[error("the server did not answer `{0}` within {1} s; give it longer with --timeout SECONDS")]
    Late(String, u64),
    /// It refused.
    #[error("the server answered `{0}` with an error: {1}")]
    Refused(String, String),
    /// It says what MCP does not allow.
    #[error("the server's answer to `{0}` {1}")]
    Malformed(String, String),
    /// It speaks no known revision.
    #[error("the server answered neither `server/discover` nor `initialize`: {0}")]
    NoRevision(Box<Error>),
}

/// Starts the server with exactly this environment, once for each era, and asks for all pages of all of its lists.
///
/// # Errors
/// When it cannot be started, or answers in no era.
pub async fn walk(command: &[OsString], env: &[(OsString, OsString)], limits: Limits) -> Result<Walk, Error> {
    // An old server is asked in its own words first: some wait for `initialize` and nothing else.
    let legacy = one_era(command, env, limits, LEGACY).await;
    if let Err(Error::Start(e)) = legacy {
        return Err(Error::Start(e));
    }
    let modern = one_era(command, env, limits, MODERN).await;
    match (legacy, modern) {
        (Ok(legacy), Ok(modern)) => Ok(merge(legacy, &modern)),
        (Ok(only), Err(_)) => Ok(Walk { catalogue: only, revisions: vec![LEGACY], differing: vec![] }),
        (Err(_), Ok(only)) => Ok(Walk { catalogue: only, revisions: vec![MODERN], differing: vec![] }),
        (Err(legacy), Err(_)) => Err(Error::NoRevision(Box::new(legacy))),
    }
}

/// Everything that is offered in either era. Where they differ, both are kept.
fn merge(mut legacy: Catalogue, modern: &Catalogue) -> Walk {
    let mut differing = Vec::new();
    for item in modern.items.iter().filter(|item| item.section != Section::Server) {
        if !legacy.items.contains(item) {
            differing.push(format!("{} {}", item.section.as_str(), item.name));
            legacy.items.push(item.clone());
        }
    }
    let has = |item: &Item| modern.by_name().contains_key(&(item.section, item.name.as_str()));
    let only_legacy = legacy.items.iter().filter(|item| item.section != Section::Server && !has(item));
    differing.extend(only_legacy.map(|item| format!("{} {}", item.section.as_str(), item.name)));
    Walk { catalogue: legacy, revisions: vec![LEGACY, MODERN], differing }
}

async fn one_era(
    command: &[OsString],
    env: &[(OsString, OsString)],
    limits: Limits,
    revision: &'static str,
) -> Result<Catalogue, Error> {
    let (server, stdin, stdout) = Server::start(command, env.to_vec(), Stdio::inherit())?;
    let lines = Lines::new(stdout, limits.line);
    let mut talk = Talk { _server: server, stdin, lines, limits, revision, last_id: 0 };
    let mut catalogue = Catalogue::default();
    let about = talk.begin().await?;
    catalogue.items.push(Item { section: Section::Server, name: String::new(), definition: about });
    for section in Section::LISTS {
        // Asked for whether or not the server says that it has any: what it hides matters more than what it shows.
        let items = talk.list(section, limits.items.saturating_sub(catalogue.items.len())).await?;
        catalogue.items.extend(items);
    }
    Ok(catalogue)
}

/// One session with a server.
struct Talk {
    /// Ends with all that it started when this is dropped.
    _server: Server,
    stdin: ChildStdin,
    lines: Lines<ChildStdout>,
    limits: Limits,
    revision: &'static str,
    last_id: u64,
}

impl Talk {
    /// Begins, and returns what the server says of itself.
    async fn begin(&mut self) -> Result<Value, Error> {
        let client = json!({"name": "rampart", "version": env!("CARGO_PKG_VERSION")});
        let (method, params) = if self.revision == MODERN {
            ("server/discover", json!({}))
        } else {
            ("initialize", json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client}))
        };
        let patience = self.limits.first_answer;
        let result = self.ask(method, params, patience).await?.map_err(|e| Error::Refused(method.into(), e.1))?;
        if self.revision == LEGACY {
            self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        }
        let mut about = Map::new();
        for member in ["serverInfo", "instructions", "capabilities"] {
            if let Some(value) = result.get(member) {
                about.insert(member.to_owned(), value.clone());
            }
        }
        Ok(Value::Object(about))
    }

    /// All pages of a list; nothing when the server has no such list.
    async fn list(&mut self, section: Section, most: usize) -> Result<Vec<Item>, Error> {
        let method = section.method();
        let malformed = |what: String| Error::Malformed(method.to_owned(), what);
        let (list, naming) = section.members();
        let mut items = Vec::new();
        let mut cursors = BTreeSet::new();
        let mut cursor = None::<String>;
        loop {
            let params = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({"cursor": cursor}));
            let patience = self.limits.answer;
            let result = match self.ask(method, params, patience).await? {
                Ok(result) => result,
                Err((METHOD_NOT_FOUND, _)) if items.is_empty() => return Ok(items),
                // Servers that lack a list say so with codes of their own.
                Err(_) if items.is_empty() && section != Section::Tools => return Ok(items),
                Err((_, message)) => return Err(Error::Refused(method.into(), message)),
            };
            let page = result.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
            for definition in page {
                let name = definition.get(naming).and_then(Value::as_str);
                let name = name.ok_or_else(|| malformed(format!("holds an item without the text `{naming}`")))?;
                items.push(Item { section, name: name.to_owned(), definition });
                if items.len() > most {
                    return Err(malformed(format!("goes on beyond {} items", self.limits.items)));
                }
            }
            cursor = result.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
            match &cursor {
                None => return Ok(items),
                Some(next) if !cursors.insert(next.clone()) => {
                    return Err(malformed("comes back to a page that was there before".into()));
                }
                Some(_) => {}
            }
        }
    }

    /// The result of a request, or the code and message of its error.
    async fn ask(
        &mut self,
        method: &str,
        mut params: Value,
        patience: Duration,
    ) -> Result<Result<Value, (i64, String)>, Error> {
        self.last_id += 1;
        let id = self.last_id;
        if self.revision == MODERN
            && let Some(params) = params.as_object_mut()
        {
            let key = |name: &str| format!("io.modelcontextprotocol/{name}");
            let mut meta = Map::new();
            meta.insert(key("protocolVersion"), MODERN.into());
            meta.insert(key("clientCapabilities"), json!({}));
            meta.insert(key("clientInfo"), json!({"name": "rampart", "version": env!("CARGO_PKG_VERSION")}));
            params.insert("_meta".into(), Value::Object(meta));
        }
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        let deadline = Instant::now() + patience;
        loop {
            let read = timeout_at(deadline, self.lines.next()).await;
            let read = read.map_err(|_| Error::Late(method.to_owned(), patience.as_secs()))?;
            let line = match read {
                Ok(Read::Line(line)) => line,
                Ok(Read::TooLong | Read::Skipped(_)) => {
                    let what = format!("is longer than {} MiB", self.limits.line >> 20);
                    return Err(Error::Malformed(method.to_owned(), what));
                }
                Ok(Read::Unfinished | Read::Eof) | Err(_) => return Err(Error::Gone(method.to_owned())),
            };
            // Noise between messages is what many servers make.
            let Ok(message) = serde_json::from_slice::<Value>(&line) else { continue };
            if message.get("method").is_some() {
                self.serve(&message).await;
                continue;
            }
            if message.get("id").and_then(Value::as_u64) != Some(id) {
                continue;
            }
            if let Some(error) = message.get("error") {
                let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
                let text = error.get("message").and_then(Value::as_str).unwrap_or("no message");
                return Ok(Err((code, text.to_owned())));
            }
            return match message.get("result") {
                Some(result) if result.is_object() => Ok(Ok(result.clone())),
                _ => Err(Error::Malformed(method.to_owned(), "has no `result`".into())),
            };
        }
    }

    /// Answers what the server asks: a ping, and nothing else.
    async fn serve(&mut self, request: &Value) {
        let Some(id) = request.get("id") else { return };
        let answer = if request.get("method").and_then(Value::as_str) == Some("ping") {
            json!({"jsonrpc": "2.0", "id": id, "result": {}})
        } else {
            let error = json!({"code": METHOD_NOT_FOUND, "message": "this client only looks"});
            json!({"jsonrpc": "2.0", "id": id, "error": error})
        };
        self.say(&answer).await;
    }

    /// Writes a message. A server that does not read it will not answer either, and that is noticed there.
    async fn say(&mut self, message: &Value) {
        let line = format!("{message}\n");
        let write = async {
            self.stdin.write_all(line.as_bytes()).await?;
            self.stdin.flush().await
        };
        let _: Result<io::Result<()>, _> = timeout(self.limits.answer, write).await;
    }
}

//! One process of a server's, and the clients that it talks to.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use rampart_call::{Action, Gate, Origin, Surface};
use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    io::{AsyncWriteExt as _, duplex, split},
    sync::mpsc,
    time::Instant,
};

use super::routes::{Place, Routes, Said, Taken};
use crate::{
    answer,
    http::{open::Open, whose::Whose},
    lines::{Lines, Read},
    message::{self, Id},
    stdio,
};

/// How many bytes are on their way to the process or from it.
const PIPE: usize = 64 << 10;
/// How many lines wait for the process to read them.
const QUEUE: usize = 64;
/// How long a stream that is not read may hold up the others of its process.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process, for as long as it runs.
pub(super) struct Hosted {
    whose: Whose,
    gate: Arc<dyn Gate>,
    server: String,
    origin: Origin,
    routes: Mutex<Routes>,
    /// None once it shall end.
    input: Mutex<Option<mpsc::Sender<Bytes>>>,
    signals: mpsc::UnboundedSender<i32>,
    used: Mutex<Instant>,
    over: AtomicBool,
    /// Why it did not start.
    failed: Mutex<Option<String>>,
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hosted {
    /// A process for one client or, `shared`, for many, and what is to be run for it.
    pub(super) fn start(
        process: stdio::Options,
        whose: Whose,
        gate: Arc<dyn Gate>,
        shared: bool,
    ) -> (Arc<Self>, impl Future<Output = ()> + Send + use<>) {
        let (input, lines) = mpsc::channel(QUEUE);
        let (signals, signalled) = mpsc::unbounded_channel();
        let hosted = Arc::new(Self {
            whose,
            gate: Arc::clone(&gate),
            server: process.server.clone(),
            origin: process.origin.clone(),
            routes: Mutex::new(Routes::new(shared)),
            input: Mutex::new(Some(input)),
            signals,
            used: Mutex::new(Instant::now()),
            over: AtomicBool::new(false),
            failed: Mutex::new(None),
        });
        let runs = Arc::clone(&hosted).run(process, gate, lines, signalled);
        (hosted, runs)
    }

    async fn run(
        self: Arc<Self>,
        options: stdio::Options,
        gate: Arc<dyn Gate>,
        mut lines: mpsc::Receiver<Bytes>,
        mut signals: mpsc::UnboundedReceiver<i32>,
    ) {
        let (near, far) = duplex(PIPE);
        let (client_in, client_out) = split(far);
        let (answers, mut questions) = split(near);
        let limit = options.limits.line;
        let signals = stream::poll_fn(move |context| signals.poll_recv(context));
        let says = tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                if questions.write_all(&line).await.is_err() {
                    return;
                }
            }
            drop(questions.shutdown().await);
        });
        let relayed = Box::pin(stdio::relayed(options, Surface::McpHttp, gate, client_in, client_out, signals));
        let (outcome, ()) = tokio::join!(relayed, self.hear(Lines::new(answers, 2 * limit)));
        says.abort();
        if let Err(error) = outcome {
            tracing::warn!(%error, "a server did not start");
            *held(&self.failed) = Some(error.to_string());
        }
        self.over.store(true, Ordering::Release);
        held(&self.routes).close();
    }

    /// Takes what comes of the process to where it belongs.
    async fn hear<R: tokio::io::AsyncRead + Unpin>(&self, mut lines: Lines<R>) {
        loop {
            let line = match lines.next().await {
                Ok(Read::Line(line)) => line,
                Ok(Read::TooLong | Read::Skipped(_)) => continue,
                Ok(Read::Unfinished | Read::Eof) | Err(_) => return,
            };
            let place = held(&self.routes).place(line);
            match place {
                Place::Stream(to, said) => {
                    if let Err(error) = to.send_timeout(said, PATIENCE).await {
                        tracing::debug!(%error, "a stream did not take its message");
                    }
                }
                Place::Held => {}
                Place::Unanswerable(id) => {
                    let why = "clients of this revision answer no requests";
                    let line = answer::error(Some(&id), -32_601, why);
                    self.say(String::from_utf8_lossy(&line).into_owned()).await;
                }
                Place::Nobody(why) => tracing::debug!(why, "a message of the server's went nowhere"),
            }
        }
    }

    /// Sends a request. Its answer, and what else belongs to it, comes on the stream.
    pub(super) async fn ask(
        &self,
        id: Id,
        method: &str,
        params: &Value,
        line: &str,
    ) -> Result<(Id, mpsc::Receiver<Said>), Taken> {
        let tool = params.get("name").and_then(Value::as_str).filter(|_| method == "tools/call");
        let (id, mut line, stream) = held(&self.routes).ask(id, tool, params, line)?;
        line = [&line[..], b"\n"].concat().into();
        self.put(line).await;
        Ok((id, stream))
    }

    /// Sends what no message answers.
    pub(super) async fn say(&self, line: String) {
        self.put(line.into()).await;
    }

    async fn put(&self, line: Bytes) {
        *held(&self.used) = Instant::now();
        let input = held(&self.input).clone();
        if let Some(input) = input {
            // An error says that the process is gone, which whoever waits for it hears.
            drop(input.send(line).await);
        }
    }

    /// Opens the client's own stream.
    pub(super) fn open(&self) -> Result<(VecDeque<Bytes>, mpsc::Receiver<Said>), Taken> {
        *held(&self.used) = Instant::now();
        held(&self.routes).open()
    }

    /// Nobody waits for this any more. A client without a session has cancelled it by that.
    pub(super) fn leave(&self, id: &Id, cancels: bool) {
        *held(&self.used) = Instant::now();
        let Some(left) = held(&self.routes).leave(id) else { return };
        if cancels {
            let params = serde_json::json!({"requestId": id.to_value(), "reason": "the client has closed the stream"});
            let line = serde_json::json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
                .to_string();
            if let Some(input) = &*held(&self.input) {
                drop(input.try_send((line + "\n").into()));
            }
        } else if let Some(tool) = left.tool {
            // The server goes on with it, and nobody can get its answer: streams are not resumed here.
            let (server, method) = (self.server.clone(), "tools/call".to_owned());
            let action = Action::Mcp { server, method, tool, arguments: Value::Null.into(), beside: Value::Null };
            drop(Open::of(&self.gate, &self.origin, &action, id));
        }
    }

    /// Whose session of the gateway it has.
    pub(super) fn whose(&self) -> Whose {
        self.whose
    }

    /// Ends the process, if nobody has done so.
    pub(super) fn end(&self) {
        if held(&self.input).take().is_some() {
            // An error says that it has ended.
            let _ = self.signals.send(Signal::TERM.as_raw());
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// How long nobody has waited for anything of it.
    pub(super) fn quiet_for(&self) -> Option<Duration> {
        let quiet = held(&self.routes).is_quiet();
        quiet.then(|| held(&self.used).elapsed())
    }

    /// What is told to those who still wait when it is over.
    pub(super) fn farewell(&self, id: &Id) -> Bytes {
        let why = held(&self.failed).clone();
        answer::error(Some(id), message::INTERNAL_ERROR, why.as_deref().unwrap_or("the session has ended"))
    }
}

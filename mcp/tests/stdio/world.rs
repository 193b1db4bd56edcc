//! A client, a gate and the fixture server around one session.

use std::{ffi::OsString, sync::Arc, time::Duration};

use futures_util::stream;
use rampart_call::{Action, Call, Gate, Judgement, Judging, Permit, Phase, Reason, Refusal, Verdict};
use rampart_mcp::stdio::{self, Limits, Options, Outcome};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, duplex},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

/// Long enough for a slow machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const FIXTURE: &str = env!("CARGO_BIN_EXE_rampart-mcp-fixture");

#[expect(clippy::disallowed_methods, reason = "the test is the gate")]
pub(crate) fn allow() -> Verdict {
    Verdict::Allow(Permit::mint(Judgement::allowed(Reason::Default)))
}

pub(crate) fn deny(reason: Reason) -> Verdict {
    Verdict::Deny(Refusal { judgement: Judgement::refused(reason, "not now") })
}

pub(crate) fn tool_of(call: &Call) -> &str {
    match &call.action {
        Action::Mcp { tool, .. } => tool,
        _ => "",
    }
}

/// Holds calls of the tool `held` until the test answers them; everything else is allowed at once.
pub(crate) struct Holding {
    questions: mpsc::UnboundedSender<oneshot::Sender<Verdict>>,
}

pub(crate) fn holding() -> (Holding, mpsc::UnboundedReceiver<oneshot::Sender<Verdict>>) {
    let (questions, asked) = mpsc::unbounded_channel();
    (Holding { questions }, asked)
}

impl Gate for Holding {
    fn judge(&self, call: Call) -> Judging<'_> {
        if tool_of(&call) != "held" || call.phase == Phase::After {
            return Box::pin(std::future::ready(allow()));
        }
        let (answer, answered) = oneshot::channel();
        self.questions.send(answer).unwrap();
        Box::pin(async { answered.await.unwrap_or_else(|_| deny(Reason::ApprovalExpired)) })
    }
}

/// A running session, seen from the client.
pub(crate) struct World {
    pub(crate) input: Option<DuplexStream>,
    output: Lines<BufReader<DuplexStream>>,
    pub(crate) signals: mpsc::UnboundedSender<i32>,
    pub(crate) session: JoinHandle<Result<Outcome, stdio::Error>>,
}

pub(crate) fn options(command: &[&str]) -> Options {
    Options {
        command: command.iter().map(OsString::from).collect(),
        server: "fixture".into(),
        origin: rampart_call::Origin::default(),
        env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()), ("FOR_SERVER".into(), "1".into())],
        pins: None,
        schemas: rampart_mcp::Schemas::default(),
        filter_tools: false,
        clean: None,
        orphans: rampart_mcp::stdio::Orphans::Leave,
        limits: Limits { grace: Duration::from_millis(300), drain: Duration::from_secs(2), ..Limits::default() },
    }
}

impl World {
    pub(crate) fn new(gate: impl Gate + 'static) -> Self {
        Self::with(options(&[FIXTURE]), gate)
    }

    pub(crate) fn with(options: Options, gate: impl Gate + 'static) -> Self {
        let (input, client_in) = duplex(64 << 10);
        let (client_out, output) = duplex(64 << 10);
        let (signals, mut arrivals) = mpsc::unbounded_channel();
        let arrivals = stream::poll_fn(move |cx| arrivals.poll_recv(cx));
        let session = tokio::spawn(stdio::run(options, Arc::new(gate), client_in, client_out, arrivals));
        Self { input: Some(input), output: BufReader::new(output).lines(), signals, session }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let input = self.input.as_mut().expect("the client has closed its side");
        timeout(PATIENCE, input.write_all(bytes.as_ref())).await.expect("nobody reads").unwrap();
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.write(format!("{message}\n")).await;
    }

    pub(crate) async fn call(&mut self, id: impl Into<Value>, tool: &str, arguments: Value) {
        let params = json!({"name": tool, "arguments": arguments});
        self.say(json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params})).await;
    }

    /// The next line as the client gets it; none at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.output.next_line()).await.expect("nothing came").unwrap()
    }

    pub(crate) async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.line().await.expect("the session ended")).unwrap()
    }

    /// The text of the next message, which must be the result of this call.
    pub(crate) async fn text_of(&mut self, id: impl Into<Value>) -> String {
        let message = self.hear().await;
        assert_eq!(message["id"], id.into(), "{message}");
        message["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned()
    }

    /// Closes the client's side and waits for the end.
    pub(crate) async fn close(mut self) -> Outcome {
        self.input = None;
        self.end().await
    }

    /// Waits for the end. Nothing may be left to read.
    pub(crate) async fn end(mut self) -> Outcome {
        let outcome = timeout(PATIENCE, &mut self.session).await.expect("the session hangs").unwrap().unwrap();
        let mut rest = String::new();
        self.output.get_mut().read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "", "left over");
        outcome
    }
}

/// Whether a process is there and no zombie.
pub(crate) fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// Waits until a process that was killed is gone: the kernel takes its time.
pub(crate) async fn gone(pid: &str) {
    let wait = async {
        while lives(pid) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{pid} is still running"));
}

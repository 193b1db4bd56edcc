//! What the loop of a session remembers, and what each event means. No method here waits.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    process::ExitStatus,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rampart_call::{Call, Gate, Refusal, Verdict};
use rustix::process::Signal;
use tokio::{
    io::AsyncWrite,
    process::ChildStdin,
    task::{AbortHandle, JoinError, JoinSet},
    time::Instant,
};

use super::Limits;
use crate::{
    drops::Drops,
    lines::{Outbox, Read},
    orphans,
    pins::{
        Screened,
        store::{Stamp, Store},
    },
    relay::{Effect, Input, Relay, Side, Ticket},
    server::{self, Server},
};

/// Above this many bytes in an outbox, the side that fills it is not read.
const FULL: usize = 1 << 20;
/// How long the output of an ended server, or the end of a server that closed its output, is waited for.
pub(super) const LINGER: Duration = Duration::from_millis(500);

/// How long the end of a session waits for its last records.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How far the end has come. The server is asked to go more firmly at each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nobody has left.
    Open,
    /// The client has closed its side and may still get answers.
    Draining,
    /// The server's input is closed.
    Leaving,
    /// The server's group got SIGTERM.
    Terminated,
    /// The server's group got SIGKILL.
    Killed,
    /// The server has ended, and the client has still to read the last messages.
    Flushing,
    /// Nothing is worth waiting for.
    Over,
}

pub(super) struct Session<'l> {
    gate: Arc<dyn Gate>,
    limits: &'l Limits,
    pub(super) relay: Relay,
    /// Where it is written what the server offers.
    pins: Option<Store>,
    stamp: Stamp,
    drops: Drops,
    /// What is on its way into the audit trail and holds up nothing.
    records: JoinSet<()>,
    /// What the gate is asked. Tasks, since a `FuturesUnordered` wakes its own task whenever nothing in it is ready, and
    /// a turn of the loop for that costs as much as a message does.
    pub(super) verdicts: JoinSet<(Ticket, Verdict)>,
    asked: HashMap<Ticket, AbortHandle>,
    /// The same about what is shown.
    pub(super) previews: JoinSet<(Ticket, Vec<bool>)>,
    pub(super) to_client: Outbox,
    pub(super) to_server: Outbox,
    pub(super) stdin: ServerInput,
    client_open: bool,
    server_open: bool,
    /// The relay has told the client everything.
    ended: bool,
    /// The relay has told the server everything.
    closing: bool,
    stage: Stage,
    /// When the current stage, or [`LINGER`], is over.
    pub(super) deadline: Instant,
    waits: bool,
    pub(super) exit: Option<io::Result<ExitStatus>>,
    /// The relay knows that the server is gone.
    gone: bool,
}

/// The server's input, until it is closed.
pub(super) struct ServerInput(Option<ChildStdin>);

impl<'l> Session<'l> {
    pub(super) fn new(
        gate: Arc<dyn Gate>,
        relay: Relay,
        pins: Option<Store>,
        limits: &'l Limits,
        stdin: ChildStdin,
    ) -> Self {
        Self {
            gate,
            limits,
            relay,
            stamp: pins.as_ref().and_then(Store::stamp),
            pins,
            drops: Drops::default(),
            records: JoinSet::new(),
            verdicts: JoinSet::new(),
            asked: HashMap::new(),
            previews: JoinSet::new(),
            to_client: Outbox::default(),
            to_server: Outbox::default(),
            stdin: ServerInput(Some(stdin)),
            client_open: true,
            server_open: true,
            ended: false,
            closing: false,
            stage: Stage::Open,
            deadline: Instant::now(),
            waits: false,
            exit: None,
            gone: false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over || (self.ended && self.to_client.is_empty() && self.exit.is_some())
    }

    pub(super) fn has_deadline(&self) -> bool {
        self.waits
    }

    /// Whether this side is to be read: it is open, and there is room for what may follow from another line.
    pub(super) fn reads(&self, side: Side) -> bool {
        let open = match side {
            // Answers of our own may exceed what the server's flood left room for, or the flood would block the client.
            Side::Client => self.client_open && self.to_server.bytes() < FULL && self.to_client.bytes() < 2 * FULL,
            Side::Server => self.server_open && self.to_client.bytes() < FULL && self.to_server.bytes() < 2 * FULL,
        };
        open && self.relay.accepts(side)
    }

    /// Feeds the relay and does what it says.
    pub(super) fn step(&mut self, input: Input) {
        for effect in self.relay.step(input) {
            match effect {
                Effect::Judge(ticket, call) => self.ask(ticket, *call),
                Effect::Abandon(ticket) => {
                    if let Some(handle) = self.asked.remove(&ticket) {
                        handle.abort();
                    }
                }
                Effect::Send(Side::Client, line) => self.to_client.push(line),
                Effect::Send(Side::Server, line) if self.stdin.0.is_some() => self.to_server.push(line),
                Effect::Send(Side::Server, _) => {}
                Effect::Refuse(ticket, refused) => self.refuse(ticket, *refused),
                Effect::Preview(ticket, calls) => self.preview(ticket, calls),
                Effect::Offered(screened) => self.offered(&screened),
                Effect::Over(call) => self.over(*call),
                Effect::Dropped(side, why) => self.dropped(side, why),
                Effect::CloseServer => self.closing = true,
                Effect::End => self.ended = true,
            }
        }
        self.advance();
    }

    /// Something of ours is recorded before it is carried out.
    fn refuse(&mut self, ticket: Ticket, (call, refusal): (Call, Refusal)) {
        let gate = Arc::clone(&self.gate);
        let judging = self.verdicts.spawn(async move { (ticket, gate.refused(call, refusal).await) });
        self.asked.insert(ticket, judging);
    }

    fn preview(&mut self, ticket: Ticket, calls: Vec<Call>) {
        let gate = Arc::clone(&self.gate);
        self.previews.spawn(async move { (ticket, gate.closed(calls).await) });
    }

    fn offered(&mut self, screened: &Screened) {
        let Some(store) = &self.pins else { return };
        // Pins that cannot be written down hold for this session only.
        if let Err(error) = store.write_down(screened) {
            tracing::warn!(%error, "what the server offers was not written down");
        }
        if !screened.learned.is_empty() {
            tracing::info!(items = screened.learned.len(), "pinned what the server offers for the first time");
            let (gate, call) = (Arc::clone(&self.gate), self.relay.trusted(&screened.learned));
            self.records.spawn(async move { drop(gate.judge(call).await) });
        }
        self.stamp = store.stamp();
    }

    /// Whether something could be approved that is withheld.
    pub(super) fn watches(&self) -> bool {
        self.pins.is_some() && self.relay.withholds()
    }

    /// Notices what was approved meanwhile.
    pub(super) fn look_at_pins(&mut self) {
        let Some(store) = &self.pins else { return };
        let stamp = store.stamp();
        if stamp == self.stamp {
            return;
        }
        self.stamp = stamp;
        match store.approved() {
            Ok(approved) => self.step(Input::Approved(approved)),
            // What was approved before stays so; what is new in a file that means nothing is not.
            Err(error) => tracing::warn!(%error, "the pins were not read again"),
        }
    }

    fn dropped(&mut self, side: Side, why: String) {
        match self.drops.note(Instant::now()) {
            None => tracing::debug!(?side, why, "dropped another line"),
            Some(1) => {
                tracing::warn!(?side, why, "dropped a line that is no valid MCP message");
                self.record(side, why);
            }
            Some(lines) => self.record(side, format!("{why}; {lines} lines in all since the last record")),
        }
    }

    fn record(&mut self, side: Side, why: String) {
        let (gate, (call, refusal)) = (Arc::clone(&self.gate), self.relay.dropped(side, why));
        self.records.spawn(async move { drop(gate.refused(call, refusal).await) });
    }

    fn over(&mut self, call: Call) {
        let gate = Arc::clone(&self.gate);
        while self.records.try_join_next().is_some() {}
        self.records.spawn(async move { gate.over(call).await });
    }

    /// The records that are still to be made.
    pub(super) async fn last_records(&mut self) {
        let unanswered: Vec<Call> = self.relay.unanswered().collect();
        for call in unanswered {
            self.over(call);
        }
        let lines = self.drops.rest();
        if lines > 0 {
            self.record(Side::Server, format!("{lines} more lines went nowhere before the session ended"));
        }
        let all = async { while self.records.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_WORDS, all).await.is_err() {
            tracing::warn!("the last dropped lines are not on record: the gateway took too long");
        }
    }

    fn ask(&mut self, ticket: Ticket, call: Call) {
        let gate = Arc::clone(&self.gate);
        let judging = self.verdicts.spawn(async move { (ticket, gate.judge(call).await) });
        self.asked.insert(ticket, judging);
    }

    pub(super) fn previewed(&mut self, previewed: Result<(Ticket, Vec<bool>), JoinError>) {
        match previewed {
            Ok((ticket, closed)) => self.step(Input::Previewed(ticket, closed)),
            Err(broken) => std::panic::resume_unwind(broken.into_panic()),
        }
    }

    pub(super) fn judged(&mut self, judged: Result<(Ticket, Verdict), JoinError>) {
        match judged {
            Ok((ticket, verdict)) => {
                self.asked.remove(&ticket);
                self.step(Input::Verdict(ticket, verdict));
            }
            Err(abandoned) if abandoned.is_cancelled() => {}
            Err(broken) => std::panic::resume_unwind(broken.into_panic()),
        }
    }

    // === the client ===

    pub(super) fn client_read(&mut self, read: io::Result<Read>) {
        match read {
            Ok(Read::Line(line)) => return self.step(Input::Line(Side::Client, line)),
            Ok(Read::TooLong | Read::Skipped(_)) => {
                let why = format!("a line longer than {} bytes; the session ends", self.limits.line);
                self.step(Input::Unread(Side::Client, None, why));
            }
            Ok(Read::Unfinished) => {
                self.step(Input::Unread(Side::Client, None, "the input ended in the middle of a line".into()));
            }
            Ok(Read::Eof) => {}
            Err(error) => tracing::debug!(%error, "reading from the client failed"),
        }
        self.client_open = false;
        self.step(Input::ClientEof);
        if self.exit.is_some() && self.stage < Stage::Flushing {
            self.wait(self.limits.drain);
        }
        self.enter(Stage::Draining);
        self.advance();
    }

    pub(super) fn client_written(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            tracing::debug!(%error, "the client has hung up");
            self.to_client.discard();
            self.client_open = false;
            self.step(Input::GiveUp);
            self.leave();
        }
        if self.to_client.is_empty() {
            self.advance();
        }
    }

    // === the server ===

    pub(super) fn server_read(&mut self, read: io::Result<Read>) {
        match read {
            Ok(Read::Line(line)) => return self.step(Input::Line(Side::Server, line)),
            Ok(Read::TooLong) => return,
            Ok(Read::Skipped(id)) => {
                let why = format!("longer than {} bytes", self.limits.line);
                return self.step(Input::Unread(Side::Server, id, why));
            }
            Ok(Read::Unfinished) => {
                self.step(Input::Unread(Side::Server, None, "the output ended in the middle of a line".into()));
            }
            Ok(Read::Eof) => {}
            Err(error) => tracing::debug!(%error, "reading from the server failed"),
        }
        self.server_open = false;
        if self.exit.is_some() {
            self.server_gone();
        } else {
            self.wait(LINGER);
        }
    }

    pub(super) fn server_written(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            tracing::debug!(%error, "the server has closed its input");
            self.close_stdin();
        }
        self.advance();
    }

    pub(super) fn exited(&mut self, server: &Server, status: io::Result<ExitStatus>) {
        self.exit = Some(status);
        self.close_stdin();
        // What the server has left behind goes as well; its output may still be on the way.
        server.signal(Signal::TERM);
        if self.server_open {
            self.wait(LINGER);
        } else {
            self.server_gone();
        }
    }

    fn server_gone(&mut self) {
        self.server_open = false;
        if !std::mem::replace(&mut self.gone, true) {
            let how = match &self.exit {
                Some(Ok(status)) => server::describe(*status),
                _ => "the server closed its output".into(),
            };
            self.step(Input::ServerGone(how));
        }
        if self.exit.is_none() {
            self.leave();
            if !self.waits {
                self.wait(self.limits.grace); // of a later stage, whose deadline LINGER has replaced
            }
            return;
        }
        // Only verdicts on its last messages can be missing. A client that listens may wait for them.
        self.waits = false;
        if !self.client_open || self.stage >= Stage::Terminated {
            self.wait(if self.client_open { self.limits.grace } else { self.limits.drain });
        }
        self.advance();
    }

    pub(super) fn exit_code(&self) -> u8 {
        match &self.exit {
            Some(Ok(status)) => server::exit_code(*status),
            // It outlived SIGKILL, or the kernel would not say.
            _ => 1,
        }
    }

    fn close_stdin(&mut self) {
        self.stdin.0 = None;
        self.to_server.discard();
    }

    // === the end ===

    pub(super) fn signalled(&mut self, server: &Server, number: i32) {
        let Some(signal) = Signal::from_named_raw(number) else {
            return tracing::warn!(number, "a signal without a name was not forwarded");
        };
        if signal == Signal::CHILD {
            return orphans::reap(server.pid());
        }
        server.signal(signal);
        if [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT].contains(&signal) {
            if self.exit.is_some() {
                self.wait(self.limits.grace);
            }
            self.enter(Stage::Terminated);
        }
    }

    /// The time of the current stage is over.
    pub(super) fn expired(&mut self, server: &Server) {
        self.waits = false;
        if !self.gone && (!self.server_open || self.exit.is_some()) {
            return self.server_gone();
        }
        match self.stage {
            _ if self.exit.is_some() => self.stage = Stage::Over,
            Stage::Open => {}
            Stage::Draining => {
                self.step(Input::GiveUp);
                self.leave();
            }
            Stage::Leaving => {
                server.signal(Signal::TERM);
                self.enter(Stage::Terminated);
            }
            Stage::Terminated => {
                server.signal(Signal::KILL);
                self.enter(Stage::Killed);
            }
            Stage::Killed | Stage::Flushing | Stage::Over => self.stage = Stage::Over,
        }
    }

    /// Notices what has become possible.
    fn advance(&mut self) {
        if self.closing && self.to_server.is_empty() {
            self.stdin.0 = None;
        }
        if self.stage == Stage::Draining && self.stdin.0.is_none() && self.relay.is_idle() {
            self.leave();
        }
        if self.ended && self.gone && self.exit.is_some() {
            self.enter(Stage::Flushing);
        }
    }

    fn leave(&mut self) {
        self.close_stdin();
        self.enter(Stage::Leaving);
    }

    /// Goes on to a later stage; never back.
    fn enter(&mut self, stage: Stage) {
        if stage > self.stage {
            self.stage = stage;
            self.wait(if stage == Stage::Draining { self.limits.drain } else { self.limits.grace });
        }
    }

    fn wait(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        // Nothing that happens meanwhile makes the rest of an ended server more worth waiting for.
        let lingers = self.waits && !self.gone && (!self.server_open || self.exit.is_some());
        self.deadline = if lingers { deadline.min(self.deadline) } else { deadline };
        self.waits = true;
    }
}

impl AsyncWrite for ServerInput {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Some(stdin) => Pin::new(stdin).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Some(stdin) => Pin::new(stdin).poll_write_vectored(cx, slices),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

//! MCP over standard input and output: starts the server, stands between it and the client, and ends with it.

mod errors;
mod handle;
mod session;

use std::{ffi::OsString, io, pin::pin, process::Stdio, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt};
use rampart_call::{Gate, Origin, Surface};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{MissedTickBehavior, interval, sleep_until},
};

pub use handle::Handle;

pub use crate::relay::Summary;
use crate::{
    lines::Lines,
    orphans,
    pins::store::{Store, StoreError},
    relay::{self, Side},
    schemas::Schemas,
    server::Server,
};
use session::Session;

/// What to run, and as whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's program and its arguments.
    pub command: Vec<OsString>,
    /// The name that policy knows the server by.
    pub server: String,
    /// Who asks. The surface becomes [`Surface::McpStdio`].
    pub origin: Origin,
    /// The server's whole environment; see [`environment::clean`](crate::environment::clean).
    pub env: Vec<(OsString, OsString)>,
    /// Where it is kept what of the server's offer is approved; without it, everything is.
    pub pins: Option<Store>,
    /// What its tools take and give.
    pub schemas: Schemas,
    /// Tools that policy refuses whatever they are called with are not listed.
    pub filter_tools: bool,
    /// What becomes of a line of the server's standard error before it goes to ours; without it, the server has ours.
    pub clean: Option<fn(&str) -> String>,
    /// What is done about processes that the server leaves behind.
    pub orphans: Orphans,
    /// Bounds of size and time.
    pub limits: Limits,
}

/// What is done about processes that a server leaves behind when it ends, besides those of its process group, which are
/// ended wherever they are. Linux only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// Nothing.
    Leave,
    /// This process has no other children: daemons, too, are ended and reaped.
    End,
    /// This process, which is their next parent, has other servers as well: those are ended that bear this one's mark in
    /// their environment.
    EndMarked,
}

/// Bounds of size and time.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest line in bytes. A longer one of the client ends the session; one of the server is dropped, and the
    /// request that it answered gets an error.
    pub line: usize,
    /// What the relay may keep.
    pub relay: relay::Limits,
    /// How long a client that has closed its side may wait for answers that it asked for.
    pub drain: Duration,
    /// How long the server has to end after its input was closed, and again after SIGTERM. Clients give a server two
    /// seconds at each of these steps, so less than that keeps us the one who cleans up.
    pub grace: Duration,
    /// How often a client whose request is held gets a progress notification.
    pub progress: Duration,
    /// How long the server may be silent about a request, up to a quarter more; without it, as long as it likes. Progress
    /// notifications begin it anew.
    pub answer: Option<Duration>,
    /// How often it is looked whether something was approved that is withheld.
    pub pins: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 4 << 20,
            relay: relay::Limits::default(),
            drain: Duration::from_secs(30),
            grace: Duration::from_millis(1_500),
            progress: Duration::from_secs(5),
            answer: None,
            pins: Duration::from_secs(1),
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The server's exit code, or 128 and the number of the signal that ended it.
    pub exit_code: u8,
    /// What passed.
    pub summary: Summary,
}

/// Why there was no session.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing to run.
    #[error("no server was named: give its command after `--`")]
    NoCommand,
    /// There is no such program.
    #[error("cannot start the server `{program}`: no such program; check its name and PATH, or give its full path")]
    NotFound {
        /// As it was given.
        program: String,
    },
    /// The program may not be run.
    #[error(
        "cannot start the server `{program}`: it may not be executed; check that it is a program and its mode (chmod +x)"
    )]
    NotExecutable {
        /// As it was given.
        program: String,
    },
    /// The operating system refused to start it.
    #[error("cannot start the server `{program}`: {source}")]
    Start {
        /// As it was given.
        program: String,
        /// The reason.
        source: io::Error,
    },
    /// What is approved cannot be said.
    #[error(transparent)]
    Pins(#[from] StoreError),
}

impl Error {
    /// The exit code that a shell would give: 127 for a program that does not exist, 126 for one that cannot be run.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoCommand | Self::Pins(_) => 2,
            Self::NotFound { .. } => 127,
            Self::NotExecutable { .. } | Self::Start { .. } => 126,
        }
    }
}

/// Runs the server and relays between it and the client until both are done. `signals` are the numbers of signals that
/// came for us; they go on to the server, but for SIGCHLD, which may be passed only by who is [`Orphans::End`] and has
/// orphans reaped. Nothing that the server has started in its process group is left running,
/// not even when the future is dropped.
///
/// # Errors
/// When the server cannot be started. Later failures end the session, and the client is told in its protocol.
pub async fn run(
    options: Options,
    gate: Arc<dyn Gate>,
    client_in: impl AsyncRead + Unpin,
    client_out: impl AsyncWrite + Unpin,
    signals: impl Stream<Item = i32>,
) -> Result<Outcome, Error> {
    relayed(options, Surface::McpStdio, gate, client_in, client_out, signals).await
}

/// The same for a client that comes by any road.
pub(crate) async fn relayed(
    options: Options,
    surface: Surface,
    gate: Arc<dyn Gate>,
    client_in: impl AsyncRead + Unpin,
    mut client_out: impl AsyncWrite + Unpin,
    signals: impl Stream<Item = i32>,
) -> Result<Outcome, Error> {
    let Options { command, server: name, origin, env, pins, schemas, filter_tools, clean, orphans: left, limits } =
        options;
    let pinned = pins.as_ref().map(|store| store.pins(&name)).transpose()?;
    let mark = if left == Orphans::EndMarked { orphans::mark() } else { None };
    let env = env.into_iter().chain(mark.clone()).collect();
    if left == Orphans::End {
        orphans::adopt();
    }
    let stderr = if clean.is_some() { Stdio::piped() } else { Stdio::inherit() };
    let (mut server, stdin, stdout) = Server::start(&command, env, stderr)?;
    let carrying = clean.zip(server.errors()).map(|(clean, errors)| errors::carry(errors, clean));
    tracing::debug!(server = name, "server started");
    let origin = Origin { surface, ..origin };
    let relay = relay::Relay::new(name, origin, limits.relay).shaped(schemas).filtering(filter_tools);
    let relay = match pinned {
        Some(pinned) => relay.pinned(pinned),
        None => relay,
    };
    let mut session = Session::new(gate, relay, pins, &limits, stdin);
    let mut from_client = Lines::new(client_in, limits.line);
    let mut from_server = Lines::new(stdout, limits.line);
    let mut signals = pin!(signals.fuse());
    let mut progress = interval(limits.progress);
    progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rounds = interval(limits.answer.unwrap_or(Duration::from_hours(24)) / relay::ROUNDS);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut approvals = interval(limits.pins);
    approvals.set_missed_tick_behavior(MissedTickBehavior::Delay);

    while !session.is_over() {
        tokio::select! {
            read = from_client.next(), if session.reads(Side::Client) => session.client_read(read),
            read = from_server.next(), if session.reads(Side::Server) => session.server_read(read),
            Some(judged) = session.verdicts.join_next(), if !session.verdicts.is_empty() => session.judged(judged),
            Some(previewed) = session.previews.join_next(), if !session.previews.is_empty() => session.previewed(previewed),
            written = session.to_client.write(&mut client_out), if !session.to_client.is_empty() => {
                session.client_written(written);
            }
            written = session.to_server.write(&mut session.stdin), if !session.to_server.is_empty() => {
                session.server_written(written);
            }
            Some(number) = signals.next() => session.signalled(&server, number),
            status = server.wait(), if session.exit.is_none() => session.exited(&server, status),
            () = sleep_until(session.deadline), if session.has_deadline() => session.expired(&server),
            _ = progress.tick(), if session.relay.holds() => session.step(relay::Input::Tick),
            _ = rounds.tick(), if limits.answer.is_some() && session.relay.expects() => session.step(relay::Input::Round),
            _ = approvals.tick(), if session.watches() => session.look_at_pins(),
            else => break,
        }
    }
    if left == Orphans::End && session.exit.is_some() {
        orphans::end(limits.grace).await;
    }
    if mark.is_some() && session.exit.is_some() {
        orphans::end_marked(mark, limits.grace).await;
    }
    if let Some(carrying) = carrying {
        errors::finish(carrying, session::LINGER).await;
    }
    session.last_records().await;
    let outcome = Outcome { exit_code: session.exit_code(), summary: session.relay.summary() };
    tracing::info!(exit_code = outcome.exit_code, summary = ?outcome.summary, "MCP session ended");
    Ok(outcome)
}

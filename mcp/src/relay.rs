//! What to do with each line, as a state machine without clock or I/O: lines, verdicts and ends in, effects out.
//!
//! Every message of both directions is judged, and none goes on before its verdict. What keeps that quick is that
//! messages wait for their own verdict only: requests and responses go on in the order in which they were allowed. The
//! exceptions, where order carries meaning: nothing overtakes an `initialize` or a notification that came before it from
//! the same side (`notifications/initialized`, progress before its response); only pings and cancellations overtake
//! everything.

mod arrivals;
mod offers;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rampart_call::{Action, Call, Origin, Phase, Refusal, Verdict};
use serde_json::Value;

use crate::{
    action, answer, drops,
    message::{self, Fault, Id},
    outstanding::{Outstanding, State},
    pins::{self, Pins, Screened},
    scan::{Item, Offered, Section},
    schemas::Schemas,
};

/// A request gets an error in place of its answer when the server was silent about it for that many [`Input::Round`]s, and
/// the part of one in which it was sent.
pub const ROUNDS: u32 = 4;

/// Names a judgement that was asked for.
pub type Ticket = u64;

/// A party to the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The agent's MCP client.
    Client,
    /// The MCP server.
    Server,
}

impl Side {
    /// The party it talks to.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// What happened.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made and taken apart at once; a box would cost more than the move")]
pub enum Input {
    /// A line came, with its newline.
    Line(Side, Bytes),
    /// A line could not be taken whole and is gone, for the reason given; its id, where it could be seen.
    Unread(Side, Option<Id>, String),
    /// The gate has answered.
    Verdict(Ticket, Verdict),
    /// The client will send no more.
    ClientEof,
    /// The server will send no more; the text says how it ended.
    ServerGone(String),
    /// The client has left and its last requests are not worth waiting for any longer.
    GiveUp,
    /// Some seconds have passed: clients that wait deserve a sign of life.
    Tick,
    /// A part of the time is over that the server has for an answer; see [`ROUNDS`].
    Round,
    /// Which of the tools that a list names policy closes; see [`Effect::Preview`].
    Previewed(Ticket, Vec<bool>),
    /// This is approved of the server's offer now.
    Approved(Offered),
}

/// What to do.
#[derive(Debug)]
pub enum Effect {
    /// Ask the gate and bring its verdict as [`Input::Verdict`].
    Judge(Ticket, Box<Call>),
    /// Have this refusal of ours recorded, and bring its verdict as [`Input::Verdict`]: where nothing is enforced, it allows.
    Refuse(Ticket, Box<(Call, Refusal)>),
    /// Ask the gate which of these calls it refuses whatever their arguments, and bring that as [`Input::Previewed`].
    Preview(Ticket, Vec<Call>),
    /// Write down what the server offers: what was trusted on first use, and what waits for approval.
    Offered(Box<Screened>),
    /// The answer to this ticket is not wanted any more.
    Abandon(Ticket),
    /// Write these bytes to this side. They are one message: a whole line.
    Send(Side, Bytes),
    /// This call has gone on, and gets no answer any more.
    Over(Box<Call>),
    /// A line of this side went nowhere, for the reason given.
    Dropped(Side, String),
    /// The server will get no more lines.
    CloseServer,
    /// The client has got everything.
    End,
}

/// How much the relay keeps.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests of one side that wait for an answer.
    pub outstanding: usize,
    /// Bytes of those requests.
    pub outstanding_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { outstanding: 1_000, outstanding_bytes: 64 << 20 }
    }
}

/// What a session amounted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines that came from the client.
    pub client_lines: u64,
    /// Lines that came from the server.
    pub server_lines: u64,
    /// Messages that went on, of both sides.
    pub forwarded: u64,
    /// Those of them that policy had something taken out of.
    pub redacted: u64,
    /// Messages that policy refused, of both sides.
    pub refused: u64,
    /// Lines that were not messages, or broke the protocol: malformed, unsolicited, duplicate.
    pub dropped: u64,
}

/// The state of one session.
#[derive(Debug)]
pub struct Relay {
    server: String,
    origin: Origin,
    limits: Limits,
    next: Ticket,
    pending: BTreeMap<Ticket, Pending>,
    from_client: Half,
    from_server: Half,
    summary: Summary,
    pins: Option<Pins>,
    schemas: Schemas,
    /// The lists of which the server said that it tells when they change.
    announced: BTreeSet<Section>,
    /// Lists of tools are shown without those that policy closes.
    filters: bool,
    /// Such lists, of which it is being asked what is closed.
    lists: BTreeMap<Ticket, List>,
}

/// A list of tools that waits.
#[derive(Debug)]
struct List {
    response: Arrived,
    questions: Vec<Call>,
}

/// A response as it came.
#[derive(Debug)]
struct Arrived {
    id: Id,
    body: Value,
    place: std::ops::Range<usize>,
    line: Bytes,
}

/// What came from one side.
#[derive(Debug, Default)]
struct Half {
    asked: Outstanding,
    /// Undecided messages that nothing behind them may overtake.
    barriers: BTreeSet<Ticket>,
    /// Verdicts that wait for a barrier.
    decided: BTreeMap<Ticket, Verdict>,
    /// Messages whose verdict is not carried out.
    pending: usize,
    ended: bool,
    /// The end has been passed on.
    closed: bool,
}

/// A message that waits for its verdict.
#[derive(Debug)]
struct Pending {
    from: Side,
    line: Bytes,
    kind: Kind,
    /// What must be allowed as well before the message goes on.
    more: Vec<Call>,
    overtakes: bool,
    /// What goes on in its place once its refusal is on record.
    instead: Option<Instead>,
}

/// A response without what is withheld from it.
#[derive(Debug)]
struct Instead {
    line: Bytes,
    place: std::ops::Range<usize>,
}

#[derive(Debug, Clone)]
enum Kind {
    Request(Id),
    Notification,
    Cancellation(Id),
    Response { id: Id, place: std::ops::Range<usize> },
}

impl Relay {
    /// A session with the server that policy knows by the name `server`, of the client that `origin` describes.
    pub fn new(server: String, origin: Origin, limits: Limits) -> Self {
        Self {
            server,
            // Over stdio the only prompt is the gateway's.
            origin: Origin { can_ask: false, ..origin },
            limits,
            next: 0,
            pending: BTreeMap::new(),
            from_client: Half::default(),
            from_server: Half::default(),
            summary: Summary::default(),
            pins: None,
            schemas: Schemas::default(),
            announced: BTreeSet::new(),
            filters: false,
            lists: BTreeMap::new(),
        }
    }

    /// Hides the tools that policy closes.
    #[must_use]
    pub fn filtering(self, filters: bool) -> Self {
        Self { filters, ..self }
    }

    /// Hides and refuses what is not approved of the server's offer.
    #[must_use]
    pub fn pinned(self, pins: Pins) -> Self {
        self.schemas.pinned(pins.approved());
        Self { pins: Some(pins), ..self }
    }

    /// Holds calls and results to the shapes of the server's tools.
    #[must_use]
    pub fn shaped(self, schemas: Schemas) -> Self {
        Self { schemas, ..self }
    }

    /// Takes one input and says what follows.
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Line(side, line) => self.line(side, line, &mut effects),
            Input::Unread(side, id, why) => {
                self.count_line(side);
                self.faulty(side, Fault { id, code: message::INVALID_REQUEST, why }, &mut effects);
            }
            Input::Verdict(ticket, verdict) => self.verdict(ticket, verdict, &mut effects),
            Input::ClientEof => self.from_client.ended = true,
            Input::ServerGone(how) => self.server_gone(&how, &mut effects),
            Input::Previewed(ticket, closed) => self.previewed(ticket, &closed, &mut effects),
            Input::Approved(offered) => self.approved(offered, &mut effects),
            Input::GiveUp => {
                self.from_client.ended = true;
                self.abandon_all("the client left before a decision was made", &mut effects);
            }
            Input::Round => self.round(&mut effects),
            Input::Tick => {
                for (token, round) in self.from_client.asked.signs_of_life() {
                    effects.push(Effect::Send(Side::Client, answer::still_waiting(&token, round)));
                }
            }
        }
        if self.from_client.ended && self.from_client.pending == 0 && !self.from_client.closed {
            self.from_client.closed = true;
            effects.push(Effect::CloseServer);
        }
        if self.from_server.ended && self.from_server.pending == 0 && !self.from_server.closed {
            self.from_server.closed = true;
            effects.push(Effect::End);
        }
        effects
    }

    /// Whether another line of this side should be read now: back-pressure against floods of anything.
    pub fn accepts(&self, side: Side) -> bool {
        // Some room above the limit of requests, so that pings and cancellations pass when it is reached.
        self.half(side).pending < self.limits.outstanding + 64
    }

    /// Nobody waits for anything: neither the client for an answer, nor any message for a verdict.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.lists.is_empty() && self.from_client.asked.live() == 0
    }

    /// Whether the client waits for an answer.
    pub fn expects(&self) -> bool {
        self.from_client.asked.live() > 0
    }

    /// Whether a client waits that should get signs of life.
    pub fn holds(&self) -> bool {
        self.from_client.pending > 0
    }

    /// Whether something of the server's offer is withheld.
    pub fn withholds(&self) -> bool {
        self.pins.as_ref().is_some_and(Pins::withholds)
    }

    /// What a record says of what was trusted on first use. It has happened, and nobody is asked.
    pub fn trusted(&self, items: &[Item]) -> Call {
        self.call(Phase::After, pins::first_use(&self.server, items), None, None)
    }

    /// What a record says of a line that went nowhere.
    pub fn dropped(&self, side: Side, why: String) -> (Call, Refusal) {
        drops::record(&self.server, self.origin.clone(), side, why)
    }

    /// The counts so far.
    pub fn summary(&self) -> Summary {
        self.summary
    }

    fn half(&self, side: Side) -> &Half {
        match side {
            Side::Client => &self.from_client,
            Side::Server => &self.from_server,
        }
    }

    fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.from_client,
            Side::Server => &mut self.from_server,
        }
    }

    fn count_line(&mut self, side: Side) {
        match side {
            Side::Client => self.summary.client_lines += 1,
            Side::Server => self.summary.server_lines += 1,
        }
    }

    /// Takes back everything of the client that waits for a verdict. Its requests are answered with an error.
    fn abandon_all(&mut self, why: &str, effects: &mut Vec<Effect>) {
        let tickets: Vec<Ticket> =
            self.pending.iter().filter(|(_, p)| p.from == Side::Client).map(|(ticket, _)| *ticket).collect();
        for ticket in tickets {
            self.abandon(ticket, effects);
        }
        self.answer_all(|state| matches!(state, State::Held(..)), why, effects);
    }

    fn answer_all(&mut self, which: impl Fn(State) -> bool, why: &str, effects: &mut Vec<Effect>) {
        for id in self.from_client.asked.ids(which) {
            self.over(&id, effects);
            self.from_client.asked.remove(&id);
            effects.push(Effect::Send(Side::Client, answer::error(Some(&id), message::INTERNAL_ERROR, why)));
        }
    }

    /// A request of the client's gets no answer that the gate would hear of.
    fn over(&self, id: &Id, effects: &mut Vec<Effect>) {
        let action = self.from_client.asked.get(id).and_then(|asked| action::called(&asked.action));
        effects.extend(action.map(|action| Effect::Over(Box::new(self.call(Phase::After, action, Some(id), None)))));
    }

    /// The calls that still wait for an answer.
    pub fn unanswered(&self) -> impl Iterator<Item = Call> {
        let waits = self.from_client.asked.ids(|state| matches!(state, State::Sent | State::Answered));
        waits.into_iter().filter_map(|id| {
            let action = action::called(&self.from_client.asked.get(&id)?.action)?;
            Some(self.call(Phase::After, action, Some(&id), None))
        })
    }

    /// Gives up the requests that the server takes too long to answer. Where it has asked something itself, it waits, and
    /// no time is counted.
    fn round(&mut self, effects: &mut Vec<Effect>) {
        if self.from_server.asked.live() > 0 {
            return;
        }
        for id in self.from_client.asked.overdue(ROUNDS) {
            self.over(&id, effects);
            let method = self.from_client.asked.get(&id).map(|asked| asked.action.clone());
            self.from_client.asked.give_up(&id, State::Disowned);
            let why = "the server did not answer in time (--timeout)";
            effects.push(Effect::Send(Side::Client, answer::error(Some(&id), message::INTERNAL_ERROR, why)));
            // It is the one request that must not be cancelled (2025-11-25, "Cancellation").
            if !matches!(method, Some(Action::Mcp { method, .. }) if method == "initialize") {
                effects.push(Effect::Send(Side::Server, answer::cancelled(&id, why)));
            }
        }
    }

    fn server_gone(&mut self, how: &str, effects: &mut Vec<Effect>) {
        self.from_server.ended = true;
        let why = format!("{how} before it answered");
        self.abandon_all(&why, effects);
        self.answer_all(|state| state == State::Sent, &why, effects);
    }
}

#[cfg(test)]
mod tests;

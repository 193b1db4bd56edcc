//! What to do with each line, as a state machine without clock or I/O: lines, verdicts and ends in, effects out.
//!
//! Every message of both directions is judged, and none goes on before its verdict. What keeps that quick is that
//! messages wait for their own verdict only: requests and responses go on in the order in which they were allowed. The
//! exceptions, where order carries meaning: nothing overtakes an `initialize` or a notification that came before it from
//! the same side (`notifications/initialized`, progress before its response); only pings and cancellations overtake
//! everything.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rampart_call::{Action, Call, Origin, Permit, Phase, Reason, Refusal, Response, Verdict};
use serde_json::Value;

use crate::{
    action,
    answer::{self, Form},
    message::{self, Fault, Id, Message},
    outstanding::{Asked, Outstanding, State},
    text,
};

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

    const fn name(self) -> &'static str {
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
}

/// What to do.
#[derive(Debug)]
pub enum Effect {
    /// Ask the gate and bring its verdict as [`Input::Verdict`].
    Judge(Ticket, Box<Call>),
    /// The answer to this ticket is not wanted any more.
    Abandon(Ticket),
    /// Write these bytes to this side. They are one message: a whole line.
    Send(Side, Bytes),
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
        }
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
            Input::GiveUp => {
                self.from_client.ended = true;
                self.abandon_all("the client left before a decision was made", &mut effects);
            }
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
        self.pending.is_empty() && self.from_client.asked.live() == 0
    }

    /// Whether a client waits that should get signs of life.
    pub fn holds(&self) -> bool {
        self.from_client.pending > 0
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

    // === lines ===

    fn line(&mut self, side: Side, line: Bytes, effects: &mut Vec<Effect>) {
        self.count_line(side);
        if line.iter().all(u8::is_ascii_whitespace) {
            return self.drop_line(side, "an empty line".into(), effects);
        }
        match message::parse(&line) {
            Err(fault) => self.faulty(side, fault, effects),
            Ok(Message::Request { id, method, params }) => self.request(side, id, &method, &params, line, effects),
            Ok(Message::Notification { method, params }) => self.notification(side, &method, &params, line, effects),
            Ok(Message::Response { id, body, place }) => self.response(side, id, &body, place, line, effects),
        }
    }

    fn drop_line(&mut self, side: Side, why: String, effects: &mut Vec<Effect>) {
        self.summary.dropped += 1;
        effects.push(Effect::Dropped(side, why));
    }

    /// A client that wrote something else than a message is told so. A server is not: its noise is no request. But when
    /// the noise was meant to be an answer, somebody waits for it.
    fn faulty(&mut self, side: Side, fault: Fault, effects: &mut Vec<Effect>) {
        match (side, &fault.id) {
            (Side::Client, id) => {
                effects.push(Effect::Send(side, answer::error(id.as_ref(), fault.code, &fault.why)));
            }
            (Side::Server, Some(id)) if self.from_client.asked.state(id) == Some(State::Sent) => {
                if let Some(asked) = self.from_client.asked.remove(id) {
                    let refusal = answer::refused(Reason::Malformed, format!("the server's answer: {fault}"));
                    effects.push(Effect::Send(Side::Client, answer::refusal(id, asked.form, &refusal)));
                }
            }
            (Side::Server, _) => {}
        }
        self.drop_line(side, fault.why, effects);
    }

    fn request(&mut self, side: Side, id: Id, method: &str, params: &Value, line: Bytes, effects: &mut Vec<Effect>) {
        let refuse = |code, why: &str| Effect::Send(side, answer::error(Some(&id), code, why));
        if self.half(side.other()).ended {
            let why = format!("the {} has ended", side.other().name());
            effects.push(refuse(message::INTERNAL_ERROR, &why));
            return self.drop_line(side, why, effects);
        }
        if self.half(side).asked.state(&id).is_some() {
            return self.duplicate(side, &id, effects);
        }
        let action = match action::of(&self.server, method, params) {
            Ok(action) => action,
            Err(why) => {
                effects.push(refuse(message::INVALID_PARAMS, &why));
                return self.drop_line(side, why, effects);
            }
        };
        let asked = &self.half(side).asked;
        if asked.live() >= self.limits.outstanding || asked.bytes() + line.len() > self.limits.outstanding_bytes {
            let refusal = answer::refused(Reason::LimitExceeded, "too many requests wait for their answer");
            self.summary.refused += 1;
            effects.push(Effect::Send(side, answer::refusal(&id, Form::of(method, params), &refusal)));
            return;
        }
        let ticket = self.ticket();
        let asked = Asked {
            action: action.clone(),
            form: Form::of(method, params),
            progress: params.get("_meta").and_then(|m| m.get("progressToken")).cloned(),
            size: line.len(),
            state: State::Held(ticket, 0),
        };
        let call = self.call(Phase::Before, action, Some(&id), None);
        self.half_mut(side).asked.insert(id.clone(), asked);
        let barrier = method == "initialize";
        let pending =
            Pending { from: side, line, kind: Kind::Request(id), more: Vec::new(), overtakes: method == "ping" };
        self.submit(ticket, pending, barrier, call, effects);
    }

    /// Two requests with one id: no answer could be told from the other, so both get an error, and what the peer still
    /// says to the first is dropped.
    fn duplicate(&mut self, side: Side, id: &Id, effects: &mut Vec<Effect>) {
        let why = "this id belongs to a request that is still outstanding";
        let error = answer::error(Some(id), message::INVALID_REQUEST, why);
        let state = self.half(side).asked.state(id);
        match state {
            Some(State::Held(ticket, _)) => {
                self.abandon(ticket, effects);
                self.half_mut(side).asked.remove(id);
                effects.push(Effect::Send(side, error.clone()));
            }
            Some(State::Sent) => {
                self.half_mut(side).asked.give_up(id, State::Disowned);
                effects.push(Effect::Send(side, error.clone()));
            }
            // Its own answer is on the way, or nobody waits for one.
            _ => {}
        }
        effects.push(Effect::Send(side, error));
        self.drop_line(side, why.into(), effects);
    }

    fn notification(&mut self, side: Side, method: &str, params: &Value, line: Bytes, effects: &mut Vec<Effect>) {
        let kind = if method == "notifications/cancelled" {
            match params.get("requestId").map(Id::from_value) {
                Some(Ok(id)) => Kind::Cancellation(id),
                // A task may be cancelled without naming a request (2025-11-25).
                None => Kind::Notification,
                Some(Err(why)) => return self.drop_line(side, why.into(), effects),
            }
        } else {
            Kind::Notification
        };
        let action = match action::of(&self.server, method, params) {
            Ok(action) => action,
            Err(why) => return self.drop_line(side, why, effects),
        };
        let ticket = self.ticket();
        let call = self.call(Phase::Before, action, None, None);
        let overtakes = matches!(kind, Kind::Cancellation(_));
        let pending = Pending { from: side, line, kind, more: Vec::new(), overtakes };
        self.submit(ticket, pending, !overtakes, call, effects);
    }

    fn response(
        &mut self,
        side: Side,
        id: Id,
        body: &Value,
        place: std::ops::Range<usize>,
        line: Bytes,
        effects: &mut Vec<Effect>,
    ) {
        let asked = match self.half(side.other()).asked.get(&id) {
            Some(asked) if matches!(asked.state, State::Sent | State::Cancelled) => asked,
            Some(Asked { state: State::Disowned, .. }) => {
                self.half_mut(side.other()).asked.remove(&id);
                return self.drop_line(side, "a response to a request that was answered with an error".into(), effects);
            }
            Some(Asked { state: State::Held(..), .. }) => {
                return self.drop_line(side, "a response to a request that was not sent yet".into(), effects);
            }
            Some(_) => return self.drop_line(side, "a second response to one request".into(), effects),
            None => return self.drop_line(side, "a response to no request".into(), effects),
        };
        let overtakes = matches!(&asked.action, Action::Mcp { method, .. } if method == "ping");
        let (action, form) = (asked.action.clone(), asked.form);
        let mut more = match action::of_input_requests(&self.server, body) {
            Ok(actions) => {
                actions.into_iter().map(|a| self.call(Phase::Before, a, Some(&id), None)).collect::<Vec<_>>()
            }
            Err(why) => {
                let refusal = answer::refused(Reason::Malformed, format!("the answer of the {}: {why}", side.name()));
                self.half_mut(side.other()).asked.remove(&id);
                effects.push(Effect::Send(side.other(), answer::refusal(&id, form, &refusal)));
                return self.drop_line(side, why, effects);
            }
        };
        let raw = line.get(place.clone()).and_then(|raw| std::str::from_utf8(raw).ok()).unwrap_or_default();
        let response = Response { text: text::of(raw), ..Response::default() };
        // Judged from the last to the first: the permit that counts is the one for the response itself.
        more.insert(0, self.call(Phase::After, action, Some(&id), Some(response)));
        let Some(first) = more.pop() else { return };
        let ticket = self.ticket();
        self.half_mut(side.other()).asked.advance(&id, State::Answered);
        let pending = Pending { from: side, line, kind: Kind::Response { id, place }, more, overtakes };
        self.submit(ticket, pending, false, first, effects);
    }

    // === verdicts ===

    fn ticket(&mut self) -> Ticket {
        self.next += 1;
        self.next
    }

    fn call(&self, phase: Phase, action: Action, id: Option<&Id>, response: Option<Response>) -> Call {
        let origin = Origin { run: id.map(ToString::to_string), ..self.origin.clone() };
        Call { origin, phase, action, response }
    }

    fn submit(&mut self, ticket: Ticket, pending: Pending, barrier: bool, call: Call, effects: &mut Vec<Effect>) {
        let half = self.half_mut(pending.from);
        half.pending += 1;
        if barrier {
            half.barriers.insert(ticket);
        }
        self.pending.insert(ticket, pending);
        effects.push(Effect::Judge(ticket, Box::new(call)));
    }

    fn verdict(&mut self, ticket: Ticket, verdict: Verdict, effects: &mut Vec<Effect>) {
        let Some(pending) = self.pending.get_mut(&ticket) else {
            return; // abandoned
        };
        if let Verdict::Allow(permit) = &verdict
            && permit.edits().is_empty()
            && let Some(call) = pending.more.pop()
        {
            return effects.push(Effect::Judge(ticket, Box::new(call)));
        }
        let (from, overtakes) = (pending.from, pending.overtakes);
        let half = self.half_mut(from);
        if !overtakes && half.barriers.first().is_some_and(|first| *first < ticket) {
            half.decided.insert(ticket, verdict);
            return;
        }
        self.carry_out(ticket, verdict, effects);
        self.release(from, effects);
    }

    /// Carries out the verdicts that no barrier holds back any more.
    fn release(&mut self, side: Side, effects: &mut Vec<Effect>) {
        loop {
            let half = self.half_mut(side);
            let barrier = half.barriers.first().copied().unwrap_or(Ticket::MAX);
            let Some(next) = half.decided.first_entry().filter(|entry| *entry.key() <= barrier) else {
                return;
            };
            let (ticket, verdict) = next.remove_entry();
            self.carry_out(ticket, verdict, effects);
        }
    }

    fn carry_out(&mut self, ticket: Ticket, verdict: Verdict, effects: &mut Vec<Effect>) {
        let Some(pending) = self.settle(ticket) else { return };
        match verdict {
            Verdict::Allow(permit) => self.forward(pending, permit, effects),
            Verdict::Deny(refusal) => self.refuse(pending, &refusal, effects),
            Verdict::Ask(question) => {
                let why = format!("{} (there is no way to ask anyone on this road)", question.judgement.message);
                self.refuse(pending, &answer::refused(Reason::NobodyToAsk, why), effects);
            }
        }
    }

    /// Takes a message out of the waiting ones.
    fn settle(&mut self, ticket: Ticket) -> Option<Pending> {
        let pending = self.pending.remove(&ticket)?;
        let half = self.half_mut(pending.from);
        half.pending -= 1;
        half.barriers.remove(&ticket);
        half.decided.remove(&ticket);
        Some(pending)
    }

    fn forward(&mut self, pending: Pending, permit: Permit, effects: &mut Vec<Effect>) {
        let Pending { from, line, kind, more, .. } = pending;
        let to = from.other();
        let is_response = matches!(kind, Kind::Response { .. }) && more.is_empty();
        if !permit.edits().is_empty() && !is_response {
            let why = "policy wants parts of it redacted, which only a response can be";
            let pending = Pending { from, line, kind, more, overtakes: false };
            return self.refuse(pending, &answer::refused(Reason::Malformed, why), effects);
        }
        let line = match kind {
            Kind::Request(id) => {
                self.half_mut(from).asked.advance(&id, State::Sent);
                line
            }
            Kind::Notification => line,
            Kind::Cancellation(id) => match self.half(from).asked.state(&id) {
                Some(State::Held(ticket, _)) => {
                    // The other side has not heard of the request, so it need not hear of its end.
                    self.abandon(ticket, effects);
                    self.half_mut(from).asked.remove(&id);
                    return self.release(from, effects);
                }
                Some(State::Sent) => {
                    self.half_mut(from).asked.give_up(&id, State::Cancelled);
                    line
                }
                _ => line,
            },
            Kind::Response { id, place } => {
                let asked = self.half_mut(to).asked.remove(&id);
                match redacted(&line, place, &permit) {
                    Ok(Some(changed)) => changed,
                    Ok(None) => line,
                    Err(why) => {
                        let refusal = answer::refused(Reason::Malformed, format!("the response is withheld: {why}"));
                        let form = asked.map_or(Form::Error, |a| a.form);
                        self.summary.refused += 1;
                        return effects.push(Effect::Send(to, answer::refusal(&id, form, &refusal)));
                    }
                }
            }
        };
        self.summary.forwarded += 1;
        effects.push(Effect::Send(to, line));
    }

    fn refuse(&mut self, pending: Pending, refusal: &Refusal, effects: &mut Vec<Effect>) {
        self.summary.refused += 1;
        // A refused request is answered to the side that asked; a refused response to the side that waits for it.
        let (asker, id) = match pending.kind {
            Kind::Request(id) => (pending.from, id),
            Kind::Response { id, .. } => (pending.from.other(), id),
            Kind::Notification | Kind::Cancellation(_) => return,
        };
        let form = self.half_mut(asker).asked.remove(&id).map_or(Form::Error, |asked| asked.form);
        effects.push(Effect::Send(asker, answer::refusal(&id, form, refusal)));
    }

    // === ends ===

    fn abandon(&mut self, ticket: Ticket, effects: &mut Vec<Effect>) {
        if self.settle(ticket).is_some() {
            effects.push(Effect::Abandon(ticket));
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
            self.from_client.asked.remove(&id);
            effects.push(Effect::Send(Side::Client, answer::error(Some(&id), message::INTERNAL_ERROR, why)));
        }
    }

    fn server_gone(&mut self, how: &str, effects: &mut Vec<Effect>) {
        self.from_server.ended = true;
        let why = format!("{how} before it answered");
        self.abandon_all(&why, effects);
        self.answer_all(|state| state == State::Sent, &why, effects);
    }
}

/// The line with the permit's redactions made in its body; none when there are none.
fn redacted(line: &Bytes, place: std::ops::Range<usize>, permit: &Permit) -> Result<Option<Bytes>, &'static str> {
    if permit.edits().is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8")?;
    let (Some(before), Some(body), Some(after)) =
        (text.get(..place.start), text.get(place.clone()), text.get(place.end..))
    else {
        return Err("its body cannot be found");
    };
    Ok(Some(Bytes::from([before, &text::edited(body, permit.edits())?, after].concat())))
}

#[cfg(test)]
mod tests;

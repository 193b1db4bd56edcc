//! What a line is, and what must be asked before it goes on.

use std::collections::BTreeSet;

use bytes::Bytes;
use rampart_call::{Action, Phase, Reason, Response};
use serde_json::Value;

use super::{Arrived, Effect, Instead, Kind, Pending, Relay, Side};
use crate::{
    action,
    answer::{self, Form},
    closed, elicitation,
    message::{self, Fault, Id, Message},
    outstanding::{Asked, State},
    text,
};

impl Relay {
    pub(super) fn line(&mut self, side: Side, line: Bytes, effects: &mut Vec<Effect>) {
        self.count_line(side);
        if line.iter().all(u8::is_ascii_whitespace) {
            return self.drop_line(side, "an empty line".into(), effects);
        }
        match message::parse(&line) {
            Err(fault) => self.faulty(side, fault, effects),
            Ok(Message::Request { id, method, params }) => self.request(side, id, &method, params, line, effects),
            Ok(Message::Notification { method, params }) => self.notification(side, &method, params, line, effects),
            Ok(Message::Response { id, body, place }) => {
                self.response(side, Arrived { id, body, place, line }, effects);
            }
        }
    }

    pub(super) fn drop_line(&mut self, side: Side, why: String, effects: &mut Vec<Effect>) {
        self.summary.dropped += 1;
        effects.push(Effect::Dropped(side, why));
    }

    /// A client that wrote something else than a message is told so. A server is not: its noise is no request. But when
    /// the noise was meant to be an answer, somebody waits for it.
    pub(super) fn faulty(&mut self, side: Side, fault: Fault, effects: &mut Vec<Effect>) {
        match (side, &fault.id) {
            (Side::Client, id) => {
                effects.push(Effect::Send(side, answer::error(id.as_ref(), fault.code, &fault.why)));
            }
            (Side::Server, Some(id)) if self.from_client.asked.state(id) == Some(State::Sent) => {
                self.over(id, effects);
                if let Some(asked) = self.from_client.asked.remove(id) {
                    let refusal = answer::refused(Reason::Malformed, format!("the server's answer: {fault}"));
                    effects.push(Effect::Send(Side::Client, answer::refusal(id, asked.form, &refusal)));
                }
            }
            (Side::Server, _) => {}
        }
        self.drop_line(side, fault.why, effects);
    }

    pub(super) fn request(
        &mut self,
        side: Side,
        id: Id,
        method: &str,
        mut params: Value,
        line: Bytes,
        effects: &mut Vec<Effect>,
    ) {
        let refuse = |code, why: &str| Effect::Send(side, answer::error(Some(&id), code, why));
        if self.half(side.other()).ended {
            let why = format!("the {} has ended", side.other().name());
            effects.push(refuse(message::INTERNAL_ERROR, &why));
            return self.drop_line(side, why, effects);
        }
        if self.half(side).asked.state(&id).is_some() {
            return self.duplicate(side, &id, effects);
        }
        let action = match action::of(&self.server, method, &mut params) {
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
            effects.push(Effect::Send(side, answer::refusal(&id, Form::of(method, &params), &refusal)));
            return;
        }
        let ticket = self.ticket();
        let asked = Asked {
            action: action.clone(),
            form: Form::of(method, &params),
            progress: params.get("_meta").and_then(|m| m.get("progressToken")).cloned(),
            size: line.len(),
            state: State::Held(ticket, 0),
            silent: 0,
        };
        let mut call = self.call(Phase::Before, action, Some(&id), None);
        call.origin.trace = action::trace(&params).or(call.origin.trace);
        self.half_mut(side).asked.insert(id.clone(), asked);
        let barrier = method == "initialize";
        let pending = Pending {
            from: side,
            line,
            kind: Kind::Request(id),
            more: Vec::new(),
            overtakes: method == "ping",
            instead: None,
        };
        let refusal = match side {
            Side::Client => {
                let unpinned = self.pins.as_ref().and_then(|pins| pins.refusal(&call.action));
                unpinned.or_else(|| self.schemas.refusal(&call.action))
            }
            Side::Server => elicitation::refusal(&call.action),
        };
        let question = match refusal {
            None => Effect::Judge(ticket, Box::new(call)),
            Some(refusal) => Effect::Refuse(ticket, Box::new((call, refusal))),
        };
        self.submit(ticket, pending, barrier, question, effects);
    }

    /// Two requests with one id: no answer could be told from the other, so both get an error, and what the peer still
    /// says to the first is dropped.
    pub(super) fn duplicate(&mut self, side: Side, id: &Id, effects: &mut Vec<Effect>) {
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
                if side == Side::Client {
                    self.over(id, effects);
                }
                self.half_mut(side).asked.give_up(id, State::Disowned);
                effects.push(Effect::Send(side, error.clone()));
            }
            // Its own answer is on the way, or nobody waits for one.
            _ => {}
        }
        effects.push(Effect::Send(side, error));
        self.drop_line(side, why.into(), effects);
    }

    pub(super) fn notification(
        &mut self,
        side: Side,
        method: &str,
        mut params: Value,
        line: Bytes,
        effects: &mut Vec<Effect>,
    ) {
        if method == "notifications/progress"
            && let Some(token) = params.get("progressToken")
        {
            self.half_mut(side.other()).asked.progressed(token);
        }
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
        let action = match action::of(&self.server, method, &mut params) {
            Ok(action) => action,
            Err(why) => return self.drop_line(side, why, effects),
        };
        let ticket = self.ticket();
        let mut call = self.call(Phase::Before, action, None, None);
        call.origin.trace = action::trace(&params).or(call.origin.trace);
        let overtakes = matches!(kind, Kind::Cancellation(_));
        let pending = Pending { from: side, line, kind, more: Vec::new(), overtakes, instead: None };
        self.submit(ticket, pending, !overtakes, Effect::Judge(ticket, Box::new(call)), effects);
    }

    fn response(&mut self, side: Side, response: Arrived, effects: &mut Vec<Effect>) {
        let asked = match self.half(side.other()).asked.get(&response.id) {
            Some(asked) if matches!(asked.state, State::Sent | State::Cancelled) => asked,
            Some(Asked { state: State::Disowned, .. }) => {
                self.half_mut(side.other()).asked.remove(&response.id);
                return self.drop_line(side, "a response to a request that was answered with an error".into(), effects);
            }
            Some(Asked { state: State::Held(..), .. }) => {
                return self.drop_line(side, "a response to a request that was not sent yet".into(), effects);
            }
            Some(_) => return self.drop_line(side, "a second response to one request".into(), effects),
            None => return self.drop_line(side, "a response to no request".into(), effects),
        };
        if self.filters && side == Side::Server {
            let questions = closed::questions(&asked.action, &response.body, &self.origin);
            if !questions.is_empty() {
                self.half_mut(side.other()).asked.advance(&response.id, State::Answered);
                return self.set_aside(response, questions, effects);
            }
        }
        self.answered(side, response, &BTreeSet::new(), effects);
    }

    /// Has a response judged, without the tools that policy closes.
    pub(super) fn answered(
        &mut self,
        side: Side,
        response: Arrived,
        closed: &BTreeSet<String>,
        effects: &mut Vec<Effect>,
    ) {
        let Arrived { id, body, place, line } = response;
        let Some(asked) = self.half(side.other()).asked.get(&id) else { return };
        let overtakes = matches!(&asked.action, Action::Mcp { method, .. } if method == "ping");
        let (action, form) = (asked.action.clone(), asked.form);
        let mut more = match action::of_input_requests(&self.server, &body) {
            Ok(actions) => {
                actions.into_iter().map(|a| self.call(Phase::Before, a, Some(&id), None)).collect::<Vec<_>>()
            }
            Err(why) => {
                let refusal = answer::refused(Reason::Malformed, format!("the answer of the {}: {why}", side.name()));
                if side == Side::Server {
                    self.over(&id, effects);
                }
                self.half_mut(side.other()).asked.remove(&id);
                effects.push(Effect::Send(side.other(), answer::refusal(&id, form, &refusal)));
                return self.drop_line(side, why, effects);
            }
        };
        // Where that is not enforced, the gate has its say about each.
        let misshapen = self.schemas.refusal_of_result(&action, &body).filter(|_| side == Side::Server);
        let misshapen = misshapen.map(|refusal| (self.call(Phase::After, action.clone(), Some(&id), None), refusal));
        let forbidden = more.iter().find_map(|call| Some((call.clone(), elicitation::refusal(&call.action)?)));
        let raw = line.get(place.clone()).and_then(|raw| std::str::from_utf8(raw).ok()).unwrap_or_default();
        let (instead, refusal) = match self.left(side, &action, &body, raw, closed, effects) {
            Ok(None) => (None, None),
            Ok(Some((body, refusal))) => (Instead::of(&line, &place, &body), Some(refusal)),
            Err(why) => {
                let refusal = answer::refused(Reason::Malformed, format!("the answer of the {}: {why}", side.name()));
                if side == Side::Server {
                    self.over(&id, effects);
                }
                self.half_mut(side.other()).asked.remove(&id);
                effects.push(Effect::Send(side.other(), answer::refusal(&id, form, &refusal)));
                return self.drop_line(side, why, effects);
            }
        };
        let ticket = self.ticket();
        let question = match refusal {
            // Judged from the last to the first: the permit that counts is the one for the response itself.
            None => {
                self.schemas.came(&action, raw);
                let response = Response { text: text::of(raw), ..Response::default() };
                more.insert(0, self.call(Phase::After, action, Some(&id), Some(response)));
                match forbidden.or(misshapen) {
                    Some(forbidden) => Some(Effect::Refuse(ticket, Box::new(forbidden))),
                    None => more.pop().map(|first| Effect::Judge(ticket, Box::new(first))),
                }
            }
            // What is left of the response is judged once it is known what that is.
            Some(refusal) => {
                let call = self.call(Phase::After, action, Some(&id), None);
                Some(Effect::Refuse(ticket, Box::new((call, refusal))))
            }
        };
        let Some(question) = question else { return };
        self.half_mut(side.other()).asked.advance(&id, State::Answered);
        let pending = Pending { from: side, line, kind: Kind::Response { id, place }, more, overtakes, instead };
        self.submit(ticket, pending, false, question, effects);
    }
}

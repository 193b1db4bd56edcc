//! What a verdict does to the message it is about, and in what order.

use std::ops::Range;

use bytes::Bytes;
use rampart_call::{Action, Call, Origin, Permit, Phase, Reason, Refusal, Response, Verdict};

use super::{Effect, Kind, Pending, Relay, Side, Ticket};
use crate::{
    action,
    answer::{self, Form},
    message::{self, Id, Message},
    outstanding::State,
    redact::Cuts,
    text,
};

impl Relay {
    pub(super) fn ticket(&mut self) -> Ticket {
        self.next += 1;
        self.next
    }

    pub(super) fn call(&self, phase: Phase, action: Action, id: Option<&Id>, response: Option<Response>) -> Call {
        let origin = Origin { run: id.map(ToString::to_string), ..self.origin.clone() };
        Call { origin, phase, action, response }
    }

    pub(super) fn submit(
        &mut self,
        ticket: Ticket,
        pending: Pending,
        barrier: bool,
        question: Effect,
        effects: &mut Vec<Effect>,
    ) {
        let half = self.half_mut(pending.from);
        half.pending += 1;
        if barrier {
            half.barriers.insert(ticket);
        }
        self.pending.insert(ticket, pending);
        effects.push(question);
    }

    pub(super) fn verdict(&mut self, ticket: Ticket, verdict: Verdict, effects: &mut Vec<Effect>) {
        let Some(pending) = self.pending.get_mut(&ticket) else {
            return; // abandoned
        };
        if pending.instead.is_some() {
            return self.judge_rest(ticket, &verdict, effects);
        }
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
    pub(super) fn release(&mut self, side: Side, effects: &mut Vec<Effect>) {
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

    pub(super) fn carry_out(&mut self, ticket: Ticket, verdict: Verdict, effects: &mut Vec<Effect>) {
        let Some(pending) = self.settle(ticket) else { return };
        match verdict {
            Verdict::Allow(permit) => self.forward(pending, permit, effects),
            Verdict::Deny(refusal) => self.refuse(pending, &refusal, effects),
            Verdict::Ask(question) => self.refuse(pending, &answer::unasked(question), effects),
        }
    }

    /// Takes a message out of the waiting ones.
    pub(super) fn settle(&mut self, ticket: Ticket) -> Option<Pending> {
        let pending = self.pending.remove(&ticket)?;
        let half = self.half_mut(pending.from);
        half.pending -= 1;
        half.barriers.remove(&ticket);
        half.decided.remove(&ticket);
        Some(pending)
    }

    pub(super) fn forward(&mut self, pending: Pending, permit: Permit, effects: &mut Vec<Effect>) {
        let Pending { from, line, kind, more, .. } = pending;
        let to = from.other();
        let is_response = matches!(kind, Kind::Response { .. }) && more.is_empty();
        let said = match &kind {
            Kind::Response { .. } if is_response => Ok(None),
            Kind::Response { .. } => {
                Err("policy wants parts of what it asks redacted, which an answer's questions cannot be")
            }
            _ => self.redacted(&line, &permit),
        };
        let line = match said {
            Ok(None) => line,
            Ok(Some(changed)) => {
                self.summary.redacted += 1;
                changed
            }
            Err(why) => {
                if let (Side::Client, Kind::Request(id)) = (from, &kind) {
                    self.over(id, effects);
                }
                let pending = Pending { from, line, kind, more, overtakes: false, instead: None };
                return self.refuse(pending, &answer::refused(Reason::Malformed, why), effects);
            }
        };
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
                    if from == Side::Client {
                        // Its verdict may have come, and waited.
                        self.over(&id, effects);
                    }
                    self.half_mut(from).asked.remove(&id);
                    return;
                }
                Some(State::Sent) => {
                    if from == Side::Client {
                        self.over(&id, effects);
                    }
                    self.half_mut(from).asked.give_up(&id, State::Cancelled);
                    line
                }
                _ => line,
            },
            Kind::Response { id, place } => {
                let asked = self.half_mut(to).asked.remove(&id);
                match redacted(&line, place, &permit) {
                    Ok(Some(changed)) => {
                        self.summary.redacted += 1;
                        changed
                    }
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

    /// A request or notification without what policy takes out of it.
    fn redacted(&self, line: &Bytes, permit: &Permit) -> Result<Option<Bytes>, &'static str> {
        if permit.edits().is_empty() {
            return Ok(None);
        }
        let text = std::str::from_utf8(line).map_err(|_| "it is no text")?;
        let action = match message::parse(line) {
            Ok(Message::Request { method, mut params, .. } | Message::Notification { method, mut params }) => {
                action::of(&self.server, &method, &mut params).map_err(|_| "it does not say what it calls")?
            }
            _ => return Err("it is no request"),
        };
        let Some(cuts) = Cuts::of(permit.edits(), &action)? else { return Ok(None) };
        cuts.line(text, &self.server).map(|line| Some(line.into()))
    }

    pub(super) fn refuse(&mut self, pending: Pending, refusal: &Refusal, effects: &mut Vec<Effect>) {
        self.summary.refused += 1;
        // A refused request is answered to the side that asked; a refused response to the side that waits for it.
        if let (Side::Server, Kind::Response { id, .. }) = (pending.from, &pending.kind) {
            // What was refused may be what it asks for, and not the answer.
            self.over(id, effects);
        }
        let (asker, id) = match pending.kind {
            Kind::Request(id) => (pending.from, id),
            Kind::Response { id, .. } => (pending.from.other(), id),
            Kind::Notification | Kind::Cancellation(_) => return,
        };
        let form = self.half_mut(asker).asked.remove(&id).map_or(Form::Error, |asked| asked.form);
        effects.push(Effect::Send(asker, answer::refusal(&id, form, refusal)));
    }

    /// Takes a message back before its verdict. What it held up goes on.
    pub(super) fn abandon(&mut self, ticket: Ticket, effects: &mut Vec<Effect>) {
        if let Some(pending) = self.settle(ticket) {
            effects.push(Effect::Abandon(ticket));
            self.release(pending.from, effects);
        }
    }
}

/// The line with the permit's redactions made in its body; none when there are none.
fn redacted(line: &Bytes, place: Range<usize>, permit: &Permit) -> Result<Option<Bytes>, &'static str> {
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

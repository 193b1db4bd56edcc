//! What a server offers: withheld where it is not approved.

use std::{collections::BTreeSet, ops::Range};

use bytes::Bytes;
use rampart_call::{Action, Call, Phase, Refusal, Response, Verdict};
use serde_json::{Value, json};

use super::{Arrived, Effect, Instead, Kind, List, Relay, Side, Ticket};
use crate::{
    closed,
    scan::{Offered, Section},
    text,
};

impl Instead {
    /// The line with another body.
    pub(super) fn of(line: &Bytes, place: &Range<usize>, body: &str) -> Option<Self> {
        let (before, after) = (line.get(..place.start)?, line.get(place.end..)?);
        let line = Bytes::from([before, body.as_bytes(), after].concat());
        Some(Self { line, place: place.start..place.start + body.len() })
    }
}

impl Relay {
    /// A list of tools waits until it is known which of them policy closes.
    pub(super) fn set_aside(&mut self, response: Arrived, questions: Vec<Call>, effects: &mut Vec<Effect>) {
        let ticket = self.ticket();
        self.from_server.pending += 1;
        effects.push(Effect::Preview(ticket, questions.clone()));
        self.lists.insert(ticket, List { response, questions });
    }

    /// That is known.
    pub(super) fn previewed(&mut self, ticket: Ticket, closed: &[bool], effects: &mut Vec<Effect>) {
        let Some(List { response, questions }) = self.lists.remove(&ticket) else { return };
        self.from_server.pending -= 1;
        self.answered(Side::Server, response, &closed::names(&questions, closed), effects);
    }

    /// The body of a result without what is not approved and without closed tools, and what to tell of it; none where
    /// nothing is withheld.
    pub(super) fn left(
        &mut self,
        side: Side,
        action: &Action,
        body: &Value,
        raw: &str,
        closed: &BTreeSet<String>,
        effects: &mut Vec<Effect>,
    ) -> Result<Option<(String, Refusal)>, String> {
        let approved = self.withhold(side, action, body, raw, effects)?;
        if closed.is_empty() {
            return Ok(approved);
        }
        closed::hide_too(approved, raw, closed, &self.server)
    }

    /// The body of a result without what is not approved, and what to tell of it; none where nothing is withheld.
    fn withhold(
        &mut self,
        side: Side,
        action: &Action,
        body: &Value,
        raw: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<Option<(String, Refusal)>, String> {
        let Some(pins) = self.pins.as_mut().filter(|_| side == Side::Server) else { return Ok(None) };
        if matches!(action, Action::Mcp { method, .. } if method == "initialize") {
            self.announced = announced(body);
        }
        let mut screened = pins.screen(action, body, raw)?;
        let change = screened.body.take().zip(screened.refusal.take());
        if !screened.is_quiet() {
            effects.push(Effect::Offered(Box::new(screened)));
        }
        Ok(change)
    }

    /// It is on record what is withheld from a response. What is left of it, or all of it where nothing is enforced, is
    /// judged like any other.
    pub(super) fn judge_rest(&mut self, ticket: Ticket, verdict: &Verdict, effects: &mut Vec<Effect>) {
        let Some(pending) = self.pending.get_mut(&ticket) else { return };
        let (Some(instead), Kind::Response { id, place }) = (pending.instead.take(), &mut pending.kind) else { return };
        if !matches!(verdict, Verdict::Allow(_)) {
            (pending.line, *place) = (instead.line, instead.place);
        }
        let raw = pending.line.get(place.clone()).and_then(|raw| std::str::from_utf8(raw).ok()).unwrap_or_default();
        let response = Response { text: text::of(raw), ..Response::default() };
        let shown = raw.to_owned();
        let (id, asker) = (id.clone(), pending.from.other());
        let Some(asked) = self.half(asker).asked.get(&id) else { return };
        self.schemas.came(&asked.action, &shown);
        let call = self.call(Phase::After, asked.action.clone(), Some(&id), Some(response));
        let Some(pending) = self.pending.get_mut(&ticket) else { return };
        pending.more.insert(0, call);
        if let Some(first) = pending.more.pop() {
            effects.push(Effect::Judge(ticket, Box::new(first)));
        }
    }

    /// A person has approved something. The client hears of it as it would from the server.
    pub(super) fn approved(&mut self, offered: Offered, effects: &mut Vec<Effect>) {
        let Some(pins) = &mut self.pins else { return };
        self.schemas.pinned(&offered);
        for section in pins.approve(offered) {
            if self.announced.contains(&section) {
                let method = format!("notifications/{}/list_changed", kind(section));
                let line = format!("{}\n", json!({"jsonrpc": "2.0", "method": method}));
                effects.push(Effect::Send(Side::Client, Bytes::from(line)));
            }
        }
    }
}

/// The lists whose changes a server announces (`listChanged`).
fn announced(result: &Value) -> std::collections::BTreeSet<Section> {
    let says = |section: &Section| {
        let capability = result.get("capabilities").and_then(|c| c.get(kind(*section)));
        capability.and_then(|c| c.get("listChanged")).and_then(Value::as_bool) == Some(true)
    };
    [Section::Tools, Section::Prompts, Section::Templates].into_iter().filter(says).collect()
}

/// The capability that a list belongs to.
fn kind(section: Section) -> &'static str {
    match section {
        Section::Templates => "resources",
        other => other.as_str(),
    }
}

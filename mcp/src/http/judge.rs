//! Asks the gate about one message.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::HeaderMap;
use rampart_call::{Action, Call, Gate, Origin, Permit, Phase, Reason, Refusal, Response, TraceParent, Verdict};
use serde_json::Value;
use tokio::time::Instant;

use super::{flattened, open::Open, sessions::Asked};
use crate::{
    action, answer, closed,
    drops::{self, Drops},
    elicitation,
    message::Id,
    pins::{first_use, keeper::Keeper},
    redact::Cuts,
    relay::Side,
    schemas::Schemas,
    text,
};

/// Who asks about the messages of one server, in one session.
#[derive(Clone)]
pub(super) struct Judge {
    pub(super) terms: Arc<Terms>,
    pub(super) origin: Origin,
}

/// What is the same in all sessions with a server.
pub(super) struct Terms {
    pub(super) gate: Arc<dyn Gate>,
    /// The name that policy knows the server by.
    pub(super) server: String,
    /// What of the server's offer is approved; without it, everything is.
    pub(super) pins: Option<Keeper>,
    /// What its tools take and give.
    pub(super) schemas: Schemas,
    /// Tools that policy closes are not listed.
    pub(super) filters: bool,
    /// Messages that went nowhere.
    pub(super) drops: Mutex<Drops>,
}

impl Judge {
    /// The same in a session of this name.
    pub(super) fn within(&self, session: String) -> Self {
        Self { terms: Arc::clone(&self.terms), origin: Origin { session, ..self.origin.clone() } }
    }

    /// A call that goes on, until its answer has come.
    pub(super) fn begun(&self, action: &Action, id: &Id) -> Option<Open> {
        Open::of(&self.terms.gate, &self.origin, action, id)
    }

    /// A message of this side goes nowhere. Its record holds up nothing.
    pub(super) fn dropped(&self, side: Side, why: &str) {
        match self.terms.drops.lock().unwrap_or_else(PoisonError::into_inner).note(Instant::now()) {
            None => tracing::debug!(?side, why, "dropped another message"),
            Some(1) => {
                tracing::warn!(?side, why, "dropped what is no valid MCP message");
                drop(tokio::spawn(self.recorded(side, why.to_owned())));
            }
            Some(messages) => {
                let why = format!("{why}; {messages} messages in all since the last record");
                drop(tokio::spawn(self.recorded(side, why)));
            }
        }
    }

    /// Records those that no record has told of.
    pub(super) async fn last_drops(&self) {
        let messages = self.terms.drops.lock().unwrap_or_else(PoisonError::into_inner).rest();
        if messages > 0 {
            self.recorded(Side::Server, format!("{messages} more messages went nowhere before the end")).await;
        }
    }

    fn recorded(&self, side: Side, why: String) -> impl Future<Output = ()> + use<> {
        let (call, refusal) = drops::record(&self.terms.server, self.origin.clone(), side, why);
        let gate = Arc::clone(&self.terms.gate);
        async move { drop(gate.refused(call, refusal).await) }
    }

    /// Whether a request or notification may go on.
    pub(super) async fn before(
        &self,
        action: Action,
        id: Option<&Id>,
        trace: Option<TraceParent>,
    ) -> Result<Permit, Refusal> {
        if let Some(refusal) = self.terms.pins.as_ref().and_then(|pins| pins.refusal(&action)) {
            // Where nothing is enforced it goes on, and policy has its say as well.
            self.refused(Phase::Before, action.clone(), id, refusal).await?;
        }
        if let Some(refusal) = self.terms.schemas.refusal(&action) {
            self.refused(Phase::Before, action.clone(), id, refusal).await?;
        }
        if let Some(refusal) = elicitation::refusal(&action) {
            self.refused(Phase::Before, action.clone(), id, refusal).await?;
        }
        self.ask(Phase::Before, action, id, trace, None).await
    }

    /// The same for what the server says, of which nothing is taken out before its client is asked or told.
    pub(super) async fn of_server(
        &self,
        action: Action,
        id: Option<&Id>,
        trace: Option<TraceParent>,
    ) -> Result<Permit, Refusal> {
        let permit = self.before(action, id, trace).await?;
        if permit.edits().is_empty() {
            return Ok(permit);
        }
        let why = "policy wants parts of it redacted, which only calls and answers can be";
        Err(answer::refused(Reason::Malformed, why))
    }

    /// A message of the client's as it may go on, with the headers that repeat it.
    ///
    /// # Errors
    /// Why what policy takes out cannot be taken out.
    pub(super) fn as_permitted(
        &self,
        permit: &Permit,
        action: &Action,
        headers: &mut HeaderMap,
        line: Bytes,
    ) -> Result<Bytes, &'static str> {
        let Some(cuts) = Cuts::of(permit.edits(), action)? else { return Ok(line) };
        let text = std::str::from_utf8(&line).map_err(|_| "it is no text")?;
        let changed = cuts.line(&flattened(text), &self.terms.server)?;
        cuts.headers(headers);
        Ok(changed.into())
    }

    /// Whether an answer may go on, of which `raw` is the body; with what in its place where parts are redacted.
    pub(super) async fn after(
        &self,
        asked: &Asked,
        id: &Id,
        body: &Value,
        raw: &str,
    ) -> Result<(Permit, Option<String>), Refusal> {
        let requests = action::of_input_requests(&self.terms.server, body).map_err(malformed)?;
        for request in requests {
            self.of_server(request, Some(id), None).await?;
        }
        if let Some(refusal) = self.terms.schemas.refusal_of_result(&asked.action, body) {
            self.refused(Phase::After, asked.action.clone(), Some(id), refusal).await?;
        }
        let left = self.left(asked, id, body, raw).await?;
        let raw = left.as_deref().unwrap_or(raw);
        self.terms.schemas.came(&asked.action, raw);
        let permit = self.looked_at(asked.action.clone(), Some(id), text::of(raw)).await?;
        if permit.edits().is_empty() {
            return Ok((permit, left));
        }
        match text::edited(raw, permit.edits()) {
            Ok(changed) => Ok((permit, Some(changed))),
            Err(why) => Err(answer::refused(Reason::Malformed, format!("the response is withheld: {why}"))),
        }
    }

    /// The body of an answer without what is not approved of it and without closed tools; none where nothing is withheld.
    async fn left(&self, asked: &Asked, id: &Id, body: &Value, raw: &str) -> Result<Option<String>, Refusal> {
        let closed = self.closed(&asked.action, body).await;
        let mut withheld = self.approved(asked, id, body, raw).await?;
        if !closed.is_empty() {
            withheld = closed::hide_too(withheld, raw, &closed, &self.terms.server).map_err(malformed)?;
        }
        let Some((left, refusal)) = withheld else { return Ok(None) };
        let hidden = self.refused(Phase::After, asked.action.clone(), Some(id), refusal).await.is_err();
        Ok(hidden.then_some(left))
    }

    /// The tools in a list that policy closes.
    async fn closed(&self, action: &Action, body: &Value) -> BTreeSet<String> {
        if !self.terms.filters {
            return BTreeSet::new();
        }
        let questions = closed::questions(action, body, &self.origin);
        if questions.is_empty() {
            return BTreeSet::new();
        }
        closed::names(&questions, &self.terms.gate.closed(questions.clone()).await)
    }

    async fn approved(
        &self,
        asked: &Asked,
        id: &Id,
        body: &Value,
        raw: &str,
    ) -> Result<Option<(String, Refusal)>, Refusal> {
        let Some(pins) = &self.terms.pins else { return Ok(None) };
        let screened = pins.screen(&asked.action, body, raw).map_err(malformed)?;
        if !screened.learned.is_empty() {
            let pinned = first_use(&self.terms.server, &screened.learned);
            // A record of what has happened; nobody is asked.
            drop(self.ask(Phase::After, pinned, Some(id), None, None).await);
        }
        Ok(screened.body.zip(screened.refusal))
    }

    /// Has a refusal of ours recorded. It is one, but where nothing is enforced.
    async fn refused(
        &self,
        phase: Phase,
        action: Action,
        id: Option<&Id>,
        refusal: Refusal,
    ) -> Result<Permit, Refusal> {
        let origin = Origin { run: id.map(ToString::to_string), ..self.origin.clone() };
        let judgement = refusal.judgement.clone();
        match self.terms.gate.refused(Call { origin, phase, action, response: None }, refusal).await {
            Verdict::Allow(permit) => Ok(permit),
            Verdict::Deny(refusal) => Err(refusal),
            Verdict::Ask(_) => Err(Refusal { judgement }),
        }
    }

    /// Whether a text may go on that came in answer to this action.
    pub(super) async fn looked_at(&self, action: Action, id: Option<&Id>, text: String) -> Result<Permit, Refusal> {
        self.ask(Phase::After, action, id, None, Some(Response { text, ..Response::default() })).await
    }

    async fn ask(
        &self,
        phase: Phase,
        action: Action,
        id: Option<&Id>,
        trace: Option<TraceParent>,
        response: Option<Response>,
    ) -> Result<Permit, Refusal> {
        let mut origin = Origin { run: id.map(ToString::to_string), ..self.origin.clone() };
        origin.trace = trace.or(origin.trace);
        match self.terms.gate.judge(Call { origin, phase, action, response }).await {
            Verdict::Allow(permit) => Ok(permit),
            Verdict::Deny(refusal) => Err(refusal),
            Verdict::Ask(question) => Err(answer::unasked(question)),
        }
    }
}

fn malformed(why: String) -> Refusal {
    answer::refused(Reason::Malformed, format!("the answer of the server: {why}"))
}

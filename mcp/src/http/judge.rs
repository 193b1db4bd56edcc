//! Asks the gate about one message.

use std::sync::Arc;

use rampart_call::{
    Action, Call, Gate, Judgement, Origin, Outcome, Permit, Phase, Question, Reason, Refusal, Response, TraceParent,
    Verdict,
};
use serde_json::Value;

use super::sessions::Asked;
use crate::{action, answer, message::Id, text};

/// Who asks about the messages of one server.
#[derive(Clone)]
pub(super) struct Judge {
    pub(super) gate: Arc<dyn Gate>,
    /// The name that policy knows the server by.
    pub(super) server: String,
    pub(super) origin: Origin,
}

impl Judge {
    /// Whether a request or notification may go on.
    pub(super) async fn before(
        &self,
        action: Action,
        id: Option<&Id>,
        trace: Option<TraceParent>,
    ) -> Result<Permit, Refusal> {
        let permit = self.ask(Phase::Before, action, id, trace, None).await?;
        if permit.edits().is_empty() {
            return Ok(permit);
        }
        let why = "policy wants parts of it redacted, which only a response can be";
        Err(answer::refused(Reason::Malformed, why))
    }

    /// Whether an answer may go on, of which `raw` is the body; with what in its place where parts are redacted.
    pub(super) async fn after(
        &self,
        asked: &Asked,
        id: &Id,
        body: &Value,
        raw: &str,
    ) -> Result<(Permit, Option<String>), Refusal> {
        let requests = action::of_input_requests(&self.server, body)
            .map_err(|why| answer::refused(Reason::Malformed, format!("the answer of the server: {why}")))?;
        for request in requests {
            self.before(request, Some(id), None).await?;
        }
        let permit = self.looked_at(asked.action.clone(), Some(id), text::of(raw)).await?;
        if permit.edits().is_empty() {
            return Ok((permit, None));
        }
        match text::edited(raw, permit.edits()) {
            Ok(changed) => Ok((permit, Some(changed))),
            Err(why) => Err(answer::refused(Reason::Malformed, format!("the response is withheld: {why}"))),
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
        match self.gate.judge(Call { origin, phase, action, response }).await {
            Verdict::Allow(permit) => Ok(permit),
            Verdict::Deny(refusal) => Err(refusal),
            // On this road only the gateway has somebody to ask, and it asks before it answers.
            Verdict::Ask(Question { judgement }) => {
                let judgement = Judgement { outcome: Outcome::Deny, reason: Reason::NobodyToAsk, ..judgement };
                Err(Refusal { judgement })
            }
        }
    }
}

/// The span that a message belongs to (`_meta.traceparent`, SEP-414 of MCP).
pub(super) fn trace(params: &Value) -> Option<TraceParent> {
    TraceParent::parse(params.get("_meta")?.get("traceparent")?.as_str()?)
}

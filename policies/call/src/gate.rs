//! The port through which every road asks, and the proof that it asked.

use std::{future::Future, pin::Pin};

use serde::{Deserialize, Serialize};

use crate::{Call, Edit, Judgement, Outcome, Reason};

/// Judges calls. There is no error: an unreachable gateway, an unwritable audit trail and an expired approval are all
/// a [`Verdict::Deny`] with a reason, so a surface cannot forget to fail closed.
pub trait Gate: Send + Sync {
    /// Decides and records. Resolves when the call may go on or must not; a held question keeps it pending.
    fn judge(&self, call: Call) -> Judging<'_>;

    /// Records what the surface has refused by itself, such as a message that breaks its protocol. The verdict is that
    /// denial, except where nothing is enforced. Never an approval: a surface that has no recorder only refuses.
    fn refused(&self, call: Call, refusal: Refusal) -> Judging<'_> {
        let _ = call;
        Box::pin(std::future::ready(Verdict::Deny(refusal)))
    }

    /// The same about a part of something long whose beginning was judged: it is counted together with that.
    fn judge_part(&self, part: Call) -> Judging<'_> {
        self.judge(part)
    }

    /// Takes note of what a call that goes on has used since it was last told.
    fn used(&self, call: &Call, usage: Usage) {
        let _ = (call, usage);
    }

    /// Takes note that a call which went on gets no answer any more: it is over.
    fn over(&self, call: Call) -> Noting<'_> {
        let _ = call;
        Box::pin(std::future::ready(()))
    }

    /// Which of these calls of tools are refused whatever arguments they come with, so that the tools need not be shown.
    /// Nothing is recorded, and each call is judged all the same: where nobody can tell, none is.
    fn closed(&self, calls: Vec<Call>) -> Telling<'_> {
        Box::pin(std::future::ready(vec![false; calls.len()]))
    }

    /// What would be decided, found out at once and without a trace: for the parts of something long whose beginning was
    /// judged, so that only a part that changes the decision is judged and recorded. `None` where only judging can tell.
    fn preview(&self, call: &Call) -> Option<Judgement> {
        let _ = call;
        None
    }
}

/// What a call uses while it goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that the agent sent.
    pub sent: u64,
    /// Bytes that came back.
    pub received: u64,
    /// Milliseconds.
    pub millis: u64,
}

/// The pending answer of a [`Gate`].
pub type Judging<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// The pending answer to [`Gate::closed`], one for each call.
pub type Telling<'a> = Pin<Box<dyn Future<Output = Vec<bool>> + Send + 'a>>;

/// Resolves when something has been noted, or cannot be.
pub type Noting<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Tests hand in a closure.
impl<F> Gate for F
where
    F: Fn(Call) -> Verdict + Send + Sync,
{
    fn judge(&self, call: Call) -> Judging<'_> {
        let verdict = self(call);
        Box::pin(std::future::ready(verdict))
    }
}

/// What a surface must do.
#[derive(Debug)]
pub enum Verdict {
    /// Go on; the permit is the proof.
    Allow(Permit),
    /// Put this question to the human by the surface's own means. Only for calls whose origin said it can.
    Ask(Question),
    /// Refuse.
    Deny(Refusal),
}

/// Proof that a gate let a call go on. Forwarding a message, opening an upstream connection or running a command takes
/// one by value. Not `Clone`, and only a gate mints it.
#[derive(Debug)]
pub struct Permit {
    judgement: Judgement,
}

impl Permit {
    /// Makes a permit. Only the two gates (the gateway and its client) may call this; `clippy.toml` keeps others away.
    pub fn mint(judgement: Judgement) -> Self {
        Self { judgement }
    }

    /// What must be changed in the response before it goes on.
    pub fn edits(&self) -> &[Edit] {
        &self.judgement.edits
    }

    /// Why the call may go on.
    pub fn judgement(&self) -> &Judgement {
        &self.judgement
    }
}

/// A question for the surface's own prompt.
#[derive(Debug)]
pub struct Question {
    /// What is asked and why.
    pub judgement: Judgement,
}

/// A denial.
#[derive(Debug)]
pub struct Refusal {
    /// What was refused and why.
    pub judgement: Judgement,
}

impl Refusal {
    /// What to tell the model: what was refused, which rule, and what a human could do, on a few lines.
    pub fn explain(&self) -> String {
        let j = &self.judgement;
        let mut text = format!("Rampart refused this: {}", j.message.trim_end_matches('.'));
        match &j.rule {
            Some(rule) => text.push_str(&format!(". Rule: {rule}.")),
            None => text.push_str(&format!(". Reason: {}.", j.reason)),
        }
        if let Some(first) = j.suggestions.first() {
            text.push_str(&format!(" A human can allow it with: {first}"));
        }
        text
    }
}

/// What a surface has refused by itself, as it crosses the wire to be recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// What was refused.
    pub call: Call,
    /// Why, as a stable code.
    pub reason: Reason,
    /// Text for people and models.
    pub message: String,
    /// Commands by which a human could allow it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<String>,
}

impl Refused {
    /// The refusal of a call. No rule made it, so of the judgement nothing else is kept.
    pub fn new(call: Call, refusal: &Refusal) -> Self {
        let Judgement { reason, message, suggestions, .. } = refusal.judgement.clone();
        Self { call, reason, message, suggestions }
    }

    /// The call, and its refusal.
    pub fn into_parts(self) -> (Call, Judgement) {
        let Self { call, reason, message, suggestions } = self;
        (call, Judgement { suggestions, ..Judgement::refused(reason, message) })
    }
}

/// The gateway's answer as it crosses the wire to a surface in another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answer {
    /// What the surface must do: `allow`, `ask` or `deny`. In monitor mode it is `allow` whatever the judgement says.
    pub verdict: Outcome,
    /// What policy says and why.
    pub judgement: Judgement,
    /// Sequence number of the record in the audit trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// Turns an answer into a verdict. Anything but a clear allow or ask is a denial. Part of minting: gates only.
#[expect(clippy::disallowed_methods, reason = "this is the gates' own minting")]
pub fn answer_to_verdict(answer: Answer) -> Verdict {
    let judgement = answer.judgement;
    match answer.verdict {
        Outcome::Allow | Outcome::Watch => Verdict::Allow(Permit::mint(judgement)),
        Outcome::Ask => Verdict::Ask(Question { judgement }),
        Outcome::Webhook | Outcome::Deny => Verdict::Deny(Refusal { judgement }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleRef;

    #[test]
    fn a_refusal_names_the_rule_and_the_way_forward() {
        let mut judgement = Judgement::refused(Reason::Rule, "Credential access blocked");
        judgement.rule = Some(RuleRef {
            policy: "block-credential-reads".into(),
            index: 0,
            action: Outcome::Deny,
            file: "policy.yaml".into(),
            line: 13,
        });
        judgement.suggestions = vec!["rampart allow --tool read './.env'".into()];
        assert_eq!(
            Refusal { judgement }.explain(),
            "Rampart refused this: Credential access blocked. Rule: block-credential-reads (policy.yaml:13). \
             A human can allow it with: rampart allow --tool read './.env'"
        );
    }
}

//! What a hook answers, and what it is made from.

use rampart_call::{Edit, Judgement, Permit, Question, Reason, Refusal, Verdict};
use serde_json::Value;

use crate::{Heard, result};

/// What the hook's process must print and exit with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// One JSON object, or nothing.
    pub stdout: String,
    /// A reason for people and models, or nothing.
    pub stderr: String,
    /// Exit status.
    pub exit: u8,
}

impl Reply {
    /// No opinion: the host goes on as it would without us.
    pub(crate) fn silent() -> Self {
        Self { stdout: String::new(), stderr: String::new(), exit: 0 }
    }

    /// An answer that is not a refusal.
    pub(crate) fn json(answer: &Value) -> Self {
        Self { stdout: answer.to_string(), ..Self::silent() }
    }

    /// A refusal in all three ways at once, because each host honours a different one.
    pub(crate) fn refusal(answer: &Value, reason: &str) -> Self {
        Self { stdout: answer.to_string(), stderr: format!("{reason}\n"), exit: 2 }
    }

    /// A refusal for hosts that read only standard output, and only when the exit status is 0.
    pub(crate) fn refusal_by_json(answer: &Value, reason: &str) -> Self {
        Self { exit: 0, ..Self::refusal(answer, reason) }
    }
}

/// What the verdicts on all parts of one tool call come to.
#[derive(Debug)]
pub enum Ruling {
    /// Every part may go on. Empty when there was nothing to judge.
    Allow(Vec<Permit>),
    /// A part needs the human.
    Ask(Question),
    /// A part is refused.
    Deny(Refusal),
}

impl Ruling {
    /// The strictest of them. Asks for one verdict after the other, and for none after a refusal.
    pub fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        let mut permits = Vec::new();
        let mut question = None;
        for verdict in verdicts {
            match verdict {
                Verdict::Allow(permit) => permits.push(permit),
                Verdict::Ask(first) => question = question.or(Some(first)),
                Verdict::Deny(refusal) => return Self::Deny(refusal),
            }
        }
        question.map_or(Self::Allow(permits), Self::Ask)
    }

    /// What must be changed in the result.
    pub(crate) fn edits(&self) -> Vec<Edit> {
        match self {
            Self::Allow(permits) => permits.iter().flat_map(|p| p.edits().iter().cloned()).collect(),
            Self::Ask(_) | Self::Deny(_) => Vec::new(),
        }
    }

    /// The reason, if this is a refusal where nobody can be asked.
    pub(crate) fn refusal(&self) -> Option<String> {
        match self {
            Self::Allow(_) => None,
            Self::Deny(refusal) => Some(refusal.explain()),
            Self::Ask(question) => {
                let judgement = Judgement { reason: Reason::NobodyToAsk, ..question.judgement.clone() };
                Some(Refusal { judgement }.explain())
            }
        }
    }
}

/// What a result says about itself when parts of it were removed.
pub(crate) const REDACTED: &str = "Rampart removed parts of this result.";

/// Why a result is kept back whole where only parts of it should be.
pub(crate) const CANNOT_REDACT: &str =
    "Rampart kept this result back: parts of it must be removed, and this agent takes a result whole or not at all.";

/// The text of a result after its edits, for hosts that take a text in place of it; none when there is nothing to edit.
pub(crate) fn redacted(heard: &Heard, ruling: &Ruling) -> Option<String> {
    let edits = ruling.edits();
    let edited = (!edits.is_empty()).then(|| result::edited(&heard.result, &edits))?;
    Some(format!("{REDACTED}\n{}", result::text(&edited)))
}

/// What to show the human whom the host asks.
pub(crate) fn ask(question: &Question) -> String {
    let j = &question.judgement;
    let what = if j.message.is_empty() { "this needs your approval" } else { j.message.trim_end_matches('.') };
    match &j.rule {
        Some(rule) => format!("Rampart asks: {what}. Rule: {rule}."),
        None => format!("Rampart asks: {what}."),
    }
}

//! What is told about a decision: without secrets, in plain sight, of bounded length. Renderers need only escape it for
//! their target.

use rampart_call::{Answer, Call, Outcome, Reason, Surface};
use rampart_scan::shown::one_line;
use serde::Serialize;

use crate::{Mode, clock};

/// Characters of what would be done, and of the reason.
const SUBJECT: usize = 1200;
const MESSAGE: usize = 600;
/// What a link to a question says.
pub(super) const LOOK: &str = "Look at it and answer";
/// Characters of names.
const NAME: usize = 100;

/// One decision, as people hear of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Event {
    /// What it is told as; `on` in the configuration names these.
    #[serde(rename = "event")]
    pub(crate) told: Outcome,
    /// When (RFC 3339).
    pub(crate) at: String,
    /// Its record in the audit trail.
    pub(crate) seq: Option<u64>,
    pub(crate) agent: String,
    pub(crate) session: String,
    pub(crate) surface: Surface,
    pub(crate) tool: String,
    /// What exactly would be done.
    pub(crate) subject: String,
    /// Why.
    pub(crate) message: String,
    /// The deciding policy, or the reason code where none decided.
    pub(crate) policy: String,
    pub(crate) outcome: Outcome,
    pub(crate) verdict: Outcome,
    pub(crate) reason: Reason,
    pub(crate) mode: &'static str,
    /// The question that waits for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) question: Option<String>,
    /// Where a person can look at it and answer it once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
}

/// What a decision is told as: what the surface hears, and where it may go on, what policy said.
pub(crate) fn told_as(answer: &Answer) -> Outcome {
    match (answer.verdict, answer.judgement.reason) {
        (Outcome::Allow, Reason::ApprovalGranted) => Outcome::Allow,
        (Outcome::Allow | Outcome::Watch, _) => answer.judgement.outcome,
        (stopped, _) => stopped,
    }
}

impl Event {
    /// `redact` takes secrets out of a text.
    pub(crate) fn new(call: &Call, answer: &Answer, mode: Mode, redact: impl Fn(&str) -> String) -> Self {
        let Answer { verdict, judgement, seq } = answer;
        let text = |text: &str, limit| one_line(&redact(text), limit);
        Self {
            told: told_as(answer),
            at: clock::rfc3339(clock::wall_ms()),
            seq: *seq,
            agent: text(&call.origin.agent, NAME),
            session: text(&call.origin.session, NAME),
            surface: call.origin.surface,
            tool: text(call.action.tool(), NAME),
            subject: text(&call.action.subject(), SUBJECT),
            message: text(&judgement.message, MESSAGE),
            policy: text(judgement.decided_by(), NAME),
            outcome: judgement.outcome,
            verdict: *verdict,
            reason: judgement.reason,
            mode: mode.as_str(),
            question: None,
            link: None,
        }
    }

    /// What happened, in our words only.
    pub(crate) fn headline(&self) -> String {
        let passes = self.verdict.passes();
        let verb = match self.told {
            Outcome::Deny if passes => "would deny",
            Outcome::Deny => "denied",
            Outcome::Ask if passes => "would ask about",
            Outcome::Ask => "asks about",
            Outcome::Webhook => "asked a service about",
            Outcome::Watch => "noted",
            Outcome::Allow => "allowed",
        };
        format!("Rampart {verb} a call ({})", self.surface)
    }

    /// What else there is to know, as names and values.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![("Policy", self.policy.clone())];
        let named = [("Agent", &self.agent), ("Session", &self.session)];
        facts.extend(named.into_iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| (n, v.clone())));
        facts.extend(self.seq.map(|seq| ("Record", seq.to_string())));
        facts.extend(self.question.as_ref().map(|id| ("Answer", format!("rampart approve {id} | rampart deny {id}"))));
        facts
    }
}

#[cfg(test)]
pub(super) mod tests {
    use rampart_call::{Action, CommandLine, Judgement, Origin, Phase};

    use super::*;

    /// Everything that has ever fooled a reader, in one command.
    pub(in crate::notify) const NASTY: &str = "echo <!channel> <https://evil.example|ok> [ok](https://evil.example) @everyone \
        *b* _i_ ~s~ `c` ```\n# big\r\u{1b}[2K\u{202e}txt\u{200b} <b>&amp; ||x|| && rm -rf /";

    pub(in crate::notify) fn call(command: &str) -> Call {
        let origin = Origin { agent: "claude-code".into(), session: "s-1".into(), ..Origin::default() };
        let action = Action::Exec { command: CommandLine::Command(command.into()), cwd: None };
        Call { origin, phase: Phase::Before, action, response: None }
    }

    fn answer(outcome: Outcome, verdict: Outcome, reason: Reason) -> Answer {
        let judgement = Judgement { outcome, ..Judgement::refused(reason, "Destructive *command* blocked") };
        Answer { verdict, judgement, seq: Some(7) }
    }

    pub(in crate::notify) fn event(verdict: Outcome, question: Option<&str>) -> Event {
        let answer = answer(verdict, verdict, Reason::Rule);
        let event = Event::new(&call(NASTY), &answer, Mode::Enforce, str::to_owned);
        let link = question.map(|id| format!("https://rampart.example/approvals/{id}/1/00"));
        Event { at: "2026-01-31T09:30:00.123Z".into(), question: question.map(str::to_owned), link, ..event }
    }

    #[test]
    fn a_decision_is_told_as_what_became_of_it() {
        use Outcome::{Allow, Ask, Deny, Watch, Webhook};
        for (outcome, verdict, reason, told) in [
            (Deny, Deny, Reason::Rule, Deny),
            (Deny, Allow, Reason::Rule, Deny),
            (Ask, Ask, Reason::Rule, Ask),
            (Ask, Deny, Reason::ApprovalExpired, Deny),
            (Ask, Allow, Reason::ApprovalGranted, Allow),
            (Watch, Allow, Reason::Rule, Watch),
            (Allow, Allow, Reason::Default, Allow),
            (Webhook, Allow, Reason::Rule, Webhook),
        ] {
            assert_eq!(told_as(&answer(outcome, verdict, reason)), told, "{outcome} {verdict} {reason}");
        }
    }

    #[test]
    fn secrets_are_taken_out_before_a_text_is_cut() {
        let command = format!("echo {} hunter2", "x".repeat(5000));
        let redact = |text: &str| text.replace("hunter2", "[redacted]");
        let told = answer(Outcome::Deny, Outcome::Deny, Reason::Rule);
        let event = Event::new(&call(&command), &told, Mode::Enforce, redact);
        assert!(event.subject.ends_with(" [redacted]") && event.subject.len() < 1300, "{}", event.subject);
    }
}

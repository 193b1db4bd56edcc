//! The one place that decides. Every road and every face calls [`Gateway::answer`]; read it first.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use rampart_call::{
    Answer, Call, Finding, Gate, Judgement, Judging, Noting, Outcome, Reason, Refusal, Telling, Usage,
    answer_to_verdict,
};
use rampart_policy::{Context, Diagnostic, History, Known, Layer, Ruleset, SourceFile, load};
use tracing::{debug, info};

use crate::{
    Home, Lock, Losses, Mode,
    approvals::{Approvals, Ending, Held, PER_AGENT, Question, Reply, Since, link::Links},
    audit::{Decision, Entry, Trail, Unavailable, Witnesses, sinks::Sinks},
    clock,
    credentials::Credentials,
    followed::{Carried, Followed},
    metrics::Metrics,
    notify::{Event, Notices},
    rules::Rules,
    running::Running,
    session::{Before, Sessions},
    spans::Spans,
    webhook::Verifiers,
};

/// Decides, asks and records.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) home: Home,
    pub(crate) config: Running,
    pub(crate) rules: Arc<Rules>,
    pub(crate) sessions: Sessions,
    pub(crate) followed: Followed,
    pub(crate) approvals: Approvals,
    pub(crate) links: Links,
    pub(crate) trail: Trail,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) notices: Notices,
    pub(crate) verifiers: Verifiers,
    pub(crate) sinks: Sinks,
    pub(crate) metrics: Metrics,
    pub(crate) witnesses: Witnesses,
    pub(crate) spans: Spans,
    pub(crate) losses: OnceLock<Arc<Losses>>,
    pub(crate) started_ms: u64,
    /// Held as long as the gateway lives; last, so that all else is closed before another gateway may begin.
    pub(crate) _lock: Lock,
}

/// What a judgement depends on besides the call.
struct Facts {
    /// The rules for calls from its project, or what is wrong with those that the project adds.
    rules: Result<Arc<Ruleset>, Vec<Diagnostic>>,
    /// The call was counted when its beginning was judged.
    counted: bool,
    /// What becomes of the decision, the same from its beginning to its end.
    mode: Mode,
    now_ms: i64,
}

/// What detectors found in the text of a call, where rules wanted to know.
type Found = Option<Vec<Finding>>;

/// What was found out about a call before the memory of other calls is held.
struct Seen<'a> {
    /// None where nothing is judged.
    known: Option<Known<'a>>,
    carried: Carried,
}

impl Gateway {
    /// Decides about a call and records it; when a human is to decide, waits for that.
    pub async fn answer(&self, call: Call) -> Answer {
        self.answer_or_part(&call, false).await
    }

    async fn answer_or_part(&self, call: &Call, counted: bool) -> Answer {
        let began = Instant::now();
        let facts = Facts { counted, ..self.facts(call) };
        let seen = self.look_at(call, &facts); // 1 facts
        let (judgement, found) = self.decide(call, &facts, seen, began); // 2 session, 3 decide
        let judgement = self.consult(call, &facts, judgement).await;
        let (answer, held) = self.ask(call, &facts, judgement); // 4 ask
        let mut answer = self.record(call, facts.mode, answer).await; // 5 record
        if let Some(held) = held
            && answer.verdict == Outcome::Ask
        {
            // Boxed, as all that is rare here: each call would carry the room for it.
            answer = Box::pin(self.wait(held, answer)).await;
        }
        self.tell(call, &answer, found); // 6 tell
        self.spans.answered(call, &answer, began.elapsed(), |text| self.trail.redacted_text(text));
        answer
    }

    /// Records what a surface has refused by itself. Its word can only refuse, so nobody is asked about it; in monitor mode
    /// the call goes on all the same.
    pub async fn refused(&self, call: Call, refusal: Judgement) -> Answer {
        let began = Instant::now();
        self.sessions.remember().enter(&call);
        let mode = self.mode_of(&call);
        let (verdict, judgement) = match mode {
            Mode::Enforce => (Outcome::Deny, refusal),
            Mode::Monitor => (Outcome::Allow, refusal),
            Mode::Disabled => (Outcome::Allow, Judgement::allowed(Reason::Disabled)),
        };
        let answer = self.record(&call, mode, Answer { verdict, judgement, seq: None }).await;
        self.tell(&call, &answer, None);
        self.spans.answered(&call, &answer, began.elapsed(), |text| self.trail.redacted_text(text));
        answer
    }

    /// What would be decided about a call: the same rules and the same code as in [`answer`](Self::answer), without a
    /// trace.
    pub fn decide_only(&self, call: &Call) -> Judgement {
        self.would_decide(call, &self.facts(call)).0
    }

    fn would_decide(&self, call: &Call, facts: &Facts) -> (Judgement, Found) {
        let began = Instant::now();
        let seen = self.look_at(call, facts);
        let mut memory = self.sessions.remember();
        memory.expire();
        self.judge_by(call, facts, seen, &memory.before(call), began)
    }

    /// What would be decided about a call were this the only policy.
    ///
    /// # Errors
    /// What is wrong with the policy.
    pub fn decide_by(&self, call: &Call, policy: &str) -> Result<Judgement, Vec<Diagnostic>> {
        let began = Instant::now();
        let file = SourceFile { name: "policy".to_owned(), text: policy.to_owned(), layer: Layer::User };
        let rules = Ok(Arc::new(load(&[file])?.ruleset));
        let facts = Facts { rules, ..self.facts(call) };
        let seen = self.look_at(call, &facts);
        let memory = self.sessions.remember();
        Ok(self.judge_by(call, &facts, seen, &memory.before(call), began).0)
    }

    fn facts(&self, call: &Call) -> Facts {
        let rules = self.rules.for_workspace(call.origin.workspace.as_deref());
        Facts { rules, counted: false, mode: self.mode_of(call), now_ms: now_ms() }
    }

    /// What is in the call itself. It takes most of the time, and meanwhile other calls may have the memory.
    fn look_at<'a>(&'a self, call: &'a Call, facts: &Facts) -> Seen<'a> {
        let known = match &facts.rules {
            Ok(ruleset) if facts.mode != Mode::Disabled => Some(ruleset.look_at(call, self.home.root().to_str())),
            _ => None,
        };
        Seen { known, carried: self.followed.carried(call) }
    }

    fn decide(&self, call: &Call, facts: &Facts, seen: Seen<'_>, began: Instant) -> (Judgement, Found) {
        let mut memory = self.sessions.remember();
        memory.enter(call);
        memory.expire();
        if !facts.rules.as_ref().is_ok_and(|ruleset| ruleset.remembers()) {
            if !facts.counted {
                memory.history.record(call, facts.now_ms);
            }
            let Before { labels, called, .. } = memory.before(call);
            let called = called.into_owned().into();
            // No rule asks for more than that, so no other call need wait for the judgement.
            drop(memory);
            return self.judge_by(call, facts, seen, &Before { labels, called, history: &History::default() }, began);
        }
        let (judgement, found) = self.judge_by(call, facts, seen, &memory.before(call), began);
        if !facts.counted {
            memory.history.record(call, facts.now_ms);
        }
        if let Ok(ruleset) = &facts.rules
            && let Err(e) = memory.spend(ruleset, &judgement)
        {
            let text = format!("a rule holds once, and that it did cannot be written down: {e}");
            return (Judgement::refused(Reason::AuditUnavailable, text), found);
        }
        (judgement, found)
    }

    fn judge_by(
        &self,
        call: &Call,
        facts: &Facts,
        seen: Seen<'_>,
        before: &Before<'_>,
        began: Instant,
    ) -> (Judgement, Found) {
        let (ruleset, known) = match (&facts.rules, seen.known) {
            (Ok(ruleset), Some(known)) => (ruleset, known),
            (Ok(_), None) => return (Judgement::allowed(Reason::Disabled), None),
            (Err(_), _) if facts.mode == Mode::Disabled => return (Judgement::allowed(Reason::Disabled), None),
            (Err(wrong), _) => {
                let first = wrong.first().map(Diagnostic::to_string).unwrap_or_default();
                let text = format!("the project's own policy does not load, and it could restrict this: {first}");
                return (Judgement::refused(Reason::PolicyUnavailable, text), None);
            }
        };
        let context = self.context(call, facts, before);
        let (judgement, found) = ruleset.judge_known(known, &context);
        let again = |call: &Call| ruleset.judge(call, &context);
        let mut judgement = self.followed.judge(call, seen.carried, judgement, again);
        judgement.micros = began.elapsed().as_micros() as u64;
        (judgement, found)
    }

    /// Whether policy refuses a call of this tool whatever its arguments. Where nothing is enforced, none is.
    pub fn closes(&self, call: &Call) -> bool {
        let facts = self.facts(call);
        let Some(ruleset) = facts.rules.as_ref().ok().filter(|_| facts.mode == Mode::Enforce) else { return false };
        let memory = self.sessions.remember();
        ruleset.closes(call, &self.context(call, &facts, &memory.before(call)))
    }

    fn context<'a>(&'a self, call: &Call, facts: &Facts, before: &'a Before<'_>) -> Context<'a> {
        Context {
            now_ms: facts.now_ms,
            headless: self.config.now().headless,
            labels: &before.labels,
            confined: self.is_confined(call),
            called: &before.called,
            history: before.history,
            counted: facts.counted,
            rampart_home: self.home.root().to_str(),
        }
    }

    /// Asks the external service that a rule leaves the decision to. Monitoring holds no call, so there nobody is asked.
    async fn consult(&self, call: &Call, facts: &Facts, judgement: Judgement) -> Judgement {
        if judgement.outcome != Outcome::Webhook || facts.mode != Mode::Enforce {
            return judgement;
        }
        let rule = facts.rules.as_ref().ok().zip(judgement.rule.as_ref()).and_then(|(rules, at)| rules.rule(at));
        match rule.and_then(|rule| rule.webhook.as_ref()) {
            Some(webhook) => Box::pin(self.verifiers.decide(webhook, call, judgement, &self.trail)).await,
            None => judgement,
        }
    }

    /// What the surface is told. A question goes to the host that can put it, or waits here for a human.
    fn ask(&self, call: &Call, facts: &Facts, mut judgement: Judgement) -> (Answer, Option<Held>) {
        let mut held = None;
        let people = facts.rules.as_ref().map_or(1, |ruleset| ruleset.approvals(&judgement.matched));
        // A rule may want its questions kept here, where the answer is on record, and several people can give it.
        let kept_here = || {
            let rule = judgement.rule.as_ref().zip(facts.rules.as_ref().ok());
            people > 1 || rule.is_some_and(|(rule, ruleset)| ruleset.ask_options(rule).audit)
        };
        let verdict = match (facts.mode, judgement.outcome) {
            (Mode::Monitor | Mode::Disabled, _) | (_, Outcome::Allow | Outcome::Watch) => Outcome::Allow,
            // Whoever should have decided was not even asked.
            (Mode::Enforce, Outcome::Deny | Outcome::Webhook) => Outcome::Deny,
            (Mode::Enforce, Outcome::Ask) if call.origin.can_ask && !kept_here() => Outcome::Ask,
            (Mode::Enforce, Outcome::Ask) if self.config.now().headless => {
                judgement.reason = Reason::NobodyToAsk;
                Outcome::Deny
            }
            (Mode::Enforce, Outcome::Ask) => {
                held = self.approvals.ask(call, &judgement, people, self.config.now().approval_timeout).ok();
                if held.is_some() {
                    Outcome::Ask
                } else {
                    judgement.reason = Reason::TooManyPending;
                    judgement.message.push_str(&format!(" ({PER_AGENT} questions of this agent wait already)"));
                    Outcome::Deny
                }
            }
        };
        (Answer { verdict, judgement, seq: None }, held)
    }

    async fn record(&self, call: &Call, mode: Mode, mut answer: Answer) -> Answer {
        let Answer { verdict, judgement, .. } = &answer;
        let decision = Decision { call, judgement, verdict: *verdict, mode: mode.as_str() };
        match self.trail.append(Entry::Decision(decision)).await {
            Ok(seq) => answer.seq = Some(seq),
            Err(unavailable) => answer = self.unrecorded(answer, mode, &unavailable),
        }
        if mode == Mode::Monitor {
            // Monitoring changes nothing, so nothing is cut out of responses either.
            answer.judgement.edits.clear();
        }
        answer
    }

    /// A decision that is not on record has not been made, unless the human chose otherwise.
    fn unrecorded(&self, answer: Answer, mode: Mode, unavailable: &Unavailable) -> Answer {
        if mode == Mode::Enforce && !self.config.now().audit.allow_on_failure {
            return refuse(answer, Reason::AuditUnavailable, unavailable.to_string());
        }
        if answer.verdict == Outcome::Allow {
            self.trail.passed_unrecorded();
        }
        answer
    }

    /// Waits until a question ends, and turns its end into the answer.
    async fn wait(&self, mut held: Held, answer: Answer) -> Answer {
        if held.since == Since::Now {
            held.question.decision = answer.seq.unwrap_or_default();
        }
        if let Err(unavailable) = self.put(&held).await {
            return refuse(answer, Reason::AuditUnavailable, unavailable.to_string());
        }
        if held.since == Since::Now {
            self.notify(&held.question.call, &answer, Some(&held.question));
        }
        let asked = answer.judgement.message.clone();
        match held.ending().await {
            Ending::Answered(reply) if reply.approve => granted(answer, &reply),
            Ending::Answered(reply) => {
                let text = format!("{asked}: {} denied it{}", reply.by, because(&reply));
                refuse(answer, Reason::ApprovalDenied, text)
            }
            Ending::Expired => {
                self.lapse(&held.question, "expired").await;
                let seconds = held.question.lasts_ms() / 1000;
                refuse(answer, Reason::ApprovalExpired, format!("{asked}: nobody answered within {seconds} s"))
            }
            Ending::Withdrawn => {
                refuse(answer, Reason::ApprovalExpired, format!("{asked}: the question was withdrawn"))
            }
            Ending::Suspended => {
                let text = format!("{asked}: the gateway ended before somebody answered; the question is kept");
                refuse(answer, Reason::GatewayEnded, text)
            }
        }
    }

    fn tell(&self, call: &Call, answer: &Answer, found: Found) {
        let Answer { verdict, judgement, seq } = answer;
        let (surface, by) = (call.origin.surface, judgement.decided_by());
        let agent = self.trail.redacted_name(&call.origin.agent);
        self.sessions.remember().learn(call, judgement, *verdict);
        self.followed.learn(call, judgement, *verdict, found);
        self.metrics.answered(call, answer);
        match verdict {
            Outcome::Allow => debug!(%surface, %agent, by, seq, "allowed"),
            other => info!(%surface, %agent, by, seq, "{other}"),
        }
        // A person who answered knows.
        if !matches!(judgement.reason, Reason::ApprovalGranted | Reason::ApprovalDenied) {
            self.notify(call, answer, None);
        }
    }

    fn notify(&self, call: &Call, answer: &Answer, question: Option<&Question>) {
        let in_force = self.rules.in_force();
        self.notices.tell(in_force.ruleset.notify(), answer, || {
            let redact = |text: &str| self.trail.redacted_text(text);
            let (id, link) = (question.map(|q| q.id.clone()), question.and_then(|q| self.link(q)));
            Event { question: id, link, ..Event::new(call, answer, self.mode_of(call), redact) }
        });
    }
}

fn now_ms() -> i64 {
    i64::try_from(clock::wall_ms()).unwrap_or(i64::MAX)
}

fn refuse(mut answer: Answer, reason: Reason, text: String) -> Answer {
    answer.verdict = Outcome::Deny;
    answer.judgement.reason = reason;
    answer.judgement.message = text;
    answer
}

fn granted(mut answer: Answer, reply: &Reply) -> Answer {
    answer.verdict = Outcome::Allow;
    answer.judgement.reason = Reason::ApprovalGranted;
    answer.judgement.message = format!("{} approved it{}", reply.by, because(reply));
    answer
}

fn because(reply: &Reply) -> String {
    if reply.reason.is_empty() { String::new() } else { format!(": {}", reply.reason) }
}

#[expect(clippy::disallowed_methods, reason = "the gateway is one of the two gates")]
impl Gate for Gateway {
    fn judge(&self, call: Call) -> Judging<'_> {
        Box::pin(async move { answer_to_verdict(self.answer_or_part(&call, false).await) })
    }

    fn refused(&self, call: Call, refusal: Refusal) -> Judging<'_> {
        Box::pin(async move { answer_to_verdict(self.refused(call, refusal.judgement).await) })
    }

    fn judge_part(&self, part: Call) -> Judging<'_> {
        Box::pin(async move { answer_to_verdict(self.answer_or_part(&part, true).await) })
    }

    fn used(&self, call: &Call, usage: Usage) {
        self.sessions.remember().history.record_usage(call, usage, now_ms());
    }

    fn over(&self, call: Call) -> Noting<'_> {
        self.sessions.remember().over(&call);
        Box::pin(std::future::ready(()))
    }

    fn closed(&self, calls: Vec<Call>) -> Telling<'_> {
        Box::pin(async move { calls.iter().map(|call| self.closes(call)).collect() })
    }

    fn preview(&self, call: &Call) -> Option<Judgement> {
        let facts = Facts { counted: true, ..self.facts(call) };
        let (mut judgement, found) = self.would_decide(call, &facts);
        if facts.mode == Mode::Monitor {
            judgement.edits.clear();
        }
        // A part that changes nothing is not judged, and passes all the same.
        self.followed.learn(call, &judgement, judgement.outcome, found);
        Some(judgement)
    }
}

#[cfg(test)]
mod tests;

//! What a record says. The gateway hands in an [`Entry`]; the trail adds records of its own about itself. All fields
//! are documented in `docs/audit.md`, and none changes its meaning within schema `rampart.audit.v2`.

use std::borrow::Cow;

use rampart_call::{Call, Judgement, Lost, Outcome, Phase, RuleRef, Surface};
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::redact::Redactor;

/// The schema every line names.
pub const SCHEMA: &str = "rampart.audit.v2";

/// The types of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A segment begins.
    Open,
    /// A call was judged before it happened.
    Decision,
    /// What came back was judged.
    Result,
    /// A question was put to a human, answered, or ran out.
    Approval,
    /// The ruleset changed, or a change was refused.
    Policy,
    /// The configuration changed, or a change was refused.
    Config,
    /// Tokens and logins.
    Auth,
    /// A signed statement of size, head and Merkle root.
    Checkpoint,
    /// Bytes at the end of a segment that are no records.
    Recover,
    /// Records that were answered for and may not be on disk.
    Lost,
    /// How many decisions could not be recorded.
    Gap,
    /// The gateway ended in order.
    Close,
    /// Old segments were deleted by the retention setting.
    Retire,
}

impl Kind {
    /// Every type.
    pub const ALL: [Self; 13] = [
        Self::Open,
        Self::Decision,
        Self::Result,
        Self::Approval,
        Self::Policy,
        Self::Config,
        Self::Auth,
        Self::Checkpoint,
        Self::Recover,
        Self::Lost,
        Self::Gap,
        Self::Close,
        Self::Retire,
    ];

    /// The word in the `type` field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Decision => "decision",
            Self::Result => "result",
            Self::Approval => "approval",
            Self::Policy => "policy",
            Self::Config => "config",
            Self::Auth => "auth",
            Self::Checkpoint => "checkpoint",
            Self::Recover => "recover",
            Self::Lost => "lost",
            Self::Gap => "gap",
            Self::Close => "close",
            Self::Retire => "retire",
        }
    }

    /// The type a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == word)
    }
}

/// What the gateway puts on record. Secrets in it are replaced when it is rendered.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    /// A call was judged: a `decision` record before it happens, a `result` record after.
    Decision(Decision<'a>),
    /// A question was put to a human, answered, or ran out.
    Approval(Approval<'a>),
    /// The ruleset changed, or a change was refused.
    Policy(Change<'a>),
    /// The configuration changed, or a change was refused.
    Config(Change<'a>),
    /// Tokens and logins.
    Auth(Change<'a>),
    /// Others were not told of something: a `gap` record.
    Gap(Untold<'a>),
    /// Surfaces got no answer and let calls go on: a `gap` record.
    Unanswered(Unanswered<'a>),
}

/// A call and what was decided about it.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// The call.
    pub call: &'a Call,
    /// What policy says of it.
    pub judgement: &'a Judgement,
    /// What the surface is told; in monitor mode it differs from the judgement.
    pub verdict: Outcome,
    /// The mode in force: `enforce`, `monitor` or `disabled`.
    pub mode: &'a str,
}

/// A step in the life of a question to a human.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Approval<'a> {
    /// The question's id.
    pub id: &'a str,
    /// `asked`, `granted`, `denied`, `expired`, `cancelled`, or `used`: an answer was fetched that had waited for whoever
    /// asked.
    pub event: &'a str,
    /// `seq` of the decision that asked.
    pub decision: u64,
    /// Who answered; empty while nobody has.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub by: &'a str,
    /// By which way the answer came: `cli`, `api`, `dashboard`, `link`, `host`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub from: &'a str,
    /// How far they said it reaches: `once`, `always`, or a time such as `1h`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub scope: &'a str,
    /// Why, in the person's words.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub message: &'a str,
    /// SHA-256 of the payload the answer is bound to, in hex.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub payload: &'a str,
}

/// A change of what the gateway goes by.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Change<'a> {
    /// What happened, as a stable word: `loaded`, `rejected`, `added`, `removed`, `created`, `revoked`, `rotated`,
    /// `refused`.
    pub event: &'a str,
    /// What it happened to: a file, a rule, a token's id.
    pub subject: &'a str,
    /// Who did it; empty when it was the gateway itself.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub by: &'a str,
    /// SHA-256 of the ruleset or configuration in force afterwards, in hex.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub ruleset: &'a str,
    /// More, for people.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub message: &'a str,
}

/// What others should have been told and were not.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Untold<'a> {
    /// Who tells: `notify` or `syslog`.
    pub reason: &'a str,
    /// How many notifications or records.
    pub dropped: u64,
    /// Why, for people.
    pub cause: &'a str,
}

/// Calls that went on because no gateway answered, as their surfaces wrote them down. Nothing proves that these were all,
/// or that they were at all.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Unanswered<'a> {
    /// How many.
    pub passed: u64,
    /// Lines that no surface writes; what they say is left out.
    pub garbled: u64,
    /// There was no room to write down further ones.
    pub more: bool,
    /// SHA-256 of what the surfaces wrote, in hex. Two records of one file with the same calls tell of the same calls.
    pub file: &'a str,
    /// What is wrong with the file, or where the calls stood; for people.
    pub cause: &'a str,
    /// The calls.
    pub calls: &'a [Lost],
}

#[derive(Serialize)]
struct UnansweredBody<'a> {
    reason: &'static str,
    #[serde(flatten)]
    told: Unanswered<'a>,
}

/// A record that only lacks its place in the chain.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    /// A JSON object.
    pub(super) body: String,
    /// It must be on disk before anybody hears of it.
    pub(super) durable: bool,
}

impl Draft {
    /// A record of the trail about itself. These are always durable before anything after them is answered for.
    pub(super) fn own(kind: Kind, body: &impl Serialize) -> Self {
        Self { kind, body: json(body), durable: true }
    }
}

impl Entry<'_> {
    /// Renders the entry without its secrets.
    pub(super) fn draft(&self, redactor: &Redactor) -> Draft {
        match self {
            Self::Decision(decision) => decision.draft(redactor),
            Self::Approval(approval) => {
                let (by, message) = (redactor.text(approval.by), redactor.text(approval.message));
                Draft::own(Kind::Approval, &Approval { by: &by, message: &message, ..*approval })
            }
            Self::Policy(change) => change.draft(Kind::Policy, redactor),
            Self::Config(change) => change.draft(Kind::Config, redactor),
            Self::Auth(change) => change.draft(Kind::Auth, redactor),
            Self::Gap(untold) => Draft::own(Kind::Gap, &Untold { cause: &redactor.text(untold.cause), ..*untold }),
            Self::Unanswered(told) => {
                Draft::own(Kind::Gap, &redacted(&UnansweredBody { reason: "unanswered", told: *told }, redactor))
            }
        }
    }
}

impl Change<'_> {
    fn draft(&self, kind: Kind, redactor: &Redactor) -> Draft {
        let text = |text| redactor.text(text);
        let (subject, by, message) = (text(self.subject), text(self.by), text(self.message));
        Draft::own(kind, &Change { subject: &subject, by: &by, message: &message, ..*self })
    }
}

/// The body of `decision` and `result` records.
#[derive(Serialize)]
struct DecisionBody<'a> {
    actor: Actor<'a>,
    tool: Cow<'a, str>,
    action: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<ResponseBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effects: Option<&'a RawValue>,
    /// Which of them the deciding rule matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<usize>,
    outcome: Outcome,
    verdict: Outcome,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a RuleRef>,
    message: String,
    ruleset: &'a str,
    mode: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    edits: usize,
    micros: u64,
}

#[derive(Serialize)]
struct Actor<'a> {
    agent: Cow<'a, str>,
    session: Cow<'a, str>,
    surface: Surface,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Cow<'a, str>>,
    depth: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    claimed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<Cow<'a, str>>,
}

/// Headers that tell what an answer is; others may be anything, and are new in every answer.
const TELLING: [&str; 6] =
    ["content-type", "content-length", "content-encoding", "location", "server", "cache-control"];

/// What is kept of a response: never its text.
#[derive(Serialize)]
struct ResponseBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(&'a str, Cow<'a, str>)>,
    bytes: usize,
    hmac: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    /// Bytes that passed without being looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    uninspected: Option<u64>,
}

impl Decision<'_> {
    fn draft(&self, redactor: &Redactor) -> Draft {
        let Self { call, judgement, verdict, mode } = *self;
        let origin = &call.origin;
        // Callers choose these, so a secret may stand in them as in anything else.
        let name = |name| redactor.name(name);
        let action = redactor.rendered(&call.action);
        let effects = (!judgement.effects.is_empty()).then(|| redactor.rendered(&judgement.effects));
        let body = DecisionBody {
            actor: Actor {
                agent: name(&origin.agent),
                session: name(&origin.session),
                surface: origin.surface,
                run: origin.run.as_deref().map(name),
                depth: origin.depth,
                pid: origin.pid,
                uid: origin.uid,
                claimed: origin.claimed,
                person: origin.person.as_deref(),
                server: origin.server.as_deref().map(name),
                workspace: origin.workspace.as_deref().map(name),
            },
            tool: name(call.action.tool()),
            action: &action,
            response: call.response.as_ref().map(|r| ResponseBody {
                status: r.status,
                headers: (r.headers.iter())
                    .filter(|(header, _)| TELLING.contains(&header.as_str()))
                    .map(|(header, value)| (header.as_str(), name(value)))
                    .collect(),
                bytes: r.text.len(),
                hmac: redactor.fingerprint(&r.text),
                truncated: r.truncated,
                uninspected: r.uninspected,
            }),
            effects: effects.as_deref(),
            effect: (judgement.effect.as_ref()).and_then(|it| judgement.effects.iter().position(|effect| effect == it)),
            outcome: judgement.outcome,
            verdict,
            reason: judgement.reason.as_str(),
            rule: judgement.rule.as_ref(),
            message: redactor.text(&judgement.message),
            ruleset: &judgement.ruleset,
            mode,
            edits: judgement.edits.len(),
            micros: judgement.micros,
        };
        let kind = if call.phase == Phase::Before { Kind::Decision } else { Kind::Result };
        let durable = !(verdict.passes() && judgement.outcome.passes());
        Draft { durable, ..Draft::own(kind, &body) }
    }
}

pub(super) fn redacted(body: &impl Serialize, redactor: &Redactor) -> Value {
    let mut value = serde_json::to_value(body).unwrap_or_default();
    redactor.value(&mut value);
    value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// The words of this file always have a JSON form; should that ever fail, the record still says that it happened.
fn json(body: &impl Serialize) -> String {
    // Most records are about so long.
    let mut text = Vec::with_capacity(1024);
    let written = serde_json::to_writer(&mut text, body).map(|()| String::from_utf8(text));
    match written {
        Ok(Ok(text)) => text,
        Ok(Err(e)) => format!(r#"{{"unrendered":{:?}}}"#, e.to_string()),
        Err(e) => format!(r#"{{"unrendered":{:?}}}"#, e.to_string()),
    }
}

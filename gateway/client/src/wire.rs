//! What crosses the API, apart from [`Call`] and [`Answer`](rampart_call::Answer): the JSON of requests and responses.
//! The server writes these same types.

use rampart_call::{Call, Effect, Finding, Judgement, RuleRef};
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Body of `POST /v1/tool/{tool}` and `/v1/preflight/{tool}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ToolRequest {
    /// The agent's name.
    pub agent: String,
    /// One run of it.
    pub session: String,
    /// What the tool would be called with.
    pub params: Value,
    /// Absolute path of the project the agent works in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Absolute path that `~` means for the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
}

/// Answer to a [`ToolRequest`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Decision {
    /// Whether the call may happen.
    pub allowed: bool,
    /// What policy says: `allow`, `watch`, `ask`, `webhook` or `deny`.
    pub decision: String,
    /// Why, as a stable code.
    pub reason: String,
    /// Text for people.
    pub message: String,
    /// Names of the policies that matched, the deciding one first.
    pub matched_policies: Vec<String>,
    /// The deciding rule and its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleRef>,
    /// SHA-256 of the ruleset, in hex.
    pub policy_hash: String,
    /// Commands by which a human could allow it.
    pub suggestions: Vec<String>,
    /// Everything the call would do.
    pub effects: Vec<Effect>,
    /// Time the decision took, in microseconds.
    pub micros: u64,
    /// Number of the record in the audit trail; none for a preflight, which leaves no record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

impl Decision {
    /// How a judgement is told. `allowed` is what the caller may do, which in monitor mode is more than policy says.
    pub fn of(judgement: Judgement, allowed: bool, seq: Option<u64>) -> Self {
        let mut matched_policies: Vec<String> = Vec::new();
        for rule in judgement.rule.iter().chain(&judgement.matched) {
            if !matched_policies.contains(&rule.policy) {
                matched_policies.push(rule.policy.clone());
            }
        }
        let Judgement { outcome, reason, rule, message, suggestions, effects, ruleset, micros, .. } = judgement;
        Self {
            allowed,
            decision: outcome.as_str().to_owned(),
            reason: reason.as_str().to_owned(),
            message,
            matched_policies,
            rule,
            policy_hash: ruleset,
            suggestions,
            effects,
            micros,
            seq,
        }
    }
}

/// Body of `POST /v1/test`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TestRequest {
    /// The tool's name.
    pub tool: String,
    /// What it would be called with.
    pub params: Value,
    /// The agent's name.
    pub agent: String,
    /// One run of it.
    pub session: String,
    /// Absolute path of the project the agent works in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Absolute path that `~` means for the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// A policy file's text to judge by; the rules in force without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// Body of `POST /v1/scan`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ScanRequest {
    /// What is looked through.
    pub text: String,
}

/// Answer to a [`ScanRequest`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scanned {
    /// What was found. None carries the secret itself.
    pub findings: Vec<Finding>,
    /// The text with what was found replaced.
    pub redacted: String,
}

/// Answer to `POST /v1/events/ticket`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ticket {
    /// What `GET /v1/events/stream?ticket=...` takes, once.
    pub ticket: String,
    /// How many seconds it waits for that.
    pub expires_in_s: u64,
}

/// Answer to `POST /v1/dashboard/link`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DashboardLink {
    /// What logs the browser in that opens it first.
    pub url: String,
    /// How many seconds it waits for that.
    pub expires_in_s: u64,
}

/// Answer to `GET /v1/status`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// Version of the gateway's program.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// `enforce`, `monitor` or `disabled`.
    pub mode: String,
    /// Its home directory.
    pub home: String,
    /// When it started (RFC 3339).
    pub started: String,
    /// Where its API listens beside the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Where its egress proxy listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<String>,
    /// The ruleset in force.
    pub policy: PolicyStatus,
    /// The audit trail.
    pub audit: AuditStatus,
    /// How many questions wait for a human.
    pub pending: usize,
    /// How many sessions it knows.
    pub sessions: usize,
    /// Surfaces that go on when they get no answer.
    pub fail_open: Vec<String>,
    /// What a collector of traces, metrics and the log did not get; none where nothing is sent to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<TelemetryStatus>,
}

/// What a collector did not get since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TelemetryStatus {
    /// Spans that found no room in the queue.
    pub spans_lost: u64,
    /// Lines of the log that found none.
    pub log_records_lost: u64,
    /// Requests that it did not take.
    pub requests_lost: u64,
}

/// Answer to `GET /v1/sessions/{session}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionSummary {
    /// How many calls were judged before they happened.
    pub calls: u64,
    /// How many of them were refused.
    pub refused: u64,
}

/// Body of `POST /v1/sessions`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct OpenSession {
    /// The agent's name.
    pub agent: String,
    /// The session's name; drawn when there is none, and that of the outer session inside of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// When it ends.
    pub lasts: SessionLasts,
}

/// When a session ends, and what belongs to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SessionLasts {
    /// With the process that opens it; all below that process belongs to it and is no person.
    #[default]
    Process,
    /// With the terminal of the process that opens it; only who bears the credential belongs to it.
    Terminal,
}

/// Answer to an [`OpenSession`].
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpenedSession {
    /// The session's name.
    pub session: String,
    /// What its processes bear: the password of the egress proxy and the token of the API.
    pub credential: String,
    /// Where the egress proxy listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<String>,
}

/// Body of `POST /v1/tokens`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CreateToken {
    /// What people call it.
    pub name: String,
    /// `decide`, `approve`, `admin`.
    pub scopes: Vec<String>,
    /// Only calls and questions of this agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Only questions that this policy asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// How many seconds it lasts; for ever without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasts_s: Option<u64>,
}

/// What is known of a token; `GET /v1/tokens` answers with a list of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenInfo {
    /// Its id, or `home` and `RAMPART_TOKEN` for the one in the home's file and the one that the environment gave.
    pub id: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `token`, `session`, `dashboard`, `file` or `environment`.
    pub kind: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Only for this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Only about questions of this policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Only for this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The process that it ends with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When it was made (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// When it ends (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// A token that was just made or rotated: the only answer that holds its text.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedToken {
    /// What is known of it.
    #[serde(flatten)]
    pub info: TokenInfo,
    /// What its bearer sends.
    pub token: String,
}

/// Answer to `GET /v1/whoami`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhoAmI {
    /// Who the caller is, as the audit trail says it.
    pub name: String,
    /// Scopes whose answers the caller may read.
    pub reads: Vec<String>,
    /// Scopes in which the caller may change something.
    pub acts: Vec<String>,
    /// The session whose credential the caller bears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What keeps the caller from more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The ruleset in force, and what is wrong with a newer one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PolicyStatus {
    /// SHA-256, in hex.
    pub hash: String,
    /// How many policies.
    pub policies: usize,
    /// How many rules.
    pub rules: usize,
    /// The files it was made of.
    pub files: Vec<String>,
    /// When it came into force (RFC 3339).
    pub loaded: String,
    /// Why the files as they are now could not be loaded; then an older ruleset is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What is doubtful about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The state of the audit trail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditStatus {
    /// Whether records can be written.
    pub healthy: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Number of the newest record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Those that keep its checkpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<WitnessStatus>,
}

/// How somebody is doing who keeps checkpoints of the audit trail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WitnessStatus {
    /// Which one.
    pub witness: String,
    /// How many records the newest checkpoint covers that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Why it takes none at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One policy in force; `GET /v1/policies` answers with a list of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The file it stands in.
    pub file: String,
    /// What it is for.
    pub description: String,
    /// Whether its rules are in force.
    pub enabled: bool,
    /// How many rules it has.
    pub rules: usize,
    /// Smaller is explained first.
    pub priority: i64,
    /// `profile`, `user`, `overrides` or `project`.
    pub layer: String,
}

/// Body of `POST /v1/rules`: one exact rule of the human's own.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NewRule {
    /// `allow`, `deny` or `ask`.
    pub action: String,
    /// A command, path, host, URL or `server/tool`, by the tool; `*` stands for any text.
    pub pattern: String,
    /// `exec` when not named, `read`, `write`, `edit`, `fetch`, `connect`, `mcp` or a host's own tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Arguments of an MCP or host tool, by name or JSON pointer, and patterns of which each must match one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Vec<String>>,
    /// What to tell the agent and people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where it comes from, for lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How many seconds it holds; for ever without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasts_s: Option<u64>,
    /// It holds for one call.
    pub once: bool,
    /// Working directory of the call that it is tried with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Absolute path of the project of that call; the project's own policy counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Absolute path that `~` means for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
}

/// A rule of the human's own; `GET /v1/rules` answers with a list of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rule {
    /// Its number in the list, from 1.
    pub number: usize,
    /// Its name, which decisions by it bear.
    pub name: String,
    /// `allow`, `deny` or `ask`; like the next ones only where the entry can be said so, and not what a person wrote
    /// otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The tool it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Its pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Arguments and patterns of which each must match one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Vec<String>>,
    /// What it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// It holds for one call.
    #[serde(default)]
    pub once: bool,
    /// When it ends (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// It has ended.
    #[serde(default)]
    pub expired: bool,
    /// Where it comes from.
    #[serde(default)]
    pub origin: String,
    /// The entry as it stands in the file.
    #[serde(default)]
    pub policy: Value,
}

/// Answer to a [`NewRule`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddedRule {
    /// Its number in the list, from 1.
    pub number: usize,
    /// It was there already.
    pub existed: bool,
    /// What people should know about what it does.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What is doubtful about the policies with it and was not before.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How many rules are in force.
    pub rules: usize,
}

/// Answer to `DELETE /v1/rules/{rule}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RemovedRule {
    /// The rule that was taken back.
    pub rule: Rule,
    /// How many rules are in force.
    pub rules: usize,
}

/// Answer to `DELETE /v1/rules`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResetRules {
    /// How many rules were taken back.
    pub removed: usize,
    /// Where the file is kept as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// How many rules are in force.
    pub rules: usize,
}

/// A question that waits for a human.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pending {
    /// Its id; any unique beginning of it will do.
    pub id: String,
    /// SHA-256 of the call, in hex: what an answer is bound to.
    pub payload: String,
    /// What exactly would happen, on one line.
    pub subject: String,
    /// When it was asked (RFC 3339).
    pub asked: String,
    /// When it expires (RFC 3339), as the clock went when it was asked.
    #[serde(default)]
    pub expires: String,
    /// Milliseconds until it expires.
    pub expires_in_ms: u64,
    /// How many different people must agree.
    #[serde(default = "one")]
    pub approvals: u8,
    /// Who has agreed so far, where one is not enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agreed: Vec<String>,
    /// What belongs to the call beside its subject: where it would run, what it would write or send.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
    /// The call, whole.
    pub call: Call,
    /// Why it is asked.
    pub judgement: Judgement,
}

const fn one() -> u8 {
    1
}

/// One operand of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Detail {
    /// What it is: `in`, `content`, `header`, `arguments`, ...
    pub name: String,
    /// The whole of it, as the agent gave it.
    pub text: String,
}

/// Body of `POST /v1/approvals/{id}/resolve`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// Yes or no.
    pub approve: bool,
    /// Why, for the record.
    #[serde(default)]
    pub reason: String,
    /// The `payload` of the question as it was shown; when given, a question about anything else is not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// How far it reaches: `once` (when not given), `always`, or a time such as `1h`. The answer itself releases this one
    /// call; for more, a rule that allows exactly this is written too, which needs the scope `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// Answer to a [`Resolve`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Resolved {
    /// The whole id.
    pub id: String,
    /// Whether the call goes on.
    pub approved: bool,
    /// How many more people must agree first.
    #[serde(default)]
    pub missing: u8,
    /// What it was about.
    pub subject: String,
    /// The rule for later calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<AddedRule>,
    /// Why there is none although it was wanted; the answer counts all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<String>,
}

/// Answer to `GET /v1/audit/events`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditEvents {
    /// The records, each as it stands in the trail.
    pub events: Vec<AuditRecord>,
    /// There are others beyond the last.
    #[serde(default)]
    pub more: bool,
}

/// A record of the audit trail: what every one has, and what its type adds (`docs/audit.md`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditRecord {
    /// `rampart.audit.v2`.
    pub v: String,
    /// Its number, from 1 and without a gap.
    pub seq: u64,
    /// `decision`, `result`, `approval`, `policy`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was written, as the clock on the wall said (RFC 3339).
    pub at: String,
    /// Milliseconds since the machine started.
    pub boot_ms: u64,
    /// What its type adds.
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
    /// SHA-256 that chains it to those before, in hex.
    pub h: String,
}

/// Answer to `GET /healthz`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// `ok` or `degraded`: all of the next ones together.
    pub status: String,
    /// Whether records can be written.
    pub audit: String,
    /// Whether the policy files as they are now are in force.
    pub policy: String,
}

/// Every error of the API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorText,
}

/// The content of an [`ErrorBody`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorText {
    /// Stable code.
    pub code: String,
    /// Text for people.
    pub message: String,
}

/// Secrets are shown to whoever was meant to get them, and by no debugging.
macro_rules! hides {
    ($type:ident, $($shown:ident),+) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type))$(.field(stringify!($shown), &self.$shown))+.finish_non_exhaustive()
            }
        }
    };
}
hides!(OpenedSession, session, egress);
hides!(CreatedToken, info);
hides!(Ticket, expires_in_s);
hides!(DashboardLink, expires_in_s);

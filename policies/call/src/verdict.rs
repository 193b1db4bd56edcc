//! What was decided about a call, and why.

use serde::{Deserialize, Serialize};

use crate::{Effect, Span};

/// The outcome of judging a call by a ruleset, with everything a person needs to understand it. The command line, the
/// hooks, the API and the audit trail print these same facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Judgement {
    /// What the policy says.
    pub outcome: Outcome,
    /// Why, as a stable code.
    pub reason: Reason,
    /// The rule that decided; none when the default did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleRef>,
    /// Text for people and models: what was stopped and why. Never empty for a denial or a question.
    #[serde(default)]
    pub message: String,
    /// The effect that the deciding rule matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Every rule that matched, the deciding one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matched: Vec<RuleRef>,
    /// Commands by which a human could allow this, each checked by re-evaluation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<String>,
    /// Everything the call would do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// What must be changed in the response before it goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// SHA-256 of the ruleset that judged, in hex; empty when none did.
    #[serde(default)]
    pub ruleset: String,
    /// Time taken by the decision in microseconds, without waiting for people.
    #[serde(default)]
    pub micros: u64,
}

impl Judgement {
    /// A denial that no rule made, such as an unreachable gateway.
    pub fn refused(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Deny,
            reason,
            rule: None,
            message: message.into(),
            effect: None,
            matched: Vec::new(),
            suggestions: Vec::new(),
            effects: Vec::new(),
            edits: Vec::new(),
            ruleset: String::new(),
            micros: 0,
        }
    }

    /// An allowance that no rule made.
    pub fn allowed(reason: Reason) -> Self {
        Self { outcome: Outcome::Allow, ..Self::refused(reason, "") }
    }

    /// The name of the deciding policy, or the reason code where no rule decided.
    pub fn decided_by(&self) -> &str {
        self.rule.as_ref().map_or(self.reason.as_str(), |r| &r.policy)
    }
}

/// What a ruleset can say of a call, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Go on.
    Allow,
    /// Go on, and put it where people look.
    Watch,
    /// A human decides.
    Ask,
    /// An external service decides.
    Webhook,
    /// It does not happen.
    Deny,
}

impl Outcome {
    /// The word used in policies, the audit trail and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Watch => "watch",
            Self::Ask => "ask",
            Self::Webhook => "webhook",
            Self::Deny => "deny",
        }
    }

    /// Whether the call goes on without anyone being asked.
    pub const fn passes(self) -> bool {
        matches!(self, Self::Allow | Self::Watch)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a call was decided as it was, as a stable code. Each has a paragraph in `docs/reasons.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A rule matched.
    Rule,
    /// No rule matched; the policy's `default_action` applies.
    Default,
    /// The analysis ran out of its budget of depth, size or time.
    Budget,
    /// The input of the surface could not be understood.
    Malformed,
    /// No gateway answered in time.
    GatewayUnreachable,
    /// What answers at the gateway's address is not our gateway.
    GatewayUntrusted,
    /// The decision could not be recorded.
    AuditUnavailable,
    /// No valid ruleset is loaded.
    PolicyUnavailable,
    /// Nobody answered the question in time.
    ApprovalExpired,
    /// The gateway ended while a human was asked; the question waits for its next start.
    GatewayEnded,
    /// A human said no.
    ApprovalDenied,
    /// A human said yes.
    ApprovalGranted,
    /// There is nobody to ask.
    NobodyToAsk,
    /// Too many questions of this agent wait already.
    TooManyPending,
    /// An external service decided, or did not answer.
    Webhook,
    /// Rampart is in monitor mode: the call goes on whatever policy says.
    Monitor,
    /// Rampart is disabled.
    Disabled,
    /// A limit of size, rate or number was exceeded.
    LimitExceeded,
    /// Host names of one connection disagree.
    HostMismatch,
    /// The destination's certificate or name could not be verified.
    UpstreamUnverified,
    /// An MCP server offers what nobody has approved, or changed what was.
    NotPinned,
    /// Tools are left out of a list that policy refuses whatever they are called with.
    ToolsHidden,
    /// What a process started was not what had been judged, or nobody could tell what it would be.
    ExecUnverified,
    /// A secret would go to a host that it is not bound to.
    SecretLeaves,
}

impl Reason {
    /// The stable code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Default => "default",
            Self::Budget => "budget",
            Self::Malformed => "malformed",
            Self::GatewayUnreachable => "gateway_unreachable",
            Self::GatewayUntrusted => "gateway_untrusted",
            Self::AuditUnavailable => "audit_unavailable",
            Self::PolicyUnavailable => "policy_unavailable",
            Self::ApprovalExpired => "approval_expired",
            Self::GatewayEnded => "gateway_ended",
            Self::ApprovalDenied => "approval_denied",
            Self::ApprovalGranted => "approval_granted",
            Self::NobodyToAsk => "nobody_to_ask",
            Self::TooManyPending => "too_many_pending",
            Self::Webhook => "webhook",
            Self::Monitor => "monitor",
            Self::Disabled => "disabled",
            Self::LimitExceeded => "limit_exceeded",
            Self::HostMismatch => "host_mismatch",
            Self::UpstreamUnverified => "upstream_unverified",
            Self::NotPinned => "not_pinned",
            Self::ToolsHidden => "tools_hidden",
            Self::ExecUnverified => "exec_unverified",
            Self::SecretLeaves => "secret_leaves",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A rule by name and place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuleRef {
    /// Name of the policy.
    pub policy: String,
    /// Number of the rule in it, counted from 0.
    pub index: usize,
    /// What the rule does.
    pub action: Outcome,
    /// File it stands in, as the user would name it.
    #[serde(default)]
    pub file: String,
    /// Line, counted from 1.
    #[serde(default)]
    pub line: usize,
}

impl std::fmt::Display for RuleRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.policy)?;
        if !self.file.is_empty() {
            write!(f, " ({}:{})", self.file, self.line)?;
        }
        Ok(())
    }
}

/// A replacement in the text of a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Edit {
    /// The bytes to replace.
    pub span: Span,
    /// What to put there.
    pub with: String,
}

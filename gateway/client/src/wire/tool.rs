//! Calls that are judged over the API: by tool, by a policy at hand, and texts that are only scanned.

use rampart_call::{Call, Effect, Finding, Judgement, RuleRef};
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

/// Body of `POST /v1/closed`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClosedRequest {
    /// Calls of tools of MCP servers; their arguments are not looked at.
    pub calls: Vec<Call>,
}

/// Which of them are refused whatever their arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Closed {
    /// One for each call, in their order.
    pub closed: Vec<bool>,
}

//! The human's own rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// Only say what it would come to, and write nothing.
    pub preview: bool,
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

/// Body of `POST /v1/policy/what-if`: a further policy or a further rule.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WhatIf {
    /// The text of a policy file that would be the user's own beside those there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// A rule of the human's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<NewRule>,
    /// The calls since then: a time such as `7d` or `2026-01-31`; all without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
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

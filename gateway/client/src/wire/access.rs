//! Who asks: tokens, and what lets a browser in.

use serde::{Deserialize, Serialize};

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

/// What the egress proxy puts into requests for agents that hold only a placeholder; `GET /v1/credentials` answers with a
/// list of them, never with a value.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BoundCredential {
    /// What people and records call it.
    pub name: String,
    /// The hosts that it may go to.
    pub hosts: Vec<String>,
    /// Only with these methods; empty: with any.
    pub methods: Vec<String>,
    /// Only to these paths; empty: to any.
    pub paths: Vec<String>,
    /// The variable in which sessions find the placeholder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
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
    /// When the login of a browser ends (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What a page of ours sends as `x-rampart-csrf` with whatever changes something. Only a browser that is logged in has
    /// one, and only a script of the same origin can read this answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_token: Option<String>,
}

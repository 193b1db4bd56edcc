//! Runs of an agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Answer to `GET /v1/sessions/{session}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionSummary {
    /// How many calls were judged before they happened.
    pub calls: u64,
    /// How many of them were refused.
    pub refused: u64,
}

/// Answer to what is noted and has no other: `DELETE /v1/sessions/{session}`, `POST /v1/over`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Noted {}

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
    /// The MCP server whose processes bear the credential: what they do is told from what else is done in the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// When it ends.
    pub lasts: SessionLasts,
    /// Its calls are judged and recorded, and none is refused. The wish of an agent for such a session is not heard.
    #[serde(skip_serializing_if = "is_false")]
    pub monitor: bool,
    /// Its processes are in a jail, and whatever they start is judged: rules may then leave code that nobody could read to that. An
    /// agent that says so of itself is not heard.
    #[serde(skip_serializing_if = "is_false")]
    pub confined: bool,
    /// Whoever bears its credential has calls decided for clients too, each in a session below this one, whose name is this
    /// one's, `~` and a name of up to 40 letters, digits and hyphens. The wish of an agent for that is not heard.
    #[serde(skip_serializing_if = "is_false")]
    pub clients: bool,
    /// Secrets in its surroundings, which are followed from now on. Where they may go, only people say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<FollowedSecret>,
}

/// The longest name of a server that a session is opened for, in bytes.
pub const LONGEST_SERVER: usize = 100;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A secret in the surroundings of a session.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FollowedSecret {
    /// What it is called: a variable, a file.
    pub name: String,
    /// Its value, at least 8 bytes.
    pub value: String,
    /// The hosts that it may go to: `host` or `*.host`.
    #[serde(default)]
    pub hosts: Vec<String>,
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
    /// Nothing of it is refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub monitor: bool,
    /// Clients have sessions below it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clients: bool,
    /// Where the egress proxy listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<String>,
    /// Variables for its processes, with what stands for a credential in each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub placeholders: BTreeMap<String, String>,
}

//! A call: one thing an agent wants to do, or got back.

use serde::{Deserialize, Serialize};

use crate::{Action, TraceParent};

/// One thing an agent wants to do, or got back. Made by a surface, judged by a [`Gate`](crate::Gate), written to the
/// audit trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Who asks, and by which road.
    pub origin: Origin,
    /// Before the action happens, or after it with its response.
    #[serde(default)]
    pub phase: Phase,
    /// What would be done, or was done.
    pub action: Action,
    /// What came back; only with [`Phase::After`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
}

impl Call {
    /// About how many bytes it takes as JSON: what a buffer for it is made with.
    pub fn size(&self) -> usize {
        let texts = self.action.size() + self.response.as_ref().map_or(0, |response| response.text.len());
        // Escapes, and who asks.
        texts + texts / 8 + 512
    }
}

/// Where a call comes from. A surface fills in what it knows; the gateway overwrites `pid` and `uid` with what the
/// kernel says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Origin {
    /// The road's entrance.
    pub surface: Surface,
    /// The agent's name, such as `claude-code`; empty when unknown.
    pub agent: String,
    /// One run of one agent; empty when unknown.
    pub session: String,
    /// The host's own id of this tool call, when it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// How many agents stand between the human and this one: 0 for the agent a person started.
    pub depth: u32,
    /// Process id of the peer, from the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// User id of the peer, from the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Agent and session are what the caller says, and nobody vouches for them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
    /// The person whose token asks, as the gateway tells people apart; none for what a session or a surface asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The MCP server of the session whose own doing it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Absolute path of the project the agent works in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Absolute path of the home directory that `~` means for this agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The surface can put a question to the human by itself (a host with a prompt of its own).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub can_ask: bool,
    /// The span that caused the call, where the caller is part of a trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

/// The road's entrance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Surface {
    /// An agent's own hook.
    Hook,
    /// The `$SHELL` shim.
    Shell,
    /// The preload library.
    Preload,
    /// The exec check of `rampart run`.
    Supervisor,
    /// MCP over standard input and output.
    McpStdio,
    /// MCP over HTTP.
    McpHttp,
    /// The egress proxy.
    Egress,
    /// The HTTP API.
    #[default]
    Api,
}

impl Surface {
    /// Every surface, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Hook,
        Self::Shell,
        Self::Preload,
        Self::Supervisor,
        Self::McpStdio,
        Self::McpHttp,
        Self::Egress,
        Self::Api,
    ];

    /// The word used in policies, the audit trail and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Shell => "shell",
            Self::Preload => "preload",
            Self::Supervisor => "supervisor",
            Self::McpStdio => "mcp-stdio",
            Self::McpHttp => "mcp-http",
            Self::Egress => "egress",
            Self::Api => "api",
        }
    }
}

impl std::fmt::Display for Surface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether the action is still to happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The action has not happened; a denial prevents it.
    #[default]
    Before,
    /// The action happened; a denial keeps its response from the agent.
    After,
}

/// What came back from an action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Response {
    /// The text of the response. Byte offsets in [`Edit`](crate::Edit)s refer to it.
    pub text: String,
    /// HTTP status, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Response headers, names in lower case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// `text` is only the beginning of the response.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// So many bytes passed, there and back, and nobody looked into them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uninspected: Option<u64>,
}

//! What MCP servers offer, and what of it people approved.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A server that something was approved of, or that waits for it; `GET /v1/mcp/servers` answers with a list of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct McpServer {
    /// The name that policy knows it by, and where it comes from.
    pub server: String,
    /// The file in which stands what was approved.
    pub lock: PathBuf,
    /// How much was approved, by section: `tools`, `prompts`, ...
    pub approved: BTreeMap<String, usize>,
    /// What is hidden and refused until it is approved.
    pub waiting: Vec<McpWaiting>,
    /// What of it could be taken for another server's.
    pub risks: Vec<McpRisk>,
}

/// Something that a server offers and that nobody approved as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct McpWaiting {
    /// `tools`, `prompts`, ...
    pub section: String,
    /// Its name there.
    pub name: String,
    /// What was approved under this name; none where it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is offered now; several where eras of the protocol differ.
    pub now: Vec<Value>,
    /// SHA-256 of each, in hex: what an approval is bound to.
    pub hashes: Vec<String>,
}

/// What of a server could be taken for another's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct McpRisk {
    /// Stable id.
    pub id: String,
    /// How bad.
    pub severity: String,
    /// What it is about.
    pub item: String,
    /// Text for people.
    pub message: String,
}

/// Body of `POST /v1/mcp/approve`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApproveMcp {
    /// The server, as it is listed.
    pub server: String,
    /// The file in which its approvals stand, as it is listed.
    pub lock: PathBuf,
    /// What is approved, as it was seen.
    pub items: Vec<SeenMcp>,
}

/// Something that a server offers, as a person saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SeenMcp {
    /// Its section.
    pub section: String,
    /// Its name there.
    pub name: String,
    /// [`McpWaiting::hashes`].
    pub hashes: Vec<String>,
}

/// Answer to an [`ApproveMcp`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApprovedMcp {
    /// `tools/read_file`, ...
    pub approved: Vec<String>,
}

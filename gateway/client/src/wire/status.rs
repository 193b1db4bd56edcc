//! How the gateway is, and the policies in force.

use serde::{Deserialize, Serialize};

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
    /// How many sessions run in a jail whose ways out it serves.
    #[serde(default)]
    pub jailed: usize,
    /// Surfaces that go on when they get no answer.
    pub fail_open: Vec<String>,
    /// `config.yaml` as it is now, where it is not what runs.
    #[serde(default)]
    pub config: ConfigStatus,
    /// What a collector of traces, metrics and the log did not get; none where nothing is sent to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<TelemetryStatus>,
}

/// Where `config.yaml` as it is now is not what runs; empty where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfigStatus {
    /// Why it does not load; then what was in force before stays so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its keys whose changes wait for the next start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
    /// The mode that it names where a flag of this gateway says otherwise. A gateway that a surface starts has no flags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
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

/// One way from agents to the world, and how much it holds; `GET /v1/roads` answers with a list of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Road {
    /// `mcp`, `http`, `shell`, or the agent whose hooks it is.
    pub road: String,
    /// `enforced`, `advisory` or `open`.
    pub protection: String,
    /// What shows it.
    pub evidence: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
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

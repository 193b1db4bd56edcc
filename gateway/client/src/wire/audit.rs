//! Records of the audit trail.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

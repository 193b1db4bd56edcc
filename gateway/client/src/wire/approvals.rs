//! Questions that wait for a human, and their answers.

use rampart_call::{Call, Judgement};
use serde::{Deserialize, Serialize};

use super::AddedRule;

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

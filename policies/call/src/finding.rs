//! What a scan of text found.

use serde::{Deserialize, Serialize};

use crate::Span;

/// One thing found in a text. Never carries the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// Stable id of the detector, such as `aws-access-key-id`.
    pub detector: String,
    /// What kind of thing it detects; rules may name this instead of the detector.
    pub class: FindingClass,
    /// Where it stands in the scanned text. For something found inside an encoding, the encoded run.
    pub span: Span,
    /// The encodings it was found under, outermost first (`base64`, `percent`); empty for plain text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FindingClass {
    /// A credential, key or token.
    Secret,
    /// Personal or payment data.
    Personal,
    /// Text that tries to instruct the model.
    Injection,
    /// Characters that hide or reorder text.
    HiddenText,
}

impl FindingClass {
    /// The word used in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Personal => "personal",
            Self::Injection => "injection",
            Self::HiddenText => "hidden-text",
        }
    }
}

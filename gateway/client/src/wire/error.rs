//! What is answered instead of what was asked for.

use serde::{Deserialize, Serialize};

/// Every error of the API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorText,
}

/// The content of an [`ErrorBody`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorText {
    /// Stable code.
    pub code: String,
    /// Text for people.
    pub message: String,
}

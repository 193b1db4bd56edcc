//! Reading fields of a payload. A field that is needed and missing makes the payload malformed.

use serde_json::Value;

/// Why a payload is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    why: String,
}

impl Malformed {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Malformed {}

/// A field that is text and not empty.
pub(crate) fn text<'v>(payload: &'v Value, key: &str) -> Option<&'v str> {
    payload.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// A field that must be text and not empty.
pub(crate) fn need<'v>(payload: &'v Value, key: &str) -> Result<&'v str, Malformed> {
    text(payload, key).ok_or_else(|| Malformed::new(format!("the input has no `{key}`")))
}

/// A field that may hold JSON as text, as some hosts write arguments.
pub(crate) fn unwrapped(payload: &Value, key: &str) -> Result<Value, Malformed> {
    match payload.get(key) {
        None => Ok(Value::Null),
        Some(Value::String(json)) => rampart_call::strict::parse(json.as_bytes())
            .map_err(|e| Malformed::new(format!("the text in `{key}` is not JSON: {e}"))),
        Some(value) => Ok(value.clone()),
    }
}

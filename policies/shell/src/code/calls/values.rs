//! What is known of the values of expressions.

use crate::value::{Arg, Taint};

/// What is known of an expression's value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: Option<String>,
    /// The text holds `$_` for what is computed.
    pub(super) partly: bool,
    pub(super) list: Option<Vec<Value>>,
    /// A dotted name: a module, a function, a variable that nobody assigned.
    pub(super) name: Option<String>,
    pub(super) taint: Taint,
    /// The path of something that lies in a folder that was listed; behind the folder's own path it stands for itself.
    pub(super) below: bool,
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    pub(super) fn name(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    pub(super) fn unknown(taint: Taint) -> Self {
        Self { taint, ..Self::default() }
    }

    /// The value as a word of a command.
    pub(super) fn arg(&self, span: rampart_call::Span) -> Arg {
        match &self.text {
            Some(text) => {
                let shape = self.partly.then(|| text.replace("$_", "*"));
                let glob = text.contains('*');
                Arg { taint: self.taint, shape, quoted: true, glob, ..Arg::literal(text.clone(), span) }
            }
            None => Arg::unresolved(self.name.as_deref().unwrap_or("?"), self.taint, span),
        }
    }
}

/// What the code prints.
#[derive(Debug)]
pub(super) enum Output {
    Nothing,
    /// One text.
    One(String),
    /// More than one, or what cannot be told.
    Other,
}

pub(super) fn taint_of(values: &[Value]) -> Taint {
    values.iter().fold(Taint::NONE, |t, v| t.with(v.taint))
}

pub(super) fn join(left: &Value, between: &str, right: &Value) -> Value {
    let taint = left.taint.with(right.taint);
    match (&left.text, &right.text) {
        (None, None) => Value::unknown(taint),
        (_, Some(_)) if right.below => Value { taint, ..right.clone() },
        (a, b) => {
            let text = format!("{}{between}{}", a.as_deref().unwrap_or("$_"), b.as_deref().unwrap_or("$_"));
            let partly = left.partly || right.partly || a.is_none() || b.is_none();
            Value { text: Some(text), partly, taint, ..Value::default() }
        }
    }
}

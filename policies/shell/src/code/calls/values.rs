//! What is known of the values of expressions.

use crate::value::{Arg, MAX_TEXT, Taint};

/// Most values in a list, those of lists in it included, that are told apart.
const MAX_VALUES: usize = 1024;

/// What is known of an expression's value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: Option<String>,
    /// The text holds `$_` for what is computed.
    pub(super) partly: bool,
    pub(super) list: Option<Vec<Value>>,
    /// The values of an object or dictionary.
    pub(super) members: Option<Vec<Value>>,
    /// A dotted name: a module, a function, a variable that nobody assigned.
    pub(super) name: Option<String>,
    pub(super) taint: Taint,
    /// By what it stands in an object or dictionary.
    pub(super) key: Option<Box<str>>,
    /// The path of something that lies in a folder that was listed; behind the folder's own path it stands for itself.
    pub(super) below: bool,
}

impl Value {
    /// A text that was put together. One that is too long is not known.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()).filter(|text| text.len() <= MAX_TEXT), ..Self::default() }
    }

    /// A text as it stands in the code.
    pub(super) fn literal(text: String) -> Self {
        Self { text: Some(text), ..Self::default() }
    }

    /// A list. Of one with too much in it no more is known than where that came from.
    pub(super) fn list(items: Vec<Self>) -> Self {
        let taint = taint_of(&items);
        Self { taint, list: Some(items).filter(|items| count(items) <= MAX_VALUES), ..Self::default() }
    }

    /// An object or dictionary with these values.
    pub(super) fn members(items: Vec<Self>) -> Self {
        let Self { taint, list, .. } = Self::list(items);
        Self { taint, members: list, ..Self::default() }
    }

    /// The value that stands by a key.
    pub(super) fn keyed(&self, key: &str) -> Option<Self> {
        let values = self.members.as_ref().or(self.list.as_ref())?;
        values.iter().rfind(|value| value.key.as_deref() == Some(key)).cloned()
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

/// How many values these are, with all in them.
fn count(values: &[Value]) -> usize {
    let inside = |value: &Value| value.list.as_deref().map_or(0, count) + value.members.as_deref().map_or(0, count);
    values.iter().map(|value| 1 + inside(value)).sum()
}

pub(super) fn taint_of(values: &[Value]) -> Taint {
    values.iter().fold(Taint::NONE, |t, v| t.with(v.taint))
}

pub(super) fn join(left: &Value, between: &str, right: &Value) -> Value {
    let taint = left.taint.with(right.taint);
    match (&left.text, &right.text) {
        (None, None) => Value::unknown(taint),
        (_, Some(_)) if right.below => Value { taint, ..right.clone() },
        (Some(a), Some(b)) if a.len() + b.len() > MAX_TEXT => Value::unknown(taint),
        (a, b) => {
            let text = format!("{}{between}{}", a.as_deref().unwrap_or("$_"), b.as_deref().unwrap_or("$_"));
            let partly = left.partly || right.partly || a.is_none() || b.is_none();
            Value { text: Some(text), partly, taint, ..Value::default() }
        }
    }
}

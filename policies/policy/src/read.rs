//! Reading a YAML tree strictly: what is not understood is collected as a diagnostic with its place, never skipped.

use std::ops::Range;

use crate::{
    Diagnostic, Severity,
    spelling::{nearest, one_of},
    yaml::{Key, Node, Value},
};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

/// One file being read, and what was found wrong with it.
pub(crate) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
    pub(crate) notes: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Self { file, text, line_starts, notes: Vec::new() }
    }

    /// Line, counted from 1, of a byte.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|s| *s <= offset)
    }

    pub(crate) fn error(&mut self, code: &'static str, span: &Range<usize>, message: impl Into<String>) {
        self.note(Severity::Error, code, Some(span), message.into(), None);
    }

    pub(crate) fn error_with(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.note(Severity::Error, code, Some(span), message.into(), Some(help.into()));
    }

    pub(crate) fn warn(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.note(Severity::Warning, code, Some(span), message.into(), Some(help.into()));
    }

    pub(crate) fn note(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: Option<&Range<usize>>,
        message: String,
        help: Option<String>,
    ) {
        let (line, column) = span.map_or((0, 0), |s| self.place(s.start));
        let file = self.file.to_owned();
        self.notes.push(Diagnostic { severity, code, message, file, span: span.cloned(), line, column, help });
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        let start = line.checked_sub(1).and_then(|l| self.line_starts.get(l)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |t| t.chars().count()) + 1;
        (line, column)
    }

    /// The source of a node.
    pub(crate) fn source(&self, span: &Range<usize>) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default().trim()
    }

    /// The keys of a mapping. `what` names it in messages: "a rule".
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, what: &'static str) -> Option<Fields<'n>> {
        match &node.value {
            Value::Map(entries) => Some(Fields { entries, known: Vec::new(), what }),
            other => {
                let message = format!("{what} is a mapping of keys, this is {}", kind(other));
                self.error("wrong-type", &node.span, message);
                None
            }
        }
    }

    /// The items of a list.
    pub(crate) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        self.error("wrong-type", &node.span, format!("{what} is a list, this is {}", kind(&node.value)));
        &[]
    }

    /// A text; a bare number is taken as it is written.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<Placed<String>> {
        let value = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Number => self.source(&node.span).to_owned(),
            other => {
                let message = format!("`{what}` is a text, this is {}", kind(other));
                self.error_with("wrong-type", &node.span, message, "put it in quotes if it is meant as a text");
                return None;
            }
        };
        Some(Placed { value, span: node.span.clone() })
    }

    /// A text or a list of texts, none of them empty.
    pub(crate) fn texts(&mut self, node: &Node, what: &str) -> Vec<Placed<String>> {
        let nodes = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if nodes.is_empty() {
            let message = format!("`{what}` is an empty list, which would match nothing");
            self.error_with("empty-list", &node.span, message, "name what it should match, or remove the key");
        }
        let mut texts = Vec::with_capacity(nodes.len());
        for item in nodes {
            let Some(text) = self.text(item, what) else { continue };
            if text.value.trim().is_empty() {
                self.error("empty-pattern", &text.span, format!("`{what}` holds an empty text, which matches nothing"));
            } else {
                texts.push(text);
            }
        }
        texts
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        self.error("wrong-type", &node.span, format!("`{what}` is `true` or `false`, this is {}", kind(&node.value)));
        None
    }

    /// A whole number.
    pub(crate) fn number(&mut self, node: &Node, what: &str) -> Option<i64> {
        let number = match node.value {
            Value::Number => self.source(&node.span).parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.error("wrong-type", &node.span, format!("`{what}` is a whole number, this is {}", kind(&node.value)));
        }
        number
    }

    /// One of a set of words.
    pub(crate) fn word<T: Copy>(&mut self, text: &Placed<String>, what: &str, known: &[(&str, T)]) -> Option<T> {
        if let Some((_, value)) = known.iter().find(|(word, _)| *word == text.value) {
            return Some(*value);
        }
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let help = match nearest(&text.value, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write {}", one_of(&words)),
        };
        self.error_with("unknown-word", &text.span, format!("`{}` is not {what}", text.value), help);
        None
    }

    /// A length of time such as `90s`, `5m`, `1h30m` or `7d`, in milliseconds.
    pub(crate) fn duration(&mut self, node: &Node, what: &str) -> Option<i64> {
        let text = self.text(node, what)?;
        let parsed = parse_duration(&text.value);
        if parsed.is_none() {
            let message = format!("`{}` is not a length of time", text.value);
            self.error_with("bad-duration", &text.span, message, "write it like `30s`, `5m`, `1h30m` or `7d`");
        }
        parsed
    }
}

/// Reads a length of time such as `1h30m` as milliseconds; none when it is not one, or is longer than ten years.
pub fn parse_duration(text: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut digits = String::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..)?;
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            'm' if rest.starts_with('s') => {
                rest = rest.get(1..)?;
                1
            }
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            'w' => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<i64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    (digits.is_empty() && total > 0 && total < 3_700 * 86_400_000).then_some(total)
}

/// The keys of one mapping, taken one by one; what nobody took is an error.
pub(crate) struct Fields<'n> {
    entries: &'n [(Key, Node)],
    known: Vec<&'static str>,
    what: &'static str,
}

impl<'n> Fields<'n> {
    /// The value of a key.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.take_with_key(name).map(|(_, node)| node)
    }

    /// The value of a key, and the key.
    pub(crate) fn take_with_key(&mut self, name: &'static str) -> Option<(&'n Key, &'n Node)> {
        self.known.push(name);
        self.entries.iter().find(|(key, _)| key.name == name).map(|(key, node)| (key, node))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every key that is there.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'n Key> + use<'n> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// Whether a key that is there looks like this one that is not: [`Self::finish`] asks whether it was meant.
    pub(crate) fn misspells(&self, name: &str) -> bool {
        let meant = |key: &Key| !self.known.contains(&key.name.as_str()) && nearest(&key.name, [name]).is_some();
        self.keys().any(meant)
    }

    /// Reports the keys that nobody took.
    pub(crate) fn finish(self, reader: &mut Reader<'_>) {
        for (key, _) in self.entries {
            if self.known.contains(&key.name.as_str()) {
                continue;
            }
            let message = format!("{} has no key `{}`", self.what, key.name);
            let help = match nearest(&key.name, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys are {}", one_of(&self.known)),
            };
            reader.error_with("unknown-key", &key.span, message, help);
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a true or false",
        Value::Number => "a number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, expect) in [
            ("5s", Some(5_000)),
            ("250ms", Some(250)),
            ("1h30m", Some(5_400_000)),
            ("7d", Some(604_800_000)),
            ("2w", Some(1_209_600_000)),
            ("5", None),
            ("m", None),
            ("", None),
            ("-5s", None),
            ("0s", None),
            ("99999999999999999999d", None),
            ("5 m", None),
        ] {
            assert_eq!(parse_duration(text), expect, "{text}");
        }
    }
}

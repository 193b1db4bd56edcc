//! Texts with code in them: `"a #{b} c"`.

use super::{MAX_DEPTH, Reader, Value};
use crate::code::tokens::tokens;
use crate::knowledge::Language;
use crate::value::{MAX_TEXT, Taint};

impl Reader<'_, '_> {
    pub(super) fn text_value(&mut self, text: String, holes: &[String]) -> Value {
        if holes.is_empty() {
            return Value::literal(text);
        }
        let mut taint = Taint::NONE;
        let mut out = text;
        let mut partly = false;
        for hole in holes {
            let value = match self.variables.get(hole.trim()).cloned().or_else(|| self.element(hole)) {
                Some(value) => value,
                None if hole.starts_with("ENV{$") => Value::unknown(Taint::TOKEN),
                None if hole.starts_with("ENV{") => {
                    self.variable(hole.trim_start_matches("ENV{").trim_matches(['}', '\'', '"']))
                }
                None if hole.len() < 3 || !hole.contains(['(', '`', '.', '[']) || self.depth >= MAX_DEPTH => {
                    Value::default()
                }
                None => {
                    // the hole is code of its own
                    let outer = std::mem::replace(&mut self.tokens, tokens(self.language, hole));
                    let at = std::mem::replace(&mut self.at, 0);
                    self.depth += 10;
                    let value = self.expression();
                    self.depth -= 10;
                    self.tokens = outer;
                    self.at = at;
                    value
                }
            };
            taint = taint.with(value.taint);
            if out.len() > MAX_TEXT {
                return Value::unknown(taint);
            }
            match value.text {
                Some(text) if value.below => {
                    out = out.split_once("$_").map_or(text.clone(), |(_, rest)| format!("{text}{rest}"));
                }
                Some(text) if !value.partly => out = out.replacen("$_", &text, 1),
                // not every language behind the name of this one has holes
                None if self.language == Language::Java => out = out.replacen("$_", &format!("${hole}"), 1),
                _ => partly = true,
            }
        }
        Value { text: Some(out), partly, taint, ..Value::default() }
    }

    /// `name{key}` of Perl in a text.
    fn element(&self, hole: &str) -> Option<Value> {
        let (name, key) = hole.strip_suffix('}')?.split_once('{')?;
        self.variables.get(name)?.keyed(key.trim_matches(['\'', '"']))
    }
}

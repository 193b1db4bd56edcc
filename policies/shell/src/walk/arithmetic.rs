//! Text that a shell evaluates: arithmetic, subscripts, prompts. A substitution inside it runs, even out of a variable.

use super::Walk;
use crate::value::{Arg, Flow, Taint};

/// Most names in one expression that are looked up.
const MAX_NAMES: usize = 32;

fn substitutes(text: &str) -> bool {
    text.contains("$(") || text.contains('`')
}

impl Walk<'_> {
    /// An arithmetic expression: what its variables hold is an expression too.
    pub(super) fn evaluated(&mut self, text: &str) {
        if self.env.variables.is_empty() {
            return;
        }
        let names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|name| !name.is_empty());
        let held: Vec<String> = names
            .take(MAX_NAMES)
            .filter_map(|name| self.env.variables.get(name))
            .flatten()
            .filter(|value| value.is_literal() && value.text.contains('[') && substitutes(&value.text))
            .map(|value| value.text.clone())
            .collect();
        for text in held {
            self.substituted(&text);
        }
    }

    /// Words that may name an element of an array: `test -v 'a[$(..)]'`.
    pub(super) fn subscripts(&mut self, args: &[Arg]) {
        for arg in args {
            let element = arg.text.split_once('[').is_some_and(|(name, _)| super::is_variable_name(name));
            if element && arg.is_literal() && substitutes(&arg.text) {
                self.substituted(&arg.text);
            }
        }
    }

    /// Text that is expanded once more than it was written.
    pub(super) fn substituted(&mut self, text: &str) -> Taint {
        if !substitutes(text) {
            return Taint::NONE;
        }
        let (span, line) = (self.span, format!("echo {text}"));
        self.substitution(|walk| walk.text(&line, span, Flow::empty())).taint
    }
}

//! Functions that are handed over: what their parameters stand for.

use super::{Reader, Value};
use crate::code::tokens::Token;
use crate::knowledge::Language;
use crate::value::Taint;

/// How many tokens a block has that stands in front of a list.
const MOST_OF_BLOCK: usize = 400;

impl Reader<'_, '_> {
    /// `values.forEach(name => ..)`, `values.map(function (name) ..)`: the name stands for any of the values. Only looks.
    pub(super) fn parameters(&mut self, values: &Value) {
        if values.text.is_none() && values.list.is_none() && values.members.is_none() && values.taint == Taint::NONE {
            return;
        }
        if self.language == Language::Js && self.peek() == Some(&Token::Name("async".to_owned())) {
            self.at += 1;
        }
        // `([name, value]) =>`
        if let (Some(Token::Sign('(')), Some(Token::Sign('['))) = (self.peek(), self.peek_at(1)) {
            let inside = self.tokens.iter().skip(self.at + 2).take_while(|t| **t != Token::Sign(']')).take(8);
            let names: Vec<String> =
                inside.filter_map(|t| if let Token::Name(name) = t { Some(name.clone()) } else { None }).collect();
            let value = self.one_of(values);
            self.each_named(names, &value);
            return;
        }
        let first = match (self.peek(), self.peek_at(1), self.peek_at(2)) {
            (Some(Token::Name(name)), Some(Token::Sign('=')), Some(Token::Sign('>'))) => Some(name.clone()),
            (Some(Token::Name(word)), Some(Token::Sign('(')), Some(Token::Name(name)))
                if matches!(word.as_str(), "function" | "fn") =>
            {
                Some(name.clone())
            }
            // of Java
            (Some(Token::Name(name)), Some(Token::Sign('-')), Some(Token::Sign('>'))) => Some(name.clone()),
            (Some(Token::Sign('(')), Some(Token::Name(name)), Some(Token::Sign(',' | ')'))) => Some(name.clone()),
            _ => None,
        };
        if let Some(name) = first.filter(|_| self.language != Language::Python) {
            let value = self.one_of(values);
            self.variables.insert(name, value);
        }
    }

    /// `values.each { |name| .. }` and `do |name| ..`: the block's text follows as statements.
    pub(super) fn block(&mut self, values: &Value) {
        if self.language != Language::Ruby {
            return;
        }
        let opens = match self.peek() {
            Some(Token::Sign('{')) => true,
            Some(Token::Name(word)) => word == "do",
            _ => false,
        };
        if let (true, Some(Token::Sign('|')), Some(Token::Name(name))) = (opens, self.peek_at(1), self.peek_at(2)) {
            let name = name.clone();
            // the second of a pair is its value
            if let (Some(Token::Sign(',')), Some(Token::Name(second))) = (self.peek_at(3), self.peek_at(4)) {
                let second = second.clone();
                self.variables.insert(second, Value::unknown(values.taint));
            }
            let value = self.one_of(values);
            self.variables.insert(name, value);
        }
    }

    /// `foreach (values as $name)` of PHP, `for my $name (values)` of Perl, `for (const name of values)`, `for (T name : values)`
    /// of Java, `for _, name := range values` of Go.
    pub(super) fn each(&mut self) {
        let Some(Token::Name(word)) = self.peek() else { return };
        if !matches!(word.as_str(), "for" | "foreach") {
            return;
        }
        match self.language {
            Language::Php if self.peek_at(1) == Some(&Token::Sign('(')) => {
                self.at += 2;
                let value = self.expression();
                let value = self.one_of(&value);
                if self.peek() != Some(&Token::Name("as".to_owned())) {
                    return;
                }
                self.at += 1;
                while let Some(token) = self.peek() {
                    match token {
                        Token::Name(name) => {
                            let name = name.clone();
                            let is_key = self.peek_at(1) == Some(&Token::Sign('='));
                            let key = value.key.as_deref().filter(|_| is_key).map(Value::text);
                            self.variables.insert(name, key.unwrap_or_else(|| value.clone()));
                        }
                        Token::Sign('=' | '>') => {}
                        _ => break,
                    }
                    self.at += 1;
                }
            }
            Language::Perl => {
                let name = match (self.peek_at(1).cloned(), self.peek_at(2).cloned()) {
                    (Some(Token::Name(my)), Some(Token::Name(name))) if matches!(my.as_str(), "my" | "our") => {
                        self.at += 3;
                        name
                    }
                    (Some(Token::Name(name)), Some(Token::Sign('('))) => {
                        self.at += 2;
                        name
                    }
                    (Some(Token::Sign('(')), _) => {
                        self.at += 1;
                        "_".to_owned()
                    }
                    _ => return,
                };
                let value = self.postfix();
                let value = self.one_of(&value);
                self.variables.insert(name, value);
            }
            Language::Js if self.peek_at(1) == Some(&Token::Sign('(')) => {
                self.name_before(&Token::Name("of".to_owned()), 1);
            }
            Language::Java if self.peek_at(1) == Some(&Token::Sign('(')) => self.name_before(&Token::Sign(':'), 1),
            Language::Go => self.name_before(&Token::Name("range".to_owned()), 3),
            _ => {}
        }
    }

    /// The name that stands so far before a word runs over what follows the word.
    fn name_before(&mut self, word: &Token, back: usize) {
        let Some(length) = self.tokens.iter().skip(self.at).take(12).position(|token| token == word) else { return };
        let name = (self.at + length).checked_sub(back).and_then(|at| self.tokens.get(at)).cloned();
        let names: Vec<String> = match name {
            Some(Token::Name(name)) => vec![name],
            // `const [key, value] of`
            Some(Token::Sign(']')) => {
                let clause = self.tokens.get(self.at..self.at + length).unwrap_or(&[]).iter();
                let inside = clause.skip_while(|t| **t != Token::Sign('['));
                inside.filter_map(|t| if let Token::Name(name) = t { Some(name.clone()) } else { None }).collect()
            }
            _ => return,
        };
        self.at += length + 1;
        let value = self.expression();
        let value = self.one_of(&value);
        match <[String; 1]>::try_from(names) {
            Ok([name]) => drop(self.variables.insert(name, value)),
            Err(names) => self.each_named(names, &value),
        }
    }

    /// Names for the items of a value; of one that has none nothing is known.
    pub(super) fn each_named(&mut self, names: Vec<String>, value: &Value) {
        for (at, name) in names.into_iter().enumerate() {
            let item = value.list.as_ref().and_then(|items| items.get(at)).cloned();
            self.variables.insert(name, item.unwrap_or_else(|| Value::unknown(value.taint)));
        }
    }

    /// `find(sub { .. }, PATH)` of Perl: what the block is called with lies below the path.
    pub(super) fn found_below(&mut self, name: &str) {
        if self.language != Language::Perl || !matches!(name, "find" | "finddepth" | "File.Find.find") {
            return;
        }
        let mut depth = 0_usize;
        for token in self.tokens.iter().skip(self.at).take(400) {
            match token {
                Token::Sign('{' | '(' | '[') => depth += 1,
                Token::Sign(')') if depth == 0 => return,
                Token::Sign('}' | ')' | ']') => depth = depth.saturating_sub(1),
                Token::Text { text, .. } if depth == 0 => {
                    let value = Value::text(format!("{}/?*", text.trim_end_matches('/')));
                    for name in ["_", "File.Find.name", "name"] {
                        self.variables.insert(name.to_owned(), value.clone());
                    }
                    return;
                }
                _ => {}
            }
        }
    }

    /// `map { .. } LIST`, `grep { .. } LIST` of Perl, whose brace stands open here: in the block `$_` is one of the list.
    pub(super) fn block_over(&mut self, name: &str) -> Value {
        let from = self.at;
        let mut depth = 1_usize;
        let close = self.tokens.iter().skip(from).take(MOST_OF_BLOCK).position(|token| {
            match token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let Some(close) = close else { return Value::default() };
        self.at = from + close + 1;
        let items = self.arguments(None);
        let end = self.at;
        let list = match <[Value; 1]>::try_from(items) {
            Ok([one]) => one,
            Err(items) => Value::list(items),
        };
        let one = self.one_of(&list);
        self.variables.insert("_".to_owned(), one);
        self.at = from;
        let computed = self.arguments(Some('}'));
        self.at = end;
        if name == "map" { Value::unknown(super::taint_of(&computed).with(list.taint)) } else { list }
    }
}

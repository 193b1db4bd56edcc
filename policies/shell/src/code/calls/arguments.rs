//! What stands between parentheses, brackets and braces.

use super::{Reader, Value};
use crate::code::tokens::Token;
use crate::knowledge::Language;

impl Reader<'_, '_> {
    /// By what a value stands in an object or among arguments: `"key": value`, `key => value`, `name = value`.
    pub(super) fn key(&mut self, close: Option<char>) -> Option<Box<str>> {
        let (key, named) = match self.peek()? {
            Token::Text { text, holes } if holes.is_empty() => (text.as_str().into(), false),
            Token::Name(name) => (name.as_str().into(), true),
            _ => return None,
        };
        let signs = (self.peek_at(1), self.peek_at(2));
        let length = match signs {
            (Some(Token::Sign('=')), Some(Token::Sign('>')))
                if matches!(self.language, Language::Perl | Language::Php | Language::Ruby) =>
            {
                3
            }
            // unless it is compared
            (Some(Token::Sign('=' | ':')), second)
                if named && close.is_some() && !matches!(second, Some(Token::Sign('=' | '>'))) =>
            {
                2
            }
            (Some(Token::Sign(':')), _) if !named && close == Some('}') => 2,
            _ => return None,
        };
        self.at += length;
        Some(key)
    }

    /// `values...` of Go.
    pub(super) fn spread_behind(&mut self) -> bool {
        let spread = self.language == Language::Go
            && self.peek() == Some(&Token::Dots)
            && self.peek_at(1) == Some(&Token::Sign('.'));
        self.at += 2 * usize::from(spread);
        spread
    }

    /// `*values`, `...values`: each of them is an argument.
    pub(super) fn spread(&mut self) -> bool {
        let stars = match (self.language, self.peek(), self.peek_at(1)) {
            (Language::Python | Language::Ruby, Some(Token::Sign('*')), Some(Token::Name(_) | Token::Sign('('))) => 1,
            (Language::Js | Language::Php, Some(Token::Dots), Some(Token::Sign('.'))) => 2,
            _ => 0,
        };
        self.at += stars;
        stars > 0
    }

    /// Reads values up to the closing sign, or to the end of the line without one. Keyword arguments count as values.
    pub(super) fn arguments(&mut self, close: Option<char>) -> Vec<Value> {
        let mut items = Vec::new();
        loop {
            match self.peek() {
                None => return items,
                Some(Token::Sign(c)) if Some(*c) == close => {
                    self.at += 1;
                    return items;
                }
                Some(Token::End) if close.is_none() => return items,
                Some(Token::Sign(')' | ']' | '}')) => {
                    if close.is_none() {
                        return items;
                    }
                    self.at += 1;
                }
                Some(Token::End | Token::Sign(',')) => self.at += 1,
                Some(_) => {
                    let before = self.at;
                    // a block of statements inside parentheses or braces
                    self.imports();
                    // `try (var s = ..)` of Java
                    let resource = self.language == Language::Java && close == Some(')');
                    if close == Some('}') || resource {
                        self.each();
                        if self.language == Language::Rust {
                            self.loop_over();
                        }
                        self.definition();
                        self.return_statement();
                        if self.begins_assignment() {
                            self.assignment();
                        }
                    }
                    if self.at == before {
                        let key = self.key(close);
                        // `lapply(values, function(name) ..)`
                        if let ([values], Language::R | Language::Php) = (items.as_slice(), self.language) {
                            let values = values.clone();
                            self.parameters(&values);
                        }
                        let spread = self.spread();
                        let from = self.at;
                        let value = Value { key, ..self.expression() };
                        let spread = self.spread_behind() || spread;
                        match self.comprehended(from, close) {
                            Some(values) if close == Some(')') => items.push(Value::list(values)),
                            Some(values) => items.extend(values),
                            None => match value.list {
                                Some(values) if spread => items.extend(values),
                                _ => items.push(value),
                            },
                        }
                    }
                    if self.at == before {
                        self.at += 1;
                    }
                    if close.is_none() && !matches!(self.peek(), Some(Token::Sign(','))) {
                        return items;
                    }
                }
            }
        }
    }
}

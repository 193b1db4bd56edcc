//! Lists that are computed from others: `f(x) for x in values`.

use super::{MOST_READ, Reader, Value};
use crate::code::tokens::Token;
use crate::knowledge::Language;

impl Reader<'_, '_> {
    /// The values of a comprehension whose expression stands from `from` to here, where one stands here.
    pub(super) fn comprehended(&mut self, from: usize, close: Option<char>) -> Option<Vec<Value>> {
        let word = |word: &str| Token::Name(word.to_owned());
        if self.language != Language::Python || close.is_none() || self.peek() != Some(&word("for")) {
            return None;
        }
        let length = self.tokens.iter().skip(self.at).take(12).position(|token| *token == word("in"))?;
        let named = self.tokens.get(self.at + 1..self.at + length).unwrap_or(&[]).iter();
        let names: Vec<String> =
            named.filter_map(|token| if let Token::Name(name) = token { Some(name.clone()) } else { None }).collect();
        let length_of_expression = self.at - from;
        self.at += length + 1;
        let over = self.postfix();
        let end = self.at;
        let values = over.list.clone().or_else(|| over.members.clone()).unwrap_or_else(|| vec![self.one_of(&over)]);
        let mut computed = Vec::new();
        for value in &values {
            // one within another is computed for each of its values
            self.computed += length_of_expression.max(1);
            if self.computed > MOST_READ {
                self.walk.give_up();
                computed.push(Value::unknown(over.taint));
                break;
            }
            self.bind(&names, value);
            self.at = from;
            computed.push(self.expression());
        }
        let any = self.one_of(&Value::list(values));
        self.bind(&names, &any);
        self.at = end;
        // the loops in it and its conditions say no more
        while self.peek() == Some(&word("for")) {
            self.loop_over();
        }
        while self.peek() == Some(&word("if")) {
            self.at += 1;
            let _ = self.expression();
        }
        Some(computed)
    }

    /// `values.map(name => value)` of JavaScript, whose parenthesis stands open here: the value for each of them.
    pub(super) fn mapped(&mut self, values: &Value, member: &str) -> Option<Value> {
        let list = values.list.clone().filter(|list| !list.is_empty())?;
        let arrow = self.tokens.iter().skip(self.at).take(12).position(|token| *token == Token::Sign('>'));
        if self.language != Language::Js || !matches!(member, "map" | "flatMap") || arrow.is_none() {
            return None;
        }
        let from = self.at;
        let mut computed = Vec::new();
        for value in list {
            self.at = from;
            self.parameters(&Value::list(vec![value]));
            let args = self.arguments(Some(')'));
            self.computed += self.at - from;
            computed.extend(args.into_iter().next_back());
            if self.computed > MOST_READ {
                self.walk.give_up();
                break;
            }
        }
        Some(Value::list(computed))
    }

    /// `values.map { |name| value }` of Ruby, whose block begins here.
    pub(super) fn mapped_block(&mut self, values: &Value, member: &str) -> Option<Value> {
        let list = values.list.clone().filter(|list| !list.is_empty())?;
        let opens = [Some(&Token::Sign('{')), Some(&Token::Sign('|'))] == [self.peek(), self.peek_at(1)];
        let (Some(Token::Name(name)), Some(Token::Sign('|'))) = (self.peek_at(2), self.peek_at(3)) else { return None };
        if self.language != Language::Ruby || !matches!(member, "map" | "collect" | "flat_map") || !opens {
            return None;
        }
        let name = name.clone();
        let from = self.at + 4;
        let mut computed = Vec::new();
        for value in list {
            self.at = from;
            self.variables.insert(name.clone(), value);
            computed.extend(self.arguments(Some('}')).pop());
            self.computed += self.at - from;
            if self.computed > MOST_READ {
                self.walk.give_up();
                break;
            }
        }
        Some(Value::list(computed))
    }

    fn bind(&mut self, names: &[String], value: &Value) {
        match names {
            [name] => drop(self.variables.insert(name.clone(), value.clone())),
            names => self.each_named(names.to_vec(), value),
        }
    }
}

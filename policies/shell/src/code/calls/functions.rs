//! Functions that the code defines: their parameters stand for what they are called with somewhere.

use std::collections::HashMap;

use super::{Reader, Value};
use crate::code::tokens::Token;
use crate::knowledge::Language;

/// How many calls of one function are followed.
const MOST_CALLS: usize = 8;

/// The functions of the code's own, by their names.
pub(super) type Functions = HashMap<String, Function>;

/// What is known of a function from one reading to the next.
#[derive(Debug, Default)]
pub(super) struct Function {
    /// What it is called with.
    calls: Vec<Vec<Value>>,
    /// What it returned in the latest reading.
    returns: Vec<Value>,
    /// It returns all of that, one after the other.
    yields: bool,
}

/// The functions that are defined in the code, none of which was called yet.
pub(super) fn defined(tokens: &[Token]) -> Functions {
    let at = |at: usize| tokens.get(at..).unwrap_or(&[]);
    (0..tokens.len())
        .filter_map(|nth| header(at(nth)))
        .map(|header| (header.name.to_owned(), Function::default()))
        .collect()
}

/// The beginning of a definition: its name, and where what is behind its parenthesis or its only parameter stands.
struct Header<'t> {
    name: &'t str,
    parameters: usize,
}

/// `def name(`, `function name(`, `name = (one, two) =>`, `name = one =>`.
fn header(tokens: &[Token]) -> Option<Header<'_>> {
    let arrow = |at: usize| {
        let sign = |at: usize, sign| tokens.get(at) == Some(&Token::Sign(sign));
        sign(at, '=') && sign(at + 1, '>')
    };
    match tokens {
        [Token::Name(word), Token::Name(name), Token::Sign('('), ..]
            if matches!(word.as_str(), "def" | "function" | "func" | "fn") =>
        {
            Some(Header { name, parameters: 3 })
        }
        [Token::Name(name), Token::Sign('='), Token::Sign('('), ..] => {
            let mut depth = 1_usize;
            let close = tokens.iter().enumerate().skip(3).take(40).find_map(|(at, token)| {
                match token {
                    Token::Sign('(') => depth += 1,
                    Token::Sign(')') => depth -= 1,
                    _ => {}
                }
                (depth == 0).then_some(at)
            })?;
            arrow(close + 1).then_some(Header { name, parameters: 3 })
        }
        [Token::Name(name), Token::Sign('='), Token::Name(_), ..] if arrow(3) => Some(Header { name, parameters: 2 }),
        _ => None,
    }
}

impl Reader<'_, '_> {
    /// The head of a definition. What its parameters are called with is known once the calls were read, so the code is read
    /// again for them.
    pub(super) fn definition(&mut self) {
        let declared =
            matches!(self.peek(), Some(Token::Name(word)) if matches!(word.as_str(), "const" | "let" | "var"));
        let from = self.at + usize::from(declared);
        let Some(header) = header(self.tokens.get(from..).unwrap_or(&[])) else { return };
        let (name, parameters) = (header.name.to_owned(), header.parameters);
        self.at = from + parameters;
        let Some(function) = self.functions.get_mut(&name) else { return };
        function.returns.clear();
        let calls = function.calls.clone();
        self.within = Some(name);
        self.choices = self.choices.max(calls.len() + 1);
        // the first reading has only what was called further above
        let call = self.choice.checked_sub(1).and_then(|nth| calls.get(nth)).or(calls.last());
        let mut nth = 0;
        while let Some(token) = self.peek().cloned() {
            match token {
                Token::Name(parameter) if matches!(self.before(1), Some(Token::Sign('(' | ',' | '='))) => {
                    self.at += 1;
                    let arrow = self.peek_at(1) == Some(&Token::Sign('>'));
                    let usual = if !arrow && self.eat('=') { self.expression() } else { Value::default() };
                    let value = call.and_then(|given| given.get(nth)).cloned().unwrap_or(usual);
                    if value != Value::default() {
                        self.variables.insert(parameter, value);
                    }
                    if arrow {
                        return self.arrow_body();
                    }
                    nth += 1;
                }
                Token::Sign(')') | Token::End => break,
                _ => self.at += 1,
            }
        }
        self.eat(')');
        match (self.peek(), self.peek_at(1)) {
            (Some(Token::Sign('=')), Some(Token::Sign('>'))) => self.arrow_body(),
            // what stands last in a function of Rust is what it returns
            _ if self.language == Language::Rust => {
                let open = self.tokens.iter().skip(self.at).take(24).position(|t| *t == Token::Sign('{'));
                if let Some(length) = open {
                    self.at += length;
                    let last = self.primary().members.and_then(|mut members| members.pop());
                    self.returned(last.unwrap_or_default(), false);
                    self.within = None;
                }
            }
            _ => {}
        }
    }

    /// What stands behind an arrow, unless it is a block, is what the function returns.
    fn arrow_body(&mut self) {
        self.at += 2;
        if self.peek() != Some(&Token::Sign('{')) {
            let value = self.expression();
            self.returned(value, false);
            self.within = None;
        }
    }

    /// `return value`, `yield value`.
    pub(super) fn return_statement(&mut self) {
        let yields = match self.peek() {
            Some(Token::Name(word)) if word == "return" => false,
            Some(Token::Name(word)) if word == "yield" => true,
            _ => return,
        };
        if self.within.is_some() && !matches!(self.peek_at(1), None | Some(Token::End | Token::Sign('}'))) {
            self.at += 1;
            let value = self.expression();
            self.returned(value, yields);
        }
    }

    fn returned(&mut self, value: Value, yields: bool) {
        let function = self.within.as_ref().and_then(|name| self.functions.get_mut(name));
        if let Some(function) = function.filter(|function| function.returns.len() < MOST_CALLS) {
            function.returns.push(value);
            function.yields |= yields;
        }
    }

    /// What a function of the code's own returns, as far as it was read.
    pub(super) fn result(&mut self, name: &str) -> Option<Value> {
        let function = self.functions.get(name)?;
        let known: Vec<Value> = function.returns.iter().filter(|value| **value != Value::default()).cloned().collect();
        let (none, yields, all) = (known.is_empty(), function.yields, Value::list(known));
        match (none, yields) {
            (true, _) => None,
            (false, true) => Some(all),
            (false, false) => Some(self.one_of(&all)),
        }
    }

    /// Remembers what a function of the code's own is called with.
    pub(super) fn called(&mut self, name: &str, args: &[Value]) {
        if self.choice > 0 || args.iter().all(|arg| *arg == Value::default()) {
            return;
        }
        if let Some(function) = self.functions.get_mut(name).filter(|function| function.calls.len() < MOST_CALLS) {
            function.calls.push(args.to_vec());
            self.choices = self.choices.max(function.calls.len() + 1);
        }
    }
}

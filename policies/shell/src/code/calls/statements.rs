//! Statements: imports, loops, assignments.

use super::{Reader, Value};
use crate::code::tokens::Token;
use crate::knowledge::Language;

/// How many tokens a type has that is written behind a name, and how many names are given values at once.
const MOST_OF_TYPE: usize = 16;
const MOST_NAMES: usize = 8;

impl Reader<'_, '_> {
    /// What a name stands for that runs over a value, in this reading of the code.
    pub(super) fn one_of(&mut self, value: &Value) -> Value {
        match value.list.as_deref().or(value.members.as_deref()) {
            Some(list @ [.., last]) => {
                self.choices = self.choices.max(list.len());
                list.get(self.choice).unwrap_or(last).clone()
            }
            // one of what lies there
            _ => Value {
                text: value.text.as_ref().map(|t| t.strip_suffix("/*").map_or(t.clone(), |dir| format!("{dir}/?*"))),
                ..value.clone()
            },
        }
    }

    /// `f(x) for x in values`, and `f($_) for values` of Perl: what the name stands for is said behind its use.
    pub(super) fn comprehensions(&mut self) {
        if !matches!(self.language, Language::Python | Language::Perl) {
            return;
        }
        let is_for = |t: &Token| matches!(t, Token::Name(word) if word == "for" || word == "foreach");
        let inner = |at: &usize| *at > 0 && self.tokens.get(at - 1).is_some_and(|t| *t != Token::End);
        let places: Vec<usize> = (0..self.tokens.len())
            .filter(|at| self.tokens.get(*at).is_some_and(is_for))
            .filter(inner)
            .take(8)
            .collect();
        for place in places {
            self.at = place;
            match self.language {
                // one that begins a statement names what it runs over
                Language::Perl if !matches!(self.before(1), Some(Token::Sign('{' | '}'))) => {
                    self.at += 1;
                    let value = self.postfix();
                    let value = self.one_of(&value);
                    self.variables.insert("_".to_owned(), value);
                }
                _ => self.loop_over(),
            }
        }
        self.at = 0;
    }

    pub(super) fn program(&mut self) {
        while self.at < self.tokens.len() {
            let before = self.at;
            self.imports();
            self.loop_over();
            self.each();
            self.definition();
            self.return_statement();
            self.assignment();
            if self.at == before {
                let _ = self.expression();
            }
            if self.at == before {
                self.at += 1;
            }
        }
    }

    /// `import x as y`, `from x import y as z`, `import { x as y } from "z"`.
    pub(super) fn imports(&mut self) {
        if self.language == Language::Js {
            self.modules();
            return;
        }
        if self.language != Language::Python {
            return;
        }
        match (self.peek(), self.peek_at(1)) {
            (Some(Token::Name(word)), Some(Token::Name(_))) if word == "import" => {
                self.at += 1;
                loop {
                    let module = self.dotted();
                    let local = self.local_name(&module);
                    if local != module {
                        self.variables.insert(local, Value::name(module));
                    }
                    if !self.eat(',') {
                        return;
                    }
                }
            }
            (Some(Token::Name(word)), Some(Token::Name(_))) if word == "from" => {
                self.at += 1;
                let module = self.dotted();
                if self.peek() != Some(&Token::Name("import".to_owned())) {
                    return;
                }
                self.at += 1;
                self.eat('(');
                while let Some(Token::Name(name)) = self.peek().cloned() {
                    self.at += 1;
                    let local = self.local_name(&name);
                    self.variables.insert(local, Value::name(format!("{module}.{name}")));
                    if !self.eat(',') {
                        break;
                    }
                }
            }
            _ => {}
        }
    }

    /// `import x, { y as z } from "module"`, `import * as x from "module"`.
    fn modules(&mut self) {
        let is_name = |t: Option<&Token>, name: &str| matches!(t, Some(Token::Name(word)) if word == name);
        if !is_name(self.peek(), "import") || self.peek_at(1) == Some(&Token::Sign('(')) {
            return;
        }
        let Some(length) = self.tokens.iter().skip(self.at).take(60).position(|t| is_name(Some(t), "from")) else {
            return;
        };
        let Some(Token::Text { text, .. }) = self.peek_at(length + 1) else { return };
        let module = super::effects::module(text);
        let clause: Vec<Token> = self.tokens.get(self.at + 1..self.at + length).unwrap_or(&[]).to_vec();
        self.at += length + 2;
        let mut inside = false;
        for part in clause.split(|t| matches!(t, Token::Sign(',' | '{' | '}'))) {
            let names: Vec<&String> =
                part.iter().filter_map(|t| if let Token::Name(name) = t { Some(name) } else { None }).collect();
            let whole = !inside || part.first() == Some(&Token::Sign('*'));
            inside |= clause.first() == Some(&Token::Sign('{')) || !names.is_empty();
            let (Some(member), Some(local)) = (names.first(), names.last()) else { continue };
            let named = if whole && clause.first() != Some(&Token::Sign('{')) || member.as_str() == "default" {
                module.clone()
            } else {
                format!("{module}.{member}")
            };
            self.variables.insert((*local).clone(), Value::name(named));
        }
    }

    fn dotted(&mut self) -> String {
        let mut name = String::new();
        while let Some(Token::Name(part)) = self.peek() {
            name.push_str(part);
            self.at += 1;
            if !self.eat('.') {
                break;
            }
            name.push('.');
        }
        name
    }

    /// The name after `as`, or the one given.
    fn local_name(&mut self, name: &str) -> String {
        if let (Some(Token::Name(word)), Some(Token::Name(local))) = (self.peek(), self.peek_at(1))
            && word == "as"
        {
            let local = local.clone();
            self.at += 2;
            return local;
        }
        name.to_owned()
    }

    /// `for name in values`: the name stands for any of them.
    pub(super) fn loop_over(&mut self) {
        if self.peek() != Some(&Token::Name("for".to_owned()))
            || !matches!(
                self.language,
                Language::Python | Language::Ruby | Language::Lua | Language::R | Language::Rust
            )
        {
            return;
        }
        let is_in = |t: &Token| matches!(t, Token::Name(word) if word == "in");
        let Some(length) = self.tokens.iter().skip(self.at).take(12).position(is_in) else { return };
        let names: Vec<String> = self
            .tokens
            .get(self.at + 1..self.at + length)
            .unwrap_or(&[])
            .iter()
            .filter_map(|t| if let Token::Name(n) = t { Some(n.clone()) } else { None })
            .collect();
        self.at += length + 1;
        let value = self.postfix();
        let value = self.one_of(&value);
        let tuple = value.list.clone().filter(|_| names.len() > 1);
        for (number, name) in names.into_iter().enumerate() {
            if let Some(items) = &tuple {
                self.variables.insert(name, items.get(number).cloned().unwrap_or_default());
                continue;
            }
            // of what a walk yields the first is the folder, the others are names in it
            let value = if number == 0 { value.clone() } else { Value { text: Some("*".to_owned()), ..value.clone() } };
            self.variables.insert(name, value);
        }
    }

    /// Whether a value may be given to a name here.
    pub(super) fn begins_assignment(&self) -> bool {
        let next = (self.peek(), self.peek_at(1));
        matches!(next, (Some(Token::Name(_)), Some(Token::Name(_) | Token::Sign('='))))
            || self.assigns_pair()
            || self.assigns_typed().is_some()
    }

    /// How far off the sign is in `name: Type = value`, where the type may be `list[str]` or `Map<string, string[]>`.
    fn assigns_typed(&self) -> Option<usize> {
        let begins = (self.peek(), self.peek_at(1), self.peek_at(2));
        let (Some(Token::Name(_)), Some(Token::Sign(':')), Some(Token::Name(_))) = begins else { return None };
        let behind = self.tokens.iter().enumerate().skip(self.at + 3).take(MOST_OF_TYPE);
        let is_type = |token: &Token| match token {
            Token::Name(_) => true,
            Token::Sign(sign) => matches!(sign, '[' | ']' | '<' | '>' | ',' | '|' | '.'),
            _ => false,
        };
        let (at, token) = behind.into_iter().find(|(_, token)| !is_type(token))?;
        let compares = matches!(self.tokens.get(at + 1), Some(Token::Sign('=' | '>')));
        (*token == Token::Sign('=') && !compares).then_some(at - self.at)
    }

    /// How many names stand in front of the sign in `one, two = value` of Python, Ruby, Lua and Perl.
    fn assigns_several(&self) -> Option<usize> {
        let languages = [Language::Python, Language::Ruby, Language::Lua];
        let mut count = 0;
        while languages.contains(&self.language) {
            let (Some(Token::Name(_)), Some(Token::Sign(sign))) =
                (self.peek_at(2 * count), self.peek_at(2 * count + 1))
            else {
                return None;
            };
            count += 1;
            match sign {
                ',' if count < MOST_NAMES => {}
                '=' if count > 1 && self.peek_at(2 * count) != Some(&Token::Sign('=')) => return Some(count),
                _ => return None,
            }
        }
        None
    }

    fn assigns_pair(&self) -> bool {
        let names = matches!(
            (self.peek(), self.peek_at(1), self.peek_at(2), self.peek_at(3)),
            (Some(Token::Name(_)), Some(Token::Sign(',')), Some(Token::Name(_)), Some(Token::Sign('=')))
        );
        names && self.language == Language::Go
    }

    /// `name = value`, also `const { a, b } = require("x")`.
    pub(super) fn assignment(&mut self) {
        while matches!(self.peek(), Some(Token::Name(word)) if matches!(word.as_str(), "const" | "let" | "var" | "my" | "our" | "local"))
        {
            self.at += 1;
            // `my %names`
            if self.language == Language::Perl {
                self.eat('%');
            }
        }
        if self.peek() == Some(&Token::Sign('{')) && matches!(self.language, Language::Js | Language::Mongo) {
            let close = self.tokens.iter().skip(self.at).take(40).position(|t| *t == Token::Sign('}'));
            if let Some(length) = close
                && self.peek_at(length + 1) == Some(&Token::Sign('='))
                && self.peek_at(length + 2) != Some(&Token::Sign('='))
            {
                // `{ member, member: name }`
                let inside = self.tokens.get(self.at..self.at + length).unwrap_or(&[]);
                let names: Vec<(String, String)> = inside
                    .split(|t| *t == Token::Sign(','))
                    .filter_map(|pair| {
                        let mut names =
                            pair.iter().filter_map(|t| if let Token::Name(n) = t { Some(n.clone()) } else { None });
                        let member = names.next()?;
                        Some((names.next().unwrap_or(member.clone()), member))
                    })
                    .collect();
                self.at += length + 2;
                let value = self.expression();
                if let Some(module) = value.name {
                    for (name, member) in names {
                        let value = Value::name(format!("{module}.{member}"));
                        self.variables.insert(name, value);
                    }
                }
                return;
            }
        }
        // `name <- value` of R
        let arrow = (self.peek_at(1), self.peek_at(2)) == (Some(&Token::Sign('<')), Some(&Token::Sign('-')));
        if let (true, Language::R, Some(Token::Name(name))) = (arrow, self.language, self.peek().cloned()) {
            self.at += 3;
            let value = self.expression();
            self.variables.insert(name, value);
            return;
        }
        // `[one, two] = [value, value]`
        if self.peek() == Some(&Token::Sign('[')) && self.language == Language::Js {
            let close = self.tokens.iter().skip(self.at).take(24).position(|t| *t == Token::Sign(']'));
            if let Some(length) = close
                && self.peek_at(length + 1) == Some(&Token::Sign('='))
                && self.peek_at(length + 2) != Some(&Token::Sign('='))
            {
                let inside = self.tokens.get(self.at..self.at + length).unwrap_or(&[]).iter();
                let names = inside.filter_map(|t| if let Token::Name(name) = t { Some(name.clone()) } else { None });
                let names = names.collect();
                self.at += length + 2;
                let value = self.expression();
                self.each_named(names, &value);
                return;
            }
        }
        // `name, err := value` of Go
        let pair = self.assigns_pair();
        if pair && let Some(Token::Name(name)) = self.peek().cloned() {
            self.at += 4;
            let value = self.expression();
            self.variables.insert(name, value);
            return;
        }
        if let (Some(sign), Some(Token::Name(name))) = (self.assigns_typed(), self.peek().cloned()) {
            self.at += sign + 1;
            let value = self.expression();
            self.variables.insert(name, value);
            return;
        }
        if let Some(count) = self.assigns_several() {
            let names = self.tokens.iter().skip(self.at).step_by(2).take(count);
            let names = names.filter_map(|token| if let Token::Name(name) = token { Some(name.clone()) } else { None });
            let names: Vec<String> = names.collect();
            self.at += 2 * count;
            let first = self.expression();
            let mut values = vec![first];
            while self.eat(',') {
                values.push(self.expression());
            }
            let value = match <[Value; 1]>::try_from(values) {
                Ok([one]) => one,
                Err(values) => Value::list(values),
            };
            self.each_named(names, &value);
            return;
        }
        let (Some(Token::Name(name)), Some(Token::Sign('='))) = (self.peek(), self.peek_at(1)) else { return };
        if matches!(self.peek_at(2), Some(Token::Sign('=' | '~' | '>'))) {
            return;
        }
        let name = name.clone();
        self.at += 2;
        let value = self.expression();
        self.attribute_given(&name, &value);
        self.variables.insert(name, value);
    }
}

//! Elements by their names, and the environment among them.

use std::collections::{HashMap, HashSet};

use super::{MOST_CHOICES, Reader, Value, is_environment};
use crate::code::tokens::Token;
use crate::value::Taint;
use crate::walk::{Inherited, inherited};

/// How many names are remembered that may be attributes.
const MOST_ATTRIBUTES: usize = 256;

/// What is known of attributes from one reading to the next.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    /// The values that a name was given, in a class or out of it.
    given: HashMap<String, Vec<Value>>,
    /// Names that were asked of objects.
    asked: HashSet<String>,
}

impl Reader<'_, '_> {
    /// `environ[NAME] = value`: a variable for the programs that are started.
    pub(super) fn variable_set(&mut self, place: &Value, index: &[Value]) {
        let sets =
            self.peek() == Some(&Token::Sign('=')) && !matches!(self.peek_at(1), Some(Token::Sign('=' | '~' | '>')));
        let (Some(place), Some(name)) = (&place.name, index.first().and_then(|v| v.text.clone())) else { return };
        if !sets || !is_environment(place) {
            return;
        }
        self.at += 1;
        let value = self.expression().arg(self.arg.span);
        self.walk.variable_carries_code(&name, Some(&value));
    }

    pub(super) fn index(&mut self, value: &Value, index: &[Value]) -> Value {
        let key = index.first().and_then(|v| v.text.clone());
        match (&value.name, key) {
            (Some(name), Some(key))
                if matches!(name.as_str(), "os.environ" | "environ" | "process.env" | "ENV" | "_ENV" | "_SERVER") =>
            {
                if key == "HOME" {
                    Value::text(self.walk.home().to_owned())
                } else {
                    self.variable(&key)
                }
            }
            // `Dir["*.rb"]`
            (Some(name), Some(key)) if name == "Dir" => Value::text(key),
            // `fs["rmSync"]`
            (Some(name), Some(key)) if !key.is_empty() => Value::name(format!("{name}.{key}")),
            (None, Some(key)) if value.keyed(&key).is_some() => value.keyed(&key).unwrap_or_default(),
            _ => match (&value.list, index.first().and_then(|v| v.text.as_ref()).and_then(|t| t.parse::<usize>().ok()))
            {
                (Some(list), Some(at)) => list.get(at).cloned().unwrap_or_default(),
                (Some(_), None) => self.one_of(value),
                (None, _) if value.members.is_some() => self.one_of(value),
                _ => Value::unknown(value.taint),
            },
        }
    }

    /// The part of a known text that `[from:to]` at this place cuts out.
    pub(super) fn slices(&self, value: &Value) -> Option<Value> {
        let text = value.text.as_deref().filter(|text| !value.partly && text.is_ascii())?;
        let inside: Vec<&Token> =
            self.tokens.iter().skip(self.at + 1).take(7).take_while(|t| **t != Token::Sign(']')).collect();
        let colon = inside.iter().position(|t| **t == Token::Sign(':'))?;
        let place = |side: &[&Token], usual: usize| match side {
            [] => Some(usual),
            [Token::Number(n)] => n.parse::<usize>().ok().map(|n| n.min(text.len())),
            [Token::Sign('-'), Token::Number(n)] => Some(text.len().saturating_sub(n.parse().ok()?)),
            _ => None,
        };
        let (from, to) = (place(inside.get(..colon)?, 0)?, place(inside.get(colon + 1..)?, text.len())?);
        Some(Value { taint: value.taint, ..Value::text(text.get(from..to).unwrap_or("")) })
    }

    /// What an attribute of the code's own objects was given: `self.path = value`, or `path = value` in its class.
    pub(super) fn attribute(&mut self, dotted: &str, member: &str) -> Option<Value> {
        let owner = dotted.split('.').next().unwrap_or("");
        let own = matches!(owner, "self" | "this" | "cls") || owner.starts_with(char::is_uppercase);
        if !own || dotted.matches('.').count() != 1 {
            return None;
        }
        let given = self.peek() == Some(&Token::Sign('=')) && !matches!(self.peek_at(1), Some(Token::Sign('=' | '>')));
        if given && !owner.starts_with(char::is_uppercase) {
            self.at += 1;
            let value = self.expression();
            self.variables.insert(dotted.to_owned(), value.clone());
            return Some(value);
        }
        let this = ["self", "this", "cls"].into_iter().find_map(|this| self.variables.get(&format!("{this}.{member}")));
        if let Some(this) = this {
            return Some(this.clone());
        }
        self.attributes.asked.insert(member.to_owned());
        // a class that inherits may have given it another value, below
        match self.attributes.given.get(member).map(Vec::as_slice) {
            Some(values @ [_, _, ..]) => Some(self.one_of(&Value::list(values.to_vec()))),
            _ => self.variables.get(member).cloned(),
        }
    }

    /// Remembers what a name is given that may be an attribute's.
    pub(super) fn attribute_given(&mut self, name: &str, value: &Value) {
        if self.choice > 0 || *value == Value::default() || self.attributes.given.len() > MOST_ATTRIBUTES {
            return;
        }
        let values = self.attributes.given.entry(name.to_owned()).or_default();
        if values.len() < MOST_CHOICES && !values.contains(value) {
            values.push(value.clone());
            if self.attributes.asked.contains(name) {
                self.choices = self.choices.max(values.len());
            }
        }
    }

    /// The value of an environment variable.
    pub(super) fn variable(&self, name: &str) -> Value {
        if name == "HOME" {
            return Value::text(self.walk.home().to_owned());
        }
        if let Some(told) = self.walk.told_by_variable(name).filter(|told| told.is_literal()) {
            return Value { taint: told.taint, ..Value::text(told.text.clone()) };
        }
        // where something is asked, by its address
        if let Inherited::Text(text) = inherited(name, None, None)
            && text.contains("://")
        {
            return Value::text(text.to_owned());
        }
        Value::unknown(if crate::walk::is_secret_name(name) { Taint::TOKEN } else { Taint::NONE })
    }
}

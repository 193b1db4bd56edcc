//! Elements by their names, and the environment among them.

use super::{Reader, Value, is_environment};
use crate::code::tokens::Token;
use crate::value::Taint;
use crate::walk::{Inherited, inherited};

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
            _ => match (&value.list, index.first().and_then(|v| v.text.as_ref()).and_then(|t| t.parse::<usize>().ok()))
            {
                (Some(list), Some(at)) => list.get(at).cloned().unwrap_or_default(),
                (Some(_), None) => self.one_of(value),
                _ => Value::unknown(value.taint),
            },
        }
    }

    /// The value of an environment variable.
    pub(super) fn variable(&self, name: &str) -> Value {
        if name == "HOME" {
            return Value::text(self.walk.home().to_owned());
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

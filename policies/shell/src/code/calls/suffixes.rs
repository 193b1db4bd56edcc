//! What follows a value: members, calls, indices.

use super::{Reader, Value, expressions::constant, is_environment, taint_of};
use crate::code::languages::Does;
use crate::code::tokens::Token;
use crate::knowledge::Language;
use crate::value::Taint;

impl Reader<'_, '_> {
    pub(super) fn postfix(&mut self) -> Value {
        let mut value = self.primary();
        loop {
            // `(0, eval)(text)`
            if let (Some(Token::Sign('(')), Some(name)) = (self.peek(), called_indirectly(&value)) {
                let name = name.to_owned();
                self.at += 1;
                let args = self.arguments(Some(')'));
                value = self.call(&name, None, &args);
                continue;
            }
            if let (Some(Token::Sign('[')), Language::Python, Some(cut)) =
                (self.peek(), self.language, self.slices(&value))
            {
                value = cut;
                let length = self.tokens.iter().skip(self.at).position(|token| *token == Token::Sign(']'));
                self.at += length.map_or(1, |length| length + 1);
                continue;
            }
            match self.peek() {
                Some(Token::Sign('.') | Token::Arrow) => {
                    let dot_joins = matches!(self.language, Language::Perl | Language::Php)
                        && self.peek() == Some(&Token::Sign('.'));
                    // `"COMMAND".!`
                    if self.language == Language::Java
                        && self.peek_at(1) == Some(&Token::Sign('!'))
                        && value.text.is_some()
                    {
                        self.at += 2;
                        return self.effect(Does::Shell, "!", Some(&value), &[]);
                    }
                    let Some(Token::Name(member)) = self.peek_at(1).cloned() else { return value };
                    if dot_joins {
                        return value;
                    }
                    self.at += 2;
                    if self.peek() == Some(&Token::Sign('(')) {
                        self.at += 1;
                        if let Some(values) = self.mapped(&value, &member) {
                            value = values;
                            continue;
                        }
                        self.parameters(&value);
                        let args = self.arguments(Some(')'));
                        value = self.method(value, &member, &args);
                        self.block(&value);
                    } else if self.language == Language::Ruby
                        && value.name.as_deref().is_some_and(|receiver| self.begins_argument(receiver, &member))
                    {
                        let args = self.arguments(None);
                        value = self.method(value, &member, &args);
                    } else if value.text.is_some() && matches!(member.as_str(), "homedir" | "pw_dir" | "dir") {
                        // of an account, whose value is its home
                    } else if value.text.is_none() && value.name.is_some() {
                        self.block(&value);
                        let home = value.name.as_deref() == Some("process.env") && member == "HOME";
                        let dotted = format!("{}.{member}", value.name.as_deref().unwrap_or(""));
                        value = if home {
                            Value::text(self.walk.home().to_owned())
                        } else if dotted.starts_with("process.env.") {
                            self.variable_set(&value, &[Value::text(member.clone())]);
                            self.variable(&member)
                        } else if self.language == Language::Ruby && matches!(dotted.as_str(), "Dir.home") {
                            Value::text(self.walk.home().to_owned())
                        } else if let Some(text) = constant(&dotted) {
                            Value::text(text)
                        } else if let Some(attribute) = self.attribute(&dotted, &member) {
                            attribute
                        } else {
                            let taint = if is_environment(&dotted) { Taint::TOKEN } else { value.taint };
                            Value { taint, ..Value::name(dotted) }
                        };
                    } else if let Some(values) = self.mapped_block(&value, &member) {
                        value = values;
                    } else if matches!(self.language, Language::Ruby) {
                        self.block(&value);
                        value = self.method(value, &member, &[]);
                    } else {
                        value = Value::unknown(value.taint);
                    }
                }
                // a function by the name that a variable holds
                Some(Token::Sign('(')) if value.text.is_some() && self.language == Language::Php => {
                    self.at += 1;
                    let args = self.arguments(Some(')'));
                    let name = value.text.clone().unwrap_or_default();
                    value = self.call(&name, None, &args);
                }
                Some(Token::Sign('(')) if value.name.is_some() => {
                    self.at += 1;
                    let name = value.name.clone().unwrap_or_default();
                    self.found_below(&name);
                    let args = self.arguments(Some(')'));
                    value = self.call(&name, None, &args);
                }
                Some(Token::Sign('(')) if value.list.is_none() && value.text.is_none() => {
                    self.at += 1;
                    let args = self.arguments(Some(')'));
                    value = Value::unknown(value.taint.with(taint_of(&args)));
                }
                // `text[::-1]`
                Some(Token::Sign('['))
                    if value.text.is_some()
                        && self.peek_at(1) == Some(&Token::Arrow)
                        && self.peek_at(2) == Some(&Token::Sign('-')) =>
                {
                    self.at += 5;
                    let back = value.text.as_deref().unwrap_or("").chars().rev().collect::<String>();
                    value = Value { taint: value.taint.with(Taint::DECODED), ..Value::text(back) };
                }
                Some(Token::Sign('['))
                    if value.name.is_some()
                        || value.list.is_some()
                        || value.members.is_some()
                            && (self.language == Language::Python
                                || matches!(self.before(1), Some(Token::Name(_))))
                        || value.text.is_some() =>
                {
                    self.at += 1;
                    let index = self.arguments(Some(']'));
                    self.variable_set(&value, &index);
                    value = self.index(&value, &index);
                }
                Some(Token::Sign('{'))
                    if value.name.as_deref() == Some("ENV")
                        || self.language == Language::Perl
                            && value.list.is_some()
                            && self.peek_at(2) == Some(&Token::Sign('}')) =>
                {
                    self.at += 1;
                    let index = match self.peek().cloned() {
                        Some(Token::Name(name)) => {
                            self.at += 1;
                            vec![Value::text(name)]
                        }
                        _ => self.arguments(None),
                    };
                    self.eat('}');
                    self.variable_set(&value, &index);
                    value = self.index(&value, &index);
                }
                // `name`string``
                Some(Token::Text { .. }) if value.name.is_some() && matches!(self.language, Language::Js) => {
                    let args = vec![self.primary()];
                    let name = value.name.clone().unwrap_or_default();
                    value = self.call(&name, None, &args);
                }
                _ => return value,
            }
        }
    }

    /// Whether what follows `receiver.member` is its argument, without parentheses.
    fn begins_argument(&self, receiver: &str, member: &str) -> bool {
        match self.peek() {
            Some(Token::Text { .. }) => true,
            Some(Token::Name(word)) => {
                self.calls.find(&format!("{receiver}.{member}")).is_some()
                    && !matches!(
                        word.as_str(),
                        "if" | "unless" | "do" | "and" | "or" | "end" | "while" | "until" | "then"
                    )
            }
            // `User.delete_all` is a call without any
            _ => self.calls.find(&format!("{receiver}.{member}")) == Some(Does::DropDatabase),
        }
    }
}

/// The name of the function that stands last in `(0, name)`.
fn called_indirectly(value: &Value) -> Option<&str> {
    let list = value.list.as_ref().filter(|_| value.name.is_none());
    list?.last()?.name.as_deref()
}

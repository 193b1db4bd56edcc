//! Expressions: values, and what joins them.

use super::{MAX_DEPTH, Reader, Value, calling, is_environment, join};
use crate::code::tokens::Token;
use crate::knowledge::Language;
use crate::value::Taint;

impl Reader<'_, '_> {
    pub(super) fn expression(&mut self) -> Value {
        if self.depth >= MAX_DEPTH {
            self.walk.give_up();
            self.at = self.tokens.len();
            return Value::default();
        }
        self.depth += 1;
        let mut left = self.postfix();
        loop {
            let joins = match self.peek() {
                Some(Token::Sign('+')) => "",
                Some(Token::Sign('.')) if matches!(self.language, Language::Perl | Language::Php) => "",
                Some(Token::Dots) if self.language == Language::Lua => "",
                // a path goes on
                Some(Token::Sign('/'))
                    if self.language == Language::Python && (left.text.is_some() || left.name.is_none()) =>
                {
                    "/"
                }
                // `char *name = value`, `name := value`
                Some(Token::Sign(sign @ ('=' | ':')))
                    if matches!(
                        (sign, self.peek_at(1)),
                        ('=', Some(Token::Name(_) | Token::Text { .. } | Token::Number(_)))
                            | (':', Some(Token::Sign('=')))
                    ) && matches!(self.tokens.get(self.at.wrapping_sub(1)), Some(Token::Name(_))) =>
                {
                    let Some(Token::Name(name)) = self.tokens.get(self.at - 1).cloned() else { break };
                    let sign = *sign;
                    // `name, err := value`
                    let first = match (self.before(2), self.before(3)) {
                        (Some(Token::Sign(',')), Some(Token::Name(first))) => Some(first.clone()),
                        _ => None,
                    };
                    self.at += if sign == ':' { 2 } else { 1 };
                    let value = self.expression();
                    if let Some(first) = first {
                        self.variables.insert(first, value.clone());
                    }
                    self.variables.insert(name, value);
                    continue;
                }
                // `name => value`
                Some(Token::Sign('='))
                    if self.peek_at(1) == Some(&Token::Sign('>'))
                        && matches!(self.language, Language::Js | Language::Php) =>
                {
                    self.at += 2;
                    if self.peek() == Some(&Token::Sign('{')) {
                        break;
                    }
                    left = Value { name: None, ..self.expression() };
                    continue;
                }
                // `one || other`, `one ?? other`, `one or other`
                Some(Token::Sign(sign @ ('|' | '?'))) if self.peek_at(1) == Some(&Token::Sign(*sign)) => {
                    self.at += 2;
                    left = self.or_other(left);
                    continue;
                }
                Some(Token::Name(word))
                    if word == "or" && matches!(self.language, Language::Python | Language::Lua) =>
                {
                    self.at += 1;
                    left = self.or_other(left);
                    continue;
                }
                // `value?` of Rust is the value
                Some(Token::Sign('?')) if self.language == Language::Rust => {
                    self.at += 1;
                    continue;
                }
                // `condition ? one : other` is one or the other
                Some(Token::Sign('?')) if !matches!(self.peek_at(1), Some(Token::Sign('?' | ':'))) => {
                    self.at += 1;
                    let one = Value { name: None, list: None, below: false, ..self.postfix() };
                    left = one.clone();
                    if self.eat(':') {
                        let other = Value { name: None, list: None, below: false, ..self.postfix() };
                        left = self.one_of(&Value::list(vec![one, other]));
                    }
                    continue;
                }
                // `"%s/%s" % (a, b)`
                Some(Token::Sign('%')) if self.language == Language::Python && left.text.is_some() => {
                    self.at += 1;
                    let right = self.postfix();
                    let values = right.list.clone().unwrap_or_else(|| vec![right.clone()]);
                    let pattern = left.text.clone().unwrap_or_default();
                    let taint = left.taint.with(right.taint);
                    let text = calling::filled(&pattern, &values, |rest| {
                        rest.strip_prefix('%')?.strip_prefix(['s', 'd', 'r', 'i', 'x'])
                    });
                    left = Value { taint, ..text };
                    continue;
                }
                // the other value of `a or b`, of formats and comparisons
                Some(Token::Sign('%' | '*' | '-' | '|' | '&' | '<' | '>' | '?' | '=' | '!' | ':')) => {
                    self.at += 1;
                    let right = self.postfix();
                    // `O_WRONLY | O_CREAT` is still a way to open
                    let flags = left.name.take().filter(|name| name.contains("O_"));
                    left = Value { name: flags, ..Value::unknown(left.taint.with(right.taint)) };
                    continue;
                }
                _ => break,
            };
            let name = match self.tokens.get(self.at.wrapping_sub(1)) {
                Some(Token::Name(name)) => Some(name.clone()),
                _ => None,
            };
            self.at += 1;
            let assigns = self.eat('=');
            let right = self.postfix();
            left = join(&left, joins, &right);
            if let Some(name) = name.filter(|_| assigns) {
                self.variables.insert(name, left.clone());
            }
        }
        self.depth -= 1;
        // `one if condition else other`
        if self.language == Language::Python && self.peek() == Some(&Token::Name("if".to_owned())) {
            self.at += 1;
            let _ = self.expression();
            if self.peek() == Some(&Token::Name("else".to_owned())) {
                self.at += 1;
                let other = self.expression();
                left = self.one_of(&Value::list(vec![left, other]));
            }
        }
        // `with open(path) as name`
        if let (Language::Python, Some(Token::Name(word)), Some(Token::Name(name))) =
            (self.language, self.peek(), self.peek_at(1))
            && word == "as"
        {
            self.variables.insert(name.clone(), left.clone());
            self.at += 2;
        }
        left
    }

    /// A value, or the other behind it where nothing is known of the first.
    pub(super) fn or_other(&mut self, one: Value) -> Value {
        let other = Value { name: None, below: false, ..self.postfix() };
        match (one.text.is_some() || one.list.is_some(), other.text.is_some() || other.list.is_some()) {
            (true, true) => self.one_of(&Value::list(vec![one, other])),
            (true, false) => one,
            _ => Value { taint: one.taint.with(other.taint), ..other },
        }
    }

    pub(super) fn primary(&mut self) -> Value {
        let Some(token) = self.peek().cloned() else { return Value::default() };
        match token {
            Token::Text { text, holes } => {
                self.at += 1;
                self.text_value(text, &holes)
            }
            Token::Shell { text, holes } => {
                self.at += 1;
                let value = self.text_value(text, &holes);
                let span = self.arg.span;
                let flow = self.walk.code_text(&value.arg(span));
                Value::unknown(flow.taint)
            }
            Token::Name(name) => {
                self.at += 1;
                if matches!(name.as_str(), "my" | "our" | "local") && self.language == Language::Perl {
                    return self.primary();
                }
                if is_prefix(self.language, &name) {
                    return self.primary();
                }
                // `format!(..)`
                if self.language == Language::Rust && matches!(self.peek_at(1), Some(Token::Sign('(' | '['))) {
                    self.eat('!');
                }
                if is_environment(&name) {
                    return Value { taint: Taint::TOKEN, ..Value::name(name) };
                }
                if let Some(value) = self.variables.get(&name) {
                    return value.clone();
                }
                if let Some(text) = constant(&name) {
                    return Value::text(text);
                }
                // a command without parentheses
                let bare = matches!(self.language, Language::Perl | Language::Ruby | Language::Php | Language::Lua);
                let begins = matches!(
                    self.peek(),
                    Some(Token::Text { .. } | Token::Name(_) | Token::Shell { .. } | Token::Number(_))
                );
                // `unlink for glob(..)`: what the loop is at
                let loops = matches!(self.peek(), Some(Token::Name(word)) if word == "for" || word == "foreach");
                if loops && self.language == Language::Perl && self.calls.is_command(&name) {
                    let args = self.variables.get("_").cloned().into_iter().collect::<Vec<_>>();
                    return self.call(&name, None, &args);
                }
                let joins = name == "join" && self.language == Language::Perl;
                if bare && begins && (joins || self.calls.is_command(&name)) {
                    let args = self.arguments(None);
                    return self.call(&name, None, &args);
                }
                // `exec { PROGRAM } NAME, ARGUMENTS`
                if self.language == Language::Perl && matches!(name.as_str(), "exec" | "system") && self.eat('{') {
                    let mut words = self.arguments(Some('}'));
                    words.extend(self.arguments(None).into_iter().skip(1));
                    return self.call(&name, None, &words);
                }
                if self.language == Language::Perl && matches!(name.as_str(), "grep" | "map" | "sort") && self.eat('{')
                {
                    return self.block_over(&name);
                }
                Value::name(name)
            }
            Token::Number(text) => {
                self.at += 1;
                Value::text(text)
            }
            Token::Sign('(') => {
                self.at += 1;
                let items = self.arguments(Some(')'));
                match <[Value; 1]>::try_from(items) {
                    Ok([one]) => one,
                    Err(items) => Value::list(items),
                }
            }
            Token::Sign('[') => {
                self.at += 1;
                let mut items = self.arguments(Some(']'));
                // `[]string{"a", "b"}`
                if let (Language::Go, Some(Token::Name(_)), Some(Token::Sign('{'))) =
                    (self.language, self.peek(), self.peek_at(1))
                {
                    self.at += 2;
                    items = self.arguments(Some('}'));
                }
                Value::list(items)
            }
            Token::Sign('{') => {
                self.at += 1;
                let words = self.peek() == Some(&Token::Name("args".to_owned()));
                let items = self.arguments(Some('}'));
                // `{ args: [WORD, ..] }`: the words of a command
                match items.first().filter(|first| words && first.list.is_some()) {
                    Some(first) => first.clone(),
                    None if self.language == Language::Lua => Value::list(items),
                    None => Value::members(items),
                }
            }
            // `:name` of Ruby
            Token::Sign(':') if self.language == Language::Ruby && matches!(self.peek_at(1), Some(Token::Name(_))) => {
                self.at += 2;
                match self.before(1) {
                    Some(Token::Name(symbol)) => Value::text(symbol.clone()),
                    _ => Value::default(),
                }
            }
            Token::Sign(')' | ']' | '}' | ',') | Token::End => Value::default(),
            _ => {
                self.at += 1;
                Value::default()
            }
        }
    }
}

/// Words in front of a value that change nothing about it.
fn is_prefix(language: Language, word: &str) -> bool {
    match language {
        Language::Python => matches!(word, "await" | "yield" | "return" | "not" | "lambda"),
        Language::Js | Language::Mongo | Language::Php => {
            matches!(word, "await" | "new" | "return" | "yield" | "throw" | "void" | "typeof")
        }
        Language::Perl => matches!(word, "return" | "not" | "new"),
        Language::Ruby | Language::Lua => matches!(word, "return" | "not"),
        Language::Java => matches!(word, "new" | "return" | "throw"),
        _ => false,
    }
}

/// What a name of a language's own stands for: the program that runs the code, and what stands between the parts of a path.
pub(super) fn constant(name: &str) -> Option<&'static str> {
    Some(match name {
        "sys.executable" => "python3",
        "process.execPath" | "process.argv0" => "node",
        "RbConfig.ruby" => "ruby",
        "os.sep" | "os.path.sep" | "path.sep" | "File.SEPARATOR" | "File.Separator" | "DIRECTORY_SEPARATOR" => "/",
        "PHP_EOL" => "\n",
        _ => return None,
    })
}

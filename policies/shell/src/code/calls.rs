//! Follows the calls of inline code whose arguments can be told. Code that only computes has no effects.

mod calling;
mod closures;
mod effects;
mod environment;
mod functions;
mod holes;
mod names;
mod statements;
mod unlisted;
mod values;

use std::collections::HashMap;

use rampart_call::EffectKind;

use values::Value;
use values::{Output, join, taint_of};

use super::languages::Calls;
use super::tokens::{Token, tokens};
use crate::knowledge::Language;
use crate::value::{Arg, Flow, Taint};
use crate::walk::Walk;

/// Deepest nesting of expressions that is followed.
const MAX_DEPTH: usize = 60;
/// How many values of a list that a loop runs over are followed, one reading each, and how many tokens are read for that.
const MOST_CHOICES: usize = 8;
const MOST_READ: usize = 16_000;

/// Follows the code of a word.
pub(super) fn look(walk: &mut Walk<'_>, language: Language, arg: &Arg) -> Flow {
    let Some(calls) = Calls::of(language) else {
        walk.note(EffectKind::Opaque, "inline-code");
        return Flow::unknown(Taint::NONE);
    };
    if is_bomb(&arg.text) {
        walk.note(EffectKind::Exec, "fork-bomb");
    }
    if ends_everybody(language, &arg.text) {
        walk.note(EffectKind::Signal, "kill-all");
    }
    let hidden = match language {
        Language::Js => arg.text.contains("constructor.constructor"),
        Language::Perl => arg.text.contains("&{\"") || arg.text.contains("&{'"),
        _ => false,
    };
    if hidden {
        walk.note(EffectKind::Opaque, "inline-code");
    }
    if language == Language::Python {
        notebook_commands(walk, arg);
    }
    let tokens = tokens(language, &arg.text);
    let most = (MOST_READ / tokens.len().max(1)).clamp(1, MOST_CHOICES);
    let mut out = Vec::new();
    let mut functions = functions::defined(&tokens);
    walk.readings(|walk, choice| {
        let mut reader = Reader {
            walk,
            language,
            calls,
            tokens: tokens.clone(),
            at: 0,
            depth: 0,
            variables: HashMap::new(),
            printed: Taint::NONE,
            output: Output::Nothing,
            handed_on: Taint::NONE,
            choice,
            choices: 1,
            functions: &mut functions,
            within: None,
            arg,
        };
        reader.comprehensions();
        reader.program();
        reader.leaves();
        reader.hunts();
        let Reader { printed, output, choices, .. } = reader;
        out.push((printed, output));
        choices.min(most)
    });
    let printed = out.iter().fold(Taint::NONE, |taint, (printed, _)| taint.with(*printed));
    // one text that is printed is what comes out
    match out.pop() {
        Some((_, Output::One(text))) if out.is_empty() => Flow::known(text, printed),
        _ => Flow::unknown(printed),
    }
}

/// A loop without end that multiplies the process.
fn is_bomb(text: &str) -> bool {
    let tight: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    tight.contains("fork")
        && ["whileTrue", "while1", "while(1)", "while(true)", "whilefork", "forkwhile", "loop{", "loopdo", "for(;;)"]
            .iter()
            .any(|endless| tight.contains(endless))
}

/// A loop over all processes that ends each, and asks for nothing that tells them apart.
fn ends_everybody(language: Language, text: &str) -> bool {
    const LISTS: &[&str] =
        &["process_iter(", "psutil.pids(", "'/proc'", "\"/proc\"", "'/proc/'", "\"/proc/\"", "/proc/*", "/proc/[0-9]"];
    const ENDS: &[&str] = &[".kill(", ".terminate(", ".send_signal(", "kill 9", "kill -9", "kill(", "kill 'KILL'"];
    const APART: &[&str] = &[
        ".name",
        "'name'",
        "\"name\"",
        "username",
        "comm",
        "cmdline",
        "exe",
        "connections",
        "cwd",
        "ppid",
        "parent",
        ".children()",
        "children(recursive",
        "stat",
    ];
    let any = |of: &[&str]| of.iter().any(|piece| text.contains(piece));
    let known = matches!(language, Language::Python | Language::Js | Language::Ruby | Language::Perl);
    known && any(LISTS) && any(ENDS) && !any(APART)
}

/// `!COMMAND` and `%%bash` in a notebook's cell.
fn notebook_commands(walk: &mut Walk<'_>, arg: &Arg) {
    if let Some((_, body)) = arg.text.strip_prefix("%%").and_then(|cell| cell.split_once('\n')) {
        if ["%%bash", "%%sh", "%%script"].iter().any(|magic| arg.text.starts_with(magic)) {
            walk.code_text(&arg.with_text(body));
        }
        return;
    }
    for line in arg.text.lines().map(str::trim_start) {
        if let Some(command) = line.strip_prefix('!').or_else(|| line.strip_prefix("%sx ")) {
            walk.code_text(&arg.with_text(command));
        }
    }
}

struct Reader<'r, 'a> {
    walk: &'r mut Walk<'a>,
    language: Language,
    calls: &'static Calls,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    variables: HashMap<String, Value>,
    printed: Taint,
    output: Output,
    /// Where what was given to calls that no list names came from.
    handed_on: Taint,
    /// Which value of a list loops are at in this reading, and how many values the longest list has.
    choice: usize,
    choices: usize,
    /// Functions of the code's own, from one reading to the next, and in which of them this is.
    functions: &'r mut functions::Functions,
    within: Option<String>,
    arg: &'r Arg,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn before(&self, back: usize) -> Option<&Token> {
        self.at.checked_sub(back).and_then(|at| self.tokens.get(at))
    }

    fn eat(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn expression(&mut self) -> Value {
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
                    left = Value::unknown(left.taint.with(right.taint));
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

    fn primary(&mut self) -> Value {
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
                if bare && begins && self.calls.is_command(&name) {
                    let args = self.arguments(None);
                    return self.call(&name, None, &args);
                }
                // `exec { PROGRAM } NAME, ARGUMENTS`
                if self.language == Language::Perl && matches!(name.as_str(), "exec" | "system") && self.eat('{') {
                    let mut words = self.arguments(Some('}'));
                    words.extend(self.arguments(None).into_iter().skip(1));
                    return self.call(&name, None, &words);
                }
                // `grep { CONDITION } LIST`: some of the list
                if self.language == Language::Perl && matches!(name.as_str(), "grep" | "sort") && self.eat('{') {
                    self.arguments(Some('}'));
                    let items = self.arguments(None);
                    return match <[Value; 1]>::try_from(items) {
                        Ok([one]) => one,
                        Err(items) => Value::list(items),
                    };
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
            Token::Sign(')' | ']' | '}' | ',') | Token::End => Value::default(),
            _ => {
                self.at += 1;
                Value::default()
            }
        }
    }

    fn postfix(&mut self) -> Value {
        let mut value = self.primary();
        loop {
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
                        return self.effect(super::languages::Does::Shell, "!", Some(&value), &[]);
                    }
                    let Some(Token::Name(member)) = self.peek_at(1).cloned() else { return value };
                    if dot_joins {
                        return value;
                    }
                    self.at += 2;
                    if self.peek() == Some(&Token::Sign('(')) {
                        self.at += 1;
                        self.parameters(&value);
                        let args = self.arguments(Some(')'));
                        value = self.method(value, &member, &args);
                        self.block(&value);
                    } else if self.language == Language::Ruby
                        && value.name.as_deref().is_some_and(|receiver| self.begins_argument(receiver, &member))
                    {
                        let args = self.arguments(None);
                        value = self.method(value, &member, &args);
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
                        } else if let Some(attribute) = self.attribute(&dotted, &member) {
                            attribute
                        } else {
                            let taint = if is_environment(&dotted) { Taint::TOKEN } else { value.taint };
                            Value { taint, ..Value::name(dotted) }
                        };
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
                // `(0, eval)(text)`
                Some(Token::Sign('(')) if called_indirectly(&value).is_some() => {
                    self.at += 1;
                    let args = self.arguments(Some(')'));
                    let name = called_indirectly(&value).unwrap_or_default().to_owned();
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
                Some(Token::Sign('[')) if self.language == Language::Python && self.slices(&value).is_some() => {
                    value = self.slices(&value).unwrap_or_default();
                    let length = self.tokens.iter().skip(self.at).position(|t| *t == Token::Sign(']'));
                    self.at += length.map_or(1, |length| length + 1);
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
                Some(Token::Sign('{')) if value.name.as_deref() == Some("ENV") => {
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
            _ => self.calls.find(&format!("{receiver}.{member}")) == Some(super::languages::Does::DropDatabase),
        }
    }

    /// Reads values up to the closing sign, or to the end of the line without one. Keyword arguments count as values.
    fn arguments(&mut self, close: Option<char>) -> Vec<Value> {
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
                        // the key of a member
                        if let (Some('}'), Some(Token::Text { .. }), Some(Token::Sign(':'))) =
                            (close, self.peek(), self.peek_at(1))
                        {
                            self.at += 2;
                        }
                        // the name of a keyword argument, unless it is compared
                        if let (Some(Token::Name(_)), Some(Token::Sign('=' | ':'))) = (self.peek(), self.peek_at(1))
                            && !matches!(self.peek_at(2), Some(Token::Sign('=')))
                            && close.is_some()
                        {
                            self.at += 2;
                        }
                        // `lapply(values, function(name) ..)`
                        if let ([values], Language::R | Language::Php) = (items.as_slice(), self.language) {
                            let values = values.clone();
                            self.parameters(&values);
                        }
                        let value = self.expression();
                        items.push(value);
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

/// The name of a command that is being put together.
pub(super) const COMMAND: &str = "command to be";

/// In front of the path of a file that is open to be written, which is what its value is named.
pub(super) const OPEN_FILE: &str = "open file ";

/// The name of the function that stands last in `(0, name)`.
fn called_indirectly(value: &Value) -> Option<&str> {
    value.list.as_ref()?.last()?.name.as_deref()
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

/// The whole environment, as one value.
fn is_environment(name: &str) -> bool {
    matches!(name, "os.environ" | "process.env" | "ENV" | "environ" | "Deno.env" | "Bun.env")
}

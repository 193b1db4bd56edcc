//! Follows the calls of inline code whose arguments can be told. Code that only computes has no effects.

mod closures;
mod effects;
mod statements;
mod unlisted;

use std::collections::HashMap;

use rampart_call::EffectKind;

use super::languages::Calls;
use super::tokens::{Token, tokens};
use crate::knowledge::Language;
use crate::value::{Arg, Flow, Taint};
use crate::walk::Walk;

/// Deepest nesting of expressions that is followed.
const MAX_DEPTH: usize = 60;

/// What is known of an expression's value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: Option<String>,
    /// The text holds `$_` for what is computed.
    pub(super) partly: bool,
    pub(super) list: Option<Vec<Value>>,
    /// A dotted name: a module, a function, a variable that nobody assigned.
    pub(super) name: Option<String>,
    pub(super) taint: Taint,
    /// The path of something that lies in a folder that was listed; behind the folder's own path it stands for itself.
    pub(super) below: bool,
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    fn name(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    pub(super) fn unknown(taint: Taint) -> Self {
        Self { taint, ..Self::default() }
    }

    /// The value as a word of a command.
    pub(super) fn arg(&self, span: rampart_call::Span) -> Arg {
        match &self.text {
            Some(text) => {
                let shape = self.partly.then(|| text.replace("$_", "*"));
                let glob = text.contains('*');
                Arg { taint: self.taint, shape, quoted: true, glob, ..Arg::literal(text.clone(), span) }
            }
            None => Arg::unresolved(self.name.as_deref().unwrap_or("?"), self.taint, span),
        }
    }
}

/// Follows the code of a word.
pub(super) fn look(walk: &mut Walk<'_>, language: Language, arg: &Arg) -> Flow {
    let Some(calls) = Calls::of(language) else {
        walk.note(EffectKind::Opaque, "inline-code");
        return Flow::unknown(Taint::NONE);
    };
    if is_bomb(&arg.text) {
        walk.note(EffectKind::Exec, "fork-bomb");
    }
    if language == Language::Python {
        notebook_commands(walk, arg);
    }
    let mut reader = Reader {
        walk,
        language,
        calls,
        tokens: tokens(language, &arg.text),
        at: 0,
        depth: 0,
        variables: HashMap::new(),
        printed: Taint::NONE,
        output: None,
        handed_on: Taint::NONE,
        arg,
    };
    reader.comprehensions();
    reader.program();
    reader.leaves();
    let Reader { printed, output, .. } = reader;
    // one text that is printed is what comes out
    match output {
        Some(Some(text)) => Flow::known(text, printed),
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

pub(super) struct Reader<'r, 'a> {
    pub(super) walk: &'r mut Walk<'a>,
    pub(super) language: Language,
    calls: &'static Calls,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    variables: HashMap<String, Value>,
    pub(super) printed: Taint,
    /// What is printed, where it is one text; none within where it is more, or cannot be told.
    pub(super) output: Option<Option<String>>,
    /// Where what was given to calls that no list names came from.
    pub(super) handed_on: Taint,
    pub(super) arg: &'r Arg,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn eat(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found
    }

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
                    self.at += if *sign == ':' { 2 } else { 1 };
                    let value = self.expression();
                    self.variables.insert(name, value);
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
                    Err(items) => Value { taint: taint_of(&items), list: Some(items), ..Value::default() },
                }
            }
            Token::Sign('[') => {
                self.at += 1;
                let items = self.arguments(Some(']'));
                Value { taint: taint_of(&items), list: Some(items), ..Value::default() }
            }
            Token::Sign('{') => {
                self.at += 1;
                let items = self.arguments(Some('}'));
                Value::unknown(taint_of(&items))
            }
            Token::Sign(')' | ']' | '}' | ',') | Token::End => Value::default(),
            _ => {
                self.at += 1;
                Value::default()
            }
        }
    }

    fn text_value(&mut self, text: String, holes: &[String]) -> Value {
        if holes.is_empty() {
            return Value::text(text);
        }
        let mut taint = Taint::NONE;
        let mut out = text;
        let mut partly = false;
        for hole in holes {
            let value = match self.variables.get(hole.trim()) {
                Some(value) => value.clone(),
                None if hole.starts_with("ENV{$") => Value::unknown(Taint::TOKEN),
                None if hole.starts_with("ENV{") => {
                    self.variable(hole.trim_start_matches("ENV{").trim_matches(['}', '\'', '"']))
                }
                None if hole.len() < 3 || !hole.contains(['(', '`', '.', '[']) || self.depth >= MAX_DEPTH => {
                    Value::default()
                }
                None => {
                    // the hole is code of its own
                    let outer = std::mem::replace(&mut self.tokens, tokens(self.language, hole));
                    let at = std::mem::replace(&mut self.at, 0);
                    self.depth += 10;
                    let value = self.expression();
                    self.depth -= 10;
                    self.tokens = outer;
                    self.at = at;
                    value
                }
            };
            taint = taint.with(value.taint);
            match value.text {
                Some(text) if value.below => {
                    out = out.split_once("$_").map_or(text.clone(), |(_, rest)| format!("{text}{rest}"));
                }
                Some(text) if !value.partly => out = out.replacen("$_", &text, 1),
                _ => partly = true,
            }
        }
        Value { text: Some(out), partly, taint, ..Value::default() }
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
                Some(Token::Sign('(')) if value.list.is_none() && value.text.is_none() => {
                    self.at += 1;
                    let args = self.arguments(Some(')'));
                    value = Value::unknown(value.taint.with(taint_of(&args)));
                }
                Some(Token::Sign('[')) if value.name.is_some() || value.list.is_some() || value.text.is_some() => {
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
            _ => false,
        }
    }

    /// `environ[NAME] = value`: a variable for the programs that are started.
    fn variable_set(&mut self, place: &Value, index: &[Value]) {
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

    fn index(&mut self, value: &Value, index: &[Value]) -> Value {
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
            // `fs["rmSync"]`
            (Some(name), Some(key)) if !key.is_empty() => Value::name(format!("{name}.{key}")),
            _ => match (&value.list, index.first().and_then(|v| v.text.as_ref()).and_then(|t| t.parse::<usize>().ok()))
            {
                (Some(list), Some(at)) => list.get(at).cloned().unwrap_or_default(),
                _ => Value::unknown(value.taint),
            },
        }
    }

    /// The value of an environment variable.
    pub(super) fn variable(&self, name: &str) -> Value {
        if name == "HOME" {
            return Value::text(self.walk.home().to_owned());
        }
        Value::unknown(if crate::walk::is_secret_name(name) { Taint::TOKEN } else { Taint::NONE })
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
                    let statement =
                        matches!((self.peek(), self.peek_at(1)), (Some(Token::Name(_)), Some(Token::Name(_))))
                            || matches!((self.peek(), self.peek_at(1)), (Some(Token::Name(_)), Some(Token::Sign('='))));
                    if statement && close == Some('}') {
                        self.assignment();
                    }
                    if self.at == before {
                        // the name of a keyword argument, unless it is compared
                        if let (Some(Token::Name(_)), Some(Token::Sign('=' | ':'))) = (self.peek(), self.peek_at(1))
                            && !matches!(self.peek_at(2), Some(Token::Sign('=')))
                            && close.is_some()
                        {
                            self.at += 2;
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

    fn method(&mut self, receiver: Value, member: &str, args: &[Value]) -> Value {
        if let Some(path) = receiver.name.as_deref().and_then(|name| name.strip_prefix(OPEN_FILE)) {
            if member.starts_with("write") {
                self.keep(path, args.first());
            }
            return Value::unknown(receiver.taint);
        }
        // `"COMMAND".execute()`
        if self.language == Language::Java && member == "execute" && receiver.text.is_some() {
            return self.effect(super::languages::Does::Shell, member, Some(&receiver), args);
        }
        // `Command::new(PROGRAM).arg(WORD).args([WORD, ..]).spawn()`
        if receiver.name.as_deref() == Some(COMMAND) {
            let mut words = receiver.list.clone().unwrap_or_default();
            match member {
                "arg" | "args" => {
                    let more = args.iter().flat_map(|a| a.list.clone().unwrap_or_else(|| vec![a.clone()]));
                    words.extend(more.take(64));
                }
                "output" | "spawn" | "status" | "exec" => {
                    let all = Value { list: Some(words), ..Value::default() };
                    return self.effect(super::languages::Does::Run, "run", None, &[all]);
                }
                _ => {}
            }
            return Value { list: Some(words), ..receiver };
        }
        match (&receiver.name, &receiver.text) {
            (Some(name), None) => {
                let dotted = format!("{name}.{member}");
                self.call(&dotted, Some(&receiver), args)
            }
            _ => self.call(&format!("_.{member}"), Some(&receiver), args),
        }
    }

    fn call(&mut self, name: &str, receiver: Option<&Value>, args: &[Value]) -> Value {
        let hidden_shell =
            self.language == Language::Js && name.ends_with(".exec") && self.arg.text.contains("child_process");
        let does = if hidden_shell { Some(super::languages::Does::Shell) } else { self.calls.find(name) };
        // `map(os.remove, paths)`
        if let ("map", [Value { name: Some(called), .. }, rest @ ..]) = (name, args)
            && let Some(does) = self.calls.find(called)
        {
            return self.effect(does, called, None, rest);
        }
        // `.then(eval)`, `map(exec, lines)`
        let runs_what_it_gets = |value: &Value| {
            value.name.as_deref().is_some_and(|n| self.calls.find(n) == Some(super::languages::Does::Eval))
        };
        if args.iter().any(runs_what_it_gets) {
            self.walk.note(EffectKind::Opaque, "computed-code");
        }
        let Some(does) = does else {
            self.unlisted(name, receiver, args);
            if unlisted::only_counts(name) {
                return Value::default();
            }
            if matches!(name, "getattr") || name.ends_with("__getattribute__") {
                // an attribute by a literal name is as good as a dot
                if let [Value { name: Some(module), .. }, Value { text: Some(member), partly: false, .. }, ..] = args {
                    return Value::name(format!("{module}.{member}"));
                }
                self.walk.note(EffectKind::Opaque, "inline-code");
            }
            let taint = taint_of(args).with(receiver.map_or(Taint::NONE, |r| r.taint));
            // what is joined or formatted is still what it was made of
            if let (Some(Value { text: Some(glue), .. }), [Value { text: Some(_), list: None, .. }]) = (receiver, args)
                && glue.is_empty()
                && name.ends_with(".join")
            {
                return args.first().cloned().unwrap_or_default();
            }
            if let (Some(Value { text: Some(glue), .. }), [Value { list: Some(items), .. }]) = (receiver, args)
                && name.ends_with(".join")
                && items.iter().all(|i| i.text.is_some() && !i.partly)
            {
                let texts: Vec<&str> = items.iter().filter_map(|i| i.text.as_deref()).collect();
                return Value { taint, ..Value::text(texts.join(glue)) };
            }
            return Value::unknown(taint);
        };
        self.keys_among(name, does, args);
        self.effect(does, name, receiver, args)
    }
}

/// The name of a command that is being put together.
pub(super) const COMMAND: &str = "command to be";

/// In front of the path of a file that is open to be written, which is what its value is named.
pub(super) const OPEN_FILE: &str = "open file ";

/// Words in front of a value that change nothing about it.
fn is_prefix(language: Language, word: &str) -> bool {
    match language {
        Language::Python => matches!(word, "await" | "yield" | "return" | "not" | "lambda"),
        Language::Js | Language::Mongo | Language::Php => {
            matches!(word, "await" | "new" | "return" | "yield" | "throw" | "void" | "typeof")
        }
        Language::Perl => matches!(word, "return" | "not" | "new"),
        Language::Ruby | Language::Lua => matches!(word, "return" | "not"),
        _ => false,
    }
}

/// The whole environment, as one value.
fn is_environment(name: &str) -> bool {
    matches!(name, "os.environ" | "process.env" | "ENV" | "environ" | "Deno.env" | "Bun.env")
}

pub(super) fn taint_of(values: &[Value]) -> Taint {
    values.iter().fold(Taint::NONE, |t, v| t.with(v.taint))
}

fn join(left: &Value, between: &str, right: &Value) -> Value {
    let taint = left.taint.with(right.taint);
    match (&left.text, &right.text) {
        (None, None) => Value::unknown(taint),
        (_, Some(_)) if right.below => Value { taint, ..right.clone() },
        (a, b) => {
            let text = format!("{}{between}{}", a.as_deref().unwrap_or("$_"), b.as_deref().unwrap_or("$_"));
            let partly = left.partly || right.partly || a.is_none() || b.is_none();
            Value { text: Some(text), partly, taint, ..Value::default() }
        }
    }
}

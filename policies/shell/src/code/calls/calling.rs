//! Calls: which name is meant, and what it is given.

use rampart_call::EffectKind;

use super::{COMMAND, OPEN_FILE, Reader, Value, join, taint_of, unlisted};
use crate::code::languages::Does;
use crate::knowledge::Language;
use crate::value::MAX_TEXT;
use crate::value::Taint;

/// How many values are joined to one text.
const MOST_GLUED: usize = 256;

/// Attributes that run or destroy something, whatever they are attributes of.
const RUNS: [&str; 14] = [
    "system", "popen", "exec", "eval", "spawn", "call", "run", "import", "remove", "unlink", "rmtree", "compile",
    "builtins", "globals",
];

impl Reader<'_, '_> {
    pub(super) fn method(&mut self, receiver: Value, member: &str, args: &[Value]) -> Value {
        if let Some(path) = receiver.name.as_deref().and_then(|name| name.strip_prefix(OPEN_FILE)) {
            if member.starts_with("write") {
                self.keep(path, args.first());
            }
            return Value::unknown(receiver.taint);
        }
        // `"COMMAND".execute()`
        if self.language == Language::Java && member == "execute" && receiver.text.is_some() {
            return self.effect(Does::Shell, member, Some(&receiver), args);
        }
        // `Command::new(PROGRAM).arg(WORD).args([WORD, ..]).spawn()`
        if receiver.name.as_deref() == Some(COMMAND) {
            let mut words = receiver.list.clone().unwrap_or_default();
            match member {
                "arg" | "args" => {
                    let more = args.iter().flat_map(|a| a.list.clone().unwrap_or_else(|| vec![a.clone()]));
                    words.extend(more.take(64));
                }
                "output" | "spawn" | "status" | "exec" | "outputSync" => {
                    let all = Value { list: Some(words), ..Value::default() };
                    return self.effect(Does::Run, "run", None, &[all]);
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

    pub(super) fn call(&mut self, name: &str, receiver: Option<&Value>, args: &[Value]) -> Value {
        // `globalThis["eval"]`
        let name = ["globalThis.", "global.", "window."]
            .iter()
            .find_map(|all| name.strip_prefix(all).filter(|_| self.language == Language::Js))
            .unwrap_or(name);
        // `receiver.send(:name, ..)` of Ruby
        if let (Language::Ruby, [Value { text: Some(member), partly: false, .. }, rest @ ..]) = (self.language, args)
            && ["send", "public_send", "__send__"].contains(&name.rsplit('.').next().unwrap_or(name))
            && member.len() < MAX_TEXT
        {
            let module = name.rsplit_once('.').map(|(module, _)| Value::name(module)).filter(|_| receiver.is_none());
            let (member, receiver) = (member.clone(), receiver.cloned().or(module).unwrap_or_default());
            return match &receiver {
                Value { name: None, text: None, list: None, .. } => self.call(&member, None, rest),
                _ => self.method(receiver, &member, rest),
            };
        }
        if let Some(text) = formatted(self.language, name, receiver, args) {
            return text;
        }
        let hidden_shell = self.language == Language::Js
            && name.ends_with(".exec")
            && name != "RegExp.exec"
            && self.arg.text.contains("child_process");
        let does = if hidden_shell { Some(Does::Shell) } else { self.calls.find(name) };
        // `map(os.remove, paths)`
        if let ("map", [Value { name: Some(called), .. }, rest @ ..]) = (name, args)
            && let Some(does) = self.calls.find(called)
        {
            // `map(str, values)`
            if let (Does::Same, [values @ Value { list: Some(_), .. }]) = (does, rest) {
                return values.clone();
            }
            let each: Vec<Value> = rest.iter().map(|values| self.one_of(values)).collect();
            return self.effect(does, called, None, &each);
        }
        if let Some(value) = self.among(name, receiver, args).or_else(|| glued(self.language, name, args)) {
            return value;
        }
        // `.then(eval)`, `map(exec, lines)`
        let runs_what_it_gets =
            |value: &Value| value.name.as_deref().is_some_and(|n| self.calls.find(n) == Some(Does::Eval));
        if args.iter().any(runs_what_it_gets) {
            self.walk.note(EffectKind::Opaque, "computed-code");
        }
        // `Thread(target=os.system, args=(..))`, `atexit.register(os.system, ..)`: called with what stands beside it
        if does.is_none()
            && let Some((at, called, known)) = args.iter().enumerate().find_map(|(at, value)| {
                let name = value.name.as_deref()?;
                Some((at, name.to_owned(), self.calls.find(name).filter(|d| d.acts())?))
            })
        {
            let rest: Vec<Value> =
                args.iter().skip(at + 1).flat_map(|a| a.list.clone().unwrap_or_else(|| vec![a.clone()])).collect();
            // `paths.forEach(File::delete)`
            let each = receiver.filter(|value| name.ends_with(".forEach") && value.text.is_some());
            let each = each.map(|value| self.one_of(value));
            if let Some(each) = each.filter(|_| rest.is_empty()) {
                self.effect(known, &called, Some(&each), &[]);
            } else if !rest.is_empty() {
                self.effect(known, &called, None, &rest);
            }
            return Value::name(called);
        }
        let Some(does) = does else {
            let own = name.rsplit('.').next().unwrap_or(name);
            self.called(own, args);
            self.unlisted(name, receiver, args);
            if let Some(value) = self.result(own) {
                return value;
            }
            if unlisted::only_counts(name) {
                return Value::default();
            }
            if matches!(name, "getattr") || name.ends_with("__getattribute__") {
                // an attribute by a literal name is as good as a dot
                if let [Value { name: Some(module), .. }, Value { text: Some(member), partly: false, .. }, ..] = args {
                    return Value::name(format!("{module}.{member}"));
                }
                if let [_, Value { text: Some(member), partly: false, .. }, ..] = args
                    && !RUNS.contains(&member.trim_matches('_'))
                {
                    return Value::name(format!("_.{member}"));
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
            // `["a", "b"].join("/")`
            if let (Some(Value { list: Some(items), .. }), [] | [Value { text: Some(_), .. }]) = (receiver, args)
                && name == "_.join"
                && items.iter().all(|i| i.text.is_some() && !i.partly)
            {
                let usual = if self.language == Language::Js { "," } else { "" };
                let glue = args.first().and_then(|glue| glue.text.as_deref()).unwrap_or(usual);
                let texts: Vec<&str> = items.iter().filter_map(|i| i.text.as_deref()).collect();
                return Value { taint, ..Value::text(texts.join(glue)) };
            }
            return Value::unknown(taint);
        };
        self.keys_among(name, does, args);
        self.effect(does, name, receiver, args)
    }
}

impl Reader<'_, '_> {
    /// One of a list, or its items with their numbers or with those of other lists.
    fn among(&mut self, name: &str, receiver: Option<&Value>, args: &[Value]) -> Option<Value> {
        let list = |value: &Value| value.list.clone();
        let of = receiver.filter(|value| value.list.is_some() || value.members.is_some());
        let first = || args.first().filter(|value| value.list.is_some() || value.members.is_some());
        let key = |value: &Value| value.key.as_deref().map_or_else(Value::default, Value::text);
        let numbered = |items: Vec<Value>| vec![items.iter().map(key).collect(), items];
        let lists: Vec<Vec<Value>> = match (name, of) {
            ("_.pop" | "_.shift" | "_.popleft" | "_.sample" | "_.at" | "_.get", Some(of)) => {
                return Some(self.one_of(of));
            }
            ("random.choice" | "next", _) => return first().cloned().map(|value| self.one_of(&value)),
            ("iter", _) => return first().cloned(),
            ("Deno.env.toObject", _) => return Some(Value { taint: Taint::TOKEN, ..Value::name("process.env") }),
            ("_.iter" | "_.into_iter" | "_.cloned" | "_.to_vec", Some(of)) => return Some(of.clone()),
            ("c" | "list", _) if self.language == Language::R => return Some(Value::list(args.to_vec())),
            ("reversed", _) => return Some(Value::list(args.first().and_then(list)?.into_iter().rev().collect())),
            ("partial" | "functools.partial", _) => {
                return args.first().filter(|called| called.name.is_some()).cloned();
            }
            ("reduce" | "functools.reduce", _) => {
                let called = args.first()?.name.clone()?;
                return Some(self.call(&called, None, &args.get(1).and_then(list)?));
            }
            ("product" | "itertools.product", _) => {
                return product(&args.iter().map(list).collect::<Option<Vec<_>>>()?);
            }
            ("keys" | "_.keys" | "Object.keys", _) => {
                let items = of.or_else(first)?.members.clone()?;
                return Some(Value::list(items.iter().map(key).collect()));
            }
            ("_.values", Some(of)) => return of.members.clone().map(Value::list),
            ("Object.values", _) => return first()?.members.clone().map(Value::list),
            ("_.items" | "_.entries", Some(of)) => numbered(of.members.clone().or(of.list.clone())?),
            ("Object.entries", _) => numbered(first()?.members.clone()?),
            ("enumerate" | "ipairs" | "pairs", _) => numbered(args.first().and_then(list)?),
            ("zip", _) => args.iter().map(list).collect::<Option<_>>()?,
            _ => return None,
        };
        let length = lists.iter().map(Vec::len).min()?;
        let nth = |at| Value::list(lists.iter().filter_map(|items| items.get(at).cloned()).collect());
        Some(Value::list((0..length).map(nth).collect()))
    }
}

/// Every value of a list with every one of another.
fn product(lists: &[Vec<Value>]) -> Option<Value> {
    let [ones, others] = lists else { return None };
    let pairs =
        ones.iter().flat_map(|one| others.iter().map(move |other| Value::list(vec![one.clone(), other.clone()])));
    Some(Value::list(pairs.take(MOST_GLUED).collect()))
}

/// `join("/", LIST)` of Perl, `implode("/", LIST)` of PHP, `paste0(..)` and `paste(.., sep = "/")` of R, `table.concat(LIST, "/")`
/// of Lua.
fn glued(language: Language, name: &str, args: &[Value]) -> Option<Value> {
    let (glue, items) = match (language, name, args) {
        (Language::Perl, "join", [glue, items @ ..]) | (Language::Php, "implode" | "join", [glue, items @ ..]) => {
            (glue.text.as_deref()?, items)
        }
        (Language::Lua, "table.concat", [items, rest @ ..]) => {
            (rest.first().map_or(Some(""), |glue| glue.text.as_deref())?, std::slice::from_ref(items))
        }
        (Language::R, "paste0", items) => ("", items),
        // a sign alone that stands last is what stands between them
        (Language::R, "paste", [items @ .., last]) => match last.text.as_deref() {
            Some(glue) if glue.len() < 2 && !glue.chars().any(char::is_alphanumeric) => (glue, items),
            _ => (" ", args),
        },
        _ => return None,
    };
    let items = items.iter().flat_map(|item| item.list.clone().unwrap_or_else(|| vec![item.clone()]));
    let mut items = items.take(MOST_GLUED);
    let first = items.next()?;
    Some(items.fold(first, |left, right| join(&left, glue, &right)))
}

/// `"{}/{}".format(a, b)`, `format!("{}/{}", a, b)`, `sprintf("%s/%s", a, b)`: the text with what it is given.
fn formatted(language: Language, name: &str, receiver: Option<&Value>, args: &[Value]) -> Option<Value> {
    let braces: fn(&str) -> Option<&str> = |rest| rest.strip_prefix('{')?.split_once('}').map(|(_, after)| after);
    let percent: fn(&str) -> Option<&str> = |rest| rest.strip_prefix('%')?.strip_prefix(['s', 'd', 'v', 'q', 'i', 'u']);
    match (name.rsplit('.').next()?, receiver.and_then(|value| value.text.as_deref()), args) {
        ("format", Some(pattern), values) => Some(filled(pattern, values, braces)),
        ("format" | "sprintf" | "Sprintf", None, [pattern, values @ ..]) => {
            let text =
                filled(pattern.text.as_deref()?, values, if language == Language::Rust { braces } else { percent });
            Some(Value { taint: text.taint.with(pattern.taint), partly: text.partly || pattern.partly, ..text })
        }
        _ => None,
    }
}

/// A text whose places are filled with values, one after the other. `place` gives what follows a place at the start.
pub(super) fn filled(pattern: &str, values: &[Value], place: impl Fn(&str) -> Option<&str>) -> Value {
    let mut out = String::new();
    let mut values = values.iter();
    let mut partly = false;
    let mut taint = Taint::NONE;
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if out.len() > MAX_TEXT {
            return Value::unknown(taint);
        }
        match place(rest) {
            Some(after) => {
                let value = values.next().cloned().unwrap_or_default();
                taint = taint.with(value.taint);
                partly |= value.text.is_none() || value.partly;
                out.push_str(value.text.as_deref().unwrap_or("$_"));
                rest = after;
            }
            None => {
                out.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or("");
            }
        }
    }
    Value { partly, taint, ..Value::text(out) }
}

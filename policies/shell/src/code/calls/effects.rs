//! What a call that is known does.

use rampart_call::{Certainty, EffectKind, Target};

use super::values::Output;
use super::{OPEN_FILE, Reader, Value, taint_of};
use crate::code::languages::Does;
use crate::knowledge::Language;
use crate::value::{Arg, Flow, Taint};
use crate::walk::is_temporary;

/// Where a language's packages lie, by any of the ways to ask.
const PACKAGES: &str = "/usr/lib/python3/site-packages";

/// The name of a value that holds credentials.
const CREDENTIALS: &str = "credentials";

/// A module by the name that it is loaded under.
pub(super) fn module(name: &str) -> String {
    name.trim_start_matches("node:").trim_end_matches("/promises").to_owned()
}

/// The store that a call reads where it is told none, below the home.
fn default_store(name: &str) -> Option<&'static str> {
    name.contains("netrc").then_some(".netrc")
}

impl Reader<'_, '_> {
    pub(super) fn effect(&mut self, does: Does, name: &str, receiver: Option<&Value>, args: &[Value]) -> Value {
        let taint = taint_of(args).with(receiver.map_or(Taint::NONE, |r| r.taint));
        let span = self.arg.span;
        // `Path("x").unlink()`: the receiver is the argument
        let own = receiver.filter(|r| r.text.is_some());
        // `Function("a", "b", CODE)`
        let last = (does == Does::Eval && name == "Function").then(|| args.last()).flatten();
        let mut first = own.or(last).or(args.first()).cloned().unwrap_or_default();
        // `unlink(LIST)`: each of them
        let files =
            matches!(does, Does::Read | Does::Write | Does::Open | Does::Delete | Does::DeleteTree | Does::Chmod);
        if files && first.text.is_none() && first.list.is_some() {
            first = self.one_of(&first);
        }
        let word = first.arg(span);
        match does {
            Does::Shell => self.shell(&first, args),
            Does::Run => {
                let last = name.rsplit('.').next().unwrap_or(name);
                if last.starts_with("exec") && last != "execFile" && last != "execFileSync" && last != "execa"
                    || last.starts_with("spawn") && self.language == Language::Python && name != "pty.spawn"
                {
                    return self.replace(args);
                }
                self.run(&first, args)
            }
            Does::RunFile => {
                if first.text.is_some() && !first.partly {
                    let language = self.language;
                    self.walk.nested(name, |walk| walk.file_of_code(language, &word, Vec::new()));
                }
                Value::unknown(taint)
            }
            Does::Schedule => {
                self.walk.note(EffectKind::Persist, "crontab");
                Value::default()
            }
            Does::Enter => {
                self.walk.enter(&word);
                Value::default()
            }
            Does::SetVariable => {
                if let Some(text) = &first.text {
                    let (name, value) = text.split_once('=').unwrap_or((text, ""));
                    let value = args.get(1).map_or_else(|| Arg::literal(value, span), |v| v.arg(span));
                    self.walk.variable_carries_code(name, Some(&value));
                }
                Value::default()
            }
            Does::Command => {
                let words = args.iter().flat_map(|a| a.list.clone().unwrap_or_else(|| vec![a.clone()])).take(64);
                Value { list: Some(words.collect()), ..Value::name(super::COMMAND) }
            }
            Does::Below => match &first.text {
                Some(text) => {
                    let pattern = args.first().filter(|_| own.is_some() && name.ends_with("glob"));
                    let pattern = pattern.and_then(|pattern| pattern.text.as_deref()).unwrap_or("*");
                    let pattern = if pattern.contains("**") { "*" } else { pattern };
                    let path = format!("{}/{pattern}", text.trim_end_matches('/'));
                    Value { taint, partly: first.partly, below: true, ..Value::text(path) }
                }
                None => Value::unknown(taint),
            },
            Does::Eval => {
                if first.text.is_none() && first.taint == Taint::NONE && args.is_empty() {
                    return Value::default();
                }
                if name == "import"
                    || self.language == Language::Php && name.starts_with("include")
                    || name.starts_with("require")
                {
                    return Value::default();
                }
                if self.language == Language::Perl && matches!(name, "do" | "require") {
                    return Value::default();
                }
                let language = self.language;
                self.walk.inline(language, &word);
                Value::unknown(taint)
            }
            Does::Import => {
                // `import("data:text/javascript," + code)`
                if taint.has(Taint::DECODED.with(Taint::DOWNLOADED)) && (first.text.is_none() || first.partly) {
                    self.walk.note(EffectKind::Opaque, "inline-code");
                }
                match first.text {
                    Some(text) => Value { name: Some(module(&text)), ..Value::default() },
                    None => Value::unknown(taint),
                }
            }
            Does::Read => self.read(&word, taint),
            // `Path("x").open("a")`
            Does::Open if own.is_some() && self.language == Language::Python => {
                let all: Vec<Value> = own.cloned().into_iter().chain(args.iter().cloned()).collect();
                self.open(&first, &all, taint)
            }
            Does::Open => self.open(&first, args, taint),
            Does::Write => {
                if let Some(path) = &first.text {
                    self.walk.write(&word, "");
                    self.keep(path, if own.is_some() { args.first() } else { args.get(1) });
                }
                Value::unknown(taint)
            }
            Does::Delete | Does::DeleteTree => {
                self.walk.delete(&word, does == Does::DeleteTree, "");
                Value::default()
            }
            Does::Move => {
                self.walk.moved(&word, None);
                if let Some(to) = if own.is_some() { args.first() } else { args.get(1) } {
                    let to = to.arg(span);
                    self.walk.write(&to, "");
                }
                Value::default()
            }
            Does::Copy => {
                // whole trees too
                let far = first.text.as_deref().is_some_and(|t| t.contains("://"));
                let flow = match &first.text {
                    Some(_) if far => self.read(&word, taint).taint,
                    Some(_) => taint.with(self.walk.read(&word, true).taint),
                    None => taint,
                };
                if let Some(to) = if own.is_some() { args.first() } else { args.get(1) }.filter(|v| v.text.is_some()) {
                    let path = to.text.clone().unwrap_or_default();
                    let to = to.arg(span);
                    self.walk.write(&to, "");
                    self.keep(&path, Some(&Value::unknown(flow)));
                    if name.contains("symlink") || name.contains("ln_s") {
                        self.walk.remember_link(&to, &word);
                    }
                }
                Value::unknown(flow)
            }
            Does::Chmod => {
                self.walk.chmod(&word, false, "");
                Value::default()
            }
            Does::Fetch => {
                let url = args.iter().find(|a| a.text.as_deref().is_some_and(|t| t.contains("://"))).unwrap_or(&first);
                self.walk.net_url(&url.arg(span), "");
                if ["urlretrieve", "download.file", "getstore", "mirror"].iter().any(|saves| name.ends_with(saves))
                    && let Some(path) = args.get(1).and_then(|to| to.text.clone())
                {
                    self.keep(&path, Some(&Value::unknown(Taint::DOWNLOADED)));
                }
                let sent = taint_of(args);
                if sent.has(Taint::SECRET.with(Taint::TOKEN).with(Taint::LOCAL)) {
                    let host = url.text.as_deref().and_then(crate::host::of_url).map(|p| Target::Host {
                        host: p.host,
                        port: p.port,
                        url: None,
                    });
                    self.walk.send(sent, host.as_ref());
                }
                Value::unknown(Taint::DOWNLOADED)
            }
            // a database that is a file
            Does::Connect
                if name.contains("sqlite") || first.text.as_deref().is_some_and(|t| t.starts_with("file:")) =>
            {
                Value::default()
            }
            Does::Connect => {
                let turned: Vec<Value>;
                let mut items = first.list.as_deref().unwrap_or(args);
                // `net.connect(PORT, HOST)`
                if let (Language::Js, [port, host, ..]) = (self.language, items)
                    && port.text.as_deref().is_some_and(|t| t.bytes().all(|b| b.is_ascii_digit()))
                    && host.text.is_some()
                {
                    turned = vec![host.clone(), port.clone()];
                    items = &turned;
                }
                let has_port = items.len() > 1
                    || items
                        .first()
                        .and_then(|v| v.text.as_deref())
                        .is_some_and(|t| t.contains(':') && !t.contains(' '));
                if let Some(host) = items.first().filter(|v| v.text.is_some() && has_port) {
                    let port = items.get(1).and_then(|v| v.text.as_deref()).and_then(|p| p.parse().ok());
                    let (name, own) = crate::host::of_word(host.text.as_deref().unwrap_or(""));
                    let note = if crate::host::is_loopback(&name) { "" } else { "raw-socket" };
                    self.walk.push(
                        EffectKind::Net,
                        Some(Target::Host { host: name, port: port.or(own), url: None }),
                        note,
                    );
                } else if matches!(self.language, Language::Perl) {
                    self.walk.note(EffectKind::Net, "raw-socket");
                }
                Value::unknown(Taint::DOWNLOADED)
            }
            Does::Socket => {
                if self.language == Language::Perl || self.is_raw_socket() {
                    self.walk.note(EffectKind::Net, "raw-socket");
                }
                Value::unknown(Taint::NONE)
            }
            Does::Listen => {
                self.walk.note(EffectKind::Listen, "");
                if name.ends_with("server.test") || self.arg.text.contains("SimpleHTTPRequestHandler") {
                    self.walk.served(&Arg::literal(".", span));
                }
                Value::default()
            }
            Does::Decode => {
                // a number or character alone is no hidden text, and neither is what a file held
                let runs = ["pickle", "marshal", "dill", "joblib", "shelve", "torch"]
                    .iter()
                    .any(|module| name.contains(module));
                if runs && taint.has(Taint::DECODED.with(Taint::DOWNLOADED)) {
                    self.walk.note(EffectKind::Exec, "decode-run");
                }
                let given: Vec<Value> = own.cloned().into_iter().chain(args.iter().cloned()).collect();
                if let Some(text) = self.decoded(name, &given) {
                    // a text that was one before hides nothing
                    let plain = self.language == Language::Js && first.text.as_ref() == Some(&text);
                    // a single character hides nothing, wherever it stands in the list
                    let last = name.to_ascii_lowercase();
                    let small = text.chars().count() < 2
                        && ["chr", "charcode", "codepoint"].iter().any(|end| last.ends_with(end));
                    let taint = if plain || small { taint } else { taint.with(Taint::DECODED) };
                    return Value { taint, ..Value::text(text) };
                }
                let small = first.text.as_deref().is_some_and(|t| t.len() < 4) && first.list.is_none();
                if small { Value::unknown(taint) } else { Value::unknown(taint.with(Taint::DECODED)) }
            }
            Does::Packages => Value { list: Some(vec![Value::text(PACKAGES)]), ..Value::text(PACKAGES) },
            Does::Credentials => {
                if let Some(path) = default_store(name) {
                    let _ = self.walk.read(&Arg::literal(format!("{}/{path}", self.walk.home()), span), false);
                }
                Value { taint: Taint::TOKEN, ..Value::name(CREDENTIALS) }
            }
            Does::Install => {
                self.install(name, args);
                Value::default()
            }
            // `mkstemp` gives a number and the path
            Does::Temporary => {
                let path = Value::text(crate::walk::NEW_FILE);
                if name.ends_with("mkstemp") { Value::list(vec![Value::default(), path]) } else { path }
            }
            Does::Home => Value::text(self.walk.home().to_owned()),
            Does::Join => {
                let parts: Vec<&Value> = own.into_iter().chain(args.iter()).collect();
                let partly = parts.iter().any(|v| v.text.is_none() || v.partly);
                let mut texts: Vec<&str> = parts.iter().map(|v| v.text.as_deref().unwrap_or("$_")).collect();
                if texts.iter().all(|t| *t == "$_") {
                    return Value::unknown(taint);
                }
                // in Python a path that begins at the root begins anew
                let anew = |text: &&str| self.language == Language::Python && text.starts_with('/');
                let from = parts.iter().rposition(|v| v.below).max(texts.iter().rposition(anew));
                texts.drain(..from.unwrap_or(0));
                texts.retain(|text| !text.is_empty());
                Value { partly, taint, ..Value::text(texts.join("/")) }
            }
            Does::Client => Value::name(name.split('.').next().unwrap_or(name)),
            Does::Same => match receiver {
                // a method of the value itself, and not a function of a module
                Some(value) if value.name.is_none() || args.is_empty() => value.clone(),
                // `secret.decode(errors="replace")`
                _ => Value { taint: first.taint.with(receiver.map_or(Taint::NONE, |r| r.taint)), ..first },
            },
            Does::Environment => match &first.text {
                Some(name) => self.variable(name),
                None => Value::unknown(Taint::TOKEN),
            },
            Does::Print => {
                self.printed = self.printed.with(taint);
                let text = match args {
                    [Value { text: Some(text), partly: false, list: None, .. }] => Some(text.clone()),
                    _ => None,
                };
                self.output = match (&self.output, text) {
                    (Output::Nothing, Some(text)) if name != "_.write" => Output::One(text),
                    _ => Output::Other,
                };
                if taint.has(Taint::TOKEN) {
                    self.walk.note(EffectKind::Secret, "secret-variable");
                }
                Value::default()
            }
            Does::Kill => {
                let everything = args.iter().any(|a| matches!(a.text.as_deref(), Some("-1" | "1")));
                if self.arg.text.contains("rampart") {
                    self.walk.named(EffectKind::SelfTamper, "process", "rampart", "rampart-stop");
                }
                self.walk.note(EffectKind::Signal, if everything { "kill-all" } else { "" });
                Value::default()
            }
            // `array_map("strlen", $list)`: a function by its name
            Does::Apply => {
                let called = first.text.clone().or(first.name.clone());
                match called {
                    Some(called) => {
                        let rest = args.iter().skip(1);
                        // `do.call("unlink", list(..))`
                        let inside = if name == "do.call" {
                            args.get(1).and_then(|values| values.list.as_deref())
                        } else {
                            None
                        };
                        if let Some(values) = inside {
                            return self.call(&called, None, values);
                        }
                        let given: Vec<Value> = match name {
                            "array_map" => rest.map(|values| self.one_of(values)).collect(),
                            _ => rest.cloned().collect(),
                        };
                        self.call(&called, None, &given)
                    }
                    None => {
                        // a function that is written here is read like the rest
                        let written =
                            ["fn(", "fn (", "function(", "function ("].iter().any(|f| self.arg.text.contains(f));
                        if taint.has(Taint::DECODED.with(Taint::DOWNLOADED)) || !written && !args.is_empty() {
                            self.walk.note(EffectKind::Opaque, "inline-code");
                        }
                        Value::unknown(taint)
                    }
                }
            }
            Does::Hidden => {
                self.walk.note(EffectKind::Opaque, "inline-code");
                Value::unknown(taint)
            }
            Does::Publish => {
                if self.arg.text.contains("hugging") || name.ends_with("push_to_hub") {
                    self.walk.note(EffectKind::RemoteMutate, "publish");
                }
                Value::unknown(taint)
            }
            Does::DropDatabase if self.language == Language::Mongo && self.is_about_tests(name) => Value::default(),
            Does::DropDatabase => {
                self.walk.note(EffectKind::RemoteMutate, "database-drop");
                Value::default()
            }
        }
    }

    /// `db.NAME.drop()`: of a database of tests, or on this machine what is there for a moment.
    fn is_about_tests(&self, name: &str) -> bool {
        let here = name.starts_with("db.") && !["getSiblingDB", "use "].iter().any(|goes| self.arg.text.contains(goes));
        let collection = name.split('.').nth(1).unwrap_or("");
        here && (self.walk.is_for_tests() || self.walk.is_near() && is_temporary(collection))
    }

    /// `install.packages(NAME, repos = ..)`: what comes straight from somewhere is no package of the registry.
    fn install(&mut self, name: &str, args: &[Value]) {
        let from_url = ["url", "github", "gitlab", "bitbucket", "git", "svn"].iter().any(|end| name.ends_with(end));
        for text in args
            .iter()
            .flat_map(|a| a.list.as_deref().unwrap_or(std::slice::from_ref(a)))
            .filter_map(|v| v.text.clone())
        {
            let direct =
                from_url || [".tar.gz", ".zip", ".tgz"].iter().any(|end| text.ends_with(end)) && text.contains("://");
            let usual = ["cran", "r-project", "posit.co", "rstudio", "bioconductor", "r-universe"]
                .iter()
                .any(|h| text.contains(h));
            let note = if direct {
                "package-url"
            } else if text.contains("://") && !usual {
                "package-index"
            } else if text.contains("://") || text.contains('/') {
                continue;
            } else {
                "package-registry"
            };
            self.walk.named(EffectKind::PackageInstall, "package", &text, note);
        }
    }

    /// `os.execl(path, name, ..)`: the path is run, the name is what it calls itself.
    fn replace(&mut self, args: &[Value]) -> Value {
        let span = self.arg.span;
        let flat = args.iter().flat_map(|a| a.list.clone().unwrap_or_else(|| vec![a.clone()]));
        // the mode of `os.spawn*` has no text
        let mut words: Vec<Arg> = flat.filter(|v| v.text.is_some()).map(|v| v.arg(span)).collect();
        if words.len() > 1 {
            words.remove(1);
        }
        let flow = self.walk.run_argv(words);
        Value::unknown(flow.taint)
    }

    /// What a file is given, for a later command that runs or sends it.
    pub(super) fn keep(&mut self, path: &str, content: Option<&Value>) {
        let Some(content) = content else { return };
        let flow = match &content.text {
            Some(text) if !content.partly => Flow::known(text.clone(), content.taint),
            _ => Flow::unknown(content.taint),
        };
        self.walk.remember(&Arg::literal(path, self.arg.span), flow);
    }

    fn read(&mut self, word: &Arg, taint: Taint) -> Value {
        // standard input
        if matches!(word.text.as_str(), "0" | "/dev/stdin") {
            return Value::unknown(taint);
        }
        if word.text.contains("://") && !word.text.starts_with("file:") && !word.text.starts_with("php:") {
            self.walk.net_url(word, "");
            return Value::unknown(taint.with(Taint::DOWNLOADED));
        }
        if word.shape.as_deref() == Some("*") {
            if word.taint.has(Taint::DECODED) {
                self.walk.note(EffectKind::Opaque, "inline-code");
            }
            self.walk.push_with(EffectKind::Read, None, "computed-path", Certainty::Opaque);
            return Value::unknown(taint.with(Taint::LOCAL));
        }
        let flow = self.walk.read(word, false);
        Value::unknown(taint.with(flow.taint))
    }

    fn open(&mut self, first: &Value, args: &[Value], taint: Taint) -> Value {
        let word = first.arg(self.arg.span);
        let mode = args.get(1).and_then(|v| v.text.as_deref()).unwrap_or("");
        // Perl's two-argument form runs commands and says the mode in front
        if self.language == Language::Perl {
            let target = args.last().and_then(|v| v.text.clone()).unwrap_or_default();
            let text = target.trim();
            if mode.contains('|') || mode.starts_with('-') || text.starts_with('|') || text.ends_with('|') {
                let value = Value::text(text.trim_matches('|').trim().to_owned());
                if mode == "|-" || mode == "-|" {
                    return self.shell(&value, args);
                }
                let flow = self.walk.code_text(&value.arg(self.arg.span));
                return Value::unknown(flow.taint);
            }
            if let Some(path) = text.strip_prefix(['>', '<']).filter(|p| !p.trim_start_matches('>').starts_with('&')) {
                let arg = Arg::literal(path.trim_start_matches('>').trim(), self.arg.span);
                if text.starts_with('<') {
                    return self.read(&arg, taint);
                }
                self.walk.write(&arg, "");
                return Value::default();
            }
            if args.len() >= 3 {
                let word = args.last().map_or(word, |v| v.arg(self.arg.span));
                if mode.contains('>') {
                    self.walk.write(&word, "");
                    return Value::default();
                }
                return self.read(&word, taint);
            }
        }
        if self.language == Language::Ruby && first.text.as_deref().is_some_and(|t| t.starts_with('|')) {
            let value = Value::text(first.text.as_deref().unwrap_or("").trim_start_matches('|').to_owned());
            return self.shell(&value, args);
        }
        let flags = args.get(1).and_then(|mode| mode.name.as_deref()).unwrap_or("");
        let writes = mode.contains(['w', 'a', 'x', '+', '>']) && mode.len() < 6
            || ["O_WRONLY", "O_RDWR"].iter().any(|flag| flags.ends_with(flag));
        if writes {
            let Some(path) = &first.text else {
                self.walk.push_with(EffectKind::Write, None, "computed-path", Certainty::Opaque);
                return Value::unknown(taint);
            };
            self.walk.write(&word, "");
            return Value { name: Some(format!("{OPEN_FILE}{path}")), taint, ..Value::default() };
        }
        if first.text.as_deref().is_some_and(|t| t.contains("://") && !t.starts_with("file:")) {
            self.walk.net_url(&word, "");
            return Value::unknown(Taint::DOWNLOADED);
        }
        self.read(&word, taint)
    }

    fn shell(&mut self, first: &Value, args: &[Value]) -> Value {
        if first.list.is_some() || args.len() > 1 && matches!(self.language, Language::Perl | Language::Ruby) {
            return self.run(first, args);
        }
        let span = self.arg.span;
        if first.text.is_none() && first.taint == Taint::NONE && args.is_empty() {
            return Value::default();
        }
        let flow = self.walk.code_text(&first.arg(span));
        Value::unknown(flow.taint)
    }

    fn run(&mut self, first: &Value, args: &[Value]) -> Value {
        let span = self.arg.span;
        let words: Vec<Arg> = match &first.list {
            Some(items) => items.iter().map(|i| i.arg(span)).collect(),
            None => {
                let Some(text) = &first.text else {
                    if first.taint != Taint::NONE || !args.is_empty() {
                        self.walk.code_text(&first.arg(span));
                    }
                    return Value::default();
                };
                let mut words = Vec::new();
                // a lone string with blanks is shell text, or will be refused
                if text.contains(char::is_whitespace) {
                    let flow = self.walk.code_text(&first.arg(span));
                    return Value::unknown(flow.taint);
                }
                words.push(first.arg(span));
                for value in args.iter().skip(1) {
                    match &value.list {
                        Some(items) => words.extend(items.iter().map(|i| i.arg(span))),
                        None if value.text.is_some() => words.push(value.arg(span)),
                        None => {}
                    }
                }
                words
            }
        };
        if words.is_empty() {
            return Value::default();
        }
        let flow = self.walk.run_argv(words);
        Value::unknown(flow.taint)
    }
}

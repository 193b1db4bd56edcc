//! Gives a command's words the meaning that the knowledge says they have.

use rampart_call::{Certainty, EffectKind, Scope, Target};

use super::Walk;
use super::hunt::Hunt;
use crate::knowledge::{self, Does, Input, Language, Program, Role, Usage, sort};
use crate::value::{Arg, Flow, Taint};
use crate::{host, programs};

/// A command while its words are looked at.
pub(crate) struct Use<'u> {
    pub(crate) name: &'u str,
    pub(crate) program: &'static Program,
    pub(crate) usage: Usage,
    pub(crate) stdin: Flow,
    pub(crate) recursive: bool,
    pub(crate) in_place: bool,
    /// What was read, for standard output and for what is sent.
    pub(crate) content: Flow,
    pub(crate) sent: Taint,
    pub(crate) host: Option<Target>,
    /// Variables whose tokens say who asks.
    pub(crate) bearers: Vec<String>,
    /// Files that the output is written to.
    pub(crate) outputs: Vec<Arg>,
    /// Names of files that come from a host.
    pub(crate) fetched: Vec<String>,
    /// What is searched for in what is read.
    pub(crate) hunt: Option<Hunt>,
    /// Names of files that a search looks into.
    pub(crate) names: Vec<Arg>,
    /// Something was run, so that standard input is not code.
    pub(crate) ran: bool,
    pub(crate) stdout: Option<Flow>,
}

impl Walk<'_> {
    /// Runs a known program.
    pub(super) fn program(&mut self, name: &str, program: &'static Program, args: &[Arg], stdin: Flow) -> Flow {
        let target = Target::Program { name: name.to_owned(), argv: Vec::new() };
        self.push_with(EffectKind::Exec, Some(target), "", Certainty::Proven);
        let words = args.get(1..).unwrap_or(&[]);
        let (leaf, usage) = sort(program, words);
        // `bash -n +n` takes back what was said
        let harmless = (usage.has_any(&leaf.harmless) || usage.has_any(&program.harmless))
            && !words.iter().any(|w| w.text == "+n");
        if asks_for_help(leaf, program, &usage, words) || harmless {
            return Flow::unknown(Taint::NONE);
        }
        if writes_shell_code(&usage) {
            return Flow::empty();
        }
        let recursive = leaf.always_recursive || usage.has_any(&leaf.recursive);
        // `-i.bak` is `-i` with letters behind it
        let in_place = !leaf.in_place.is_empty() && usage.has_any(&leaf.in_place);
        let mut used = Use {
            name,
            program: leaf,
            usage,
            stdin,
            recursive,
            in_place,
            content: Flow::empty(),
            sent: Taint::NONE,
            host: None,
            bearers: Vec::new(),
            outputs: Vec::new(),
            fetched: Vec::new(),
            hunt: None,
            names: Vec::new(),
            ran: false,
            stdout: None,
        };
        if program.runs_project || leaf.runs_project {
            self.runs_project(name, &used.usage);
        }
        let cwd = self.env.cwd.clone();
        let directory = used.usage.values.iter().rfind(|(_, role, _)| *role == Role::Dir).map(|(_, _, v)| v.clone());
        if let Some(directory) = directory {
            let path = self.absolute(directory.shape.as_deref().unwrap_or(&directory.text));
            self.env.cwd = Some(path);
        }
        self.for_tests |= names_tests(&used);
        self.near |= is_near(&used);
        let before = self.out.effects.len();
        let passing = self.is_passing(&used);
        let done = match leaf.rule.or(program.rule) {
            Some(rule) => programs::apply(self, rule, &mut used, words),
            None => false,
        };
        if !done {
            self.does(&used);
            self.option_values(&mut used);
            if leaf.input == Input::Names {
                self.names_from_input(&mut used);
            }
            self.operands(&mut used);
            self.serves_here(&used);
            self.uncovered(&used, words);
        }
        let out = self.finish_use(used);
        self.env.cwd = cwd;
        if passing {
            self.pass(before);
        }
        out
    }

    /// The effects that running the program has, whatever its words are.
    pub(crate) fn does(&mut self, used: &Use<'_>) {
        for does in &used.program.does {
            let of_tests = self.for_tests && does.note == "database-drop";
            if applies(does, &used.usage) && !of_tests {
                let target = does.what.as_ref().and_then(|what| {
                    let name = used.usage.operands.first()?.text.clone();
                    Some(Target::Named { what: what.clone(), name })
                });
                self.push(does.effect, target, &does.note);
                if does.undo
                    && let Some(effect) = self.out.effects.last_mut()
                {
                    effect.reversibility = rampart_call::Reversibility::Reversible;
                }
            }
        }
    }

    pub(crate) fn option_values(&mut self, used: &mut Use<'_>) {
        let values = std::mem::take(&mut used.usage.values);
        for (option, role, value) in &values {
            self.word(*role, value, option, used);
        }
        used.usage.values = values;
    }

    /// The lines of standard input are operands too.
    fn names_from_input(&mut self, used: &mut Use<'_>) {
        let Some(text) = used.stdin.text.clone() else { return };
        let span = self.span;
        let taint = used.stdin.taint;
        let names = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(32);
        used.usage.operands.extend(names.map(|name| Arg {
            taint,
            glob: name.contains('*'),
            ..Arg::literal(name, span)
        }));
    }

    pub(crate) fn operands(&mut self, used: &mut Use<'_>) {
        let operands = std::mem::take(&mut used.usage.operands);
        let module = used.usage.values.iter().find(|(_, role, _)| *role == Role::Module).map(|(_, _, v)| v.clone());
        if let Some(module) = module {
            let mut words = vec![module];
            words.extend(operands.iter().cloned());
            self.run_module(words, used);
            used.usage.operands = operands;
            return;
        }
        let skip = usize::from(used.usage.has_any(&used.program.given) && !used.program.given.is_empty());
        let roles = used.program.operands.get(skip..).unwrap_or(&[]);
        let into = used.usage.values.iter().any(|(_, role, _)| *role == Role::Into);
        for (at, arg) in operands.iter().enumerate() {
            let Some(role) = role_at(roles, at, operands.len(), into) else { break };
            match role {
                Role::Run => {
                    let rest = operands.get(at..).unwrap_or(&[]).to_vec();
                    self.run_words(rest, used);
                    break;
                }
                Role::ShellRest | Role::RemoteRest => {
                    let rest = operands.get(at..).unwrap_or(&[]);
                    self.shell_words(rest, role == Role::RemoteRest, used);
                    break;
                }
                // `bash -s`: the operands are positional
                Role::Script if used.usage.has("-s") && used.program.language == Some(Language::Shell) => break,
                Role::Script => {
                    let positional = operands.get(at..).unwrap_or(&[]).to_vec();
                    self.script_of(used, arg, positional);
                    break;
                }
                Role::RunPackage => {
                    let rest = operands.get(at..).unwrap_or(&[]).to_vec();
                    self.run_package(rest, used);
                    break;
                }
                role => self.word(role, arg, "", used),
            }
        }
        used.usage.operands = operands;
    }

    /// `npx NAME ..`: a package's program, of which nothing is known unless it has the name of one.
    fn run_package(&mut self, words: Vec<Arg>, used: &mut Use<'_>) {
        used.ran = true;
        let Some(first) = words.first() else { return };
        let direct = first.text.contains("://") || first.text.starts_with("github:") || first.text.starts_with("git+");
        if direct {
            self.package(first, false);
        }
        let scoped = first.text.trim_start_matches('@');
        let name = scoped.split('@').next().unwrap_or(scoped).rsplit('/').next().unwrap_or(scoped).to_owned();
        if knowledge::program(&name).is_some() {
            let mut words = words;
            if let Some(first) = words.first_mut() {
                *first = first.with_text(&name);
            }
            self.run_words(words, used);
        }
    }

    /// `python -m NAME ..`
    fn run_module(&mut self, mut words: Vec<Arg>, used: &mut Use<'_>) {
        used.ran = true;
        let Some(first) = words.first_mut() else { return };
        let module = first.text.clone();
        match module.as_str() {
            "http.server" | "SimpleHTTPServer" | "pyftpdlib" | "smtpd" => {
                self.note(EffectKind::Listen, "");
                // what it shows to whoever asks: the folder it is given, or the one it works in
                let behind = |text: &str| text.strip_prefix("--directory=").map(str::to_owned);
                let flags = used.usage.flags.iter().map(String::as_str);
                let joined = flags.chain(words.iter().map(|w| w.text.as_str())).find_map(behind);
                let given = ["-d", "--directory"]
                    .iter()
                    .any(|option| used.usage.has(option) || words.iter().any(|word| word.text == *option));
                match joined {
                    Some(folder) => self.served(&Arg::literal(folder, self.span)),
                    None if !given => self.served(&Arg::literal(".", self.span)),
                    None => {}
                }
                let named = |w: &&Arg| w.text.starts_with(['/', '~']) || given && w.text.starts_with('.');
                for directory in words.iter().filter(named) {
                    self.served(directory);
                }
            }
            // where packages lie
            "site" => {
                used.stdout = Some(Flow::known("/usr/lib/python3/site-packages".to_owned(), Taint::NONE));
            }
            name if knowledge::program(name).is_some()
                && !matches!(name, "http" | "test" | "site" | "code" | "trace" | "profile" | "calendar") =>
            {
                self.run_words(words, used);
            }
            _ => self.delicate_words(&words),
        }
    }

    /// A server that is given no directory shows the one it works in.
    fn serves_here(&mut self, used: &Use<'_>) {
        let serves = |role: Role| role == Role::Serve;
        // `ruby -run -e httpd FOLDER`
        if used.name == "ruby" && used.usage.has("-e=httpd") {
            let folder = used.usage.operands.first().cloned();
            return self.served(&folder.unwrap_or_else(|| Arg::literal(".", self.span)));
        }
        let program = used.program;
        let unnamed = if program.operands.iter().any(|o| serves(o.role)) {
            used.usage.operands.is_empty()
        } else {
            let listens = program.does.iter().any(|does| does.effect == EffectKind::Listen && does.when.is_empty());
            program.options.values().any(|role| serves(*role)) && (listens || used.usage.has("-S"))
        };
        if unnamed && !used.usage.values.iter().any(|(_, role, _)| serves(*role)) {
            self.served(&Arg::literal(".", self.span));
        }
    }

    /// A directory is shown to whoever asks.
    pub(crate) fn served(&mut self, directory: &Arg) {
        let _ = self.read(directory, true);
        let target = self.target(directory, true);
        if matches!(target, Target::Path { scope: Scope::SystemRoot | Scope::HomeRoot, .. }) {
            self.push(EffectKind::Listen, Some(target), "tunnel");
        }
    }

    /// Runs words as a command.
    pub(crate) fn run_words(&mut self, mut words: Vec<Arg>, used: &mut Use<'_>) {
        used.ran = true;
        // `uv run -`: the code comes in
        if used.program.input == Input::Code && words.len() == 1 && words.first().is_some_and(|w| w.text == "-") {
            used.ran = false;
            return;
        }
        // `uv run https://..`: no shell knows addresses, but what runs scripts may fetch them
        if let Some(url) = words.first().filter(|w| w.text.starts_with("https://") || w.text.starts_with("http://")) {
            self.net_url(url, "");
            return self.note(EffectKind::Exec, "download-run");
        }
        // `flock FILE -c TEXT`, `su USER -c TEXT`
        if words.len() > 1 && words.first().is_some_and(|w| matches!(w.text.as_str(), "-c" | "--command")) {
            words.remove(0);
            let text = words.remove(0);
            return self.shell_words(&[text], false, used);
        }
        if words.first().is_some_and(|w| w.text == "--") {
            words.remove(0);
        }
        // one word that is a whole line: `yarn exec 'rm x'`, `screen -X stuff`
        if let [line] = &words[..]
            && line.quoted
            && line.text.trim().contains(char::is_whitespace)
        {
            return self.shell_words(&words, false, used);
        }
        let stdin = used.stdin.clone();
        let name = used.name.to_owned();
        used.stdout = Some(self.nested(&name, |walk| walk.run_with_assignments(words, stdin)));
    }

    /// Runs words of which the first may be assignments, as `env` and `sudo` take them.
    pub(crate) fn run_with_assignments(&mut self, mut words: Vec<Arg>, stdin: Flow) -> Flow {
        let mut assigned = Vec::new();
        while let Some(first) = words.first()
            && let Some((name, value)) = first.text.split_once('=')
            && super::is_variable_name(name)
        {
            let value = first.with_text(value);
            let name = name.to_owned();
            self.variable_carries_code(&name, Some(&value));
            assigned.push((name, value));
            words.remove(0);
        }
        if words.is_empty() { stdin } else { self.run(words, assigned, stdin) }
    }

    /// Runs words, joined, as shell text.
    pub(crate) fn shell_words(&mut self, words: &[Arg], _remote: bool, used: &mut Use<'_>) {
        if words.is_empty() {
            return;
        }
        used.ran = true;
        let mut line = String::new();
        let mut shape = None;
        let mut taint = Taint::NONE;
        for word in words {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word.text);
            taint = taint.with(word.taint);
            shape = shape.or_else(|| word.shape.as_ref().map(|_| if words.len() == 1 { "*" } else { "*." }.to_owned()));
        }
        let span = words.first().map_or(self.span, |w| rampart_call::Span {
            start: w.span.start,
            end: words.last().map_or(w.span.end, |l| l.span.end),
        });
        let shape = match words {
            [only] => only.shape.clone(),
            _ => shape,
        };
        let line = if used.name == "cmd" { crate::code::batch(&line) } else { line };
        let arg = Arg { shape, taint, ..Arg::literal(line, span) };
        let name = used.name.to_owned();
        let stdin = used.stdin.clone();
        let powershell = used.program.language == Some(Language::Powershell);
        used.stdout = Some(self.nested(&name, |walk| {
            if powershell {
                walk.inline(Language::Powershell, &arg)
            } else {
                walk.code_text_with(&arg, Vec::new(), stdin)
            }
        }));
    }

    fn script_of(&mut self, used: &mut Use<'_>, arg: &Arg, positional: Vec<Arg>) {
        // `php -- --quiet`: words for the code that comes in
        if arg.text == "-" || arg.text == "/dev/stdin" || arg.text.starts_with("--") {
            return;
        }
        used.ran = true;
        let language = used.program.language.unwrap_or(Language::Shell);
        let name = used.name.to_owned();
        // `python manage.py`, `php artisan`: scripts with sub-commands of their own, unless this command line brought them
        let brought = self.written_here(&arg.text) || super::TEMPORARY.iter().any(|root| arg.text.starts_with(root));
        if !brought
            && knowledge::program(super::base_name(&arg.text))
                .is_some_and(|p| p.language.is_none() && !p.does.is_empty())
        {
            return self.run_words(positional, used);
        }
        let out = self.nested(&name, |walk| walk.file_of_code(language, arg, positional));
        used.stdout = Some(out);
    }

    /// What is worked on is there for tests.
    pub(crate) const fn is_for_tests(&self) -> bool {
        self.for_tests
    }

    /// What is worked on stands on this machine.
    pub(crate) const fn is_near(&self) -> bool {
        self.near
    }

    /// What the command goes on with may be something else.
    pub(crate) const fn leaves_tests(&mut self) {
        self.for_tests = false;
    }

    pub(crate) const fn project(&self) -> Option<&str> {
        self.around.workspace
    }

    pub(crate) fn home(&self) -> &str {
        self.around.home.unwrap_or("~")
    }
}

/// `psql -d app_test`, `rails db:drop RAILS_ENV=test`: what is worked on is there for tests, and made anew by them.
fn names_tests(used: &Use<'_>) -> bool {
    let is_test = |place: &Arg| {
        let name = place.text.split('?').next().unwrap_or("").rsplit('/').next().unwrap_or("");
        place.is_literal() && is_test(name)
    };
    let usage = &used.usage;
    match used.name {
        "mongosh" | "mongo" => usage.operands.first().is_some_and(is_test),
        "psql" | "mysql" | "mariadb" | "clickhouse-client" => {
            let named = |option: &str| matches!(option, "-d" | "--dbname" | "-D" | "--database");
            let mut named = usage.values.iter().filter(|(option, ..)| named(option)).map(|(_, _, value)| value);
            match named.next() {
                Some(name) => is_test(name),
                None => usage.operands.first().is_some_and(is_test),
            }
        }
        "rails" | "rake" => {
            let given = |known: fn(&str) -> bool| usage.operands.iter().any(|a| known(&a.text));
            // the address of a database comes before the one of the environment
            given(|a| matches!(a, "RAILS_ENV=test" | "RACK_ENV=test")) && !given(|a| a.starts_with("DATABASE_URL="))
        }
        _ => false,
    }
}

/// A database of this machine is worked on.
fn is_near(used: &Use<'_>) -> bool {
    let usage = &used.usage;
    let mut hosts = usage.values.iter().filter(|(option, role, _)| *role == Role::Host && option != "-S").peekable();
    let here = |text: &str| host::is_loopback(&host::of_word(text).0);
    if hosts.peek().is_some() {
        return hosts.all(|(_, _, value)| value.is_literal() && here(&value.text));
    }
    let urls = usage.operands.iter().filter_map(|word| host::of_url(&word.text));
    let mut urls = urls.peekable();
    urls.peek().is_some() && urls.all(|url| host::is_loopback(&url.host))
}

/// A database of that name is there for tests.
pub(crate) fn is_test(name: &str) -> bool {
    name.ends_with("_test") || name.starts_with("test_") || name == "test"
}

/// A table or collection of that name is there for a moment.
pub(crate) fn is_temporary(name: &str) -> bool {
    ["tmp_", "temp_"].iter().any(|start| name.starts_with(start))
        || ["_tmp", "_temp"].iter().any(|end| name.ends_with(end))
        || matches!(name, "tmp" | "temp")
}

/// The role of the operand at `at` of `count`.
fn role_at(roles: &[crate::knowledge::Operand], at: usize, count: usize, into: bool) -> Option<Role> {
    let repeating = roles.iter().position(|r| r.repeats);
    let Some(middle) = repeating else { return roles.get(at).map(|r| r.role) };
    let behind = if into { 0 } else { roles.len() - middle - 1 };
    if at < middle {
        return roles.get(at).map(|r| r.role);
    }
    // the last operands, where there are enough of them
    let from_end = count - at;
    if from_end <= behind && count > middle + behind.min(1) {
        return roles.get(roles.len() - from_end).map(|r| r.role);
    }
    roles.get(middle).map(|r| r.role)
}

fn applies(does: &Does, usage: &Usage) -> bool {
    (does.when.is_empty() || usage.has_any(&does.when))
        && (does.with.is_empty() || usage.has_any(&does.with))
        && !usage.has_any(&does.unless)
        && (!does.with_operand || !usage.operands.is_empty())
        && (!does.without_operand || usage.operands.is_empty())
}

/// `kubectl completion bash`, `brew shellenv`: shell code of the program's own, meant for `eval` and `source`.
pub(super) fn writes_shell_code(usage: &Usage) -> bool {
    let first = usage.path.first().or_else(|| usage.operands.first().map(|a| &a.text)).map_or("", String::as_str);
    matches!(
        first,
        "completion" | "completions" | "gen-completions" | "generate-shell-completion" | "shellenv" | "shell-init"
    ) || usage.flags.iter().any(|f| {
        matches!(f.as_str(), "--completion" | "--bash-completion" | "--show-completion")
            || f.starts_with("--completion=")
    })
}

/// `--help` and `--version`: nothing else happens. Behind an operand some programs take them for operands.
fn asks_for_help(leaf: &Program, program: &Program, usage: &Usage, words: &[Arg]) -> bool {
    let asked = usage.flags.iter().any(|f| {
        matches!(f.as_str(), "--help" | "--version") || leaf.single_dash && matches!(f.as_str(), "-help" | "-version")
    });
    if !asked {
        return false;
    }
    let before = words.iter().position(|w| matches!(w.text.as_str(), "--help" | "--version" | "-help" | "-version"));
    !program.sub.is_empty() || usage.first_operand.is_none_or(|operand| before.is_some_and(|at| at < operand))
}

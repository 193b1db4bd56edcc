//! Simple commands: assignments, words, and what the first word means.

use rampart_call::{Certainty, EffectKind, Span, Target};

use super::env::is_secret_name;
use super::{Base, Walk};
use crate::analysis::Component;
use crate::knowledge;
use crate::syntax::{Assigned, Assignment, Redirect, Word};
use crate::value::{Arg, Flow, Taint};

/// Most programs that one command may come through.
const MAX_WRAPPERS: usize = 12;

/// A program's name without directories, and `.exe`.
pub(crate) fn base_name(text: &str) -> &str {
    let name = text.rsplit(['/', '\\']).next().unwrap_or(text);
    name.strip_suffix(".exe").or_else(|| name.strip_suffix(".EXE")).unwrap_or(name)
}

impl Walk<'_> {
    pub(super) fn simple(
        &mut self,
        assignments: &[Assignment<'_>],
        words: &[Word<'_>],
        redirects: &[Redirect<'_>],
        span: Span,
        stdin: Flow,
    ) -> Flow {
        let mut args = Vec::with_capacity(words.len());
        for word in words {
            self.expand(word, &mut args);
        }
        let mut assigned = Vec::with_capacity(assignments.len());
        for assignment in assignments {
            let values = match &assignment.value {
                Assigned::One(word) => vec![self.expand_whole(word)],
                Assigned::Array(words) => {
                    let mut values = Vec::new();
                    words.iter().for_each(|w| self.expand(w, &mut values));
                    values
                }
            };
            assigned.push((assignment.name, assignment.append, values));
        }
        self.span = span;
        let redirected = if redirects.is_empty() { None } else { Some(self.redirects(redirects, stdin.clone())) };
        let stdin = redirected.as_ref().map_or(stdin, |r| r.stdin.clone());
        for (name, _, values) in &assigned {
            let text = values.first().map_or("", |v| v.text.as_str());
            self.render_text(&format!("{name}={text} "));
        }
        self.render(&args);
        let tail = std::mem::take(&mut self.tail);
        self.render_text(&tail);
        for (name, _, values) in &assigned {
            self.variable_carries_code(name, values.first());
        }
        let out = if args.is_empty() {
            for (name, append, values) in assigned {
                self.assign(name, append, values);
            }
            Flow::empty()
        } else {
            let first = args.first().map_or("", |a| a.text.as_str());
            if matches!(base_name(first), "declare" | "typeset" | "local" | "export" | "readonly") {
                assigned.iter().cloned().for_each(|(name, append, values)| self.assign(name, append, values));
            }
            let assigned = assigned
                .into_iter()
                .map(|(name, _, values)| (name.to_owned(), values.into_iter().next().unwrap_or(Arg::literal("", span))))
                .collect();
            self.run(args, assigned, stdin)
        };
        self.span = span;
        let out = match redirected {
            Some(redirected) => self.redirected(redirected, out),
            None => out,
        };
        if out.taint.has(Taint::TOKEN) && !self.captured {
            self.note(EffectKind::Secret, "secret-variable");
        }
        out
    }

    /// Sets a variable. Where it is not sure that the assignment happens, the variable may have either value.
    pub(super) fn assign(&mut self, name: &str, append: bool, mut values: Vec<Arg>) {
        let referred = self.env.references.get(name).cloned();
        let name = referred.as_deref().unwrap_or(name);
        let before = self.env.variables.remove(name);
        if let Some(mut before) = before {
            match (append, &before[..], &values[..]) {
                (true, [old], [new]) if values.len() == 1 => {
                    let text = format!("{}{}", old.text, new.text);
                    let shape = match (&old.shape, &new.shape) {
                        (None, None) => None,
                        (a, b) => {
                            Some(format!("{}{}", a.as_deref().unwrap_or(&old.text), b.as_deref().unwrap_or(&new.text)))
                        }
                    };
                    values = vec![Arg { text, shape, taint: old.taint.with(new.taint), ..new.clone() }];
                }
                (true, ..) => {
                    before.append(&mut values);
                    values = before;
                }
                (false, ..) if self.conditional && before != values => {
                    before.append(&mut values);
                    before.truncate(8);
                    values = before;
                }
                _ => {}
            }
        }
        if values.is_empty() {
            values.push(Arg::literal("", self.span));
        }
        self.env.variables.insert(name.to_owned(), values);
    }

    /// Runs a command whose words are expanded. Returns its standard output.
    pub(super) fn run(&mut self, mut args: Vec<Arg>, assigned: Vec<(String, Arg)>, stdin: Flow) -> Flow {
        if self.steps == 0 {
            self.out_of_budget();
            return Flow::unknown(stdin.taint);
        }
        self.steps -= 1;
        let Some(first) = args.first() else { return Flow::empty() };
        let name = base_name(first.shape.as_deref().unwrap_or(&first.text)).to_owned();
        if first.is_literal()
            && !first.quoted
            && let Some(alias) = self.env.aliases.remove(&name)
        {
            // an alias is not expanded inside itself
            let mut line = alias.clone();
            for arg in args.iter().skip(1) {
                line.push(' ');
                line.push_str(&quote(&arg.text));
            }
            let span = self.span;
            let out = self.text(&line, span, stdin);
            self.env.aliases.insert(name, alias);
            return out;
        }
        self.component(&args, &assigned);
        if name == "[" {
            return self.builtin("[", &args, &stdin).unwrap_or(Flow::empty());
        }
        if name.contains('*') || name.is_empty() && !first.is_literal() || first.glob && name.contains(['?', '[']) {
            return self.computed(&args, stdin);
        }
        if first.taint.has(Taint::DOWNLOADED.with(Taint::DECODED)) {
            let note = if first.taint.has(Taint::DOWNLOADED) { "download-run" } else { "decode-run" };
            self.push(EffectKind::Exec, None, note);
        }
        if let Some(function) = self.env.functions.get(&name).cloned() {
            return self.call(&name, function, args, stdin);
        }
        for (variable, value) in &assigned {
            self.environment_of(&name, variable, value);
        }
        let path = first.text.clone();
        let by_path = path.contains('/');
        if by_path && ["/tmp/.", "/var/tmp/.", "/dev/shm/"].iter().any(|root| path.starts_with(root)) {
            self.note(EffectKind::Opaque, "hidden-program");
        }
        if by_path && self.written_here(&path) {
            let copy = self.written.get(&self.absolute(&path)).and_then(|w| w.program.clone());
            let Some(program) = copy else { return self.run_written(&path, &args, stdin) };
            if let Some(first) = args.first_mut() {
                first.text = program;
            }
            return self.nested(&name, |walk| walk.run(args, assigned, stdin));
        }
        // `IFS=, read ..`
        let separators =
            assigned.iter().find(|(variable, _)| variable == "IFS" && name == "read").map(|(_, v)| v.clone());
        let before = separators.map(|value| self.env.variables.insert("IFS".to_owned(), vec![value]));
        let out = self.builtin(&name, &args, &stdin);
        match before {
            Some(Some(values)) => drop(self.env.variables.insert("IFS".to_owned(), values)),
            Some(None) => drop(self.env.variables.remove("IFS")),
            None => {}
        }
        if let Some(out) = out {
            return out;
        }
        // `/etc/init.d/NAME stop` is `service NAME stop`
        if path.starts_with("/etc/init.d/")
            && let Some(service) = knowledge::program("service")
        {
            return self.program("service", service, &args, stdin);
        }
        match knowledge::program(&name) {
            Some(program) => self.program(&name, program, &args, stdin),
            None => self.unknown(&name, &args, stdin),
        }
    }

    fn component(&mut self, args: &[Arg], assigned: &[(String, Arg)]) {
        let component = Component {
            argv: args.iter().map(|a| a.text.clone()).collect(),
            literal: args.iter().all(Arg::is_literal),
            assignments: assigned.iter().map(|(n, v)| (n.clone(), v.text.clone())).collect(),
            via: self.via.clone(),
            span: self.span,
        };
        self.out.components.push(component);
    }

    /// Which program runs is not known.
    fn computed(&mut self, args: &[Arg], stdin: Flow) -> Flow {
        let taint = args.first().map_or(Taint::NONE, |a| a.taint);
        let note = if taint.has(Taint::DOWNLOADED) {
            "download-run"
        } else if taint.has(Taint::DECODED) {
            "decode-run"
        } else {
            "computed-program"
        };
        self.note(EffectKind::Opaque, note);
        self.delicate_words(args);
        Flow::unknown(stdin.taint)
    }

    fn unknown(&mut self, name: &str, args: &[Arg], stdin: Flow) -> Flow {
        let target = Target::Program { name: name.to_owned(), argv: Vec::new() };
        self.push_with(EffectKind::Exec, Some(target), "unknown-program", Certainty::Proven);
        self.delicate_words(args);
        self.wrapped(name, args, &stdin);
        self.carried(name, args);
        if args
            .get(1)
            .is_some_and(|a| matches!(a.text.as_str(), "completion" | "completions" | "shellenv" | "shell-init"))
        {
            return Flow::empty();
        }
        Flow::unknown(stdin.taint)
    }

    /// An unknown program may be a wrapper: a later word that names a program which harms is taken to be run by it.
    fn wrapped(&mut self, name: &str, args: &[Arg], stdin: &Flow) {
        let harms = |at: usize, arg: &Arg| {
            let next = args.get(at + 1).map_or("", |a| a.text.as_str());
            match base_name(&arg.text) {
                "rm" | "dd" | "shred" | "sudo" | "doas" | "mkfs" | "wipefs" | "chmod" | "chown" => !next.is_empty(),
                "sh" | "bash" | "zsh" | "dash" | "ksh" | "python" | "python3" | "perl" | "node" | "ruby" => {
                    matches!(next, "-c" | "-e" | "--" | "-lc" | "-ic")
                }
                _ => false,
            }
        };
        let shell =
            |a: &Arg| matches!(a.text.as_str(), "/bin/sh" | "/bin/bash" | "/bin/dash" | "/bin/zsh" | "/usr/bin/bash");
        let shell = |a: &Arg| shell(a) || a.quoted && ["/bin/sh ", "/bin/bash "].iter().any(|p| a.text.starts_with(p));
        let for_itself = |at: usize| {
            args.get(at - 1).is_some_and(|a| a.text.contains("shell") || matches!(a.text.as_str(), "-s" | "-i"))
        };
        if (1..args.len())
            .any(|at| args.get(at).is_some_and(|a| (!a.quoted || a.text.contains(' ')) && shell(a)) && !for_itself(at))
        {
            self.note(EffectKind::Exec, "interactive-shell");
        }
        let Some(at) = (1..args.len()).find(|at| args.get(*at).is_some_and(|a| !a.quoted && harms(*at, a))) else {
            return;
        };
        let mut words = args.get(at..).unwrap_or(&[]).to_vec();
        // `start-stop-daemon -x /bin/rm -- -rf /`
        if words.get(1).is_some_and(|w| w.text == "--") {
            words.remove(1);
        }
        let before = std::mem::replace(&mut self.certainty, Certainty::Possible);
        let stdin = stdin.clone();
        self.nested(name, |walk| walk.run(words, Vec::new(), stdin));
        self.certainty = before;
    }

    /// An option that usually carries a command (`-c`, `--exec`) is taken to carry one, though nothing is known of the
    /// program: what would do harm is kept, and nothing is made of the rest.
    fn carried(&mut self, name: &str, args: &[Arg]) {
        for pair in args.windows(2) {
            let [option, text] = pair else { continue };
            let (option, text) = match option.text.split_once('=') {
                Some((option, value)) if option.starts_with("--") => (option.to_owned(), pair[0].with_text(value)),
                _ => (option.text.clone(), text.clone()),
            };
            if !CARRYING.contains(&option.as_str()) || !text.quoted || !text.is_literal() {
                continue;
            }
            let before = (self.out.effects.len(), std::mem::replace(&mut self.certainty, Certainty::Possible));
            self.nested(name, |walk| walk.code_text(&text));
            for call in ["system", "exec", "popen", "spawn", "shell"] {
                let inside = text.text.split_once(call).and_then(|(_, rest)| rest.trim_start().strip_prefix('('));
                if let Some(inside) = inside.and_then(|i| i.trim_start().strip_prefix(['"', '\''])) {
                    let end = inside.find(['"', '\'']).unwrap_or(inside.len());
                    let word = text.with_text(inside.get(..end).unwrap_or(""));
                    self.nested(name, |walk| walk.code_text(&word));
                }
            }
            self.certainty = before.1;
            let harmless = |e: &rampart_call::Effect| {
                e.kind == EffectKind::Opaque
                    || e.kind == EffectKind::Exec && matches!(e.note.as_str(), "" | "unknown-program")
            };
            let kept: Vec<_> = self.out.effects.drain(before.0..).filter(|e| !harmless(e)).collect();
            self.out.effects.extend(kept);
        }
    }

    /// Words that name something delicate are taken to be read, though nothing is known of the program.
    pub(super) fn delicate_words(&mut self, args: &[Arg]) {
        let before = std::mem::replace(&mut self.certainty, Certainty::Possible);
        for arg in args.iter().skip(1) {
            let text = arg.text.as_str();
            let text = text.split_once('=').filter(|_| text.starts_with('-')).map_or(text, |(_, value)| value);
            let text = text.trim_start_matches('@');
            // a sentence is no path
            if arg.quoted
                && text.contains(char::is_whitespace)
                && !text.starts_with(['/', '~', '.'])
                && !text.contains("://")
            {
                continue;
            }
            if text.starts_with("stratum") {
                // what only miners speak
                self.named(EffectKind::Privilege, "pool", text, "attack-tool");
            }
            if text.contains("://") {
                self.net_url(&arg.with_text(text), "");
            } else if text.contains(['/', '.', '\\']) || text.starts_with('~') {
                self.read_if_delicate(&arg.with_text(text));
            }
        }
        self.certainty = before;
    }

    fn call(&mut self, name: &str, function: super::env::Function, args: Vec<Arg>, stdin: Flow) -> Flow {
        if self.depth == 0 || self.calls.iter().filter(|c| *c == name).count() > 1 {
            if self.depth == 0 {
                self.out_of_budget();
            }
            return Flow::unknown(stdin.taint);
        }
        let positional = std::mem::replace(&mut self.env.positional, args);
        self.calls.push(name.to_owned());
        let (base, span, conditional) = (self.base, self.span, self.conditional);
        let line = std::mem::take(&mut self.line);
        self.depth -= 1;
        let inner = if matches!(base, Base::At(_)) { Base::At(function.start) } else { base };
        let out = self.parsed(&function.body, inner, stdin);
        self.depth += 1;
        self.line = line;
        (self.base, self.span, self.conditional) = (base, span, conditional);
        self.calls.pop();
        self.env.positional = positional;
        out
    }

    /// A variable set for any command that makes programs load or run code.
    pub(crate) fn variable_carries_code(&mut self, name: &str, value: Option<&Arg>) {
        let Some(value) = value else { return };
        if name == "HISTFILE" && value.text == "/dev/null"
            || matches!(name, "HISTSIZE" | "HISTFILESIZE") && value.text == "0"
        {
            self.named(EffectKind::Privilege, "variable", name, "security-setting");
        }
        let text = value.text.as_str();
        if matches!(
            name,
            "PIP_INDEX_URL" | "PIP_EXTRA_INDEX_URL" | "UV_INDEX_URL" | "UV_DEFAULT_INDEX" | "npm_config_registry"
        ) {
            self.named(EffectKind::PackageInstall, "index", text, "package-index");
        }
        match carrier(name) {
            None => {}
            Some(Carries::Library) if text.is_empty() => {}
            // a compiler with its options is no question, what else the text runs is
            Some(Carries::Tool) if value.is_literal() && text.contains(' ') => {
                let span = value.span;
                self.nested(name, |walk| walk.text(text, span, Flow::empty()));
            }
            Some(Carries::Tool) => {}
            Some(Carries::Library) => {
                let target = Target::Named { what: "variable".to_owned(), name: name.to_owned() };
                self.push(EffectKind::CodeLoad, Some(target), "env-code");
            }
            Some(Carries::Options(_))
                if name == "PATH" && (text == "." || text.starts_with(".:") || text.starts_with(':')) =>
            {
                self.named(EffectKind::CodeLoad, "variable", name, "env-code");
            }
            Some(Carries::Options(dangerous)) => {
                let unknown = !value.is_literal() && value.taint != Taint::NONE;
                if unknown || dangerous.iter().any(|d| text.contains(d)) {
                    self.named(EffectKind::CodeLoad, "variable", name, "env-code");
                }
            }
            Some(Carries::Command) => {
                let first = text.split_whitespace().next().unwrap_or("");
                if text.is_empty()
                    || HARMLESS_VALUES.contains(&base_name(first)) && !text.contains([';', '|', '&', '`', '$'])
                {
                    return;
                }
                let target = Target::Named { what: "variable".to_owned(), name: name.to_owned() };
                self.push(EffectKind::CodeLoad, Some(target), "env-code");
                if value.is_literal() && text.contains(' ') {
                    let span = value.span;
                    self.nested(name, |walk| walk.text(text, span, Flow::empty()));
                }
            }
        }
    }

    /// A variable set for one command only.
    fn environment_of(&mut self, program: &str, name: &str, value: &Arg) {
        if name == "DOCKER_HOST"
            && let Some((_, place)) = value.text.split_once("://").filter(|(scheme, _)| *scheme == "tcp")
        {
            self.net_host(&value.with_text(place), "raw-socket");
        }
        if matches!(
            name,
            "RAMPART_HOME" | "RAMPART_URL" | "RAMPART_TOKEN" | "RAMPART_NO_PROJECT_POLICY" | "RAMPART_MODE"
        ) {
            let target = Target::Named { what: "variable".to_owned(), name: name.to_owned() };
            self.push(EffectKind::SelfTamper, Some(target), "rampart-command");
        }
        if name == "DISABLE_DATABASE_ENVIRONMENT_CHECK" {
            self.note(EffectKind::RemoteMutate, "database-drop");
        }
        if is_secret_name(name) && value.taint.has(Taint::SECRET) {
            let target = Target::Program { name: program.to_owned(), argv: Vec::new() };
            self.push_with(EffectKind::Secret, Some(target), "secret-variable", Certainty::Possible);
        }
    }

    /// Runs `f` as something that came through `wrapper`.
    pub(crate) fn nested(&mut self, wrapper: &str, f: impl FnOnce(&mut Self) -> Flow) -> Flow {
        if self.depth == 0 || self.via.len() >= MAX_WRAPPERS {
            self.out_of_budget();
            return Flow::unknown(Taint::NONE);
        }
        self.depth -= 1;
        self.via.push(wrapper.to_owned());
        let span = self.span;
        let line = std::mem::take(&mut self.line);
        let out = f(self);
        self.line = line;
        self.span = span;
        self.via.pop();
        self.depth += 1;
        out
    }
}

/// Options that carry a command, whatever the program.
const CARRYING: &[&str] = &[
    "-c",
    "-e",
    "-x",
    "-E",
    "-X",
    "--cmd",
    "--command",
    "--exec",
    "--execute",
    "--eval",
    "--run",
    "--shell",
    "--hook",
    "--pre",
    "--post",
    "--on-change",
    "--on-exit",
    "--before",
    "--after",
    "--pre-command",
    "--post-command",
    "--pager",
    "--editor",
    "--handler",
    "--pre-hook",
    "--post-hook",
    "--script-command",
    "--post-process",
    "--rsh",
    "--prefix-command",
];

enum Carries {
    /// A library or start-up file.
    Library,
    /// A command line.
    Command,
    /// A program of the build, perhaps with options.
    Tool,
    /// Options of a program, dangerous with one of these.
    Options(&'static [&'static str]),
}

/// Programs that such a variable usually names.
const HARMLESS_VALUES: &[&str] = &[
    "cat",
    "less",
    "more",
    "most",
    "bat",
    "delta",
    "head",
    "true",
    "false",
    ":",
    "vi",
    "vim",
    "nvim",
    "nano",
    "emacs",
    "code",
    "ssh",
    "echo",
    "diff-so-fancy",
    "hx",
    "micro",
    "ed",
    "ccache",
    "sccache",
    "xdg-open",
    "open",
    "firefox",
    "tail",
];

fn carrier(name: &str) -> Option<Carries> {
    Some(match name {
        "LD_PRELOAD"
        | "LD_AUDIT"
        | "LD_LIBRARY_PATH_64"
        | "DYLD_INSERT_LIBRARIES"
        | "DYLD_FRAMEWORK_PATH"
        | "BASH_ENV"
        | "ENV"
        | "PYTHONSTARTUP"
        | "PYTHONHOME"
        | "PERL5OPT"
        | "PERL5DB"
        | "NODE_REPL_EXTERNAL_MODULE"
        | "ZDOTDIR"
        | "GCONV_PATH"
        | "GIT_TEMPLATE_DIR"
        | "GIT_EXEC_PATH"
        | "GIT_CONFIG_GLOBAL"
        | "GIT_CONFIG_SYSTEM"
        | "INPUTRC"
        | "CARGO_BUILD_RUSTC_WRAPPER"
        | "RUBYSHELL"
        | "OPENSSL_CONF"
        | "OPENSSL_ENGINES"
        | "VIMINIT"
        | "EXINIT"
        | "SUDO_ASKPASS"
        | "SSH_ASKPASS_CODE" => Carries::Library,
        "PAGER"
        | "GIT_PAGER"
        | "MANPAGER"
        | "SYSTEMD_PAGER"
        | "AWS_PAGER"
        | "GH_PAGER"
        | "PSQL_PAGER"
        | "EDITOR"
        | "VISUAL"
        | "GIT_EDITOR"
        | "GIT_SEQUENCE_EDITOR"
        | "GIT_SSH"
        | "GIT_SSH_COMMAND"
        | "GIT_PROXY_COMMAND"
        | "GIT_ASKPASS"
        | "SSH_ASKPASS"
        | "GIT_EXTERNAL_DIFF"
        | "RSYNC_RSH"
        | "CVS_RSH"
        | "LESSOPEN"
        | "LESSCLOSE"
        | "BROWSER"
        | "PROMPT_COMMAND"
        | "FCEDIT"
        | "RUSTC_WRAPPER"
        | "RUSTC"
        | "TAR_RSH"
        | "PYTHONBREAKPOINT"
        | "MAKE_SHELL"
        | "NPM_CONFIG_SCRIPT_SHELL"
        | "npm_config_script_shell"
        | "KUBE_EDITOR"
        | "HGEDITOR"
        | "SVN_EDITOR"
        | "SVN_SSH" => Carries::Command,
        "CC" | "CXX" | "CPP" | "LD" | "AR" | "AS" | "RANLIB" | "STRIP" | "HOSTCC" | "MAKE" | "LINKER"
        | "CMAKE_C_COMPILER" => Carries::Tool,
        "NODE_OPTIONS" => {
            Carries::Options(&["--require", "-r ", "--import", "--loader", "--experimental-loader", "--inspect=0"])
        }
        "JAVA_TOOL_OPTIONS" | "_JAVA_OPTIONS" | "JDK_JAVA_OPTIONS" => {
            Carries::Options(&["-javaagent", "-agentlib", "-agentpath", "OnOutOfMemoryError", "OnError"])
        }
        "RUBYOPT" => Carries::Options(&["-r", "-I", "-e"]),
        "PHP_INI_SCAN_DIR" | "TAR_OPTIONS" => {
            Carries::Options(&["/", "--checkpoint", "--to-command", "-I", "--use-compress"])
        }
        "LESS" => Carries::Options(&["+!", "-k"]),
        "PS4" | "PS1" | "PS0" => Carries::Options(&["$(", "`"]),
        "MAKEFLAGS" => Carries::Options(&["--eval", "SHELL="]),
        "LD_LIBRARY_PATH" | "DYLD_LIBRARY_PATH" | "PYTHONPATH" | "PERL5LIB" | "RUBYLIB" => {
            Carries::Options(&["/tmp", "/var/tmp", "/dev/shm"])
        }
        "PATH" => Carries::Options(&["/tmp", "/var/tmp", "/dev/shm"]),
        _ if name.starts_with("GIT_CONFIG_VALUE_") => Carries::Command,
        _ if name.starts_with("BASH_FUNC_") => Carries::Library,
        _ => return None,
    })
}

/// Quotes a word so that it is read back as it is.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

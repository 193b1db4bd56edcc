//! Programs of which nothing is known: what their words give away.

use rampart_call::{Certainty, EffectKind, Scope, Sensitivity, Target};

use super::Walk;
use super::apply::Use;
use super::simple::base_name;
use crate::knowledge::Role;
use crate::value::{Arg, Flow};

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

/// Options that name what is written, whatever the program.
const WRITING: &[&str] = &["-o", "-O", "--out", "--output", "--output-file", "--outfile", "--out-file", "--dest"];

fn writes(option: &str) -> bool {
    WRITING.contains(&option) || WRITING.iter().any(|known| known.len() > 2 && known.eq_ignore_ascii_case(option))
}

/// Options that name what a program shows who it is with: keys are where they belong there.
const AUTHENTICATING: &[&str] =
    &["key", "cert", "conf", "cred", "auth", "identity", "account", "token", "pass", "exclude", "ignore", "ca"];

/// What clients of services call destroying.
const DESTROYING: &[&str] = &["delete", "destroy", "terminate", "purge", "drop", "wipe"];

/// Options with which nobody is asked.
const SURE: &[&str] =
    &["-f", "--force", "-y", "--yes", "--all", "--confirm", "--no-prompt", "--auto-approve", "--quiet"];

impl Walk<'_> {
    pub(super) fn unknown(&mut self, name: &str, args: &[Arg], stdin: Flow) -> Flow {
        let target = Target::Program { name: name.to_owned(), argv: Vec::new() };
        self.push_with(EffectKind::Exec, Some(target), "unknown-program", Certainty::Proven);
        self.delicate_words(args);
        self.wrapped(name, args, &stdin);
        self.carried(name, args);
        self.escaped(name, &stdin);
        self.handed(name, args);
        self.put_somewhere(args);
        if args.first().is_some_and(|program| !program.text.contains('/')) {
            self.destroyed(args);
        }
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
            self.suspected(name, |walk| walk.code_text(&text));
            for call in ["system", "exec", "popen", "spawn", "shell"] {
                let inside = text.text.split_once(call).and_then(|(_, rest)| rest.trim_start().strip_prefix('('));
                if let Some(inside) = inside.and_then(|i| i.trim_start().strip_prefix(['"', '\''])) {
                    let end = inside.find(['"', '\'']).unwrap_or(inside.len());
                    let word = text.with_text(inside.get(..end).unwrap_or(""));
                    self.suspected(name, |walk| walk.code_text(&word));
                }
            }
        }
    }

    /// What an interactive program is told goes to a shell behind an exclamation mark, as in most of them.
    fn escaped(&mut self, name: &str, stdin: &Flow) {
        let lines = stdin.text.as_deref().unwrap_or("").lines().take(32);
        for command in lines.filter_map(|line| line.trim_start().strip_prefix('!')) {
            let word = Arg { taint: stdin.taint, ..Arg::literal(command, self.span) };
            self.suspected(name, |walk| walk.code_text(&word));
        }
    }

    /// A script that this command line made among what is temporary, and hands to a program of which nothing is known, is
    /// taken to be run by it: what would do harm is kept, and nothing is made of the rest.
    fn handed(&mut self, name: &str, args: &[Arg]) {
        if self.written.is_empty() || self.in_project {
            return;
        }
        for word in args.iter().skip(1) {
            let file = word.text.rsplit(['=', ':']).next().unwrap_or("");
            let last = base_name(file);
            if !super::TEMPORARY.iter().any(|root| file.starts_with(root)) {
                continue;
            }
            let Some(text) = self.written_flow(file).and_then(|flow| flow.text) else { continue };
            let by_ending = crate::code::language_of(last);
            if text.starts_with("#!") || by_ending.is_some() || !last.contains('.') || last.starts_with("tmp.") {
                let language = by_ending.unwrap_or_else(|| crate::code::language_of_text(&text));
                let code = word.with_text(&text);
                self.suspected(name, |walk| walk.inline(language, &code));
            }
        }
    }

    /// An option that usually names what is written (`-o`, `--output`) is taken to, where that is something delicate.
    fn put_somewhere(&mut self, args: &[Arg]) {
        let before = std::mem::replace(&mut self.certainty, Certainty::Possible);
        for (at, option) in args.iter().enumerate().skip(1) {
            match (option.text.split_once('='), args.get(at + 1)) {
                (Some((name, file)), _) if writes(name) => self.put(&option.with_text(file)),
                (None, Some(file)) if writes(&option.text) => self.put(file),
                _ => {}
            }
        }
        self.certainty = before;
    }

    fn put(&mut self, file: &Arg) {
        let delicate = match self.target(file, false) {
            Target::Path { scope, sensitivity, .. } => {
                sensitivity != Sensitivity::Ordinary
                    || !matches!(scope, Scope::Project | Scope::Temp | Scope::Home | Scope::Elsewhere)
            }
            _ => false,
        };
        if file.is_literal() && delicate && !file.text.starts_with("/dev/") {
            self.write(file, "");
        }
    }

    /// Words of a known program to which its entry gives no role: what usually names a file that is written, and what names
    /// a key, which nobody does for nothing.
    pub(super) fn uncovered(&mut self, used: &Use<'_>, words: &[Arg]) {
        let before = std::mem::replace(&mut self.certainty, Certainty::Possible);
        for pair in words.windows(2) {
            let [option, file] = pair else { continue };
            // what an option of one letter means is another thing in every program
            if option.text.starts_with("--") && writes(&option.text) && used.usage.flags.contains(&option.text) {
                self.put(file);
            }
        }
        for flag in &used.usage.flags {
            let Some((option, value)) = flag.split_once('=') else { continue };
            let value = Arg::literal(value, self.span);
            if writes(option) {
                self.put(&value);
            } else if value.text.starts_with(['/', '~']) && !AUTHENTICATING.iter().any(|word| option.contains(word)) {
                self.read_if_key(&value);
            }
        }
        for (option, role, value) in &used.usage.values {
            if matches!(role, Role::Text | Role::Look) && writes(option) {
                self.put(value);
            }
        }
        if used.program.operands.is_empty() && used.usage.path.is_empty() && used.program.sub.is_empty() {
            for word in used.usage.operands.iter().filter(|word| !word.quoted && word.text.starts_with('/')) {
                self.read_if_key(word);
            }
        }
        self.certainty = before;
    }

    /// A client of some service is told to destroy what it keeps there, and not to ask: `x-cloud volume delete v1 --force`.
    fn destroyed(&mut self, args: &[Arg]) {
        let words = || args.iter().skip(1).take(4).filter(|word| !word.quoted && word.is_literal());
        let named = args.iter().skip(1).any(|word| SURE.contains(&word.text.as_str()));
        // `project-delete`, `db:drop`; what begins with the verb may be about anything
        let verb = |word: &Arg| {
            let parts = word.text.split(['-', ':', '_']).collect::<Vec<_>>();
            let has = |part: Option<&&str>| part.is_some_and(|part| DESTROYING.contains(part));
            match word.text.as_str() {
                text if text.starts_with('-') => false,
                "destroy" | "terminate" => true,
                _ if named => has(parts.first()) || has(parts.last()),
                _ => parts.len() > 1 && has(parts.last()),
            }
        };
        if args.len() > 2 && words().any(verb) {
            self.note(EffectKind::RemoteMutate, "cloud-delete");
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
}

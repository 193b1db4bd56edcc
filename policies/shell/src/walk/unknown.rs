//! Programs of which nothing is known: what their words give away.

use rampart_call::{Certainty, EffectKind, Target};

use super::Walk;
use super::simple::base_name;
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

impl Walk<'_> {
    pub(super) fn unknown(&mut self, name: &str, args: &[Arg], stdin: Flow) -> Flow {
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

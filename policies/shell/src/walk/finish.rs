//! What a program that was followed hands on: to the network, to a shell, to the next in the pipe.

use rampart_call::{EffectKind, Target};

use super::Walk;
use super::apply::Use;
use crate::decode;
use crate::host::owners;
use crate::knowledge::{Input, Language, Output, Usage};
use crate::value::{Flow, Taint};

/// Filters that leave some of the lines.
const NARROW: [&str; 12] =
    ["grep", "egrep", "fgrep", "rg", "head", "tail", "awk", "fzf", "comm", "shuf", "uniq", "sift"];

/// Programs whose purpose it is to start a shell: elsewhere, in a terminal of its own, or in another environment.
const SHELL_STARTERS: &[&str] = &[
    "docker",
    "podman",
    "nerdctl",
    "docker-compose",
    "kubectl",
    "oc",
    "k",
    "lxc",
    "incus",
    "vagrant",
    "ssh",
    "mosh",
    "tmux",
    "screen",
    "script",
    "nix",
    "nix-shell",
    "poetry",
    "pipenv",
    "pdm",
    "hatch",
    "uv",
    "conda",
    "mamba",
    "direnv",
    "mise",
    "devbox",
    "distrobox",
    "toolbox",
    "heroku",
    "fly",
    "flyctl",
    "railway",
    "bundle",
];

impl Walk<'_> {
    pub(super) fn finish_use(&mut self, used: Use<'_>) -> Flow {
        let Use {
            program, mut stdin, content, mut sent, host, bearers, outputs, hunt, ran, stdout, name, usage, ..
        } = used;
        // the names of variables alone
        if name == "cut" && usage.has("-d==") && usage.has("-f=1") {
            stdin.taint = stdin.taint.without(Taint::TOKEN);
        }
        if let Some(hunt) = hunt.filter(|_| !usage.has("-v") && !usage.has("--invert-match")) {
            if hunt.harmless {
                stdin.taint = stdin.taint.without(Taint::TOKEN);
            } else if stdin.taint.has(Taint::SETTINGS) && hunt.is_for_secrets() {
                self.note(EffectKind::Secret, "token-shown");
            }
        }
        if program.input == Input::Send && !stdin.is_empty() {
            sent = sent.with(stdin.taint);
        }
        let foreign = |name: &str| bearers.iter().any(|variable| owners::is_foreign(variable, name));
        if matches!(&host, Some(Target::Host { host, .. }) if foreign(host)) {
            self.push(EffectKind::Secret, host.clone(), "secret-to-net");
        }
        if sent != Taint::NONE && (host.is_some() || program.input == Input::Send) {
            self.send(sent, host.as_ref());
        }
        let mut stdout = stdout;
        if program.input == Input::Code && !ran && !stdin.is_empty() {
            let language = program.language.unwrap_or(Language::Other);
            let input = stdin.clone();
            stdout = Some(self.nested(name, |walk| walk.flow_of_code(language, input, Vec::new())));
        } else if program.input == Input::Code && !ran && program.language == Some(Language::Shell) {
            self.shell_to_talk_to(&usage);
        }
        let decodes = !program.decodes.is_empty() && usage.has_any(&program.decodes);
        let output = if decodes { Output::Decode } else { program.output };
        let out = match output {
            Output::Through => stdout.unwrap_or_else(|| {
                let plain = content.text.as_deref() == Some("") && content.taint == Taint::NONE;
                // a sub-command is no filter
                let through = if usage.path.is_empty() { stdin.taint } else { Taint::NONE };
                let taint = if plain { through } else { content.taint.with(through) };
                // names of files that pass through a filter are some of them, or others beside them
                if let Some(names) =
                    stdin.text.as_deref().filter(|_| content.taint == Taint::NONE && through.has(Taint::NAMES))
                {
                    let some = |line: &str| match line.strip_suffix('*').filter(|_| NARROW.contains(&name)) {
                        Some(folder) if folder.is_empty() || folder.ends_with('/') => format!("{folder}?*"),
                        _ => line.to_owned(),
                    };
                    let text = names.lines().map(some).collect::<Vec<_>>().join("\n");
                    return Flow::known(text, taint.with(Taint::FILTERED));
                }
                Flow::unknown(if taint.has(Taint::LOCAL) { taint.with(Taint::FILTERED) } else { taint })
            }),
            Output::Verbatim => stdout.unwrap_or_else(|| stdin.clone()),
            Output::Download => Flow::unknown(Taint::DOWNLOADED.with(content.taint)),
            Output::Decode => {
                let encoded = stdin.text.as_deref().filter(|_| content.is_empty());
                let text = encoded.and_then(|text| decoded(name, text));
                Flow { text, taint: Taint::DECODED.with(content.taint).with(stdin.taint) }
            }
            Output::Digest => Flow::unknown(Taint::NONE),
            Output::ShellCode => Flow::empty(),
            Output::Secret => stdout.unwrap_or(Flow::unknown(Taint::SECRET)),
            Output::Token => Flow::unknown(Taint::TOKEN),
            Output::Local => Flow::unknown(Taint::LOCAL),
            Output::Settings => Flow::unknown(Taint::SETTINGS),
        };
        // `tee -a`
        let behind = program.output == Output::Verbatim && (usage.has("-a") || usage.has("--append"));
        for file in &outputs {
            if behind {
                self.remember_behind(file, out.clone());
            } else {
                self.remember(file, out.clone());
            }
        }
        out
    }

    /// A shell that nothing says what to do waits to be told, by whoever made another program start it.
    fn shell_to_talk_to(&mut self, usage: &Usage) {
        if usage.has("-p") {
            self.note(EffectKind::Privilege, "setuid");
        }
        // what lies in the project starts it, and not the words of the program
        let expected = |wrapper: &&String| !self.in_project && SHELL_STARTERS.contains(&wrapper.as_str());
        let mut wrappers = self.via.iter().filter(|w| !matches!(w.as_str(), "exec" | "command" | "builtin")).peekable();
        if wrappers.peek().is_some() && !wrappers.any(|w| expected(&w)) && !usage.has("-n") {
            self.note(EffectKind::Exec, "interactive-shell");
        }
    }
}

/// What a decoder says of text that is known.
fn decoded(program: &str, text: &str) -> Option<String> {
    match program {
        "base64" | "gbase64" | "openssl" => decode::base64(text),
        "xxd" => decode::hex(text),
        "rot13" => Some(decode::rot13(text)),
        _ => None,
    }
}

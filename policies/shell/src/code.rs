//! Code that is carried by a command: shell text, scripts, inline code of interpreters.

mod calls;
mod languages;
mod manifest;
mod powershell;
mod sql;
mod tcl;
mod texts;
mod tokens;
mod transfer;

pub(crate) use languages::{by_ending as language_of, by_shebang as language_of_text};
use rampart_call::{Certainty, EffectKind, Span};
pub(crate) use texts::batch;

use crate::knowledge::Language;
use crate::value::{Arg, Flow, Taint};
use crate::walk::{Use, Walk};

pub(crate) fn ready() {
    languages::ready();
}

impl Walk<'_> {
    /// Shell code in a word: what `eval`, `trap` and `sh -c` take.
    pub(crate) fn code_text(&mut self, arg: &Arg) -> Flow {
        self.code_text_with(arg, Vec::new(), Flow::empty())
    }

    pub(crate) fn code_text_with(&mut self, arg: &Arg, positional: Vec<Arg>, stdin: Flow) -> Flow {
        if self.origin(arg.taint) {
            return Flow::unknown(arg.taint);
        }
        if arg.shape.as_deref().is_some_and(|s| s.chars().all(|c| c == '*')) {
            if !arg.taint.has(Taint::LOCAL) {
                self.note(EffectKind::Opaque, "computed-code");
            }
            return Flow::unknown(arg.taint);
        }
        let before = self.swap_positional(positional);
        let out = self.text_of(&arg.text, arg.span, stdin);
        self.swap_positional(before);
        out
    }

    /// A file is executed.
    pub(crate) fn script(&mut self, arg: &Arg, positional: Vec<Arg>) -> Flow {
        self.file_of_code(Language::Shell, arg, positional)
    }

    /// Source text for a compiler. What was written just now, or comes in, is looked at as if it ran.
    pub(crate) fn compiled(&mut self, arg: &Arg, used: &mut Use<'_>) {
        let stdin = matches!(arg.text.as_str(), "-" | "/dev/stdin");
        let flow = if stdin { Some(used.stdin.clone()) } else { self.written_flow(&arg.text) };
        match (flow, languages::by_ending(&arg.text).or(languages::by_compiler(used.name))) {
            (Some(flow), Some(language)) if flow.text.is_some() => {
                let name = used.name.to_owned();
                self.nested(&name, |walk| walk.flow_of_code(language, flow, Vec::new()));
            }
            (flow, _) => {
                let runs = used.usage.path.last().is_some_and(|sub| sub == "run");
                if runs && flow.is_some_and(|flow| flow.taint.has(Taint::DOWNLOADED)) {
                    self.note(EffectKind::Exec, "download-run");
                }
                let _ = self.read(arg, false);
            }
        }
    }

    pub(crate) fn file_of_code(&mut self, language: Language, arg: &Arg, positional: Vec<Arg>) -> Flow {
        if let Some(flow) = &arg.content {
            return self.flow_of_code(language, (**flow).clone(), positional);
        }
        if let Some(flow) = self.written_flow(&arg.text) {
            return self.written_code(language, flow, positional);
        }
        if arg.text.contains("://") {
            self.net_url(arg, "");
            self.note(EffectKind::Exec, "download-run");
            return Flow::unknown(Taint::DOWNLOADED);
        }
        if ["/tmp/.", "/var/tmp/.", "/dev/shm/"].iter().any(|root| arg.text.starts_with(root)) {
            self.note(EffectKind::Opaque, "hidden-program");
        }
        let _ = self.read_if_key(arg);
        let target = self.target(arg, false);
        self.push_with(
            EffectKind::Exec,
            Some(target),
            if arg.is_literal() { "" } else { "computed-path" },
            Certainty::Proven,
        );
        // what a script prints is not what stands in it
        Flow::unknown(Taint::LOCAL.with(Taint::FILTERED))
    }

    /// A file that this command line wrote is executed by its path.
    pub(crate) fn run_written(&mut self, path: &str, args: &[Arg], _stdin: Flow) -> Flow {
        let Some(flow) = self.written_flow(path) else { return Flow::unknown(Taint::NONE) };
        let language = flow.text.as_deref().map_or(Language::Shell, languages::by_shebang);
        self.written_code(language, flow, args.to_vec())
    }

    fn written_code(&mut self, language: Language, flow: Flow, positional: Vec<Arg>) -> Flow {
        if flow.text.is_none() && !flow.taint.has(Taint::DOWNLOADED.with(Taint::DECODED)) {
            self.note(EffectKind::Exec, "write-then-run");
            return Flow::unknown(flow.taint);
        }
        self.flow_of_code(language, flow, positional)
    }

    /// Code that flows: standard input, a process substitution, a file just written.
    pub(crate) fn flow_of_code(&mut self, language: Language, flow: Flow, positional: Vec<Arg>) -> Flow {
        // statements are data to a database, and manifests to a cluster, wherever they come from
        let data = matches!(language, Language::Sql | Language::Manifest | Language::Transfer | Language::Template);
        let told = !data && self.origin(flow.taint);
        match flow.text {
            Some(text) => {
                let span = self.span();
                if language == Language::Shell {
                    let before = self.swap_positional(positional);
                    let out = self.text_of(&text, span, Flow::empty());
                    self.swap_positional(before);
                    return out;
                }
                let arg = Arg { taint: flow.taint, ..Arg::literal(text, span) };
                self.inline(language, &arg)
            }
            None => {
                // a file of this machine is no more hidden than a script that is named, unless a filter has changed it
                let plain =
                    flow.taint.has(Taint::LOCAL.with(Taint::DOWNLOADED)) && (data || !flow.taint.has(Taint::FILTERED));
                if !told && !plain && !matches!(language, Language::Manifest | Language::Template) {
                    self.note(EffectKind::Opaque, "stdin-code");
                }
                Flow::unknown(flow.taint)
            }
        }
    }

    /// Says where code comes from that was fetched or decoded. True where that is all there is to say.
    fn origin(&mut self, taint: Taint) -> bool {
        if taint.has(Taint::DOWNLOADED) {
            self.note(EffectKind::Exec, "download-run");
        } else if taint.has(Taint::DECODED) {
            self.note(EffectKind::Exec, "decode-run");
        }
        taint.has(Taint::DOWNLOADED.with(Taint::DECODED))
    }

    /// Inline code.
    pub(crate) fn inline(&mut self, language: Language, arg: &Arg) -> Flow {
        if self.origin(arg.taint) && !arg.is_literal() {
            return Flow::unknown(arg.taint);
        }
        if arg.shape.as_deref().is_some_and(|s| s.chars().all(|c| c == '*')) {
            if !arg.taint.has(Taint::LOCAL) {
                self.note(EffectKind::Opaque, "computed-code");
            }
            return Flow::unknown(arg.taint);
        }
        match language {
            Language::Shell => self.code_text(arg),
            Language::Sql => sql::statements(self, &arg.text),
            Language::Sed => texts::sed(self, arg),
            Language::Awk => texts::awk(self, arg),
            Language::Vim => texts::vim(self, arg),
            Language::Applescript => texts::applescript(self, arg),
            Language::Jq => texts::jq(self, arg),
            Language::Template => texts::template(self, arg),
            Language::Tex => texts::tex(self, arg),
            Language::Tcl => tcl::look(self, arg),
            Language::Transfer => transfer::batch(self, arg),
            Language::Manifest => manifest::rights(self, arg),
            Language::Powershell => powershell::follow(self, arg, Flow::empty()),
            Language::Other => {
                if !texts::only_computes(&arg.text) {
                    self.note(EffectKind::Opaque, "inline-code");
                }
                Flow::unknown(Taint::NONE)
            }
            language => calls::look(self, language, arg),
        }
    }

    fn text_of(&mut self, text: &str, span: Span, stdin: Flow) -> Flow {
        self.shell_text(text, span, stdin)
    }
}

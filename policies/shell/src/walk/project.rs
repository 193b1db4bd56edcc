//! Programs that run what lies in the project: builds, tests, package managers. What this command line wrote there before
//! runs with them.

use rampart_call::{Certainty, Effect, EffectKind};

use super::Walk;
use crate::knowledge::Language;
use crate::value::{Arg, Flow};

/// Most files that are looked at.
const MAX_FILES: usize = 16;

impl Walk<'_> {
    /// Follows what was written before a program that runs code of the project. What would do harm is kept.
    pub(super) fn runs_project(&mut self, name: &str) {
        if self.written.is_empty() || self.in_project {
            return;
        }
        let mut files: Vec<(String, Flow)> = self
            .written
            .iter()
            .filter(|(path, written)| written.flow.text.is_some() && !path.starts_with("/dev/"))
            .map(|(path, written)| (path.clone(), written.flow.clone()))
            .collect();
        files.sort_by(|a, b| a.0.cmp(&b.0));
        self.in_project = true;
        for (path, flow) in files.into_iter().take(MAX_FILES) {
            let file = path.rsplit('/').next().unwrap_or("");
            let text = flow.text.as_deref().unwrap_or("");
            let (language, text) = match file {
                "Makefile" | "makefile" | "GNUmakefile" | "justfile" | "Justfile" => (Language::Shell, recipes(text)),
                "package.json" | "composer.json" | "deno.json" => (Language::Shell, scripts(text)),
                "Rakefile" | "Gemfile" => (Language::Ruby, text.to_owned()),
                _ => match crate::code::language_of(file) {
                    // no build starts a script by itself
                    Some(Language::Shell) | None => continue,
                    Some(language) => (language, text.to_owned()),
                },
            };
            let arg = Arg { taint: flow.taint, ..Arg::literal(text, self.span) };
            self.suspected(name, |walk| walk.inline(language, &arg));
        }
        self.in_project = false;
    }

    /// Follows what may run, or may be something else: what would do harm is kept, and nothing is made of the rest.
    pub(super) fn suspected(&mut self, name: &str, f: impl FnOnce(&mut Self) -> Flow) {
        let before = self.out.effects.len();
        let certainty = std::mem::replace(&mut self.certainty, Certainty::Possible);
        let span = self.span;
        let cwd = self.env.cwd.clone();
        self.nested(name, f);
        self.env.cwd = cwd;
        self.span = span;
        self.certainty = certainty;
        let harmless = |e: &Effect| {
            e.kind == EffectKind::Opaque
                || e.kind == EffectKind::Exec && matches!(e.note.as_str(), "" | "unknown-program" | "computed-path")
        };
        let kept: Vec<Effect> =
            self.out.effects.drain(before..).filter(|e| !harmless(e) || e.note == "budget").collect();
        self.out.effects.extend(kept);
    }
}

/// The recipes of a makefile as shell text.
fn recipes(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.strip_prefix(['\t', ' ']));
    let plain = lines.map(|line| line.trim_start().trim_start_matches(['@', '-', '+']).replace("$(shell ", "$$("));
    let mut out = String::new();
    for line in plain {
        // `$(NAME)` is a variable, `$$` the dollar of the shell
        let mut rest = line.as_str();
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            out.push('$');
            rest = match after.strip_prefix('$') {
                Some(after) => after,
                None => match after.strip_prefix('(').and_then(|inside| inside.split_once(')')) {
                    Some((name, after)) if name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) => {
                        out.push('{');
                        out.push_str(name);
                        out.push('}');
                        after
                    }
                    _ => after,
                },
            };
        }
        out.push_str(rest);
        out.push('\n');
    }
    out
}

/// The scripts of a `package.json`, one a line.
fn scripts(text: &str) -> String {
    let behind = text.split_once("\"scripts\"").map_or("", |(_, rest)| rest);
    let inside = behind.split('}').next().unwrap_or("").replace("\\\"", "\u{1}");
    let values = inside.split('"').skip(3).step_by(4).map(|value| value.replace('\u{1}', "\""));
    values.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{recipes, scripts};

    #[test]
    fn what_runs_is_cut_from_its_file() {
        assert_eq!(recipes("a:\n\t@rm -rf $(OUT) $$HOME\nb = c\n"), "rm -rf ${OUT} $HOME\n");
        assert_eq!(recipes("a:\n\techo $(shell id)\n"), "echo $(id)\n");
        assert_eq!(scripts(r#"{"scripts": {"a": "x \"y\"", "b": "z"}, "c": "d"}"#), "x \"y\"\nz");
        assert_eq!(scripts("{}"), "");
    }
}

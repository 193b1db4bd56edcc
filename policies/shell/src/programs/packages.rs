//! What package managers install.

use rampart_call::{EffectKind, Target};

use crate::knowledge::{self, Program, Role};
use crate::value::Arg;
use crate::walk::{Use, Walk};

impl Walk<'_> {
    /// A package is installed: from a registry, from a URL, from a path.
    /// `owner/name` is a repository where the registry has scopes instead.
    pub(crate) fn package(&mut self, arg: &Arg, has_scopes: bool) {
        let text = arg.text.as_str();
        let name = text.split_once(" @ ").map_or(text, |(_, from)| from);
        let forge = ["github:", "gitlab:", "bitbucket:", "gist:"].iter().any(|p| name.starts_with(p));
        let short = has_scopes && !name.starts_with(['@', '.', '/', '~']) && name.matches('/').count() == 1;
        // packages of the system run what they like as root, wherever they lie
        let loose = [".deb", ".rpm", ".apk", ".vsix", ".snap", ".flatpakref", ".pkg"].iter().any(|s| name.ends_with(s));
        let direct =
            name.contains("://") || name.starts_with("git+") || name.starts_with("git@") || forge || short || loose;
        let path = matches!(name, "." | "..")
            || name.starts_with(['.', '/', '~'])
            || name.ends_with(".whl")
            || name.ends_with(".tgz")
            || name.ends_with(".tar.gz");
        let fetched = self.written_flow(name).is_some_and(|flow| flow.taint.has(crate::value::Taint::DOWNLOADED));
        let note = if direct || fetched {
            "package-url"
        } else if path {
            return;
        } else {
            "package-registry"
        };
        let target = Target::Named { what: "package".to_owned(), name: text.to_owned() };
        self.push(EffectKind::PackageInstall, Some(target), note);
        if name.contains("://") {
            let url = arg.with_text(name.trim_start_matches("git+"));
            self.net_url(&url, "");
        }
    }
}

/// `key=value` of cargo, apt and make.
pub(crate) fn setting(walk: &mut Walk<'_>, arg: &Arg) {
    let key = arg.text.to_ascii_lowercase();
    let runs = ["runner", "rustc", "linker", "-invoke", "auto-detect", "pager", "shell=", "$(shell", "editor"];
    if !runs.iter().any(|piece| key.contains(piece)) {
        return;
    }
    let name = arg.text.split('=').next().unwrap_or("").to_owned();
    walk.named(EffectKind::CodeLoad, "setting", &name, "option-code");
    if let Some((_, value)) = arg.text.split_once('=') {
        let text = value.trim_matches(['"', '\'', ' ']).to_owned();
        let word = Arg { shape: None, ..arg.with_text(&text) };
        walk.nested(&name, |walk| walk.code_text(&word));
    }
}

/// `yarn NAME ..`: a script of the project, or a program of a package. One that harms with some words alone is followed;
/// others have too much the names of scripts.
pub(super) fn bin(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let words = used.usage.operands.clone();
    let Some(first) = words.first().filter(|_| used.usage.path.is_empty()) else { return false };
    let told = |program: &Program| !program.does.is_empty() && program.does.iter().all(|does| !does.when.is_empty());
    let followed = knowledge::program(&first.text).is_some_and(told);
    if followed {
        // its options stand among those of the package manager
        let flags = used.usage.flags.iter().map(|flag| first.with_text(flag));
        let words = words.iter().cloned().chain(flags).collect();
        walk.run_words(words, used);
    }
    followed
}

/// `nix run FLAKE -- ..`, `nix shell FLAKE .. -c COMMAND ..`: options of one and two values stand anywhere between.
pub(super) fn nix(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    let ends = |word: &Arg| matches!(word.text.as_str(), "--" | "-c" | "--command");
    let (flakes, command) = words.split_at(words.iter().position(ends).unwrap_or(words.len()));
    let own = |word: &&Arg| !word.text.starts_with('-') && !word.text.to_lowercase().starts_with("github:nixos/");
    for flake in flakes.iter().skip(1).filter(own) {
        walk.word(Role::PackageIfUrl, flake, "", used);
    }
    if let Some((_, rest)) = command.split_first().filter(|(first, rest)| first.text != "--" && !rest.is_empty()) {
        walk.run_words(rest.to_vec(), used);
    }
    true
}

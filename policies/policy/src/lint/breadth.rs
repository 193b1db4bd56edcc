//! Patterns that allow more than anyone can mean.

use super::Entry;
use crate::{
    pattern::{Domain, PathGlob, Reading, TextGlob, UrlGlob},
    read::Reader,
    source::Action,
};

/// Programs that run whatever they are told to.
const CARRIERS: [&str; 20] = [
    "sh", "bash", "zsh", "dash", "fish", "env", "sudo", "doas", "xargs", "ssh", "python", "python3", "node", "perl",
    "ruby", "php", "eval", "exec", "docker", "kubectl",
];

pub(super) fn check(entry: &Entry<'_>, reader: &mut Reader<'_>) {
    if entry.rule.action.value != Action::Allow {
        return;
    }
    let when = &entry.rule.when;
    for pattern in when.command.matches.yes.iter().flatten() {
        let glob = TextGlob::new(&pattern.value);
        let program = pattern.value.split(' ').next().unwrap_or_default();
        let message = if glob.is_sweeping() {
            format!("`{}` allows every command", pattern.value)
        } else if CARRIERS.contains(&program) && pattern.value.strip_prefix(program) == Some(" *") {
            format!("`{}` allows every command, since `{program}` runs what it is told to", pattern.value)
        } else {
            continue;
        };
        reader.warn("over-broad", &pattern.span, message, "name the program and what it is to do");
    }
    for pattern in when.path.yes.iter().flatten() {
        let globs = PathGlob::compile(&pattern.value, Reading::Exact).unwrap_or_default();
        if globs.iter().any(PathGlob::is_sweeping) {
            let message = format!("`{}` allows nearly every file", pattern.value);
            reader.warn("over-broad", &pattern.span, message, "name a folder");
        }
    }
    for pattern in when.domain.yes.iter().flatten() {
        if Domain::new(&pattern.value, Reading::Exact).is_ok_and(|d| d.is_sweeping()) {
            let message = format!("`{}` allows nearly every host", pattern.value);
            reader.warn("over-broad", &pattern.span, message, "name a domain such as `*.example.com`");
        }
    }
    for pattern in when.url.yes.iter().flatten() {
        if UrlGlob::new(&pattern.value, Reading::Exact).is_ok_and(|u| u.is_sweeping()) {
            let message = format!("`{}` allows nearly every URL", pattern.value);
            reader.warn("over-broad", &pattern.span, message, "name a host");
        }
    }
}

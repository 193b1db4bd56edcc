//! What brings whole trees of files here: clones, checkouts, archives.

use rampart_call::EffectKind;

use crate::knowledge::Role;
use crate::value::{Arg, Flow, Taint};
use crate::walk::{Use, Walk, base_name};

/// `git clone URL [DIR]`, `svn co URL [DIR]`, `gh repo clone OWNER/NAME [DIR]`: the tree is downloaded.
pub(super) fn checkout(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    walk.does(used);
    walk.option_values(used);
    let operands = used.usage.operands.clone();
    let Some(from) = operands.first() else { return true };
    let near = from.text.starts_with(['.', '/', '~']) && from.is_literal();
    if from.text.contains("://") {
        walk.net_url(from, "");
    } else if from.text.contains('@') {
        walk.net_host(&from.with_text(from.text.split(':').next().unwrap_or("")), "");
    }
    let name = base_name(from.text.trim_end_matches('/')).trim_end_matches(".git").to_owned();
    let into = operands.get(1).cloned().unwrap_or_else(|| Arg::literal(name, walk.span()));
    if !near {
        walk.remember_tree(&into, Flow::unknown(Taint::DOWNLOADED));
    }
    used.stdout = Some(Flow::empty());
    true
}

/// `unzip ARCHIVE [-d DIR]`, `7z x ARCHIVE [-oDIR]`: what was in it is as trustworthy as it was.
pub(super) fn unpack(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    // `7z a -sdel ARCHIVE FILE ..`, `rar m ARCHIVE FILE ..`: the files go into the archive and are no longer beside it
    let moves = words.first().is_some_and(|command| matches!(command.text.as_str(), "m" | "mf"))
        || words.iter().any(|word| matches!(word.text.as_str(), "-sdel" | "-df"));
    if moves && used.program.always_recursive {
        for file in used.usage.operands.clone().iter().skip(2) {
            walk.delete(file, true, "");
        }
    }
    let named = used.usage.values.iter().find(|(_, role, _)| *role == Role::Into).map(|(_, _, value)| value.clone());
    let into = named.unwrap_or(Arg::literal(".", walk.span()));
    let lists = used.usage.has("-l") || used.usage.has("-t") || used.usage.operands.iter().any(|a| a.text == "l");
    let archive = used.usage.operands.iter().find(|a| a.text.len() > 1).cloned();
    if let Some(archive) = archive.filter(|_| !lists) {
        let flow = walk.written_flow(&archive.text).unwrap_or(Flow::unknown(Taint::LOCAL));
        if flow.taint.has(Taint::DOWNLOADED) || came_from_elsewhere(&archive.text) {
            walk.remember_tree(&into, Flow::unknown(Taint::DOWNLOADED));
        }
    }
    false
}

/// Whether an archive lies where downloads lie.
pub(super) fn came_from_elsewhere(path: &str) -> bool {
    path.contains("/Downloads/") || ["/tmp/", "/var/tmp/", "/dev/shm/"].iter().any(|root| path.starts_with(root))
}

/// `make install` in a tree that was just downloaded runs what stands in it. A makefile that is named or comes in is followed
/// as one that is found is.
pub(super) fn make(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let given =
        used.usage.values.iter().filter_map(|(option, _, value)| match (option.as_str(), value.text.as_str()) {
            ("-f" | "--file" | "--makefile", "-" | "/dev/stdin") => Some(used.stdin.clone()),
            ("-f" | "--file" | "--makefile", path) => {
                value.content.as_deref().cloned().or_else(|| walk.written_flow(path))
            }
            ("--eval" | "-E", text) => Some(Flow::known(text.to_owned(), value.taint)),
            _ => None,
        });
    for makefile in given.collect::<Vec<_>>() {
        walk.makefile(used.name, &makefile, &used.usage);
    }
    let installs = used.usage.operands.iter().any(|a| a.text.contains("install"));
    if installs && walk.written_flow("Makefile").is_some_and(|flow| flow.taint.has(Taint::DOWNLOADED)) {
        walk.note(EffectKind::Exec, "download-run");
    }
    false
}

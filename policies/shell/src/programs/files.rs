//! Programs that change files.

use rampart_call::{EffectKind, Scope, Target};

use crate::knowledge::Role;
use crate::value::{Arg, Flow, Taint};
use crate::walk::{Use, Walk, base_name};

pub(super) fn chmod(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    // `-x` is a mode and not an option
    let is_mode = |a: &Arg| {
        let text = a.text.trim_start_matches('-');
        a.text.len() > 1 && text.chars().all(|c| "rwxXstugoa+-=,01234567".contains(c)) && a.text != "-R"
    };
    let mode = words.iter().find(|a| is_mode(a)).map_or("", |a| a.text.as_str()).to_owned();
    let note = if is_setuid(&mode) {
        "setuid"
    } else if is_open_to_all(&mode) {
        "open-to-all"
    } else {
        ""
    };
    let operands = used.usage.operands.clone();
    let skip = usize::from(operands.first().is_some_and(|a| a.text == mode));
    for path in operands.iter().skip(skip) {
        // a key or a start-up file that only its owner can use
        let own = matches!(walk.target(path, false), Target::Path { scope: Scope::Home | Scope::Project, .. });
        if own && closes(&mode) {
            continue;
        }
        if note == "setuid" {
            let target = walk.target(path, false);
            walk.push(EffectKind::Privilege, Some(target), note);
        }
        walk.chmod(path, used.recursive, note);
    }
    true
}

fn is_setuid(mode: &str) -> bool {
    let digits = mode.trim_start_matches(['+', '=', '0']);
    let octal =
        mode.len() >= 4 && digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('1');
    octal
        || mode
            .split(',')
            .any(|part| part.split_once(['+', '=']).is_some_and(|(who, what)| what.contains('s') && !who.contains('o')))
}

/// Whether a mode leaves the owner able to read, and takes from everybody else.
fn closes(mode: &str) -> bool {
    let digits = mode.trim_start_matches('0');
    digits.len() == 3 && digits.ends_with("00") && digits.starts_with(['4', '5', '6', '7'])
        || matches!(
            mode,
            "go-rwx" | "og-rwx" | "go=" | "og=" | "o-rwx" | "o-r" | "go-r" | "go-w" | "o-w" | "u=rw,go=" | "u=rwx,go="
        )
}

fn is_open_to_all(mode: &str) -> bool {
    let digits = mode.trim_start_matches('0');
    if digits.len() >= 3 && digits.bytes().all(|b| b.is_ascii_digit()) {
        return matches!(digits.bytes().last(), Some(b'2' | b'3' | b'6' | b'7')) && !digits.starts_with('1');
    }
    mode.split(',').any(|part| {
        part.split_once(['+', '='])
            .is_some_and(|(who, what)| what.contains('w') && (who.contains('o') || who.contains('a')))
    })
}

pub(super) fn chown(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let given = used.usage.has("--reference") || used.usage.has("--from");
    for path in used.usage.operands.clone().iter().skip(usize::from(!given)) {
        walk.chmod(path, used.recursive, "owner");
    }
    true
}

/// The destination and the sources of `cp`, `mv` and `ln`.
fn ends(used: &Use<'_>) -> (Vec<Arg>, Option<Arg>) {
    let into = used.usage.values.iter().find(|(_, role, _)| *role == Role::Into).map(|(_, _, v)| v.clone());
    let mut sources = used.usage.operands.clone();
    let to = into.or_else(|| if sources.len() > 1 { sources.pop() } else { None });
    (sources, to)
}

/// Where a source stands in the destination.
fn landing(source: &Arg, to: &Arg, several: bool) -> Arg {
    if several || to.text.ends_with('/') || matches!(to.text.as_str(), "." | "..") {
        let path = format!("{}/{}", to.text.trim_end_matches('/'), base_name(source.text.trim_end_matches('/')));
        return Arg { shape: to.shape.as_ref().map(|s| format!("{s}/*")), ..to.with_text(&path) };
    }
    to.clone()
}

pub(super) fn copy(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    walk.does(used);
    let (sources, to) = ends(used);
    for source in &sources {
        let flow = walk.read(source, used.recursive);
        if let Some(to) = &to {
            let landing = landing(source, to, sources.len() > 1);
            walk.write(&landing, "");
            walk.remember_copy(&landing, flow, source);
        }
    }
    used.stdout = Some(Flow::empty());
    true
}

pub(super) fn rename(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let (sources, to) = ends(used);
    for source in &sources {
        walk.moved(source, to.as_ref());
        if let Some(to) = &to {
            // what is moved to nowhere is gone
            if to.text == "/dev/null" {
                walk.delete(source, true, "shred");
            }
            let landing = landing(source, to, sources.len() > 1);
            walk.write(&landing, "");
            let flow = walk.written_flow(&source.text).unwrap_or(Flow::unknown(Taint::LOCAL));
            walk.remember_copy(&landing, flow, source);
        }
    }
    used.stdout = Some(Flow::empty());
    true
}

pub(super) fn link(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let (sources, to) = ends(used);
    for source in &sources {
        walk.read_if_delicate(source);
        let here = Arg::literal(base_name(source.text.trim_end_matches('/')), source.span);
        let to = to.as_ref().map_or(here, |to| landing(source, to, sources.len() > 1));
        walk.write(&to, "");
        walk.remember_copy(&to, Flow::unknown(Taint::LOCAL), source);
        walk.remember_link(&to, source);
    }
    true
}

pub(super) fn dd(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    let mut content = None;
    let mut outputs = Vec::new();
    for word in words {
        if let Some(path) = word.text.strip_prefix("if=") {
            content = Some(walk.read(&word.with_text(path), false));
        } else if let Some(path) = word.text.strip_prefix("of=") {
            let arg = word.with_text(path);
            walk.write(&arg, "");
            outputs.push(arg);
        }
    }
    let flow = content.unwrap_or_else(|| used.stdin.clone());
    used.stdout = Some(if outputs.is_empty() {
        flow
    } else {
        used.outputs = outputs;
        flow
    });
    true
}

//! `find`: what it deletes, and what it runs on what it finds.

use rampart_call::EffectKind;

use crate::value::{Arg, Flow, Taint};
use crate::walk::{Use, Walk};

/// How far into an expression names are looked at, and below how many places.
const MAX_NAMES: usize = 64;
const MAX_STARTS: usize = 8;

pub(super) fn find(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    let is_expression =
        |a: &Arg| a.text.starts_with('-') && a.text.len() > 1 || matches!(a.text.as_str(), "(" | "!" | ")");
    let leading =
        words.iter().take_while(|a| matches!(a.text.as_str(), "-H" | "-L" | "-P") || a.text.starts_with("-O")).count();
    let words = words.get(leading..).unwrap_or(&[]);
    let split = words.iter().position(is_expression).unwrap_or(words.len());
    let (starts, expression) = words.split_at(split);
    let mut starts = starts.to_vec();
    if starts.is_empty() {
        starts.push(Arg::literal(".", walk.span()));
    }
    let found: Vec<Arg> = starts.iter().map(|start| matches_of(start, expression)).collect();
    let mut printed = true;
    let mut words = expression.iter().enumerate();
    while let Some((at, word)) = words.next() {
        match word.text.as_str() {
            "-delete" => {
                for path in &found {
                    walk.delete(path, true, "");
                }
            }
            "-exec" | "-execdir" | "-ok" | "-okdir" => {
                printed = false;
                let rest = expression.get(at + 1..).unwrap_or(&[]);
                let length = rest
                    .iter()
                    .enumerate()
                    .position(|(i, a)| {
                        a.text == ";"
                            || a.text == "+" && i > 0 && rest.get(i - 1).is_some_and(|b| b.text.contains("{}"))
                    })
                    .unwrap_or(rest.len());
                let command = rest.get(..length).unwrap_or(&[]);
                // Where a search begins at a file, that is what it finds.
                let key = found.iter().find(|a| !a.glob && walk.is_key(a));
                let command: Vec<Arg> = command.iter().flat_map(|a| with_found(a, &found, key)).collect();
                walk.nested("find", |walk| walk.run_argv(command));
                for _ in 0..length {
                    words.next();
                }
            }
            "-fprint" | "-fprint0" | "-fls" | "-fprintf" => {
                if let Some((_, path)) = words.next() {
                    walk.write(path, "");
                }
            }
            "-name" | "-iname" | "-path" | "-ipath" | "-wholename"
                if !expression.iter().any(|a| a.text == "-delete") =>
            {
                if let Some((_, name)) = words.next().filter(|_| at < MAX_NAMES) {
                    starts.iter().take(MAX_STARTS).for_each(|start| walk.hunted_name(start, name));
                }
            }
            "-files0-from" => {
                if let Some((_, path)) = words.next() {
                    let _ = walk.read(path, false);
                }
            }
            // a search of the whole machine for programs that run as root
            "-perm"
                if starts.iter().any(|s| s.text == "/")
                    && expression
                        .get(at + 1)
                        .is_some_and(|m| ["4000", "6000", "u=s"].iter().any(|p| m.text.contains(p))) =>
            {
                walk.note(EffectKind::Privilege, "scan");
            }
            _ => {}
        }
    }
    if printed {
        let text: Vec<&str> = found.iter().map(|a| a.text.as_str()).collect();
        used.stdout = Some(Flow::known(text.join("\n"), found.iter().fold(Taint::NAMES, |t, a| t.with(a.taint))));
    }
    true
}

/// What a search from `start` finds, as one pattern.
fn matches_of(start: &Arg, expression: &[Arg]) -> Arg {
    let mut name = None;
    let mut negated = false;
    for pair in expression.windows(2) {
        let [option, value] = pair else { continue };
        match option.text.as_str() {
            "!" | "-not" => negated = true,
            "-name" | "-iname" | "-path" | "-ipath" | "-wholename" if !negated => {
                let last = value.text.rsplit('/').next().unwrap_or("").to_owned();
                // several names may be meant
                name = if name.is_some() { Some("?*".to_owned()) } else { Some(last) };
            }
            "-empty" | "-newer" | "-newermt" | "-newerct" | "-newerat" | "-anewer" | "-cnewer" | "-mtime" | "-mmin"
            | "-ctime" | "-atime" | "-size" | "-regex" | "-user" | "-links"
                if name.is_none() =>
            {
                name = Some("?*".to_owned());
            }
            "-mindepth" if value.text != "0" && name.is_none() => name = Some("?*".to_owned()),
            _ => {
                if !matches!(option.text.as_str(), "-name" | "-iname") {
                    negated = false;
                }
            }
        }
    }
    let Some(name) = name.filter(|n| !n.is_empty() && n != "*" && n != ".*") else {
        return start.clone();
    };
    let path = format!("{}/{name}", start.text.trim_end_matches('/'));
    let shape = start.shape.as_ref().map(|s| format!("{}/{name}", s.trim_end_matches('/')));
    Arg { glob: true, shape, text: path, ..start.clone() }
}

/// A word of a command with what was found in it: all that lies below each place, and `itself`.
fn with_found(word: &Arg, found: &[Arg], itself: Option<&Arg>) -> Vec<Arg> {
    if word.text == "{}" {
        // what lies below, where every name is meant
        let below = found.iter().map(|a| {
            if a.glob {
                a.clone()
            } else {
                Arg { text: format!("{}/*", a.text.trim_end_matches('/')), glob: true, ..a.clone() }
            }
        });
        return itself.cloned().into_iter().chain(below).collect();
    }
    if !word.text.contains("{}") {
        return vec![word.clone()];
    }
    let first = found.first().map_or("{}", |a| a.text.as_str());
    vec![Arg { text: word.text.replace("{}", first), ..word.clone() }]
}

/// `fd PATTERN PATH.. -x COMMAND`
pub(super) fn fd(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    let is_exec = |a: &Arg| matches!(a.text.as_str(), "-x" | "--exec" | "-X" | "--exec-batch");
    let at = words.iter().position(is_exec).unwrap_or(words.len());
    let inside: Vec<&Arg> = used
        .usage
        .operands
        .iter()
        .filter(|o| words.iter().take(at).any(|w| w.span == o.span && w.text == o.text))
        .collect();
    if let Some(pattern) = inside.first() {
        // a regular expression of a name: its anchors and escapes are no part of it
        let name = pattern.with_text(&pattern.text.trim_matches(['^', '$']).replace('\\', ""));
        inside.iter().skip(1).take(MAX_STARTS).for_each(|start| walk.hunted_name(start, &name));
    }
    let mut found: Vec<Arg> = inside
        .iter()
        .skip(1)
        .map(|a| Arg { glob: true, ..a.with_text(&format!("{}/*", a.text.trim_end_matches('/'))) })
        .collect();
    if found.is_empty() {
        found.push(Arg { glob: true, ..Arg::literal("./?*", walk.span()) });
    }
    let command = words.get(at + 1..).unwrap_or(&[]);
    let length = command.iter().position(|a| a.text == ";").unwrap_or(command.len());
    let command = command.get(..length).unwrap_or(&[]);
    if !command.is_empty() {
        let mut all: Vec<Arg> = command.iter().flat_map(|a| with_found(a, &found, None)).collect();
        if !command.iter().any(|a| a.text.contains("{}")) {
            all.extend(found.iter().cloned());
        }
        walk.nested("fd", |walk| walk.run_argv(all));
    }
    used.stdout = Some(Flow::known(found.iter().map(|a| a.text.as_str()).collect::<Vec<_>>().join("\n"), Taint::NAMES));
    true
}

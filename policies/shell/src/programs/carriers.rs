//! Programs that run other programs in irregular ways.

use rampart_call::{Certainty, EffectKind};

use crate::knowledge::{Language, Role};
use crate::value::{Arg, Flow, Taint};
use crate::walk::{Use, Walk, base_name};

pub(super) fn env(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    let split = used
        .usage
        .values
        .iter()
        .find(|(option, ..)| option == "-S" || option == "--split-string")
        .map(|(_, _, v)| v.clone());
    if let Some(text) = split {
        let mut all = vec![text];
        all.extend(used.usage.operands.iter().cloned());
        walk.shell_words(&all, false, used);
        return true;
    }
    for (option, _, value) in &used.usage.values.clone() {
        if matches!(option.as_str(), "-u" | "--unset") {
            walk.protected_variable(&value.text);
        }
    }
    let operands = used.usage.operands.clone();
    let runs = operands.iter().any(|a| !is_assignment(&a.text));
    if runs {
        walk.run_words(operands, used);
    } else if !words.iter().any(|a| a.text == "-i" || a.text == "-") {
        walk.note(EffectKind::Secret, "environment");
        used.stdout = Some(Flow::unknown(Taint::TOKEN));
    }
    true
}

/// `printenv` shows what `env` shows; `printenv NAME` one variable.
pub(super) fn printenv(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let all = used.usage.operands.is_empty();
    if all {
        walk.note(EffectKind::Secret, "environment");
        used.stdout = Some(Flow::unknown(Taint::TOKEN));
    }
    all
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| crate::walk::is_variable_name(name))
}

pub(super) fn xargs(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let mut command = used.usage.operands.clone();
    if command.is_empty() {
        // it prints what it is given
        walk.option_values(used);
        return true;
    }
    let replace = used
        .usage
        .values
        .iter()
        .find(|(option, ..)| matches!(option.as_str(), "-I" | "-J" | "--replace"))
        .map(|(_, _, v)| v.text.clone())
        .or_else(|| {
            (used.usage.has("-i") || used.usage.flags.iter().any(|f| f == "--replace")).then(|| "{}".to_owned())
        });
    let file = used
        .usage
        .values
        .iter()
        .find(|(option, ..)| option == "-a" || option == "--arg-file")
        .map(|(_, _, v)| v.clone());
    let input = match file {
        Some(file) => walk.read(&file, false),
        None => used.stdin.clone(),
    };
    let span = walk.span();
    let items: Vec<Arg> = match &input.text {
        // with a mark every line is one
        Some(text) => text
            .split(|c: char| if replace.is_some() { matches!(c, '\n' | '\0') } else { c.is_whitespace() || c == '\0' })
            .map(str::trim)
            .filter(|w| !w.is_empty())
            .take(32)
            .map(|w| Arg {
                taint: input.taint,
                glob: w.contains(['*', '?', '[']),
                ..Arg::literal(w.trim_matches(['"', '\'']), span)
            })
            .collect(),
        None => vec![Arg::unresolved("{}", input.taint, span)],
    };
    match replace {
        Some(mark) => {
            let first = items.first().cloned().unwrap_or(Arg::literal("", span));
            for word in &mut command {
                // a listing gives names, which stand behind the folder that is written in front
                let behind = |at: usize| word.text[..at].ends_with('/');
                let name = word.text.match_indices(&mark).any(|(at, _)| behind(at)) && input.taint.has(Taint::NAMES);
                let any = Arg { text: "*".to_owned(), glob: true, ..first.clone() };
                let first = if name { &any } else { &first };
                if word.text.contains(&mark) {
                    let shape = match (&word.shape, &first.shape) {
                        (None, None) => None,
                        _ => Some(word.text.replace(&mark, first.shape.as_deref().unwrap_or(&first.text))),
                    };
                    *word = Arg {
                        text: word.text.replace(&mark, &first.text),
                        shape,
                        taint: word.taint.with(first.taint),
                        glob: word.glob || first.glob,
                        ..word.clone()
                    };
                }
            }
        }
        None => command.extend(items),
    }
    // a shell without a script takes its words from the list
    let stdin = std::mem::replace(&mut used.stdin, Flow::empty());
    if input.taint.has(Taint::SECRET.with(Taint::LOCAL)) {
        used.sent = Taint::NONE;
    }
    walk.run_words(command, used);
    used.stdin = stdin;
    true
}

/// `direnv allow`: what stands in `.envrc` runs from now on wherever somebody enters the folder.
pub(super) fn direnv(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let folder = used.usage.operands.first().map(|a| a.text.clone()).unwrap_or_default();
    let path = match folder.as_str() {
        "" | "." => ".envrc".to_owned(),
        file if file.ends_with(".envrc") => folder,
        _ => crate::place::join(Some(&folder), ".envrc"),
    };
    if walk.written_flow(&path).is_some() {
        let script = Arg::literal(path, walk.span());
        walk.nested("direnv", |walk| walk.script(&script, Vec::new()));
    }
    used.stdout = Some(Flow::empty());
    true
}

/// `cmake -E COMMAND`: the commands that every system has under CMake's names (cmake(1), "Run a Command-Line Tool").
pub(super) fn cmake(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    let command = words.iter().position(|word| word.text == "-E").and_then(|at| words.get(at + 1..));
    let Some((first, rest)) = command.filter(|_| used.name == "cmake").and_then(<[Arg]>::split_first) else {
        return false;
    };
    let names: &[&str] = match first.text.as_str() {
        "remove" => &["rm"],
        "remove_directory" => &["rm", "-r"],
        "rename" => &["mv"],
        "copy" | "copy_if_different" => &["cp"],
        "copy_directory" | "copy_directory_if_different" => &["cp", "-r"],
        "make_directory" => &["mkdir"],
        "create_symlink" => &["ln", "-s"],
        "create_hardlink" => &["ln"],
        "chdir" => &["env", "-C"],
        name => &[name],
    };
    let names: Vec<Arg> = names.iter().map(|name| first.with_text(name)).collect();
    walk.run_words([&names[..], rest].concat(), used);
    true
}

/// `watch -x`: the words are a command, and no text for a shell.
pub(super) fn watch(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let words = used.usage.has("-x") || used.usage.has("--exec");
    if words {
        let command = used.usage.operands.clone();
        walk.run_words(command, used);
    }
    words
}

pub(super) fn parallel(walk: &mut Walk<'_>, used: &mut Use<'_>, _words: &[Arg]) -> bool {
    let operands = used.usage.operands.clone();
    let split = operands.iter().position(|a| a.text.starts_with(":::")).unwrap_or(operands.len());
    let (command, values) = operands.split_at(split);
    let values: Vec<Arg> = values.iter().filter(|a| !a.text.starts_with(":::")).take(32).cloned().collect();
    let mut words = command.to_vec();
    if words.is_empty() {
        // without a command every value is one, and every line where there is none
        if values.is_empty() {
            let stdin = used.stdin.clone();
            walk.nested("parallel", |walk| walk.flow_of_code(Language::Shell, stdin, Vec::new()));
        }
        for value in values {
            walk.shell_words(&[value], false, used);
        }
        return true;
    }
    let span = walk.span();
    let values = if values.is_empty() { vec![Arg::unresolved("{}", used.stdin.taint, span)] } else { values };
    if words.iter().any(|w| w.text.contains("{}")) {
        let first = values.first().map_or("", |v| v.text.as_str());
        for word in &mut words {
            word.text = word.text.replace("{}", first);
        }
    } else {
        words.extend(values);
    }
    walk.shell_words(&words, false, used);
    true
}

/// `docker run`: what happens inside matters to this machine where it shares its files or rights.
pub(super) fn container(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    walk.does(used);
    walk.option_values(used);
    let shares = used.usage.values.iter().any(|(_, role, _)| *role == Role::Mount)
        || used.usage.has("--privileged")
        || used.usage.has("--pid")
        || used.usage.has("--volumes-from");
    let command = used.usage.operands.get(1..).unwrap_or(&[]).to_vec();
    if shows_environment(&command) {
        for (_, _, file) in used.usage.values.clone().iter().filter(|(option, ..)| option == "--env-file") {
            let _ = walk.read(file, false);
        }
    }
    if shares && !command.is_empty() {
        let before = walk.certain(Certainty::Possible);
        walk.run_words(command, used);
        walk.certain(before);
    }
    used.stdout = Some(Flow::unknown(Taint::NONE));
    true
}

/// A command whose purpose it is to print its environment.
fn shows_environment(command: &[Arg]) -> bool {
    let Some((first, rest)) = command.split_first() else { return false };
    let prints = |name: &str| matches!(name, "env" | "printenv" | "export" | "set");
    let whole = |text: &str| ["process.env", "os.environ", "ENV.to_h", "%ENV"].iter().any(|all| text.ends_with(all));
    match base_name(&first.text) {
        "env" => rest.is_empty(),
        "printenv" => true,
        "sh" | "bash" | "ash" | "zsh" => rest
            .iter()
            .skip(1)
            .any(|text| text.text.split([';', '|', '&']).any(|one| one.split_whitespace().next().is_some_and(prints))),
        _ => rest.iter().any(|text| whole(text.text.trim_end_matches([')', ' ', ';']))),
    }
}

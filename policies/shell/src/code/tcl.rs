//! Scripts of Tcl and `expect`: the commands that they start, and what they say to those.

use rampart_call::EffectKind;

use crate::value::{Arg, Flow, Taint};
use crate::walk::Walk;

/// Commands that do what can be told from their words.
const COMMANDS: &[&str] = &["exec", "spawn", "system"];

/// What a script says to be told to somebody else, or does that no reading shows.
const HIDDEN: &[&str] = &["eval", "interact", "interp", "load", "open", "socket", "source", "subst", "uplevel"];

pub(super) fn look(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    let mut listens = false;
    let mut told = false;
    for statement in arg.text.split(['\n', ';', '{', '}', '[', ']']).map(str::trim) {
        let (command, words) = statement.split_once(char::is_whitespace).unwrap_or((statement, ""));
        if COMMANDS.contains(&command) {
            let words = words.trim_start_matches("-noecho").trim_start_matches("-ignoreall").trim_start();
            let program = words.split_whitespace().next().unwrap_or("");
            let name = program.rsplit('/').next().unwrap_or(program);
            listens |= command == "spawn" && (crate::runs_its_words(name) || takes_commands(name));
            walk.code_text(&Arg { shape: None, ..arg.with_text(words) });
        } else if HIDDEN.contains(&command) {
            walk.note(EffectKind::Opaque, "inline-code");
        } else if command == "file" && words.starts_with("delete") {
            let recursive = words.contains("-force");
            for path in words.split_whitespace().skip(1).filter(|word| !word.starts_with('-')) {
                walk.delete(&arg.with_text(path.trim_matches('"')), recursive, "");
            }
        }
        told |= matches!(command, "send" | "exp_send");
    }
    // what is said to a shell is run
    if listens && told {
        walk.note(EffectKind::Opaque, "inline-code");
    }
    Flow::unknown(Taint::NONE)
}

/// Whether a program runs what it is told when somebody talks to it.
fn takes_commands(name: &str) -> bool {
    matches!(name, "ssh" | "telnet" | "su" | "sudo" | "login" | "mosh" | "docker" | "kubectl" | "mysql" | "psql")
}

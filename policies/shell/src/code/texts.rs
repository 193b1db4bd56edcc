//! The small languages of text tools: sed, awk, vim; and languages of which little is known.

use crate::value::{Arg, Flow, Taint};
use crate::walk::Walk;

/// Whether code of a language whose calls are not known visibly only computes and prints.
pub(super) fn only_computes(text: &str) -> bool {
    const ACTS: &[&str] = &[
        "call", "cd", "copy", "cp", "do", "env", "eval", "ffi", "include", "kill", "load", "mv", "open", "parse",
        "pipe", "quit", "read", "require", "rm", "run", "send", "sh", "source", "term", "touch", "url", "use", "write",
    ];
    const PARTS: &[&str] = &[
        "browse", "cmd", "command", "connect", "delete", "download", "exec", "fetch", "file", "http", "import",
        "popen", "process", "remove", "shell", "socket", "spawn", "system", "unlink",
    ];
    let lower = text.to_lowercase().replace("system.version", "");
    // what begins with a colon is a command of the interpreter, a backquote or `.!` runs one
    if lower.trim_start().starts_with([':', '!', ',', '%'])
        || lower.contains(['`', '|', '>', '<'])
        || lower.contains(".!")
    {
        return false;
    }
    let mut words = lower.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty());
    !words.any(|word| ACTS.contains(&word) || PARTS.iter().any(|part| word.contains(part)))
}

/// `sed`: the commands `e`, `w`, `W`, `r`, `R`, and the flags `e` and `w` of `s`.
pub(super) fn sed(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    for line in arg.text.split(['\n', ';']) {
        let line = line.trim();
        // the address
        let rest = after_address(line);
        let mut chars = rest.chars();
        match chars.next() {
            Some('e') if chars.as_str().is_empty() || chars.as_str().starts_with(' ') => {
                let command = chars.as_str().trim();
                if command.is_empty() {
                    walk.note(rampart_call::EffectKind::Opaque, "computed-code");
                } else {
                    walk.code_text(&arg.with_text(command));
                }
            }
            Some('w' | 'W') if chars.as_str().starts_with(' ') => walk.write(&arg.with_text(chars.as_str().trim()), ""),
            Some('r' | 'R') if chars.as_str().starts_with(' ') => {
                let _ = walk.read(&arg.with_text(chars.as_str().trim()), false);
            }
            Some('s') => {
                let Some(mark) = chars.next() else { continue };
                let parts: Vec<&str> = chars.as_str().split(mark).collect();
                let Some(flags) = parts.get(2) else { continue };
                let (letters, file) = flags.split_once(' ').unwrap_or((flags, ""));
                if letters.contains('e') && letters.chars().all(|c| "egipmIM0123456789".contains(c)) {
                    walk.note(rampart_call::EffectKind::Opaque, "computed-code");
                }
                if letters.ends_with('w') && !file.is_empty() {
                    walk.write(&arg.with_text(file.trim()), "");
                }
            }
            _ => {}
        }
    }
    Flow::unknown(Taint::NONE)
}

fn after_address(line: &str) -> &str {
    let mut rest = line.trim_start_matches('{').trim_start();
    for _ in 0..2 {
        if let Some(after) = rest.strip_prefix('/') {
            rest = after.split_once('/').map_or("", |(_, after)| after);
        }
        rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '$' | '~' | '+'));
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => break,
        }
    }
    rest.trim_start_matches(['!', ' ', '{'])
}

/// `awk`: `system()`, pipes to and from commands, files.
pub(super) fn awk(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    let text = arg.text.as_str();
    let mut taint = Taint::NONE;
    let mut at = 0;
    // the program without what strings and comments say
    let mut bare = String::new();
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(['"', '#', '/'])) {
        let open = at + found;
        bare.push_str(text.get(at..open).unwrap_or(""));
        match text.as_bytes().get(open) {
            Some(b'#') => {
                at = text.get(open..).and_then(|r| r.find('\n')).map_or(text.len(), |n| open + n + 1);
                continue;
            }
            Some(b'/') => {
                // a regular expression, unless it divides
                let before = text.get(..open).unwrap_or("").trim_end();
                let divides = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | ']' | '_'));
                let close = text.get(open + 1..).and_then(|r| r.find('/'));
                at = match close {
                    Some(length) if !divides => open + length + 2,
                    _ => open + 1,
                };
                continue;
            }
            _ => {}
        }
        let mut close = open + 1;
        while let Some(byte) = text.as_bytes().get(close) {
            match byte {
                b'\\' => close += 2,
                b'"' => break,
                _ => close += 1,
            }
        }
        let inside =
            text.get(open + 1..close.min(text.len())).unwrap_or("").replace("\\\"", "\"").replace("\\\\", "\\");
        let before = text.get(..open).unwrap_or("").trim_end();
        let after = text.get(close + 1..).unwrap_or("").trim_start();
        let word = arg.with_text(&inside);
        let word = Arg { shape: None, ..word };
        let piped = before.ends_with('|') && !before.ends_with("||");
        if before.ends_with("system(") || piped || after.starts_with('|') && !after.starts_with("||") {
            // what is printed into a command is not known
            let input = if piped { Flow::unknown(Taint::NONE) } else { Flow::empty() };
            taint = taint.with(walk.code_text_with(&word, Vec::new(), input).taint);
        } else if before.ends_with('>') && before.contains("print") && !inside.is_empty() {
            walk.write(&word, "");
        } else if before.ends_with('<') && before.contains("getline") {
            taint = taint.with(walk.read(&word, false).taint);
        }
        bare.push_str("\"\"");
        at = close + 1;
    }
    bare.push_str(text.get(at..).unwrap_or(""));
    if bare.contains("in ENVIRON") {
        walk.note(rampart_call::EffectKind::Secret, "environment");
    }
    let compact: String = bare.chars().filter(|c| !c.is_whitespace()).collect();
    let computed =
        compact.match_indices("system(").any(|(i, m)| !compact.get(i + m.len()..).unwrap_or("").starts_with('"'));
    if computed || compact.contains("|&") || text.contains("/inet/") {
        let note = if text.contains("/inet/") { "raw-socket" } else { "computed-code" };
        let kind =
            if text.contains("/inet/") { rampart_call::EffectKind::Net } else { rampart_call::EffectKind::Opaque };
        walk.note(kind, note);
    }
    Flow::unknown(taint)
}

/// `vim -c`, `ed`: `!cmd`, `:!cmd`, `system("cmd")`, `w path`, `r path`.
pub(super) fn vim(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    for line in arg.text.split(['\n', '|']) {
        let line = line.trim().trim_start_matches(':').trim_start();
        let shell = line
            .strip_prefix('!')
            .or_else(|| line.strip_prefix("r!"))
            .or_else(|| line.strip_prefix("r !"))
            .or_else(|| line.strip_prefix("w !"));
        if let Some(command) = shell {
            let text = command.to_owned();
            walk.code_text(&Arg { shape: None, ..arg.with_text(&text) });
        } else if let Some(start) = line.find("system(") {
            let inside = line.get(start + 7..).unwrap_or("").trim_start_matches(['"', '\'']);
            let command = inside.split(['"', '\'']).next().unwrap_or("").to_owned();
            walk.code_text(&Arg { shape: None, ..arg.with_text(&command) });
        } else if let Some(path) = line.strip_prefix("w ").or_else(|| line.strip_prefix("saveas ")) {
            walk.write(&arg.with_text(path.trim()), "");
        } else if let Some(path) = ["so ", "source ", "luafile "].iter().find_map(|p| line.strip_prefix(p)) {
            let word = Arg { shape: None, ..arg.with_text(path.trim()) };
            walk.nested("source", |walk| walk.file_of_code(crate::knowledge::Language::Vim, &word, Vec::new()));
        } else if let Some(path) = line.strip_prefix("r ").or_else(|| line.strip_prefix("e ")) {
            let _ = walk.read(&arg.with_text(path.trim()), false);
        } else if ["py ", "py3 ", "python ", "python3 ", "lua ", "perl ", "ruby "].iter().any(|p| line.starts_with(p)) {
            walk.note(rampart_call::EffectKind::Opaque, "inline-code");
        }
    }
    Flow::unknown(Taint::NONE)
}

/// AppleScript: `do shell script "cmd"`; what drives other programs is not understood.
pub(super) fn applescript(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    let text = arg.text.as_str();
    for (at, found) in text.match_indices("do shell script") {
        let rest = text.get(at + found.len()..).unwrap_or("").trim_start();
        let command = rest.strip_prefix('"').and_then(|r| r.split('"').next()).unwrap_or("");
        if command.is_empty() {
            walk.note(rampart_call::EffectKind::Opaque, "computed-code");
        } else {
            walk.code_text(&Arg { shape: None, ..arg.with_text(command) });
        }
        if rest.contains("administrator privileges") {
            walk.note(rampart_call::EffectKind::Privilege, "sudo");
        }
    }
    let lower = text.to_lowercase();
    if ["tell ", "keystroke", "hidden answer", "clipboard", "load script", "run script"]
        .iter()
        .any(|p| lower.contains(p))
    {
        walk.note(rampart_call::EffectKind::Opaque, "inline-code");
    }
    Flow::unknown(Taint::NONE)
}

//! The small languages of text tools: sed, awk, vim; and languages of which little is known.

use crate::knowledge::Language;
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
                let parts = delimited(chars.as_str(), mark);
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

/// TeX: `\write18{..}` and `\input{|..}` are commands, and what a document includes is shown.
pub(super) fn tex(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    for (at, _) in arg.text.match_indices('{') {
        let (before, inside) = (&arg.text[..at], arg.text[at + 1..].split('}').next().unwrap_or(""));
        let name = before.rsplit('\\').next().unwrap_or("");
        let name = name.split('[').next().unwrap_or(name);
        match (name, inside.strip_prefix('|')) {
            ("write18" | "ShellEscape", _) => drop(walk.code_text(&arg.with_text(inside))),
            ("input" | "@@input", Some(command)) => drop(walk.code_text(&arg.with_text(command.trim_matches('"')))),
            ("input" | "include" | "verbatiminput" | "VerbatimInput" | "lstinputlisting" | "inputminted", None) => {
                let _ = walk.read(&arg.with_text(inside), false);
            }
            _ => {}
        }
    }
    // `\special{psfile="`command"}`
    for (at, name) in arg.text.match_indices("psfile=") {
        let value = arg.text[at + name.len()..].trim_start_matches('"');
        if let Some(command) = value.strip_prefix('`') {
            let _ = walk.code_text(&arg.with_text(command.split(['"', '`', '}']).next().unwrap_or("")));
        }
    }
    Flow::unknown(Taint::NONE)
}

fn unescaped(text: &str) -> String {
    text.replace("\\\"", "\"").replace("\\\\", "\\")
}

/// Texts and values that stand one behind the other, which `awk` puts together.
struct Joined {
    text: String,
    /// Something in it is not known, and stands as `$_`.
    partly: bool,
    start: usize,
    end: usize,
}

/// What begins with the quote at `open`.
fn concatenated(text: &str, open: usize, home: &str) -> Joined {
    let mut out = Joined { text: String::new(), partly: false, start: open, end: open };
    loop {
        let rest = text.get(out.end..).unwrap_or("");
        let trimmed = rest.trim_start();
        out.end += rest.len() - trimmed.len();
        let Some(first) = trimmed.chars().next() else { return out };
        if first == '"' {
            let mut close = 1;
            while let Some(byte) = trimmed.as_bytes().get(close) {
                match byte {
                    b'\\' => close += 2,
                    b'"' => break,
                    _ => close += 1,
                }
            }
            let close = close.min(trimmed.len());
            out.text.push_str(&unescaped(trimmed.get(1..close).unwrap_or("")));
            out.end = (out.end + close + 1).min(text.len());
        } else if first.is_alphanumeric() || matches!(first, '_' | '$') {
            let name = trimmed.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '$')).unwrap_or(trimmed.len());
            let word = trimmed.get(..name).unwrap_or("");
            if matches!(word, "getline" | "print" | "in" | "if") {
                return out;
            }
            let index = trimmed.get(name..).filter(|r| r.starts_with('[')).and_then(|r| Some((r.find(']')? + 1, r)));
            let (length, index) =
                index.map_or((name, ""), |(length, r)| (name + length, r.get(..length).unwrap_or("")));
            if word == "ENVIRON" && index == "[\"HOME\"]" {
                out.text.push_str(home);
            } else {
                out.text.push_str("$_");
                out.partly = true;
            }
            out.end += length;
        } else {
            return out;
        }
    }
}

/// The parts of `s` between its marks; a mark behind a backslash is none.
fn delimited(text: &str, mark: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == mark => {
                parts.push(text.get(start..at).unwrap_or(""));
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or(""));
    parts
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
    let mut joined = Joined { text: String::new(), partly: false, end: 0, start: 0 };
    let reads = text.contains("getline");
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
        let inside = unescaped(text.get(open + 1..close.min(text.len())).unwrap_or(""));
        let before = text.get(..open).unwrap_or("").trim_end();
        let word = Arg { shape: None, ..arg.with_text(&inside) };
        let piped = before.ends_with('|') && !before.ends_with("||");
        // what stands inside a chain ends where the chain ends
        if open >= joined.end {
            joined = concatenated(text, open, walk.home());
        }
        let after = text.get(joined.end..).unwrap_or("");
        let begins = joined.start == open;
        if begins && (before.ends_with("system(") || piped || after.starts_with('|') && !after.starts_with("||")) {
            // what is printed into a command is not known
            let input = if piped { Flow::unknown(Taint::NONE) } else { Flow::empty() };
            let shape = joined.partly.then(|| joined.text.replace("$_", "*"));
            let word = Arg { shape, ..word.with_text(&joined.text) };
            taint = taint.with(walk.code_text_with(&word, Vec::new(), input).taint);
            close = joined.end.max(close + 1) - 1;
        } else if before.ends_with("@include") || before.ends_with("@load") {
            taint = taint.with(walk.read(&word, false).taint);
        } else if before.ends_with('>') && before.contains("print") && !inside.is_empty() {
            walk.write(&word, "");
        } else if before.ends_with('<') && before.contains("getline") {
            taint = taint.with(walk.read(&word, false).taint);
        } else if begins && reads {
            // a variable may hold the path
            let home = if before.ends_with("ENVIRON[\"HOME\"]") { walk.home() } else { "" };
            let path = format!("{home}{}", joined.text);
            walk.read_if_delicate(&word.with_text(&path));
        }
        bare.push_str("\"\"");
        at = close + 1;
    }
    bare.push_str(text.get(at..).unwrap_or(""));
    if bare.contains("in ENVIRON") {
        walk.note(rampart_call::EffectKind::Secret, "environment");
    }
    let names = text.split("ENVIRON[\"").skip(1).take(32).filter_map(|rest| rest.split('"').next());
    if names.into_iter().any(crate::walk::is_secret_name) {
        taint = taint.with(Taint::TOKEN);
    }
    let compact: String = bare.chars().filter(|c| !c.is_whitespace()).collect();
    let computed =
        compact.match_indices("system(").any(|(i, m)| !compact.get(i + m.len()..).unwrap_or("").starts_with('"'));
    // `cmd | getline`, `print | cmd`: a command that a variable holds
    let by_name = compact.match_indices('|').any(|(at, _)| {
        let (before, after) = (compact.get(..at).unwrap_or(""), compact.get(at + 1..).unwrap_or(""));
        let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
        let single = !before.ends_with('|') && !after.starts_with(['|', '&']);
        single
            && (after.starts_with("getline") && before.ends_with(name)
                || after.starts_with(|c: char| c.is_alphabetic() || c == '_') && !after.starts_with("getline"))
    });
    if computed || by_name || compact.contains("|&") || text.contains("/inet/") {
        let note = if text.contains("/inet/") { "raw-socket" } else { "computed-code" };
        let kind =
            if text.contains("/inet/") { rampart_call::EffectKind::Net } else { rampart_call::EffectKind::Opaque };
        walk.note(kind, note);
    }
    Flow::unknown(taint)
}

/// `vim -c`, `ed`: `!cmd`, `:!cmd`, `system("cmd")`, `w path`, `r path`.
pub(super) fn vim(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    // the bar stands between commands, but what follows `!` is the shell's to its end
    let shells = |line: &str| {
        let line = line.trim_start_matches([':', ' ', '\t']);
        ["!", "r!", "r !", "w !", "silent !", "silent! !", "exe \"!", "execute \"!"].iter().any(|p| line.starts_with(p))
    };
    let lines = arg.text.lines().flat_map(|line| {
        let parts: Vec<&str> = if shells(line) { vec![line] } else { line.split('|').collect() };
        parts
    });
    for line in lines {
        let line = line.trim().trim_start_matches(':').trim_start();
        let line =
            ["silent! ", "silent ", "exe \"", "execute \""].iter().find_map(|p| line.strip_prefix(p)).unwrap_or(line);
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

/// A text up to its closing quote, whose escapes are undone.
fn up_to_quote(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => {}
            },
            _ => out.push(c),
        }
    }
    out
}

/// AppleScript: `do shell script "cmd"`; what drives other programs is not understood.
pub(super) fn applescript(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    let text = arg.text.as_str();
    // `osascript -l JavaScript`
    if ["ObjC.", "Application(", "$.NS"].iter().any(|part| text.contains(part)) {
        return super::calls::look(walk, Language::Js, arg);
    }
    for (at, found) in text.match_indices("do shell script") {
        let rest = text.get(at + found.len()..).unwrap_or("").trim_start();
        let command = rest.strip_prefix('"').map(up_to_quote).unwrap_or_default();
        if command.is_empty() {
            walk.note(rampart_call::EffectKind::Opaque, "computed-code");
        } else {
            walk.code_text(&Arg { shape: None, ..arg.with_text(&command) });
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

/// Commands of Windows' `cmd` as those of a shell: what a condition lets run is run.
pub(crate) fn batch(line: &str) -> String {
    let mut words = line.split(' ').peekable();
    let mut out: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        match word.to_ascii_lowercase().as_str() {
            "if" => {
                while words.next_if(|word| matches!(word.to_ascii_lowercase().as_str(), "/i" | "not")).is_some() {}
                let kind = words.next().unwrap_or("").to_ascii_lowercase();
                if matches!(kind.as_str(), "exist" | "defined" | "errorlevel") {
                    words.next();
                }
            }
            "else" => out.push(";"),
            _ => out.push(word),
        }
    }
    out.join(" ")
}

/// `jq`: `env` and `$ENV` show variables.
pub(super) fn jq(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    let text = arg.text.as_str();
    let mut taint = Taint::NONE;
    let mut quoted = false;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quoted => {
                chars.next();
            }
            '"' => quoted = !quoted,
            'e' | 'E' | 's' if !quoted => {
                let (before, rest) = text.split_at(at);
                let last = before.chars().next_back();
                let named = last.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
                taint = taint.with(shown_variables(rest, last == Some('$'), named, before));
            }
            _ => {}
        }
    }
    if taint.has(Taint::SETTINGS) {
        walk.note(rampart_call::EffectKind::Secret, "environment");
    }
    Flow::unknown(taint.without(Taint::SETTINGS))
}

/// What of the environment the filter at the start of `rest` shows; all of it is marked as settings too.
fn shown_variables(rest: &str, sigil: bool, named: bool, before: &str) -> Taint {
    let called = ["env(", "strenv("].iter().find_map(|call| rest.strip_prefix(call));
    if let Some(name) = called.filter(|_| !named && !sigil).and_then(|r| r.split(')').next()) {
        return if crate::walk::is_secret_name(name.trim()) { Taint::TOKEN } else { Taint::NONE };
    }
    let after = match (sigil, rest.strip_prefix("ENV"), rest.strip_prefix("env")) {
        (true, Some(after), _) => after,
        (false, _, Some(after)) if !named => after,
        _ => return Taint::NONE,
    };
    let trimmed = after.trim_start();
    // a longer name, a key of an object
    let opens = before.trim_end().ends_with(['{', ',']);
    if after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        || trimmed.starts_with(':')
        || !sigil && opens && (trimmed.starts_with([',', '}']) || trimmed.is_empty() && before.contains('{'))
    {
        return Taint::NONE;
    }
    let piped = trimmed.strip_prefix('|').map_or(trimmed, str::trim_start);
    if piped.len() < trimmed.len() && ["keys", "length", "has("].iter().any(|f| piped.starts_with(f)) {
        return Taint::NONE;
    }
    let name = piped.strip_prefix('.').or_else(|| piped.strip_prefix('[')).unwrap_or("");
    let name: String =
        name.trim_start_matches(['"', '[']).chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() {
        return Taint::TOKEN.with(Taint::SETTINGS);
    }
    if crate::walk::is_secret_name(&name) { Taint::TOKEN } else { Taint::NONE }
}

/// Text in which `$NAME` and `${NAME}` are filled in.
pub(super) fn template(_walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    let names = arg.text.split('$').skip(1).map(|piece| {
        let piece = piece.strip_prefix('{').unwrap_or(piece);
        let end = piece.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(piece.len());
        piece.get(..end).unwrap_or("")
    });
    let secret = names.take(256).any(crate::walk::is_secret_name);
    Flow::unknown(if secret { Taint::TOKEN } else { Taint::NONE })
}

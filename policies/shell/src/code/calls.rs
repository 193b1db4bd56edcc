//! Follows the calls of inline code whose arguments can be told. Code that only computes has no effects.

mod arguments;
mod calling;
mod closures;
mod comprehensions;
mod effects;
mod environment;
mod expressions;
mod functions;
mod holes;
mod names;
mod statements;
mod suffixes;
mod unlisted;
mod values;

use std::collections::HashMap;

use rampart_call::EffectKind;

use values::Value;
use values::{Output, join, taint_of};

use super::languages::Calls;
use super::tokens::{Token, tokens};
use crate::knowledge::Language;
use crate::value::{Arg, Flow, Taint};
use crate::walk::Walk;

/// Deepest nesting of expressions that is followed.
const MAX_DEPTH: usize = 60;
/// How many values of a list that a loop runs over are followed, one reading each, and how many tokens are read for that.
const MOST_CHOICES: usize = 8;
const MOST_READ: usize = 16_000;

/// Follows the code of a word.
pub(super) fn look(walk: &mut Walk<'_>, language: Language, arg: &Arg) -> Flow {
    let Some(calls) = Calls::of(language) else {
        walk.note(EffectKind::Opaque, "inline-code");
        return Flow::unknown(Taint::NONE);
    };
    if is_bomb(&arg.text) {
        walk.note(EffectKind::Exec, "fork-bomb");
    }
    if ends_everybody(language, &arg.text) {
        walk.note(EffectKind::Signal, "kill-all");
    }
    let hidden = match language {
        Language::Js => {
            let made = [".constructor.constructor", "(){}).constructor", "() {}).constructor", "(){}.constructor"];
            made.iter().any(|of| arg.text.contains(of))
        }
        Language::Perl => arg.text.contains("&{\"") || arg.text.contains("&{'"),
        _ => false,
    };
    if hidden {
        walk.note(EffectKind::Opaque, "inline-code");
    }
    if language == Language::Python {
        notebook_commands(walk, arg);
    }
    let tokens = tokens(language, &arg.text);
    let most = (MOST_READ / tokens.len().max(1)).clamp(1, MOST_CHOICES);
    let mut out = Vec::new();
    let mut functions = functions::defined(&tokens);
    let mut attributes = environment::Attributes::default();
    let words = unlisted::Words::of(&tokens, &arg.text);
    walk.readings(|walk, choice| {
        let mut reader = Reader {
            walk,
            language,
            calls,
            tokens: tokens.clone(),
            at: 0,
            depth: 0,
            variables: HashMap::new(),
            printed: Taint::NONE,
            output: Output::Nothing,
            handed_on: Taint::NONE,
            choice,
            choices: 1,
            computed: 0,
            functions: &mut functions,
            attributes: &mut attributes,
            words: &words,
            within: None,
            arg,
        };
        reader.comprehensions();
        reader.program();
        reader.leaves();
        reader.hunts();
        reader.stores();
        let Reader { printed, output, choices, .. } = reader;
        out.push((printed, output));
        choices.min(most)
    });
    let printed = out.iter().fold(Taint::NONE, |taint, (printed, _)| taint.with(*printed));
    // one text that is printed is what comes out
    match out.pop() {
        Some((_, Output::One(text))) if out.is_empty() => Flow::known(text, printed),
        _ => Flow::unknown(printed),
    }
}

/// A loop without end that multiplies the process.
fn is_bomb(text: &str) -> bool {
    const ENDLESS: &[&str] = &["whileTrue", "while1", "while(1)", "while(true)", "loop{", "loopdo", "for(;;)"];
    /// How far behind the beginning of a loop its body is looked at.
    const NEAR: usize = 60;
    if !text.contains("fork") {
        return false;
    }
    let tight: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let forks = |body: &str| {
        let body = body.get(..body.floor_char_boundary(NEAR)).unwrap_or(body);
        body.match_indices("fork").any(|(at, _)| {
            let before = body.get(..at).unwrap_or("");
            // a method of that name is of whatever it is called on
            let own = ["os.", "Process.", "Kernel.", "libc::", "cluster.", "child_process.", "cp."];
            !before.ends_with(|c: char| c == '.' || c == '_' || c.is_alphanumeric())
                || own.iter().any(|module| before.ends_with(module))
        })
    };
    ["whilefork", "forkwhile"].iter().any(|loops| tight.contains(loops))
        || ENDLESS.iter().any(|start| tight.split(start).skip(1).any(forks))
}

/// A loop over all processes that ends each, and asks for nothing that tells them apart.
fn ends_everybody(language: Language, text: &str) -> bool {
    const LISTS: &[&str] =
        &["process_iter(", "psutil.pids(", "'/proc'", "\"/proc\"", "'/proc/'", "\"/proc/\"", "/proc/*", "/proc/[0-9]"];
    const ENDS: &[&str] = &[".kill(", ".terminate(", ".send_signal(", "kill 9", "kill -9", "kill(", "kill 'KILL'"];
    const APART: &[&str] = &[
        ".name",
        "'name'",
        "\"name\"",
        "username",
        "comm",
        "cmdline",
        "exe",
        "connections",
        "cwd",
        "ppid",
        "parent",
        ".children()",
        "children(recursive",
        "stat",
    ];
    let any = |of: &[&str]| of.iter().any(|piece| text.contains(piece));
    let known = matches!(language, Language::Python | Language::Js | Language::Ruby | Language::Perl);
    known && any(LISTS) && any(ENDS) && !any(APART)
}

/// `!COMMAND` and `%%bash` in a notebook's cell.
fn notebook_commands(walk: &mut Walk<'_>, arg: &Arg) {
    if let Some((_, body)) = arg.text.strip_prefix("%%").and_then(|cell| cell.split_once('\n')) {
        if ["%%bash", "%%sh", "%%script"].iter().any(|magic| arg.text.starts_with(magic)) {
            walk.code_text(&arg.with_text(body));
        }
        return;
    }
    for line in arg.text.lines().map(str::trim_start) {
        if let Some(command) = line.strip_prefix('!').or_else(|| line.strip_prefix("%sx ")) {
            walk.code_text(&arg.with_text(command));
        }
    }
}

struct Reader<'r, 'a> {
    walk: &'r mut Walk<'a>,
    language: Language,
    calls: &'static Calls,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    variables: HashMap<String, Value>,
    printed: Taint,
    output: Output,
    /// Where what was given to calls that no list names came from.
    handed_on: Taint,
    /// Which value of a list loops are at in this reading, and how many values the longest list has.
    choice: usize,
    choices: usize,
    /// How many tokens were read again for comprehensions.
    computed: usize,
    /// Functions of the code's own, from one reading to the next, and in which of them this is.
    functions: &'r mut functions::Functions,
    /// What attributes were given, from one reading to the next.
    attributes: &'r mut environment::Attributes,
    words: &'r unlisted::Words<'r>,
    within: Option<String>,
    arg: &'r Arg,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn before(&self, back: usize) -> Option<&Token> {
        self.at.checked_sub(back).and_then(|at| self.tokens.get(at))
    }

    fn eat(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found
    }
}

/// The name of a command that is being put together.
pub(super) const COMMAND: &str = "command to be";

/// In front of the path of a file that is open to be written, which is what its value is named.
pub(super) const OPEN_FILE: &str = "open file ";

/// The whole environment, as one value.
fn is_environment(name: &str) -> bool {
    matches!(name, "os.environ" | "process.env" | "ENV" | "environ" | "Deno.env" | "Bun.env")
}

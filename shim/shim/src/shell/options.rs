//! The option grammar of the shells, as their own sources read it: where in the arguments stands what will run. Where
//! two shells disagree, or a word is not known, there is no answer rather than a guess.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

/// Whose grammar the real shell has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// bash, whatever it is called.
    Bash,
    /// dash and other Almquist shells.
    Ash,
    /// zsh.
    Zsh,
    /// `sh` of unknown make: only what bash and dash read alike.
    Unknown,
}

impl Dialect {
    /// The dialect of a program, from the name that it really has.
    pub(super) fn of(real: &Path, name: &str) -> Self {
        let real = real.canonicalize().unwrap_or_else(|_| real.to_owned());
        match real.file_name().and_then(OsStr::to_str).unwrap_or(name) {
            base if base.starts_with("bash") => Self::Bash,
            base if base.starts_with("zsh") => Self::Zsh,
            "dash" | "ash" | "busybox" => Self::Ash,
            _ => Self::Unknown,
        }
    }
}

/// What a shell would run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The text after `-c`; `$0` and the parameters after it.
    Command {
        /// The text.
        text: String,
        /// What follows it.
        parameters: Vec<String>,
        /// A startup file that runs before it.
        startup: Option<OsString>,
    },
    /// A script file: its place in the arguments.
    Script(usize),
    /// Standard input.
    Stdin {
        /// A startup file that runs before it.
        startup: Option<OsString>,
    },
    /// Nothing: it prints its version or help.
    Nothing,
}

/// Options of bash that are words, and whether a word follows.
const BASH_WORDS: [(&str, bool); 18] = [
    ("debug", false),
    ("debugger", false),
    ("dump-po-strings", false),
    ("dump-strings", false),
    ("help", false),
    ("init-file", true),
    ("login", false),
    ("noediting", false),
    ("noprofile", false),
    ("norc", false),
    ("posix", false),
    ("pretty-print", false),
    ("protected", false),
    ("rcfile", true),
    ("restricted", false),
    ("verbose", false),
    ("version", false),
    ("wordexp", false),
];

#[derive(Debug, Default)]
struct Seen {
    command: bool,
    stdin: bool,
    interactive: bool,
    startup: Option<OsString>,
}

/// Reads the arguments.
///
/// # Errors
/// Why it cannot be said what would run.
pub(super) fn read(dialect: Dialect, args: &[OsString]) -> Result<Wanted, String> {
    let mut seen = Seen::default();
    let Some(mut next) = words(dialect, args, &mut seen)? else { return Ok(Wanted::Nothing) };
    while let Some(word) = args.get(next) {
        let word = word.to_str().ok_or("an option is not UTF-8")?;
        if word == "-" || word == "--" {
            next += 1;
            break;
        }
        if !word.starts_with(['-', '+']) {
            break;
        }
        next += 1;
        if dialect == Dialect::Zsh && word.starts_with("--") {
            match word {
                "--help" | "--version" => return Ok(Wanted::Nothing),
                _ => return Err(format!("the option `{word}` is not understood; write it as `-o NAME`")),
            }
        }
        if letters(dialect, word, args, &mut next, &mut seen)? {
            break;
        }
    }
    // dash runs the text and then standard input, bash the text only.
    if seen.command && seen.stdin && dialect != Dialect::Bash {
        return Err("shells read `-c` together with `-s` differently".to_owned());
    }
    wanted(args, next, seen)
}

fn wanted(args: &[OsString], next: usize, seen: Seen) -> Result<Wanted, String> {
    let startup = seen.startup.filter(|_| seen.interactive || !seen.command);
    if seen.command {
        let mut words = args.iter().skip(next).map(|word| word.to_str().map(str::to_owned));
        let text = words.next().ok_or("`-c` comes without a command")?.ok_or("the command is not UTF-8")?;
        let parameters = words.collect::<Option<Vec<_>>>().ok_or("an argument of the command is not UTF-8")?;
        return Ok(Wanted::Command { text, parameters, startup });
    }
    if next < args.len() && !seen.stdin {
        return Ok(Wanted::Script(next));
    }
    Ok(Wanted::Stdin { startup })
}

/// bash first reads options that are words, with one hyphen or two, and no letters between them. Where the others
/// begin; `None` when it only prints something.
fn words(dialect: Dialect, args: &[OsString], seen: &mut Seen) -> Result<Option<usize>, String> {
    let mut next = 0;
    if matches!(dialect, Dialect::Ash | Dialect::Zsh) {
        return Ok(Some(next));
    }
    let mut prints = false;
    while let Some(word) = args.get(next).and_then(|word| word.to_str()) {
        let (name, is_long) = match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (Some(""), _) => break,
            (Some(name), _) => (name, true),
            (None, Some(name)) => (name, false),
            (None, None) => break,
        };
        let Some((name, takes_word)) = BASH_WORDS.iter().find(|(known, _)| *known == name) else {
            if is_long {
                return Err(format!("the option `{word}` is not known"));
            }
            break;
        };
        if dialect == Dialect::Unknown && !is_long {
            return Err(format!("shells read `{word}` differently"));
        }
        next += 1;
        if *takes_word {
            seen.startup = Some(args.get(next).ok_or_else(|| format!("`{word}` comes without a file"))?.clone());
            next += 1;
        }
        prints |= matches!(*name, "help" | "version");
    }
    Ok((!prints).then_some(next))
}

/// One word of option letters. True when no options follow it.
fn letters(dialect: Dialect, word: &str, args: &[OsString], next: &mut usize, seen: &mut Seen) -> Result<bool, String> {
    let mut ends = false;
    let mut rest = word.chars();
    rest.next();
    while let Some(letter) = rest.next() {
        match letter {
            'c' => seen.command = true,
            's' => seen.stdin = true,
            'i' => seen.interactive = true,
            // zsh takes the name from the same word where there is one.
            'o' if dialect == Dialect::Zsh && !rest.as_str().is_empty() => return Ok(ends),
            // Without a name the shells list their options and go on.
            'o' => *next = (*next + 1).min(args.len()),
            'O' if dialect == Dialect::Bash => *next = (*next + 1).min(args.len()),
            'O' if dialect != Dialect::Zsh => return Err("shells read `-O` differently".to_owned()),
            'b' if dialect == Dialect::Zsh => ends = true,
            _ if letter.is_ascii_alphanumeric() => {}
            _ => return Err(format!("the option `{word}` is not understood")),
        }
    }
    Ok(ends)
}

#[cfg(test)]
mod tests;

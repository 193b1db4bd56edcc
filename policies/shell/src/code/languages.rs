//! What the calls of a language do, read from `calls.toml`.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::knowledge::Language;

/// What a call does with its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Does {
    /// The first argument is shell text.
    Shell,
    /// The first argument, or all of them, are words of a command; one string may be shell text.
    Run,
    /// The result is a command that gets its words one by one.
    Command,
    /// The first argument is code of the language.
    Eval,
    /// The first argument is a module, which is the result.
    Import,
    Read,
    Write,
    /// Reads or writes, as the second argument says.
    Open,
    Delete,
    DeleteTree,
    Move,
    Copy,
    Chmod,
    /// The first argument is a URL; the others are sent.
    Fetch,
    /// The first arguments are host and port, in a list or not.
    Connect,
    /// Opens a socket whose other end is given elsewhere.
    Socket,
    Listen,
    Decode,
    /// The result is the home directory.
    Home,
    /// The result is a new file or directory among those for a while.
    Temporary,
    /// The first argument is a file of code that runs.
    RunFile,
    /// Arranges for something to run later.
    Schedule,
    /// The first argument is the directory to work in from now on.
    Enter,
    /// The first argument is a variable's name, the second its value.
    SetVariable,
    /// The result is the directory that packages are installed in.
    Packages,
    /// The result holds credentials.
    Credentials,
    /// The arguments are packages that are installed.
    Install,
    /// The first argument is a function or its name, the others are what it is called with.
    Apply,
    /// The result is what lies in the first argument.
    Below,
    /// The result is the arguments as one path.
    Join,
    /// The result is the first argument.
    Same,
    /// The result can do what its module does: a client with settings of its own.
    Client,
    /// The result is an environment variable.
    Environment,
    /// Prints its arguments.
    Print,
    Kill,
    /// Reaches what no reading of the code can see.
    Hidden,
    DropDatabase,
    /// What it is given is published, by clients of hubs.
    Publish,
}

impl Does {
    /// Whether it does something with what it is given, and not only reads or computes.
    pub(super) const fn acts(self) -> bool {
        matches!(
            self,
            Self::Shell
                | Self::Run
                | Self::Eval
                | Self::Delete
                | Self::DeleteTree
                | Self::Move
                | Self::RunFile
                | Self::Write
        )
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
struct Source(HashMap<Language, HashMap<Does, Vec<String>>>);

/// The calls of one language, by the last segment of their names.
#[derive(Debug, Default)]
pub(super) struct Calls(HashMap<String, Vec<(Option<String>, Does)>>);

static CALLS: LazyLock<HashMap<Language, Calls>> = LazyLock::new(|| {
    let source: Source = crate::embedded("calls", include_str!("../../calls.toml"));
    source.0.into_iter().map(|(language, calls)| (language, Calls::new(&calls))).collect()
});

pub(super) fn ready() {
    LazyLock::force(&CALLS);
}

impl Calls {
    pub(super) fn of(language: Language) -> Option<&'static Self> {
        CALLS.get(&language)
    }

    fn new(source: &HashMap<Does, Vec<String>>) -> Self {
        let mut calls: HashMap<String, Vec<(Option<String>, Does)>> = HashMap::new();
        for (does, names) in source {
            for name in names {
                let (qualifier, last) = match name.rsplit_once('.') {
                    Some((qualifier, last)) => (Some(qualifier.to_owned()), last),
                    None => (None, name.as_str()),
                };
                calls.entry(last.to_owned()).or_default().push((qualifier, *does));
            }
        }
        Self(calls)
    }

    /// What a call of that dotted name does. `*.name` in the list is that name behind anything or nothing, `name` only
    /// the bare one, `a.name` that one behind `a`.
    pub(super) fn find(&self, name: &str) -> Option<Does> {
        let (qualifier, last) = match name.rsplit_once('.') {
            Some((qualifier, last)) => (Some(qualifier), last),
            None => (None, name),
        };
        let entries = self.0.get(last)?;
        let exact = entries.iter().find(|(want, _)| match (want.as_deref(), qualifier) {
            (None, None) => true,
            (Some(want), Some(have)) => want == have || have.rsplit('.').next() == Some(want),
            _ => false,
        });
        exact.or_else(|| entries.iter().find(|(want, _)| want.as_deref() == Some("*"))).map(|(_, does)| *does)
    }

    /// Whether a name may be called without parentheses: it is one of the bare names.
    pub(super) fn is_command(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|entries| entries.iter().any(|(q, _)| q.as_deref().is_none_or(|q| q == "*")))
    }
}

/// The language of a source file, by its name.
pub(crate) fn by_ending(path: &str) -> Option<Language> {
    Some(match path.rsplit_once('.')?.1 {
        "c" | "h" | "cc" | "cpp" | "cxx" | "hpp" | "m" | "mm" | "C" => Language::C,
        "go" => Language::Go,
        "rs" => Language::Rust,
        "java" | "kt" | "kts" | "scala" | "groovy" | "cs" | "csx" | "swift" | "dart" => Language::Java,
        "py" => Language::Python,
        "js" | "mjs" | "cjs" | "ts" | "tsx" => Language::Js,
        "rb" | "cr" => Language::Ruby,
        "pl" => Language::Perl,
        "php" => Language::Php,
        "lua" => Language::Lua,
        "sh" | "bash" => Language::Shell,
        "tex" | "ltx" | "sty" => Language::Tex,
        _ => return None,
    })
}

/// The language that a compiler takes where no file says it.
pub(super) fn by_compiler(name: &str) -> Option<Language> {
    Some(match name {
        "gcc" | "g++" | "cc" | "c++" | "clang" | "clang++" | "tcc" | "icc" | "icx" => Language::C,
        "go" => Language::Go,
        "rustc" => Language::Rust,
        _ => return None,
    })
}

/// The language that a script's first line names.
pub(crate) fn by_shebang(text: &str) -> Language {
    let Some(line) = text.lines().next().and_then(|l| l.strip_prefix("#!")) else { return Language::Shell };
    let by_name = |name: &str| crate::knowledge::program(name).and_then(|p| p.language);
    line.split_whitespace()
        .rev()
        .map(|w| w.rsplit('/').next().unwrap_or(w))
        .find_map(by_name)
        .unwrap_or(Language::Shell)
}

#[cfg(test)]
mod tests {
    use super::{Calls, Does, Language, Source};

    #[test]
    fn the_calls_are_read() {
        let source: Source = toml::from_str(include_str!("../../calls.toml")).unwrap();
        assert!(source.0.len() >= 6);
        let python = Calls::of(Language::Python).unwrap();
        assert_eq!(python.find("os.system"), Some(Does::Shell));
        assert_eq!(python.find("model.eval"), None);
        assert_eq!(python.find("eval"), Some(Does::Eval));
        assert_eq!(python.find("items.remove"), None);
    }
}

//! How code is run that a tool is given.

use rampart_shell::verbs::any;
use serde_json::{Map, Value};

use super::{names::BROWSERS, queries, said};

/// A program and the option by which it takes code.
pub(in crate::facts) type Interpreter = [&'static str; 2];

/// Words for languages, endings of their files among them, and what runs them.
const LANGUAGES: &[(&[&str], Interpreter)] = &[
    (
        &["js", "jsx", "mjs", "cjs", "javascript", "node", "nodejs", "typescript", "ts", "tsx", "mts", "cts"],
        ["node", "-e"],
    ),
    (&["bash", "sh", "shell", "zsh"], SHELL),
    (&["applescript", "osascript"], ["osascript", "-e"]),
    (&["ruby", "rb"], ["ruby", "-e"]),
    (&["r", "rstudio"], ["Rscript", "-e"]),
    (&["perl"], ["perl", "-e"]),
    (&["php"], ["php", "-r"]),
    (&["powershell", "pwsh", "ps1"], ["pwsh", "-c"]),
    (&["python", "python3", "py"], PYTHON),
];
const SHELL: Interpreter = ["bash", "-c"];
const PYTHON: Interpreter = ["python3", "-c"];

fn of<S: AsRef<str>>(words: &[S]) -> Option<Interpreter> {
    let known = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_ref()));
    LANGUAGES.iter().find(|(words, _)| known(words)).map(|(_, program)| *program)
}

/// By the words of a tool's name and its server's; none for a tool that runs no code.
pub(super) fn interpreter(tool: &[String], server: &[String]) -> Option<Interpreter> {
    const RUNS: &[&str] =
        &["run", "execute", "exec", "eval", "evaluate", "interpreter", "repl", "sandbox", "python", "notebook"];
    let either = |known: &[&str]| any(tool, known) || any(server, known);
    if !any(tool, RUNS) {
        None
    } else if either(queries::MONGO) {
        Some(["mongosh", "--eval"])
    } else if either(BROWSERS) {
        Some(["node", "-e"])
    } else {
        // a server that is called a shell runs more than that
        let server = || of(server).filter(|program| *program != SHELL);
        of(tool).or_else(server).or(Some(PYTHON))
    }
}

/// `language: bash` beside the code.
pub(super) fn language(map: &Map<String, Value>) -> Option<Interpreter> {
    let said = map.iter().find(|(key, _)| said::one_of(key, &["kernel", "lang", "language", "runtime"]))?.1.as_str()?;
    of(&[said.to_ascii_lowercase()])
}

/// Code that stands under the name of a file.
pub(super) fn by_extension(key: &str) -> Option<Interpreter> {
    let (_, extension) = key.rsplit_once('.')?;
    of(&[extension.to_ascii_lowercase()])
}

/// What runs the code in a file, by the file's ending or else its first line.
pub(in crate::facts) fn of_file(path: &str, text: &str) -> Option<Interpreter> {
    let first = || {
        let words = text.lines().next()?.strip_prefix("#!")?.split([' ', '/']);
        of(&words.collect::<Vec<_>>())
    };
    by_extension(path).or_else(first)
}

#[cfg(test)]
mod tests {
    use rampart_shell::verbs::words;
    use serde_json::json;

    use super::*;

    #[test]
    fn code_is_run_as_somebody_says() {
        for (server, tool, program) in [
            ("box", "run_code", Some("python3")),
            ("box", "run_js", Some("node")),
            ("nodejs-sandbox", "run_code", Some("node")),
            ("shell", "execute_code", Some("python3")),
            ("shell", "execute_bash", Some("bash")),
            ("rstudio", "execute_r", Some("Rscript")),
            ("playwright", "evaluate", Some("node")),
            ("mongodb", "run_script", Some("mongosh")),
            ("github", "create_issue", None),
        ] {
            let found = interpreter(&words(tool), &words(server)).map(|[program, _]| program);
            assert_eq!(found, program, "{server} {tool}");
        }
        assert_eq!(json!({"language": "Bash"}).as_object().and_then(language), Some(SHELL));
        assert_eq!(json!({"language": "de"}).as_object().and_then(language), None);
        assert_eq!(by_extension("index.js"), Some(["node", "-e"]));
        assert_eq!(by_extension("notes.md"), None);
    }
}

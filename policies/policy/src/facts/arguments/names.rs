//! What a tool does, as far as the words of its name and the shape of its arguments tell.

use rampart_call::EffectKind;
use serde_json::{Map, Value};

/// Arguments that hold code, of a tool that runs code.
const CODE: [&str; 7] = ["code", "source", "snippet", "program", "expression", "function", "js"];

/// Arguments that hold what is typed, of a tool that types into a terminal.
const TYPED: [&str; 4] = ["input", "keys", "text", "data"];

/// Arguments that hold the words behind a program's name.
const WORDS: [&str; 4] = ["args", "arguments", "argv", "parameters"];

/// Servers that hand their commands to a program, which the commands leave out: the server's or tool's word, and the program.
const PROGRAMS: [(&str, &str); 13] = [
    ("aws", "aws"),
    ("terraform", "terraform"),
    ("opentofu", "tofu"),
    ("kubectl", "kubectl"),
    ("kubernetes", "kubectl"),
    ("k8s", "kubectl"),
    ("helm", "helm"),
    ("docker", "docker"),
    ("redis", "redis-cli"),
    ("gcloud", "gcloud"),
    ("az", "az"),
    ("git", "git"),
    ("gh", "gh"),
];

/// Arguments that say what is done.
const OPERATIONS: [&str; 3] = ["operation", "operation_name", "action"];

/// Words for browsers, whose code is of the page.
const BROWSERS: &[&str] =
    &["browser", "playwright", "puppeteer", "chrome", "chromium", "firefox", "page", "devtools", "webdriver", "cdp"];

/// A tool, by its name and the name of its server.
pub(super) struct Tool {
    words: Vec<String>,
    server: Vec<String>,
    /// What it does to the files it is given.
    pub(super) kinds: Vec<EffectKind>,
    /// It is told names and sizes of files, and no content.
    pub(super) looks: bool,
    /// It finds text in files, in all of a folder.
    pub(super) searches: bool,
    /// How it runs code, if it does.
    pub(super) interpreter: Option<[&'static str; 2]>,
}

impl Tool {
    pub(super) fn new(server: &str, name: &str) -> Self {
        let (words, server) = (words(name), words(server));
        let has = |known: &[&str]| any(&words, known);
        Self {
            kinds: file_effects(&words),
            looks: has(&["info", "stat", "stats", "exists", "metadata", "size"])
                && !has(&["read", "content", "contents", "cat", "view", "open", "load", "show"]),
            searches: has(&["grep"])
                || has(&["search", "find"]) && has(&["within", "content", "contents", "text", "inside", "regex"]),
            interpreter: interpreter(&words, &server),
            words,
            server,
        }
    }

    /// It keeps the agent's own notes, which the agent may take out again (the protocol's reference server `memory`).
    pub(super) fn keeps_notes(&self) -> bool {
        self.any(&["memory"])
    }

    /// The words of its name.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    fn any(&self, known: &[&str]) -> bool {
        any(&self.words, known) || any(&self.server, known)
    }

    /// It acts in a browser.
    pub(super) fn is_browser(&self) -> bool {
        self.any(BROWSERS)
    }

    /// Whether the argument is code that the tool runs.
    pub(super) fn is_code(&self, key: &str) -> bool {
        self.interpreter.is_some() && (is_code(key) || key == "script" && self.is_browser())
    }

    /// Whether the argument is typed into a terminal: `send_keys`, `write_to_terminal`.
    pub(super) fn is_typed(&self, key: &str) -> bool {
        TYPED.contains(&key) && self.any(&["terminal", "tmux", "shell", "bash", "pty", "iterm"]) && !self.is_browser()
    }

    /// Whether what is done stands in the argument, so that an allowance is one for what it says.
    pub(super) fn decides(&self, key: &str, value: &Value) -> bool {
        let says = key == "method" || OPERATIONS.contains(&key) || WORDS.contains(&key) && value.is_array();
        says || self.is_code(key) || self.is_typed(key)
    }

    /// The program that its commands are for.
    pub(super) fn program(&self) -> Option<&'static str> {
        let found = PROGRAMS.iter().find(|(word, _)| self.any(&[*word]));
        found.map(|(_, program)| *program)
    }

    /// The tool's own words behind that program: `kubectl_delete` is `kubectl delete`.
    pub(super) fn sub_command(&self) -> Vec<String> {
        let named = |word: &&String| !PROGRAMS.iter().any(|(known, _)| known == word);
        self.words.iter().filter(named).cloned().collect()
    }
}

fn any(words: &[String], known: &[&str]) -> bool {
    words.iter().any(|word| known.contains(&word.as_str()))
}

fn names_program(key: &str) -> bool {
    matches!(key, "command" | "cmd" | "program" | "executable" | "binary")
}

/// `command: bash, args: [-c, ..]`: a program and its words in two arguments, and the key of the first.
pub(super) fn invocation(map: &Map<String, Value>) -> Option<(&str, Vec<String>)> {
    let (key, program) =
        map.iter().find_map(|(key, value)| Some((key, value.as_str()?)).filter(|_| names_program(key)))?;
    let words = WORDS.iter().find_map(|key| map.get(*key)?.as_array())?;
    if words.is_empty() || !words.iter().all(Value::is_string) {
        return None;
    }
    let words = words.iter().filter_map(Value::as_str).map(str::to_owned);
    Some((key, std::iter::once(program.to_owned()).chain(words).collect()))
}

/// The words for a program that only the tool or its server names.
pub(super) fn bare_words(map: &Map<String, Value>) -> Option<Vec<String>> {
    let words = WORDS.iter().find_map(|key| map.get(*key)?.as_array())?;
    let words: Option<Vec<String>> = words.iter().map(|word| word.as_str().map(str::to_owned)).collect();
    words.filter(|words| !words.is_empty() && !map.keys().any(|key| names_program(key)))
}

/// `operation_name: delete_bucket`: what is done stands in an argument.
pub(super) fn operation(map: &Map<String, Value>) -> Option<&str> {
    let name = OPERATIONS.iter().find_map(|key| map.get(*key)?.as_str())?;
    (words(name).len() > 1).then_some(name)
}

/// `method: DELETE, url: ..`
pub(super) fn request(map: &Map<String, Value>) -> Option<(&str, &str)> {
    let method = map.get("method")?.as_str()?;
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].iter().any(|m| m.eq_ignore_ascii_case(method));
    let url = map.get("url")?.as_str()?.trim();
    (known && url.contains("://")).then_some((method, url))
}

/// Whether an argument of a tool that runs code is the code.
fn is_code(key: &str) -> bool {
    any(&words(key), &CODE)
}

/// How the code is run that a tool is given, by the words of its name and its server's; none for a tool that runs no code.
fn interpreter(tool: &[String], server: &[String]) -> Option<[&'static str; 2]> {
    const RUNS: &[&str] =
        &["run", "execute", "exec", "eval", "evaluate", "interpreter", "repl", "sandbox", "python", "notebook"];
    let page = any(tool, BROWSERS) || any(server, BROWSERS);
    if !any(tool, RUNS) {
        None
    } else if page || any(tool, &["js", "javascript", "node", "typescript", "ts"]) {
        Some(["node", "-e"])
    } else if any(tool, &["bash", "sh", "shell"]) {
        Some(["bash", "-c"])
    } else if any(tool, &["applescript", "osascript"]) {
        Some(["osascript", "-e"])
    } else if any(tool, &["ruby"]) {
        Some(["ruby", "-e"])
    } else {
        Some(["python3", "-c"])
    }
}

/// What a tool does to the files it is given, by the words of its name. A name that does not say it may do both.
fn file_effects(words: &[String]) -> Vec<EffectKind> {
    const READS: &[&str] = &[
        "read", "get", "list", "search", "view", "cat", "head", "tail", "show", "stat", "info", "find", "grep", "tree",
        "open", "fetch", "load", "download", "glob",
    ];
    const WRITES: &[&str] = &[
        "write", "create", "edit", "update", "append", "put", "save", "insert", "replace", "patch", "set", "make",
        "mkdir", "upload", "modify",
    ];
    const DELETES: &[&str] = &["delete", "remove", "rm", "unlink", "erase", "purge"];
    const MOVES: &[&str] = &["move", "rename", "mv"];
    let mut kinds = Vec::new();
    for (known, kind) in [
        (DELETES, EffectKind::Delete),
        (MOVES, EffectKind::Move),
        (WRITES, EffectKind::Write),
        (READS, EffectKind::Read),
    ] {
        if any(words, known) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        kinds = vec![EffectKind::Read, EffectKind::Write];
    }
    kinds
}

/// Whether a tool throws away what others keep, by the words of its name.
pub(super) fn destroys(words: &[String]) -> bool {
    const VERBS: &[&str] = &[
        "delete",
        "deletes",
        "destroy",
        "drop",
        "purge",
        "truncate",
        "wipe",
        "flush",
        "flushall",
        "flushdb",
        "terminate",
        "erase",
        "uninstall",
        "unpublish",
        "nuke",
        "refund",
    ];
    // what is taken off can be put on again
    const SMALL: &[&str] = &["label", "labels", "reaction", "draft", "cache", "session", "bookmark"];
    const KEPT: &[&str] = &[
        "project",
        "repository",
        "repo",
        "user",
        "member",
        "database",
        "table",
        "bucket",
        "collection",
        "server",
        "deployment",
        "environment",
        "domain",
        "volume",
        "namespace",
        "branch",
        "index",
        "account",
        "instance",
    ];
    any(words, VERBS) && !any(words, SMALL) || any(words, &["remove", "rm"]) && any(words, KEPT)
}

/// `git_reset` with `mode: hard`, `git_push` with `force: true`, `git_checkout` with `--` and a dot.
pub(super) fn discards(words: &[String], arguments: &Value) -> bool {
    let has = |word: &str| words.iter().any(|w| w == word);
    let given = |wanted: &str| {
        arguments.as_object().is_some_and(|map| {
            map.iter().any(|(key, value)| {
                key == wanted && *value == Value::Bool(true)
                    || value.as_str().is_some_and(|text| text.trim_start_matches('-') == wanted)
                    || value.as_array().is_some_and(|list| {
                        list.iter().any(|v| v.as_str().is_some_and(|text| text.trim_start_matches('-') == wanted))
                    })
            })
        })
    };
    let everything = arguments.as_object().is_some_and(|map| {
        map.values().filter_map(Value::as_array).any(|list| list.iter().any(|v| v.as_str() == Some(".")))
    });
    let over = has("checkout") || has("restore") || has("switch");
    has("reset") && given("hard")
        || (has("push") || has("clean") || over) && (given("force") || given("f"))
        || over && everything
}

/// `update_repository` with `visibility: public` or `private: false`: what was seen by few is seen by all.
pub(super) fn publishes(words: &[String], arguments: &Value) -> bool {
    let has = |known: &[&str]| any(words, known);
    let opens = arguments.as_object().is_some_and(|map| {
        map.get("private") == Some(&Value::Bool(false))
            || map.get("public") == Some(&Value::Bool(true))
            || map.get("visibility").and_then(Value::as_str).is_some_and(|v| v.eq_ignore_ascii_case("public"))
    });
    let anyone = arguments.as_object().is_some_and(|map| map.values().any(|v| v.as_str() == Some("anyone")));
    if anyone && has(&["share", "permission", "permissions"]) {
        return true;
    }
    opens && has(&["update", "edit", "set", "change", "patch", "modify", "visibility"]) && !has(&["create"])
}

/// The words of a name in snake, kebab or camel case, in lower case.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        if let (true, Some(last)) = (c.is_alphanumeric(), words.last_mut()) {
            last.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|w| !w.is_empty());
    words
}

/// `get_secret`, `read_password`: the tool hands out what a vault keeps.
pub(super) fn reveals(words: &[String]) -> bool {
    let any = |known: &[&str]| any(words, known);
    any(&["get", "read", "show", "reveal", "fetch", "access", "retrieve", "export"])
        && any(&["secret", "password", "passwords", "credential", "credentials"])
        && !any(&["list", "scanning", "alert", "alerts", "names", "metadata", "policy", "reset", "rotation", "form"])
}

/// `compose_down` with `volumes: true`: what containers kept goes with them.
pub(super) fn prunes(words: &[String], arguments: &Value) -> bool {
    let given = |key: &str| arguments.get(key) == Some(&Value::Bool(true));
    any(words, &["down", "prune"]) && (given("volumes") || given("remove_volumes"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_read_word_by_word() {
        assert_eq!(words("getUserInformation"), ["get", "user", "information"]);
        assert_eq!(words("read_text_file"), ["read", "text", "file"]);
        assert_eq!(file_effects(&words("get_user_information")), [EffectKind::Read]);
        assert_eq!(file_effects(&words("move_file")), [EffectKind::Move]);
        assert_eq!(file_effects(&words("frobnicate")), [EffectKind::Read, EffectKind::Write]);
        for (tool, expect) in [
            ("delete_branch", true),
            ("flushall", true),
            ("removeProject", true),
            ("remove_label", false),
            ("undelete_user", false),
        ] {
            assert_eq!(destroys(&words(tool)), expect, "{tool}");
        }
        for (tool, arguments, expect) in [
            ("update_repository", json!({"visibility": "public"}), true),
            ("update_repository", json!({"private": true}), false),
            ("create_repository", json!({"private": false}), false),
        ] {
            assert_eq!(publishes(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
        for (tool, arguments, expect) in [
            ("git_reset", json!({"mode": "hard"}), true),
            ("git_reset", json!({"args": ["--hard", "HEAD"]}), true),
            ("git_push", json!({"force": true}), true),
            ("git_push", json!({"force": false}), false),
            ("git_reset", json!({"repo_path": "."}), false),
            ("git_checkout", json!({"args": ["--", "."]}), true),
            ("git_checkout", json!({"repo_path": ".", "branch_name": "x"}), false),
        ] {
            assert_eq!(discards(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
        for (tool, expect) in [
            ("get_secret", true),
            ("read_password", true),
            ("list_secrets", false),
            ("get_secret_scanning_alert", false),
        ] {
            assert_eq!(reveals(&words(tool)), expect, "{tool}");
        }
    }

    #[test]
    fn a_tool_is_known_by_its_name_and_its_server() {
        for (server, tool, interpreter) in [
            ("", "run_python", Some("python3")),
            ("", "executeJavascript", Some("node")),
            ("playwright", "evaluate", Some("node")),
            ("", "browser_run_code", Some("node")),
            ("", "lookup_country", None),
        ] {
            assert_eq!(Tool::new(server, tool).interpreter.map(|i| i[0]), interpreter, "{server} {tool}");
        }
        for (server, tool, key, typed) in [
            ("tmux", "send_keys", "keys", true),
            ("", "write_to_terminal", "text", true),
            ("slack", "post_message", "text", false),
            ("browser", "type_in_shell", "text", false),
        ] {
            assert_eq!(Tool::new(server, tool).is_typed(key), typed, "{server} {tool}");
        }
        for (server, tool, program) in [
            ("aws", "call_aws", Some("aws")),
            ("x", "run_terraform_command", Some("terraform")),
            ("github", "get", None),
        ] {
            assert_eq!(Tool::new(server, tool).program(), program, "{server} {tool}");
        }
    }

    #[test]
    fn a_program_and_its_words_are_one_command() {
        for (arguments, expect) in [
            (json!({"command": "bash", "args": ["-c", "ls"]}), Some("bash -c ls")),
            (json!({"args": ["x"], "executable": "rm"}), Some("rm x")),
            (json!({"command": "ls", "args": []}), None),
            (json!({"command": ["ls"], "args": ["x"]}), None),
            (json!({"name": "x", "args": ["y"]}), None),
            (json!({"command": "delete", "args": ["ns", "x"]}), Some("delete ns x")),
        ] {
            let found = arguments.as_object().and_then(invocation).map(|(_, argv)| argv.join(" "));
            assert_eq!(found.as_deref(), expect, "{arguments}");
        }
    }
}

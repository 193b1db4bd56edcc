//! The arguments of MCP and other tools as effects: a path, URL, command or SQL text is judged by the rules of its
//! kind wherever it stands.

use std::collections::{BTreeMap, BTreeSet};

use rampart_call::{Certainty, CommandLine, Effect, EffectKind, Target};
use rampart_shell::Surroundings;
use serde_json::Value;

use super::Known;
use crate::{condition::tool_param::leaves, pattern::TextGlob, sets::Sets};

/// How deep arguments are searched.
const MAX_DEPTH: usize = 32;

/// Arguments that hold code, of a tool that runs code.
const CODE: [&str; 5] = ["code", "source", "source_code", "snippet", "program"];

/// The arguments that name files, hosts, commands or code, each with patterns of exactly what it holds.
pub(crate) fn naming(tool: &str, arguments: &Value) -> BTreeMap<String, Vec<String>> {
    fn names(value: &Value, role: Role, depth: usize) -> bool {
        match value {
            _ if depth > MAX_DEPTH => true,
            Value::Object(map) => map.iter().any(|(key, value)| {
                let own = self::role(key);
                names(value, if own == Role::Unknown && !value.is_string() { role } else { own }, depth + 1)
            }),
            Value::Array(list) => list.iter().any(|value| names(value, role, depth + 1)),
            Value::String(text) => role != Role::Unknown || looks_like_path(text) || text.contains("://"),
            _ => false,
        }
    }
    let runs_code = interpreter(tool).is_some();
    let mut found = BTreeMap::new();
    for (key, value) in arguments.as_object().into_iter().flatten() {
        let plain = !key.is_empty() && !key.starts_with('/') && !key.contains('=');
        if plain && (names(value, role(key), 0) || runs_code && CODE.contains(&key.as_str())) {
            let mut texts = Vec::new();
            leaves(value, &mut texts);
            let patterns: BTreeSet<String> = texts.iter().map(|text| TextGlob::escape(text)).collect();
            found.insert(key.clone(), patterns.into_iter().collect());
        }
    }
    found
}

/// What an argument is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Path,
    Url,
    Command,
    Sql,
    Manifest,
    Unknown,
}

impl Known<'_> {
    pub(super) fn add_arguments(&mut self, tool: &str, arguments: &Value, around: &Surroundings<'_>, sets: &Sets) {
        let kinds = file_effects(tool);
        self.walk(arguments, Role::Unknown, &kinds, around, sets, 0);
        if discards(tool, arguments) {
            let effect = Effect { note: "discard-changes".to_owned(), ..Effect::new(EffectKind::VcsHistory, None) };
            self.add_effect(effect, around, sets);
        }
        if publishes(tool, arguments) {
            let effect = Effect { note: "publish".to_owned(), ..Effect::new(EffectKind::RemoteMutate, None) };
            self.add_effect(effect, around, sets);
        }
        if destroys(tool) && !names_a_path(arguments) {
            let effect = Effect { note: "remote-delete".to_owned(), ..Effect::new(EffectKind::RemoteMutate, None) };
            self.add_effect(effect, around, sets);
        }
        if let Some(interpreter) = interpreter(tool) {
            for key in CODE {
                if let Some(text) = arguments.get(key).and_then(Value::as_str) {
                    self.add_code(interpreter, text, around, sets);
                }
            }
        }
    }

    /// Code does what the interpreter would do with it. That it is code says nothing: running code is the tool's trade.
    fn add_code(&mut self, interpreter: [&str; 2], text: &str, around: &Surroundings<'_>, sets: &Sets) {
        let argv = interpreter.into_iter().chain([text]).map(str::to_owned).collect();
        for mut effect in rampart_shell::analyze(&CommandLine::Argv(argv), around).effects {
            let plain = matches!(effect.note.as_str(), "" | "inline-code" | "unknown-program");
            if !plain || !matches!(effect.kind, EffectKind::Exec | EffectKind::Opaque) {
                effect.span = None;
                self.add_effect(effect, around, sets);
            }
        }
    }

    fn walk(
        &mut self,
        value: &Value,
        role: Role,
        kinds: &[EffectKind],
        around: &Surroundings<'_>,
        sets: &Sets,
        depth: usize,
    ) {
        if depth > MAX_DEPTH {
            self.complete = false;
            return;
        }
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    self.flag(key, value, around, sets);
                    let own = self::role(key);
                    let role = if own == Role::Unknown && !value.is_string() { role } else { own };
                    self.walk(value, role, kinds, around, sets, depth + 1);
                }
            }
            Value::Array(list) if role == Role::Command && !list.is_empty() && list.iter().all(Value::is_string) => {
                let argv = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                self.add_command(&CommandLine::Argv(argv), around, sets);
            }
            Value::Array(list) => list.iter().for_each(|v| self.walk(v, role, kinds, around, sets, depth + 1)),
            Value::String(text) => self.argument(text, role, kinds, around, sets),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// `privileged: true` of a tool that starts containers.
    fn flag(&mut self, key: &str, value: &Value, around: &Surroundings<'_>, sets: &Sets) {
        let rights = ["privileged", "hostpid", "hostipc", "hostnetwork"];
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        if *value == Value::Bool(true) && rights.contains(&key.as_str()) {
            let effect = Effect { note: "privileged-container".to_owned(), ..Effect::new(EffectKind::Privilege, None) };
            self.add_effect(effect, around, sets);
        }
    }

    fn argument(&mut self, text: &str, role: Role, kinds: &[EffectKind], around: &Surroundings<'_>, sets: &Sets) {
        let url = url::Url::parse(text.trim()).ok();
        match (role, url) {
            (Role::Path | Role::Url | Role::Unknown, Some(url)) if url.scheme() == "file" => {
                self.add_file(url.path(), kinds, around, sets);
            }
            (Role::Path | Role::Url | Role::Unknown, Some(url)) if url.has_host() && text.contains("://") => {
                self.add_fetch("", text.trim(), &[], around, sets);
            }
            (Role::Path, _) => self.add_file(text, kinds, around, sets),
            (Role::Unknown, _) if looks_like_path(text) => self.add_file(text, kinds, around, sets),
            (Role::Url, _) if !text.trim().is_empty() => self.add_fetch("", text.trim(), &[], around, sets),
            (Role::Command, _) => self.add_command(&CommandLine::Command(text.to_owned()), around, sets),
            (Role::Sql, _) if is_statement(text) => self.add_sql(text, around, sets),
            (Role::Manifest, _) => self.add_manifest(text, around, sets),
            _ => {}
        }
    }

    fn add_file(&mut self, path: &str, kinds: &[EffectKind], around: &Surroundings<'_>, sets: &Sets) {
        for kind in kinds {
            let mut effect = Effect::new(*kind, Some(rampart_shell::locate(path, around)));
            if kinds.len() > 1 {
                effect.certainty = Certainty::Possible;
            }
            self.add_effect(effect, around, sets);
        }
    }

    /// A manifest asks for what `kubectl apply` would have it get.
    fn add_manifest(&mut self, text: &str, around: &Surroundings<'_>, sets: &Sets) {
        let line = format!("kubectl apply -f - <<'END OF MANIFEST'\n{text}\nEND OF MANIFEST\n");
        for mut effect in rampart_shell::analyze(&CommandLine::Command(line), around).effects {
            if effect.kind == EffectKind::Privilege {
                effect.span = None;
                self.add_effect(effect, around, sets);
            }
        }
    }

    /// SQL does what `psql` would do with it.
    fn add_sql(&mut self, text: &str, around: &Surroundings<'_>, sets: &Sets) {
        let argv = ["psql", "-c", text].map(str::to_owned).to_vec();
        for mut effect in rampart_shell::analyze(&CommandLine::Argv(argv), around).effects {
            let connects = matches!(effect.target, Some(Target::Host { .. }));
            if effect.kind != EffectKind::Exec && !connects {
                effect.span = None;
                self.add_effect(effect, around, sets);
            }
        }
    }
}

fn role(key: &str) -> Role {
    let words = words(key);
    let any = |known: &[&str]| words.iter().any(|w| known.contains(&w.as_str()));
    if any(&["path", "paths", "file", "files", "filename", "filepath", "dir", "directory", "folder", "cwd"]) {
        Role::Path
    } else if any(&["url", "urls", "uri", "uris", "href", "endpoint", "host", "domain"]) {
        Role::Url
    } else if any(&["command", "commands", "cmd", "shell", "script", "argv"]) {
        Role::Command
    } else if any(&["sql", "query", "statement"]) {
        Role::Sql
    } else if any(&["manifest", "manifests", "yaml"]) {
        Role::Manifest
    } else {
        Role::Unknown
    }
}

/// How the code is run that a tool is given, by the words of the tool's name; none for a tool that runs no code.
fn interpreter(tool: &str) -> Option<[&'static str; 2]> {
    const RUNS: &[&str] =
        &["run", "execute", "exec", "eval", "evaluate", "interpreter", "repl", "sandbox", "python", "notebook"];
    let words = words(tool);
    let any = |known: &[&str]| words.iter().any(|w| known.contains(&w.as_str()));
    if !any(RUNS) {
        None
    } else if any(&["js", "javascript", "node", "typescript", "ts"]) {
        Some(["node", "-e"])
    } else if any(&["bash", "sh", "shell"]) {
        Some(["bash", "-c"])
    } else if any(&["ruby"]) {
        Some(["ruby", "-e"])
    } else {
        Some(["python3", "-c"])
    }
}

/// What a tool does to the files it is given, by the words of its name. A name that does not say it may do both.
fn file_effects(tool: &str) -> Vec<EffectKind> {
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
    let words = words(tool);
    let any = |known: &[&str]| words.iter().any(|w| known.contains(&w.as_str()));
    let mut kinds = Vec::new();
    for (known, kind) in [
        (DELETES, EffectKind::Delete),
        (MOVES, EffectKind::Move),
        (WRITES, EffectKind::Write),
        (READS, EffectKind::Read),
    ] {
        if any(known) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        kinds = vec![EffectKind::Read, EffectKind::Write];
    }
    kinds
}

/// Whether a tool throws away what others keep, by the words of its name.
fn destroys(tool: &str) -> bool {
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
    const SMALL: &[&str] =
        &["label", "labels", "reaction", "draft", "cache", "session", "bookmark", "memory", "observations"];
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
    let words = words(tool);
    let any = |known: &[&str]| words.iter().any(|w| known.contains(&w.as_str()));
    any(VERBS) && !any(SMALL) || any(&["remove", "rm"]) && any(KEPT)
}

/// `git_reset` with `mode: hard`, `git_push` with `force: true`.
fn discards(tool: &str, arguments: &Value) -> bool {
    let words = words(tool);
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
    has("reset") && given("hard") || (has("push") || has("clean")) && given("force")
}

/// `update_repository` with `visibility: public` or `private: false`: what was seen by few is seen by all.
fn publishes(tool: &str, arguments: &Value) -> bool {
    let words = words(tool);
    let has = |known: &[&str]| words.iter().any(|w| known.contains(&w.as_str()));
    let opens = arguments.as_object().is_some_and(|map| {
        map.get("private") == Some(&Value::Bool(false))
            || map.get("public") == Some(&Value::Bool(true))
            || map.get("visibility").and_then(Value::as_str).is_some_and(|v| v.eq_ignore_ascii_case("public"))
    });
    opens && has(&["update", "edit", "set", "change", "patch", "modify", "visibility"]) && !has(&["create"])
}

/// Whether an argument is a path, so that the rules for files say what is to be said.
fn names_a_path(arguments: &Value) -> bool {
    let Some(map) = arguments.as_object() else { return false };
    // a path of a repository or bucket that is elsewhere
    if ["owner", "repo", "repository", "project_id", "bucket"].iter().any(|key| map.contains_key(*key)) {
        return false;
    }
    let is_name = |key: &str| words(key).last().is_some_and(|word| matches!(word.as_str(), "id" | "ids" | "key"));
    let is_path = |key: &str| role(key) == Role::Path && !is_name(key);
    map.iter().any(|(key, value)| is_path(key) || value.as_str().is_some_and(looks_like_path))
}

/// The words of a name in snake, kebab or camel case, in lower case.
fn words(name: &str) -> Vec<String> {
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

/// Whether a text that may be words to search for begins as SQL does.
fn is_statement(text: &str) -> bool {
    let lower = text.trim_start().to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty());
    match words.next() {
        Some("delete") => words.next() == Some("from"),
        Some("update") => words.any(|word| word == "set"),
        Some("drop" | "create") => words.next().is_some_and(|kind| {
            [
                "table",
                "database",
                "schema",
                "index",
                "view",
                "user",
                "role",
                "function",
                "trigger",
                "extension",
                "or",
                "if",
                "login",
                "procedure",
                "owned",
                "tablespace",
                "sequence",
                "type",
                "column",
                "keyspace",
                "collection",
            ]
            .contains(&kind)
        }),
        Some("grant" | "revoke" | "alter" | "copy" | "load") => words.count() > 2,
        _ => true,
    }
}

fn looks_like_path(text: &str) -> bool {
    let one_line = !text.contains(['\n', '\0']) && text.len() <= 4_096;
    one_line && (text.starts_with(['/', '~']) || text.starts_with("./") || text.starts_with("../"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_word_by_word() {
        assert_eq!(words("getUserInformation"), ["get", "user", "information"]);
        assert_eq!(words("read_text_file"), ["read", "text", "file"]);
        assert_eq!(file_effects("get_user_information"), [EffectKind::Read]);
        assert_eq!(file_effects("move_file"), [EffectKind::Move]);
        assert_eq!(interpreter("run_python"), Some(["python3", "-c"]));
        assert_eq!(interpreter("executeJavascript"), Some(["node", "-e"]));
        assert_eq!(interpreter("lookup_country"), None);
        assert_eq!(file_effects("frobnicate"), [EffectKind::Read, EffectKind::Write]);
        for (tool, expect) in [
            ("delete_branch", true),
            ("flushall", true),
            ("removeProject", true),
            ("remove_label", false),
            ("delete_observations", false),
            ("undelete_user", false),
        ] {
            assert_eq!(destroys(tool), expect, "{tool}");
        }
        for (tool, arguments, expect) in [
            ("update_repository", serde_json::json!({"visibility": "public"}), true),
            ("update_repository", serde_json::json!({"private": true}), false),
            ("create_repository", serde_json::json!({"private": false}), false),
        ] {
            assert_eq!(publishes(tool, &arguments), expect, "{tool} {arguments}");
        }
        for (text, expect) in [
            ("delete account flow", false),
            ("DELETE FROM users", true),
            ("drop shadow on cards", false),
            ("drop table users", true),
            ("update docs", false),
            ("update users set x = 1", true),
            ("select 1", true),
            ("truncate users", true),
        ] {
            assert_eq!(is_statement(text), expect, "{text}");
        }
        for (tool, arguments, expect) in [
            ("git_reset", serde_json::json!({"mode": "hard"}), true),
            ("git_reset", serde_json::json!({"args": ["--hard", "HEAD"]}), true),
            ("git_push", serde_json::json!({"force": true}), true),
            ("git_push", serde_json::json!({"force": false}), false),
            ("git_reset", serde_json::json!({"repo_path": "."}), false),
        ] {
            assert_eq!(discards(tool, &arguments), expect, "{tool} {arguments}");
        }
        assert!(names_a_path(&serde_json::json!({"path": "a.txt"})));
        assert!(!names_a_path(&serde_json::json!({"fileId": "x"})));
        assert!(!names_a_path(&serde_json::json!({"repo": "r", "path": "a.txt"})));
        for (key, expect) in [
            ("path", Role::Path),
            ("filePath", Role::Path),
            ("source_files", Role::Path),
            ("uri", Role::Url),
            ("command", Role::Command),
            ("sql", Role::Sql),
            ("profile", Role::Unknown),
            ("text", Role::Unknown),
        ] {
            assert_eq!(role(key), expect, "{key}");
        }
    }
}

//! The arguments of MCP and other tools as effects: a path, URL, command or SQL text is judged by the rules of its
//! kind wherever it stands.

mod names;

use std::collections::{BTreeMap, BTreeSet};

use rampart_call::{Certainty, CommandLine, Effect, EffectKind, Sensitivity, Target};
use rampart_shell::Surroundings;
use serde_json::{Map, Value};

use names::{Tool, destroys, discards, publishes, words};

use super::Known;
use crate::{condition::tool_param::leaves, pattern::TextGlob, sets::Sets};

/// How deep arguments are searched.
const MAX_DEPTH: usize = 32;

/// Most addresses of a piece of code that are looked at.
const MAX_ADDRESSES: usize = 32;

/// The arguments that name files, hosts, commands or code, each with patterns of exactly what it holds.
pub(crate) fn naming(server: &str, tool: &str, arguments: &Value) -> BTreeMap<String, Vec<String>> {
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
    let tool = Tool::new(server, tool);
    let mut found = BTreeMap::new();
    for (key, value) in arguments.as_object().into_iter().flatten() {
        let plain = !key.is_empty() && !key.starts_with('/') && !key.contains('=');
        if plain && (names(value, role(key), 0) || tool.decides(key, value)) {
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
    /// Several of them, where it is a list.
    Commands,
    Sql,
    Manifest,
    Unknown,
}

impl Known<'_> {
    pub(super) fn add_arguments(
        &mut self,
        server: &str,
        tool: &str,
        arguments: &Value,
        around: &Surroundings<'_>,
        sets: &Sets,
    ) {
        let named = Tool::new(server, tool);
        self.walk(arguments, Role::Unknown, &named, around, sets, 0);
        if let Some(program) = named.program() {
            self.suspect(&argv(program, &named.sub_command()), around, sets);
        }
        let words = named.words();
        let mut says = |kind: EffectKind, note: &str| {
            self.add_effect(Effect { note: note.to_owned(), ..Effect::new(kind, None) }, around, sets);
        };
        if discards(words, arguments) {
            says(EffectKind::VcsHistory, "discard-changes");
        }
        if publishes(words, arguments) {
            says(EffectKind::RemoteMutate, "publish");
        }
        if names::prunes(words, arguments) {
            says(EffectKind::RemoteMutate, "container-prune");
        }
        if names::reveals(words) {
            says(EffectKind::Secret, "token-shown");
        }
        let operation = arguments.as_object().and_then(names::operation);
        if destroys(words) && !named.keeps_notes() && !names_a_path(arguments)
            || operation.is_some_and(|name| destroys(&names::words(name)))
        {
            says(EffectKind::RemoteMutate, "remote-delete");
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

    /// What may be a command, or something else: what would do harm is kept, and nothing is made of the rest.
    fn suspect(&mut self, command: &CommandLine, around: &Surroundings<'_>, sets: &Sets) {
        for mut effect in rampart_shell::analyze(command, around).effects {
            let runs = matches!(effect.note.as_str(), "download-run" | "decode-run" | "reverse-shell");
            if runs || !matches!(effect.kind, EffectKind::Exec | EffectKind::Opaque) {
                effect.span = None;
                self.add_effect(effect, around, sets);
            }
        }
    }

    fn walk(&mut self, value: &Value, role: Role, tool: &Tool, around: &Surroundings<'_>, sets: &Sets, depth: usize) {
        if depth > MAX_DEPTH {
            self.complete = false;
            return;
        }
        match value {
            Value::Object(map) => self.walk_members(map, role, tool, around, sets, depth),
            Value::Array(list)
                if matches!(role, Role::Command | Role::Commands)
                    && !list.is_empty()
                    && list.iter().all(Value::is_string) =>
            {
                let list = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                self.add_commands(list, role == Role::Commands, tool, around, sets);
            }
            Value::Array(list) => list.iter().for_each(|v| self.walk(v, role, tool, around, sets, depth + 1)),
            Value::String(text) => self.argument(text, role, tool, around, sets),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn walk_members(
        &mut self,
        map: &Map<String, Value>,
        role: Role,
        tool: &Tool,
        around: &Surroundings<'_>,
        sets: &Sets,
        depth: usize,
    ) {
        let invocation = names::invocation(map);
        if let Some((_, argv)) = &invocation {
            self.add_command(&CommandLine::Argv(argv.clone()), around, sets);
        }
        if let Some(program) = tool.program() {
            let words = invocation.as_ref().map(|(_, argv)| argv.clone()).or_else(|| names::bare_words(map));
            if let Some(words) = words {
                self.suspect(&argv(program, &words), around, sets);
            }
        }
        if let Some((method, url)) = names::request(map) {
            self.add_fetch(&method.to_ascii_uppercase(), url, &[], around, sets);
        }
        for (key, value) in map {
            self.flag(key, value, around, sets);
            if invocation.as_ref().is_some_and(|(program, _)| program == key) {
                continue;
            }
            if let (Some(text), Some(interpreter)) = (value.as_str(), tool.interpreter.filter(|_| tool.is_code(key))) {
                self.add_code(interpreter, text, around, sets);
                if tool.is_browser() {
                    self.add_addresses(text, around, sets);
                    continue;
                }
            }
            if let Some(text) = value.as_str().filter(|_| tool.is_typed(key)) {
                self.suspect(&CommandLine::Command(text.to_owned()), around, sets);
            }
            let own = self::role(key);
            let role = if own == Role::Unknown && !value.is_string() { role } else { own };
            self.walk(value, role, tool, around, sets, depth + 1);
        }
    }

    /// The words of a command, or several commands: a first text of several words is one of those, and so is each of a list
    /// of commands in which nothing is an option.
    fn add_commands(&mut self, list: Vec<String>, several: bool, tool: &Tool, around: &Surroundings<'_>, sets: &Sets) {
        let line = list.first().is_some_and(|text| text.trim().contains(char::is_whitespace));
        if line || several && !list.iter().any(|text| text.starts_with('-')) {
            for line in &list {
                self.command(line, tool, around, sets);
            }
            return;
        }
        if let Some(program) = tool.program() {
            self.suspect(&argv(program, &list), around, sets);
        }
        self.add_command(&CommandLine::Argv(list), around, sets);
    }

    /// A command line. Where the server hands it to a program, that is what runs it.
    fn command(&mut self, line: &str, tool: &Tool, around: &Surroundings<'_>, sets: &Sets) {
        self.add_command(&CommandLine::Command(line.to_owned()), around, sets);
        if let Some(program) = tool.program().filter(|program| !line.trim_start().starts_with(program)) {
            self.suspect(&CommandLine::Command(format!("{program} {line}")), around, sets);
        }
    }

    /// The addresses in code that runs in a browser, whatever it does with them.
    fn add_addresses(&mut self, code: &str, around: &Surroundings<'_>, sets: &Sets) {
        for (at, _) in code.match_indices("://").take(MAX_ADDRESSES) {
            let before = code.get(..at).unwrap_or("");
            let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
            let rest = code.get(at..).unwrap_or("");
            let end = rest.find(['"', '\'', '`', ' ', ')', '\n', '$']).unwrap_or(rest.len());
            if matches!(scheme, "http" | "https" | "ws" | "wss" | "file") {
                let url = format!("{scheme}{}", rest.get(..end).unwrap_or(""));
                self.argument(&url, Role::Url, &Tool::new("", "navigate"), around, sets);
            }
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

    fn argument(&mut self, text: &str, role: Role, tool: &Tool, around: &Surroundings<'_>, sets: &Sets) {
        // the source of a page is as good as the page
        let text = text.trim_start().strip_prefix("view-source:").unwrap_or(text);
        let url = url::Url::parse(text.trim()).ok();
        match (role, url) {
            (Role::Path | Role::Url | Role::Unknown, Some(url)) if url.scheme() == "file" => {
                self.add_file(url.path(), tool, around, sets);
            }
            (Role::Path | Role::Url | Role::Unknown, Some(url)) if url.has_host() && text.contains("://") => {
                self.add_fetch("", text.trim(), &[], around, sets);
            }
            (Role::Path, _) => self.add_file(text, tool, around, sets),
            (Role::Unknown, _) if looks_like_path(text) => self.add_file(text, tool, around, sets),
            (Role::Url, _) if !text.trim().is_empty() => self.add_fetch("", text.trim(), &[], around, sets),
            (Role::Command | Role::Commands, _) => self.command(text, tool, around, sets),
            (Role::Sql, _) if is_statement(text) => self.add_sql(text, around, sets),
            (Role::Manifest, _) => self.add_manifest(text, around, sets),
            _ => {}
        }
    }

    fn add_file(&mut self, path: &str, tool: &Tool, around: &Surroundings<'_>, sets: &Sets) {
        for kind in &tool.kinds {
            let mut target = rampart_shell::locate(path, around);
            if let (true, EffectKind::Read, Target::Path { sensitivity, .. }) = (tool.looks, kind, &mut target) {
                *sensitivity = Sensitivity::Ordinary;
            }
            let mut effect = Effect::new(*kind, Some(target));
            if *kind == EffectKind::Delete {
                effect.note = deletion_note(path, around);
            }
            if tool.kinds.len() > 1 {
                effect.certainty = Certainty::Possible;
            }
            self.add_effect(effect, around, sets);
        }
        // every file of the folder is read
        if tool.searches {
            let below = rampart_shell::locate(&format!("{}/*", path.trim_end_matches('/')), around);
            let effect = Effect::new(EffectKind::Read, Some(below));
            self.add_effect(Effect { certainty: Certainty::Possible, ..effect }, around, sets);
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

/// A program and its words.
fn argv(program: &str, words: &[String]) -> CommandLine {
    CommandLine::Argv(std::iter::once(program.to_owned()).chain(words.iter().cloned()).collect())
}

/// What is to be said of a file that is deleted, as of one that `rm` deletes.
fn deletion_note(path: &str, around: &Surroundings<'_>) -> String {
    let argv = ["rm", "--", path].map(str::to_owned).to_vec();
    let mut effects = rampart_shell::analyze(&CommandLine::Argv(argv), around).effects.into_iter();
    effects.find(|effect| effect.kind == EffectKind::Delete).map(|effect| effect.note).unwrap_or_default()
}

fn role(key: &str) -> Role {
    let words = words(key);
    let any = |known: &[&str]| words.iter().any(|w| known.contains(&w.as_str()));
    if any(&["path", "paths", "file", "files", "filename", "filepath", "dir", "directory", "folder", "cwd"]) {
        Role::Path
    } else if any(&["url", "urls", "uri", "uris", "href", "endpoint", "host", "domain"]) {
        Role::Url
    } else if any(&["commands", "cmds"]) {
        Role::Commands
    } else if any(&["command", "cmd", "shell", "script", "argv"]) {
        Role::Command
    } else if any(&["sql", "query", "statement"]) {
        Role::Sql
    } else if any(&["manifest", "manifests", "yaml"]) {
        Role::Manifest
    } else {
        Role::Unknown
    }
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
    fn arguments_are_told_apart_by_their_names() {
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

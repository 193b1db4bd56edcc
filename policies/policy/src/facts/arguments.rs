//! The arguments of MCP and other tools as effects: a path, URL, command or SQL text is judged by the rules of its
//! kind wherever it stands.

mod batches;
mod conduct;
mod deeds;
mod definitions;
mod deployed;
mod devices;
mod documents;
mod files;
mod formulas;
mod guards;
mod interpreters;
mod masses;
mod names;
pub(super) mod orders;
mod ownership;
mod pages;
mod payments;
mod private;
mod queries;
mod relays;
mod requests;
mod rights;
mod said;
mod slight;
mod switches;
mod texts;
mod tongues;
mod variables;

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use rampart_call::{CommandLine, Effect, EffectKind};
use rampart_shell::{Surroundings, graphql, service, verbs};
use serde_json::{Map, Value};

use files::looks_like_path;
pub(super) use interpreters::of_file as interpreter_of;
use names::Tool;
use texts::argv;

use super::Known;
use crate::{condition::tool_param::leaves, pattern::TextGlob, sets::Sets};

/// How deep arguments are searched.
const MAX_DEPTH: usize = 32;

/// Most bytes of a request's document, or of one in a text, that are looked at.
const LONGEST: usize = 256 * 1024;

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
    let tool = Tool::new(server, tool, arguments);
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

/// The texts of all arguments, one a line.
pub(super) fn contents(arguments: &Value) -> String {
    let mut texts = Vec::new();
    leaves(arguments, &mut texts);
    texts.join("\n")
}

/// What an argument is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Path,
    /// A file at the other end.
    Remote,
    /// A path where something is put.
    Into,
    /// The folder to work in, to which nothing is done by that.
    Around,
    Url,
    Command,
    /// Several of them, where it is a list.
    Commands,
    Sql,
    /// Statements of a database, or words that are searched for.
    Query,
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
        let named = Tool::new(server, tool, arguments);
        self.walk(arguments, Role::Unknown, &named, around, sets, 0);
        let unfolded = batches::unfolded(arguments);
        let inner = unfolded.as_ref().unwrap_or(arguments);
        for (tool, arguments) in batches::calls(inner) {
            self.add_deed(&Tool::new(server, tool, arguments), arguments, around, sets);
        }
        for (method, place, document) in batches::requests(inner) {
            if let Some(name) = documents::name_of(&method, place) {
                self.add_told(&[], &name, document, around, sets);
            }
        }
        self.add_deed(&named, arguments, around, sets);
        // where the words for the program are an argument, those of the tool's name are none of them
        if let Some(program) = named.program().filter(|_| !names_command(arguments)) {
            self.suspect(&argv(program, &named.sub_command()), around, sets);
        }
        if named.program() == Some("git")
            && let Some(words) = deeds::sets_git(&verbs::words(tool), arguments)
        {
            self.suspect(&argv("git", &words), around, sets);
        }
        self.add_conduct(&named, arguments, around, sets);
        let opened = named.is_opening(arguments);
        let mut says = |kind: EffectKind, note: &str| {
            self.add_effect(Effect { note: note.to_owned(), ..Effect::new(kind, None) }, around, sets);
        };
        if named.tears_down(arguments) {
            says(EffectKind::RemoteMutate, "infra-destroy");
        }
        if named.relays(arguments) {
            says(EffectKind::Persist, "relay");
        }
        if named.is(|words| deeds::discards(words, arguments)) {
            says(EffectKind::VcsHistory, "discard-changes");
        }
        if named.is(|words| deeds::publishes(words, arguments)) || named.publishes(arguments) {
            says(EffectKind::RemoteMutate, "publish");
        }
        if named.is(|words| deeds::prunes(words, arguments)) {
            says(EffectKind::RemoteMutate, "container-prune");
        }
        let kind = named.is_of_cluster() && named.is(|words| deeds::reveals_kind(words, arguments));
        if kind || named.reveals(arguments) {
            says(EffectKind::Secret, "token-shown");
        }
        if let Some(note) = opened {
            says(EffectKind::Privilege, note);
        }
        if named.is(|words| deeds::forwards(words, arguments)) {
            says(EffectKind::Privilege, "access-grant");
        }
        let several = || !named.is_near() && batches::destroy(arguments, named.any(batches::MANY));
        if deeds::asks_deletion(arguments) || several() {
            says(EffectKind::RemoteMutate, "remote-delete");
        }
        if deeds::completes(arguments) && named.is(|words| verbs::any(words, &["deployment", "deployments"])) {
            says(EffectKind::RemoteMutate, "infra-destroy");
        }
        if named.is(|words| deeds::empties(words, arguments)) {
            says(EffectKind::RemoteMutate, "remote-delete");
        }
        if named.looks_up() && service::carries_data(&contents(arguments)) {
            says(EffectKind::Net, "name-lookup");
        }
        if named.is_console(arguments) {
            says(EffectKind::Privilege, "control-api");
        }
        // those of the call itself are judged as commands
        for line in arguments.as_object().into_iter().flatten().flat_map(|(_, value)| batches::commands(value)) {
            self.add_remote(&line, around, sets);
        }
        let mut says = |kind: EffectKind, note: &str| self.note(kind, note, around, sets);
        let mongo = named.is_mongo()
            && (queries::mongo_drops(arguments) || named.is(|words| queries::takes_all(words, arguments)));
        if mongo {
            says(EffectKind::RemoteMutate, "database-drop");
        }
    }

    /// What a call throws away, gives away or turns off, whether it is made itself or stands in another.
    fn add_deed(&mut self, tool: &Tool, arguments: &Value, around: &Surroundings<'_>, sets: &Sets) {
        if tool.destroys(arguments) || tool.clears(arguments) {
            self.note(EffectKind::RemoteMutate, "remote-delete", around, sets);
        }
        if tool.pays(arguments) {
            self.note(EffectKind::RemoteMutate, "payment", around, sets);
        }
        if tool.may_grant() && (tool.is(|words| rights::grants(words, arguments)) || tool.gives_otherwise(arguments)) {
            self.note(EffectKind::Privilege, "access-grant", around, sets);
        }
        if tool.weakens(arguments) {
            self.note(EffectKind::Privilege, "security-setting", around, sets);
        }
    }

    fn walk(&mut self, value: &Value, role: Role, tool: &Tool, around: &Surroundings<'_>, sets: &Sets, depth: usize) {
        if depth > MAX_DEPTH {
            self.complete = false;
            return;
        }
        match value {
            Value::Object(map) => {
                if role == Role::Manifest && tool.is_of_cluster() {
                    self.add_manifest(&value.to_string(), around, sets);
                }
                self.walk_members(map, role, tool, around, sets, depth);
            }
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
            let method = method.to_ascii_uppercase();
            self.add_fetch(&method, url, &[], around, sets);
            let body = names::SENT.iter().find_map(|key| map.get(*key));
            let body = body.map(|body| body.as_str().map_or_else(|| body.to_string(), str::to_owned));
            let headers = map.get("headers").and_then(Value::as_object).into_iter().flatten();
            let headers: Vec<_> =
                headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
            let request = service::Request { method: &method, url, headers: &headers, body: body.as_deref() };
            self.add_request(&request, around, sets);
        }
        match deeds::module(map).filter(|_| tool.is_of_ansible()) {
            Some(deeds::Module::Runs(line)) => self.add_command(&CommandLine::Command(line), around, sets),
            Some(deeds::Module::Removes) => self.note(EffectKind::RemoteMutate, "remote-delete", around, sets),
            None => {}
        }
        if tool.presses_for_good(map) {
            self.note(EffectKind::RemoteMutate, "remote-delete", around, sets);
        }
        self.add_fed(map, invocation.as_ref().map(|(_, argv)| argv.as_slice()), around, sets);
        if tool.is_browser() && deeds::starts_programs(map) {
            self.note(EffectKind::CodeLoad, "option-code", around, sets);
        }
        if let Some(line) = deeds::salt(map) {
            self.add_command(&CommandLine::Command(line), around, sets);
        }
        let told = interpreters::language(map);
        for (key, value) in map {
            if let Some(text) = value.as_str() {
                self.add_text(key, text, tool, around, sets);
            }
            self.flag(key, value, around, sets);
            if invocation.as_ref().is_some_and(|(program, _)| program == key) || files::is_pointer(map, key, tool) {
                continue;
            }
            let code = tool.interpreter.filter(|_| tool.is_code(key)).map(|usual| told.unwrap_or(usual));
            let code =
                code.or_else(|| told.filter(|_| tool.runs_later() && matches!(key.as_str(), "content" | "code")));
            let code = code.or_else(|| interpreters::by_extension(key));
            let lines = texts::lines(value);
            if let (Some(text), Some(interpreter)) = (lines.as_deref(), code) {
                self.add_code(interpreter, text, around, sets);
                if key.to_ascii_lowercase().contains("apex") && queries::apex_deletes(text) {
                    self.note(EffectKind::RemoteMutate, "remote-delete", around, sets);
                }
                if tool.is_browser() {
                    self.add_addresses(text, around, sets);
                    if texts::takes_sessions(text) {
                        self.note(EffectKind::Secret, "token-shown", around, sets);
                    }
                    continue;
                }
                self.add_started(text, around, sets);
            }
            // what is drawn of a page fetches what the page names
            if let Some(page) = value.as_str().filter(|_| said::one_of(key, &["html", "markup", "svg"]) && tool.draws())
            {
                self.add_addresses(page, around, sets);
            }
            if let Some(text) = texts::typed(value).filter(|_| tool.is_typed(key)) {
                self.add_typed(&text, around, sets);
            }
            let own = self::role(key);
            let role = if own == Role::Unknown && !value.is_string() { role } else { own };
            self.walk(value, role, tool, around, sets, depth + 1);
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

    /// A text that is a command, statement or order by itself, whatever its argument is called.
    fn add_text(&mut self, key: &str, text: &str, tool: &Tool, around: &Surroundings<'_>, sets: &Sets) {
        if texts::is_command(key, text) {
            self.add_remote(text, around, sets);
        }
        if relays::wakes_and_sends(text) {
            self.note(EffectKind::Persist, "relay", around, sets);
        }
        self.add_put(key, text, tool, around, sets);
        if tool.is_browser() && payments::tells_to_pay(text) {
            self.note(EffectKind::RemoteMutate, "payment", around, sets);
        }
        if said::one_of(key, &["args", "vars", "params", "parameters"]) {
            for inner in texts::quoted_in(text).filter(|inner| queries::is_whole(inner)) {
                self.add_sql(inner, around, sets);
            }
        }
    }

    fn note(&mut self, kind: EffectKind, note: &str, around: &Surroundings<'_>, sets: &Sets) {
        self.add_effect(Effect { note: note.to_owned(), ..Effect::new(kind, None) }, around, sets);
    }

    fn argument(&mut self, text: &str, role: Role, tool: &Tool, around: &Surroundings<'_>, sets: &Sets) {
        // the source of a page is as good as the page
        let text = text.trim_start().strip_prefix("view-source:").unwrap_or(text);
        let url = url::Url::parse(text.trim()).ok();
        self.add_word(text, role == Role::Url, around, sets);
        if tool.drops(text) && !tool.is_near() {
            self.note(EffectKind::RemoteMutate, "database-drop", around, sets);
        }
        let path = matches!(role, Role::Path | Role::Remote | Role::Into | Role::Around);
        if matches!(role, Role::Sql | Role::Query) && tool.is_near() {
            return self.add_statement(text, |effect| effect.kind != EffectKind::RemoteMutate, around, sets);
        }
        if matches!(role, Role::Sql | Role::Query) && tool.rewrites()
            || (path || role == Role::Unknown) && files::is_page(text, tool)
        {
            return;
        }
        let named = path || matches!(role, Role::Url | Role::Unknown);
        match (role, url) {
            (_, Some(url)) if named && url.scheme() == "file" => {
                let path = percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
                self.add_file(&path, role, tool, around, sets);
            }
            (_, Some(url)) if named && url.has_host() && text.contains("://") => {
                self.add_fetch("", text.trim(), &[], around, sets);
            }
            (Role::Path | Role::Remote | Role::Around, _) => self.add_file(text, role, tool, around, sets),
            // `output: json` is no path
            (Role::Into, _) if text.contains(['/', '\\', '.', '~']) => self.add_file(text, role, tool, around, sets),
            (Role::Unknown, _) if looks_like_path(text) && !files::is_name(text, tool) => {
                self.add_file(text, role, tool, around, sets);
            }
            (Role::Url, _) if !text.trim().is_empty() => self.add_fetch("", text.trim(), &[], around, sets),
            // `pg_psql` with `command: DROP TABLE users`
            (Role::Command | Role::Commands, _) if tool.is_database() && queries::is_whole(text) => {
                self.suspect(&CommandLine::Command(text.to_owned()), around, sets);
                self.query(text, tool, around, sets);
            }
            (Role::Command | Role::Commands, _) if tool.program() == Some("redis-cli") && text.contains("redis.") => {
                match queries::redis_commands(text) {
                    Some(commands) => {
                        if queries::redis_empties(&commands) {
                            self.note(EffectKind::RemoteMutate, "database-drop", around, sets);
                        }
                        for command in commands {
                            self.suspect(&argv("redis-cli", &[command]), around, sets);
                        }
                    }
                    None => self.command(text, tool, around, sets),
                }
            }
            (Role::Command | Role::Commands, _) => {
                self.command(text, tool, around, sets);
                if tool.is_mongo() {
                    self.query(text, tool, around, sets);
                }
            }
            (Role::Sql, _) if queries::is_statement(text) => self.add_sql(text, around, sets),
            (Role::Query, _) => self.query(text, tool, around, sets),
            (Role::Manifest, _) => self.add_manifest(text, around, sets),
            (Role::Unknown, _) if tool.is_database() && text.split(';').any(queries::is_whole) => {
                self.add_sql(text, around, sets);
            }
            (Role::Unknown, _) if tool.is_of_cluster() && text.contains("kind") && text.contains(['\n', '{']) => {
                self.add_manifest(text, around, sets);
            }
            _ => {}
        }
    }

    /// What may be a statement or query, or something else, by the tool that takes it.
    fn query(&mut self, text: &str, tool: &Tool, around: &Surroundings<'_>, sets: &Sets) {
        if graphql::destroys(text) {
            self.note(EffectKind::RemoteMutate, "remote-delete", around, sets);
        }
        if tool.is_mongo() && text.contains("db.") {
            self.suspect(&argv("mongosh", &["--eval".to_owned(), text.to_owned()]), around, sets);
        }
        if tool.is_graph() {
            if queries::cypher_deletes(text) {
                self.note(EffectKind::RemoteMutate, "database-drop", around, sets);
            }
            for source in queries::cypher_loads(text) {
                let reader = Tool::new("", "read", &Value::Null);
                self.argument(source, Role::Url, &reader, around, sets);
            }
        }
        let sql = match (tool.is_database(), tool.finds_texts()) {
            (true, false) => queries::is_statement(text),
            (false, true) => false,
            _ => queries::is_whole(text),
        };
        if sql {
            self.add_sql(text, around, sets);
        }
    }
}

/// Whether an argument of its own holds a command of several words.
fn names_command(arguments: &Value) -> bool {
    arguments.as_object().into_iter().flatten().any(|(key, value)| {
        role(key) == Role::Command && value.as_str().is_some_and(|text| text.trim().contains(char::is_whitespace))
    })
}

fn role(key: &str) -> Role {
    if let Some(place) = files::place(key) {
        return place;
    }
    let words = tongues::words(key);
    let any = |known: &[&str]| verbs::any(&words, known);
    if any(&["path", "paths", "file", "files", "filename", "filepath", "dir", "directory", "folder", "cwd"]) {
        if any(&["remote"]) { Role::Remote } else { Role::Path }
    } else if any(&["url", "urls", "uri", "uris", "href", "endpoint", "host", "domain"]) {
        Role::Url
    } else if any(&["commands", "cmds"]) {
        Role::Commands
    } else if any(&["command", "cmd", "cmdline", "entrypoint", "shell", "script", "argv"]) {
        Role::Command
    } else if any(&["sql", "tsql", "plsql", "cql", "statement", "statements", "ddl"]) {
        Role::Sql
    } else if any(&["query", "queries", "graphql", "gql", "mutation", "cypher"])
        && !any(&["text", "texts", "type", "id", "name"])
    {
        Role::Query
    } else if any(&["manifest", "manifests", "yaml"]) {
        Role::Manifest
    } else {
        Role::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_apart_by_their_names() {
        assert!(files::names_a_path(&serde_json::json!({"path": "a.txt"})));
        assert!(!files::names_a_path(&serde_json::json!({"fileId": "x"})));
        assert!(!files::names_a_path(&serde_json::json!({"repo": "r", "path": "a.txt"})));
        for (key, expect) in [
            ("path", Role::Path),
            ("filePath", Role::Path),
            ("source_files", Role::Path),
            ("remote_path", Role::Remote),
            ("localPath", Role::Into),
            ("working_directory", Role::Around),
            ("destination", Role::Into),
            ("uri", Role::Url),
            ("command", Role::Command),
            ("sql", Role::Sql),
            ("query", Role::Query),
            ("query_texts", Role::Unknown),
            ("profile", Role::Unknown),
            ("text", Role::Unknown),
        ] {
            assert_eq!(role(key), expect, "{key}");
        }
    }
}

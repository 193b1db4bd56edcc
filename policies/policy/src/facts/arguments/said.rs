//! What is done, where an argument says it and not the tool's name: `mode: delete`, `is_destroy: true`.

use rampart_shell::verbs;
use serde_json::{Map, Value};

/// Arguments that say what is done, in lower case and without what joins their words.
const KEYS: &[&str] = &[
    "action",
    "actionname",
    "actiontype",
    "command",
    "method",
    "mode",
    "op",
    "operation",
    "operationname",
    "operationtype",
    "runtype",
    "searchtype",
    "subcommand",
    "verb",
];

/// Arguments that name a tool, of one that calls others.
const TOOLS: &[&str] = &["service", "tool", "toolname", "toolslug"];

/// Arguments that hold a tool's own.
const AROUND: &[&str] = &["args", "arguments", "body", "input", "options", "parameters", "params", "request"];

/// Arguments that hold what something is made of, in which flags say what is done and words do not.
const MADE_OF: &[&str] = &["attributes", "data", "payload", "properties", "spec"];

/// What a flag's verb may be about, so that `drop_duplicates` and `delete_branch_on_merge` say nothing.
const WHAT: &[&str] = &[
    "all",
    "collection",
    "contents",
    "data",
    "database",
    "existing",
    "files",
    "objects",
    "permanently",
    "remote",
    "table",
    "target",
    "volumes",
];

/// A name in lower case and without what joins its words.
pub(super) fn plain(name: &str) -> String {
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    letters.map(|b| char::from(b.to_ascii_lowercase())).collect()
}

/// Whether a name is one of these, however its words are joined.
pub(super) fn one_of(name: &str, known: &[&str]) -> bool {
    known.contains(&plain(name).as_str())
}

/// What the arguments say is done: the words of each.
pub(super) fn done(arguments: &Value, tool: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let calls = verbs::any(tool, &["call", "dispatch", "execute", "invoke", "perform", "run", "use"]);
    let tasks = verbs::any(tool, &["dispatch", "enqueue", "invoke", "send", "submit"])
        && verbs::any(tool, &["function", "job", "lambda", "task"]);
    if let Some(map) = arguments.as_object() {
        // `send_task` with `name: storage.delete_bucket`
        let named = ["name", "task", "function"].iter().filter_map(|key| map.get(*key)?.as_str());
        found.extend(named.filter(|name| tasks && is_name(name)).map(verbs::words));
        collect(map, calls, 0, &mut found);
        flags(arguments, 0, &mut found);
    }
    found
}

fn flags(value: &Value, depth: usize, found: &mut Vec<Vec<String>>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        if one_of(key, MADE_OF) && depth < 4 {
            let inner = value.as_object().into_iter().flatten();
            found.extend(inner.filter(|(_, value)| **value == Value::Bool(true)).filter_map(|(key, _)| flag(key)));
            flags(value, depth + 1, found);
        }
    }
}

fn collect(map: &Map<String, Value>, calls: bool, depth: usize, found: &mut Vec<Vec<String>>) {
    // a request is judged as one
    let request = map.contains_key("url");
    // HTTP's own verb says nothing without a place
    let verb = |text: &str| matches!(text, "DELETE" | "POST" | "PUT" | "PATCH");
    for (key, value) in map {
        match value {
            Value::String(text) if key == "method" && (request || verb(text)) => {}
            Value::String(text) if is_name(text) => {
                let key = plain(key);
                if KEYS.contains(&key.as_str()) || calls && TOOLS.contains(&key.as_str()) {
                    found.push(super::tongues::words(text));
                }
            }
            Value::Bool(true) => found.extend(flag(key)),
            Value::Object(inner) if depth < 2 && one_of(key, AROUND) => collect(inner, calls, depth + 1, found),
            _ => {}
        }
    }
}

/// Whether what is done stands in the argument.
pub(super) fn decides(key: &str, value: &Value) -> bool {
    one_of(key, KEYS)
        || one_of(key, TOOLS)
        || value.is_boolean() && (flag(key).is_some() || verbs::words(key).iter().any(|word| word.starts_with("force")))
        || one_of(key, AROUND)
            && value.as_object().is_some_and(|map| map.iter().any(|(key, value)| decides(key, value)))
        || one_of(key, MADE_OF) && {
            let mut found = Vec::new();
            flags(&Value::Object([(key.to_owned(), value.clone())].into_iter().collect()), 0, &mut found);
            !found.is_empty()
        }
}

/// `is_destroy`, `dropTarget`: the words of a flag that something is thrown away.
fn flag(key: &str) -> Option<Vec<String>> {
    let mut words = verbs::words(key);
    if words.first().is_some_and(|word| matches!(word.as_str(), "is" | "do" | "should" | "with")) {
        words.remove(0);
    }
    let (verb, what) = words.split_first()?;
    let throws = matches!(verb.as_str(), "destroy" | "drop" | "delete" | "purge" | "wipe" | "truncate" | "erase");
    (throws && what.iter().all(|word| WHAT.contains(&word.as_str()))).then_some(words)
}

/// The name of something that is done, and no sentence, path or command line.
fn is_name(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{decides, done};

    #[test]
    fn what_is_done_is_read_from_the_arguments() {
        for (arguments, expect) in [
            (json!({"mode": "clear", "path": "/x"}), "clear"),
            (json!({"operationName": "delete_bucket"}), "delete bucket"),
            (json!({"is_destroy": true}), "destroy"),
            (json!({"dropTarget": true}), "drop target"),
            (json!({"params": {"action": "drop"}}), "drop"),
            (json!({"data": {"attributes": {"is-destroy": true, "action": "delete"}}}), "destroy"),
            (json!({"input": {"method": "DELETE", "user": "x"}}), ""),
            (json!({"command": "npm test"}), ""),
            (json!({"method": "DELETE", "url": "http://localhost/"}), ""),
            (json!({"delete_branch_on_merge": true, "drop_duplicates": true, "destroy": false}), ""),
            (json!({"tool_name": "delete_repo"}), ""),
        ] {
            let found: Vec<String> = done(&arguments, &[]).iter().map(|words| words.join(" ")).collect();
            assert_eq!(found.join(", "), expect, "{arguments}");
        }
        assert_eq!(done(&json!({"tool_name": "delete_repo"}), &["execute".to_owned()]), [["delete", "repo"]]);
        let tool = ["send", "task"].map(str::to_owned);
        assert_eq!(done(&json!({"name": "delete_bucket"}), &tool), [["delete", "bucket"]]);
        for (key, value, expect) in [
            ("mode", json!("delete"), true),
            ("forceDelete", json!(true), true),
            ("is_destroy", json!(false), true),
            ("params", json!({"op": "x"}), true),
            ("params", json!({"name": "x"}), false),
            ("recursive", json!(true), false),
        ] {
            assert_eq!(decides(key, &value), expect, "{key} {value}");
        }
    }
}

//! Several operations in one call or request, and which of them throw something away.

use rampart_shell::verbs::{any, destroys as names_destruction, words};
use serde_json::{Map, Value};

use super::{
    LONGEST,
    said::{one_of, plain},
};

/// Words of names that say that more than one operation comes.
pub(super) const MANY: &[&str] =
    &["aliases", "batch", "bulk", "changeset", "commit", "multi", "mutate", "operations", "sequence", "transact"];

/// Arguments that hold operations.
const AROUND: &[&str] = &[
    "actions",
    "batch",
    "calls",
    "changes",
    "changesets",
    "commands",
    "mutations",
    "operations",
    "ops",
    "requestitems",
    "requests",
    "steps",
    "transactitems",
    "writes",
];

/// What an operation takes out of a text that is being edited.
const EDITED: &[&str] = &[
    "border",
    "borders",
    "bullets",
    "column",
    "columns",
    "content",
    "dimension",
    "duplicates",
    "footer",
    "header",
    "image",
    "object",
    "paragraph",
    "range",
    "rows",
    "text",
];

/// How deep operations are looked for.
const MAX_DEPTH: usize = 12;

/// Whether one of several operations destroys: `{"delete": ..}`, `{"DeleteRequest": ..}`, `{"method": "DELETE", "url": ..}`.
/// `many` says that whatever comes is operations.
pub(super) fn destroy(value: &Value, many: bool) -> bool {
    look(value, many, 0) || expires(value, 0)
}

/// The longest time, in milliseconds, after which a topic of Kafka that keeps no more than that is as good as empty.
const SHORT_MS: u64 = 60_000;

/// `{"name": "retention.ms", "value": "1"}`: what is stored is gone at once.
fn expires(value: &Value, depth: usize) -> bool {
    let short = |value: &Value| {
        let text = value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()));
        text.and_then(|text| text.parse::<u64>().ok()).is_some_and(|ms| ms <= SHORT_MS)
    };
    match value {
        Value::Object(map) if depth <= MAX_DEPTH => {
            if is_short_lived(map) {
                return true;
            }
            let named = map.get("name").and_then(Value::as_str) == Some("retention.ms");
            named && map.get("value").is_some_and(short)
                || map.get("retention.ms").is_some_and(short)
                || map.values().any(|value| expires(value, depth + 1))
        }
        Value::Array(list) if depth <= MAX_DEPTH => list.iter().any(|value| expires(value, depth + 1)),
        _ => false,
    }
}

/// The most days after which what a bucket keeps is gone, for it to be as good as emptied.
const SHORT_DAYS: u64 = 3;

/// A rule for the life of all objects of a bucket that ends it within days.
fn is_short_lived(map: &Map<String, Value>) -> bool {
    let days = map.get("Expiration").and_then(|end| end.get("Days")?.as_u64());
    let prefix = map.get("Filter").and_then(|filter| filter.get("Prefix")).or_else(|| map.get("Prefix"));
    let narrow = prefix.and_then(Value::as_str).is_some_and(|prefix| !prefix.is_empty())
        || map.get("Filter").is_some_and(|filter| filter.get("Tag").is_some() || filter.get("And").is_some());
    days.is_some_and(|days| days <= SHORT_DAYS)
        && !narrow
        && map.get("Status").and_then(Value::as_str) != Some("Disabled")
}

/// Whether a document arranges for a request that deletes: `{"uri": .., "httpMethod": "DELETE"}`.
pub(super) fn asks_later(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(map) if depth <= MAX_DEPTH => {
            is_request(map) || map.values().any(|value| asks_later(value, depth + 1))
        }
        Value::Array(list) if depth <= MAX_DEPTH => list.iter().any(|value| asks_later(value, depth + 1)),
        _ => false,
    }
}

/// Requests to the same service within one call or request: method, place below it and document.
pub(super) fn requests(value: &Value) -> Vec<(String, &str, &Value)> {
    fn collect<'a>(value: &'a Value, depth: usize, found: &mut Vec<(String, &'a str, &'a Value)>) {
        match value {
            _ if depth > MAX_DEPTH || found.len() >= 64 => {}
            Value::Object(map) => {
                let place = ["url", "path", "relative_url"].iter().find_map(|key| map.get(*key)?.as_str());
                if let (Some(method), Some(place)) = (map.get("method").and_then(Value::as_str), place)
                    && !place.contains("://")
                {
                    found.push((method.to_ascii_uppercase(), place, map.get("body").unwrap_or(&Value::Null)));
                }
                map.values().for_each(|value| collect(value, depth + 1, found));
            }
            Value::Array(list) => list.iter().for_each(|value| collect(value, depth + 1, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(value, 0, &mut found);
    found
}

fn look(value: &Value, many: bool, depth: usize) -> bool {
    match value {
        _ if depth > MAX_DEPTH => false,
        Value::Object(map) => {
            many && (is_request(map) || is_named(map))
                || is_call(map)
                || map.iter().any(|(key, value)| {
                    let operation = many && !value.is_boolean() && !value.is_number() && !value.is_null();
                    operation && is_deed(key) || look(value, many || one_of(key, AROUND), depth + 1)
                })
        }
        Value::Array(list) => list.iter().any(|value| look(value, many, depth + 1)),
        Value::String(text) if text.len() <= LONGEST && text.trim_start().starts_with(['{', '[']) => {
            serde_json::from_str(text).is_ok_and(|value: Value| !value.is_string() && look(&value, many, depth + 4))
        }
        _ => false,
    }
}

/// `delete`, `deleteMany`, `remove_index`: the name of an operation that throws away.
fn is_deed(key: &str) -> bool {
    let words = words(key);
    // the labels that `removeLabelIds` takes off can be put on again
    let removes = || match words.split_first() {
        Some((verb, rest)) if verb == "remove" && !rest.is_empty() => {
            names_destruction(&std::iter::once("delete".to_owned()).chain(rest.iter().cloned()).collect::<Vec<_>>())
        }
        _ => false,
    };
    words.len() <= 3 && !any(&words, EDITED) && (names_destruction(&words) || removes())
}

/// `{"method": "DELETE", "url": "/users/1"}`, and `{"relative_url": "1", "body": "status=DELETED"}`.
fn is_request(map: &Map<String, Value>) -> bool {
    const PLACES: &[&str] = &["endpoint", "path", "relativeurl", "uri", "url"];
    let text = |keys: &[&str]| map.iter().find(|(key, _)| one_of(key, keys)).and_then(|(_, value)| value.as_str());
    let near = |place: &str| place.contains("localhost") || place.contains("127.0.0.1");
    text(PLACES).is_some_and(|place| {
        let deletes = text(&["httpmethod", "method", "verb"]) == Some("DELETE");
        let marked = || text(&["body"]).is_some_and(|body| body.split('&').any(|pair| pair == "status=DELETED"));
        !near(place) && (deletes || marked())
    })
}

/// `{"op": "delete_bucket"}`: the verb of an operation, with what it is about.
fn is_named(map: &Map<String, Value>) -> bool {
    let named =
        map.iter().filter(|(key, _)| one_of(key, &["op", "operation", "type"])).filter_map(|(_, value)| value.as_str());
    let several = || map.keys().any(|key| one_of(key, &["entities", "entries", "ids", "items", "keys", "records"]));
    named.map(words).any(|words| (words.len() > 1 || several()) && !any(&words, EDITED) && names_destruction(&words))
}

/// A call of JSON-RPC 2.0 whose method's last word destroys: `host.delete`.
fn is_call(map: &Map<String, Value>) -> bool {
    let method = map.get("method").and_then(Value::as_str).filter(|_| map.contains_key("jsonrpc"));
    method.is_some_and(|method| names_destruction(&words(method.rsplit(['.', '/']).next().unwrap_or(method))))
}

/// Calls of other tools, or of other operations of the same service, among the arguments: `{"action": "iam:CreateUser",
/// "args": {..}}`.
pub(super) fn calls(arguments: &Value) -> Vec<(&str, &Value)> {
    fn collect<'a>(value: &'a Value, depth: usize, found: &mut Vec<(&'a str, &'a Value)>) {
        const NAMES: &[&str] =
            &["action", "fn", "func", "function", "functionname", "operation", "tool", "toolname", "toolslug"];
        match value {
            _ if depth > 6 || found.len() >= 64 => {}
            Value::Object(map) => {
                let name = map
                    .iter()
                    .find(|(key, value)| value.is_string() && (one_of(key, NAMES) || is_service(key, value)))
                    .and_then(|(_, v)| v.as_str());
                if let Some(name) = name.filter(|name| depth > 0 && name.len() <= 80 && !name.contains(' ')) {
                    let own =
                        ["args", "arguments", "input", "parameters", "params"].iter().find_map(|key| map.get(*key));
                    found.push((name, own.unwrap_or(value)));
                }
                let own = map.iter().filter(|(key, _)| !one_of(key, QUOTED));
                own.for_each(|(_, value)| collect(value, depth + 1, found));
            }
            Value::Array(list) => list.iter().for_each(|value| collect(value, depth + 1, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(arguments, 0, &mut found);
    found
}

/// The arguments with what stands as a document in a text among them, under a name for operations; none if there is no such.
pub(super) fn unfolded(arguments: &Value) -> Option<Value> {
    const HELD: &[&str] = &["args", "arguments", "config", "input", "jobs", "parameters", "params", "payload", "rule"];
    let map = arguments.as_object()?;
    let mut copy = None;
    for (key, value) in map.iter().filter(|(key, _)| one_of(key, HELD) || one_of(key, AROUND)) {
        let text = value.as_str().filter(|text| text.len() <= LONGEST && text.trim_start().starts_with(['{', '[']));
        if let Some(value) = text.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            copy.get_or_insert_with(|| map.clone()).insert(key.clone(), value);
        }
    }
    copy.map(Value::Object)
}

/// `service: lock.unlock`: what a house is told to do.
fn is_service(key: &str, value: &Value) -> bool {
    key == "service" && value.as_str().is_some_and(|name| name.contains('.'))
}

/// The documents of a body: one of JSON, or one a line.
pub(super) fn documents(body: &str) -> Vec<Value> {
    const MOST_LINES: usize = 256;
    match serde_json::from_str(body) {
        Ok(document) => vec![document],
        Err(_) => body.lines().take(MOST_LINES).filter_map(|line| serde_json::from_str(line).ok()).collect(),
    }
}

/// A form as a document: `SmsUrl=https%3A%2F%2Fx.example`.
pub(super) fn form(body: &str) -> Option<Value> {
    const MOST: usize = 128;
    let plain = body.len() <= LONGEST && body.contains('=') && !body.contains(['{', '<', '\n', ' ']);
    let pairs = body.split('&').take(MOST).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let text =
        |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    plain.then(|| Value::Object(pairs.map(|(key, value)| (text(key), Value::String(text(value)))).collect()))
}

/// Whether a request within a body of several parts deletes (OData 4.01, 11.7.7.1: each part is a request of HTTP/1.1).
pub(super) fn is_part_deleting(body: &str) -> bool {
    body.lines().any(|line| line.starts_with("DELETE ") && line.trim_end().ends_with("HTTP/1.1"))
}

/// Whether what is sent there tells what was said and done: conversations with models, whose messages hold the calls of agents,
/// and records of programs. Words in them are no deeds.
pub(super) fn is_told(path: &str) -> bool {
    const TOLD: &[&str] = &[
        "chat",
        "completions",
        "converse",
        "converse-stream",
        "count_tokens",
        "countTokens",
        "embeddings",
        "envelope",
        "events",
        "generate",
        "generateContent",
        "invoke",
        "invoke-with-response-stream",
        "logs",
        "messages",
        "metrics",
        "responses",
        "streamGenerateContent",
        "traces",
    ];
    let last = path.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or("");
    TOLD.contains(&last) || path.ends_with("/messages/batches")
}

/// Of a request's document the commands that it is about itself: those deeper in it may be quoted.
pub(super) fn started(document: &Value) -> Vec<String> {
    let own = document.as_object().into_iter().flatten();
    let shallow = own.filter(|(key, value)| !(value.is_object() || value.is_array() && one_of(key, TOLD_IN)));
    let map: Map<String, Value> = shallow.map(|(key, value)| (key.clone(), value.clone())).collect();
    commands(&Value::Object(map))
}

/// Lists of a request that hold what was said or happened, beside those that do so everywhere.
const TOLD_IN: &[&str] = &["batch", "contents", "data", "input", "records"];

/// What was said and done before, which nobody does again by keeping it.
const QUOTED: &[&str] = &["conversation", "events", "history", "logs", "messages", "spans", "traces", "transcript"];

/// Lines of a shell that a document names as what is run elsewhere: under a name for commands, or as the words of a shell.
pub(super) fn commands(value: &Value) -> Vec<String> {
    fn collect(value: &Value, run: bool, depth: usize, found: &mut Vec<String>) {
        const KEYS: &[&str] =
            &["args", "argv", "cmd", "command", "commands", "entrypoint", "script", "shellcommand", "userdata"];
        match value {
            _ if depth > 8 || found.len() > 64 => {}
            Value::Object(map) => {
                // `{"key": "startup-script", "value": LINES}`
                let starts = map
                    .get("key")
                    .and_then(Value::as_str)
                    .is_some_and(|key| key.contains("startup") || key == "user-data");
                found.extend(map.get("value").and_then(Value::as_str).filter(|_| starts).map(str::to_owned));
                for (key, value) in map.iter().filter(|(key, _)| !one_of(key, QUOTED)) {
                    collect(value, KEYS.contains(&plain(key).as_str()), depth + 1, found);
                }
            }
            Value::Array(list) => match list.iter().map(Value::as_str).collect::<Option<Vec<_>>>() {
                Some(words) if run => found.extend(line(&words)),
                _ => list.iter().for_each(|value| collect(value, run, depth + 1, found)),
            },
            Value::String(text) if text.len() <= LONGEST && text.trim_start().starts_with('{') => {
                if let Ok(value) = serde_json::from_str(text) {
                    collect(&value, false, depth + 4, found);
                }
            }
            Value::String(text) if run => found.push(text.clone()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(value, false, 0, &mut found);
    found.retain(|line| line.contains(char::is_whitespace));
    found
}

/// `["/bin/sh", "-c", "LINE"]`, or several lines.
fn line(words: &[&str]) -> Vec<String> {
    match words {
        [shell, option, line, ..] if shell.ends_with("sh") && option.starts_with('-') => vec![(*line).to_owned()],
        _ => words.iter().map(|word| (*word).to_owned()).collect(),
    }
}

/// Texts of a document that are statements of a database, by the names that they stand under: its own, and those of a list of
/// several.
pub(super) fn statements(value: &Value) -> Vec<&str> {
    fn collect<'a>(value: &'a Value, depth: usize, found: &mut Vec<&'a str>) {
        const KEYS: &[&str] = &["csl", "ddl", "query", "sql", "statement", "statements", "stmt"];
        const BELOW: &[&str] = &["batch", "queries", "requests", "statement", "statements", "stmt"];
        match value {
            Value::Object(map) if depth < 8 => {
                for (key, value) in map {
                    match value {
                        Value::String(text) if KEYS.contains(&plain(key).as_str()) => found.push(text),
                        _ if BELOW.contains(&plain(key).as_str()) => collect(value, depth + 1, found),
                        _ => {}
                    }
                }
            }
            Value::Array(list) if depth < 8 => list.iter().take(64).for_each(|value| collect(value, depth + 1, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(value, 0, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_of_several_operations_destroys() {
        for (value, many, expect) in [
            (json!({"operations": [{"insertOne": {"a": 1}}, {"deleteMany": {"filter": {"a": 1}}}]}), false, true),
            (json!({"RequestItems": {"t": [{"DeleteRequest": {"Key": {"pk": 1}}}]}}), false, true),
            (json!({"writes": [{"delete": "projects/p/databases/d/documents/t/1"}]}), false, true),
            (json!({"delete": {"_index": "a", "_id": "1"}}), true, true),
            (json!({"actions": [{"add": {"index": "b"}}, {"remove_index": {"index": "a"}}]}), false, true),
            (
                json!({"requests": [{"method": "GET", "url": "/me"}, {"method": "DELETE", "url": "/groups/1"}]}),
                false,
                true,
            ),
            (json!({"requests": [{"method": "DELETE", "url": "http://localhost:3000/items/1"}]}), false, false),
            (json!({"payload": [{"jsonrpc": "2.0", "method": "host.delete", "params": [1]}]}), false, true),
            (json!({"jsonrpc": "2.0", "method": "host.get", "params": {}}), false, false),
            (
                json!({"tmsl": "{\"sequence\": {\"operations\": [{\"delete\": {\"object\": {\"database\": \"M\"}}}]}}"}),
                false,
                true,
            ),
            (json!({"topicConfigs": [{"name": "retention.ms", "value": "1"}]}), false, true),
            (json!({"topicConfigs": [{"name": "retention.ms", "value": "604800000"}]}), false, false),
            (json!([{"relative_url": "1", "body": "status=DELETED"}]), true, true),
            (json!({"operations": [{"op": "delete_bucket", "force": true}]}), false, true),
            (json!({"action": {"type": "delete", "entities": {"items": [1, 2]}}}), true, true),
            (json!({"action": {"type": "update", "entities": {"items": [1, 2]}}}), true, false),
            (json!({"removeLabelIds": ["INBOX"]}), true, false),
            (json!({"requests": [{"deleteObject": {"objectId": "i71"}}]}), false, false),
            (json!({"requests": [{"deleteContentRange": {"range": {"startIndex": 1}}}]}), false, false),
            (json!({"paths": {"/items": {"delete": {"summary": "Removes one"}}}}), false, false),
            (json!({"operations": [{"update": {"deleted": true}}], "delete": false}), false, false),
        ] {
            assert_eq!(destroy(&value, many), expect, "{value}");
        }
    }

    #[test]
    fn requests_stand_in_documents() {
        let later = |method: &str| json!({"httpTarget": {"uri": "https://x.example/db", "httpMethod": method}});
        assert!(asks_later(&later("DELETE"), 0) && !asks_later(&later("POST"), 0));
        let batch = json!({"requests": [{"method": "post", "url": "/roles/1/members", "body": {"id": 1}}]});
        assert_eq!(requests(&batch), [("POST".to_owned(), "/roles/1/members", &json!({"id": 1}))]);
        let life = |days: u64, prefix: &str| json!({"Rules": [{"Status": "Enabled", "Filter": {"Prefix": prefix}, "Expiration": {"Days": days}}]});
        for (value, expect) in [(life(1, ""), true), (life(1, "tmp/"), false), (life(365, ""), false)] {
            assert_eq!(destroy(&value, false), expect, "{value}");
        }
    }

    #[test]
    fn bodies_hold_documents_parts_and_statements() {
        assert_eq!(documents("{\"a\": 1}\n{\"b\": 2}\n").len(), 2);
        assert_eq!(documents("[1, 2]").len(), 1);
        assert_eq!(form("a=b%20c&d=1+2"), Some(json!({"a": "b c", "d": "1 2"})));
        assert_eq!(form("{\"a\": \"b=c\"}"), None);
        assert!(is_part_deleting("--b\r\n\r\nDELETE /api/contacts(1) HTTP/1.1\r\n\r\n--b--"));
        assert!(!is_part_deleting("{\"text\": \"DELETE /api HTTP/1.1\"}"));
        let body =
            json!({"requests": [{"stmt": {"sql": "drop table t"}}], "statement": "select 1", "text": "drop table u"});
        assert_eq!(statements(&body), ["drop table t", "select 1"]);
        let body = json!({"Args": ["/bin/sh", "-c", "id -u"], "Input": "{\"commands\": [\"ls -l\"]}", "text": "rm x"});
        assert_eq!(commands(&body), ["id -u", "ls -l"]);
        assert_eq!(commands(&json!({"items": [{"key": "startup-script", "value": "id -u"}]})), ["id -u"]);
    }
}

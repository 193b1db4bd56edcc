//! Calls that put away, shut out or tear down much at once.

use rampart_shell::verbs::{any, words};
use serde_json::Value;

use super::{LONGEST, batches::MANY, rights, said::one_of};

/// Words with which something is put away, and those with which somebody is shut out.
const PUTS_AWAY: &[&str] = &["archive", "trash"];
const SHUTS_OUT: &[&str] = &["ban", "deactivate", "kick", "offboard", "suspend"];

/// Who says who may log in where, by a word of their names.
const DIRECTORIES: &[&str] =
    &["auth0", "azuread", "entra", "google", "jumpcloud", "keycloak", "okta", "onelogin", "workspace"];

/// What is put away every day.
const DAILY: &[&str] =
    &["email", "emails", "gmail", "inbox", "mail", "message", "messages", "notification", "notifications", "thread"];

/// From how many on it is much.
const MUCH: usize = 10;

/// Whether a call does that.
pub(super) fn clear(server: &[String], tool: &[String], arguments: &Value) -> bool {
    let has = |known: &[&str]| any(tool, known);
    if rights::asks(tool) {
        return false;
    }
    if sends_to_all(tool, arguments) {
        return true;
    }
    if any(server, DAILY) || has(DAILY) {
        return false;
    }
    let many = has(MANY) || has(&["all", "mass", "many"]);
    let leaves = any(server, DIRECTORIES) && has(SHUTS_OUT) && has(&["account", "accounts", "user", "users"]);
    leaves
        || many && has(&["overwrite", "replace", "set", "update"]) && for_all(arguments, 0)
        || has(PUTS_AWAY) && many && (count(arguments, 0) >= MUCH || everybody(arguments))
        || has(SHUTS_OUT) && (many || everybody(arguments))
        || has(MANY) && marked(arguments, 0) >= 3
}

/// `send_to: {all: true}` of a mailing: it reaches everybody, and nobody takes it back.
fn sends_to_all(tool: &[String], arguments: &Value) -> bool {
    let whom = |key: &str| one_of(key, &["audience", "list", "lists", "recipients", "segment", "sendto", "to"]);
    let named = |text: &str| {
        let words = words(text);
        any(&words, &["all"]) && any(&words, &["contacts", "customers", "members", "subscribers", "users"])
    };
    let all = |value: &Value| {
        value.get("all") == Some(&Value::Bool(true))
            || value.as_str().is_some_and(|text| matches!(text, "*" | "all" | "everyone") || named(text))
    };
    any(tool, &["announce", "blast", "broadcast", "campaign", "newsletter", "send"])
        && !any(tool, &["draft", "test"])
        && arguments.as_object().into_iter().flatten().any(|(key, value)| whom(key) && all(value))
}

/// `user_ids: [*]`
fn everybody(arguments: &Value) -> bool {
    let all = |value: &Value| matches!(value.as_str(), Some("*" | "all" | "ALL" | "everyone"));
    let mut values = arguments.as_object().into_iter().flatten().map(|(_, value)| value);
    values.any(|value| all(value) || value.as_array().is_some_and(|list| list.iter().any(all)))
}

/// `grades: {*: 100}`
fn for_all(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(map) if depth < 4 => map.iter().any(|(key, value)| key == "*" || for_all(value, depth + 1)),
        _ => false,
    }
}

/// How long the longest list is.
fn count(value: &Value, depth: usize) -> usize {
    match value {
        Value::Object(map) if depth < 6 => map.values().map(|value| count(value, depth + 1)).max().unwrap_or(0),
        Value::Array(list) => list.len(),
        _ => 0,
    }
}

/// How many operations mark something as thrown away.
fn marked(value: &Value, depth: usize) -> usize {
    match value {
        Value::Object(map) if depth < 8 => {
            let own = map.iter().any(|(key, value)| {
                *value == Value::Bool(true) && one_of(key, &["archived", "deleted", "intrash", "trashed"])
            });
            usize::from(own) + map.values().map(|value| marked(value, depth + 1)).sum::<usize>()
        }
        Value::Array(list) if depth < 8 => list.iter().map(|value| marked(value, depth + 1)).sum(),
        Value::String(text) if text.len() <= LONGEST && text.trim_start().starts_with(['{', '[']) => {
            match serde_json::from_str::<Value>(text) {
                Ok(value) if !value.is_string() => marked(&value, depth + 4),
                _ => 0,
            }
        }
        _ => 0,
    }
}

/// Words that say what a workflow tears down, and those of what is made anew each day.
const TEARS: &[&str] = &["destroy", "nuke", "teardown", "wipe"];
const PASSING: &[&str] = &["dev", "ephemeral", "pr", "preview", "review", "sandbox", "staging", "test"];

/// Arguments that name what is started.
const STARTED: &[&str] = &[
    "dag",
    "dagid",
    "job",
    "jobname",
    "pipeline",
    "playbook",
    "workflow",
    "workflowid",
    "workflowname",
    "workflowtype",
];

fn starts(tool: &[String]) -> bool {
    any(tool, &["build", "dispatch", "execute", "launch", "run", "start", "trigger"])
        && any(tool, &["action", "dag", "job", "operation", "pipeline", "playbook", "workflow"])
}

/// Whether a workflow is started whose name, or what it is told, says that it tears something down.
pub(super) fn tears_down(tool: &[String], arguments: &Value) -> bool {
    let named = |key: &str| one_of(key, STARTED);
    let Some(map) = arguments.as_object().filter(|_| starts(tool) && !rights::asks(tool)) else { return false };
    let told = || map.get("inputs").or_else(|| map.get("variables")).and_then(Value::as_object).into_iter().flatten();
    let texts = || map.iter().filter(|(key, _)| named(key)).chain(told()).filter_map(|(_, value)| value.as_str());
    let short = |text: &&str| text.len() <= 64;
    texts().filter(short).any(|text| any(&words(text), TEARS) && text.split(' ').count() < 3)
        && !texts().any(|text| any(&words(text), PASSING))
}

/// Whether what is started, or told to it, stands in the argument.
pub(super) fn decides(tool: &[String], key: &str) -> bool {
    let told = one_of(key, &["inputs", "variables"]) || one_of(key, STARTED);
    starts(tool) && told || any(tool, SHUTS_OUT) && one_of(key, &["userids", "users", "members", "targets"])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn much_is_put_away_at_once() {
        let ids: Vec<_> = (0..40).map(|id| json!({"id": id})).collect();
        let trash = json!({"requests": "[{\"body\": {\"in_trash\": true}}, {\"body\": {\"in_trash\": true}}, {\"body\": {\"in_trash\": true}}]"});
        for (server, tool, arguments, expect) in [
            ("hubspot", "batch-archive-objects", json!({"inputs": ids}), true),
            ("hubspot", "batch-archive-objects", json!({"inputs": [{"id": 1}]}), false),
            ("gmail", "batch_archive", json!({"ids": ids}), false),
            ("trello", "archive_card", json!({"cardId": "1"}), false),
            ("notion", "batch_update", trash, true),
            ("discord", "bulkBan", json!({"user_ids": ["1", "2"]}), true),
            ("sendgrid", "create_single_send", json!({"send_to": {"all": true}}), true),
            ("sendgrid", "create_single_send", json!({"send_to": {"list_ids": ["a"]}}), false),
            ("hubspot", "send_marketing_email", json!({"list": "all_contacts"}), true),
            ("hubspot", "send_marketing_email", json!({"list": "beta_testers"}), false),
            ("okta", "deactivate_user", json!({"userId": "00u1"}), true),
            ("canvas", "bulk_update_grades", json!({"grades": {"*": 100}}), true),
            ("discord", "ban_member", json!({"user_id": "1"}), false),
            ("discord", "list_all_suspended", json!({}), false),
        ] {
            assert_eq!(clear(&words(server), &words(tool), &arguments), expect, "{server} {tool} {arguments}");
        }
    }

    #[test]
    fn workflows_tear_down() {
        for (tool, arguments, expect) in [
            ("run_workflow", json!({"workflow_id": "teardown.yml", "inputs": {"environment": "production"}}), true),
            ("run_workflow", json!({"workflow_id": "infra.yml", "inputs": {"confirm": "DESTROY"}}), true),
            ("run_workflow", json!({"workflow_id": "teardown.yml", "inputs": {"environment": "preview"}}), false),
            ("run_workflow", json!({"workflow_id": "ci.yml"}), false),
            ("build_job", json!({"job": "destroy-production"}), true),
            ("build_job", json!({"job": "unit-tests"}), false),
            ("get_workflow_run", json!({"workflow_id": "teardown.yml"}), false),
        ] {
            assert_eq!(tears_down(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
    }
}

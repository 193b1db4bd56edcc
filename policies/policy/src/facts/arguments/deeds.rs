//! What a call does that is told by the words of its tool together with some of its arguments.

use rampart_shell::verbs::any;
use serde_json::{Map, Value};

use super::said::{one_of, plain};

/// `git_reset` with `mode: hard`, `git_push` with `force: true`, `git_checkout` with `--` and a dot, `git_stash` with
/// `mode: clear`.
pub(super) fn discards(words: &[String], arguments: &Value) -> bool {
    let has = |word: &str| words.iter().any(|w| w == word);
    let Some(map) = arguments.as_object() else { return has("stash") && (has("clear") || has("drop")) };
    let given = |wanted: &str| {
        let says = |text: &str| text.trim_start_matches('-') == wanted;
        map.iter().any(|(key, value)| match value {
            Value::Bool(true) => plain(key) == wanted,
            Value::String(text) => says(text),
            Value::Array(list) => list.iter().filter_map(Value::as_str).any(says),
            _ => false,
        })
    };
    let forced = || ["force", "f", "d", "D", "forcedelete"].iter().any(|flag| given(flag));
    let everything =
        || map.values().filter_map(Value::as_array).any(|list| list.iter().any(|v| v.as_str() == Some(".")));
    // `+main` overwrites what is there, `:main` deletes it
    let moved = || {
        let refs = map.iter().filter(|(key, _)| one_of(key, &["refspec", "ref", "refs", "branch"]));
        refs.filter_map(|(_, value)| value.as_str()).any(|text| text.starts_with(['+', ':']))
    };
    let over = has("checkout") || has("restore") || has("switch");
    let gone = || any(words, &["delete", "remove"]);
    has("reset") && given("hard")
        || (has("push") || has("clean") || over) && forced()
        || over && everything()
        || has("stash") && (has("clear") || has("drop"))
        || (has("branch") || has("worktree")) && gone() && forced()
        || has("push")
            && (given("forcewithlease") || given("delete") || given("deletebranch") || given("deleteremote") || moved())
}

/// `method: DELETE, path: /repos/a/b`: a request whose host the tool knows.
pub(super) fn asks_deletion(arguments: &Value) -> bool {
    const WHERE: &[&str] = &["apipath", "endpoint", "path", "resource", "route", "uri"];
    let Some(map) = arguments.as_object() else { return false };
    let method = || map.get("method").and_then(Value::as_str);
    let asked = || map.iter().any(|(key, value)| value.is_string() && one_of(key, WHERE));
    let local = || {
        let near = |text: &str| text.contains("localhost") || text.contains("127.0.0.1");
        map.values().filter_map(Value::as_str).any(near)
    };
    method().is_some_and(|method| method.eq_ignore_ascii_case("delete"))
        && !map.contains_key("url")
        && asked()
        && !local()
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

/// `get_secret`, `read_password`: the tool hands out what a vault keeps.
pub(super) fn reveals(words: &[String]) -> bool {
    let any = |known: &[&str]| any(words, known);
    any(&["get", "read", "show", "reveal", "fetch", "access", "retrieve", "export"])
        && any(&["secret", "password", "passwords", "credential", "credentials"])
        && !any(&["list", "scanning", "alert", "alerts", "names", "metadata", "policy", "reset", "rotation", "form"])
}

/// Arguments that name the kind of a cluster's object.
pub(super) const KIND: &[&str] = &["kind", "resource", "resourcekind", "resourcetype"];

/// `resources_get` with `kind: Secret`: the object is shown with what it holds, unless only its name is asked for.
pub(super) fn reveals_kind(words: &[String], arguments: &Value) -> bool {
    let gets = any(words, &["get", "read", "show", "view", "fetch", "export"]);
    let Some(map) = arguments.as_object().filter(|_| gets) else { return false };
    let text = |keys: &[&str]| map.iter().filter(|(key, _)| one_of(key, keys)).find_map(|(_, value)| value.as_str());
    let secret = text(KIND).is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.split(['/', '.', ',']).any(|part| part == "secret" || part == "secrets")
    });
    secret
        && !text(&["output", "outputformat", "format"])
            .is_some_and(|output| matches!(output, "name" | "wide" | "table"))
}

/// `compose_down` with `volumes: true`: what containers kept goes with them.
pub(super) fn prunes(words: &[String], arguments: &Value) -> bool {
    let given = |key: &str| arguments.get(key) == Some(&Value::Bool(true));
    any(words, &["down", "prune"]) && (given("volumes") || given("remove_volumes"))
}

/// Words for what mail goes through.
pub(super) const FILTERS: &[&str] = &["filter", "filters", "rule", "rules", "forwarding"];

/// `create_filter` with `forward: a@b.example`: from now on somebody else gets a mailbox's mail.
pub(super) fn forwards(words: &[String], arguments: &Value) -> bool {
    let sets = any(words, &["add", "create", "enable", "new", "set", "update"]);
    sets && any(words, FILTERS) && hands_on(arguments, false, 0)
}

fn hands_on(value: &Value, forward: bool, depth: usize) -> bool {
    match value {
        Value::Object(map) if depth < 8 => map.iter().any(|(key, value)| {
            let key = key.to_ascii_lowercase();
            hands_on(value, forward || key.contains("forward") || key.contains("redirect"), depth + 1)
        }),
        Value::Array(list) if depth < 8 => list.iter().any(|value| hands_on(value, forward, depth + 1)),
        Value::String(text) => forward && text.contains('@'),
        _ => false,
    }
}

/// Arguments that name a setting, and those that give it a value.
pub(super) const SETTING: (&[&str], &[&str]) =
    (&["configkey", "key", "name", "setting"], &["configvalue", "newvalue", "value"]);

/// `git_set_config` with `key: core.sshCommand`: the words behind `git`.
pub(super) fn sets_git(words: &[String], arguments: &Value) -> Option<Vec<String>> {
    let map = arguments.as_object().filter(|_| any(words, &["config", "setting", "settings"]))?;
    let text = |keys: &[&str]| map.iter().filter(|(key, _)| one_of(key, keys)).find_map(|(_, value)| value.as_str());
    let (key, value) = (text(SETTING.0)?, text(SETTING.1)?);
    Some(["config", "--", key, value].map(str::to_owned).to_vec())
}

/// Options of browsers that name a program which the browser starts.
const STARTS: &[&str] = &[
    "--browser-subprocess-path",
    "--gpu-launcher",
    "--plugin-launcher",
    "--ppapi-plugin-launcher",
    "--renderer-cmd-prefix",
    "--utility-cmd-prefix",
    "--zygote-cmd-prefix",
];

/// Whether the options of a browser make it start a program.
pub(super) fn starts_programs(map: &Map<String, Value>) -> bool {
    let lists =
        map.iter().filter(|(key, _)| key.to_ascii_lowercase().contains("arg")).filter_map(|(_, v)| v.as_array());
    lists.flatten().filter_map(Value::as_str).any(|option| {
        let name = option.split(['=', ' ']).next().unwrap_or(option);
        STARTS.contains(&name)
    })
}

#[cfg(test)]
mod tests {
    use rampart_shell::verbs::words;
    use serde_json::json;

    use super::*;

    #[test]
    fn work_is_thrown_away() {
        for (tool, arguments, expect) in [
            ("git_reset", json!({"mode": "hard"}), true),
            ("git_reset", json!({"args": ["--hard", "HEAD"]}), true),
            ("git_push", json!({"force": true}), true),
            ("git_push", json!({"force": false}), false),
            ("git_push", json!({"refspec": "+main"}), true),
            ("git_push", json!({"branch": "main", "deleteBranch": true}), true),
            ("git_reset", json!({"repo_path": "."}), false),
            ("git_checkout", json!({"args": ["--", "."]}), true),
            ("git_checkout", json!({"repo_path": ".", "branch_name": "x"}), false),
            ("git_stash clear", json!({"path": "."}), true),
            ("git_stash push", json!({"path": "."}), false),
            ("git_branch delete", json!({"name": "x", "forceDelete": true}), true),
            ("git_branch delete", json!({"name": "x"}), false),
        ] {
            assert_eq!(discards(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
    }

    #[test]
    fn requests_without_a_host_are_known() {
        for (arguments, expect) in [
            (json!({"method": "DELETE", "path": "/repos/a/b"}), true),
            (json!({"method": "delete", "endpoint": "projects/1"}), true),
            (json!({"method": "GET", "path": "/repos/a/b"}), false),
            (json!({"method": "DELETE", "path": "/items/1", "baseUrl": "http://localhost:3000"}), false),
            (json!({"method": "DELETE", "url": "https://x.example/"}), false),
        ] {
            assert_eq!(asks_deletion(&arguments), expect, "{arguments}");
        }
    }

    #[test]
    fn what_few_saw_is_shown() {
        for (tool, arguments, expect) in [
            ("update_repository", json!({"visibility": "public"}), true),
            ("update_repository", json!({"private": true}), false),
            ("create_repository", json!({"private": false}), false),
        ] {
            assert_eq!(publishes(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
        for (tool, expect) in [
            ("get_secret", true),
            ("keyvault keyvault_secret_get", true),
            ("read_password", true),
            ("list_secrets", false),
            ("get_secret_scanning_alert", false),
        ] {
            assert_eq!(reveals(&words(tool)), expect, "{tool}");
        }
        for (tool, arguments, expect) in [
            ("resources_get", json!({"kind": "Secret"}), true),
            ("kubectl_get", json!({"resourceType": "secrets", "output": "yaml"}), true),
            ("kubectl_get", json!({"resourceType": "secrets", "output": "name"}), false),
            ("resources_get", json!({"kind": "ConfigMap"}), false),
            ("resources_list", json!({"kind": "Secret"}), false),
            ("explain_resource", json!({"resource": "secrets"}), false),
        ] {
            assert_eq!(reveals_kind(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
        for (tool, arguments, expect) in [
            ("create_filter", json!({"action": {"forward": "a@b.example"}}), true),
            ("create_inbox_rule", json!({"actions": {"redirectTo": [{"address": "a@b.example"}]}}), true),
            ("create_filter", json!({"criteria": {"from": "a@b.example"}, "action": {"addLabelIds": ["X"]}}), false),
            ("create_firewall_rule", json!({"forward": true}), false),
            ("forward_email", json!({"forward_to": "a@b.example"}), false),
        ] {
            assert_eq!(forwards(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
    }
}

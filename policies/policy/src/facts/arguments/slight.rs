//! What is thrown away every day, because it is made again, stands elsewhere too, or is only described.

use rampart_shell::verbs::any;
use serde_json::Value;

/// Branches that others build and release from.
const SHARED: &[&str] = &[
    "default",
    "dev",
    "develop",
    "development",
    "gh-pages",
    "live",
    "main",
    "master",
    "prod",
    "production",
    "staging",
    "trunk",
];

/// Whether a tool tells what others do, such as `get_type_info`.
pub(super) fn describes(tool: &[String]) -> bool {
    any(tool, &["describe", "explain", "get"])
        && any(
            tool,
            &["definition", "docs", "documentation", "help", "info", "schema", "spec", "type", "types", "usage"],
        )
}

/// Whether what a call throws away is of that kind.
pub(super) fn is_slight(server: &[String], tool: &[String], arguments: &Value) -> bool {
    is_on_own_branch(tool, arguments) || is_cached(server, tool, arguments) || is_in_scene(server, tool, arguments)
}

/// `delete_file` with `branch: feat/x`: it is a commit that others look at before it counts.
fn is_on_own_branch(tool: &[String], arguments: &Value) -> bool {
    let branch = arguments.get("branch").and_then(Value::as_str).map(|name| name.trim_start_matches("refs/heads/"));
    any(tool, &["file"])
        && branch.is_some_and(|name| {
            name.contains('/') && !SHARED.contains(&name) && !name.starts_with("release") && !name.starts_with("hotfix")
        })
}

/// `key: cache:product:991` of a store of keys.
fn is_cached(server: &[String], tool: &[String], arguments: &Value) -> bool {
    const STORES: &[&str] = &["keydb", "memcache", "memcached", "redis", "valkey"];
    let cached =
        |text: &str| !text.contains(['*', '?']) && text.split([':', '.', '/', '_', '-']).any(|part| part == "cache");
    let key = arguments.get("key").or_else(|| arguments.get("keys"));
    (any(server, STORES) || any(tool, STORES))
        && key.is_some_and(|key| match key {
            Value::String(text) => cached(text),
            Value::Array(list) => !list.is_empty() && list.iter().all(|key| key.as_str().is_some_and(cached)),
            _ => false,
        })
}

/// One object of a scene that an editor shows, where it can be taken back.
fn is_in_scene(server: &[String], tool: &[String], arguments: &Value) -> bool {
    any(server, &["blender", "godot", "roblox", "unity", "unreal"])
        && any(tool, &["actor", "component", "gameobject", "node", "object"])
        && !arguments.as_object().into_iter().flatten().any(|(_, value)| matches!(value.as_str(), Some("*" | "all")))
}

#[cfg(test)]
mod tests {
    use rampart_shell::verbs::words;
    use serde_json::json;

    use super::*;

    #[test]
    fn some_things_go_every_day() {
        for (server, tool, arguments, expect) in [
            ("github", "delete_file", json!({"branch": "feat/x", "path": "a"}), true),
            ("github", "delete_file", json!({"branch": "main", "path": "a"}), false),
            ("github", "delete_file", json!({"branch": "release/1", "path": "a"}), false),
            ("github", "delete_branch", json!({"branch": "feat/x"}), false),
            ("redis", "delete", json!({"key": "cache:product:991"}), true),
            ("redis", "delete", json!({"key": "cache:*"}), false),
            ("redis", "delete", json!({"key": "orders:991"}), false),
            ("unity", "manage_gameobject", json!({"action": "delete", "target": "Cube"}), true),
            ("unity", "manage_asset", json!({"action": "delete", "path": "Assets"}), false),
            ("s3", "delete_object", json!({"key": "a"}), false),
        ] {
            assert_eq!(is_slight(&words(server), &words(tool), &arguments), expect, "{server} {tool} {arguments}");
        }
        assert!(describes(&words("get_type_info")) && !describes(&words("get_project")));
    }
}

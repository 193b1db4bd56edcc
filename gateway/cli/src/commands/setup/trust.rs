//! The tables in Codex's `config.toml` that say which hooks it may run.

use anyhow::Context as _;
use rampart_agents::setup::codex_trust;
use serde_json::Value;
use sha2::Digest as _;
use toml_edit::{DocumentMut, Item, Table, value};

/// The text with trust for our hooks in the file `path`, which holds `after`. What was trusted when it held `before`, or
/// at another place of the file, no longer is.
///
/// # Errors
/// When it is no TOML, or its tables are something else.
pub(super) fn put(text: &str, path: &str, before: &Value, after: &Value) -> anyhow::Result<String> {
    let wanted: Vec<(String, String)> = hashes(path, after).collect();
    let mut document = document(text)?;
    forget(&mut document, path, before, after, &wanted);
    if !wanted.is_empty() {
        let tables = document.as_table_mut().entry("hooks").or_insert_with(implicit);
        let state = tables.as_table_mut().context("`hooks` is no table")?.entry("state").or_insert_with(implicit);
        let state = state.as_table_mut().context("`hooks.state` is no table")?;
        for (key, hash) in wanted {
            let table = state.entry(&key).or_insert_with(|| Item::Table(Table::new()));
            let table = table.as_table_mut().with_context(|| format!("`hooks.state.{key}` is no table"))?;
            if table.get("trusted_hash").and_then(Item::as_str) != Some(&hash) {
                table.insert("trusted_hash", value(hash));
            }
        }
    }
    let made = document.to_string();
    // The library writes lines as Unix has them.
    Ok(if text.contains("\r\n") { made.replace('\n', "\r\n") } else { made })
}

/// The text without trust for our hooks in the file `path`, which holds `hooks`.
///
/// # Errors
/// When it is no TOML.
pub(super) fn take(text: &str, path: &str, hooks: &Value) -> anyhow::Result<String> {
    put(text, path, hooks, &Value::Null)
}

/// Key and hash of each of our hooks.
fn hashes(path: &str, hooks: &Value) -> impl Iterator<Item = (String, String)> {
    let hash = |text: String| format!("sha256:{}", hex::encode(sha2::Sha256::digest(text.as_bytes())));
    codex_trust(path, hooks).into_iter().map(move |(key, canonical)| (key, hash(canonical)))
}

/// Removes trust in a hook of ours at a place where it is not wanted. A hash tells a hook wherever it stands.
fn forget(document: &mut DocumentMut, path: &str, before: &Value, after: &Value, wanted: &[(String, String)]) {
    let ours: Vec<String> = hashes(path, before).chain(hashes(path, after)).map(|(_, hash)| hash).collect();
    let root = document.as_table_mut();
    let Some(tables) = root.get_mut("hooks").and_then(Item::as_table_mut) else { return };
    let Some(state) = tables.get_mut("state").and_then(Item::as_table_mut) else { return };
    let place = format!("{path}:");
    let stale = |key: &str, item: &Item| {
        let hash = item.get("trusted_hash").and_then(Item::as_str).unwrap_or_default();
        key.starts_with(&place) && ours.iter().any(|own| own == hash) && !wanted.iter().any(|(wanted, _)| wanted == key)
    };
    let stale: Vec<String> =
        state.iter().filter(|(key, item)| stale(key, item)).map(|(key, _)| key.to_owned()).collect();
    for key in stale {
        state.remove(&key);
    }
    if state.is_empty() && state.is_implicit() {
        tables.remove("state");
    }
    if tables.is_empty() && tables.is_implicit() {
        root.remove("hooks");
    }
}

fn document(text: &str) -> anyhow::Result<DocumentMut> {
    text.parse().context("it cannot be read")
}

/// A table without a line of its own.
fn implicit() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hooks(command: &str) -> Value {
        json!({"hooks": {"PreToolUse": [
            {"hooks": [{"type": "command", "command": "other"}]},
            {"matcher": "*", "hooks": [{"type": "command", "command": command, "timeout": 150}]},
        ]}})
    }

    #[test]
    fn trust_is_given_once_moves_with_its_hook_and_leaves_no_trace() {
        let before = "# mine\nmodel = \"x\"  # this\n\n[projects.\"/p\"]\ntrust_level = \"trusted\"\n";
        let path = "/h/.codex/hooks.json";
        let first = hooks("/bin/rampart hook --format codex");
        let second = hooks("/opt/rampart hook --format codex");
        let given = put(before, path, &Value::Null, &first).unwrap();
        assert!(given.starts_with(before), "{given}");
        assert!(
            given.contains("[hooks.state.\"/h/.codex/hooks.json:pre_tool_use:1:0\"]\ntrusted_hash = \"sha256:"),
            "{given}"
        );
        assert_eq!(put(&given, path, &first, &first).unwrap(), given);
        let mut shifted = first.clone();
        shifted["hooks"]["PreToolUse"].as_array_mut().unwrap().remove(0);
        let followed = put(&given, path, &shifted, &shifted).unwrap();
        assert!(followed.contains("pre_tool_use:0:0") && !followed.contains("pre_tool_use:1:0"), "{followed}");
        let moved = put(&given, path, &first, &second).unwrap();
        assert_ne!(moved, given);
        assert_eq!(moved.matches("trusted_hash").count(), 1);
        assert_eq!(take(&moved, path, &second).unwrap(), before);
        let dos = "a = 1\r\n[b]\r\nc = 2\r\n";
        let with = put(dos, path, &first, &first).unwrap();
        assert!(!with.replace("\r\n", "").contains('\n'), "{with:?}");
        assert_eq!(take(&with, path, &first).unwrap(), dos);
        let foreign = "[hooks.state.\"/other:pre_tool_use:0:0\"]\ntrusted_hash = \"sha256:00\"\n";
        let both = put(foreign, path, &first, &first).unwrap();
        assert_eq!(take(&both, path, &first).unwrap(), foreign);
        assert!(put("hooks = 1", path, &first, &first).is_err());
        assert!(put("[hooks", path, &first, &first).is_err());
    }
}

//! What a tool does, as far as its name tells.
//!
//! What a server claims in `annotations` is its own word (MCP 2025-11-25, tools: clients must treat them as untrusted), so
//! it may make a tool more dangerous here and never less.

use serde_json::Value;

use super::Item;

/// What a tool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It shows something and changes nothing.
    Read,
    /// It changes something.
    Write,
    /// It removes or ends something.
    Destroy,
    /// It runs what it is given.
    Run,
    /// Its name does not say.
    Unclear,
}

const READS: &[&str] = &[
    "ask",
    "browse",
    "check",
    "compare",
    "count",
    "describe",
    "diff",
    "echo",
    "explain",
    "fetch",
    "find",
    "get",
    "grep",
    "health",
    "help",
    "history",
    "info",
    "inspect",
    "list",
    "load",
    "log",
    "lookup",
    "ls",
    "ping",
    "preview",
    "query",
    "read",
    "resolve",
    "retrieve",
    "search",
    "select",
    "show",
    "snapshot",
    "stat",
    "status",
    "summarize",
    "tail",
    "time",
    "tree",
    "validate",
    "verify",
    "version",
    "view",
    "weather",
    "whoami",
];
const WRITES: &[&str] = &[
    "add",
    "append",
    "apply",
    "archive",
    "assign",
    "approve",
    "change",
    "checkout",
    "close",
    "comment",
    "commit",
    "configure",
    "convert",
    "copy",
    "create",
    "deploy",
    "disable",
    "download",
    "edit",
    "enable",
    "fill",
    "fork",
    "import",
    "insert",
    "install",
    "invite",
    "make",
    "merge",
    "modify",
    "move",
    "mkdir",
    "navigate",
    "open",
    "patch",
    "pay",
    "post",
    "publish",
    "push",
    "put",
    "register",
    "rename",
    "replace",
    "reply",
    "restart",
    "restore",
    "save",
    "schedule",
    "send",
    "set",
    "share",
    "start",
    "store",
    "submit",
    "subscribe",
    "sync",
    "transfer",
    "update",
    "upload",
    "upsert",
    "write",
];
const DESTROYS: &[&str] = &[
    "cancel",
    "clear",
    "delete",
    "destroy",
    "drop",
    "erase",
    "flush",
    "kill",
    "purge",
    "remove",
    "reset",
    "revoke",
    "rm",
    "stop",
    "terminate",
    "truncate",
    "uninstall",
    "unlink",
    "wipe",
];
const RUNS: &[&str] = &[
    "bash",
    "call",
    "cmd",
    "command",
    "eval",
    "evaluate",
    "exec",
    "execute",
    "invoke",
    "launch",
    "powershell",
    "python",
    "run",
    "script",
    "shell",
    "spawn",
    "sql",
    "terminal",
];

impl Kind {
    /// The kind of a tool.
    pub fn of(tool: &Item) -> Self {
        let words = words(&tool.name);
        let says = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        let hint = |name| tool.definition.get("annotations").and_then(|a| a.get(name)).and_then(Value::as_bool);
        if says(RUNS) || takes_a_command(tool) {
            Self::Run
        } else if says(DESTROYS) {
            Self::Destroy
        } else if says(WRITES) {
            if hint("destructiveHint") == Some(true) { Self::Destroy } else { Self::Write }
        } else if hint("destructiveHint") == Some(true) && hint("readOnlyHint") != Some(true) {
            Self::Destroy
        } else if hint("readOnlyHint") == Some(false) {
            Self::Write
        } else if says(READS) {
            Self::Read
        } else {
            Self::Unclear
        }
    }

    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "changes",
            Self::Destroy => "destroys",
            Self::Run => "runs code",
            Self::Unclear => "unclear",
        }
    }
}

/// It has a parameter for code.
fn takes_a_command(tool: &Item) -> bool {
    const CODE: &[&str] = &["bash", "cmd", "code", "command", "commands", "script", "shell", "sql"];
    let parameters = tool.definition.get("inputSchema").and_then(|s| s.get("properties")).and_then(Value::as_object);
    parameters.into_iter().flatten().any(|(name, _)| CODE.contains(&name.to_ascii_lowercase().as_str()))
}

/// `getUser-info_v2` is get, user, info, v2.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower) {
            words.push(String::new());
        }
        lower = c.is_lowercase() || c.is_ascii_digit();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::Section, *};

    fn tool(name: &str, definition: Value) -> Item {
        Item { section: Section::Tools, name: name.into(), definition }
    }

    #[test]
    fn a_name_is_read_by_its_words() {
        for (name, kind) in [
            ("read_text_file", Kind::Read),
            ("getUserInformation", Kind::Read),
            ("list-directory", Kind::Read),
            ("format_report", Kind::Unclear),
            ("write_file", Kind::Write),
            ("getAndDelete", Kind::Destroy),
            ("git_reset", Kind::Destroy),
            ("run_command", Kind::Run),
            ("executeSQL", Kind::Run),
            ("", Kind::Unclear),
        ] {
            assert_eq!(Kind::of(&tool(name, json!({}))), kind, "{name}");
        }
    }

    #[test]
    fn what_the_server_claims_only_tightens() {
        for (name, annotations, kind) in [
            ("read_file", json!({"destructiveHint": true}), Kind::Destroy),
            ("read_file", json!({"readOnlyHint": false}), Kind::Write),
            ("delete_file", json!({"readOnlyHint": true}), Kind::Destroy),
            ("frobnicate", json!({"readOnlyHint": true}), Kind::Unclear),
            ("write_file", json!({"destructiveHint": true}), Kind::Destroy),
        ] {
            assert_eq!(Kind::of(&tool(name, json!({"annotations": annotations}))), kind, "{name} {annotations}");
        }
    }

    #[test]
    fn a_parameter_for_code_runs_code() {
        let schema = json!({"inputSchema": {"properties": {"Command": {"type": "string"}}}});
        assert_eq!(Kind::of(&tool("get_output", schema)), Kind::Run);
    }
}

//! What was approved beside what is offered now, with every character visible.

use anstyle::{AnsiColor, Style};
use rampart_client::wire::McpWaiting;
use rampart_mcp::scan::{Pinned, escaped};
use serde_json::{Map, Value, json};

use crate::printer::{BOLD, styled};

const GONE: Style = AnsiColor::Red.on_default();
const NEW: Style = AnsiColor::Green.on_default();

/// One thing that waits for approval.
pub(super) struct Waiting {
    pub(super) section: String,
    pub(super) name: String,
    pub(super) before: Option<Pinned>,
    pub(super) now: Pinned,
}

impl Waiting {
    /// `tools/read_file`, as `approve --only` takes it.
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.section, self.name)
    }

    pub(super) fn json(&self, server: &str) -> Value {
        let before = self.before.as_ref().map(Pinned::definition);
        let state = if before.is_some() { "changed" } else { "new" };
        json!({
            "server": server, "section": self.section, "name": self.name, "state": state,
            "before": before, "now": self.now.definitions().collect::<Vec<_>>(),
        })
    }

    pub(super) fn told(&self) -> McpWaiting {
        McpWaiting {
            section: self.section.clone(),
            name: self.name.clone(),
            before: self.before.as_ref().map(Pinned::definition).cloned(),
            now: self.now.definitions().cloned().collect(),
            hashes: self.now.hashes().map(str::to_owned).collect(),
        }
    }

    pub(super) fn text(&self, server: &str) -> String {
        let state = if self.before.is_some() { "changed" } else { "new" };
        let what = format!("{} {}", line(server), line(&self.place()));
        let mut lines = vec![format!("{}  {state}", styled(BOLD, what))];
        for now in self.now.definitions() {
            let before = self.before.as_ref().map(Pinned::definition);
            members(before.and_then(Value::as_object), now.as_object(), &mut lines);
        }
        lines.join("\n")
    }
}

/// The members that differ, the old value above the new one.
fn members(before: Option<&Map<String, Value>>, now: Option<&Map<String, Value>>, lines: &mut Vec<String>) {
    let empty = Map::new();
    let (before, now) = (before.unwrap_or(&empty), now.unwrap_or(&empty));
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let (old, new) = (before.get(name), now.get(name));
        if old == new {
            continue;
        }
        for (sign, style, value) in [("-", GONE, old), ("+", NEW, new)] {
            let Some(value) = value else { continue };
            let value = serde_json::to_string_pretty(value).unwrap_or_default();
            for (nth, row) in escaped(&value).lines().enumerate() {
                let member = if nth == 0 { format!("{}: ", line(name)) } else { String::new() };
                lines.push(styled(style, format!("  {sign} {member}{row}")));
            }
        }
    }
}

/// Foreign text on one line.
pub(super) fn line(text: &str) -> String {
    rampart_scan::visible(text).replace('\n', "\\n").replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        let mut lines = Vec::new();
        let before = json!({"description": "Reads.", "same": 1});
        let now =
            json!({"description": "Reads.\u{e0041}\u{202e}\u{1b}[2J\nSecond", "same": 1, "new": {"a": "\u{200b}"}});
        members(before.as_object(), now.as_object(), &mut lines);
        let text = anstream::adapter::strip_str(&lines.join("\n")).to_string();
        assert_eq!(
            text,
            "  - description: \"Reads.\"\n  + description: \"Reads.\\udb40\\udc41\\u202e\\u001b[2J\\nSecond\"\n  \
             + new: {\n  +   \"a\": \"\\u200b\"\n  + }"
        );
    }
}

//! The least that lets a server be used: what only reads is allowed, what does more is asked, what was not there is denied.

use super::{Catalogue, Kind, Section, lock::escaped};

/// A policy for a server, as the text of a file. Names of the server's choosing stand in it as escapes.
pub fn draft(server: &str, catalogue: &Catalogue) -> String {
    let tools = |wanted: &dyn Fn(Kind) -> bool| -> Vec<&str> {
        let chosen = catalogue.section(Section::Tools).filter(|tool| wanted(Kind::of(tool)));
        let mut names: Vec<&str> = chosen.map(|tool| tool.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let reads = tools(&|kind| kind == Kind::Read);
    let asks = tools(&|kind| kind != Kind::Read);
    // A name that is in both lists says of itself that it does more than read.
    let reads: Vec<&str> = reads.into_iter().filter(|name| !asks.contains(name)).collect();
    let known: Vec<&str> = reads.iter().chain(&asks).copied().collect();
    let mut text =
        String::from("# What this server's tools may do, drafted by `rampart mcp scan` from what it lists. Edit it.\n");
    text.push_str("version: \"1\"\n\npolicies:\n");
    let mut policy = |name: &str, description: &str, matching: &[(&str, String)], rule: &[(&str, &str)]| {
        text.push_str(&format!("  - name: {}\n", quoted(&format!("mcp-{server}-{name}"))));
        text.push_str(&format!("    description: {}\n    match:\n", quoted(description)));
        text.push_str(&format!("      server: {}\n", quoted(&literal(server))));
        for (key, value) in matching {
            text.push_str(&format!("      {key}: {value}\n"));
        }
        text.push_str("    rules:\n");
        for (nth, (key, value)) in rule.iter().enumerate() {
            let lead = if nth == 0 { "      - " } else { "        " };
            text.push_str(&format!("{lead}{key}: {value}\n"));
        }
    };
    if !reads.is_empty() {
        let matching = [("tool", list(&reads))];
        policy("reads", "Tools that show something and change nothing.", &matching, &[("action", "allow")]);
    }
    if !asks.is_empty() {
        let rule = [("action", "ask"), ("message", "\"This tool does more than read\"")];
        policy("acts", "Tools that change, remove or run something, or do not say.", &[("tool", list(&asks))], &rule);
    }
    let mut matching = vec![("method", quoted("tools/call"))];
    if !known.is_empty() {
        matching.push(("not_tool", list(&known)));
    }
    let rule = [("action", "deny"), ("message", "\"The server did not offer this tool when it was scanned\"")];
    policy("unknown", "Tools that were not there.", &matching, &rule);
    text
}

fn list(names: &[&str]) -> String {
    let items: Vec<String> = names.iter().map(|name| quoted(&literal(name))).collect();
    format!("[{}]", items.join(", "))
}

/// A glob that matches this name only.
fn literal(name: &str) -> String {
    name.replace('*', r"\*")
}

/// A double-quoted scalar of YAML 1.2: its escapes are those of JSON.
fn quoted(text: &str) -> String {
    escaped(&serde_json::Value::from(text).to_string())
}

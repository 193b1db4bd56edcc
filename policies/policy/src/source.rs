//! A policy file as it is written: every key read, nothing compiled.

mod matching;
mod rule;
mod test;

pub(crate) use matching::Match;
pub(crate) use rule::{Action, RuleSource};
pub(crate) use test::TestSource;

use rampart_call::Outcome;

use crate::{
    Layer, Notify,
    read::{Placed, Reader},
    yaml::{self, Node, Value},
};

/// A policy file.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) default_action: Option<Placed<Outcome>>,
    pub(crate) policies: Vec<PolicySource>,
    pub(crate) notify: Option<Notify>,
    pub(crate) tests: Vec<TestSource>,
}

/// A policy.
#[derive(Debug)]
pub(crate) struct PolicySource {
    pub(crate) name: Placed<String>,
    pub(crate) description: String,
    pub(crate) priority: i64,
    pub(crate) enabled: bool,
    pub(crate) matching: Match,
    pub(crate) rules: Vec<RuleSource>,
}

/// The words of `default_action`.
const DEFAULTS: [(&str, Outcome); 4] =
    [("allow", Outcome::Allow), ("watch", Outcome::Watch), ("ask", Outcome::Ask), ("deny", Outcome::Deny)];

/// Reads a file. What is wrong with it is left in `reader`.
pub(crate) fn read(text: &str, layer: Layer, reader: &mut Reader<'_>) -> Document {
    let root = match yaml::parse(text) {
        Ok(root) => root,
        Err(malformed) => {
            let severity = crate::Severity::Error;
            reader.note(severity, "malformed-yaml", malformed.span.as_ref(), malformed.message, None);
            return Document::default();
        }
    };
    let Some(mut fields) = reader.fields(&root, "a policy file") else { return Document::default() };
    match fields.take("version") {
        None if layer == Layer::Overrides => {}
        None => {
            let top = root.span.start..root.span.start;
            reader.warn("missing-version", &top, "the file does not say its version", "begin it with `version: \"1\"`");
        }
        Some(node) => {
            if let Some(version) = reader.text(node, "version")
                && version.value != "1"
            {
                let message = format!("version `{}` is not known here", version.value);
                reader.error_with("unknown-version", &version.span, message, "this Rampart reads version \"1\"");
            }
        }
    }
    let default_action = fields.take("default_action").and_then(|node| {
        let text = reader.text(node, "default_action")?;
        let value = word_of_action(&text, "a default action", &DEFAULTS, reader)?;
        Some(Placed { value, span: text.span })
    });
    let policies = match fields.take("policies") {
        Some(node) if node.value == Value::Null => {
            reader.error_with(
                "wrong-type",
                &node.span,
                "`policies` is empty",
                "write `policies: []` if there are none",
            );
            Vec::new()
        }
        Some(node) => policies(node, layer, reader),
        None => {
            let top = root.span.start..root.span.start;
            let help = "write `policies: []` if it is meant to hold none";
            reader.error_with("missing-key", &top, "the file has no `policies`", help);
            Vec::new()
        }
    };
    let notify = fields.take_with_key("notify").and_then(|(key, node)| match layer {
        Layer::User => crate::notify::read(node, reader),
        Layer::Profile | Layer::Overrides | Layer::Project => {
            let help = "move it to a file of your own in `~/.rampart/policies`";
            reader.error_with("not-here", &key.span, "`notify` stands in the user's own policies only", help);
            None
        }
    });
    let tests = fields.take("tests").map(|node| test::read(node, reader)).unwrap_or_default();
    fields.finish(reader);
    Document { default_action, policies, notify, tests }
}

fn policies(node: &Node, layer: Layer, reader: &mut Reader<'_>) -> Vec<PolicySource> {
    let mut policies: Vec<PolicySource> = Vec::new();
    for node in reader.list(node, "`policies`") {
        let Some(policy) = policy(node, layer, reader) else { continue };
        if policies.iter().any(|p| p.name.value == policy.name.value) {
            let message = format!("two policies of this file are called `{}`", policy.name.value);
            reader.error_with("duplicate-policy", &policy.name.span, message, "give one of them another name");
        }
        policies.push(policy);
    }
    policies
}

fn policy(node: &Node, layer: Layer, reader: &mut Reader<'_>) -> Option<PolicySource> {
    let mut fields = reader.fields(node, "a policy")?;
    let name = fields.take("name").and_then(|n| reader.text(n, "name"));
    let description = fields.take("description").and_then(|n| reader.text(n, "description"));
    let priority = fields.take("priority").and_then(|n| reader.number(n, "priority"));
    let enabled = fields.take("enabled").and_then(|n| reader.flag(n, "enabled"));
    let matching = fields.take("match").map(|n| Match::read(n, reader)).unwrap_or_default();
    let mut rules = Vec::new();
    match fields.take("rules") {
        Some(list) => {
            let nodes = reader.list(list, "`rules`");
            if nodes.is_empty() && matches!(list.value, Value::List(_)) {
                reader.error("empty-list", &list.span, "the policy has no rules");
            }
            rules.extend(nodes.iter().filter_map(|n| RuleSource::read(n, layer, &matching, reader)));
        }
        None if fields.misspells("rules") => {}
        None => reader.error("missing-key", &node.span, "the policy has no `rules`"),
    }
    fields.finish(reader);
    let Some(name) = name.filter(|n| !n.value.trim().is_empty()) else {
        reader.error("missing-key", &node.span, "the policy has no `name`");
        return None;
    };
    Some(PolicySource {
        name,
        description: description.map(|d| d.value).unwrap_or_default(),
        priority: priority.unwrap_or(100),
        enabled: enabled.unwrap_or(true),
        matching,
        rules,
    })
}

/// Reads an action, with what to write for words of older versions.
fn word_of_action<T: Copy>(
    text: &Placed<String>,
    what: &str,
    known: &[(&str, T)],
    reader: &mut Reader<'_>,
) -> Option<T> {
    match text.value.as_str() {
        "require_approval" => {
            let help = "write `action: ask` and, to keep the question in the audit trail, `ask: { audit: true }`";
            reader.error_with("old-action", &text.span, "`require_approval` is no longer an action", help);
            None
        }
        "log" => {
            reader.warn("old-action", &text.span, "`log` is the old word for `watch`", "write `watch`");
            known.iter().find(|(word, _)| *word == "watch").map(|(_, value)| *value)
        }
        _ => reader.word(text, what, known),
    }
}

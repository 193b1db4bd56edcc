//! What gives reason to look twice at a server, each with the evidence.

use std::collections::BTreeMap;

use rampart_call::{Finding, FindingClass};
use serde_json::Value;

use super::{Catalogue, Item, Kind, Section, shadow};

/// How deep a schema may reasonably be.
const DEEP: usize = 24;
/// Characters of evidence.
const EVIDENCE: usize = 160;

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// Stable id, such as `hidden-text`.
    pub id: &'static str,
    /// How bad it would be if it is what it looks like.
    pub severity: Severity,
    /// The list.
    pub section: Section,
    /// The item; empty for the server itself.
    pub item: String,
    /// JSON pointer into the definition (RFC 6901).
    pub pointer: String,
    /// What is wrong, for people.
    pub message: String,
    /// The text that shows it. Foreign: make it visible before it is shown.
    pub evidence: String,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Worth a look before the server is used.
    Warning,
    /// Not to be used before somebody has looked.
    Error,
}

impl Severity {
    /// The word in reports; those of SARIF 2.1.0, section 3.27.10.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What is wrong with a server's catalogue, worst first. `scan` finds secrets, instructions and hidden text in a text.
pub fn risks(catalogue: &Catalogue, scan: &dyn Fn(&str) -> Vec<Finding>) -> Vec<Risk> {
    let mut all = Vec::new();
    let mut seen: BTreeMap<(Section, String), &str> = BTreeMap::new();
    for item in &catalogue.items {
        texts(&item.definition, &mut String::new(), 0, &mut |pointer, text| {
            all.extend(scan(text).iter().filter_map(|finding| of_finding(item, pointer, text, finding)));
        });
        schema(item, &mut all);
        name(item, &mut seen, &mut all);
        if item.section == Section::Tools {
            tool(item, &mut all);
        }
    }
    all.sort_by_key(|risk| std::cmp::Reverse(risk.severity));
    all.dedup();
    all
}

pub(super) fn risk(
    item: &Item,
    id: &'static str,
    severity: Severity,
    pointer: &str,
    message: &str,
    evidence: &str,
) -> Risk {
    let shown: String = evidence.chars().take(EVIDENCE).collect();
    Risk {
        id,
        severity,
        section: item.section,
        item: item.name.clone(),
        pointer: pointer.to_owned(),
        message: message.to_owned(),
        evidence: shown,
    }
}

fn of_finding(item: &Item, pointer: &str, text: &str, finding: &Finding) -> Option<Risk> {
    let span = finding.span.start..finding.span.end;
    let from = text.floor_char_boundary(span.start.saturating_sub(30));
    let to = text.ceil_char_boundary((span.end + 30).min(text.len()));
    let around = text.get(from..to).unwrap_or_default();
    match finding.class {
        FindingClass::HiddenText => {
            let message = "Characters that cannot be seen stand here; a model reads them";
            Some(risk(item, "hidden-text", Severity::Error, pointer, message, around))
        }
        FindingClass::Injection => {
            let message = "This text instructs the model instead of describing";
            Some(risk(item, "injection", Severity::Error, pointer, message, around))
        }
        FindingClass::Secret => {
            let message = format!("A secret stands here ({})", finding.detector);
            // Evidence that is a secret is not shown.
            Some(risk(item, "secret", Severity::Error, pointer, &message, ""))
        }
        FindingClass::Personal => None,
    }
}

/// Calls `each` for every text in a value, names of members included, with its JSON pointer.
fn texts(value: &Value, pointer: &mut String, depth: usize, each: &mut dyn FnMut(&str, &str)) {
    if depth > 128 {
        return;
    }
    let below = |pointer: &mut String, step: &str, value: &Value, each: &mut dyn FnMut(&str, &str)| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
        texts(value, pointer, depth + 1, each);
        pointer.truncate(length);
    };
    match value {
        Value::String(text) => each(pointer, text),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, value)| below(pointer, &n.to_string(), value, each));
        }
        Value::Object(members) => {
            for (name, value) in members {
                each(pointer, name);
                below(pointer, name, value, each);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Tricks with schemas: references that a validator would fetch, and depths that only cost time.
fn schema(item: &Item, all: &mut Vec<Risk>) {
    texts(&item.definition, &mut String::new(), 0, &mut |pointer, text| {
        let reference =
            pointer.rsplit('/').next().is_some_and(|last| matches!(last, "$ref" | "$dynamicRef" | "$schema"));
        let foreign = text.contains("://") && !text.starts_with("http://json-schema.org/");
        if reference && foreign && !text.starts_with("https://json-schema.org/") {
            let message =
                "The schema refers to another place; following it would be a request of the server's choosing";
            all.push(risk(item, "schema-reference", Severity::Warning, pointer, message, text));
        }
    });
    let deep = depth(&item.definition, 0);
    if deep > DEEP {
        let message = format!("The definition is nested {deep} deep");
        all.push(risk(item, "schema-depth", Severity::Warning, "", &message, ""));
    }
}

fn depth(value: &Value, so_far: usize) -> usize {
    let children: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => return so_far,
    };
    children.into_iter().map(|child| depth(child, so_far + 1)).max().unwrap_or(so_far)
}

/// Names that could be taken for others.
fn name<'c>(item: &'c Item, seen: &mut BTreeMap<(Section, String), &'c str>, all: &mut Vec<Risk>) {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
    let named = matches!(item.section, Section::Tools | Section::Prompts);
    if named && !item.name.chars().all(usual) {
        let message = "The name holds characters that names of tools do not need and that can look like others";
        all.push(risk(item, "odd-name", Severity::Warning, "/name", message, &item.name));
    }
    if item.section == Section::Server {
        return;
    }
    let looks = if named { shadow::skeleton_of(&item.name) } else { item.name.clone() };
    match seen.insert((item.section, looks), &item.name) {
        Some(other) if named || other == item.name => {
            let message = if other == item.name {
                format!("Another of the list is called `{other}`; a client keeps one of them")
            } else {
                format!("It looks like `{other}` of the same list")
            };
            all.push(risk(item, "double-name", Severity::Warning, "/name", &message, &item.name));
        }
        _ => {}
    }
}

/// What a tool may do.
fn tool(item: &Item, all: &mut Vec<Risk>) {
    let claims = |hint| item.definition.get("annotations").and_then(|a| a.get(hint)).and_then(Value::as_bool);
    let kind = Kind::of(item);
    if claims("readOnlyHint") == Some(true) && !matches!(kind, Kind::Read | Kind::Unclear) {
        let message = format!("It claims to be read-only, and its name says that it {}", kind.as_str());
        all.push(risk(item, "claims-read-only", Severity::Warning, "/annotations/readOnlyHint", &message, &item.name));
    }
    if kind == Kind::Run {
        let message = "It runs what it is given; rules about commands judge it where the argument is one";
        all.push(risk(item, "runs-code", Severity::Note, "/name", message, &item.name));
    }
    let schema = item.definition.get("inputSchema");
    let properties = schema.and_then(|s| s.get("properties")).and_then(Value::as_object);
    let open = schema.and_then(|s| s.get("additionalProperties")).is_none_or(|p| p != &Value::Bool(false));
    if properties.is_none_or(serde_json::Map::is_empty) && open && !matches!(kind, Kind::Read) {
        let message = "Its arguments are not described, so anything can be passed to it";
        all.push(risk(item, "open-arguments", Severity::Note, "/inputSchema", message, ""));
    }
}

#[cfg(test)]
mod tests {
    use rampart_call::Span;
    use serde_json::json;

    use super::*;

    /// Finds the word `evil`.
    fn scan(text: &str) -> Vec<Finding> {
        let found = |(start, _)| Finding {
            detector: "evil".into(),
            class: FindingClass::Injection,
            span: Span { start, end: start + 4 },
            layers: vec![],
        };
        text.match_indices("evil").map(found).collect()
    }

    fn tools(definitions: &[Value]) -> Catalogue {
        let item = |definition: &Value| Item {
            section: Section::Tools,
            name: definition["name"].as_str().unwrap().to_owned(),
            definition: definition.clone(),
        };
        Catalogue { items: definitions.iter().map(item).collect() }
    }

    fn ids(definition: Value) -> Vec<(&'static str, String)> {
        risks(&tools(&[definition]), &scan).into_iter().map(|r| (r.id, r.pointer)).collect()
    }

    #[test]
    fn texts_are_looked_at_wherever_they_stand() {
        let schema = json!({"type": "object", "properties": {"a/b": {"description": "evil"}}});
        assert_eq!(
            ids(json!({"name": "get_x", "inputSchema": schema})),
            [("injection", "/inputSchema/properties/a~1b/description".into())]
        );
        assert_eq!(ids(json!({"name": "get_x", "evil member": 1})), [("injection", String::new())]);
    }

    #[test]
    fn each_trick_has_its_risk() {
        let described = json!({"type": "object", "properties": {"path": {"type": "string"}}});
        let deep = (0..40).fold(json!({}), |inner, _| json!({"properties": inner}));
        for (definition, id) in [
            (
                json!({"name": "get_x", "inputSchema": {"properties": {"a": {"$ref": "https://x.io/s.json"}}}}),
                "schema-reference",
            ),
            (json!({"name": "get_x", "inputSchema": deep}), "schema-depth"),
            (json!({"name": "get_\u{445}", "inputSchema": described}), "odd-name"),
            (
                json!({"name": "delete_x", "inputSchema": described, "annotations": {"readOnlyHint": true}}),
                "claims-read-only",
            ),
            (json!({"name": "run_x", "inputSchema": described}), "runs-code"),
            (json!({"name": "do_x", "inputSchema": {"type": "object"}}), "open-arguments"),
        ] {
            let found = ids(definition.clone());
            assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id], "{definition}");
        }
        let harmless =
            json!({"name": "read_x", "inputSchema": {"$schema": "https://json-schema.org/draft/2020-12/schema"}});
        assert_eq!(ids(harmless), []);
    }

    #[test]
    fn names_that_differ_in_case_only_are_confusable() {
        for (other, ids) in [("Get_X", &["double-name"][..]), ("g\u{435}t_x", &["odd-name", "double-name"])] {
            let schema = json!({"properties": {"path": {}}});
            let both = tools(&[json!({"name": "get_x"}), json!({"name": other, "inputSchema": schema})]);
            assert_eq!(risks(&both, &scan).iter().map(|r| r.id).collect::<Vec<_>>(), ids, "{other}");
        }
    }
}

//! The text of a file of overrides. Entries are put in and taken out as text, so that whatever a person wrote around them
//! stays, and every result is read again: what cannot be edited without doubt is left alone.

use std::{collections::BTreeMap, ops::Range};

use rampart_policy::{Override, OverrideAction};
use serde::Deserialize;
use serde_json::Value;
use serde_yaml::Spanned;

/// Why a text is left alone.
type Unclear = String;

/// One entry: a policy of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// As the file says it.
    pub policy: Value,
    /// Byte of the text where its mapping begins.
    start: usize,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    policies: Vec<Spanned<Value>>,
}

/// The entries of a file, in its order.
///
/// # Errors
/// When the text is no YAML with a list of policies.
pub fn entries(text: &str) -> Result<Vec<Entry>, Unclear> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let file: File = serde_yaml::from_str(text).map_err(|e| e.without_snippet().to_string())?;
    let entry = |policy: Spanned<Value>| {
        let start = policy.defined.span().byte_offset().and_then(|at| usize::try_from(at).ok());
        Some(Entry { policy: policy.value, start: start? })
    };
    file.policies
        .into_iter()
        .map(entry)
        .collect::<Option<_>>()
        .ok_or_else(|| "an entry has no place in the text".to_owned())
}

/// The text with one more entry at the end of its list. `item` is indented by two spaces, as [`Override::to_policy`]
/// writes it; `head` begins a file that has nothing yet.
///
/// # Errors
/// When the text is not laid out in lines that can be added to.
pub fn with(text: &str, item: &str, head: &str) -> Result<String, Unclear> {
    let before = entries(text)?;
    let new = if text.trim().is_empty() {
        format!("{head}policies:\n{item}")
    } else if let Some(last) = before.last() {
        let lines = lines_of(text, last)?;
        let dash = indent_at(text, last)?;
        let mut front = text.get(..lines.end).unwrap_or_default().to_owned();
        if !front.ends_with('\n') {
            front.push('\n');
        }
        front + &indented(item, dash) + text.get(lines.end..).unwrap_or_default()
    } else {
        let empty = text.lines().find(|l| l.starts_with("policies:")).ok_or("the file has no list `policies:`")?;
        text.replacen(empty, &format!("policies:\n{}", item.trim_end()), 1)
    };
    let mut expected: Vec<Value> = before.into_iter().map(|e| e.policy).collect();
    expected.extend(entries(&format!("policies:\n{item}"))?.into_iter().map(|e| e.policy));
    checked(new, &expected)
}

/// The text without one entry, counted from 0, and without the comments that stand directly above it.
///
/// # Errors
/// When the entry does not stand in lines of its own.
pub(super) fn without(text: &str, index: usize) -> Result<String, Unclear> {
    let mut all = entries(text)?;
    let entry = all.get(index).ok_or("there is no such entry")?;
    let lines = lines_of(text, entry)?;
    let head = text.get(..lines.start).unwrap_or_default();
    let comments =
        head.split_inclusive('\n').rev().take_while(|l| l.starts_with(' ') && l.trim_start().starts_with('#'));
    let start = lines.start - comments.map(str::len).sum::<usize>();
    all.remove(index);
    let mut head = text.get(..start).unwrap_or_default().to_owned();
    if all.is_empty() {
        let at = head.rfind("policies:").ok_or("the file has no list `policies:`")?;
        head.insert_str(at + "policies:".len(), " []");
    }
    let expected: Vec<Value> = all.into_iter().map(|e| e.policy).collect();
    checked(head + text.get(lines.end..).unwrap_or_default(), &expected)
}

fn checked(text: String, expected: &[Value]) -> Result<String, Unclear> {
    let found = entries(&text).map(|all| all.into_iter().map(|e| e.policy).collect::<Vec<_>>());
    if found.is_ok_and(|found| found == expected) {
        return Ok(text);
    }
    Err("the file is laid out in a way that cannot be edited line by line; edit it by hand".to_owned())
}

/// The column of the entry's dash.
fn indent_at(text: &str, entry: &Entry) -> Result<usize, Unclear> {
    let head = text.get(..entry.start).unwrap_or_default();
    let line = head.rsplit('\n').next().unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    if line.trim() != "-" {
        return Err("an entry does not stand in lines of its own; edit the file by hand".into());
    }
    Ok(indent)
}

/// The bytes of the lines that an entry takes up, without blank lines and comments behind it.
fn lines_of(text: &str, entry: &Entry) -> Result<Range<usize>, Unclear> {
    let dash = indent_at(text, entry)?;
    let start = text.get(..entry.start).and_then(|head| head.rfind('\n')).map_or(0, |at| at + 1);
    let (mut at, mut end) = (start, start);
    for (number, line) in text.get(start..).unwrap_or_default().split_inclusive('\n').enumerate() {
        let content = line.trim();
        let deeper = line.len() - line.trim_start().len() > dash;
        if number > 0 && !content.is_empty() && !deeper && !content.starts_with('#') {
            break;
        }
        at += line.len();
        if number == 0 || (deeper && !content.is_empty()) {
            end = at;
        }
    }
    Ok(start..end)
}

/// `item` with its dash in another column.
fn indented(item: &str, column: usize) -> String {
    let shifted =
        item.lines().map(|line| format!("{}{}\n", " ".repeat(column), line.strip_prefix("  ").unwrap_or(line)));
    shifted.collect()
}

impl Entry {
    fn text(&self, pointer: &str) -> Option<&str> {
        self.policy.pointer(pointer).and_then(Value::as_str)
    }

    /// Its name, which is unique in the file.
    pub fn name(&self) -> &str {
        self.text("/name").unwrap_or_default()
    }

    /// Where it comes from, if it says.
    pub fn origin(&self) -> &str {
        self.text("/description").unwrap_or_default()
    }

    /// From when on it no longer holds, as the file says it.
    pub fn expires_at(&self) -> Option<&str> {
        self.text("/rules/0/expires_at")
    }

    /// The same in milliseconds since 1970 UTC.
    pub fn ends_ms(&self) -> Option<u64> {
        let at: jiff::Timestamp = self.expires_at()?.parse().ok()?;
        Some(u64::try_from(at.as_millisecond()).unwrap_or(0))
    }

    /// The patterns of `tool_param_matches`, as [`Override::to_policy`] writes them.
    fn params(&self) -> BTreeMap<String, Vec<String>> {
        let named = self.policy.pointer("/rules/0/when/tool_param_matches").and_then(Value::as_object);
        let list = |value: &Value| {
            let texts = value.as_array().into_iter().flatten();
            texts.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        named.into_iter().flatten().map(|(name, value)| (name.clone(), list(value))).collect()
    }

    /// What `rampart allow` or `rampart block` would be told to write it again; none for what a person wrote otherwise.
    pub fn as_override(&self) -> Option<Override> {
        let action = match self.text("/rules/0/action")? {
            "allow" => OverrideAction::Allow,
            "deny" => OverrideAction::Deny,
            "ask" => OverrideAction::Ask,
            _ => return None,
        };
        let tool = self.text("/match/tool/0")?;
        let pattern = |key: &str| self.text(&format!("/rules/0/when/{key}/0"));
        let keys = ["command_matches", "path_matches", "url_matches", "domain_matches"];
        let (tool, pattern) = match (self.text("/match/server/0"), keys.into_iter().find_map(pattern)) {
            (Some(server), _) => (Some("mcp"), format!("{server}/{tool}")),
            (None, Some(pattern)) => (Some(tool).filter(|t| *t != "exec"), pattern.to_owned()),
            (None, None) => (Some(tool), "*".to_owned()),
        };
        let rule = Override {
            action,
            tool: tool.map(str::to_owned),
            pattern,
            params: self.params(),
            description: self.text("/description").map(str::to_owned),
            message: self.text("/rules/0/message").map(str::to_owned),
            expires_at: self.text("/rules/0/expires_at").map(str::to_owned),
            once: self.policy.pointer("/rules/0/once").and_then(Value::as_bool).unwrap_or(false),
        };
        // What a person added to it would be lost in the retelling.
        let again = entries(&format!("policies:\n{}", rule.to_policy(self.name()))).ok()?;
        again.first().is_some_and(|e| e.policy == self.policy).then_some(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# head\nversion: \"1\"\n";

    fn item(name: &str) -> String {
        Override { pattern: format!("{name} *"), ..Override::default() }.to_policy(name)
    }

    fn names(text: &str) -> Vec<String> {
        entries(text).unwrap().iter().map(|e| e.name().to_owned()).collect()
    }

    #[test]
    fn entries_come_and_go_and_the_rest_of_the_text_stays() {
        let one = with("", &item("one"), HEAD).unwrap();
        assert!(one.starts_with(HEAD), "{one}");
        let two = with(&one, &item("two"), HEAD).unwrap();
        let noted = two.replace("  - name: \"two\"", "\n  # why two is here\n  - name: \"two\"") + "# the end\n";
        let three = with(&noted, &item("three"), HEAD).unwrap();
        assert_eq!(names(&three), ["one", "two", "three"], "{three}");
        assert!(three.contains("# why two") && three.ends_with("# the end\n"), "{three}");
        let left = without(&three, 1).unwrap();
        assert_eq!(names(&left), ["one", "three"], "{left}");
        assert!(!left.contains("# why two") && left.ends_with("# the end\n"), "{left}");
        let none = without(&without(&left, 0).unwrap(), 0).unwrap();
        assert_eq!(names(&none), [] as [&str; 0], "{none}");
        assert_eq!(names(&with(&none, &item("again"), HEAD).unwrap()), ["again"]);
    }

    #[test]
    fn a_layout_of_a_persons_own_is_kept_or_left_alone() {
        let flat = "policies:\n- name: a\n  rules:\n  - action: deny\n    when: {default: true}\ntests: []\n";
        let more = with(flat, &item("b"), HEAD).unwrap();
        assert_eq!(names(&more), ["a", "b"]);
        assert!(more.contains("\n- name: \"b\"\n") && more.ends_with("tests: []\n"), "{more}");
        let flow = "policies: [{name: a, rules: [{action: deny, when: {default: true}}]}]\n";
        assert!(with(flow, &item("b"), HEAD).is_err());
        assert!(without(flow, 0).is_err());
        assert_eq!(names(&with("version: \"1\"\npolicies: []\n", &item("b"), HEAD).unwrap()), ["b"]);
    }

    #[test]
    fn an_entry_is_told_as_the_command_that_made_it_or_not_at_all() {
        for (tool, pattern) in [
            (None, "npm install *"),
            (Some("read"), "~/x/**"),
            (Some("fetch"), "api.x.io"),
            (Some("fetch"), "https://x.io/*"),
            (Some("mcp"), "github/create_issue"),
            (Some("WebSearch"), "*"),
        ] {
            let rule = Override { tool: tool.map(str::to_owned), pattern: pattern.into(), ..Override::default() };
            let text = with("", &rule.to_policy("x"), HEAD).unwrap();
            let entry = entries(&text).unwrap().remove(0);
            assert_eq!(entry.as_override(), Some(rule), "{text}");
        }
        let rule = Override {
            tool: Some("mcp".into()),
            pattern: "files/read".into(),
            params: [("path".to_owned(), vec!["/a/*".to_owned(), r"/b \*".to_owned()])].into(),
            ..Override::default()
        };
        assert_eq!(
            rule.command_line(),
            r#"rampart allow --tool mcp "files/read" --param "path=/a/*" --param 'path=/b \*'"#
        );
        let text = with("", &rule.to_policy("x"), HEAD).unwrap();
        assert_eq!(entries(&text).unwrap().remove(0).as_override(), Some(rule), "{text}");
        let text = with("", &item("x"), HEAD).unwrap().replace("    match:", "    priority: 3\n    match:");
        assert_eq!(entries(&text).unwrap().remove(0).as_override(), None);
    }
}

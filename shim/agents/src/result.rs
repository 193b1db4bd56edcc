//! A tool's result in the host's own shape: its text for judging, and the same shape with other text.
//!
//! Hosts drop a replacement that does not have the tool's shape and show the original, so only strings change.

use rampart_call::Edit;
use serde_json::Value;

/// Between the strings of a result.
const BETWEEN: &str = "\n";

/// Whether a member says what kind of thing its object is. Hosts validate these, so they are neither judged nor
/// changed; and they are short plain words, so that nothing hides there.
fn is_kind(name: &str, value: &Value) -> bool {
    let plain = |word: &str| word.len() <= 24 && word.bytes().all(|b| b.is_ascii_lowercase() || b"_-/".contains(&b));
    ["type", "status", "mimeType", "resultType"].contains(&name) && value.as_str().is_some_and(plain)
}

/// Every string of a result, each on lines of its own. Edits refer to byte offsets in this text.
pub(crate) fn text(result: &Value) -> String {
    let mut all = Vec::new();
    strings(result, &mut all);
    all.join(BETWEEN)
}

fn strings<'v>(value: &'v Value, all: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => all.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, all)),
        Value::Object(members) => {
            members.iter().filter(|(name, member)| !is_kind(name, member)).for_each(|(_, member)| strings(member, all));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The result with edits made.
pub(crate) fn edited(result: &Value, edits: &[Edit]) -> Value {
    let mut edits: Vec<&Edit> = edits.iter().filter(|e| e.span.start < e.span.end).collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut result = result.clone();
    edit_strings(&mut result, &mut 0, &edits);
    result
}

fn edit_strings(value: &mut Value, offset: &mut usize, edits: &[&Edit]) {
    match value {
        Value::String(text) => {
            let start = *offset;
            *offset += text.len() + BETWEEN.len();
            *text = edit_string(text, start, edits);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| edit_strings(item, offset, edits)),
        Value::Object(members) => {
            let said = members.iter_mut().filter(|(name, member)| !is_kind(name, member));
            said.for_each(|(_, member)| edit_strings(member, offset, edits));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// One string that stands at `start` of the whole text. An edit that spans several strings is cut out of each.
fn edit_string(text: &str, start: usize, edits: &[&Edit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        // Outwards to whole characters: rather a character too many than half a secret.
        let from = text.floor_char_boundary(edit.span.start.saturating_sub(start)).max(done);
        let to = text.ceil_char_boundary(edit.span.end.saturating_sub(start));
        if to <= from || edit.span.start >= start + text.len() {
            continue;
        }
        out.push_str(text.get(done..from).unwrap_or_default());
        out.push_str(&edit.with);
        done = to;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// The result with `message` in place of everything it said.
pub(crate) fn withheld(result: &Value, message: &str) -> Value {
    let mut result = result.clone();
    let mut message = Some(message);
    withhold(&mut result, &mut message);
    result
}

fn withhold(value: &mut Value, message: &mut Option<&str>) {
    match value {
        Value::String(text) => message.take().unwrap_or_default().clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| withhold(item, message)),
        Value::Object(members) => {
            let said = members.iter_mut().filter(|(name, member)| !is_kind(name, member));
            said.for_each(|(_, member)| withhold(member, message));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use rampart_call::Span;
    use serde_json::json;

    use super::*;

    fn cut(result: &Value, secrets: &[&str]) -> Value {
        let whole = text(result);
        let edit = |secret: &&str| {
            let start = whole.find(*secret).unwrap();
            Edit { span: Span { start, end: start + secret.len() }, with: "[x]".into() }
        };
        edited(result, &secrets.iter().map(edit).collect::<Vec<_>>())
    }

    #[test]
    fn edits_land_in_the_string_they_mean() {
        let result = json!({"a": "one", "b": ["two", {"c": "thrée four"}], "n": 3, "z": "five"});
        assert_eq!(text(&result), "one\ntwo\nthrée four\nfive");
        assert_eq!(
            cut(&result, &["four", "one", "wo"]),
            json!({"a": "[x]", "b": ["t[x]", {"c": "thrée [x]"}], "n": 3, "z": "five"})
        );
        assert_eq!(
            cut(&result, &["e\ntwo\nthr"]),
            json!({"a": "on[x]", "b": ["[x]", {"c": "[x]ée four"}], "n": 3, "z": "five"})
        );
        assert_eq!(cut(&result, &[]), result);
    }

    #[test]
    fn overlapping_edits_leave_nothing_of_either() {
        let result = json!("abcdef");
        let edit = |start, end| Edit { span: Span { start, end }, with: "-".into() };
        assert_eq!(edited(&result, &[edit(1, 4), edit(2, 5), edit(1, 3)]), json!("a---f"));
        assert_eq!(edited(&result, &[edit(4, 99), edit(3, 3), edit(50, 60)]), json!("abcd-"));
        assert_eq!(edited(&json!("é"), &[edit(0, 1)]), json!("-"));
    }

    #[test]
    fn the_kind_of_an_object_is_not_text_but_nothing_can_hide_there() {
        let result = json!({"status": "completed", "text": "a", "type": "AKIAIOSFODNN7EXAMPLE"});
        assert_eq!(text(&result), "a\nAKIAIOSFODNN7EXAMPLE");
        assert_eq!(cut(&result, &["AKIAIOSFODNN7EXAMPLE"]), json!({"status": "completed", "text": "a", "type": "[x]"}));
    }

    #[test]
    fn what_is_withheld_keeps_its_shape() {
        let result = json!([{"type": "text", "text": "secret"}, {"type": "text", "text": "more"}]);
        assert_eq!(withheld(&result, "no"), json!([{"type": "text", "text": "no"}, {"type": "text", "text": ""}]));
    }
}

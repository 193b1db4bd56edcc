//! A record of the audit trail as one line for a person. `log`, `audit tail` and what else shows records look alike.

use rampart_call::{Action, Outcome};
use rampart_scan::visible;
use serde_json::Value;

use crate::printer::{DIM, outcome_style, styled};

/// What a person sees of a record: decisions in one line (two where something was stopped), anything else by its type.
pub(crate) fn line(record: &Value) -> String {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    let time = styled(DIM, local_time(text("at")));
    let kind = text("type");
    let Some(outcome) = outcome(text("outcome")) else {
        let what = ["event", "subject", "message"].map(text).join(" ");
        return format!("{time}  {}", styled(DIM, visible(format!("{kind} {what}").trim())));
    };
    let actor = |key: &str| record.pointer(&format!("/actor/{key}")).and_then(Value::as_str).unwrap_or_default();
    let rule = record.pointer("/rule/policy").and_then(Value::as_str).unwrap_or(text("reason"));
    let tool = if kind == "result" { "resp" } else { text("tool") };
    let mut line = format!(
        "{time}  {}  {tool:<5}  {}  {}",
        styled(outcome_style(outcome), format!("{outcome:<5}")),
        shortened(&visible(&subject(record))),
        styled(DIM, format!("[{}] {}", visible(rule), visible(actor("agent"))).trim()),
    );
    if !outcome.passes() && !text("message").is_empty() {
        line.push_str(&format!("\n          {} {}", styled(DIM, "→"), visible(text("message"))));
    }
    line
}

/// What the call was about.
fn subject(record: &Value) -> String {
    let action = record.get("action").cloned().unwrap_or_default();
    serde_json::from_value::<Action>(action).map(|action| action.subject()).unwrap_or_default()
}

fn outcome(word: &str) -> Option<Outcome> {
    [Outcome::Allow, Outcome::Watch, Outcome::Ask, Outcome::Webhook, Outcome::Deny]
        .into_iter()
        .find(|o| o.as_str() == word)
}

/// The time of day here; the date too when it is not today.
pub(crate) fn local_time(text: &str) -> String {
    let Ok(stamp) = text.parse::<jiff::Timestamp>() else { return text.to_owned() };
    let zoned = stamp.to_zoned(jiff::tz::TimeZone::system());
    let today = jiff::Zoned::now().date() == zoned.date();
    zoned.strftime(if today { "%H:%M:%S" } else { "%F %H:%M:%S" }).to_string()
}

/// Long subjects keep both ends: what is dangerous often stands at the end.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    let count = text.chars().count();
    if count <= MOST {
        return text.to_owned();
    }
    let head: String = text.chars().take(MOST / 2).collect();
    let tail: String = text.chars().skip(count - MOST / 2).collect();
    format!("{head} … {tail}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_denial_is_two_lines_and_what_it_holds_is_made_visible() {
        let record = json!({
            "at": "2020-01-02T03:04:05.678Z", "type": "decision", "outcome": "deny", "tool": "exec", "reason": "rule",
            "rule": {"policy": "block-destructive"}, "message": "no\u{1b}[2J", "actor": {"agent": "claude-code"},
            "action": {"type": "exec", "command": "rm -rf /\u{202e}"}
        });
        let plain = anstream::adapter::strip_str(&line(&record)).to_string();
        assert!(plain.contains("deny   exec   rm -rf /"), "{plain}");
        assert!(plain.contains("[block-destructive] claude-code"), "{plain}");
        assert!(!plain.contains('\u{1b}') && !plain.contains('\u{202e}'), "{plain:?}");
    }

    #[test]
    fn a_long_subject_keeps_its_end() {
        let text = format!("{}rm -rf /", "a".repeat(500));
        assert!(shortened(&text).ends_with("rm -rf /"));
    }
}

//! A record of the audit trail as one line for a person. `log`, `audit tail` and what else shows records look alike.

use anstyle::Style;
use rampart_call::{Action, Outcome};
use rampart_scan::visible;
use serde_json::Value;

use crate::printer::{DIM, Printer, outcome_style, styled};

/// Where a long line goes on, and why something was stopped.
const HANG: usize = 12;

/// Prints what a person sees of a record.
pub(crate) fn show(record: &Value, printer: Printer) {
    printer.hung(HANG, lines(record));
}

/// The same of a decision, and below it how the question ended that it asked.
pub(crate) fn show_with(record: &Value, ending: Option<&Value>, printer: Printer) {
    show(record, printer);
    if let Some(ending) = ending {
        printer.hung(HANG, format!("          {} {}", styled(DIM, "→"), ended(ending)));
    }
}

/// How a question ended: by whom, by which way, how far it reaches, and why.
fn ended(step: &Value) -> String {
    let text = |key: &str| visible(step.get(key).and_then(Value::as_str).unwrap_or_default());
    let with = |before: &str, key: &str, behind: &str| match text(key) {
        text if text.is_empty() => text,
        text => format!("{before}{text}{behind}"),
    };
    let event = text("event");
    let who = format!("{}{}", with(" by ", "by", ""), with(" (", "from", ")"));
    format!("{}{who}{}{}", styled(event_style(&event), &event), with(", ", "scope", ""), with(": ", "message", ""))
}

/// The colour of what became of a question, a rule or a setting.
fn event_style(event: &str) -> Style {
    match event {
        "granted" => outcome_style(Outcome::Allow),
        "denied" | "refused" | "rejected" => outcome_style(Outcome::Deny),
        "asked" | "expired" | "cancelled" => outcome_style(Outcome::Ask),
        _ => DIM,
    }
}

/// Decisions in one line, two where something was stopped; anything else by its type, in the same columns.
fn lines(record: &Value) -> String {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    let time = styled(DIM, local_time(text("at")));
    let kind = text("type");
    let Some(outcome) = outcome(text("outcome")) else {
        let event = visible(text("event"));
        let style = event_style(text("event"));
        // Of an answer by whom and which way; of trouble why.
        let what = ["subject", "by", "from", "scope", "message", "reason", "cause"].map(text);
        let what = what.iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join("  ");
        let line = format!("{time}  {}  {kind}", styled(style, format!("{event:<7}")));
        return if what.is_empty() {
            line
        } else {
            format!("{line}{:1$}  {2}", "", 8_usize.saturating_sub(kind.len()), styled(DIM, visible(&what)))
        };
    };
    let actor = |key: &str| record.pointer(&format!("/actor/{key}")).and_then(Value::as_str).unwrap_or_default();
    let rule = record.pointer("/rule/policy").and_then(Value::as_str).unwrap_or(text("reason"));
    let tool = if kind == "result" { "resp" } else { text("tool") };
    let mut line = format!(
        "{time}  {}  {tool:<8}  {}  {}",
        styled(outcome_style(outcome), format!("{outcome:<7}")),
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
        let plain = anstream::adapter::strip_str(&lines(&record)).to_string();
        assert!(plain.contains("deny     exec      rm -rf /"), "{plain}");
        assert!(plain.contains("[block-destructive] claude-code"), "{plain}");
        assert!(!plain.contains('\u{1b}') && !plain.contains('\u{202e}'), "{plain:?}");
    }

    #[test]
    fn what_is_no_decision_stands_in_the_same_columns() {
        for (record, wanted) in [
            (
                json!({"type": "approval", "event": "granted", "by": "ann", "from": "cli", "scope": "1h"}),
                "granted  approval  ann  cli  1h",
            ),
            (json!({"type": "policy", "event": "loaded", "subject": "a.yaml"}), "loaded   policy    a.yaml"),
            (json!({"type": "checkpoint"}), "         checkpoint"),
            (json!({"type": "gap", "reason": "notify", "cause": "gone"}), "         gap       notify  gone"),
        ] {
            let plain = anstream::adapter::strip_str(&lines(&record)).to_string();
            assert_eq!(plain.strip_prefix("  "), Some(wanted));
        }
    }

    #[test]
    fn how_a_question_ended_is_one_line() {
        for (step, wanted) in [
            (json!({"event": "granted", "by": "ann", "from": "cli", "scope": "1h"}), "granted by ann (cli), 1h"),
            (
                json!({"event": "denied", "by": "ann", "from": "link", "message": "no\u{1b}[2J"}),
                "denied by ann (link): no",
            ),
            (json!({"event": "expired"}), "expired"),
        ] {
            let plain = anstream::adapter::strip_str(&ended(&step)).to_string();
            assert!(plain.starts_with(wanted) && !plain.contains('\u{1b}'), "{plain:?}");
        }
    }

    #[test]
    fn a_long_subject_keeps_its_end() {
        let text = format!("{}rm -rf /", "a".repeat(500));
        assert!(shortened(&text).ends_with("rm -rf /"));
    }
}

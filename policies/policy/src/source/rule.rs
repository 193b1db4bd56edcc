//! A rule as it is written.

use std::ops::Range;

use rampart_call::Outcome;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Match, word_of_action};
use crate::{
    AskOptions, Layer, Webhook,
    condition::When,
    read::{Fields, Placed, Reader},
    yaml::{Node, Value},
};

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Allow,
    Watch,
    Ask,
    Deny,
    Webhook,
    /// Takes what was found out of a response.
    Redact,
}

impl Action {
    const WORDS: [(&'static str, Self); 6] = [
        ("allow", Self::Allow),
        ("watch", Self::Watch),
        ("ask", Self::Ask),
        ("deny", Self::Deny),
        ("webhook", Self::Webhook),
        ("redact", Self::Redact),
    ];

    /// What the call becomes. A response that is redacted goes on, where people look.
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Allow => Outcome::Allow,
            Self::Watch | Self::Redact => Outcome::Watch,
            Self::Ask => Outcome::Ask,
            Self::Deny => Outcome::Deny,
            Self::Webhook => Outcome::Webhook,
        }
    }
}

/// A rule.
#[derive(Debug, Clone)]
pub(crate) struct RuleSource {
    pub(crate) action: Placed<Action>,
    pub(crate) when: When,
    pub(crate) message: String,
    pub(crate) ask: AskOptions,
    pub(crate) webhook: Option<Webhook>,
    pub(crate) expires_at_ms: Option<i64>,
    pub(crate) once: bool,
    pub(crate) locked: bool,
    pub(crate) span: Range<usize>,
    /// What stands in the file, for the rule's id.
    pub(crate) text: String,
}

impl RuleSource {
    pub(super) fn read(node: &Node, layer: Layer, matching: &Match, reader: &mut Reader<'_>) -> Option<Self> {
        let mut fields = reader.fields(node, "a rule")?;
        let action = action(&mut fields, node, reader);
        let when = match fields.take_with_key("when") {
            Some((key, when)) if when.value == Value::Null => {
                reader.error_with("empty-when", &key.span, "`when` is empty", ALWAYS);
                None
            }
            Some((_, when)) => When::read(when, reader),
            // With a `match` that selects calls, a rule without conditions says what it means.
            None if matching.is_set() => Some(When { default: true, ..When::default() }),
            None if fields.misspells("when") => None,
            None => {
                reader.error_with(
                    "missing-when",
                    &node.span,
                    "the rule has no `when` and its policy no `match`",
                    ALWAYS,
                );
                None
            }
        };
        let message = fields.take("message").and_then(|n| reader.text(n, "message")).map(|t| t.value);
        let ask = ask(&mut fields, action.as_ref(), reader);
        let webhook = webhook(&mut fields, action.as_ref(), node, reader);
        let expires_at_ms = expires_at(&mut fields, reader);
        let once = fields.take("once").and_then(|n| reader.flag(n, "once")).unwrap_or(false);
        let locked = locked(&mut fields, action.as_ref(), layer, reader);
        fields.finish(reader);
        let (action, when) = (action?, when?);
        Some(Self {
            action,
            when,
            message: message.unwrap_or_default(),
            ask,
            webhook,
            expires_at_ms,
            once,
            locked,
            span: node.span.clone(),
            text: reader.source(&node.span).to_owned(),
        })
    }
}

const ALWAYS: &str = "write `when: { default: true }` if it is to match every call that the policy's `match` selects";

fn action(fields: &mut Fields<'_>, node: &Node, reader: &mut Reader<'_>) -> Option<Placed<Action>> {
    let Some(node) = fields.take("action") else {
        if fields.misspells("action") {
            return None;
        }
        reader.error_with(
            "missing-key",
            &node.span,
            "the rule has no `action`",
            "write `allow`, `watch`, `ask` or `deny`",
        );
        return None;
    };
    let text = reader.text(node, "action")?;
    let value = word_of_action(&text, "an action", &Action::WORDS, reader)?;
    Some(Placed { value, span: text.span })
}

fn ask(fields: &mut Fields<'_>, action: Option<&Placed<Action>>, reader: &mut Reader<'_>) -> AskOptions {
    let Some((key, node)) = fields.take_with_key("ask") else { return AskOptions::default() };
    if action.is_some_and(|a| a.value != Action::Ask) {
        reader.error("not-here", &key.span, "`ask` belongs to rules with `action: ask`");
    }
    let Some(mut fields) = reader.fields(node, "`ask`") else { return AskOptions::default() };
    let audit = fields.take("audit").and_then(|n| reader.flag(n, "audit")).unwrap_or(false);
    let headless_only = fields.take("headless_only").and_then(|n| reader.flag(n, "headless_only")).unwrap_or(false);
    let approvals = fields.take("approvals").and_then(|n| approvals(n, reader)).unwrap_or(1);
    fields.finish(reader);
    AskOptions { audit, headless_only, approvals }
}

fn approvals(node: &Node, reader: &mut Reader<'_>) -> Option<u8> {
    const MOST: u8 = AskOptions::MOST_APPROVALS;
    let number = reader.number(node, "approvals")?;
    let people = u8::try_from(number).ok().filter(|n| (1..=MOST).contains(n));
    if people.is_none() {
        reader.error("bad-number", &node.span, format!("`approvals` is how many people must agree, 1 to {MOST}"));
    }
    people
}

fn webhook(
    fields: &mut Fields<'_>,
    action: Option<&Placed<Action>>,
    rule: &Node,
    reader: &mut Reader<'_>,
) -> Option<Webhook> {
    let wanted = action.is_some_and(|a| a.value == Action::Webhook);
    let Some((key, node)) = fields.take_with_key("webhook") else {
        if wanted {
            let help = "write `webhook: { url: \"http://localhost:8090/verify\" }`";
            reader.error_with("missing-key", &rule.span, "`action: webhook` needs the key `webhook`", help);
        }
        return None;
    };
    if action.is_some() && !wanted {
        reader.error("not-here", &key.span, "`webhook` belongs to rules with `action: webhook`");
    }
    let mut fields = reader.fields(node, "`webhook`")?;
    let url = fields.take("url").and_then(|n| reader.text(n, "url"));
    let timeout = fields.take("timeout").and_then(|n| reader.duration(n, "timeout"));
    let fail_open = fields.take("fail_open").and_then(|n| reader.flag(n, "fail_open")).unwrap_or(false);
    fields.finish(reader);
    let Some(url) = url else {
        reader.error("missing-key", &node.span, "`webhook` needs the key `url`");
        return None;
    };
    if !url::Url::parse(&url.value).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host()) {
        let message = format!("`{}` is not a URL that can be called", url.value);
        reader.error_with("bad-url", &url.span, message, "write it like `https://host/path`");
    }
    Some(Webhook { url: url.value, timeout_ms: timeout.unwrap_or(Webhook::DEFAULT_TIMEOUT_MS), fail_open })
}

fn expires_at(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<i64> {
    let text = fields.take("expires_at").and_then(|n| reader.text(n, "expires_at"))?;
    let Ok(at) = OffsetDateTime::parse(text.value.trim(), &Rfc3339) else {
        let message = format!("`{}` is not a point in time", text.value);
        reader.error_with("bad-time", &text.span, message, "write it like `2026-12-31T18:00:00Z`");
        return None;
    };
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

fn locked(fields: &mut Fields<'_>, action: Option<&Placed<Action>>, layer: Layer, reader: &mut Reader<'_>) -> bool {
    let Some((key, node)) = fields.take_with_key("locked") else { return false };
    let locked = reader.flag(node, "locked").unwrap_or(false);
    if locked && action.is_some_and(|a| a.value != Action::Deny) {
        reader.error_with("not-here", &key.span, "only a `deny` can be locked", "remove `locked`");
    }
    if locked && layer == Layer::Project {
        reader.error_with("not-here", &key.span, "a project cannot lock a rule against its user", "remove `locked`");
    }
    locked
}

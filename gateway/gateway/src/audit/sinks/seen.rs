//! A record of the trail as the renderers look at it. Its secrets are gone already; here what is hidden shows.

use rampart_call::{Action, Outcome};
use serde_json::{Map, Value};

use super::super::record::Kind;
use rampart_scan::shown::one_line;

/// Characters of a value.
const VALUE: usize = 1000;
/// Characters of what would be done.
const SUBJECT: usize = 3000;
/// Members that stand elsewhere in a message.
const ELSEWHERE: [&str; 4] = ["v", "type", "at", "message"];

/// One record.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) kind: Kind,
    members: Map<String, Value>,
}

impl Seen {
    /// Reads a line of the trail. None when it is not one of ours.
    pub(super) fn new(line: &str) -> Option<Self> {
        let members: Map<String, Value> = serde_json::from_str(line).ok()?;
        let kind = Kind::from_word(members.get("type")?.as_str()?)?;
        Some(Self { kind, members })
    }

    /// When it was written (RFC 3339).
    pub(super) fn at(&self) -> &str {
        self.members.get("at").and_then(Value::as_str).unwrap_or("-")
    }

    /// The same in milliseconds since 1970.
    pub(super) fn at_ms(&self) -> i64 {
        self.at().parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond)
    }

    /// A member that is a text or a number, also one of `actor` or `rule` (`actor.agent`). Empty where there is none.
    pub(super) fn text(&self, name: &str) -> String {
        let value = match name.split_once('.') {
            Some((group, name)) => self.members.get(group).and_then(|group| group.get(name)),
            None => self.members.get(name),
        };
        value.and_then(plain).unwrap_or_default()
    }

    pub(super) fn outcome(&self, name: &str) -> Option<Outcome> {
        serde_json::from_value(self.members.get(name)?.clone()).ok()
    }

    /// What was refused, or would have been but for the mode.
    pub(super) fn is_denial(&self) -> bool {
        [self.outcome("verdict"), self.outcome("outcome")].contains(&Some(Outcome::Deny))
    }

    pub(super) fn action(&self) -> Option<Action> {
        serde_json::from_value(self.members.get("action")?.clone()).ok()
    }

    /// What exactly would be done.
    pub(super) fn subject(&self) -> String {
        self.action().map(|action| one_line(&action.subject(), SUBJECT)).unwrap_or_default()
    }

    /// Every text and number of the record with its name.
    pub(super) fn values(&self) -> Vec<(&str, String)> {
        let mut values = Vec::new();
        for (name, value) in &self.members {
            match (name.as_str(), value) {
                (name, _) if ELSEWHERE.contains(&name) => {}
                ("actor", Value::Object(actor)) => {
                    values.extend(actor.iter().filter_map(|(name, value)| Some((name.as_str(), plain(value)?))));
                }
                ("rule", Value::Object(rule)) => {
                    values.extend(rule.get("policy").and_then(plain).map(|policy| ("policy", policy)));
                    values.extend(rule.get("index").and_then(plain).map(|index| ("rule", index)));
                }
                (name, value) => values.extend(plain(value).map(|value| (name, value))),
            }
        }
        values.retain(|(_, value)| !value.is_empty());
        values
    }

    /// The record as a sentence.
    pub(super) fn sentence(&self) -> String {
        let message = self.text("message");
        if matches!(self.kind, Kind::Decision | Kind::Result) {
            let what = if self.kind == Kind::Result { "response to " } else { "" };
            let (verdict, tool, agent) = (self.text("verdict"), self.text("tool"), self.text("actor.agent"));
            let by = if agent.is_empty() { String::new() } else { format!(" by {agent}") };
            let why = if message.is_empty() { String::new() } else { format!(" ({message})") };
            return format!("{verdict} {what}{tool}{by}: {}{why}", self.subject());
        }
        let parts = [self.kind.as_str().to_owned(), self.text("event"), self.text("reason"), self.text("subject")];
        let more = [self.text("cause"), message];
        parts.into_iter().chain(more).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(one_line(text, VALUE)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

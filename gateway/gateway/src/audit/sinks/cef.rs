//! Common Event Format, version 0 (ArcSight's "Implementing CEF", revision 25), behind an RFC 5424 header. Keys are those
//! of its dictionary; what it has no key for stands in the custom strings, each with its label.

use rampart_call::{Action, Outcome};

use super::{super::record::Kind, Seen, syslog::Sender};
use rampart_scan::shown::cut;

pub(super) fn render(record: &Seen, sender: &Sender) -> String {
    let (signature, name) = what(record);
    let version = env!("CARGO_PKG_VERSION");
    let head = [&*signature, name].map(header).join("|");
    let mut out = format!("{} - CEF:0|Rampart|rampart|{version}|{head}|{}|", sender.header(record), severity(record));
    let extensions: Vec<String> = extensions(record, sender)
        .into_iter()
        .filter(|(_, value, _)| !value.is_empty())
        .map(|(key, value, longest)| format!("{key}={}", extension(&cut_to(&value, longest))))
        .collect();
    out.push_str(&extensions.join(" "));
    out
}

/// The event class, and its name for people.
fn what(record: &Seen) -> (String, &'static str) {
    let kind = record.kind.as_str();
    if !matches!(record.kind, Kind::Decision | Kind::Result) {
        let event = record.text("event");
        let signature = if event.is_empty() { kind.to_owned() } else { format!("{kind}:{event}") };
        return (signature, "Rampart record");
    }
    let verdict = record.outcome("verdict").unwrap_or(Outcome::Deny);
    let name = match verdict {
        Outcome::Deny | Outcome::Webhook => "Call denied",
        Outcome::Ask => "Call held for a human",
        Outcome::Allow | Outcome::Watch if record.is_denial() => "Call would be denied",
        Outcome::Allow | Outcome::Watch => "Call allowed",
    };
    (format!("{kind}:{verdict}"), name)
}

/// From 0 to 10.
fn severity(record: &Seen) -> u8 {
    match record.kind {
        Kind::Decision | Kind::Result if record.is_denial() => 8,
        Kind::Decision | Kind::Result => match record.outcome("outcome") {
            Some(Outcome::Allow) => 1,
            _ => 5,
        },
        Kind::Recover | Kind::Lost | Kind::Gap => 9,
        Kind::Approval | Kind::Policy | Kind::Config | Kind::Auth | Kind::Retire => 4,
        Kind::Open | Kind::Close | Kind::Checkpoint => 1,
    }
}

/// Keys and values with the longest that the dictionary lets them be.
fn extensions(record: &Seen, sender: &Sender) -> Vec<(&'static str, String, usize)> {
    let text = |name: &str| record.text(name);
    let verdict = record.outcome("verdict");
    let passed = verdict.map(|verdict| if verdict.passes() { "success" } else { "failure" });
    let message = if record.kind == Kind::Decision { text("message") } else { record.sentence() };
    let mut list = vec![
        ("rt", record.at_ms().to_string(), 32),
        ("dvchost", sender.host.clone(), 100),
        ("externalId", text("seq"), 40),
        ("cat", record.kind.as_str().to_owned(), 1023),
        ("act", verdict.map(Outcome::as_str).unwrap_or_default().to_owned(), 63),
        ("outcome", passed.unwrap_or_default().to_owned(), 63),
        ("reason", text("reason"), 1023),
        ("msg", message, 1023),
        ("suser", text("actor.agent"), 1023),
        ("suid", text("actor.uid"), 1023),
        ("spid", text("actor.pid"), 20),
    ];
    match record.action() {
        Some(Action::Fetch { method, url, .. }) => {
            let host = url.parse::<http::Uri>().ok().and_then(|url| url.host().map(str::to_owned));
            list.push(("request", url, 1023));
            list.push(("requestMethod", method, 1023));
            list.push(("dhost", host.unwrap_or_default(), 1023));
        }
        Some(Action::Connect { host, port, .. }) => {
            list.push(("dhost", host, 1023));
            list.push(("dpt", port.to_string(), 5));
        }
        Some(Action::Read { paths } | Action::Write { paths, .. } | Action::Edit { paths, .. }) => {
            list.push(("filePath", paths.into_iter().next().map(|p| p.path).unwrap_or_default(), 1023));
        }
        Some(Action::Exec { .. } | Action::Mcp { .. } | Action::Tool { .. }) | None => {}
    }
    let custom = [
        ("cs1", "cs1Label", "policy", text("rule.policy")),
        ("cs2", "cs2Label", "session", text("actor.session")),
        ("cs3", "cs3Label", "surface", text("actor.surface")),
        ("cs4", "cs4Label", "subject", record.subject()),
        ("cs5", "cs5Label", "ruleset", text("ruleset")),
        ("cs6", "cs6Label", "hash", text("h")),
    ];
    for (key, label, name, value) in custom.into_iter().filter(|(.., value)| !value.is_empty()) {
        list.push((label, name.to_owned(), 1023));
        list.push((key, value, 4000));
    }
    list
}

fn cut_to(value: &str, longest: usize) -> String {
    // The words that mark a cut take their room too.
    if value.chars().count() <= longest { value.to_owned() } else { cut(value, longest - longest.min(48)) }
}

/// In the header `|` and `\` are escaped, and there are no line ends.
fn header(text: &str) -> String {
    text.replace('\\', r"\\").replace('|', r"\|").replace(['\r', '\n'], " ")
}

/// In an extension `=` and `\` are escaped, and line ends are written as `\r` and `\n`.
fn extension(text: &str) -> String {
    text.replace('\\', r"\\").replace('=', r"\=").replace('\r', r"\r").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::{
        super::syslog::tests::{DENIAL, seen, sender},
        *,
    };

    #[test]
    fn a_denial_in_cef() {
        insta::assert_snapshot!(render(&seen(Kind::Decision, DENIAL), &sender()));
    }

    #[test]
    fn a_request_has_its_own_keys() {
        let fetch = r#""action":{"type":"fetch","method":"POST","url":"https://paste.example/x?a=b"},"outcome":"allow","verdict":"allow""#;
        let line = render(&seen(Kind::Decision, fetch), &sender());
        assert!(
            line.contains(r"request=https://paste.example/x?a\=b requestMethod=POST dhost=paste.example"),
            "{line}"
        );
        assert!(line.contains("|decision:allow|Call allowed|1|") && line.contains("outcome=success"), "{line}");
    }

    #[test]
    fn each_part_is_escaped_by_its_own_rules() {
        assert_eq!(header(r"a|b\c=d"), r"a\|b\\c=d");
        assert_eq!(extension("a|b\\c=d\r\ne"), r"a|b\\c\=d\r\ne");
        assert!(cut_to(&"x".repeat(5000), 1023).chars().count() <= 1023);
    }
}

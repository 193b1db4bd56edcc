//! Calls after which somebody else gets what happens there: webhooks, automations and forwarding.

use rampart_shell::{
    service,
    verbs::{any, words},
};
use serde_json::{Map, Value};

use super::{
    LONGEST, rights,
    said::{one_of, plain},
};

/// Words with which such a thing is arranged.
const SETS: &[&str] = &[
    "activate",
    "add",
    "create",
    "edit",
    "enable",
    "import",
    "install",
    "new",
    "patch",
    "put",
    "register",
    "replace",
    "save",
    "set",
    "subscribe",
    "update",
    "upsert",
];

/// What acts later by itself.
const ACTS: &[&str] = &[
    "automation",
    "automations",
    "flow",
    "flows",
    "hook",
    "hooks",
    "notification",
    "recipe",
    "rule",
    "rules",
    "scenario",
    "subscription",
    "subscriptions",
    "trigger",
    "triggers",
    "webhook",
    "webhooks",
    "workflow",
    "workflows",
    "zap",
    "zaps",
];

/// Chats and bridges to them: a note there is read by the team.
const CHATS: &[&str] =
    &["chat.googleapis.com", "hooks.slack.com", "outlook.office.com", "webhook.office.com", "discord.com"];

/// Arguments that say where calls or mail go from now on, of something that already rings.
const RINGS: &[&str] = &["smsurl", "voiceurl", "forwardto", "forwardingnumber", "smsfallbackurl"];

/// Who takes mail for the domains of others.
const MAILERS: &[&str] = &[
    "amazonaws.com",
    "gandi.net",
    "migadu.com",
    "mimecast.com",
    "mx.cloudflare.net",
    "ovh.net",
    "secureserver.net",
    "fastmail.com",
    "google.com",
    "googlemail.com",
    "icloud.com",
    "mailgun.org",
    "messagingengine.com",
    "mxroute.com",
    "outlook.com",
    "pphosted.com",
    "protonmail.ch",
    "sendgrid.net",
    "zoho.com",
    "zoho.eu",
];

/// Words of names that nobody depends on.
const PASSING: &[&str] = &["dev", "pr", "preview", "sandbox", "staging", "test", "testing"];

/// How deep arguments are looked at.
const MAX_DEPTH: usize = 12;

/// Whether from now on an address gets what happens.
pub(super) fn relays(server: &[String], tool: &[String], arguments: &Value) -> bool {
    let has = |known: &[&str]| any(tool, known);
    if rights::asks(tool) || has(&["template", "templates", "test", "validate"]) {
        return false;
    }
    let mail = || any(server, &["dns", "cloudflare", "route53"]) || has(&["dns", "record", "records", "zone"]);
    let changes = || has(SETS) || has(&["batch", "bulk"]);
    has(SETS) && has(ACTS) && posts(arguments, false, 0)
        || has(SETS) && (has(ACTS) || has(&["filter", "filters"])) && forwards(arguments, 0)
        || changes() && mail() && directs_mail(arguments, 0)
        || has(&["change", "edit", "modify", "patch", "replace", "set", "update"])
            && mail()
            && leads_elsewhere(arguments)
        || has(SETS) && has(&["forward", "forwarding", "diversion"]) && rings(arguments)
        || has(SETS) && has(&["nameserver", "nameservers"])
        || has(SETS) && has(&["number", "numbers", "phone"]) && hands_over(arguments)
}

/// Whether an address is told what is filled in, or everything.
fn posts(value: &Value, filled: bool, depth: usize) -> bool {
    match value {
        _ if depth > MAX_DEPTH => false,
        Value::Object(map) => {
            let filled = filled || map.iter().any(|(key, value)| is_filled(key, value));
            let far = || map.iter().any(|(key, value)| is_address(key, value));
            filled && far() || map.values().any(|value| posts(value, filled, depth + 1))
        }
        Value::Array(list) => list.iter().any(|value| posts(value, filled, depth + 1)),
        Value::String(text) if text.len() <= LONGEST && text.trim_start().starts_with(['{', '[']) => {
            serde_json::from_str(text).is_ok_and(|value: Value| !value.is_string() && posts(&value, filled, depth + 4))
        }
        _ => false,
    }
}

/// `body: {{issue.toJson}}`, `events: [*]`
fn is_filled(key: &str, value: &Value) -> bool {
    const SENT: &[&str] = &["body", "content", "data", "fields", "json", "message", "payload", "text"];
    let all = |value: &Value| matches!(value.as_str(), Some("*" | "all"));
    let every = one_of(key, &["events", "eventtypes", "enabledevents", "subscriptions", "topics"])
        && (all(value) || value.as_array().is_some_and(|list| list.iter().any(all)));
    // who takes no care whom it speaks to
    let careless = one_of(key, &["enablesslverification", "verifyssl", "insecuressl"])
        && (*value == Value::Bool(plain(key) == "insecuressl") || value.as_str() == Some("1"));
    every || careless || one_of(key, SENT) && value.to_string().contains("{{")
}

fn is_address(key: &str, value: &Value) -> bool {
    let key = plain(key);
    let names = ["url", "uri", "endpoint", "target"].iter().any(|end| key.ends_with(end));
    value.as_str().filter(|_| names).is_some_and(is_far)
}

/// Whether an address is of somebody else than the team's chat, and not nearby.
fn is_far(text: &str) -> bool {
    let host = url::Url::parse(text.trim()).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| {
        !is_of(&host, CHATS) && host.contains('.') && !service::is_near(&host) && !host.ends_with(".internal")
    })
}

/// Whether a host is one of these, or below one.
fn is_of(host: &str, known: &[&str]) -> bool {
    known.iter().any(|known| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// `{"type": "MX", "content": "mx.example"}`: who takes the mail of a domain.
fn directs_mail(value: &Value, depth: usize) -> bool {
    let named = |map: &Map<String, Value>| {
        let text = |keys: &[&str]| map.iter().find(|(key, _)| one_of(key, keys)).and_then(|(_, value)| value.as_str());
        let known = |host: &str| is_of(host.trim_end_matches('.'), MAILERS);
        let gone = || matches!(text(&["op", "action"]), Some("get" | "list"));
        text(&["type", "recordtype", "rrtype"]).is_some_and(|kind| kind.eq_ignore_ascii_case("mx"))
            && !gone()
            && text(&["content", "data", "value", "exchange", "target"]).is_some_and(|host| !known(host))
    };
    match value {
        Value::Object(map) if depth <= MAX_DEPTH => {
            named(map) || map.values().any(|value| directs_mail(value, depth + 1))
        }
        Value::Array(list) if depth <= MAX_DEPTH => list.iter().any(|value| directs_mail(value, depth + 1)),
        _ => false,
    }
}

/// `actions: {forwardTo: [{emailAddress: {address: a@x.example}}]}` of a rule for mail.
fn forwards(value: &Value, depth: usize) -> bool {
    const ON: &[&str] = &["forward", "forwardasattachmentto", "forwardto", "redirectto"];
    match value {
        Value::Object(map) if depth <= MAX_DEPTH => map
            .iter()
            .any(|(key, value)| one_of(key, ON) && value.to_string().contains('@') || forwards(value, depth + 1)),
        Value::Array(list) if depth <= MAX_DEPTH => list.iter().any(|value| forwards(value, depth + 1)),
        _ => false,
    }
}

/// `type: A, name: login.example.com, content: 192.0.2.1` for a name that there is: who comes there comes elsewhere.
fn leads_elsewhere(arguments: &Value) -> bool {
    let text = |keys: &[&str]| {
        let mut map = arguments.as_object().into_iter().flatten();
        map.find(|(key, _)| one_of(key, keys)).and_then(|(_, value)| value.as_str())
    };
    let kind = text(&["type", "recordtype", "rrtype"]).unwrap_or("").to_ascii_uppercase();
    let passing = |name: &str| any(&words(name), PASSING);
    matches!(kind.as_str(), "A" | "AAAA" | "CNAME" | "NS" | "HTTPS" | "SVCB")
        && text(&["content", "data", "value", "target"]).is_some()
        && !text(&["name", "host", "hostname", "record", "recordname"]).is_some_and(passing)
}

/// `to: +491701234567`
fn rings(arguments: &Value) -> bool {
    let number = |text: &str| {
        let digits = text.chars().filter(char::is_ascii_digit).count();
        digits >= 7 && text.chars().all(|c| c.is_ascii_digit() || "+ -()/".contains(c))
    };
    arguments.as_object().into_iter().flatten().any(|(_, value)| value.as_str().is_some_and(number))
}

/// `SmsUrl: https://..`
fn hands_over(arguments: &Value) -> bool {
    let map = arguments.as_object().into_iter().flatten();
    map.filter(|(key, _)| one_of(key, RINGS)).any(|(_, value)| value.as_str().is_some_and(is_far))
}

/// Whether a script of Google's Apps Script wakes up by itself and sends what it finds.
pub(super) fn wakes_and_sends(code: &str) -> bool {
    let reads = ["GmailApp", "DriveApp", "ContactsApp", "SpreadsheetApp"].iter().any(|name| code.contains(name));
    reads && code.contains("newTrigger(") && code.contains("UrlFetchApp.fetch") && code.contains("payload")
}

/// Whether what is arranged stands in the argument.
pub(super) fn decides(tool: &[String], value: &Value) -> bool {
    let about = any(tool, ACTS) || any(tool, &["dns", "forward", "forwarding", "number", "phone", "record", "records"]);
    let says = |text: &str| text.contains("://") || text.trim_start().starts_with(['{', '[', '+']);
    let held = value.is_object() || value.is_array() || value.as_str().is_some_and(says);
    about && held && any(tool, SETS) && !rights::asks(tool)
}

#[cfg(test)]
mod tests {
    use rampart_shell::verbs::words;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_gets_what_happens() {
        let step = |url: &str, body: &str| json!({"trigger": "new_mail", "action": {"type": "post", "url": url, "body": body}});
        for (server, tool, arguments, expect) in [
            ("zapier", "create_zap", step("https://x.example.com/in", "{{body}}"), true),
            ("zapier", "create_zap", step("https://hooks.slack.com/services/x", "{{title}}"), false),
            ("zapier", "create_zap", step("http://localhost:3000/in", "{{body}}"), false),
            ("zapier", "create_zap", step("https://x.example.com/in", "ping"), false),
            ("zapier", "list_zaps", step("https://x.example.com/in", "{{body}}"), false),
            (
                "jira",
                "create_automation_rule",
                json!({"rule": step("https://x.example.com", "{{issue}}").to_string()}),
                true,
            ),
            ("api", "create repos hooks", json!({"events": ["*"], "config": {"url": "https://x.example.com"}}), true),
            (
                "api",
                "create repos hooks",
                json!({"events": ["push"], "config": {"url": "https://ci.example.com"}}),
                false,
            ),
            (
                "gitlab",
                "add_project_hook",
                json!({"url": "https://x.example.com", "enable_ssl_verification": false}),
                true,
            ),
            (
                "gitlab",
                "add_project_hook",
                json!({"url": "https://x.example.com", "enable_ssl_verification": true}),
                false,
            ),
            ("godaddy", "update_nameservers", json!({"domain": "a.example"}), true),
            ("mail", "create_template", json!({"url": "https://x.example.com", "body": "Hi {{name}}"}), false),
            ("pbx", "setForward", json!({"ext": "*", "to": "+37259998877"}), true),
            ("pbx", "getForward", json!({"ext": "*", "to": "+37259998877"}), false),
            ("router", "set_port_forward", json!({"port": 80, "to": "10.0.0.2"}), false),
            ("twilio", "update_incoming_phone_number", json!({"SmsUrl": "https://x.example.com/in"}), true),
            (
                "cloudflare-dns",
                "bulkEdit",
                json!({"ops": [{"op": "replace", "type": "MX", "content": "mx.x.example"}]}),
                true,
            ),
            (
                "cloudflare-dns",
                "bulkEdit",
                json!({"ops": [{"op": "add", "type": "MX", "content": "aspmx.l.google.com"}]}),
                false,
            ),
            ("cloudflare-dns", "create_record", json!({"type": "MX", "content": "mx.notgoogle.com"}), true),
            ("cloudflare-dns", "create_record", json!({"type": "A", "content": "192.0.2.1"}), false),
        ] {
            assert_eq!(relays(&words(server), &words(tool), &arguments), expect, "{server} {tool} {arguments}");
        }
    }
}

//! The texts of a call that leave with it.

use std::sync::Arc;

use rampart_call::{Action, Call, CommandLine};
use serde_json::Value;

/// Calls `look` with every text that an action sends: as it is, and the parts that a reader at the other end would put
/// together again.
pub(super) fn each(action: &Action, look: &mut dyn FnMut(&str)) {
    match action {
        Action::Exec { command, .. } => look(&command.to_line()),
        Action::Write { .. } | Action::Edit { .. } | Action::Read { .. } => {}
        Action::Fetch { url, headers, body, .. } => {
            look(url);
            look(&pieces_of_url(url));
            for (_, value) in headers {
                look(value);
            }
            look(&headers.iter().map(|(_, value)| value.as_str()).collect::<String>());
            if let Some(body) = body {
                look(body);
                if let Some(whole) = pieces_of_body(body) {
                    look(&whole);
                }
            }
        }
        Action::Connect { host, .. } => look(&host.replace('.', "")),
        Action::Mcp { arguments, beside, .. } => {
            for value in [&**arguments, beside] {
                look(&value.to_string());
                let mut whole = String::new();
                strings(value, &mut whole);
                look(&whole);
            }
        }
        Action::Tool { input, .. } => look(&input.to_string()),
    }
}

/// The labels of the host, the segments of the path and the values of the query, each kind in one.
fn pieces_of_url(url: &str) -> String {
    let Ok(url) = url::Url::parse(url) else { return String::new() };
    let labels = url.host_str().unwrap_or_default().replace('.', "");
    let segments: String = url.path_segments().into_iter().flatten().collect();
    let values: String = url.query_pairs().map(|(_, value)| value.into_owned()).collect();
    format!("{labels}\n{segments}\n{values}")
}

/// The strings of a JSON text or the values of a form, in one.
fn pieces_of_body(body: &str) -> Option<String> {
    if body.trim_start().starts_with(['{', '[']) {
        let value: Value = serde_json::from_str(body).ok()?;
        let mut whole = String::new();
        strings(&value, &mut whole);
        return Some(whole);
    }
    let form = body.len() < 64 * 1024 && body.contains('&') && !body.contains(char::is_whitespace);
    form.then(|| url::form_urlencoded::parse(body.as_bytes()).map(|(_, value)| value.into_owned()).collect())
}

fn strings(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => into.push_str(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(members) => members.values().for_each(|member| strings(member, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The same call with other texts.
pub(super) fn replaced(call: &Call, change: impl Fn(&str) -> String) -> Call {
    let mut call = call.clone();
    let json = |value: &mut Value| {
        if let Ok(changed) = serde_json::from_str(&change(&value.to_string())) {
            *value = changed;
        }
    };
    match &mut call.action {
        Action::Exec { command: CommandLine::Command(text), .. } => *text = change(text),
        Action::Exec { command: CommandLine::Argv(words), .. } => {
            for word in words {
                *word = change(word);
            }
        }
        Action::Fetch { url, headers, body, .. } => {
            *url = change(url);
            for (_, value) in headers {
                *value = change(value);
            }
            if let Some(body) = body {
                *body = change(body);
            }
        }
        Action::Mcp { arguments, beside, .. } => {
            json(Arc::make_mut(arguments));
            json(beside);
        }
        Action::Tool { input, .. } => json(input),
        Action::Read { .. } | Action::Write { .. } | Action::Edit { .. } | Action::Connect { .. } => {}
    }
    call
}

//! What policy has taken out of a request before the server hears it. Every other byte of it stays.

use http::HeaderMap;
use rampart_call::{Action, Edit};
use serde_json::Value;

use crate::{
    action,
    http::headers,
    message::{self, Message},
    text,
};

/// What a request may not say, and what it says instead.
#[derive(Debug, Default)]
pub(crate) struct Cuts(Vec<(String, String)>);

impl Cuts {
    /// What edits of a permit cut out of this call; none where it has none.
    ///
    /// # Errors
    /// When an edit is no place in what the call says.
    pub(crate) fn of(edits: &[Edit], action: &Action) -> Result<Option<Self>, &'static str> {
        if edits.is_empty() {
            return Ok(None);
        }
        let said = action.mcp_text().ok_or("only calls of tools are redacted")?;
        let mut cuts = Vec::with_capacity(edits.len());
        for edit in edits {
            let cut = said.get(edit.span.start..edit.span.end).filter(|cut| !cut.is_empty());
            let cut = cut.ok_or("a redaction lies outside the call")?;
            // The text is JSON, and what is cut out of a string may be written with escapes there.
            let plain = serde_json::from_str(&format!("\"{cut}\"")).unwrap_or_else(|_| cut.to_owned());
            cuts.push((plain, edit.with.clone()));
        }
        // The longest first, so that none is left in part.
        cuts.sort_by_key(|(cut, _)| std::cmp::Reverse(cut.len()));
        Ok(Some(Self(cuts)))
    }

    /// A text without it.
    fn take_from(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (cut, with)| text.replace(cut, with))
    }

    /// The line of a request or notification without it. It calls the same as before.
    ///
    /// # Errors
    /// When that cannot be done, so that the call must not go on.
    pub(crate) fn line(&self, line: &str, server: &str) -> Result<String, &'static str> {
        let place = message::place(line, &["params"]).ok_or("the call has no parameters")?;
        let part = |range: std::ops::Range<usize>| line.get(range).unwrap_or_default();
        let (before, after) = (part(0..place.start), part(place.end..line.len()));
        let params = part(place);
        let params = text::replaced(params, |text| self.take_from(text))?;
        let changed = format!("{before}{params}{after}");
        let same = |one: &Message, other: &Message| match (one, other) {
            (
                Message::Request { method, params, .. } | Message::Notification { method, params },
                Message::Request { method: other, params: others, .. }
                | Message::Notification { method: other, params: others },
            ) => method == other && called(server, method, params) == called(server, other, others),
            _ => false,
        };
        match (message::parse(line.as_bytes()), message::parse(changed.as_bytes())) {
            (Ok(was), Ok(is)) if same(&was, &is) => {}
            _ => return Err("without what policy takes out it would be another call"),
        }
        let left = message::place(&changed, &["params"]).and_then(|place| changed.get(place));
        let left = text::of(left.unwrap_or_default());
        if self.0.iter().any(|(cut, with)| !with.contains(cut.as_str()) && left.contains(cut.as_str())) {
            return Err("what policy takes out stands where it cannot be taken out");
        }
        Ok(changed)
    }

    /// The headers that repeat arguments without it.
    pub(crate) fn headers(&self, told: &mut HeaderMap) {
        for (name, value) in told.iter_mut().filter(|(name, _)| name.as_str().starts_with(headers::PARAM)) {
            let Some(plain) = value.to_str().ok().and_then(headers::decoded) else { continue };
            let left = self.take_from(&plain);
            if left != plain {
                tracing::debug!(%name, "a header that repeats an argument is redacted like it");
                *value = headers::encoded(&left);
            }
        }
    }
}

fn called(server: &str, method: &str, params: &Value) -> Option<String> {
    match action::of(server, method, &mut params.clone()) {
        Ok(Action::Mcp { tool, .. }) => Some(tool),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use rampart_call::Span;
    use serde_json::json;

    use super::*;

    fn cuts(cut: &[&str]) -> Cuts {
        Cuts(cut.iter().map(|cut| ((*cut).to_owned(), "[redacted: x]".to_owned())).collect())
    }

    #[test]
    fn a_request_keeps_every_other_byte() {
        for (line, cut, expected) in [
            (
                r#"{ "params":{"name":"t", "arguments" : {"n":1.50,"a":["key s\u00e9cret!",{"sécret":null}]}},"id":1,"jsonrpc":"2.0","method":"tools/call"}"#,
                "sécret",
                Ok(
                    r#"{ "params":{"name":"t", "arguments" : {"n":1.50,"a":["key [redacted: x]!",{"[redacted: x]":null}]}},"id":1,"jsonrpc":"2.0","method":"tools/call"}"#,
                ),
            ),
            (
                r#"{"jsonrpc":"2.0","id":"secret","method":"tools/call","params":{"name":"t","requestState":"secret"}}"#,
                "secret",
                Ok(
                    r#"{"jsonrpc":"2.0","id":"secret","method":"tools/call","params":{"name":"t","requestState":"[redacted: x]"}}"#,
                ),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"secret","arguments":{"a":"secret"}}}"#,
                "secret",
                Err(()),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":12345}}}"#,
                "12345",
                Err(()),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"sa":1,"sb":2,"[redacted: x]":3}}}"#,
                "sa",
                Err(()),
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "x", Err(())),
        ] {
            let told = cuts(&[cut]).line(line, "s");
            assert_eq!(told.as_deref().map_err(|_| ()), expected, "{line}");
        }
    }

    #[test]
    fn what_is_cut_is_found_by_its_place_in_what_the_call_says() {
        let arguments = json!({"a": "quote \" and key"});
        let action = Action::Mcp {
            server: "s".into(),
            method: "tools/call".into(),
            tool: "t".into(),
            arguments: arguments.into(),
            beside: Value::Null,
        };
        let said = action.mcp_text().unwrap();
        let start = said.find("quote").unwrap();
        let edits = |start, end| [Edit { span: Span { start, end }, with: "x".into() }];
        let found = Cuts::of(&edits(start, start + r#"quote \" and"#.len()), &action).unwrap().unwrap();
        assert_eq!(found.0, [("quote \" and".to_owned(), "x".to_owned())]);
        assert!(Cuts::of(&edits(0, said.len() + 1), &action).is_err());
        assert!(Cuts::of(&edits(0, 0), &action).is_err());
    }

    #[test]
    fn headers_that_repeat_an_argument_go_without_it_too() {
        let mut told = HeaderMap::new();
        told.insert("mcp-param-key", HeaderValue::from_static("the secret"));
        told.insert("mcp-param-coded", headers::encoded("grüß secret"));
        told.insert("mcp-name", HeaderValue::from_static("secret"));
        cuts(&["secret"]).headers(&mut told);
        assert_eq!(told["mcp-param-key"], "the [redacted: x]");
        assert_eq!(headers::decoded(told["mcp-param-coded"].to_str().unwrap()).unwrap(), "grüß [redacted: x]");
        assert_eq!(told["mcp-name"], "secret");
    }
}

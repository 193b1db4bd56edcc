//! The text of a response, as policy and the model read it, and redactions carried back into the JSON it came from.
//!
//! The text has one line for each scalar, with its string escapes undone; members begin with `key: `. So a secret is seen
//! however the server spelled it, and `password: hunter2` looks like what it is.

use std::{borrow::Cow, ops::Range};

use rampart_call::{Edit, strict};

/// The text of a JSON value that [`strict::parse`] has accepted.
pub(crate) fn of(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for token in Tokens::of(json) {
        text.push_str(&token.text);
        text.push_str(token.end());
    }
    text
}

/// The same value with `edits` made in its text.
///
/// # Errors
/// When the edits do not fit the text, or what they leave is not JSON that means one thing (two members may have become
/// equal).
pub(crate) fn edited(json: &str, edits: &[Edit]) -> Result<String, &'static str> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|e| e.span.start);
    let overlap = edits.iter().zip(edits.iter().skip(1)).any(|(a, b)| a.span.end > b.span.start);
    if overlap || edits.iter().any(|e| e.span.start > e.span.end) {
        return Err("the redactions overlap");
    }
    let mut out = String::with_capacity(json.len());
    let mut copied = 0; // bytes of `json` that are in `out`
    let mut at = 0; // where the current token begins in the text
    let mut next = 0; // the first edit that is not behind us
    let mut begun = false; // the edit `next` has put its replacement somewhere
    for token in Tokens::of(json) {
        let range = at..at + token.text.len();
        let mut kept = 0; // bytes of the token's text that are in `changed` or cut
        let mut changed = String::new();
        let mut touched = false;
        while let Some(edit) = edits.get(next).filter(|e| e.span.start < range.end) {
            if edit.span.end > range.start {
                let start = edit.span.start.max(range.start) - at;
                let end = edit.span.end.min(range.end) - at;
                changed.push_str(token.text.get(kept..start).ok_or("a redaction cuts a character")?);
                if !begun {
                    changed.push_str(&edit.with);
                }
                (kept, touched, begun) = (end, true, true);
            }
            if edit.span.end > range.end {
                break; // goes on in a later token
            }
            (next, begun) = (next + 1, false);
        }
        if touched {
            changed.push_str(token.text.get(kept..).ok_or("a redaction cuts a character")?);
            out.push_str(json.get(copied..token.place.start).unwrap_or_default());
            out.push_str(&serde_json::Value::String(changed).to_string());
            copied = token.place.end;
        }
        at = range.end + token.end().len();
    }
    if edits.last().is_some_and(|e| e.span.end > at) {
        return Err("a redaction lies outside the text");
    }
    out.push_str(json.get(copied..).unwrap_or_default());
    strict::parse(out.as_bytes()).map_err(|_| "the redacted response is not valid any more")?;
    Ok(out)
}

/// The same value with other texts in its strings, keys among them.
///
/// # Errors
/// When what is left is not JSON that means one thing (two members may have become equal).
pub(crate) fn replaced(json: &str, change: impl Fn(&str) -> String) -> Result<String, &'static str> {
    let mut out = String::with_capacity(json.len());
    let mut copied = 0;
    for token in Tokens::of(json).filter(|token| json.get(token.place.start..).is_some_and(|at| at.starts_with('"'))) {
        let changed = change(&token.text);
        if changed != *token.text {
            out.push_str(json.get(copied..token.place.start).unwrap_or_default());
            out.push_str(&serde_json::Value::String(changed).to_string());
            copied = token.place.end;
        }
    }
    out.push_str(json.get(copied..).unwrap_or_default());
    strict::parse(out.as_bytes()).map_err(|_| "what is left is not valid any more")?;
    Ok(out)
}

/// A string, number, `true`, `false` or `null` of a JSON text.
struct Token<'a> {
    text: Cow<'a, str>,
    place: Range<usize>,
    is_key: bool,
}

impl Token<'_> {
    fn end(&self) -> &'static str {
        if self.is_key { ": " } else { "\n" }
    }
}

/// The tokens of valid JSON, in order. Anything else yields tokens too, but not the right ones.
struct Tokens<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    fn of(json: &'a str) -> Self {
        Self { json, at: 0 }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.json.get(self.at..)?;
        let skipped =
            rest.find(|c: char| !matches!(c, ' ' | '\t' | '\r' | '\n' | '{' | '}' | '[' | ']' | ',' | ':'))?;
        let start = self.at + skipped;
        let rest = self.json.get(start..)?;
        if !rest.starts_with('"') {
            let length = rest.find([' ', '\t', '\r', '\n', '}', ']', ',']).unwrap_or(rest.len());
            self.at = start + length;
            let text = Cow::Borrowed(rest.get(..length)?);
            return Some(Token { text, place: start..self.at, is_key: false });
        }
        let length = string_length(rest.as_bytes());
        self.at = start + length;
        let quoted = rest.get(..length)?;
        let inner = quoted.get(1..length.saturating_sub(1))?;
        let text = match memchr::memchr(b'\\', inner.as_bytes()) {
            None => Cow::Borrowed(inner),
            Some(_) => Cow::Owned(serde_json::from_str(quoted).ok()?),
        };
        let after = self.json.get(self.at..)?.trim_start_matches([' ', '\t', '\r', '\n']);
        Some(Token { text, place: start..self.at, is_key: after.starts_with(':') })
    }
}

/// Length in bytes of the quoted string at the beginning, with its quotes.
fn string_length(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if json.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rampart_call::Span;
    use serde_json::{Value, json};

    use super::*;

    fn edit(text: &str, secret: &str, with: &str) -> Edit {
        let start = text.find(secret).unwrap();
        Edit { span: Span { start, end: start + secret.len() }, with: with.into() }
    }

    #[track_caller]
    fn redacts(json: &str, secret: &str, expected: &str) {
        let text = of(json);
        let out = edited(json, &[edit(&text, secret, "[gone]")]).unwrap();
        assert_eq!(out, expected, "text was {text:?}");
    }

    #[test]
    fn the_text_is_what_a_reader_would_see() {
        let json =
            r#"{"content":[{"type":"text","text":"a\n\u0041KIA \"x\""}],"n":[1,-2.5e3,true,null],"password": "p"}"#;
        assert_eq!(of(json), "content: type: text\ntext: a\nAKIA \"x\"\nn: 1\n-2.5e3\ntrue\nnull\npassword: p\n",);
        assert_eq!(of("{}"), "");
    }

    #[test]
    fn a_redaction_changes_the_string_it_is_in_and_nothing_else() {
        redacts(r#"{ "a" : "x AKIA y", "b":1.0}"#, "AKIA", r#"{ "a" : "x [gone] y", "b":1.0}"#);
        redacts(r#"{"a":"x \u0041KIA \ud83d\ude00 \/"}"#, "AKIA", r#"{"a":"x [gone] 😀 /"}"#);
        redacts(r#"{"k":[4111,2]}"#, "4111", r#"{"k":["[gone]",2]}"#);
        redacts(r#"{"sk-key":1,"b":2}"#, "sk-key", r#"{"[gone]":1,"b":2}"#);
        redacts(r#"{"a":"q\"\\"}"#, "\"\\", r#"{"a":"q[gone]"}"#);
    }

    #[test]
    fn a_redaction_over_several_strings_is_put_into_the_first() {
        redacts(r#"["one two","three","four"]"#, "two\nthree\nfo", r#"["one [gone]","","ur"]"#);
        redacts(r#"{"password":"hunter2"}"#, ": hunter2", r#"{"password":"[gone]"}"#);
    }

    #[test]
    fn redactions_that_cannot_be_made_are_errors() {
        let at = |start, end| Edit { span: Span { start, end }, with: String::new() };
        let json = r#"{"é":"b","c":"d"}"#;
        for (edits, why) in [
            (vec![at(1, 2)], "cuts a character"),
            (vec![at(0, 3), at(2, 4)], "overlap"),
            (vec![at(4, 2)], "overlap"),
            (vec![at(4, 400)], "outside"),
            (vec![at(400, 401)], "outside"),
        ] {
            let err = edited(json, &edits).unwrap_err();
            assert!(err.contains(why), "{err}");
        }
        let text = of(r#"{"a1":1,"a2":2}"#);
        let edits = [edit(&text, "1: ", "x: "), edit(&text, "2: ", "x: ")];
        assert!(edited(r#"{"a1":1,"a2":2}"#, &edits).unwrap_err().contains("not valid"));
    }

    proptest! {
        #[test]
        fn what_is_redacted_is_gone_and_the_rest_stays(before in ".{0,20}", after in ".{0,20}", spaces in 0usize..3) {
            let value = json!({"x": [format!("{before}SECRET{after}"), 1], "y": {"z": before}});
            let json = if spaces == 0 { value.to_string() } else { serde_json::to_string_pretty(&value).unwrap() };
            let out = edited(&json, &[edit(&of(&json), "SECRET", "")]).unwrap();
            let expected = json!({"x": [format!("{before}{after}"), 1], "y": {"z": before}});
            prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
        }

        #[test]
        fn no_text_makes_it_panic(json in ".{0,60}", start in 0usize..70, length in 0usize..70) {
            let _ = of(&json);
            let _ = edited(&json, &[Edit { span: Span { start, end: start + length }, with: "x".into() }]);
        }
    }
}

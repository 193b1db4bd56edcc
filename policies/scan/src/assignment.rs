//! Reading `name = value` in whatever language it is written: code, JSON, YAML, `.env`, XML, headers, flags.

/// A value and the name it is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The whole name.
    pub name: (usize, usize),
    /// First byte of the value.
    pub value: usize,
    /// The quote that the value stands in.
    pub quote: Option<u8>,
}

/// How far a name may go on after its keyword, and how much may stand between it and the value.
const TAIL: usize = 24;
const GAP: usize = 6;

/// What is assigned to the name that has a keyword at `start..end`.
pub(crate) fn read(bytes: &[u8], start: usize, end: usize) -> Option<Assignment> {
    let at = |i: usize| bytes.get(i).copied();
    let tail =
        bytes.get(end..)?.iter().take(TAIL).take_while(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b)).count();
    let name_end = end + tail;
    // char key[] = "value"
    let after_name = name_end + if bytes.get(name_end..).is_some_and(|rest| rest.starts_with(b"[]")) { 2 } else { 0 };
    let mut i = after_name;
    let gap = |from: usize| {
        let quotes = |b: &&u8| matches!(b, b'"' | b'\'' | b'`' | b' ' | b'\t' | b'\\' | b']');
        bytes.get(from..).unwrap_or_default().iter().take(GAP).take_while(quotes).count()
    };
    i += gap(i);
    // A name between colons is a part of something: arn:aws:secretsmanager:eu-west-1:1:secret:name
    let name_from = name_start(bytes, start).0;
    let before_name = name_from.checked_sub(2).and_then(|from| bytes.get(from..name_from));
    if at(i) == Some(b':') && matches!(before_name, Some([before, b':']) if before.is_ascii_alphanumeric()) {
        return None;
    }
    // A bracket belongs to `env["key"]`; in `[key]` the name is one of something else.
    let mut before_bracket = bytes.get(after_name..i).unwrap_or_default().split(|b| *b == b']');
    if before_bracket.next().is_some_and(|b| !b.iter().any(|b| b"\"'`".contains(b))) && before_bracket.next().is_some()
    {
        return None;
    }
    let operator = match (at(i)?, at(i + 1)) {
        (b':', Some(b':')) => return None,
        (b':' | b'?', Some(b'=')) | (b'=' | b'-', Some(b'>')) | (b'|', Some(b'|')) => 2,
        (b'=', Some(b'=')) => {
            if at(i + 2) == Some(b'=') {
                3
            } else {
                2
            }
        }
        (b'=' | b':' | b'>' | b',', _) => 1,
        // --password VALUE
        (_, _) if i > name_end && name_start(bytes, start).1 => 0,
        _ => return None,
    };
    let comma = at(i) == Some(b',');
    i += operator;
    if operator == 1 && at(i - 1) == Some(b':') {
        i += type_and_equals(bytes, i);
    }
    let mut quote = None;
    for _ in 0..GAP {
        match at(i)? {
            b' ' | b'\t' | b'=' | b'\\' => {}
            b'\n' | b'\r' if quote.is_none() && operator == 1 => return None,
            q @ (b'"' | b'\'' | b'`') => quote = Some(q),
            _ => break,
        }
        i += 1;
    }
    let (start, _) = name_start(bytes, start);
    // A comma assigns in `set("key", "value")`, not between parameters, nor between the paths of a list.
    let quoted = || start.checked_sub(1).and_then(at).is_some_and(|b| b"\"'`".contains(&b));
    if comma && (quote.is_none() || !quoted()) {
        return None;
    }
    Some(Assignment { name: (start, name_end), value: i, quote })
}

/// The length of a type and what assigns the value behind it, as in `key: &str = "value"`.
fn type_and_equals(bytes: &[u8], from: usize) -> usize {
    const LONGEST: usize = 32;
    let rest = bytes.get(from..).unwrap_or_default();
    let of_type = |b: &&u8| b.is_ascii_alphanumeric() || b" &'_<>[].?|*".contains(b);
    let length = rest.iter().take(LONGEST).take_while(of_type).count();
    let (of_type, rest) = rest.split_at(length);
    let quoted = match rest {
        [b'=', b' ', quote, ..] | [b'=', quote, ..] => b"\"'`\\".contains(quote),
        _ => false,
    };
    if quoted && of_type.iter().any(u8::is_ascii_alphabetic) { length + 1 } else { 0 }
}

/// Where the name around `at` begins, and whether it is a long flag.
fn name_start(bytes: &[u8], at: usize) -> (usize, bool) {
    let before = bytes.get(..at).unwrap_or_default();
    let long = before.iter().rev().take(40).take_while(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b)).count();
    let start = at - long;
    (start, bytes.get(start..).is_some_and(|n| n.starts_with(b"--")))
}

impl Assignment {
    /// Whether a value that ends at `end` ends there in the source too, and not in the middle of something longer.
    pub(crate) fn ends(&self, bytes: &[u8], end: usize) -> bool {
        let Some(next) = bytes.get(end) else { return true };
        match self.quote {
            Some(quote) => *next == quote || *next == b'\\',
            None => next.is_ascii_whitespace() || b"\"'`;,<&)]}|#\\".contains(next),
        }
    }

    /// The name in lower case.
    pub(crate) fn name(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes.get(self.name.0..self.name.1).unwrap_or_default()).to_ascii_lowercase()
    }
}

/// Whether a name speaks of a credential.
pub(crate) fn is_secret_name(name: &str) -> bool {
    const WORDS: &[&str] =
        &["key", "token", "secret", "pass", "pwd", "auth", "api", "access", "cred", "pat", "sign", "bearer"];
    WORDS.iter().any(|w| name.contains(w)) && !is_public_name(name)
}

/// Whether a name speaks of something that looks like a credential and is none.
pub(crate) fn is_public_name(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "nextpage",
        "next_page",
        "page_token",
        "pagetoken",
        "nexttoken",
        "next_token",
        "next-token",
        "clienttoken",
        "client_token",
        "client-token",
        "requesttoken",
        "actiontoken",
        "locktoken",
        "lock-token",
        "changetoken",
        "change-token",
        "starttoken",
        "start_token",
        "starting-token",
        "paginationtoken",
        "resumetoken",
        "csrf",
        "xsrf",
        "continuation",
        "cancell",
        "tokeniz",
        "public",
        "keyboard",
        "_sha",
        "sha1",
        "sha2",
        "sha5",
        "-sha",
        "hash",
        "digest",
        "checksum",
        "integrity",
        "fingerprint",
        "commit",
        "etag",
        "revision",
        "version",
        "_id",
        "-id",
        ".id",
        "keyid",
        "_url",
        "_uri",
        "_path",
        "_file",
        "_name",
        "keyname",
        "endpoint",
        "hostname",
        "idempotency",
        "monkey",
        "foreign",
        "primary",
        "sort",
        "partition",
        "cache",
        "author",
        "policy",
        "prompt_tokens",
        "length",
        "_type",
        "field",
        "snapshot",
        "resolution",
        "tarball",
        "nonce",
        "synctoken",
        "sync_token",
    ];
    WORDS.iter().any(|w| name.contains(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name and value around the first `key` in `text`.
    fn assigned(text: &str) -> Option<(&str, &str)> {
        let start = text.find("key")?;
        let found = read(text.as_bytes(), start, start + 3)?;
        let end = (found.value..text.len()).find(|e| found.ends(text.as_bytes(), *e)).unwrap_or(text.len());
        Some((&text[found.name.0..found.name.1], &text[found.value..end]))
    }

    #[test]
    fn assignments_of_all_languages_are_read() {
        for text in [
            "api_key=V1",
            "api_key = V1",
            "api_key: V1",
            "\"api_key\": \"V1\"",
            "'api_key' => 'V1'",
            "\"api_key\" -> \"V1\"",
            "api_key := `V1`",
            "{\\\"api_key\\\":\\\"V1\\\"}",
            "set(\"api_key\", \"V1\")",
            "<api_key>V1</api_key>",
            "--api_key V1",
            "env[\"api_key\"] = \"V1\"",
            "?api_key=V1&x=2",
            "api_key ?= V1",
            "api_key || 'V1'",
            "api_key: &'static str = \"V1\"",
            "api_key: string = 'V1'",
            "char api_key[] = \"V1\"",
        ] {
            let (name, value) = assigned(text).unwrap_or_else(|| panic!("{text}"));
            assert!(name.trim_start_matches('-') == "api_key" && value == "V1", "{text}: {name} {value}");
        }
    }

    #[test]
    fn what_is_no_assignment_is_not_read() {
        for text in [
            "the key of the door",
            "api_key",
            "key/value",
            "api_key:\n  next: 1",
            "keys and values",
            "f(key, other)",
            "[key] = 1",
            "[key]`: 1",
            "['a.*.key', 'b.*.key']",
            "arn:aws:kms:eu-west-1:111:key:V1",
        ] {
            assert_eq!(assigned(text), None, "{text}");
        }
    }
}

//! What must not stand in the trail is replaced before it gets there: a secret by `hmac-sha256:` and 16 hex digits
//! under a key of the installation, so that equal secrets can be found and none can be read; a long text by its
//! beginning and end.

use std::{borrow::Cow, sync::Arc};

use hmac::{Hmac, KeyInit as _, Mac as _};
use quick_cache::sync::Cache;
use rampart_call::{Finding, FindingClass};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use sha2::Sha256;

/// Texts longer than this many bytes are cut.
const LONGEST: usize = 16 * 1024;
/// How much of each end of a cut text is scanned; a secret that crosses the cut is seen whole if it is shorter than the
/// difference to [`KEPT`].
const WINDOW: usize = LONGEST / 2;
/// How much of each end of a cut text stays.
const KEPT: usize = WINDOW / 2;

/// Longest text that may be [plain](is_plain), in bytes.
const PLAIN: usize = 20;

/// How many texts are remembered to be clean, and how long they are at most.
const CLEAN: usize = 2048;
const CLEAN_LENGTH: usize = 256;

/// The same of whole actions and effects, which are longer.
const UNCHANGED: usize = 512;
const UNCHANGED_LENGTH: usize = 2048;

/// Names of headers, parameters and variables whose value is a secret whatever it looks like.
const SECRET_NAMES: [&str; 17] = [
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "authorization",
    "client_secret",
    "cookie",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "proxy-authorization",
    "refresh_token",
    "secret",
    "set-cookie",
    "token",
    "x-api-key",
];

/// Replaces secrets.
#[derive(Clone)]
pub(super) struct Redactor {
    key: [u8; 32],
    /// The fingerprint of nothing, which most responses have whose text is not looked at.
    empty: String,
    /// Short texts that were found clean lately: headers and addresses are the same again and again.
    clean: Arc<Cache<Box<str>, ()>>,
    /// Actions and effects in which nothing was to be replaced, and how they stand in the trail: what comes back is judged
    /// soon after what went out.
    unchanged: Arc<Cache<Box<str>, Arc<RawValue>>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    pub(super) fn new(key: [u8; 32]) -> Self {
        let redactor = Self {
            key,
            empty: String::new(),
            clean: Arc::new(Cache::new(CLEAN)),
            unchanged: Arc::new(Cache::new(UNCHANGED)),
        };
        Self { empty: redactor.fingerprint(""), ..redactor }
    }

    /// The text without its secrets, cut to a bounded length.
    pub(super) fn text(&self, text: &str) -> String {
        self.changed(text).unwrap_or_else(|| text.to_owned())
    }

    /// The same for a name of somebody or something.
    pub(super) fn name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if is_uuid(name) {
            return Cow::Borrowed(name);
        }
        self.changed(name).map_or(Cow::Borrowed(name), Cow::Owned)
    }

    /// The same, if it is not the text itself.
    fn changed(&self, text: &str) -> Option<String> {
        if text.len() <= LONGEST {
            return self.secrets(text);
        }
        let within = |part: &str| self.secrets(part).unwrap_or_else(|| part.to_owned());
        let head = within(&text[..text.floor_char_boundary(WINDOW)]);
        let tail = within(&text[text.ceil_char_boundary(text.len() - WINDOW)..]);
        Some(format!(
            "{}[… {} bytes in all, {} …]{}",
            &head[..head.floor_char_boundary(KEPT)],
            text.len(),
            self.fingerprint(text),
            &tail[tail.ceil_char_boundary(tail.len().saturating_sub(KEPT))..],
        ))
    }

    /// Does the same to every text in a JSON value, names of members included.
    pub(super) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(changed) = self.changed(text) {
                    *text = changed;
                }
            }
            Value::Array(list) => match list.as_mut_slice() {
                // a header, or anything else that is written as a pair of name and value
                [Value::String(name), Value::String(secret)] if is_secret_name(name) => {
                    *secret = self.fingerprint(secret);
                }
                list => list.iter_mut().for_each(|item| self.value(item)),
            },
            Value::Object(members) => {
                let mut renamed = false;
                for (name, member) in members.iter_mut() {
                    match member {
                        Value::String(secret) if is_secret_name(name) => *secret = self.fingerprint(secret),
                        member => self.value(member),
                    }
                    renamed |= !is_plain(name) && self.changed(name).is_some();
                }
                if renamed {
                    *members = std::mem::take(members).into_iter().map(|(name, v)| (self.text(&name), v)).collect();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The JSON of something without its secrets.
    pub(super) fn rendered(&self, body: &impl Serialize) -> Arc<RawValue> {
        let key = serde_json::to_string(body).unwrap_or_default();
        if let Some(known) = self.unchanged.get(key.as_str()) {
            return known;
        }
        let mut value = serde_json::to_value(body).unwrap_or_default();
        let before = (key.len() <= UNCHANGED_LENGTH).then(|| value.clone());
        self.value(&mut value);
        let rendered: Arc<RawValue> = serde_json::value::to_raw_value(&value).unwrap_or_default().into();
        if before.is_some_and(|before| before == value) {
            self.unchanged.insert(key.into(), Arc::clone(&rendered));
        }
        rendered
    }

    /// What stands in the place of a secret.
    pub(super) fn fingerprint(&self, secret: &str) -> String {
        if secret.is_empty() && !self.empty.is_empty() {
            return self.empty.clone();
        }
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return "hmac-sha256:".into(); // not reached: HMAC takes keys of any length
        };
        mac.update(secret.as_bytes());
        let tag = mac.finalize().into_bytes();
        format!("hmac-sha256:{}", hex::encode(tag.get(..8).unwrap_or_default()))
    }

    /// The text without what detectors find in it. None when they find nothing.
    fn secrets(&self, text: &str) -> Option<String> {
        let short = text.len() <= CLEAN_LENGTH;
        if is_plain(text) || (short && self.clean.get(text).is_some()) {
            return None;
        }
        let mut findings: Vec<Finding> = rampart_scan::scan(text);
        findings.retain(|f| matches!(f.class, FindingClass::Secret | FindingClass::Personal));
        if findings.is_empty() {
            if short {
                self.clean.insert(text.into(), ());
            }
            return None;
        }
        Some(rampart_scan::redact(text, &findings, |_, secret| self.fingerprint(secret)))
    }
}

/// Whether a text is a word or path so short and simple that no detector finds anything in it. Most texts of a record
/// are, and asking all detectors about each would take longer than everything else.
fn is_plain(text: &str) -> bool {
    text.len() <= PLAIN && text.bytes().all(|b| b.is_ascii_lowercase() || b"-_./".contains(&b))
}

/// Whether a name has the form of a UUID (RFC 9562 section 4), as most sessions do. Detectors need a word beside one to
/// take it for a secret, and a name has nothing beside it.
fn is_uuid(name: &str) -> bool {
    let form = |(at, b): (usize, u8)| if [8, 13, 18, 23].contains(&at) { b == b'-' } else { b.is_ascii_hexdigit() };
    name.len() == 36 && name.bytes().enumerate().all(form)
}

fn is_secret_name(name: &str) -> bool {
    SECRET_NAMES.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_secret_names_are_replaced_and_equal_ones_stay_equal() {
        let redactor = Redactor::new([1; 32]);
        let mut value = json!({
            "headers": [["authorization", "Bearer abc"], ["accept", "*/*"]],
            "arguments": {"Password": "Bearer abc", "list": ["x", {"token": "other"}]},
        });
        redactor.value(&mut value);
        let first = value["headers"][0][1].as_str().unwrap();
        assert_eq!(first.len(), "hmac-sha256:".len() + 16);
        assert_eq!(value["arguments"]["Password"], first);
        assert_ne!(value["arguments"]["list"][1]["token"], first);
        assert_eq!(value["headers"][1][1], "*/*");
        assert_ne!(Redactor::new([2; 32]).fingerprint("Bearer abc"), first);
    }

    #[test]
    fn nothing_that_detectors_find_is_plain() {
        for hit in super::super::tests::examples::hits() {
            assert!(!is_plain(&hit) && !is_uuid(&hit), "{hit}");
        }
        assert!(is_plain("self-tamper") && is_plain("./target/debug") && !is_plain("rm -rf"));
    }

    #[test]
    fn a_long_text_keeps_its_ends() {
        let long = format!("begin{}end", "é".repeat(40_000));
        let short = Redactor::new([1; 32]).text(&long);
        assert!(short.len() < LONGEST && short.starts_with("begin") && short.ends_with("end"));
        assert!(short.contains("80008 bytes in all, hmac-sha256:"), "{short}");
    }
}

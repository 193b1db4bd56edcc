//! One line of the wire, read once and strictly. What policy sees is what every peer will read, whichever parser it has:
//! a line that two parsers could read differently is a [`Fault`].

use std::{borrow::Cow, collections::HashMap, fmt, ops::Range};

use rampart_call::strict;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

/// JSON-RPC 2.0, section 5.1: the line is not JSON.
pub const PARSE_ERROR: i64 = -32_700;
/// JSON-RPC 2.0, section 5.1: JSON, but not a request that means one thing.
pub const INVALID_REQUEST: i64 = -32_600;
/// JSON-RPC 2.0, section 5.1: the parameters do not say what the method would do.
pub const INVALID_PARAMS: i64 = -32_602;
/// JSON-RPC 2.0, section 5.1: the request could not be carried out.
pub const INTERNAL_ERROR: i64 = -32_603;

/// The longest textual id in bytes. Ids are kept while a request is outstanding.
const MAX_ID: usize = 1024;
/// The largest integer that every JSON parser holds exactly (RFC 7493, section 2.2), and the largest id that the
/// TypeScript SDK takes.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

const ENVELOPE_KEYS: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
/// Members of `params` that say what a message does.
const PARAM_KEYS: [&str; 10] = [
    "_meta",
    "argument",
    "arguments",
    "inputResponses",
    "name",
    "progressToken",
    "ref",
    "requestId",
    "requestState",
    "uri",
];

/// A JSON-RPC message of the kinds that MCP uses.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Wants an answer.
    Request {
        /// Names the request among those outstanding.
        id: Id,
        /// Such as `tools/call`.
        method: String,
        /// An object, or null where there was none.
        params: Value,
    },
    /// Wants no answer.
    Notification {
        /// Such as `notifications/progress`.
        method: String,
        /// An object, or null where there was none.
        params: Value,
    },
    /// The answer to a request of the other side.
    Response {
        /// The id of that request.
        id: Id,
        /// `result` or `error`.
        body: Value,
        /// Where the body stands in the line, in bytes.
        place: Range<usize>,
    },
}

/// The id of a request: `1` and `"1"` are different ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// An integer that every peer can hold.
    Number(i64),
    /// A text.
    Text(String),
}

impl Id {
    /// Reads an id.
    ///
    /// # Errors
    /// Says what is wrong with anything but a short text or an exact integer.
    pub fn from_value(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::String(text) if text.len() > MAX_ID => Err("the id is longer than 1024 bytes"),
            Value::String(text) if text.contains('\0') => Err("the id holds a NUL"),
            Value::String(text) => Ok(Self::Text(text.clone())),
            Value::Number(number) => match number.as_i64() {
                Some(n) if n.abs() <= MAX_SAFE_INTEGER => Ok(Self::Number(n)),
                Some(_) => Err("the id is an integer beyond 2^53-1, which not every peer can hold"),
                None => Err("the id is a number but not an integer that every peer can hold"),
            },
            _ => Err("the id must be a string or an integer"),
        }
    }

    /// The id as JSON.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Number(n) => (*n).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => n.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Why a line is not a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The request it would have been, where one id can be made out.
    pub id: Option<Id>,
    /// The JSON-RPC error code to answer with.
    pub code: i64,
    /// What is wrong, in words.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Reads one line, with or without its newline.
///
/// # Errors
/// When the line is not UTF-8, not JSON, means two things (duplicate members, case variants of protocol members, lone
/// surrogates, a carriage return inside), nests too deep, or is not a message of JSON-RPC 2.0 as MCP uses it. Arrays
/// are refused: no MCP revision but 2025-03-26 knows batches.
pub fn parse(line: &[u8]) -> Result<Message, Fault> {
    let unread = |why: String| Fault { id: None, code: PARSE_ERROR, why };
    let text = std::str::from_utf8(line).map_err(|e| unread(format!("not UTF-8 at byte {}", e.valid_up_to() + 1)))?;
    let content = text.strip_suffix('\n').unwrap_or(text);
    let content = content.strip_suffix('\r').unwrap_or(content);
    if memchr::memchr2(b'\r', b'\n', content.as_bytes()).is_some() {
        // Python reads lines with universal newlines: to it, what stands between two carriage returns is a message.
        return Err(unread("a carriage return or newline inside the line, which some peers take for its end".into()));
    }
    if content.trim_start_matches([' ', '\t']).starts_with('[') {
        let why = "batches are not accepted: send each message on a line of its own".into();
        return Err(Fault { id: None, code: INVALID_REQUEST, why });
    }
    let outline = Outline::read(text).map_err(|e| unread(brief(&e.to_string())))?;
    let id = outline.id.and_then(|raw| Id::from_value(&strict::parse(raw.get().as_bytes()).ok()?).ok());
    let invalid = |why: String| Fault { id: id.clone(), code: INVALID_REQUEST, why };

    let Value::Object(mut members) = strict::parse(line).map_err(|e| invalid(brief(&e.to_string())))? else {
        return Err(invalid("a message is a JSON object".into()));
    };
    if let Some(key) = variant_of(&members, &ENVELOPE_KEYS) {
        return Err(invalid(format!("a member that differs from `{key}` in case only")));
    }
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid("`jsonrpc` must be \"2.0\"".into()));
    }
    let read_id = |value: &Value| Id::from_value(value).map_err(|why| invalid(why.into()));
    if let Some(method) = members.remove("method") {
        let Value::String(method) = method else {
            return Err(invalid("`method` must be a string".into()));
        };
        if method.is_empty() || method.chars().any(char::is_control) {
            return Err(invalid("`method` is empty or holds control characters".into()));
        }
        if members.contains_key("result") || members.contains_key("error") {
            return Err(invalid("a message is a request or a response, not both".into()));
        }
        let params = members.remove("params").unwrap_or(Value::Null);
        match &params {
            Value::Null => {}
            Value::Object(params) => {
                if let Some(key) = variant_of(params, &PARAM_KEYS) {
                    return Err(invalid(format!("a member of `params` that differs from `{key}` in case only")));
                }
            }
            _ => return Err(invalid("`params` must be an object".into())),
        }
        return match members.get("id") {
            Some(id) => Ok(Message::Request { id: read_id(id)?, method, params }),
            None => Ok(Message::Notification { method, params }),
        };
    }
    let body = match (members.remove("result"), members.remove("error")) {
        (Some(_), Some(_)) => return Err(invalid("a response has a `result` or an `error`, not both".into())),
        (Some(body @ Value::Object(_)), None) | (None, Some(body @ Value::Object(_))) => body,
        (None, None) => return Err(invalid("neither `method` nor `result` nor `error`".into())),
        _ => return Err(invalid("`result` and `error` must be objects".into())),
    };
    let (Some(id), Some(raw)) = (members.get("id"), outline.body) else {
        return Err(invalid("a response needs the `id` of its request".into()));
    };
    let start = raw.get().as_ptr().addr() - line.as_ptr().addr();
    Ok(Message::Response { id: read_id(id)?, body, place: start..start + raw.get().len() })
}

/// Where the value of a member of a member stands in a JSON text that [`parse`] has accepted.
pub(crate) fn place(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let mut found = text;
    for key in path {
        let members: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(found).ok()?;
        found = members.get(*key)?.get();
    }
    let start = found.as_ptr().addr() - text.as_ptr().addr();
    Some(start..start + found.len())
}

/// The first of `keys` that a member equals when case is ignored, but not exactly. Parsers that match members without
/// regard to case (Go's `encoding/json`) would take one for the other.
pub(crate) fn variant_of<'k>(members: &Map<String, Value>, keys: &[&'k str]) -> Option<&'k str> {
    members.keys().find_map(|member| keys.iter().copied().find(|key| member != key && same_folded(member, key)))
}

fn same_folded(member: &str, key: &str) -> bool {
    // U+017F and U+212A are the two characters outside ASCII that simple case folding maps into it.
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    };
    member.chars().map(fold).eq(key.chars().map(fold))
}

/// Foreign text in a reason is cut and made printable: reasons go to logs and terminals.
fn brief(reason: &str) -> String {
    let mut text: String = reason.chars().take(200).filter(|c| !c.is_control()).collect();
    if text.len() < reason.len() {
        text.push('…');
    }
    text
}

/// Where the members stand that a response needs in raw form, and the id when everything else is beyond reading.
#[derive(Default)]
struct Outline<'a> {
    id: Option<&'a RawValue>,
    body: Option<&'a RawValue>,
}

impl<'a> Outline<'a> {
    fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let outline = reader.deserialize_map(OutlineVisitor)?;
        reader.end()?;
        Ok(outline)
    }
}

struct OutlineVisitor;

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = Outline<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut outline = Outline::default();
        let mut ids = 0;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let raw: &'de RawValue = map.next_value()?;
            match &*key {
                "id" => {
                    ids += 1;
                    outline.id = (ids == 1).then_some(raw);
                }
                "result" | "error" => outline.body = Some(raw),
                _ => {}
            }
        }
        Ok(outline)
    }
}

#[cfg(test)]
mod tests;

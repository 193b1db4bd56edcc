//! JSON that means one thing only. `serde_json` keeps the last of two equal keys while the peer may keep the first, so
//! what comes from outside is read here: duplicate keys, lone surrogates, invalid UTF-8 and deep nesting are refused.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 100;

/// Why a text is not JSON that means one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    what: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Malformed {}

/// Reads one JSON value (RFC 8259) that fills all of `bytes`.
///
/// # Errors
/// When the bytes are not UTF-8, not JSON, hold a key twice in one object, or nest deeper than [`MAX_DEPTH`].
pub fn parse(bytes: &[u8]) -> Result<Value, Malformed> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Malformed { what: format!("not UTF-8 at byte {}", e.valid_up_to() + 1) })?;
    if text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
        return Err(Malformed { what: "empty where JSON was expected".into() });
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut reader).map_err(|e| Malformed { what: e.to_string() })?;
    reader.end().map_err(|e| Malformed { what: e.to_string() })?;
    Ok(value)
}

/// Reads one JSON value as [`parse`] does, then as `T`.
///
/// # Errors
/// As [`parse`], and when the value is not a `T`.
pub fn from_slice<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    serde_json::from_value(parse(bytes)?).map_err(|e| Malformed { what: e.to_string() })
}

struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > MAX_DEPTH {
            return Err(D::Error::custom(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element_seed(Self { depth: self.depth + 1 })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` stands twice in one object")));
            }
            let value = map.next_value_seed(Self { depth: self.depth + 1 })?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuses(bytes: &[u8], why: &str) {
        let err = parse(bytes).unwrap_err().to_string();
        assert!(err.contains(why), "{err}");
    }

    #[test]
    fn what_means_two_things_is_refused() {
        refuses(br#"{"a":1,"a":2}"#, "`a` stands twice");
        refuses(br#"{"x":[{"a":1,"b":2,"\u0061":3}]}"#, "`a` stands twice");
        refuses(b"", "empty");
        refuses(b" \n", "empty");
        refuses(b"{\"a\":\"\xff\"}", "not UTF-8 at byte 7");
        refuses(br#"{"a":"\ud800"}"#, "hex escape");
        refuses(b"{\"a\":1} {}", "trailing");
        refuses(b"{\"a\":", "EOF");
        refuses("[".repeat(100_000).as_bytes(), "nested deeper");
        refuses(b"\xef\xbb\xbf{}", "expected value");
    }

    #[test]
    fn ordinary_json_is_read() {
        let value = parse(br#" {"a":[1,-2,0.5,true,null,"x"],"A":{}} "#).unwrap();
        assert_eq!(value, serde_json::json!({"a":[1,-2,0.5,true,null,"x"],"A":{}}));
    }
}

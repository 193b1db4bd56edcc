//! A result that lists things, without some of them, and with every other byte as it came.

use std::{borrow::Cow, fmt};

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The array without the elements that are not kept.
pub(crate) fn without(array: &RawValue, kept: &[bool]) -> Result<Option<String>, String> {
    let elements: Vec<&RawValue> = serde_json::from_str(array.get()).map_err(|e| e.to_string())?;
    let kept = elements.iter().zip(kept).filter(|(_, kept)| **kept).map(|(element, _)| element.get());
    Ok(Some(format!("[{}]", kept.collect::<Vec<_>>().join(","))))
}

/// An object with the values of some members replaced, and every other byte as it was.
pub(crate) fn rewritten(
    raw: &str,
    mut replace: impl FnMut(&str, &RawValue) -> Result<Option<String>, String>,
) -> Result<String, String> {
    let mut reader = serde_json::Deserializer::from_str(raw);
    let members = reader.deserialize_map(Members).map_err(|e| e.to_string())?;
    let mut out = String::with_capacity(raw.len());
    let mut copied = 0;
    for (member, value) in members {
        if let Some(new) = replace(&member, value)? {
            let start = value.get().as_ptr().addr() - raw.as_ptr().addr();
            out.push_str(raw.get(copied..start).unwrap_or_default());
            out.push_str(&new);
            copied = start + value.get().len();
        }
    }
    out.push_str(raw.get(copied..).unwrap_or_default());
    Ok(out)
}

/// The members of an object in order, their values where they stand in the text.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

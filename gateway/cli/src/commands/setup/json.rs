//! Our entries in a JSON file of an agent's: put there and taken away, with every other byte left as it is.

use anyhow::{Context as _, bail};
use jsonc_parser::{
    ParseOptions,
    cst::{CstArray, CstInputValue, CstNode, CstObject, CstRootNode},
};
use rampart_agents::setup::{Entry, holds_ours};
use serde_json::Value;

/// What agents allow in their JSON: comments, trailing commas, and OpenClaw more.
fn options() -> ParseOptions {
    ParseOptions { allow_missing_commas: false, ..ParseOptions::default() }
}

/// The value that a text is; an empty object for an empty text.
///
/// # Errors
/// When it is no JSON.
pub(super) fn value(text: &str) -> anyhow::Result<Value> {
    let root = CstRootNode::parse(text, &options()).context("it cannot be read")?;
    Ok(root.value().and_then(|value| value.to_serde_value()).unwrap_or_else(|| Value::Object(serde_json::Map::new())))
}

/// The text with the entries in it.
///
/// # Errors
/// When it is no JSON, or what has to hold an entry is something else.
pub(super) fn put(text: &str, entries: &[Entry]) -> anyhow::Result<String> {
    if text.trim().is_empty() {
        // A file of our own making looks as people write such files.
        let made = put("{}", entries)?;
        return Ok(format!("{:#}\n", value(&made)?));
    }
    let root = CstRootNode::parse(text, &options()).context("it cannot be read")?;
    let object = root.object_value_or_create().context("it is no JSON object")?;
    for entry in entries {
        match entry {
            Entry::Element(way, value) => append(&list_at(&object, way)?, value),
            Entry::Listed(way, value) => {
                if let Some(list) = find(&object, way).and_then(|node| node.as_array()) {
                    append(&list, value);
                }
            }
            Entry::Member(way, value) => set(&object, way, value, true)?,
            Entry::Default(way, value) => set(&object, way, value, false)?,
        }
    }
    let made = root.to_string();
    // What does not say what was meant is not written.
    value(&made)?;
    Ok(made)
}

/// The text without them.
///
/// # Errors
/// When it is no JSON.
pub(super) fn take(text: &str, entries: &[Entry]) -> anyhow::Result<String> {
    let root = CstRootNode::parse(text, &options()).context("it cannot be read")?;
    let Some(object) = root.object_value() else { return Ok(text.to_owned()) };
    for entry in entries {
        let (way, emptied) = match entry {
            Entry::Element(way, value) | Entry::Listed(way, value) => {
                let Some(list) = find(&object, way).and_then(|node| node.as_array()) else { continue };
                let ours: Vec<CstNode> = list.elements().into_iter().filter(|node| is_ours(node, value)).collect();
                let any = !ours.is_empty();
                ours.into_iter().for_each(CstNode::remove);
                (way, any && list.elements().is_empty())
            }
            Entry::Member(way, _) => (way, find(&object, way).is_some()),
            Entry::Default(..) => continue,
        };
        if emptied {
            prune(&object, way);
        }
    }
    Ok(root.to_string())
}

/// Whether nothing is in the text but what a setup leaves there.
pub(super) fn is_bare(text: &str, entries: &[Entry]) -> bool {
    let ours = |name: &str| {
        entries.iter().any(|entry| matches!(entry, Entry::Default(way, _) if way.first().is_some_and(|w| *w == name)))
    };
    let left = value(text).ok();
    left.and_then(|left| Some(left.as_object()?.keys().all(|name| ours(name)))).unwrap_or(false)
}

fn list_at(object: &CstObject, way: &[&str]) -> anyhow::Result<CstArray> {
    let (last, folders) = way.split_last().context("an entry has a way")?;
    let object = object_at(object, folders)?;
    object.array_value_or_create(last).with_context(|| format!("`{}` is no list", way.join(".")))
}

fn object_at(object: &CstObject, way: &[&str]) -> anyhow::Result<CstObject> {
    way.iter().try_fold(object.clone(), |object, name| {
        object.object_value_or_create(name).with_context(|| format!("`{name}` is no object"))
    })
}

fn find(object: &CstObject, way: &[&str]) -> Option<CstNode> {
    let (last, folders) = way.split_last()?;
    let object = folders.iter().try_fold(object.clone(), |object, name| object.object_value(name))?;
    object.get(last)?.value()
}

/// Appends a value, or puts it in the place of an older one of ours.
fn append(list: &CstArray, value: &Value) {
    let elements = list.elements();
    let there = elements.iter().find(|node| is_ours(node, value));
    match there {
        Some(node) if node.to_serde_value().as_ref() == Some(value) => {}
        Some(node) => {
            if let Some(object) = node.as_object() {
                object.replace_with(input(value));
            } else if let Some(string) = node.as_string_lit() {
                string.replace_with(input(value));
            }
        }
        // In a group that somebody put together by hand: it is asked already, and the group is theirs.
        None if elements.iter().any(|node| node.to_serde_value().is_some_and(|value| holds_ours(&value))) => {}
        None => drop(list.append(input(value))),
    }
}

/// Whether an element is one that a setup put there: the same text, or an object with our command and no other hook.
fn is_ours(node: &CstNode, value: &Value) -> bool {
    let Some(there) = node.to_serde_value() else { return false };
    let alone = there.get("hooks").and_then(Value::as_array).is_none_or(|hooks| hooks.len() == 1);
    there == *value || (value.is_object() && alone && holds_ours(&there))
}

fn set(object: &CstObject, way: &[&str], value: &Value, anew: bool) -> anyhow::Result<()> {
    let (last, folders) = way.split_last().context("an entry has a way")?;
    let object = object_at(object, folders)?;
    match object.get(last) {
        Some(member) if anew && member.value().and_then(|v| v.to_serde_value()).as_ref() != Some(value) => {
            member.set_value(input(value));
        }
        Some(_) => {}
        None => drop(object.append(last, input(value))),
    }
    if object.get(last).is_none() {
        bail!("`{}` cannot be set", way.join("."));
    }
    Ok(())
}

/// Removes the member that `way` leads to, and those above it that nothing else is in.
fn prune(object: &CstObject, way: &[&str]) {
    for end in (1..=way.len()).rev() {
        let Some((last, folders)) = way.get(..end).and_then(<[&str]>::split_last) else { return };
        let holder = folders.iter().try_fold(object.clone(), |object, name| object.object_value(name));
        let Some(holder) = holder else { return };
        if let Some(member) = holder.get(last) {
            member.remove();
        }
        if !holder.properties().is_empty() {
            return;
        }
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(yes) => CstInputValue::Bool(*yes),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(members) => {
            CstInputValue::Object(members.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests;

//! YAML text in, a tree with the place of every node out. Anchors, merge keys, tags and duplicate keys are refused, so
//! that a file says one thing only.

use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{DuplicateKeyPolicy, Error, Location, MergeKeyPolicy, Options, Spanned, budget, options};

/// One node of a YAML document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    /// Bytes of the text.
    pub(crate) span: Range<usize>,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// A number; its text stands at the node's span.
    Number,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) span: Range<usize>,
}

/// Why a text is not the YAML we take.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub(crate) message: String,
    pub(crate) span: Option<Range<usize>>,
}

/// The most bytes a policy file may have.
pub(crate) const MAX_BYTES: usize = 8 << 20;

/// Reads one document.
pub(crate) fn parse(text: &str) -> Result<Node, Malformed> {
    if text.len() > MAX_BYTES {
        return Err(Malformed { message: format!("the file is larger than {} MiB", MAX_BYTES >> 20), span: None });
    }
    let node = serde_yaml::from_str_with_options::<Node>(text, strict()).map_err(|error| malformed(text, &error))?;
    check_indentation(text, &node)?;
    Ok(node)
}

/// What goes on over several lines stands further in than its key (YAML 1.2.2 sections 7.3 and 7.4), which the parser
/// does not insist on. A closing bracket may stand below the key, as everybody writes it.
fn check_indentation(text: &str, node: &Node) -> Result<(), Malformed> {
    let entries = match &node.value {
        Value::List(items) => return items.iter().try_for_each(|item| check_indentation(text, item)),
        Value::Map(entries) if !text.get(node.span.start..).is_some_and(|rest| rest.starts_with('{')) => entries,
        _ => return Ok(()),
    };
    for (key, value) in entries {
        let written = text.get(value.span.clone()).unwrap_or_default();
        if !written.starts_with(['[', '{', '"', '\'']) {
            check_indentation(text, value)?;
            continue;
        }
        let line = text.get(..key.span.start).map_or(0, |before| before.rfind('\n').map_or(0, |at| at + 1));
        let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let base = text.get(line..).map_or(0, indent);
        let mut start = value.span.start;
        for (number, line) in written.split_inclusive('\n').enumerate() {
            let closes = line.trim().is_empty() || line.trim_start().starts_with([']', '}', '#']);
            if number > 0 && !closes && indent(line) <= base {
                let message = format!("this is not valid YAML: this goes on what `{}` began, so indent it", key.name);
                return Err(Malformed { message, span: Some(start..start + line.trim_end().len()) });
            }
            start += line.len();
        }
    }
    Ok(())
}

fn strict() -> Options {
    options! {
        budget: budget! {
            max_aliases: 0,
            max_anchors: 0,
            max_depth: 64,
            max_nodes: 2_000_000,
            max_events: 8_000_000,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        reject_tagged_field_names: true,
        with_snippet: false,
    }
}

fn malformed(text: &str, error: &Error) -> Malformed {
    let error = error.without_snippet();
    let message = match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` stands here twice"),
        Error::DuplicateMappingKey { key: None, .. } => "a key stands here twice".to_owned(),
        Error::Budget { breach, .. } => match format!("{breach:?}") {
            b if b.contains("Anchor") || b.contains("Alias") => "anchors and aliases are not allowed here".to_owned(),
            _ => "the file is too large or nested too deeply".to_owned(),
        },
        Error::MergeKeyNotAllowed { .. } => "merge keys (`<<`) are not allowed here".to_owned(),
        Error::UnknownAnchor { .. } => "anchors and aliases are not allowed here".to_owned(),
        Error::MultipleDocuments { .. } => "the file holds more than one YAML document".to_owned(),
        Error::Eof { .. } => "the file is empty".to_owned(),
        other => {
            let text = other.to_string();
            let first = text.lines().next().unwrap_or_default();
            format!("this is not valid YAML: {}", first.trim_start_matches("error: "))
        }
    };
    let span = error.location().and_then(|at| bytes(at).or_else(|| place(text, at)));
    Malformed { message, span }
}

/// The byte at a line and column, where the parser knows no more.
fn place(text: &str, at: Location) -> Option<Range<usize>> {
    let line = usize::try_from(at.line()).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let column = usize::try_from(at.column()).ok()?.saturating_sub(1);
    let within: usize = text.get(start..)?.chars().take(column).map(char::len_utf8).sum();
    Some(start + within..start + within)
}

fn bytes(location: Location) -> Option<Range<usize>> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let len = usize::try_from(location.span().byte_len()?).ok()?;
    Some(start..start + len)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        let mut span = bytes(spanned.defined).unwrap_or(0..0);
        // The parser gives a list or mapping the place where it begins; it reaches as far as what is in it.
        let last = match &spanned.value {
            Value::List(items) => items.last(),
            Value::Map(entries) => entries.last().map(|(_, node)| node),
            _ => None,
        };
        span.end = last.map_or(span.end, |node| node.span.end.max(span.end));
        Ok(Self { span, value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text, a number, true, false, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let span = bytes(key.defined).unwrap_or(0..0);
            entries.push((Key { name: key.value, span }, map.next_value()?));
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'n>(node: &'n Node, key: &str) -> &'n Node {
        let Value::Map(entries) = &node.value else { panic!("not a mapping: {node:?}") };
        &entries.iter().find(|(k, _)| k.name == key).unwrap_or_else(|| panic!("no {key}")).1
    }

    #[test]
    fn every_node_knows_its_place() {
        let text = "a: ['é', \"b\"]\nport: 443\nplain: rm -rf *\non: yes\nflag: true\nnothing:\nmap: {x: 1}\n";
        let node = parse(text).unwrap();
        let at = |key: &str| &text[get(&node, key).span.clone()];
        assert_eq!(at("port"), "443");
        assert_eq!(at("plain"), "rm -rf *");
        let Value::List(list) = &get(&node, "a").value else { panic!() };
        assert_eq!(&text[list[0].span.clone()], "'é'");
        assert_eq!(&text[list[1].span.clone()], "\"b\"");
        assert_eq!(get(&node, "on").value, Value::Text("yes".into()), "only true and false are booleans");
        assert_eq!(get(&node, "flag").value, Value::Bool(true));
        assert_eq!(get(&node, "nothing").value, Value::Null);
        let Value::Map(entries) = &node.value else { panic!() };
        assert_eq!(&text[entries[2].0.span.clone()], "plain");
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        let refused = |text: &str, why: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(why), "{text:?}: {}", error.message);
        };
        refused("a: 1\na: 2\n", "`a` stands here twice");
        refused("a: &x 1\nb: *x\n", "anchors");
        refused("a: {<<: {b: 1}}\n", "merge keys");
        refused("a: !!python/object 1\n", "valid YAML");
        refused("a: 1\n---\nb: 2\n", "more than one");
        refused("a:\n\t- b\n", "valid YAML");
        refused("a: [1\n", "valid YAML");
        refused("a:\n  b: [1,\n  2]\n", "what `b` began");
        parse("a: [\n  1,\n  {b: 2,\nc: 3},\n]\n").unwrap_err();
        parse("a: [\n  1, # one\n# two\n\n  'x\n  y'\n]\nb:\n  [1,\n  2]\nc: {d: 1\n  }\n").unwrap();
        parse("{\n\"a\": [\n1\n]\n}\n").unwrap();
        refused(&"[".repeat(5_000), "YAML");
    }

    /// The cases of the YAML test suite (github.com/yaml/yaml-test-suite, MIT) that no YAML reader may take.
    #[test]
    fn s9_what_is_no_yaml_is_no_policy() {
        let cases: Vec<(String, String)> =
            serde_json::from_str(include_str!("../fixtures/yaml-must-fail.json")).unwrap();
        assert!(cases.len() > 90);
        let taken: Vec<&str> =
            cases.iter().filter(|(_, text)| parse(text).is_ok()).map(|(name, _)| name.as_str()).collect();
        assert_eq!(taken, [""; 0]);
    }
}

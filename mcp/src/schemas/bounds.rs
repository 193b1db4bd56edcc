//! How much work a schema of a server's can make, found out before any of it is done: references that double at each
//! step, or alternatives at each depth of a value, make few bytes into more steps than anybody can wait for.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

/// The most parts that a schema may have.
const PARTS: usize = 10_000;
/// The most references and keywords that may lead from one to the next at one place of a value.
const CHAIN: usize = 200;
/// How deep a value may be, and of how many parts.
const DEPTH: usize = 64;
const VALUE: u64 = 100_000;
/// The most steps that a check may take.
const STEPS: u64 = 10_000_000;

/// Keywords that apply schemas to the same place of a value.
const HERE: [&str; 9] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"];
/// Keywords that apply schemas to parts of it.
const INSIDE: [&str; 10] = [
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "items",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "contains",
];
/// Of those, the ones that hold schemas by name.
const BY_NAME: [&str; 4] = ["dependentSchemas", "dependencies", "properties", "patternProperties"];

/// The bounds of one schema.
#[derive(Debug)]
pub(super) struct Bounds {
    /// Where `#name` leads to, as JSON pointers.
    anchors: BTreeMap<String, String>,
    /// The steps for one part of a value of some depth, once they are known.
    steps: Mutex<BTreeMap<usize, u64>>,
}

/// The bounds of a schema.
///
/// # Errors
/// When it refers to what is not in it, or is too large.
pub(super) fn of(schema: &Value) -> Result<Bounds, String> {
    let mut anchors = BTreeMap::new();
    let mut parts = 0;
    let mut waiting = vec![(schema, String::new())];
    while let Some((part, pointer)) = waiting.pop() {
        parts += 1;
        if parts > PARTS {
            return Err(format!("it has more than {PARTS} parts"));
        }
        match part {
            Value::Object(members) => {
                for (name, value) in members {
                    match (name.as_str(), value) {
                        ("$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                            return Err(format!("it has a {name}"));
                        }
                        ("$id", Value::String(_)) if !pointer.is_empty() => return Err("it has an inner $id".into()),
                        ("$ref", Value::String(place)) if !place.starts_with('#') => {
                            return Err("it refers to what is not in it".into());
                        }
                        ("$anchor", Value::String(anchor)) => {
                            anchors.insert(anchor.clone(), pointer.clone());
                        }
                        _ => {}
                    }
                    let name = name.replace('~', "~0").replace('/', "~1");
                    waiting.push((value, format!("{pointer}/{name}")));
                }
            }
            Value::Array(list) => {
                waiting.extend(list.iter().enumerate().map(|(at, value)| (value, format!("{pointer}/{at}"))));
            }
            _ => {}
        }
    }
    Ok(Bounds { anchors, steps: Mutex::default() })
}

impl Bounds {
    /// Whether a value may be checked.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn allow(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let (depth, parts) = size(value);
        if depth > DEPTH || parts > VALUE {
            return Err("it is too deep or too large to be checked".into());
        }
        let known = self.steps.lock().unwrap_or_else(PoisonError::into_inner).get(&depth).copied();
        let steps = if let Some(steps) = known {
            steps
        } else {
            let mut count = Count { root: schema, bounds: self, known: HashMap::new(), open: HashSet::new() };
            let steps = count.steps(schema, depth)?;
            self.steps.lock().unwrap_or_else(PoisonError::into_inner).insert(depth, steps);
            steps
        };
        if steps.saturating_mul(parts) > STEPS {
            return Err("its schema makes too much work".into());
        }
        Ok(())
    }
}

/// How deep a value is, and how many parts it has.
fn size(value: &Value) -> (usize, u64) {
    let (mut deepest, mut parts) = (0, 0);
    let mut waiting = vec![(value, 0)];
    while let Some((value, depth)) = waiting.pop() {
        (deepest, parts) = (deepest.max(depth), parts + 1);
        match value {
            Value::Array(list) => waiting.extend(list.iter().map(|inner| (inner, depth + 1))),
            Value::Object(members) => waiting.extend(members.values().map(|inner| (inner, depth + 1))),
            _ => {}
        }
    }
    (deepest, parts)
}

struct Count<'s> {
    root: &'s Value,
    bounds: &'s Bounds,
    /// By the schema's address and what is left of the depth.
    known: HashMap<(usize, usize), u64>,
    open: HashSet<(usize, usize)>,
}

impl<'s> Count<'s> {
    /// The steps that a schema may take with a value of this depth.
    fn steps(&mut self, schema: &'s Value, depth: usize) -> Result<u64, String> {
        let Value::Object(members) = schema else { return Ok(1) };
        let place = (std::ptr::from_ref(schema).addr(), depth);
        if let Some(steps) = self.known.get(&place) {
            return Ok(*steps);
        }
        if self.open.len() > CHAIN + DEPTH {
            return Err("its parts refer to each other in too long a chain".into());
        }
        if !self.open.insert(place) {
            return Err("it refers to itself without an end".into());
        }
        let mut steps: u64 = 1;
        for (keyword, value) in members {
            let depth = match keyword.as_str() {
                "$ref" => {
                    let to = value.as_str().unwrap_or_default();
                    let to = self.resolve(to).ok_or("it refers to what is not in it")?;
                    steps = steps.saturating_add(self.steps(to, depth)?);
                    continue;
                }
                "enum" => {
                    steps = steps.saturating_add(value.as_array().map_or(0, |list| list.len() as u64));
                    continue;
                }
                keyword if HERE.contains(&keyword) => depth,
                keyword if INSIDE.contains(&keyword) => match depth.checked_sub(1) {
                    Some(depth) => depth,
                    None => continue,
                },
                _ => continue,
            };
            let inner: Vec<&'s Value> = match value {
                Value::Array(list) => list.iter().collect(),
                Value::Object(named) if BY_NAME.contains(&keyword.as_str()) => named.values().collect(),
                other => vec![other],
            };
            for schema in inner {
                steps = steps.saturating_add(self.steps(schema, depth)?);
            }
        }
        self.open.remove(&place);
        self.known.insert(place, steps);
        Ok(steps)
    }

    fn resolve(&self, reference: &str) -> Option<&'s Value> {
        let place = reference.strip_prefix('#')?;
        if place.contains('%') {
            return None;
        }
        let pointer =
            if place.is_empty() || place.starts_with('/') { place } else { self.bounds.anchors.get(place)? };
        self.root.pointer(pointer)
    }
}

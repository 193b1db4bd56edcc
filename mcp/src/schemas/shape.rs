//! One schema, compiled when it is first needed.

use std::sync::OnceLock;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::bounds::{self, Bounds};

/// Bytes that a regular expression of a schema may compile to.
const PATTERN: usize = 1 << 20;
/// Characters of a reason.
const SHOWN: usize = 300;

/// A schema that a server gave.
#[derive(Debug)]
pub(super) struct Shape {
    schema: Value,
    /// What stands at the top, and the schema does not name, does not fit.
    closed: bool,
    compiled: OnceLock<Result<Compiled, String>>,
}

#[derive(Debug)]
struct Compiled {
    validator: Validator,
    bounds: Bounds,
}

impl Shape {
    pub(super) fn new(schema: Value, closed: bool) -> Self {
        Self { schema, closed, compiled: OnceLock::new() }
    }

    pub(super) fn schema(&self) -> &Value {
        &self.schema
    }

    /// Whether a value is of this shape. No part of the value stands in the reason.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        let compiled = self.compiled.get_or_init(|| compile(&self.schema));
        let Compiled { validator, bounds } =
            compiled.as_ref().map_err(|why| format!("its schema cannot be checked: {why}"))?;
        bounds.allow(&self.schema, value)?;
        if let Err(error) = validator.validate(value) {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "at the top".into() } else { format!("at {place}") };
            return Err(format!("{place}: {}", error.masked()).chars().take(SHOWN).collect());
        }
        if self.closed
            && let Some(names) = value.as_object()
            && let Some(unknown) = names.keys().find(|name| !self.names(name))
        {
            let unknown: String = unknown.chars().take(SHOWN).flat_map(char::escape_default).collect();
            return Err(format!("`{unknown}` is no argument of it"));
        }
        Ok(())
    }

    fn names(&self, name: &str) -> bool {
        self.schema.get("properties").is_some_and(|properties| properties.get(name).is_some())
    }
}

/// Nothing is fetched, and expressions are matched in linear time; those that cannot be are an error.
fn compile(schema: &Value) -> Result<Compiled, String> {
    let bounds = bounds::of(schema)?;
    let patterns = PatternOptions::regex().size_limit(PATTERN).dfa_size_limit(PATTERN);
    let validator = jsonschema::options().offline().with_pattern_options(patterns).build(schema);
    let validator = validator.map_err(|error| error.to_string().chars().take(SHOWN).collect::<String>())?;
    Ok(Compiled { validator, bounds })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_server_could_hurt_with_is_an_error_and_takes_no_time() {
        let doubling: serde_json::Map<String, Value> = (0..60)
            .map(|n| (format!("d{n}"), json!({"allOf": [{"$ref": format!("#/$defs/d{}", n + 1)}, {"$ref": format!("#/$defs/d{}", n + 1)}]})))
            .chain([("d60".into(), json!({"type": "string"}))])
            .collect();
        let tree = json!({"anyOf": [
            {"properties": {"x": {"$ref": "#/$defs/t"}}, "required": ["y"]},
            {"properties": {"x": {"$ref": "#/$defs/t"}}, "required": ["z"]},
        ]});
        let nested = |depth: usize| (0..depth).fold(json!({}), |inside, _| json!({"x": inside}));
        let wide: Vec<Value> = (0..20_000).map(|n| json!({"const": n})).collect();
        let begun = Instant::now();
        for (what, schema, value) in [
            ("a reference to elsewhere", json!({"$ref": "https://schemas.example/x"}), json!({})),
            ("a reference to a file", json!({"properties": {"a": {"$ref": "file:///etc/passwd"}}}), json!({"a": 1})),
            (
                "a base for references",
                json!({"$defs": {"a": {"$id": "https://x.example/", "type": "string"}}}),
                json!({}),
            ),
            ("a dynamic reference", json!({"$dynamicRef": "#a"}), json!({})),
            ("a reference to nothing", json!({"$ref": "#/$defs/none"}), json!({})),
            ("a reference to itself", json!({"$ref": "#"}), json!({})),
            (
                "two that refer to each other",
                json!({"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#"}}}}),
                json!({}),
            ),
            ("doubling", json!({"$ref": "#/$defs/d0", "$defs": doubling}), json!("x")),
            ("a tree of alternatives", json!({"$ref": "#/$defs/t", "$defs": {"t": tree}}), nested(60)),
            ("20,000 alternatives", json!({"anyOf": wide}), json!(1)),
            ("an expression that goes back", json!({"pattern": "^(?=a)(a+)+$"}), json!("a")),
            ("an expression of great size", json!({"pattern": "((a{1000}){1000}){1000}"}), json!("a")),
            ("a value of great depth", json!({"type": "object"}), nested(100)),
        ] {
            assert!(Shape::new(schema, false).check(&value).is_err(), "{what}");
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    #[test]
    fn what_servers_really_write_is_checked() {
        let tree = json!({"$ref": "#/$defs/node", "$defs": {"node": {
            "type": "object",
            "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
            "required": ["name"],
        }}});
        for (schema, value, fits) in [
            (json!({"type": "object"}), json!({"a": 1}), true),
            (json!(true), json!({"a": 1}), true),
            (
                json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["a"]}),
                json!({}),
                false,
            ),
            (tree.clone(), json!({"name": "a", "children": [{"name": "b", "children": []}]}), true),
            (tree, json!({"name": "a", "children": [{"children": []}]}), false),
            (
                json!({"$defs": {"a": {"$anchor": "it", "type": "string"}}, "properties": {"x": {"$ref": "#it"}}}),
                json!({"x": 1}),
                false,
            ),
            (json!({"properties": {"n": {"type": "integer", "maximum": 9}}}), json!({"n": 10}), false),
            (json!({"properties": {"a": {"pattern": "^(a+)+$"}}}), json!({"a": "a".repeat(50_000) + "b"}), false),
            (json!(["no schema"]), json!({}), false),
        ] {
            let checked = Shape::new(schema.clone(), false).check(&value);
            assert_eq!(checked.is_ok(), fits, "{schema}: {checked:?}");
        }
    }
}

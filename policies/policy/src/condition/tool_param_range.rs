//! `tool_param_range`, `tool_param_length`: an argument of an MCP or host tool is a number within bounds, or a text of so many
//! characters: `{ /limit: { gt: 100 } }`. A mapping of argument names, or JSON pointers, to bounds; all named arguments must
//! fit theirs.

use rampart_call::Action;
use serde_json::Value;

use super::{Fields, Reader, RuleBuilder, agent_depth::bounds, tool_param::find};
use crate::{
    pattern::Reading,
    tool::Tools,
    yaml::{Key, Node, Value as Yaml},
};

/// Arguments, and the lowest and highest that each may be.
type Bounds = Vec<(String, (i64, i64))>;

/// What of a value lies within bounds; nothing of one that has none.
type Measure = fn(&Value) -> Option<f64>;

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    range: Option<Bounds>,
    length: Option<Bounds>,
}

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let mut take = |key: &'static str| fields.take(key).map(|node| named(node, key, reader));
        Self { range: take("tool_param_range"), length: take("tool_param_length") }
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let sides: [(_, _, Measure); 2] =
            [("tool_param_range", &self.range, number), ("tool_param_length", &self.length, length)];
        for (key, source, measure) in sides {
            let Some(params) = source else { continue };
            into.reaches(Tools::MCP.and(Tools::OTHER));
            let reading = into.reading;
            for (name, (low, high)) in params {
                let (name, low, high) = (name.clone(), *low, *high);
                into.call(key, move |facts| {
                    let arguments = match &facts.call.action {
                        Action::Mcp { arguments, .. } => &**arguments,
                        Action::Tool { input, .. } => input,
                        _ => return false,
                    };
                    let mut measured = find(arguments, &name, reading).into_iter().flat_map(scalars).map(measure);
                    let fits = |value: Option<f64>| value.is_some_and(|value| within(value, low, high, reading));
                    match reading {
                        Reading::Broad => measured.any(fits),
                        Reading::Exact => {
                            let mut measured = measured.peekable();
                            measured.peek().is_some() && measured.all(fits)
                        }
                    }
                });
            }
        }
    }
}

/// Bounds are whole numbers: `gt: 100` is kept as 101. What lies between is restricted, and not granted.
#[expect(clippy::cast_precision_loss, reason = "bounds beyond 2^53 may be off by a few")]
fn within(value: f64, low: i64, high: i64, reading: Reading) -> bool {
    let (up, down) = match reading {
        Reading::Broad => (value.ceil(), value.floor()),
        Reading::Exact => (value, value),
    };
    (low == i64::MIN || up >= low as f64) && (high == i64::MAX || down <= high as f64)
}

/// A number, also one that is written as a text: a lenient tool may take it for one.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[expect(clippy::cast_precision_loss, reason = "no text is that long")]
fn length(value: &Value) -> Option<f64> {
    Some(value.as_str()?.chars().count() as f64)
}

/// The values in arrays and objects, each by itself.
fn scalars(value: &Value) -> Vec<&Value> {
    let (mut found, mut waiting) = (Vec::new(), vec![value]);
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(list) => waiting.extend(list),
            Value::Object(members) => waiting.extend(members.values()),
            scalar => found.push(scalar),
        }
    }
    found
}

fn named(node: &Node, what: &'static str, reader: &mut Reader<'_>) -> Bounds {
    let Yaml::Map(entries) = &node.value else {
        let help = format!("write it like `{what}: {{ limit: {{ gt: 100 }} }}`");
        reader.error_with("wrong-type", &node.span, format!("`{what}` is a mapping of arguments to bounds"), help);
        return Vec::new();
    };
    if entries.is_empty() {
        reader.error("empty-list", &node.span, format!("`{what}` names nothing"));
    }
    let mut entry = |(key, value): &(Key, Node)| Some((key.name.clone(), bounds(value, what, reader, Reader::number)?));
    entries.iter().filter_map(&mut entry).collect()
}

//! `agent_depth`: how many agents stand between the human and the one that calls: `2`, or `{ gte: 1, lte: 3 }`.

use super::{Fields, Reader, RuleBuilder};
use crate::yaml::{Node, Value};

/// What is written: lowest and highest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Source(pub(crate) Option<(i64, i64)>);

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self(fields.take("agent_depth").and_then(|node| bounds(node, "agent_depth", reader, Reader::number)))
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Some((low, high)) = self.0 else { return };
        into.call("agent_depth", move |facts| (low..=high).contains(&i64::from(facts.call.origin.depth)));
    }
}

/// Reads a number, or a mapping of `gte`, `gt`, `lte` and `lt` to numbers, as the lowest and highest that fit.
pub(super) fn bounds<'a>(
    node: &Node,
    what: &'static str,
    reader: &mut Reader<'a>,
    number: impl Fn(&mut Reader<'a>, &Node, &str) -> Option<i64>,
) -> Option<(i64, i64)> {
    if !matches!(node.value, Value::Map(_)) {
        let exact = number(reader, node, what)?;
        return Some((exact, exact));
    }
    let mut fields = reader.fields(node, what)?;
    let (mut low, mut high) = (i64::MIN, i64::MAX);
    for (key, floor, shift) in [("gte", true, 0), ("gt", true, 1), ("lte", false, 0), ("lt", false, -1)] {
        let Some(node) = fields.take(key) else { continue };
        let bound = number(reader, node, key)?.saturating_add(shift);
        if floor {
            low = low.max(bound);
        } else {
            high = high.min(bound);
        }
    }
    if fields.is_empty() {
        reader.error_with("empty-when", &node.span, format!("`{what}` has no bound"), "write it like `{ gte: 2 }`");
    }
    fields.finish(reader);
    if low > high {
        reader.error("never-true", &node.span, format!("no number fits these bounds of `{what}`"));
    }
    Some((low, high))
}

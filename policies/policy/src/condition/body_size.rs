//! `body_size`: how many bytes are sent or written or, in a policy about answers, came back: `{ gt: 1MB }`. Units are `KB`,
//! `MB` and `GB`, of 1024.

use rampart_call::{Action, Phase};

use super::{Fields, Reader, RuleBuilder, agent_depth::bounds, header};
use crate::{facts::Facts, tool::Tools, yaml::Node};

/// What is written: lowest and highest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Source(pub(crate) Option<(i64, i64)>);

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self(fields.take("body_size").and_then(|node| bounds(node, "body_size", reader, size)))
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Some((low, high)) = self.0 else { return };
        into.reaches(Tools::FETCH.and(Tools::WRITE).and(Tools::EDIT));
        into.call("body_size", move |facts| {
            let size = match &facts.call.action {
                _ if facts.call.phase == Phase::After => came_back(facts),
                Action::Fetch { body_size: Some(size), .. } => Some(*size),
                _ => facts.body().map(|b| b.len() as u64),
            };
            size.is_some_and(|s| (low..=high).contains(&i64::try_from(s).unwrap_or(i64::MAX)))
        });
    }
}

/// The size that an answer announces, or has where all of it is there.
fn came_back(facts: &Facts<'_>) -> Option<u64> {
    let announced = header::values(facts, "content-length").next().and_then(|v| v.parse().ok());
    announced.or_else(|| {
        let response = facts.call.response.as_ref().filter(|r| !r.truncated)?;
        Some(response.text.len() as u64)
    })
}

/// Reads a number of bytes, with or without a unit.
pub(super) fn size(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<i64> {
    let text = reader.text(node, what)?;
    let upper = text.value.trim().to_ascii_uppercase();
    let units = [
        ("KIB", 1 << 10),
        ("KB", 1 << 10),
        ("MIB", 1 << 20),
        ("MB", 1 << 20),
        ("GIB", 1 << 30),
        ("GB", 1 << 30),
        ("B", 1),
    ];
    let (digits, unit) = units.iter().find_map(|(u, n)| Some((upper.strip_suffix(u)?, *n))).unwrap_or((&upper, 1_i64));
    let parsed = digits.trim().parse::<i64>().ok().filter(|n| *n >= 0).and_then(|n| n.checked_mul(unit));
    if parsed.is_none() {
        let message = format!("`{}` is not a size", text.value);
        reader.error_with("bad-size", &text.span, message, "write it like `65536`, `64KB` or `1MB`");
    }
    parsed
}

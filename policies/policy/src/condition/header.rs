//! `header_matches`, `header_not_matches`: a request header's value matches a text glob; in a policy about answers
//! (`match: { phase: after }`), an answer's. A mapping of header names to patterns; all named headers must match.

use rampart_call::Phase;

use super::{Fields, Placed, Reader, RuleBuilder};
use crate::{
    facts::Facts,
    pattern::TextGlob,
    tool::Tools,
    yaml::{Node, Value},
};

/// What is written: header names in lower case, and their patterns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) yes: Option<Vec<(String, Vec<Placed<String>>)>>,
    pub(crate) no: Option<Vec<(String, Vec<Placed<String>>)>>,
}

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let mut take = |key: &'static str| fields.take(key).map(|node| named_patterns(node, key, reader));
        let lower = |list: Vec<(String, Vec<Placed<String>>)>| {
            list.into_iter().map(|(name, patterns)| (name.to_ascii_lowercase(), patterns)).collect()
        };
        Self { yes: take("header_matches").map(lower), no: take("header_not_matches").map(lower) }
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        for (key, source, wanted) in [("header_matches", &self.yes, true), ("header_not_matches", &self.no, false)] {
            let Some(headers) = source else { continue };
            into.reaches(Tools::FETCH);
            for (name, patterns) in headers {
                let globs: Vec<TextGlob> = patterns.iter().map(|p| TextGlob::new(&p.value)).collect();
                let name = name.clone();
                into.call(key, move |facts| {
                    values(facts, &name).any(|v| globs.iter().any(|g| g.is_match(v))) == wanted
                });
            }
        }
    }
}

/// The values of a header of the request or, after the call, of the response.
pub(super) fn values<'f>(facts: &'f Facts<'_>, name: &'f str) -> impl Iterator<Item = &'f str> {
    let headers = match (&facts.call.action, &facts.call.response) {
        (_, Some(response)) if facts.call.phase == Phase::After => response.headers.as_slice(),
        (rampart_call::Action::Fetch { headers, .. }, _) => headers.as_slice(),
        _ => &[],
    };
    headers.iter().filter(move |(k, _)| k == name).map(|(_, v)| v.as_str())
}

/// Reads a mapping of names to patterns.
pub(super) fn named_patterns(node: &Node, what: &str, reader: &mut Reader<'_>) -> Vec<(String, Vec<Placed<String>>)> {
    let Value::Map(entries) = &node.value else {
        reader.error_with(
            "wrong-type",
            &node.span,
            format!("`{what}` is a mapping of names to patterns"),
            format!("write it like `{what}: {{ name: [\"pattern*\"] }}`"),
        );
        return Vec::new();
    };
    if entries.is_empty() {
        reader.error("empty-list", &node.span, format!("`{what}` names nothing"));
    }
    entries.iter().map(|(key, value)| (key.name.clone(), reader.texts(value, what))).collect()
}

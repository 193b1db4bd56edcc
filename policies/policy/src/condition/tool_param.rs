//! `tool_param_matches`, `tool_param_not_matches`: an argument of an MCP or host tool matches a text glob. A mapping of
//! argument names, or JSON pointers such as `/options/path`, to patterns; all named arguments must match.

use rampart_call::Action;
use serde_json::Value;

use super::{Fields, Placed, Reader, RuleBuilder, header::named_patterns};
use crate::{
    pattern::{Reading, TextGlob},
    tool::Tools,
};

/// What is written: arguments and their patterns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) yes: Option<Vec<(String, Vec<Placed<String>>)>>,
    pub(crate) no: Option<Vec<(String, Vec<Placed<String>>)>>,
}

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let mut take = |key: &'static str| fields.take(key).map(|node| named_patterns(node, key, reader));
        Self { yes: take("tool_param_matches"), no: take("tool_param_not_matches") }
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let sides = [
            ("tool_param_matches", &self.yes, into.reading, true),
            ("tool_param_not_matches", &self.no, into.exception(), false),
        ];
        for (key, source, reading, wanted) in sides {
            let Some(params) = source else { continue };
            into.reaches(Tools::MCP.and(Tools::OTHER));
            for (name, patterns) in params {
                let globs: Vec<TextGlob> = patterns.iter().map(|p| TextGlob::new(&p.value)).collect();
                let name = name.clone();
                into.call(key, move |facts| {
                    let arguments = match &facts.call.action {
                        Action::Mcp { arguments, .. } => &**arguments,
                        Action::Tool { input, .. } => input,
                        _ => return false,
                    };
                    let mut texts = Vec::new();
                    for value in find(arguments, &name, reading) {
                        leaves(value, &mut texts);
                    }
                    let fits = |text: &String| globs.iter().any(|g| g.is_match(text));
                    let matched = match reading {
                        Reading::Broad => texts.iter().any(fits),
                        Reading::Exact => !texts.is_empty() && texts.iter().all(fits),
                    };
                    matched == wanted
                });
            }
        }
    }
}

/// The values under a name: a JSON pointer finds one, a name is looked for at the top and, read broadly, everywhere.
pub(super) fn find<'v>(arguments: &'v Value, name: &str, reading: Reading) -> Vec<&'v Value> {
    if name.starts_with('/') {
        return arguments.pointer(name).into_iter().collect();
    }
    let mut found = Vec::new();
    let mut waiting = vec![arguments];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(map) => {
                found.extend(map.get(name));
                waiting.extend(map.values());
            }
            Value::Array(list) => waiting.extend(list),
            _ => {}
        }
        if reading == Reading::Exact {
            break;
        }
    }
    found
}

/// Every scalar in a value, as text.
pub(crate) fn leaves(value: &Value, texts: &mut Vec<String>) {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match value {
            Value::String(text) => texts.push(text.clone()),
            Value::Array(list) => waiting.extend(list),
            Value::Object(map) => waiting.extend(map.values()),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) => texts.push(value.to_string()),
        }
    }
}

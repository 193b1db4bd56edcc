//! `body_contains`, `body_not_contains`: a part of what is sent or written, or of the arguments of an MCP call, whatever its
//! case. `body_matches`, `body_not_matches`: a regular expression finds something in it.

use super::{Fields, Pair, Reader, RuleBuilder, response::regexes};
use crate::tool::Tools;

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) contains: Pair,
    pub(crate) matches: Pair,
}

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self {
            contains: Pair::read(fields, reader, "body_contains", "body_not_contains"),
            matches: Pair::read(fields, reader, "body_matches", "body_not_matches"),
        }
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>, reader: &mut Reader<'_>) {
        let Self { contains, matches } = self;
        if contains.is_set() || matches.is_set() {
            into.reaches(Tools::FETCH.and(Tools::WRITE).and(Tools::EDIT).and(Tools::MCP));
        }
        let sides = [("body_contains", &contains.yes, true), ("body_not_contains", &contains.no, false)];
        for (key, source, wanted) in sides {
            let Some(parts) = source else { continue };
            let parts: Vec<String> = parts.iter().map(|p| p.value.to_lowercase()).collect();
            into.call(key, move |facts| {
                let body = facts.body().map(str::to_lowercase);
                body.is_some_and(|b| parts.iter().any(|p| b.contains(p.as_str())) == wanted)
            });
        }
        let sides = [("body_matches", &matches.yes, true), ("body_not_matches", &matches.no, false)];
        for (key, source, wanted) in sides {
            let Some(patterns) = source else { continue };
            let regexes = regexes(patterns, reader);
            into.call(key, move |facts| facts.body().is_some_and(|b| regexes.iter().any(|r| r.is_match(b)) == wanted));
        }
    }
}

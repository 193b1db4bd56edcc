//! `content_type_matches`, `content_type_not_matches`: what a request says it sends or, in a policy about answers, what one says
//! it is (`match: { phase: after }`): `text/*`. Without its parameters, and in lower case. Where there is no content there is no type to speak of.

use rampart_call::Phase;

use super::{Pair, RuleBuilder, header};
use crate::{facts::Facts, pattern::TextGlob, tool::Tools};

pub(super) fn compile(source: &Pair, into: &mut RuleBuilder<'_>) {
    let sides = [("content_type_matches", &source.yes, true), ("content_type_not_matches", &source.no, false)];
    for (key, patterns, wanted) in sides {
        let Some(patterns) = patterns else { continue };
        into.reaches(Tools::FETCH);
        let globs: Vec<TextGlob> = patterns.iter().map(|p| TextGlob::new(&p.value.to_ascii_lowercase())).collect();
        into.call(key, move |facts| {
            let mut kinds = header::values(facts, "content-type").map(bare).peekable();
            let something = kinds.peek().is_some() || has_content(facts);
            something && kinds.any(|kind| globs.iter().any(|g| g.is_match(&kind))) == wanted
        });
    }
}

fn bare(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn has_content(facts: &Facts<'_>) -> bool {
    let text = match facts.call.phase {
        Phase::Before => facts.body(),
        Phase::After => facts.call.response.as_ref().map(|r| r.text.as_str()),
    };
    text.is_some_and(|t| !t.is_empty())
}

//! `during_matches`, `during_not_matches`: the tools of an MCP server that are being called while the server does something by
//! itself. Which of several calls it does that for nobody can tell: what allows holds where all of them fit, and what
//! restricts where one does.

use super::{Pair, RuleBuilder};
use crate::pattern::{Reading, TextGlob};

pub(super) fn compile(source: &Pair, into: &mut RuleBuilder<'_>) {
    let (own, exception) = (into.reading, into.exception());
    for (key, source, reading, wanted) in
        [("during_matches", &source.yes, own, true), ("during_not_matches", &source.no, exception, false)]
    {
        let Some(patterns) = source else { continue };
        let globs: Vec<TextGlob> = patterns.iter().map(|p| TextGlob::new(&p.value.to_ascii_lowercase())).collect();
        let fits = move |tool: &String| globs.iter().any(|g| g.is_match(&tool.to_ascii_lowercase()));
        into.call(key, move |facts| {
            let called = facts.context.called;
            let met = match reading {
                Reading::Broad => called.iter().any(&fits),
                Reading::Exact => !called.is_empty() && called.iter().all(&fits),
            };
            met == wanted
        });
    }
}

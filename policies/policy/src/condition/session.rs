//! `session_matches`, `session_not_matches`: a text glob matches the session's id.

use super::{Pair, RuleBuilder};
use crate::pattern::TextGlob;

pub(super) fn compile(source: &Pair, into: &mut RuleBuilder<'_>) {
    for (key, source, wanted) in [("session_matches", &source.yes, true), ("session_not_matches", &source.no, false)] {
        let Some(patterns) = source else { continue };
        let globs: Vec<TextGlob> = patterns.iter().map(|p| TextGlob::new(&p.value)).collect();
        into.call(key, move |facts| globs.iter().any(|g| g.is_match(&facts.call.origin.session)) == wanted);
    }
}

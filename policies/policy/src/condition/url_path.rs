//! `url_path_matches`, `url_path_not_matches`: a text glob matches the path of a URL, after parsing, without its query.

use super::{Pair, RuleBuilder};
use crate::{facts::Item, pattern::TextGlob, tool::Tools};

pub(super) fn compile(source: &Pair, into: &mut RuleBuilder<'_>) {
    if source.is_set() {
        into.reaches(Tools::CARRIERS.and(Tools::FETCH));
    }
    let globs = |patterns: &Vec<super::Placed<String>>| -> Vec<TextGlob> {
        patterns.iter().map(|p| TextGlob::new(&p.value)).collect()
    };
    if let Some(patterns) = &source.yes {
        let globs = globs(patterns);
        into.item("url_path_matches", move |item, _| path(item).is_some_and(|p| globs.iter().any(|g| g.is_match(p))));
    }
    if let Some(patterns) = &source.no {
        let globs = globs(patterns);
        into.item("url_path_not_matches", move |item, _| {
            path(item).is_some_and(|p| !globs.iter().any(|g| g.is_match(p)))
        });
    }
}

fn path(item: &Item) -> Option<&str> {
    Some(item.site.as_ref()?.url.as_ref()?.path.as_str())
}

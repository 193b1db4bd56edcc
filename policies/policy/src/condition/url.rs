//! `url_matches`, `url_not_matches`: a URL glob matches a URL that the call contacts, after parsing.

use super::{Pair, Placed, Reader, RuleBuilder, Trigger};
use crate::{
    pattern::{Ids, Reading, UrlGlob},
    tool::Tools,
};

pub(super) fn compile(source: &Pair, into: &mut RuleBuilder<'_>, reader: &mut Reader<'_>) {
    if source.is_set() {
        into.reaches(Tools::CARRIERS.and(Tools::FETCH));
    }
    if let Some(patterns) = &source.yes {
        let ids = add(patterns, into.reading, into, reader);
        into.found_by(ids.iter().map(Trigger::Url));
        into.item("url_matches", move |item, _| item.urls.meets(&ids));
    }
    if let Some(patterns) = &source.no {
        let ids = add(patterns, into.exception(), into, reader);
        into.item("url_not_matches", move |item, _| item.site.is_some() && !item.urls.meets(&ids));
    }
}

fn add(patterns: &[Placed<String>], reading: Reading, into: &mut RuleBuilder<'_>, reader: &mut Reader<'_>) -> Ids {
    let mut ids = Ids::default();
    for pattern in patterns {
        match UrlGlob::new(&pattern.value, reading) {
            Ok(glob) => {
                let literal = glob.literal();
                ids.insert(into.sets.urls.add(glob, &literal));
            }
            Err(why) => reader.error("bad-url", &pattern.span, why),
        }
    }
    ids
}

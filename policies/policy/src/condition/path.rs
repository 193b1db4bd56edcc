//! `path_matches`, `path_not_matches`: a path glob matches a file that the call touches, in any of its spellings.

use super::{Pair, Placed, Reader, RuleBuilder, Trigger};
use crate::{
    pattern::{Ids, PathGlob, Reading},
    tool::Tools,
};

pub(super) fn compile(source: &Pair, into: &mut RuleBuilder<'_>, reader: &mut Reader<'_>) {
    if source.is_set() {
        into.reaches(Tools::CARRIERS.and(Tools::READ).and(Tools::WRITE).and(Tools::EDIT).and(Tools::FETCH));
    }
    if let Some(patterns) = &source.yes {
        let ids = add(patterns, into.reading, into, reader);
        into.found_by(ids.iter().map(Trigger::Path));
        into.item("path_matches", move |item, _| item.paths.meets(&ids));
    }
    if let Some(patterns) = &source.no {
        let ids = add(patterns, into.exception(), into, reader);
        into.item("path_not_matches", move |item, effect| {
            matches!(effect.target, Some(rampart_call::Target::Path { .. })) && !item.paths.meets(&ids)
        });
    }
}

fn add(patterns: &[Placed<String>], reading: Reading, into: &mut RuleBuilder<'_>, reader: &mut Reader<'_>) -> Ids {
    let mut ids = Ids::default();
    for pattern in patterns {
        match PathGlob::compile(&pattern.value, reading) {
            Ok(globs) => globs.into_iter().for_each(|glob| {
                let literal = glob.literal().to_owned();
                ids.insert(into.sets.paths.add(glob, &literal));
            }),
            Err(why) => reader.error("bad-glob", &pattern.span, why),
        }
    }
    ids
}

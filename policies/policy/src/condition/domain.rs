//! `domain_matches`, `domain_not_matches`: a domain glob matches a host that the call contacts.

use super::{Pair, Placed, Reader, RuleBuilder, Trigger};
use crate::{
    pattern::{Domain, Ids, Reading},
    tool::Tools,
};

pub(super) fn compile(source: &Pair, into: &mut RuleBuilder<'_>, reader: &mut Reader<'_>) {
    if source.is_set() {
        into.reaches(Tools::CARRIERS.and(Tools::FETCH).and(Tools::CONNECT));
    }
    if let Some(patterns) = &source.yes {
        let ids = add(patterns, into.reading, into, reader);
        into.found_by(ids.iter().map(Trigger::Domain));
        into.item("domain_matches", move |item, _| item.domains.meets(&ids));
    }
    if let Some(patterns) = &source.no {
        let ids = add(patterns, into.exception(), into, reader);
        into.item("domain_not_matches", move |item, _| item.site.is_some() && !item.domains.meets(&ids));
    }
}

fn add(patterns: &[Placed<String>], reading: Reading, into: &mut RuleBuilder<'_>, reader: &mut Reader<'_>) -> Ids {
    let mut ids = Ids::default();
    for pattern in patterns {
        match Domain::new(&pattern.value, reading) {
            Ok(domain) => {
                let literal = domain.literal();
                ids.insert(into.sets.domains.add(domain, &literal));
            }
            Err(why) => reader.error("bad-domain", &pattern.span, why),
        }
    }
    ids
}

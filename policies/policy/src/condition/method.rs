//! `method`: the HTTP method is one of these, whatever the case.

use super::{Fields, Placed, Reader, RuleBuilder};
use crate::tool::Tools;

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(pub(crate) Option<Vec<Placed<String>>>);

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self(fields.take("method").map(|node| reader.texts(node, "method")))
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Some(methods) = &self.0 else { return };
        into.reaches(Tools::CARRIERS.and(Tools::FETCH));
        let methods: Vec<String> = methods.iter().map(|m| m.value.to_ascii_uppercase()).collect();
        into.item("method", move |item, _| {
            item.site.as_ref().and_then(|s| s.method.as_ref()).is_some_and(|m| methods.contains(m))
        });
    }
}

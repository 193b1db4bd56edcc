//! `label`: the session has one of these labels, such as `secret-read` or `untrusted-content`.

use super::{Fields, Placed, Reader, RuleBuilder};

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(pub(crate) Option<Vec<Placed<String>>>);

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self(fields.take("label").map(|node| reader.texts(node, "label")))
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Some(labels) = &self.0 else { return };
        let labels: Vec<String> = labels.iter().map(|l| l.value.clone()).collect();
        into.call("label", move |facts| labels.iter().any(|l| facts.context.labels.contains(l)));
    }
}

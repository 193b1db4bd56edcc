//! `confined`: `false` matches where nothing looks at what a call does while it runs, `true` where something does: in a session whose
//! processes are in a jail, and whose every exec is judged. There code that nobody could read is judged by what it does.

use super::{Fields, Reader, RuleBuilder};

/// What is written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Source(pub(crate) Option<bool>);

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self(fields.take("confined").and_then(|node| reader.flag(node, "confined")))
    }

    pub(super) fn compile(self, into: &mut RuleBuilder<'_>) {
        let Some(confined) = self.0 else { return };
        into.call("confined", move |facts| facts.context.confined == confined);
    }
}

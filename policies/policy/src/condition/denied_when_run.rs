//! `denied_when_run: true`: a file that is written holds code that the same policy denies where it runs, as a command or
//! as inline code. What runs it is found by `facts::written`, and judged in `Ruleset::look_at`.

use super::{Fields, Reader, RuleBuilder};
use crate::tool::Tools;

/// The condition's key.
pub(crate) const KEY: &str = "denied_when_run";

/// What is written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Source(pub(crate) Option<bool>);

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self(fields.take(KEY).and_then(|node| reader.flag(node, KEY)))
    }

    pub(super) fn compile(self, into: &mut RuleBuilder<'_>) {
        let Some(denied) = self.0 else { return };
        into.reaches(Tools::WRITE.and(Tools::EDIT).and(Tools::MCP));
        into.call(KEY, move |facts| facts.denied_when_run.is_some() == denied);
    }
}

//! `command_env_assignments`: a variable is set for the command. Entries are text globs over `NAME` or `NAME=value`.

use super::{Fields, Placed, Reader, RuleBuilder};
use crate::{pattern::TextGlob, tool::Tools};

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(pub(crate) Option<Vec<Placed<String>>>);

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self(fields.take("command_env_assignments").map(|node| reader.texts(node, "command_env_assignments")))
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Some(entries) = &self.0 else { return };
        into.reaches(Tools::CARRIERS);
        let globs: Vec<(bool, TextGlob)> =
            entries.iter().map(|e| (e.value.contains('='), TextGlob::new(&e.value))).collect();
        into.unit("command_env_assignments", move |unit| {
            unit.assignments.iter().any(|(name, value)| {
                globs.iter().any(|(full, glob)| match full {
                    true => glob.is_match(&format!("{name}={value}")),
                    false => glob.is_match(name),
                })
            })
        });
    }
}

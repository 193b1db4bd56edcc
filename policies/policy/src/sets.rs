//! The patterns of all rules, one set an operand.

use crate::pattern::{Domain, PathGlob, Reading, Set, SetBuilder, TextGlob, UrlGlob};

/// A command pattern and how it is read.
pub(crate) type CommandGlob = (TextGlob, Reading);

/// Collects the patterns of all rules.
pub(crate) struct SetsBuilder {
    /// Patterns for simple commands.
    pub(crate) commands: SetBuilder<CommandGlob>,
    /// Patterns with an operator, for pipelines.
    pub(crate) pipelines: SetBuilder<CommandGlob>,
    /// Parts of commands, in lower case.
    pub(crate) contained: SetBuilder<String>,
    pub(crate) paths: SetBuilder<PathGlob>,
    pub(crate) domains: SetBuilder<Domain>,
    pub(crate) urls: SetBuilder<UrlGlob>,
}

impl SetsBuilder {
    pub(crate) fn new() -> Self {
        Self {
            commands: SetBuilder::new(),
            pipelines: SetBuilder::new(),
            contained: SetBuilder::new(),
            paths: SetBuilder::new(),
            domains: SetBuilder::new(),
            urls: SetBuilder::new(),
        }
    }

    pub(crate) fn build(self) -> Result<Sets, aho_corasick::BuildError> {
        Ok(Sets {
            commands: self.commands.build()?,
            pipelines: self.pipelines.build()?,
            contained: self.contained.build()?,
            paths: self.paths.build()?,
            domains: self.domains.build()?,
            urls: self.urls.build()?,
        })
    }
}

/// The patterns of all rules, ready to be looked up.
#[derive(Debug)]
pub(crate) struct Sets {
    pub(crate) commands: Set<CommandGlob>,
    pub(crate) pipelines: Set<CommandGlob>,
    pub(crate) contained: Set<String>,
    pub(crate) paths: Set<PathGlob>,
    pub(crate) domains: Set<Domain>,
    pub(crate) urls: Set<UrlGlob>,
}

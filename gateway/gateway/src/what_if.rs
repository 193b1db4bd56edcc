//! What a change of the rules would have come to for the calls on record. Nothing is changed.

use std::path::Path;

use rampart_policy::{Layer, Override, SourceFile, load};

use crate::{
    Gateway,
    audit::read::Filter,
    overrides::{OverrideError, Place, files_around},
    policy_files,
    replay::{Replay, Replayed},
};

/// A change of the rules that is only thought of.
#[derive(Debug, Clone)]
pub enum Thought {
    /// The text of a further policy file of the user's own.
    Policy(String),
    /// A further rule of the human's own.
    Rule(Box<(Override, Place)>),
}

/// The name of the file that is only thought of, for diagnostics.
const FILE: &str = "what-if.yaml";

impl Gateway {
    /// Judges the calls on record that a filter admits by the files as they are and as they would be, and tells where the
    /// two differ; `most` such calls are named. Reads all of the trail, so this belongs on a thread that may block.
    ///
    /// # Errors
    /// When the policies do not load, as they are or with the change, when a rule is none, and when the trail cannot be read.
    pub fn what_if(
        &self,
        thought: Thought,
        filter: Filter,
        user_home: &Path,
        most: usize,
    ) -> Result<Replayed, OverrideError> {
        let (before, after) = match thought {
            Thought::Policy(text) => {
                let before = policy_files(&self.home.policies()).map_err(OverrideError::Policies)?;
                let file = SourceFile { name: FILE.to_owned(), text, layer: Layer::User };
                let after = before.iter().cloned().chain([file]).collect();
                (before, after)
            }
            Thought::Rule(rule) => files_around(&self.home, &rule.0, &rule.1)?,
        };
        let compile = |files: &[SourceFile]| load(files).map(|loaded| loaded.ruleset).map_err(OverrideError::Policies);
        let (before, after) = (compile(&before)?, compile(&after)?);
        let replay = Replay { ruleset: &after, before: Some(&before), filter, user_home, most };
        let unread = |source| OverrideError::Io { what: "read", path: self.home.audit(), source };
        replay.run(&self.home).map_err(unread)
    }
}

//! What the gateway says of itself. Everything here is measured or in force, nothing is derived from intentions.

use rampart_call::{Call, Origin, Surface};
use rampart_policy::{Diagnostic, Ruleset, SourceFile};
use std::sync::Arc;

use crate::{Gateway, Home, Mode, audit, clock, session::Count};

/// The ruleset in force, and what is wrong with a newer one.
#[derive(Debug, Clone)]
pub struct RulesInForce {
    /// The rules.
    pub ruleset: Arc<Ruleset>,
    /// Names of the files they were made of.
    pub files: Vec<String>,
    /// When they came into force (RFC 3339).
    pub loaded: String,
    /// What is doubtful about them.
    pub warnings: Vec<Diagnostic>,
    /// Why the files as they are now are not in force; empty when they are.
    pub rejected: Vec<Diagnostic>,
}

impl Gateway {
    /// The home it serves.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// What becomes of its decisions.
    pub fn mode(&self) -> Mode {
        self.config.now().mode
    }

    /// Whether what the call starts is looked at while it runs. Only of what is run below the one who opened the session, and not
    /// where it merely says so.
    pub(crate) fn is_confined(&self, call: &Call) -> bool {
        let Origin { surface, session, claimed, .. } = &call.origin;
        let is_local = matches!(surface, Surface::Hook | Surface::Shell | Surface::Preload | Surface::Supervisor);
        is_local && !claimed && self.credentials.confines(session)
    }

    /// What becomes of a decision about a call: a session can be one that is only watched.
    pub(crate) fn mode_of(&self, call: &Call) -> Mode {
        match self.mode() {
            Mode::Enforce if self.credentials.only_watches(&call.origin.session) => Mode::Monitor,
            mode => mode,
        }
    }

    /// When it started (RFC 3339).
    pub fn started(&self) -> String {
        clock::rfc3339(self.started_ms)
    }

    /// How its audit trail is.
    pub fn audit_health(&self) -> audit::Health {
        self.trail.health()
    }

    /// How those are doing that keep its checkpoints.
    pub fn witnesses(&self) -> Vec<audit::Attested> {
        self.witnesses.states()
    }

    /// How many sessions it remembers.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// What became of the calls of a session.
    pub fn session(&self, name: &str) -> Count {
        self.sessions.remember().counted(name)
    }

    /// The rules in force, without those of any project.
    pub fn rules_in_force(&self) -> RulesInForce {
        let in_force = self.rules.in_force();
        RulesInForce {
            ruleset: Arc::clone(&in_force.ruleset),
            files: in_force.files.iter().map(|SourceFile { name, .. }| name.clone()).collect(),
            loaded: clock::rfc3339(in_force.loaded_ms),
            warnings: in_force.warnings.clone(),
            rejected: self.rules.rejected(),
        }
    }
}

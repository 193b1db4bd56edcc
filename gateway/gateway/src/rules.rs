//! The ruleset in force: the human's files, the profiles and, for calls from a project, what the project adds.

mod folder;
mod project;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use rampart_policy::{Diagnostic, Loaded, Ruleset, SourceFile};

pub use self::folder::{FETCHED, layer, policy_files};
pub(crate) use self::project::project_file;
use self::{folder::Fingerprint, project::Projects};
use crate::clock;

/// The rules of a home, kept fresh by [`refresh`](Self::refresh).
#[derive(Debug)]
pub(crate) struct Rules {
    folder: PathBuf,
    in_force: ArcSwap<InForce>,
    /// Ports of this machine on which our own interface listens; rules protect them.
    own_ports: Mutex<Vec<u16>>,
    /// Why the files as they are now are not in force.
    rejected: Mutex<Option<Rejected>>,
    projects: Projects,
}

/// Rules that were loaded together.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) ruleset: Arc<Ruleset>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// The files they were made of.
    pub(crate) files: Vec<SourceFile>,
    /// When, in milliseconds since 1970 UTC.
    pub(crate) loaded_ms: u64,
    fingerprint: Fingerprint,
}

#[derive(Debug)]
struct Rejected {
    fingerprint: Fingerprint,
    diagnostics: Vec<Diagnostic>,
}

/// What looking at the files again came to.
#[derive(Debug)]
pub(crate) enum Refreshed {
    /// They are as they were.
    Same,
    /// They are in force now.
    Changed,
    /// They do not load; what was in force stays.
    Rejected(Vec<Diagnostic>),
}

impl Rules {
    /// Loads the files of a folder.
    ///
    /// # Errors
    /// When one of them does not load: without rules there is no gateway.
    pub(crate) fn load(folder: PathBuf, with_projects: bool) -> Result<Self, Vec<Diagnostic>> {
        let (files, fingerprint) = folder::read(&folder)?;
        let in_force = ArcSwap::from_pointee(InForce::compile(files, fingerprint, &[])?);
        let (own_ports, rejected) = (Mutex::default(), Mutex::default());
        Ok(Self { folder, in_force, own_ports, rejected, projects: Projects::new(with_projects) })
    }

    /// Says on which ports our own interface listens.
    ///
    /// # Errors
    /// None that the files in force did not have before.
    pub(crate) fn protect(&self, ports: Vec<u16>) -> Result<(), Vec<Diagnostic>> {
        // Not while the files are looked at again, which would miss the ports.
        let _turn = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        self.own_ports.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&ports);
        let now = self.in_force.load();
        if !now.ruleset.listens_on(ports.clone()) {
            self.in_force.store(Arc::new(InForce::compile(now.files.clone(), now.fingerprint, &ports)?));
        }
        Ok(())
    }

    /// The rules without those of any project.
    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }

    /// The rules for calls from a project.
    ///
    /// # Errors
    /// When the project has a policy that does not load: it may only restrict, so ignoring it would weaken.
    pub(crate) fn for_workspace(&self, workspace: Option<&str>) -> Result<Arc<Ruleset>, Vec<Diagnostic>> {
        let in_force = self.in_force.load();
        match workspace {
            Some(workspace) => self.projects.ruleset(workspace, &in_force),
            None => Ok(Arc::clone(&in_force.ruleset)),
        }
    }

    /// Looks at the files again.
    pub(crate) fn refresh(&self) -> Refreshed {
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        let (fingerprint, compiled) = match folder::read(&self.folder) {
            Ok((_, fingerprint)) if fingerprint == self.in_force.load().fingerprint => {
                *rejected = None;
                return Refreshed::Same;
            }
            Ok((_, fingerprint)) if rejected.as_ref().is_some_and(|r| r.fingerprint == fingerprint) => {
                return Refreshed::Same;
            }
            Ok((files, fingerprint)) => {
                let ports = self.own_ports.lock().unwrap_or_else(PoisonError::into_inner).clone();
                (fingerprint, InForce::compile(files, fingerprint, &ports))
            }
            Err(diagnostics) => (folder::fingerprint_of(&diagnostics), Err(diagnostics)),
        };
        match compiled {
            Ok(fresh) => {
                *rejected = None;
                self.in_force.store(Arc::new(fresh));
                Refreshed::Changed
            }
            Err(_) if rejected.as_ref().is_some_and(|r| r.fingerprint == fingerprint) => Refreshed::Same,
            Err(diagnostics) => {
                *rejected = Some(Rejected { fingerprint, diagnostics: diagnostics.clone() });
                Refreshed::Rejected(diagnostics)
            }
        }
    }

    /// Why the files as they are now are not in force, if they are not.
    pub(crate) fn rejected(&self) -> Vec<Diagnostic> {
        let rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        rejected.as_ref().map(|r| r.diagnostics.clone()).unwrap_or_default()
    }
}

impl InForce {
    fn compile(files: Vec<SourceFile>, fingerprint: Fingerprint, own_ports: &[u16]) -> Result<Self, Vec<Diagnostic>> {
        let Loaded { ruleset, warnings } = rampart_policy::load(&files)?;
        let ruleset = Arc::new(with_ports(ruleset, own_ports));
        Ok(Self { ruleset, warnings, files, loaded_ms: clock::wall_ms(), fingerprint })
    }
}

/// Rules that know our ports; where none is known, the usual one.
fn with_ports(ruleset: Ruleset, own_ports: &[u16]) -> Ruleset {
    if own_ports.is_empty() { ruleset } else { ruleset.with_own_ports(own_ports.to_vec()) }
}

#[cfg(test)]
mod tests;

//! What a project adds: `.rampart/policy.yaml` in it. It comes with the code, so it may restrict and nothing else.

use std::{
    collections::HashMap,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rampart_policy::{Diagnostic, Layer, Ruleset, SourceFile};

use super::{
    InForce,
    folder::{self, Whose},
};

/// The most projects whose rules are kept.
const MAX_PROJECTS: usize = 64;

/// The rules of the projects that were seen.
#[derive(Debug)]
pub(super) struct Projects {
    enabled: bool,
    known: Mutex<HashMap<PathBuf, Project>>,
}

#[derive(Debug)]
struct Project {
    stamp: Stamp,
    /// The rules they were added to.
    base: Arc<Ruleset>,
    ruleset: Arc<Ruleset>,
}

/// What changes when a file is replaced or written: device, inode, size, and when its content and its inode changed.
/// The last cannot be set back.
type Stamp = (u64, u64, u64, i64, i64, i64, i64);

impl Projects {
    pub(super) fn new(enabled: bool) -> Self {
        Self { enabled, known: Mutex::default() }
    }

    /// The rules in force together with those of a project.
    pub(super) fn ruleset(&self, workspace: &str, in_force: &InForce) -> Result<Arc<Ruleset>, Vec<Diagnostic>> {
        let base = &in_force.ruleset;
        let path = Path::new(workspace).join(".rampart").join("policy.yaml");
        if !self.enabled || !path.is_absolute() {
            return Ok(Arc::clone(base));
        }
        let Some(stamp) = stamp_of(&path)? else { return Ok(Arc::clone(base)) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(project) = known.get(&path)
            && project.stamp == stamp
            && Arc::ptr_eq(&project.base, base)
        {
            return Ok(Arc::clone(&project.ruleset));
        }
        let mut files = in_force.files.clone();
        files.push(read(&path)?);
        let ruleset = rampart_policy::load(&files)?.ruleset;
        let ruleset = Arc::new(ruleset.with_own_ports(in_force.ruleset.own_ports().to_vec()));
        if known.len() >= MAX_PROJECTS {
            known.clear();
        }
        known.insert(path, Project { stamp, base: Arc::clone(base), ruleset: Arc::clone(&ruleset) });
        Ok(ruleset)
    }
}

/// What a project adds, if it does.
///
/// # Errors
/// When it cannot be read: it may only restrict, so ignoring it would weaken.
pub(crate) fn project_file(workspace: &Path) -> Result<Option<SourceFile>, Vec<Diagnostic>> {
    let path = workspace.join(".rampart").join("policy.yaml");
    stamp_of(&path)?.map(|_| read(&path)).transpose()
}

fn read(path: &Path) -> Result<SourceFile, Vec<Diagnostic>> {
    let text = folder::read_file(path, Whose::Project).map_err(|why| wrong(path, why))?;
    Ok(SourceFile { name: path.display().to_string(), text, layer: Layer::Project })
}

fn wrong(path: &Path, why: String) -> Vec<Diagnostic> {
    vec![folder::wrong(&path.display().to_string(), why)]
}

fn stamp_of(path: &Path) -> Result<Option<Stamp>, Vec<Diagnostic>> {
    stamp(path).map_err(|e| wrong(path, format!("cannot look at it: {e}")))
}

fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    match path.symlink_metadata() {
        Ok(m) => Ok(Some((m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec()))),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}

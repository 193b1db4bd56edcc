//! What becomes of each file when an agent is set up, or is no longer.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rampart_agents::setup::{File, Holds, holds_ours};
use serde_json::Value;

use super::{json, trust};
use crate::{environment::Environment, settings_file};

/// A file as it is and as it shall be; `None` is no file.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    /// For a file that is not there yet.
    pub(super) mode: u32,
    /// How the file was without us, where that is to be kept.
    keep: Option<Was>,
    backup: PathBuf,
}

/// How a file was without us.
#[derive(Debug)]
enum Was {
    Absent,
    There(String),
}

impl Was {
    fn of(text: Option<String>) -> Self {
        text.map_or(Self::Absent, Self::There)
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::There(text) => Some(text),
        }
    }
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Set up. Files that must be ours alone and are somebody else's are an error.
    Put,
    /// Set up, in place of somebody else's files too.
    Force,
    /// Undo.
    Remove,
}

/// The changes, in the order in which they are to be made.
///
/// # Errors
/// When a file cannot be read, is not what it should be, or is somebody else's.
pub(super) fn plan(files: &[File], way: Way, environment: &Environment) -> anyhow::Result<Vec<Change>> {
    let mut changes: Vec<Change> = Vec::new();
    for file in files {
        let change = one(file, way, &changes, environment).with_context(|| file.path.clone())?;
        changes.push(change);
    }
    Ok(changes)
}

fn one(file: &File, way: Way, earlier: &[Change], environment: &Environment) -> anyhow::Result<Change> {
    let named = PathBuf::from(&file.path);
    // A link into a folder of dotfiles stays a link.
    let path = named.canonicalize().unwrap_or(named);
    let before = settings_file::text_if_any(&path)?;
    let backup = settings_file::backup(&path, "setup", environment);
    let edit = Edit { holds: &file.holds, earlier };
    // What was kept is how the file was as long as nobody else has changed it since.
    let kept = kept(&backup).filter(|kept| {
        let again = edit.put(kept.text(), if way == Way::Remove { way } else { Way::Force });
        again.is_ok_and(|again| Some(again) == before)
    });
    let after = match way {
        Way::Put | Way::Force => Some(edit.put(before.as_deref(), way)?),
        Way::Remove => match (&kept, &before) {
            (Some(kept), _) => kept.text().map(str::to_owned),
            (None, None) => None,
            (None, Some(text)) => edit.take(text, was_absent(&backup))?,
        },
    };
    let keep = match (way, kept) {
        (Way::Remove, _) => None,
        (_, Some(kept)) => Some(kept),
        (_, None) => Some(Was::of(match &before {
            None => None,
            // It is ours already, perhaps as an older version of us wrote it.
            Some(text) => edit.take(text, was_absent(&backup))?,
        })),
    };
    let mode = if matches!(file.holds, Holds::Own { executable: true, .. }) { 0o755 } else { 0o644 };
    Ok(Change { path, before, after, mode, keep, backup })
}

impl Change {
    /// Whether the file was set up before, and nobody undid that.
    pub(super) fn was_made(&self) -> bool {
        self.backup.exists() || was_absent(&self.backup)
    }

    pub(super) fn is_none(&self) -> bool {
        self.before == self.after
    }

    /// The file, and how many lines come and go, or that it is new.
    pub(super) fn summed(&self, user_home: &Path) -> String {
        let path = self.path.strip_prefix(user_home).map(|below| Path::new("~").join(below));
        let path = path.unwrap_or_else(|_| self.path.clone());
        match &self.before {
            None => format!("{} (new)", path.display()),
            Some(before) => {
                let (come, go) = settings_file::lines_changed(before, self.after.as_deref().unwrap_or_default());
                format!("{} (+{come} -{go} lines)", path.display())
            }
        }
    }

    /// Where it is kept how the file was.
    pub(super) fn kept_at(&self) -> Option<&Path> {
        matches!(self.keep, Some(Was::There(_))).then_some(self.backup.as_path())
    }

    /// Makes the change.
    pub(super) fn make(&self, environment: &Environment) -> anyhow::Result<()> {
        match &self.keep {
            Some(Was::There(text)) => settings_file::keep(&self.backup, text, environment)?,
            Some(Was::Absent) if was_absent(&self.backup) => {}
            Some(Was::Absent) => {
                // The folders that are made for it go with it.
                let made = self.path.ancestors().skip(1).take_while(|folder| !folder.exists()).last();
                let made = made.and_then(Path::to_str).unwrap_or_default();
                settings_file::keep(&absent(&self.backup), made, environment)?;
            }
            None => {}
        }
        settings_file::swap(&self.path, self.before.as_deref(), self.after.as_deref(), self.mode)?;
        if self.keep.is_none() {
            let made = fs::read_to_string(absent(&self.backup)).unwrap_or_default();
            let _ = fs::remove_file(&self.backup);
            let _ = fs::remove_file(absent(&self.backup));
            let folders = self.path.ancestors().skip(1);
            // Only what is empty can be removed.
            let _ = folders
                .take_while(|folder| self.after.is_none() && !made.is_empty() && folder.starts_with(&made))
                .try_for_each(fs::remove_dir);
        }
        Ok(())
    }
}

/// Stands where a file was not there before.
fn absent(backup: &Path) -> PathBuf {
    let mut name = backup.as_os_str().to_owned();
    name.push(".absent");
    PathBuf::from(name)
}

fn was_absent(backup: &Path) -> bool {
    absent(backup).exists()
}

fn kept(backup: &Path) -> Option<Was> {
    if was_absent(backup) { Some(Was::Absent) } else { fs::read_to_string(backup).ok().map(Was::There) }
}

/// One file's text, with us and without us.
struct Edit<'a> {
    holds: &'a Holds,
    earlier: &'a [Change],
}

impl Edit<'_> {
    /// With us; when it is about removing, as it was put there.
    fn put(&self, text: Option<&str>, way: Way) -> anyhow::Result<String> {
        match self.holds {
            Holds::Own { text: own, .. } => {
                if way == Way::Put && text.is_some_and(|text| !text.trim().is_empty() && !is_ours(text)) {
                    bail!(
                        "it is there already and somebody else's; --force puts ours in its place, and `--remove` then brings it back"
                    );
                }
                Ok(own.clone())
            }
            Holds::Json(entries) => json::put(text.unwrap_or_default(), entries),
            Holds::Trust { hooks } => {
                let (before, after) = self.hooks(hooks)?;
                let after = if way == Way::Remove { before.clone() } else { after };
                trust::put(text.unwrap_or_default(), hooks, &before, &after)
            }
        }
    }

    /// Without us; `None` when nothing else is left of a file that was not there before.
    fn take(&self, text: &str, was_absent: bool) -> anyhow::Result<Option<String>> {
        let (left, bare) = match self.holds {
            Holds::Own { .. } => return Ok((!is_ours(text)).then(|| text.to_owned())),
            Holds::Json(entries) => {
                let left = json::take(text, entries)?;
                let bare = json::is_bare(&left, entries);
                (left, bare)
            }
            Holds::Trust { hooks } => {
                let left = trust::take(text, hooks, &self.hooks(hooks)?.0)?;
                let bare = left.trim().is_empty();
                (left, bare)
            }
        };
        Ok((!(was_absent && bare)).then_some(left))
    }

    /// The file of hooks that trust is about, as it is and as it shall be.
    fn hooks(&self, path: &str) -> anyhow::Result<(Value, Value)> {
        let named = PathBuf::from(path);
        let real = named.canonicalize().unwrap_or(named);
        let change =
            self.earlier.iter().find(|change| change.path == real).context("hooks come before trust in them")?;
        Ok((
            json::value(change.before.as_deref().unwrap_or_default())?,
            json::value(change.after.as_deref().unwrap_or_default())?,
        ))
    }
}

/// Whether a whole file is one that a setup wrote.
fn is_ours(text: &str) -> bool {
    let by_its_command = json::value(text).is_ok_and(|value| holds_ours(&value));
    by_its_command
        || text.contains("`rampart setup")
        || text.contains("rampart-openclaw")
        || text.contains("\"id\": \"rampart\"")
}

//! Pins in files: the lock that says what is approved, and beside it what was seen and is not.
//!
//! Both are lock files of one format. The lock is a project's own `rampart.lock`, which people review like code and which
//! nothing writes by itself, or one under the home of Rampart, where trust on first use is written down.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{Pins, Screened};
use crate::scan::{Item, Lock, LockError, Offered, Section};

/// What becomes of a section that nobody has looked at.
#[derive(Debug, Clone, Copy)]
pub enum FirstUse {
    /// What comes first is pinned, but for what hides something.
    Trust {
        /// Whether a text hides something.
        hides: fn(&str) -> bool,
    },
    /// It is withheld until a person has approved it.
    Withhold,
}

/// Where the pins of one server are.
#[derive(Debug, Clone)]
pub struct Store {
    /// The lock file.
    pub lock: PathBuf,
    /// What the server is called in it.
    pub key: String,
    /// The file of what was seen and is not approved.
    pub seen: PathBuf,
    /// What becomes of what nobody has looked at.
    pub first_use: FirstUse,
}

/// Why pins cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is no lock.
    #[error("{} cannot be relied on: {source}; restore it, or remove it and have what the servers offer pinned anew", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: LockError,
    },
    /// The system said no.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// By what a changed file is told.
pub(crate) type Stamp = Option<(u64, i64, i64, u64)>;

impl Store {
    /// The pins as they are now.
    ///
    /// # Errors
    /// When a file is no lock, or cannot be read: then nothing can be said to be approved.
    pub fn pins(&self, server: &str) -> Result<Pins, StoreError> {
        let approved = read(&self.lock)?.offered(&self.key).cloned().unwrap_or_default();
        let pins = Pins::new(server, approved);
        let pins = match self.first_use {
            FirstUse::Trust { hides } => pins.trusting(hides),
            FirstUse::Withhold => pins,
        };
        Ok(match read(&self.seen)?.offered(&self.key) {
            Some(seen) => pins.remembering(seen),
            None => pins,
        })
    }

    /// What is approved now.
    pub(crate) fn approved(&self) -> Result<Offered, StoreError> {
        Ok(read(&self.lock)?.offered(&self.key).cloned().unwrap_or_default())
    }

    /// What tells that somebody has written the lock.
    pub(crate) fn stamp(&self) -> Stamp {
        let meta = fs::metadata(&self.lock).ok()?;
        Some((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.size()))
    }

    /// Writes down what became of a result.
    pub(crate) fn write_down(&self, screened: &Screened) -> Result<(), StoreError> {
        if !(screened.met.is_empty() && screened.learned.is_empty()) {
            self.pin(&screened.met, &screened.learned)?;
        }
        if !(screened.restored.is_empty() && screened.withheld.is_empty()) {
            self.note(&screened.restored, &screened.withheld)?;
        }
        Ok(())
    }

    /// Writes down what was trusted on first use. What another session pinned meanwhile stands.
    fn pin(&self, met: &[Section], items: &[Item]) -> Result<(), StoreError> {
        update(&self.lock, |lock| {
            for section in met {
                lock.open(&self.key, *section);
            }
            for item in items {
                let offered = lock.offered(&self.key).and_then(|o| o.get(item.section.as_str()));
                if !offered.is_some_and(|items| items.contains_key(&item.name)) {
                    lock.add(&self.key, item);
                }
            }
        })
    }

    /// Writes down what is withheld, for people to look at, and takes out what is as it was approved again.
    fn note(&self, restored: &[Item], withheld: &[Item]) -> Result<(), StoreError> {
        update(&self.seen, |lock| {
            for item in restored.iter().chain(withheld) {
                lock.forget(&self.key, item.section.as_str(), &item.name);
            }
            for item in withheld {
                lock.add(&self.key, item);
            }
        })
    }
}

/// A lock file; empty where there is none.
///
/// # Errors
/// When it is no lock, or cannot be read.
pub fn read(path: &Path) -> Result<Lock, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => Lock::read(&text).map_err(|source| StoreError::Lock { path: path.to_owned(), source }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Lock::default()),
        Err(source) => Err(StoreError::Io { what: "read", path: path.to_owned(), source }),
    }
}

/// Changes a lock file while nobody else does; it is replaced whole or not at all.
///
/// # Errors
/// When it is no lock, or cannot be written.
pub fn update(path: &Path, change: impl FnOnce(&mut Lock)) -> Result<(), StoreError> {
    let failed = |what| move |source| StoreError::Io { what, path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("create the folder of"))?;
    let turn = File::open(folder).map_err(failed("open the folder of"))?;
    turn.lock().map_err(failed("lock the folder of"))?;
    let mut lock = read(path)?;
    let before = lock.clone();
    change(&mut lock);
    if lock == before && path.exists() {
        return Ok(());
    }
    let text = lock.write().map_err(|e| StoreError::Lock { path: path.to_owned(), source: e.into() })?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    // A lock in version control keeps the mode it has.
    let mode = fs::metadata(path).map_or(0o600, |meta| meta.mode() & 0o777);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(failed("write"))
}

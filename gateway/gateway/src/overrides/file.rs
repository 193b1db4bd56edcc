//! The file: read under a lock, written whole.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::{
        fd::OwnedFd,
        unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

use rampart_policy::{Layer, SourceFile, load};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, fsync, openat, renameat, unlinkat};

use super::{Entry, OverrideError, entries};
use crate::{Home, policy_files};

/// How the file is called among the policies.
pub const NAME: &str = "user-overrides.yaml";

/// How a file that nobody has written yet begins.
pub const HEAD: &str = "\
# What `rampart allow` and `rampart block` added; only a locked denial stands above it. `rampart rules` lists it, and
# `rampart rules remove NUMBER` takes one back.
version: \"1\"
";

/// The file, which nobody else changes by this program meanwhile.
#[derive(Debug)]
pub struct Overrides {
    path: PathBuf,
    /// Where it stands, as that was when it was read.
    folder: OwnedFd,
    pub(super) text: String,
    _lock: File,
}

impl Overrides {
    /// Waits for its turn and reads the file.
    ///
    /// # Errors
    /// When the home or the file cannot be used.
    pub fn open(home: &Home) -> Result<Self, OverrideError> {
        let gate = home.state().join("user-overrides.lock");
        let io = |what, source| OverrideError::Io { what, path: gate.clone(), source };
        let mut wanted = OpenOptions::new();
        wanted.write(true).create(true).truncate(false).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let lock = wanted.open(&gate).map_err(|e| io("open", e))?;
        lock.lock().map_err(|e| io("lock", e))?;
        let path = home.policies().join(NAME);
        let folder = folder_of(home, "policies").map_err(|source| OverrideError::Io {
            what: "open",
            path: home.policies(),
            source,
        })?;
        let text = match fs::read_to_string(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
            Err(source) => return Err(OverrideError::Io { what: "read", path, source }),
            Ok(text) => text,
        };
        Ok(Self { path, folder, text, _lock: lock })
    }

    /// Its entries.
    ///
    /// # Errors
    /// When it is no policy file.
    pub fn entries(&self) -> Result<Vec<Entry>, OverrideError> {
        entries(&self.text).map_err(|why| self.by_hand(format!("it does not load: {why}")))
    }

    pub(super) fn by_hand(&self, why: String) -> OverrideError {
        OverrideError::ByHand { path: self.path.clone(), why }
    }

    /// The policy files as they would be with this text.
    pub(super) fn files_with(files: &[SourceFile], text: &str) -> Vec<SourceFile> {
        let mut files: Vec<SourceFile> = files.iter().filter(|f| f.name != NAME).cloned().collect();
        files.push(SourceFile { name: NAME.to_owned(), text: text.to_owned(), layer: Layer::Overrides });
        files
    }

    /// How many rules a home has with this text.
    pub(super) fn rules_with(home: &Home, text: &str) -> Result<usize, OverrideError> {
        let files = policy_files(&home.policies()).map_err(OverrideError::Policies)?;
        let loaded = load(&Self::files_with(&files, text)).map_err(OverrideError::Policies)?;
        Ok(loaded.ruleset.rule_count())
    }

    /// Keeps the file as it is beside it.
    pub(super) fn keep_a_copy(&self) -> Result<PathBuf, OverrideError> {
        let kept = self.path.with_extension("yaml.before-reset");
        let io = |source| OverrideError::Io { what: "write", path: kept.clone(), source };
        write_in(&self.folder, kept.file_name().unwrap_or_default(), &self.text, 0o600).map_err(io)?;
        Ok(kept)
    }

    /// Puts another text in its place.
    pub(super) fn save(&self, text: &str) -> Result<(), OverrideError> {
        let io = |source| OverrideError::Io { what: "write", path: self.path.clone(), source };
        write_in(&self.folder, OsStr::new(NAME), text, 0o600).map_err(io)
    }
}

/// Replaces a file at once: whoever reads it sees the old text or the new one, after a crash too.
///
/// # Errors
/// When it cannot be written; then the old one stands.
pub fn write_whole(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("a file stands in a folder"));
    };
    write_in(&openat(CWD, folder, FOLDER, Mode::empty())?, name, text, mode)
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// A folder below a home, neither of which may be a link: whoever could turn one around would have us write elsewhere.
fn folder_of(home: &Home, name: &str) -> io::Result<OwnedFd> {
    let root = openat(CWD, home.root(), FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
    Ok(openat(root, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?)
}

/// The same in a folder that is held open, wherever its name leads meanwhile.
fn write_in(folder: &OwnedFd, name: &OsStr, text: &str, mode: u32) -> io::Result<()> {
    // A hidden name, which is not taken for a policy.
    let draft = format!(".{}.{}", name.to_string_lossy(), std::process::id());
    let write = || -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(folder, &draft, flags, Mode::from_raw_mode(mode))?);
        // Whatever the umask says.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        renameat(folder, &draft, folder, name)?;
        Ok(fsync(folder)?)
    };
    write().inspect_err(|_| {
        let _ = unlinkat(folder, &draft, AtFlags::empty());
    })
}

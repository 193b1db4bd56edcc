//! Changes become the project's. What was shown is what is taken over: content is compared with it, and the project with how it
//! was when it was looked at.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read as _, Write as _},
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
};

use anyhow::{Context as _, bail};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, fchmod, fstat, futimens, mkdirat, openat, renameat,
    symlinkat, unlinkat,
};
use sha2::{Digest as _, Sha256};

use super::{
    changes::{Change, Changes, RIGHTS, What},
    original::Mark,
    root::{join, kind, split},
    show::name,
};

/// What a file is called until all of it is there.
const UNFINISHED: &str = ".rampart-unfinished";

impl Changes {
    /// What was changed by others meanwhile, in words.
    pub(crate) fn conflicts(&self) -> Vec<String> {
        let conflict = |change: &Change| {
            let meanwhile = change.meanwhile.as_ref()?;
            let is_within = meanwhile.contains(": ");
            Some(if is_within { meanwhile.clone() } else { format!("{}: {meanwhile}", name(&change.path)) })
        };
        self.all.iter().filter_map(conflict).collect()
    }

    /// Makes them the project's, and says how many. Where others changed the same meanwhile nothing is done, unless `over` them.
    ///
    /// # Errors
    /// When others changed it meanwhile, and when something cannot be written: what was before that is taken over, and all of it can be
    /// tried again.
    pub(crate) fn accept(&self, over: bool) -> anyhow::Result<usize> {
        let conflicts = self.conflicts();
        if !conflicts.is_empty() && !over {
            bail!("the project was changed as well: {}", conflicts.join("; "));
        }
        let mut done = 0;
        for change in &self.all {
            if change.what != What::LeftOut {
                self.take(change, over).with_context(|| format!("cannot take over {}", name(&change.path)))?;
                done += 1;
            }
        }
        self.project.sync().context("cannot write the project to the disk")?;
        Ok(done)
    }

    fn take(&self, change: &Change, over: bool) -> anyhow::Result<()> {
        let Change { path, what, before, .. } = change;
        let now = self.project.stat(path)?;
        // What stood in the place of something of another kind was removed just now.
        let is_replaced = now.is_none() && before.is_some();
        if now.as_ref().map(Mark::of) != *before && !(is_replaced && self.is_removed(path)) {
            bail!("it was changed since it was looked at");
        }
        let (folder, entry) = split(path);
        let folder = self.project.folder(folder)?;
        match what {
            What::Folder { mode } => {
                mkdirat(&folder, OsStr::from_bytes(entry), Mode::from_raw_mode(0o700))?;
                fchmod(self.project.folder(path)?, Mode::from_raw_mode(*mode))?;
            }
            What::File { digest, mode, .. } => self.write(&folder, path, entry, digest, *mode)?,
            What::Link { target } => {
                let _ = unlinkat(&folder, UNFINISHED, AtFlags::empty());
                symlinkat(OsStr::from_bytes(target), &folder, UNFINISHED)?;
                renameat(&folder, UNFINISHED, &folder, OsStr::from_bytes(entry))?;
            }
            What::Mode { to, .. } => match now.as_ref().map(kind) {
                Some(FileType::Directory) => fchmod(self.project.folder(path)?, Mode::from_raw_mode(*to))?,
                _ => fchmod(self.project.file(path)?, Mode::from_raw_mode(*to))?,
            },
            What::Removed { .. } => self.remove(path, over)?,
            What::LeftOut => {}
        }
        Ok(())
    }

    fn is_removed(&self, path: &[u8]) -> bool {
        self.all.iter().any(|change| change.path == path && matches!(change.what, What::Removed { .. }))
    }

    /// A whole file takes the place, or none.
    fn write(&self, folder: &OwnedFd, path: &[u8], entry: &[u8], digest: &[u8; 32], mode: u32) -> anyhow::Result<()> {
        let _ = unlinkat(folder, UNFINISHED, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(folder, UNFINISHED, flags, Mode::from_raw_mode(0o600))?);
        let written = self.fill(file, path, digest, mode);
        if let Err(error) = written {
            let _ = unlinkat(folder, UNFINISHED, AtFlags::empty());
            return Err(error);
        }
        renameat(folder, UNFINISHED, folder, OsStr::from_bytes(entry))?;
        Ok(())
    }

    fn fill(&self, mut to: File, path: &[u8], digest: &[u8; 32], mode: u32) -> anyhow::Result<()> {
        let mut from = self.upper.file(path)?;
        let mut hash = Sha256::new();
        let mut piece = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut piece)?;
            let piece = piece.get(..read).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            hash.update(piece);
            to.write_all(piece)?;
        }
        if hash.finalize().as_slice() != digest {
            bail!("the agent's copy was changed since it was looked at: a process of it still runs");
        }
        let stat = fstat(&from)?;
        fchmod(&to, Mode::from_raw_mode(mode & RIGHTS))?;
        let time = |tv_sec, tv_nsec: u64| Timespec { tv_sec, tv_nsec: tv_nsec.try_into().unwrap_or_default() };
        let last_access = time(stat.st_atime, stat.st_atime_nsec);
        let last_modification = time(stat.st_mtime, stat.st_mtime_nsec);
        Ok(futimens(&to, &Timestamps { last_access, last_modification })?)
    }

    /// Removes what was there when it was looked at, and nothing else.
    fn remove(&self, path: &[u8], over: bool) -> anyhow::Result<()> {
        let Some(stat) = self.project.stat(path)? else { return Ok(()) };
        if let Some(meanwhile) = self.original.meanwhile(path, Some(&stat)).filter(|_| !over) {
            bail!("{} was {meanwhile}", name(path));
        }
        let is_folder = kind(&stat) == FileType::Directory;
        if is_folder {
            for entry in self.project.names(path)? {
                self.remove(&join(path, &entry), over)?;
            }
        }
        let (folder, entry) = split(path);
        let how = if is_folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        let removed: io::Result<()> =
            unlinkat(self.project.folder(folder)?, OsStr::from_bytes(entry), how).map_err(Into::into);
        removed.with_context(|| format!("cannot remove {}", name(path)))
    }
}

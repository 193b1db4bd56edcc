//! What an agent changed, seen from the project as it is now.

use std::{fs::File, io::Read as _};

use anyhow::Context as _;
use rustix::fs::{FileType, Stat};
use sha2::{Digest as _, Sha256};

use super::{
    original::{Mark, Original},
    root::{Root, join, kind},
    show::name,
};

/// The rights that are taken over: never those that make a program run as its owner.
pub(super) const RIGHTS: u32 = 0o777;

/// All changes, what is in a folder after the folder.
pub(crate) struct Changes {
    pub(super) upper: Root,
    pub(super) project: Root,
    pub(super) original: Original,
    pub(super) all: Vec<Change>,
}

/// One.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Where, below the project.
    pub(super) path: Vec<u8>,
    pub(super) what: What,
    /// How the project is there now.
    pub(super) before: Option<Mark>,
    /// What somebody else did to it since the agent began.
    pub(super) meanwhile: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A folder is made.
    Folder { mode: u32 },
    /// A file has this content now; `is_new` where there was no file.
    File { is_new: bool, digest: [u8; 32], mode: u32 },
    /// A link leads there now.
    Link { target: Vec<u8> },
    /// Other rights.
    Mode { from: u32, to: u32 },
    /// It is gone, with so many files and folders in it.
    Removed { with: usize },
    /// Pipes, sockets, devices: nothing of those is taken over.
    LeftOut,
}

impl Changes {
    /// What `upper` changes of `project`, which once was `original`.
    ///
    /// # Errors
    /// When something cannot be read.
    pub(super) fn between(upper: Root, project: Root, original: Original) -> anyhow::Result<Self> {
        let mut changes = Self { upper, project, original, all: Vec::new() };
        // Folders that are still to be looked at; whether they stand in place of what was there.
        let mut folders = vec![(Vec::new(), false)];
        while let Some((folder, replaces)) = folders.pop() {
            let cannot = || format!("cannot look at {}", name(&folder));
            let names = changes.upper.names(&folder).with_context(cannot)?;
            if replaces {
                changes.removed_from(&folder, &names).with_context(cannot)?;
            }
            for entry in names {
                let path = join(&folder, &entry);
                let deeper = changes.look(&path).with_context(|| format!("cannot look at {}", name(&path)))?;
                folders.extend(deeper.map(|replaces| (path, replaces)));
            }
        }
        changes.all.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Compares one path. For a folder that is to be looked into, whether it replaces what was there.
    fn look(&mut self, path: &[u8]) -> anyhow::Result<Option<bool>> {
        let Some(stat) = self.upper.stat(path)? else { return Ok(None) };
        let before = self.project.stat(path)?;
        let was = before.as_ref().map(kind);
        match kind(&stat) {
            // What is removed is marked so (overlayfs, "whiteouts").
            FileType::CharacterDevice if stat.st_rdev == 0 => {
                if before.is_some() {
                    self.removed(path)?;
                }
            }
            FileType::Directory => {
                if was == Some(FileType::Directory) {
                    self.mode(path, &stat, before.as_ref());
                    return Ok(Some(self.upper.is_opaque(path)?));
                }
                self.in_place_of(path, before.as_ref())?;
                self.add(path, What::Folder { mode: stat.st_mode & RIGHTS }, before.as_ref());
                return Ok(Some(false));
            }
            FileType::RegularFile => {
                let digest = digest(self.upper.file(path)?)?;
                let is_file = was == Some(FileType::RegularFile);
                if is_file && self::digest(self.project.file(path)?)? == digest {
                    self.mode(path, &stat, before.as_ref());
                    return Ok(None);
                }
                if was == Some(FileType::Directory) {
                    self.in_place_of(path, before.as_ref())?;
                }
                let what = What::File { is_new: !is_file, digest, mode: stat.st_mode & RIGHTS };
                self.add(path, what, before.as_ref());
            }
            FileType::Symlink => {
                let target = self.upper.target(path)?;
                if was == Some(FileType::Symlink) && self.project.target(path)? == target {
                    return Ok(None);
                }
                if was == Some(FileType::Directory) {
                    self.in_place_of(path, before.as_ref())?;
                }
                self.add(path, What::Link { target }, before.as_ref());
            }
            _ => self.add(path, What::LeftOut, before.as_ref()),
        }
        Ok(None)
    }

    fn add(&mut self, path: &[u8], what: What, before: Option<&Stat>) {
        let meanwhile = self.original.meanwhile(path, before).map(str::to_owned);
        let before = before.map(Mark::of);
        self.all.push(Change { path: path.to_vec(), what, before, meanwhile });
    }

    fn mode(&mut self, path: &[u8], now: &Stat, before: Option<&Stat>) {
        let Some(before) = before else { return };
        let (from, to) = (before.st_mode & RIGHTS, now.st_mode & RIGHTS);
        if from != to {
            self.add(path, What::Mode { from, to }, Some(before));
        }
    }

    /// Something of another kind takes the place.
    fn in_place_of(&mut self, path: &[u8], before: Option<&Stat>) -> anyhow::Result<()> {
        if before.is_some() { self.removed(path) } else { Ok(()) }
    }

    /// Everything in a folder of the project but `names`.
    fn removed_from(&mut self, folder: &[u8], names: &[Vec<u8>]) -> anyhow::Result<()> {
        for entry in self.project.names(folder)? {
            if names.binary_search(&entry).is_err() {
                self.removed(&join(folder, &entry))?;
            }
        }
        Ok(())
    }

    fn removed(&mut self, path: &[u8]) -> anyhow::Result<()> {
        let (mut with, mut meanwhile, mut top) = (0, None, None);
        let mut left = vec![path.to_vec()];
        while let Some(path) = left.pop() {
            let Some(stat) = self.project.stat(&path)? else { continue };
            if let Some(what) = self.original.meanwhile(&path, Some(&stat)) {
                meanwhile.get_or_insert_with(|| format!("{}: {what}", name(&path)));
            }
            if kind(&stat) == FileType::Directory {
                let names = self.project.names(&path)?;
                with += names.len();
                left.extend(names.iter().map(|name| join(&path, name)));
            }
            top.get_or_insert(Mark::of(&stat));
        }
        self.all.push(Change { path: path.to_vec(), what: What::Removed { with }, before: top, meanwhile });
        Ok(())
    }
}

fn digest(mut file: File) -> std::io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(piece.get(..read).unwrap_or_default()),
        }
    }
}

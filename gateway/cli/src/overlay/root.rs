//! A folder, and what is in it by paths that lead nowhere else: no link is followed and no other file system entered, whoever
//! changes things meanwhile (openat2(2)).

use std::{
    ffi::{CString, OsStr},
    fs::File,
    io::{self, Read as _},
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::Path,
};

use anyhow::Context as _;
use rustix::{
    fs::{Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fgetxattr, fstat, open, openat2, readlinkat},
    io::Errno,
};

/// A folder that is held, and not looked up again.
pub(super) struct Root(OwnedFd);

impl Root {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = open(path, flags, Mode::empty());
        opened.map(Self).with_context(|| format!("cannot open {}", path.display()))
    }

    pub(super) fn identity(&self) -> io::Result<(u64, u64)> {
        let stat = fstat(&self.0)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    fn at(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path: &[u8] = if path.is_empty() { b"." } else { path };
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::io::retry_on_intr(|| openat2(&self.0, OsStr::from_bytes(path), flags, Mode::empty(), resolve))
    }

    /// What stands at a path, if anything does.
    pub(super) fn stat(&self, path: &[u8]) -> io::Result<Option<Stat>> {
        match self.at(path, OFlags::PATH).and_then(fstat) {
            Ok(stat) => Ok(Some(stat)),
            // A link or a file stands where a folder was.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A folder, to change what is in it.
    pub(super) fn folder(&self, path: &[u8]) -> io::Result<OwnedFd> {
        Ok(self.at(path, OFlags::RDONLY | OFlags::DIRECTORY)?)
    }

    /// A regular file.
    pub(super) fn file(&self, path: &[u8]) -> io::Result<File> {
        // What is no file must not make us wait.
        let file = self.at(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
        if kind(&fstat(&file)?) != FileType::RegularFile {
            return Err(io::Error::other("it is no regular file any more"));
        }
        Ok(File::from(file))
    }

    /// A regular file's content, if it is no longer than `most`.
    pub(super) fn read(&self, path: &[u8], most: u64) -> io::Result<Option<Vec<u8>>> {
        let mut content = Vec::new();
        self.file(path)?.take(most + 1).read_to_end(&mut content)?;
        Ok((content.len() as u64 <= most).then_some(content))
    }

    /// Where a link leads.
    pub(super) fn target(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        let link = self.at(path, OFlags::PATH)?;
        Ok(readlinkat(&link, "", Vec::new())?.into_bytes())
    }

    /// The names in a folder, in order.
    pub(super) fn names(&self, path: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for entry in Dir::new(self.folder(path)?)? {
            let name = CString::from(entry?.file_name()).into_bytes();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether a folder of an upper layer stands in place of what was there (overlayfs, "opaque").
    pub(super) fn is_opaque(&self, path: &[u8]) -> io::Result<bool> {
        let mut value = [0; 8];
        match fgetxattr(self.folder(path)?, "user.overlay.opaque", &mut value) {
            Ok(length) => Ok(value.get(..length) == Some(b"y")),
            Err(Errno::NODATA | Errno::NOTSUP) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Has everything in it on the disk (syncfs(2)).
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.0)?)
    }
}

pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// `name` in the folder `path`.
pub(super) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() }
}

/// The folder and the name of a path.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
        None => (&[], path),
    }
}

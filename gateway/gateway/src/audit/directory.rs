//! The audit directory, opened once and used by descriptor, so that nobody can swap it or a file in it for a link while
//! the gateway runs. What is not ours alone is refused, each case in its own words.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};

use super::OpenError;

/// A directory that only we can write to.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

/// Our files: read and written by the owner, by nobody else.
const PRIVATE_FILE: Mode = Mode::from_raw_mode(0o600);

impl Directory {
    /// Opens the directory, making it (0700) when it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let failed = |source: io::Error| OpenError::io("opened", path, source);
        if let Err(e) = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(path)
            && e.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(OpenError::io("made", path, e));
        }
        let stat = fs::statat(fs::CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| failed(e.into()))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {}
            FileType::Symlink => {
                return Err(OpenError::untrusted(path, "is a symbolic link", "name the real directory instead"));
            }
            _ => return Err(OpenError::untrusted(path, "is not a directory", "move it away")),
        }
        check_owner_and_mode(path, &stat, "chmod 700")?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(fs::CWD, path, flags, Mode::empty()).map_err(|e| failed(e.into()))?;
        let opened = fs::fstat(&fd).map_err(|e| failed(e.into()))?;
        if (opened.st_dev, opened.st_ino) != (stat.st_dev, stat.st_ino) {
            return Err(OpenError::untrusted(path, "was exchanged while it was opened", "find out by whom"));
        }
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Where a file of ours lies, for messages.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names in it.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.fd)? {
            // a name that is not UTF-8 is none of ours
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Refuses a file that is not a regular file of ours with one name and no rights for others.
    pub(super) fn check(&self, name: &str) -> Result<(), OpenError> {
        let path = self.path_of(name);
        let stat = fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| OpenError::io("looked at", &path, e.into()))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Symlink => {
                return Err(OpenError::untrusted(&path, "is a symbolic link", "remove it; nothing was followed"));
            }
            _ => return Err(OpenError::untrusted(&path, "is not a regular file", "move it away")),
        }
        if stat.st_nlink != 1 {
            return Err(OpenError::untrusted(
                &path,
                &format!("has {} names (hard links)", stat.st_nlink),
                "find the others with `find / -samefile` and remove what is not ours",
            ));
        }
        check_owner_and_mode(&path, &stat, "chmod 600")
    }

    /// Opens a file for reading; a symbolic link is not followed.
    pub(super) fn read(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(&self.fd, name, flags, Mode::empty())?))
    }

    /// The content of a small file; none when it does not exist.
    pub(super) fn read_small(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match self.read(name) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut content = Vec::new();
        file.take(1 << 20).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    /// Makes a new file for appending. Fails when the name is taken.
    pub(super) fn create(&self, name: &str) -> io::Result<OwnedFd> {
        let flags =
            OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(&self.fd, name, flags, PRIVATE_FILE)?)
    }

    /// Makes a new file with this content, on disk before it returns.
    pub(super) fn create_with(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut file = File::from(self.create(name)?);
        file.write_all(content)?;
        file.sync_all()
    }

    /// Replaces a file by new content in one step: a reader sees the old or the new.
    pub(super) fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let draft = format!("{name}.new");
        self.remove(&draft)?;
        let mut file = File::from(self.create(&draft)?);
        file.write_all(content)?;
        self.rename(&draft, name)
    }

    /// Renames a file within the directory.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(fs::renameat(&self.fd, from, &self.fd, to)?)
    }

    /// Removes a file; one that is not there is fine.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Overwrites a file with zeros, waits for the disk, removes it.
    pub(super) fn wipe(&self, name: &str) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => {
                let mut file = File::from(fd);
                let length = file.metadata()?.len().min(1 << 20);
                io::copy(&mut io::repeat(0).take(length), &mut file)?;
                file.sync_all()?;
                self.remove(name)
            }
            Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Makes names that were added or removed survive a power loss.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(fs::fsync(&self.fd)?)
    }
}

fn check_owner_and_mode(path: &Path, stat: &fs::Stat, remedy: &str) -> Result<(), OpenError> {
    let us = rustix::process::geteuid().as_raw();
    if stat.st_uid != us {
        let what = format!("belongs to user {}, while we run as user {us}", stat.st_uid);
        return Err(OpenError::untrusted(path, &what, "run as that user or use another directory"));
    }
    let mode = Mode::from_raw_mode(stat.st_mode).as_raw_mode() & 0o777;
    if mode & 0o077 != 0 {
        let what = format!("has mode {mode:04o}, so others can reach it");
        return Err(OpenError::untrusted(path, &what, &format!("`{remedy} {}`", path.display())));
    }
    Ok(())
}

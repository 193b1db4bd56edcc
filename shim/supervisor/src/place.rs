//! Opening a file as a call of another thread would: from its root, its working directory and its descriptors, and with its own
//! meaning of `/proc/self`.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::AsFd,
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fd::{AsRawFd as _, BorrowedFd, OwnedFd},
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, Stat, fstat, fstatfs, openat, openat2,
        readlinkat,
    },
    io::Errno,
};

/// Symbolic links that the kernel follows in one path (path_resolution(7)).
const LINKS: usize = 40;

/// A path for its own sake: the file is not opened (open(2), O_PATH).
const PATH: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Whose paths are meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thread(pub(crate) i32);

/// A file by what cannot be renamed. It means the same as long as the file is held open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl From<&Stat> for Identity {
    fn from(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}

impl Thread {
    /// Opens a path of this thread, which starts from `directory` where it is relative (openat(2)). The last link is followed only
    /// when wanted.
    ///
    /// # Errors
    /// What the kernel would say.
    pub(crate) fn open(self, directory: i32, path: &[u8], follow: bool) -> io::Result<OwnedFd> {
        self.find(self.start(directory, path)?, path, follow, Others::Followed)
    }

    /// Where the way of a path begins.
    ///
    /// # Errors
    /// `EBADF` where it is relative to a descriptor that is not there.
    pub(crate) fn start(self, directory: i32, path: &[u8]) -> io::Result<OwnedFd> {
        if path.starts_with(b"/") { self.root() } else { self.directory(directory) }
    }

    /// Opens what a path that begins at `start` leads to.
    ///
    /// # Errors
    /// As of [`open`](Self::open).
    pub(crate) fn find(self, start: OwnedFd, path: &[u8], follow: bool, others: Others) -> io::Result<OwnedFd> {
        if path.is_empty() {
            return Err(Errno::NOENT.into());
        }
        // One call where neither `/proc` nor a way out of the starting directory is part of it. What is below our root is also
        // below that of the thread.
        let within = if path.starts_with(b"/") { ResolveFlags::IN_ROOT } else { ResolveFlags::BENEATH };
        let flags = if follow { PATH } else { PATH | OFlags::NOFOLLOW };
        match openat2(&start, path, flags, Mode::empty(), within | ResolveFlags::NO_MAGICLINKS) {
            // `/proc/self` was our own.
            Ok(file) if is_proc(&file)? => self.walk(start, path, follow, others),
            Ok(file) if fstat(&file).is_ok_and(|stat| follow || !is_link(&stat)) => Ok(file),
            Ok(_) => Err(Errno::LOOP.into()),
            // What is not there for us may be there for the thread.
            Err(_) => self.walk(start, path, follow, others),
        }
    }

    /// The folder in which a path that begins at `start` ends, and what follows there, with the slashes behind it.
    ///
    /// # Errors
    /// What the kernel would say of the folder.
    pub(crate) fn folder(self, start: OwnedFd, path: &[u8], others: Others) -> io::Result<(OwnedFd, Vec<u8>)> {
        let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        let name = path.iter().take(end).rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        match path.split_at_checked(name) {
            _ if path.is_empty() => Err(Errno::NOENT.into()),
            // Slashes alone.
            _ if end == 0 => Ok((start, b".".to_vec())),
            Some((b"", name)) => Ok((start, name.to_vec())),
            Some((folder, name)) => Ok((self.find(start, folder, true, others)?, name.to_vec())),
            None => Err(Errno::INVAL.into()),
        }
    }

    /// The absolute path by which something was named.
    ///
    /// # Errors
    /// When the thread, or the descriptor that the path is relative to, is gone.
    pub(crate) fn named(self, directory: i32, path: &[u8]) -> io::Result<PathBuf> {
        let path = Path::new(OsStr::from_bytes(path));
        if path.is_absolute() {
            return Ok(path.to_owned());
        }
        let start = match directory {
            libc::AT_FDCWD => self.working_directory()?,
            descriptor => real(self.descriptor(descriptor)?.as_fd())?,
        };
        Ok(start.join(path))
    }

    /// The file of one of its descriptors.
    ///
    /// # Errors
    /// `EBADF` where it has no such descriptor.
    pub(crate) fn descriptor(self, descriptor: i32) -> io::Result<OwnedFd> {
        let path = format!("/proc/{}/fd/{descriptor}", self.0);
        Ok(openat(CWD, path, PATH, Mode::empty())
            .map_err(|error| if error == Errno::NOENT { Errno::BADF } else { error })?)
    }

    /// Its working directory, as we see it.
    ///
    /// # Errors
    /// When the thread is gone.
    pub(crate) fn working_directory(self) -> io::Result<PathBuf> {
        std::fs::read_link(format!("/proc/{}/cwd", self.0))
    }

    /// The process that it is part of.
    ///
    /// # Errors
    /// When the thread is gone.
    pub(crate) fn process(self) -> io::Result<i32> {
        self.status("Tgid:")?.parse().map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// What its mask takes away of the rights to a file that it makes (umask(2)).
    ///
    /// # Errors
    /// When the thread is gone.
    pub(crate) fn mask(self) -> io::Result<u32> {
        u32::from_str_radix(&self.status("Umask:")?, 8).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    fn status(self, name: &str) -> io::Result<String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value.map(|value| value.trim().to_owned()).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Its controlling terminal, if it has one (proc_pid_stat(5), `tty_nr`).
    ///
    /// # Errors
    /// When the thread is gone, or the terminal is nowhere in its `/dev`.
    pub(crate) fn terminal(self) -> io::Result<Option<OwnedFd>> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        let number = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(4)?.parse::<i32>().ok());
        let number = number.ok_or(io::ErrorKind::InvalidData)?.cast_unsigned();
        let (major, minor) = (number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xf_ff00);
        let name = match (major, minor) {
            (0, 0) => return Ok(None),
            (4, 64..) => format!("/dev/ttyS{}", minor - 64),
            (4, _) => format!("/dev/tty{minor}"),
            (136..=143, _) => format!("/dev/pts/{}", (major - 136) * 256 + minor),
            _ => return Err(Errno::NXIO.into()),
        };
        let file = self.find(self.root()?, name.as_bytes(), true, Others::Refused)?;
        if fstat(&file)?.st_rdev != rustix::fs::makedev(major, minor) {
            return Err(Errno::NXIO.into());
        }
        Ok(Some(file))
    }

    fn root(self) -> io::Result<OwnedFd> {
        Ok(openat(CWD, format!("/proc/{}/root", self.0), PATH, Mode::empty())?)
    }

    fn directory(self, directory: i32) -> io::Result<OwnedFd> {
        if directory == libc::AT_FDCWD {
            return Ok(openat(CWD, format!("/proc/{}/cwd", self.0), PATH, Mode::empty())?);
        }
        self.descriptor(directory)
    }

    /// One component after the other, as path_resolution(7) says.
    fn walk(self, start: OwnedFd, path: &[u8], follow: bool, others: Others) -> io::Result<OwnedFd> {
        let root = self.root()?;
        let mut at = start;
        let mut links = 0;
        // The next component stands last.
        let mut rest: Vec<Vec<u8>> = components(path);
        while let Some(component) = rest.pop() {
            if component == b".." {
                if !is_same(&at, &root)? {
                    at = openat(&at, "..", PATH | OFlags::DIRECTORY, Mode::empty())?;
                }
                continue;
            }
            let file = openat(&at, component.as_slice(), PATH | OFlags::NOFOLLOW, Mode::empty())?;
            if !is_link(&fstat(&file)?) {
                at = file;
                continue;
            }
            links += 1;
            if links > LINKS || (rest.is_empty() && !follow) {
                return Err(Errno::LOOP.into());
            }
            let is_proc = is_proc(&file)?;
            // The root of a proc file system (proc(5)); links below it lead to what they stand for, whatever their text says.
            let is_top = is_proc && fstat(&at)?.st_ino == 1;
            match component.as_slice() {
                b"self" if is_top => at = own(&format!("/proc/{}", self.process()?))?,
                b"thread-self" if is_top => at = own(&format!("/proc/{}/task/{}", self.process()?, self.0))?,
                name if is_proc && !is_top => {
                    if others == Others::Refused && !self.owns(&at)? {
                        return Err(Errno::ACCESS.into());
                    }
                    at = openat(&at, name, PATH, Mode::empty())?;
                }
                _ => {
                    let text = readlinkat(&file, "", Vec::new())?.into_bytes();
                    if text.starts_with(b"/") {
                        at = root.try_clone()?;
                    }
                    rest.extend(components(&text));
                }
            }
        }
        // A slash at the end wants a folder.
        if path.ends_with(b"/") && FileType::from_raw_mode(fstat(&at)?.st_mode) != FileType::Directory {
            return Err(Errno::NOTDIR.into());
        }
        Ok(at)
    }

    /// Whether something in a proc file system is about this thread's own process.
    ///
    /// # Errors
    /// When the thread is gone.
    pub(crate) fn owns(self, file: impl AsFd) -> io::Result<bool> {
        Ok(real(file.as_fd())?.starts_with(format!("/proc/{}", self.process()?)))
    }
}

/// What becomes of links in `/proc` that lead to what another process has open, to its folder or its root. The kernel asks whether
/// one could trace it; where we open something in a thread's place, it would be asked of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// The kernel will have the last word.
    Followed,
    /// There is none after ours.
    Refused,
}

/// Whether a file is of a proc file system.
///
/// # Errors
/// When the system does not say.
pub(crate) fn is_proc(file: impl AsFd) -> io::Result<bool> {
    Ok(fstatfs(file)?.f_type == PROC_SUPER_MAGIC)
}

fn own(path: &str) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, PATH | OFlags::DIRECTORY, Mode::empty())?)
}

/// Where an open file really is, as we see it.
///
/// # Errors
/// When the system does not say.
pub(crate) fn real(file: BorrowedFd<'_>) -> io::Result<PathBuf> {
    let path = readlinkat(CWD, format!("/proc/self/fd/{}", file.as_raw_fd()), Vec::new())?;
    Ok(PathBuf::from(std::ffi::OsString::from_vec(path.into_bytes())))
}

/// The components, the first of them last.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .rev()
        .filter(|part| !part.is_empty() && *part != b".")
        .map(<[u8]>::to_vec)
        .collect()
}

fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

fn is_same(one: impl AsFd, other: impl AsFd) -> io::Result<bool> {
    let mount = |file: BorrowedFd<'_>| {
        let flags = AtFlags::EMPTY_PATH;
        rustix::fs::statx(file, "", flags, rustix::fs::StatxFlags::MNT_ID | rustix::fs::StatxFlags::INO)
    };
    let (one, other) = (mount(one.as_fd())?, mount(other.as_fd())?);
    let of = |stat: rustix::fs::Statx| (stat.stx_ino, stat.stx_dev_major, stat.stx_dev_minor, stat.stx_mnt_id);
    Ok(of(one) == of(other))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    fn this() -> Thread {
        Thread(rustix::thread::gettid().as_raw_nonzero().get())
    }

    fn identity(file: &OwnedFd) -> (u64, u64) {
        let stat = fstat(file).unwrap();
        (stat.st_dev, stat.st_ino)
    }

    #[test]
    fn paths_lead_where_they_lead_the_thread() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "x").unwrap();
        std::fs::create_dir(at("sub")).unwrap();
        symlink("../file", at("sub/up")).unwrap();
        symlink(at("sub/up"), at("absolute")).unwrap();
        symlink("/proc/self/exe", at("exe")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let file = std::fs::metadata(at("file")).unwrap();
        let exe = std::fs::metadata("/proc/self/exe").unwrap();
        let open = std::fs::File::open(at("file")).unwrap();
        let sub = std::fs::File::open(at("sub")).unwrap();
        for (directory, path, expected) in [
            (libc::AT_FDCWD, at("file"), &file),
            (libc::AT_FDCWD, at("sub/up"), &file),
            (libc::AT_FDCWD, at("absolute"), &file),
            (libc::AT_FDCWD, at("sub/../sub/./up"), &file),
            (libc::AT_FDCWD, at("exe"), &exe),
            (libc::AT_FDCWD, "/proc/self/exe".into(), &exe),
            (libc::AT_FDCWD, "/proc/thread-self/exe".into(), &exe),
            (libc::AT_FDCWD, format!("/dev/fd/{}", open.as_raw_fd()).into(), &file),
            (libc::AT_FDCWD, format!("/proc/thread-self/fd/{}", open.as_raw_fd()).into(), &file),
            (sub.as_raw_fd(), "up".into(), &file),
            (sub.as_raw_fd(), "../absolute".into(), &file),
            (sub.as_raw_fd(), at("file"), &file),
        ] {
            let path = path.into_os_string().into_vec();
            let opened = this().open(directory, &path, true).unwrap();
            assert_eq!(identity(&opened), (expected.dev(), expected.ino()), "{}", String::from_utf8_lossy(&path));
        }
        for (path, follow, error) in [
            (at("loop"), true, Errno::LOOP),
            (at("absolute"), false, Errno::LOOP),
            (at("none"), true, Errno::NOENT),
            (at("sub/none"), true, Errno::NOENT),
            ("none".into(), true, Errno::NOENT),
            ("".into(), true, Errno::NOENT),
        ] {
            let found = this().open(libc::AT_FDCWD, &path.clone().into_os_string().into_vec(), follow);
            assert_eq!(found.unwrap_err().raw_os_error(), Some(error.raw_os_error()), "{}", path.display());
        }
        assert_eq!(this().open(999, b"x", true).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}

//! One file of the trail: `audit-<16-digit first seq>.jsonl`, mode 0600. A segment appears under its name only once its
//! first records are on disk. It is given up, never repaired, when anything about it fails.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::{fs, io::Errno};

use super::directory::Directory;

type Write = dyn Fn(BorrowedFd<'_>, &[u8]) -> io::Result<usize> + Send + std::marker::Sync;
type Sync = dyn Fn(BorrowedFd<'_>) -> io::Result<()> + Send + std::marker::Sync;

/// The two system calls that a disk fails with. Tests hand in failing ones.
#[derive(Clone)]
pub(super) struct Disk {
    pub(super) write: Arc<Write>,
    pub(super) sync: Arc<Sync>,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            write: Arc::new(|fd, bytes| Ok(rustix::io::write(fd, bytes)?)),
            sync: Arc::new(|fd| Ok(fs::fdatasync(fd)?)),
        }
    }
}

impl Disk {
    /// Writes everything, however the calls are cut up. On failure says how many bytes got there.
    fn write_all(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match (self.write)(fd, rest) {
                Ok(0) => return Err((bytes.len() - rest.len(), Errno::NOSPC.into())),
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err((bytes.len() - rest.len(), e)),
            }
        }
        Ok(())
    }
}

/// The file name of the segment that starts with record `first`.
pub(super) fn file_name(first: u64) -> String {
    format!("audit-{first:016}.jsonl")
}

/// The first `seq` of a segment, if this is the name of one.
pub(super) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?;
    (digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// What somebody else did to the file that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tampering {
    /// It is longer than what we wrote.
    Grew,
    /// It is shorter than what we wrote.
    Shrank,
    /// It has no name any more.
    Removed,
}

/// The segment that is being written.
#[derive(Debug)]
pub(super) struct Segment {
    fd: Arc<OwnedFd>,
    name: String,
    first: u64,
    length: u64,
}

impl Segment {
    /// Makes a segment whose first lines are `opening`. When this returns, they are on disk under the right name.
    pub(super) fn create(dir: &Directory, first: u64, opening: &[u8], disk: &Disk) -> io::Result<Self> {
        let name = file_name(first);
        if dir.names()?.contains(&name) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{name} is already there")));
        }
        let draft = format!("{name}.new");
        dir.remove(&draft)?;
        let fd = dir.create(&draft)?;
        let written = disk.write_all(fd.as_fd(), opening).map_err(|(_, e)| e).and_then(|()| (disk.sync)(fd.as_fd()));
        if let Err(e) = written.and_then(|()| dir.rename(&draft, &name)).and_then(|()| dir.sync()) {
            // nothing in it was answered for
            let _ = dir.remove(&draft);
            return Err(e);
        }
        Ok(Self { fd: Arc::new(fd), name, first, length: opening.len() as u64 })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// `seq` of its first record.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Its length in bytes, counting only what was written in full.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether the file is as we left it.
    pub(super) fn untouched(&self) -> io::Result<Result<(), Tampering>> {
        let stat = fs::fstat(&*self.fd)?;
        let length = u64::try_from(stat.st_size).unwrap_or_default();
        Ok(match length.cmp(&self.length) {
            _ if stat.st_nlink == 0 => Err(Tampering::Removed),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(Tampering::Grew),
            std::cmp::Ordering::Less => Err(Tampering::Shrank),
        })
    }

    /// Appends lines. On failure says how many bytes of them got there.
    pub(super) fn append(&mut self, lines: &[u8], disk: &Disk) -> Result<(), (usize, io::Error)> {
        disk.write_all(self.fd.as_fd(), lines)?;
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Waits until everything written is on disk. After a failure the kernel may have dropped what it could not write,
    /// so this is never called again on the same segment.
    pub(super) fn sync(&self, disk: &Disk) -> io::Result<()> {
        (disk.sync)(self.fd.as_fd())
    }

    /// The same, as something to be done while more is appended.
    pub(super) fn flush(&self, disk: &Disk) -> Flush {
        Flush { fd: Arc::clone(&self.fd), sync: Arc::clone(&disk.sync), segment: self.name.clone() }
    }
}

/// Waiting for the disk without the log in hand.
pub(super) struct Flush {
    fd: Arc<OwnedFd>,
    sync: Arc<Sync>,
    /// The name of the segment.
    pub(super) segment: String,
}

impl Flush {
    /// Waits until everything is on disk that was written before the call.
    pub(super) fn run(&self) -> io::Result<()> {
        (self.sync)(self.fd.as_fd())
    }
}

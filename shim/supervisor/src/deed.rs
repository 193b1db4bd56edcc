//! What is done in a process's place, with what was found and judged.

use std::{
    ffi::OsStr,
    io,
    net::SocketAddr,
    os::{fd::AsRawFd as _, unix::ffi::OsStrExt as _},
    path::PathBuf,
};

use rustix::{
    fd::{AsFd as _, OwnedFd},
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, Stat, fcntl_getfl, fstat, ftruncate, linkat, openat,
        renameat_with, unlinkat,
    },
    io::Errno,
    net::{connect, connect_unspec},
};

use crate::place::real;

/// A place in a folder, whether or not something is there.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) folder: OwnedFd,
    /// One component, perhaps with slashes behind it.
    pub(crate) name: Vec<u8>,
}

impl Entry {
    /// Where it is, as we see it.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn path(&self) -> io::Result<PathBuf> {
        let end = self.name.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        let name = OsStr::from_bytes(self.name.get(..end).unwrap_or_default());
        Ok(real(self.folder.as_fd())?.join(name))
    }
}

/// One call, as it is made. Flags and modes are those of the process, the mode without what its mask takes away.
#[derive(Debug)]
pub(crate) enum Deed {
    /// Opens what is there, or a file without a name in a folder.
    Open {
        file: OwnedFd,
        flags: OFlags,
        mode: Mode,
    },
    /// Opens what is perhaps not there.
    Make {
        entry: Entry,
        flags: OFlags,
        mode: Mode,
    },
    /// It was opened when it was found.
    Opened {
        file: OwnedFd,
        flags: OFlags,
    },
    Cut {
        file: OwnedFd,
        length: u64,
    },
    Remove {
        entry: Entry,
        flags: AtFlags,
    },
    Rename {
        from: Entry,
        to: Entry,
        flags: RenameFlags,
    },
    /// A further name for a file, whatever it is called now.
    Link {
        file: OwnedFd,
        to: Entry,
    },
    Connect {
        socket: OwnedFd,
        address: SocketAddr,
    },
    Disconnect {
        socket: OwnedFd,
    },
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Done {
    /// The call returns a descriptor of this file; whether an exec closes it.
    Opened(OwnedFd, bool),
    /// It returns zero.
    Zero,
}

/// So that nothing that is opened here reaches another program or becomes our terminal.
const OURS: OFlags = OFlags::CLOEXEC.union(OFlags::NOCTTY);

impl Deed {
    /// Whether it may take as long as somebody else likes.
    pub(crate) fn waits(&self) -> bool {
        match self {
            Self::Open { file, flags, .. } => {
                !flags.contains(OFlags::NONBLOCK) && fstat(file).is_ok_and(|stat| kind(&stat) == FileType::Fifo)
            }
            Self::Connect { socket, .. } => fcntl_getfl(socket).is_ok_and(|flags| !flags.contains(OFlags::NONBLOCK)),
            _ => false,
        }
    }

    /// Does it, with the rights of the calling thread.
    ///
    /// # Errors
    /// What the process is told of it.
    pub(crate) fn perform(self) -> rustix::io::Result<Done> {
        let opened = |file, flags: OFlags| Done::Opened(file, flags.contains(OFlags::CLOEXEC));
        match self {
            Self::Open { file, flags, mode } => {
                let always = flags - OFlags::CREATE - OFlags::EXCL - OFlags::NOFOLLOW;
                openat(CWD, itself(&file), always | OURS, mode).map(|file| opened(file, flags))
            }
            // A link that came in the way meanwhile is not what was judged.
            Self::Make { entry: Entry { folder, name }, flags, mode } => {
                openat(folder, name, flags | OFlags::NOFOLLOW | OURS, mode).map(|file| opened(file, flags))
            }
            Self::Opened { file, flags } => Ok(opened(file, flags)),
            Self::Cut { file, length } => {
                // Without waiting for whoever reads a pipe, which cannot be cut.
                let file = openat(CWD, itself(&file), OFlags::WRONLY | OFlags::NONBLOCK | OURS, Mode::empty());
                let file = file.map_err(|error| if error == Errno::NXIO { Errno::INVAL } else { error })?;
                ftruncate(file, length).map(|()| Done::Zero)
            }
            Self::Remove { entry: Entry { folder, name }, flags } => unlinkat(folder, name, flags).map(|()| Done::Zero),
            Self::Rename { from, to, flags } => {
                renameat_with(from.folder, from.name, to.folder, to.name, flags).map(|()| Done::Zero)
            }
            Self::Link { file, to } => {
                linkat(CWD, itself(&file), to.folder, to.name, AtFlags::SYMLINK_FOLLOW).map(|()| Done::Zero)
            }
            Self::Connect { socket, address } => connect(socket, &address).map(|()| Done::Zero),
            Self::Disconnect { socket } => connect_unspec(socket).map(|()| Done::Zero),
        }
    }
}

/// A path by which the file can be opened that a descriptor holds, for any thread of this process.
pub(crate) fn itself(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

pub(crate) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

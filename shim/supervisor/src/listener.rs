//! The notifications of the filter, and the answers to them (seccomp_unotify(2)).

use std::{io, mem};

use libc::{
    O_CLOEXEC, SECCOMP_ADDFD_FLAG_SEND, SECCOMP_IOCTL_NOTIF_ADDFD, SECCOMP_IOCTL_NOTIF_ID_VALID,
    SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
    SECCOMP_USER_NOTIF_FLAG_CONTINUE, c_ulong, seccomp_notif, seccomp_notif_addfd, seccomp_notif_resp,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    io::Errno,
};

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` (linux/seccomp.h, Linux 6.6).
const SYNC_WAKE_UP: c_ulong = 1;

/// What notifications come by.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

/// A system call that waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notification {
    /// What the answer refers to.
    pub(crate) id: u64,
    /// The thread that waits.
    pub(crate) thread: i32,
    /// The system call's number.
    pub(crate) number: i64,
    /// Its arguments: the thread's registers, which nobody can change while it waits.
    pub(crate) arguments: [u64; 6],
}

impl Listener {
    pub(crate) fn new(descriptor: OwnedFd) -> Self {
        // One of the two always waits for the other, so they may as well share a processor: waking another one takes longer than
        // most of what is done. A kernel that does not know this goes on as before.
        // SAFETY: the flags are the argument itself and not behind a pointer.
        unsafe { libc::ioctl(descriptor.as_raw_fd(), SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
        Self(descriptor)
    }

    /// The next notification, if one waits.
    ///
    /// # Errors
    /// `ENOENT` when the thread was killed meanwhile, `EPIPE` when no process is left that could send one.
    pub(crate) fn next(&self) -> io::Result<Option<Notification>> {
        // The kernel has no way to read without waiting; nobody else reads.
        match self.events(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? {
            events if events.contains(PollFlags::IN) => {}
            events if events.contains(PollFlags::HUP) => return Err(Errno::PIPE.into()),
            _ => return Ok(None),
        }
        // SAFETY: plain numbers, for which the kernel wants zeros.
        let mut notification: seccomp_notif = unsafe { mem::zeroed() };
        // SAFETY: the kernel fills in the structure, whose size is in the request's number.
        let done = unsafe { libc::ioctl(self.0.as_raw_fd(), SECCOMP_IOCTL_NOTIF_RECV, &raw mut notification) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        let seccomp_notif { id, pid, data, .. } = notification;
        let thread = i32::try_from(pid).map_err(|_| Errno::SRCH)?;
        Ok(Some(Notification { id, thread, number: i64::from(data.nr), arguments: data.args }))
    }

    /// Waits for the first notification.
    ///
    /// # Errors
    /// `EPIPE` when no process is left that could send one.
    pub(crate) fn wait(&self) -> io::Result<()> {
        loop {
            match self.events(None) {
                Ok(events) if events.contains(PollFlags::IN) => return Ok(()),
                Ok(_) => return Err(Errno::PIPE.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn events(&self, timeout: Option<&Timespec>) -> io::Result<PollFlags> {
        let mut polled = [PollFd::new(&self.0, PollFlags::IN)];
        poll(&mut polled, timeout)?;
        Ok(polled.iter().fold(PollFlags::empty(), |all, one| all | one.revents()))
    }

    /// Whether the thread still waits for this answer, so that what was read of it is its own and not that of another which has
    /// its number now.
    pub(crate) fn still_waits(&self, id: u64) -> bool {
        // SAFETY: the kernel reads one number.
        unsafe { libc::ioctl(self.0.as_raw_fd(), SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) == 0 }
    }

    /// Lets the system call happen.
    ///
    /// # Errors
    /// `ENOENT` when nobody waits for the answer any more.
    pub(crate) fn go_on(&self, id: u64) -> io::Result<()> {
        self.send(seccomp_notif_resp { id, val: 0, error: 0, flags: SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 })
    }

    /// Gives the system call a descriptor of this file as what it returns, the lowest that is free there; Linux 5.14.
    ///
    /// # Errors
    /// `ENOENT` when nobody waits for the answer any more, `EMFILE` where the process may have no more.
    pub(crate) fn give(&self, id: u64, file: BorrowedFd<'_>, close_on_exec: bool) -> io::Result<()> {
        let addition = seccomp_notif_addfd {
            id,
            flags: SECCOMP_ADDFD_FLAG_SEND as u32,
            srcfd: file.as_raw_fd().unsigned_abs(),
            newfd: 0,
            newfd_flags: if close_on_exec { O_CLOEXEC.unsigned_abs() } else { 0 },
        };
        // SAFETY: the kernel reads the structure, whose size is in the request's number.
        let given = unsafe { libc::ioctl(self.0.as_raw_fd(), SECCOMP_IOCTL_NOTIF_ADDFD, &raw const addition) };
        if given < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Has the system call return zero without being made.
    ///
    /// # Errors
    /// `ENOENT` when nobody waits for the answer any more.
    pub(crate) fn done(&self, id: u64) -> io::Result<()> {
        self.send(seccomp_notif_resp { id, val: 0, error: 0, flags: 0 })
    }

    /// The same for another thread.
    ///
    /// # Errors
    /// When no further descriptor may be open.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Makes the system call fail.
    ///
    /// # Errors
    /// `ENOENT` when nobody waits for the answer any more.
    pub(crate) fn fail(&self, id: u64, error: Errno) -> io::Result<()> {
        self.send(seccomp_notif_resp { id, val: 0, error: -error.raw_os_error(), flags: 0 })
    }

    fn send(&self, mut response: seccomp_notif_resp) -> io::Result<()> {
        // SAFETY: the kernel reads the structure, whose size is in the request's number.
        let done = unsafe { libc::ioctl(self.0.as_raw_fd(), SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

//! Starting a program below the filter.

use std::{
    io,
    mem::MaybeUninit,
    os::unix::process::CommandExt as _,
    process::{Child, Command},
    thread,
};

use rustix::{
    cmsg_space,
    fd::{AsFd as _, OwnedFd},
    io::{Errno, IoSlice, IoSliceMut},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, Shutdown, SocketFlags, SocketType, recvmsg, sendmsg, shutdown, socketpair,
    },
};

use crate::{Watched, attempt::starts_a_program, filter::Filter, hands::Confined, listener::Listener};

/// A command that will be below the filter when it is started.
#[derive(Debug)]
pub struct Held {
    /// Where the filter's notifications come from.
    socket: OwnedFd,
}

impl Held {
    /// Holds what this command will start, and what else is to be watched. What it was told to do in the child before (`CommandExt::pre_exec`) is done before the
    /// filter is there.
    ///
    /// # Errors
    /// When the system has no room for a socket.
    pub fn new(command: &mut Command, watched: Watched) -> io::Result<Self> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let filter = Filter::of(watched);
        let work = move || hand_over(&theirs, &filter.install()?);
        // SAFETY: system calls only, and neither memory nor locks (fork(2) of a program with threads).
        unsafe { command.pre_exec(work) };
        Ok(Self { socket: ours })
    }

    /// Starts it, and lets its first execs go on unasked, with all that those programs do on the way to it: they are what a person
    /// wanted.
    pub(crate) fn start<E: From<io::Error> + Send>(
        self,
        unasked: usize,
        start: impl FnOnce() -> Result<(Child, Option<Confined>), E> + Send,
    ) -> Result<(Child, Option<Confined>, Listener), E> {
        thread::scope(|scope| {
            // It waits for the child's exec, which waits for us.
            let spawned = scope.spawn(|| {
                let started = start();
                // One that never came to the filter says nothing more.
                let _ = shutdown(&self.socket, Shutdown::Read);
                started
            });
            let taken = self.take_over().and_then(|listener| {
                let mut programs = 0;
                while programs < unasked {
                    listener.wait()?;
                    if let Some(notification) = listener.next()? {
                        programs += usize::from(starts_a_program(notification.number));
                        listener.go_on(notification.id)?;
                    }
                }
                Ok(listener)
            });
            let (child, confined) =
                spawned.join().map_err(|_| io::Error::other("the thread that starts the program failed"))??;
            Ok((child, confined, taken?))
        })
    }

    fn take_over(&self) -> io::Result<Listener> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        rustix::io::retry_on_intr(|| {
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)
        })?;
        let mut descriptors = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let descriptor = descriptors.next().and_then(|mut descriptors| descriptors.next());
        Ok(Listener::new(descriptor.ok_or(Errno::PIPE)?))
    }
}

/// Whether something can be done in the place of a process, as [`Watched`] wants it: Linux 5.14 gives the answer and the
/// descriptor at once.
pub fn can_act_for_others() -> bool {
    let release = rustix::system::uname();
    let mut numbers =
        release.release().to_str().unwrap_or_default().split(['.', '-']).map_while(|n| n.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(14))
}

/// Whether the kernel has what is needed, and nobody else is in its place.
///
/// # Errors
/// Why not, for a person to read.
pub fn supported() -> Result<(), String> {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if scope.trim() == "3" {
        return Err("this machine forbids all tracing (kernel.yama.ptrace_scope is 3)".to_owned());
    }
    // A child that takes on the filter, and then fails before it becomes another program.
    let mut probe = Command::new("/proc/self/exe");
    let filter = Filter::of(Watched::default());
    let work = move || filter.install().and_then(|_| Err(Errno::CANCELED.into()));
    // SAFETY: system calls only, and neither memory nor locks.
    unsafe { probe.pre_exec(work) };
    let failed = probe.spawn().map(drop).err().and_then(|error| error.raw_os_error()).map(Errno::from_raw_os_error);
    match failed {
        Some(Errno::CANCELED) => Ok(()),
        Some(Errno::BUSY) => Err("another supervisor has the system calls of this process already".to_owned()),
        Some(Errno::INVAL | Errno::NOSYS) => Err("this kernel has no seccomp notifications (Linux 5.5)".to_owned()),
        Some(error) => Err(format!("the kernel refuses the filter: {error}")),
        None => Err("the kernel did not take the filter".to_owned()),
    }
}

fn hand_over(socket: &OwnedFd, listener: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [listener.as_fd()];
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(Errno::NOBUFS.into());
    }
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_what_is_needed_and_a_program_that_is_not_there_is_an_error() {
        assert_eq!(supported(), Ok(()));
        let start = |mut command: Command| {
            let held = Held::new(&mut command, Watched::default()).unwrap();
            held.start(1, || command.spawn().map(|child| (child, None))).unwrap_err()
        };
        assert_eq!(start(Command::new("/not/there")).kind(), io::ErrorKind::NotFound);
        let mut failing = Command::new("/bin/true");
        // SAFETY: it does nothing.
        unsafe { failing.pre_exec(|| Err(Errno::XDEV.into())) };
        assert_eq!(start(failing).raw_os_error(), Some(libc::EXDEV));
    }
}

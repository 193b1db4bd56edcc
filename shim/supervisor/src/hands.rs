//! The thread that does in a process's place what was judged: with no more rights than the process has itself. What it would
//! have been refused without us it is refused here as well.

use std::{
    io,
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use rustix::{
    fd::{AsFd as _, AsRawFd as _, OwnedFd},
    fs::Mode,
    io::Errno,
    thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs},
};

use crate::{
    deed::{Deed, Done},
    listener::Listener,
};

/// What a program is confined to that was started in a jail.
#[derive(Debug)]
pub struct Confined {
    /// What it may do with files (landlock(7)); none where that is not restricted.
    pub ruleset: Option<OwnedFd>,
}

/// Rights over files that are nobody's (capabilities(7)).
const OVERRIDES: CapabilitySet = CapabilitySet::DAC_OVERRIDE.union(CapabilitySet::DAC_READ_SEARCH);

/// Rights that are given back when this value is gone.
#[derive(Debug)]
pub(crate) struct Lowered(CapabilitySets);

/// Has the calling thread look for files as a program does that was started in a jail: there, root is a user like others.
///
/// # Errors
/// When the system does not let it.
pub(crate) fn with_rights_as(confined: Option<&Confined>) -> io::Result<Option<Lowered>> {
    if confined.is_none() {
        return Ok(None);
    }
    let before = capabilities(None)?;
    set_capabilities(None, CapabilitySets { effective: before.effective - OVERRIDES, ..before })?;
    Ok(Some(Lowered(before)))
}

impl Drop for Lowered {
    fn drop(&mut self) {
        let _ = set_capabilities(None, self.0);
    }
}

/// Where deeds are sent to.
#[derive(Debug)]
pub(crate) struct Hands(Sender<(u64, Deed)>);

impl Hands {
    /// Begins to wait for deeds.
    ///
    /// # Errors
    /// When the thread cannot be confined as the program is.
    pub(crate) fn new(listener: &Listener, confined: Option<Confined>) -> io::Result<Self> {
        let listener = listener.try_clone()?;
        let (deeds, received) = mpsc::channel();
        let (ready, told) = mpsc::channel();
        thread::Builder::new().name("hands".to_owned()).spawn(move || {
            let confined = confine(confined);
            let is_confined = confined.is_ok();
            let _ = ready.send(confined);
            if is_confined {
                work(&listener, &received);
            }
        })?;
        told.recv().map_err(io::Error::other)??;
        Ok(Self(deeds))
    }

    /// Does it, and has the process that waits told what came of it.
    ///
    /// # Errors
    /// When there is nobody to do it.
    pub(crate) fn perform(&self, waiting: u64, deed: Deed) -> io::Result<()> {
        self.0.send((waiting, deed)).map_err(io::Error::other)
    }
}

fn work(listener: &Listener, deeds: &Receiver<(u64, Deed)>) {
    while let Ok((waiting, deed)) = deeds.recv() {
        if !deed.waits() {
            answer(listener, waiting, deed);
            continue;
        }
        // As confined as this one is. Without it, nobody waits for long.
        let own = listener.try_clone();
        let spawned = own.and_then(|own| thread::Builder::new().spawn(move || answer(&own, waiting, deed)));
        if spawned.is_err() {
            let _ = listener.fail(waiting, Errno::NOMEM);
        }
    }
}

/// An error in answering is that nobody waits any more.
fn answer(listener: &Listener, waiting: u64, deed: Deed) {
    // What was found may be that of a thread which has the number now.
    if !listener.still_waits(waiting) {
        return;
    }
    let _ = match deed.perform() {
        Ok(Done::Opened(file, close_on_exec)) => match listener.give(waiting, file.as_fd(), close_on_exec) {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => {
                listener.fail(waiting, Errno::from_io_error(&error).unwrap_or(Errno::IO))
            }
            given => given,
        },
        Ok(Done::Zero) => listener.done(waiting),
        Err(error) => listener.fail(waiting, error),
    };
}

/// Makes the calling thread, and those that it starts, as confined as the program is.
fn confine(confined: Option<Confined>) -> io::Result<()> {
    // A mask of its own, which takes nothing away: that of the process has been counted in.
    // SAFETY: what the threads share of folders and masks is no memory; only this thread's is another from here on.
    let unshared = unsafe { libc::unshare(libc::CLONE_FS) };
    if unshared != 0 {
        return Err(io::Error::last_os_error());
    }
    rustix::process::umask(Mode::empty());
    let Some(Confined { ruleset }) = confined else { return Ok(()) };
    set_no_new_privs(true)?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    let Some(ruleset) = ruleset else { return Ok(()) };
    // SAFETY: two numbers go to the kernel, no memory (landlock_restrict_self(2)).
    let restricted = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) };
    if restricted == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

//! The words between the process that starts a jail and the one that goes into it, with descriptors in them.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    confinement::{Confinement, Door},
    outcome::{Failed, Holds},
};

/// Longer than any message: paths are what they are made of.
const LONGEST: usize = 128 * 1024;
/// More descriptors than any message has.
const MOST: usize = 128;

/// What the one outside says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Confine yourself. With the standard input of the process that is to be.
    Confine(Box<Confinement>),
    /// Become it.
    Start,
}

/// What the one inside says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// Ways out. With as many descriptors.
    Doors(Vec<Door>),
    /// All is in place. With the rules about files, where there are some (landlock(7)).
    Ready(Holds),
    /// It cannot be.
    Failed(Failed),
}

/// One end.
#[derive(Debug)]
pub(crate) struct Conversation(OwnedFd);

impl Conversation {
    /// Both ends.
    pub(crate) fn new() -> io::Result<(Self, Self)> {
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one), Self(other)))
    }

    pub(crate) fn of(end: OwnedFd) -> Self {
        Self(end)
    }

    pub(crate) fn say(&self, what: &impl Serialize, with: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = serde_json::to_vec(what)?;
        if text.len() > LONGEST || with.len() > MOST {
            return Err(io::Error::other("too much to say at once: fewer or shorter paths, or fewer ports"));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !with.is_empty() && !control.push(SendAncillaryMessage::ScmRights(with)) {
            return Err(io::Error::other("too many descriptors at once"));
        }
        sendmsg(&self.0, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// None where the other end is gone.
    pub(crate) fn hear<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut text = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let flags = RecvFlags::CMSG_CLOEXEC;
            match recvmsg(&self.0, &mut [IoSliceMut::new(&mut text)], &mut control, flags) {
                Err(rustix::io::Errno::INTR) => {}
                received => break received?,
            }
        };
        let mut with = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                with.extend(descriptors);
            }
        }
        match text.get(..received.bytes) {
            None | Some([]) => Ok(None),
            Some(text) => Ok(Some((serde_json::from_slice(text)?, with))),
        }
    }
}

impl AsFd for Conversation {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Conversation> for OwnedFd {
    fn from(end: Conversation) -> Self {
        end.0
    }
}

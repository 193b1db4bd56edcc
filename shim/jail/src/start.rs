//! The process that starts a jail, and stays outside.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    process::{Child, Command, Stdio},
};

use crate::{
    confinement::{Confinement, Door},
    conversation::{Conversation, Order, Word},
    outcome::{Failed, Holds, Part},
};

/// A process that confines itself and waits for the word to become its program. It ends where that is not given.
#[derive(Debug)]
pub struct Starting {
    child: Child,
    inside: Conversation,
    /// It has ways out.
    network: bool,
}

/// Starts `command`, which must lead to [`enter`](crate::enter), and tells it what it is confined to. Its standard input is
/// that of this process.
///
/// # Errors
/// When it cannot be started.
pub fn start(mut command: Command, confinement: &Confinement) -> Result<Starting, Failed> {
    let failed = |error: io::Error| Failed::new(Part::Program, "starting a process", error);
    let (inside, end) = Conversation::new().map_err(failed)?;
    let child = command.stdin(Stdio::from(OwnedFd::from(end))).spawn().map_err(failed)?;
    let order = Order::Confine(Box::new(confinement.clone()));
    let network = confinement.network.is_some();
    let starting = Starting { child, inside, network };
    match starting.inside.say(&order, &[io::stdin().as_fd()]) {
        Ok(()) => Ok(starting),
        Err(error) => Err(starting.give_up(failed(error))),
    }
}

impl Starting {
    /// The ways out of its network. None where the network is the host's.
    ///
    /// # Errors
    /// Why it cannot be confined.
    pub fn doors(mut self) -> Result<(Self, Vec<(Door, OwnedFd)>), Failed> {
        if !self.network {
            return Ok((self, Vec::new()));
        }
        match self.hear()? {
            (Word::Doors(doors), ends) if doors.len() == ends.len() => {
                Ok((self, doors.into_iter().zip(ends).collect()))
            }
            (Word::Failed(failed), _) => Err(self.give_up(failed)),
            _ => Err(self.give_up(senseless())),
        }
    }

    /// Waits until everything is in place but the program: how much holds, and the rules about files, for a thread that does
    /// something in the place of a process inside (landlock(7)).
    ///
    /// # Errors
    /// Why it cannot be confined.
    pub fn ready(mut self) -> Result<(Self, Holds, Option<OwnedFd>), Failed> {
        match self.hear()? {
            (Word::Ready(holds), with) => Ok((self, holds, with.into_iter().next())),
            (Word::Failed(failed), _) => Err(self.give_up(failed)),
            _ => Err(self.give_up(senseless())),
        }
    }

    /// Has it become its program.
    ///
    /// # Errors
    /// Why it could not.
    pub fn go(self) -> Result<Child, Failed> {
        let told = |error: io::Error| Failed::new(Part::Program, "talking with the process inside", error);
        if let Err(error) = self.inside.say(&Order::Start, &[]) {
            return Err(self.give_up(told(error)));
        }
        // Its end is closed by the exec that makes it its program.
        match self.inside.hear() {
            Ok(None) => Ok(self.child),
            Ok(Some((Word::Failed(failed), _))) => Err(self.give_up(failed)),
            Ok(Some(_)) => Err(self.give_up(senseless())),
            Err(error) => Err(self.give_up(told(error))),
        }
    }

    /// Lets it end without having become its program.
    pub fn leave(self) {
        let Self { mut child, inside, .. } = self;
        drop(inside);
        let _ = child.wait();
    }

    /// The process, which is going to be the program.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn hear(&mut self) -> Result<(Word, Vec<OwnedFd>), Failed> {
        match self.inside.hear() {
            Ok(Some(heard)) => Ok(heard),
            Ok(None) => {
                let ended = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                let why = io::Error::other(format!("it ended with no word ({ended})"));
                Err(Failed::new(Part::Program, "waiting for the process inside", why))
            }
            Err(error) => Err(Failed::new(Part::Program, "talking with the process inside", error)),
        }
    }

    fn give_up(mut self, failed: Failed) -> Failed {
        let _ = self.child.kill();
        let _ = self.child.wait();
        failed
    }
}

fn senseless() -> Failed {
    Failed::new(Part::Program, "talking with the process inside", io::Error::other("a word that makes no sense here"))
}

//! Handing in the doors of a session that has no other way out.

use std::{
    io::{self, BufRead as _, BufReader, IoSlice},
    mem::MaybeUninit,
    os::{fd::BorrowedFd, unix::net::UnixStream},
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::{
    Fault, Settings,
    again::PAUSE,
    socket::{Attempt, attempt},
    wire::{Door, HandIn, HandedIn},
};

/// More doors than any session has.
pub const MOST_DOORS: usize = 64;
/// How long the gateway may take to say whether it serves them.
const PATIENCE: Duration = Duration::from_secs(10);

impl Settings {
    /// Where doors are handed in.
    fn doors(&self) -> PathBuf {
        self.socket.with_file_name("doors.sock")
    }
}

/// Hands in the doors of the session whose credential `settings` bear. They are served as long as the stream stands, and it
/// ends when the gateway does. `confined` as in [`HandIn`].
///
/// # Errors
/// When there is no gateway, or it does not serve them.
pub fn hand_in(settings: &Settings, doors: &[(Door, BorrowedFd<'_>)], confined: bool) -> Result<UnixStream, Fault> {
    let settings = Settings { socket: settings.doors(), ..settings.clone() };
    let until = Instant::now() + PATIENCE;
    let stream = loop {
        match attempt(&settings)? {
            Attempt::Connected(stream) => break stream,
            Attempt::Busy if Instant::now() < until => std::thread::sleep(PAUSE),
            Attempt::Busy => return Err(Fault::Silent(PATIENCE)),
        }
    };
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Fault::Silent(PATIENCE),
        _ => Fault::HungUp,
    };
    stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(PATIENCE))).map_err(broken)?;
    let (kinds, ends): (Vec<_>, Vec<_>) = doors.iter().copied().unzip();
    let credential = settings.token.clone().unwrap_or_default();
    let text = serde_json::to_vec(&HandIn { credential, doors: kinds, confined })
        .map_err(|e| Fault::Garbled(e.to_string()))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DOORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&ends)) {
        return Err(Fault::Garbled(format!("more than {MOST_DOORS} doors cannot be handed in")));
    }
    sendmsg(&stream, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL).map_err(|e| broken(e.into()))?;
    let mut line = String::new();
    let mut reader = BufReader::new(stream);
    reader.read_line(&mut line).map_err(broken)?;
    match serde_json::from_str(&line) {
        Ok(HandedIn::Served) => {
            let stream = reader.into_inner();
            stream.set_read_timeout(None).map_err(broken)?;
            Ok(stream)
        }
        Ok(HandedIn::Refused { code, message }) => Err(Fault::Refused { status: 403, code, message }),
        Err(_) if line.is_empty() => Err(Fault::HungUp),
        Err(error) => Err(Fault::Garbled(error.to_string())),
    }
}

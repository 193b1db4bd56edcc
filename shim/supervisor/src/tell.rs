//! Saying to a person or a model why a program was refused: on the standard error of the process that wanted it, where the
//! program's own complaint would stand.

use std::io;

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    fs::{FileType, OFlags, fcntl_getfl, fstat},
    net::AddressFamily,
    process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};

use crate::place::Thread;

/// Writes as far as there is room at once. Whoever does not read is told nothing.
pub(crate) fn tell(thread: i32, text: &str) {
    let Ok(place) = standard_error(thread) else { return };
    let mut polled = [PollFd::new(&place, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
        && polled.iter().all(|one| one.revents().contains(PollFlags::OUT))
    {
        // Less than a pipe takes without waiting when there is room (pipe(7)).
        let bytes = text.as_bytes();
        let _ = rustix::io::write(&place, bytes.get(..4096).unwrap_or(bytes));
    }
}

/// Its descriptor 2, if that is what people read: a terminal, a pipe, a local socket, or a file that is only written.
fn standard_error(thread: i32) -> io::Result<OwnedFd> {
    let process = Pid::from_raw(Thread(thread).process()?).ok_or(io::ErrorKind::NotFound)?;
    let place = pidfd_getfd(pidfd_open(process, PidfdFlags::empty())?, 2, PidfdGetfdFlags::empty())?;
    let fits = match FileType::from_raw_mode(fstat(&place)?.st_mode) {
        FileType::CharacterDevice | FileType::Fifo => true,
        FileType::RegularFile => fcntl_getfl(&place)? & OFlags::RWMODE == OFlags::WRONLY,
        FileType::Socket => rustix::net::sockopt::socket_domain(&place)? == AddressFamily::UNIX,
        _ => false,
    };
    if fits { Ok(place) } else { Err(io::ErrorKind::Unsupported.into()) }
}

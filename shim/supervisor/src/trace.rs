//! Tracing a process from before its exec to the end of it (ptrace(2)). All of it happens on one thread, which is the tracer.

use std::{io, ptr};

use libc::{
    PTRACE_DETACH, PTRACE_EVENT_EXEC, PTRACE_GETEVENTMSG, PTRACE_INTERRUPT, PTRACE_O_EXITKILL, PTRACE_O_TRACEEXEC,
    PTRACE_SEIZE, c_void,
};
use rustix::process::{Pid, WaitOptions, WaitStatus};

/// What happened to a child or to a traced process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// It stopped at the end of its exec.
    Exec,
    /// It stopped for another reason, where this signal, or none, is about to reach it.
    Stopped { signal: i32 },
    /// It is gone.
    Gone(i32),
}

/// Traces a thread from now on, without stopping it. Its exec will stop it, and it dies if we do.
///
/// # Errors
/// `EPERM` where somebody else traces it, or we may not.
pub(crate) fn seize(thread: i32) -> io::Result<()> {
    request(PTRACE_SEIZE, thread, ptr::null_mut(), (PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) as usize)
}

/// Stops a traced thread as soon as it is out of the kernel.
pub(crate) fn interrupt(thread: i32) -> io::Result<()> {
    request(PTRACE_INTERRUPT, thread, ptr::null_mut(), 0)
}

/// Lets go of a traced thread that has stopped, with the signal it stopped for. A process that was stopped by its terminal stays so.
pub(crate) fn detach(thread: i32, signal: i32) -> io::Result<()> {
    request(PTRACE_DETACH, thread, ptr::null_mut(), usize::try_from(signal).unwrap_or_default())
}

/// The thread that began the exec, whose number is its process's now.
pub(crate) fn former(process: i32) -> io::Result<i32> {
    let mut message: libc::c_ulong = 0;
    request(PTRACE_GETEVENTMSG, process, ptr::null_mut(), (&raw mut message) as usize)?;
    i32::try_from(message).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// What libcs call the number of a request differs in its sign.
#[cfg(target_env = "musl")]
type Request = libc::c_int;
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

fn request(request: Request, thread: i32, address: *mut c_void, data: usize) -> io::Result<()> {
    // SAFETY: of the requests above only PTRACE_GETEVENTMSG writes, and to the number whose address it got.
    let done = unsafe { libc::ptrace(request, thread, address, data) };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The next thing that happened to any child or traced process, if there is one.
///
/// # Errors
/// `ECHILD` when there are none.
pub(crate) fn next() -> io::Result<Option<(i32, Event)>> {
    // Threads too, and children that end without a signal.
    let options = WaitOptions::NOHANG | WaitOptions::from_bits_retain(libc::__WALL as u32);
    let happened = rustix::process::wait(options)?;
    Ok(happened.map(|(pid, status): (Pid, WaitStatus)| (pid.as_raw_nonzero().get(), event(status.as_raw()))))
}

fn event(status: i32) -> Event {
    if !libc::WIFSTOPPED(status) {
        return Event::Gone(status);
    }
    match status >> 16 {
        PTRACE_EVENT_EXEC => Event::Exec,
        0 => Event::Stopped { signal: libc::WSTOPSIG(status) },
        // A group's stop, or our own interruption.
        _ => Event::Stopped { signal: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_as_the_manual_says() {
        for (status, expected) in [
            (0x0000_0000, Event::Gone(0)),
            (0x0000_2a00, Event::Gone(0x2a00)),
            (0x0000_0009, Event::Gone(9)),
            (0x0004_057f, Event::Exec),
            (0x0000_0a7f, Event::Stopped { signal: 10 }),
            (0x0000_227f, Event::Stopped { signal: 34 }),
            (0x0080_057f, Event::Stopped { signal: 0 }),
            (0x0080_147f, Event::Stopped { signal: 0 }),
        ] {
            assert_eq!(event(status), expected, "{status:x}");
        }
    }
}

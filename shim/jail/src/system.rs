//! The two system calls that no library wraps safely. The only `unsafe` of this crate.
#![expect(unsafe_code, reason = "each call says why it is sound")]

use std::io;

use rustix::thread::UnshareFlags;

/// Gives the calling process namespaces of its own (unshare(2)).
///
/// # Errors
/// When the system has none to give, or has several threads run here.
pub(crate) fn unshare(namespaces: UnshareFlags) -> io::Result<()> {
    // SAFETY: What makes `unshare` unsafe is a file table that one thread no longer shares with the others. The namespaces
    // asked for here do not touch it, and user namespaces are refused to a process with several threads.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }?;
    Ok(())
}

/// Has every file descriptor from `first` on closed by the next exec (close_range(2)).
///
/// # Errors
/// On kernels before 5.11.
pub(crate) fn close_on_exec(first: u32) -> io::Result<()> {
    // SAFETY: Three numbers go to the kernel, no memory. Nothing is closed now, so whoever owns a descriptor still does.
    let failed = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes the system call of this number, which takes no arguments, to see what a filter says to it.
#[cfg(test)]
pub(crate) fn number(number: u32) -> io::Result<i64> {
    // SAFETY: no memory is handed over, and the tests that call this name calls without effect.
    let told = unsafe { libc::syscall(i64::from(number) as libc::c_long) };
    if told < 0 { Err(io::Error::last_os_error()) } else { Ok(told) }
}

//! The few functions and numbers of libc that are needed, as they are on Linux.

use core::ffi::{c_char, c_int, c_long, c_void};

/// A list of texts that ends in a null pointer.
pub(crate) type List = *const *const c_char;

pub(crate) const EPERM: c_int = 1;
pub(crate) const EINTR: c_int = 4;
pub(crate) const AT_FDCWD: c_int = -100;
pub(crate) const AF_UNIX: u16 = 1;
pub(crate) const AF_INET: u16 = 2;
pub(crate) const AF_INET6: u16 = 10;
pub(crate) const SOCK_STREAM_CLOEXEC: c_int = 1 | 0o2_000_000;
pub(crate) const MSG_NOSIGNAL: c_int = 0x4000;
pub(crate) const SOL_SOCKET: c_int = 1;
pub(crate) const SO_RCVTIMEO: c_int = 20;
pub(crate) const RTLD_NEXT: *mut c_void = -1_isize as *mut c_void;

/// sockaddr_un(7).
#[repr(C)]
pub(crate) struct UnixAddress {
    pub(crate) family: u16,
    pub(crate) path: [u8; 108],
}

/// timeval(3type).
#[repr(C)]
pub(crate) struct Time {
    pub(crate) seconds: c_long,
    pub(crate) micros: c_long,
}

unsafe extern "C" {
    pub(crate) fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    pub(crate) fn strlen(text: *const c_char) -> usize;
    pub(crate) fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
    pub(crate) fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, length: u32) -> c_int;
    pub(crate) fn send(fd: c_int, data: *const c_void, length: usize, flags: c_int) -> isize;
    pub(crate) fn recv(fd: c_int, data: *mut c_void, length: usize, flags: c_int) -> isize;
    pub(crate) fn close(fd: c_int) -> c_int;
    pub(crate) fn faccessat(dirfd: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int;
    #[link_name = "__errno_location"]
    fn errno_location() -> *mut c_int;
    pub(crate) static mut environ: List;
}

pub(crate) fn errno() -> c_int {
    // SAFETY: libc gives a valid pointer to this thread's errno (errno(3)).
    unsafe { *errno_location() }
}

pub(crate) fn set_errno(error: c_int) {
    // SAFETY: as above.
    unsafe { *errno_location() = error }
}

/// The bytes of a text, without its NUL; empty for a null pointer.
pub(crate) fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: callers of libc's functions pass texts that end in a NUL and outlive the call.
    unsafe { core::slice::from_raw_parts(text.cast(), strlen(text)) }
}

/// The texts of a list; none for a null pointer.
pub(crate) fn texts(list: List) -> impl Iterator<Item = *const c_char> {
    let mut place = list;
    core::iter::from_fn(move || {
        if place.is_null() {
            return None;
        }
        // SAFETY: the list ends in a null pointer, and behind that nothing is read.
        let text = unsafe { *place };
        if text.is_null() {
            return None;
        }
        // SAFETY: what was read was not the end.
        place = unsafe { place.add(1) };
        Some(text)
    })
}

/// The environment of the process.
pub(crate) fn environment() -> List {
    // SAFETY: a word that is read whole; whoever changes it meanwhile races with every other user of it too (environ(7)).
    unsafe { (&raw const environ).read() }
}

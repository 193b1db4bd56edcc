//! The functions that open, delete, rename and cut files.

use core::ffi::{c_char, c_int, c_void};

use rampart_frame::Kind;

use crate::{
    ask::{Decimal, may, refused},
    real, settings,
    sys::{AT_FDCWD, bytes, faccessat},
};

const O_ACCMODE: c_int = 3;
const O_CREAT: c_int = 0o100;
const O_TRUNC: c_int = 0o1000;
const O_DIRECTORY: c_int = if cfg!(target_arch = "aarch64") { 0o40_000 } else { 0o200_000 };
const O_PATH: c_int = 0o10_000_000;

/// What every program reads to start, and holds nobody's secrets.
const PUBLIC: [&[u8]; 7] =
    [b"/lib", b"/usr/lib", b"/usr/share", b"/usr/local/lib", b"/etc/ld.so", b"/dev/null", b"/dev/tty"];

fn is_public(path: &[u8]) -> bool {
    PUBLIC.iter().any(|start| path.starts_with(start)) && !path.windows(2).any(|two| two == b"..")
}

fn may_open(dirfd: c_int, path: *const c_char, writes: bool) -> bool {
    if !settings::with_files() || path.is_null() || (!writes && is_public(bytes(path))) {
        return true;
    }
    let kind = if writes { Kind::Write } else { Kind::Read };
    // SAFETY: a text that ends in a NUL (faccessat(2)).
    if !writes && unsafe { faccessat(dirfd, path, 0, 0) } != 0 {
        // There is nothing to ask about, and the error is the one that opening would give.
        return false;
    }
    one(kind, dirfd, path)
}

fn one(kind: Kind, dirfd: c_int, path: *const c_char) -> bool {
    if !settings::with_files() || may(kind, &[Decimal::of(dirfd).text(), path], core::ptr::null()) {
        return true;
    }
    refused();
    false
}

/// `open` and those like it, once C has found the mode.
#[unsafe(no_mangle)]
unsafe extern "C" fn rampart_open(dirfd: c_int, path: *const c_char, flags: c_int, mode: u32, which: c_int) -> c_int {
    let writes = flags & O_ACCMODE != 0 || flags & (O_CREAT | O_TRUNC) != 0;
    let looks = !writes && flags & (O_DIRECTORY | O_PATH) != 0;
    if !looks && !may_open(dirfd, path, writes) {
        return -1;
    }
    let absent = || refused();
    // SAFETY: the caller's own arguments, to the function that the caller called.
    unsafe {
        match which {
            0 => real::open().map_or_else(absent, |real| real(path, flags, mode)),
            1 => real::open64().map_or_else(absent, |real| real(path, flags, mode)),
            2 => real::openat().map_or_else(absent, |real| real(dirfd, path, flags, mode)),
            _ => real::openat64().map_or_else(absent, |real| real(dirfd, path, flags, mode)),
        }
    }
}

macro_rules! guarded {
    ($($name:ident($($argument:ident: $type:ty),*) if $may:expr;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
            if !$may {
                return -1;
            }
            let Some(real) = real::$name() else { return refused() };
            // SAFETY: the caller's own arguments.
            unsafe { real($($argument),*) }
        }
    )*};
}

guarded! {
    creat(path: *const c_char, mode: u32) if may_open(AT_FDCWD, path, true);
    creat64(path: *const c_char, mode: u32) if may_open(AT_FDCWD, path, true);
    unlink(path: *const c_char) if one(Kind::Delete, AT_FDCWD, path);
    unlinkat(dirfd: c_int, path: *const c_char, flags: c_int) if one(Kind::Delete, dirfd, path);
    rmdir(path: *const c_char) if one(Kind::Delete, AT_FDCWD, path);
    remove(path: *const c_char) if one(Kind::Delete, AT_FDCWD, path);
    rename(from: *const c_char, to: *const c_char) if two(AT_FDCWD, from, AT_FDCWD, to);
    renameat(fromfd: c_int, from: *const c_char, tofd: c_int, to: *const c_char) if two(fromfd, from, tofd, to);
    renameat2(fromfd: c_int, from: *const c_char, tofd: c_int, to: *const c_char, flags: u32) if two(fromfd, from, tofd, to);
    truncate(path: *const c_char, length: i64) if may_open(AT_FDCWD, path, true);
    truncate64(path: *const c_char, length: i64) if may_open(AT_FDCWD, path, true);
}

fn two(fromfd: c_int, from: *const c_char, tofd: c_int, to: *const c_char) -> bool {
    let (fromfd, tofd) = (Decimal::of(fromfd), Decimal::of(tofd));
    let words = [fromfd.text(), from, tofd.text(), to];
    if !settings::with_files() || may(Kind::Rename, &words, core::ptr::null()) {
        return true;
    }
    refused();
    false
}

fn may_stream(path: *const c_char, mode: *const c_char) -> bool {
    let mode = bytes(mode);
    may_open(AT_FDCWD, path, mode.first() != Some(&b'r') || mode.contains(&b'+'))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fopen(path: *const c_char, mode: *const c_char) -> *mut c_void {
    let real = real::fopen().filter(|_| may_stream(path, mode));
    // SAFETY: the caller's own arguments.
    real.map_or(core::ptr::null_mut(), |real| unsafe { real(path, mode) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fopen64(path: *const c_char, mode: *const c_char) -> *mut c_void {
    let real = real::fopen64().filter(|_| may_stream(path, mode));
    // SAFETY: the caller's own arguments.
    real.map_or(core::ptr::null_mut(), |real| unsafe { real(path, mode) })
}

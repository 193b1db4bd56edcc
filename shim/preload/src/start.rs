//! The functions that start a program.

use core::ffi::{c_char, c_int, c_void};

use rampart_frame::Kind;

use crate::{
    ask::{Decimal, may, refused},
    environment::{Room, is_whole},
    real, settings,
    sys::{self, AT_FDCWD, EPERM, List, bytes, environ, environment, faccessat},
};

/// wordexp(3): no command may be run; and the error when one was wanted.
const WRDE_NOCMD: c_int = 4;
const WRDE_CMDSUB: c_int = 4;
const X_OK: c_int = 1;
const AT_EMPTY_PATH: c_int = 0x1000;

/// Whether a program may be started. One that is not there is an error like libc's, and nobody is asked.
fn may_start(dirfd: c_int, path: *const c_char, argv: List, flags: c_int) -> bool {
    if !settings::is_on() {
        return true;
    }
    let by_descriptor = flags & AT_EMPTY_PATH != 0 && bytes(path).is_empty();
    // SAFETY: a text that ends in a NUL (faccessat(2)).
    if !by_descriptor && unsafe { faccessat(dirfd, path, X_OK, 0) } != 0 {
        return false;
    }
    if may(Kind::Exec, &[Decimal::of(dirfd).text(), path], argv) {
        return true;
    }
    refused();
    false
}

fn may_start_named(file: *const c_char, argv: List) -> bool {
    if bytes(file).contains(&b'/') {
        return may_start(AT_FDCWD, file, argv, 0);
    }
    if may(Kind::Exec, &[c"".as_ptr(), file], argv) {
        return true;
    }
    refused();
    false
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execve(path: *const c_char, argv: List, envp: List) -> c_int {
    if !may_start(AT_FDCWD, path, argv, 0) {
        return -1;
    }
    let mut room = Room::new();
    let (Some(real), Some(envp)) = (real::execve(), room.fill(envp)) else { return refused() };
    // SAFETY: the caller's own arguments, and an environment that ends in a null pointer and lives through the call.
    unsafe { real(path, argv, envp) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execv(path: *const c_char, argv: List) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { execve(path, argv, environment()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execvpe(file: *const c_char, argv: List, envp: List) -> c_int {
    if !may_start_named(file, argv) {
        return -1;
    }
    let mut room = Room::new();
    let (Some(real), Some(envp)) = (real::execvpe(), room.fill(envp)) else { return refused() };
    // SAFETY: as in `execve`.
    unsafe { real(file, argv, envp) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execvp(file: *const c_char, argv: List) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { execvpe(file, argv, environment()) }
}

/// `execl`, `execlp` and `execle`, once C has made a list of their arguments.
#[unsafe(no_mangle)]
unsafe extern "C" fn rampart_exec(path: *const c_char, argv: List, envp: List, search: c_int) -> c_int {
    // SAFETY: the caller's own arguments, as a list that C ended in a null pointer.
    unsafe { if search == 0 { execve(path, argv, envp) } else { execvpe(path, argv, envp) } }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execveat(dirfd: c_int, path: *const c_char, argv: List, envp: List, flags: c_int) -> c_int {
    if !may_start(dirfd, path, argv, flags) {
        return -1;
    }
    let mut room = Room::new();
    let (Some(real), Some(envp)) = (real::execveat(), room.fill(envp)) else { return refused() };
    // SAFETY: as in `execve`.
    unsafe { real(dirfd, path, argv, envp, flags) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fexecve(fd: c_int, argv: List, envp: List) -> c_int {
    if !may_start(fd, c"".as_ptr(), argv, AT_EMPTY_PATH) {
        return -1;
    }
    let mut room = Room::new();
    let (Some(real), Some(envp)) = (real::fexecve(), room.fill(envp)) else { return refused() };
    // SAFETY: as in `execve`.
    unsafe { real(fd, argv, envp) }
}

/// posix_spawn(3) gives its error back and leaves errno alone.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_spawn(
    pid: *mut c_int,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: List,
    envp: List,
) -> c_int {
    if !may_start(AT_FDCWD, path, argv, 0) {
        return sys::errno();
    }
    let mut room = Room::new();
    let (Some(real), Some(envp)) = (real::posix_spawn(), room.fill(envp)) else { return EPERM };
    // SAFETY: as in `execve`.
    unsafe { real(pid, path, actions, attributes, argv, envp) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_spawnp(
    pid: *mut c_int,
    file: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: List,
    envp: List,
) -> c_int {
    if !may_start_named(file, argv) {
        return sys::errno();
    }
    let mut room = Room::new();
    let (Some(real), Some(envp)) = (real::posix_spawnp(), room.fill(envp)) else { return EPERM };
    // SAFETY: as in `execve`.
    unsafe { real(pid, file, actions, attributes, argv, envp) }
}

/// Runs `work`, in which libc hands the process's own environment to a child, with the library in it.
fn with_environment<T>(failed: T, work: impl FnOnce() -> T) -> T {
    let given = environment();
    if !settings::is_on() || is_whole(given) {
        return work();
    }
    let mut room = Room::new();
    let Some(list) = room.fill(given) else {
        refused();
        return failed;
    };
    // SAFETY: the list lives until the old one is back. Who reads the environment in another thread sees one of the two.
    unsafe { (&raw mut environ).write(list) };
    let done = work();
    // SAFETY: as above.
    unsafe { (&raw mut environ).write(given) };
    done
}

#[unsafe(no_mangle)]
unsafe extern "C" fn system(command: *const c_char) -> c_int {
    if !command.is_null() && !may(Kind::Shell, &[command], core::ptr::null()) {
        return refused();
    }
    let Some(real) = real::system() else { return refused() };
    // SAFETY: the caller's own argument.
    with_environment(-1, || unsafe { real(command) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn popen(command: *const c_char, kind: *const c_char) -> *mut c_void {
    let failed = core::ptr::null_mut();
    let real = real::popen().filter(|_| may(Kind::Shell, &[command], core::ptr::null()));
    let Some(real) = real else {
        refused();
        return failed;
    };
    // SAFETY: the caller's own arguments.
    with_environment(failed, || unsafe { real(command, kind) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn wordexp(words: *const c_char, result: *mut c_void, flags: c_int) -> c_int {
    let runs = flags & WRDE_NOCMD == 0 && bytes(words).iter().any(|byte| *byte == b'`' || *byte == b'(');
    let real = real::wordexp().filter(|_| !runs || may(Kind::Words, &[words], core::ptr::null()));
    let Some(real) = real else {
        refused();
        return WRDE_CMDSUB;
    };
    // SAFETY: the caller's own arguments.
    with_environment(WRDE_CMDSUB, || unsafe { real(words, result, flags) })
}

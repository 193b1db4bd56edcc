//! libc's own functions behind ours. Each is looked up when it is first needed, which is before a process has children
//! that could be in the way: `init` of the settings comes before the program's own code.

use core::{
    ffi::{CStr, c_char, c_int, c_void},
    mem::transmute_copy,
    sync::atomic::{AtomicPtr, Ordering},
};

use crate::sys::{List, RTLD_NEXT, dlsym};

/// Finds the next definition of a function (dlsym(3), `RTLD_NEXT`).
fn find(place: &AtomicPtr<c_void>, name: &CStr) -> *mut c_void {
    let known = place.load(Ordering::Acquire);
    if !known.is_null() {
        return known;
    }
    // SAFETY: the name ends in a NUL.
    let found = unsafe { dlsym(RTLD_NEXT, name.as_ptr()) };
    place.store(found, Ordering::Release);
    found
}

macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) -> $result:ty;)*) => {
        $(
            pub(crate) fn $name() -> Option<unsafe extern "C" fn($($argument),*) -> $result> {
                static PLACE: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
                const NAME: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                    Ok(name) => name,
                    Err(_) => panic!("a name has no NUL inside"),
                };
                let found = find(&PLACE, NAME);
                // SAFETY: the type is the one that the function's manual page gives, and null is `None`.
                unsafe { transmute_copy::<*mut c_void, Option<unsafe extern "C" fn($($argument),*) -> $result>>(&found) }
            }
        )*

        /// Looks all of them up, while there is one thread and nothing to wait for.
        extern "C" fn init() {
            $($name();)*
        }
    };
}

#[used]
#[unsafe(link_section = ".init_array")]
static INIT: extern "C" fn() = init;

functions! {
    execve: fn(*const c_char, List, List) -> c_int;
    execvpe: fn(*const c_char, List, List) -> c_int;
    execveat: fn(c_int, *const c_char, List, List, c_int) -> c_int;
    fexecve: fn(c_int, List, List) -> c_int;
    posix_spawn: fn(*mut c_int, *const c_char, *const c_void, *const c_void, List, List) -> c_int;
    posix_spawnp: fn(*mut c_int, *const c_char, *const c_void, *const c_void, List, List) -> c_int;
    system: fn(*const c_char) -> c_int;
    popen: fn(*const c_char, *const c_char) -> *mut c_void;
    wordexp: fn(*const c_char, *mut c_void, c_int) -> c_int;
    open: fn(*const c_char, c_int, u32) -> c_int;
    open64: fn(*const c_char, c_int, u32) -> c_int;
    openat: fn(c_int, *const c_char, c_int, u32) -> c_int;
    openat64: fn(c_int, *const c_char, c_int, u32) -> c_int;
    creat: fn(*const c_char, u32) -> c_int;
    creat64: fn(*const c_char, u32) -> c_int;
    fopen: fn(*const c_char, *const c_char) -> *mut c_void;
    fopen64: fn(*const c_char, *const c_char) -> *mut c_void;
    unlink: fn(*const c_char) -> c_int;
    unlinkat: fn(c_int, *const c_char, c_int) -> c_int;
    rmdir: fn(*const c_char) -> c_int;
    remove: fn(*const c_char) -> c_int;
    rename: fn(*const c_char, *const c_char) -> c_int;
    renameat: fn(c_int, *const c_char, c_int, *const c_char) -> c_int;
    renameat2: fn(c_int, *const c_char, c_int, *const c_char, u32) -> c_int;
    truncate: fn(*const c_char, i64) -> c_int;
    truncate64: fn(*const c_char, i64) -> c_int;
    connect: fn(c_int, *const c_void, u32) -> c_int;
}

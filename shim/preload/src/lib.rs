//! A library that stands before libc in a process (ld.so(8), `LD_PRELOAD`): every function that starts a program asks first,
//! and on request those that open, delete, rename and cut files, and those that connect.
//!
//! It runs in signal handlers, between fork and exec, and before the program's own code: it allocates nothing, takes no
//! lock, formats nothing and keeps nothing for a thread. A refusal is `EPERM`. What does not go through libc's functions
//! (static programs, Go, system calls made by hand) does not come by here.
#![no_std]
#![allow(clippy::missing_safety_doc, reason = "the functions are libc's, and their contracts are in its manual pages")]

mod ask;
mod environment;
mod files;
mod net;
mod real;
mod settings;
mod start;
mod sys;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

//! The small program behind hooks and `$SHELL`: `rampart-shim hook AGENT`, `rampart-shim --shell NAME ARGS...`, or a link
//! to it that has a shell's name.
//!
//! Not here: everything it does is the library's.

#[cfg(all(panic = "abort", target_os = "linux"))]
mod unwinding;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let argv0 = words.next().unwrap_or_default();
    ExitCode::from(rampart_shim::program::run(argv0, words.collect()))
}

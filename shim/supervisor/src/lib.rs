//! The exec check of `rampart run`: a program whose processes start nothing that a [`Gate`] has not let go on.
//!
//! A seccomp filter holds every `execve` and `execveat` of the program and of all that comes from it, and tells the supervisor
//! (seccomp_unotify(2)). That reads what would start, opens the file as the kernel would, and asks. A refusal is `EPERM`. What
//! may go on is not simply let go: another thread, or whoever shares the memory, could change path and arguments in between. So
//! the process is traced first (PTRACE_SEIZE), stops at the end of its exec, where it has one thread and memory of its own, and
//! what the kernel started is compared with what was judged. It is killed where they differ, else it goes on untraced.
//!
//! Where files and connections are watched, calls that name them are held as well. Those are not let go on, since nothing tells
//! afterwards what the kernel has opened: what was judged is done in the process's place, by a thread that may do no more than the
//! process, and the process gets the descriptor.
//!
//! Not here: what a process does with code that it loads itself (`mmap` with PROT_EXEC, a loader of its own making, writing into
//! another process). No program starts by that, so there is nothing to hold.

mod names;

#[cfg(target_os = "linux")]
mod attempt;
#[cfg(target_os = "linux")]
mod connection;
#[cfg(target_os = "linux")]
mod deed;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod hands;
#[cfg(target_os = "linux")]
mod listener;
#[cfg(target_os = "linux")]
mod loader;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod place;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod refused;
#[cfg(target_os = "linux")]
mod script;
#[cfg(target_os = "linux")]
mod start;
#[cfg(target_os = "linux")]
mod supervise;
#[cfg(target_os = "linux")]
mod tell;
#[cfg(target_os = "linux")]
mod trace;
#[cfg(target_os = "linux")]
mod twins;

#[cfg(not(target_os = "linux"))]
mod elsewhere;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Confined, Held, can_act_for_others, run, run_held, supported};
pub use names::is_named_otherwise;
#[cfg(target_os = "linux")]
pub use {
    hands::Confined,
    start::{Held, can_act_for_others, supported},
    supervise::{run, run_held},
};

use std::path::PathBuf;

use rampart_call::{Gate, Origin};

/// What is held beside the starts of programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watched {
    /// Files that are opened, cut, removed, renamed and linked.
    pub files: bool,
    /// Connections to addresses.
    pub connections: bool,
}

/// How the processes of a program are looked after.
pub struct Supervision<'a> {
    /// Who decides.
    pub gate: &'a dyn Gate,
    /// Where the calls come from; `pid` is filled in.
    pub origin: Origin,
    /// What is held beside programs.
    pub watched: Watched,
    /// Files and folders that everybody below may read, where they really are, and nobody is asked about.
    pub given: Vec<PathBuf>,
    /// A program that asks by itself before it starts anything, and is not asked about.
    pub asks_itself: Option<PathBuf>,
    /// How many programs the started process becomes that a person asked for, one after the other: itself, and what it is the way
    /// to.
    pub unasked: usize,
    /// Whether what the kernel started is compared with what was judged. Only tests do without, to show what it is for.
    pub verified: bool,
}

impl<'a> Supervision<'a> {
    /// What starts is judged by `gate`, and verified.
    pub fn new(gate: &'a dyn Gate, origin: Origin) -> Self {
        Self {
            gate,
            origin,
            watched: Watched::default(),
            given: Vec::new(),
            asks_itself: None,
            unasked: 1,
            verified: true,
        }
    }
}

//! Exit codes. They are part of the interface: scripts rely on them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done; the answer is yes.
    Yes,
    /// 1: done; the answer is no (denied, verification failed, findings).
    No,
    /// 2: not done: wrong usage, bad input or surroundings that do not allow it.
    Error,
    /// 3: done; a human would be asked.
    Ask,
    /// The exit code of a child process.
    Child(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Yes => 0,
            Exit::No => 1,
            Exit::Error => 2,
            Exit::Ask => 3,
            Exit::Child(code) => code,
        })
    }
}

//! What was refused a moment ago. A shell that may not start a program looks for it in the next folder of `PATH`, where the
//! same file often stands again (`/bin` beside `/usr/bin`): a person who has said no is not asked twice.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{place::Thread, program::Program};

/// How long after a refusal the same attempt of the same thread is part of it.
const MOMENT: Duration = Duration::from_secs(2);
/// How many refusals are remembered.
const KEPT: usize = 32;

/// The last refusals.
#[derive(Default)]
pub(crate) struct LastRefused(VecDeque<Refused>);

struct Refused {
    thread: i32,
    /// Held open, so that its identity means the same file.
    program: Program,
    cwd: Option<String>,
    at: Instant,
}

impl LastRefused {
    /// Whether this thread wants the same once more: the same file with the same arguments in the same folder.
    pub(crate) fn knows(&mut self, thread: Thread, program: &Program, cwd: Option<&str>) -> bool {
        self.0.retain(|refused| refused.at.elapsed() < MOMENT);
        let same = |r: &Refused| r.thread == thread.0 && r.cwd.as_deref() == cwd && r.program.is_again(program);
        self.0.iter().any(same)
    }

    pub(crate) fn add(&mut self, thread: i32, program: Program, cwd: Option<String>) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Refused { thread, program, cwd, at: Instant::now() });
    }
}

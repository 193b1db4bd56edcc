//! Records of calls that are answered at the same time, so that one of them can write them all.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{Unavailable, record::Draft, writer::Answer};

/// Where records come closer together than this, another is likely about to come.
const CLOSE: Duration = Duration::from_micros(25);

/// Records that nobody has taken to write yet, and who waits for each.
#[derive(Debug)]
pub(super) struct Gathered {
    waiting: Mutex<Batch>,
    began: Instant,
    /// Microseconds after `began` when a record came last.
    last: AtomicU64,
}

/// Records to be written together, and as many who wait.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) drafts: Vec<Draft>,
    pub(super) answers: Vec<Answer>,
}

impl Gathered {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::default(), began: Instant::now(), last: AtomicU64::new(0) }
    }

    /// Adds a record. Also says whether others are likely to come, so that waiting a moment saves the way to the file.
    pub(super) fn add(&self, draft: Draft) -> (oneshot::Receiver<Result<u64, Unavailable>>, bool) {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.drafts.push(draft);
        waiting.answers.push(answer);
        drop(waiting);
        let now = self.began.elapsed().as_micros() as u64;
        let before = self.last.swap(now, Ordering::Relaxed);
        (answered, now.saturating_sub(before) < CLOSE.as_micros() as u64)
    }

    /// Whether somebody waits for a record to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).drafts.is_empty()
    }

    /// All that nobody has taken yet.
    pub(super) fn take(&self) -> Batch {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Batch {
    pub(super) fn extend(&mut self, more: Self) {
        self.drafts.extend(more.drafts);
        self.answers.extend(more.answers);
    }

    /// Tells everybody how it went: the `seq` of the first record, which the others follow in order.
    pub(super) fn answer(self, result: &Result<u64, Unavailable>) {
        for (nth, answer) in (0..).zip(self.answers) {
            // a caller that went away does not need its answer
            let _ = answer.send(result.clone().map(|first| first + nth));
        }
    }
}

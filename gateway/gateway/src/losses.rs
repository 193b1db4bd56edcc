//! What a collector of traces, metrics and the log did not get.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counted by whoever sends, shown by the gateway.
#[derive(Debug, Default)]
pub struct Losses {
    /// Spans that found no room in the queue.
    pub spans: AtomicU64,
    /// Lines of the log that found none.
    pub lines: AtomicU64,
    /// Requests, each with many spans, numbers or lines, that the collector did not take.
    pub requests: AtomicU64,
}

impl Losses {
    /// Spans, lines and requests until now.
    pub fn counted(&self) -> [u64; 3] {
        [&self.spans, &self.lines, &self.requests].map(|count| count.load(Relaxed))
    }
}

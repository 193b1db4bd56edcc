//! What the trail is told, what it tells, and how it fails.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::time::{ClockId, clock_gettime};

use super::{checkpoint::Checkpoint, segment::Disk};

/// How the trail is kept.
#[derive(Clone)]
pub struct Settings {
    /// What must be on disk before it is answered.
    pub durability: Durability,
    /// Length in bytes after which a new segment begins.
    pub segment_bytes: u64,
    /// Milliseconds after which a new segment begins with the next record.
    pub segment_ms: Option<u64>,
    /// Wall clock (milliseconds since 1970 UTC) and time since boot (milliseconds, sleep included).
    pub clock: fn() -> (u64, u64),
    /// Name and version of the program, for `open` records.
    pub program: String,
    pub(super) disk: Disk,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::Grouped,
            segment_bytes: 64 << 20,
            segment_ms: None,
            clock: system_clock,
            program: concat!("rampart ", env!("CARGO_PKG_VERSION")).into(),
            disk: Disk::default(),
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("durability", &self.durability)
            .field("segment_bytes", &self.segment_bytes)
            .field("segment_ms", &self.segment_ms)
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

impl Settings {
    pub(super) fn is_strict(&self) -> bool {
        self.durability == Durability::Strict
    }
}

/// What must be on disk before it is answered (`audit.durability`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// All but plain allowances, which go to the disk within 5 ms.
    #[default]
    Grouped,
    /// Everything.
    Strict,
}

/// Wall clock and time since boot, in milliseconds.
pub fn system_clock() -> (u64, u64) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const BOOT: ClockId = ClockId::Boottime;
    // on macOS the monotonic clock counts sleep
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const BOOT: ClockId = ClockId::Monotonic;
    let boot = clock_gettime(BOOT);
    let seconds = u64::try_from(boot.tv_sec).unwrap_or_default();
    let boot_ms = seconds * 1000 + u64::try_from(boot.tv_nsec).unwrap_or_default() / 1_000_000;
    (crate::clock::wall_ms(), boot_ms)
}

/// A record that was just written.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its number.
    pub seq: u64,
    /// The line, without a newline.
    pub line: Arc<str>,
}

/// How the trail is doing.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// Number of records, which is the `seq` of the last.
    pub records: u64,
    /// Hash of the last record.
    pub head: [u8; 32],
    /// Name of the file that is being written; empty when none can be.
    pub segment: String,
    /// Why nothing can be recorded at present; none when all is well.
    pub error: Option<String>,
    /// Decisions refused since the last `gap` record.
    pub refused: u64,
    /// The newest checkpoint of this run.
    pub checkpoint: Option<Checkpoint>,
    /// Milliseconds since the newest checkpoint, or since the trail was opened.
    pub checkpoint_age_ms: u64,
}

/// An entry is not on record.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the audit trail cannot be written: {why}; it resumes by itself when that is mended")]
pub struct Unavailable {
    why: Arc<str>,
}

impl Unavailable {
    pub(crate) fn new(why: &str) -> Self {
        Self { why: why.into() }
    }
}

/// The trail cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Others can reach it, or it is not what it should be.
    #[error("the audit trail is not safe: {} {what}; {remedy}", path.display())]
    Untrusted {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// It is in a format of which this version knows nothing, so going on would break it.
    #[error(
        "{} is in the format `{schema}` and not in `{}`: another version of Rampart wrote it; run that one, or move the folder away \
         to begin a new trail",
        path.display(),
        super::record::SCHEMA
    )]
    Version {
        /// The segment.
        path: PathBuf,
        /// What it says of itself.
        schema: String,
    },
    /// The system refused something.
    #[error("{} cannot be {verb}: {source}", path.display())]
    Io {
        /// What was to be done.
        verb: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn untrusted(path: &Path, what: &str, remedy: &str) -> Self {
        Self::Untrusted { path: path.to_owned(), what: what.to_owned(), remedy: remedy.to_owned() }
    }

    pub(super) fn io(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { verb, path: path.to_owned(), source }
    }
}

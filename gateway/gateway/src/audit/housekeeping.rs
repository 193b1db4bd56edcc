//! The records that the trail writes about itself.

use serde::{Deserialize, Serialize};

use super::keys::Introduction;

/// `open`: a segment begins. Holds what is needed to go on without reading the segments before it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Opening {
    /// `start`, `rotate` or `failure`.
    pub(super) reason: String,
    /// Hash of the record before, in hex; zeros at the very beginning.
    pub(super) prev: String,
    /// The tree before this record, in hex: roots of its complete subtrees, largest first.
    pub(super) peaks: Vec<String>,
    #[serde(flatten)]
    pub(super) introduction: Introduction,
    /// Name and version of the program.
    pub(super) program: String,
    /// Its process id.
    pub(super) pid: u32,
}

/// `recover`: bytes that are no records stand at the end of a segment, and stay there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Recovered {
    pub(super) segment: String,
    /// Where in the segment they start.
    pub(super) offset: u64,
    /// How many there are.
    pub(super) length: u64,
    /// Their SHA-256, in hex.
    pub(super) sha256: String,
    /// How they got there, for people.
    pub(super) cause: String,
}

/// `lost`: from `offset` on a segment cannot be relied upon, though records `first` to `last` in it were answered for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Lost {
    pub(super) segment: String,
    /// Where in the segment doubt begins.
    pub(super) offset: u64,
    /// The first record that may be missing.
    pub(super) first: u64,
    /// The last; less than `first` when no record that anybody relied on is concerned.
    pub(super) last: u64,
    /// `disk` when the disk did not confirm what was written, `tampered` when somebody changed the file.
    pub(super) reason: LossReason,
    /// What happened, for people.
    pub(super) cause: String,
}

/// Why records may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LossReason {
    /// The disk did not confirm what was written.
    Disk,
    /// Somebody changed, cut or removed the file.
    Tampered,
}

impl Lost {
    /// Whether nobody need be suspected.
    pub(super) fn is_innocent(&self) -> bool {
        self.reason == LossReason::Disk
    }
}

/// `gap`: decisions that could not be recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Gap {
    /// `disk_full` or `unwritable`.
    pub(super) reason: String,
    /// How many were refused because of it.
    pub(super) refused: u64,
    /// How many went on unrecorded, because the configuration says so.
    pub(super) passed: u64,
    /// What failed, for people.
    pub(super) cause: String,
}

/// `close`: the gateway ended in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Closing {
    pub(super) reason: String,
}

/// `retire`: old segments were deleted by the retention setting.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Retirement {
    /// Names of the files.
    pub(super) segments: Vec<String>,
    /// The last record in them.
    pub(super) last: u64,
    /// Its hash, in hex.
    pub(super) head: String,
}

//! The growing trail as numbers: how many records there are, the head of the chain, the tree over all of them. Pure.
//! Writing a record to disk is somebody else's business; a failed write goes back to the ledger from before it.

use super::{
    chain::{self, GENESIS, Hash},
    merkle::Tree,
    record::{Draft, SCHEMA},
};

/// When something happened, by two clocks. The order of records is their `seq`, never these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Wall clock, milliseconds since 1970 UTC.
    pub(super) wall_ms: u64,
    /// Time since boot in milliseconds, sleep included. It cannot be set back.
    pub(super) boot_ms: u64,
}

impl From<(u64, u64)> for Stamp {
    fn from((wall_ms, boot_ms): (u64, u64)) -> Self {
        Self { wall_ms, boot_ms }
    }
}

impl Stamp {
    /// RFC 3339 in UTC with milliseconds.
    pub(super) fn rfc3339(self) -> String {
        let at = i64::try_from(self.wall_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        format!("{:.3}", at.unwrap_or(jiff::Timestamp::MAX))
    }
}

/// Where the trail stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ledger {
    head: Hash,
    tree: Tree,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { head: GENESIS, tree: Tree::default() }
    }
}

impl Ledger {
    /// The state that an `open` record says it continues from. None when it contradicts itself.
    pub(super) fn resume(size: u64, head: Hash, peaks: Vec<Hash>) -> Option<Self> {
        Some(Self { head, tree: Tree::from_peaks(size, peaks)? })
    }

    /// Number of records, which is the `seq` of the last one.
    pub(super) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Hash of the last record.
    pub(super) fn head(&self) -> &Hash {
        &self.head
    }

    /// The tree over the hashes of all records.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Counts a record that is already sealed.
    pub(super) fn count(&mut self, hash: Hash) {
        self.head = hash;
        self.tree.push(&hash);
    }

    /// The same, when its [leaf](super::merkle::leaf) is known.
    pub(super) fn count_leaf(&mut self, hash: Hash, leaf: Hash) {
        self.head = hash;
        self.tree.push_leaf(leaf);
    }

    /// Seals a record and appends its line to `out`. Returns its `seq`. `at` is `stamp` as text, which a batch shares.
    pub(super) fn record(&mut self, out: &mut Vec<u8>, stamp: Stamp, at: &str, draft: &Draft) -> u64 {
        use std::io::Write as _;
        let start = out.len();
        let seq = self.size() + 1;
        let members = draft.body.strip_prefix('{').and_then(|b| b.strip_suffix('}')).unwrap_or_default();
        let comma = if members.is_empty() { "" } else { "," };
        // writing to a vector cannot fail
        let _ = write!(
            out,
            r#"{{"v":"{SCHEMA}","seq":{seq},"type":"{}","at":"{at}","boot_ms":{}{comma}{members}"#,
            draft.kind.as_str(),
            stamp.boot_ms,
        );
        let hash = chain::seal(out, start, &self.head);
        self.count(hash);
        seq
    }
}

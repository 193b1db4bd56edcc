//! What a text tells that speaks to a machine: words of several kinds are looked for around the address, each kind has
//! points, and enough of them make an order that no honest text gives.

use crate::detector::{Case, Pattern};
use crate::entry::Tell;

/// How much of a paragraph is read before an address and behind it, in bytes.
const BEFORE: usize = 160;
const BEHIND: usize = 420;
/// A blank line so soon behind the address parts it from what it says.
const SOON: usize = 24;

/// Kinds of words with their points.
#[derive(Debug)]
pub(crate) struct Tells {
    /// What is said, anywhere.
    said: Vec<(i32, Pattern)>,
    /// What is to be done: not in a clause that forbids it.
    deeds: Vec<(i32, Pattern)>,
    forbids: Pattern,
    enough: i32,
}

impl Tells {
    pub(crate) fn new(tells: Vec<Tell>, forbids: &[String], enough: i32) -> Self {
        let (deeds, said): (Vec<Tell>, Vec<Tell>) = tells.into_iter().partition(|t| t.deed);
        let kinds = |tells: Vec<Tell>| {
            tells.into_iter().map(|t| (t.points, Pattern::new(t.any.join("|"), Case::Any))).collect()
        };
        Self { said: kinds(said), deeds: kinds(deeds), forbids: Pattern::new(forbids.join("|"), Case::Any), enough }
    }

    /// From the address to the end of what was weighed, where that is enough.
    pub(crate) fn weigh(&self, bytes: &[u8], address: (usize, usize)) -> Option<(usize, usize)> {
        let (start, end) = paragraph(bytes, address);
        let text = bytes.get(start..end)?;
        let said = points(&self.said, text);
        // Deeds alone are told of everywhere.
        (said > 0).then_some(())?;
        (said + points(&self.deeds, &self.allowed(text)) >= self.enough).then_some((address.0, end))
    }

    /// The text without the clauses that forbid something.
    fn allowed(&self, text: &[u8]) -> Vec<u8> {
        let mut allowed = text.to_vec();
        let mut from = 0;
        while let Some(found) = self.forbids.within(text, from, text.len()) {
            from = found.all.1.max(from + 1);
            if let Some(clause) = allowed.get_mut(found.all.0..found.all.1) {
                clause.fill(b'.');
            }
        }
        allowed
    }

    #[cfg(test)]
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.said.iter().chain(&self.deeds).map(|(_, pattern)| pattern).chain([&self.forbids])
    }
}

/// The points of the kinds that stand in `text`, each counted once.
fn points(kinds: &[(i32, Pattern)], text: &[u8]) -> i32 {
    let stands = |pattern: &Pattern| pattern.regex().is_some_and(|r| r.is_match(text));
    kinds.iter().filter(|(_, pattern)| stands(pattern)).map(|(points, _)| points).sum()
}

/// The part of the paragraph around `address` that is weighed.
fn paragraph(bytes: &[u8], address: (usize, usize)) -> (usize, usize) {
    let from = address.0.saturating_sub(BEFORE);
    let before = bytes.get(from..address.0).unwrap_or_default();
    let start = memchr::memmem::rfind(before, b"\n\n").map_or(from, |at| from + at + 2);
    let to = bytes.len().min(address.1 + BEHIND);
    let soon = to.min(address.1 + SOON);
    let behind = bytes.get(soon..to).unwrap_or_default();
    (start, memchr::memmem::find(behind, b"\n\n").map_or(to, |at| soon + at))
}

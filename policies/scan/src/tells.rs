//! What a text tells that speaks to a machine: words of several kinds are looked for around the address, each kind has
//! points, and enough of them make an order that no honest text gives.

use std::sync::OnceLock;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternSet};

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
    said: Kinds,
    /// What is to be done: not in a clause that forbids it.
    deeds: Kinds,
    forbids: Pattern,
    enough: i32,
}

/// Expressions that are looked for together, and the points of each.
#[derive(Debug)]
struct Kinds {
    sources: Vec<String>,
    points: Vec<i32>,
    compiled: OnceLock<Option<Regex>>,
}

impl Tells {
    pub(crate) fn new(tells: Vec<Tell>, forbids: &[String], enough: i32) -> Self {
        let (deeds, said) = tells.into_iter().partition(|t| t.deed);
        Self {
            said: Kinds::new(said),
            deeds: Kinds::new(deeds),
            forbids: Pattern::new(forbids.join("|"), Case::Any),
            enough,
        }
    }

    /// From the address to the end of what was weighed, where that is enough.
    pub(crate) fn weigh(&self, bytes: &[u8], address: (usize, usize)) -> Option<(usize, usize)> {
        let (start, end) = paragraph(bytes, address);
        let text = bytes.get(start..end)?;
        let said = self.said.points(text);
        if std::env::var("TELLS").is_ok() {
            eprintln!("{:?}\n   said {:?} deeds {:?}", String::from_utf8_lossy(text), self.said.names(text), self.deeds.names(&self.allowed(text)));
        }
        let points = said + self.deeds.points(&self.allowed(text));
        (points >= self.enough).then_some((address.0, end))
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
    pub(crate) fn compile(&self) -> bool {
        self.said.regex().is_some() && self.deeds.regex().is_some() && self.forbids.regex().is_some()
    }
}

impl Kinds {
    fn new(tells: Vec<Tell>) -> Self {
        let points = tells.iter().map(|t| t.points).collect();
        let sources = tells.iter().map(|t| t.any.join("|")).collect();
        Self { sources, points, compiled: OnceLock::new() }
    }

    fn regex(&self) -> Option<&Regex> {
        let build = || {
            let syntax = syntax::Config::new().unicode(false).utf8(false).case_insensitive(true);
            let config = Regex::config().match_kind(MatchKind::All).utf8_empty(false).hybrid_cache_capacity(4 << 20);
            Regex::builder().syntax(syntax).configure(config).build_many(&self.sources).inspect_err(|e| eprintln!("{e:?}")).ok()
        };
        self.compiled.get_or_init(build).as_ref()
    }

    fn names(&self, text: &[u8]) -> Vec<String> {
        let regex = self.regex().unwrap();
        let mut found = PatternSet::new(regex.pattern_len());
        regex.which_overlapping_matches(&Input::new(text), &mut found);
        found.iter().map(|k| {
            let r = Regex::builder().syntax(syntax::Config::new().unicode(false).utf8(false).case_insensitive(true)).build(&self.sources[k.as_usize()]).unwrap();
            let m = r.find(text).unwrap();
            format!("{}:{}", self.points[k.as_usize()], String::from_utf8_lossy(&text[m.range()]))
        }).collect()
    }

    /// The points of the kinds that stand in `text`, each counted once.
    fn points(&self, text: &[u8]) -> i32 {
        let Some(regex) = self.regex() else { return 0 };
        let mut found = PatternSet::new(regex.pattern_len());
        regex.which_overlapping_matches(&Input::new(text), &mut found);
        found.iter().filter_map(|kind| self.points.get(kind.as_usize())).sum()
    }
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

//! One pass that finds where a keyword of any detector may begin. Everything else is asked only there.
//!
//! Three bytes at a time are looked up in a set that fits the first cache: no state is carried from byte to byte, so
//! nothing waits for the state before it, as an automaton over as many keywords has to.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::detector::ALL;
use crate::{hidden, layers};

/// Who wants to know of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The detector of that number.
    Detector(usize),
    /// Characters that hide text.
    Hidden,
    /// An escape that may be undone.
    Escape(layers::Escape),
}

/// A keyword that stands in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    pub start: usize,
    pub end: usize,
}

struct Keyword {
    bytes: Vec<u8>,
    owners: Vec<Owner>,
}

struct Prefilter {
    /// Which hashes of three bytes begin a keyword.
    set: Box<[u64; 2048]>,
    /// Which of `lists` holds the keywords of a hash.
    index: Vec<u16>,
    lists: Vec<Vec<Candidate>>,
    keywords: Vec<Keyword>,
}

static PREFILTER: LazyLock<Prefilter> = LazyLock::new(|| {
    let mut owners: BTreeMap<Vec<u8>, Vec<Owner>> = BTreeMap::new();
    for (number, detector) in ALL.iter().enumerate() {
        for keyword in detector.keywords() {
            owners.entry(keyword.into_bytes()).or_default().push(Owner::Detector(number));
        }
    }
    for bytes in hidden::TRIGGERS {
        owners.entry(bytes.to_vec()).or_default().push(Owner::Hidden);
    }
    for (bytes, escape) in layers::TRIGGERS {
        owners.entry(bytes.to_vec()).or_default().push(Owner::Escape(*escape));
    }
    Prefilter::new(owners.into_iter().map(|(bytes, owners)| Keyword { bytes, owners }).collect())
});

/// How many places of a keyword its three bytes are chosen from.
const REACH: usize = 12;

/// A keyword, and its first eight bytes for a quick look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    head: u64,
    mask: u64,
    keyword: usize,
    /// Where in the keyword the three bytes stand that are looked up.
    offset: usize,
}

impl Prefilter {
    fn new(keywords: Vec<Keyword>) -> Self {
        let mut lists: BTreeMap<usize, Vec<Candidate>> = BTreeMap::new();
        for (number, keyword) in keywords.iter().enumerate() {
            // A keyword of two bytes begins with three bytes of which the last is any.
            let thirds = if keyword.bytes.len() < 3 { 0..=255 } else { 0..=0 };
            for third in thirds {
                let offset = rarest(&keyword.bytes);
                let window = keyword.bytes.iter().copied().chain([third]).skip(offset).take(3).fold(0, push);
                let list = lists.entry(hash(window)).or_default();
                let unused = 8 * (8 - keyword.bytes.len().min(8));
                let candidate =
                    Candidate { head: head(&keyword.bytes), mask: u64::MAX >> unused, keyword: number, offset };
                if !list.contains(&candidate) {
                    list.push(candidate);
                }
            }
        }
        let mut set = Box::new([0u64; 2048]);
        let mut index = vec![0u16; 1 << 17];
        for (number, hash) in lists.keys().enumerate() {
            if let Some(word) = set.get_mut(hash >> 6) {
                *word |= 1 << (hash & 63);
            }
            if let Some(entry) = index.get_mut(*hash) {
                *entry = number as u16;
            }
        }
        Self { set, index, lists: lists.into_values().collect(), keywords }
    }

    /// Calls `on_hit` for the keywords whose three bytes stand at `at`, where three bytes have this hash.
    #[inline(never)]
    fn keywords_at(&self, bytes: &[u8], at: usize, hash: usize, on_hit: &mut impl FnMut(Hit, &[Owner])) {
        let Some(list) = self.index.get(hash).and_then(|i| self.lists.get(usize::from(*i))) else {
            return;
        };
        for candidate in list {
            let Some(start) = at.checked_sub(candidate.offset) else { continue };
            let here = bytes.get(start..).unwrap_or_default();
            if (head(here) ^ candidate.head) & candidate.mask != 0 {
                continue;
            }
            let Some(keyword) = self.keywords.get(candidate.keyword) else { continue };
            let length = keyword.bytes.len();
            if here.get(..length).is_some_and(|b| b.eq_ignore_ascii_case(&keyword.bytes)) {
                on_hit(Hit { start, end: start + length }, &keyword.owners);
            }
        }
    }
}

/// Where in a keyword three bytes stand that are seldom met elsewhere.
fn rarest(keyword: &[u8]) -> usize {
    // From the most to the least frequent in text and code; what is not here is rarer still.
    const FREQUENT: &[u8] = b" etaoinsrlcdpumfhgbyvw-/.x0_1:k2\"'";
    let weight = |b: &u8| FREQUENT.len() - FREQUENT.iter().position(|f| f == b).unwrap_or(FREQUENT.len());
    let weights: Vec<usize> = keyword.windows(3).take(REACH).map(|w| w.iter().map(weight).sum()).collect();
    (0..weights.len()).min_by_key(|i| weights.get(*i)).unwrap_or(0)
}

/// The first eight bytes, letters in one case; zeros where there are fewer.
fn head(bytes: &[u8]) -> u64 {
    let mut head = [0; 8];
    match bytes.first_chunk::<8>() {
        Some(chunk) => head = *chunk,
        None => head.iter_mut().zip(bytes).for_each(|(h, b)| *h = *b),
    }
    u64::from_le_bytes(head) | 0x2020_2020_2020_2020
}

/// The last three bytes, letters in one case.
fn push(window: u32, byte: u8) -> u32 {
    (window << 8 | u32::from(byte | 0x20)) & 0x00ff_ffff
}

fn hash(window: u32) -> usize {
    (window.wrapping_mul(0x9e37_79b1) >> 15) as usize
}

/// Calls `on_hit` for every keyword of `bytes`, those inside others too, each once.
pub(crate) fn each_hit(bytes: &[u8], mut on_hit: impl FnMut(Hit, &[Owner])) {
    let filter = &*PREFILTER;
    let set = &*filter.set;
    let mut window = bytes.iter().take(2).copied().fold(0, push);
    for (start, byte) in bytes.iter().skip(2).enumerate() {
        window = push(window, *byte);
        let hash = hash(window);
        if set.get(hash >> 6).is_some_and(|word| word >> (hash & 63) & 1 == 1) {
            filter.keywords_at(bytes, start, hash, &mut on_hit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_found_in_any_case_and_inside_of_others() {
        let keyword = |text: &str| Keyword { bytes: text.into(), owners: vec![Owner::Hidden] };
        let filter = Prefilter::new(["secret", "secret_key", "ret", "q~", "\u{202e}"].map(keyword).into());
        let mut found = Vec::new();
        let text = "x SECRET_key aq~z \u{202e}";
        for start in 0..text.len() - 2 {
            let window = text.bytes().skip(start).take(3).fold(0, push);
            filter
                .keywords_at(text.as_bytes(), start, hash(window), &mut |hit, _| found.push(&text[hit.start..hit.end]));
        }
        found.sort_unstable();
        assert_eq!(found, ["RET", "SECRET", "SECRET_key", "q~", "\u{202e}"]);
    }

    #[test]
    fn no_keyword_is_too_short_to_be_looked_up() {
        for keyword in &PREFILTER.keywords {
            assert!(keyword.bytes.len() >= 2, "{:?}", String::from_utf8_lossy(&keyword.bytes));
        }
    }
}

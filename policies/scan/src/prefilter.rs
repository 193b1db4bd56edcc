//! One pass that finds where a keyword of any detector may begin. Everything else is asked only there.
//!
//! Four bytes at a time are looked up in a table that fits the first cache: no state is carried from byte to byte, so
//! nothing waits for the state before it, as an automaton over as many keywords has to.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::detector::ALL;

/// A keyword that stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    pub start: usize,
    pub end: usize,
}

struct Keyword {
    bytes: Vec<u8>,
    /// The numbers of the detectors that want to know of it.
    detectors: Vec<usize>,
}

struct Prefilter {
    /// By the hash of three bytes: a bit for each kind of fourth byte with which they stand in a keyword.
    table: Box<[u8; SIZE]>,
    /// Where the keywords of a hash begin in `candidates`; they end where those of the next begin.
    begins: Vec<u16>,
    candidates: Vec<Candidate>,
    keywords: Vec<Keyword>,
}

/// How many hashes there are, in bits and in all.
const BITS: u32 = 14;
const SIZE: usize = 1 << BITS;

static PREFILTER: LazyLock<Prefilter> = LazyLock::new(|| {
    let mut owners: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
    for (number, detector) in ALL.iter().enumerate() {
        for keyword in detector.keywords() {
            owners.entry(keyword.into_bytes()).or_default().push(number);
        }
    }
    Prefilter::new(owners.into_iter().map(|(bytes, detectors)| Keyword { bytes, detectors }).collect())
});

/// How many places of a keyword its four bytes are chosen from.
const REACH: usize = 16;

/// A keyword, and its first eight bytes for a quick look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    head: u64,
    mask: u64,
    keyword: usize,
    /// Where in the keyword the bytes stand that are looked up.
    offset: usize,
}

impl Prefilter {
    fn new(keywords: Vec<Keyword>) -> Self {
        let mut lists: BTreeMap<usize, Vec<Candidate>> = BTreeMap::new();
        let mut table = Box::new([0u8; SIZE]);
        for (number, keyword) in keywords.iter().enumerate() {
            let offset = rarest(&keyword.bytes);
            let window: Vec<u8> = keyword.bytes.iter().copied().skip(offset).take(4).collect();
            // After a keyword of two bytes, any third may come; after three, any fourth.
            for third in window.get(2).map_or(0..=255, |third| *third..=*third) {
                let first = |n: usize| window.get(n).copied().unwrap_or(0);
                let word = fold(u32::from_le_bytes([first(0), first(1), third, first(3)]));
                if let Some(kinds) = table.get_mut(hash(word)) {
                    *kinds |= if window.len() < 4 { u8::MAX } else { 1 << kind_of_fourth(word) };
                }
                let list = lists.entry(hash(word)).or_default();
                let unused = 8 * (8 - keyword.bytes.len().min(8));
                let candidate =
                    Candidate { head: head(&keyword.bytes), mask: u64::MAX >> unused, keyword: number, offset };
                if !list.contains(&candidate) {
                    list.push(candidate);
                }
            }
        }
        let mut begins = Vec::with_capacity(SIZE + 1);
        let mut candidates = Vec::new();
        for hash in 0..SIZE {
            begins.push(candidates.len() as u16);
            candidates.extend(lists.remove(&hash).unwrap_or_default());
        }
        begins.push(candidates.len() as u16);
        Self { table, begins, candidates, keywords }
    }

    /// Calls `on_hit` for every keyword of `bytes`, those inside others too, each once.
    fn each_hit(&self, bytes: &[u8], mut on_hit: impl FnMut(Hit, &[usize])) {
        let table = &*self.table;
        let mut look = |at: usize, four: [u8; 4]| {
            let word = fold(u32::from_le_bytes(four));
            let hash = hash(word);
            if table.get(hash).is_some_and(|kinds| kinds >> kind_of_fourth(word) & 1 == 1) {
                self.keywords_at(bytes, at, hash, &mut on_hit);
            }
        };
        for (at, four) in bytes.array_windows::<4>().enumerate() {
            look(at, *four);
        }
        if let Some([a, b, c]) = bytes.last_chunk::<3>() {
            look(bytes.len() - 3, [*a, *b, *c, 0]);
        }
        if let Some([a, b]) = bytes.last_chunk::<2>() {
            look(bytes.len() - 2, [*a, *b, 0, 0]);
        }
    }

    /// Calls `on_hit` for the keywords whose four bytes stand at `at`, where three bytes have this hash.
    #[inline(never)]
    fn keywords_at(&self, bytes: &[u8], at: usize, hash: usize, on_hit: &mut impl FnMut(Hit, &[usize])) {
        let Some([from, to]) = self.begins.get(hash..).and_then(<[u16]>::first_chunk) else { return };
        for candidate in self.candidates.get(usize::from(*from)..usize::from(*to)).unwrap_or_default() {
            let Some(start) = at.checked_sub(candidate.offset) else { continue };
            let here = bytes.get(start..).unwrap_or_default();
            if (head(here) ^ candidate.head) & candidate.mask != 0 {
                continue;
            }
            let Some(keyword) = self.keywords.get(candidate.keyword) else { continue };
            let length = keyword.bytes.len();
            if here.get(..length).is_some_and(|b| b.eq_ignore_ascii_case(&keyword.bytes)) {
                on_hit(Hit { start, end: start + length }, &keyword.detectors);
            }
        }
    }
}

/// Words of English and of code that stand everywhere, so that no keyword is looked for by a part of them.
const USUAL: &str = " the and of to in is you that it he was for on are as with his they at be this have from or one had by \
    word but not what all were we when your can said there use an each which she do how their if will up other about out \
    many then them these so some her would make like him into time has look two more write go see number no way could \
    people my than first water been call who its now find long down day did get come made may part over new sound take \
    only little work know place year live me back give most very after thing nothing anything everything our just name \
    good sentence man think say great where help through much before line right too mean old any same tell boy follow \
    came want show also around form three small set put end does another well large must big even such because turn here \
    why ask went men read need land different home us move try kind hand picture again change off play spell air away \
    animal house point page letter mother answer found study still learn should world high every between better second \
    last never under while city best against order united general system government without however during later since \
    version user data file path code test type value list line key public private function return import export const \
    string number object option config default error message result response request session state item index handler \
    token await async class extends interface null undefined true false throw update create delete field param project \
    provider post docs view patch print printf info environment protocol https:// http:// ://developer.git github.com \
    /latest/ /rest/ keyword linux process program application \
    promise private record define configuration undefined environments said find seen told ";

/// Where in a keyword four bytes stand that are seldom met elsewhere.
fn rarest(keyword: &[u8]) -> usize {
    // From the most to the least frequent in text and code; what is not here is rarer still.
    const FREQUENT: &[u8] = b"/:-#etaoinsrl cdpumfhgbyvw.x0_1k2\"'";
    let weight = |b: &u8| FREQUENT.len() - FREQUENT.iter().position(|f| f == b).unwrap_or(FREQUENT.len());
    let usual = |w: &[u8]| memchr::memmem::find_iter(USUAL.as_bytes(), w).count();
    let weights: Vec<(usize, usize)> =
        keyword.windows(4).take(REACH).map(|w| (usual(w), w.iter().map(weight).sum())).collect();
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

/// Four bytes, letters in one case.
fn fold(four: u32) -> u32 {
    four | 0x2020_2020
}

/// The hash of the first three bytes.
fn hash(word: u32) -> usize {
    ((word << 8).wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

/// Which of eight kinds the fourth byte is of.
fn kind_of_fourth(word: u32) -> u32 {
    word >> 24 & 7
}

/// Calls `on_hit` for every keyword of `bytes`, those inside others too, each once, with the detectors that it belongs to.
pub(crate) fn each_hit(bytes: &[u8], on_hit: impl FnMut(Hit, &[usize])) {
    PREFILTER.each_hit(bytes, on_hit);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::examples::hostile;

    fn fast(filter: &Prefilter, text: &str) -> Vec<(Hit, usize)> {
        let mut found = Vec::new();
        filter.each_hit(text.as_bytes(), |hit, detectors| found.extend(detectors.iter().map(|d| (hit, *d))));
        found.sort_unstable();
        found
    }

    /// The same, keyword by keyword and place by place.
    fn naive(filter: &Prefilter, text: &str) -> Vec<(Hit, usize)> {
        let mut found = Vec::new();
        for Keyword { bytes, detectors } in &filter.keywords {
            let windows = text.as_bytes().windows(bytes.len()).enumerate();
            for (start, _) in windows.filter(|(_, w)| w.eq_ignore_ascii_case(bytes)) {
                found.extend(detectors.iter().map(|d| (Hit { start, end: start + bytes.len() }, *d)));
            }
        }
        found.sort_unstable();
        found
    }

    #[test]
    fn keywords_are_found_in_any_case_and_inside_of_others() {
        let keyword = |(n, text): (usize, &str)| Keyword { bytes: text.into(), detectors: vec![n] };
        let keywords = ["secret", "secret_key", "ret", "q~", "\u{202e}"];
        let filter = Prefilter::new(keywords.into_iter().enumerate().map(keyword).collect());
        for text in ["q~", "aq~", "xaq~", "ret", "q~q~"] {
            assert_eq!(fast(&filter, text), naive(&filter, text), "{text}");
        }
        let text = "x SECRET_key aq~z \u{202e} ret";
        let found = fast(&filter, text);
        let words: Vec<&str> = found.iter().map(|(hit, _)| &text[hit.start..hit.end]).collect();
        assert_eq!(words, ["SECRET", "SECRET_key", "RET", "q~", "\u{202e}", "ret"]);
        assert_eq!(found, naive(&filter, text));
    }

    proptest! {
        #[test]
        fn the_fast_way_finds_what_the_plain_one_does(text in hostile()) {
            prop_assert_eq!(fast(&PREFILTER, &text), naive(&PREFILTER, &text));
        }
    }

    #[test]
    fn few_keywords_are_so_short_that_many_places_look_like_them() {
        let short: Vec<_> = PREFILTER.keywords.iter().map(|k| &k.bytes).filter(|k| k.len() < 3).collect();
        assert_eq!(short, [b"!["]);
    }
}

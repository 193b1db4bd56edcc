//! Exact values: known secrets in the encodings they are likely to leave in. No shape is needed and nothing is guessed.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use rampart_call::Span;

use crate::{
    layers::{self, View},
    scanning::DEPTH,
};

/// The shortest value that is looked for, in bytes: shorter ones stand in innocent text too often.
const SHORTEST: usize = 8;

/// An automaton over the values of known secrets: plain, reversed, in base64 and base64url at all three alignments, in
/// hexadecimal, percent escaped, and as a JSON string.
#[derive(Default)]
pub struct KnownSecrets {
    automaton: Option<AhoCorasick>,
    /// Which value each pattern of the automaton comes from.
    values: Vec<usize>,
}

impl KnownSecrets {
    /// Takes the values to look for. Values shorter than 8 bytes are left out: they stand in innocent text too often.
    pub fn new<S: AsRef<[u8]>>(values: impl IntoIterator<Item = S>) -> Self {
        let mut patterns: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for (number, value) in values.into_iter().enumerate() {
            let value = value.as_ref();
            if value.len() >= SHORTEST {
                for form in forms(value) {
                    patterns.entry(form).or_insert(number);
                }
            }
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(patterns.keys()).ok();
        Self { automaton, values: patterns.into_values().collect() }
    }

    /// Where known values stand: which of the values given to [`KnownSecrets::new`], counted from 0, and its bytes.
    pub fn find(&self, text: &str) -> Vec<(usize, Span)> {
        self.find_bytes(text.as_bytes())
    }

    /// The same for bytes that need not be UTF-8.
    pub fn find_bytes(&self, bytes: &[u8]) -> Vec<(usize, Span)> {
        let Some(automaton) = &self.automaton else { return Vec::new() };
        let found = automaton.find_iter(bytes);
        found
            .filter_map(|m| Some((*self.values.get(m.pattern().as_usize())?, Span { start: m.start(), end: m.end() })))
            .collect()
    }

    /// Which of the values stand in the bytes, also under encodings that lie on top of each other. Each once, in order.
    pub fn find_within(&self, bytes: &[u8]) -> Vec<usize> {
        let mut found = BTreeSet::new();
        if !self.is_empty() {
            let mut budget = bytes.len().saturating_mul(4).saturating_add(64 * 1024);
            self.look(&View::plain(bytes), &mut budget, &mut found);
        }
        found.into_iter().collect()
    }

    fn look(&self, view: &View<'_>, budget: &mut usize, found: &mut BTreeSet<usize>) {
        found.extend(self.find_bytes(view.bytes).into_iter().map(|(which, _)| which));
        if view.depth() < DEPTH {
            layers::each_inner(view, |inner| {
                if let Some(left) = budget.checked_sub(inner.bytes.len()) {
                    *budget = left;
                    self.look(inner, budget, found);
                }
            });
        }
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The length of the longest form in bytes: who cuts a stream keeps that much less one of what went before.
    pub fn longest(&self) -> usize {
        self.automaton.as_ref().map_or(0, AhoCorasick::max_pattern_len)
    }
}

/// Shows how many values there are, never the values.
impl std::fmt::Debug for KnownSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownSecrets").field("patterns", &self.values.len()).finish_non_exhaustive()
    }
}

/// The forms that `value` may take in a text, in an order that is the same for all values.
fn all_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let hex = hex::encode(value);
    let mut forms = vec![
        value.to_vec(),
        value.iter().rev().copied().collect(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        percent(value, false),
        percent(value, true),
        value.iter().flat_map(|b| format!("%{b:02X}").into_bytes()).collect(),
        value.iter().flat_map(|b| format!("%{b:02x}").into_bytes()).collect(),
        json(value),
    ];
    for skip in 0..3 {
        forms.extend([STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|engine| middle_of_base64(value, skip, &engine)));
    }
    forms
}

fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = all_forms(value);
    forms.retain(|f| f.len() >= SHORTEST);
    forms
}

/// The forms that a value may take, each with what stands there when another takes its place: for taking a value out of a
/// text wherever it stands. Of equal length where the other has letters, digits and everything else at the same places.
pub fn exchanged(value: &str, other: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pairs = all_forms(value.as_bytes()).into_iter().zip(all_forms(other.as_bytes()));
    pairs.filter(|(from, _)| from.len() >= SHORTEST).collect()
}

/// The characters of base64 that depend on nothing but `value` when `skip` bytes stand before it.
fn middle_of_base64(value: &[u8], skip: usize, engine: &base64::engine::GeneralPurpose) -> Vec<u8> {
    let padded = [&[0u8; 3][..skip.min(3)], value].concat();
    let first = (skip * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    engine.encode(&padded).into_bytes().get(first..last).unwrap_or_default().to_vec()
}

/// Percent escapes of all but unreserved characters (RFC 3986 2.3), with digits in upper or lower case.
fn percent(value: &[u8], lower: bool) -> Vec<u8> {
    let one = |b: &u8| match b {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(b) => vec![*b],
        b if lower => format!("%{b:02x}").into_bytes(),
        b => format!("%{b:02X}").into_bytes(),
    };
    value.iter().flat_map(one).collect()
}

/// As in a JSON string.
fn json(value: &[u8]) -> Vec<u8> {
    let one = |b: &u8| match b {
        b'"' | b'\\' => vec![b'\\', *b],
        b'\n' => b"\\n".to_vec(),
        b'\r' => b"\\r".to_vec(),
        b'\t' => b"\\t".to_vec(),
        0..0x20 => format!("\\u{b:04x}").into_bytes(),
        _ => vec![*b],
    };
    value.iter().flat_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "p@ss/word+\"1\"";

    #[track_caller]
    fn finds(text: &str, expected: &str) {
        let found = KnownSecrets::new(["other value", VALUE]).find(text);
        let [(which, span)] = found.as_slice() else { panic!("{text}: {found:?}") };
        assert_eq!((*which, &text[span.start..span.end]), (1, expected));
    }

    #[test]
    fn a_value_is_found_in_every_form() {
        finds("x p@ss/word+\"1\" y", VALUE);
        finds("\"1\"+drow/ss@p", "\"1\"+drow/ss@p");
        finds("704073732f776f72642b223122", "704073732f776f72642b223122");
        finds("704073732F776F72642B223122", "704073732F776F72642B223122");
        finds("?q=p%40ss%2Fword%2B%221%22", "p%40ss%2Fword%2B%221%22");
        finds("?q=p%40ss%2fword%2b%221%22", "p%40ss%2fword%2b%221%22");
        finds(r#"{"p":"p@ss/word+\"1\""}"#, r#"p@ss/word+\"1\""#);
    }

    #[test]
    fn a_value_is_found_in_base64_at_any_alignment() {
        let known = KnownSecrets::new([VALUE]);
        for before in ["", "a", "ab", "abc", "key="] {
            for after in ["", "z", "zz"] {
                for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                    let text = engine.encode(format!("{before}{VALUE}{after}"));
                    assert_eq!(known.find(&text).len(), 1, "{before} {after} {text}");
                }
            }
        }
    }

    #[test]
    fn a_value_is_found_under_encodings_on_top_of_each_other() {
        use base64::engine::general_purpose::STANDARD;
        let known = KnownSecrets::new(["other value", VALUE]);
        let twice = STANDARD.encode(hex::encode(format!("{{\"key\":\"{}\"}}", STANDARD.encode(VALUE))));
        assert_eq!(known.find(&twice), []);
        assert_eq!(known.find_within(format!("data={twice}").as_bytes()), [1]);
        assert_eq!(known.find_within(b"data=other+value other value"), [0]);
    }

    #[test]
    fn what_takes_a_values_place_is_as_long_in_every_form() {
        let pairs = exchanged(VALUE, "x@yy/zzzz+\"7\"");
        assert_eq!(pairs.len(), 15);
        assert!(pairs.iter().all(|(from, to)| from.len() == to.len() && from != to), "{pairs:?}");
    }

    #[test]
    fn short_values_are_left_out_and_numbers_stay() {
        let known = KnownSecrets::new(["short", "long enough"]);
        assert_eq!(known.find("short, long enough"), [(1, Span { start: 7, end: 18 })]);
        assert!(KnownSecrets::new(["short"]).is_empty());
        assert_eq!(KnownSecrets::default().find("x"), []);
    }

    #[test]
    fn what_is_shown_holds_no_value() {
        assert!(!format!("{:?}", KnownSecrets::new([VALUE])).contains("word"));
    }
}

//! Look-alikes made plain: invisible characters dropped, tag characters shown, letters of other scripts and styles that
//! stand in Latin words replaced by the Latin letters they imitate.

use unicode_normalization::UnicodeNormalization;

use super::{Link, View, whole_words};
use crate::visible::{is_invisible, wide_runs};

/// How much text around such a character is folded with it, in bytes.
const AROUND: usize = 512;

/// Letters of Cyrillic, Greek and others that look Latin (from the confusables of Unicode TS39).
const LOOKALIKES: &str = "аaеeоoрpсcуyхxіiјjѕsһhԁdɡgԛqԝwвbкkмmнhтtАAВBЕEКKМMНHОOРPСCТTУYХXІIЈJЅSԌGԚQԜWαaοoνvρpτtυuιiκkγyΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXıiɑaℓl";

/// Scans what stands around characters that imitate or hide.
pub(super) fn each(view: &View<'_>, look: &mut impl FnMut(&View<'_>)) {
    for (start, end) in suspicious(view.bytes) {
        let (start, end) = whole_words(view.bytes, start, end);
        let (bytes, steps) = folded(view.bytes.get(start..end).unwrap_or_default(), start);
        look(&View::inner(&bytes, view, Link::Steps(&steps), "unicode"));
    }
}

/// The parts around characters that imitate or hide, merged.
fn suspicious(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for (start, run) in wide_runs(bytes) {
        let latin = start.checked_sub(1).and_then(|b| bytes.get(b)).is_some_and(u8::is_ascii_alphabetic);
        let mut here = start;
        for chunk in run.utf8_chunks() {
            for c in chunk.valid().chars() {
                let next = || bytes.get(here + c.len_utf8()).is_some_and(u8::is_ascii_alphabetic);
                if is_invisible(c) || is_styled(c) || ((latin || next()) && lookalike(c).is_some()) {
                    let to = bytes.len().min(here + AROUND);
                    match parts.last_mut() {
                        Some((_, end)) if here <= *end => *end = to,
                        _ => parts.push((here.saturating_sub(AROUND), to)),
                    }
                }
                here += c.len_utf8();
            }
            here += chunk.invalid().len();
        }
    }
    parts
}

/// Latin letters in other clothes: full width, mathematical, enclosed.
fn is_styled(c: char) -> bool {
    matches!(c, '\u{ff01}'..='\u{ff5e}' | '\u{1d400}'..='\u{1d7ff}' | '\u{2460}'..='\u{24ff}' | '\u{1f110}'..='\u{1f189}' | '\u{2100}'..='\u{214f}')
}

fn lookalike(c: char) -> Option<char> {
    let mut pairs = LOOKALIKES.chars();
    while let (Some(imitation), Some(latin)) = (pairs.next(), pairs.next()) {
        if imitation == c {
            return Some(latin);
        }
    }
    None
}

/// `part` folded, and the steps that lead back. `offset` is where it stands.
fn folded(part: &[u8], offset: usize) -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut bytes = Vec::with_capacity(part.len());
    let mut steps = vec![(0, offset)];
    let mut at = offset;
    for chunk in part.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_ascii() {
                bytes.push(c as u8);
            } else {
                steps.push((bytes.len(), at));
                match u32::from(c) {
                    tag @ 0xe_0020..=0xe_007e => bytes.push((tag - 0xe_0000) as u8),
                    _ if is_invisible(c) => {}
                    _ => {
                        for plain in lookalike(c).map_or_else(|| c.nfkc().collect(), String::from).chars() {
                            bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
                        }
                    }
                }
                steps.push((bytes.len(), at + c.len_utf8()));
            }
            at += c.len_utf8();
        }
        bytes.extend_from_slice(chunk.invalid());
        at += chunk.invalid().len();
    }
    (bytes, steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imitations_are_folded_to_latin() {
        for (text, plain) in [
            ("іgnоre", "ignore"),
            ("ｉｇｎｏｒｅ", "ignore"),
            ("ig\u{200b}nore", "ignore"),
            ("𝐢𝐠𝐧𝐨𝐫𝐞", "ignore"),
            ("a\u{e0069}\u{e0067}b", "aigb"),
            ("naïve", "naïve"),
        ] {
            assert_eq!(String::from_utf8(folded(text.as_bytes(), 0).0).unwrap(), plain);
        }
    }

    #[test]
    fn plain_text_of_other_scripts_is_left_alone() {
        for text in ["Привет, мир", "καλημέρα", "日本語 text", "naïve café"] {
            assert!(suspicious(text.as_bytes()).is_empty(), "{text}");
        }
        assert!(!suspicious("pаypal".as_bytes()).is_empty());
    }
}

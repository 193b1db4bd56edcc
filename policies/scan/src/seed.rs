//! Recovery phrases of wallets: twelve to twenty-four words of the BIP-39 list whose last word carries a checksum.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

const WORDS: &str = include_str!("../data/bip39-english.txt");

/// The words by their hash, with their numbers; a word whose place is taken stands in the next that is free.
static PLACES: LazyLock<Vec<(u64, u16)>> = LazyLock::new(|| {
    let mut places = vec![(0, 0); SIZE];
    for (word, number) in WORDS.lines().zip(0..) {
        let word = packed(word.as_bytes());
        let mut place = hash(word);
        while places.get(place).is_some_and(|(taken, _)| *taken != 0) {
            place = (place + 1) % SIZE;
        }
        if let Some(free) = places.get_mut(place) {
            *free = (word, number);
        }
    }
    places
});

/// By sixteen bits of the hash: whether a word of the list has them. Most words of a text end here.
static MARKS: LazyLock<[u64; 1024]> = LazyLock::new(|| {
    let mut marks = [0; 1024];
    for word in WORDS.lines() {
        let (place, bit) = mark(packed(word.as_bytes()));
        if let Some(bits) = marks.get_mut(place) {
            *bits |= bit;
        }
    }
    marks
});

/// The place of a word in [`MARKS`] and its bit there.
fn mark(word: u64) -> (usize, u64) {
    let hash = word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

fn may_be_listed(word: u64) -> bool {
    let (place, bit) = mark(word);
    MARKS.get(place).is_some_and(|bits| bits & bit != 0)
}

/// More than twice as many places as words, so that most places next to a word are free.
const SIZE: usize = 1 << 13;

/// Up to eight letters in lower case.
fn packed(word: &[u8]) -> u64 {
    word.iter().fold(0, |packed, byte| packed << 8 | u64::from(byte | 0x20))
}

fn hash(word: u64) -> usize {
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SIZE.trailing_zeros())) as usize
}

/// Twelve words of three letters and what stands between them.
const SHORTEST: usize = 12 * 3 + 11;
/// How much of a stretch is read at once, at its end: mostly it holds a word that is none of the list.
const LAST: usize = 23;
/// The most that may stand between two words: ` 12. `, `","`.
const GAP: usize = 6;

/// Reports phrases. Skips: a phrase cannot begin before a word that is not of the list.
pub(crate) fn phrases(bytes: &[u8], report: &mut impl FnMut(&str, usize, usize)) {
    let mut i = 0;
    let mut words: Vec<(usize, usize, u16)> = Vec::new();
    while i + SHORTEST <= bytes.len() {
        let last = i + SHORTEST - LAST;
        if let Some(window) = bytes.get(last..).and_then(<[u8]>::first_chunk)
            && let Some(misfit) = misfit(window)
        {
            i = last + misfit + 1;
            continue;
        }
        words.clear();
        let mut at = i + SHORTEST - 1;
        let bad = loop {
            match word_before(bytes, at, i) {
                Some((start, end, Some(number))) => {
                    words.push((start, end, number));
                    if start <= i {
                        break None;
                    }
                    at = start - 1;
                }
                Some((_, end, None)) => break Some(end),
                None => break Some(words.last().map_or(at + 1, |w| w.0)),
            }
        };
        if let Some(bad) = bad {
            i = bad.max(i + 1);
            continue;
        }
        words.reverse();
        let end = extend(bytes, &mut words);
        whole_phrases(bytes, &words, report);
        i = end.max(i + 1);
    }
}

/// Where in `window` a word begins, of its first [`LAST`] bytes, that no phrase holds; the last of them.
fn misfit(window: &[u8; 32]) -> Option<usize> {
    let letters = letters(window);
    let mut words = letters & (!letters << 1) & ((1 << LAST) - 1);
    while let Some(last) = words.checked_ilog2() {
        words ^= 1 << last;
        let start = last as usize;
        let length = (letters >> last).trailing_ones();
        let eight = window.get(start..).and_then(<[u8]>::first_chunk)?;
        // as `packed` has it
        let word = || (u64::from_be_bytes(*eight) | (0x20 * EACH)) >> (64 - 8 * length);
        if !(3..=8).contains(&length) || !may_be_listed(word()) {
            return Some(start);
        }
    }
    None
}

/// Which bytes are letters, the first in the lowest bit.
fn letters(window: &[u8; 32]) -> u64 {
    window.as_chunks().0.iter().rev().fold(0, |mask, eight| mask << 8 | letters_of(u64::from_le_bytes(*eight)))
}

/// A one in each byte.
const EACH: u64 = 0x0101_0101_0101_0101;

/// Which of eight bytes are letters: all are compared at once, each in its part of the word.
fn letters_of(eight: u64) -> u64 {
    const HIGH: u64 = 0x80 * EACH;
    let lower = eight | (0x20 * EACH);
    let ascii = lower & !HIGH;
    let from_a = ascii + (0x80 - u64::from(b'a')) * EACH;
    let past_z = ascii + (0x7f - u64::from(b'z')) * EACH;
    let each = (from_a & !past_z & !lower & HIGH) >> 7;
    // the lowest bit of each byte, moved side by side
    each.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The word that stands at `at` or before it, not before `from`: its bytes, and its number in the list. None when too
/// much stands between.
fn word_before(bytes: &[u8], at: usize, from: usize) -> Option<(usize, usize, Option<u16>)> {
    let letter = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_alphabetic);
    let mut last = at;
    while !letter(last) {
        if last <= from || at - last >= GAP || !bytes.get(last).is_some_and(|b| separates(*b)) {
            return None;
        }
        last -= 1;
    }
    let mut start = last;
    while start > 0 && last - start < 9 && letter(start - 1) {
        start -= 1;
    }
    let mut end = last + 1;
    while end - start < 10 && letter(end) {
        end += 1;
    }
    Some((start, end, number_of(bytes, start, end)))
}

/// Whether the byte may stand between two words of a phrase: blanks, numbering, a list in quotes.
fn separates(byte: u8) -> bool {
    byte.is_ascii_digit() || b" \t\r\n.,\"'`-)|:\\".contains(&byte)
}

fn number_of(bytes: &[u8], start: usize, end: usize) -> Option<u16> {
    let word = bytes.get(start..end).filter(|w| (3..=8).contains(&w.len())).map(packed)?;
    if !may_be_listed(word) {
        return None;
    }
    let mut place = hash(word);
    loop {
        match PLACES.get(place)? {
            (0, _) => return None,
            (here, number) if *here == word => return Some(*number),
            _ => place = (place + 1) % SIZE,
        }
    }
}

/// Appends the words that follow the last one; gives the end of what was read.
fn extend(bytes: &[u8], words: &mut Vec<(usize, usize, u16)>) -> usize {
    let Some(&(_, mut end, _)) = words.last() else { return 0 };
    loop {
        let rest = bytes.get(end..).unwrap_or_default();
        let gap = rest.iter().take(GAP + 1).take_while(|b| separates(**b)).count();
        let start = end + gap;
        let length =
            bytes.get(start..).unwrap_or_default().iter().take(9).take_while(|b| b.is_ascii_alphabetic()).count();
        let Some(number) = number_of(bytes, start, start + length).filter(|_| (1..=GAP).contains(&gap)) else {
            return end;
        };
        end = start + length;
        words.push((start, end, number));
    }
}

/// Reports the longest valid phrases in a run of words of the list.
fn whole_phrases(bytes: &[u8], words: &[(usize, usize, u16)], report: &mut impl FnMut(&str, usize, usize)) {
    let mut first = 0;
    while first + 12 <= words.len() {
        let found = [24, 21, 18, 15, 12].into_iter().find_map(|n| {
            let phrase = words.get(first..first + n)?;
            (checksum_fits(phrase) && is_list(bytes, phrase)).then_some(phrase)
        });
        match found {
            Some(phrase) => {
                if let (Some(a), Some(z)) = (phrase.first(), phrase.last()) {
                    report("seed-phrase", a.0, z.1);
                }
                first += phrase.len();
            }
            None => first += 1,
        }
    }
}

/// Whether words are listed and not those of a sentence: all but the first are written in one case, and a full stop or
/// comma stands after each or after none.
fn is_list(bytes: &[u8], phrase: &[(usize, usize, u16)]) -> bool {
    let words = phrase.iter().skip(1).filter_map(|w| bytes.get(w.0..w.1));
    let style = |word: &[u8]| (word.first().map(u8::is_ascii_uppercase), word.get(1).map(u8::is_ascii_uppercase));
    let in_one_case = words.clone().zip(words.skip(1)).all(|(a, b)| style(a) == style(b));
    let gaps = || phrase.iter().zip(phrase.iter().skip(1)).filter_map(|(a, b)| bytes.get(a.1..b.0));
    let has = |mark: u8| gaps().filter(|gap| gap.contains(&mark)).count();
    in_one_case && [b'.', b','].into_iter().all(|mark| has(mark) == 0 || has(mark) + 1 >= phrase.len())
}

/// Eleven bits a word; the last bits of all are the first bits of the SHA-256 of those before (BIP-39).
fn checksum_fits(phrase: &[(usize, usize, u16)]) -> bool {
    let mut bits: Vec<bool> = Vec::with_capacity(phrase.len() * 11);
    for (_, _, number) in phrase {
        bits.extend((0..11).rev().map(|b| number >> b & 1 == 1));
    }
    let entropy = bits.len() / 33 * 32;
    let (entropy, sum) = bits.split_at(entropy);
    let byte = |chunk: &[bool]| chunk.iter().fold(0u8, |n, b| n << 1 | u8::from(*b));
    let bytes: Vec<u8> = entropy.chunks(8).map(byte).collect();
    let Some(first) = Sha256::digest(&bytes).first().copied() else { return false };
    let distinct = phrase.iter().map(|w| w.2).collect::<std::collections::BTreeSet<_>>().len();
    // Text of few words repeats them; a phrase hardly does, but for those that consist of one word and its checksum.
    let repeated = phrase.windows(2).take(phrase.len() - 2).all(|w| matches!(w, [a, b] if a.2 == b.2));
    (distinct * 2 > phrase.len() || repeated && distinct == 2)
        && sum.iter().enumerate().all(|(i, b)| (first >> (7 - i) & 1 == 1) == *b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PHRASE: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";

    fn found(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        phrases(text.as_bytes(), &mut |_, start, end| found.push(&text[start..end]));
        found
    }

    proptest! {
        #[test]
        fn letters_are_told_many_at_a_time(window: [u8; 32]) {
            let told = letters(&window);
            for (i, byte) in window.iter().enumerate() {
                prop_assert_eq!(told >> i & 1 == 1, byte.is_ascii_alphabetic(), "{}", byte);
            }
        }

        #[test]
        fn a_phrase_is_found_between_whatever_texts(before in "([a-z]{1,12}[ .,:{é\n]{1,3}){0,12}", after in "[ .\n][ -~]{0,80}") {
            let text = format!("{before}\n# {PHRASE}{after}");
            prop_assert_eq!(found(&text), [PHRASE]);
        }
    }
}

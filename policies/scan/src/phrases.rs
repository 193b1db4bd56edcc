//! Phrases of many lists, looked for in one pass.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// Phrases, and what each stands for; made into an automaton when they are first looked for.
#[derive(Debug)]
pub(crate) struct Phrases<T> {
    texts: Vec<String>,
    meant: Vec<Phrase<T>>,
    automaton: OnceLock<Option<AhoCorasick>>,
}

#[derive(Debug)]
struct Phrase<T> {
    /// Where a word of it must not go on, before it and behind it.
    begins: bool,
    ends: bool,
    of: T,
}

impl<T: Copy> Phrases<T> {
    /// Of phrases as detector files write them: in any case, `(a|b)` for either, `*` at an end for any ending.
    pub(crate) fn new<'a>(lists: impl IntoIterator<Item = (T, &'a [String])>) -> Self {
        let mut texts = Vec::new();
        let mut meant = Vec::new();
        for (of, list) in lists {
            for text in list.iter().flat_map(|phrase| expand(phrase)) {
                let inner = text.trim_matches('*');
                let word = |byte: Option<u8>| byte.is_some_and(is_word);
                meant.push(Phrase {
                    begins: !text.starts_with('*') && word(inner.bytes().next()),
                    ends: !text.ends_with('*') && word(inner.bytes().next_back()),
                    of,
                });
                texts.push(inner.to_ascii_lowercase());
            }
        }
        Self { texts, meant, automaton: OnceLock::new() }
    }

    /// None where it cannot be made, which a test rules out.
    fn automaton(&self) -> Option<&AhoCorasick> {
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::Standard).kind(Some(AhoCorasickKind::ContiguousNFA));
        self.automaton.get_or_init(|| builder.build(&self.texts).ok()).as_ref()
    }

    #[cfg(test)]
    pub(crate) fn made(&self) -> bool {
        self.automaton().is_some()
    }

    /// Each phrase in `text`, which [`folded`] gave, by the place where it ends: what it stands for, and where it is.
    pub(crate) fn each(&self, text: &[u8], mut found: impl FnMut(T, usize, usize)) {
        let word = |at: Option<usize>| at.and_then(|i| text.get(i).copied()).is_some_and(is_word);
        let Some(automaton) = self.automaton() else { return };
        for hit in automaton.find_overlapping_iter(text) {
            let Some(phrase) = self.meant.get(hit.pattern().as_usize()) else { continue };
            let inside = phrase.begins && word(hit.start().checked_sub(1)) || phrase.ends && word(Some(hit.end()));
            if !inside {
                found(phrase.of, hit.start(), hit.end());
            }
        }
    }
}

/// A name in code is one word.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The text as phrases are looked for in: small letters, one kind of space.
pub(crate) fn folded(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|b| if b.is_ascii_whitespace() { b' ' } else { b.to_ascii_lowercase() }).collect()
}

/// The texts that `phrase` stands for. A bracket that no `|` follows stands for itself.
fn expand(phrase: &str) -> Vec<String> {
    let choice = phrase.match_indices('(').find_map(|(open, _)| {
        let close = open + phrase[open..].find(')')?;
        let inner = &phrase[open + 1..close];
        inner.contains('|').then_some((open, inner, close))
    });
    let Some((open, inner, close)) = choice else { return vec![phrase.to_owned()] };
    let rest = expand(&phrase[close + 1..]);
    let with = |choice: &str| {
        let before = format!("{}{choice}", &phrase[..open]);
        rest.iter().map(move |rest| format!("{before}{rest}")).collect::<Vec<_>>()
    };
    inner.split('|').flat_map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: &[&str], text: &str) -> Vec<(usize, usize)> {
        let list: Vec<String> = list.iter().map(|&p| p.to_owned()).collect();
        let mut all = Vec::new();
        Phrases::new([((), list.as_slice())]).each(&folded(text.as_bytes()), |(), start, end| all.push((start, end)));
        all
    }

    #[test]
    fn words_are_whole_unless_a_star_says_otherwise() {
        assert_eq!(found(&["tell"], "Tell it, foretell, telling"), [(0, 4)]);
        assert_eq!(found(&["tell*"], "retell telling"), [(7, 11)]);
        assert_eq!(found(&["*tell"], "retell telling"), [(2, 6)]);
        assert_eq!(found(&["`user-agent`"], "a`user-agent`b"), [(1, 13)]);
        assert_eq!(found(&["no word"], "no\nword"), [(0, 7)]);
    }

    #[test]
    fn choices_stand_for_each() {
        assert_eq!(expand("(a|b) c(|d)"), ["a c", "a cd", "b c", "b cd"]);
        assert_eq!(expand("f(x), (y|)"), ["f(x), y", "f(x), "]);
        assert_eq!(expand("new agent("), ["new agent("]);
    }
}

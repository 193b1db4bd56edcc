//! Whether a text that names a model speaks to it.

use crate::entry;
use crate::phrases::{Phrases, folded};
use crate::prefilter::Hit;

/// How far around a name is read, in bytes.
const BEFORE: usize = 40;
const BEHIND: usize = 110;
/// How far a phrase goes that a clause ends in.
const PHRASE: usize = 8;
/// How many words stand between a name and what makes it an address: `to the AI travel agent`.
const WORDS: usize = 4;

/// What an address is made of.
#[derive(Debug)]
pub(crate) struct Address {
    phrases: Phrases<Part>,
}

/// What a phrase is in an address; [`entry::Address`] says what each is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Name,
    Call,
    Condition,
    Relative,
    Kind,
    Duty,
    Verb,
    Alone,
}

impl Address {
    pub(crate) fn new(lists: &entry::Address) -> Self {
        let lists: [(Part, &[String]); 8] = [
            (Part::Name, &lists.names),
            (Part::Call, &lists.calls),
            (Part::Condition, &lists.conditions),
            (Part::Relative, &lists.relatives),
            (Part::Kind, &lists.kinds),
            (Part::Duty, &lists.duties),
            (Part::Verb, &lists.verbs),
            (Part::Alone, &lists.alone),
        ];
        Self { phrases: Phrases::new(lists) }
    }

    #[cfg(test)]
    pub(crate) fn made(&self) -> bool {
        self.phrases.made()
    }

    /// Where the address stands that has the keyword at `hit` in it.
    pub(crate) fn at(&self, bytes: &[u8], hit: Hit) -> Option<(usize, usize)> {
        let from = hit.start.saturating_sub(BEFORE);
        let behind = bytes.get(hit.end..bytes.len().min(hit.end + BEHIND))?;
        // What is behind the clause can end a phrase, no more.
        let to = hit.end + behind.len().min(clause(behind) + PHRASE);
        let text = folded(bytes.get(from..to)?);
        let (start, end) = (hit.start - from, hit.end - from);
        let mut parts = Vec::new();
        self.phrases.each(&text, |part, start, end| parts.push((part, start, end)));
        let here = |s: usize, e: usize| s < end && start < e;
        let alone = parts.iter().find(|(part, s, e)| *part == Part::Alone && here(*s, *e));
        let (start, end) = if let Some((_, start, end)) = alone {
            (*start, *end)
        } else {
            let is_name = |(part, s, e): &&(Part, usize, usize)| *part == Part::Name && *s >= start && here(*s, *e);
            let &(_, start, end) = parts.iter().filter(is_name).max_by_key(|p| p.2)?;
            let written = bytes.get(from..)?;
            let name = Name { text: &text, written, parts: &parts, start, end, first: from == 0 };
            name.is_addressed().then_some((start, end))?
        };
        Some((from + start, from + end))
    }
}

/// A name in the text around it.
struct Name<'a> {
    text: &'a [u8],
    /// The same as it is written.
    written: &'a [u8],
    parts: &'a [(Part, usize, usize)],
    start: usize,
    end: usize,
    /// Nothing stands before the text.
    first: bool,
}

impl Name<'_> {
    fn is_addressed(&self) -> bool {
        let begins = self.begins();
        let marked = self.marked();
        let called = || marked || self.follows(Part::Relative) || self.parted();
        let starts = || begins.iter().take(WORDS).any(|at| self.starts(*at));
        marked && starts()
            || self.preceded(&begins, Part::Condition)
            || self.preceded(&begins, Part::Call) && called()
            || self.follows(Part::Verb)
            || self.obliged()
    }

    /// Where what is addressed may begin: at the name, or some words before it.
    fn begins(&self) -> Vec<usize> {
        let mut begins = vec![self.start];
        let mut at = self.start;
        while begins.len() <= WORDS {
            let before = self.written.get(..at).unwrap_or_default();
            let apart = before.iter().rev().take_while(|b| b" /-(".contains(b)).count();
            let word = before.iter().rev().skip(apart).take_while(|b| b.is_ascii_alphabetic()).count();
            if apart == 0 || word == 0 {
                break;
            }
            at -= apart + word;
            begins.push(at);
        }
        begins
    }

    /// Whether such a part stands right before one of these places.
    fn preceded(&self, begins: &[usize], part: Part) -> bool {
        begins.iter().any(|at| {
            self.parts.iter().any(|(p, _, end)| {
                let between = self.text.get(*end..*at);
                *p == part
                    && between.is_some_and(|b| (1..=4).contains(&b.len()) && !b.iter().any(u8::is_ascii_alphanumeric))
            })
        })
    }

    /// Whether such a part follows at once, or, where it is an ending such as `ing`, ends the word that does.
    fn follows(&self, part: Part) -> bool {
        self.parts.iter().filter(|(p, ..)| *p == part).any(|(_, start, _)| match self.text.get(self.end..*start) {
            Some([b' ', word @ ..]) => word.iter().all(u8::is_ascii_lowercase),
            _ => false,
        })
    }

    /// Whether a mark ends the address: `AI agents:`, `[model note]`.
    fn marked(&self) -> bool {
        let kind =
            self.parts.iter().find(|(p, start, _)| *p == Part::Kind && (self.end..=self.end + 1).contains(start));
        let behind = self.text.get(kind.map_or(self.end, |k| k.2)..).unwrap_or_default();
        let stars = behind.iter().take_while(|b| **b == b'*').count().min(2);
        let behind = behind.get(stars..).unwrap_or_default();
        let odd = behind.iter().take(3).take_while(|b| !b.is_ascii_alphanumeric() && !b"\"'".contains(b));
        odd.clone().any(|b| b":,!)]".contains(b))
    }

    /// Whether a dash parts it from what is said.
    fn parted(&self) -> bool {
        let behind = self.text.get(self.end..).unwrap_or_default();
        [" - ", " \u{2013}", " \u{2014}", "\u{2014}"].iter().any(|dash| behind.starts_with(dash.as_bytes()))
    }

    /// Whether a sentence, a line or something quoted begins at `at`.
    fn starts(&self, at: usize) -> bool {
        let before = self.written.get(..at).unwrap_or_default();
        let marks = before.iter().rev().take_while(|b| b"\t@* ".contains(b)).count().min(3);
        (0..=marks).any(|n| match before.get(..at - n).unwrap_or_default() {
            [] => self.first,
            [.., b'\\', b'n' | b'r'] | [.., b'/', b'/'] | [.., b',', b' '] => true,
            [.., mark, b' '] => b".:;!?".contains(mark),
            [.., last] => !last.is_ascii_alphanumeric() && !b" ,_$/".contains(last),
        })
    }

    /// Whether it has to do something: in the clause behind it.
    fn obliged(&self) -> bool {
        let clause = self.end + clause(self.written.get(self.end..).unwrap_or_default());
        self.parts.iter().any(|(p, start, _)| *p == Part::Duty && *start > self.end && *start < clause)
    }
}

/// How far the clause goes that `bytes` begin in.
fn clause(bytes: &[u8]) -> usize {
    bytes.iter().position(|b| b".:\n\"".contains(b)).unwrap_or(bytes.len())
}

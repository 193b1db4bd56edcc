//! All patterns of one operand in one automaton. A pattern is only tried on a text that contains its longest literal
//! piece, so the cost of a look-up hardly grows with the number of patterns.

use std::{collections::HashMap, hash::Hash};

use aho_corasick::AhoCorasick;

/// So many patterns are tried one by one, which costs less than building an automaton: a suggestion is a set of one.
const FEW: usize = 4;

/// Collects patterns; equal ones are kept once.
#[derive(Debug)]
pub(crate) struct SetBuilder<P> {
    patterns: Vec<P>,
    ids: HashMap<P, u32>,
    literals: Vec<String>,
    keyed: Vec<Vec<u32>>,
    literal_ids: HashMap<String, usize>,
    unkeyed: Vec<u32>,
}

impl<P: Clone + Eq + Hash> SetBuilder<P> {
    pub(crate) fn new() -> Self {
        Self {
            patterns: Vec::new(),
            ids: HashMap::new(),
            literals: Vec::new(),
            keyed: Vec::new(),
            literal_ids: HashMap::new(),
            unkeyed: Vec::new(),
        }
    }

    /// Adds a pattern, every match of which contains `literal`, and returns its id.
    pub(crate) fn add(&mut self, pattern: P, literal: &str) -> u32 {
        if let Some(id) = self.ids.get(&pattern) {
            return *id;
        }
        let id = u32::try_from(self.patterns.len()).unwrap_or(u32::MAX);
        self.ids.insert(pattern.clone(), id);
        self.patterns.push(pattern);
        if literal.is_empty() {
            self.unkeyed.push(id);
            return id;
        }
        let slot = *self.literal_ids.entry(literal.to_owned()).or_insert_with(|| {
            self.literals.push(literal.to_owned());
            self.keyed.push(Vec::new());
            self.literals.len() - 1
        });
        if let Some(ids) = self.keyed.get_mut(slot) {
            ids.push(id);
        }
        id
    }

    /// Builds the automaton. Literals are found whatever their ASCII case; the patterns themselves decide on case.
    ///
    /// # Errors
    /// When the patterns together are too large for an automaton.
    pub(crate) fn build(mut self) -> Result<Set<P>, aho_corasick::BuildError> {
        let automaton = if self.patterns.len() <= FEW {
            self.unkeyed = (0..).take(self.patterns.len()).collect();
            None
        } else {
            Some(AhoCorasick::builder().ascii_case_insensitive(true).build(&self.literals)?)
        };
        Ok(Set { patterns: self.patterns, automaton, keyed: self.keyed, unkeyed: self.unkeyed })
    }
}

/// All patterns of one operand.
#[derive(Debug)]
pub(crate) struct Set<P> {
    patterns: Vec<P>,
    automaton: Option<AhoCorasick>,
    keyed: Vec<Vec<u32>>,
    unkeyed: Vec<u32>,
}

impl<P> Set<P> {
    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Every pattern with its id.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = (u32, &P)> {
        (0..).zip(&self.patterns)
    }

    /// Adds to `found` the ids of the patterns that may match `text` and pass `verify`.
    pub(crate) fn find(&self, text: &str, found: &mut Ids, verify: impl Fn(&P) -> bool) {
        let mut tried = Ids::default();
        let mut attempt = |id: u32| {
            if tried.insert(id) && self.patterns.get(id as usize).is_some_and(&verify) {
                found.insert(id);
            }
        };
        self.unkeyed.iter().copied().for_each(&mut attempt);
        if let Some(automaton) = &self.automaton {
            for hit in automaton.find_overlapping_iter(text) {
                self.keyed.get(hit.pattern().as_usize()).into_iter().flatten().copied().for_each(&mut attempt);
            }
        }
    }
}

/// A set of pattern ids; small as a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ids(Vec<u32>);

impl Ids {
    /// Adds an id; false when it was there.
    pub(crate) fn insert(&mut self, id: u32) -> bool {
        match self.0.binary_search(&id) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, id);
                true
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn meets(&self, other: &Self) -> bool {
        let (few, many) = if self.0.len() < other.0.len() { (self, other) } else { (other, self) };
        few.0.iter().any(|id| many.0.binary_search(id).is_ok())
    }
}

impl FromIterator<u32> for Ids {
    fn from_iter<I: IntoIterator<Item = u32>>(ids: I) -> Self {
        let mut ids: Vec<u32> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self(ids)
    }
}

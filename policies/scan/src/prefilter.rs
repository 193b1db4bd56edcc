//! One automaton over the keywords of all detectors. Everything else is asked only where one of them stands.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::automaton::Automaton;
use aho_corasick::{Anchored, MatchKind, dfa::DFA};

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

/// The beginning of a keyword that stands in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    pub start: usize,
    pub end: usize,
}

/// How much of a keyword the automaton knows, in bytes: enough to be rare, and few states to stay in the cache.
const LONGEST: usize = 5;

struct Prefilter {
    automaton: Option<DFA>,
    keywords: Vec<(usize, Vec<Owner>)>,
}

static PREFILTER: LazyLock<Prefilter> = LazyLock::new(|| {
    let mut owners: BTreeMap<Vec<u8>, Vec<Owner>> = BTreeMap::new();
    for (number, detector) in ALL.iter().enumerate() {
        for keyword in detector.keywords() {
            let start = keyword.into_bytes().into_iter().take(LONGEST).collect();
            let list: &mut Vec<Owner> = owners.entry(start).or_default();
            if !list.contains(&Owner::Detector(number)) {
                list.push(Owner::Detector(number));
            }
        }
    }
    for bytes in hidden::TRIGGERS {
        owners.entry(bytes.to_vec()).or_default().push(Owner::Hidden);
    }
    for (bytes, escape) in layers::TRIGGERS {
        owners.entry(bytes.to_vec()).or_default().push(Owner::Escape(*escape));
    }
    // A few hundred short keywords are far from the size that cannot be built.
    let automaton =
        DFA::builder().ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(owners.keys()).ok();
    Prefilter { automaton, keywords: owners.into_iter().map(|(k, o)| (k.len(), o)).collect() }
});

/// Calls `on_hit` for every keyword of `bytes`, those inside others too, in the order they end.
pub(crate) fn each_hit(bytes: &[u8], mut on_hit: impl FnMut(Hit, &[Owner])) {
    let Prefilter { automaton: Some(dfa), keywords } = &*PREFILTER else { return };
    let Ok(mut state) = dfa.start_state(Anchored::No) else { return };
    for (at, &byte) in bytes.iter().enumerate() {
        state = dfa.next_state(Anchored::No, state, byte);
        if dfa.is_special(state) && dfa.is_match(state) {
            for n in 0..dfa.match_len(state) {
                if let Some((len, owners)) = keywords.get(dfa.match_pattern(state, n).as_usize()) {
                    on_hit(Hit { start: (at + 1).saturating_sub(*len), end: at + 1 }, owners);
                }
            }
        }
    }
}

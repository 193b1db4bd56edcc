//! `detects`: a detector finds something in what is sent or, after the call, in what came back. Entries are ids of
//! detectors, or the classes `secret`, `personal`, `injection` and `hidden-text`.

use rampart_call::{Finding, FindingClass};

use super::{Fields, Placed, Reader, RuleBuilder};
use crate::spelling::{nearest, one_of};

/// Words that stand for all detectors of a class.
const CLASSES: [&str; 4] = [
    FindingClass::Secret.as_str(),
    FindingClass::Personal.as_str(),
    FindingClass::Injection.as_str(),
    FindingClass::HiddenText.as_str(),
];

/// Its name.
pub(crate) const KEY: &str = "detects";

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(pub(crate) Option<Vec<Placed<String>>>);

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let words = fields.take(KEY).map(|node| reader.texts(node, KEY));
        for word in words.iter().flatten() {
            let known = || CLASSES.iter().copied().chain(rampart_scan::detectors().map(rampart_scan::Detector::id));
            if !known().any(|k| k == word.value) {
                let help = match nearest(&word.value, known()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write {} or the id of a detector", one_of(&CLASSES)),
                };
                reader.error_with("unknown-word", &word.span, format!("`{}` is no detector", word.value), help);
            }
        }
        Self(words)
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Some(words) = &self.0 else { return };
        into.content = true;
        let words: Vec<String> = words.iter().map(|w| w.value.clone()).collect();
        into.call(KEY, move |facts| facts.findings().iter().any(|f| names(&words, f)));
    }

    /// Whether a finding is one of those named.
    pub(crate) fn covers(&self, finding: &Finding) -> bool {
        self.0.iter().flatten().any(|w| w.value == finding.detector || w.value == finding.class.as_str())
    }
}

fn names(words: &[String], finding: &Finding) -> bool {
    words.iter().any(|w| *w == finding.detector || w == finding.class.as_str())
}
